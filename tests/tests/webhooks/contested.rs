//! A payment that two orders know: both need attention.

use serde_json::{Value, json};
use simulator_http::Fault;
use tests::faulty_dynamodb::server_error;

use crate::world::{World, accepted, item, modification, signed, standard};

async fn attention(world: &World, reference: &str) -> Value {
    world.stack.order(reference).await["needsAttention"].clone()
}

fn contested(payment: &str) -> Value {
    json!([format!("payment_of_another_order: {payment}")])
}

#[tokio::test]
async fn authorisation_that_names_another_order_is_contested_by_both() {
    let world = World::new().await;
    let payment = world.paid("owner", "AMZN").await;
    world.paid("other", "AMZN-REFUSED").await;
    world.deliver_item(&item("AUTHORISATION", &payment, "owner")).await;
    for reference in ["owner", "other"] {
        assert_eq!(attention(&world, reference).await, json!([]));
    }
    for _ in 0..2 {
        world.deliver_item(&item("AUTHORISATION", &payment, "other")).await;
        for reference in ["owner", "other"] {
            assert_eq!(attention(&world, reference).await, contested(&payment));
            let path = format!("/orders/{reference}");
            let seen = world.stack.get(&path, &tests::browser(reference)).await.body;
            assert_eq!(seen["needsAttention"], json!(["payment_of_another_order"]));
        }
    }
    // The payment's pointer still leads to its first order.
    let refund = modification("REFUND", "REFUND0000000001", &payment, "foreign");
    world.deliver_item(&refund).await;
    assert_eq!(world.status("owner").await, "refunded");
    assert_eq!(attention(&world, "owner").await, contested(&payment));
    let pointer = world.item(&format!("psp#{payment}")).await.unwrap();
    assert_eq!(pointer["order"].as_s().unwrap(), "owner");
}

#[tokio::test]
async fn redelivered_webhook_completes_a_contested_payment_after_any_fault() {
    let world = World::new().await;
    let mut outages = 0;
    for fault in [server_error(), Fault::DropBefore, Fault::DropAfter] {
        for index in 0.. {
            outages += 1;
            let (owner, other) = (format!("owner-{outages}"), format!("other-{outages}"));
            let payment = world.paid(&owner, "AMZN").await;
            world.paid(&other, "AMZN-REFUSED").await;
            let event = item("AUTHORISATION", &payment, &other);
            let delivery = standard(&[signed(&event)]).to_string();
            world.dynamodb.begin({
                let fault = fault.clone();
                // The process ends at this call, so none of its later calls arrive.
                move |call| (call.index >= index).then(|| fault.clone())
            });
            let answer = world.deliver(delivery.clone()).await;
            world.dynamodb.calm();
            if answer.status == 200 {
                assert!(index > 3, "no outage");
                break;
            }
            // If this order is marked, its owner is marked too.
            if attention(&world, &other).await != json!([]) {
                assert_eq!(attention(&world, &owner).await, contested(&payment), "{index}");
            }
            accepted(&world.deliver(delivery).await);
            for reference in [owner, other] {
                assert_eq!(attention(&world, &reference).await, contested(&payment), "{index}");
            }
        }
    }
}

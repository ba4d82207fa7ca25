//! Each simulator serves https on its port, with the certificate that it hands out.

use adyen_simulator::{Fault, Options, Simulator};
use local::keys;
use serde_json::{Value, json};

/// A client that trusts the simulator's certificate, and a call that lists payment methods.
async fn trusting(simulator: &Simulator) -> (reqwest::Client, String) {
    let http = simulator.checkout_url();
    let pem = http.replace("/v72", "/certificate.pem");
    let client = shared::platform::http_client::build(None).unwrap();
    let pem = client.get(pem).send().await.unwrap().text().await.unwrap();
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("certificate.pem");
    std::fs::write(&file, pem).unwrap();
    let trusting = shared::platform::http_client::build(file.to_str()).unwrap();
    (trusting, http.replacen("http:", "https:", 1))
}

async fn payment_methods(client: &reqwest::Client, url: &str) -> Result<u16, reqwest::Error> {
    let body: Value = json!({"merchantAccount": keys::MERCHANT_ACCOUNT});
    let call = client.post(format!("{url}/paymentMethods")).json(&body);
    let answer = call.header("x-api-key", keys::ADYEN_API_KEY).send().await?;
    Ok(answer.status().as_u16())
}

#[tokio::test]
async fn call_over_https_has_the_same_books_and_faults_as_one_over_http() {
    let simulator = Simulator::start(Options::default()).await.unwrap();
    let (client, https) = trusting(&simulator).await;

    assert_eq!(payment_methods(&client, &https).await.unwrap(), 200);
    assert_eq!(payment_methods(&client, &simulator.checkout_url()).await.unwrap(), 200);
    assert_eq!(simulator.books().calls.len(), 2);

    simulator.inject(Fault::status(503));
    assert_eq!(payment_methods(&client, &https).await.unwrap(), 503);
    simulator.inject(Fault::DropBefore);
    assert!(payment_methods(&client, &https).await.is_err());
    simulator.stop().await;
}

#[tokio::test]
async fn client_without_the_certificate_does_not_trust_the_simulator() {
    let simulator = Simulator::start(Options::default()).await.unwrap();
    let (_, https) = trusting(&simulator).await;
    let stranger = shared::platform::http_client::build(None).unwrap();

    let error = payment_methods(&stranger, &https).await.unwrap_err();

    assert!(error.is_connect(), "{error}");
    assert!(simulator.books().calls.is_empty());
}

//! The standard notification: what became of payments.

use jiff::Timestamp;
use shared::{
    adyen::notification::{EventCode, Notification, NotificationRequestItem},
    observe::{self, Metric},
    order::Event,
    problem::Problem,
    reconcile,
    reference::Reference,
};

use crate::{State, invalid_signature, unreadable};

/// The longest text that identifies an event; Adyen's have 16 characters, and none comes near.
const LONGEST: usize = 256;

/// The most characters that are kept of a reason. It is not signed.
const REASON: usize = 500;

/// Verifies every item, then stores every item.
pub async fn receive(state: &State, body: &[u8]) -> Result<(), Problem> {
    let notification: Notification = serde_json::from_slice(body)
        .map_err(|error| unreadable(format!("The body is no standard notification: {error}.")))?;
    let items: Vec<_> = notification
        .notification_items
        .into_iter()
        .map(|item| item.notification_request_item)
        .collect();
    if items.is_empty() {
        return Err(unreadable("The notification has no items.".to_owned()));
    }
    let signers = state.keys.accepted(|keys| {
        let signers = items.iter().map(|item| item.verify(keys));
        signers.collect::<Option<Vec<_>>>()
    });
    for position in signers.await.ok_or_else(invalid_signature)? {
        observe::count(Metric::HmacKeyMatched(position + 1));
    }
    // It may well be ours: what is sent again is not lost.
    let Some(live) = notification.live else {
        return Err(unreadable("live: expected true or false.".to_owned()));
    };
    for item in &items {
        store(state, live, item).await?;
    }
    Ok(())
}

async fn store(state: &State, live: bool, item: &NotificationRequestItem) -> Result<(), Problem> {
    let event_code = item.event_code.as_ref().map_or("", EventCode::as_str);
    let psp_reference = item.psp_reference.as_deref().unwrap_or_default();
    let merchant_reference = item.merchant_reference.as_deref().unwrap_or_default();
    observe::count(Metric::WebhookEvent(event_code.to_owned()));
    let event = match event(state, live, item) {
        Ok(event) => event,
        Err(why) => {
            observe::outcome("ignored");
            tracing::warn!(
                eventCode = event_code,
                pspReference = psp_reference,
                merchantReference = merchant_reference,
                "an event that is applied to nothing: {why}"
            );
            return Ok(());
        }
    };
    let named = merchant_reference.parse::<Reference>().ok();
    let delivered = state.orders.deliver(&event, named.as_ref()).await;
    observe::payment(event.payment());
    let order = match delivered {
        Ok(order) => order,
        Err(error) if error.is_permanent() => {
            state.orders.set_aside(&event, named.as_ref()).await?;
            observe::set_aside();
            tracing::error!(
                %error,
                eventCode = event_code,
                pspReference = psp_reference,
                merchantReference = merchant_reference,
                "an event that its order cannot take is set aside"
            );
            return Ok(());
        }
        Err(error) => return Err(error.into()),
    };
    if let Some(order) = &order {
        match reconcile::learn_from_event(&state.tokens, order, &event).await {
            Err(error) if error.is_permanent() => {
                observe::set_aside();
                tracing::error!(%error, pspReference = psp_reference, "a token that cannot be disabled");
            }
            learned => learned?,
        }
    }
    let reference = order.as_ref().map(|order| order.reference.as_str());
    tracing::info!(
        eventCode = event_code,
        pspReference = psp_reference,
        merchantReference = merchant_reference,
        success = event.success,
        reference,
        "{}",
        if reference.is_some() {
            "event stored"
        } else {
            "event parked until an order claims its payment"
        }
    );
    Ok(())
}

/// The event to store, or why there is none.
fn event(state: &State, live: bool, item: &NotificationRequestItem) -> Result<Event, &'static str> {
    if live != state.live {
        return Err("another environment's");
    }
    if item.merchant_account_code.as_deref() != Some(state.merchant_account.as_str()) {
        return Err("another merchant account's");
    }
    if item.is_ambiguous() {
        return Err("its signature fits other events too");
    }
    let mut event = Event::from_item(item, Timestamp::now()).ok_or("without what identifies it")?;
    if !concerns_a_payment(item, &event) {
        return Err("about no payment");
    }
    if !is_short(&event) {
        return Err("longer than Adyen's are");
    }
    if item.amount.is_some() && event.amount.is_none() {
        let (code, psp_reference, _) = event.key();
        tracing::warn!(eventCode = %code, pspReference = psp_reference, "an amount that cannot be read");
    }
    trim(&mut event);
    Ok(event)
}

/// Whether it may belong to an order, now or once that has learned of the payment.
fn concerns_a_payment(item: &NotificationRequestItem, event: &Event) -> bool {
    let names_order =
        item.merchant_reference.as_deref().is_some_and(|reference| !reference.is_empty());
    match &event.event_code {
        EventCode::Unknown(code) => {
            code != "REPORT_AVAILABLE" && (names_order || event.original_reference.is_some())
        }
        _ => true,
    }
}

/// Whether it identifies itself in a size that always fits into an item.
fn is_short(event: &Event) -> bool {
    let currency = event.amount.as_ref().map(|amount| amount.currency.as_str());
    let texts = [
        Some(event.event_code.as_str()),
        Some(&event.psp_reference),
        event.original_reference.as_deref(),
        currency,
    ];
    texts.iter().flatten().all(|text| text.len() <= LONGEST)
}

/// Cuts what is not signed, and so may have any size.
fn trim(event: &mut Event) {
    if let Some(reason) = &mut event.reason
        && let Some((end, _)) = reason.char_indices().nth(REASON)
    {
        reason.truncate(end);
    }
    let action = event.modification_action.take();
    event.modification_action = action.filter(|action| action.len() <= LONGEST);
}

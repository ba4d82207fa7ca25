//! Webhooks of Adyen.

use adyen_simulator::Amount;
use adyen_simulator::webhook::{Event, Message, Signer};
use axum::http::Request;
use jiff::Timestamp;
use serde_json::{Value, json};

use super::{EventsError, Sample, event_for};
use crate::event::EventSource;
use crate::keys;

const HOST: &str = "localurl.lambda-url.eu-west-1.on.aws";

/// The pspReference of the payment.
const PAYMENT: &str = "NC6HT9CRT65ZGN82";

/// The pspReference of its dispute.
const DISPUTE: &str = "QFQTPCQ8HXSKGK99";

pub(super) fn samples() -> Result<Vec<Sample>, EventsError> {
    let signer = signer()?;
    let accepted = |name, event: &Event| {
        let answer = json!("[accepted]");
        sample(name, event.message(&signer, false), 200, answer)
    };
    let refused =
        |name, message, status, code: &str| sample(name, message, status, json!({ "code": code }));
    let mut samples = Vec::new();
    for (name, event) in events() {
        samples.push(accepted(name, &event)?);
    }
    let mut elsewhere = payment("AUTHORISATION");
    elsewhere.merchant_account = "ANOTHER_ACCOUNT".into();
    samples.push(accepted("webhooks-another-account", &elsewhere)?);
    let mut live = payment("AUTHORISATION");
    live.live = true;
    samples.push(accepted("webhooks-live", &live)?);

    let forged = payment("AUTHORISATION").message(&signer, true);
    samples.push(refused("webhooks-bad-signature", forged, 401, "invalid_signature")?);
    let unreadable = Message { body: "{".into(), headers: Vec::new() };
    samples.push(refused("webhooks-unreadable", unreadable, 400, "invalid_notification")?);
    Ok(samples)
}

/// A webhook about a stored payment method; `operation` is the end of `recurring.token.created`.
pub(super) fn about_token(
    name: &'static str,
    operation: &str,
    shopper: &str,
    id: &str,
) -> Result<Sample, EventsError> {
    let mut event = payment(&format!("recurring.token.{operation}"));
    event.shopper_reference = shopper.into();
    event.stored_payment_method_id = id.into();
    sample(name, event.message(&signer()?, false), 200, json!("[accepted]"))
}

fn signer() -> Result<Signer, EventsError> {
    Signer::new(keys::STANDARD_HMAC_KEY, keys::TOKEN_HMAC_KEY)
        .map_err(|error| EventsError::Sign(error.to_string()))
}

/// The webhooks about a payment.
fn events() -> Vec<(&'static str, Event)> {
    let reason = |mut event: Event, reason: &str| {
        event.reason = Some(reason.into());
        event
    };
    let failed = |mut event: Event| {
        event.success = false;
        event
    };
    let mut cancel_or_refund = later("CANCEL_OR_REFUND");
    cancel_or_refund.additional_data.insert("modification.action".into(), "cancel".into());
    let mut report = payment("REPORT_AVAILABLE");
    report.psp_reference = "settlement_detail_report_batch_7.csv".into();
    report.merchant_reference = String::new();
    report.amount = None;
    // The Customer Area's test webhook.
    let mut test = payment("AUTHORISATION");
    test.psp_reference = "test_AUTHORISATION_1".into();
    test.merchant_reference = "testMerchantRef1".into();
    let mut offer_closed = payment("OFFER_CLOSED");
    offer_closed.psp_reference = "QFQTPCQ8HXSKGK82".into();
    vec![
        ("webhooks-authorisation", reason(payment("AUTHORISATION"), "033899:1111:03/2030")),
        ("webhooks-duplicate", reason(payment("AUTHORISATION"), "033899:1111:03/2030")),
        ("webhooks-authorisation-failed", failed(reason(payment("AUTHORISATION"), "Refused"))),
        ("webhooks-offer-closed", offer_closed),
        ("webhooks-expire", payment("EXPIRE")),
        ("webhooks-capture", later("CAPTURE")),
        (
            "webhooks-capture-refused",
            failed(reason(later("CAPTURE"), "Insufficient balance on payment")),
        ),
        ("webhooks-capture-failed", reason(later("CAPTURE_FAILED"), "Capture Failed")),
        ("webhooks-cancellation", later("CANCELLATION")),
        ("webhooks-technical-cancel", later("TECHNICAL_CANCEL")),
        ("webhooks-cancel-or-refund", cancel_or_refund),
        ("webhooks-refund", later("REFUND")),
        ("webhooks-refund-failed", later("REFUND_FAILED")),
        ("webhooks-refunded-reversed", later("REFUNDED_REVERSED")),
        ("webhooks-notification-of-chargeback", disputed("NOTIFICATION_OF_CHARGEBACK")),
        ("webhooks-chargeback", disputed("CHARGEBACK")),
        ("webhooks-chargeback-reversed", of_dispute("CHARGEBACK_REVERSED")),
        ("webhooks-second-chargeback", of_dispute("SECOND_CHARGEBACK")),
        ("webhooks-prearbitration-won", of_dispute("PREARBITRATION_WON")),
        ("webhooks-prearbitration-lost", of_dispute("PREARBITRATION_LOST")),
        (
            "webhooks-report-available",
            reason(
                report,
                "https://ca-test.adyen.com/reports/download/MerchantAccount/settlement_detail_report_batch_7.csv",
            ),
        ),
        ("webhooks-test", test),
        ("webhooks-unknown-event", payment("SOMETHING_NEW")),
    ]
}

/// An event of the payment itself.
fn payment(event: &str) -> Event {
    let mut event = Event::new(event, keys::MERCHANT_ACCOUNT, PAYMENT, "EVENT-WEBHOOKS");
    event.event_date = Timestamp::constant(1_767_225_600, 0);
    event.amount = Some(Amount { currency: "EUR".into(), value: 1000 });
    event
}

/// An event after the payment, which has its own pspReference.
fn later(event: &str) -> Event {
    let mut event = payment(event);
    event.original_reference = Some(PAYMENT.into());
    // Sixteen letters, different for each event.
    let name: String = event.event.chars().filter(char::is_ascii_uppercase).collect();
    event.psp_reference = format!("{name:Z<16.16}");
    event
}

/// The first events of a dispute also name the payment.
fn disputed(event: &str) -> Event {
    Event { original_reference: Some(PAYMENT.into()), ..of_dispute(event) }
}

/// The later ones name the dispute only, as in Adyen's examples.
fn of_dispute(event: &str) -> Event {
    Event { psp_reference: DISPUTE.into(), ..payment(event) }
}

fn sample(
    name: &'static str,
    message: Message,
    status: u16,
    answer: Value,
) -> Result<Sample, EventsError> {
    let mut request = Request::builder()
        .method("POST")
        .uri("/")
        .header("content-type", "application/json; charset=utf-8")
        .header("user-agent", "Adyen HttpClient 1.0");
    for (name, value) in &message.headers {
        request = request.header(name, value);
    }
    Ok(Sample {
        name,
        function: "webhooks",
        status: Some(status),
        answer,
        event: event_for(&EventSource::FunctionUrl, HOST, request.body(message.body)?)?,
    })
}

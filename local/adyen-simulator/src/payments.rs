//! POST /payments.

use std::time::Duration;

use serde_json::{Value, json};
use simulator_http::Answer;

use crate::books::{Payment, Progress, State, Token, TokenState};
use crate::desk::{Answered, Desk, later, new_psp_reference};
use crate::scenario::Scenario;
use crate::validate::{self, Method};
use crate::{errors, payment_methods, recurring, three_ds};

/// How a payment ended.
#[derive(Clone, Copy)]
pub(crate) enum Verdict {
    Authorised,
    /// With a refusalReasonCode and refusalReason.
    No(State, &'static str, &'static str),
}

pub(crate) const REFUSED: Verdict = Verdict::No(State::Refused, "2", "Refused");
pub(crate) const NOT_AUTHENTICATED: Verdict =
    Verdict::No(State::Refused, "11", "3D Not Authenticated");
pub(crate) const CANCELLED: Verdict = Verdict::No(State::Cancelled, "16", "Shopper Cancelled");
const ERROR: Verdict = Verdict::No(State::Error, "4", "Acquirer Error");
const REVOKED: Verdict = Verdict::No(State::Refused, "50", "Token Revoked");

/// When AUTHORISATION is sent, if at all.
#[derive(Clone, Copy)]
pub(crate) enum Telling {
    Soon,
    Late,
    Never,
}

/// POST /payments.
pub(crate) fn create(desk: &mut Desk, request: &Value) -> Answered {
    let request = validate::payment(request)?;
    match &request.method {
        Method::AmazonPayToken(token) => {
            if !payment_methods::CURRENCIES.contains(&request.amount.currency.as_str()) {
                return Err(errors::coded("905"));
            }
            with_amazon_pay(desk, &request, token)
        }
        Method::StoredPaymentMethod(id) => with_token(desk, &request, id),
    }
}

fn with_amazon_pay(desk: &mut Desk, request: &validate::Payment, token: &str) -> Answered {
    let payment = Payment { amazon_pay_token: Some(token.into()), ..begin(desk, request) };
    match Scenario::of(token) {
        Scenario::Authorised => Ok(finish(desk, payment, Verdict::Authorised, Telling::Soon)),
        Scenario::Refused => Ok(finish(desk, payment, REFUSED, Telling::Soon)),
        Scenario::Cancelled => Ok(finish(desk, payment, CANCELLED, Telling::Soon)),
        Scenario::Error => Ok(finish(desk, payment, ERROR, Telling::Soon)),
        Scenario::NoWebhook => Ok(finish(desk, payment, Verdict::Authorised, Telling::Never)),
        Scenario::Redirect => three_ds::redirect(desk, request, payment),
        Scenario::Challenge => three_ds::identify(desk, request, payment),
        Scenario::OfferClosed => offer_closed(desk, request, payment),
        Scenario::Pending => Ok(pending(desk, payment)),
        Scenario::LateFail => Ok(late_fail(desk, payment)),
        Scenario::Timeout => {
            desk.withheld = desk.options.withheld;
            Ok(finish(desk, payment, Verdict::Authorised, Telling::Late))
        }
        Scenario::Drop => {
            desk.cut = true;
            Ok(finish(desk, payment, Verdict::Authorised, Telling::Soon))
        }
        // What is only so for now may be tried again with the same key.
        Scenario::Fault(code) if matches!(code.as_str(), "703" | "704" | "00_500") => {
            Err(errors::coded(&code))
        }
        Scenario::Fault(code) => Ok(errors::coded(&code)),
        Scenario::Http(status) => Err(errors::status_only(status)),
    }
}

fn with_token(desk: &mut Desk, request: &validate::Payment, id: &str) -> Answered {
    let token = chargeable(desk, request, id)?;
    let payment = Payment { stored_payment_method_id: Some(id.into()), ..begin(desk, request) };
    let charged_before = || {
        let payments = desk.books.payments.iter();
        payments
            .filter(|earlier| earlier.state == State::Authorised)
            .any(|earlier| earlier.stored_payment_method_id.as_deref() == Some(id))
    };
    let verdict = match token.state {
        TokenState::Revoked => REVOKED,
        _ if token.amazon_pay_token.ends_with("-REVOKED") && charged_before() => REVOKED,
        _ => Verdict::Authorised,
    };
    Ok(finish(desk, payment, verdict, Telling::Soon))
}

fn chargeable(desk: &Desk, request: &validate::Payment, id: &str) -> Result<Token, Answer> {
    match desk.books.tokens.get(id) {
        None => Err(errors::coded("803")),
        Some(token) if Some(&token.shopper_reference) != request.shopper_reference.as_ref() => {
            Err(errors::coded("800"))
        }
        Some(token) if token.state == TokenState::Disabled => Err(errors::coded("803")),
        Some(token) => Ok(token.clone()),
    }
}

fn begin(desk: &Desk, request: &validate::Payment) -> Payment {
    let models = match &request.recurring_processing_model {
        Some(model) => vec![model.clone()],
        None => ["CardOnFile", "Subscription", "UnscheduledCardOnFile"].map(Into::into).into(),
    };
    Payment {
        psp_reference: new_psp_reference(),
        at: desk.now,
        reference: request.reference.clone(),
        amount: request.amount.clone(),
        state: State::Pending,
        money: Progress::default(),
        manual_capture: request.manual_capture,
        shopper_reference: request.shopper_reference.clone(),
        amazon_pay_token: None,
        stored_payment_method_id: None,
        store_for: request.store.then_some(models),
        return_url: request.return_url.clone(),
        action_id: None,
        closes_at: None,
        refund_failed: false,
    }
}

/// The payment ends so: the books, the webhooks and the answer.
pub(crate) fn finish(
    desk: &mut Desk,
    mut payment: Payment,
    verdict: Verdict,
    telling: Telling,
) -> Answer {
    let mut answer = json!({
        "pspReference": payment.psp_reference,
        "merchantReference": payment.reference,
        "amount": payment.amount,
        "paymentMethod": {"type": method_type(&payment)},
    });
    match verdict {
        Verdict::Authorised => {
            payment.state = State::Authorised;
            payment.money.authorised = payment.amount.value;
            payment.money.captured = if payment.manual_capture { 0 } else { payment.amount.value };
            answer["resultCode"] = json!("Authorised");
        }
        Verdict::No(state, code, reason) => {
            payment.state = state;
            answer["resultCode"] = json!(format!("{state:?}"));
            answer["refusalReasonCode"] = json!(code);
            answer["refusalReason"] = json!(reason);
        }
    }
    desk.save(&payment);
    let delay = match telling {
        Telling::Late => desk.options.late_webhook_delay,
        Telling::Soon | Telling::Never => desk.options.webhook_delay,
    };
    // A token is there once its payment has settled, some time after it is authorised.
    let resolved = delay.saturating_sub(desk.options.webhook_delay);
    let resolved = resolved + desk.options.token_webhook_delay;
    let stored = match verdict {
        Verdict::Authorised => recurring::store(desk, &payment, resolved),
        Verdict::No(..) => None,
    };
    if !matches!(telling, Telling::Never) {
        tell(desk, &payment, verdict, delay, stored.as_ref());
        if let Some(stored) = stored {
            desk.notify(&stored.event, resolved);
        }
    }
    answered(desk, answer)
}

/// Adyen's answer about a payment, as short as the options ask for.
fn answered(desk: &Desk, mut answer: Value) -> Answer {
    if let Some(members) = answer.as_object_mut().filter(|_| !desk.merchant_reference) {
        members
            .retain(|name, _| !matches!(&**name, "merchantReference" | "amount" | "paymentMethod"));
    }
    Answer::json(200, &answer)
}

/// AUTHORISATION, with what is to be told of a token.
fn tell(
    desk: &mut Desk,
    payment: &Payment,
    verdict: Verdict,
    delay: Duration,
    stored: Option<&recurring::Told>,
) {
    let mut event = desk.event("AUTHORISATION", &payment.psp_reference, payment);
    match verdict {
        Verdict::Authorised => {
            event.reason = Some("082338:1111:03/2030".into());
            event.additional_data.extend(
                [("authCode", "082338"), ("cardSummary", "1111"), ("expiryDate", "03/2030")]
                    .map(|(name, value)| (name.to_owned(), value.to_owned())),
            );
            event.operations = ["CANCEL", "CAPTURE", "REFUND"].map(Into::into).into();
            if let Some(told) = stored {
                event.additional_data.extend(told.additional_data.clone());
            }
        }
        Verdict::No(_, _, reason) => {
            event.success = false;
            event.reason = Some(reason.into());
        }
    }
    desk.notify(&event, delay);
}

/// The answer says Authorised; the truth comes by webhook.
fn late_fail(desk: &mut Desk, mut payment: Payment) -> Answer {
    payment.state = State::Refused;
    desk.save(&payment);
    tell(desk, &payment, REFUSED, desk.options.webhook_delay, None);
    answered(
        desk,
        json!({
            "pspReference": payment.psp_reference,
            "resultCode": "Authorised",
            "merchantReference": payment.reference,
            "amount": payment.amount,
            "paymentMethod": {"type": method_type(&payment)},
        }),
    )
}

fn pending(desk: &mut Desk, payment: Payment) -> Answer {
    desk.save(&payment);
    answered(
        desk,
        json!({
            "pspReference": payment.psp_reference,
            "resultCode": "Pending",
            "merchantReference": payment.reference,
        }),
    )
}

/// The end of a pending payment.
pub(crate) fn resolve(desk: &mut Desk, payment: Payment, approved: bool) {
    let verdict = if approved { Verdict::Authorised } else { REFUSED };
    finish(desk, payment, verdict, Telling::Soon);
}

fn offer_closed(desk: &mut Desk, request: &validate::Payment, mut payment: Payment) -> Answered {
    let delay = desk.options.offer_closed_delay;
    payment.closes_at = Some(later(desk.now, delay));
    let mut event = desk.event("OFFER_CLOSED", &new_psp_reference(), &payment);
    event.event_date = later(desk.now, delay);
    let answer = three_ds::redirect(desk, request, payment)?;
    desk.notify(&event, delay);
    Ok(answer)
}

fn method_type(payment: &Payment) -> &'static str {
    if payment.amazon_pay_token.is_some() { "amazonpay" } else { "scheme" }
}

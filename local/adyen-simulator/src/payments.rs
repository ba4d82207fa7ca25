//! POST /payments.

use std::time::Duration;

use serde_json::{Value, json};
use simulator_http::Answer;

use crate::books::{Payment, PaymentState, Progress, Token, TokenState};
use crate::context::{CallContext, CallResult, later, new_psp_reference};
use crate::scenario::Scenario;
use crate::validate::{self, Method};
use crate::{errors, methods, payment_methods, recurring, three_ds};

/// The outcome of a payment.
#[derive(Clone, Copy)]
pub(crate) enum Outcome {
    Authorised,
    /// With a refusalReasonCode and refusalReason.
    Failed(PaymentState, &'static str, &'static str),
}

pub(crate) const REFUSED: Outcome = Outcome::Failed(PaymentState::Refused, "2", "Refused");
pub(crate) const NOT_AUTHENTICATED: Outcome =
    Outcome::Failed(PaymentState::Refused, "11", "3D Not Authenticated");
pub(crate) const CANCELLED: Outcome =
    Outcome::Failed(PaymentState::Cancelled, "16", "Shopper Cancelled");
const ERROR: Outcome = Outcome::Failed(PaymentState::Error, "4", "Acquirer Error");
const REVOKED: Outcome = Outcome::Failed(PaymentState::Refused, "50", "Token Revoked");

/// The time at which AUTHORISATION is sent.
#[derive(Clone, Copy)]
pub(crate) enum WebhookTiming {
    Soon,
    Late,
    Never,
}

/// POST /payments.
pub(crate) fn create(ctx: &mut CallContext, request: &Value) -> CallResult {
    let request = validate::payment(request)?;
    match &request.method {
        Method::AmazonPayToken(token) => {
            if !payment_methods::CURRENCIES.contains(&request.amount.currency.as_str()) {
                return Err(errors::coded("905"));
            }
            with_amazon_pay(ctx, &request, token)
        }
        Method::AmazonPaySession(id) => {
            let amazon_pay = ctx.options.amazon_pay.as_ref();
            // Adyen documents no error for a session of another amount.
            let token = amazon_pay.and_then(|amazon_pay| amazon_pay.token(id, &request.amount));
            with_amazon_pay(ctx, &request, &token.ok_or_else(|| errors::coded("5_602"))?)
        }
        Method::Stored(id) => with_token(ctx, &request, id),
        Method::Other(kind, fields) => {
            let payment = begin(ctx, &request);
            methods::create(ctx, &request, payment, kind, fields)
        }
    }
}

fn with_amazon_pay(ctx: &mut CallContext, request: &validate::Payment, token: &str) -> CallResult {
    let payment = Payment { amazon_pay_token: Some(token.into()), ..begin(ctx, request) };
    match Scenario::of(token) {
        Scenario::Authorised => Ok(finish(ctx, payment, Outcome::Authorised, WebhookTiming::Soon)),
        Scenario::Refused => Ok(finish(ctx, payment, REFUSED, WebhookTiming::Soon)),
        Scenario::Cancelled => Ok(finish(ctx, payment, CANCELLED, WebhookTiming::Soon)),
        Scenario::Error => Ok(finish(ctx, payment, ERROR, WebhookTiming::Soon)),
        Scenario::NoWebhook => Ok(finish(ctx, payment, Outcome::Authorised, WebhookTiming::Never)),
        Scenario::Redirect => three_ds::redirect(ctx, request, payment),
        Scenario::Challenge | Scenario::Frictionless => three_ds::identify(ctx, request, payment),
        Scenario::OfferClosed => offer_closed(ctx, request, payment),
        Scenario::Pending => Ok(without_action(ctx, payment, "Pending")),
        Scenario::LateFail => Ok(late_fail(ctx, payment)),
        Scenario::Timeout => {
            ctx.withheld = ctx.options.withheld;
            Ok(finish(ctx, payment, Outcome::Authorised, WebhookTiming::Late))
        }
        Scenario::Drop => {
            ctx.cut = true;
            Ok(finish(ctx, payment, Outcome::Authorised, WebhookTiming::Soon))
        }
        // Transient errors can be retried with the same key.
        Scenario::Fault(code) if matches!(code.as_str(), "703" | "704" | "00_500") => {
            Err(errors::coded(&code))
        }
        Scenario::Fault(code) => Ok(errors::coded(&code)),
        Scenario::NoSuchEnding => Ok(errors::invalid("5_602", &Scenario::endings())),
        Scenario::Http(status) => Err(Answer::error_page(status)),
    }
}

fn with_token(ctx: &mut CallContext, request: &validate::Payment, id: &str) -> CallResult {
    let token = chargeable(ctx, request, id)?;
    let payment = Payment { stored_payment_method_id: Some(id.into()), ..begin(ctx, request) };
    let is_charge = |earlier: &Payment| {
        earlier.state == PaymentState::Authorised
            && earlier.stored_payment_method_id.as_deref() == Some(id)
    };
    let charged_before = || ctx.books.payments.iter().any(is_charge);
    let outcome = match token.state {
        TokenState::Revoked => REVOKED,
        _ if token.amazon_pay_token.ends_with("-REVOKED") && charged_before() => REVOKED,
        _ => Outcome::Authorised,
    };
    Ok(finish(ctx, payment, outcome, WebhookTiming::Soon))
}

fn chargeable(ctx: &CallContext, request: &validate::Payment, id: &str) -> Result<Token, Answer> {
    match ctx.books.tokens.get(id) {
        None => Err(errors::coded("803")),
        Some(token) if Some(&token.shopper_reference) != request.shopper_reference.as_ref() => {
            Err(errors::coded("800"))
        }
        Some(token) if token.state == TokenState::Disabled => Err(errors::coded("803")),
        Some(token) => Ok(token.clone()),
    }
}

fn begin(ctx: &CallContext, request: &validate::Payment) -> Payment {
    let models = match &request.recurring_processing_model {
        Some(model) => vec![model.clone()],
        None => ["CardOnFile", "Subscription", "UnscheduledCardOnFile"].map(Into::into).into(),
    };
    Payment {
        psp_reference: new_psp_reference(),
        at: ctx.now,
        reference: request.reference.clone(),
        amount: request.amount.clone(),
        state: PaymentState::Pending,
        money: Progress::default(),
        manual_capture: request.manual_capture,
        shopper_reference: request.shopper_reference.clone(),
        amazon_pay_token: None,
        stored_payment_method_id: None,
        card: None,
        payment_method_type: None,
        store_for: request.store.then_some(models),
        return_url: request.return_url.clone(),
        origin: request.origin.clone(),
        action_id: None,
        closes_at: None,
        refund_failed: false,
    }
}

/// Ends a payment: updates the books, sends the webhooks and returns the answer.
pub(crate) fn finish(
    ctx: &mut CallContext,
    mut payment: Payment,
    outcome: Outcome,
    timing: WebhookTiming,
) -> Answer {
    match outcome {
        Outcome::Authorised => {
            payment.state = PaymentState::Authorised;
            payment.money.authorised = payment.amount.value;
            payment.money.captured = if payment.manual_capture { 0 } else { payment.amount.value };
        }
        Outcome::Failed(state, ..) => payment.state = state,
    }
    ctx.save(&payment);
    let delay = match timing {
        WebhookTiming::Late => ctx.options.late_webhook_delay,
        WebhookTiming::Soon | WebhookTiming::Never => ctx.options.webhook_delay,
    };
    // Adyen creates the token some time after the authorisation.
    let token_delay = delay.saturating_sub(ctx.options.webhook_delay);
    let token_delay = token_delay + ctx.options.token_webhook_delay;
    let stored = match outcome {
        Outcome::Authorised => recurring::store(ctx, &payment, token_delay),
        Outcome::Failed(..) => None,
    };
    if !matches!(timing, WebhookTiming::Never) {
        send_authorisation(ctx, &payment, outcome, delay, stored.as_ref());
        if let Some(stored) = stored {
            ctx.notify(&stored.event, token_delay);
        }
    }
    let mut answer = describe(&payment, &format!("{:?}", payment.state));
    if let Outcome::Failed(_, code, reason) = outcome {
        answer["refusalReasonCode"] = json!(code);
        answer["refusalReason"] = json!(reason);
    }
    respond(ctx, answer)
}

fn describe(payment: &Payment, result_code: &str) -> Value {
    let usual = if payment.amazon_pay_token.is_some() { "amazonpay" } else { "scheme" };
    let method = payment.payment_method_type.as_deref().unwrap_or(usual);
    json!({
        "pspReference": payment.psp_reference,
        "resultCode": result_code,
        "merchantReference": payment.reference,
        "amount": payment.amount,
        "paymentMethod": {"type": method},
    })
}

/// The answer about a payment, without the members that [`Options::merchant_reference`] excludes.
///
/// [`Options::merchant_reference`]: crate::Options::merchant_reference
pub(crate) fn respond(ctx: &CallContext, mut answer: Value) -> Answer {
    if let Some(members) = answer.as_object_mut().filter(|_| !ctx.merchant_reference) {
        members
            .retain(|name, _| !matches!(&**name, "merchantReference" | "amount" | "paymentMethod"));
    }
    Answer::json(200, &answer)
}

/// Sends AUTHORISATION, with the token that was stored.
fn send_authorisation(
    ctx: &mut CallContext,
    payment: &Payment,
    outcome: Outcome,
    delay: Duration,
    stored: Option<&recurring::Tokenization>,
) {
    let mut event = ctx.event("AUTHORISATION", &payment.psp_reference, payment);
    match outcome {
        Outcome::Authorised => {
            event.reason = Some("082338:1111:03/2030".into());
            event.additional_data.extend(
                [("authCode", "082338"), ("cardSummary", "1111"), ("expiryDate", "03/2030")]
                    .map(|(name, value)| (name.to_owned(), value.to_owned())),
            );
            event.operations = ["CANCEL", "CAPTURE", "REFUND"].map(Into::into).into();
            if let Some(stored) = stored {
                event.additional_data.extend(stored.additional_data.clone());
            }
        }
        Outcome::Failed(_, _, reason) => {
            event.success = false;
            event.reason = Some(reason.into());
        }
    }
    ctx.notify(&event, delay);
}

/// The answer says Authorised, but the webhook reports the failure.
fn late_fail(ctx: &mut CallContext, mut payment: Payment) -> Answer {
    payment.state = PaymentState::Refused;
    ctx.save(&payment);
    send_authorisation(ctx, &payment, REFUSED, ctx.options.webhook_delay, None);
    respond(ctx, describe(&payment, "Authorised"))
}

/// The outcome is decided later, by [`resolve`].
pub(crate) fn without_action(ctx: &mut CallContext, payment: Payment, result_code: &str) -> Answer {
    ctx.save(&payment);
    let answer = json!({
        "pspReference": payment.psp_reference,
        "resultCode": result_code,
        "merchantReference": payment.reference,
    });
    respond(ctx, answer)
}

/// Ends a pending payment.
pub(crate) fn resolve(ctx: &mut CallContext, payment: Payment, approved: bool) {
    let outcome = if approved { Outcome::Authorised } else { REFUSED };
    finish(ctx, payment, outcome, WebhookTiming::Soon);
}

fn offer_closed(
    ctx: &mut CallContext,
    request: &validate::Payment,
    mut payment: Payment,
) -> CallResult {
    let delay = ctx.options.offer_closed_delay;
    payment.closes_at = Some(later(ctx.now, delay));
    let mut event = ctx.event("OFFER_CLOSED", &new_psp_reference(), &payment);
    event.event_date = later(ctx.now, delay);
    let answer = three_ds::redirect(ctx, request, payment)?;
    ctx.notify(&event, delay);
    Ok(answer)
}

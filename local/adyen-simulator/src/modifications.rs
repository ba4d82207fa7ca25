//! Captures, refunds, cancels and reversals. A request is only acknowledged; a webhook reports
//! the outcome.

use serde_json::{Value, json};
use simulator_http::Answer;

use crate::books::{Amount, Payment, PaymentState};
use crate::context::{CallContext, CallResult, new_psp_reference};
use crate::webhook::Event;
use crate::{errors, members, validate};

/// The outcome of a modification, with the reason if it failed.
type ModificationResult = Result<(), &'static str>;

const INSUFFICIENT: &str = "Insufficient balance on payment";
const NOT_CAPTURED: &str = "Transaction hasn't been captured, refund not possible";
const CAPTURED: &str = "Transaction has been captured, cancel not possible";
const NOT_AUTHORISED: &str = "Transaction is not authorised";

/// POST /payments/{paymentPspReference}/{kind}.
pub(crate) fn create(
    ctx: &mut CallContext,
    psp_reference: &str,
    kind: &str,
    request: &Value,
) -> CallResult {
    let fields = members::object(request, "modification")?;
    let known = match kind {
        "captures" => {
            "amount applicationInfo enhancedSchemeData lineItems merchantAccount \
        platformChargebackLogic reference splits subMerchants"
        }
        "refunds" => {
            "amount applicationInfo capturePspReference enhancedSchemeData lineItems \
        merchantAccount merchantRefundReason reference splits store"
        }
        _ => "applicationInfo merchantAccount reference",
    };
    members::known(fields, kind, known)?;
    members::lengths(fields)?;
    let amount = match kind {
        "captures" | "refunds" => Some(validate::amount(fields)?),
        _ => None,
    };
    if let Some(reason) = members::text(fields, "merchantRefundReason")?
        && !["FRAUD", "CUSTOMER REQUEST", "RETURN", "DUPLICATE", "OTHER"].contains(&reason)
    {
        return Err(errors::invalid("702", "merchantRefundReason is not valid"));
    }
    let reference = members::text(fields, "reference")?;
    let mut payment =
        ctx.books.payment(psp_reference).filter(|payment| is_final(payment)).cloned().ok_or_else(
            || errors::invalid("167", "Original pspReference required for this operation"),
        )?;

    if let ("captures", Some(amount)) = (kind, &amount)
        && amount.value < payment.amount.value
        && !payment.captures_in_part()
    {
        // Adyen does not document the error.
        return Err(errors::invalid("137", "Partial captures are not supported"));
    }

    let (event_code, action, result) = match (kind, &amount) {
        ("captures", Some(amount)) => ("CAPTURE", None, capture(&mut payment, amount)),
        ("refunds", Some(amount)) => ("REFUND", None, refund(&mut payment, amount)),
        ("cancels", _) => ("CANCELLATION", None, cancel(&mut payment)),
        _ => {
            let (action, result) = reverse(&mut payment);
            ("CANCEL_OR_REFUND", Some(action), result)
        }
    };
    let fails = event_code == "REFUND" && result.is_ok() && payment.next_refund_fails();
    if let (true, Some(amount)) = (fails, &amount) {
        payment.refund_failed = true;
        payment.money.refunded -= amount.value;
    }
    ctx.save(&payment);
    let own_reference = new_psp_reference();
    let mut event = Event {
        original_reference: Some(payment.psp_reference.clone()),
        merchant_reference: reference.unwrap_or(&payment.reference).into(),
        ..ctx.event(event_code, &own_reference, &payment)
    };
    event.amount = amount.clone().or(event.amount);
    event
        .additional_data
        .extend(action.map(|action| ("modification.action".into(), action.into())));
    let failed = Event { event: "REFUND_FAILED".into(), ..event.clone() };
    send_outcome(ctx, event, result);
    if fails {
        ctx.notify(&failed, ctx.options.refund_failed_delay);
    }

    let mut answer = received(ctx, &own_reference, reference);
    answer["paymentPspReference"] = json!(payment.psp_reference);
    if let Some(amount) = amount {
        answer["amount"] = json!(amount);
    }
    Ok(Answer::json(201, &answer))
}

/// POST /cancels: cancels the last payment of that reference, whatever its pspReference.
pub(crate) fn technical_cancel(ctx: &mut CallContext, request: &Value) -> CallResult {
    let fields = members::object(request, "StandalonePaymentCancelRequest")?;
    members::known(
        fields,
        "StandalonePaymentCancelRequest",
        "applicationInfo merchantAccount paymentReference reference",
    )?;
    members::lengths(fields)?;
    let payment_reference = members::filled(fields, "paymentReference", "130")?;
    let own_reference = new_psp_reference();
    let payment =
        ctx.books.payments_of(payment_reference).into_iter().rfind(|payment| is_final(payment));
    let (event, result) = match payment.cloned() {
        Some(mut payment) => {
            let result = cancel(&mut payment);
            ctx.save(&payment);
            let event = Event {
                original_reference: Some(payment.psp_reference.clone()),
                ..ctx.event("TECHNICAL_CANCEL", &own_reference, &payment)
            };
            (event, result)
        }
        None => {
            let account = &ctx.options.merchant_account;
            let event = Event {
                event_date: ctx.now,
                ..Event::new("TECHNICAL_CANCEL", account, &own_reference, payment_reference)
            };
            (event, Err("Transaction not found"))
        }
    };
    send_outcome(ctx, event, result);
    let mut answer = received(ctx, &own_reference, members::text(fields, "reference")?);
    answer["paymentReference"] = json!(payment_reference);
    Ok(Answer::json(201, &answer))
}

fn received(ctx: &CallContext, psp_reference: &str, reference: Option<&str>) -> Value {
    let mut answer = json!({
        "merchantAccount": ctx.options.merchant_account,
        "pspReference": psp_reference,
        "status": "received",
    });
    if let Some(reference) = reference {
        answer["reference"] = json!(reference);
    }
    answer
}

fn send_outcome(ctx: &mut CallContext, mut event: Event, result: ModificationResult) {
    event.success = result.is_ok();
    event.reason = result.err().map(Into::into);
    ctx.notify(&event, ctx.options.webhook_delay);
}

/// Allows one capture, because Adyen releases the rest of the authorisation with it.
fn capture(payment: &mut Payment, amount: &Amount) -> ModificationResult {
    authorised(payment)?;
    let left = payment.money.authorised;
    if payment.money.captured > 0
        || amount.currency != payment.amount.currency
        || amount.value > left
    {
        return Err(INSUFFICIENT);
    }
    payment.money.captured = amount.value;
    Ok(())
}

fn refund(payment: &mut Payment, amount: &Amount) -> ModificationResult {
    if payment.money.captured == 0 {
        return Err(NOT_CAPTURED);
    }
    let left = payment.money.captured - payment.money.refunded;
    if amount.currency != payment.amount.currency || amount.value > left {
        return Err(INSUFFICIENT);
    }
    payment.money.refunded += amount.value;
    Ok(())
}

fn cancel(payment: &mut Payment) -> ModificationResult {
    authorised(payment)?;
    if payment.money.captured > 0 {
        return Err(CAPTURED);
    }
    payment.money.cancelled = true;
    Ok(())
}

/// Cancels the payment before its capture, refunds all of it afterwards.
fn reverse(payment: &mut Payment) -> (&'static str, ModificationResult) {
    if payment.money.captured == 0 {
        return ("cancel", cancel(payment));
    }
    if payment.money.refunded > 0 {
        return ("refund", Err(INSUFFICIENT));
    }
    payment.money.refunded = payment.money.captured;
    ("refund", Ok(()))
}

fn authorised(payment: &Payment) -> ModificationResult {
    match payment.state == PaymentState::Authorised && !payment.money.cancelled {
        true => Ok(()),
        false => Err(NOT_AUTHORISED),
    }
}

/// Returns whether Adyen has returned its pspReference.
fn is_final(payment: &Payment) -> bool {
    !matches!(
        payment.state,
        PaymentState::Redirect | PaymentState::Fingerprint | PaymentState::Challenge
    )
}

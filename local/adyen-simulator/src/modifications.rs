//! Captures, refunds, cancels, reversals: received at once, and decided by webhook.

use serde_json::{Value, json};
use simulator_http::Answer;

use crate::books::{Amount, Payment, State};
use crate::desk::{Answered, Desk, new_psp_reference};
use crate::webhook::Event;
use crate::{errors, members, validate};

/// Why a modification is not possible.
type Decided = Result<(), &'static str>;

const INSUFFICIENT: &str = "Insufficient balance on payment";
const NOT_CAPTURED: &str = "Transaction hasn't been captured, refund not possible";
const CAPTURED: &str = "Transaction has been captured, cancel not possible";
const NOT_AUTHORISED: &str = "Transaction is not authorised";

/// POST /payments/{paymentPspReference}/{kind}.
pub(crate) fn create(
    desk: &mut Desk,
    psp_reference: &str,
    kind: &str,
    request: &Value,
) -> Answered {
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
        desk.books.payment(psp_reference).filter(|payment| is_final(payment)).cloned().ok_or_else(
            || errors::invalid("167", "Original pspReference required for this operation"),
        )?;

    let (event_code, action, decided) = match (kind, &amount) {
        ("captures", Some(amount)) => ("CAPTURE", None, capture(&mut payment, amount)),
        ("refunds", Some(amount)) => ("REFUND", None, refund(&mut payment, amount)),
        ("cancels", _) => ("CANCELLATION", None, cancel(&mut payment)),
        _ => {
            let (action, decided) = reverse(&mut payment);
            ("CANCEL_OR_REFUND", Some(action), decided)
        }
    };
    let fails = event_code == "REFUND" && decided.is_ok() && payment.next_refund_fails();
    if let (true, Some(amount)) = (fails, &amount) {
        payment.refund_failed = true;
        payment.money.refunded -= amount.value;
    }
    desk.save(&payment);
    let own = new_psp_reference();
    let mut event = Event {
        original_reference: Some(payment.psp_reference.clone()),
        merchant_reference: reference.unwrap_or(&payment.reference).into(),
        ..desk.event(event_code, &own, &payment)
    };
    event.amount = amount.clone().or(event.amount);
    event
        .additional_data
        .extend(action.map(|action| ("modification.action".into(), action.into())));
    let failed = Event { event: "REFUND_FAILED".into(), ..event.clone() };
    tell(desk, event, decided);
    if fails {
        desk.notify(&failed, desk.options.refund_failed_delay);
    }

    let mut answer = json!({
        "merchantAccount": desk.options.merchant_account,
        "paymentPspReference": payment.psp_reference,
        "pspReference": own,
        "status": "received",
    });
    if let Some(reference) = reference {
        answer["reference"] = json!(reference);
    }
    if let Some(amount) = amount {
        answer["amount"] = json!(amount);
    }
    Ok(Answer::json(201, &answer))
}

/// POST /cancels: cancels the last payment of that reference, whatever its pspReference.
pub(crate) fn technical_cancel(desk: &mut Desk, request: &Value) -> Answered {
    let fields = members::object(request, "StandalonePaymentCancelRequest")?;
    members::known(
        fields,
        "StandalonePaymentCancelRequest",
        "applicationInfo merchantAccount paymentReference reference",
    )?;
    members::lengths(fields)?;
    let payment_reference = members::filled(fields, "paymentReference", "130")?;
    let own = new_psp_reference();
    let payment =
        desk.books.payments_of(payment_reference).into_iter().rfind(|payment| is_final(payment));
    let (event, decided) = match payment.cloned() {
        Some(mut payment) => {
            let decided = cancel(&mut payment);
            desk.save(&payment);
            let event = Event {
                original_reference: Some(payment.psp_reference.clone()),
                ..desk.event("TECHNICAL_CANCEL", &own, &payment)
            };
            (event, decided)
        }
        None => {
            let account = &desk.options.merchant_account;
            let event = Event {
                event_date: desk.now,
                ..Event::new("TECHNICAL_CANCEL", account, &own, payment_reference)
            };
            (event, Err("Transaction not found"))
        }
    };
    tell(desk, event, decided);
    let mut answer = json!({
        "merchantAccount": desk.options.merchant_account,
        "paymentReference": payment_reference,
        "pspReference": own,
        "status": "received",
    });
    if let Some(reference) = members::text(fields, "reference")? {
        answer["reference"] = json!(reference);
    }
    Ok(Answer::json(201, &answer))
}

fn tell(desk: &mut Desk, mut event: Event, decided: Decided) {
    event.success = decided.is_ok();
    event.reason = decided.err().map(Into::into);
    desk.notify(&event, desk.options.webhook_delay);
}

/// One capture; the rest of the authorisation is given up.
fn capture(payment: &mut Payment, amount: &Amount) -> Decided {
    standing(payment)?;
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

fn refund(payment: &mut Payment, amount: &Amount) -> Decided {
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

fn cancel(payment: &mut Payment) -> Decided {
    standing(payment)?;
    if payment.money.captured > 0 {
        return Err(CAPTURED);
    }
    payment.money.cancelled = true;
    Ok(())
}

/// The whole amount: cancelled before a capture, refunded after it.
fn reverse(payment: &mut Payment) -> (&'static str, Decided) {
    if payment.money.captured == 0 {
        return ("cancel", cancel(payment));
    }
    if payment.money.refunded > 0 {
        return ("refund", Err(INSUFFICIENT));
    }
    payment.money.refunded = payment.money.captured;
    ("refund", Ok(()))
}

fn standing(payment: &Payment) -> Decided {
    match payment.state == State::Authorised && !payment.money.cancelled {
        true => Ok(()),
        false => Err(NOT_AUTHORISED),
    }
}

/// Returns whether somebody knows its pspReference.
fn is_final(payment: &Payment) -> bool {
    !matches!(payment.state, State::Redirect | State::Fingerprint | State::Challenge)
}

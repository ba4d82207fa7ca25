//! Payment methods other than Amazon Pay: cards, wallets, redirects, vouchers and the rest.
//!
//! Each type answers with the action that Adyen documents for it. A type without a rule of its own
//! redirects, as most of Adyen's methods do.

use serde_json::{Map, Value, json};
use simulator_http::Answer;

use crate::books::{Payment, PaymentState};
use crate::context::{CallContext, CallResult};
use crate::payments::{self, Outcome, REFUSED, WebhookTiming};
use crate::{errors, three_ds, validate};

/// Adyen's test cards that require 3-D Secure 2. Source: Adyen, Test card numbers.
const CHALLENGED: [&str; 4] =
    ["4035501428146300", "4917610000000000", "5201281505129736", "371449635398431"];

/// How a payment method continues after `POST /payments`.
enum Flow {
    Card,
    Wallet,
    Redirect,
    /// With the result code, the action's type and the members that only this type has.
    Action(&'static str, &'static str, Value),
    /// The outcome arrives later, without an action.
    Received,
}

impl Flow {
    fn of(kind: &str) -> Self {
        match kind {
            "scheme" | "card" | "bcmc" => Self::Card,
            "applepay" | "googlepay" | "paywithgoogle" => Self::Wallet,
            "paypal" | "wechatpaySDK" => Self::Action(
                "Pending",
                "sdk",
                json!({"sdkData": {"token": "EC-42N19135GM6949000"}}),
            ),
            "mbway" | "blik" | "vipps" | "bizum" => Self::Action("Pending", "await", json!({})),
            "wechatpayQR" | "pix" | "bcmc_mobile" | "upi_qr" | "promptpay" | "paynow" => {
                Self::Action("Pending", "qrCode", json!({"qrCodeData": "SIMULATED-QR-CODE"}))
            }
            "multibanco" => Self::Action(
                "PresentToShopper",
                "voucher",
                json!({"entity": "12101", "reference": "501 422 944"}),
            ),
            "oxxo" | "konbini" | "boletobancario" | "econtext_stores" => {
                Self::Action("PresentToShopper", "voucher", json!({"reference": "501422944"}))
            }
            "bankTransfer" | "bankTransfer_IBAN" => Self::Action(
                "Received",
                "bankTransfer",
                json!({"iban": "NL13TEST0123456789", "bic": "TESTNL01", "reference": "TRN8W2"}),
            ),
            "sepadirectdebit" | "ach" | "directdebit_GB" | "directdebit_AU" => Self::Received,
            _ => Self::Redirect,
        }
    }
}

/// Validates what each type requires.
pub(crate) fn check(kind: &str, fields: &Map<String, Value>) -> Result<(), Answer> {
    let required: &[&str] = match kind {
        "scheme" | "card" | "bcmc" => {
            &["encryptedCardNumber", "encryptedExpiryMonth", "encryptedExpiryYear"]
        }
        "applepay" => &["applePayToken"],
        "googlepay" | "paywithgoogle" => &["googlePayToken"],
        "sepadirectdebit" => &["iban", "ownerName"],
        "mbway" => &["telephoneNumber"],
        "blik" => &["blikCode"],
        _ => &[],
    };
    for name in required {
        if fields.get(*name).and_then(Value::as_str).is_none_or(str::is_empty) {
            let message = format!("Required field '{name}' is not provided.");
            return Err(errors::invalid("14_004", &message));
        }
    }
    Ok(())
}

/// POST /payments with one of them.
pub(crate) fn create(
    ctx: &mut CallContext,
    request: &validate::Payment,
    mut payment: Payment,
    kind: &str,
    fields: &Map<String, Value>,
) -> CallResult {
    payment.payment_method_type = Some(kind.into());
    match Flow::of(kind) {
        Flow::Card => with_card(ctx, request, payment, fields),
        Flow::Wallet => {
            Ok(payments::finish(ctx, payment, Outcome::Authorised, WebhookTiming::Soon))
        }
        Flow::Redirect => Ok(three_ds::send_to_page(ctx, payment)),
        Flow::Received => Ok(payments::without_action(ctx, payment, "Received")),
        Flow::Action(result_code, action, members) => {
            Ok(with_action(ctx, payment, result_code, action, members))
        }
    }
}

/// Cards by Adyen's test prefix. The holder's name decides the outcome.
fn with_card(
    ctx: &mut CallContext,
    request: &validate::Payment,
    mut payment: Payment,
    fields: &Map<String, Value>,
) -> CallResult {
    let text = |name: &str| fields.get(name).and_then(Value::as_str).unwrap_or_default();
    let Some(number) = text("encryptedCardNumber").strip_prefix("test_") else {
        return Err(errors::invalid("174", "Unable to decrypt data"));
    };
    payment.card = Some(number.into());
    let holder = text("holderName").to_uppercase();
    if holder.contains("DECLINED") || holder.contains("REFUSED") {
        return Ok(payments::finish(ctx, payment, REFUSED, WebhookTiming::Soon));
    }
    if CHALLENGED.contains(&number) {
        return match request.native_three_ds {
            true => three_ds::identify(ctx, request, payment),
            false => three_ds::redirect(ctx, request, payment),
        };
    }
    Ok(payments::finish(ctx, payment, Outcome::Authorised, WebhookTiming::Soon))
}

fn with_action(
    ctx: &mut CallContext,
    mut payment: Payment,
    result_code: &str,
    kind: &str,
    members: Value,
) -> Answer {
    let id = three_ds::new_id(ctx);
    let mut action = json!({
        "type": kind,
        "paymentData": id,
        "paymentMethodType": payment.payment_method_type,
    });
    if let (Value::Object(action), Value::Object(members)) = (&mut action, members) {
        action.extend(members);
    }
    if matches!(kind, "voucher" | "bankTransfer") {
        action["totalAmount"] = json!(payment.amount);
    }
    payment.state = PaymentState::Pending;
    payment.action_id = Some(id);
    ctx.save(&payment);
    let answer = json!({
        "pspReference": payment.psp_reference,
        "resultCode": result_code,
        "merchantReference": payment.reference,
        "action": action,
    });
    payments::respond(ctx, answer)
}

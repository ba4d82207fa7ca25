//! From what a caller sent, and what its token fixes, to a request for Adyen.

use serde_json::{Map, Value, json};
use shared::{
    adyen::payments::{
        PaymentMethodType, PaymentRequest, RecurringProcessingModel, ShopperInteraction,
    },
    http::{
        edge,
        jwt::Caller,
        problem::{Code, Problem},
    },
};

use crate::Rules;

/// The longest charge of a stored payment method, in bytes.
const CHARGE_LIMIT: usize = 16 * 1024;

/// The payment that a caller asks for: checked, and complete but for the shopper's address
/// on the network. With it, what the caller asked for itself, claims of its token included.
///
/// # Errors
/// Names what is missing, malformed or not the caller's to decide.
pub fn payment(
    rules: &Rules,
    caller: &Caller,
    mut body: Map<String, Value>,
) -> Result<(PaymentRequest, Map<String, Value>), Problem> {
    let agreed = edge::complete_payment(&mut body, caller);
    if let Caller::Checkout(_) = caller {
        // The gateway knows the browser's address better.
        body.remove("shopperIP");
    }
    let mut asked = body.clone();
    // There is one that a caller may name, and naming it asks for nothing else.
    asked.remove("merchantAccount");
    let named_return_url = edge::names(&body, "returnUrl");
    edge::fill(&mut body, "merchantAccount", json!(rules.target.merchant_account));
    edge::fill(&mut body, "returnUrl", json!(rules.default_return_url));
    let payment: PaymentRequest = edge::typed(body)?;
    if payment.merchant_account != rules.target.merchant_account {
        return Err(edge::wrong_merchant_account());
    }
    if let Caller::Checkout(_) = caller {
        with_the_browser(&payment)?;
        agreed?;
        if named_return_url {
            rules.may_return_to(&payment)?;
        }
    }
    consistent(&payment)?;
    Ok((payment, asked))
}

/// Returns whether a browser may ask for it.
fn with_the_browser(payment: &PaymentRequest) -> Result<(), Problem> {
    let charges_stored = payment.payment_method.stored_payment_method_id.is_some();
    if charges_stored || payment.shopper_interaction == Some(ShopperInteraction::ContAuth) {
        return Err(Problem::new(
            Code::MerchantTokenRequired,
            "Only the merchant's backend charges a stored payment method.",
        ));
    }
    Ok(())
}

impl Rules {
    fn may_return_to(&self, payment: &PaymentRequest) -> Result<(), Problem> {
        if payment.return_url.is_within(&self.allowed_origins) {
            return Ok(());
        }
        Err(Problem::new(
            Code::ReturnUrlNotAllowed,
            "returnUrl has an origin that is not among the allowed ones.",
        )
        .at("returnUrl"))
    }
}

/// Checks the fields that depend on each other.
fn consistent(payment: &PaymentRequest) -> Result<(), Problem> {
    let method = &payment.payment_method;
    match (
        &method.amazon_pay_token,
        &method.amazon_checkout_session_id,
        &method.stored_payment_method_id,
    ) {
        (None, None, None) => {
            missing("paymentMethod.amazonPayToken", "what to pay with is missing")
        }
        (Some(_), None, None) | (None, Some(_), None) => with_the_shopper(payment),
        (None, None, Some(_)) => without_the_shopper(payment),
        _ => invalid(
            "paymentMethod",
            "expected one of amazonPayToken, amazonCheckoutSessionId and storedPaymentMethodId",
        ),
    }
}

/// A payment with Amazon Pay, which may store the payment method.
fn with_the_shopper(payment: &PaymentRequest) -> Result<(), Problem> {
    match payment.payment_method.kind {
        Some(PaymentMethodType::AmazonPay) => {}
        Some(_) => return invalid("paymentMethod.type", "expected amazonpay"),
        None => return missing("paymentMethod.type", "expected amazonpay"),
    }
    if payment.shopper_interaction == Some(ShopperInteraction::ContAuth) {
        return invalid("shopperInteraction", "ContAuth is for a stored payment method");
    }
    if payment.store_payment_method == Some(true) && payment.shopper_reference.is_none() {
        return missing("shopperReference", "storing a payment method needs it");
    }
    Ok(())
}

/// The charge of a stored payment method.
fn without_the_shopper(payment: &PaymentRequest) -> Result<(), Problem> {
    if payment.shopper_reference.is_none() {
        return missing("shopperReference", "a stored payment method belongs to a shopper");
    }
    let interaction = "expected ContAuth for a stored payment method";
    match payment.shopper_interaction {
        Some(ShopperInteraction::ContAuth) => {}
        Some(_) => return invalid("shopperInteraction", interaction),
        None => return missing("shopperInteraction", interaction),
    }
    let model = "expected Subscription or UnscheduledCardOnFile for a stored payment method";
    match payment.recurring_processing_model {
        Some(
            RecurringProcessingModel::Subscription
            | RecurringProcessingModel::UnscheduledCardOnFile,
        ) => {}
        Some(_) => return invalid("recurringProcessingModel", model),
        None => return missing("recurringProcessingModel", model),
    }
    if payment.store_payment_method == Some(true) {
        return invalid("storePaymentMethod", "the payment method is stored already");
    }
    let method = &payment.payment_method;
    if method.sdk_data.is_some() || method.checkout_attempt_id.is_some() {
        return invalid(
            "paymentMethod",
            "sdkData and checkoutAttemptId come from a browser, and none takes part",
        );
    }
    // It is kept with the order, to be sent again should its outcome stay unknown.
    let length = json!(payment).to_string().len();
    if length > CHARGE_LIMIT {
        return Err(Problem::new(
            Code::BodyTooLarge,
            format!("The charge of a stored payment method is larger than {CHARGE_LIMIT} bytes."),
        ));
    }
    Ok(())
}

fn missing(field: &str, why: &str) -> Result<(), Problem> {
    Err(Problem::new(Code::MissingField, format!("{field}: {why}.")).at(field))
}

fn invalid(field: &str, why: &str) -> Result<(), Problem> {
    Err(Problem::new(Code::InvalidField, format!("{field}: {why}.")).at(field))
}

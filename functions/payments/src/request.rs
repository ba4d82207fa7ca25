//! Builds the request for Adyen from the caller's body and the claims of its token.

use serde_json::{Map, Value, json};
use shared::{
    adyen::payments::{
        PaymentMethod, PaymentRequest, RecurringProcessingModel, ShopperInteraction,
    },
    http::{
        edge,
        jwt::Caller,
        problem::{Code, Problem},
    },
    limits,
};

use crate::Rules;

/// Returns the payment that a caller requests, checked and complete except for `shopperIP`, and
/// the body with the token's claims, which identifies a repeated request.
///
/// # Errors
/// Names each field that is missing, malformed or not the caller's to set.
pub fn payment(
    rules: &Rules,
    caller: &Caller,
    mut body: Map<String, Value>,
) -> Result<(PaymentRequest, Map<String, Value>), Problem> {
    let agreed = edge::complete_payment(&mut body, caller);
    if let Caller::Checkout(_) = caller {
        // The gateway knows the browser's address, and a browser could send any other.
        body.remove("shopperIP");
    }
    let mut asked = body.clone();
    // A caller may only name the one that is used anyway.
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

/// Rejects a payment that only the merchant's backend may request.
fn with_the_browser(payment: &PaymentRequest) -> Result<(), Problem> {
    let charges_stored =
        matches!(payment.payment_method, PaymentMethod::StoredPaymentMethod { .. });
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
    match payment.payment_method {
        PaymentMethod::AmazonPayToken { .. } | PaymentMethod::CheckoutSession { .. } => {
            with_the_shopper(payment)
        }
        PaymentMethod::StoredPaymentMethod { .. } => without_the_shopper(payment),
    }
}

/// A payment with Amazon Pay, which may store the payment method.
fn with_the_shopper(payment: &PaymentRequest) -> Result<(), Problem> {
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
    // The request is stored with the order, because it is sent again if its outcome stays unknown.
    let length = json!(payment).to_string().len();
    if length > limits::CHARGE {
        return Err(Problem::new(
            Code::BodyTooLarge,
            format!(
                "The charge of a stored payment method is larger than {} bytes.",
                limits::CHARGE
            ),
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

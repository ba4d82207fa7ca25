//! Builds the request for Adyen from the caller's body and the claims of its token.

use serde_json::{Map, Value, json};
use shared::{
    adyen::{
        payment_method::{PaymentMethod, raw_card_data},
        payments::{PaymentRequest, RecurringProcessingModel, ShopperInteraction},
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
    if let Some(name) = RAW_CARD_DATA.into_iter().find(|name| edge::names(&body, name)) {
        return Err(edge::raw_card_data(name));
    }
    if let Some(name) = body.get("bankAccount").and_then(raw_card_data) {
        return Err(edge::raw_card_data(name));
    }
    // Adyen's library for the browser adds it for itself.
    body.remove("clientStateDataIndicator");
    let completed = edge::complete_payment(&mut body, caller);
    if let Caller::Checkout(_) = caller {
        // The gateway knows the browser's address, and a browser could send any other.
        body.remove("shopperIP");
    }
    let caller_body = identifying(&body);
    let named_return_url = edge::names(&body, "returnUrl");
    edge::fill(&mut body, "merchantAccount", json!(rules.target.merchant_account));
    edge::fill(&mut body, "returnUrl", json!(rules.default_return_url));
    let mut payment: PaymentRequest = edge::typed(body)?;
    if payment.merchant_account != rules.target.merchant_account {
        return Err(edge::wrong_merchant_account());
    }
    rules.allow(caller, &payment)?;
    let is_one_click = rules.is_one_click(caller, &payment);
    if is_one_click {
        // The shopper is present, which ContAuth with CardOnFile says.
        payment.shopper_interaction = Some(ShopperInteraction::ContAuth);
        payment.recurring_processing_model = Some(RecurringProcessingModel::CardOnFile);
    } else if let Caller::Checkout(_) = caller {
        with_the_browser(&payment)?;
    }
    if let Caller::Checkout(_) = caller {
        completed?;
        if named_return_url {
            rules.may_return_to(&payment)?;
        }
    }
    adds_up(&payment)?;
    consistent(&payment, is_one_click)?;
    Ok((payment, caller_body))
}

/// Top-level fields that hold raw card data, which only a system in PCI scope may receive.
const RAW_CARD_DATA: [&str; 6] =
    ["card", "number", "cvc", "expiryMonth", "expiryYear", "encryptedCard"];

/// The body without the members that do not identify a repeated request.
fn identifying(body: &Map<String, Value>) -> Map<String, Value> {
    let mut body = body.clone();
    // A caller may only name the one that is used anyway.
    body.remove("merchantAccount");
    if let Some(Value::Object(method)) = body.get_mut("paymentMethod") {
        method.remove("checkoutAttemptId");
        method.remove("sdkData");
    }
    body
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
    /// True if the shopper pays with a stored payment method. Stored cards have no type or the
    /// type `scheme`. Amazon Pay's tokens are charged by the merchant only.
    fn is_one_click(&self, caller: &Caller, payment: &PaymentRequest) -> bool {
        let PaymentMethod::StoredPaymentMethod { .. } = &payment.payment_method else {
            return false;
        };
        let kind = payment.payment_method.kind().unwrap_or("scheme");
        let is_allowed = kind != "amazonpay" && self.allows(kind);
        // A subscription is charged without the shopper, and so by the merchant.
        let is_present = match payment.recurring_processing_model {
            Some(model) => model == RecurringProcessingModel::CardOnFile,
            None => matches!(caller, Caller::Checkout(_)),
        };
        is_allowed && is_present
    }

    fn allows(&self, kind: &str) -> bool {
        self.allowed_payment_methods.iter().any(|allowed| allowed == kind)
    }

    /// Rejects a payment method that this deployment does not offer. The backend may charge a stored
    /// one, because it was offered when it was stored. Only the backend charges those of Amazon Pay.
    fn allow(&self, caller: &Caller, payment: &PaymentRequest) -> Result<(), Problem> {
        let is_allowed = match &payment.payment_method {
            PaymentMethod::StoredPaymentMethod { .. } if matches!(caller, Caller::Merchant(_)) => {
                true
            }
            method @ PaymentMethod::StoredPaymentMethod { .. } => {
                method.kind().is_none_or(|kind| kind == "amazonpay" || self.allows(kind))
            }
            method => method.kind().is_some_and(|kind| self.allows(kind)),
        };
        if is_allowed {
            return Ok(());
        }
        Err(Problem::new(
            Code::PaymentMethodNotAllowed,
            "paymentMethod.type is not among the payment methods that this deployment accepts.",
        )
        .at("paymentMethod.type"))
    }

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

/// Line items come from the browser, so a wrong sum could show the shopper another price.
fn adds_up(payment: &PaymentRequest) -> Result<(), Problem> {
    match &payment.line_items {
        Some(items) if items.total() != Some(payment.amount.value) => Err(Problem::new(
            Code::AmountMismatch,
            "lineItems: quantity times amountIncludingTax must add up to the amount.",
        )
        .at("lineItems")),
        _ => Ok(()),
    }
}

/// Checks the fields that depend on each other.
fn consistent(payment: &PaymentRequest, is_one_click: bool) -> Result<(), Problem> {
    match payment.payment_method {
        PaymentMethod::StoredPaymentMethod { .. } if is_one_click => one_click(payment),
        PaymentMethod::StoredPaymentMethod { .. } => without_the_shopper(payment),
        _ => with_the_shopper(payment),
    }
}

/// A payment that may store the payment method.
fn with_the_shopper(payment: &PaymentRequest) -> Result<(), Problem> {
    if payment.shopper_interaction == Some(ShopperInteraction::ContAuth) {
        return invalid("shopperInteraction", "ContAuth is for a stored payment method");
    }
    if payment.store_payment_method == Some(true) && payment.shopper_reference.is_none() {
        return missing("shopperReference", "storing a payment method needs it");
    }
    Ok(())
}

/// A payment with one of the shopper's stored payment methods.
fn one_click(payment: &PaymentRequest) -> Result<(), Problem> {
    if payment.shopper_reference.is_none() {
        return missing("shopperReference", "a stored payment method belongs to a shopper");
    }
    if payment.store_payment_method == Some(true) {
        return invalid("storePaymentMethod", "the payment method is stored already");
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
    if payment.payment_method.has_security_code() {
        return invalid(
            "paymentMethod.encryptedSecurityCode",
            "only the shopper can enter it, and takes no part",
        );
    }
    if payment.payment_method.has_browser_data() {
        return invalid(
            "paymentMethod",
            "sdkData and checkoutAttemptId come from a browser, and none takes part",
        );
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

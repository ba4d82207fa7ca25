//! `POST /checkoutSessions`: the signed configuration with which Amazon Pay's button creates a
//! session.

use http::StatusCode;
use lambda_http::{Body, Request, Response};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use shared::{
    adyen::shopper::CountryCode,
    amazon_pay::{
        AmazonPay, CheckoutUrl, Frequency, Price, RecurringMetadata, Region, Scope, SignedButton,
        WebCheckoutDetails,
    },
    domain::{
        amount::{Amount, Currency},
        reference::Reference,
        shopper_reference::ShopperReference,
    },
    http::{
        edge,
        jwt::Caller,
        problem::{Code, Problem},
    },
};

use crate::{State, require_ledger_currency};

/// The shopper's data that Adyen needs for 3-D Secure.
const SCOPES: [Scope; 4] = [Scope::Name, Scope::Email, Scope::PhoneNumber, Scope::BillingAddress];

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct ButtonRequest {
    checkout_review_return_url: CheckoutUrl,
    checkout_result_return_url: CheckoutUrl,
    checkout_cancel_url: Option<CheckoutUrl>,
    scopes: Option<Vec<Scope>>,
    /// True if the shopper also agrees to later payments.
    store_payment_method: Option<bool>,
    recurring_metadata: Option<Recurrence>,
    // The body may repeat the token's claims, which are only checked for their format here.
    #[serde(rename = "reference")]
    _reference: Option<Reference>,
    amount: Option<Amount>,
    #[serde(rename = "countryCode")]
    _country_code: Option<CountryCode>,
    shopper_reference: Option<ShopperReference>,
}

/// The frequency of later payments, irregular by default. Their amount is the order's.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Recurrence {
    frequency: Frequency,
}

/// The page passes this to `amazon.Pay.renderButton`.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Button<'a> {
    #[serde(flatten)]
    signed: SignedButton,
    merchant_id: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    ledger_currency: Option<Currency>,
    region: Region,
    sandbox: bool,
}

pub async fn create(
    state: &State,
    caller: &Caller,
    request: &Request,
) -> Result<Response<Body>, Problem> {
    let amazon_pay = shared::http::amazon_pay::configured(state.amazon_pay.as_ref())?;
    let button_request = read(caller, edge::json_object(request)?)?;
    if let Some(amount) = &button_request.amount {
        require_ledger_currency(amazon_pay, amount)?;
    }
    let recurring = recurring(&button_request)?;
    let urls = WebCheckoutDetails {
        checkout_review_return_url: button_request.checkout_review_return_url,
        checkout_result_return_url: button_request.checkout_result_return_url,
        checkout_cancel_url: button_request.checkout_cancel_url,
    };
    if matches!(caller, Caller::Checkout(_)) {
        state.check_return_urls(&urls)?;
    }
    let scopes = button_request.scopes.as_deref().unwrap_or(&SCOPES);
    let signed = amazon_pay.button(&urls, scopes, recurring.as_ref()).await.map_err(|error| {
        tracing::error!(%error, "button not signed");
        Problem::new(Code::Internal, "The button could not be signed.")
    })?;
    Ok(edge::json(StatusCode::OK, &button(amazon_pay, signed, button_request.amount)))
}

fn button(amazon_pay: &AmazonPay, signed: SignedButton, amount: Option<Amount>) -> Button<'_> {
    Button {
        signed,
        merchant_id: &amazon_pay.merchant_id,
        // Adyen accepts Amazon Pay payments in the ledger's currency only.
        ledger_currency: amazon_pay.ledger_currency.or(amount.map(|amount| amount.currency)),
        region: amazon_pay.region,
        sandbox: amazon_pay.sandbox,
    }
}

/// Reads the body, completed from a browser's token.
fn read(caller: &Caller, mut body: Map<String, Value>) -> Result<ButtonRequest, Problem> {
    let completed = edge::complete(&mut body, caller);
    let button_request = edge::typed(body)?;
    completed?;
    Ok(button_request)
}

/// The shopper's agreement to later payments, if the request stores the payment method.
fn recurring(button_request: &ButtonRequest) -> Result<Option<RecurringMetadata>, Problem> {
    if button_request.store_payment_method != Some(true) {
        return match button_request.recurring_metadata {
            Some(_) => Err(Problem::new(
                Code::InvalidField,
                "recurringMetadata: only allowed with storePaymentMethod: true.",
            )
            .at("recurringMetadata")),
            None => Ok(None),
        };
    }
    if button_request.shopper_reference.is_none() {
        return Err(Problem::new(
            Code::MissingField,
            "shopperReference: required with storePaymentMethod: true.",
        )
        .at("shopperReference"));
    }
    Ok(Some(RecurringMetadata {
        frequency: button_request
            .recurring_metadata
            .as_ref()
            .map(|recurring| recurring.frequency.clone())
            .unwrap_or_default(),
        amount: button_request.amount.as_ref().map(Price::from),
    }))
}

impl State {
    fn check_return_urls(&self, urls: &WebCheckoutDetails) -> Result<(), Problem> {
        let urls = [
            ("checkoutReviewReturnUrl", Some(&urls.checkout_review_return_url)),
            ("checkoutResultReturnUrl", Some(&urls.checkout_result_return_url)),
            ("checkoutCancelUrl", urls.checkout_cancel_url.as_ref()),
        ];
        for (field, url) in urls {
            let elsewhere = |url: &CheckoutUrl| !self.allowed_origins.contains(&url.origin());
            if !self.allowed_origins.is_empty() && url.is_some_and(elsewhere) {
                return Err(Problem::new(
                    Code::ReturnUrlNotAllowed,
                    format!("{field}: the origin is not one of ALLOWED_ORIGINS."),
                )
                .at(field));
            }
        }
        Ok(())
    }
}

//! POST /paymentMethods.

use serde_json::{Value, json};
use simulator_http::Answer;

use crate::books::TokenState;
use crate::context::{CallContext, CallResult};
use crate::{members, recurring, validate};

/// The currencies of Amazon Pay at Adyen.
pub(crate) const CURRENCIES: [&str; 4] = ["EUR", "GBP", "HUF", "USD"];

/// The countries of shoppers who can use Amazon Pay at Adyen.
const COUNTRIES: [&str; 17] = [
    "AT", "BE", "CH", "CY", "DE", "DK", "ES", "FR", "GB", "HU", "IE", "IT", "LU", "NL", "PT", "SE",
    "US",
];

/// The members of PaymentMethodsRequest.
const REQUEST: &str = "additionalData allowedPaymentMethods amount blockedPaymentMethods browserInfo \
    channel countryCode merchantAccount order shopperConversionId shopperEmail shopperIP \
    shopperLocale shopperReference splitCardFundingSources store storeFiltrationMode \
    telephoneNumber";

pub(crate) fn list(ctx: &CallContext, request: &Value) -> CallResult {
    let fields = members::object(request, "PaymentMethodsRequest")?;
    members::known(fields, "PaymentMethodsRequest", REQUEST)?;
    members::lengths(fields)?;
    validate::browser(fields)?;
    let currency = match fields.contains_key("amount") {
        true => Some(validate::amount(fields)?.currency),
        false => None,
    };
    let country = members::text(fields, "countryCode")?;
    let names = |list: &str| fields.get(list).and_then(Value::as_array);
    let is_amazon_pay = |name: &Value| name == "amazonpay";
    let is_blocked = |kind: &str| {
        names("blockedPaymentMethods").is_some_and(|names| names.iter().any(|it| it == kind))
    };
    let offered = country.is_some_and(|country| COUNTRIES.contains(&country))
        && currency.is_some_and(|currency| CURRENCIES.contains(&currency.as_str()))
        && names("allowedPaymentMethods").is_none_or(|names| names.iter().any(is_amazon_pay))
        && names("blockedPaymentMethods").is_none_or(|names| !names.iter().any(is_amazon_pay));
    let mut methods = if offered { vec![amazon_pay(ctx)] } else { vec![] };
    // The merchant account has the others enabled, and a request names those that it offers.
    for kind in names("allowedPaymentMethods").into_iter().flatten().filter_map(Value::as_str) {
        if kind != "amazonpay" && !is_blocked(kind) {
            methods.push(json!({"name": name(kind), "type": kind}));
        }
    }
    let mut answer = json!({"paymentMethods": methods});
    if let Some(shopper) = members::text(fields, "shopperReference")? {
        let stored: Vec<Value> = recurring::tokens_of(ctx.books, shopper)
            .filter(|token| token.state == TokenState::Active)
            .map(recurring::describe)
            .collect();
        if !stored.is_empty() {
            answer["storedPaymentMethods"] = json!(stored);
        }
    }
    Ok(Answer::json(200, &answer))
}

/// The name that Adyen shows to shoppers.
fn name(kind: &str) -> &str {
    match kind {
        "scheme" => "Cards",
        "bankTransfer_IBAN" => "Bank Transfer",
        "bcmc" => "Bancontact card",
        "ideal" => "iDEAL",
        "klarna" => "Pay later with Klarna.",
        "mbway" => "MB WAY",
        "multibanco" => "Multibanco",
        "paypal" => "PayPal",
        "sepadirectdebit" => "SEPA Direct Debit",
        "wechatpayQR" => "WeChat Pay",
        kind => kind,
    }
}

fn amazon_pay(ctx: &CallContext) -> Value {
    let mut method = json!({
        "configuration": {
            "merchantId": "YOUR_AMAZON_PAY_MERCHANT_ID",
            "storeId": "YOUR_AMAZON_PAY_STORE_ID",
            "publicKeyId": "YOUR_AMAZON_PAY_PUBLIC_KEY_ID",
        },
        "details": [{"key": "amazonPayToken", "type": "text"}],
        "name": "Amazon Pay",
        "type": "amazonpay",
    });
    if let Some(amazon_pay) = &ctx.options.amazon_pay {
        method["configuration"] = amazon_pay.configuration();
    }
    method
}

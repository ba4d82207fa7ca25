//! Validates requests. Names, lengths and required members are those of the Checkout v72
//! specification.

use axum::http::Uri;
use serde_json::{Map, Value};
use simulator_http::Answer;

use crate::books::Amount;
use crate::members::{filled, flag, known, lengths, object, one_of, text, unexpected};
use crate::{errors, methods};

/// The members of PaymentRequest.
const PAYMENT: &str = "accountInfo additionalAmount additionalData amount applicationInfo \
    authenticationData bankAccount billingAddress browserInfo captureDelayHours channel \
    checkoutAttemptId company countryCode dateOfBirth dccQuote deliverAt deliveryAddress \
    deliveryDate deviceFingerprint enableOneClick enablePayOut enableRecurring \
    enhancedSchemeData entityType fraudOffset fundOrigin fundRecipient industryUsage \
    installments lineItems localizedShopperStatement mandate mcc merchantAccount \
    merchantOrderReference merchantRiskIndicator metadata mpiData order orderReference \
    origin paymentMethod paymentValidations platformChargebackLogic recurringExpiry \
    recurringFrequency recurringProcessingModel redirectFromIssuerMethod \
    redirectToIssuerMethod reference returnUrl riskData sessionValidity \
    shopperConversionId shopperEmail shopperIP shopperInteraction shopperLocale \
    shopperName shopperReference shopperStatement shopperTaxInfo socialSecurityNumber \
    splits store storePaymentMethod subMerchants surcharge telephoneNumber \
    threeDS2RequestData threeDSAuthenticationOnly trustedShopper";

const BROWSER: &str = "acceptHeader colorDepth javaEnabled javaScriptEnabled language screenHeight \
    screenWidth timeZoneOffset userAgent";

const ADDRESS: &str = "city country houseNumberOrName postalCode stateOrProvince street";

/// The relevant members of a valid POST /payments.
pub(crate) struct Payment {
    pub reference: String,
    pub amount: Amount,
    pub return_url: String,
    pub manual_capture: bool,
    pub shopper_reference: Option<String>,
    pub store: bool,
    pub recurring_processing_model: Option<String>,
    pub method: Method,
    pub native_three_ds: bool,
    pub has_browser_info: bool,
    pub channel: Option<String>,
    pub origin: Option<String>,
}

pub(crate) enum Method {
    AmazonPayToken(String),
    /// The checkoutSessionId of Drop-in.
    AmazonPaySession(String),
    Stored(String),
    /// Any other, with its type and members.
    Other(String, Map<String, Value>),
}

/// POST /payments.
pub(crate) fn payment(request: &Value) -> Result<Payment, Answer> {
    let fields = object(request, "PaymentRequest")?;
    known(fields, "PaymentRequest", PAYMENT)?;
    let amount = amount(fields)?;
    let Some(method) = fields.get("paymentMethod") else {
        return Err(errors::invalid("14_006", "Required object 'paymentMethod' is not provided."));
    };
    let reference = filled(fields, "reference", "130")?;
    let return_url = return_url(fields)?;
    lengths(fields)?;
    let shopper_reference = text(fields, "shopperReference")?;
    if shopper_reference.is_some_and(|reference| reference.chars().count() < 3) {
        return Err(errors::invalid("702", "shopperReference is too short"));
    }
    let store = flag(fields, "storePaymentMethod")? == Some(true);
    if store && shopper_reference.is_none() {
        return Err(errors::coded("121"));
    }
    let model = one_of(
        fields,
        "recurringProcessingModel",
        &["CardOnFile", "Subscription", "UnscheduledCardOnFile"],
        "807",
    )?;
    let interaction =
        one_of(fields, "shopperInteraction", &["Ecommerce", "ContAuth", "Moto", "POS"], "807")?;
    let method = payment_method(object(method, "PaymentMethod")?)?;
    match (&method, interaction) {
        (
            Method::AmazonPayToken(_) | Method::AmazonPaySession(_) | Method::Other(..),
            Some("ContAuth"),
        ) => {
            return Err(errors::invalid("807", "ContAuth needs a stored payment method"));
        }
        (Method::Stored(_), _) if shopper_reference.is_none() => {
            return Err(errors::coded("121"));
        }
        (Method::Stored(_), Some("ContAuth")) if model.is_none() => {
            return Err(errors::invalid("807", "ContAuth needs a recurringProcessingModel"));
        }
        _ => {}
    }
    browser(fields)?;
    address(fields, "billingAddress")?;
    address(fields, "deliveryAddress")?;
    extras(fields)?;
    let channel = one_of(fields, "channel", &["iOS", "Android", "Web"], "14_036")?;
    Ok(Payment {
        reference: reference.into(),
        amount,
        return_url: return_url.into(),
        manual_capture: fields
            .get("additionalData")
            .and_then(|data| data.get("manualCapture"))
            .is_some_and(|manual| manual == "true"),
        shopper_reference: shopper_reference.map(Into::into),
        store,
        recurring_processing_model: model.map(Into::into),
        method,
        native_three_ds: fields
            .get("authenticationData")
            .is_some_and(|it| it["threeDSRequestData"]["nativeThreeDS"] == "preferred"),
        has_browser_info: fields.contains_key("browserInfo"),
        channel: channel.map(Into::into),
        origin: origin(fields)?.map(Into::into),
    })
}

fn payment_method(fields: &Map<String, Value>) -> Result<Method, Answer> {
    let kind = text(fields, "type")?;
    if let Some(id) = text(fields, "storedPaymentMethodId")? {
        known(
            fields,
            "PaymentMethod",
            "brand checkoutAttemptId encryptedSecurityCode holderName sdkData \
             storedPaymentMethodId threeDS2SdkVersion type",
        )?;
        if !matches!(kind, None | Some("scheme" | "amazonpay")) {
            return Err(errors::coded("905"));
        }
        if id.is_empty() || id.len() > 64 {
            return Err(errors::coded("803"));
        }
        return Ok(Method::Stored(id.into()));
    }
    match kind {
        Some("amazonpay") => {}
        Some(kind) if !kind.is_empty() && fields.get("amazonPayToken").is_none() => {
            methods::check(kind, fields)?;
            return Ok(Method::Other(kind.into(), fields.clone()));
        }
        _ => return Err(errors::coded("905")),
    }
    known(
        fields,
        "AmazonPayDetails",
        "amazonPayToken checkoutAttemptId checkoutSessionId sdkData type",
    )?;
    let token = text(fields, "amazonPayToken")?.unwrap_or_default();
    if token.is_empty() {
        let session = text(fields, "checkoutSessionId")?.filter(|session| !session.is_empty());
        let session = session.ok_or_else(|| errors::coded("5_602"))?;
        return Ok(Method::AmazonPaySession(session.into()));
    }
    if !token.chars().all(|letter| letter.is_ascii_alphanumeric() || "-_.".contains(letter)) {
        return Err(errors::coded("5_604"));
    }
    Ok(Method::AmazonPayToken(token.into()))
}

/// The amount of a request.
pub(crate) fn amount(fields: &Map<String, Value>) -> Result<Amount, Answer> {
    let Some(amount) = fields.get("amount") else {
        return Err(errors::invalid("100", "Required object 'amount' is not provided."));
    };
    let amount = object(amount, "amount")?;
    known(amount, "Amount", "currency value")?;
    let value = match amount.get("value") {
        None => return Err(errors::invalid("137", "Invalid amount specified")),
        Some(value) => value.as_i64().ok_or_else(|| unexpected("value", "an integer"))?,
    };
    if value <= 0 {
        return Err(errors::invalid("137", "Invalid amount specified"));
    }
    let currency = text(amount, "currency")?.unwrap_or_default();
    if iso_currency::Currency::from_code(currency).is_none() {
        return Err(errors::invalid("138", "Unsupported currency specified"));
    }
    Ok(Amount { currency: currency.into(), value })
}

pub(crate) fn browser(fields: &Map<String, Value>) -> Result<(), Answer> {
    let Some(browser) = fields.get("browserInfo") else {
        return Ok(());
    };
    let browser = object(browser, "browserInfo")?;
    known(browser, "BrowserInfo", BROWSER)?;
    for name in ["acceptHeader", "language", "userAgent"] {
        filled(browser, name, "15_015")?;
    }
    for name in ["screenHeight", "screenWidth", "timeZoneOffset", "colorDepth"] {
        match browser.get(name) {
            None => {
                return Err(errors::invalid("15_015", &format!("browserInfo.{name} is missing")));
            }
            Some(number) if number.is_i64() => {}
            Some(_) => return Err(unexpected(name, "an integer")),
        }
    }
    if flag(browser, "javaEnabled")?.is_none() {
        return Err(errors::invalid("15_015", "browserInfo.javaEnabled is missing"));
    }
    flag(browser, "javaScriptEnabled")?;
    if !matches!(browser["colorDepth"].as_i64(), Some(1 | 4 | 8 | 15 | 16 | 24 | 30 | 32 | 48)) {
        return Err(errors::invalid("15_018", "browserInfo.colorDepth is not valid"));
    }
    Ok(())
}

fn return_url(fields: &Map<String, Value>) -> Result<&str, Answer> {
    let url = match text(fields, "returnUrl")? {
        Some(url) if !url.is_empty() => url,
        _ => return Err(errors::invalid("14_030", "Return URL is missing.")),
    };
    // `my-app://` is the specification's own example.
    let absolute = url.split_once(":/").is_some_and(|(scheme, _)| {
        let in_scheme = |c: char| c.is_ascii_alphanumeric() || "+-.".contains(c);
        !scheme.is_empty() && scheme.chars().all(in_scheme)
    });
    if !absolute || !url.is_ascii() || url.contains(char::is_whitespace) {
        return Err(errors::invalid("702", "returnUrl is not a valid URL"));
    }
    Ok(url)
}

fn origin(fields: &Map<String, Value>) -> Result<Option<&str>, Answer> {
    let Some(origin) = text(fields, "origin")? else {
        return Ok(None);
    };
    let bare = origin.parse::<Uri>().is_ok_and(|uri| {
        matches!(uri.scheme_str(), Some("http" | "https")) && uri.authority().is_some()
    }) && origin.matches('/').count() == 2
        && !origin.contains('?');
    if !bare {
        return Err(errors::invalid("14_035", "origin is not valid"));
    }
    Ok(Some(origin))
}

fn address(fields: &Map<String, Value>, name: &str) -> Result<(), Answer> {
    let Some(address) = fields.get(name) else {
        return Ok(());
    };
    let address = object(address, name)?;
    if name == "billingAddress" {
        known(address, "BillingAddress", ADDRESS)?;
    }
    for field in ["city", "country", "houseNumberOrName", "postalCode", "street"] {
        filled(address, field, "702")?;
    }
    for (field, most) in [("postalCode", 10), ("stateOrProvince", 10), ("country", 2)] {
        if text(address, field)?.is_some_and(|text| text.chars().count() > most) {
            return Err(errors::invalid("29_001", &format!("Field '{name}.{field}' is too long.")));
        }
    }
    Ok(())
}

fn extras(fields: &Map<String, Value>) -> Result<(), Answer> {
    if let Some(email) = text(fields, "shopperEmail")? {
        let valid = email.rsplit_once('@').is_some_and(|(name, domain)| {
            !name.is_empty() && !domain.is_empty() && !domain.starts_with('.')
        });
        if !valid || email.contains(' ') {
            return Err(errors::invalid("702", "shopperEmail is not valid"));
        }
    }
    if text(fields, "countryCode")?.is_some_and(|country| country.len() != 2) {
        return Err(errors::invalid("702", "countryCode is not valid"));
    }
    if fields.get("captureDelayHours").is_some_and(|hours| !matches!(hours.as_i64(), Some(0..=672)))
    {
        return Err(errors::invalid("702", "captureDelayHours is not valid"));
    }
    for (name, most_key, most_value) in
        [("metadata", 20, 80), ("additionalData", usize::MAX, usize::MAX)]
    {
        let Some(map) = fields.get(name) else {
            continue;
        };
        for (key, value) in object(map, name)? {
            let value = value.as_str().ok_or_else(|| unexpected(key, "a string"))?;
            if key.chars().count() > most_key || value.chars().count() > most_value {
                return Err(errors::invalid(
                    "29_001",
                    &format!("Field '{name}.{key}' is too long."),
                ));
            }
        }
    }
    Ok(())
}

//! The owner of each field of `POST /payments`. [`edge`](crate::http::edge) enforces this table,
//! and docs/storefront.md and openapi.yaml are tested against it.

use crate::http::problem::Code;

/// The party that may set a field if a browser sends the request. A request with a merchant token
/// may set all fields except those of [`Owner::Nobody`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Owner {
    Shopper,
    /// The checkout token. A request may repeat the value; another value is rejected with this
    /// code.
    Order(Code),
    /// The merchant, with a claim of the same name in the checkout token, because the field
    /// affects risk or accounting. A payment may repeat the value.
    Merchant,
    /// The deployment. A browser's `shopperIP` is ignored because the gateway's is reliable;
    /// another `merchantAccount` is rejected.
    Deployment,
    /// It is rejected as an unknown field.
    Nobody,
}

#[derive(Debug, Clone, Copy)]
pub struct Field {
    /// The names of the enclosing objects and of the field, separated by dots.
    pub path: &'static str,
    /// Also the owner of nested fields, except those with their own entry.
    pub owner: Owner,
}

const fn field(path: &'static str, owner: Owner) -> Field {
    Field { path, owner }
}

pub const FIELDS: [Field; 77] = [
    field("reference", Owner::Order(Code::WrongOrder)),
    field("amount", Owner::Order(Code::AmountMismatch)),
    field("countryCode", Owner::Order(Code::CountryMismatch)),
    field("shopperReference", Owner::Order(Code::WrongShopper)),
    field("authenticationData.attemptAuthentication", Owner::Merchant),
    field("authenticationData.threeDSRequestData.dataOnly", Owner::Merchant),
    // An older version of the protocol sends less data to the issuer.
    field("authenticationData.threeDSRequestData.threeDSVersion", Owner::Merchant),
    field("captureDelayHours", Owner::Merchant),
    field("deliverAt", Owner::Merchant),
    field("mandate", Owner::Merchant),
    field("merchantOrderReference", Owner::Merchant),
    field("metadata", Owner::Merchant),
    field("sessionValidity", Owner::Merchant),
    field("shopperStatement", Owner::Merchant),
    field("splits", Owner::Merchant),
    field("store", Owner::Merchant),
    field("authenticationData.threeDSRequestData.challengeWindowSize", Owner::Shopper),
    field("authenticationData.threeDSRequestData.nativeThreeDS", Owner::Shopper),
    field("bankAccount", Owner::Shopper),
    field("billingAddress", Owner::Shopper),
    field("browserInfo", Owner::Shopper),
    field("channel", Owner::Shopper),
    field("company", Owner::Shopper),
    field("dateOfBirth", Owner::Shopper),
    field("deliveryAddress", Owner::Shopper),
    field("deviceFingerprint", Owner::Shopper),
    field("installments", Owner::Shopper),
    // They must add up to the amount.
    field("lineItems", Owner::Shopper),
    field("origin", Owner::Shopper),
    field("paymentMethod", Owner::Shopper),
    field("recurringProcessingModel", Owner::Shopper),
    field("returnUrl", Owner::Shopper),
    field("riskData", Owner::Shopper),
    field("shopperEmail", Owner::Shopper),
    // Only `Ecommerce`, because only the merchant may charge without the shopper.
    field("shopperInteraction", Owner::Shopper),
    field("shopperLocale", Owner::Shopper),
    field("shopperName", Owner::Shopper),
    field("socialSecurityNumber", Owner::Shopper),
    field("storePaymentMethod", Owner::Shopper),
    field("telephoneNumber", Owner::Shopper),
    field("merchantAccount", Owner::Deployment),
    field("shopperIP", Owner::Deployment),
    field("accountInfo", Owner::Nobody),
    field("additionalAmount", Owner::Nobody),
    field("additionalData", Owner::Nobody),
    field("applicationInfo", Owner::Nobody),
    field("checkoutAttemptId", Owner::Nobody),
    field("dccQuote", Owner::Nobody),
    field("deliveryDate", Owner::Nobody),
    field("enableOneClick", Owner::Nobody),
    field("enablePayOut", Owner::Nobody),
    field("enableRecurring", Owner::Nobody),
    field("enhancedSchemeData", Owner::Nobody),
    field("entityType", Owner::Nobody),
    field("fraudOffset", Owner::Nobody),
    field("fundOrigin", Owner::Nobody),
    field("fundRecipient", Owner::Nobody),
    field("industryUsage", Owner::Nobody),
    field("localizedShopperStatement", Owner::Nobody),
    field("mcc", Owner::Nobody),
    field("merchantRiskIndicator", Owner::Nobody),
    field("mpiData", Owner::Nobody),
    field("order", Owner::Nobody),
    field("orderReference", Owner::Nobody),
    field("paymentValidations", Owner::Nobody),
    field("platformChargebackLogic", Owner::Nobody),
    field("recurringExpiry", Owner::Nobody),
    field("recurringFrequency", Owner::Nobody),
    field("redirectFromIssuerMethod", Owner::Nobody),
    field("redirectToIssuerMethod", Owner::Nobody),
    field("shopperConversionId", Owner::Nobody),
    field("shopperTaxInfo", Owner::Nobody),
    field("subMerchants", Owner::Nobody),
    field("surcharge", Owner::Nobody),
    field("threeDS2RequestData", Owner::Nobody),
    field("threeDSAuthenticationOnly", Owner::Nobody),
    field("trustedShopper", Owner::Nobody),
];

//! Who sets which field of `POST /payments`. This is the only table of it: [`edge`](crate::http::edge)
//! enforces it, and docs/storefront.md and openapi.yaml are tested against it.

use crate::http::problem::Code;

/// Who sets a field, where a browser sends the request. A merchant token sets all but
/// [`Owner::Nobody`]'s.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Owner {
    /// The shopper's browser.
    Shopper,
    /// The checkout token, which is good for one order. Every request may repeat it; another
    /// value is refused with this code.
    Order(Code),
    /// The merchant, by a claim of the checkout token that is named like the field: it decides
    /// about risk or about the merchant's books. A payment may repeat it.
    Merchant,
    /// The deployment. A browser's `shopperIP` is ignored because the gateway knows it better;
    /// another `merchantAccount` is refused.
    Deployment,
    /// Nobody: it is refused as an unknown field.
    Nobody,
}

/// A field and its owner.
#[derive(Debug, Clone, Copy)]
pub struct Field {
    /// Its name, after those of the objects that it is in, separated by dots.
    pub path: &'static str,
    /// Its owner. What is below a field belongs to the same, unless it stands here itself.
    pub owner: Owner,
}

const fn field(path: &'static str, owner: Owner) -> Field {
    Field { path, owner }
}

/// Every field.
pub const FIELDS: [Field; 34] = [
    field("reference", Owner::Order(Code::WrongOrder)),
    field("amount", Owner::Order(Code::AmountMismatch)),
    field("countryCode", Owner::Order(Code::CountryMismatch)),
    field("shopperReference", Owner::Order(Code::WrongShopper)),
    field("authenticationData.attemptAuthentication", Owner::Merchant),
    field("authenticationData.threeDSRequestData.dataOnly", Owner::Merchant),
    // An older version of the protocol tells the issuer less.
    field("authenticationData.threeDSRequestData.threeDSVersion", Owner::Merchant),
    field("merchantOrderReference", Owner::Merchant),
    field("metadata", Owner::Merchant),
    field("shopperStatement", Owner::Merchant),
    field("authenticationData.threeDSRequestData.challengeWindowSize", Owner::Shopper),
    field("authenticationData.threeDSRequestData.nativeThreeDS", Owner::Shopper),
    field("billingAddress", Owner::Shopper),
    field("browserInfo", Owner::Shopper),
    field("channel", Owner::Shopper),
    field("deliveryAddress", Owner::Shopper),
    field("origin", Owner::Shopper),
    field("paymentMethod", Owner::Shopper),
    field("recurringProcessingModel", Owner::Shopper),
    field("returnUrl", Owner::Shopper),
    field("shopperEmail", Owner::Shopper),
    // `Ecommerce` alone: without the shopper only the merchant charges.
    field("shopperInteraction", Owner::Shopper),
    field("shopperLocale", Owner::Shopper),
    field("shopperName", Owner::Shopper),
    field("storePaymentMethod", Owner::Shopper),
    field("telephoneNumber", Owner::Shopper),
    field("merchantAccount", Owner::Deployment),
    field("shopperIP", Owner::Deployment),
    field("additionalData", Owner::Nobody),
    field("fundOrigin", Owner::Nobody),
    field("fundRecipient", Owner::Nobody),
    field("mpiData", Owner::Nobody),
    field("platformChargebackLogic", Owner::Nobody),
    field("subMerchants", Owner::Nobody),
];

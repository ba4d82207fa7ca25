//! The owners of a payment's fields in openapi.yaml and docs/storefront.md.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};
use shared::http::ownership::{FIELDS, Owner};
use tests::files::{text, yaml};
use tests::{Stack, backend, browser, payment};

/// The members of Adyen's request. Source: Checkout API v72, `PaymentRequest`.
const PAYMENT_REQUEST: &str = "accountInfo additionalAmount additionalData amount applicationInfo authenticationData \
    bankAccount billingAddress browserInfo captureDelayHours channel checkoutAttemptId \
    company countryCode dateOfBirth dccQuote deliverAt deliveryAddress deliveryDate \
    deviceFingerprint enableOneClick enablePayOut enableRecurring enhancedSchemeData \
    entityType fraudOffset fundOrigin fundRecipient industryUsage installments lineItems \
    localizedShopperStatement mandate mcc merchantAccount merchantOrderReference \
    merchantRiskIndicator metadata mpiData order orderReference origin paymentMethod \
    paymentValidations platformChargebackLogic recurringExpiry recurringFrequency \
    recurringProcessingModel redirectFromIssuerMethod redirectToIssuerMethod reference \
    returnUrl riskData sessionValidity shopperConversionId shopperEmail shopperInteraction \
    shopperIP shopperLocale shopperName shopperReference shopperStatement shopperTaxInfo \
    socialSecurityNumber splits store storePaymentMethod subMerchants surcharge \
    telephoneNumber threeDS2RequestData threeDSAuthenticationOnly trustedShopper";

/// The name of an owner in openapi.yaml and in docs/storefront.md.
fn words(owner: Owner) -> (&'static str, &'static str) {
    match owner {
        Owner::Order(_) => ("token", "the token"),
        Owner::Merchant => ("merchant", "the merchant"),
        Owner::Shopper => ("shopper", "the shopper"),
        Owner::Deployment => ("deployment", "the deployment"),
        Owner::Nobody => ("nobody", "nobody"),
    }
}

/// The paths of the fields below a schema of openapi.yaml, with their `x-owner`.
fn owned(schemas: &Value, schema: &Value, prefix: &str) -> BTreeMap<String, String> {
    let name = schema["$ref"].as_str().and_then(|to| to.rsplit('/').next());
    let schema = name.map_or(schema, |name| &schemas[name]);
    let properties = schema["properties"].as_object().unwrap();
    let fields = properties.iter().flat_map(|(name, property)| {
        let path = format!("{prefix}{name}");
        match property["x-owner"].as_str() {
            Some(owner) => BTreeMap::from([(path, owner.to_owned())]),
            None => owned(schemas, property, &format!("{path}.")),
        }
    });
    fields.collect()
}

#[test]
fn openapi_names_the_owner_of_every_field() {
    let description = yaml("openapi.yaml");
    let schemas = &description["components"]["schemas"];
    let described = owned(schemas, &schemas["PaymentRequest"], "");
    let taken = FIELDS.iter().filter(|field| field.owner != Owner::Nobody);
    let known = taken.map(|field| (field.path.to_owned(), words(field.owner).0.to_owned()));
    assert_eq!(described, known.collect());
}

#[test]
fn storefront_page_names_the_owner_of_every_field() {
    let page = text("docs/storefront.md");
    for owner in FIELDS.map(|field| field.owner) {
        let row = format!("| {} |", words(owner).1);
        let row = page.lines().find(|line| line.starts_with(&row)).expect(&row);
        let fields = row.split('|').nth(2).unwrap().split(',');
        let named: BTreeSet<&str> = fields.map(|field| field.trim().trim_matches('`')).collect();
        let same = FIELDS.iter().filter(|it| words(it.owner) == words(owner));
        assert_eq!(named, same.map(|it| it.path).collect(), "{row}");
    }
}

#[test]
fn every_field_of_adyens_request_has_an_owner() {
    let owned: BTreeSet<&str> =
        FIELDS.iter().filter_map(|field| field.path.split('.').next()).collect();
    assert_eq!(owned, PAYMENT_REQUEST.split_whitespace().collect());
}

#[tokio::test]
async fn field_without_an_owner_is_rejected_by_name() {
    let stack = Stack::start().await;
    for field in FIELDS.iter().filter(|field| field.owner == Owner::Nobody) {
        for token in [browser("ORDER-1"), backend()] {
            let mut body = payment("ORDER-1", "160583287597AMZN");
            body[field.path] = json!({});
            let answer = stack.post("/payments", &token, &body).await;
            assert_eq!((answer.status, answer.code()), (422, "unknown_field"), "{answer:?}");
            assert_eq!(answer.body["field"], field.path);
        }
    }
}

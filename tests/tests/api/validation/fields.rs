//! Fields of a payment that are missing, unknown, of the wrong type or invalid.

use serde_json::{Value, json};
use tests::{Answer, browser};

use super::{Untouched, dotted, everything, pointers, with, without};

/// A value of each JSON type.
fn types() -> [Value; 7] {
    [json!("text"), json!(7), json!(7.5), json!(true), json!([]), json!([{}]), json!({"a": {}})]
}

/// Returns true if both values have the same JSON type.
fn same_type(one: &Value, other: &Value) -> bool {
    std::mem::discriminant(one) == std::mem::discriminant(other)
}

#[tokio::test]
async fn field_of_another_type_is_rejected() {
    let bundle = Untouched::start().await;
    for pointer in pointers(&everything()) {
        let right = everything().pointer(&pointer).unwrap().clone();
        for wrong in types() {
            if same_type(&right, &wrong) {
                continue;
            }
            let body = with(everything(), &pointer, wrong.clone());
            let request = bundle.post("/payments", body.to_string());
            let row = format!("{wrong} at {pointer}");
            let refusal = (422, "invalid_field", Some(dotted(&pointer)));
            let refusal = (refusal.0, refusal.1, refusal.2.as_deref());
            bundle.refuses(&row, request, refusal).await;
        }
    }
    bundle.is_untouched().await;
}

#[tokio::test]
async fn list_in_place_of_an_object_is_rejected() {
    let bundle = Untouched::start().await;
    for (pointer, wrong) in [
        ("/amount", json!(["EUR", 1000])),
        ("/shopperName", json!(["Simon", "Hopper"])),
        ("/channel", json!({"Web": null})),
        ("/paymentMethod/type", json!({"amazonpay": null})),
        ("/amount/currency", json!(["EUR"])),
        ("/metadata", json!([["shop", "12"]])),
    ] {
        let field = dotted(pointer);
        let request = bundle.post("/payments", with(everything(), pointer, wrong).to_string());
        let refusal = (422, "invalid_field", Some(field.as_str()));
        bundle.refuses(pointer, request, refusal).await;
    }
    bundle.is_untouched().await;
}

const REQUIRED: [&str; 27] = [
    "/amount",
    "/amount/currency",
    "/amount/value",
    "/billingAddress/city",
    "/billingAddress/country",
    "/billingAddress/houseNumberOrName",
    "/billingAddress/postalCode",
    "/billingAddress/street",
    "/browserInfo/acceptHeader",
    "/browserInfo/colorDepth",
    "/browserInfo/javaEnabled",
    "/browserInfo/language",
    "/browserInfo/screenHeight",
    "/browserInfo/screenWidth",
    "/browserInfo/timeZoneOffset",
    "/browserInfo/userAgent",
    "/deliveryAddress/city",
    "/deliveryAddress/country",
    "/deliveryAddress/houseNumberOrName",
    "/deliveryAddress/postalCode",
    "/deliveryAddress/street",
    "/paymentMethod",
    "/paymentMethod/amazonPayToken",
    "/paymentMethod/type",
    "/reference",
    "/shopperName/firstName",
    "/shopperName/lastName",
];

#[tokio::test]
async fn missing_required_field_is_rejected() {
    let bundle = Untouched::start().await;
    for pointer in REQUIRED {
        let field = dotted(pointer);
        let body = without(everything(), pointer);
        let request = bundle.post("/payments", body.to_string());
        let refusal = (422, "missing_field", Some(field.as_str()));
        bundle.refuses(pointer, request, refusal).await;
    }
    // Fields that depend on each other.
    let body = without(everything(), "/shopperReference");
    let request = bundle.post("/payments", body.to_string());
    let refusal = (422, "missing_field", Some("shopperReference"));
    bundle.refuses("storing for nobody", request, refusal).await;
    for pointer in ["/shopperReference", "/shopperInteraction", "/recurringProcessingModel"] {
        let charge = json!({"storedPaymentMethodId": "7219687191761347"});
        let body = with(everything(), "/paymentMethod", charge);
        let body = with(body, "/storePaymentMethod", json!(false));
        let body = with(body, "/shopperInteraction", json!("ContAuth"));
        let field = dotted(pointer);
        let request = bundle.post("/payments", without(body, pointer).to_string());
        let refusal = (422, "missing_field", Some(field.as_str()));
        bundle.refuses(pointer, request, refusal).await;
    }
    bundle.is_untouched().await;
}

#[tokio::test]
async fn optional_field_may_be_missing_or_null() {
    let bundle = Untouched::start().await;
    let optional = pointers(&everything())
        .into_iter()
        .filter(|pointer| !REQUIRED.contains(&pointer.as_str()))
        // `shopperReference` is mandatory beside other fields.
        .filter(|pointer| pointer != "/shopperReference");
    for (number, pointer) in optional.enumerate() {
        let body = with(everything(), "/reference", json!(format!("ORDER-{number}")));
        let answer =
            Answer::of(bundle.post("/payments", without(body, &pointer).to_string())).await;
        assert_eq!(answer.status, 200, "without {pointer}: {answer:?}");
        let sent = bundle.0.adyen().books().calls.pop().unwrap().body;
        assert!(
            matches!(pointer.as_str(), "/merchantAccount" | "/returnUrl")
                == sent.pointer(&pointer).is_some(),
            "{pointer}: {sent}"
        );
    }
}

#[tokio::test]
async fn unknown_field_is_rejected_by_name() {
    let objects = pointers(&everything())
        .into_iter()
        .filter(|pointer| everything().pointer(pointer).unwrap().is_object())
        // The member names of `metadata` are free.
        .filter(|pointer| pointer != "/metadata");
    let mut unknown: Vec<String> = objects.map(|object| format!("{object}/surprise")).collect();
    unknown.extend(
        [
            "/surprise",
            "/Amount",
            "/amount ",
            "/additionalData",
            "/captureDelay",
            "/surcharge",
            "/order",
            "/status",
            "/",
        ]
        .map(str::to_owned),
    );
    let bundle = Untouched::start().await;
    for pointer in unknown {
        let body = with(everything(), &pointer, json!("x"));
        let field = pointer[1..].replace('/', ".");
        let refusal = (422, "unknown_field", Some(field.as_str()));
        for request in [
            bundle.post("/payments", body.to_string()),
            bundle
                .0
                .request(reqwest::Method::POST, "/payments")
                .bearer_auth(browser("ORDER-1"))
                .json(&body),
        ] {
            bundle.refuses(&pointer, request, refusal).await;
        }
    }
    bundle.is_untouched().await;
}

#[tokio::test]
async fn amount_must_be_a_positive_integer_of_minor_units() {
    let bundle = Untouched::start().await;
    for value in [
        "0",
        "-0",
        "-1",
        "-1000",
        "10.5",
        "1000.0",
        "1e3",
        "1E3",
        "1e-3",
        "\"1000\"",
        "\"\"",
        "null",
        "true",
        "9223372036854775808",
        "-9223372036854775809",
        "18446744073709551615",
        "18446744073709551616",
        "100000000000000000000000000000000000000000",
    ] {
        let body = format!(
            r#"{{"amount":{{"currency":"EUR","value":{value}}},"reference":"ORDER-1",
            "paymentMethod":{{"type":"amazonpay","amazonPayToken":"160583287597AMZN"}}}}"#
        );
        let refusal = (422, "invalid_field", Some("amount.value"));
        for route in ["/payments", "/paymentMethods"] {
            // /paymentMethods validates the amount first.
            let row = format!("{value} at {route}");
            let body = match route {
                "/payments" => body.clone(),
                _ => format!(r#"{{"amount":{{"currency":"EUR","value":{value}}}}}"#),
            };
            bundle.refuses(&row, bundle.post(route, body), refusal).await;
        }
    }
    bundle.is_untouched().await;
}

/// Invalid values by field, and the field that the error names.
fn invalid_values() -> Vec<(&'static str, Vec<&'static str>)> {
    vec![
        (
            "/amount/currency",
            vec!["", "eur", "EU", "EURO", " EUR", "E\u{d6}R", "XXX", "XTS", "XAU", "ABC", "\0EUR"],
        ),
        ("/authenticationData/attemptAuthentication", vec!["", "Always", "sometimes"]),
        ("/authenticationData/threeDSRequestData/challengeWindowSize", vec!["", "5", "06"]),
        ("/authenticationData/threeDSRequestData/dataOnly", vec!["", "yes"]),
        ("/authenticationData/threeDSRequestData/nativeThreeDS", vec!["", "required"]),
        ("/authenticationData/threeDSRequestData/threeDSVersion", vec!["", "1.0.2", "3.0.0"]),
        ("/billingAddress/country", vec!["", "N", "nl", "NLD", "N1"]),
        ("/billingAddress/postalCode", vec!["", "1011 DJ Amsterdam", "1\0"]),
        ("/browserInfo/userAgent", vec!["", "Mozilla\0"]),
        ("/channel", vec!["", "web", "ios", "POS"]),
        ("/countryCode", vec!["", "N", "nl", "NLD", "\u{130}L"]),
        ("/metadata/shop", vec!["", "1\0"]),
        (
            "/origin",
            vec![
                "",
                "your-company.example.com",
                "https://",
                "https://your-company.example.com/",
                "https://your-company.example.com/checkout",
                "https://your-company.example.com?a=b",
                "https://your-company.example.com#a",
                "https://user@your-company.example.com",
                "https://your company.example.com",
                "htps://your-company.example.com",
                "file://your-company.example.com",
                "null",
                "*",
            ],
        ),
        (
            "/paymentMethod/amazonPayToken",
            vec![
                "",
                "160583287597\0AMZN",
                "160583287597 AMZN",
                " 160583287597AMZN",
                "160583287597AMZN\n",
                "160583287597\tAMZN",
                "160583287597\u{85}AMZN",
                "160583287597\u{a0}AMZN",
                "160583287597\u{2003}AMZN",
            ],
        ),
        ("/paymentMethod/type", vec!["", "AmazonPay", "amazon_pay", "ideal"]),
        ("/recurringProcessingModel", vec!["", "subscription", "Instalments"]),
        (
            "/reference",
            vec![
                "",
                " ",
                "ORDER 1",
                "ORDER:1",
                "psp#1",
                "ORDER/1",
                "ORD\u{cb}R",
                "ORDER\0",
                "a\nb",
            ],
        ),
        (
            "/returnUrl",
            vec![
                "",
                "checkout",
                "/checkout",
                "//your-company.example.com/checkout",
                "your-company.example.com/checkout",
                "https://",
                "https:///",
                "https://your-company.example.com/check out",
                " https://your-company.example.com/",
                "https://your-company.example.com/\n",
                "https://your-company.example.com/\0",
                "https://your-company.example.com/\u{fc}",
                "https://your-company.example.com/?a=\"b\"",
                "https://your-company.example.com/<a>",
                "https://evil.example\\@your-company.example.com/",
                "https://your-company.example.com/^a",
                "https://your-company.example.com/`a`",
                "https://your-company.example.com/{a|b}",
                "https://your-company.example.com/?items[]=1",
                "https://your-company.example.com/%",
                "https://your-company.example.com/%2",
                "https://your-company.example.com/%zz",
                "https://your-company.example.com:99999/",
                "javascript:alert(1)",
                "javascript://your-company.example.com/%0Aalert(1)",
                "JavaScript://your-company.example.com/%0Aalert(1)",
                "data:text/html,x",
                "data://your-company.example.com/",
                "ftp://your-company.example.com/",
                "file://your-company.example.com/",
                "blob:https://your-company.example.com/1",
                "blob://your-company.example.com/1",
                "mailto:s.hopper@example.com",
                "about:blank",
                // The scheme of an app needs a slash, and not every scheme is an app's.
                "com.example.app:redirect",
                "my-app:",
                "my_app://redirect",
                "1app://redirect",
                "://redirect",
                ":/redirect",
                "my-app:// redirect",
                "javascript:/alert(1)",
                "JAVASCRIPT:///%0Aalert(1)",
                "vbscript:/x",
                "vbscript://x",
                "data:/text/html,x",
                "file:///etc/passwd",
                "file:/etc/passwd",
                "filesystem:https://your-company.example.com/1",
                "view-source:/x",
                "intent://redirect#Intent;scheme=http;end",
                "content://settings/",
                "jar:/x",
                "ws://your-company.example.com/",
                "wss://your-company.example.com/",
                "mailto:/s.hopper@example.com",
                "tel:/123",
                "sms://123",
                "about:/blank",
                "https:your-company.example.com/",
                "https:/your-company.example.com/",
                "https:////your-company.example.com/",
            ],
        ),
        (
            "/shopperEmail",
            vec![
                "",
                "s.hopper",
                "@example.com",
                "s.hopper@",
                "s.hopper@.example.com",
                "s hopper@example.com",
                "s.hopper@example .com",
                "\"s.hopper@example.com",
                "s.hopper\0@example.com",
            ],
        ),
        (
            "/shopperIP",
            vec!["", "localhost", "192.0.2", "192.0.2.256", "192.0.2.1:443", "192.0.2.1 ", "::g"],
        ),
        ("/shopperInteraction", vec!["", "ecommerce", "Moto", "POS"]),
        ("/shopperLocale", vec!["", "n", "nl-", "-NL", "nl NL", "nederlands", "nl-netherlands"]),
        ("/shopperName/firstName", vec!["", "Simon\0"]),
        ("/shopperReference", vec!["", "ab", "shopper\0"]),
        ("/shopperStatement", vec!["", "Your\0Company"]),
        ("/telephoneNumber", vec!["", "+31\0"]),
    ]
}

#[tokio::test]
async fn invalid_value_is_rejected() {
    let bundle = Untouched::start().await;
    for (pointer, values) in invalid_values() {
        let field = dotted(pointer);
        for value in values {
            let body = with(everything(), pointer, json!(value));
            let request = bundle.post("/payments", body.to_string());
            let refusal = (422, "invalid_field", Some(field.as_str()));
            bundle.refuses(&format!("{value:?} at {pointer}"), request, refusal).await;
        }
    }
    for (pointer, value) in [
        ("/browserInfo/colorDepth", json!(7)),
        ("/browserInfo/colorDepth", json!(0)),
        ("/browserInfo/colorDepth", json!(-24)),
        ("/browserInfo/colorDepth", json!(280)),
        ("/browserInfo/screenHeight", json!(-1)),
        ("/browserInfo/screenWidth", json!(4_294_967_296_u64)),
        ("/browserInfo/timeZoneOffset", json!(i64::MAX)),
    ] {
        let field = dotted(pointer);
        let body = with(everything(), pointer, value.clone());
        let request = bundle.post("/payments", body.to_string());
        let refusal = (422, "invalid_field", Some(field.as_str()));
        bundle.refuses(&format!("{value} at {pointer}"), request, refusal).await;
    }
    let both =
        with(everything(), "/paymentMethod/storedPaymentMethodId", json!("7219687191761347"));
    let request = bundle.post("/payments", both.to_string());
    let refusal = (422, "invalid_field", Some("paymentMethod"));
    bundle.refuses("two payment methods", request, refusal).await;
    bundle.is_untouched().await;
}

#[tokio::test]
async fn unusual_but_valid_value_is_accepted() {
    let bundle = Untouched::start().await;
    for (number, (pointer, value)) in [
        ("/returnUrl", "shop-app://payment/done"),
        // The example in Adyen's documentation.
        ("/returnUrl", "my-app://"),
        ("/returnUrl", "my-app:///done?order=1"),
        ("/returnUrl", "com.example.app:/redirect"),
        ("/returnUrl", "com.example.App:/redirect?order=1#done"),
        ("/returnUrl", "my+app:/"),
        ("/returnUrl", "https://[2001:db8::1]:8443/checkout"),
        ("/returnUrl", "http://localhost:3000/?a=%C3%BC#b"),
        ("/shopperIP", "2001:db8::1"),
        ("/shopperEmail", "\"s@hopper\"@example.com"),
        ("/shopperLocale", "nl"),
        ("/shopperLocale", "zh-Hant-TW"),
        ("/countryCode", "ZZ"),
        ("/billingAddress/street", "Simon Carmiggeltstraat\nrear entrance"),
        ("/shopperReference", "\u{963f}\u{660e}1"),
    ]
    .into_iter()
    .enumerate()
    {
        let body = with(everything(), "/reference", json!(format!("ORDER-{number}")));
        let body = with(body, pointer, json!(value));
        let answer = Answer::of(bundle.post("/payments", body.to_string())).await;
        assert_eq!(answer.status, 200, "{value} at {pointer}: {answer:?}");
    }
}

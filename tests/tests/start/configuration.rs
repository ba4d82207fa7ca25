//! A function reports all missing and malformed variables together, without secrets.

use shared::platform::config::Env;

fn env(variables: &[(&str, &str)]) -> Env {
    let owned = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
    variables.iter().map(owned).collect()
}

/// The variables of the payments function.
const PAYMENTS: [(&str, &str); 9] = [
    ("ADYEN_API_KEY", "key"),
    ("ADYEN_MERCHANT_ACCOUNT", "Account"),
    ("AWS_ACCESS_KEY_ID", "id"),
    ("AWS_REGION", "eu-west-1"),
    ("AWS_SECRET_ACCESS_KEY", "secret"),
    ("CHECKOUT_TOKEN_KEYS", "a checkout key of more than 32 bytes"),
    ("DEFAULT_RETURN_URL", "https://shop.example/"),
    ("MERCHANT_TOKEN_KEYS", "a merchant key of more than 32 bytes"),
    ("LOG_LEVEL", "info"),
];

const HMAC_KEYS: (&str, &str) =
    ("ADYEN_HMAC_KEYS", "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff");

async fn payments_start(change: &[(&str, &str)]) {
    let variables: Vec<_> = PAYMENTS.into_iter().chain(change.iter().copied()).collect();
    if let Err(error) = payments::State::start(&env(&variables)).await {
        panic!("{change:?}: {error}");
    }
}

async fn payments_refuse(change: &[(&str, &str)]) -> String {
    let variables: Vec<_> = PAYMENTS.into_iter().chain(change.iter().copied()).collect();
    match payments::State::start(&env(&variables)).await {
        Ok(_) => panic!("started with {change:?}"),
        Err(error) => error.to_string(),
    }
}

#[tokio::test]
async fn function_starts_with_its_required_variables() {
    payments_start(&[]).await;
}

#[tokio::test]
async fn every_missing_variable_is_named_in_one_error() {
    let Err(error) = payments::State::start(&env(&[])).await else {
        panic!("started with nothing");
    };
    let error = error.to_string();
    for name in PAYMENTS.map(|(name, _)| name).iter().filter(|name| **name != "LOG_LEVEL") {
        assert!(error.contains(name), "{name}: {error}");
    }
    assert!(!error.contains('\n'), "{error}");
}

#[tokio::test]
async fn an_empty_variable_counts_as_missing() {
    let error = payments_refuse(&[("ADYEN_MERCHANT_ACCOUNT", "  ")]).await;
    assert!(error.contains("ADYEN_MERCHANT_ACCOUNT is missing"), "{error}");
}

#[tokio::test]
async fn every_malformed_variable_is_named_without_secrets() {
    let malformed = [
        ("ADYEN_CHECKOUT_URL", "http://adyen.example/v72"),
        ("ALLOWED_ORIGINS", ""),
        ("AWS_ENDPOINT_URL_DYNAMODB", "dynamodb"),
        ("CAPTURE", "sometimes"),
        ("CHECKOUT_TOKEN_KEYS", "too-short-a-secret"),
        ("DEFAULT_RETURN_URL", "/checkout"),
        ("LOG_LEVEL", "loud"),
        ("SSL_CERT_FILE", ""),
        ("TOKEN_LIFE_LIMIT", "maybe"),
    ];
    let error = payments_refuse(&malformed).await;
    for (name, value) in malformed {
        assert_eq!(error.contains(name), !value.is_empty(), "{name}: {error}");
    }
    assert!(!error.contains("too-short-a-secret"), "{error}");
}

#[tokio::test]
async fn days_must_be_whole_and_between_1_and_365() {
    for name in ["UNDECIDED_AFTER_DAYS", "REFUND_UNDECIDED_AFTER_DAYS"] {
        let start = async |days| {
            let variables: Vec<_> = PAYMENTS.into_iter().chain([HMAC_KEYS, (name, days)]).collect();
            orders::State::start(&env(&variables)).await.err().map(|error| error.to_string())
        };
        for days in ["1", "365", ""] {
            assert_eq!(start(days).await, None, "{name}={days}");
        }
        for days in ["0", "-1", "366", "1.5", "three"] {
            let error = start(days).await.expect(days);
            assert!(error.contains(name) && !error.contains("MERCHANT"), "{error}");
        }
    }
}

#[tokio::test]
async fn log_level_off_is_rejected() {
    let error = payments_refuse(&[("LOG_LEVEL", "off")]).await;
    assert!(error.contains("LOG_LEVEL"), "{error}");
}

#[tokio::test]
async fn urls_must_be_https_except_on_loopback() {
    for url in [
        "https://x.example/v72",
        "http://127.0.0.1:1/",
        "http://[::1]:1/v72",
        "http://localhost/v72",
        "http://host.docker.internal:3001/v72",
    ] {
        payments_start(&[("ADYEN_CHECKOUT_URL", url)]).await;
        payments_start(&[("DEFAULT_RETURN_URL", url)]).await;
    }
    for url in [
        "http://10.0.0.1/",
        "http://localhost.example/",
        "ftp://x.example",
        "x",
        "http://127.0.0.1.example/",
    ] {
        let error = payments_refuse(&[("ADYEN_CHECKOUT_URL", url)]).await;
        assert!(error.contains("ADYEN_CHECKOUT_URL"), "{url}: {error}");
    }
}

#[tokio::test]
async fn unlimited_token_life_requires_a_local_dynamodb() {
    let off = ("TOKEN_LIFE_LIMIT", "off");
    for url in
        ["http://127.0.0.1:3002", "http://localhost:3002", "http://host.docker.internal:3002"]
    {
        payments_start(&[off, ("AWS_ENDPOINT_URL_DYNAMODB", url)]).await;
    }
    for url in [
        "",
        "https://dynamodb.eu-west-1.amazonaws.com",
        "https://localhost.example",
        "https://127.0.0.1.example",
    ] {
        let error = payments_refuse(&[off, ("AWS_ENDPOINT_URL_DYNAMODB", url)]).await;
        assert!(error.contains("TOKEN_LIFE_LIMIT: off"), "{url}: {error}");
    }
}

#[tokio::test]
async fn allowed_origins_must_be_origins_or_app_schemes() {
    for wrong in [
        "shop.example.com",
        "https://shop.example.com/path",
        "https://shop.example.com?x",
        "https:",
        "https://",
        "http:",
        "javascript:",
        "data:",
        "my-app",
        "my-app://host/path",
        "my-app:/path",
        ":",
        "https://shop.example.com;https:",
        "https://shop.example.com;my app:",
    ] {
        let error = payments_refuse(&[("ALLOWED_ORIGINS", wrong)]).await;
        assert!(error.contains("ALLOWED_ORIGINS: expected scheme and host"), "{wrong}: {error}");
    }
}

#[tokio::test]
async fn hmac_keys_must_be_32_bytes_of_hex_and_basic_auth_user_and_password() {
    let (short, long) = ("00".repeat(31), "00".repeat(33));
    let strange = format!("{}zz", "00".repeat(31));
    for keys in [&*format!("{},zz", "00".repeat(32)), &short, &long, &strange] {
        webhooks_refuse(keys).await;
    }
}

async fn webhooks_refuse(keys: &str) {
    let webhooks = [
        ("ADYEN_HMAC_KEYS", keys),
        ("ADYEN_MERCHANT_ACCOUNT", "Account"),
        ("AWS_ACCESS_KEY_ID", "id"),
        ("AWS_REGION", "eu-west-1"),
        ("AWS_SECRET_ACCESS_KEY", "secret"),
        ("WEBHOOK_BASIC_AUTH", "no-colon"),
    ];
    let Err(error) = webhooks::State::start(&env(&webhooks)).await else {
        panic!("started");
    };
    let error = error.to_string();
    assert!(error.contains("ADYEN_HMAC_KEYS: an HMAC key has 64 hexadecimal digits"), "{error}");
    assert!(error.contains("WEBHOOK_BASIC_AUTH:"), "{error}");
    assert!(!error.contains("zz") && !error.contains("0000") && !error.contains("no-colon"));
}

#[tokio::test]
async fn unreadable_file_of_root_certificates_is_named() {
    let error = payments_refuse(&[("SSL_CERT_FILE", "/nowhere.pem")]).await;
    assert!(error.contains("SSL_CERT_FILE"), "{error}");
}

const CHECKOUT: &str = "ADYEN_CHECKOUT_URL";
const RECURRING: &str = "ADYEN_RECURRING_URL";
const LIVE: [&str; 5] = [
    "https://1797a841fbb37ca7-AdyenDemo-checkout-live.adyenpayments.com/checkout/v72",
    "https://1797a841fbb37ca7-adyendemo-pal-live.adyenpayments.com/pal/servlet/Recurring/v68",
    "https://checkout-live.adyen.com/v72",
    "https://checkout-live-us.adyen.com./v72",
    "https://ADYENPAYMENTS.COM/v72",
];
const TEST: [&str; 3] = [
    "https://checkout-test.adyen.com/v72",
    "https://pal-test.adyen.com/pal/servlet/Recurring/v68",
    "https://CHECKOUT-TEST.adyen.com:443/v72",
];
const EITHER: [&str; 5] = [
    "http://127.0.0.1:3001/v72",
    "http://localhost:3001/v72",
    "http://host.docker.internal:3001/v72",
    "https://proxy.merchant.example/v72",
    // A host that only looks like Adyen's.
    "https://checkout-test.adyen.com.evil.example/v72",
];

#[tokio::test]
async fn environment_must_match_adyens_hosts() {
    for url in EITHER {
        for environment in ["test", "live"] {
            // Change one URL, while the other matches the environment.
            let own = if environment == "test" { (TEST[0], TEST[1]) } else { (LIVE[0], LIVE[1]) };
            let environment = ("ADYEN_ENVIRONMENT", environment);
            payments_start(&[environment, (CHECKOUT, url), (RECURRING, own.1)]).await;
            payments_start(&[environment, (CHECKOUT, own.0), (RECURRING, url)]).await;
        }
    }
    for (environment, own, others) in [("test", &TEST[..], &LIVE[..]), ("live", &LIVE, &TEST)] {
        let set = ("ADYEN_ENVIRONMENT", environment);
        for url in own {
            // The Recurring API's URL is derived from it, unless it is set.
            payments_start(&[set, (CHECKOUT, url)]).await;
        }
        for url in others {
            let error = payments_refuse(&[set, (CHECKOUT, url)]).await;
            assert!(error.contains("ADYEN_CHECKOUT_URL: the host"), "{url}: {error}");
            assert!(error.contains(&format!("ADYEN_ENVIRONMENT is {environment}")), "{error}");
            let error = payments_refuse(&[set, (CHECKOUT, own[0]), (RECURRING, url)]).await;
            assert!(error.contains("ADYEN_RECURRING_URL: the host"), "{url}: {error}");
        }
    }
}

#[tokio::test]
async fn default_environment_must_match_adyens_hosts() {
    // Live URLs and the default environment, or the other way round.
    let error = payments_refuse(&[(CHECKOUT, LIVE[0]), (RECURRING, LIVE[1])]).await;
    assert!(error.contains(CHECKOUT) && error.contains(RECURRING), "{error}");
    let error = payments_refuse(&[("ADYEN_ENVIRONMENT", "live")]).await;
    assert!(error.contains(CHECKOUT), "{error}");
    let error = payments_refuse(&[("ADYEN_ENVIRONMENT", "LIVE")]).await;
    assert!(error.contains("ADYEN_ENVIRONMENT: expected test or live"), "{error}");
}

/// Starts a function with all variables that it needs, and returns its error.
macro_rules! start {
    ($function:ident, $change:expr) => {{
        let variables: Vec<_> = PAYMENTS.into_iter().chain([HMAC_KEYS]).chain($change).collect();
        $function::State::start(&env(&variables)).await.err().map(|error| error.to_string())
    }};
}

#[tokio::test]
async fn every_function_with_adyens_url_rejects_another_environment() {
    let disagree = || [("ADYEN_ENVIRONMENT", "test"), (CHECKOUT, LIVE[0])];
    let agree = || [("ADYEN_ENVIRONMENT", "live"), (CHECKOUT, LIVE[0])];
    for (function, wrong, right) in [
        ("webhooks", start!(webhooks, disagree()), start!(webhooks, agree())),
        ("payments", start!(payments, disagree()), start!(payments, agree())),
        ("recover", start!(recover, disagree()), start!(recover, agree())),
        ("orders", start!(orders, disagree()), start!(orders, agree())),
        ("tokens", start!(tokens, disagree()), start!(tokens, agree())),
        ("payment-methods", start!(payment_methods, disagree()), start!(payment_methods, agree())),
    ] {
        assert!(wrong.is_some_and(|error| error.contains(CHECKOUT)), "{function}");
        assert_eq!(right, None, "{function}");
    }
}

#[test]
fn every_function_with_adyens_url_has_the_environment_in_the_template() {
    let template = local::template::Template::read().unwrap();
    let knows = |name: &str, variable: &str| {
        template.functions[name].variables.iter().any(|it| it == variable)
    };
    for name in template.functions.keys() {
        assert_eq!(knows(name, CHECKOUT), knows(name, "ADYEN_ENVIRONMENT"), "{name}");
    }
    assert!(knows("webhooks", CHECKOUT) && knows("payments", CHECKOUT));
}

#[test]
fn only_functions_behind_the_api_have_the_keys_of_tokens() {
    let template = local::template::Template::read().unwrap();
    for (name, function) in &template.functions {
        for key in ["CHECKOUT_TOKEN_KEYS", "MERCHANT_TOKEN_KEYS"] {
            let has_key = function.secrets.iter().any(|secret| secret == key);
            assert_eq!(has_key, !function.routes.is_empty(), "{name}: {key}");
        }
        assert!(!function.has_url || function.routes.is_empty(), "{name} has a public URL too");
    }
}

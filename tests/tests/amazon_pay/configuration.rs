use amazon_pay_simulator::{Options, PUBLIC_KEY, Simulator};
use shared::amazon_pay::SessionError;
use tokio::time::{Duration, Instant};

use crate::world::{read, variables};

#[tokio::test]
async fn without_any_variable_amazon_pay_is_not_configured() {
    assert!(read(&[].into_iter().collect()).await.unwrap().is_none());
}

#[tokio::test]
async fn with_some_variables_all_that_are_missing_are_named() {
    let missing = [
        "AMAZON_PAY_MERCHANT_ID is missing",
        "AMAZON_PAY_PRIVATE_KEY or AMAZON_PAY_PRIVATE_KEY_SECRET is missing",
        "AMAZON_PAY_PUBLIC_KEY_ID is missing",
        "AMAZON_PAY_REGION is missing",
        "AMAZON_PAY_STORE_ID is missing",
    ];
    for (only, value) in [
        ("AMAZON_PAY_LEDGER_CURRENCY", "EUR"),
        ("AMAZON_PAY_MERCHANT_ID", "A1"),
        ("AMAZON_PAY_PUBLIC_KEY_ID", "SANDBOX-1"),
        ("AMAZON_PAY_REGION", "eu"),
        ("AMAZON_PAY_SANDBOX", "true"),
        ("AMAZON_PAY_STORE_ID", "amzn1.x"),
        ("AMAZON_PAY_URL", "https://example.com"),
    ] {
        let env = [(only.to_owned(), value.to_owned())].into_iter().collect();
        let error = read(&env).await.unwrap_err().to_string();
        for name in missing {
            assert_eq!(error.contains(name), !name.starts_with(only), "{only}: {error}");
        }
    }
}

#[tokio::test]
async fn malformed_variables_are_named_and_no_key_is_quoted() {
    let options = Options::default();
    for (name, value) in [
        ("AMAZON_PAY_PRIVATE_KEY", "not-a-key"),
        ("AMAZON_PAY_PRIVATE_KEY", PUBLIC_KEY),
        ("AMAZON_PAY_REGION", "us"),
        ("AMAZON_PAY_LEDGER_CURRENCY", "euro"),
        ("AMAZON_PAY_URL", "http://example.com"),
        ("AMAZON_PAY_SANDBOX", "yes"),
        ("AMAZON_PAY_SANDBOX", "false"),
        ("AMAZON_PAY_PUBLIC_KEY_ID", "SANDBOX-1, Signature=x"),
        ("AMAZON_PAY_STORE_ID", "a b"),
    ] {
        let env = variables(&options, "https://example.com", &[(name, value)]);
        let error = read(&env).await.unwrap_err().to_string();
        assert!(error.contains(&format!("{name}: ")), "{error}");
        assert!(!error.contains("not-a-key"), "{error}");
        assert!(!error.contains("BEGIN RSA PUBLIC"), "{error}");
    }
}

#[tokio::test]
async fn sandbox_must_be_set_if_the_key_does_not_contain_the_environment() {
    for (id, sandbox, expected) in [
        ("SANDBOX-1", "", Some(true)),
        ("SANDBOX-1", "true", Some(true)),
        ("LIVE-1", "", Some(false)),
        ("LIVE-1", "false", Some(false)),
        ("AG1", "true", Some(true)),
        ("AG1", "false", Some(false)),
        ("AG1", "", None),
        ("LIVE-1", "true", None),
    ] {
        let changed = [("AMAZON_PAY_PUBLIC_KEY_ID", id), ("AMAZON_PAY_SANDBOX", sandbox)];
        let env = variables(&Options::default(), "https://example.com", &changed);
        match (read(&env).await, expected) {
            (Ok(Some(read)), Some(expected)) => assert_eq!(read.sandbox, expected, "{id}"),
            (Err(error), None) => {
                assert!(error.to_string().contains("AMAZON_PAY_SANDBOX"), "{error}");
            }
            (read, _) => panic!("{id} {sandbox}: {read:?}"),
        }
    }
}

#[tokio::test]
async fn path_has_the_environment_if_the_key_does_not() {
    for (id, sandbox, path) in [
        ("SANDBOX-1", true, "/v2/checkoutSessions/S"),
        ("LIVE-1", false, "/v2/checkoutSessions/S"),
        ("AG1", true, "/sandbox/v2/checkoutSessions/S"),
        ("AG1", false, "/live/v2/checkoutSessions/S"),
    ] {
        let options = Options { public_key_id: id.into(), sandbox, ..Options::default() };
        let amazon = Simulator::start(options.clone()).await.unwrap();
        let env = variables(&options, amazon.url(), &[]);
        let client = read(&env).await.unwrap().unwrap().client;
        let until = Instant::now() + Duration::from_secs(5);

        let problem = client.checkout_session(&"S".parse().unwrap(), until).await.unwrap_err();

        assert_eq!(problem, SessionError::Unknown);
        let books = amazon.books();
        assert_eq!(books.calls[0].path, path);
        assert!(books.calls[0].verified);
    }
}

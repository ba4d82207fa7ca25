use std::time::Duration;

use amazon_pay_simulator::Answer;
use amazon_pay_simulator::{Fault, Options, SessionState, Simulator, error};
use serde_json::json;
use shared::amazon_pay::{AmazonPayToken, Client, Payable, SessionError};
use shared::domain::amount::Amount;
use shared::domain::order::NextStep;
use shared::http::problem::{Code, Problem};
use tokio::time::Instant;

use crate::world::{read, variables};

async fn amazon_pay() -> (Simulator, Client) {
    let options = Options::default();
    let amazon = Simulator::start(options.clone()).await.unwrap();
    let env = variables(&options, amazon.url(), &[]);
    (amazon, read(&env).await.unwrap().unwrap().client)
}

async fn token(client: &Client, id: &str) -> Result<AmazonPayToken, SessionError> {
    let until = Instant::now() + Duration::from_secs(5);
    token_until(client, id, until).await
}

async fn token_until(
    client: &Client,
    id: &str,
    until: Instant,
) -> Result<AmazonPayToken, SessionError> {
    let amount = Amount { currency: "EUR".parse().unwrap(), value: 1000 };
    let reference = "ORDER-1".parse().unwrap();
    let order = Payable { reference: &reference, amount: &amount, unnamed: true };
    client.chargeable_token(&id.parse().unwrap(), order, until).await
}

#[tokio::test]
async fn confirmed_session_has_the_token_that_adyen_charges() {
    let (amazon, client) = amazon_pay().await;
    amazon.confirmed("S1-3DS-REDIRECT", "10.00", "EUR");

    let token = token(&client, "S1-3DS-REDIRECT").await.unwrap();

    assert_eq!(format!("{token:?}"), "[redacted]");
    assert!(token.ends_with("AMZN.S1-3DS-REDIRECT"), "{}", &*token);
    let books = amazon.books();
    let [call] = books.calls.as_slice() else { panic!("{books:?}") };
    assert_eq!(call.method, "GET");
    assert!(call.verified);
    assert_eq!(books.completions(), 0);
    assert_eq!(books.sessions["S1-3DS-REDIRECT"].state, SessionState::Open);
}

#[tokio::test]
async fn session_with_only_state_amount_and_token_is_accepted() {
    let (amazon, client) = amazon_pay().await;
    let session = json!({
        "statusDetails": {"state": "Open"},
        "paymentDetails": {"chargeAmount": {"amount": "10.00", "currencyCode": "EUR"}},
        "amazonPayToken": "497268187623AMZN",
    });
    amazon.inject(Fault::Instead(Answer::json(200, &session)));

    let token = token(&client, "S1").await.unwrap();

    assert_eq!(&*token, "497268187623AMZN");
}

#[tokio::test]
async fn session_for_another_amount_is_rejected() {
    let (amazon, client) = amazon_pay().await;
    amazon.confirmed("CHEAP", "9.99", "EUR");
    amazon.confirmed("DOLLARS", "10.00", "USD");
    amazon.confirmed("WHOLE", "1000", "EUR");
    amazon.open("UNSET");
    for id in ["CHEAP", "DOLLARS", "WHOLE", "UNSET"] {
        let problem = token(&client, id).await.unwrap_err();
        assert_eq!(problem, SessionError::AmountMismatch, "{id}");
    }
    for (id, text) in [("SHORT", "10"), ("LONG", "10.000")] {
        amazon.confirmed(id, text, "EUR");
        assert!(token(&client, id).await.is_ok(), "{id}");
    }
}

#[tokio::test]
async fn each_unusable_session_has_its_problem_code_and_next_step() {
    let (amazon, client) = amazon_pay().await;
    amazon.confirmed("CANCELED", "10.00", "EUR");
    amazon.end("CANCELED", SessionState::Canceled, Some("BuyerCanceled"));
    amazon.confirmed("EXPIRED", "10.00", "EUR");
    amazon.end("EXPIRED", SessionState::Canceled, Some("Expired"));
    amazon.confirmed("COMPLETED", "10.00", "EUR");
    amazon.end("COMPLETED", SessionState::Completed, None);
    amazon.confirmed("OTHER", "1.00", "EUR");
    amazon.confirmed("S1-NO-TOKEN", "10.00", "EUR");
    for (id, code, status, next_step) in [
        ("CANCELED", Code::CheckoutSessionCanceled, 409, NextStep::StartOver),
        ("EXPIRED", Code::CheckoutSessionExpired, 409, NextStep::StartOver),
        ("COMPLETED", Code::CheckoutSessionCompleted, 409, NextStep::StartOver),
        ("NOBODY", Code::CheckoutSessionNotFound, 404, NextStep::StartOver),
        ("OTHER", Code::AmountMismatch, 422, NextStep::StartOver),
        ("S1-NO-TOKEN", Code::AmazonPayTokenMissing, 409, NextStep::ShowError),
    ] {
        let problem = token(&client, id).await.unwrap_err();
        assert_eq!(Problem::from(problem.clone()).code(), code, "{id}");
        assert_eq!(problem.next_step(), next_step, "{id}");
        let answer = Problem::from(problem).into_response();
        assert_eq!(answer.status(), status, "{id}");
    }
}

#[tokio::test]
async fn failing_amazon_pay_has_its_problem_code() {
    let (amazon, client) = amazon_pay().await;
    amazon.confirmed("S1", "10.00", "EUR");
    for _ in 0..3 {
        amazon.inject(Fault::status(500));
    }
    let problem = token(&client, "S1").await.unwrap_err();
    assert_eq!(Problem::from(problem.clone()).code(), Code::AmazonPayUnavailable);
    assert_eq!(amazon.books().calls.len(), 3);

    amazon.inject(Fault::Instead(error(403, "InvalidRequestSignature", "")));
    let problem = token(&client, "S1").await.unwrap_err();
    assert_eq!(Problem::from(problem.clone()).code(), Code::AmazonPayConfiguration);
    assert_eq!(problem.next_step(), NextStep::ShowError);

    amazon.inject(Fault::DropAfter);
    assert!(token(&client, "S1").await.is_ok(), "fetched again");
}

#[tokio::test]
async fn amazon_pay_is_retried_only_within_the_callers_time() {
    let (amazon, client) = amazon_pay().await;
    amazon.confirmed("S1", "10.00", "EUR");
    amazon.inject(Fault::AnswerLate(Duration::from_secs(60)));
    let begun = Instant::now();
    let until = begun + Duration::from_millis(300);
    let problem = token_until(&client, "S1", until).await.unwrap_err();
    assert_eq!(Problem::from(problem.clone()).code(), Code::AmazonPayUnavailable);
    assert!(begun.elapsed() < Duration::from_secs(2));
}

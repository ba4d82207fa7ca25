//! Adyen's webhooks: `POST /` on a Lambda function URL.
//!
//! A webhook is acknowledged with `[accepted]` only after its events are stored. An earlier
//! failure is an error response, after which Adyen retries. All items of a delivery are verified
//! before any is stored.
//!
//! Every correctly signed webhook is accepted and stored by [`Inbox`], because a rejected one
//! blocks all later webhooks of Adyen.

use base64::{Engine, prelude::BASE64_STANDARD};
use http::{HeaderMap, Method, StatusCode, header};
use lambda_http::{Body, Request, Response};
use ring::hmac as digest;
use serde_json::Value;
use shared::{
    adyen::{
        inbox::{Delivery, Inbox},
        verifier::Verifier,
        webhook::{self, Webhook},
    },
    clock,
    http::{
        edge,
        problem::{Code, Problem},
    },
    limits,
    platform::{
        config::{Env, Settings, StartError},
        observe::{self, Metric},
        secrets::Secret,
    },
};
use tokio::time::Instant;

pub struct State {
    verifier: Verifier,
    basic_auth: Option<Secret<BasicAuth>>,
    inbox: Inbox,
}

impl State {
    /// # Errors
    /// [`StartError`] with every missing or malformed variable.
    pub async fn start(env: &Env) -> Result<Self, StartError> {
        let secrets = [Verifier::SECRETS, &["WEBHOOK_BASIC_AUTH"]].concat();
        let mut settings = Settings::load(env, &secrets).await?;
        let verifier = Verifier::read(&mut settings);
        let basic_auth = settings.optional_secret("WEBHOOK_BASIC_AUTH", BasicAuth::parse);
        let inbox = Inbox::read(&mut settings);
        settings.finish((|| {
            Some(Self { verifier: verifier?, basic_auth: basic_auth?, inbox: inbox? })
        })())
    }
}

/// The header with the signature of a token notification's body.
const SIGNATURE: &str = "hmacsignature";

pub async fn handle(state: &State, request: Request) -> Response<Body> {
    let received =
        async { receive(state, &request).await.inspect_err(|it| count_rejected(&request, it)) };
    edge::respond(&request, received).await
}

/// Counts a delivery that is not authentic. Unsigned ones are counted separately, because anybody
/// can send them, while a wrong signature may mean that this deployment lacks a key.
fn count_rejected(request: &Request, problem: &Problem) {
    if problem.code() == Code::InvalidSignature {
        observe::count(match is_signed(request) {
            true => Metric::WebhookSignatureFailure,
            false => Metric::UnsignedWebhook,
        });
    }
}

/// True if a delivery has a signature or credentials, valid or not.
fn is_signed(request: &Request) -> bool {
    const IN_BODY: &[u8] = b"\"hmacSignature\"";
    let headers = request.headers();
    headers.contains_key(header::AUTHORIZATION)
        || headers.contains_key(SIGNATURE)
        || request.body().windows(IN_BODY.len()).any(|it| it == IN_BODY)
}

async fn receive(state: &State, request: &Request) -> Result<Response<Body>, Problem> {
    if request.method() != Method::POST {
        return Err(edge::no_route(request));
    }
    if let Some(expected) = &state.basic_auth {
        let matches = |expected: &BasicAuth| expected.is_in(request.headers()).then_some(());
        expected.accepted(matches).await.ok_or_else(invalid_signature)?;
    }
    let body: &[u8] = request.body();
    if body.len() > limits::WEBHOOK_BODY {
        return Err(unreadable(format!(
            "The notification is larger than {} bytes.",
            limits::WEBHOOK_BODY
        )));
    }
    let until = edge::deadline(request).min(Instant::now() + limits::STORE_WEBHOOK);
    let webhook = webhook::read(body).map_err(unreadable)?;
    let signature = request.headers().get(SIGNATURE).and_then(|it| it.to_str().ok());
    if !state.verifier.accepts(&webhook, body, signature).await {
        return Err(not_accepted(&webhook, body, signature));
    }
    // It may belong to this deployment, so let Adyen retry it.
    if matches!(&webhook, Webhook::Standard(notification) if notification.live.is_none()) {
        return Err(unreadable("live: expected true or false."));
    }
    state
        .inbox
        .within(until)
        .store(&webhook, Delivery { body, signature, received_at: clock::now() })
        .await?;
    let mut accepted = Response::new(Body::Text("[accepted]".to_owned()));
    *accepted.status_mut() = StatusCode::OK;
    accepted
        .headers_mut()
        .insert(header::CONTENT_TYPE, http::HeaderValue::from_static("text/plain"));
    Ok(accepted)
}

/// The problem of a webhook whose signature is missing or wrong.
fn not_accepted(webhook: &Webhook, body: &[u8], signature: Option<&str>) -> Problem {
    // An unsigned body is read strictly, because lenient reading is for Adyen's bodies only.
    if let (Webhook::Token(_), None) = (webhook, signature)
        && let Err(error) = serde_json::from_slice::<Value>(body)
    {
        return unreadable(format!("The body is not JSON: {error}."));
    }
    invalid_signature()
}

fn invalid_signature() -> Problem {
    tracing::warn!("webhook rejected: wrong signature or credentials");
    Problem::new(
        Code::InvalidSignature,
        "The notification is not signed with a known key, or its credentials are wrong.",
    )
}

fn unreadable(detail: impl ToString) -> Problem {
    Problem::new(Code::InvalidNotification, detail.to_string())
}

/// The credentials that Adyen must send. They are compared in constant time.
struct BasicAuth {
    key: digest::Key,
    expected: digest::Tag,
}

impl BasicAuth {
    fn parse(credentials: &str) -> Result<Self, String> {
        if credentials
            .split_once(':')
            .is_none_or(|(user, password)| user.is_empty() || password.is_empty())
        {
            return Err("expected user:password".to_owned());
        }
        // Compare HMACs of both sides, so that the time does not even reveal the length.
        let key = digest::Key::new(digest::HMAC_SHA256, credentials.as_bytes());
        let expected = digest::sign(&key, credentials.as_bytes());
        Ok(Self { key, expected })
    }

    fn is_in(&self, headers: &HeaderMap) -> bool {
        headers
            .get(header::AUTHORIZATION)
            .and_then(|value| value.to_str().ok()?.split_once(' '))
            .filter(|(scheme, _)| scheme.eq_ignore_ascii_case("basic"))
            .and_then(|(_, credentials)| BASE64_STANDARD.decode(credentials.trim()).ok())
            .is_some_and(|given| digest::verify(&self.key, &given, self.expected.as_ref()).is_ok())
    }
}

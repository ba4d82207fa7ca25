use std::io;
use std::time::Duration;

use simulator_http::{Answer, Request, Watch, Watching};

use super::{Message, invalid};

/// The time that Adyen waits for an answer.
const PATIENCE: Duration = Duration::from_secs(10);

/// The answer to a webhook.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reply {
    pub status: u16,
    pub body: String,
}

/// The receiver of webhooks.
#[derive(Clone)]
pub struct Target {
    url: String,
    basic_auth: Option<String>,
    client: reqwest::Client,
}

impl Target {
    /// Takes `user:password` for basic authentication.
    ///
    /// # Errors
    /// If TLS cannot be set up.
    pub fn new(url: &str, basic_auth: Option<&str>) -> io::Result<Self> {
        let client = shared::platform::http_client::build(None)
            .map_err(|error| invalid(&error.to_string()))?;
        Ok(Self { url: url.into(), basic_auth: basic_auth.map(Into::into), client })
    }

    /// The same receiver at another URL.
    pub(crate) fn at(&self, url: &str) -> Self {
        Self { url: url.into(), ..self.clone() }
    }

    /// Sends it once, and reports the exchange.
    pub(crate) async fn watched(&self, message: &Message, watch: &Watch) -> Result<Reply, String> {
        let request = Request {
            method: "POST".into(),
            path: self.url.clone(),
            query: String::new(),
            headers: message.headers.iter().cloned().collect(),
            body: message.body.clone().into_bytes(),
        };
        let mut watching = Watching::begin(watch, &request, None);
        let answered = self.post(message).await;
        let answer = match &answered {
            Ok(reply) => Some(Answer::text(reply.status, "text/plain", &reply.body)),
            Err(error) => {
                watching.note(error);
                None
            }
        };
        watching.end(answer);
        answered
    }

    /// Sends it once.
    ///
    /// # Errors
    /// If there is no answer within 10 seconds.
    pub async fn post(&self, message: &Message) -> Result<Reply, String> {
        let mut request = self
            .client
            .post(&self.url)
            .timeout(PATIENCE)
            .header("content-type", "application/json; charset=utf-8")
            .header("user-agent", "Adyen HttpClient 1.0")
            .body(message.body.clone());
        for (name, value) in &message.headers {
            request = request.header(name, value);
        }
        if let Some((user, password)) =
            self.basic_auth.as_deref().and_then(|both| both.split_once(':'))
        {
            request = request.basic_auth(user, Some(password));
        }
        let answer = request.send().await.map_err(|error| explain(&error))?;
        let status = answer.status().as_u16();
        let body = answer.text().await.map_err(|error| explain(&error))?;
        Ok(Reply { status, body })
    }
}

/// The innermost cause, because it is the most specific.
fn explain(error: &dyn std::error::Error) -> String {
    let mut cause = error;
    while let Some(inner) = cause.source() {
        cause = inner;
    }
    cause.to_string()
}

//! Generates the files of `events/`: invocation events for `sam local invoke` and `cargo lambda
//! invoke`, with the expected answers.
//!
//! The tokens of API events do not expire in practice; functions accept them only with the
//! variables of `env.json`. The events need `cargo dev` on its default ports with empty tables,
//! and the sequence of `expected.json`.

mod api;
mod call;
mod checkout_sessions;
mod environment;
mod modifications;
mod recover;
mod three_ds;
mod tokens;
mod webhooks;

pub use checkout_sessions::open_sessions;

use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};

use axum::body::Bytes;
use axum::http::Request;
use jiff::Timestamp;
use serde_json::{Value, json};

use crate::event::{EventSource, InvalidRequest, event};

/// The IP address of the caller.
const CLIENT: SocketAddr =
    SocketAddr::new(std::net::IpAddr::V4(Ipv4Addr::new(203, 0, 113, 7)), 443);

/// An event and its expected answer.
pub struct Sample {
    /// The name of its file.
    pub name: &'static str,
    /// The folder of its function.
    pub function: &'static str,
    /// The status of the answer; none if the event is not an HTTP request.
    pub status: Option<u16>,
    /// Members of the answer, or its text.
    pub answer: Value,
    /// The event, as JSON.
    pub event: String,
}

#[derive(Debug, thiserror::Error)]
pub enum EventsError {
    #[error("{0}: {1}")]
    Write(PathBuf, io::Error),
    #[error("an event: {0}")]
    Request(#[from] axum::http::Error),
    #[error("an event: {0}")]
    InvalidRequest(#[from] InvalidRequest),
    /// A token or signature cannot be made.
    #[error("an event: {0}")]
    Sign(String),
    #[error(transparent)]
    Template(#[from] crate::template::TemplateError),
}

/// Every event, in the sequence that leads to the expected answers.
pub fn samples() -> Result<Vec<Sample>, EventsError> {
    Ok([
        api::samples()?,
        three_ds::samples()?,
        webhooks::samples()?,
        modifications::samples()?,
        tokens::samples()?,
        checkout_sessions::samples()?,
        vec![recover::sample()],
    ]
    .into_iter()
    .flatten()
    .collect())
}

/// Writes every event, `expected.json` and `env.json`, and returns the number of events.
pub fn write(folder: &Path) -> Result<usize, EventsError> {
    let samples = samples()?;
    std::fs::create_dir_all(folder).map_err(|error| EventsError::Write(folder.into(), error))?;
    let write = |name: &str, text: String| {
        let file = folder.join(format!("{name}.json"));
        std::fs::write(&file, text + "\n").map_err(|error| EventsError::Write(file, error))
    };
    for sample in &samples {
        let event: Value = serde_json::from_str(&sample.event).unwrap_or_default();
        write(sample.name, format!("{event:#}"))?;
    }
    write("expected", expected(&samples))?;
    write("env", format!("{:#}", environment::variables()?))?;
    Ok(samples.len())
}

/// Written by hand, because a map of serde_json would lose the sequence.
fn expected(samples: &[Sample]) -> String {
    let entries: Vec<_> = samples
        .iter()
        .map(|sample| {
            let Sample { name, function, status, answer, .. } = sample;
            let entry = json!({ "function": function, "status": status, "body": answer });
            format!("  \"{name}\": {entry}")
        })
        .collect();
    format!("{{\n{}\n}}", entries.join(",\n"))
}

/// The time of all events, fixed so that the output is deterministic.
const GENERATED_AT: Timestamp = Timestamp::constant(1_767_225_600, 0);

fn event_for(
    source: &EventSource,
    host: &str,
    request: Request<String>,
) -> Result<String, EventsError> {
    const ID: &str = "0123456789abcdef01234567";
    let (mut parts, body) = request.into_parts();
    if let Ok(host) = host.parse() {
        parts.headers.insert("host", host);
    }
    let body = Bytes::from(body);
    Ok(event(source, &parts, &body, CLIENT, ID, GENERATED_AT)?)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use std::collections::BTreeSet;

    use super::*;
    use crate::bundle::{Bundle, Options};

    #[tokio::test]
    async fn every_event_is_answered_as_expected() {
        let variables = [("TOKEN_LIFE_LIMIT".to_owned(), "off".to_owned())].into();
        let options = Options { variables, ..Options::default() };
        let bundle = Bundle::start(options).await.unwrap();
        open_sessions(bundle.amazon().unwrap());
        for sample in samples().unwrap() {
            let Some(status) = sample.status else {
                let report = json!(bundle.recover().await.unwrap());
                assert!(contains(&report, &sample.answer), "{report}");
                continue;
            };
            let answer = bundle.invoke(sample.function, &sample.event).await.unwrap();
            let text = String::from_utf8_lossy(answer.body()).into_owned();
            let actual = serde_json::from_str(&text).unwrap_or(Value::String(text.clone()));
            assert_eq!(answer.status(), status, "{}: {text}", sample.name);
            assert!(contains(&actual, &sample.answer), "{}: {text}", sample.name);
        }
    }

    fn contains(actual: &Value, expected: &Value) -> bool {
        match (actual, expected) {
            (Value::Object(actual), Value::Object(expected)) => {
                expected.iter().all(|(name, value)| {
                    actual.get(name).is_some_and(|actual| contains(actual, value))
                })
            }
            (Value::Array(actual), Value::Array(expected)) => {
                actual.is_empty() == expected.is_empty()
                    && expected
                        .iter()
                        .all(|value| actual.iter().any(|actual| contains(actual, value)))
            }
            _ => actual == expected,
        }
    }

    #[test]
    fn the_folder_has_the_events_that_would_be_generated() {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../events");
        let there: BTreeSet<_> = std::fs::read_dir(&folder)
            .unwrap()
            .map(|file| file.unwrap().file_name().into_string().unwrap())
            .collect();
        let generated = tempfile::tempdir().unwrap();
        write(generated.path()).unwrap();
        let wanted: BTreeSet<_> = std::fs::read_dir(generated.path())
            .unwrap()
            .map(|file| file.unwrap().file_name().into_string().unwrap())
            .collect();
        assert_eq!(there, wanted, "run `cargo dev events`");

        for name in wanted {
            let read = |folder: &Path| std::fs::read_to_string(folder.join(&name)).unwrap();
            assert_eq!(read(&folder), read(generated.path()), "{name}: run `cargo dev events`");
        }
    }
}

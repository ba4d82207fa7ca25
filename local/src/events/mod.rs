//! The files of `events/`: one invocation event per thing that can happen, for
//! `sam local invoke` and `cargo lambda invoke`, with what each is answered.
//!
//! Those of the API carry tokens that last, which the functions take with the
//! variables of `env.json` alone. They fit a `cargo dev` on its default ports with
//! empty tables, one after the other as `expected.json` has them.

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

use crate::event::{Door, Unusable, event};

/// A shopper far away.
const CLIENT: SocketAddr =
    SocketAddr::new(std::net::IpAddr::V4(Ipv4Addr::new(203, 0, 113, 7)), 443);

/// One event.
pub struct Sample {
    /// The name of its file.
    pub name: &'static str,
    /// The folder of the function that it is for.
    pub function: &'static str,
    /// What it is answered; none where it is no request.
    pub status: Option<u16>,
    /// Members that the answer has, or the text that it is.
    pub answer: Value,
    /// The event, as JSON.
    pub event: String,
}

/// Why the events can't be written.
#[derive(Debug, thiserror::Error)]
pub enum EventsError {
    /// A file can't be written.
    #[error("{0}: {1}")]
    Write(PathBuf, io::Error),
    /// A sample is no request.
    #[error("an event: {0}")]
    Request(#[from] axum::http::Error),
    /// AWS would refuse the sample.
    #[error("an event: {0}")]
    Unusable(#[from] Unusable),
    /// A token or signature can't be made.
    #[error("an event: {0}")]
    Sign(String),
    /// The template can't be read.
    #[error(transparent)]
    Template(#[from] crate::template::TemplateError),
}

/// Every event, in the order in which they are answered as expected.
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

/// Writes every event, `expected.json` and `env.json`, and gives how many events
/// there are.
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

/// In order, which a map of serde_json would not keep.
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

/// When everything in the events happens, so that generating them again changes nothing.
const GENERATED_AT: Timestamp = Timestamp::constant(1_767_225_600, 0);

/// The event for a request.
fn event_for(door: &Door, host: &str, request: Request<String>) -> Result<String, EventsError> {
    const ID: &str = "0123456789abcdef01234567";
    let (mut parts, body) = request.into_parts();
    if let Ok(host) = host.parse() {
        parts.headers.insert("host", host);
    }
    let body = Bytes::from(body);
    Ok(event(door, &parts, &body, CLIENT, ID, GENERATED_AT)?)
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
            let said = serde_json::from_str(&text).unwrap_or(Value::String(text.clone()));
            assert_eq!(answer.status(), status, "{}: {text}", sample.name);
            assert!(contains(&said, &sample.answer), "{}: {text}", sample.name);
        }
    }

    fn contains(said: &Value, expected: &Value) -> bool {
        match (said, expected) {
            (Value::Object(said), Value::Object(expected)) => expected
                .iter()
                .all(|(name, value)| said.get(name).is_some_and(|said| contains(said, value))),
            (Value::Array(said), Value::Array(expected)) => {
                said.is_empty() == expected.is_empty()
                    && expected.iter().all(|value| said.iter().any(|said| contains(said, value)))
            }
            _ => said == expected,
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

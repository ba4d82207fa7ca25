//! Captures the log lines of the functions.

use std::{
    io,
    sync::{Arc, Mutex},
};

use serde_json::Value;
use tracing::{Subscriber, level_filters::LevelFilter};

/// Everything that the functions printed.
#[derive(Clone, Default)]
pub struct Output(Arc<Mutex<Vec<u8>>>);

impl io::Write for Output {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Output {
    /// A subscriber that prints lines of this level and above here.
    pub fn subscriber(&self, level: LevelFilter) -> impl Subscriber + Send + Sync {
        let writer = self.clone();
        shared::platform::runtime::log(level, move || writer.clone())
    }

    pub fn text(&self) -> String {
        String::from_utf8(self.0.lock().unwrap().clone()).unwrap()
    }

    /// The lines with metrics, and the other lines. Each line must be a JSON document.
    pub fn lines(&self) -> (Vec<Value>, Vec<Value>) {
        let text = self.text();
        let read = |line| serde_json::from_str(line).unwrap_or_else(|_| panic!("no JSON: {line}"));
        let lines = text.lines().map(read);
        lines.partition(|line: &Value| line["_aws"].is_object())
    }
}

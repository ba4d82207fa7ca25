//! Where the trace of a request goes on: in W3C's words, and X-Ray's.

use http::{HeaderMap, HeaderValue};
use lambda_runtime::Context;

/// The headers with which it goes on.
#[derive(Debug, Clone, Default)]
pub(super) struct Trace {
    pub traceparent: Option<HeaderValue>,
    pub xray: Option<HeaderValue>,
}

impl Trace {
    /// The caller's trace, or else the one that Lambda began.
    pub(super) fn of(headers: &HeaderMap, context: Option<&Context>) -> Self {
        let xray = context.and_then(|context| context.xray_trace_id.as_deref());
        let theirs = headers.get("traceparent").and_then(|it| it.to_str().ok());
        let traceparent = match theirs {
            Some(theirs) if is_traceparent(theirs) => Some(theirs.to_owned()),
            _ => xray.and_then(traceparent),
        };
        let value = |text: &str| HeaderValue::from_str(text).ok();
        Self {
            traceparent: traceparent.as_deref().and_then(value),
            xray: xray.and_then(value),
        }
    }

    /// The id that all of a trace's lines share.
    pub(super) fn id(&self) -> Option<&str> {
        self.traceparent.as_ref()?.to_str().ok()?.split('-').nth(1)
    }
}

/// Whether it is a header of W3C Trace Context, version 00.
fn is_traceparent(text: &str) -> bool {
    let parts: Vec<&str> = text.split('-').collect();
    let hex = |text: &str, length: usize| {
        let digits = |c: u8| c.is_ascii_digit() || (b'a'..=b'f').contains(&c);
        text.len() == length && text.bytes().all(digits)
    };
    let some = |text: &str| text.bytes().any(|c| c != b'0');
    matches!(parts.as_slice(), ["00", trace, parent, flags]
        if hex(trace, 32) && some(trace) && hex(parent, 16) && some(parent) && hex(flags, 2))
}

/// X-Ray's header, `Root=1-5759e988-bd862e3fe1be46a994272793;Parent=…;Sampled=1`, in W3C's
/// words.
fn traceparent(xray: &str) -> Option<String> {
    let field = |name: &str| {
        xray.split(';')
            .find_map(|field| field.trim().strip_prefix(name))
    };
    let root = field("Root=1-")?.replace('-', "");
    let parent = field("Parent=")?;
    let sampled = if field("Sampled=") == Some("1") {
        "01"
    } else {
        "00"
    };
    let text = format!("00-{root}-{parent}-{sampled}");
    is_traceparent(&text).then_some(text)
}

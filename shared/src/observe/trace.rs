//! Where the trace of a request goes on: in W3C's words, and X-Ray's.

use http::{HeaderMap, HeaderName, HeaderValue};
use lambda_runtime::Context;

const TRACEPARENT: HeaderName = HeaderName::from_static("traceparent");
const TRACESTATE: HeaderName = HeaderName::from_static("tracestate");

/// The headers with which it goes on.
#[derive(Debug, Clone, Default)]
pub(super) struct Trace {
    pub w3c: HeaderMap,
    pub xray: Option<HeaderValue>,
}

impl Trace {
    /// The caller's trace, or else the one that Lambda began.
    pub(super) fn of(headers: &HeaderMap, context: Option<&Context>) -> Self {
        let xray = context.and_then(|context| context.xray_trace_id.as_deref());
        let value = |text: &str| HeaderValue::from_str(text).ok();
        let mut w3c = HeaderMap::new();
        let theirs = headers.get(TRACEPARENT).and_then(|it| it.to_str().ok());
        if let Some(theirs) = theirs.and_then(understood) {
            w3c.extend(value(&theirs).map(|it| (TRACEPARENT, it)));
            let states = headers.get_all(TRACESTATE).iter();
            w3c.extend(states.map(|state| (TRACESTATE, state.clone())));
        } else if let Some(ours) = xray.and_then(traceparent) {
            w3c.extend(value(&ours).map(|it| (TRACEPARENT, it)));
        }
        Self { w3c, xray: xray.and_then(value) }
    }

    /// The id that all of a trace's lines share.
    pub(super) fn id(&self) -> Option<&str> {
        self.w3c.get(TRACEPARENT)?.to_str().ok()?.split('-').nth(1)
    }

    /// The id by which X-Ray knows it.
    pub(super) fn xray_id(&self) -> Option<&str> {
        field(self.xray.as_ref()?.to_str().ok()?, "Root=")
    }
}

/// A header of W3C Trace Context, in the words of version 00. Later versions may add to it.
fn understood(text: &str) -> Option<String> {
    let hex = |text: &str, length: usize| {
        let digits = |c: u8| c.is_ascii_digit() || (b'a'..=b'f').contains(&c);
        text.len() == length && text.bytes().all(digits)
    };
    let some = |text: &str| text.bytes().any(|c| c != b'0');
    let parts: Vec<&str> = text.split('-').collect();
    let [version, trace, parent, flags, more @ ..] = parts.as_slice() else {
        return None;
    };
    let known = match *version {
        "00" => more.is_empty(),
        later => hex(later, 2) && later != "ff",
    };
    let is_right = known
        && (hex(trace, 32) && some(trace))
        && (hex(parent, 16) && some(parent))
        && hex(flags, 2);
    is_right.then(|| format!("00-{trace}-{parent}-{flags}"))
}

/// X-Ray's header, `Root=1-5759e988-bd862e3fe1be46a994272793;Parent=…;Sampled=1`, in W3C's
/// words.
fn traceparent(xray: &str) -> Option<String> {
    let root = field(xray, "Root=1-")?.replace('-', "");
    let parent = field(xray, "Parent=")?;
    let sampled = match field(xray, "Sampled=") {
        Some("1") => "01",
        _ => "00",
    };
    understood(&format!("00-{root}-{parent}-{sampled}"))
}

/// What follows a name in X-Ray's header.
fn field<'a>(xray: &'a str, name: &str) -> Option<&'a str> {
    let mut fields = xray.split(';').map(str::trim);
    fields.find_map(|field| field.strip_prefix(name))
}

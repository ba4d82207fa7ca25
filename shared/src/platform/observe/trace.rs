//! Distributed tracing with W3C Trace Context and X-Ray.
//!
//! The caller's trace is only logged. Adyen and Amazon Pay receive Lambda's trace, because a
//! browser could choose any trace id, and its `tracestate` is free text.

use http::{HeaderMap, HeaderName, HeaderValue};
use lambda_runtime::Context;

const TRACEPARENT: HeaderName = HeaderName::from_static("traceparent");

#[derive(Debug, Clone, Default)]
pub(super) struct Trace {
    /// The caller's `traceparent`.
    caller: Option<String>,
    /// Lambda's trace, for calls to Adyen and Amazon Pay.
    pub w3c: HeaderMap,
    /// Lambda's trace, for calls to AWS.
    pub xray: Option<HeaderValue>,
}

impl Trace {
    pub(super) fn of(headers: &HeaderMap, context: Option<&Context>) -> Self {
        let xray = context.and_then(|context| context.xray_trace_id.as_deref());
        let value = |text: &str| HeaderValue::from_str(text).ok();
        let theirs = headers.get(TRACEPARENT).and_then(|it| it.to_str().ok());
        let ours = xray.and_then(traceparent).and_then(|it| value(&it));
        Self {
            caller: theirs.and_then(validated),
            w3c: ours.map(|it| (TRACEPARENT, it)).into_iter().collect(),
            xray: xray.and_then(value),
        }
    }

    /// The trace id for the log. It is the caller's if there is one, so that both logs can be
    /// joined.
    pub(super) fn id(&self) -> Option<&str> {
        let ours = || self.w3c.get(TRACEPARENT)?.to_str().ok();
        self.caller.as_deref().or_else(ours)?.split('-').nth(1)
    }

    /// The trace id in X-Ray, if X-Ray records the trace.
    pub(super) fn xray_id(&self) -> Option<&str> {
        let trace = self.xray.as_ref()?.to_str().ok()?;
        (field(trace, "Sampled=") == Some("1")).then_some(())?;
        field(trace, "Root=")
    }
}

/// Validates a `traceparent` and converts it to version 00. Later versions may have more fields,
/// which are dropped.
fn validated(text: &str) -> Option<String> {
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

/// Converts X-Ray's header, `Root=1-5759e988-bd862e3fe1be46a994272793;Parent=…;Sampled=1`, to a
/// `traceparent`.
fn traceparent(xray: &str) -> Option<String> {
    let root = field(xray, "Root=1-")?.replace('-', "");
    let parent = field(xray, "Parent=")?;
    let sampled = match field(xray, "Sampled=") {
        Some("1") => "01",
        _ => "00",
    };
    validated(&format!("00-{root}-{parent}-{sampled}"))
}

/// The value of a field in X-Ray's header.
fn field<'a>(xray: &'a str, name: &str) -> Option<&'a str> {
    let mut fields = xray.split(';').map(str::trim);
    fields.find_map(|field| field.strip_prefix(name))
}

#[cfg(test)]
mod tests {
    use super::*;

    const THEIRS: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
    const XRAY: &str = "Root=1-5759e988-bd862e3fe1be46a994272793;Parent=53995c3f42cd8ad8;Sampled=1";

    fn trace(theirs: &str, xray: Option<&str>) -> Trace {
        let headers = HeaderValue::from_str(theirs).map(|it| (TRACEPARENT, it));
        let mut context = Context::default();
        context.xray_trace_id = xray.map(str::to_owned);
        Trace::of(&headers.into_iter().collect(), Some(&context))
    }

    fn id(theirs: &str, xray: Option<&str>) -> Option<String> {
        trace(theirs, xray).id().map(str::to_owned)
    }

    #[test]
    fn x_ray_s_trace_is_logged_only_if_it_is_recorded() {
        let unrecorded = XRAY.replace("Sampled=1", "Sampled=0");
        let id = Some("1-5759e988-bd862e3fe1be46a994272793");
        for (xray, expected) in [(XRAY, id), (&unrecorded, None), ("planted", None)] {
            assert_eq!(trace(THEIRS, Some(xray)).xray_id(), expected, "{xray}");
        }
    }

    #[test]
    fn lines_share_the_caller_s_trace_id_or_else_ours() {
        let (theirs, ours) =
            ("4bf92f3577b34da6a3ce929d0e0e4736", "5759e988bd862e3fe1be46a994272793");
        let later = format!("cc-{}-what-comes-later", &THEIRS[3..]);
        for (traceparent, xray, expected) in [
            (THEIRS, None, Some(theirs)),
            (THEIRS, Some(XRAY), Some(theirs)),
            (&later, Some(XRAY), Some(theirs)),
            ("planted", Some(XRAY), Some(ours)),
            ("planted", Some("planted"), None),
        ] {
            assert_eq!(id(traceparent, xray).as_deref(), expected, "{traceparent}");
        }
    }

    #[test]
    fn a_trace_that_is_malformed_names_none() {
        for wrong in [
            "",
            "00-00000000000000000000000000000000-00f067aa0ba902b7-01",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-0000000000000000-01",
            "00-4BF92F3577B34DA6A3CE929D0E0E4736-00f067aa0ba902b7-01",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01-more",
            "ff-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
            "0-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
        ] {
            assert_eq!(id(wrong, None), None, "{wrong}");
        }
    }
}

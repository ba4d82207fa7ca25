//! Feeds invocation events, also ones that AWS would not send. None may make the library panic,
//! which would be a failed invocation instead of an answer.
#![no_main]

use lambda_http::Request;
use serde_json::value::RawValue;
use shared::{http::edge, platform::http_event};

libfuzzer_sys::fuzz_target!(|event: &[u8]| {
    let Ok(event) = serde_json::from_slice::<Box<RawValue>>(event) else { return };
    let Ok(request) = http_event::read(&event) else { return };
    let request = Request::from(request);
    let _ = edge::json_object(&request);
    let _ = edge::source_ip(&request);
    let _ = edge::route(&request);
});

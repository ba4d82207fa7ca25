//! The event of the schedule.

use serde_json::json;

use super::{GENERATED_AT, Sample};

pub(super) fn sample() -> Sample {
    let event = json!({
        "version": "0",
        "id": "01234567-89ab-cdef-0123-456789abcdef",
        "detail-type": "Scheduled Event",
        "source": "aws.scheduler",
        "account": "123456789012",
        "time": GENERATED_AT.to_string(),
        "region": "eu-west-1",
        "resources": ["arn:aws:scheduler:eu-west-1:123456789012:schedule/default/recover"],
        "detail": "{}",
    });
    Sample {
        name: "recover",
        function: "recover",
        status: None,
        answer: json!({"open": 0, "failed": 0}),
        event: event.to_string(),
    }
}

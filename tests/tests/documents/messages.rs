//! `docs/storefront.md` has every message to shoppers, for shops that translate them.

use shared::domain::order::{NextStep, Status};
use tests::files::text;

const STEPS: [NextStep; 8] = [
    NextStep::Success,
    NextStep::None,
    NextStep::HandleAction,
    NextStep::Wait,
    NextStep::RetryWithAmazonPay,
    NextStep::TryAnotherMethod,
    NextStep::ShowError,
    NextStep::StartOver,
];

const STATUSES: [Status; 11] = [
    Status::Created,
    Status::Pending,
    Status::Authorised,
    Status::Captured,
    Status::PartiallyRefunded,
    Status::Refunded,
    Status::ChargedBack,
    Status::Refused,
    Status::Cancelled,
    Status::Expired,
    Status::Error,
];

#[test]
fn docs_storefront_has_every_message_with_its_next_step() {
    // The compiler reports a missing variant.
    let _exhaustive = |step: NextStep| match step {
        NextStep::Success | NextStep::None | NextStep::HandleAction | NextStep::Wait => (),
        NextStep::RetryWithAmazonPay | NextStep::TryAnotherMethod => (),
        NextStep::ShowError | NextStep::StartOver => (),
    };
    let document = text("docs/storefront.md");
    for step in STEPS {
        let name = serde_json::to_value(step).unwrap();
        for status in STATUSES {
            let row = format!("| `{}` | {} | ", name.as_str().unwrap(), step.message(status));
            assert!(document.contains(&row), "{row}");
        }
    }
}

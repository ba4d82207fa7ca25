//! Feeds answers of Adyen and Amazon Pay, with any status. None makes the payment flow panic, and
//! only a rejection that names its reason ends an attempt.
#![no_main]

use http::StatusCode;
use shared::adyen::client::{CallError, read_try};
use shared::adyen::payment_methods::PaymentMethodsResponse;
use shared::adyen::payments::PaymentResponse;
use shared::amazon_pay::CheckoutSession;
use shared::domain::order::Outcome;

/// The input's first character is a position in this list, its second one `t` if the error is
/// transient.
const STATUSES: [u16; 10] = [200, 201, 302, 400, 401, 403, 422, 429, 500, 503];

libfuzzer_sys::fuzz_target!(|input: &[u8]| {
    let [status, transient, body @ ..] = input else { return };
    let status = STATUSES[usize::from(status.wrapping_sub(b'0')) % STATUSES.len()];
    let (status, transient) = (StatusCode::from_u16(status).unwrap(), *transient == b't');
    match read_try(status, transient, body.to_vec()) {
        Ok(body) => {
            assert!(status.is_success());
            payment(&body);
            let _ = serde_json::from_slice::<PaymentMethodsResponse>(&body);
            if let Ok(session) = serde_json::from_slice::<CheckoutSession>(&body) {
                let _ = session.order();
            }
        }
        Err(failure) => {
            if let CallError::Rejected { error, .. } = failure.of_all() {
                let is_decided = !transient && !matches!(&*error.error_code, "703" | "704");
                // Adyen's API never redirects, so nothing was processed.
                assert!(is_decided || status.is_redirection());
                let _ = error.rejection(status.as_u16());
            }
        }
    }
});

fn payment(body: &[u8]) {
    let Ok(answer) = serde_json::from_slice::<PaymentResponse>(body) else { return };
    let outcome = Outcome::from(&answer);
    assert!(matches!(outcome, Outcome::Answered { .. }));
    let _ = (answer.identity(), answer.challenges(), answer.required_action());
}

//! The stored payment method that a charge names: whether it may be charged.
//!
//! A charge costs one strongly consistent read more than another payment, of the token.
//! Adyen's list is asked for only where the table does not have the token.

use shared::{
    adyen::sync::reconcile,
    domain::token::{TokenId, TokenStatus},
    http::problem::{Code, Problem},
};
use tokio::time::Instant;

use crate::State;

/// Why a stored payment method may not be charged, if it may not.
///
/// # Errors
/// Where that cannot be told.
pub async fn refusal(
    state: &State,
    key: &TokenId,
    until: Instant,
) -> Result<Option<Problem>, Problem> {
    let token = match state.stored.get(key).await? {
        Some(token) => Some(token),
        None if state.stored.is_of_another(key).await? => {
            return Ok(Some(refused(
                Code::StoredPaymentMethodWrongShopper,
                "The stored payment method is not this shopper's.",
            )));
        }
        // Its webhook may be late, or lost.
        None => {
            let account = &state.rules.target.merchant_account;
            let shopper = &key.shopper_reference;
            reconcile(&state.adyen, &state.stored, account, shopper, until)
                .await?
                .into_iter()
                .find(|token| token.key == *key)
        }
    };
    Ok(match token.map(|token| token.status()) {
        Some(TokenStatus::Active) => None,
        Some(TokenStatus::Disabled) => Some(refused(
            Code::StoredPaymentMethodDisabled,
            "The stored payment method can no longer be charged; ask the shopper for another.",
        )),
        None => Some(refused(
            Code::StoredPaymentMethodUnknown,
            "Neither this deployment nor Adyen has such a stored payment method of the shopper.",
        )),
    })
}

fn refused(code: Code, detail: &str) -> Problem {
    Problem::new(code, detail).at("paymentMethod.storedPaymentMethodId")
}

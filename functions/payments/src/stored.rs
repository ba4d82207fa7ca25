//! Checks that a stored payment method may be charged.
//!
//! This costs one strongly consistent read. Adyen's list is fetched only if the table does not have
//! the token.

use shared::{
    adyen::sync::sync_tokens,
    domain::{
        order::PaymentInstrument,
        token::{TokenId, TokenStatus},
    },
    http::problem::{Code, Problem},
};
use tokio::time::Instant;

use crate::State;

/// Returns the problem if a stored payment method may not be charged.
///
/// # Errors
/// Fails if neither the table nor Adyen can be asked.
pub async fn refusal(
    state: &State,
    key: &TokenId,
    instrument: &PaymentInstrument,
    until: Instant,
) -> Result<Option<Problem>, Problem> {
    let token = match state.tokens.get(key).await? {
        Some(token) => Some(token),
        None if state.tokens.is_of_another(key).await? => {
            return Ok(Some(refused(
                Code::StoredPaymentMethodWrongShopper,
                "The stored payment method is not this shopper's.",
            )));
        }
        // The webhook that stores the token may be late or lost.
        None => {
            let account = &state.rules.target.merchant_account;
            let shopper = &key.shopper_reference;
            sync_tokens(&state.adyen, &state.tokens, account, shopper, until)
                .await?
                .into_iter()
                .find(|token| token.key == *key)
        }
    };
    let is_amazon_pay = token
        .as_ref()
        .and_then(|token| token.payment_method())
        .is_some_and(|name| name.contains("amazonpay"));
    if *instrument == PaymentInstrument::OneClick && is_amazon_pay {
        return Ok(Some(Problem::new(
            Code::MerchantTokenRequired,
            "Only the merchant's backend charges a stored payment method of Amazon Pay.",
        )));
    }
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

//! The checkout session that a payment names in place of a token.

use shared::{
    adyen::payments::PaymentRequest,
    amazon_pay::{AmazonPay, Payable},
    http::{jwt::Caller, problem::Problem},
};
use tokio::time::Instant;

/// Puts the token of the checkout session that the shopper confirmed in the session's place.
/// Where Amazon Pay gives none, says why not; the payment is left as it is then.
///
/// # Errors
/// `amazon_pay_not_configured`.
pub async fn redeem(
    amazon_pay: Option<&AmazonPay>,
    caller: &Caller,
    payment: &mut PaymentRequest,
    until: Instant,
) -> Result<Option<Problem>, Problem> {
    let Some(id) = &payment.payment_method.amazon_checkout_session_id else {
        return Ok(None);
    };
    let order = Payable {
        reference: &payment.reference,
        amount: &payment.amount,
        unnamed: *caller == Caller::Merchant,
    };
    let token = shared::http::amazon_pay::configured(amazon_pay)?
        .client
        .chargeable_token(id, order, until)
        .await;
    Ok(match token {
        Ok(token) => {
            payment.payment_method.amazon_pay_token = Some(token);
            payment.payment_method.amazon_checkout_session_id = None;
            None
        }
        Err(problem) => Some(problem.into()),
    })
}

//! Redeems the checkout session that a payment names instead of a token.

use shared::{
    adyen::{payment_method::PaymentMethod, payments::PaymentRequest},
    amazon_pay::{AmazonPay, Payable},
    http::{jwt::Caller, problem::Problem},
};
use tokio::time::Instant;

/// Replaces a checkout session that the shopper confirmed by its token. If Amazon Pay returns no
/// token, returns the problem and leaves the payment unchanged.
///
/// # Errors
/// `amazon_pay_not_configured`.
pub async fn redeem(
    amazon_pay: Option<&AmazonPay>,
    caller: &Caller,
    payment: &mut PaymentRequest,
    until: Instant,
) -> Result<Option<Problem>, Problem> {
    let PaymentMethod::CheckoutSession { id, browser } = &payment.payment_method else {
        return Ok(None);
    };
    let order = Payable {
        reference: &payment.reference,
        amount: &payment.amount,
        unnamed: caller.is_merchant(),
    };
    let token = shared::http::amazon_pay::configured(amazon_pay)?
        .client
        .chargeable_token(id, order, until)
        .await;
    Ok(match token {
        Ok(token) => {
            let browser = browser.clone();
            payment.payment_method = PaymentMethod::AmazonPayToken { token, browser };
            None
        }
        Err(problem) => Some(problem.into()),
    })
}

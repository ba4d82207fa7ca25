//! The page on which a shopper approves or declines a payment.

use shared::amazon_pay::Price;
use simulator_http::{Answer, escape_html, links};
use url::Url;

use crate::books::{Amount, Books, Payment, PaymentState};
use crate::three_ds;

/// GET /threeds/{id}: the page, or with `?result=` the redirect to the shop.
pub(crate) fn page(books: &Books, base: &str, id: &str, result: Option<&str>) -> Answer {
    let Some(payment) = books.payment_of_action(id) else {
        return html(404, "<h1>Your bank</h1><p>There is no such payment.</p>");
    };
    let action = serde_json::json!({"url": format!("{base}/threeds/{id}")});
    match (payment.state, result) {
        (PaymentState::Redirect, Some(outcome @ ("approved" | "refused" | "cancelled"))) => {
            back(payment, &three_ds::redirect_result(&action, outcome))
        }
        (PaymentState::Redirect, _) => html(200, &choice(payment)),
        (PaymentState::Fingerprint, _) => {
            html(200, &results_to_post(&[("", three_ds::fingerprint_result(&action))]))
        }
        (PaymentState::Challenge, _) => html(
            200,
            &results_to_post(&[
                ("to approve", three_ds::challenge_result(&action, true)),
                ("to decline", three_ds::challenge_result(&action, false)),
            ]),
        ),
        _ => {
            html(410, "<h1>Your bank</h1><p>This payment is complete. You can close this page.</p>")
        }
    }
}

fn back(payment: &Payment, redirect_result: &str) -> Answer {
    let Ok(mut url) = Url::parse(&payment.return_url) else {
        return html(500, "<p>The returnUrl is not a URL.</p>");
    };
    url.query_pairs_mut().append_pair("redirectResult", redirect_result);
    Answer::redirect(url.as_str())
}

/// The amount as people write it, such as `EUR 10.00`.
pub(crate) fn written(amount: &Amount) -> String {
    let Amount { currency, value } = amount;
    match currency.parse() {
        Ok(known) => {
            let price =
                Price::from(&shared::domain::amount::Amount { currency: known, value: *value });
            format!("{currency} {}", price.amount)
        }
        Err(_) => format!("{currency} {value} (minor units)"),
    }
}

fn choice(payment: &Payment) -> String {
    let reference = escape_html(&payment.reference);
    let links = links(&[
        ("?result=approved", "Approve"),
        ("?result=refused", "Decline"),
        ("?result=cancelled", "Cancel"),
    ]);
    format!(
        "<h1>Your bank</h1><p>Pay <b>{}</b> for {reference}?</p>{links}",
        written(&payment.amount)
    )
}

fn results_to_post(results: &[(&str, String)]) -> String {
    let lines: String = results
        .iter()
        .map(|(effect, result)| format!("<p>threeDSResult {effect}: <code>{result}</code></p>"))
        .collect();
    format!("<h1>Your bank</h1><p>Post this to /payments/details.</p>{lines}")
}

fn html(status: u16, body: &str) -> Answer {
    Answer::page(status, "3-D Secure simulator", body)
}

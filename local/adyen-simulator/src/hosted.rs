//! The page on which a shopper approves or declines a payment.

use simulator_http::{Answer, escape_html};
use url::Url;

use crate::books::{Books, Payment, PaymentState};
use crate::three_ds;

/// GET /threeds/{id}: the page, or with `?result=` the redirect to the shop.
pub(crate) fn page(books: &Books, base: &str, id: &str, result: Option<&str>) -> Answer {
    let Some(payment) = books.payment_of_action(id) else {
        return html(404, "<p>There is no such payment.</p>");
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
        _ => html(410, "<p>This payment is complete.</p>"),
    }
}

fn back(payment: &Payment, redirect_result: &str) -> Answer {
    let Ok(mut url) = Url::parse(&payment.return_url) else {
        return html(500, "<p>The returnUrl is not a URL.</p>");
    };
    url.query_pairs_mut().append_pair("redirectResult", redirect_result);
    Answer::redirect(url.as_str())
}

fn choice(payment: &Payment) -> String {
    let reference = escape_html(&payment.reference);
    let (value, currency) = (payment.amount.value, &payment.amount.currency);
    format!(
        "<h1>Your bank</h1><p>Pay {value} {currency} (minor units) for {reference}?</p>\
         <p><a href=\"?result=approved\">Approve</a> · <a href=\"?result=refused\">Decline</a> · \
         <a href=\"?result=cancelled\">Cancel</a></p>"
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

//! Amazon Pay's pages for the shopper.

use std::collections::BTreeMap;

use serde_json::Value;
use shared::clock;
use simulator_http::{Answer, escape_html, links};
use url::Url;

use crate::session::{Session, SessionState};
use crate::signature;
use crate::simulator::Inner;

/// Renders the button, like Amazon Pay's own script. It names the simulator, because a test may
/// serve it in place of Amazon Pay's.
pub(crate) fn script(base: &str) -> String {
    include_str!("checkout.js").replace("BASE", base)
}

/// The cards that the shopper can pick: the end of the token, and a description.
const CARDS: [(&str, &str); 16] = [
    ("", "A card that pays"),
    ("-REFUSED", "A card that is refused"),
    ("-CANCELLED", "A card whose payment is cancelled"),
    ("-ERROR", "A card whose bank fails"),
    ("-3DS-REDIRECT", "A card with 3-D Secure at the bank's page"),
    ("-3DS-CHALLENGE", "A card with 3-D Secure in the shop's page"),
    ("-3DS-FRICTIONLESS", "A card that 3-D Secure recognises in the shop's page"),
    ("-PENDING", "A card whose payment stays pending"),
    ("-TIMEOUT", "A card for which Adyen answers too late"),
    ("-DROP", "A card for which Adyen's answer is lost"),
    ("-LATE-FAIL", "A card that fails after all"),
    ("-NO-WEBHOOK", "A card for which no webhook is sent"),
    ("-REFUND-FAIL", "A card to which the first refund fails"),
    (
        "-REFUND-FAIL-3DS-REDIRECT",
        "A card with 3-D Secure at the bank's page, to which the first refund fails",
    ),
    ("-UNKNOWN", "A card that Adyen does not know"),
    ("-NO-TOKEN", "A key that is not enabled for Adyen"),
];

/// POST /checkout: the shopper pressed the button.
pub(crate) fn begin(inner: &Inner, fields: &BTreeMap<String, String>) -> Answer {
    let checked = signature::button(&inner.key, &inner.options, fields).and_then(|()| {
        let payload: Value =
            serde_json::from_str(&fields["payloadJSON"]).map_err(|_| "payloadJSON is not JSON")?;
        check(inner, &payload)?;
        Ok(payload)
    });
    match checked {
        Ok(payload) => {
            let id = uuid();
            inner.log(&format!("button pressed -> session {id}"));
            inner.begin(id.clone(), payload);
            Answer::redirect(&format!("{}/checkout/{id}", inner.base))
        }
        Err(why) => {
            inner.log(&format!("button rejected: {why}"));
            inner.state().books.refused_buttons.push(why.to_owned());
            html(400, &format!("<h1>Amazon Pay</h1><p>The button was rejected: {why}.</p>"))
        }
    }
}

/// Validates the payload with which a session begins.
///
/// # Errors
/// The reason for which it is rejected.
pub(crate) fn check(inner: &Inner, payload: &Value) -> Result<(), &'static str> {
    let review = &payload["webCheckoutDetails"]["checkoutReviewReturnUrl"];
    if payload["storeId"] != inner.options.store_id {
        return Err("storeId is not the merchant's");
    }
    if review.as_str().is_none_or(|url| Url::parse(url).is_err()) {
        return Err("checkoutReviewReturnUrl is not a URL");
    }
    Ok(())
}

/// GET /checkout/{id}: the shopper picks a card, or leaves.
pub(crate) fn choose(inner: &Inner, id: &str, query: &BTreeMap<String, String>) -> Answer {
    with_session(inner, id, |session| {
        if let Some(card) = query.get("card") {
            session.card.clone_from(card);
            return back(session, "checkoutReviewReturnUrl");
        }
        if query.contains_key("leave") {
            session.cancel("BuyerCanceled");
            return match session.url("checkoutCancelUrl") {
                Some(url) => Answer::redirect(url),
                None => html(200, "<h1>Amazon Pay</h1><p>You left. Go back to the shop.</p>"),
            };
        }
        let cards: String = CARDS
            .iter()
            .map(|(ending, words)| format!("<option value=\"{ending}\">{words}"))
            .collect();
        let agreement = match session.is_recurring() {
            true => "<p>The shop may charge the card again later.</p>",
            false => "",
        };
        html(
            200,
            &format!(
                "<h1>Amazon Pay</h1>{agreement}<form><label>Pay with \
                 <select name=card>{cards}</select></label>\
                 <button>Continue</button></form>\
                 <form><button name=leave value=1>Leave</button></form>"
            ),
        )
    })
}

/// GET /confirm/{id}: the shopper pays or declines.
pub(crate) fn confirm(inner: &Inner, id: &str, answer: Option<&str>) -> Answer {
    with_session(inner, id, |session| {
        let Some(price) = session.charge_amount.clone() else {
            return html(409, "<p>The shop has not set the amount.</p>");
        };
        match answer {
            Some("pay") => session.confirmed = true,
            Some("decline") => session.cancel("Declined"),
            _ => {
                let (amount, currency) = (price.amount, price.currency_code);
                let links = links(&[("?answer=pay", "Pay"), ("?answer=decline", "Decline")]);
                let order = session.merchant_reference_id.as_deref().unwrap_or("your order");
                return html(
                    200,
                    &format!(
                        "<h1>Amazon Pay</h1><p>Pay <b>{currency} {amount}</b> for {}?</p>\
                         {links}",
                        escape_html(order)
                    ),
                );
            }
        }
        back(session, "checkoutResultReturnUrl")
    })
}

fn with_session(inner: &Inner, id: &str, show: impl FnOnce(&mut Session) -> Answer) -> Answer {
    let mut state = inner.state();
    match state.books.sessions.get_mut(id) {
        None => html(404, "<h1>Amazon Pay</h1><p>There is no such checkout.</p>"),
        Some(session) if session.state == SessionState::Open && session.expires > clock::now() => {
            show(session)
        }
        Some(_) => html(410, "<h1>Amazon Pay</h1><p>This checkout is over.</p>"),
    }
}

/// Redirects to the shop with the session's id.
fn back(session: &Session, name: &str) -> Answer {
    match session.url(name).map(Url::parse) {
        Some(Ok(mut url)) => {
            url.query_pairs_mut().append_pair("amazonCheckoutSessionId", &session.id);
            Answer::redirect(url.as_str())
        }
        _ => html(500, &format!("<p>{name} is not a URL.</p>")),
    }
}

fn html(status: u16, body: &str) -> Answer {
    Answer::page(status, "Amazon Pay simulator", body)
}

pub(crate) fn uuid() -> String {
    let hex = format!("{:032x}", fastrand::u128(..));
    let parts = [&hex[..8], &hex[8..12], &hex[12..16], &hex[16..20], &hex[20..]];
    parts.join("-")
}

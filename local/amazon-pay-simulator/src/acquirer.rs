use std::str::FromStr;
use std::sync::Arc;

use serde_json::json;
use shared::clock;
use shared::domain::amount::Currency;
use url::Url;

use crate::options::Options;
use crate::session::{Price, Session, SessionState};
use crate::simulator::Inner;

/// The part of Amazon Pay that Adyen uses for a merchant. Amounts are in minor units.
#[derive(Clone)]
pub struct Acquirer(Arc<Inner>);

impl Acquirer {
    pub(crate) fn new(inner: Arc<Inner>) -> Self {
        Self(inner)
    }

    pub fn options(&self) -> &Options {
        &self.0.options
    }

    /// Sets the amount of an open session and the URL to return to, and returns the page on which
    /// the shopper confirms.
    pub fn update(
        &self,
        session: &str,
        currency: &str,
        value: i64,
        return_url: &Url,
    ) -> Option<String> {
        let amount =
            decimal(currency, value).filter(|_| currency == self.options().ledger_currency);
        let price = Price { amount: amount?, currency_code: currency.to_owned() };
        self.with_open(session, |session| {
            session.payload["webCheckoutDetails"]["checkoutResultReturnUrl"] =
                json!(return_url.as_str());
            session.payment_intent = Some("Confirm".to_owned());
            session.charge_amount = Some(price);
            session.confirmed = false;
            format!("{}/confirm/{}", self.0.base, session.id)
        })
    }

    /// The token of an open session that the shopper confirmed for that amount.
    pub fn token(&self, session: &str, currency: &str, value: i64) -> Option<String> {
        let amount = decimal(currency, value)?;
        self.with_open(session, |session| {
            let price = session.charge_amount.as_ref()?;
            (price.currency_code == currency && price.amount == amount)
                .then(|| session.amazon_pay_token())?
        })?
    }

    /// The page on which the shopper picks another card.
    pub fn page(&self, session: &str) -> Option<String> {
        self.with_open(session, |session| format!("{}/checkout/{}", self.0.base, session.id))
    }

    fn with_open<T>(&self, id: &str, act: impl FnOnce(&mut Session) -> T) -> Option<T> {
        let mut state = self.0.state();
        let session = state.books.sessions.get_mut(id)?;
        let open = session.state == SessionState::Open && session.expires > clock::now();
        open.then(|| act(session))
    }
}

/// Major units with all decimals of the currency.
fn decimal(currency: &str, value: i64) -> Option<String> {
    let decimals = Currency::from_str(currency).ok()?.decimals();
    let digits = format!("{value:0width$}", width = decimals + 1);
    let (units, fraction) = digits.split_at(digits.len() - decimals);
    Some(if decimals == 0 { units.to_owned() } else { format!("{units}.{fraction}") })
}

use std::collections::VecDeque;
use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use hyper_util::service::TowerToHyperService;
use jiff::Timestamp;
use serde_json::{Value, json};
use shared::clock;
use simulator_http::FaultOn;
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::JoinHandle;

use crate::acquirer::Acquirer;
use crate::books::Books;
use crate::options::Options;
use crate::server;
use crate::session::{Price, Session, SessionState};
use crate::signature::PublicKey;

/// Shared by the server and the handle.
pub(crate) struct Inner {
    pub options: Options,
    pub key: PublicKey,
    /// The URL of the simulator.
    pub base: String,
    state: Mutex<SimulatorState>,
}

#[derive(Default)]
pub(crate) struct SimulatorState {
    pub books: Books,
    pub faults: VecDeque<FaultOn>,
}

impl Inner {
    pub fn state(&self) -> MutexGuard<'_, SimulatorState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub fn begin(&self, id: String, payload: Value) {
        let session = self.session(id.clone(), payload);
        self.state().books.sessions.insert(id, session);
    }

    pub fn session(&self, id: String, payload: Value) -> Session {
        let now = clock::now();
        let expires = now.checked_add(self.options.session_life).unwrap_or(Timestamp::MAX);
        Session::new(id, payload, now, expires)
    }

    pub fn log(&self, line: &str) {
        if let Some(log) = &self.options.log {
            log(line);
        }
    }
}

/// A running simulator. It stops when dropped.
pub struct Simulator {
    inner: Arc<Inner>,
    stop: watch::Sender<bool>,
    server: JoinHandle<()>,
}

impl Simulator {
    /// Listens and serves.
    ///
    /// # Errors
    /// If the port is taken or the key is not PEM.
    pub async fn start(options: Options) -> io::Result<Self> {
        let listener = TcpListener::bind(options.listen).await?;
        Self::serve(listener, options)
    }

    /// Serves that listener, and ignores `options.listen`.
    ///
    /// # Errors
    /// If the key is not PEM.
    pub fn serve(listener: TcpListener, options: Options) -> io::Result<Self> {
        let inner = Arc::new(Inner {
            key: PublicKey::from_pem(&options.public_key)?,
            base: simulator_http::listen::url(&listener)?,
            state: Mutex::default(),
            options,
        });
        let (stop, stopped) = watch::channel(false);
        let service = TowerToHyperService::new(server::router(inner.clone()));
        let server = tokio::spawn(simulator_http::serve(listener, stopped, service));
        Ok(Self { inner, stop, server })
    }

    /// Stops after the calls in progress, or after a second.
    pub async fn stop(mut self) {
        let _ = self.stop.send(true);
        let _ = (&mut self.server).await;
    }

    /// The value of `AMAZON_PAY_URL`; it also serves `/checkout.js` and the hosted pages.
    pub fn url(&self) -> &str {
        &self.inner.base
    }

    /// Amazon Pay's side for Adyen.
    pub fn acquirer(&self) -> Acquirer {
        Acquirer::new(self.inner.clone())
    }

    /// A copy of the books.
    pub fn books(&self) -> Books {
        self.inner.state().books.clone()
    }

    /// Injects a fault into the next call that it matches. Several apply in sequence.
    pub fn inject(&self, fault: impl Into<FaultOn>) {
        self.inner.state().faults.push_back(fault.into());
    }

    /// Opens a session as if a shopper had pressed a button and picked a card. Its token will
    /// end in its id, so the payment of `S1-REFUSED` is refused.
    pub fn open(&self, id: &str) {
        let url = "https://your-company.example.com/checkout";
        let payload = json!({
            "webCheckoutDetails": {
                "checkoutReviewReturnUrl": url,
                "checkoutResultReturnUrl": url,
            },
            "storeId": self.inner.options.store_id,
        });
        self.inner.begin(id.to_owned(), payload);
        self.change(id, |session| session.card = format!(".{id}"));
    }

    /// Like [`open`](Self::open), and as if the shop had set that amount and the shopper had
    /// confirmed it.
    pub fn confirmed(&self, id: &str, amount: &str, currency_code: &str) {
        self.open(id);
        self.change(id, |session| {
            session.payment_intent = Some("Confirm".to_owned());
            session.charge_amount =
                Some(Price { amount: amount.to_owned(), currency_code: currency_code.to_owned() });
            session.confirmed = true;
        });
    }

    /// Like [`confirmed`](Self::confirmed), and as if the shop had set that order's reference.
    pub fn confirmed_for(&self, reference: &str, id: &str, amount: &str, currency_code: &str) {
        self.confirmed(id, amount, currency_code);
        self.change(id, |session| session.merchant_reference_id = Some(reference.to_owned()));
    }

    /// Ends a session. Amazon Pay's reasons are `BuyerCanceled`, `Declined`,
    /// `AmazonCanceled` and `Expired`.
    pub fn end(&self, id: &str, state: SessionState, reason_code: Option<&'static str>) {
        self.change(id, |session| {
            session.state = state;
            session.reason_code = reason_code;
        });
    }

    fn change(&self, id: &str, change: impl FnOnce(&mut Session)) {
        if let Some(session) = self.inner.state().books.sessions.get_mut(id) {
            change(session);
        }
    }
}

impl Drop for Simulator {
    fn drop(&mut self) {
        self.server.abort();
    }
}

use std::collections::{BTreeSet, VecDeque};
use std::io;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use shared::clock;
use simulator_http::FaultOn;
use tokio::net::TcpListener;
use tokio::sync::{Notify, watch};
use tokio::task::JoinHandle;

use crate::books::{Books, PaymentState, Token, TokenState};
use crate::context::CallContext;
use crate::fault::WebhookFault;
use crate::journal::Journal;
use crate::options::Options;
use crate::webhook::{Event, Signer, Target};
use crate::{outbox, payments, recurring, server};

/// Shared by the server, the outbox and the handle.
pub(crate) struct Inner {
    pub options: Options,
    pub signer: Signer,
    pub target: Target,
    /// The URL of the simulator.
    pub base: String,
    /// Wakes the sender of webhooks.
    pub wake: Notify,
    /// As in [`Options::merchant_reference`].
    merchant_reference: AtomicBool,
    state: Mutex<SimulatorState>,
}

pub(crate) struct SimulatorState {
    pub journal: Journal,
    pub faults: VecDeque<FaultOn>,
    pub webhook_faults: VecDeque<WebhookFault>,
    pub webhook_url: Option<String>,
    /// True if webhooks wait for a test to release them.
    pub held: bool,
    /// The webhooks that are being sent.
    pub delivering: BTreeSet<u64>,
}

impl Inner {
    pub fn state(&self) -> MutexGuard<'_, SimulatorState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Applies a change that no call of the API makes, and commits it.
    pub fn change<T>(&self, change: impl FnOnce(&mut CallContext) -> T) -> io::Result<T> {
        let mut state = self.state();
        let SimulatorState { journal, webhook_faults, .. } = &mut *state;
        let mut ctx = self.context(&journal.books, webhook_faults);
        let done = change(&mut ctx);
        let changes = ctx.changes;
        journal.commit(changes)?;
        drop(state);
        self.wake.notify_one();
        Ok(done)
    }

    pub fn context<'a>(
        &'a self,
        books: &'a Books,
        webhook_faults: &'a mut VecDeque<WebhookFault>,
    ) -> CallContext<'a> {
        CallContext {
            options: &self.options,
            books,
            signer: &self.signer,
            webhook_faults,
            base: &self.base,
            now: clock::now(),
            merchant_reference: self.merchant_reference.load(Ordering::Relaxed),
            idempotency_key: None,
            changes: Vec::new(),
            withheld: self.options.answer_delay,
            cut: false,
        }
    }

    pub fn log(&self, line: &str) {
        if let Some(log) = &self.options.log {
            log(line);
        }
    }

    pub fn log_unwritten(&self, error: &io::Error) {
        self.log(&format!("The books can't be written: {error}"));
    }
}

/// The sequence in which held webhooks are sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Release {
    /// The first one first.
    InOrder,
    /// The last one first.
    Reversed,
    /// Shuffled with that seed.
    Shuffled(u64),
}

/// A running simulator. Dropping it is as abrupt as `kill -9`.
pub struct Simulator {
    inner: Arc<Inner>,
    stop: watch::Sender<bool>,
    server: JoinHandle<()>,
    outbox: JoinHandle<()>,
}

impl Simulator {
    /// Listens and serves.
    ///
    /// # Errors
    /// If the port is taken, a key is not hex, or the books cannot be read.
    pub async fn start(options: Options) -> io::Result<Self> {
        let listener = TcpListener::bind(options.listen).await?;
        Self::serve(listener, options)
    }

    /// Serves that listener, and ignores `options.listen`.
    ///
    /// # Errors
    /// If a key is not hex or the books cannot be read.
    pub fn serve(listener: TcpListener, options: Options) -> io::Result<Self> {
        let base = simulator_http::listen::url(&listener)?;
        let journal = Journal::open(options.data.as_deref())?;
        let inner = Arc::new(Inner {
            signer: Signer::new(&options.hmac_key, &options.token_hmac_key)?,
            target: Target::new("", options.basic_auth.as_deref())?,
            base,
            wake: Notify::new(),
            merchant_reference: AtomicBool::new(options.merchant_reference),
            state: Mutex::new(SimulatorState {
                journal,
                faults: VecDeque::new(),
                webhook_faults: VecDeque::new(),
                webhook_url: options.webhook_url.clone(),
                held: false,
                delivering: BTreeSet::new(),
            }),
            options,
        });
        let (stop, stopped) = watch::channel(false);
        Ok(Self {
            server: tokio::spawn(server::run(inner.clone(), listener, stopped)),
            outbox: tokio::spawn(outbox::run(inner.clone())),
            stop,
            inner,
        })
    }

    /// Stops after the calls in progress, or after a second.
    pub async fn stop(mut self) {
        self.outbox.abort();
        let _ = self.stop.send(true);
        let _ = (&mut self.server).await;
    }

    /// The value of `ADYEN_CHECKOUT_URL`.
    pub fn checkout_url(&self) -> String {
        format!("{}/v72", self.inner.base)
    }

    /// The value of `ADYEN_RECURRING_URL`.
    pub fn recurring_url(&self) -> String {
        format!("{}/pal/servlet/Recurring/v68", self.inner.base)
    }

    /// Sets the URL of the webhooks, and sends those that are waiting for it.
    pub fn set_webhook_url(&self, url: &str) {
        self.inner.state().webhook_url = Some(url.into());
        self.inner.wake.notify_one();
    }

    /// A copy of the books.
    pub fn books(&self) -> Books {
        self.inner.state().journal.books.clone()
    }

    /// Reads the books without copying them.
    pub fn with_books<T>(&self, read: impl FnOnce(&Books) -> T) -> T {
        read(&self.inner.state().journal.books)
    }

    /// Injects a fault into the next call that it matches. Several apply in sequence.
    pub fn inject(&self, fault: impl Into<FaultOn>) {
        self.inner.state().faults.push_back(fault.into());
    }

    /// Injects a fault into the next webhook. Several apply in sequence.
    pub fn inject_webhook(&self, fault: WebhookFault) {
        self.inner.state().webhook_faults.push_back(fault);
    }

    /// Changes [`Options::merchant_reference`].
    pub fn name_merchant_reference(&self, named: bool) {
        self.inner.merchant_reference.store(named, Ordering::Relaxed);
    }

    /// Holds all webhooks until they are released.
    pub fn hold_webhooks(&self) {
        self.inner.state().held = true;
    }

    /// Sends all waiting webhooks one after the other, even if they are not due yet, and stops
    /// holding webhooks. Those that are not accepted are sent again later.
    pub async fn release_webhooks(&self, order: Release) {
        let mut waiting: Vec<u64> = self.with_books(|books| {
            books.webhooks.values().filter(|hook| hook.due.is_some()).map(|hook| hook.id).collect()
        });
        match order {
            Release::InOrder => {}
            Release::Reversed => waiting.reverse(),
            Release::Shuffled(seed) => fastrand::Rng::with_seed(seed).shuffle(&mut waiting),
        }
        for id in waiting {
            self.deliver(id).await;
        }
        self.inner.state().held = false;
        self.inner.wake.notify_one();
    }

    /// Sends one webhook now, even if it is held, not due yet or was sent before. Returns the
    /// status of the answer.
    pub async fn deliver(&self, id: u64) -> Option<u16> {
        self.inner.state().delivering.insert(id);
        outbox::deliver(&self.inner, id).await
    }

    /// Waits until no webhook is waiting to be sent, for `patience` at most. Returns false if
    /// one still is.
    pub async fn webhooks_delivered(&self, patience: Duration) -> bool {
        let end = tokio::time::Instant::now() + patience;
        loop {
            if self.inner.state().journal.books.agenda.is_empty() {
                return true;
            }
            if tokio::time::Instant::now() >= end {
                return false;
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }

    /// Sends a webhook about that event.
    ///
    /// # Errors
    /// If the books cannot be written.
    pub fn notify(&self, event: &Event) -> io::Result<()> {
        self.inner.change(|ctx| ctx.notify(event, Duration::ZERO))
    }

    /// Sends what is due after the clock was set.
    pub fn clock_was_set(&self) {
        self.inner.wake.notify_one();
    }

    /// Ends a pending payment. Returns false if there is none.
    ///
    /// # Errors
    /// If the books cannot be written.
    pub fn resolve_pending(&self, psp_reference: &str, approved: bool) -> io::Result<bool> {
        self.inner.change(|ctx| {
            let payment = ctx.books.payment(psp_reference);
            let pending = payment.filter(|payment| payment.state == PaymentState::Pending).cloned();
            pending.map(|payment| payments::resolve(ctx, payment, approved)).is_some()
        })
    }

    /// Makes charges of that token be refused with code 50. Returns false if there is none.
    ///
    /// # Errors
    /// If the books cannot be written.
    pub fn revoke_token(&self, id: &str) -> io::Result<bool> {
        self.inner.change(|ctx| {
            let token = ctx.books.tokens.get(id).cloned();
            let revoked = token.map(|token| Token { state: TokenState::Revoked, ..token });
            revoked.map(|token| ctx.save_token(token)).is_some()
        })
    }

    /// Makes charges of that token fail, and sends recurring.token.disabled. Returns false if
    /// there is none.
    ///
    /// # Errors
    /// If the books cannot be written.
    pub fn disable_token(&self, id: &str) -> io::Result<bool> {
        self.inner.change(|ctx| {
            let token = ctx.books.tokens.get(id).cloned();
            token.map(|token| recurring::disable(ctx, token)).is_some()
        })
    }
}

impl Drop for Simulator {
    fn drop(&mut self) {
        self.server.abort();
        self.outbox.abort();
    }
}

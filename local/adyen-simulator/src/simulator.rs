//! A running simulator, and what a test can do to it.

use std::collections::{BTreeSet, VecDeque};
use std::io;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use jiff::Timestamp;
use tokio::net::TcpListener;
use tokio::sync::{Notify, watch};
use tokio::task::JoinHandle;

use crate::books::{Books, TokenState};
use crate::desk::Desk;
use crate::fault::{Fault, WebhookFault};
use crate::journal::DeliveredWebhooks;
use crate::options::Options;
use crate::webhook::{Event, Signer, Target};
use crate::{outbox, payments, recurring, server};

/// What is shared by everything that runs.
pub(crate) struct Inner {
    pub options: Options,
    pub signer: Signer,
    pub target: Target,
    /// Where the simulator is reached.
    pub base: String,
    /// Wakes the sender of webhooks.
    pub wake: Notify,
    /// True if answers name the order and the amount.
    merchant_reference: AtomicBool,
    desk: Mutex<Shared>,
}

/// What changes.
pub(crate) struct Shared {
    pub ledger: DeliveredWebhooks,
    pub faults: VecDeque<Fault>,
    pub webhook_faults: VecDeque<WebhookFault>,
    pub webhook_url: Option<String>,
    /// True if webhooks wait for a test to release them.
    pub held: bool,
    /// The webhooks on their way.
    pub delivering: BTreeSet<u64>,
}

impl Inner {
    pub fn shared(&self) -> MutexGuard<'_, Shared> {
        self.desk.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Does some work on the books, and keeps what it changed.
    fn work<T>(&self, work: impl FnOnce(&mut Desk) -> T) -> io::Result<T> {
        let mut shared = self.shared();
        let Shared { ledger, webhook_faults, .. } = &mut *shared;
        let mut desk = self.desk(&ledger.books, webhook_faults);
        let done = work(&mut desk);
        let changes = desk.changes;
        ledger.commit(changes)?;
        drop(shared);
        self.wake.notify_one();
        Ok(done)
    }

    pub fn desk<'a>(
        &'a self,
        books: &'a Books,
        webhook_faults: &'a mut VecDeque<WebhookFault>,
    ) -> Desk<'a> {
        Desk {
            options: &self.options,
            books,
            signer: &self.signer,
            webhook_faults,
            base: &self.base,
            now: Timestamp::now(),
            merchant_reference: self.merchant_reference.load(Ordering::Relaxed),
            key: None,
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
}

/// In which order held webhooks go out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Release {
    /// As they happened.
    InOrder,
    /// The last first.
    Reversed,
    /// In an order that this seed gives.
    Shuffled(u64),
}

/// A running simulator. Dropping it ends it as abruptly as `kill -9`.
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
    /// When the port is taken, a key is not hex, or the books can't be read.
    pub async fn start(options: Options) -> io::Result<Self> {
        let listener = TcpListener::bind(options.listen).await?;
        Self::serve(listener, options)
    }

    /// Serves at a listener that is there already; `options.listen` is not looked at.
    ///
    /// # Errors
    /// When a key is not hex or the books can't be read.
    pub fn serve(listener: TcpListener, options: Options) -> io::Result<Self> {
        let base = simulator_http::listen::url(&listener)?;
        let ledger = DeliveredWebhooks::open(options.data.as_deref())?;
        let inner = Arc::new(Inner {
            signer: Signer::new(&options.hmac_key, &options.token_hmac_key)?,
            target: Target::new("", options.basic_auth.as_deref())?,
            base,
            wake: Notify::new(),
            merchant_reference: AtomicBool::new(options.merchant_reference),
            desk: Mutex::new(Shared {
                ledger,
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

    /// Ends after the calls that are being answered, of which none gets more than a second.
    pub async fn stop(mut self) {
        self.outbox.abort();
        let _ = self.stop.send(true);
        let _ = (&mut self.server).await;
    }

    /// For `ADYEN_CHECKOUT_URL`.
    pub fn checkout_url(&self) -> String {
        format!("{}/v72", self.inner.base)
    }

    /// For `ADYEN_RECURRING_URL`.
    pub fn recurring_url(&self) -> String {
        format!("{}/pal/servlet/Recurring/v68", self.inner.base)
    }

    /// Says where webhooks go. Those that wait are sent.
    pub fn set_webhook_url(&self, url: &str) {
        self.inner.shared().webhook_url = Some(url.into());
        self.inner.wake.notify_one();
    }

    /// Everything that happened so far.
    pub fn books(&self) -> Books {
        self.inner.shared().ledger.books.clone()
    }

    /// Looks into the books without copying them.
    pub fn with_books<T>(&self, look: impl FnOnce(&Books) -> T) -> T {
        look(&self.inner.shared().ledger.books)
    }

    /// Makes the next call that it fits go wrong. Several are taken in turn.
    pub fn inject(&self, fault: Fault) {
        self.inner.shared().faults.push_back(fault);
    }

    /// Makes the next webhook that happens go wrong. Several are taken in turn.
    pub fn inject_webhook(&self, fault: WebhookFault) {
        self.inner.shared().webhook_faults.push_back(fault);
    }

    /// Makes answers from now on name the order and the amount, or leave both out, as
    /// [`Options::merchant_reference`] does.
    pub fn name_merchant_reference(&self, named: bool) {
        self.inner.merchant_reference.store(named, Ordering::Relaxed);
    }

    /// Sends no webhook until they are released.
    pub fn hold_webhooks(&self) {
        self.inner.shared().held = true;
    }

    /// Sends all webhooks that wait, one after the other, whether due or not, and goes on
    /// as usual. Those that are not accepted are sent again later.
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
        self.inner.shared().held = false;
        self.inner.wake.notify_one();
    }

    /// Sends one webhook now, whether it is held, not due yet or was sent before. Gives
    /// the status that was answered.
    pub async fn deliver(&self, id: u64) -> Option<u16> {
        self.inner.shared().delivering.insert(id);
        outbox::deliver(&self.inner, id).await
    }

    /// Waits until no webhook is waiting to be sent, or until `patience` is over. Gives
    /// whether none is.
    pub async fn webhooks_delivered(&self, patience: Duration) -> bool {
        let end = tokio::time::Instant::now() + patience;
        loop {
            if self.inner.shared().ledger.books.agenda.is_empty() {
                return true;
            }
            if tokio::time::Instant::now() >= end {
                return false;
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }

    /// Sends a webhook about anything.
    ///
    /// # Errors
    /// When the books can't be written.
    pub fn notify(&self, event: &Event) -> io::Result<()> {
        self.inner.work(|desk| desk.notify(event, Duration::ZERO))
    }

    /// Ends a pending payment. Gives whether there is one.
    ///
    /// # Errors
    /// When the books can't be written.
    pub fn resolve_pending(&self, psp_reference: &str, approved: bool) -> io::Result<bool> {
        self.inner.work(|desk| {
            let pending = desk
                .books
                .payment(psp_reference)
                .filter(|payment| payment.state == crate::State::Pending)
                .cloned();
            let found = pending.is_some();
            if let Some(payment) = pending {
                payments::resolve(desk, payment, approved);
            }
            found
        })
    }

    /// Makes charges of that token be refused with code 50. Gives whether there is one.
    ///
    /// # Errors
    /// When the books can't be written.
    pub fn revoke_token(&self, id: &str) -> io::Result<bool> {
        self.inner.work(|desk| {
            let token = desk.books.tokens.get(id).cloned();
            let found = token.is_some();
            if let Some(mut token) = token {
                token.state = TokenState::Revoked;
                desk.save_token(token);
            }
            found
        })
    }

    /// Makes charges of that token be errors, and sends recurring.token.disabled. Gives
    /// whether there is one.
    ///
    /// # Errors
    /// When the books can't be written.
    pub fn disable_token(&self, id: &str) -> io::Result<bool> {
        self.inner.work(|desk| {
            let token = desk.books.tokens.get(id).cloned();
            let found = token.is_some();
            if let Some(token) = token {
                recurring::disable(desk, token);
            }
            found
        })
    }
}

impl Drop for Simulator {
    fn drop(&mut self) {
        self.server.abort();
        self.outbox.abort();
    }
}

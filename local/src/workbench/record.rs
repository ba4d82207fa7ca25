//! The record of what happened, in memory and of limited size.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use serde_json::{Value, json};
use shared::domain::order::Order;
use simulator_http::{Exchange, Watch};
use tokio::sync::broadcast;

use super::entry::{Entry, Source, Written};
use super::explain;
use crate::call::Call;

/// The most entries, and the most bytes, that are kept.
const ENTRIES: usize = 5000;
const BYTES: usize = 64 * 1024 * 1024;

/// The most orders of which the last version is kept, to compare the next one with it.
const ORDERS: usize = 1000;

#[derive(Default)]
struct Kept {
    entries: VecDeque<Arc<Entry>>,
    bytes: usize,
    last: u64,
    orders: HashMap<String, Arc<Order>>,
    /// Tells the listeners what is new; none after the end.
    news: Option<broadcast::Sender<Arc<Entry>>>,
}

/// Shared by those who record and those who read.
#[derive(Clone)]
pub struct Record(Arc<Mutex<Kept>>);

impl Default for Record {
    fn default() -> Self {
        let news = Some(broadcast::Sender::new(1024));
        Self(Arc::new(Mutex::new(Kept { news, ..Kept::default() })))
    }
}

impl Record {
    fn kept(&self) -> MutexGuard<'_, Kept> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub fn call(&self, call: &Call) {
        let mut entry = Entry::of_call(call);
        if let Some(problem) = &mut entry.problem {
            problem.said = self.said(&call.id);
        }
        self.add(entry);
    }

    /// The last problem that Adyen or Amazon Pay reported in the course of a request.
    fn said(&self, trace: &str) -> Option<String> {
        let kept = self.kept();
        let mut calls = kept.entries.iter().rev().filter(|entry| {
            entry.trace.as_deref() == Some(trace)
                && matches!(entry.source, Source::Adyen | Source::AmazonPay)
        });
        let problem = calls.find_map(|entry| entry.problem.clone())?;
        Some(match problem.detail {
            Some(detail) => format!("{}: {detail}", problem.code),
            None => problem.code,
        })
    }

    /// A watcher that records a simulator's calls. Calls of DynamoDB need
    /// [`dynamodb`](Self::dynamodb).
    pub fn watch(&self, source: Source) -> Watch {
        let record = self.clone();
        Arc::new(move |exchange| {
            // Only copies of webhooks are sent to a whole URL.
            let source = match exchange.request.path.starts_with("http") {
                true => Source::WebhookCopy,
                false => source,
            };
            record.add(Entry::of_exchange(source, &exchange));
        })
    }

    pub fn dynamodb(&self) -> Watch {
        let record = self.clone();
        Arc::new(move |exchange| record.add_dynamodb(&exchange))
    }

    fn add_dynamodb(&self, exchange: &Exchange) {
        let mut entry = Entry::of_dynamodb(exchange);
        // A transaction writes one order.
        if let Some(order) = Entry::orders(exchange).pop() {
            let order = Arc::new(order);
            let reference = order.reference.to_string();
            let before = {
                let mut kept = self.kept();
                if kept.orders.len() >= ORDERS {
                    kept.orders.clear();
                }
                kept.orders.insert(reference, order.clone())
            };
            entry.psp_references.extend(explain::psp_references(&order));
            entry.written = Some(Written {
                changes: explain::changes(before.as_deref(), &order),
                explanation: Arc::new(explain::explanation(&order)),
            });
        }
        self.add(entry);
    }

    fn add(&self, mut entry: Entry) {
        let size = entry.size();
        let mut kept = self.kept();
        kept.last += 1;
        entry.id = kept.last;
        let entry = Arc::new(entry);
        kept.bytes += size;
        kept.entries.push_back(entry.clone());
        while kept.entries.len() > ENTRIES || kept.bytes > BYTES {
            let Some(oldest) = kept.entries.pop_front() else { break };
            kept.bytes = kept.bytes.saturating_sub(oldest.size());
        }
        if let Some(news) = &kept.news {
            // Nobody may be listening.
            drop(news.send(entry));
        }
    }

    pub fn get(&self, id: u64) -> Option<Arc<Entry>> {
        self.kept().entries.iter().find(|entry| entry.id == id).cloned()
    }

    /// The entries that fit, the newest first.
    pub fn newest(&self, most: usize, fits: impl Fn(&Entry) -> bool) -> Vec<Arc<Entry>> {
        let kept = self.kept();
        kept.entries.iter().rev().filter(|entry| fits(entry)).take(most).cloned().collect()
    }

    /// The entries about an order, oldest first.
    pub fn timeline(&self, reference: &str, psp_references: &[String]) -> Vec<Arc<Entry>> {
        let kept = self.kept();
        let is_about = |entry: &Entry| {
            entry.references.contains(reference)
                || psp_references.iter().any(|named| entry.psp_references.contains(named))
        };
        let traces: Vec<&str> = kept
            .entries
            .iter()
            // A scheduled run is about many orders.
            .filter(|entry| is_about(entry))
            .filter_map(|entry| entry.trace.as_deref())
            .collect();
        let in_course =
            |entry: &Entry| entry.trace.as_deref().is_some_and(|trace| traces.contains(&trace));
        let mut entries: Vec<_> = kept
            .entries
            .iter()
            .filter(|entry| is_about(entry) || in_course(entry))
            .cloned()
            .collect();
        entries.sort_by_key(|entry| (entry.at, entry.id));
        entries
    }

    /// Listens for new entries until the end.
    pub fn listen(&self) -> Option<broadcast::Receiver<Arc<Entry>>> {
        self.kept().news.as_ref().map(broadcast::Sender::subscribe)
    }

    /// Ends all listening, so that no connection outlives the bundle.
    pub fn end(&self) {
        drop(self.kept().news.take());
    }

    /// The news of an entry, without its content.
    pub fn headline(entry: &Entry) -> Value {
        json!({
            "id": entry.id,
            "source": entry.source,
            "references": entry.references,
            "pspReferences": entry.psp_references,
        })
    }
}

//! Every time-out, retry and size.
//!
//! The assertions at the end hold the relations that make them safe. A test compares them with
//! template.yaml.

use std::{num::NonZeroUsize, time::Duration};

use jiff::SignedDuration;

/// The policy for repeating a failed call with the same content and key. The pause before a retry
/// is random, between half of a limit and the limit. The limit starts at `first_pause` and doubles
/// up to `longest_pause`. Every call has a deadline too.
#[derive(Debug, Clone, Copy)]
pub struct Retry {
    pub tries: u32,
    pub first_pause: Duration,
    pub longest_pause: Duration,
}

// Lambda

/// `Timeout` of the functions behind API Gateway, which itself waits 30 seconds.
pub const API_FUNCTION: Duration = Duration::from_secs(30);

/// `Timeout` of the webhooks function.
pub const WEBHOOKS_FUNCTION: Duration = Duration::from_secs(10);

/// `Timeout` of the recover function.
pub const RECOVER_FUNCTION: Duration = Duration::from_secs(300);

/// The end of an invocation that is reserved for its log line and metrics.
pub const LAST_LINES: Duration = Duration::from_secs(1);

/// A storefront's request is answered within this time.
pub const ANSWER: Duration = Duration::from_secs(25);

/// A webhook is stored within this time, or answered with an error so that Adyen sends it again.
pub const STORE_WEBHOOK: Duration = Duration::from_secs(8);

/// Adyen waits this long for the answer to a webhook.
pub const ADYEN_WAITS: Duration = Duration::from_secs(10);

/// The end of a scheduled run in which no order is begun.
pub const RECOVER_RESERVE: Duration = Duration::from_secs(30);

/// A scheduled run spends at most this long on Adyen's answer about one order.
pub const RECOVER_CALL: Duration = Duration::from_secs(20);

/// The end of an erasure in which nothing more is begun, so that what was begun is finished in time.
pub const ERASE_RESERVE: Duration = Duration::from_secs(5);

/// This many orders of a shopper are read or erased concurrently.
pub const SHOPPER_AT_ONCE: usize = 8;

/// A scheduled run looks at this many orders concurrently.
pub const RECOVER_AT_ONCE: usize = 8;

// Calls

/// A TCP and TLS connection is established within this time.
pub const CONNECT: Duration = Duration::from_secs(3);

/// The same before the first request, during the function's start.
pub const CONNECT_AT_START: Duration = Duration::from_secs(2);

/// One try of a call to Adyen. Adyen needs seconds if an issuer is slow.
pub const ADYEN_TRY: Duration = Duration::from_secs(12);

/// Only errors that Adyen allows to be retried are.
pub const ADYEN_RETRY: Retry = Retry {
    tries: u32::MAX,
    first_pause: Duration::from_millis(200),
    longest_pause: Duration::from_secs(3),
};

/// One try of a call to Amazon Pay.
pub const AMAZON_PAY_TRY: Duration = Duration::from_secs(5);

pub const AMAZON_PAY_RETRY: Retry = Retry {
    tries: 3,
    first_pause: Duration::from_millis(300),
    longest_pause: Duration::from_secs(3),
};

/// One try of a call to AWS. DynamoDB answers in milliseconds, so a longer call has a dead
/// connection.
pub const AWS_TRY: Duration = Duration::from_secs(3);

/// The AWS SDK retries within this policy by itself.
pub const AWS_RETRY: Retry = Retry {
    tries: 3,
    first_pause: Duration::from_millis(50),
    longest_pause: Duration::from_secs(1),
};

/// Throttled requests and conflicting writes of one item are retried until the caller's deadline.
pub const STORE_RETRY: Retry = Retry {
    tries: u32::MAX,
    first_pause: Duration::from_millis(10),
    longest_pause: Duration::from_millis(250),
};

/// The deadline of [`STORE_RETRY`] for a caller without its own.
pub const STORE_CONTENTION: Duration = Duration::from_secs(8);

/// [`STORE_RETRY`] lasts at least this long even if the caller's deadline has passed, because a
/// late answer of Adyen must still be stored.
pub const STORE_AT_LEAST: Duration = Duration::from_secs(2);

/// A copy of a managed secret is used for this long before it is fetched again.
pub const SECRET_LIFE: Duration = Duration::from_secs(300);

/// A request waits this long for a secret to be fetched again, and then uses its old copy. Secrets
/// Manager answers in tens of milliseconds.
pub const SECRET_REFRESH: Duration = Duration::from_secs(2);

/// After a failed login no secret is fetched for this long, so that guessed keys do not cause
/// calls.
pub const SECRET_REFETCH: Duration = Duration::from_secs(5);

// Payment methods

/// Adyen's list of payment methods is answered again for this long.
pub const LIST_FRESH: SignedDuration = SignedDuration::from_mins(1);

/// The same while Adyen does not answer.
pub const LIST_STALE: SignedDuration = SignedDuration::from_mins(10);

/// A lookup waits this long for Adyen if it has a list that is at most [`LIST_STALE`].
pub const LIST_WAIT: Duration = Duration::from_secs(3);

/// After Adyen did not answer, such lookups do not ask it for this long.
pub const LIST_PAUSE: SignedDuration = SignedDuration::from_secs(10);

// Payments

/// A request to Adyen without an answer may still be processed for this long.
pub const IN_FLIGHT: SignedDuration = SignedDuration::from_secs(30);

/// Adyen keeps an idempotency key for this long, and would process it anew afterwards.
pub const ADYEN_KEY_LIFE: SignedDuration = SignedDuration::from_hours(7 * 24);

/// An idempotency key is used for this long.
pub const KEY_LIFE: SignedDuration = SignedDuration::from_hours(6 * 24);

/// `Retry-After` of a payment that is pending at Adyen.
pub const PENDING_RETRY: Duration = Duration::from_secs(60);

/// An attempt waits this long for its shopper, because Adyen's offers and Amazon Pay's sessions
/// expire within 24 hours.
pub const SHOPPER: SignedDuration = SignedDuration::from_hours(25);

/// An AUTHORISATION arrives this long after the answer `Authorised`, or needs attention.
pub const AUTHORISATION: SignedDuration = SignedDuration::from_hours(1);

/// A failed refund or capture that fits no request needs attention after this time.
pub const UNMATCHED_FAILURE: SignedDuration = SignedDuration::from_mins(10);

/// An event may be dated this long after its receipt, because clocks differ.
pub const EVENT_AHEAD: SignedDuration = SignedDuration::from_hours(24);

/// Adyen's list of stored payment methods may lag behind its webhooks by this much.
pub const TOKEN_LIST_LAG: SignedDuration = SignedDuration::from_hours(1);

/// Adyen decides a refund or a reversal within this many days, or it needs attention. A
/// deployment may set another number.
pub const REFUND_DAYS: u16 = 10;

/// The same for a capture or a cancel.
pub const CAPTURE_DAYS: u16 = 3;

/// The first interval between fruitless looks at an order. It doubles each time.
pub const FIRST_LOOK: SignedDuration = SignedDuration::from_mins(5);

/// The longest interval between looks.
pub const LAST_LOOK: SignedDuration = SignedDuration::from_hours(6);

/// The interval to the next look at an order that cannot be read.
pub const LOOK_AFTER_UNREADABLE: SignedDuration = SignedDuration::from_hours(1);

/// The interval to the next look at an order after any other failure.
pub const LOOK_AFTER_FAILURE: SignedDuration = SignedDuration::from_mins(5);

/// Parked and foreign events expire after this time.
pub const EVENT_KEPT: SignedDuration = SignedDuration::from_hours(90 * 24);

// Callers

/// The longest life of a checkout token, in seconds.
pub const CHECKOUT_TOKEN_LIFE: i64 = 24 * 60 * 60;

/// The longest life of a merchant token, in seconds.
pub const MERCHANT_TOKEN_LIFE: i64 = 15 * 60;

/// A token may be issued this many seconds in the future, because clocks differ.
pub const CLOCK_SKEW: i64 = 60;

// Sizes, in bytes

/// DynamoDB limits an item to this size.
pub const ITEM: usize = 400 * 1024;

/// The body of a storefront's request.
pub const BODY: usize = 256 * 1024;

/// A webhook's body. Adyen's have a few kilobytes.
pub const WEBHOOK_BODY: usize = 256 * 1024;

/// A payment method that is passed on to Adyen.
pub const PAYMENT_METHOD: usize = 100 * 1024;

/// The levels of nesting in such a payment method.
pub const PAYMENT_METHOD_DEPTH: usize = 5;

/// A longer list of payment methods is not kept.
pub const LIST: usize = 64 * 1024;

/// The charge of a stored payment method, which is stored with the order.
pub const CHARGE: usize = 16 * 1024;

/// An order whose JSON is larger accepts no further requests, so that there is always room for
/// Adyen's answers and webhooks.
pub const ORDER: usize = 150 * 1024;

/// A stored text that only people read is truncated.
pub const TEXT: usize = 128;

/// The characters of a person's note.
pub const NOTE: usize = 256;

/// A text that identifies an event. Adyen's have 16 characters.
pub const EVENT_TEXT: usize = 64;

/// A text in an event of a stored payment method. Adyen's have 16 characters and a few more.
pub const TOKEN_EVENT_TEXT: usize = 256;

/// A page of an export ends when its orders are larger. Lambda's response has at most 6 MB.
pub const EXPORT: usize = 3 * 1024 * 1024;

/// DynamoDB limits a key to this size.
pub const KEY: usize = 2048;

/// A part of a dead letter's key.
pub const KEY_PART: usize = 256;

// Numbers

/// The attempts of an order.
pub const ATTEMPTS: usize = 100;

/// The requests to pay of an attempt.
pub const SUBMISSIONS: usize = 20;

/// The details of an attempt.
pub const DETAILS: usize = 20;

/// The modifications of an order.
pub const MODIFICATIONS: usize = 200;

/// The events of an order that change nothing.
pub const INERT_EVENTS: usize = 100;

/// The events of a stored payment method that do not end it.
pub const TRANSIENT_EVENTS: usize = 100;

/// The lists of payment methods that a process keeps, one for each country, amount, channel and
/// locale.
pub const LISTS: NonZeroUsize = NonZeroUsize::MIN.saturating_add(255);

/// The items of the index that are read at once and held in memory.
pub const PAGE: i32 = 25;

/// The shards of each list. Each takes 1,000 writes per second, and each is read for every page.
/// The number may grow: orders stay in their shard until they are written again.
pub const LIST_SHARDS: u64 = 4;

/// The shards that are read concurrently.
pub const LIST_AT_ONCE: usize = 16;

/// The pointers in a transaction: DynamoDB allows 100 items, and one is the order.
pub const POINTERS: usize = 99;

/// CloudWatch accepts this many values of one metric in a log line.
pub const METRIC_VALUES: usize = 100;

// Adyen's answer is stored before the function is stopped.
const _: () = assert!(
    ANSWER.as_millis() + STORE_AT_LEAST.as_millis() + LAST_LINES.as_millis()
        <= API_FUNCTION.as_millis()
);
// A call to Adyen can be retried once within a storefront's request.
const _: () = assert!(2 * ADYEN_TRY.as_millis() < ANSWER.as_millis());
// A call that is not in flight any more cannot be answered either.
const _: () = assert!(IN_FLIGHT.as_secs() as u64 >= API_FUNCTION.as_secs());
// Adyen gets its answer while it waits, and AWS can be retried before.
const _: () = assert!(STORE_WEBHOOK.as_millis() < ADYEN_WAITS.as_millis());
const _: () = assert!(STORE_CONTENTION.as_millis() <= STORE_WEBHOOK.as_millis());
const _: () = assert!(2 * AWS_TRY.as_millis() < STORE_WEBHOOK.as_millis());
const _: () =
    assert!(STORE_WEBHOOK.as_millis() + LAST_LINES.as_millis() <= WEBHOOKS_FUNCTION.as_millis());
// An order that a scheduled run has begun is finished within the run.
const _: () =
    assert!(RECOVER_CALL.as_millis() + STORE_CONTENTION.as_millis() < RECOVER_RESERVE.as_millis());
const _: () = assert!(ADYEN_TRY.as_millis() < RECOVER_CALL.as_millis());
// A key is never used when Adyen may have forgotten it.
const _: () = assert!(KEY_LIFE.as_secs() < ADYEN_KEY_LIFE.as_secs());
// A shopper whose token is still valid is not abandoned.
const _: () = assert!(CHECKOUT_TOKEN_LIFE < SHOPPER.as_secs());
// A full order still has room for everything that may follow.
const _: () = assert!(2 * ORDER + CHARGE < ITEM);

//! The actions of a person: modify an order, let the world outside act, fail a call, set the clock.

use std::time::Duration;

use adyen_simulator::{Fault, FaultOn, PaymentState, coded};
use axum::Json;
use axum::extract::State;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde::Deserialize;
use serde_json::{Value, json};
use shared::clock;
use shared::http::jwt::{Caller, Merchant};

use super::webhooks::Written;
use super::{Answer, Bench, Refusal, Shared, mask};
use crate::token::{self, MERCHANT_LIFE};

/// The characters to encode in a segment of a path.
const SEGMENT: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// Longer than any function waits for an answer.
const TOO_LATE: Duration = Duration::from_secs(60);

/// Slow, but in time.
const SLOW: Duration = Duration::from_secs(3);

/// The most by which the clock is set forward at once.
const FURTHEST: Duration = Duration::from_secs(400 * 24 * 60 * 60);

#[derive(Deserialize)]
#[serde(tag = "action", rename_all = "camelCase", deny_unknown_fields)]
pub(super) enum Act {
    /// Captures, cancels, refunds or reverses through the API.
    Modify {
        reference: String,
        operation: Operation,
        /// Minor units; the whole open amount without it.
        value: Option<i64>,
    },
    /// The shopper's bank takes the money back.
    ChargeBack {
        reference: String,
    },
    /// The authorisation expires.
    Expire {
        reference: String,
    },
    /// The offer of a payment closes.
    CloseOffer {
        reference: String,
    },
    /// The shopper pays a voucher, a transfer, or whatever else is pending at Adyen.
    Pay {
        reference: String,
        #[serde(default = "yes")]
        approved: bool,
    },
    FailNext {
        target: Called,
        how: Failure,
        /// The end of the path, such as `/payments`.
        path: Option<String>,
    },
    Advance {
        /// Such as `90s`, `15m`, `2h` or `6d`.
        by: String,
    },
    Recover {},
}

fn yes() -> bool {
    true
}

#[derive(Clone, Copy, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) enum Operation {
    Capture,
    Cancel,
    Refund,
    Reversal,
}

#[derive(Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) enum Called {
    Adyen,
    AmazonPay,
}

#[derive(Clone, Copy, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) enum Failure {
    /// Processed, but answered too late.
    TimeOut,
    /// Cut before it is processed.
    CutBefore,
    /// Cut after it was processed.
    CutAfter,
    /// A proxy's page with status 500; not processed.
    Error500,
    /// 503 with `transient-error: true`; not processed.
    Transient503,
    /// Processed, and answered after three seconds.
    Slow,
}

pub(super) async fn act(State(bench): Shared, Json(act): Json<Act>) -> Answer {
    match act {
        Act::Modify { reference, operation, value } => {
            bench.modify(&reference, operation, value).await
        }
        Act::ChargeBack { reference } => bench.report("CHARGEBACK", reference).await,
        Act::Expire { reference } => bench.report("EXPIRE", reference).await,
        Act::CloseOffer { reference } => bench.report("OFFER_CLOSED", reference).await,
        Act::Pay { reference, approved } => bench.pay(&reference, approved),
        Act::FailNext { target, how, path } => bench.fail_next(target, how, path),
        Act::Advance { by } => bench.advance(&by),
        Act::Recover {} => {
            let until = tokio::time::Instant::now() + crate::bundle::SCHEDULED;
            let report = recover::recover(&bench.recover, until).await;
            report.map(|report| Json(json!(report))).map_err(Refusal::internal)
        }
    }
}

impl Bench {
    async fn modify(&self, reference: &str, operation: Operation, value: Option<i64>) -> Answer {
        let route = match operation {
            Operation::Capture => "captures",
            Operation::Cancel => "cancels",
            Operation::Refund => "refunds",
            Operation::Reversal => "reversals",
        };
        let order = super::tables::order(&self.database, reference).map_err(Refusal::internal)?;
        let (order, _) = order.ok_or_else(|| Refusal::missing("order"))?;
        let body = match value {
            Some(value) => {
                json!({"amount": {"currency": order.amount.currency.code(), "value": value}})
            }
            None => json!({}),
        };
        let caller = Caller::Merchant(Merchant { sub: Some("workbench".to_owned()) });
        let token =
            token::mint(&caller, &self.merchant_key, MERCHANT_LIFE).map_err(Refusal::internal)?;
        let http = shared::platform::http_client::build(None).map_err(Refusal::internal)?;
        let encoded = utf8_percent_encode(reference, SEGMENT);
        let request = http
            .post(format!("{}/orders/{encoded}/{route}", self.url))
            .bearer_auth(token)
            .header("Idempotency-Key", format!("workbench-{:016x}", fastrand::u64(..)))
            .json(&body);
        let answer = request.send().await.map_err(Refusal::internal)?;
        let status = answer.status().as_u16();
        let body = answer.bytes().await.map_err(Refusal::internal)?;
        Ok(Json(json!({"status": status, "body": mask::body(&body)})))
    }

    /// Reports an event of an order, as if it had happened outside.
    async fn report(&self, event: &str, reference: String) -> Answer {
        let written = Written { event: event.to_owned(), reference, ..Written::default() };
        let event = self.event(written)?;
        self.notify(&event).await
    }

    fn pay(&self, reference: &str, approved: bool) -> Answer {
        let adyen = self.adyen()?;
        let pending = adyen.with_books(|books| {
            let payments = books.payments_of(reference).into_iter().rev();
            let mut pending = payments.filter(|payment| payment.state == PaymentState::Pending);
            pending.next().map(|payment| payment.psp_reference.clone())
        });
        let pending =
            pending.ok_or_else(|| Refusal::new("No payment of this order is pending at Adyen."))?;
        adyen.resolve_pending(&pending, approved).map_err(Refusal::internal)?;
        Ok(Json(json!({"pspReference": pending, "approved": approved})))
    }

    fn fail_next(&self, target: Called, how: Failure, path: Option<String>) -> Answer {
        let fault = match how {
            Failure::TimeOut => Fault::AnswerLate(TOO_LATE),
            Failure::CutBefore => Fault::DropBefore,
            Failure::CutAfter => Fault::DropAfter,
            Failure::Error500 => Fault::status(500),
            Failure::Transient503 if target == Called::Adyen => Fault::Instead(coded("703")),
            Failure::Transient503 => Fault::status(503),
            Failure::Slow => Fault::AnswerLate(SLOW),
        };
        let name = fault.name();
        let fault = FaultOn { path: path.filter(|path| !path.is_empty()), fault };
        match target {
            Called::Adyen => self.adyen()?.inject(fault),
            Called::AmazonPay => {
                let amazon = self.amazon.as_ref();
                let amazon = amazon.ok_or_else(|| Refusal::new("Amazon Pay is not simulated."))?;
                amazon.inject(fault);
            }
        }
        Ok(Json(json!({"nextCall": name})))
    }

    fn advance(&self, by: &str) -> Answer {
        let by = token::life(by).map_err(|error| Refusal::new(format!("by: {error}")))?;
        if by > FURTHEST {
            return Err(Refusal::new("by: at most 400 days at once"));
        }
        clock::advance(by);
        if let Some(adyen) = &self.adyen {
            adyen.clock_was_set();
        }
        let ahead: Value = clock::ahead().as_secs().into();
        Ok(Json(json!({"now": clock::now(), "aheadSeconds": ahead})))
    }

    fn adyen(&self) -> Result<&adyen_simulator::Simulator, Refusal> {
        let adyen = self.adyen.as_deref();
        adyen.ok_or_else(|| Refusal::new("This is possible with the simulator of Adyen only."))
    }
}

//! The answers to a payment and to a query of an order, with the fields that the caller may see.

use jiff::Timestamp;
use serde::Serialize;
use serde_json::value::RawValue;

use crate::domain::order::{
    AdyenEvent, Attempt, AttemptStatus, Attention, Derived, EventAmount, ModificationState,
    NextStep, Operation, Order, Outcome, PaymentInstrument, Rejection, Status,
};
use crate::{
    adyen::payments::RequiredAction,
    domain::{
        amount::Amount, event_code::EventCode, reference::Reference, result_code::ResultCode,
    },
};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Viewer {
    /// A browser. Its answers omit fields that only the merchant may see.
    Shopper,
    Merchant,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct PaymentAnswer<'a> {
    reference: &'a Reference,
    status: Status,
    attempt: usize,
    #[serde(skip_serializing_if = "Option::is_none")]
    psp_reference: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    result_code: Option<ResultCode>,
    #[serde(skip_serializing_if = "Option::is_none")]
    action: Option<&'a RawValue>,
    pub next_step: NextStep,
    message: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    refusal_reason: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    refusal_reason_code: Option<&'a str>,
    /// Adyen's rejection, if it ended the attempt.
    #[serde(skip)]
    pub rejection: Option<&'a Rejection>,
}

impl<'a> PaymentAnswer<'a> {
    /// Describes an attempt, counted from 1. `action` is the one that Adyen has just returned.
    pub fn new(
        order: &'a Order,
        attempt: usize,
        action: Option<&'a RequiredAction>,
        viewer: Viewer,
    ) -> Self {
        let derived = Derived::of(order);
        let facts = attempt
            .checked_sub(1)
            .and_then(|at| Some((order.attempts.get(at)?, derived.attempts.get(at)?)));
        let (refusal_reason, refusal_reason_code) =
            match facts.and_then(|(attempt, _)| attempt.outcome()) {
                Some(Outcome::Answered { refusal_reason, refusal_reason_code, .. })
                    if viewer == Viewer::Merchant =>
                {
                    (refusal_reason.as_deref(), refusal_reason_code.as_deref())
                }
                _ => (None, None),
            };
        let waits_for_shopper =
            facts.is_some_and(|(_, resolution)| resolution.status.requires_action());
        // Adyen replays its first answer to a repeated request, so it may be out of date.
        let action = action.filter(|_| waits_for_shopper);
        let next_step = match derived.next_step {
            // The action is not stored, so only the answer that has it can ask to handle it.
            NextStep::HandleAction if action.is_none() => NextStep::Wait,
            // The previous details call was never answered, and Adyen has now returned the action
            // again.
            NextStep::Wait if action.is_some() => NextStep::HandleAction,
            next_step => next_step,
        };
        let result_code = action.map(|action| action.result_code.clone()).or_else(|| {
            facts.and_then(|(attempt, resolution)| attempt.result_code_if(resolution.status))
        });
        let rejection = match facts {
            Some((attempt, resolution)) if resolution.status == AttemptStatus::Error => {
                match attempt.outcome() {
                    Some(Outcome::Rejected(rejection)) => Some(rejection),
                    _ => None,
                }
            }
            _ => None,
        };
        Self {
            reference: &order.reference,
            status: derived.status,
            attempt,
            psp_reference: facts.and_then(|(_, resolution)| resolution.psp_reference.clone()),
            result_code,
            action: action.map(|required| &*required.action),
            next_step,
            message: next_step.message(derived.status),
            refusal_reason,
            refusal_reason_code,
            rejection,
        }
    }
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct OrderAnswer<'a> {
    reference: &'a Reference,
    status: Status,
    confirmed: bool,
    amount: Amount,
    authorised_amount: MinorUnits<'a>,
    captured_amount: MinorUnits<'a>,
    refunded_amount: MinorUnits<'a>,
    attempt: usize,
    #[serde(skip_serializing_if = "Option::is_none")]
    psp_reference: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    result_code: Option<ResultCode>,
    next_step: NextStep,
    message: &'static str,
    created_at: Timestamp,
    updated_at: Timestamp,
    needs_attention: Vec<Attention>,
    /// The reasons that no longer need attention.
    #[serde(skip_serializing_if = "Option::is_none")]
    acknowledged: Option<Vec<AcknowledgementAnswer<'a>>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    shopper_reference: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    erased_at: Option<Timestamp>,
    #[serde(skip_serializing_if = "Option::is_none")]
    capturable_amount: Option<MinorUnits<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    refundable_amount: Option<MinorUnits<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    attempts: Option<Vec<AttemptAnswer<'a>>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    modifications: Option<Vec<ModificationAnswer<'a>>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    events: Option<Vec<EventAnswer<'a>>>,
}

#[derive(Debug, Serialize)]
struct AcknowledgementAnswer<'a> {
    reason: Attention,
    note: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    by: Option<&'a str>,
    at: Timestamp,
}

/// An amount that may be zero.
#[derive(Debug, Serialize)]
struct MinorUnits<'a> {
    currency: &'a str,
    value: i64,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct ModificationAnswer<'a> {
    operation: Operation,
    payment_psp_reference: &'a str,
    amount: MinorUnits<'a>,
    requested_at: Timestamp,
    state: ModificationState,
    #[serde(skip_serializing_if = "Option::is_none")]
    psp_reference: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    error_code: Option<&'a str>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct AttemptAnswer<'a> {
    attempt: usize,
    started_at: Timestamp,
    payment_method: PaymentInstrument,
    #[serde(skip_serializing_if = "Option::is_none")]
    psp_reference: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    result_code: Option<&'a ResultCode>,
    #[serde(skip_serializing_if = "Option::is_none")]
    refusal_reason: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    refusal_reason_code: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    error_code: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    abandoned_at: Option<Timestamp>,
    #[serde(skip_serializing_if = "Option::is_none")]
    closed: Option<ClosingAnswer<'a>>,
}

#[derive(Debug, Serialize)]
struct ClosingAnswer<'a> {
    reason: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    by: Option<&'a str>,
    at: Timestamp,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct EventAnswer<'a> {
    event_date: Timestamp,
    received_at: Timestamp,
    event_code: &'a EventCode,
    psp_reference: &'a str,
    success: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    original_reference: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    amount: Option<&'a EventAmount>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    modification_action: Option<&'a str>,
}

impl<'a> OrderAnswer<'a> {
    pub fn new(order: &'a Order, viewer: Viewer) -> Self {
        let derived = Derived::of(order);
        let merchant = viewer == Viewer::Merchant;
        let open = (derived.open_to_capture(), derived.open_to_refund());
        let money = |value| MinorUnits { currency: order.amount.currency.code(), value };
        let modifications =
            order.modifications.iter().zip(derived.modifications).map(|(modification, state)| {
                ModificationAnswer {
                    operation: modification.operation.clone(),
                    payment_psp_reference: &modification.payment,
                    amount: money(modification.value),
                    requested_at: modification.requested_at,
                    state,
                    psp_reference: modification.psp_reference.as_deref(),
                    error_code: modification
                        .rejection
                        .as_ref()
                        .map(|rejection| rejection.error_code.as_str()),
                }
            });
        let attempts = order
            .attempts
            .iter()
            .zip(derived.attempts)
            .enumerate()
            .map(|(at, (attempt, resolution))| {
                AttemptAnswer::new(at + 1, attempt, resolution.psp_reference)
            })
            .collect();
        let acknowledged = derived.acknowledged.into_iter().filter_map(|reason| {
            let note = &order.acknowledged.get(reason.code())?.note;
            Some(AcknowledgementAnswer {
                reason,
                note: &note.text,
                by: note.by.as_deref(),
                at: note.at,
            })
        });
        let acknowledged = acknowledged.collect();
        Self {
            reference: &order.reference,
            status: derived.status,
            confirmed: derived.confirmed,
            amount: *order.amount,
            authorised_amount: money(derived.authorised),
            captured_amount: money(derived.captured),
            refunded_amount: money(derived.refunded),
            attempt: derived.attempt,
            psp_reference: derived.psp_reference,
            result_code: derived.result_code,
            next_step: derived.next_step,
            message: derived.next_step.message(derived.status),
            created_at: order.created_at,
            updated_at: order.updated_at,
            needs_attention: derived
                .needs_attention
                .into_iter()
                .map(|reason| match reason {
                    // The other orders may belong to another shopper, so omit their references.
                    Attention::PaymentOfAnotherOrder(_) if !merchant => {
                        Attention::PaymentOfAnotherOrder(Vec::new())
                    }
                    reason => reason,
                })
                .collect(),
            acknowledged: merchant.then_some(acknowledged),
            shopper_reference: order.shopper_reference.as_deref().filter(|_| merchant),
            erased_at: order.erased_at.filter(|_| merchant),
            capturable_amount: merchant.then(|| money(open.0)),
            refundable_amount: merchant.then(|| money(open.1)),
            attempts: merchant.then_some(attempts),
            modifications: merchant.then(|| modifications.collect()),
            events: merchant.then(|| EventAnswer::all(&order.events)),
        }
    }
}

impl<'a> EventAnswer<'a> {
    /// The events of an order, sorted by their date and then by their arrival.
    fn all(events: &'a [AdyenEvent]) -> Vec<Self> {
        let mut events: Vec<Self> = events.iter().map(Self::new).collect();
        // The sort is stable, so that events with the same times keep the stored sequence.
        events.sort_by_key(|event| (event.event_date, event.received_at));
        events
    }

    fn new(event: &'a AdyenEvent) -> Self {
        Self {
            event_date: event.date(),
            received_at: event.received_at,
            event_code: &event.event_code,
            psp_reference: &event.psp_reference,
            success: event.success,
            original_reference: event.original_reference.as_deref(),
            amount: event.amount.as_ref(),
            reason: event.reason.as_deref(),
            modification_action: event.modification_action.as_deref(),
        }
    }
}

impl<'a> AttemptAnswer<'a> {
    fn new(number: usize, attempt: &'a Attempt, psp_reference: Option<String>) -> Self {
        let mut answer = Self {
            attempt: number,
            started_at: attempt.started_at,
            payment_method: attempt.payment_method.clone(),
            psp_reference,
            result_code: None,
            refusal_reason: None,
            refusal_reason_code: None,
            error_code: None,
            abandoned_at: attempt.abandoned_at,
            closed: attempt.closed.as_ref().map(|closed| ClosingAnswer {
                reason: &closed.text,
                by: closed.by.as_deref(),
                at: closed.at,
            }),
        };
        match attempt.outcome() {
            Some(Outcome::Answered {
                result_code, refusal_reason, refusal_reason_code, ..
            }) => {
                answer.result_code = Some(result_code);
                answer.refusal_reason = refusal_reason.as_deref();
                answer.refusal_reason_code = refusal_reason_code.as_deref();
            }
            Some(Outcome::Rejected(rejection)) => answer.error_code = Some(&rejection.error_code),
            Some(Outcome::Unknown(_)) | None => {}
        }
        answer
    }
}

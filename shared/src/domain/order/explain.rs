//! Explains a status: the rule that decided it, and the facts that counted.
//!
//! The derivation itself reports to a [`Witness`], so that an explanation cannot differ from the
//! status. Functions derive without one, which compiles to nothing.

use super::{AdyenEvent, AttemptStatus, Derived, Order, Status, reports::Reports};

/// Observes a derivation.
pub(super) trait Witness {
    fn rule(&mut self, _rule: Rule) {}
    fn attempt(&mut self, _at: usize, _cause: Cause) {}
    fn event(&mut self, _event: &AdyenEvent, _effect: Effect) {}
}

/// Nobody observes.
impl Witness for () {}

/// A row of the list of statuses in `derive.rs`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rule {
    ChargedBack,
    RefundsStand,
    CaptureStands,
    PaymentStands,
    AttemptUnresolved,
    PaymentEnded,
    AttemptEnded,
    NoAttempt,
}

impl Rule {
    pub const ALL: [Self; 8] = [
        Self::ChargedBack,
        Self::RefundsStand,
        Self::CaptureStands,
        Self::PaymentStands,
        Self::AttemptUnresolved,
        Self::PaymentEnded,
        Self::AttemptEnded,
        Self::NoAttempt,
    ];

    /// Returns its number in the list.
    pub fn number(self) -> usize {
        self as usize + 1
    }

    /// Returns its text in the list.
    pub fn text(self) -> &'static str {
        match self {
            Self::ChargedBack => "a payment is charged back",
            Self::RefundsStand => "refunds stand",
            Self::CaptureStands => "a capture stands",
            Self::PaymentStands => "a payment stands",
            Self::AttemptUnresolved => "the highest attempt is unresolved",
            Self::PaymentEnded => "the end of the newest payment",
            Self::AttemptEnded => "the end of the highest attempt",
            Self::NoAttempt => "no other rule applies",
        }
    }
}

/// The fact that decided the status of an attempt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cause {
    /// Adyen's answers, or that there is none yet.
    Answer,
    Authorisation,
    AuthorisationFailed,
    OfferClosed,
    Abandoned,
    Closed,
    /// It counts as expired, but it may be pending.
    MaybePending,
}

impl Cause {
    pub fn text(self) -> &'static str {
        match self {
            Self::Answer => "Adyen's answer, or that there is none yet",
            Self::Authorisation => "a successful AUTHORISATION outranks the answer",
            Self::AuthorisationFailed => "a failed AUTHORISATION, without a final answer",
            Self::OfferClosed => "OFFER_CLOSED, while it was unresolved",
            Self::Abandoned => "its shopper did not return for 25 hours",
            Self::Closed => "a person closed it, and Adyen has not answered since",
            Self::MaybePending => {
                "it counts as expired, but an earlier call or attempt may still be pending"
            }
        }
    }
}

/// The effect of an event: a cell of the table in `derive.rs`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Effect {
    Authorises,
    Refuses,
    ClosesOffer,
    Captures,
    Refunds,
    Cancels,
    Expires,
    ChargesBack,
    LosesDispute,
    LiftsDispute,
    /// A CANCEL_OR_REFUND without `modification.action`.
    Unclear,
    /// A capture or refund that failed later.
    Undone,
    /// Another report of the same event counts.
    Outdated,
    Nothing,
}

impl Effect {
    pub fn text(self) -> &'static str {
        match self {
            Self::Authorises => "the payment is authorised",
            Self::Refuses => "the attempt is refused, unless it already ended without money",
            Self::ClosesOffer => "the attempt is expired",
            Self::Captures => "a capture stands",
            Self::Refunds => "a refund stands",
            Self::Cancels => "the payment is cancelled",
            Self::Expires => "the uncaptured amount of the payment has expired",
            Self::ChargesBack => "the dispute stands, and with it its payment is charged back",
            Self::LosesDispute => "the dispute stands again, and needs attention",
            Self::LiftsDispute => "lifts the dispute",
            Self::Unclear => "changes no status, and needs attention",
            Self::Undone => "undone by a later failure",
            Self::Outdated => "another report of the same event counts",
            Self::Nothing => "changes no status now",
        }
    }
}

/// Why an order has its status.
#[derive(Debug, Clone, PartialEq)]
pub struct Explanation {
    pub derived: Derived,
    pub rule: Rule,
    /// In the order of the attempts.
    pub attempts: Vec<(AttemptStatus, Cause)>,
    /// Every event with its effect, in the order of the order's events.
    pub events: Vec<(AdyenEvent, Effect)>,
}

impl Explanation {
    pub fn status(&self) -> Status {
        self.derived.status
    }
}

#[derive(Default)]
struct Notes {
    rule: Option<Rule>,
    attempts: Vec<Cause>,
    events: Vec<(AdyenEvent, Effect)>,
}

impl Witness for Notes {
    fn rule(&mut self, rule: Rule) {
        self.rule = Some(rule);
    }

    fn attempt(&mut self, at: usize, cause: Cause) {
        match self.attempts.get_mut(at) {
            Some(known) => *known = cause,
            None => self.attempts.push(cause),
        }
    }

    fn event(&mut self, event: &AdyenEvent, effect: Effect) {
        self.events.push((event.clone(), effect));
    }
}

impl Order {
    /// Explains the order's status.
    pub fn explain(&self) -> Explanation {
        let mut notes = Notes::default();
        let derived = Derived::witnessed(self, &mut notes);
        let reports = Reports::of(&self.events);
        let effect = |event: &AdyenEvent| {
            let noted = notes.events.iter().rfind(|(it, _)| it.key() == event.key());
            let counts = || reports.get(&event.event_code, &event.psp_reference) == Some(event);
            match noted {
                Some((_, effect)) => *effect,
                None if counts() => Effect::Nothing,
                None => Effect::Outdated,
            }
        };
        Explanation {
            rule: notes.rule.unwrap_or(Rule::NoAttempt),
            attempts: derived.attempts.iter().map(|it| it.status).zip(notes.attempts).collect(),
            events: self.events.iter().map(|event| (event.clone(), effect(event))).collect(),
            derived,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The description at the top of the derivation, in one line.
    fn description() -> String {
        let lines = include_str!("derive.rs").lines().map_while(|line| line.strip_prefix("//!"));
        lines.map(str::trim).collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn rule_has_the_number_and_text_of_the_description() {
        let described = description();
        let (_, list) = described.split_once("# Status").unwrap_or_default();
        for rule in Rule::ALL.into_iter().filter(|rule| *rule != Rule::NoAttempt) {
            let (_, row) = list.split_once(&format!(" {}. ", rule.number())).unwrap_or_default();
            let (row, _) = row.split_once(&format!(" {}. ", rule.number() + 1)).unwrap_or_default();
            assert!(row.contains(rule.text()), "{rule:?}: {row}");
        }
        assert!(list.ends_with(&format!("{}. `created`.", Rule::NoAttempt.number())), "{list}");
    }

    #[test]
    fn effect_of_an_event_has_the_text_of_the_description() {
        use Effect::*;
        let described = description();
        for effect in
            [Authorises, Refuses, Captures, Refunds, Cancels, Expires, ChargesBack, LosesDispute]
        {
            assert!(described.contains(&format!("| {}", effect.text())), "{effect:?}");
        }
    }
}

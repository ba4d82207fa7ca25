//! Binds an answer to `/payments/details` to an attempt.
//!
//! A browser can post the result of any payment, even of another shopper, and Adyen then returns
//! that payment's outcome. An answer therefore concludes an attempt only if it names the order or
//! a payment of the attempt. An unbound answer concludes nothing; the signed AUTHORISATION decides.

use super::{Derived, Order};

/// The order, payment and amount in an answer of Adyen; None if absent or unreadable.
#[derive(Debug, Clone, Copy)]
pub struct AnswerIdentity<'a> {
    pub psp_reference: Option<&'a str>,
    pub merchant_reference: Option<&'a str>,
    pub currency: Option<&'a str>,
    /// Minor units.
    pub value: Option<i64>,
}

impl Order {
    /// Returns the attempt, from 1, that an answer to `/payments/details` is bound to. `posted_for`
    /// is the attempt for which the browser posted the details. If another attempt of this order
    /// knows the payment, the answer is bound to that one.
    pub fn bound_attempt(&self, answer: &AnswerIdentity, posted_for: usize) -> Option<usize> {
        let another = |named: &str| named != self.reference.as_str();
        if self.amount_contradicts(answer) || answer.merchant_reference.is_some_and(another) {
            return None;
        }
        let named = answer.psp_reference;
        if let Some(known) = named.and_then(|payment| self.attempt_that_knows(payment)) {
            return Some(known);
        }
        let attempt = self.attempts.get(posted_for.checked_sub(1)?)?;
        // No attempt knows the payment, so it is not the one that this attempt knows.
        let contradicts = named.is_some() && attempt.psp_reference.is_some();
        let names_order = answer.merchant_reference == Some(self.reference.as_str());
        (names_order && !contradicts).then_some(posted_for)
    }

    /// Returns the attempt, from 1, that knows a payment from an answer of Adyen or, failing that,
    /// from an AUTHORISATION assigned to it.
    fn attempt_that_knows(&self, payment: &str) -> Option<usize> {
        let answered =
            self.attempts.iter().position(|it| it.psp_reference.as_deref() == Some(payment));
        let assigned = || {
            let attempts = Derived::of(self).attempts;
            attempts.iter().position(|it| it.psp_reference.as_deref() == Some(payment))
        };
        answered.or_else(assigned).map(|at| at + 1)
    }

    /// Returns true if an answer has another currency or value than the order.
    fn amount_contradicts(&self, answer: &AnswerIdentity) -> bool {
        answer.currency.is_some_and(|it| it != self.amount.currency.code())
            || answer.value.is_some_and(|it| it != self.amount.value)
    }
}

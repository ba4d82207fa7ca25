//! Whose payment an answer to `/payments/details` is about.
//!
//! A browser may post the result of any payment, its own or another's, and Adyen answers what
//! became of that one. So an answer concludes an attempt only if it is bound to it: it names
//! the order, or a payment that the attempt knows. One that is bound to nothing concludes
//! nothing, because the signed AUTHORISATION decides.

use super::{Derived, Order};

/// The order, payment and amount that an answer of Adyen names. A part that is absent or cannot
/// be read is None.
#[derive(Debug, Clone, Copy)]
pub struct Named<'a> {
    /// The payment.
    pub psp_reference: Option<&'a str>,
    /// The order.
    pub merchant_reference: Option<&'a str>,
    /// The currency code.
    pub currency: Option<&'a str>,
    /// Minor units.
    pub value: Option<i64>,
}

impl Order {
    /// The attempt, from 1, that an answer to `/payments/details` is bound to, if it is bound
    /// to one. `posted_for` is the attempt for which the browser posted the details; a payment
    /// that another attempt of this order knows is that attempt's.
    pub fn bound_attempt(&self, answer: &Named, posted_for: usize) -> Option<usize> {
        let another = |named: &str| named != self.reference.as_str();
        if self.amount_contradicts(answer) || answer.merchant_reference.is_some_and(another) {
            return None;
        }
        let named = answer.psp_reference;
        if let Some(known) = named.and_then(|payment| self.attempt_that_knows(payment)) {
            return Some(known);
        }
        let attempt = self.attempts.get(posted_for.checked_sub(1)?)?;
        // No attempt knows the payment, so it contradicts the one that this attempt knows.
        let contradicts = named.is_some() && attempt.psp_reference.is_some();
        let names_order = answer.merchant_reference == Some(self.reference.as_str());
        (names_order && !contradicts).then_some(posted_for)
    }

    /// The attempt, from 1, that knows a payment: by an answer of Adyen's, else by an
    /// AUTHORISATION that it took over.
    fn attempt_that_knows(&self, payment: &str) -> Option<usize> {
        let answered =
            self.attempts.iter().position(|it| it.psp_reference.as_deref() == Some(payment));
        let taken_over = || {
            let attempts = Derived::of(self).attempts;
            attempts.iter().position(|it| it.psp_reference.as_deref() == Some(payment))
        };
        answered.or_else(taken_over).map(|at| at + 1)
    }

    /// Returns true if an answer is about another amount. A part of it that cannot be read is
    /// ignored.
    fn amount_contradicts(&self, answer: &Named) -> bool {
        answer.currency.is_some_and(|it| it != self.amount.currency.code())
            || answer.value.is_some_and(|it| it != self.amount.value)
    }
}

//! A person acknowledges a reason for attention, so that it no longer asks for anybody.
//!
//! An acknowledgement is bound to the facts that raised the reason. If others raise it, or the same
//! ones after the reason had disappeared, the reason needs attention again.

use serde::{Deserialize, Serialize};

use super::{Attention, Derived, Order, Statement};
use crate::domain::unknown::Unknown;

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Acknowledgement {
    /// Digest of the facts that raised the reason.
    pub facts: String,
    pub note: Statement,
    #[serde(flatten)]
    pub unknown: Unknown,
}

impl Order {
    /// Acknowledges the reason of that code. Returns false if the order does not have it. A
    /// repeated acknowledgement changes nothing.
    pub fn acknowledge(&mut self, code: &str, note: Statement) -> bool {
        let derived = Derived::of(self);
        let is_it = |reason: &Attention| reason.code() == code;
        let reasons = derived.needs_attention.iter().zip(derived.attention_facts);
        if let Some((_, facts)) = reasons.into_iter().find(|(reason, _)| is_it(reason)) {
            let acknowledgement = Acknowledgement { facts, note, unknown: Unknown::default() };
            self.acknowledged.insert(code.to_owned(), acknowledgement);
            return true;
        }
        derived.acknowledged.iter().any(is_it)
    }

    /// Drops the acknowledgements of reasons that the order no longer has.
    pub(super) fn drop_acknowledgements(&mut self) {
        if self.acknowledged.is_empty() {
            return;
        }
        let derived = Derived::of(self);
        let held = |code: &str| derived.acknowledged.iter().any(|reason| reason.code() == code);
        // A newer version may have reasons that this one does not know.
        let known = |code: &str| Attention::CODES.contains(&code);
        self.acknowledged.retain(|code, _| held(code) || !known(code));
    }

    pub(super) fn is_acknowledged(&self, reason: &Attention, facts: &str) -> bool {
        self.acknowledged.get(reason.code()).is_some_and(|known| known.facts == facts)
    }
}

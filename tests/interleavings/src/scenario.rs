//! The bounds of an exploration.

use jiff::SignedDuration;

use crate::{change::Instrument, rules::Broken};

#[derive(Debug, Clone)]
pub struct Scenario {
    pub name: &'static str,
    pub instruments: Vec<Instrument>,
    /// Requests to pay with each instrument.
    pub tries: u8,
    /// How often the browser posts each result.
    pub posts: u8,
    pub attempts: u8,
    /// Processes that run at once.
    pub processes: u8,
    /// Lost requests, answers and writes, errors and rejections.
    pub faults: u8,
    pub crashes: u8,
    /// The merchant's requests to refund.
    pub refunds: u8,
    /// True if a person may refund in Adyen's Customer Area.
    pub area_refunds: bool,
    /// True if a refund may fail after it was accepted.
    pub refunds_fail_later: bool,
    /// Results of another order's payment that a browser posts.
    pub foreign_results: u8,
    /// True if Adyen's answers name the order and its amount.
    pub named: bool,
    /// True if the browser names the attempt of its details.
    pub numbered: bool,
    /// True if Adyen may reject a request that it has answered before.
    pub rejects_repeated: bool,
    /// The moments between which time jumps.
    pub moments: Vec<SignedDuration>,
    pub broken: Option<Broken>,
}

/// The bounds that all scenarios share.
#[derive(Debug, Clone, Copy)]
pub struct Bounds {
    pub attempts: u8,
    pub crashes: u8,
    pub faults: u8,
    pub processes: u8,
    pub tries: u8,
    pub posts: u8,
    /// True to stop at each moment of `Bounds::moments`, and false to stop at every second one.
    pub every_moment: bool,
}

impl Bounds {
    /// The bounds that CI explores in minutes.
    pub const SMALL: Self = Self {
        attempts: 2,
        crashes: 1,
        faults: 1,
        processes: 2,
        tries: 1,
        posts: 2,
        every_moment: false,
    };

    /// At the second moment nothing is in flight any more; at the third, an outcome counts as
    /// unknown; at the fourth, a shopper is gone; at the fifth, Adyen has forgotten the first keys;
    /// at the last, all of them.
    fn moments(self) -> Vec<SignedDuration> {
        let day = 24 * 60;
        let minutes: &[i64] = match self.every_moment {
            true => &[0, 1, 17, 26 * 60, 8 * day, 16 * day],
            false => &[0, 17, 8 * day, 16 * day],
        };
        minutes.iter().copied().map(SignedDuration::from_mins).collect()
    }

    /// For scenarios in which no shopper is gone for long.
    fn few_moments(self) -> Vec<SignedDuration> {
        let mut moments = self.moments();
        if !self.every_moment {
            moments.pop();
        }
        moments
    }
}

impl Scenario {
    pub fn all(bounds: Bounds) -> Vec<Self> {
        let base = Self {
            name: "",
            instruments: Vec::new(),
            tries: bounds.tries,
            posts: bounds.posts,
            attempts: bounds.attempts,
            processes: bounds.processes,
            faults: bounds.faults,
            crashes: bounds.crashes,
            refunds: 0,
            area_refunds: false,
            refunds_fail_later: false,
            foreign_results: 0,
            named: true,
            numbered: true,
            rejects_repeated: true,
            moments: bounds.moments(),
            broken: None,
        };
        // As many instruments as attempts, so that each attempt can have its own.
        let with = |instruments: &[Instrument]| {
            let others = [Instrument::OtherToken, Instrument::Token, Instrument::Card];
            let mut all = instruments.to_vec();
            all.extend(others.into_iter().filter(|it| !instruments.contains(it)));
            all.truncate(instruments.len().max(bounds.attempts.into()));
            all
        };
        vec![
            Self {
                name: "two tabs with different methods",
                instruments: with(&[Instrument::Token, Instrument::Card]),
                ..base.clone()
            },
            Self {
                name: "answers that name neither order nor attempt",
                // With a second instrument, a result of a superseded attempt would count for it.
                instruments: vec![Instrument::Card],
                foreign_results: 1,
                named: false,
                numbered: false,
                ..base.clone()
            },
            Self {
                name: "a bank beside a card",
                instruments: with(&[Instrument::Bank, Instrument::Card]),
                moments: bounds.few_moments(),
                ..base.clone()
            },
            Self {
                name: "a recurring job beside a shopper",
                instruments: with(&[Instrument::Stored, Instrument::OtherToken]),
                ..base.clone()
            },
            Self {
                name: "a merchant who refunds",
                instruments: vec![Instrument::Stored],
                refunds: 2,
                refunds_fail_later: bounds.every_moment,
                moments: bounds.few_moments(),
                ..base.clone()
            },
            Self {
                name: "a person who refunds in the Customer Area",
                instruments: vec![Instrument::Card],
                area_refunds: true,
                refunds_fail_later: true,
                named: false,
                ..base
            },
        ]
    }
}

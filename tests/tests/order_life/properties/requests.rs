//! Shoppers, networks and Adyen act in any sequence. At most one attempt can be paid, unless its
//! shopper was redirected and did not return.

use proptest::{collection::vec, prelude::*, sample::select};
use shared::domain::order::{Details, Order, PaymentInstrument};

use super::cases;
use crate::facts::{
    EventBuilder, answered, at, authorisation, manual, offer_closed_of, rejected, request,
    statement, take,
};

/// A token that Adyen rejects.
const BAD: &str = "BAD";
/// The seconds within which a request arrives, if it arrives.
const IN_FLIGHT: i64 = 30;
const DAY: i64 = 24 * 60 * 60;

#[derive(Debug, Clone, Copy)]
enum Step {
    Wait {
        seconds: i64,
    },
    /// A request to pay; `becomes` is its result if Adyen processes it.
    Pay {
        token: &'static str,
        key: Option<&'static str>,
        becomes: AtAdyen,
        named: bool,
    },
    /// A request arrives at Adyen. Its answer arrives here, or is lost.
    Arrive {
        which: usize,
        answer_arrives: bool,
    },
    /// The shopper returns with details, which are sent to Adyen.
    ComeBack {
        becomes: AtAdyen,
        answer_arrives: bool,
    },
    /// The shopper finishes or aborts at the bank, and does not return.
    StayAway {
        attempt: usize,
        becomes: AtAdyen,
    },
    /// Adyen decides a pending payment.
    Decide {
        attempt: usize,
        becomes: AtAdyen,
    },
    /// Adyen sends the webhook of a final result.
    Webhook {
        attempt: usize,
    },
    /// The schedule abandons an attempt whose shopper stayed away.
    Abandon,
    /// A person finds no payment of an attempt at Adyen, and closes the attempt.
    Close {
        attempt: usize,
    },
}

/// The state of a payment at Adyen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum AtAdyen {
    Waits,
    Pending,
    Authorised,
    Refused,
    Closed,
}

impl AtAdyen {
    fn result_code(self) -> &'static str {
        match self {
            Self::Waits => "RedirectShopper",
            Self::Pending => "Pending",
            Self::Authorised => "Authorised",
            Self::Refused | Self::Closed => "Refused",
        }
    }
}

/// An attempt in Adyen's books.
#[derive(Debug)]
struct Processed {
    since: i64,
    first: AtAdyen,
    now: AtAdyen,
    /// True if the answer has the pspReference.
    named: bool,
    /// True if the shopper was redirected and did not return.
    away: bool,
}

#[derive(Debug, Clone, Copy)]
struct Flight {
    attempt: usize,
    sent: i64,
    token: &'static str,
    becomes: AtAdyen,
    named: bool,
}

struct World {
    now: i64,
    order: Order,
    flights: Vec<Flight>,
    /// Attempt n is at index n - 1, as in the order.
    books: Vec<Option<Processed>>,
}

impl World {
    fn new() -> Self {
        Self { now: 0, order: manual(), flights: Vec::new(), books: Vec::new() }
    }

    fn step(&mut self, step: Step) {
        match step {
            Step::Wait { seconds } => {
                self.now += seconds;
                let now = self.now;
                self.flights.retain(|flight| now - flight.sent < IN_FLIGHT);
            }
            Step::Pay { token, key, becomes, named } => {
                let taken = take(
                    &mut self.order,
                    PaymentInstrument::AmazonPay,
                    &request(token, key, self.now),
                    at(self.now),
                );
                if let Some(attempt) = taken.sends() {
                    if attempt > self.books.len() {
                        self.may_begin();
                        self.books.push(None);
                    }
                    assert_eq!(attempt, self.books.len(), "the highest alone is sent");
                    let attempt = attempt - 1;
                    self.flights.push(Flight { attempt, sent: self.now, token, becomes, named });
                }
                assert_eq!(self.order.attempts.len(), self.books.len());
            }
            Step::Arrive { which, answer_arrives } if !self.flights.is_empty() => {
                let flight = self.flights.remove(which % self.flights.len());
                self.process(flight, answer_arrives);
            }
            Step::Arrive { .. } => {}
            Step::ComeBack { becomes, answer_arrives } => self.come_back(becomes, answer_arrives),
            Step::StayAway { attempt, becomes } => {
                if let Some(Some(it)) = self.books.get_mut(attempt)
                    && it.now == AtAdyen::Waits
                {
                    it.now = becomes;
                }
            }
            Step::Decide { attempt, becomes } => {
                if let Some(Some(it)) = self.books.get_mut(attempt)
                    && it.now == AtAdyen::Pending
                {
                    it.now = becomes;
                }
            }
            Step::Webhook { attempt } => self.send_webhook(attempt),
            Step::Abandon => {
                self.order.abandon(at(self.now));
            }
            Step::Close { attempt } => {
                if let Some(None) = self.books.get(attempt) {
                    // It is refused while a request may still arrive.
                    let _ = self.order.close(attempt + 1, statement(self.now));
                }
            }
        }
    }

    /// Asserts that no earlier attempt can be paid any more when another begins, except by a
    /// shopper who was redirected.
    fn may_begin(&self) {
        for (attempt, processed) in self.books.iter().enumerate() {
            let harmless = match processed {
                Some(it) => it.away || matches!(it.now, AtAdyen::Refused | AtAdyen::Closed),
                None => !self.flights.iter().any(|it| it.attempt == attempt && it.token != BAD),
            };
            assert!(harmless, "attempt {} may yet be paid: {processed:?}", attempt + 1);
        }
    }

    /// Adyen processes the first request with a key, and repeats its answer to all others.
    fn process(&mut self, flight: Flight, answer_arrives: bool) {
        let books = &mut self.books[flight.attempt];
        let attempt = &mut self.order.attempts[flight.attempt];
        if books.is_none() && flight.token == BAD {
            // A rejection proves nothing about the attempt's other submissions.
            if answer_arrives && attempt.submissions.len() == 1 {
                attempt.answer(rejected("5_602", None).outcome.unwrap(), None);
            }
            return;
        }
        let it = books.get_or_insert(Processed {
            since: self.now,
            first: flight.becomes,
            now: flight.becomes,
            named: flight.named,
            away: flight.becomes == AtAdyen::Waits,
        });
        assert!(self.now - it.since < 7 * DAY, "Adyen has forgotten the key");
        if answer_arrives {
            let outcome = answered(it.first.result_code(), None).outcome.unwrap();
            attempt.answer(outcome, it.named.then(|| psp_reference(flight.attempt)));
        }
    }

    /// Details are accepted for the last attempt only, and one at a time.
    fn come_back(&mut self, becomes: AtAdyen, answer_arrives: bool) {
        let (Some(Some(it)), Some(attempt)) =
            (self.books.last_mut(), self.order.attempts.last_mut())
        else {
            return;
        };
        if it.now != AtAdyen::Waits || attempt.outcome.is_none() || attempt.details_in_flight() {
            return;
        }
        let content = format!("result {}", attempt.details.len());
        attempt.details.push(Details::new(content.clone(), at(self.now)));
        it.now = becomes;
        it.away = answer_arrives && becomes == AtAdyen::Waits;
        if answer_arrives {
            let outcome = answered(becomes.result_code(), None).outcome.unwrap();
            let payment = psp_reference(self.books.len() - 1);
            attempt.answer_details(&content, outcome, Some(payment), at(self.now));
        }
    }

    fn send_webhook(&mut self, attempt: usize) {
        let Some(Some(it)) = self.books.get(attempt) else {
            return;
        };
        let payment = psp_reference(attempt);
        let event = match it.now {
            AtAdyen::Authorised => authorisation(&payment),
            AtAdyen::Refused => authorisation(&payment).failed(),
            // The order could only guess the attempt of an unbound OFFER_CLOSED, so leave it out.
            AtAdyen::Closed if self.order.attempts[attempt].psp_reference.is_some() => {
                offer_closed_of(&payment)
            }
            AtAdyen::Closed | AtAdyen::Waits | AtAdyen::Pending => return,
        };
        self.order.record(event.at(self.now));
    }

    fn paid_by_itself(&self) -> usize {
        let paid = |it: &&Processed| it.now == AtAdyen::Authorised && !it.away;
        self.books.iter().flatten().filter(paid).count()
    }
}

fn psp_reference(attempt: usize) -> String {
    format!("P{}", attempt + 1)
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    use AtAdyen::*;
    let wait = select(vec![0, 1, 15, 29, 30, 31, 3600, DAY, 6 * DAY, 7 * DAY]);
    let token = || select(vec!["A", "B", "C", BAD]);
    let key = || select(vec![None, None, None, Some("K1"), Some("K2")]);
    let becomes = || select(vec![Waits, Pending, Authorised, Refused]);
    let ends = || select(vec![Authorised, Refused, Closed]);
    let step = prop_oneof![
        2 => wait.prop_map(|seconds| Step::Wait { seconds }),
        6 => (token(), key(), becomes(), any::<bool>()).prop_map(
            |(token, key, becomes, named)| Step::Pay { token, key, becomes, named }
        ),
        4 => (0..4usize, any::<bool>())
            .prop_map(|(which, answer_arrives)| Step::Arrive { which, answer_arrives }),
        1 => (becomes(), any::<bool>())
            .prop_map(|(becomes, answer_arrives)| Step::ComeBack { becomes, answer_arrives }),
        1 => (0..4usize, ends())
            .prop_map(|(attempt, becomes)| Step::StayAway { attempt, becomes }),
        1 => (0..4usize, select(vec![Authorised, Refused]))
            .prop_map(|(attempt, becomes)| Step::Decide { attempt, becomes }),
        2 => (0..4usize).prop_map(|attempt| Step::Webhook { attempt }),
        1 => Just(Step::Abandon),
        2 => (0..4usize).prop_map(|attempt| Step::Close { attempt }),
    ];
    vec(step, 1..40)
}

proptest! {
    #![proptest_config(cases())]

    #[test]
    fn at_most_one_attempt_is_paid_unless_its_shopper_was_sent_away(steps in steps()) {
        let mut world = World::new();
        for step in steps {
            world.step(step);
            assert!(world.paid_by_itself() <= 1, "{:?}", world.books);
        }
    }
}

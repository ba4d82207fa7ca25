//! Adyen on one machine: Checkout v72, the part of it that Amazon Pay needs, the
//! recurring API's /listRecurringDetails, and the webhooks.
//!
//! It is written from Adyen's documentation and specification and shares no model with
//! the functions, so that a misunderstanding there shows here. It refuses what Adyen
//! refuses (unknown fields too), processes at most once under an idempotency key, and
//! keeps [`Books`]: every call, payment, token and webhook, for tests to look into.
//!
//! # Scenarios
//!
//! The end of `amazonPayToken` chooses what happens:
//!
//! | The token ends in | What happens |
//! |---|---|
//! | anything else, as `160583287597AMZN` | Authorised, then AUTHORISATION true |
//! | `-REFUSED` | Refused, code 2, then AUTHORISATION false |
//! | `-CANCELLED` | Cancelled, code 16, then AUTHORISATION false |
//! | `-ERROR` | Error, code 4, then AUTHORISATION false |
//! | `-3DS-REDIRECT` | RedirectShopper to a page where a person approves, declines or cancels; needs `browserInfo` |
//! | `-3DS-CHALLENGE` | IdentifyShopper, then ChallengeShopper, then Authorised or Refused; needs `browserInfo`, `channel: Web` and `origin` |
//! | `-PENDING` | Pending, and nothing more by itself |
//! | `-TIMEOUT` | processed, but the answer takes minutes; repeats meanwhile get 704; AUTHORISATION true comes late |
//! | `-DROP` | processed, then the connection is cut; a repeat with the same key gets the answer |
//! | `-LATE-FAIL` | Authorised, but then AUTHORISATION false |
//! | `-NO-WEBHOOK` | Authorised, and no webhook |
//! | `-OFFER-CLOSED` | as `-3DS-REDIRECT`, and soon OFFER_CLOSED, after which it can't be completed |
//! | `-REVOKED` | Authorised; what it stored can be charged once, then it is refused, code 50 |
//! | `-REFUND-FAIL`, also before another end | as that end says; the first refund succeeds, then REFUND_FAILED |
//! | `-UNKNOWN` | error 5_602, the token does not exist |
//! | `-FAULT-<code>`, as `-FAULT-5_606` | that error; 703 comes with 503 and `transient-error: true`, 905 with 500 |
//! | `-HTTP-<status>`, as `-HTTP-429`, `-HTTP-500` | that status, without an error that Adyen would explain; nothing is processed |
//!
//! # Finishing 3-D Secure without a browser
//!
//! The last path segment of `action.url` names the payment: `ID` below.
//!
//! - `-3DS-REDIRECT`: post `{"details":{"redirectResult":"ID!approved"}}` to
//!   /payments/details, or `ID!refused`, `ID!cancelled`. The page at `action.url` sends a
//!   browser to the returnUrl with it; so does `action.url?result=approved`.
//! - `-3DS-CHALLENGE`: post `threeDSResult` twice, each base64 of a JSON object:
//!   `{"authorisationToken":"ID","threeDSCompInd":"Y"}` after IdentifyShopper,
//!   `{"authorisationToken":"ID","transStatus":"Y"}` after ChallengeShopper (`"N"`
//!   declines). `threeds2.fingerprint` and `threeds2.challengeResult` do as well, and
//!   `paymentData` may name the payment instead of `authorisationToken`.

mod api;
mod books;
mod desk;
pub mod errors;
mod fault;
mod hosted;
mod journal;
pub mod keys;
mod members;
mod modifications;
mod options;
mod outbox;
mod payment_methods;
mod payments;
mod recurring;
mod scenario;
mod server;
mod simulator;
mod three_ds;
mod validate;
pub mod webhook;

pub use books::{
    Amount, Attempt, Books, Call, Payment, Progress, State, Token, TokenState, Webhook,
};
pub use desk::new_psp_reference;
pub use fault::{Fault, WebhookFault};
pub use options::Options;
pub use recurring::token_id;
pub use simulator::{Release, Simulator};
pub use simulator_http::{Answer, Log};
pub use three_ds::{challenge_result, fingerprint_result, id_for_key, redirect_result};

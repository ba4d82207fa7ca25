//! A simulator of Adyen: the part of Checkout v72 that Amazon Pay needs, the recurring API's
//! /listRecurringDetails, and the webhooks.
//!
//! It is written from Adyen's documentation and specification and shares no model with the
//! functions, because a misunderstanding in a shared model would stay hidden. It rejects every
//! request that Adyen rejects (also for unknown fields) and processes each idempotency key at
//! most once. Tests can read every call, payment, token and webhook in its [`Books`].
//!
//! # Scenarios
//!
//! The end of the `amazonPayToken` selects the scenario:
//!
//! | The token ends in | Result |
//! |---|---|
//! | anything else, such as `160583287597AMZN` | Authorised, then AUTHORISATION true |
//! | `-REFUSED` | Refused, code 2, then AUTHORISATION false |
//! | `-CANCELLED` | Cancelled, code 16, then AUTHORISATION false |
//! | `-ERROR` | Error, code 4, then AUTHORISATION false |
//! | `-3DS-REDIRECT` | RedirectShopper to a page on which a person approves, declines or cancels; needs `browserInfo` |
//! | `-3DS-CHALLENGE` | IdentifyShopper, then ChallengeShopper, then Authorised or Refused; needs `browserInfo`, `channel: Web` and `origin` |
//! | `-3DS-FRICTIONLESS` | IdentifyShopper, then Authorised without a challenge; needs the same |
//! | `-PENDING` | Pending, without a webhook |
//! | `-TIMEOUT` | processed, but answered after minutes; repeats until then get 704; AUTHORISATION true is sent late |
//! | `-DROP` | processed, then the connection is cut; a repeat with the same key is answered |
//! | `-LATE-FAIL` | Authorised, but then AUTHORISATION false |
//! | `-NO-WEBHOOK` | Authorised, and no webhook |
//! | `-OFFER-CLOSED` | like `-3DS-REDIRECT`, and soon OFFER_CLOSED, after which the payment cannot be completed |
//! | `-REVOKED` | Authorised; its stored payment method can be charged once, later charges are refused with code 50 |
//! | `-REFUND-FAIL`, also before another ending | as the other ending; the first refund succeeds, then REFUND_FAILED |
//! | `-WHOLE-CAPTURE`, also before another ending | as the other ending; a capture of a part is error 137 |
//! | `-UNKNOWN` | error 5_602, the token does not exist |
//! | `-FAULT-<code>`, such as `-FAULT-5_606` | that error; 703 has status 503 and `transient-error: true`, 905 has status 500 |
//! | anything else after `AMZN-` | error 5_602, with the endings in its message |
//! | `-HTTP-<status>`, such as `-HTTP-429`, `-HTTP-500` | that status, without an error in Adyen's format; nothing is processed |
//!
//! # Finishing 3-D Secure without a browser
//!
//! The last path segment of `action.url` names the payment: `ID` below.
//!
//! - `-3DS-REDIRECT`: post `{"details":{"redirectResult":"ID!approved"}}` to
//!   /payments/details, or `ID!refused`, `ID!cancelled`. The page at `action.url` redirects a
//!   browser to the returnUrl with the result; so does `action.url?result=approved`.
//! - `-3DS-CHALLENGE`: post `threeDSResult` twice, each base64 of a JSON object:
//!   `{"authorisationToken":"ID","threeDSCompInd":"Y"}` after IdentifyShopper,
//!   `{"authorisationToken":"ID","transStatus":"Y"}` after ChallengeShopper (`"N"`
//!   declines). `threeds2.fingerprint` and `threeds2.challengeResult` are accepted too, and
//!   `paymentData` may name the payment instead of `authorisationToken`.
//!
//! # In a browser
//!
//! Adyen's library Adyen Web works with the URL of the simulator in place of Adyen's hosts and with
//! [`keys::CLIENT_KEY`]. It fingerprints and challenges at the simulator's bank, and pays with
//! Amazon Pay if [`Options::amazon_pay`] is set. Its card fields are served by Adyen only.

mod acs;
mod amazon_pay;
mod api;
mod books;
mod browser;
mod context;
pub mod errors;
mod fault;
mod hosted;
mod journal;
pub mod keys;
mod members;
mod methods;
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

pub use amazon_pay::AmazonPay;
pub use books::{
    Amount, Books, Call, Delivery, Payment, PaymentState, Progress, Token, TokenState, Webhook,
};
pub use context::new_psp_reference;
pub use errors::coded;
pub use fault::WebhookFault;
pub use options::Options;
pub use recurring::token_id;
pub use simulator::{Release, Simulator};
pub use simulator_http::{Answer, Exchange, Fault, FaultOn, Log, Watch};
pub use three_ds::{challenge_result, fingerprint_result, id_for_key, redirect_result};

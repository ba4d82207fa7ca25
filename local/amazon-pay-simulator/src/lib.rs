//! Amazon Pay on one machine: Checkout v2, the part of it that paying through Adyen needs.
//!
//! It is written from Amazon Pay's documentation and shares no model with the functions,
//! so that a misunderstanding there shows here. It verifies the signature of every request
//! and of every button with the merchant's public key, and keeps [`Books`].
//!
//! # A checkout
//!
//! 1. A page loads `/checkout.js`, which draws the button, or posts the button's fields
//!    (`payloadJSON`, `signature`, `publicKeyId`, `algorithm`) to `/checkout` itself.
//! 2. A hosted page: the shopper picks a card, which is what shall happen at Adyen, and goes
//!    to checkoutReviewReturnUrl with `amazonCheckoutSessionId`. A test goes there by
//!    `/checkout/{id}?card=-REFUSED`, or leaves by `/checkout/{id}?leave`.
//! 3. Update Checkout Session answers with amazonPayRedirectUrl: another hosted page, where
//!    the shopper pays or declines; `?answer=pay` and `?answer=decline` for a test.
//! 4. Get Checkout Session gives the `amazonPayToken`. It ends as the card does: the
//!    Adyen simulator's scenarios. With the card `-NO-TOKEN` there is none,
//!    as with a key that is not enabled for Adyen.
//!
//! [`Simulator::open`] and [`Simulator::confirmed`] begin in the midst of it, at a session
//! with an id of one's choosing, which its token ends in.

mod api;
mod books;
mod hosted;
mod options;
mod server;
mod session;
mod signature;
mod simulator;

pub use books::{Books, Call};
pub use options::{Options, PRIVATE_KEY, PUBLIC_KEY, PUBLIC_KEY_ID};
pub use server::Fault;
pub use session::{Price, Session, State};
pub use simulator::Simulator;
pub use simulator_http::{Answer, Log};

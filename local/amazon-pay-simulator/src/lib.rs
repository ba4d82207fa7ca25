//! A simulator of Amazon Pay: the part of Checkout v2 that payments through Adyen need.
//!
//! It is written from Amazon Pay's documentation and shares no model with the functions, because
//! a misunderstanding in a shared model would stay hidden. It verifies the signature of every
//! request and every button with the merchant's public key. Tests can read its [`Books`].
//!
//! # A checkout
//!
//! 1. A page loads `/checkout.js`, which draws the button, or posts the button's fields
//!    (`payloadJSON`, `signature`, `publicKeyId`, `algorithm`) to `/checkout` itself.
//! 2. On a hosted page, the shopper picks a card, which selects the scenario at Adyen, and is
//!    redirected to checkoutReviewReturnUrl with `amazonCheckoutSessionId`. A test requests
//!    `/checkout/{id}?card=-REFUSED`, or cancels with `/checkout/{id}?leave`.
//! 3. Update Checkout Session returns amazonPayRedirectUrl, another hosted page, on which the
//!    shopper pays or declines. A test adds `?answer=pay` or `?answer=decline`.
//! 4. Get Checkout Session returns the `amazonPayToken`. It ends in the card, one of the Adyen
//!    simulator's scenarios. The card `-NO-TOKEN` has no token, as if the key were not enabled
//!    for Adyen.
//!
//! With Adyen's Drop-in, the simulator of Adyen takes steps 3 and 4 as an [`Acquirer`].
//!
//! [`Simulator::open`] and [`Simulator::confirmed`] start later, with a session of any id. Its
//! token ends in the id.

mod acquirer;
mod api;
mod books;
mod hosted;
mod options;
mod server;
mod session;
mod signature;
mod simulator;

pub use acquirer::Acquirer;
pub use books::{Books, Call};
pub use options::{Options, PRIVATE_KEY, PUBLIC_KEY, PUBLIC_KEY_ID};
pub use session::{Price, Session, SessionState};
pub use signature::error;
pub use simulator::Simulator;
pub use simulator_http::{Answer, Fault, Log};

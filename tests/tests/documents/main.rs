//! The documents agree with the code.

#![allow(clippy::unwrap_used, clippy::expect_used)]

mod alarms;
mod errors;
mod layers;
mod limits;
mod links;
mod messages;
mod openapi;
mod ownership;
mod page;
mod storefront;

/// All values of an enum as they are serialized; the compiler reports a missing variant.
macro_rules! every {
    ($type:ident: $($variant:ident $(($of:expr))?),+ $(; $open:ident)?) => {{
        let _exhaustive = |it: $type| match it {
            $($type::$variant { .. } => (),)+
            $($type::$open(_) => (),)?
        };
        [$(serde_json::to_value($type::$variant $(($of))?).unwrap()),+]
            .map(|it| it.as_str().unwrap().to_owned())
    }};
}
use every;

//! The merchant's id of a shopper.

use super::text::checked;

checked! {
    /// 3 to 256 characters, case-sensitive, no personal data.
    ShopperReference, 256, "expected 3 to 256 characters", |text| text.chars().count() >= 3
}

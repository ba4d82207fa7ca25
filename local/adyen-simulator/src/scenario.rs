/// The scenario of a payment, which the end of its `amazonPayToken` selects.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Scenario {
    Authorised,
    Refused,
    Cancelled,
    Error,
    Redirect,
    Challenge,
    Frictionless,
    Pending,
    Timeout,
    Drop,
    LateFail,
    NoWebhook,
    OfferClosed,
    Fault(String),
    Http(u16),
    /// The token ends like a scenario, but there is none of that name.
    NoSuchEnding,
}

/// The ends of tokens, and their scenarios.
const ENDINGS: [(&str, Scenario); 15] = [
    ("-REFUSED", Scenario::Refused),
    ("-CANCELLED", Scenario::Cancelled),
    ("-ERROR", Scenario::Error),
    ("-3DS-REDIRECT", Scenario::Redirect),
    ("-3DS-CHALLENGE", Scenario::Challenge),
    ("-3DS-FRICTIONLESS", Scenario::Frictionless),
    ("-PENDING", Scenario::Pending),
    ("-TIMEOUT", Scenario::Timeout),
    ("-DROP", Scenario::Drop),
    ("-LATE-FAIL", Scenario::LateFail),
    ("-NO-WEBHOOK", Scenario::NoWebhook),
    ("-OFFER-CLOSED", Scenario::OfferClosed),
    // These pay; a later capture, refund or charge fails.
    ("-WHOLE-CAPTURE", Scenario::Authorised),
    ("-REFUND-FAIL", Scenario::Authorised),
    ("-REVOKED", Scenario::Authorised),
];

impl Scenario {
    pub(crate) fn of(token: &str) -> Self {
        if token.ends_with("-UNKNOWN") {
            return Self::Fault("5_602".into());
        }
        if let Some((_, code)) = token.rsplit_once("-FAULT-") {
            return Self::Fault(code.into());
        }
        if let Some((_, status)) = token.rsplit_once("-HTTP-")
            && let Ok(status @ 200..600) = status.parse()
        {
            return Self::Http(status);
        }
        // Someone who mistypes an ending wants no Authorised.
        let end = token.rsplit_once("AMZN-").map(|(_, end)| end.rsplit('-').next().unwrap_or(end));
        let other = match end {
            Some(end) if end.len() > 1 && end.bytes().all(|c| c.is_ascii_uppercase()) => {
                Self::NoSuchEnding
            }
            _ => Self::Authorised,
        };
        let known = ENDINGS.into_iter().find(|(ending, _)| token.ends_with(ending));
        known.map_or(other, |(_, scenario)| scenario)
    }

    /// The message about a token with another ending.
    pub(crate) fn endings() -> String {
        let known = ENDINGS.map(|(ending, _)| ending).join(", ");
        format!(
            "Amazon Pay token doesn't exist: the simulator knows the endings {known}, -UNKNOWN, \
             -FAULT-<code> and -HTTP-<status>"
        )
    }
}

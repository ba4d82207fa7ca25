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
    /// The token has an ending, but there is no scenario of that name.
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
            let is_code = code.bytes().all(|c| c.is_ascii_digit() || c == b'_');
            let fault = (is_code && !code.is_empty()).then(|| Self::Fault(code.into()));
            return fault.unwrap_or(Self::NoSuchEnding);
        }
        if let Some((_, status)) = token.rsplit_once("-HTTP-") {
            return match status.parse() {
                Ok(status @ 200..600) => Self::Http(status),
                _ => Self::NoSuchEnding,
            };
        }
        let known = ENDINGS.into_iter().find(|(ending, _)| token.ends_with(ending));
        match known {
            Some((_, scenario)) => scenario,
            // Someone who mistypes an ending does not want Authorised.
            None if token.contains("AMZN-") => Self::NoSuchEnding,
            None => Self::Authorised,
        }
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

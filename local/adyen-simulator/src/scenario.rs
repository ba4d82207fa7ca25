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
}

impl Scenario {
    pub(crate) fn of(token: &str) -> Self {
        const ENDINGS: [(&str, Scenario); 12] = [
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
        ];
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
        ENDINGS
            .into_iter()
            .find(|(ending, _)| token.ends_with(ending))
            .map_or(Self::Authorised, |(_, scenario)| scenario)
    }
}

//! Amazon Pay's part of the configuration, which is optional as a whole.

use serde::Serialize;
use url::Url;

use super::{client::Client, key::PrivateKey};
use crate::{
    domain::amount::Currency,
    platform::config::{Settings, flag, service_url},
};

/// The deployment's account at Amazon Pay.
#[derive(Debug)]
pub struct AmazonPay {
    pub client: Client,
    pub store_id: String,
    pub merchant_id: String,
    pub region: Region,
    /// The currency in which Amazon Pay pays out. Payments in other currencies are rejected.
    /// `None` if not configured.
    pub ledger_currency: Option<Currency>,
    pub sandbox: bool,
}

/// The region in which a merchant is registered with Amazon Pay.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Region {
    /// North America.
    Na,
    /// Europe, including the United Kingdom.
    Eu,
    /// Japan.
    Jp,
}

impl Region {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Na => "na",
            Self::Eu => "eu",
            Self::Jp => "jp",
        }
    }

    fn url(self) -> &'static str {
        match self {
            Self::Na => "https://pay-api.amazon.com",
            Self::Eu => "https://pay-api.amazon.eu",
            Self::Jp => "https://pay-api.amazon.jp",
        }
    }
}

/// All variables. If one is set, Amazon Pay is used, and the required ones must be set too.
pub const VARIABLES: [&str; 9] = [
    "AMAZON_PAY_LEDGER_CURRENCY",
    "AMAZON_PAY_MERCHANT_ID",
    "AMAZON_PAY_PRIVATE_KEY",
    "AMAZON_PAY_PRIVATE_KEY_SECRET",
    "AMAZON_PAY_PUBLIC_KEY_ID",
    "AMAZON_PAY_REGION",
    "AMAZON_PAY_SANDBOX",
    "AMAZON_PAY_STORE_ID",
    "AMAZON_PAY_URL",
];

impl AmazonPay {
    pub const SECRETS: &[&str] = &["AMAZON_PAY_PRIVATE_KEY"];

    /// Returns `Some(None)` if no variable is set.
    pub fn read(settings: &mut Settings) -> Option<Option<Self>> {
        if !VARIABLES.iter().any(|name| settings.is_set(name)) {
            return Some(None);
        }
        let public_key_id = settings.required("AMAZON_PAY_PUBLIC_KEY_ID", name);
        let private_key = settings.secret("AMAZON_PAY_PRIVATE_KEY", PrivateKey::from_pem);
        let store_id = settings.required("AMAZON_PAY_STORE_ID", name);
        let merchant_id = settings.required("AMAZON_PAY_MERCHANT_ID", name);
        let region = settings.required("AMAZON_PAY_REGION", |text| match text {
            "na" => Ok(Region::Na),
            "eu" => Ok(Region::Eu),
            "jp" => Ok(Region::Jp),
            _ => Err("expected na, eu or jp"),
        });
        let ledger_currency = settings.or("AMAZON_PAY_LEDGER_CURRENCY", "", |text| match text {
            "" => Ok(None),
            code => code.parse().map(Some),
        });
        let environment = public_key_id.as_deref().map(|id| environment(settings, id));
        // If the region is invalid, read the URL all the same, so that its problem is reported too.
        let default_url = region.unwrap_or(Region::Eu).url();
        let url = settings.or("AMAZON_PAY_URL", default_url, service_url);
        let (sandbox, path) = environment??;
        Some(Some(Self {
            client: Client::new(
                settings.http(),
                endpoint(&url?, path),
                region?,
                public_key_id?,
                private_key?,
            ),
            store_id: store_id?,
            merchant_id: merchant_id?,
            region: region?,
            ledger_currency: ledger_currency?,
            sandbox,
        }))
    }
}

/// Returns true for the sandbox, and the path of its API. A key id with the prefix `SANDBOX` or
/// `LIVE` selects the environment by itself; for other key ids the path selects it.
fn environment(settings: &mut Settings, public_key_id: &str) -> Option<(bool, &'static str)> {
    const VARIABLE: &str = "AMAZON_PAY_SANDBOX";
    let prefixed = match public_key_id.split_once('-') {
        Some(("SANDBOX", _)) => true,
        Some(("LIVE", _)) => false,
        _ => {
            let sandbox = settings.required(VARIABLE, flag)?;
            let path = if sandbox { "sandbox/v2" } else { "live/v2" };
            return Some((sandbox, path));
        }
    };
    settings.or(VARIABLE, if prefixed { "true" } else { "false" }, |text| {
        match flag(text)? == prefixed {
            true => Ok((prefixed, "v2")),
            false => Err("contradicts the prefix of AMAZON_PAY_PUBLIC_KEY_ID"),
        }
    })
}

fn endpoint(url: &Url, path: &str) -> String {
    format!("{}/{path}", url.as_str().trim_end_matches('/'))
}

/// Reads an id of Amazon Pay. The characters are restricted because it is put into headers.
fn name(text: &str) -> Result<String, &'static str> {
    let allowed = |c: u8| c.is_ascii_alphanumeric() || matches!(c, b'.' | b'_' | b'-');
    if text.bytes().all(allowed) {
        Ok(text.to_owned())
    } else {
        Err("expected letters, digits, '.', '_' and '-'")
    }
}

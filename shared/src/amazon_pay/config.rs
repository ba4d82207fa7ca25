//! Amazon Pay's part of the configuration: all of it, or none.

use serde::Serialize;
use url::Url;

use super::{client::Client, key::PrivateKey};
use crate::{
    domain::amount::Currency,
    platform::config::{Settings, service_url},
};

/// Amazon Pay, as a deployment is registered there.
#[derive(Debug)]
pub struct AmazonPay {
    /// Its API.
    pub client: Client,
    /// The shop.
    pub store_id: String,
    /// The merchant.
    pub merchant_id: String,
    /// Where the merchant is registered.
    pub region: Region,
    /// The currency that the merchant registered with, where configured: no other is paid.
    pub ledger_currency: Option<Currency>,
    /// True if no money moves.
    pub sandbox: bool,
}

/// Where a merchant is registered with Amazon Pay.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Region {
    /// North America.
    Na,
    /// Europe, the United Kingdom included.
    Eu,
    /// Japan.
    Jp,
}

impl Region {
    /// As requests name it.
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

/// The variables, the optional ones included: whoever sets one wants Amazon Pay.
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
    /// The secrets that Amazon Pay needs.
    pub const SECRETS: &[&str] = &["AMAZON_PAY_PRIVATE_KEY"];

    /// Reads what Amazon Pay needs; `Some(None)` where nothing of it is set.
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
        // Where the region is what is wrong, the URL may be too.
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

/// Returns whether it is the sandbox, and where its API then is. The prefix of the key's id says
/// so, else the path does.
fn environment(settings: &mut Settings, public_key_id: &str) -> Option<(bool, &'static str)> {
    const VARIABLE: &str = "AMAZON_PAY_SANDBOX";
    let flag = |text: &str| match text {
        "true" => Ok(true),
        "false" => Ok(false),
        _ => Err("expected true or false"),
    };
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

/// Amazon Pay's name of something: it goes into headers and payloads.
fn name(text: &str) -> Result<String, &'static str> {
    let allowed = |c: u8| c.is_ascii_alphanumeric() || matches!(c, b'.' | b'_' | b'-');
    if text.bytes().all(allowed) {
        Ok(text.to_owned())
    } else {
        Err("expected letters, digits, '.', '_' and '-'")
    }
}

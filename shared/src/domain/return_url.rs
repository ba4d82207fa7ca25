//! The URL to which the shopper returns.

use url::Url;

use super::text::checked;

checked! {
    /// An absolute URL (RFC 2396) of at most 1024 characters. An app may use its own scheme, with
    /// or without a host.
    ReturnUrl, 1024, "expected an absolute URL of at most 1024 characters, percent-encoded",
    |text| has_url_characters(text) && Url::parse(text).is_ok_and(|url| is_shop(text, &url))
}

/// Schemes that run code, read the shopper's device or do anything but return to the shop.
const NOT_A_SHOP: [&str; 20] = [
    "about",
    "blob",
    "chrome",
    "content",
    "data",
    "file",
    "filesystem",
    "ftp",
    "intent",
    "jar",
    "javascript",
    "livescript",
    "mailto",
    "resource",
    "sms",
    "tel",
    "vbscript",
    "view-source",
    "ws",
    "wss",
];

/// Returns true if a URL points to a web page or into an app, as `my-app://` and
/// `com.example.app:/redirect` do.
fn is_shop(text: &str, url: &Url) -> bool {
    // Brackets are only allowed around an IPv6 address.
    let of_host = url.host_str().unwrap_or_default().matches(['[', ']']).count();
    let after_scheme = text.get(url.scheme().len()..).unwrap_or_default();
    let has_path = match url.scheme() {
        // Browsers accept any number of slashes, but Adyen accepts exactly two.
        "http" | "https" => after_scheme.starts_with("://") && !after_scheme.starts_with(":///"),
        _ => after_scheme.starts_with(":/"),
    };
    has_path && text.matches(['[', ']']).count() == of_host && !NOT_A_SHOP.contains(&url.scheme())
}

/// Returns true if all characters are allowed in a URL. `Url::parse` follows the browsers' more
/// lenient rules.
fn has_url_characters(text: &str) -> bool {
    let allowed = |c: u8| c.is_ascii_graphic() && !b"\"<>\\^`{|}".contains(&c);
    let hex = |rest: &str| {
        let digits = rest.as_bytes().get(..2);
        digits.is_some_and(|digits| digits.iter().all(u8::is_ascii_hexdigit))
    };
    text.bytes().all(allowed) && text.split('%').skip(1).all(hex)
}

impl ReturnUrl {
    /// Returns true if the URL has no path, query or fragment.
    pub fn is_origin(&self) -> bool {
        Url::parse(&self.0).is_ok_and(|url| {
            matches!(url.path(), "" | "/") && url.query().is_none() && url.fragment().is_none()
        })
    }

    /// Returns scheme, host and port as browsers write an origin. For an app's URL without a host,
    /// returns the scheme and a colon.
    pub fn origin(&self) -> String {
        let origin = |url: &Url| match url.has_host() {
            true => origin_of(url),
            false => format!("{}:", url.scheme()),
        };
        Url::parse(&self.0).as_ref().map(origin).unwrap_or_default()
    }

    /// Returns true if `origins` contains the origin or the app's scheme, or is empty.
    pub fn is_within(&self, origins: &[String]) -> bool {
        let origin = self.origin();
        let scheme = origin.split_inclusive(':').next().unwrap_or_default();
        origins.is_empty() || origins.iter().any(|allowed| *allowed == origin || allowed == scheme)
    }
}

pub(crate) fn origin_of(url: &Url) -> String {
    let port = url.port().map(|port| format!(":{port}")).unwrap_or_default();
    format!("{}://{}{port}", url.scheme(), url.host_str().unwrap_or_default())
}

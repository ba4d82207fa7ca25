use axum::body::Body;
use axum::response::{IntoResponse, Response};
use serde_json::Value;

const STYLE: &str = include_str!("page.css");

/// An HTTP answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    pub status: u16,
    /// Headers other than `content-type`.
    pub headers: Vec<(String, String)>,
    pub content_type: String,
    pub body: String,
}

impl Answer {
    pub fn json(status: u16, body: &Value) -> Self {
        Self::text(status, "application/json;charset=UTF-8", body.to_string())
    }

    /// Any text, such as a load balancer's page.
    pub fn text(status: u16, content_type: &str, body: impl Into<String>) -> Self {
        Self { status, headers: Vec::new(), content_type: content_type.into(), body: body.into() }
    }

    /// The page of a proxy, which does not know the errors of the service behind it.
    pub fn error_page(status: u16) -> Self {
        Self::text(status, "text/html", "<html>error</html>")
    }

    /// A page for a shopper; `body` is HTML.
    pub fn page(status: u16, title: &str, body: &str) -> Self {
        // Without an icon, browsers request /favicon.ico, which would count as a call of the API.
        let page = format!(
            "<!doctype html><html lang=en><meta charset=utf-8>\
             <meta name=viewport content=\"width=device-width, initial-scale=1\">\
             <title>{title}</title><link rel=icon href=\"data:,\"><style>{STYLE}</style>\
             <main>{body}</main>\n"
        );
        Self::text(status, "text/html; charset=utf-8", page)
    }

    /// Sends a browser to that URL.
    pub fn redirect(url: &str) -> Self {
        Self::text(303, "text/plain", "").header("location", url)
    }

    /// With one more header.
    #[must_use]
    pub fn header(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.into(), value.into()));
        self
    }

    /// The body as JSON, or as a string if it is not JSON.
    pub fn value(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_else(|_| Value::String(self.body.clone()))
    }
}

impl IntoResponse for Answer {
    fn into_response(self) -> Response {
        let mut response = Response::builder().status(self.status);
        if self.status != 204 {
            response = response.header("content-type", self.content_type);
        }
        for (name, value) in self.headers {
            response = response.header(name, value);
        }
        response.body(Body::from(self.body)).unwrap_or_default()
    }
}

/// Text as HTML shows it.
pub fn escape_html(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;")
}

/// Links that look like buttons, the first one like the main one: the href and the label of each.
pub fn links(links: &[(&str, &str)]) -> String {
    links.iter().map(|(href, label)| format!("<a href=\"{href}\">{label}</a>")).collect()
}

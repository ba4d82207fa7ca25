//! One thing that happened, as the workbench records it.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use serde::Serialize;
use serde_json::{Map, Value, json};
use shared::clock;
use shared::domain::order::Order;
use simulator_http::{Exchange, Request};

use super::{bearer, mask, plain};
use crate::call::Call;
use crate::gateway::WEBHOOKS;
use crate::proxy;

/// The largest body that is kept, in bytes.
const LARGEST: usize = 256 * 1024;

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum Source {
    /// A request to the API.
    Api,
    /// A webhook to the API.
    Webhook,
    /// A copy of a webhook, to `--webhooks-to`.
    WebhookCopy,
    Adyen,
    AmazonPay,
    #[serde(rename = "dynamodb")]
    DynamoDb,
}

/// The code of a problem, and what is known about its cause.
#[derive(Clone, Debug, Serialize)]
pub struct Problem {
    pub code: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub field: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub detail: Option<String>,
    /// The text of Adyen or Amazon Pay that came before.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub said: Option<String>,
}

/// An order that was written.
#[derive(Clone)]
pub struct Written {
    pub changes: Vec<String>,
    pub explanation: Arc<Value>,
}

#[derive(Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Entry {
    pub id: u64,
    /// The time of receipt.
    pub at: Timestamp,
    pub milliseconds: f64,
    pub source: Source,
    pub method: String,
    pub path: String,
    pub query: String,
    /// None if there was no answer.
    pub status: Option<u16>,
    pub summary: String,
    /// Such as an injected fault.
    pub note: Option<String>,
    pub problem: Option<Problem>,
    /// The function that made a call to DynamoDB.
    pub function: Option<String>,
    /// DynamoDB's capacity units.
    pub units: Option<f64>,
    /// The request in whose course it happened.
    pub trace: Option<String>,
    pub references: BTreeSet<String>,
    pub psp_references: BTreeSet<String>,
    #[serde(skip)]
    pub request: Value,
    #[serde(skip)]
    pub answer: Value,
    #[serde(skip)]
    pub written: Option<Written>,
    /// The body of a webhook exactly as received, because its signature covers that.
    #[serde(skip)]
    pub raw: Vec<u8>,
}

impl Entry {
    fn new(source: Source, took: Duration) -> Self {
        let now = clock::now();
        Self {
            id: 0,
            at: now.checked_sub(took).unwrap_or(now),
            milliseconds: (took.as_secs_f64() * 10_000.0).round() / 10.0,
            source,
            method: String::new(),
            path: String::new(),
            query: String::new(),
            status: None,
            summary: String::new(),
            note: None,
            problem: None,
            function: None,
            units: None,
            trace: None,
            references: BTreeSet::new(),
            psp_references: BTreeSet::new(),
            request: Value::Null,
            answer: Value::Null,
            written: None,
            raw: Vec::new(),
        }
    }

    /// A call of the gateway.
    pub fn of_call(call: &Call) -> Self {
        let source = if call.path == WEBHOOKS { Source::Webhook } else { Source::Api };
        let mut entry = Self::new(source, call.took);
        let headers = call.headers.iter();
        let headers =
            headers.filter_map(|(name, value)| Some((name.as_str(), value.to_str().ok()?)));
        entry.describe(
            (call.method.as_str(), &call.path, &call.query),
            mask::headers(headers),
            &call.body,
        );
        entry.status = Some(call.status.as_u16());
        entry.trace = Some(call.id.clone());
        entry.answered(&call.answer);
        if source == Source::Webhook {
            entry.summary = call.webhook.as_ref().map(ToString::to_string).unwrap_or_default();
            entry.raw = call.body.to_vec();
        } else if let Some(authorization) =
            call.headers.get("authorization").and_then(|it| it.to_str().ok())
        {
            entry.read_token(authorization);
        }
        entry
    }

    /// A call of a simulator, or a copy of a webhook.
    pub fn of_exchange(source: Source, exchange: &Exchange) -> Self {
        let mut entry = Self::new(source, exchange.took);
        let Request { method, path, query, headers, body } = &exchange.request;
        let kept = headers.iter().map(|(name, value)| (name.as_str(), value.as_str()));
        entry.describe((method, path, query), mask::headers(kept), body);
        // A `traceparent` is `00-<trace>-<span>-<flags>`, with eight digits of time first.
        let trace = headers.get("traceparent").and_then(|it| it.split('-').nth(1)?.get(8..));
        entry.trace = trace.map(str::to_owned);
        entry.note.clone_from(&exchange.note);
        if let Some(answer) = &exchange.answer {
            entry.status = Some(answer.status);
            entry.answered(answer.body.as_bytes());
        }
        if source == Source::WebhookCopy {
            entry.summary =
                crate::call::Webhook::read(body).map(|it| it.to_string()).unwrap_or_default();
            entry.raw.clone_from(body);
        }
        entry
    }

    /// A call of DynamoDB.
    pub fn of_dynamodb(exchange: &Exchange) -> Self {
        let mut entry = Self::new(Source::DynamoDb, exchange.took);
        let operation = proxy::operation(&exchange.request).unwrap_or("other").to_owned();
        let request = exchange.request.json();
        entry.function = proxy::caller(&exchange.request).map(str::to_owned);
        let xray = exchange.request.headers.get("x-amzn-trace-id");
        let trace = xray.and_then(|it| it.split(';').next()?.rsplit('-').next());
        entry.trace = trace.map(str::to_owned);
        entry.note.clone_from(&exchange.note);
        entry.references_of_item(&request);
        entry.summary = format!("{operation} {}", subject(&request));
        entry.request = json!({"body": kept(&mask::masked(&request))});
        if let Some(answer) = &exchange.answer {
            entry.status = Some(answer.status);
            let answer = answer.value();
            entry.units = units(&answer["ConsumedCapacity"]);
            if let Some(kind) = answer["__type"].as_str() {
                let code = kind.rsplit('#').next().unwrap_or(kind).to_owned();
                let message = answer["message"].as_str().or(answer["Message"].as_str());
                let detail = message.map(str::to_owned);
                entry.problem = Some(Problem { code, field: None, detail, said: None });
            }
            entry.references_of_item(&answer);
            entry.answer = kept(&mask::masked(&answer));
        }
        entry.method = operation;
        entry
    }

    /// The orders that a successful call of DynamoDB wrote.
    pub fn orders(exchange: &Exchange) -> Vec<Order> {
        if exchange.answer.as_ref().is_none_or(|answer| answer.status != 200) {
            return Vec::new();
        }
        let request = exchange.request.json();
        let puts = match proxy::operation(&exchange.request) {
            Some("PutItem") => vec![&request],
            Some("TransactWriteItems") => {
                let items = request["TransactItems"].as_array().into_iter().flatten();
                items.map(|item| &item["Put"]).collect()
            }
            _ => Vec::new(),
        };
        let items = puts.into_iter().filter_map(|put| put["Item"].as_object());
        items.filter_map(|item| plain::order(&plain::item(item))).collect()
    }

    fn describe(
        &mut self,
        (method, path, query): (&str, &str, &str),
        headers: Map<String, Value>,
        body: &[u8],
    ) {
        self.method = method.to_owned();
        self.path = path.to_owned();
        self.query = mask::query(query);
        let segments: Vec<&str> = path.split('/').collect();
        for pair in segments.windows(2) {
            let name = percent_encoding::percent_decode_str(pair[1]).decode_utf8_lossy();
            match pair[0] {
                "orders" => drop(self.references.insert(name.into_owned())),
                // `/payments/details` is a route.
                "payments" if name != "details" => {
                    self.psp_references.insert(name.into_owned());
                }
                _ => {}
            }
        }
        let body = mask::body(body);
        self.references_in(&body);
        self.request = json!({"headers": headers, "body": kept(&body)});
    }

    fn answered(&mut self, body: &[u8]) {
        let answer = mask::body(body);
        self.references_in(&answer);
        let text = |name: &str| answer[name].as_str().map(str::to_owned);
        let code = text("code").or(text("errorCode")).or(text("reasonCode"));
        if let Some(code) = code.filter(|_| self.status.is_none_or(|status| status >= 400)) {
            let detail = text("detail").or(text("message"));
            self.problem = Some(Problem { code, field: text("field"), detail, said: None });
        }
        self.answer = kept(&answer);
    }

    /// Names what is wrong with a token that was rejected. The API does not, because that would
    /// help an attacker.
    fn read_token(&mut self, authorization: &str) {
        if self.status == Some(401)
            && let Some(problem) = &mut self.problem
            && let Some(fault) = bearer::explain(authorization)
        {
            problem.field = fault.claim;
            problem.detail = Some(fault.reason);
        }
        self.references.extend(bearer::reference(authorization));
    }

    /// Collects what a body calls the order and its payments.
    fn references_in(&mut self, value: &Value) {
        match value {
            Value::Object(members) => {
                for (name, value) in members {
                    match (name.as_str(), value.as_str()) {
                        ("reference" | "merchantReference" | "merchantReferenceId", Some(text)) => {
                            self.references.insert(text.to_owned());
                        }
                        (
                            "pspReference" | "originalReference" | "paymentPspReference",
                            Some(text),
                        ) => {
                            self.psp_references.insert(text.to_owned());
                        }
                        _ => self.references_in(value),
                    }
                }
            }
            Value::Array(values) => values.iter().for_each(|value| self.references_in(value)),
            _ => {}
        }
    }

    /// Collects the keys of items.
    fn references_of_item(&mut self, value: &Value) {
        match value {
            Value::Object(members) => {
                if let Some(key) = members.get("reference").and_then(|it| it["S"].as_str()) {
                    match key.strip_prefix("psp#") {
                        Some(payment) => self.psp_references.insert(payment.to_owned()),
                        None => self.references.insert(key.to_owned()),
                    };
                }
                members.values().for_each(|value| self.references_of_item(value));
            }
            Value::Array(values) => values.iter().for_each(|it| self.references_of_item(it)),
            _ => {}
        }
    }

    /// The entry with everything.
    pub fn whole(&self) -> Value {
        let mut whole = json!(self);
        whole["request"] = self.request.clone();
        whole["answer"] = self.answer.clone();
        whole["write"] = self.write();
        whole
    }

    /// The entry without bodies, but with the status that it gave.
    pub fn brief(&self) -> Value {
        let mut brief = json!(self);
        brief["write"] = self.write();
        brief
    }

    fn write(&self) -> Value {
        match &self.written {
            Some(written) => {
                let explanation = &written.explanation;
                json!({"changes": written.changes, "explanation": **explanation})
            }
            None => Value::Null,
        }
    }

    /// The bytes that the entry occupies, roughly.
    pub fn size(&self) -> usize {
        let text = |value: &Value| value.to_string().len();
        1000 + self.raw.len() + text(&self.request) + text(&self.answer)
    }
}

/// The value, unless it is too large to keep.
fn kept(value: &Value) -> Value {
    match value.to_string().len() {
        length if length > LARGEST => format!("[{length} bytes, too large to keep]").into(),
        _ => value.clone(),
    }
}

/// The table and the key of a call.
fn subject(request: &Value) -> String {
    let one = |request: &Value| {
        let table = request["TableName"].as_str().unwrap_or_default();
        let table = match request["IndexName"].as_str() {
            Some(index) => format!("{table}/{index}"),
            None => table.to_owned(),
        };
        let key = |name: &str| {
            let item = [&request["Key"][name], &request["Item"][name]];
            item.into_iter().find_map(|it| it["S"].as_str().map(str::to_owned))
        };
        let keys = ["reference", "shopperReference", "storedPaymentMethodId"];
        let keys = keys.into_iter().filter_map(key).collect::<Vec<_>>().join(" ");
        format!("{table} {keys}").trim().to_owned()
    };
    match request["TransactItems"].as_array() {
        Some(items) => {
            let items = items.iter().filter_map(|item| {
                let (kind, item) = item.as_object()?.iter().next()?;
                Some(format!("{kind} {}", one(item)))
            });
            items.collect::<Vec<_>>().join(", ")
        }
        None => one(request),
    }
}

/// The capacity units of one table, or of several.
fn units(consumed: &Value) -> Option<f64> {
    match consumed {
        Value::Array(tables) => tables.iter().filter_map(units).reduce(|one, other| one + other),
        table => table["CapacityUnits"].as_f64(),
    }
}

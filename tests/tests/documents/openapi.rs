//! openapi.yaml: every route, every problem code and every word of the answers.

use std::collections::BTreeSet;

use local::template::Template;
use serde_json::Value;
use shared::{
    domain::{
        amount::Currency,
        order::{Attention, ModificationState, NextStep, Operation, Status},
    },
    http::problem::Code,
};
use tests::files::yaml;

use crate::every;

const METHODS: [&str; 5] = ["get", "post", "put", "patch", "delete"];

pub struct Description(Value);

impl Description {
    pub fn read() -> Self {
        Self(yaml("openapi.yaml"))
    }

    /// The target of a `$ref`; any other value is returned unchanged.
    fn resolve<'a>(&'a self, it: &'a Value) -> &'a Value {
        match it["$ref"].as_str() {
            Some(to) => self.0.pointer(to.trim_start_matches('#')).expect(to),
            None => it,
        }
    }

    /// `METHOD path` of every operation, and the operation.
    pub fn operations(&self) -> impl Iterator<Item = (String, &Value)> {
        let paths = self.0["paths"].as_object().unwrap();
        paths.iter().flat_map(|(path, item)| {
            METHODS.iter().filter_map(move |method| {
                let operation = item.get(method)?;
                Some((format!("{} {path}", method.to_uppercase()), operation))
            })
        })
    }

    /// The problem codes of an operation, each with its status.
    pub fn problems(&self, operation: &Value) -> Vec<(String, String)> {
        let responses = operation["responses"].as_object().unwrap().iter();
        let codes = responses.flat_map(|(status, response)| {
            let content = &self.resolve(response)["content"]["application/problem+json"];
            let codes = &content["schema"]["properties"]["code"]["enum"];
            let codes = if codes.is_null() { BTreeSet::new() } else { words(codes) };
            codes.into_iter().map(|code| (status.clone(), code))
        });
        codes.collect()
    }

    fn schema(&self, name: &str) -> &Value {
        &self.0["components"]["schemas"][name]
    }
}

fn words(list: &Value) -> BTreeSet<String> {
    let words = list.as_array().expect("a list").iter();
    words.map(|word| word.as_str().unwrap().to_owned()).collect()
}

#[test]
fn routes_and_openapi_match() {
    let template = Template::read().unwrap();
    let mut routes: BTreeSet<String> = template
        .functions
        .values()
        .flat_map(|function| &function.routes)
        .map(|(method, path)| format!("{method} {path}"))
        .collect();
    // The webhooks' own URL.
    assert!(template.functions["webhooks"].has_url);
    routes.insert("POST /".to_owned());

    let description = Description::read();
    let described: BTreeSet<String> = description.operations().map(|(name, _)| name).collect();
    assert_eq!(described, routes);
    assert!(description.0["paths"]["/"]["servers"].is_array());
}

#[test]
fn problem_codes_and_openapi_match() {
    let description = Description::read();
    let mut described = BTreeSet::new();
    for (operation, item) in description.operations() {
        for (status, code) in description.problems(item) {
            let known = Code::ALL.iter().find(|known| known.as_str() == code);
            let known = known.unwrap_or_else(|| panic!("{operation} {status}: {code}"));
            assert_eq!(known.status().as_str(), status, "{operation}: {code}");
            described.insert(code);
        }
        for (status, response) in item["responses"].as_object().unwrap() {
            let response = description.resolve(response);
            if response["content"].get("application/problem+json").is_none() {
                continue;
            }
            let challenged = response["headers"].get("WWW-Authenticate").is_some();
            assert_eq!(challenged, status == "401", "{operation} {status}");
        }
    }
    // Only the introduction may name other paths.
    let introduction = description.0["info"]["description"].as_str().unwrap();
    assert!(introduction.contains("`not_found`"));
    described.insert("not_found".to_owned());

    let codes: BTreeSet<String> = Code::ALL.iter().map(|it| it.as_str().to_owned()).collect();
    assert_eq!(described, codes);
    let listed = &description.schema("Problem")["properties"]["code"]["enum"];
    assert_eq!(words(listed), codes);
}

#[test]
fn enumerations_of_answers_and_openapi_match() {
    let description = Description::read();
    let status = every!(Status: Created, Pending, Authorised, Captured, PartiallyRefunded,
        Refunded, ChargedBack, Cancelled, Expired, Refused, Error);
    assert_eq!(words(&description.schema("Status")["enum"]), status.into());
    let next_step = every!(NextStep: Success, None, HandleAction, Wait, RetryWithAmazonPay,
        TryAnotherMethod, ShowError, StartOver);
    assert_eq!(words(&description.schema("NextStep")["enum"]), next_step.into());
    let operation = every!(Operation: Capture, Cancel, Refund, Reversal; Unknown);
    assert_eq!(words(&description.schema("Operation")["enum"]), operation.into());

    let state =
        every!(ModificationState: Requested, Unknown, Received, Succeeded, Failed, Rejected);
    assert_eq!(words(&description.schema("ModificationState")["enum"]), state.into());

    assert_eq!(words(&description.schema("AttentionCode")["enum"]), attention());
    assert_eq!(Attention::CODES.map(str::to_owned), Vec::from_iter(attention())[..]);
}

/// The reasons of `needsAttention`, without what follows a colon.
pub fn attention() -> BTreeSet<String> {
    let reasons = every!(Attention: AmountDiffers, AmountUnreadable, CancelledAfterCapture, CancelOrRefundUnclear,
        CaptureExceedsAuthorised, CaptureFailedUnmatched, ClosedAttemptPaid(Vec::new()), CurrencyDiffers,
        ModificationUndecided, ModificationUnknown, OutcomeUnknown, PaidInPart,
        PaidTwice(Vec::new()), PaymentOfAnotherOrder(Vec::new()), PrearbitrationLost, RefundExceedsCaptured,
        RefundFailedUnmatched, TooManyEvents, Unconfirmed);
    let named = |reason: &String| reason.split(':').next().unwrap().to_owned();
    reasons.iter().map(named).collect()
}

#[test]
fn currencies_and_openapi_match() {
    let letters = || 'A'..='Z';
    let codes = letters()
        .flat_map(|a| letters().flat_map(move |b| letters().map(move |c| format!("{a}{b}{c}"))));
    let known: BTreeSet<String> = codes.filter(|code| code.parse::<Currency>().is_ok()).collect();
    let description = Description::read();
    assert_eq!(words(&description.schema("Currency")["enum"]), known);
}

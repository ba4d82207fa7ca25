//! Records the IAM actions that each function performs at DynamoDB. Its role must allow these and
//! no other.
//!
//! If the variable `RECORD_ACTIONS` names a file, each kind of call is appended to it, such as
//! `payments dynamodb:GetItem orders`.

use std::collections::BTreeSet;
use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::path::PathBuf;
use std::sync::{Mutex, PoisonError};

use serde_json::Value;
use simulator_http::Request;

use crate::proxy;

/// Records to one file.
pub struct Actions {
    seen: Mutex<BTreeSet<String>>,
    file: File,
}

/// The file to record to, if recording is enabled.
pub fn file() -> Option<PathBuf> {
    std::env::var_os("RECORD_ACTIONS").map(Into::into)
}

impl Actions {
    /// # Errors
    /// If the file cannot be opened.
    pub fn open(file: PathBuf) -> io::Result<Self> {
        let file = OpenOptions::new().create(true).append(true).open(file)?;
        Ok(Self { seen: Mutex::default(), file })
    }

    pub fn record(&self, request: &Request) {
        let (Some(caller), Some(operation)) = (proxy::caller(request), proxy::operation(request))
        else {
            return;
        };
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        for (action, resource) in actions(operation, &request.json()) {
            let line = format!("{caller} dynamodb:{action} {resource}\n");
            // One write, so that processes that share the file do not mix their lines.
            if seen.insert(line.clone())
                && let Err(error) = (&self.file).write_all(line.as_bytes())
            {
                tracing::error!(%error, "cannot record an action");
            }
        }
    }
}

/// The actions of a request, each with its table or `table/index/name`.
fn actions(operation: &str, request: &Value) -> Vec<(String, String)> {
    let members = |value: &Value| value.as_object().cloned().unwrap_or_default();
    match operation {
        // A transaction needs the permission of each item.
        "TransactGetItems" | "TransactWriteItems" => request["TransactItems"]
            .as_array()
            .into_iter()
            .flatten()
            .flat_map(members)
            .map(|(kind, item)| (format!("{kind}Item"), resource(&item)))
            .collect(),
        "BatchGetItem" | "BatchWriteItem" => members(&request["RequestItems"])
            .into_iter()
            .map(|(table, _)| (operation.to_owned(), table))
            .collect(),
        _ => vec![(operation.to_owned(), resource(request))],
    }
}

fn resource(request: &Value) -> String {
    let table = request["TableName"].as_str().unwrap_or("*");
    match request["IndexName"].as_str() {
        Some(index) => format!("{table}/index/{index}"),
        None => table.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_transaction_is_the_actions_of_its_items() {
        let request = json!({"TransactItems": [
            {"Put": {"TableName": "orders"}},
            {"ConditionCheck": {"TableName": "tokens"}},
        ]});

        let actions = actions("TransactWriteItems", &request);

        assert_eq!(
            actions,
            [
                ("PutItem".to_owned(), "orders".to_owned()),
                ("ConditionCheckItem".to_owned(), "tokens".to_owned()),
            ]
        );
    }

    #[test]
    fn an_index_is_a_resource_of_its_own() {
        let request = json!({"TableName": "orders", "IndexName": "open"});

        let actions = actions("Query", &request);

        assert_eq!(actions, [("Query".to_owned(), "orders/index/open".to_owned())]);
    }
}

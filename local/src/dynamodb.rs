//! An embedded DynamoDB with the tables of template.yaml, in memory or in one SQLite file. It
//! listens on HTTP, so the functions use the real SDK.
//!
//! An answered write survives `kill -9`, because SQLite commits before the answer is sent. Unlike
//! AWS it does not throttle, does not conflict on its own and does not delete expired items.

use std::io;
use std::net::Ipv4Addr;
use std::path::Path;
use std::sync::Arc;

use dynoxide::Database;
use serde_json::{Value, json};
use simulator_http::Watch;
use simulator_http::listen::{self, Port, listen};
use tokio::net::TcpListener;
use tokio::sync::oneshot;
use tokio::task::{JoinHandle, JoinSet};

use crate::actions::{self, Actions};
use crate::proxy;
use crate::template::Template;

/// A running DynamoDB. It stops when dropped.
pub struct DynamoDb {
    url: String,
    database: Database,
    stop: Option<oneshot::Sender<()>>,
    server: JoinHandle<()>,
    proxy: Option<JoinSet<()>>,
}

/// An error at the start of DynamoDB.
#[derive(Debug, thiserror::Error)]
pub enum DynamoDbError {
    #[error("cannot store tables in {0}: {1}")]
    Data(String, String),
    #[error("cannot create table {0}: {1}")]
    Table(String, String),
    #[error(transparent)]
    Listener(#[from] io::Error),
}

/// The name of a table by its logical id: `OrdersTable` is `orders`.
pub fn table_name(logical_id: &str) -> String {
    logical_id.strip_suffix("Table").unwrap_or(logical_id).to_lowercase()
}

impl DynamoDb {
    /// Creates the missing tables of the template and serves all of them. `data` is their folder;
    /// without it they are in memory. `watch` sees every call.
    pub async fn start(
        template: &Template,
        data: Option<&Path>,
        listener: TcpListener,
        watch: Option<Watch>,
    ) -> Result<Self, DynamoDbError> {
        let database = open(data)?;
        create_tables(&database, template)?;
        let url = listen::url(&listener)?;
        let (listener, proxy) = match with_actions(watch)? {
            Some(watch) => {
                let behind = listen(Ipv4Addr::LOCALHOST.into(), Port::Any).await?;
                let proxy = proxy::serve(listener, listen::url(&behind)?, watch)?;
                (behind, Some(proxy))
            }
            None => (listener, None),
        };
        let served = database.clone();
        let (stop, stopped) = oneshot::channel();
        let server = tokio::spawn(async move {
            let stopped = async { drop(stopped.await) };
            if let Err(error) =
                dynoxide::server::serve_with_shutdown(listener, served, stopped).await
            {
                tracing::error!(error, "DynamoDB ended");
            }
        });
        Ok(Self { url, database, stop: Some(stop), server, proxy })
    }

    /// The value of `AWS_ENDPOINT_URL_DYNAMODB`.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// The tables, for reads that are not calls.
    pub fn database(&self) -> &Database {
        &self.database
    }

    /// Stops after the requests in progress.
    pub async fn stop(mut self) {
        drop(self.stop.take());
        drop(self.server.await);
        drop(self.proxy);
    }
}

/// Adds the record of actions, if it is enabled.
fn with_actions(watch: Option<Watch>) -> io::Result<Option<Watch>> {
    let Some(file) = actions::file() else { return Ok(watch) };
    let actions = Actions::open(file)?;
    Ok(Some(Arc::new(move |exchange| {
        actions.record(&exchange.request);
        if let Some(watch) = &watch {
            watch(exchange);
        }
    })))
}

fn open(data: Option<&Path>) -> Result<Database, DynamoDbError> {
    let Some(folder) = data else {
        return Database::memory()
            .map_err(|error| DynamoDbError::Data("memory".into(), error.to_string()));
    };
    let unusable = |error: String| DynamoDbError::Data(folder.display().to_string(), error);
    std::fs::create_dir_all(folder).map_err(|error| unusable(error.to_string()))?;
    let file = folder.join("dynamodb.sqlite");
    let file = file.to_str().ok_or_else(|| unusable("its name is not UTF-8".into()))?;
    Database::new(file).map_err(|error| unusable(error.to_string()))
}

fn create_tables(database: &Database, template: &Template) -> Result<(), DynamoDbError> {
    for (id, table) in &template.tables {
        let name = table_name(id);
        let failed = |error: String| DynamoDbError::Table(name.clone(), error);
        let mut create = table.create.clone();
        create.insert("TableName".into(), json!(name));
        let create = request(Value::Object(create)).map_err(failed)?;
        match database.create_table(create) {
            Ok(_) => {}
            // An earlier run created it on disk.
            Err(dynoxide::DynoxideError::ResourceInUseException(_)) => continue,
            Err(error) => return Err(failed(error.to_string())),
        }
        if let Some(attribute) = &table.time_to_live {
            let update = request(json!({
                "TableName": name,
                "TimeToLiveSpecification": { "AttributeName": attribute, "Enabled": true },
            }))
            .map_err(failed)?;
            database.update_time_to_live(update).map_err(|error| failed(error.to_string()))?;
        }
    }
    Ok(())
}

fn request<T: serde::de::DeserializeOwned>(value: Value) -> Result<T, String> {
    serde_json::from_value(value).map_err(|error| error.to_string())
}

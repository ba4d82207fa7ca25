//! DynamoDB, embedded: the tables of template.yaml behind an HTTP endpoint that
//! the real SDK talks to, in memory or in one SQLite file.
//!
//! An answered write survives `kill -9`: SQLite commits before the answer goes
//! out. Unlike AWS it never throttles, never conflicts on its own and never
//! deletes what has expired.

use std::io;
use std::net::Ipv4Addr;
use std::path::Path;

use dynoxide::Database;
use serde_json::{Value, json};
use simulator_http::listen::{self, Port, listen};
use tokio::net::TcpListener;
use tokio::sync::oneshot;
use tokio::task::{JoinHandle, JoinSet};

use crate::actions;
use crate::template::Template;

/// A running DynamoDB. Stops when dropped.
pub struct DynamoDb {
    url: String,
    stop: Option<oneshot::Sender<()>>,
    server: JoinHandle<()>,
    recorder: Option<JoinSet<()>>,
}

/// Why DynamoDB didn't start.
#[derive(Debug, thiserror::Error)]
pub enum DynamoDbError {
    /// The folder or file for the tables can't be used.
    #[error("cannot keep tables in {0}: {1}")]
    Data(String, String),
    /// A table could not be created.
    #[error("cannot create table {0}: {1}")]
    Table(String, String),
    /// The listener is unusable.
    #[error(transparent)]
    Listener(#[from] io::Error),
}

/// The name here of a table of the template: `OrdersTable` is `orders`.
pub fn table_name(logical_id: &str) -> String {
    logical_id.strip_suffix("Table").unwrap_or(logical_id).to_lowercase()
}

impl DynamoDb {
    /// Creates the template's tables, those that are missing, and serves them.
    /// `data` is the folder to keep them in; none: in memory.
    pub async fn start(
        template: &Template,
        data: Option<&Path>,
        listener: TcpListener,
    ) -> Result<Self, DynamoDbError> {
        let database = open(data)?;
        create_tables(&database, template)?;
        let url = listen::url(&listener)?;
        let (listener, recorder) = match actions::wanted() {
            Some(file) => {
                let behind = listen(Ipv4Addr::LOCALHOST.into(), Port::Any).await?;
                let recorder = actions::record(listener, listen::url(&behind)?, file)?;
                (behind, Some(recorder))
            }
            None => (listener, None),
        };
        let (stop, stopped) = oneshot::channel();
        let server = tokio::spawn(async move {
            // Ends when told to, or when the handle is dropped.
            let stopped = async { drop(stopped.await) };
            if let Err(error) =
                dynoxide::server::serve_with_shutdown(listener, database, stopped).await
            {
                tracing::error!(error, "DynamoDB ended");
            }
        });
        Ok(Self { url, stop: Some(stop), server, recorder })
    }

    /// Where it listens, for `AWS_ENDPOINT_URL_DYNAMODB`.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// Stops it and waits until running requests are answered.
    pub async fn stop(mut self) {
        drop(self.stop.take());
        drop(self.server.await);
        drop(self.recorder);
    }
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
            // Kept on disk from an earlier run.
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

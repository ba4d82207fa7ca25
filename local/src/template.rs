//! Reads template.yaml, so that AWS and `cargo dev` have the same routes, tables, timeouts and
//! variables.

use std::collections::BTreeMap;

use saphyr::{LoadableYamlNode, Scalar, Yaml};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value, json};

const TEMPLATE: &str = include_str!("../../template.yaml");

/// The parts of the template that `cargo dev` and the tests use.
#[derive(Clone, Debug)]
pub struct Template {
    /// By the name of their folder under `functions/`.
    pub functions: BTreeMap<String, Function>,
    /// By logical id.
    pub tables: BTreeMap<String, Table>,
    pub cors: Cors,
    /// The pipe that sends changes of orders to the merchant's event bus.
    pub order_events: Pipe,
}

#[derive(Clone, Debug)]
pub struct Function {
    /// In seconds.
    pub timeout: u64,
    /// The names of its environment variables; `X_SECRET` also adds `X`.
    pub variables: Vec<String>,
    /// The names of its secrets, without `_SECRET`.
    pub secrets: Vec<String>,
    /// The method and path of its routes in the HTTP API.
    pub routes: Vec<(String, String)>,
    pub has_url: bool,
}

/// A DynamoDB table.
#[derive(Clone, Debug)]
pub struct Table {
    /// The CreateTable request without the name.
    pub create: Map<String, Value>,
    pub time_to_live: Option<String>,
}

/// The HTTP API's CORS settings.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct Cors {
    pub allow_methods: Vec<String>,
    pub allow_headers: Vec<String>,
    pub expose_headers: Vec<String>,
    /// In seconds.
    pub max_age: u64,
}

/// An EventBridge pipe from a stream to an event bus.
#[derive(Clone, Debug, Default)]
pub struct Pipe {
    /// The event pattern that a record must match, as JSON text.
    pub pattern: String,
    pub detail_type: String,
    /// The detail of an event, with paths into the record in angle brackets. The template's
    /// parameters have their defaults.
    pub detail: String,
}

#[derive(Debug, thiserror::Error)]
#[error("template.yaml: {0}")]
pub struct TemplateError(String);

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Document {
    parameters: BTreeMap<String, Parameter>,
    globals: Globals,
    resources: BTreeMap<String, Resource>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Parameter {
    #[serde(default)]
    default: Value,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Globals {
    function: FunctionProperties,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Resource {
    r#type: String,
    #[serde(default)]
    properties: Value,
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "PascalCase", default)]
struct FunctionProperties {
    code_uri: String,
    timeout: Option<u64>,
    environment: Environment,
    function_url_config: Option<Value>,
    events: BTreeMap<String, Event>,
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "PascalCase", default)]
struct Environment {
    variables: BTreeMap<String, Value>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Event {
    r#type: String,
    #[serde(default)]
    properties: Value,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct HttpApiEvent {
    method: String,
    path: String,
}

impl Template {
    /// Reads the template of the build.
    pub fn read() -> Result<Self, TemplateError> {
        Self::parse(TEMPLATE)
    }

    /// The template without order events. The embedded database reads all records of a stream at
    /// each write, which DynamoDB does not, so a long run becomes slow with them.
    pub fn without_streams(mut self) -> Self {
        for table in self.tables.values_mut() {
            table.create.remove("StreamSpecification");
        }
        self
    }

    fn parse(text: &str) -> Result<Self, TemplateError> {
        let documents =
            Yaml::load_from_str(text).map_err(|error| TemplateError(error.to_string()))?;
        let document = documents.first().ok_or_else(|| TemplateError("is empty".into()))?;
        let document: Document = typed("document", json(document))?;
        let mut template = Self {
            functions: BTreeMap::new(),
            tables: BTreeMap::new(),
            cors: Cors::default(),
            order_events: Pipe::default(),
        };
        for (id, resource) in document.resources {
            match resource.r#type.as_str() {
                "AWS::Serverless::Function" => {
                    let own: FunctionProperties = typed(&id, resource.properties)?;
                    let folder = own.code_uri.rsplit('/').next().unwrap_or_default();
                    template.functions.insert(
                        folder.to_owned(),
                        function(&id, &own, &document.globals.function)?,
                    );
                }
                "AWS::DynamoDB::Table" => {
                    template.tables.insert(id, table(resource.properties));
                }
                "AWS::Pipes::Pipe" => {
                    template.order_events = pipe(&resource.properties, &document.parameters);
                }
                "AWS::Serverless::HttpApi" => {
                    template.cors = typed(&id, resource.properties["CorsConfiguration"].clone())?;
                }
                _ => {}
            }
        }
        Ok(template)
    }
}

fn function(
    id: &str,
    own: &FunctionProperties,
    globals: &FunctionProperties,
) -> Result<Function, TemplateError> {
    let routes = own
        .events
        .values()
        .filter(|event| event.r#type == "HttpApi")
        .map(|event| {
            let route: HttpApiEvent = typed(id, event.properties.clone())?;
            Ok((route.method.to_uppercase(), route.path))
        })
        .collect::<Result<_, _>>()?;
    let named = [globals, own].map(|properties| properties.environment.variables.keys());
    let named: Vec<_> = named.into_iter().flatten().cloned().collect();
    let secrets: Vec<_> =
        named.iter().filter_map(|name| Some(name.strip_suffix("_SECRET")?.to_owned())).collect();
    let variables = named.into_iter().chain(secrets.iter().cloned()).collect();
    Ok(Function {
        timeout: own.timeout.or(globals.timeout).unwrap_or(3),
        variables,
        secrets,
        routes,
        has_url: own.function_url_config.is_some(),
    })
}

/// CloudFormation has the members of CreateTable, but implies `StreamEnabled`. Backups, encryption
/// and deletion protection are left out because they have no effect here.
fn table(properties: Value) -> Table {
    let mut create = Map::new();
    if let Value::Object(properties) = &properties {
        for name in [
            "AttributeDefinitions",
            "BillingMode",
            "GlobalSecondaryIndexes",
            "KeySchema",
            "LocalSecondaryIndexes",
            "StreamSpecification",
        ] {
            if let Some(value) = properties.get(name) {
                create.insert(name.to_owned(), value.clone());
            }
        }
    }
    // The embedded database has no throughput.
    let indexes = create.get_mut("GlobalSecondaryIndexes").and_then(Value::as_array_mut);
    for index in indexes.into_iter().flatten().filter_map(Value::as_object_mut) {
        index.remove("WarmThroughput");
    }
    if let Some(stream) = create.get_mut("StreamSpecification") {
        stream["StreamEnabled"] = json!(true);
    }
    Table {
        create,
        time_to_live: properties["TimeToLiveSpecification"]["AttributeName"]
            .as_str()
            .map(str::to_owned),
    }
}

fn pipe(properties: &Value, parameters: &BTreeMap<String, Parameter>) -> Pipe {
    let text = |path: &str| {
        let text = properties.pointer(path).and_then(Value::as_str);
        text.unwrap_or_default().to_owned()
    };
    let mut detail = text("/TargetParameters/InputTemplate/Sub");
    for (name, parameter) in parameters {
        let default = parameter.default.as_str().unwrap_or_default();
        detail = detail.replace(&format!("${{{name}}}"), default);
    }
    Pipe {
        pattern: text("/SourceParameters/FilterCriteria/Filters/0/Pattern"),
        detail_type: text("/TargetParameters/EventBridgeEventBusParameters/DetailType"),
        detail,
    }
}

fn typed<T: DeserializeOwned>(what: &str, value: Value) -> Result<T, TemplateError> {
    serde_json::from_value(value).map_err(|error| TemplateError(format!("{what}: {error}")))
}

/// YAML as JSON; `!Ref X` becomes `{"Ref": "X"}`, and `!If` becomes its first value.
fn json(yaml: &Yaml) -> Value {
    match yaml {
        Yaml::Value(Scalar::Boolean(value)) => json!(value),
        Yaml::Value(Scalar::Integer(value)) => json!(value),
        Yaml::Value(Scalar::FloatingPoint(value)) => json!(value.into_inner()),
        Yaml::Value(Scalar::String(value)) => json!(value),
        Yaml::Sequence(items) => items.iter().map(json).collect(),
        Yaml::Mapping(members) => members
            .iter()
            .filter_map(|(name, value)| Some((name.as_str()?.to_owned(), json(value))))
            .collect(),
        Yaml::Tagged(tag, value) if tag.suffix == "If" => {
            json(value).get_mut(1).map_or(Value::Null, Value::take)
        }
        Yaml::Tagged(tag, value) => json!({ tag.suffix.as_str(): json(value) }),
        _ => Value::Null,
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn every_parameter_is_explained_in_the_documentation() {
        let explained = include_str!("../../docs/deploying.md");
        let documents = Yaml::load_from_str(TEMPLATE).unwrap();
        let template = json(&documents[0]);
        for parameter in template["Parameters"].as_object().unwrap().keys() {
            assert!(explained.contains(&format!("`{parameter}`")), "{parameter}");
        }
    }

    #[test]
    fn the_template_names_routes_tables_and_variables() {
        let template = Template::read().unwrap();

        let payments = &template.functions["payments"];
        assert_eq!(payments.timeout, 30);
        assert!(payments.routes.contains(&("POST".into(), "/payments/details".into())));
        assert!(payments.variables.contains(&"ADYEN_API_KEY".to_owned()));
        assert!(payments.variables.contains(&"ORDERS_TABLE".to_owned()));
        assert!(!payments.has_url);
        assert!(template.functions["webhooks"].has_url);
        assert_eq!(template.functions["webhooks"].timeout, 10);

        let orders = &template.tables["OrdersTable"];
        assert_eq!(orders.create["StreamSpecification"]["StreamEnabled"], true);
        assert!(orders.time_to_live.is_some());
        assert!(template.cors.allow_methods.contains(&"GET".to_owned()));
    }
}

//! The documents say what the code does.

#![allow(clippy::unwrap_used, clippy::expect_used)]

mod alarms;
mod errors;
mod links;
mod openapi;

use std::path::{Path, PathBuf};

use saphyr::{LoadableYamlNode, Scalar, Yaml};
use serde_json::{Value, json};

/// The file of that name, from the top.
fn file(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(name)
}

fn text(name: &str) -> String {
    std::fs::read_to_string(file(name)).unwrap_or_else(|error| panic!("{name}: {error}"))
}

fn yaml(name: &str) -> Value {
    value(&Yaml::load_from_str(&text(name)).unwrap()[0])
}

fn value(yaml: &Yaml) -> Value {
    match yaml {
        Yaml::Value(Scalar::Boolean(value)) => json!(value),
        Yaml::Value(Scalar::Integer(value)) => json!(value),
        Yaml::Value(Scalar::String(value)) => json!(value),
        Yaml::Sequence(items) => items.iter().map(value).collect(),
        Yaml::Mapping(members) => members
            .iter()
            .filter_map(|(name, member)| Some((name.as_str()?.to_owned(), value(member))))
            .collect(),
        Yaml::Tagged(_, tagged) => value(tagged),
        _ => Value::Null,
    }
}

/// All values of an enum, as they are written; the compiler says where one is missing.
macro_rules! every {
    ($type:ident: $($variant:ident $(($of:expr))?),+ $(,)?) => {{
        let _exhaustive = |it: $type| match it { $($type::$variant { .. } => (),)+ };
        [$(serde_json::to_value($type::$variant $(($of))?).unwrap()),+]
            .map(|it| it.as_str().unwrap().to_owned())
    }};
}
use every;

//! The project's files, for comparison with the code.

use std::path::{Path, PathBuf};

use saphyr::{LoadableYamlNode, Scalar, Yaml};
use serde_json::{Value, json};

/// The path of a file, given from the top of the repository.
pub fn file(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(name)
}

pub fn text(name: &str) -> String {
    std::fs::read_to_string(file(name)).unwrap_or_else(|error| panic!("{name}: {error}"))
}

/// Reads a YAML file without its tags.
pub fn yaml(name: &str) -> Value {
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

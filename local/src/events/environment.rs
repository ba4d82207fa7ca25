//! `env.json`: the functions' variables for `sam local --env-vars`. Its containers reach `cargo
//! dev` on this machine as `host.docker.internal`.

use serde_json::{Map, Value, json};

use super::EventsError;
use crate::bundle;
use crate::template::Template;

pub(super) fn variables() -> Result<Value, EventsError> {
    let host = "http://host.docker.internal";
    let template = Template::read()?;
    let mut variables =
        bundle::variables("https://your-company.example.com", &format!("{host}:3002"));
    variables.extend(bundle::for_adyen(&adyen_simulator::Options::default()));
    variables.insert("TOKEN_LIFE_LIMIT".to_owned(), "off".to_owned());
    let amazon = amazon_pay_simulator::Options::default();
    variables.extend(bundle::for_amazon(&amazon, &format!("{host}:3003")));
    for (name, path) in
        [("ADYEN_CHECKOUT_URL", "/v72"), ("ADYEN_RECURRING_URL", "/pal/servlet/Recurring/v68")]
    {
        variables.insert(name.to_owned(), format!("{host}:3001{path}"));
    }
    let named = |name: &String| {
        template.functions.values().any(|function| function.variables.contains(name))
    };
    let variables: Map<_, _> = variables
        .into_iter()
        .filter(|(name, _)| named(name))
        .map(|(name, value)| (name, value.into()))
        .collect();
    Ok(json!({ "Parameters": variables }))
}

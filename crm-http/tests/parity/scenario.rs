//! Scenarios, and what is expected of each step.

use std::collections::BTreeMap;
use std::fs;

use crm_core::{Crm, ErrorKind};
use crm_sqlite::SqliteStore;
use serde::Deserialize;
use serde_json::{Map, Value, json};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Scenario {
    pub(crate) name: String,
    steps: Vec<Step>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Step {
    call: Option<String>,
    #[serde(default)]
    with: Map<String, Value>,
    #[serde(rename = "as")]
    by: Option<String>,
    gives: Option<Value>,
    fails: Option<Value>,
    #[serde(default)]
    keep: BTreeMap<String, String>,
    events: Option<Vec<String>>,
}

/// A way into the CRM. Errors are `code`, `fields` and `existing_id`.
pub(crate) trait Front {
    async fn call(&self, name: &str, with: Map<String, Value>, by: &str) -> Result<Value, Value>;

    /// The names of the first so many events.
    async fn events(&self, by: &str, count: usize) -> Vec<String>;
}

pub(crate) fn scenarios() -> Vec<Scenario> {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../parity");
    let mut files: Vec<_> =
        fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.retain(|path| path.extension().is_some_and(|extension| extension == "json"));
    files.sort();
    let read = |path| -> Vec<Scenario> {
        let text = fs::read_to_string(path).unwrap();
        serde_json::from_str(&text).unwrap_or_else(|error| panic!("{path:?}: {error}"))
    };
    files.iter().flat_map(read).collect()
}

pub(crate) async fn crm() -> Crm {
    Crm::builder(SqliteStore::open_in_memory().await.unwrap()).build().unwrap()
}

pub(crate) async fn take(front: &impl Front, scenario: &Scenario) -> Result<(), String> {
    let registration = json!({
        "company_name": "Acme", "full_name": "Olive Owner", "email": "olive@example.com",
        "password": "nine herons over the weir", "default_region": "DE",
    });
    let Value::Object(registration) = registration else { panic!("no object") };
    let came = front.call("identity.register", registration, "").await.unwrap();
    let mut kept = BTreeMap::new();
    kept.insert("owner".to_owned(), came["access_token"].clone());
    kept.insert("owner_id".to_owned(), came["user"]["id"].clone());
    kept.insert("tenant_id".to_owned(), came["tenant"]["id"].clone());
    for (at, step) in scenario.steps.iter().enumerate() {
        let named = step.call.as_deref().unwrap_or("events");
        let wrong = |error| format!("step {}, {named}: {error}", at + 1);
        take_step(front, step, &mut kept).await.map_err(wrong)?;
    }
    Ok(())
}

async fn take_step(
    front: &impl Front,
    step: &Step,
    kept: &mut BTreeMap<String, Value>,
) -> Result<(), String> {
    let by = filled(&json!(step.by.as_deref().unwrap_or("$owner")), kept)?;
    let by = by.as_str().unwrap();
    if let Some(expected) = &step.events {
        let names = front.events(by, expected.len()).await;
        return holds(&json!(names), &json!(expected), "");
    }
    let name = step.call.as_deref().ok_or("neither `call` nor `events`")?;
    let Value::Object(with) = filled(&Value::Object(step.with.clone()), kept)? else {
        panic!("no object")
    };
    let reply = match (front.call(name, with, by).await, &step.fails) {
        (Ok(reply), None) => reply,
        (Ok(reply), Some(expected)) => return Err(format!("{reply}, not {expected}")),
        (Err(error), None) => return Err(error.to_string()),
        (Err(error), Some(expected)) => {
            let code = expected["code"].as_str().unwrap_or_default();
            let known = ErrorKind::ALL.iter().any(|kind| kind.code() == code);
            assert!(known, "`{code}` is no code");
            return holds(&error, &filled(expected, kept)?, "");
        }
    };
    if let Some(expected) = &step.gives {
        holds(&reply, &filled(expected, kept)?, "")?;
    }
    for (name, path) in &step.keep {
        let mut value = &reply;
        for part in path.split('.') {
            value = &value[part];
        }
        if value.is_null() {
            return Err(format!("there is no `{path}` to keep"));
        }
        kept.insert(name.clone(), value.clone());
    }
    Ok(())
}

/// The same with what was kept in place of `$name`.
fn filled(value: &Value, kept: &BTreeMap<String, Value>) -> Result<Value, String> {
    Ok(match value {
        Value::String(text) if text == "$any" => value.clone(),
        Value::String(text) => match text.strip_prefix('$') {
            Some(name) => kept.get(name).ok_or_else(|| format!("no `{name}` was kept"))?.clone(),
            None => value.clone(),
        },
        Value::Array(items) => {
            items.iter().map(|item| filled(item, kept)).collect::<Result<_, _>>()?
        }
        Value::Object(fields) => {
            let filled = |(name, value): (&String, _)| Ok((name.clone(), filled(value, kept)?));
            Value::Object(fields.iter().map(filled).collect::<Result<_, String>>()?)
        }
        Value::Null | Value::Bool(_) | Value::Number(_) => value.clone(),
    })
}

/// Whether a value holds all that is expected of it.
fn holds(value: &Value, expected: &Value, path: &str) -> Result<(), String> {
    match (value, expected) {
        (_, Value::String(any)) if any == "$any" && !value.is_null() => Ok(()),
        (Value::Object(fields), Value::Object(wanted)) => {
            wanted.iter().try_for_each(|(name, wanted)| {
                let field = fields.get(name).unwrap_or(&Value::Null);
                holds(field, wanted, &format!("{path}.{name}"))
            })
        }
        (Value::Array(items), Value::Array(wanted)) if items.len() == wanted.len() => {
            let mut both = items.iter().zip(wanted).enumerate();
            both.try_for_each(|(at, (item, wanted))| holds(item, wanted, &format!("{path}[{at}]")))
        }
        _ if value == expected => Ok(()),
        _ => Err(format!("at {path}: {value}, not {expected}")),
    }
}

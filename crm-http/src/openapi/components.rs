//! One set of schemas from those of requests and those of replies.

use std::collections::BTreeSet;

use serde_json::{Map, Value};

const SCHEMAS: &str = "#/components/schemas/";
const REPLIES: &str = "#/components/replies/";

/// The document with the schemas of its replies. A type whose schemas are alike in both directions has
/// one name; of another the request's schema is called `…Input`.
pub(super) fn joined(mut document: Value, mut replies: Map<String, Value>) -> Value {
    for schema in replies.values_mut() {
        rename(schema, &|name| name.strip_prefix(REPLIES).map(|name| format!("{SCHEMAS}{name}")));
    }
    let schemas = document.pointer_mut("/components/schemas").and_then(Value::as_object_mut);
    let mut requests = schemas.map(std::mem::take).unwrap_or_default();

    let unlike = unlike(&requests, &replies);
    let of_request = |name: &str| {
        let name = name.strip_prefix(SCHEMAS).filter(|name| unlike.contains(*name))?;
        Some(format!("{SCHEMAS}{name}Input"))
    };
    // While the replies' names still differ, all others are of requests.
    rename(&mut document, &of_request);
    requests.values_mut().for_each(|schema| rename(schema, &of_request));
    rename(&mut document, &|name| {
        name.strip_prefix(REPLIES).map(|name| format!("{SCHEMAS}{name}"))
    });

    let mut all = replies;
    for (name, schema) in requests {
        let name = if unlike.contains(&name) { format!("{name}Input") } else { name };
        all.entry(name).or_insert(schema);
    }
    all.sort_keys();
    // What only parameters are made of is written where they are.
    loop {
        let used: BTreeSet<String> = all
            .keys()
            .filter(|name| refers(&document, name) || all.values().any(|of| refers(of, name)))
            .cloned()
            .collect();
        if used.len() == all.len() {
            break;
        }
        all.retain(|name, _| used.contains(name));
    }
    if let Some(components) = document.get_mut("components").and_then(Value::as_object_mut) {
        components.insert("schemas".to_owned(), Value::Object(all));
    }
    document
}

/// The names whose schema for requests is not that for replies, by itself or by what it refers to.
fn unlike(requests: &Map<String, Value>, replies: &Map<String, Value>) -> BTreeSet<String> {
    let both = || requests.iter().filter_map(|(name, of)| Some((name, of, replies.get(name)?)));
    let mut unlike: BTreeSet<String> = BTreeSet::new();
    loop {
        let more: Vec<String> = both()
            .filter(|(name, request, reply)| {
                !unlike.contains(*name)
                    && (request != reply || unlike.iter().any(|other| refers(request, other)))
            })
            .map(|(name, ..)| name.clone())
            .collect();
        if more.is_empty() {
            return unlike;
        }
        unlike.extend(more);
    }
}

fn refers(schema: &Value, name: &str) -> bool {
    match schema {
        Value::Object(object) => object.iter().any(|(key, value)| {
            let own = key == "$ref"
                && value.as_str().and_then(|at| at.strip_prefix(SCHEMAS)) == Some(name);
            own || refers(value, name)
        }),
        Value::Array(values) => values.iter().any(|value| refers(value, name)),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => false,
    }
}

/// Gives references the name that `new` says.
fn rename(value: &mut Value, new: &impl Fn(&str) -> Option<String>) {
    match value {
        Value::Object(object) => {
            for (key, value) in object {
                match (key.as_str(), value.as_str().and_then(new)) {
                    ("$ref", Some(name)) => *value = name.into(),
                    _ => rename(value, new),
                }
            }
        }
        Value::Array(values) => values.iter_mut().for_each(|value| rename(value, new)),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

//! The shapes of events, for review: who changes one gives the event's name a new version.

use crm_core::events::{Event, EventName};
use serde_json::Value;

use crate::model::{Effect, effect};

/// What people are told of a shape is no part of it.
fn without_words(schema: &mut Value) {
    match schema {
        Value::Object(fields) => {
            // A property may have such a name, too, and then it has a schema.
            fields.retain(|name, value| {
                !(matches!(name.as_str(), "title" | "description") && value.is_string())
            });
            fields.values_mut().for_each(without_words);
        }
        Value::Array(items) => items.iter_mut().for_each(without_words),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

#[test]
fn the_shapes_are_those_that_were_agreed() {
    let mut shapes = Event::schema().to_value();
    without_words(&mut shapes);
    insta::assert_json_snapshot!("shapes", shapes);
}

#[test]
fn the_envelope_has_the_shape_of_every_name() {
    let schema = Event::schema().to_value();
    jsonschema::meta::validate(&schema).unwrap();
    let names: Vec<_> = schema["oneOf"]
        .as_array()
        .unwrap()
        .iter()
        .map(|one| one["properties"]["name"]["const"].as_str().unwrap())
        .collect();
    let all: Vec<_> = EventName::ALL.iter().map(|name| name.as_str()).collect();
    assert_eq!(names, all);
}

#[test]
fn the_page_about_events_names_them_all() {
    let (_, page) = include_str!("../../../docs/events.md").split_once("## Names").unwrap();
    let rows: Vec<String> = EventName::ALL
        .iter()
        .map(|name| {
            let what = name.schema().get("description").unwrap().as_str().unwrap().to_owned();
            let what = what.split_whitespace().collect::<Vec<_>>().join(" ");
            let effect = match effect(*name) {
                Effect::Whole(field) => format!("is `{field}`"),
                Effect::Merge => "merge".to_owned(),
                Effect::Nothing => "none".to_owned(),
            };
            format!("| `{name}` | {what} | {effect} |")
        })
        .collect();
    let table: Vec<&str> = page.lines().filter(|line| line.starts_with("| `")).collect();
    assert_eq!(table, rows, "the table should be\n{}", rows.join("\n"));
}

#[test]
fn the_client_knows_the_names_of_all() {
    let client = include_str!("../../../clients/js/src/events.ts");
    let names: Vec<&str> = client
        .lines()
        .filter_map(|line| line.trim().strip_prefix("| '")?.split('\'').next())
        .collect();
    let all: Vec<&str> = EventName::ALL.iter().map(|name| name.as_str()).collect();
    assert_eq!(names, all);
}

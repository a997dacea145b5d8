//! JSON Schemas of events.

use std::borrow::Cow;

use schemars::generate::SchemaSettings;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde_json::{Value, json};

use super::Changed;
use crate::entity::EntityRef;
use crate::events::{Event, EventName};
use crate::id::EventId;
use crate::scope::{Actor, RequestId};
use crate::time::Timestamp;

impl Event {
    /// The JSON Schema (2020-12) of events: the envelope with the data of every name.
    pub fn schema() -> Schema {
        generator().into_root_schema_for::<Event>()
    }
}

impl JsonSchema for Event {
    fn schema_name() -> Cow<'static, str> {
        "Event".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let shapes = EventName::ALL.iter().map(|name| {
            let data = name.subschema(generator);
            json!({ "properties": { "name": { "const": name }, "data": data } })
        });
        let shapes: Vec<Value> = shapes.collect();
        json_schema!({
            "description": "Something that happened. `data` has the shape of its `name`.",
            "type": "object",
            "properties": {
                "id": generator.subschema_for::<EventId>(),
                "name": { "type": "string" },
                "occurred_at": generator.subschema_for::<Timestamp>(),
                "actor": generator.subschema_for::<Actor>(),
                "request_id": generator.subschema_for::<RequestId>(),
                "subject": generator.subschema_for::<EntityRef>(),
                "data": { "type": "object" },
            },
            "required": [
                "id", "name", "occurred_at", "actor", "request_id", "subject", "data",
            ],
            "oneOf": shapes,
        })
    }
}

pub(super) fn generator() -> SchemaGenerator {
    SchemaSettings::draft2020_12().for_serialize().into_generator()
}

/// All that a `T` has, and nothing of it is a must.
impl<T: JsonSchema> JsonSchema for Changed<T> {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        format!("Changed_{}", T::schema_name()).into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let mut whole = T::json_schema(generator);
        let properties = whole.remove("properties").unwrap_or_else(|| json!({}));
        json_schema!({
            "type": "object",
            "properties": properties,
            "additionalProperties": false,
        })
    }
}

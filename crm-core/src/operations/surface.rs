//! The surface of the core as data, for generators of other languages' types.

use schemars::generate::SchemaSettings;
use schemars::{JsonSchema, SchemaGenerator};
use serde_json::{Map, Value, json};

use super::{ArgumentShape, FollowedEvent, Operation, all};
use crate::contacts::import::ImportReport;
use crate::error::ErrorKind;
use crate::events::EventName;

/// What moves bytes, or goes on and on: each language has its own way for it, written by hand.
#[derive(Debug)]
pub struct Stream {
    /// The namespace and what is done, as for operations.
    pub name: &'static str,
    /// What the HTTP API calls it, where it is in its document.
    pub http: Option<&'static str>,
    /// Whether it belongs to a session; what does not is the `Crm`'s own, and in no namespace of it.
    pub in_session: bool,
    /// What it does.
    pub doc: &'static str,
}

/// Every one that a binding must have.
pub const STREAMS: &[Stream] = &[
    Stream {
        name: "contacts.import_from",
        http: Some("import_contacts"),
        in_session: true,
        doc: "Import contacts from a file, bytes or a stream; a bad row is counted and explained, the good \
              ones are kept.",
    },
    Stream {
        name: "contacts.export_to",
        http: Some("export_contacts"),
        in_session: true,
        doc: "Export all contacts to a file, bytes or a stream.",
    },
    Stream {
        name: "calls.recording",
        http: Some("get_recording"),
        in_session: true,
        doc: "Hear a call's recording.",
    },
    Stream {
        name: "events.subscribe",
        http: None,
        in_session: true,
        doc: "Follow the tenant's events from a position on: whole, or told that some are missing.",
    },
    Stream {
        name: "events.group",
        http: None,
        in_session: true,
        doc: "Follow the tenant's events in a group whose position is stored: each batch at least once.",
    },
    Stream {
        name: "calls.webhook",
        http: None,
        in_session: false,
        doc: "Hand in a request that a carrier has sent, and learn what to answer it.",
    },
];

/// All operations, streams, error codes, names of events and types, as JSON.
///
/// `requests` and `replies` hold the types by their names; a type can be in both, and differ: what may be
/// left out of a request is always there in a reply.
pub fn surface() -> Map<String, Value> {
    let mut requests = SchemaSettings::draft2020_12().for_deserialize().into_generator();
    let mut replies = SchemaSettings::draft2020_12().for_serialize().into_generator();
    let operations: Vec<Value> =
        all().map(|operation| describe(operation, &mut requests, &mut replies)).collect();
    replies.subschema_for::<FollowedEvent>();
    replies.subschema_for::<ImportReport>();
    let streams: Vec<Value> = STREAMS
        .iter()
        .map(|stream| {
            json!({
                "name": stream.name,
                "http": stream.http,
                "doc": stream.doc,
                "in_session": stream.in_session,
            })
        })
        .collect();
    let errors: Vec<&str> = ErrorKind::ALL.iter().map(|kind| kind.code()).collect();
    let events: Vec<String> = EventName::ALL.iter().map(ToString::to_string).collect();
    let parts = [
        ("operations", json!(operations)),
        ("streams", json!(streams)),
        ("errors", json!(errors)),
        ("events", json!(events)),
        ("requests", Value::Object(definitions(requests))),
        ("replies", Value::Object(definitions(replies))),
    ];
    parts.map(|(name, part)| (name.to_owned(), part)).into_iter().collect()
}

fn describe(
    operation: &Operation,
    requests: &mut SchemaGenerator,
    replies: &mut SchemaGenerator,
) -> Value {
    let arguments: Vec<Value> =
        operation.arguments.iter().map(|argument| describe_argument(argument, requests)).collect();
    let fields = operation
        .fields
        .as_ref()
        .map(|fields| json!({ "schema": (fields.schema)(requests), "choose": fields.choose }));
    json!({
        "name": operation.name,
        "http": operation.http,
        "doc": operation.doc.trim(),
        "in_session": operation.in_session(),
        "arguments": arguments,
        "fields": fields,
        "reply": (operation.reply)(replies),
    })
}

fn describe_argument(argument: &ArgumentShape, requests: &mut SchemaGenerator) -> Value {
    json!({
        "name": argument.name,
        "required": argument.required,
        "schema": (argument.schema)(requests),
    })
}

fn definitions(mut generator: SchemaGenerator) -> Map<String, Value> {
    generator.take_definitions(true)
}

/// The shape of an operation's reply with all that it refers to, for a binding that turns it into objects.
pub(super) fn root_of(schema: impl FnOnce(&mut SchemaGenerator) -> schemars::Schema) -> Value {
    let mut replies = SchemaSettings::draft2020_12().for_serialize().into_generator();
    let schema = schema(&mut replies);
    json!({ "schema": schema, "types": definitions(replies) })
}

/// The shape of any type that is serialised, as [`Operation::reply_shape`] gives it.
pub fn shape_of<T: JsonSchema>() -> Value {
    root_of(|generator| generator.subschema_for::<T>())
}

/// The shape of any type that is read.
pub fn input_shape<T: JsonSchema>() -> Value {
    let mut requests = SchemaSettings::draft2020_12().for_deserialize().into_generator();
    let schema = requests.subschema_for::<T>();
    json!({ "schema": schema, "types": definitions(requests) })
}

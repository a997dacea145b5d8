//! What host authors write, for programs: the generators of the bindings' types read it, and `docs/ports.md` is
//! held against it.

use std::collections::BTreeMap;

use schemars::generate::SchemaSettings;
use serde_json::Value;

use super::telephony::shapes::{
    AudioShape, CallShape, RecordingShape, ReplyShape, RequestShape, WebhookShape,
};

/// A method of a port that a host writes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Method {
    /// The port: `telephony`, `bus`, `blobs`, `clock` or `channel`.
    pub port: &'static str,
    /// Its name in snake_case.
    pub name: &'static str,
    /// The arguments' names in snake_case, in order.
    pub arguments: &'static [&'static str],
    /// What it answers: a shape of [`answers`], `[shape]` for a list of it, a word such as `text`, or nothing.
    pub answer: &'static str,
    /// Whether it may be left out.
    pub optional: bool,
    /// Whether it must not be asynchronous.
    pub at_once: bool,
}

const fn method(
    port: &'static str,
    name: &'static str,
    arguments: &'static [&'static str],
    answer: &'static str,
) -> Method {
    Method { port, name, arguments, answer, optional: false, at_once: false }
}

impl Method {
    const fn optional(self) -> Self {
        Method { optional: true, ..self }
    }

    const fn at_once(self) -> Self {
        Method { at_once: true, ..self }
    }
}

/// Every method of every port. Of `account_of`, `verify`, `parse` and `write_script` all are there or none.
pub const METHODS: &[Method] = &[
    method("telephony", "check", &["account"], "").optional().at_once(),
    method("telephony", "start", &["account", "call"], "CarrierCall"),
    method("telephony", "find", &["account", "sought"], "[CarrierCall]"),
    method("telephony", "fetch", &["account", "call_id"], "CarrierCall"),
    method("telephony", "hang_up", &["account", "call_id"], "CarrierCall"),
    method("telephony", "recordings", &["account", "call_id"], "[CarrierRecording]").optional(),
    method("telephony", "audio", &["account", "recording_id"], "CarrierAudio").optional(),
    method("telephony", "delete_recording", &["account", "recording_id"], "").optional(),
    method("telephony", "account_of", &["request"], "text").optional().at_once(),
    method("telephony", "verify", &["account", "request"], "truth").optional().at_once(),
    method("telephony", "parse", &["request"], "CarrierNews").optional().at_once(),
    method("telephony", "write_script", &["script"], "CarrierReply").optional().at_once(),
    method("telephony", "take_callbacks", &["now"], "[CarrierRequest]").optional().at_once(),
    method("bus", "publish", &["message"], ""),
    method("bus", "subscribe", &[], "iterator of texts"),
    method("blobs", "put", &["key", "chunks"], ""),
    method("blobs", "get", &["key", "start", "end"], "iterator of bytes"),
    method("blobs", "delete", &["key"], ""),
    method("blobs", "check", &[], "").optional(),
    method("clock", "now", &[], "time").at_once(),
    method("channel", "send", &["notification", "user"], ""),
];

/// [`METHODS`] and [`answers`] as JSON, for what is written in the languages to be held against.
pub fn contract() -> Value {
    let methods = METHODS.iter().map(|method| {
        serde_json::json!({
            "port": method.port, "name": method.name, "arguments": method.arguments,
            "answer": method.answer, "optional": method.optional, "at_once": method.at_once,
        })
    });
    serde_json::json!({ "methods": methods.collect::<Value>(), "answers": answers() })
}

/// The shapes that hosts answer with, by name, as JSON Schema 2020-12. `chunks` of `CarrierAudio`, an
/// asynchronous iterator of bytes, and `body` of `CarrierRequest`, bytes, have no schema and stand beside.
pub fn answers() -> BTreeMap<String, Value> {
    let mut generator = SchemaSettings::draft2020_12().into_generator();
    generator.subschema_for::<CallShape>();
    generator.subschema_for::<RecordingShape>();
    generator.subschema_for::<AudioShape>();
    generator.subschema_for::<WebhookShape>();
    generator.subschema_for::<ReplyShape>();
    generator.subschema_for::<RequestShape>();
    generator.take_definitions(true).into_iter().collect()
}

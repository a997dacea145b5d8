//! The OpenAPI document, from the handlers' own signatures.

mod components;
mod examples;

use std::cell::RefCell;

use aide::axum::ApiRouter;
use aide::generate::GenContext;
use aide::openapi::{
    Header, HeaderStyle, Info, License, MediaType, OpenApi, Operation, ParameterSchemaOrContent,
    ReferenceOr, Response, SchemaObject, SecurityScheme, Server, Tag,
};
use aide::transform::TransformOperation;
use axum::Router;
use axum::http::StatusCode;
use crm_core::Role;
use indexmap::IndexMap;
use schemars::generate::{SchemaGenerator, SchemaSettings};
use schemars::transform::{Transform, transform_subschemas};
use schemars::{JsonSchema, Schema, json_schema};
use serde_json::Value;

use crate::App;
use crate::problem::Document;

const BEARER: &str = "bearer";

/// Where requests and replies keep their schemas while the document is made: what is optional in a
/// request can be certain in a reply.
const OF_REQUESTS: &str = "/components/schemas";
const OF_REPLIES: &str = "/components/replies";

thread_local! {
    static REPLIES: RefCell<SchemaGenerator> = RefCell::new(for_replies());
}

fn for_requests() -> SchemaGenerator {
    SchemaSettings::draft2020_12()
        .with(|settings| settings.definitions_path = OF_REQUESTS.into())
        .with_transform(NoNulls)
        .into_generator()
}

fn for_replies() -> SchemaGenerator {
    SchemaSettings::draft2020_12()
        .with(|settings| settings.definitions_path = OF_REPLIES.into())
        .with_transform(Closed)
        .for_serialize()
        .into_generator()
}

/// That a field may be absent is said by `required`; a default of `null` says it again, and makes
/// generators of clients take the field for one that is always there.
#[derive(Debug, Clone)]
struct NoNulls;

impl Transform for NoNulls {
    fn transform(&mut self, schema: &mut Schema) {
        transform_subschemas(self, schema);
        if schema.get("default").is_some_and(Value::is_null) {
            schema.remove("default");
        }
    }
}

/// A reply has the fields that it documents and no others.
#[derive(Debug, Clone)]
struct Closed;

impl Transform for Closed {
    fn transform(&mut self, schema: &mut Schema) {
        transform_subschemas(self, schema);
        let of_objects = schema.get("type").is_some_and(|of_type| of_type == "object");
        if of_objects
            && schema.get("properties").is_some()
            && schema.get("additionalProperties").is_none()
        {
            schema.insert("additionalProperties".to_owned(), false.into());
        }
    }
}

/// The OpenAPI 3.1 document of all routes, as JSON.
pub fn document() -> Value {
    finish(crate::routes).1
}

/// The routes, and the document that describes them.
pub(crate) fn finish(routes: impl FnOnce() -> ApiRouter<App>) -> (Router<App>, Value) {
    aide::generate::reset_context();
    aide::generate::in_context(|ctx| ctx.schema = for_requests());
    REPLIES.set(for_replies());
    let mut document = OpenApi {
        info: Info {
            title: "crm-http".to_owned(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            description: Some(ABOUT.to_owned()),
            license: Some(License {
                name: env!("CARGO_PKG_LICENSE").to_owned(),
                identifier: Some(env!("CARGO_PKG_LICENSE").to_owned()),
                ..License::default()
            }),
            ..Info::default()
        },
        tags: Section::ALL.iter().map(|section| section.tag()).collect(),
        // Relative to where the document lies, so that it is right under any prefix.
        servers: vec![Server { url: ".".to_owned(), ..Server::default() }],
        ..OpenApi::default()
    };
    let routes = routes().finish_api_with(&mut document, |api| {
        api.security_scheme(
            BEARER,
            SecurityScheme::Http {
                scheme: "bearer".to_owned(),
                bearer_format: Some("an access token or an API key".to_owned()),
                description: None,
                extensions: IndexMap::default(),
            },
        )
    });
    let replies = REPLIES.with_borrow_mut(|generator| generator.take_definitions(true));
    let document = serde_json::to_value(&document).unwrap_or_default();
    (routes, components::joined(document, replies))
}

const ABOUT: &str = "The CRM over HTTP. Errors are problem documents (RFC 9457) whose `code` is a \
    stable word. Lists come in pages: `next_cursor` of one is `cursor` of the next. Changes are merge \
    patches (RFC 7396), made from the version that `If-Match` names.";

/// The parts of the document.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Section {
    Identity,
    Contacts,
    Companies,
    Activities,
    Calls,
    Telephony,
    Privacy,
    Notifications,
    Jobs,
    Realtime,
    Users,
    ApiKeys,
    Tenant,
    Audit,
    Operations,
}

impl Section {
    const ALL: &[Section] = &[
        Section::Identity,
        Section::Contacts,
        Section::Companies,
        Section::Activities,
        Section::Calls,
        Section::Telephony,
        Section::Privacy,
        Section::Notifications,
        Section::Jobs,
        Section::Realtime,
        Section::Users,
        Section::ApiKeys,
        Section::Tenant,
        Section::Audit,
        Section::Operations,
    ];

    const fn name(self) -> &'static str {
        self.texts().0
    }

    const fn texts(self) -> (&'static str, &'static str) {
        match self {
            Section::Identity => ("identity", "Signing up, in and out; one's own account."),
            Section::Contacts => ("contacts", "The people that the tenant deals with."),
            Section::Companies => ("companies", "The organisations that contacts work for."),
            Section::Activities => ("activities", "What happened with contacts."),
            Section::Calls => ("calls", "Telephone calls, and their recordings."),
            Section::Telephony => ("telephony", "The tenant's accounts with carriers of calls."),
            Section::Privacy => ("privacy", "What contacts agreed to."),
            Section::Notifications => ("notifications", "What people are told."),
            Section::Jobs => ("jobs", "What is done after a reply, and what could not be."),
            Section::Realtime => ("realtime", "Following what happens, as it happens."),
            Section::Users => ("users", "The people who work in the tenant."),
            Section::ApiKeys => ("api-keys", "How programs come in."),
            Section::Tenant => ("tenant", "The tenant itself."),
            Section::Audit => ("audit", "Who did what to which record."),
            Section::Operations => ("operations", "What operators and other services ask."),
        }
    }

    fn tag(self) -> Tag {
        let (name, description) = self.texts();
        Tag { name: name.to_owned(), description: Some(description.to_owned()), ..Tag::default() }
    }
}

/// Says what an operation is called, what it does, and what can go wrong with it: in words, and the
/// statuses that its extractors do not bring.
pub(crate) fn about(
    section: Section,
    id: &'static str,
    refusals: &'static [u16],
    summary: &'static str,
    description: &'static str,
) -> impl FnOnce(TransformOperation<'_>) -> TransformOperation<'_> {
    move |operation| {
        let mut operation =
            operation.id(id).tag(section.name()).summary(summary).description(description);
        let responses = operation.inner_mut().responses.get_or_insert_default();
        for (status, response) in problem_responses(refusals) {
            if let Some(status) = status.map(aide::openapi::StatusCode::Code) {
                responses.responses.entry(status).or_insert(ReferenceOr::Item(response));
            }
        }
        // Statuses in their order, whatever brought them.
        responses.responses.sort_by_key(|status, _| status.to_string());
        operation
    }
}

/// Says that an operation needs somebody who may do `action`.
pub(crate) fn secured(operation: &mut Operation, action: &str, least: Role) {
    operation.security = vec![[(BEARER.to_owned(), Vec::new())].into_iter().collect()];
    operation.extensions.insert("x-permission".to_owned(), action.into());
    operation.extensions.insert("x-least-role".to_owned(), least.as_str().into());
}

/// A request's body, with its example.
pub(crate) fn request_media<T: JsonSchema>(ctx: &mut GenContext) -> MediaType {
    media(ctx.schema.subschema_for::<T>(), examples::of(&T::schema_name()))
}

/// A reply's body, with its example.
pub(crate) fn reply_media<T: JsonSchema>() -> MediaType {
    let schema = REPLIES.with_borrow_mut(|generator| generator.subschema_for::<T>());
    media(schema, examples::of(&T::schema_name()))
}

/// A body that is no JSON.
pub(crate) fn text_media(example: &str) -> MediaType {
    media(json_schema!({ "type": "string" }), Some(example.into()))
}

/// A body of bytes.
pub(crate) fn binary_media() -> MediaType {
    media(json_schema!({ "type": "string", "format": "binary" }), Some("RIFF....WAVEfmt ".into()))
}

fn media(json_schema: Schema, example: Option<Value>) -> MediaType {
    MediaType {
        schema: Some(SchemaObject { json_schema, external_docs: None, example: None }),
        example,
        ..MediaType::default()
    }
}

/// A reply with a record and these headers.
pub(crate) fn reply<T: JsonSchema>(description: &str, headers: &[&'static str]) -> Response {
    Response {
        description: description.to_owned(),
        headers: headers.iter().map(|name| ((*name).to_owned(), header(name))).collect(),
        content: [("application/json".to_owned(), reply_media::<T>())].into_iter().collect(),
        ..Response::default()
    }
}

pub(crate) fn header(name: &str) -> ReferenceOr<Header> {
    let (description, example) = match name {
        "ETag" => ("The record's version, for `If-Match` and `If-None-Match`.", "\"1\""),
        "Location" => ("Where the record is.", "/contacts/018f4c2e-7b1a-7c3d-9e4f-5a6b7c8d9e0f"),
        "Idempotency-Replayed" => ("`true` where the request was done before.", "true"),
        "Content-Disposition" => {
            ("The name for the file.", "attachment; filename=\"contacts.csv\"")
        }
        _ => ("", ""),
    };
    ReferenceOr::Item(Header {
        description: Some(description.to_owned()),
        style: HeaderStyle::Simple,
        required: false,
        deprecated: None,
        format: ParameterSchemaOrContent::Schema(SchemaObject {
            json_schema: json_schema!({ "type": "string" }),
            external_docs: None,
            example: None,
        }),
        example: Some(example.into()),
        examples: IndexMap::default(),
        extensions: IndexMap::default(),
    })
}

/// The schema of parameters by name: as they are written, where an absent one is not `null`.
pub(crate) fn parameters<T: JsonSchema>() -> Schema {
    let mut generator = SchemaSettings::draft2020_12()
        .with(|settings| settings.inline_subschemas = true)
        .into_generator();
    let mut schema = generator.root_schema_for::<T>();
    let object = schema.ensure_object();
    let properties = object.get_mut("properties").and_then(Value::as_object_mut);
    for (_, property) in properties.into_iter().flatten() {
        without_null(property);
    }
    schema
}

fn without_null(schema: &mut Value) {
    let Some(object) = schema.as_object_mut() else { return };
    if object.get("default").is_some_and(Value::is_null) {
        object.remove("default");
    }
    if let Some(types) = object.get_mut("type").and_then(Value::as_array_mut) {
        types.retain(|of_type| of_type != "null");
        if let [one] = types.as_slice() {
            let one = one.clone();
            object.insert("type".to_owned(), one);
        }
    }
    if let Some(values) = object.get_mut("enum").and_then(Value::as_array_mut) {
        values.retain(|value| !value.is_null());
    }
    if let Some(choices) = object.get_mut("anyOf").and_then(Value::as_array_mut) {
        choices.retain(|choice| choice.get("type").is_none_or(|of_type| of_type != "null"));
        if let [Value::Object(one)] = choices.as_slice() {
            let one = one.clone();
            object.remove("anyOf");
            for (key, value) in one {
                object.entry(key).or_insert(value);
            }
        }
    }
}

/// Problem documents under these statuses.
pub(crate) fn problem_responses(statuses: &[u16]) -> Vec<(Option<u16>, Response)> {
    let of = |status: u16| {
        let status = StatusCode::from_u16(status).unwrap_or_default();
        let schema = REPLIES.with_borrow_mut(|generator| generator.subschema_for::<Document<'_>>());
        let media = media(schema, Some(examples::problem(status)));
        Response {
            description: status.canonical_reason().unwrap_or("Error").to_owned(),
            content: [("application/problem+json".to_owned(), media)].into_iter().collect(),
            ..Response::default()
        }
    };
    statuses.iter().map(|status| (Some(*status), of(*status))).collect()
}

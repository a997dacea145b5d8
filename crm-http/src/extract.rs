//! What handlers take: who calls, and what they say, each checked before the handler runs.

use std::marker::PhantomData;

use aide::OperationInput;
use aide::generate::GenContext;
use aide::openapi::{MediaType, Operation, RequestBody, Response as ResponseDoc, SchemaObject};
use aide::operation::{ParamLocation, add_parameters, parameters_from_schema, set_body};
use axum::body::Bytes;
use axum::extract::{FromRequest, FromRequestParts, Path as AxumPath, Request};
use axum::http::header::{AUTHORIZATION, CONTENT_TYPE, IF_MATCH};
use axum::http::request::Parts;
use axum::http::{HeaderMap, Method};
use crm_core::access::Action;
use crm_core::idempotency::{IdempotencyKey, Idempotent};
use crm_core::identity::Identity;
use crm_core::{Error, ErrorKind, FieldError, Id, IdKind, Session};
use schemars::JsonSchema;
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::App;
use crate::limits;
use crate::openapi::{problem_responses, secured};
use crate::problem::Problem;
use crate::request::Framed;

/// Somebody who may do `A`.
pub struct Caller<A: Action> {
    /// Their session.
    pub session: Session,
    action: PhantomData<A>,
}

/// Somebody who is signed in and wants to do `A` to one record. Whether they may, the core says, which
/// knows first whether there is such a record: one that is not theirs is not found, whatever they may.
pub struct CallerOn<A: Action> {
    /// Their session.
    pub session: Session,
    action: PhantomData<A>,
}

/// Anybody. A handler that takes it says that it is open to all.
pub struct Public {
    /// The way in.
    pub identity: Identity,
}

fn framed(parts: &Parts) -> Result<&Framed, Problem> {
    let framed = parts.extensions.get::<Framed>();
    framed.ok_or_else(|| Error::internal("a request came past its frame").into())
}

/// The session of who presents a bearer token.
async fn authenticated(parts: &Parts, app: &App) -> Result<Session, Problem> {
    let framed = framed(parts)?;
    let missing = || {
        let message = "send `Authorization: Bearer` with an access token or an API key";
        Error::new(ErrorKind::Unauthenticated, message)
    };
    let header = parts.headers.get(AUTHORIZATION).ok_or_else(missing)?;
    let (scheme, token) =
        header.to_str().ok().and_then(|text| text.split_once(' ')).ok_or_else(missing)?;
    if !scheme.eq_ignore_ascii_case("bearer") {
        return Err(missing().into());
    }
    let session = match app.crm.identity(framed.arrival.clone()).authenticate(token.trim()).await {
        Ok(session) => session,
        Err(error) => {
            if error.kind() == ErrorKind::Unauthenticated {
                limits::count_stranger(app, framed).await?;
            }
            return Err(error.into());
        }
    };
    framed.came_from(session.scope());
    limits::count_caller(app, framed, session.scope()).await?;
    Ok(session)
}

impl<A: Action> FromRequestParts<App> for Caller<A> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, Problem> {
        let session = authenticated(parts, app).await?;
        session.authorize::<A>()?;
        Ok(Caller { session, action: PhantomData })
    }
}

impl<A: Action> FromRequestParts<App> for CallerOn<A> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, Problem> {
        Ok(CallerOn { session: authenticated(parts, app).await?, action: PhantomData })
    }
}

impl FromRequestParts<App> for Public {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, Problem> {
        Ok(Public { identity: app.crm.identity(framed(parts)?.arrival.clone()) })
    }
}

impl<A: Action> OperationInput for Caller<A> {
    fn operation_input(_: &mut GenContext, operation: &mut Operation) {
        secured(operation, A::NAME, A::LEAST);
    }

    fn inferred_early_responses(
        ctx: &mut GenContext,
        _: &mut Operation,
    ) -> Vec<(Option<u16>, ResponseDoc)> {
        problem_responses(ctx, &[401, 403, 429])
    }
}

impl<A: Action> OperationInput for CallerOn<A> {
    fn operation_input(_: &mut GenContext, operation: &mut Operation) {
        secured(operation, A::NAME, A::LEAST);
    }

    fn inferred_early_responses(
        ctx: &mut GenContext,
        _: &mut Operation,
    ) -> Vec<(Option<u16>, ResponseDoc)> {
        problem_responses(ctx, &[401, 403, 404, 429])
    }
}

impl OperationInput for Public {
    fn operation_input(_: &mut GenContext, operation: &mut Operation) {
        operation.security = vec![indexmap::IndexMap::new()];
    }
}

/// The parameters behind `?`: each known, each once, each readable.
pub struct Params<T>(pub T);

impl<T: DeserializeOwned> FromRequestParts<App> for Params<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &App) -> Result<Self, Problem> {
        let query = parts.uri.query().unwrap_or_default();
        let pairs = serde_urlencoded::Deserializer::new(form_urlencoded::parse(query.as_bytes()));
        match serde_path_to_error::deserialize(pairs) {
            Ok(params) => Ok(Params(params)),
            Err(error) => Err(bad_parameter(error).into()),
        }
    }
}

/// What is wrong with the parameters.
fn bad_parameter(error: serde_path_to_error::Error<serde_urlencoded::de::Error>) -> Error {
    let field = error.path().to_string();
    let reason = error.into_inner().to_string();
    if reason.starts_with("unknown field") {
        return Error::new(ErrorKind::UnknownParameter, reason);
    }
    let message = if field == "." { reason } else { format!("`{field}`: {reason}") };
    Error::new(ErrorKind::Malformed, message)
}

impl<T: JsonSchema> OperationInput for Params<T> {
    fn operation_input(ctx: &mut GenContext, operation: &mut Operation) {
        let schema = ctx.schema.subschema_for::<T>();
        let schema = ctx.resolve_schema(&schema).clone();
        let parameters = parameters_from_schema(ctx, schema, ParamLocation::Query);
        add_parameters(ctx, operation, parameters);
    }

    fn inferred_early_responses(
        ctx: &mut GenContext,
        _: &mut Operation,
    ) -> Vec<(Option<u16>, ResponseDoc)> {
        problem_responses(ctx, &[400])
    }
}

/// The id in the path. What is no id names nothing.
pub struct PathId<K>(pub Id<K>);

impl<K: IdKind> FromRequestParts<App> for PathId<K> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, Problem> {
        let AxumPath(text) = AxumPath::<String>::from_request_parts(parts, app)
            .await
            .map_err(|_| Error::not_found(K::NAME))?;
        text.parse().map(PathId).map_err(|_| Error::not_found(K::NAME).into())
    }
}

#[derive(JsonSchema)]
struct IdInPath {
    /// The record's id.
    #[expect(dead_code, reason = "for the document")]
    id: uuid::Uuid,
}

impl<K: IdKind> OperationInput for PathId<K> {
    fn operation_input(ctx: &mut GenContext, operation: &mut Operation) {
        let schema = ctx.schema.subschema_for::<IdInPath>();
        let schema = ctx.resolve_schema(&schema).clone();
        let parameters = parameters_from_schema(ctx, schema, ParamLocation::Path);
        add_parameters(ctx, operation, parameters);
    }
}

/// The JSON body: of this shape and no other.
pub struct Body<T> {
    /// What it says.
    pub value: T,
    /// How it says it.
    bytes: Bytes,
}

impl<T: DeserializeOwned> FromRequest<App> for Body<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, app: &App) -> Result<Self, Problem> {
        must_be_json(request.headers())?;
        let limit = app.config.body_limit;
        let bytes = axum::body::to_bytes(request.into_body(), limit).await.map_err(|error| {
            let message = format!("the body has more than {limit} bytes, or was cut off");
            Error::new(ErrorKind::PayloadTooLarge, message).with_source(error)
        })?;
        let mut json = serde_json::Deserializer::from_slice(&bytes);
        let value = serde_path_to_error::deserialize(&mut json).map_err(bad_body)?;
        json.end().map_err(|error| {
            Error::new(ErrorKind::Malformed, format!("the body is no JSON: {error}"))
        })?;
        Ok(Body { value, bytes })
    }
}

fn must_be_json(headers: &HeaderMap) -> Result<(), Error> {
    let named = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let essence = named.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    if essence == "application/json"
        || (essence.starts_with("application/") && essence.ends_with("+json"))
    {
        return Ok(());
    }
    let message = "the body must be JSON; say so by `Content-Type: application/json`";
    Err(Error::new(ErrorKind::UnsupportedMediaType, message))
}

/// Broken JSON is malformed; JSON of another shape is invalid, and says where.
fn bad_body(error: serde_path_to_error::Error<serde_json::Error>) -> Error {
    use serde_json::error::Category;
    let path = error.path().to_string();
    let inner = error.into_inner();
    match inner.classify() {
        Category::Data => {
            let text = inner.to_string();
            let reason = text.rsplit_once(" at line").map_or(text.as_str(), |(reason, _)| reason);
            let code =
                if reason.starts_with("unknown field") { "unknown_field" } else { "invalid_value" };
            let field = match (path.as_str(), named_in(reason)) {
                (".", Some(named)) => named.to_owned(),
                (".", None) => String::new(),
                (path, _) => path.to_owned(),
            };
            Error::invalid(vec![FieldError::new(field, code, reason)])
        }
        Category::Io | Category::Syntax | Category::Eof => {
            Error::new(ErrorKind::Malformed, format!("the body is no JSON: {inner}"))
        }
    }
}

/// The field that a message puts in backticks.
fn named_in(reason: &str) -> Option<&str> {
    reason.split('`').nth(1)
}

impl<T: JsonSchema> OperationInput for Body<T> {
    fn operation_input(ctx: &mut GenContext, operation: &mut Operation) {
        let json_schema = ctx.schema.subschema_for::<T>();
        let media = MediaType {
            schema: Some(SchemaObject { json_schema, external_docs: None, example: None }),
            ..MediaType::default()
        };
        let body = RequestBody {
            content: [("application/json".to_owned(), media)].into_iter().collect(),
            required: true,
            ..RequestBody::default()
        };
        set_body(ctx, operation, body);
    }

    fn inferred_early_responses(
        ctx: &mut GenContext,
        _: &mut Operation,
    ) -> Vec<(Option<u16>, ResponseDoc)> {
        problem_responses(ctx, &[400, 413, 415, 422])
    }
}

/// The version that the caller has seen (`If-Match`).
pub struct IfMatch(pub Option<i64>);

impl FromRequestParts<App> for IfMatch {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &App) -> Result<Self, Problem> {
        let Some(header) = parts.headers.get(IF_MATCH) else { return Ok(IfMatch(None)) };
        let text = header.to_str().unwrap_or_default().trim();
        if text == "*" {
            return Ok(IfMatch(None));
        }
        // A tag that no version has matches none: versions begin at 1.
        let version = text.strip_prefix('"').and_then(|text| text.strip_suffix('"'));
        Ok(IfMatch(Some(version.and_then(|text| text.parse().ok()).unwrap_or(0))))
    }
}

#[derive(JsonSchema)]
struct IfMatchHeader {
    /// The `ETag` that the change is made from; another one is 412.
    #[expect(dead_code, reason = "for the document")]
    #[schemars(rename = "If-Match")]
    if_match: Option<String>,
}

impl OperationInput for IfMatch {
    fn operation_input(ctx: &mut GenContext, operation: &mut Operation) {
        let schema = ctx.schema.subschema_for::<IfMatchHeader>();
        let schema = ctx.resolve_schema(&schema).clone();
        let parameters = parameters_from_schema(ctx, schema, ParamLocation::Header);
        add_parameters(ctx, operation, parameters);
    }

    fn inferred_early_responses(
        ctx: &mut GenContext,
        _: &mut Operation,
    ) -> Vec<(Option<u16>, ResponseDoc)> {
        problem_responses(ctx, &[412])
    }
}

/// A request that is done once, however often it is sent (`Idempotency-Key`).
pub struct Once {
    key: Option<IdempotencyKey>,
    method: Method,
    target: String,
}

/// What a request made, as JSON, now or when it was first sent.
pub struct Made {
    pub(crate) json: String,
    pub(crate) replayed: bool,
}

impl Once {
    /// Does `work`, or gives what it made before.
    pub(crate) async fn run<T, B, F>(
        self,
        session: Session,
        body: Body<B>,
        work: impl FnOnce(Session, B) -> F,
    ) -> Result<Made, Problem>
    where
        T: Serialize,
        F: Future<Output = crm_core::Result<T>>,
    {
        let session = match &self.key {
            None => session,
            Some(key) => {
                let mut request = format!("{} {}\n", self.method, self.target).into_bytes();
                request.extend_from_slice(&body.bytes);
                match session.idempotent(key, &request).await? {
                    Idempotent::First(session) => session,
                    Idempotent::Again(json) => return Ok(Made { json, replayed: true }),
                }
            }
        };
        let made = work(session, body.value).await?;
        let json = serde_json::to_string(&made).map_err(Error::internal)?;
        Ok(Made { json, replayed: false })
    }
}

impl FromRequestParts<App> for Once {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &App) -> Result<Self, Problem> {
        let key = match parts.headers.get("idempotency-key") {
            None => None,
            Some(value) => {
                Some(value.to_str().unwrap_or_default().parse::<IdempotencyKey>().map_err(
                    |error| Error::new(ErrorKind::Malformed, error.message().to_owned()),
                )?)
            }
        };
        let target = parts.uri.path_and_query().map_or_else(String::new, ToString::to_string);
        Ok(Once { key, method: parts.method.clone(), target })
    }
}

#[derive(JsonSchema)]
struct IdempotencyHeader {
    /// Names the request: sent again within 24 hours it gives the first reply and has no second effect.
    #[expect(dead_code, reason = "for the document")]
    #[schemars(rename = "Idempotency-Key", length(min = 1, max = 255))]
    idempotency_key: Option<String>,
}

impl OperationInput for Once {
    fn operation_input(ctx: &mut GenContext, operation: &mut Operation) {
        let schema = ctx.schema.subschema_for::<IdempotencyHeader>();
        let schema = ctx.resolve_schema(&schema).clone();
        let parameters = parameters_from_schema(ctx, schema, ParamLocation::Header);
        add_parameters(ctx, operation, parameters);
    }

    fn inferred_early_responses(
        ctx: &mut GenContext,
        _: &mut Operation,
    ) -> Vec<(Option<u16>, ResponseDoc)> {
        problem_responses(ctx, &[400, 409, 422])
    }
}

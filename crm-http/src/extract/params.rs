//! The parameters behind `?`.

use aide::OperationInput;
use aide::generate::GenContext;
use aide::openapi::{Operation, Response as ResponseDoc};
use aide::operation::{ParamLocation, add_parameters, parameters_from_schema};
use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use crm_core::{Error, ErrorKind, Page};
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::de::{DeserializeOwned, Error as _};
use serde::{Deserialize, Deserializer};

use crate::App;
use crate::openapi::{parameters, problem_responses};
use crate::problem::Problem;

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
    // A list that has no such order is asked for something that it does not know.
    let unknown_sort = field == "sort" && reason.starts_with("unknown variant");
    if unknown_sort || reason.starts_with("unknown field") {
        return Error::new(ErrorKind::UnknownParameter, reason);
    }
    let message = if field == "." { reason } else { format!("`{field}`: {reason}") };
    Error::new(ErrorKind::Malformed, message)
}

impl<T: JsonSchema> OperationInput for Params<T> {
    fn operation_input(ctx: &mut GenContext, operation: &mut Operation) {
        let parameters = parameters_from_schema(ctx, parameters::<T>(), ParamLocation::Query);
        add_parameters(ctx, operation, parameters);
    }

    fn inferred_early_responses(
        _: &mut GenContext,
        _: &mut Operation,
    ) -> Vec<(Option<u16>, ResponseDoc)> {
        problem_responses(&[400])
    }
}

/// What the core refuses of a request that consists of parameters alone is a bad parameter.
pub(crate) fn refused_parameters(error: Error) -> Problem {
    if error.kind() == ErrorKind::Invalid {
        return Error::new(ErrorKind::Malformed, error.message().to_owned()).into();
    }
    error.into()
}

/// There are no parameters.
pub struct NoParams;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Nothing {}

impl FromRequestParts<App> for NoParams {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, Problem> {
        Params::<Nothing>::from_request_parts(parts, app).await.map(|Params(Nothing {})| NoParams)
    }
}

impl OperationInput for NoParams {
    fn inferred_early_responses(
        _: &mut GenContext,
        _: &mut Operation,
    ) -> Vec<(Option<u16>, ResponseDoc)> {
        problem_responses(&[400])
    }
}

/// How many items a page has.
#[derive(Debug, Clone, Copy)]
pub struct Limit(u16);

impl Default for Limit {
    fn default() -> Self {
        Limit(Page::DEFAULT_LIMIT)
    }
}

impl<'de> Deserialize<'de> for Limit {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let limit = u16::deserialize(deserializer).ok();
        limit.filter(|limit| (1..=Page::MAX_LIMIT).contains(limit)).map(Limit).ok_or_else(|| {
            D::Error::custom(format_args!("a page has 1 to {} items", Page::MAX_LIMIT))
        })
    }
}

impl JsonSchema for Limit {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Limit".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "type": "integer",
            "minimum": 1,
            "maximum": Page::MAX_LIMIT,
            "default": Page::DEFAULT_LIMIT,
        })
    }
}

/// Where a page begins.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(transparent)]
#[schemars(inline)]
pub struct Cursor(#[schemars(length(min = 1))] String);

/// Which page is wanted.
pub(crate) fn page(limit: Option<Limit>, cursor: Option<Cursor>) -> Page {
    let Limit(limit) = limit.unwrap_or_default();
    match cursor {
        Some(Cursor(cursor)) => Page::after(cursor, limit),
        None => Page::first(limit),
    }
}

/// The parameters of a list that has no others.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Paging {
    /// How many items the page has at most.
    limit: Option<Limit>,
    /// `next_cursor` of the page before.
    cursor: Option<Cursor>,
}

impl Paging {
    pub(crate) fn page(self) -> Page {
        page(self.limit, self.cursor)
    }
}

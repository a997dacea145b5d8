//! The parameters behind `?`.

use aide::OperationInput;
use aide::generate::GenContext;
use aide::openapi::{Operation, Response as ResponseDoc};
use aide::operation::{ParamLocation, add_parameters, parameters_from_schema};
use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use crm_core::{Error, ErrorKind};
use schemars::JsonSchema;
use serde::Deserialize;
use serde::de::DeserializeOwned;

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
            Err(error) => {
                let path = error.path().to_string();
                Err(Error::refused_parameter(&path, &error.into_inner().to_string()).into())
            }
        }
    }
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

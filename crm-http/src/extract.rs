//! What handlers take: who calls, and what they say, each checked before the handler runs.

mod body;
mod condition;
mod once;
mod params;

use std::marker::PhantomData;

use aide::OperationInput;
use aide::generate::GenContext;
use aide::openapi::{Operation, Response as ResponseDoc};
use aide::operation::{ParamLocation, add_parameters, parameters_from_schema};
use axum::extract::{FromRequestParts, Path as AxumPath};
use axum::http::header::AUTHORIZATION;
use axum::http::request::Parts;
use crm_core::access::Action;
use crm_core::identity::Identity;
use crm_core::{Error, ErrorKind, Id, IdKind, Session};
use schemars::JsonSchema;

use crate::App;
use crate::limits;
use crate::openapi::{parameters, problem_responses, secured};
use crate::problem::Problem;
use crate::request::Framed;

pub(crate) use body::media_type;
pub use body::{Body, MergePatch};
pub use condition::{IfMatch, IfNoneMatch};
pub use once::{Begun, Made, Once};
pub(crate) use params::refused_parameters;
pub use params::{NoParams, Params};

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
pub(crate) async fn authenticated(parts: &Parts, app: &App) -> Result<Session, Problem> {
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
        _: &mut GenContext,
        _: &mut Operation,
    ) -> Vec<(Option<u16>, ResponseDoc)> {
        problem_responses(&[401, 403, 429])
    }
}

impl<A: Action> OperationInput for CallerOn<A> {
    fn operation_input(_: &mut GenContext, operation: &mut Operation) {
        secured(operation, A::NAME, A::LEAST);
    }

    fn inferred_early_responses(
        _: &mut GenContext,
        _: &mut Operation,
    ) -> Vec<(Option<u16>, ResponseDoc)> {
        problem_responses(&[401, 403, 404, 429])
    }
}

impl OperationInput for Public {
    fn operation_input(_: &mut GenContext, operation: &mut Operation) {
        operation.security = vec![indexmap::IndexMap::new()];
    }

    fn inferred_early_responses(
        _: &mut GenContext,
        _: &mut Operation,
    ) -> Vec<(Option<u16>, ResponseDoc)> {
        problem_responses(&[429])
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
        let parameters = parameters_from_schema(ctx, parameters::<IdInPath>(), ParamLocation::Path);
        add_parameters(ctx, operation, parameters);
    }

    fn inferred_early_responses(
        _: &mut GenContext,
        _: &mut Operation,
    ) -> Vec<(Option<u16>, ResponseDoc)> {
        problem_responses(&[404])
    }
}

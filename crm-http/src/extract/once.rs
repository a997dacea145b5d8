//! Requests that can be repeated.

use aide::OperationInput;
use aide::generate::GenContext;
use aide::openapi::{Operation, Response as ResponseDoc};
use aide::operation::{ParamLocation, add_parameters, parameters_from_schema};
use axum::extract::FromRequestParts;
use axum::http::Method;
use axum::http::request::Parts;
use crm_core::idempotency::{Done, IdempotencyKey, Idempotent, Repeatable};
use crm_core::identity::Digester;
use crm_core::{Error, ErrorKind, Session};
use schemars::JsonSchema;
use serde::Serialize;

use super::Body;
use crate::App;
use crate::openapi::{parameters, problem_responses};
use crate::problem::Problem;

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

/// A request whose body is read piece by piece.
pub enum Begun {
    /// To be done, in this session.
    First(Session),
    /// Done before.
    Again(Done),
}

impl Once {
    /// Begins a request whose body is still to be read: the digester takes it, and its digest is what
    /// the outcome is remembered under.
    pub(crate) async fn begin(self, session: Session) -> Result<(Begun, Digester), Problem> {
        let mut digester = Digester::default();
        digester.update(format!("{} {}\n", self.method, self.target).as_bytes());
        let begun = match &self.key {
            None => Begun::First(session),
            Some(key) => match session.repeatable(key).await? {
                Repeatable::First(session) => Begun::First(session),
                Repeatable::Again(done) => Begun::Again(done),
            },
        };
        Ok((begun, digester))
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
    #[schemars(
        rename = "Idempotency-Key",
        length(min = 1, max = 255),
        regex(pattern = r"^[ -~]+$")
    )]
    idempotency_key: Option<String>,
}

impl OperationInput for Once {
    fn operation_input(ctx: &mut GenContext, operation: &mut Operation) {
        let parameters =
            parameters_from_schema(ctx, parameters::<IdempotencyHeader>(), ParamLocation::Header);
        add_parameters(ctx, operation, parameters);
    }

    fn inferred_early_responses(
        _: &mut GenContext,
        _: &mut Operation,
    ) -> Vec<(Option<u16>, ResponseDoc)> {
        problem_responses(&[400, 409, 422])
    }
}

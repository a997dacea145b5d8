//! Signing up, in and out; one's own account.

use aide::axum::ApiRouter;
use aide::axum::routing::{delete, get, post};
use axum::Json;
use axum::http::StatusCode;
use axum::response::NoContent;
use crm_core::SignInKind;
use crm_core::access::ManageOwnAccount;
use crm_core::identity::{
    ChangePassword, Me, PasswordSignIn, Registered, Registration, Secret, SignInInfo, SignedIn,
    Tokens,
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::App;
use crate::extract::{Body, Caller, CallerOn, PathId, Public};
use crate::problem::Problem;

pub(crate) fn routes() -> ApiRouter<App> {
    ApiRouter::new()
        .api_route("/auth/register", post(register))
        .api_route("/auth/login", post(login))
        .api_route("/auth/refresh", post(refresh))
        .api_route("/auth/logout", post(logout))
        .api_route("/auth/me", get(me))
        .api_route("/auth/password", post(change_password))
        .api_route("/auth/sessions", get(sessions))
        .api_route("/auth/sessions/{id}", delete(end_session))
}

async fn register(
    public: Public,
    body: Body<Registration>,
) -> Result<(StatusCode, Json<Registered>), Problem> {
    Ok((StatusCode::CREATED, Json(public.identity.register(body.value).await?)))
}

async fn login(public: Public, body: Body<PasswordSignIn>) -> Result<Json<SignedIn>, Problem> {
    Ok(Json(public.identity.sign_in(body.value).await?))
}

/// A refresh token.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Refresh {
    /// The newest one.
    refresh_token: Secret,
}

async fn refresh(public: Public, body: Body<Refresh>) -> Result<Json<Tokens>, Problem> {
    Ok(Json(public.identity.refresh(&body.value.refresh_token).await?))
}

/// What to end.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Logout {
    /// A refresh token of the same user whose session ends, too.
    #[serde(default)]
    refresh_token: Option<Secret>,
}

async fn logout(
    caller: Caller<ManageOwnAccount>,
    body: Body<Logout>,
) -> Result<NoContent, Problem> {
    caller.session.account().sign_out(body.value.refresh_token.as_ref()).await?;
    Ok(NoContent)
}

async fn me(caller: Caller<ManageOwnAccount>) -> Result<Json<Me>, Problem> {
    Ok(Json(caller.session.account().me().await?))
}

async fn change_password(
    caller: Caller<ManageOwnAccount>,
    body: Body<ChangePassword>,
) -> Result<NoContent, Problem> {
    caller.session.account().change_password(body.value).await?;
    Ok(NoContent)
}

/// The caller's sessions.
#[derive(Serialize, JsonSchema)]
struct Sessions {
    /// Those that have not ended, oldest first.
    items: Vec<SignInInfo>,
}

async fn sessions(caller: Caller<ManageOwnAccount>) -> Result<Json<Sessions>, Problem> {
    Ok(Json(Sessions { items: caller.session.account().sessions().await? }))
}

async fn end_session(
    caller: CallerOn<ManageOwnAccount>,
    PathId(id): PathId<SignInKind>,
) -> Result<NoContent, Problem> {
    caller.session.account().end_session(id).await?;
    Ok(NoContent)
}

//! Signing up, in and out; one's own account.

use aide::axum::ApiRouter;
use aide::axum::routing::{delete_with, get_with, post_with};
use axum::response::NoContent;
use crm_core::SignInKind;
use crm_core::access::{ManageOwnAccount, SecureOwnAccount};
use crm_core::identity::{
    AcceptInvitation, ChangePassword, Code, Me, NewTotp, PasswordSignIn, RecoveryCodes, Registered,
    Registration, RemoveTotp, Secret, SignInInfo, SignedIn, StepUp, Tokens,
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::App;
use crate::extract::{Body, Caller, CallerOn, NoParams, PathId, Public};
use crate::openapi::{Section, about};
use crate::problem::Problem;
use crate::reply::{Made201, Reply};

const IDENTITY: Section = Section::Identity;

pub(crate) fn routes() -> ApiRouter<App> {
    ApiRouter::new()
        .api_route(
            "/auth/register",
            post_with(
                register,
                about(
                    IDENTITY,
                    "register",
                    &[403, 409],
                    "Make a tenant and its owner",
                    "403 where the operator makes the tenants; 409 `already_exists` where \
                     somebody took the name at the same moment; 422 with one entry for each \
                     refused value; 429 after too many.",
                ),
            ),
        )
        .api_route(
            "/auth/invitations/accept",
            post_with(
                accept_invitation,
                about(
                    IDENTITY,
                    "accept_invitation",
                    &[401, 409],
                    "Come in by an invitation",
                    "Sets the password. 401 for an invitation that is none, is used up or over; \
                     422 for a weak password; 429 after too many.",
                ),
            ),
        )
        .api_route(
            "/auth/login",
            post_with(
                login,
                about(
                    IDENTITY,
                    "sign_in",
                    &[401, 409],
                    "Sign in with a password",
                    "401 for an unknown address, a wrong password and a disabled user alike, \
                     `second_factor_required` where a code is missing; 409 `conflict` where \
                     `tenant` must say which; 429 after too many wrong attempts.",
                ),
            ),
        )
        .api_route(
            "/auth/refresh",
            post_with(
                refresh,
                about(
                    IDENTITY,
                    "refresh_tokens",
                    &[401],
                    "Take the next pair of tokens",
                    "401 for a token that is none or is over; `token_reused` for one that was \
                     used before, which ends all that came from its sign-in.",
                ),
            ),
        )
        .api_route(
            "/auth/logout",
            post_with(
                logout,
                about(
                    IDENTITY,
                    "sign_out",
                    &[],
                    "Sign out",
                    "The access token stops working at once.",
                ),
            ),
        )
        .api_route(
            "/auth/me",
            get_with(
                me,
                about(
                    IDENTITY,
                    "get_me",
                    &[],
                    "Say who is signed in",
                    "With all that they may do.",
                ),
            ),
        )
        .api_route(
            "/auth/password",
            post_with(
                change_password,
                about(
                    IDENTITY,
                    "change_password",
                    &[409],
                    "Change the password",
                    "All other sessions end. 422 where the current password is wrong or the new \
                     one is weak; 429 after too many wrong attempts.",
                ),
            ),
        )
        .api_route(
            "/auth/step-up",
            post_with(
                step_up,
                about(
                    IDENTITY,
                    "step_up",
                    &[409],
                    "Prove again who one is",
                    "What asks for a fresh proof is then allowed for a while. 401 or 422 for a \
                     wrong password or code; 429 after too many.",
                ),
            ),
        )
        .api_route(
            "/auth/totp",
            post_with(
                begin_totp,
                about(
                    IDENTITY,
                    "begin_totp",
                    &[409],
                    "Begin a second factor",
                    "It is in force when a code is confirmed. 403 `step_up_required` where the \
                     sign-in is not fresh; 409 where there is one already.",
                ),
            )
            .delete_with(
                remove_totp,
                about(
                    IDENTITY,
                    "remove_totp",
                    &[409],
                    "Go without a second factor",
                    "401 or 422 for a wrong password or code, or a password that is too short to \
                     be the only factor; 409 where there is no second factor; 429 after too many.",
                ),
            ),
        )
        .api_route(
            "/auth/totp/confirm",
            post_with(
                confirm_totp,
                about(
                    IDENTITY,
                    "confirm_totp",
                    &[409],
                    "Confirm the second factor by a code",
                    "The recovery codes are in this reply and in no other. 401 or 422 for a wrong \
                     code; 409 where none was begun; 429 after too many.",
                ),
            ),
        )
        .api_route(
            "/auth/recovery-codes",
            post_with(
                new_recovery_codes,
                about(
                    IDENTITY,
                    "new_recovery_codes",
                    &[409],
                    "Take new recovery codes",
                    "The old ones are of no use any more. 401 or 422 for a wrong code; 403 without a fresh proof; 409 where \
                     there is no second factor; 429 after too many.",
                ),
            ),
        )
        .api_route(
            "/auth/sessions",
            get_with(
                sessions,
                about(
                    IDENTITY,
                    "list_sessions",
                    &[],
                    "List one's own sessions",
                    "Those that have not ended, oldest first.",
                ),
            ),
        )
        .api_route(
            "/auth/sessions/{id}",
            delete_with(
                end_session,
                about(
                    IDENTITY,
                    "end_session",
                    &[],
                    "End one of one's own sessions",
                    "404 where the caller has no such session.",
                ),
            ),
        )
}

async fn register(
    public: Public,
    _: NoParams,
    body: Body<Registration>,
) -> Result<Made201<Registered>, Problem> {
    Ok(Made201(public.identity.register(body.value).await?))
}

async fn login(
    public: Public,
    _: NoParams,
    body: Body<PasswordSignIn>,
) -> Result<Reply<SignedIn>, Problem> {
    Ok(Reply(public.identity.sign_in(body.value).await?))
}

/// A refresh token.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Refresh {
    /// The newest one.
    refresh_token: Secret,
}

async fn refresh(
    public: Public,
    _: NoParams,
    body: Body<Refresh>,
) -> Result<Reply<Tokens>, Problem> {
    Ok(Reply(public.identity.refresh(&body.value.refresh_token).await?))
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
    _: NoParams,
    body: Body<Logout>,
) -> Result<NoContent, Problem> {
    caller.session.account().sign_out(body.value.refresh_token.as_ref()).await?;
    Ok(NoContent)
}

async fn me(caller: Caller<ManageOwnAccount>, _: NoParams) -> Result<Reply<Me>, Problem> {
    Ok(Reply(caller.session.account().me().await?))
}

async fn change_password(
    caller: Caller<ManageOwnAccount>,
    _: NoParams,
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

async fn sessions(
    caller: Caller<ManageOwnAccount>,
    _: NoParams,
) -> Result<Reply<Sessions>, Problem> {
    Ok(Reply(Sessions { items: caller.session.account().sessions().await? }))
}

async fn end_session(
    caller: CallerOn<ManageOwnAccount>,
    _: NoParams,
    PathId(id): PathId<SignInKind>,
) -> Result<NoContent, Problem> {
    caller.session.account().end_session(id).await?;
    Ok(NoContent)
}

async fn accept_invitation(
    public: Public,
    _: NoParams,
    body: Body<AcceptInvitation>,
) -> Result<Reply<SignedIn>, Problem> {
    Ok(Reply(public.identity.accept_invitation(body.value).await?))
}

async fn step_up(
    caller: Caller<ManageOwnAccount>,
    _: NoParams,
    body: Body<StepUp>,
) -> Result<NoContent, Problem> {
    caller.session.account().step_up(body.value).await?;
    Ok(NoContent)
}

async fn begin_totp(
    caller: Caller<SecureOwnAccount>,
    _: NoParams,
) -> Result<Reply<NewTotp>, Problem> {
    Ok(Reply(caller.session.account().begin_totp().await?))
}

async fn confirm_totp(
    caller: Caller<ManageOwnAccount>,
    _: NoParams,
    body: Body<Code>,
) -> Result<Reply<RecoveryCodes>, Problem> {
    Ok(Reply(caller.session.account().confirm_totp(&body.value.code).await?))
}

async fn remove_totp(
    caller: Caller<ManageOwnAccount>,
    _: NoParams,
    body: Body<RemoveTotp>,
) -> Result<NoContent, Problem> {
    caller.session.account().remove_totp(body.value).await?;
    Ok(NoContent)
}

async fn new_recovery_codes(
    caller: Caller<SecureOwnAccount>,
    _: NoParams,
    body: Body<Code>,
) -> Result<Reply<RecoveryCodes>, Problem> {
    Ok(Reply(caller.session.account().new_recovery_codes(&body.value.code).await?))
}

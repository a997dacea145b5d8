//! Users.

use aide::axum::ApiRouter;
use aide::axum::routing::{get_with, post_with};
use axum::extract::OriginalUri;
use crm_core::access::{ManageUsers, ReadUsers};
use crm_core::identity::{CreatedUser, NewUser, User, UserPatch};
use crm_core::{PageOf, Paging, Session, UserKind};

use crate::App;
use crate::extract::{
    Body, Caller, CallerOn, IfMatch, IfNoneMatch, MergePatch, NoParams, Once, Params, PathId,
};
use crate::openapi::{Section, about};
use crate::problem::Problem;
use crate::reply::{Created, DoneOnce, Fresh, Reply, Versioned};

const USERS: Section = Section::Users;

pub(crate) fn routes() -> ApiRouter<App> {
    ApiRouter::new()
        .api_route(
            "/users",
            post_with(
                create,
                about(
                    USERS,
                    "create_user", &[],
                    "Invite a user",
                    "`invitation`, which lets them in, is in this reply and in no other. 403 for a role above the caller's own; 409 `already_exists` where the address is \
                     taken; 422 with one entry for each refused value.",
                ),
            )
            .get_with(
                list,
                about(
                    USERS,
                    "list_users", &[],
                    "List users",
                    "In the order in which they were made. 400 `invalid_cursor` for a cursor of another \
                     list.",
                ),
            ),
        )
        .api_route(
            "/users/{id}",
            get_with(
                get,
                about(
                    USERS,
                    "get_user", &[],
                    "Get a user",
                    "304 where `If-None-Match` names the version; 404 where there is no such user in the \
                     tenant.",
                ),
            )
            .patch_with(
                update,
                about(
                    USERS,
                    "update_user", &[409],
                    "Change a user's name, role or status",
                    "A merge patch. 403 for a user or a role above the caller's own; 404; 409 `conflict` \
                     where people would change their own role or status; 412 where `If-Match` names \
                     another version; 422 with one entry for each refused value.",
                ),
            ),
        )
        .api_route(
            "/users/{id}/invitation",
            post_with(
                invite_again,
                about(
                    USERS,
                    "invite_user_again", &[],
                    "Invite a user again",
                    "Their password and second factor are of no use any more, and all their sessions end. 403 \
                     for a user above the caller; 404; 409 `conflict` for oneself and for a disabled user.",
                ),
            ),
        )
}

async fn invite_again(
    caller: CallerOn<ManageUsers>,
    _: NoParams,
    PathId(id): PathId<UserKind>,
    once: Once,
) -> Result<DoneOnce<CreatedUser>, Problem> {
    let work = async |session: Session, ()| session.users().invite_again(id).await;
    Ok(DoneOnce::of(once.run(caller.session, Body::none(), work).await?))
}

async fn create(
    caller: Caller<ManageUsers>,
    OriginalUri(uri): OriginalUri,
    _: NoParams,
    once: Once,
    body: Body<NewUser>,
) -> Result<Created<CreatedUser>, Problem> {
    let work = async |session: Session, new| session.users().create(new).await;
    Ok(Created::at(&uri, once.run(caller.session, body, work).await?))
}

async fn list(
    caller: Caller<ReadUsers>,
    Params(paging): Params<Paging>,
) -> Result<Reply<PageOf<User>>, Problem> {
    Ok(Reply(caller.session.users().list(&paging.page()).await?))
}

async fn get(
    caller: CallerOn<ReadUsers>,
    _: NoParams,
    PathId(id): PathId<UserKind>,
    known: IfNoneMatch,
) -> Result<Fresh<User>, Problem> {
    let user = caller.session.users().get(id).await?;
    let version = user.version;
    Ok(Fresh::unless(&known, user, version))
}

async fn update(
    caller: CallerOn<ManageUsers>,
    _: NoParams,
    PathId(id): PathId<UserKind>,
    IfMatch(version): IfMatch,
    MergePatch(patch): MergePatch<UserPatch>,
) -> Result<Versioned<User>, Problem> {
    let user = caller.session.users().update(id, patch, version).await?;
    let version = user.version;
    Ok(Versioned(user, version))
}

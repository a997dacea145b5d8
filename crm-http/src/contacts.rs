//! Contacts.

mod export;
mod import;
mod list;

use aide::axum::ApiRouter;
use aide::axum::routing::{get_with, post_with};
use axum::extract::OriginalUri;
use axum::response::NoContent;
use crm_core::access::{
    CreateContacts, DeleteContacts, ReadActivities, ReadContacts, RestoreContacts, UpdateContacts,
};
use crm_core::activities::Activity;
use crm_core::contacts::{Contact, ContactPatch, NewContact, Upserted};
use crm_core::{ContactKind, Error, PageOf, Paging};
use schemars::JsonSchema;
use serde::Deserialize;

use crate::App;
use crate::extract::{
    Body, Caller, CallerOn, IfMatch, IfNoneMatch, Made, MergePatch, NoParams, Once, Params, PathId,
};
use crate::openapi::{Section, about};
use crate::problem::Problem;
use crate::reply::{Created, CreatedOrUpdated, Fresh, Reply, Versioned};

const CONTACTS: Section = Section::Contacts;

pub(crate) fn routes() -> ApiRouter<App> {
    ApiRouter::new()
        .api_route(
            "/contacts",
            post_with(
                create,
                about(
                    CONTACTS,
                    "create_contact", &[],
                    "Make a contact",
                    "422 with one entry for each refused value. 409 `already_exists` with `existing_id` \
                     where a live contact has one of its e-mails, unless `on_conflict=update`.",
                ),
            )
            .get_with(
                list::list,
                about(
                    CONTACTS,
                    "list_contacts", &[],
                    "List contacts",
                    "All filters must hold. 400 `unknown_parameter` for a filter or sort that there is \
                     not, `malformed` for one that cannot be read, `invalid_cursor` for a cursor of \
                     another list.",
                ),
            ),
        )
        .api_route(
            "/contacts/search",
            get_with(
                list::search,
                about(
                    CONTACTS,
                    "search_contacts", &[],
                    "Search contacts",
                    "Over names, e-mails, phones and companies; typing mistakes are forgiven. 400 \
                     `invalid_cursor` for a cursor of another search.",
                ),
            ),
        )
        .api_route(
            "/contacts/import",
            post_with(
                import::import,
                about(
                    CONTACTS,
                    "import_contacts", &[],
                    "Import contacts from a file",
                    "The body is the file, of any size. A bad row is counted and explained; the good \
                     ones are kept. 415 for another format; 422 where the file as a whole cannot be read.",
                ),
            ),
        )
        .api_route(
            "/contacts/export",
            get_with(
                export::export,
                about(
                    CONTACTS,
                    "export_contacts", &[],
                    "Export all contacts to a file",
                    "The file comes as it is written. Where storage fails on the way, the connection \
                     ends before the file does.",
                ),
            ),
        )
        .api_route(
            "/contacts/{id}",
            get_with(
                get,
                about(
                    CONTACTS,
                    "get_contact", &[],
                    "Get a contact",
                    "In use or deleted. 304 where `If-None-Match` names its version; 404 where there is \
                     no such contact in the tenant.",
                ),
            )
            .patch_with(
                update,
                about(
                    CONTACTS,
                    "update_contact", &[409],
                    "Change a contact",
                    "A merge patch: absent fields stay, `null` clears. 404; 409 `conflict` where it is \
                     deleted, `already_exists` where another has one of its e-mails; 412 where `If-Match` \
                     names another version; 422 with one entry for each refused value.",
                ),
            )
            .delete_with(
                delete,
                about(
                    CONTACTS,
                    "delete_contact", &[409],
                    "Take a contact out of use",
                    "Its e-mails are free at once, and it can be restored. 404; 409 `conflict` where it \
                     is deleted already; 412 where `If-Match` names another version.",
                ),
            ),
        )
        .api_route(
            "/contacts/{id}/restore",
            post_with(
                restore,
                about(
                    CONTACTS,
                    "restore_contact", &[409],
                    "Bring a deleted contact back",
                    "404; 409 `conflict` where it is not deleted, `already_exists` with `existing_id` \
                     where one of its e-mails has been taken.",
                ),
            ),
        )
        .api_route(
            "/contacts/{id}/activities",
            get_with(
                timeline,
                about(
                    CONTACTS,
                    "list_contact_activities", &[],
                    "List a contact's timeline",
                    "Newest first. 404 where there is no such contact in the tenant.",
                ),
            ),
        )
}

/// What to do where a live contact has one of the e-mails.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
enum OnTaken {
    /// Refuse the new contact.
    #[default]
    Error,
    /// Change the one that is there.
    Update,
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct CreateParams {
    /// What to do where a live contact has one of the e-mails: refuse the new one (`error`, the
    /// default), or change the one that is there (`update`).
    on_conflict: Option<OnTaken>,
}

async fn create(
    caller: Caller<CreateContacts>,
    OriginalUri(uri): OriginalUri,
    Params(params): Params<CreateParams>,
    once: Once,
    body: Body<NewContact>,
) -> Result<CreatedOrUpdated<Contact>, Problem> {
    match params.on_conflict.unwrap_or_default() {
        OnTaken::Error => {
            let work = async |session: crm_core::Session, new| session.contacts().create(new).await;
            let made = once.run(caller.session, body, work).await?;
            Ok(CreatedOrUpdated::Created(Created::at(&uri, made)))
        }
        OnTaken::Update => {
            let work = async |session: crm_core::Session, new| {
                session.contacts().create_or_update(new).await
            };
            let Made { json, replayed } = once.run(caller.session, body, work).await?;
            let Upserted { created, contact } =
                serde_json::from_str(&json).map_err(Error::internal)?;
            let json = serde_json::to_string(&contact).map_err(Error::internal)?;
            let made = Made { json, replayed };
            Ok(match created {
                true => CreatedOrUpdated::Created(Created::at(&uri, made)),
                false => CreatedOrUpdated::Updated(made, contact.version),
            })
        }
    }
}

async fn get(
    caller: CallerOn<ReadContacts>,
    _: NoParams,
    PathId(id): PathId<ContactKind>,
    known: IfNoneMatch,
) -> Result<Fresh<Contact>, Problem> {
    let contact = caller.session.contacts().get(id).await?;
    let version = contact.version;
    Ok(Fresh::unless(&known, contact, version))
}

async fn update(
    caller: CallerOn<UpdateContacts>,
    _: NoParams,
    PathId(id): PathId<ContactKind>,
    IfMatch(version): IfMatch,
    MergePatch(patch): MergePatch<ContactPatch>,
) -> Result<Versioned<Contact>, Problem> {
    let contact = caller.session.contacts().update(id, patch, version).await?;
    let version = contact.version;
    Ok(Versioned(contact, version))
}

async fn delete(
    caller: CallerOn<DeleteContacts>,
    _: NoParams,
    PathId(id): PathId<ContactKind>,
    IfMatch(version): IfMatch,
) -> Result<NoContent, Problem> {
    caller.session.contacts().delete(id, version).await?;
    Ok(NoContent)
}

async fn restore(
    caller: CallerOn<RestoreContacts>,
    _: NoParams,
    PathId(id): PathId<ContactKind>,
) -> Result<Versioned<Contact>, Problem> {
    let contact = caller.session.contacts().restore(id).await?;
    let version = contact.version;
    Ok(Versioned(contact, version))
}

async fn timeline(
    caller: CallerOn<ReadActivities>,
    PathId(id): PathId<ContactKind>,
    Params(paging): Params<Paging>,
) -> Result<Reply<PageOf<Activity>>, Problem> {
    Ok(Reply(caller.session.activities().timeline(id, &paging.page()).await?))
}

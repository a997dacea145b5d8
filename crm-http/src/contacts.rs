//! Contacts.

use aide::axum::ApiRouter;
use aide::axum::routing::{get_with, post_with};
use axum::extract::OriginalUri;
use crm_core::ContactKind;
use crm_core::access::{CreateContacts, ReadContacts};
use crm_core::contacts::{Contact, NewContact};

use crate::App;
use crate::extract::{Body, Caller, CallerOn, Once, PathId};
use crate::problem::Problem;
use crate::reply::{Created, Versioned};

pub(crate) fn routes() -> ApiRouter<App> {
    ApiRouter::new()
        .api_route("/contacts", post_with(create, |op| op.summary("Make a contact")))
        .api_route("/contacts/{id}", get_with(get, |op| op.summary("Get a contact")))
}

async fn create(
    caller: Caller<CreateContacts>,
    OriginalUri(uri): OriginalUri,
    once: Once,
    body: Body<NewContact>,
) -> Result<Created<Contact>, Problem> {
    let made = once
        .run(caller.session, body, async |session, new| session.contacts().create(new).await)
        .await?;
    Ok(Created::at(&uri, made))
}

async fn get(
    caller: CallerOn<ReadContacts>,
    PathId(id): PathId<ContactKind>,
) -> Result<Versioned<Contact>, Problem> {
    let contact = caller.session.contacts().get(id).await?;
    let version = contact.version;
    Ok(Versioned(contact, version))
}

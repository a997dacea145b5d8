//! Making a contact, or changing the one that has its e-mail.

use serde::{Deserialize, Serialize};

use super::Contacts;
use super::commands;
use super::model::{Contact, NewContact};
use super::store::ContactKey;
use crate::access::{CreateContacts, UpdateContacts};
use crate::error::{Error, ErrorKind, Result};

/// What [`Contacts::create_or_update`] did.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Upserted {
    /// Whether the contact is new.
    pub created: bool,
    /// The contact as it is now.
    pub contact: Contact,
}

impl Contacts<'_> {
    /// Makes a contact; where a live contact has one of its e-mails, changes that one instead: what is
    /// given replaces what was, e-mails, phones, addresses and tags join those that are there, what is
    /// not given stays. Its outcome is remembered for a repeated request.
    ///
    /// ```
    /// # use crm_core::contacts::NewContact;
    /// # tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(async {
    /// # let session = crm_core::memory::session_for_docs().await?;
    /// let ada = NewContact::named("Ada", "Byron").email("ada@example.com");
    /// assert!(session.contacts().create_or_update(ada).await?.created);
    /// let ada = NewContact::named("Ada", "Lovelace").email("ADA@example.com");
    /// let known = session.contacts().create_or_update(ada).await?;
    /// assert_eq!((known.created, &*known.contact.display_name), (false, "Ada Lovelace"));
    /// # Ok::<(), crm_core::Error>(()) }).unwrap();
    /// ```
    ///
    /// # Errors
    ///
    /// `forbidden`; `invalid` with each refused value; `already_exists` when its e-mails belong to
    /// several contacts; `unavailable` or `internal` from the store.
    pub async fn create_or_update(&self, new: NewContact) -> Result<Upserted> {
        let attempt = || self.try_create_or_update(new.clone());
        let work = self.session.retry_contended(false, attempt);
        self.session.run("contacts.create_or_update", work).await
    }

    async fn try_create_or_update(&self, new: NewContact) -> Result<Upserted> {
        let create = self.session.authorize::<CreateContacts>()?;
        let update = self.session.authorize::<UpdateContacts>()?;
        let details = new.validate(create.scope().region()).map_err(Error::invalid)?;
        self.check_references(details.company_id, details.owner_id).await?;
        let emails: Vec<ContactKey> =
            details.emails.iter().map(|email| ContactKey::email(&email.address)).collect();
        let (store, env) = (self.session.store(), self.session.env());
        let mut holders = store.contacts_by_keys(create.scope(), &emails).await?;
        holders.sort_by_key(|(key, _)| emails.iter().position(|email| email == key));
        let mut changes = self.session.new_changes();
        let Some((_, holder)) = holders.into_iter().next() else {
            let contact = commands::create(&mut changes, &create, env, details)?;
            let upserted = Upserted { created: true, contact };
            self.session.commit_made(changes, &upserted).await.map_err(taken_meanwhile)?;
            return Ok(upserted);
        };
        let before = store.contact(update.scope(), holder).await?;
        let Some(before) = before.filter(Contact::is_live) else {
            return Err(moved_on());
        };
        let after = commands::merge(&mut changes, &update, env, &before, details)?;
        let changed = after.is_some();
        let upserted = Upserted { created: false, contact: after.unwrap_or(before) };
        if changed {
            self.session.commit_made(changes, &upserted).await?;
        }
        Ok(upserted)
    }
}

/// An e-mail that was free is taken: the next attempt finds its holder.
fn taken_meanwhile(error: Error) -> Error {
    if error.kind() == ErrorKind::AlreadyExists { moved_on() } else { error }
}

fn moved_on() -> Error {
    Error::new(ErrorKind::VersionConflict, "the contact changes too often; repeat the request")
}

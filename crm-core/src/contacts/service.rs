//! What a session can do with contacts.

use std::collections::{HashMap, HashSet};

use serde::{Deserialize, Serialize};

use super::commands;
use super::model::{Contact, ContactDetails, ContactPatch, NewContact};
use super::search;
use super::store::{ContactFilter, ContactKey, ContactQuery, ContactSort};
use crate::access::{
    Action, CreateContacts, DeleteContacts, Permit, ReadContacts, RestoreContacts, UpdateContacts,
};
use crate::changes::Changes;
use crate::error::{Error, FieldError, Result};
use crate::id::{CompanyId, ContactId, UserId};
use crate::page::{Page, PageOf, Position, SortKey};
use crate::session::Session;

/// The contacts of the session's tenant.
#[derive(Debug, Clone, Copy)]
pub struct Contacts<'s> {
    pub(crate) session: &'s Session,
}

/// A contact that a search found.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct SearchHit {
    /// The contact.
    pub contact: Contact,
    /// How well it fits, 0..=1; 1 is the whole name as typed.
    pub score: f32,
}

/// What a search is sorted by.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum SearchSort {
    /// The best first.
    #[default]
    Relevance,
    /// The last changed first.
    UpdatedAt,
}

impl Contacts<'_> {
    /// Makes a contact. Its outcome is remembered for a repeated request.
    ///
    /// # Errors
    ///
    /// `forbidden`; `invalid` with each refused value; `already_exists` when a live contact has one
    /// of its e-mails, naming it; `unavailable` or `internal` from the store.
    pub async fn create(&self, new: NewContact) -> Result<Contact> {
        self.session
            .run("contacts.create", async {
                let (contact, changes) = self.plan_create(new).await?;
                self.session.commit_made(changes, &contact).await?;
                Ok(contact)
            })
            .await
    }

    /// What [`Contacts::create`] would write, for a host that commits it with other changes.
    ///
    /// # Errors
    ///
    /// Those of [`Contacts::create`] that need no write.
    pub async fn plan_create(&self, new: NewContact) -> Result<(Contact, Changes)> {
        let permit = self.session.authorize::<CreateContacts>()?;
        let details = new.validate(permit.scope().region()).map_err(Error::invalid)?;
        self.check_references(details.company_id, details.owner_id).await?;
        // Whether an e-mail is taken, the store says when it commits; asking before could not be sure.
        let mut changes = self.session.new_changes();
        let contact = commands::create(&mut changes, &permit, self.session.env(), details)?;
        Ok((contact, changes))
    }

    /// Makes many contacts as one unit: all of them, or none. Some hundreds at a time are best.
    ///
    /// # Errors
    ///
    /// Those of [`Contacts::create`]; a field begins with the contact's place in the list, e.g.
    /// `[3].emails[0].address`.
    pub async fn create_all(&self, new: Vec<NewContact>) -> Result<Vec<Contact>> {
        self.session
            .run("contacts.create_all", async {
                let permit = self.session.authorize::<CreateContacts>()?;
                let mut refused = Vec::new();
                let mut valid = Vec::with_capacity(new.len());
                for (index, new) in new.into_iter().enumerate() {
                    match new.validate(permit.scope().region()) {
                        Ok(details) => valid.push(details),
                        Err(errors) => refused.extend(errors.into_iter().map(|error| FieldError {
                            field: format!("[{index}].{}", error.field),
                            ..error
                        })),
                    }
                }
                if !refused.is_empty() {
                    return Err(Error::invalid(refused));
                }
                let (mut companies, mut owners) = (HashSet::new(), HashSet::new());
                for (index, details) in valid.iter().enumerate() {
                    let company = details.company_id.filter(|id| companies.insert(*id));
                    let owner = details.owner_id.filter(|id| owners.insert(*id));
                    self.check_references(company, owner)
                        .await
                        .map_err(|error| error.within(&format!("[{index}].")))?;
                }
                self.check_all_free(&valid).await?;
                let mut changes = self.session.new_changes();
                let env = self.session.env();
                let made = valid
                    .into_iter()
                    .map(|details| commands::create(&mut changes, &permit, env, details))
                    .collect::<Result<Vec<_>>>()?;
                self.session.commit(changes).await?;
                Ok(made)
            })
            .await
    }

    /// The contact with this id, in use or deleted.
    ///
    /// # Errors
    ///
    /// `forbidden`; `not_found`; `unavailable` or `internal` from the store.
    pub async fn get(&self, id: ContactId) -> Result<Contact> {
        self.session
            .run("contacts.get", async {
                let (_, contact) = self.load::<ReadContacts>(id).await?;
                Ok(contact)
            })
            .await
    }

    /// Changes a contact. A patch that changes nothing writes nothing.
    ///
    /// # Errors
    ///
    /// `forbidden`; `not_found`; `conflict` when it is deleted; `invalid` with each refused value;
    /// `already_exists` when another live contact has one of its e-mails; `version_conflict` when
    /// `version` is given and is not the record's; `unavailable` or `internal` from the store.
    pub async fn update(
        &self,
        id: ContactId,
        patch: ContactPatch,
        version: Option<i64>,
    ) -> Result<Contact> {
        let attempt = || async {
            let (permit, before) = self.load_at::<UpdateContacts>(id, version).await?;
            let company = set(&patch.company_id).filter(|id| Some(*id) != before.company_id);
            let owner = set(&patch.owner_id).filter(|id| Some(*id) != before.owner_id);
            self.check_references(company, owner).await?;
            let mut changes = self.session.new_changes();
            let env = self.session.env();
            let Some(after) = commands::update(&mut changes, &permit, env, &before, patch.clone())?
            else {
                return Ok(before);
            };
            if after.emails != before.emails {
                self.check_free(&after.keys(), Some(id)).await?;
            }
            self.session.commit(changes).await?;
            Ok(after)
        };
        self.session
            .run("contacts.update", self.session.retry_contended(version.is_some(), attempt))
            .await
    }

    /// Takes a contact out of use. Its e-mails are free at once; [`Contacts::restore`] brings it
    /// back.
    ///
    /// # Errors
    ///
    /// `forbidden`; `not_found`; `conflict` when it is deleted already; `version_conflict` when
    /// `version` is given and is not the record's; `unavailable` or `internal` from the store.
    pub async fn delete(&self, id: ContactId, version: Option<i64>) -> Result<Contact> {
        let attempt = || async {
            let (permit, before) = self.load_at::<DeleteContacts>(id, version).await?;
            let mut changes = self.session.new_changes();
            let after = commands::delete(&mut changes, &permit, self.session.env(), &before)?;
            self.session.commit(changes).await?;
            Ok(after)
        };
        self.session
            .run("contacts.delete", self.session.retry_contended(version.is_some(), attempt))
            .await
    }

    /// Brings a deleted contact back.
    ///
    /// # Errors
    ///
    /// `forbidden`; `not_found`; `conflict` when it is not deleted; `already_exists` when one of
    /// its e-mails has been taken, naming the holder; `unavailable` or `internal` from the store.
    pub async fn restore(&self, id: ContactId) -> Result<Contact> {
        let attempt = || async {
            let (permit, before) = self.load::<RestoreContacts>(id).await?;
            let mut changes = self.session.new_changes();
            let after = commands::restore(&mut changes, &permit, self.session.env(), &before)?;
            self.check_free(&after.keys(), Some(id)).await?;
            self.session.commit(changes).await?;
            Ok(after)
        };
        self.session.run("contacts.restore", self.session.retry_contended(false, attempt)).await
    }

    /// The contacts that `filter` means.
    ///
    /// # Errors
    ///
    /// `forbidden`; `invalid_cursor`; `unavailable` or `internal` from the store.
    pub async fn list(
        &self,
        filter: &ContactFilter,
        sort: ContactSort,
        descending: bool,
        page: &Page,
    ) -> Result<PageOf<Contact>> {
        self.session
            .run("contacts.list", async {
                let permit = self.session.authorize::<ReadContacts>()?;
                let list = format!("contacts?{filter:?}&{sort:?}&{descending}");
                let after = page.position(&list)?.map(|position| (position.key, position.id));
                let query = ContactQuery {
                    filter: filter.clone(),
                    sort,
                    descending,
                    after,
                    limit: page.limit() + 1,
                };
                let contacts = self.session.store().contacts(permit.scope(), &query).await?;
                Ok(PageOf::cut(contacts, page.limit(), &list, |last| Position {
                    key: sort.key_of(last),
                    id: last.id.as_uuid(),
                }))
            })
            .await
    }

    /// How many contacts `filter` means. Exact, and as slow as that: ask only where it is shown.
    ///
    /// # Errors
    ///
    /// `forbidden`; `unavailable` or `internal` from the store.
    pub async fn count(&self, filter: &ContactFilter) -> Result<u64> {
        self.session
            .run("contacts.count", async {
                let permit = self.session.authorize::<ReadContacts>()?;
                self.session.store().count_contacts(permit.scope(), filter).await
            })
            .await
    }

    /// The contacts that `text` could mean, the best first: names with typos, swapped words,
    /// missing accents and nicknames, beginnings, parts of e-mail addresses, phone numbers in any
    /// notation, companies. Several words narrow: where twenty contacts have them all, no other comes;
    /// where fewer do, the nearest of the others follow with lower scores, up to twenty in all.
    ///
    /// Any text is a query; one that means nothing finds nothing. The cost is bounded whatever the
    /// text, so a query that fits very many contacts yields a few hundred of them.
    ///
    /// ```
    /// # use crm_core::{Crm, Page, memory::MemoryStore, contacts::NewContact};
    /// # use crm_core::tenancy::NewTenant;
    /// # tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(async {
    /// # let session = crm_core::memory::session_for_docs().await?;
    /// session.contacts().create(NewContact::named("Ada", "Lovelace")).await?;
    /// let hits = session.contacts().search("ada lovelaec", &Page::first(10)).await?;
    /// assert_eq!(hits.items[0].contact.display_name, "Ada Lovelace");
    /// # Ok::<(), crm_core::Error>(()) }).unwrap();
    /// ```
    ///
    /// # Errors
    ///
    /// `forbidden`; `invalid_cursor`; `unavailable` or `internal` from the store.
    pub async fn search(&self, text: &str, page: &Page) -> Result<PageOf<SearchHit>> {
        self.search_by(text, SearchSort::Relevance, page).await
    }

    /// [`Contacts::search`] in another order.
    ///
    /// # Errors
    ///
    /// Those of [`Contacts::search`].
    pub async fn search_by(
        &self,
        text: &str,
        sort: SearchSort,
        page: &Page,
    ) -> Result<PageOf<SearchHit>> {
        self.session.run("contacts.search", self.search_page(text, sort, page)).await
    }

    async fn search_page(
        &self,
        text: &str,
        sort: SearchSort,
        page: &Page,
    ) -> Result<PageOf<SearchHit>> {
        let permit = self.session.authorize::<ReadContacts>()?;
        let scope = permit.scope();
        let list = format!("search?{text}&{sort:?}");
        let after = page.position(&list)?;
        let query = search::Query::parse(text, scope.region());
        let core = self.session.core();
        let limits = search::Limits::default();
        let found = search::run(&*core.store, scope, &query, &core.nicknames, limits).await?;
        let limit = page.limit();
        let mut more = false;
        let mut hits = match sort {
            SearchSort::Relevance => {
                let wanted: Vec<_> = found
                    .into_iter()
                    .filter(|hit| match &after {
                        Some(Position { key: SortKey::Score(score), id }) => {
                            (-hit.score, hit.contact.as_uuid()) > (-score, *id)
                        }
                        Some(_) | None => true,
                    })
                    .take(limit + 1)
                    .collect();
                // Contacts that are deleted meanwhile leave a short page, not the end of the list.
                more = wanted.len() > limit;
                self.load_hits(&permit, wanted).await?
            }
            SearchSort::UpdatedAt => {
                let mut hits = self.load_hits(&permit, found).await?;
                hits.sort_by_key(|hit| (std::cmp::Reverse(hit.contact.updated_at), hit.contact.id));
                hits.retain(|hit| match &after {
                    Some(Position { key: SortKey::Time(at), id }) => {
                        (std::cmp::Reverse(hit.contact.updated_at), hit.contact.id.as_uuid())
                            > (std::cmp::Reverse(*at), *id)
                    }
                    Some(_) | None => true,
                });
                hits
            }
        };
        more |= hits.len() > limit;
        hits.truncate(limit);
        Ok(PageOf::of(hits, more, &list, |last| Position {
            key: match sort {
                SearchSort::Relevance => SortKey::Score(last.score),
                SearchSort::UpdatedAt => SortKey::Time(last.contact.updated_at),
            },
            id: last.contact.id.as_uuid(),
        }))
    }

    async fn load_hits(
        &self,
        permit: &Permit<ReadContacts>,
        found: Vec<search::Hit>,
    ) -> Result<Vec<SearchHit>> {
        let ids: Vec<ContactId> = found.iter().map(|hit| hit.contact).collect();
        let contacts = self.session.store().contacts_by_ids(permit.scope(), &ids).await?;
        let mut scores = found.into_iter();
        // Both are in one order; a contact that went between the two reads is passed over.
        Ok(contacts
            .into_iter()
            .filter_map(|contact| {
                let hit = scores.by_ref().find(|hit| hit.contact == contact.id)?;
                contact.is_live().then_some(SearchHit { contact, score: hit.score })
            })
            .collect())
    }

    /// Refuses e-mails of a list that a live contact has, or that another of the list has.
    async fn check_all_free(&self, all: &[ContactDetails]) -> Result<()> {
        let places = all.iter().enumerate().flat_map(|(index, details)| {
            details.emails.iter().enumerate().map(move |(at, email)| {
                (ContactKey::email(&email.address), format!("[{index}].emails[{at}].address"))
            })
        });
        let mut taken_by: HashMap<ContactKey, String> = HashMap::new();
        for (key, place) in places {
            if let Some(first) = taken_by.get(&key) {
                let message = format!("`{}` is the e-mail at `{first}` already", key.value());
                return Err(Error::invalid_field(place, "duplicate", message));
            }
            taken_by.insert(key, place);
        }
        let keys: Vec<ContactKey> = taken_by.keys().cloned().collect();
        let taken = self.session.store().contacts_by_keys(self.session.scope(), &keys).await?;
        match taken.into_iter().min_by_key(|(key, _)| taken_by.get(key).cloned()) {
            Some((key, holder)) => {
                let place = taken_by.remove(&key).unwrap_or_default();
                let message = format!("another contact has the e-mail `{}`", key.value());
                Err(Error::already_exists(place, holder.as_uuid(), message))
            }
            None => Ok(()),
        }
    }

    async fn load<A: Action>(&self, id: ContactId) -> Result<(Permit<A>, Contact)> {
        let look = self.session.store().contact(self.session.scope(), id);
        self.session.authorize_on("contact", look).await
    }

    async fn load_at<A: Action>(
        &self,
        id: ContactId,
        version: Option<i64>,
    ) -> Result<(Permit<A>, Contact)> {
        let (permit, contact) = self.load(id).await?;
        match version.filter(|version| *version != contact.version) {
            Some(expected) => Err(Error::version_conflict("contact", expected, contact.version)),
            None => Ok((permit, contact)),
        }
    }

    /// Refuses a company or an owner that the tenant does not have.
    pub(super) async fn check_references(
        &self,
        company: Option<CompanyId>,
        owner: Option<UserId>,
    ) -> Result<()> {
        let (store, scope) = (self.session.store(), self.session.scope());
        if let Some(id) = company
            && store.company(scope, id).await?.is_none()
        {
            let message = "there is no such company";
            return Err(Error::invalid_field("company_id", "not_found", message));
        }
        if let Some(id) = owner
            && store.user(scope, id).await?.is_none()
        {
            let message = "there is no such user";
            return Err(Error::invalid_field("owner_id", "not_found", message));
        }
        Ok(())
    }

    /// Refuses e-mails that a live contact other than `own` has.
    async fn check_free(&self, keys: &[ContactKey], own: Option<ContactId>) -> Result<()> {
        let emails: Vec<ContactKey> =
            keys.iter().filter(|key| matches!(key, ContactKey::Email(_))).cloned().collect();
        if emails.is_empty() {
            return Ok(());
        }
        let taken = self.session.store().contacts_by_keys(self.session.scope(), &emails).await?;
        match taken.into_iter().find(|(_, holder)| Some(*holder) != own) {
            Some((key, holder)) => {
                let index = emails.iter().position(|email| *email == key).unwrap_or_default();
                Err(Error::already_exists(
                    format!("emails[{index}].address"),
                    holder.as_uuid(),
                    format!("another contact has the e-mail `{}`", key.value()),
                ))
            }
            None => Ok(()),
        }
    }
}

fn set<T: Copy>(patch: &crate::Patch<T>) -> Option<T> {
    match patch {
        crate::Patch::Set(value) => Some(*value),
        crate::Patch::Keep | crate::Patch::Clear => None,
    }
}

//! What changes a contact: old state and command in, changes out. Nothing here reads or waits.

use std::collections::BTreeMap;

use serde_json::Value;

use super::check::Check;
use super::model::{
    Contact, ContactDetails, ContactEmail, ContactPatch, ContactPhone, CustomValue, MAX_CUSTOM,
    MAX_ENTRIES, MAX_TAGS, PostalAddress, default_display_name,
};
use super::search::ContactTerms;
use super::store::ContactKey;
use crate::access::{CreateContacts, DeleteContacts, Permit, RestoreContacts, UpdateContacts};
use crate::activities::{ActivityData, FieldChange};
use crate::changes::{Changes, ContactIndex, Write};
use crate::companies::Company;
use crate::env::Env;
use crate::error::{Error, ErrorKind, FieldError, Result};
use crate::events::payload::{
    Changed, ContactCreated, ContactDeleted, ContactRestored, ContactUpdated,
};
use crate::hash::fnv128;
use crate::patch::Patch;
use crate::phone::Region;
use crate::text;

/// Bytes of a sort name that are compared.
const MAX_SORT_NAME: usize = 120;

impl Contact {
    /// What the sort by last name compares: last and first name without case and accents, or the
    /// name that is shown; at most 120 bytes.
    pub fn sort_name(&self) -> String {
        let mut name = match (&self.last_name, &self.first_name) {
            (Some(last), Some(first)) => text::fold(&format!("{last} {first}")),
            (Some(last), None) => text::fold(last),
            (None, Some(_)) | (None, None) => text::fold(&self.display_name),
        };
        name.truncate(name.floor_char_boundary(MAX_SORT_NAME));
        name
    }

    /// What the contact is found by.
    pub fn keys(&self) -> Vec<ContactKey> {
        let mut keys = identity_keys(&self.emails, self.phones.iter());
        if self.emails.is_empty() && personal(&self.phones).next().is_none() {
            keys.push(fingerprint(
                [&self.first_name, &self.last_name, &self.company, &self.title],
                &self.display_name,
                &self.phones,
                &self.addresses,
                &self.custom,
            ));
        }
        keys.extend(self.tags.iter().cloned().map(ContactKey::Tag));
        keys
    }

    fn index(&self) -> ContactIndex {
        let live = self.is_live();
        ContactIndex {
            keys: self.keys().into_iter().map(|key| (key, live)).collect(),
            terms: live.then(|| ContactTerms::of(self)),
        }
    }
}

impl ContactDetails {
    /// What tells whether this is a contact that is known already: its e-mails; without one its
    /// phones, but for extensions of a switchboard; without either all that it holds.
    pub(crate) fn duplicate_keys(&self) -> Vec<ContactKey> {
        let mut keys = identity_keys(&self.emails, std::iter::empty());
        if keys.is_empty() {
            keys = identity_keys(&[], personal(&self.phones));
        }
        if keys.is_empty() {
            keys.push(fingerprint(
                [&self.first_name, &self.last_name, &self.company, &self.title],
                &self.display_name,
                &self.phones,
                &self.addresses,
                &self.custom,
            ));
        }
        keys
    }
}

fn identity_keys<'a>(
    emails: &[ContactEmail],
    phones: impl Iterator<Item = &'a ContactPhone>,
) -> Vec<ContactKey> {
    let emails = emails.iter().map(|email| ContactKey::email(&email.address));
    emails.chain(phones.filter_map(|phone| phone.number.as_ref().map(ContactKey::phone))).collect()
}

/// The numbers that ring at one person's, as opposed to extensions of a number that many share.
fn personal(phones: &[ContactPhone]) -> impl Iterator<Item = &ContactPhone> {
    phones.iter().filter(|phone| phone.number.is_some() && phone.extension().is_none())
}

fn fold(text: &Option<String>) -> String {
    text.as_deref().map(text::fold).unwrap_or_default()
}

/// An address without case, accents and label.
fn folded(address: &PostalAddress) -> [String; 5] {
    let PostalAddress { street, city, region, postal_code, country, label: _ } = address;
    [street, city, region, postal_code, country].map(fold)
}

/// The hash of all that tells one contact without e-mail and phone from another.
fn fingerprint(
    names: [&Option<String>; 4],
    display_name: &str,
    phones: &[ContactPhone],
    addresses: &[PostalAddress],
    custom: &BTreeMap<String, CustomValue>,
) -> ContactKey {
    let mut parts: Vec<String> = names.into_iter().map(fold).collect();
    parts.push(text::fold(display_name));
    parts.extend(phones.iter().map(|phone| phone.raw.clone()));
    parts.extend(addresses.iter().flat_map(folded));
    for (name, value) in custom {
        let value = match value {
            CustomValue::Bool(value) => value.to_string(),
            CustomValue::Number(value) => value.to_string(),
            CustomValue::Text(value) => value.clone(),
        };
        parts.extend([name.clone(), value]);
    }
    let parts: Vec<&[u8]> = parts.iter().map(String::as_bytes).collect();
    ContactKey::Fingerprint(format!("{:032x}", fnv128(&parts)))
}

/// A new contact.
pub(crate) fn create(
    changes: &mut Changes,
    _: &Permit<CreateContacts>,
    env: &Env,
    details: ContactDetails,
) -> Result<Contact> {
    let contact = Contact {
        id: env.new_id()?,
        first_name: details.first_name,
        last_name: details.last_name,
        display_name: details.display_name,
        company: details.company,
        company_id: details.company_id,
        title: details.title,
        emails: details.emails,
        phones: details.phones,
        addresses: details.addresses,
        tags: details.tags,
        custom: details.custom,
        owner_id: details.owner_id,
        source: details.source,
        created_at: changes.at(),
        updated_at: changes.at(),
        deleted_at: None,
        version: 1,
    };
    let timeline_id = env.new_id()?;
    let write = Write::InsertContact { contact: contact.clone(), added: contact.index() };
    changes
        .record(env, write, contact.id, Vec::new(), &ContactCreated { contact: &contact })?
        .on_timeline_of(
            contact.id,
            timeline_id,
            ActivityData::ContactCreated { source: contact.source.clone() },
        );
    Ok(contact)
}

/// A contact's new values; `None` when the patch changes nothing.
pub(crate) fn update(
    changes: &mut Changes,
    _: &Permit<UpdateContacts>,
    env: &Env,
    before: &Contact,
    patch: ContactPatch,
) -> Result<Option<Contact>> {
    if !before.is_live() {
        return Err(deleted());
    }
    let after = patched(before, patch, changes.scope().region()).map_err(Error::invalid)?;
    record_update(changes, env, before, after)
}

/// What a file says of a contact that is known: its values replace the old ones, its e-mails,
/// phones, addresses and tags join them, what it does not say stays.
pub(crate) fn merge(
    changes: &mut Changes,
    _: &Permit<UpdateContacts>,
    env: &Env,
    before: &Contact,
    details: ContactDetails,
) -> Result<Option<Contact>> {
    if !before.is_live() {
        return Err(deleted());
    }
    let mut after = before.clone();
    let follows = before.has_default_display_name();
    let given = (!details.has_default_display_name()).then(|| details.display_name.clone());
    after.first_name = details.first_name.or(after.first_name);
    after.last_name = details.last_name.or(after.last_name);
    after.company = details.company.or(after.company);
    after.company_id = details.company_id.or(after.company_id);
    after.title = details.title.or(after.title);
    after.owner_id = details.owner_id.or(after.owner_id);
    after.source = after.source.or(details.source);
    let emails: Vec<String> = after.emails.iter().map(|email| email.address.key()).collect();
    after
        .emails
        .extend(details.emails.into_iter().filter(|email| !emails.contains(&email.address.key())));
    for phone in details.phones {
        if !after.phones.iter().any(|known| known.is_same_as(&phone)) {
            after.phones.push(phone);
        }
    }
    for address in details.addresses {
        // Compared as the fingerprint does: joining the same address once more would change it.
        if !after.addresses.iter().any(|known| folded(known) == folded(&address)) {
            after.addresses.push(address);
        }
    }
    after.tags.extend(details.tags);
    after.tags.sort();
    after.tags.dedup();
    after.custom.extend(details.custom);
    let mut check = Check::default();
    check.count("emails", after.emails.len(), MAX_ENTRIES);
    check.count("phones", after.phones.len(), MAX_ENTRIES);
    check.count("addresses", after.addresses.len(), MAX_ENTRIES);
    check.count("tags", after.tags.len(), MAX_TAGS);
    check.count("custom", after.custom.len(), MAX_CUSTOM);
    if !check.refused.is_empty() {
        return Err(Error::invalid(check.refused));
    }
    if let Some(given) = given {
        after.display_name = given;
    } else if follows {
        after.display_name = after.default_display_name();
    }
    record_update(changes, env, before, after)
}

fn record_update(
    changes: &mut Changes,
    env: &Env,
    before: &Contact,
    mut after: Contact,
) -> Result<Option<Contact>> {
    let differences = differences(before, &after)?;
    if differences.is_empty() {
        return Ok(None);
    }
    after.updated_at = changes.at();
    after.version += 1;

    let fields: Vec<String> = differences.iter().map(|change| change.field.clone()).collect();
    let new_values: serde_json::Map<String, Value> =
        differences.iter().map(|change| (change.field.clone(), change.new.clone())).collect();
    let data = ContactUpdated {
        version: after.version,
        updated_at: after.updated_at,
        changes: Changed::of(new_values),
    };
    let timeline_id = env.new_id()?;
    let write = moved(before, &after);
    changes.record(env, write, after.id, fields, &data)?.on_timeline_of(
        after.id,
        timeline_id,
        ActivityData::ContactUpdated { changes: differences },
    );
    Ok(Some(after))
}

/// A contact out of use. Its e-mails are free at once.
pub(crate) fn delete(
    changes: &mut Changes,
    _: &Permit<DeleteContacts>,
    env: &Env,
    before: &Contact,
) -> Result<Contact> {
    if !before.is_live() {
        return Err(deleted());
    }
    let mut after = before.clone();
    after.deleted_at = Some(changes.at());
    after.updated_at = changes.at();
    after.version += 1;
    let (version, at) = (after.version, changes.at());
    let data = ContactDeleted { version, updated_at: at, deleted_at: at };
    let timeline_id = env.new_id()?;
    let write = moved(before, &after);
    changes.record(env, write, after.id, Vec::new(), &data)?.on_timeline_of(
        after.id,
        timeline_id,
        ActivityData::ContactDeleted {},
    );
    Ok(after)
}

/// A deleted contact back in use.
pub(crate) fn restore(
    changes: &mut Changes,
    _: &Permit<RestoreContacts>,
    env: &Env,
    before: &Contact,
) -> Result<Contact> {
    if before.is_live() {
        return Err(Error::new(ErrorKind::Conflict, "the contact is not deleted"));
    }
    let mut after = before.clone();
    after.deleted_at = None;
    after.updated_at = changes.at();
    after.version += 1;
    let (version, updated_at) = (after.version, after.updated_at);
    let data = ContactRestored { version, updated_at, deleted_at: () };
    let timeline_id = env.new_id()?;
    let write = moved(before, &after);
    changes.record(env, write, after.id, Vec::new(), &data)?.on_timeline_of(
        after.id,
        timeline_id,
        ActivityData::ContactRestored {},
    );
    Ok(after)
}

fn deleted() -> Error {
    Error::new(ErrorKind::Conflict, "the contact is deleted; restore it first")
}

/// The write from one state to the next, with only what differs in the index.
fn moved(before: &Contact, after: &Contact) -> Write {
    let (mut removed, mut added) = (before.index(), after.index());
    let (old_keys, new_keys) = (removed.keys.clone(), added.keys.clone());
    removed.keys.retain(|key| !new_keys.contains(key));
    added.keys.retain(|key| !old_keys.contains(key));
    if removed.terms == added.terms {
        removed.terms = None;
        added.terms = None;
    }
    Write::UpdateContact {
        contact: after.clone(),
        expected_version: before.version,
        removed,
        added,
    }
}

/// `before` with the patch's values, each checked. A value that the patch does not name is not
/// looked at again.
fn patched(
    before: &Contact,
    patch: ContactPatch,
    region: Region,
) -> Result<Contact, Vec<FieldError>> {
    let mut check = Check::default();
    let mut after = before.clone();
    let mut line =
        |field: &'static str, patch: Patch<String>, value: &mut Option<String>| match patch {
            Patch::Keep => {}
            Patch::Clear => *value = None,
            Patch::Set(text) => *value = check.line(field, Some(text)),
        };
    line("first_name", patch.first_name, &mut after.first_name);
    line("last_name", patch.last_name, &mut after.last_name);
    line("company", patch.company, &mut after.company);
    line("title", patch.title, &mut after.title);
    line("source", patch.source, &mut after.source);
    let mut display_name =
        (!before.has_default_display_name()).then(|| before.display_name.clone());
    line("display_name", patch.display_name, &mut display_name);

    match patch.emails {
        Patch::Keep => {}
        Patch::Clear => after.emails.clear(),
        Patch::Set(emails) => after.emails = check.emails(emails),
    }
    match patch.phones {
        Patch::Keep => {}
        Patch::Clear => after.phones.clear(),
        Patch::Set(phones) => after.phones = check.phones(phones, region),
    }
    match patch.addresses {
        Patch::Keep => {}
        Patch::Clear => after.addresses.clear(),
        Patch::Set(addresses) => after.addresses = check.addresses(addresses),
    }
    match patch.tags {
        Patch::Keep => {}
        Patch::Clear => after.tags.clear(),
        Patch::Set(tags) => after.tags = check.tags(tags),
    }
    match patch.custom {
        Patch::Keep => {}
        Patch::Clear => after.custom.clear(),
        Patch::Set(entries) => {
            let mut custom = before.custom.clone();
            for (key, value) in entries {
                match value {
                    Some(value) => custom.insert(key, value),
                    None => custom.remove(&key),
                };
            }
            after.custom = check.custom(custom);
        }
    }
    after.company_id = patch.company_id.apply(after.company_id);
    after.owner_id = patch.owner_id.apply(after.owner_id);
    // A contact that was shown by its company alone goes on being so.
    let shown = display_name.clone().or_else(|| {
        let nameless = before.first_name.is_none() && before.last_name.is_none();
        (nameless
            && before.emails.is_empty()
            && before.phones.is_empty()
            && before.company == after.company)
            .then(|| before.display_name.clone())
    });
    check.something_to_go_by(
        [&after.first_name, &after.last_name, &shown],
        &after.emails,
        &after.phones,
    );
    if !check.refused.is_empty() {
        return Err(check.refused);
    }
    after.display_name = display_name.unwrap_or_else(|| after.default_display_name());
    Ok(after)
}

impl Contact {
    fn default_display_name(&self) -> String {
        default_display_name(
            self.first_name.as_deref(),
            self.last_name.as_deref(),
            self.company.as_deref(),
            &self.emails,
            &self.phones,
        )
    }

    /// Whether the shown name follows from the others, as opposed to being given.
    pub(crate) fn has_default_display_name(&self) -> bool {
        self.display_name == self.default_display_name()
    }
}

impl ContactDetails {
    /// Makes `company` the employer; a shown name that follows from the others still does.
    pub(crate) fn set_company(&mut self, company: &Company) {
        let follows = self.has_default_display_name();
        self.company_id = Some(company.id);
        self.company.get_or_insert_with(|| company.name.clone());
        if follows {
            self.display_name = self.default_display_name();
        }
    }

    fn default_display_name(&self) -> String {
        default_display_name(
            self.first_name.as_deref(),
            self.last_name.as_deref(),
            self.company.as_deref(),
            &self.emails,
            &self.phones,
        )
    }

    fn has_default_display_name(&self) -> bool {
        self.display_name == self.default_display_name()
    }
}

/// The fields that differ, old and new, in the order of the contact's shape.
fn differences(before: &Contact, after: &Contact) -> Result<Vec<FieldChange>> {
    let mut changes = Vec::new();
    macro_rules! compare {
        ($($field:ident)*) => {$(
            if before.$field != after.$field {
                changes.push(FieldChange {
                    field: stringify!($field).to_owned(),
                    old: serde_json::to_value(&before.$field).map_err(Error::internal)?,
                    new: serde_json::to_value(&after.$field).map_err(Error::internal)?,
                });
            }
        )*};
    }
    compare!(
        first_name last_name display_name company company_id title emails phones addresses tags
        custom owner_id source
    );
    Ok(changes)
}

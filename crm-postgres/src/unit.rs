//! A unit of work as the arguments of `crm.commit`.
//!
//! The rows go table by table, so a record that the unit changes several times is written once, in its
//! last state. What a contact is found by is likewise netted out.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use crm_core::activities::Activity;
use crm_core::changes::{ContactIndex, Write};
use crm_core::companies::{Company, CompanyKey};
use crm_core::contacts::search::{ContactTerms, is_word, neighbourhood};
use crm_core::contacts::{Contact, ContactKey};
use crm_core::idempotency::Outcome;
use crm_core::identity::{Credential, SignInName, User};
use crm_core::tenancy::Tenant;
use crm_core::{Changes, Error, ErrorKind, Result, Timestamp};
use uuid::Uuid;

use crate::more::More;
use crate::rows::{to_doc, to_json};
use crate::statement::Value;
use crate::{companies, contacts};

/// Changes that one unit may hold: the place of an event in its unit has 19 bits.
const MOST_CHANGES: usize = (1 << 19) - 1;

/// What is left of a unit when each record is written once.
#[derive(Default)]
struct Unit<'c> {
    tenants: Records<&'c Tenant>,
    users: Records<&'c User>,
    credentials: Records<&'c Credential>,
    names: Vec<(String, Uuid)>,
    companies: Records<&'c Company>,
    company_keys_lost: BTreeSet<&'c CompanyKey>,
    company_keys: Vec<(Uuid, CompanyKey)>,
    contacts: Records<&'c Contact>,
    indexes: HashMap<Uuid, Index<'c>>,
    activities: Vec<&'c Activity>,
    more: More<'c>,
}

/// Records in the order in which they are first met, each with the version that the store must have.
pub(crate) struct Records<T> {
    places: HashMap<Uuid, usize>,
    pub(crate) rows: Vec<Row<T>>,
}

pub(crate) struct Row<T> {
    pub(crate) id: Uuid,
    /// 0 for a record that the unit makes.
    pub(crate) expected: i64,
    pub(crate) version: i64,
    pub(crate) record: T,
}

impl<T> Default for Records<T> {
    fn default() -> Self {
        Records { places: HashMap::new(), rows: Vec::new() }
    }
}

impl<T> Records<T> {
    fn insert(&mut self, id: Uuid, version: i64, record: T) {
        self.places.insert(id, self.rows.len());
        self.rows.push(Row { id, expected: 0, version, record });
    }

    fn update(
        &mut self,
        what: &'static str,
        id: Uuid,
        expected: i64,
        version: i64,
        record: T,
    ) -> Result<()> {
        let row = self.places.get(&id).and_then(|place| self.rows.get_mut(*place));
        match row {
            None => {
                self.places.insert(id, self.rows.len());
                self.rows.push(Row { id, expected, version, record });
            }
            Some(row) if row.version == expected => {
                row.version = version;
                row.record = record;
            }
            Some(row) => return Err(Error::version_conflict(what, expected, row.version)),
        }
        Ok(())
    }

    /// A new record where 0 is expected, else its new state.
    pub(crate) fn put(
        &mut self,
        what: &'static str,
        id: Uuid,
        expected: i64,
        version: i64,
        record: T,
    ) -> Result<()> {
        if expected == 0 && !self.places.contains_key(&id) {
            self.insert(id, version, record);
            return Ok(());
        }
        self.update(what, id, expected, version, record)
    }

    fn ids(&self) -> Value {
        self.rows.iter().map(|row| row.id).collect::<Vec<_>>().into()
    }

    fn expected(&self) -> Value {
        self.rows.iter().map(|row| row.expected).collect::<Vec<_>>().into()
    }

    fn versions(&self) -> Value {
        self.rows.iter().map(|row| row.version).collect::<Vec<_>>().into()
    }

    fn column<V>(&self, value: impl Fn(&T) -> V) -> Value
    where
        Value: From<Vec<V>>,
    {
        self.rows.iter().map(|row| value(&row.record)).collect::<Vec<_>>().into()
    }

    fn docs(&self) -> Result<Value>
    where
        T: serde::Serialize,
    {
        let docs: Result<Vec<String>> = self.rows.iter().map(|row| to_doc(&row.record)).collect();
        docs.map(Value::from)
    }
}

/// What a contact is no longer found by, and by what it now is.
#[derive(Default)]
struct Index<'c> {
    keys_lost: Vec<&'c ContactKey>,
    keys: Vec<(&'c ContactKey, bool)>,
    terms_lost: Option<&'c ContactTerms>,
    terms: Option<&'c ContactTerms>,
}

impl<'c> Index<'c> {
    /// After what was done before, this is done.
    fn then(&mut self, removed: Option<&'c ContactIndex>, added: &'c ContactIndex) {
        for (key, _) in removed.into_iter().flat_map(|removed| &removed.keys) {
            match self.keys.iter().position(|(own, _)| *own == key) {
                Some(place) => drop(self.keys.remove(place)),
                None => self.keys_lost.push(key),
            }
        }
        self.keys.extend(added.keys.iter().map(|(key, live)| (key, *live)));
        if let Some(lost) = removed.and_then(|removed| removed.terms.as_ref())
            && self.terms.take().is_none()
        {
            self.terms_lost = Some(lost);
        }
        if let Some(terms) = &added.terms {
            self.terms = Some(terms);
        }
    }
}

/// The arguments of `crm.commit` behind the tenant, in their order.
pub(crate) fn arguments(changes: &Changes, again: bool) -> Result<Vec<Value>> {
    if changes.len() > MOST_CHANGES {
        return Err(Error::new(
            ErrorKind::PayloadTooLarge,
            format!("{} records change at once; {MOST_CHANGES} may", changes.len()),
        ));
    }
    let unit = Unit::of(changes)?;
    let mut values = vec![
        again.into(),
        changes.at().into(),
        changes.scope().actor().to_string().into(),
        changes.scope().request_id().as_str().into(),
    ];
    unit.push_tenants_and_users(&mut values)?;
    unit.push_credentials(&mut values)?;
    push_outcome(changes, &mut values)?;
    unit.push_companies(&mut values)?;
    unit.push_contacts(&mut values)?;
    unit.push_index(&mut values)?;
    unit.push_activities(&mut values)?;
    push_records(changes, &mut values)?;
    values.push(unit.more.argument()?.into());
    Ok(values)
}

impl<'c> Unit<'c> {
    fn of(changes: &'c Changes) -> Result<Self> {
        let mut unit = Unit::default();
        for change in changes {
            match change.write() {
                Write::InsertTenant(tenant) => {
                    unit.tenants.insert(tenant.id.as_uuid(), tenant.version, tenant);
                }
                Write::UpdateTenant { tenant, expected_version } => {
                    let id = tenant.id.as_uuid();
                    unit.tenants.update("tenant", id, *expected_version, tenant.version, tenant)?;
                }
                Write::InsertUser(user) => {
                    let id = user.id.as_uuid();
                    unit.users.insert(id, user.version, user);
                    unit.names.push((SignInName::of_email(&user.email).as_str().to_owned(), id));
                }
                Write::PutCredential { credential, expected_version } => {
                    let (id, version) = (credential.id(), credential.version());
                    if *expected_version == 0 {
                        unit.credentials.insert(id, version, credential);
                        let name = credential.sign_in_name().zip(credential.user_id());
                        unit.names.extend(
                            name.map(|(name, user)| (name.as_str().to_owned(), user.as_uuid())),
                        );
                    } else {
                        let expected = *expected_version;
                        unit.credentials.update("credential", id, expected, version, credential)?;
                    }
                }
                Write::UpdateUser { user, expected_version } => {
                    let id = user.id.as_uuid();
                    unit.users.update("user", id, *expected_version, user.version, user)?;
                }
                Write::InsertCompany(company) => {
                    let id = company.id.as_uuid();
                    unit.companies.insert(id, company.version, company);
                    unit.company_keys.extend(company.keys().into_iter().map(|key| (id, key)));
                }
                Write::UpdateCompany { company, expected_version, removed, added } => {
                    let id = company.id.as_uuid();
                    let version = company.version;
                    unit.companies.update("company", id, *expected_version, version, company)?;
                    for key in removed {
                        let known = unit.company_keys.len();
                        unit.company_keys.retain(|(of, own)| *of != id || own != key);
                        if unit.company_keys.len() == known {
                            unit.company_keys_lost.insert(key);
                        }
                    }
                    unit.company_keys.extend(added.iter().map(|key| (id, key.clone())));
                }
                Write::InsertContact { contact, added } => {
                    let id = contact.id.as_uuid();
                    unit.contacts.insert(id, contact.version, contact);
                    unit.indexes.entry(id).or_default().then(None, added);
                }
                Write::UpdateContact { contact, expected_version, removed, added } => {
                    let id = contact.id.as_uuid();
                    let version = contact.version;
                    unit.contacts.update("contact", id, *expected_version, version, contact)?;
                    unit.indexes.entry(id).or_default().then(Some(removed), added);
                }
                Write::InsertActivity(activity) => unit.activities.push(activity),
                Write::InsertConsent(consent) => unit.more.consents.push(consent),
                Write::PutTelephonyAccount { account, expected_version } => {
                    let (id, version) = (account.id.as_uuid(), account.version);
                    let accounts = &mut unit.more.accounts;
                    accounts.put("telephony account", id, *expected_version, version, account)?;
                }
                Write::PutCall { call, expected_version } => {
                    let (id, version) = (call.id.as_uuid(), call.version);
                    unit.more.calls.put("call", id, *expected_version, version, call)?;
                    unit.more.entries.extend(change.timeline().map(|entry| (entry.id, entry)));
                    continue;
                }
                Write::PutSchedule { schedule, expected_version } => {
                    let (id, version) = (schedule.id.as_uuid(), schedule.version);
                    let schedules = &mut unit.more.schedules;
                    schedules.put("schedule", id, *expected_version, version, schedule)?;
                }
                Write::PutNotification { notification, expected_version } => {
                    let (id, version) = (notification.id.as_uuid(), notification.version);
                    let notifications = &mut unit.more.notifications;
                    notifications.put(
                        "notification",
                        id,
                        *expected_version,
                        version,
                        notification,
                    )?;
                }
                Write::PutNotificationPreferences { preferences, expected_version } => {
                    let (id, version) = (preferences.user_id.as_uuid(), preferences.version);
                    unit.more.notification_preferences.put(
                        "notification_preferences",
                        id,
                        *expected_version,
                        version,
                        preferences,
                    )?;
                }
                Write::RetryJob(id) => unit.more.ends.push((*id, true)),
                Write::DiscardJob(id) => unit.more.ends.push((*id, false)),
                Write::Nothing => {}
            }
            unit.activities.extend(change.timeline());
        }
        unit.more.jobs = changes.jobs();
        unit.more.lease = changes.lease();
        unit.more.progress = changes.progress();
        Ok(unit)
    }

    fn push_tenants_and_users(&self, values: &mut Vec<Value>) -> Result<()> {
        values.extend([
            self.tenants.column(|tenant| tenant.slug.to_string()),
            self.tenants.expected(),
            self.tenants.versions(),
            // Whole: an empty list of a tenant is a choice, not the lack of one.
            Value::from(
                self.tenants
                    .rows
                    .iter()
                    .map(|row| to_json(row.record))
                    .collect::<Result<Vec<_>>>()?,
            ),
            self.users.ids(),
            self.users.expected(),
            self.users.versions(),
            self.users.column(|user| user.email.key()),
            self.users.docs()?,
        ]);
        Ok(())
    }

    fn push_credentials(&self, values: &mut Vec<Value>) -> Result<()> {
        let all = &self.credentials;
        values.extend([
            all.ids(),
            all.column(|credential| credential.kind().as_str().to_owned()),
            all.column(|credential| credential.user_id().map(|id| id.as_uuid())),
            all.column(|credential| credential.useless_from().unwrap_or(Timestamp::MAX)),
            all.expected(),
            all.versions(),
            all.docs()?,
            self.names.iter().map(|(value, _)| value.clone()).collect::<Vec<_>>().into(),
            self.names.iter().map(|(_, user)| *user).collect::<Vec<_>>().into(),
        ]);
        Ok(())
    }

    fn push_companies(&self, values: &mut Vec<Value>) -> Result<()> {
        let lost = || self.company_keys_lost.iter().map(|key| companies::columns(key));
        let keys = || self.company_keys.iter().map(|(_, key)| companies::columns(key));
        values.extend([
            self.companies.ids(),
            self.companies.expected(),
            self.companies.versions(),
            self.companies.docs()?,
            lost().map(|(kind, _)| kind).collect::<Vec<_>>().into(),
            lost().map(|(_, value)| value.to_owned()).collect::<Vec<_>>().into(),
            keys().map(|(kind, _)| kind).collect::<Vec<_>>().into(),
            keys().map(|(_, value)| value.to_owned()).collect::<Vec<_>>().into(),
            self.company_keys.iter().map(|(id, _)| *id).collect::<Vec<_>>().into(),
        ]);
        Ok(())
    }

    fn push_contacts(&self, values: &mut Vec<Value>) -> Result<()> {
        let contacts = &self.contacts;
        values.extend([
            contacts.ids(),
            contacts.expected(),
            contacts.versions(),
            contacts.column(|contact| !contact.is_live()),
            contacts.column(|contact| contact.created_at),
            contacts.column(|contact| contact.updated_at),
            contacts.column(|contact| contact.sort_name()),
            contacts.column(|contact| contact.owner_id.map(|id| id.as_uuid())),
            contacts.column(|contact| contact.company_id.map(|id| id.as_uuid())),
            contacts.docs()?,
        ]);
        Ok(())
    }

    /// The keys and the search terms of contacts.
    fn push_index(&self, values: &mut Vec<Value>) -> Result<()> {
        let (mut lost_kinds, mut lost_values, mut lost_ids) = (vec![], vec![], vec![]);
        let (mut kinds, mut key_values, mut key_ids, mut lives) = (vec![], vec![], vec![], vec![]);
        let (mut unfound, mut found, mut found_terms) = (vec![], vec![], vec![]);
        let (mut lost_words, mut lost_word_ids) = (vec![], vec![]);
        let (mut words, mut word_ids) = (vec![], vec![]);
        let mut gained_words: BTreeMap<String, Vec<u32>> = BTreeMap::new();
        let mut lost_vocabulary: BTreeMap<String, Vec<u32>> = BTreeMap::new();
        for row in &self.contacts.rows {
            let Some(index) = self.indexes.get(&row.id) else { continue };
            for key in &index.keys_lost {
                lost_kinds.push(contacts::kind(key));
                lost_values.push(key.value().to_owned());
                lost_ids.push(row.id);
            }
            for (key, live) in &index.keys {
                kinds.push(contacts::kind(key));
                key_values.push(key.value().to_owned());
                key_ids.push(row.id);
                lives.push(*live);
            }
            let before = index.terms_lost.map(ContactTerms::postings).unwrap_or_default();
            let after = index.terms.map(ContactTerms::postings).unwrap_or_default();
            if index.terms_lost.is_some() {
                unfound.push(row.id);
            }
            if let Some(terms) = index.terms {
                found.push(row.id);
                found_terms.push(terms.encode());
            }
            // Both are sorted.
            let gained = after.iter().filter(|word| before.binary_search(word).is_err());
            let lost = before.iter().filter(|word| after.binary_search(word).is_err());
            for word in gained {
                words.push(word.clone());
                word_ids.push(row.id);
                learn(&mut gained_words, word);
            }
            for word in lost {
                lost_words.push(word.clone());
                lost_word_ids.push(row.id);
                learn(&mut lost_vocabulary, word);
            }
        }
        lost_vocabulary.retain(|word, _| !gained_words.contains_key(word));
        let gained = i64::try_from(gained_words.len()).map_err(Error::internal)?;
        let vocabulary: Vec<(String, Vec<u32>)> =
            gained_words.into_iter().chain(lost_vocabulary).collect();
        let mut hash_words: Vec<i32> = Vec::new();
        let mut hashes: Vec<i32> = Vec::new();
        // Arrays of the database count from 1.
        for (place, (_, of_word)) in (1..).zip(&vocabulary) {
            hash_words.extend(of_word.iter().map(|_| place));
            hashes.extend(of_word.iter().map(|hash| hash.cast_signed()));
        }
        values.extend([
            lost_kinds.into(),
            lost_values.into(),
            lost_ids.into(),
            kinds.into(),
            key_values.into(),
            key_ids.into(),
            lives.into(),
            unfound.into(),
            found.into(),
            found_terms.into(),
            lost_words.into(),
            lost_word_ids.into(),
            words.into(),
            word_ids.into(),
            gained.into(),
            vocabulary.into_iter().map(|(word, _)| word).collect::<Vec<_>>().into(),
            hash_words.into(),
            hashes.into(),
        ]);
        Ok(())
    }

    fn push_activities(&self, values: &mut Vec<Value>) -> Result<()> {
        let all = &self.activities;
        let docs: Result<Vec<String>> = all.iter().map(to_doc).collect();
        let users = all.iter().map(|activity| activity.user_id.map(|id| id.as_uuid()));
        values.extend([
            all.iter().map(|activity| activity.id.as_uuid()).collect::<Vec<_>>().into(),
            all.iter().map(|activity| activity.contact_id.as_uuid()).collect::<Vec<_>>().into(),
            all.iter()
                .map(|activity| activity.kind().as_str().to_owned())
                .collect::<Vec<_>>()
                .into(),
            all.iter().map(|activity| activity.occurred_at).collect::<Vec<_>>().into(),
            users.collect::<Vec<_>>().into(),
            docs?.into(),
        ]);
        Ok(())
    }
}

/// Remembers the neighbourhood of a word of the vocabulary.
fn learn(vocabulary: &mut BTreeMap<String, Vec<u32>>, term: &str) {
    if is_word(term) && !vocabulary.contains_key(term) {
        vocabulary.insert(term.to_owned(), neighbourhood(term));
    }
}

/// What is remembered for a repeated request.
fn push_outcome(changes: &Changes, values: &mut Vec<Value>) -> Result<()> {
    let outcomes: Vec<&Outcome> = changes.outcome().into_iter().collect();
    let docs: Result<Vec<String>> = outcomes.iter().map(to_json).collect();
    values.extend([
        outcomes.iter().map(|outcome| outcome.key.clone()).collect::<Vec<_>>().into(),
        outcomes.iter().map(|outcome| outcome.until).collect::<Vec<_>>().into(),
        docs?.into(),
    ]);
    Ok(())
}

/// The audit entry and the event of each change.
fn push_records(changes: &Changes, values: &mut Vec<Value>) -> Result<()> {
    let fields: Result<Vec<String>> =
        changes.iter().map(|change| to_json(&change.audit().fields)).collect();
    values.extend([
        changes.iter().map(|change| change.audit().id.as_uuid()).collect::<Vec<_>>().into(),
        changes.iter().map(|change| change.event().id.as_uuid()).collect::<Vec<_>>().into(),
        changes
            .iter()
            .map(|change| change.audit().action.action().to_owned())
            .collect::<Vec<_>>()
            .into(),
        changes
            .iter()
            .map(|change| change.event().name.as_str().to_owned())
            .collect::<Vec<_>>()
            .into(),
        changes
            .iter()
            .map(|change| change.event().subject.kind.as_str().to_owned())
            .collect::<Vec<_>>()
            .into(),
        changes.iter().map(|change| change.event().subject.id).collect::<Vec<_>>().into(),
        fields?.into(),
        changes
            .iter()
            .map(|change| change.event().data.get().to_owned())
            .collect::<Vec<_>>()
            .into(),
    ]);
    Ok(())
}

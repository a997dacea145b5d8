//! What one tenant has, and the writes that change it.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use uuid::Uuid;

use super::jobs::Kept;

use crate::activities::Activity;
use crate::audit::AuditEntry;
use crate::calls::Call;
use crate::changes::{Change, Write};
use crate::companies::{Company, CompanyKey};
use crate::contacts::search::ContactTerms;
use crate::contacts::search::memory::MemoryIndex;
use crate::contacts::{Contact, ContactKey};
use crate::error::{Error, Result};
use crate::events::{Event, EventPosition, GroupName};
use crate::id::{
    ActivityId, CallId, CompanyId, ConsentId, ContactId, JobId, NotificationId, ScheduleId,
    TelephonyAccountId, UserId,
};
use crate::idempotency::Outcome;
use crate::identity::{Credential, CredentialKind, User};
use crate::jobs::{JobState, Schedule};
use crate::notifications::{Notification, NotificationPreferences};
use crate::privacy::Consent;
use crate::telephony::TelephonyAccount;
use crate::tenancy::Tenant;
use crate::time::Timestamp;

#[derive(Debug)]
pub(super) struct TenantData {
    pub(super) tenant: Tenant,
    pub(super) users: BTreeMap<UserId, User>,
    pub(super) credentials: BTreeMap<Uuid, Credential>,
    pub(super) outcomes: BTreeMap<String, Outcome>,
    pub(super) companies: BTreeMap<CompanyId, Company>,
    pub(super) contacts: BTreeMap<ContactId, Contact>,
    /// The live contacts under each of their keys.
    pub(super) by_key: BTreeMap<ContactKey, BTreeSet<ContactId>>,
    pub(super) activities: BTreeMap<ActivityId, Activity>,
    pub(super) search: MemoryIndex,
    pub(super) log: EventLog,
    pub(super) audit: BTreeMap<Uuid, AuditEntry>,
    pub(super) consents: BTreeMap<ConsentId, Consent>,
    pub(super) telephony: BTreeMap<TelephonyAccountId, TelephonyAccount>,
    pub(super) calls: BTreeMap<CallId, Call>,
    pub(super) schedules: BTreeMap<ScheduleId, Schedule>,
    pub(super) jobs: BTreeMap<JobId, Kept>,
    pub(super) notifications: BTreeMap<NotificationId, Notification>,
    pub(super) notification_preferences: BTreeMap<UserId, NotificationPreferences>,
}

/// The event log, and those who read it.
#[derive(Debug, Default)]
pub(super) struct EventLog {
    /// In the order of commits.
    pub(super) events: VecDeque<Event>,
    /// How many were before them.
    pub(super) forgotten: u64,
    pub(super) groups: BTreeMap<GroupName, EventPosition>,
}

/// A record as it was before a write; `None` where there was none.
pub(super) enum Before {
    /// The tenant as it was; `None` where it is new.
    Tenant(Option<Tenant>),
    User(UserId, Option<User>),
    Credential(Uuid, Option<Box<Credential>>),
    Company(CompanyId, Option<Company>),
    Contact(ContactId, Option<Box<Contact>>),
    Activity(ActivityId),
    Consent(ConsentId),
    Telephony(TelephonyAccountId, Option<Box<TelephonyAccount>>),
    Call(CallId, Option<Box<Call>>),
    Schedule(ScheduleId, Option<Schedule>),
    Notification(NotificationId, Option<Box<Notification>>),
    NotificationPreferences(UserId, Option<NotificationPreferences>),
    Job(JobId, Box<Kept>),
    Nothing,
}

impl TenantData {
    pub(super) fn of(tenant: Tenant) -> Self {
        TenantData {
            tenant,
            users: BTreeMap::new(),
            credentials: BTreeMap::new(),
            outcomes: BTreeMap::new(),
            companies: BTreeMap::new(),
            contacts: BTreeMap::new(),
            by_key: BTreeMap::new(),
            activities: BTreeMap::new(),
            search: MemoryIndex::default(),
            log: EventLog::default(),
            audit: BTreeMap::new(),
            consents: BTreeMap::new(),
            telephony: BTreeMap::new(),
            calls: BTreeMap::new(),
            schedules: BTreeMap::new(),
            jobs: BTreeMap::new(),
            notifications: BTreeMap::new(),
            notification_preferences: BTreeMap::new(),
        }
    }

    /// Applies one write and returns what undoes it, or refuses it and leaves all as it was.
    pub(super) fn apply(&mut self, write: &Write, at: Timestamp) -> Result<Before> {
        match write {
            Write::InsertTenant(_) => Ok(Before::Tenant(None)),
            Write::UpdateTenant { tenant, expected_version } => {
                is_at("tenant", Some(self.tenant.version), *expected_version)?;
                let before = std::mem::replace(&mut self.tenant, tenant.clone());
                Ok(Before::Tenant(Some(before)))
            }
            Write::PutCredential { credential, expected_version } => {
                let id = credential.id();
                if *expected_version == 0 {
                    // What is there already was made by somebody who was faster.
                    if let Some(found) = self.credentials.get(&id) {
                        return Err(Error::version_conflict("credential", 0, found.version()));
                    }
                } else {
                    let found = self.credentials.get(&id).map(Credential::version);
                    is_at("credential", found, *expected_version)?;
                }
                if credential.user_id().is_some_and(|id| !self.users.contains_key(&id)) {
                    return Err(Error::not_found("user"));
                }
                let before = self.credentials.insert(id, (**credential).clone());
                Ok(Before::Credential(id, before.map(Box::new)))
            }
            Write::InsertUser(user) => {
                is_new("user", &self.users, &user.id)?;
                self.check_user(user)?;
                Ok(Before::User(user.id, self.users.insert(user.id, user.clone())))
            }
            Write::UpdateUser { user, expected_version } => {
                let found = self.users.get(&user.id).map(|user| user.version);
                is_at("user", found, *expected_version)?;
                self.check_user(user)?;
                Ok(Before::User(user.id, self.users.insert(user.id, user.clone())))
            }
            Write::InsertCompany(company) => {
                is_new("company", &self.companies, &company.id)?;
                self.check_company(company)?;
                let before = self.companies.insert(company.id, company.clone());
                Ok(Before::Company(company.id, before))
            }
            Write::UpdateCompany { company, expected_version, removed: _, added: _ } => {
                let found = self.companies.get(&company.id).map(|company| company.version);
                is_at("company", found, *expected_version)?;
                self.check_company(company)?;
                let before = self.companies.insert(company.id, company.clone());
                Ok(Before::Company(company.id, before))
            }
            Write::InsertContact { contact, added: _ } => {
                is_new("contact", &self.contacts, &contact.id)?;
                self.check_contact(contact)?;
                let before = self.put_contact(contact.id, Some(contact.clone()));
                Ok(Before::Contact(contact.id, before.map(Box::new)))
            }
            Write::UpdateContact { contact, expected_version, removed: _, added: _ } => {
                let found = self.contacts.get(&contact.id).map(|contact| contact.version);
                is_at("contact", found, *expected_version)?;
                self.check_contact(contact)?;
                let before = self.put_contact(contact.id, Some(contact.clone()));
                Ok(Before::Contact(contact.id, before.map(Box::new)))
            }
            Write::InsertActivity(activity) => {
                is_new("activity", &self.activities, &activity.id)?;
                self.check_activity(activity)?;
                self.activities.insert(activity.id, activity.clone());
                Ok(Before::Activity(activity.id))
            }
            Write::InsertConsent(consent) => {
                is_new("consent", &self.consents, &consent.id)?;
                if !self.contacts.contains_key(&consent.contact_id) {
                    return Err(Error::not_found("contact"));
                }
                self.consents.insert(consent.id, consent.clone());
                Ok(Before::Consent(consent.id))
            }
            Write::PutTelephonyAccount { account, expected_version } => {
                let found = self.telephony.get(&account.id).map(|known| known.version);
                is_expected("telephony account", found, *expected_version)?;
                let same = |other: &&TelephonyAccount| {
                    other.id != account.id
                        && (&other.provider, &other.name) == (&account.provider, &account.name)
                };
                if let Some(holder) = self.telephony.values().find(same) {
                    let message = format!("the account `{}` is kept already", account.name);
                    return Err(Error::already_exists("name", holder.id.as_uuid(), message));
                }
                let before = self.telephony.insert(account.id, (**account).clone());
                Ok(Before::Telephony(account.id, before.map(Box::new)))
            }
            Write::PutCall { call, expected_version } => {
                let found = self.calls.get(&call.id).map(|known| known.version);
                is_expected("call", found, *expected_version)?;
                self.check_call(call)?;
                let before = self.calls.insert(call.id, (**call).clone());
                Ok(Before::Call(call.id, before.map(Box::new)))
            }
            Write::PutSchedule { schedule, expected_version } => {
                let found = self.schedules.get(&schedule.id).map(|known| known.version);
                is_expected("schedule", found, *expected_version)?;
                let same =
                    |other: &&Schedule| other.id != schedule.id && other.name == schedule.name;
                if let Some(holder) = self.schedules.values().find(same) {
                    let message = format!("the schedule `{}` is there already", schedule.name);
                    return Err(Error::already_exists("name", holder.id.as_uuid(), message));
                }
                let before = self.schedules.insert(schedule.id, schedule.clone());
                Ok(Before::Schedule(schedule.id, before))
            }
            Write::PutNotification { notification, expected_version } => {
                let found = self.notifications.get(&notification.id).map(|known| known.version);
                is_expected("notification", found, *expected_version)?;
                if !self.users.contains_key(&notification.user_id) {
                    return Err(Error::not_found("user"));
                }
                let before = self.notifications.insert(notification.id, (**notification).clone());
                Ok(Before::Notification(notification.id, before.map(Box::new)))
            }
            Write::PutNotificationPreferences { preferences, expected_version } => {
                let user = preferences.user_id;
                let found = self.notification_preferences.get(&user).map(|known| known.version);
                is_expected("notification_preferences", found, *expected_version)?;
                if !self.users.contains_key(&user) {
                    return Err(Error::not_found("user"));
                }
                let before = self.notification_preferences.insert(user, preferences.clone());
                Ok(Before::NotificationPreferences(user, before))
            }
            Write::RetryJob(id) => {
                let before = self.dead(*id)?;
                let mut job = before.job.clone();
                job.attempts = 0;
                job.run_at = at;
                self.release(job, at);
                Ok(Before::Job(*id, Box::new(before)))
            }
            Write::DiscardJob(id) => {
                let before = self.dead(*id)?;
                self.jobs.remove(id);
                Ok(Before::Job(*id, Box::new(before)))
            }
            Write::Nothing => Ok(Before::Nothing),
        }
    }

    fn dead(&self, id: JobId) -> Result<Kept> {
        let kept = self.jobs.get(&id).filter(|kept| kept.job.state == JobState::Dead);
        kept.cloned().ok_or_else(|| Error::not_found("job"))
    }

    fn check_call(&self, call: &Call) -> Result<()> {
        if call.contact_id.is_some_and(|id| !self.contacts.contains_key(&id)) {
            return Err(Error::not_found("contact"));
        }
        if call.user_id.is_some_and(|id| !self.users.contains_key(&id)) {
            return Err(Error::not_found("user"));
        }
        if call.account_id.is_some_and(|id| !self.telephony.contains_key(&id)) {
            return Err(Error::not_found("telephony account"));
        }
        let same = |other: &&Call| {
            other.id != call.id
                && call.provider_call_id.is_some()
                && (other.account_id, &other.provider_call_id)
                    == (call.account_id, &call.provider_call_id)
        };
        match self.calls.values().find(same) {
            Some(holder) => Err(Error::already_exists(
                "provider_call_id",
                holder.id.as_uuid(),
                "another call has the provider's name of this one",
            )),
            None => Ok(()),
        }
    }

    pub(super) fn remember(&mut self, outcome: &Outcome, now: Timestamp) -> Result<()> {
        if self.outcomes.get(&outcome.key).is_some_and(|known| known.until > now) {
            let message = "the idempotency key was used before";
            let tenant = self.tenant.id.as_uuid();
            return Err(Error::already_exists("idempotency_key", tenant, message));
        }
        self.outcomes.insert(outcome.key.clone(), outcome.clone());
        Ok(())
    }

    pub(super) fn undo(&mut self, before: Before) {
        match before {
            Before::Tenant(tenant) => {
                if let Some(tenant) = tenant {
                    self.tenant = tenant;
                }
            }
            Before::Credential(id, credential) => {
                put(&mut self.credentials, id, credential.map(|credential| *credential));
            }
            Before::User(id, user) => put(&mut self.users, id, user),
            Before::Company(id, company) => put(&mut self.companies, id, company),
            Before::Contact(id, contact) => {
                self.put_contact(id, contact.map(|contact| *contact));
            }
            Before::Activity(id) => {
                self.activities.remove(&id);
            }
            Before::Consent(id) => {
                self.consents.remove(&id);
            }
            Before::Telephony(id, account) => {
                put(&mut self.telephony, id, account.map(|account| *account));
            }
            Before::Call(id, call) => put(&mut self.calls, id, call.map(|call| *call)),
            Before::Schedule(id, schedule) => put(&mut self.schedules, id, schedule),
            Before::Notification(id, notification) => {
                put(&mut self.notifications, id, notification.map(|notification| *notification));
            }
            Before::NotificationPreferences(id, preferences) => {
                put(&mut self.notification_preferences, id, preferences);
            }
            Before::Job(id, kept) => {
                self.jobs.insert(id, *kept);
            }
            Before::Nothing => {}
        }
    }

    /// Writes down what follows from an applied change, none of which can be refused.
    pub(super) fn write_down(&mut self, change: &Change) {
        match change.write() {
            Write::InsertContact { contact, .. } | Write::UpdateContact { contact, .. } => {
                if contact.is_live() {
                    self.search.insert(contact.id, &ContactTerms::of(contact));
                } else {
                    self.search.remove(contact.id);
                }
            }
            Write::PutCredential { credential, expected_version: 0 }
                if credential.kind() == CredentialKind::SignIn =>
            {
                let (new, user, at) = (credential.id(), credential.user_id(), change.audit().at);
                self.credentials.retain(|id, other| {
                    *id == new
                        || other.kind() != CredentialKind::SignIn
                        || other.user_id() != user
                        || other.useless_from().is_none_or(|useless| useless > at)
                });
            }
            Write::PutCredential { .. }
            | Write::InsertTenant(_)
            | Write::UpdateTenant { .. }
            | Write::InsertUser(_)
            | Write::UpdateUser { .. }
            | Write::InsertCompany(_)
            | Write::UpdateCompany { .. }
            | Write::InsertActivity(_)
            | Write::InsertConsent(_)
            | Write::PutTelephonyAccount { .. }
            | Write::PutCall { .. }
            | Write::PutSchedule { .. }
            | Write::PutNotification { .. }
            | Write::PutNotificationPreferences { .. }
            | Write::RetryJob(_)
            | Write::DiscardJob(_)
            | Write::Nothing => {}
        }
        if let Some(entry) = change.timeline() {
            self.activities.insert(entry.id, entry.clone());
        }
        self.audit.insert(change.audit().id.as_uuid(), change.audit().clone());
        self.log.events.push_back(change.event().clone());
    }

    fn put_contact(&mut self, id: ContactId, contact: Option<Contact>) -> Option<Contact> {
        let live_keys = |contact: &Option<Contact>| {
            contact.as_ref().filter(|contact| contact.is_live()).map(Contact::keys)
        };
        let new_keys = live_keys(&contact);
        let before = match contact {
            Some(contact) => self.contacts.insert(id, contact),
            None => self.contacts.remove(&id),
        };
        for key in live_keys(&before).into_iter().flatten() {
            if let Some(holders) = self.by_key.get_mut(&key) {
                holders.remove(&id);
            }
        }
        for key in new_keys.into_iter().flatten() {
            self.by_key.entry(key).or_default().insert(id);
        }
        before
    }

    fn check_user(&self, user: &User) -> Result<()> {
        let taken = |other: &&User| other.id != user.id && other.email.key() == user.email.key();
        match self.users.values().find(taken) {
            Some(holder) => Err(Error::already_exists(
                "email",
                holder.id.as_uuid(),
                format!("another user has the e-mail `{}`", user.email),
            )),
            None => Ok(()),
        }
    }

    fn check_company(&self, company: &Company) -> Result<()> {
        for key in company.keys() {
            let taken = |other: &&Company| other.id != company.id && other.keys().contains(&key);
            let Some(holder) = self.companies.values().find(taken) else { continue };
            let (field, value) = match &key {
                CompanyKey::Name(_) => ("name", company.name.as_str()),
                CompanyKey::Domain(domain) => ("domain", domain.as_str()),
            };
            let message = format!("another company has the {field} `{value}`");
            return Err(Error::already_exists(field, holder.id.as_uuid(), message));
        }
        Ok(())
    }

    fn check_contact(&self, contact: &Contact) -> Result<()> {
        if contact.company_id.is_some_and(|id| !self.companies.contains_key(&id)) {
            return Err(Error::not_found("company"));
        }
        if contact.owner_id.is_some_and(|id| !self.users.contains_key(&id)) {
            return Err(Error::not_found("user"));
        }
        if !contact.is_live() {
            return Ok(());
        }
        for (index, email) in contact.emails.iter().enumerate() {
            let holders = self.by_key.get(&ContactKey::Email(email.address.key()));
            if let Some(holder) = holders.into_iter().flatten().find(|id| **id != contact.id) {
                return Err(Error::already_exists(
                    format!("emails[{index}].address"),
                    holder.as_uuid(),
                    format!("another contact has the e-mail `{}`", email.address),
                ));
            }
        }
        Ok(())
    }

    pub(super) fn check_activity(&self, activity: &Activity) -> Result<()> {
        if !self.contacts.contains_key(&activity.contact_id) {
            return Err(Error::not_found("contact"));
        }
        if activity.user_id.is_some_and(|id| !self.users.contains_key(&id)) {
            return Err(Error::not_found("user"));
        }
        Ok(())
    }
}

fn put<K: Ord, V>(records: &mut BTreeMap<K, V>, id: K, record: Option<V>) {
    match record {
        Some(record) => records.insert(id, record),
        None => records.remove(&id),
    };
}

fn is_new<K: Ord, V>(what: &str, records: &BTreeMap<K, V>, id: &K) -> Result<()> {
    if records.contains_key(id) {
        return Err(Error::internal(format!("a {what} with this id is there already")));
    }
    Ok(())
}

fn is_at(what: &'static str, found: Option<i64>, expected: i64) -> Result<()> {
    match found {
        None => Err(Error::not_found(what)),
        Some(found) if found != expected => Err(Error::version_conflict(what, expected, found)),
        Some(_) => Ok(()),
    }
}

/// As [`is_at`], where 0 is expected of a record that is not there.
fn is_expected(what: &'static str, found: Option<i64>, expected: i64) -> Result<()> {
    match found {
        Some(found) if expected == 0 => Err(Error::version_conflict(what, 0, found)),
        None if expected == 0 => Ok(()),
        found => is_at(what, found, expected),
    }
}

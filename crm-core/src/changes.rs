//! One unit of work: everything that a command writes.

use serde_json::value::RawValue;

use crate::activities::{Activity, ActivityData};
use crate::audit::AuditEntry;
use crate::calls::Call;
use crate::companies::{Company, CompanyKey};
use crate::contacts::Contact;
use crate::contacts::search::ContactTerms;
use crate::contacts::store::ContactKey;
use crate::entity::EntityRef;
use crate::env::Env;
use crate::error::{Error, Result};
use crate::events::payload::ScheduleSet;
use crate::events::{Event, GroupProgress, Payload};
use crate::id::{ActivityId, ContactId, JobId, TenantId};
use crate::idempotency::Outcome;
use crate::identity::{Credential, User};
use crate::jobs::{Job, LeaseUse, NewJob, Schedule};
use crate::notifications::{Notification, NotificationPreferences};
use crate::privacy::Consent;
use crate::scope::TenantScope;
use crate::telephony::TelephonyAccount;
use crate::tenancy::Tenant;
use crate::time::Timestamp;

/// What one command writes: applied whole or not at all by
/// [`Store::commit`](crate::ports::Store::commit).
///
/// Each [`Change`] carries its audit entry and its event, and a contact's also its timeline entry, so
/// that no writer can forget one. Only the services of this crate make changes:
///
/// ```compile_fail,E0451
/// # use crm_core::Changes;
/// let changes = Changes { changes: vec![], ..unimplemented!() };
/// ```
#[derive(Debug)]
pub struct Changes {
    scope: TenantScope,
    at: Timestamp,
    changes: Vec<Change>,
    outcome: Option<Outcome>,
    jobs: Vec<Job>,
    lease: Option<LeaseUse>,
    progress: Option<GroupProgress>,
}

/// One record's change with everything that follows from it.
#[derive(Debug)]
pub struct Change {
    write: Write,
    timeline: Option<Activity>,
    audit: AuditEntry,
    event: Event,
}

/// The rows that a change writes. Exhaustive on purpose: an adapter that does not know a kind of
/// write must not compile.
#[derive(Debug)]
pub enum Write {
    /// A new tenant.
    InsertTenant(Tenant),
    /// A new user.
    InsertUser(User),
    /// A user's new state, if it is still at `expected_version`.
    UpdateUser {
        /// The new state.
        user: User,
        /// The version that the change was made from.
        expected_version: i64,
    },
    /// A tenant's new state, if it is still at `expected_version`.
    UpdateTenant {
        /// The new state.
        tenant: Tenant,
        /// The version that the change was made from.
        expected_version: i64,
    },
    /// A credential: a new one where `expected_version` is 0, else its new state, if it is still at that
    /// version. A new sign-in also removes those of the same user that are useless at
    /// [`Changes::at`].
    PutCredential {
        /// The new state.
        credential: Box<Credential>,
        /// The version that the change was made from.
        expected_version: i64,
    },
    /// A new company.
    InsertCompany(Company),
    /// A company's new state, if it is still at `expected_version`.
    UpdateCompany {
        /// The new state.
        company: Company,
        /// The version that the change was made from.
        expected_version: i64,
        /// What the company is no longer found by.
        removed: Vec<CompanyKey>,
        /// What the company is now found by, too.
        added: Vec<CompanyKey>,
    },
    /// A new contact.
    InsertContact {
        /// The contact.
        contact: Contact,
        /// What it is found by.
        added: ContactIndex,
    },
    /// A contact's new state, if it is still at `expected_version`.
    UpdateContact {
        /// The new state.
        contact: Contact,
        /// The version that the change was made from.
        expected_version: i64,
        /// What the contact is no longer found by.
        removed: ContactIndex,
        /// What the contact is now found by, too.
        added: ContactIndex,
    },
    /// An activity that a person logged.
    InsertActivity(Activity),
    /// What a contact said.
    InsertConsent(Consent),
    /// An account with a carrier: a new one where `expected_version` is 0, else its new state, if it is
    /// still at that version.
    PutTelephonyAccount {
        /// The new state.
        account: Box<TelephonyAccount>,
        /// The version that the change was made from.
        expected_version: i64,
    },
    /// A call: a new one where `expected_version` is 0, else its new state, if it is still at that version.
    PutCall {
        /// The new state.
        call: Box<Call>,
        /// The version that the change was made from.
        expected_version: i64,
    },
    /// A schedule: a new one where `expected_version` is 0, else its new state, if it is still at that
    /// version.
    PutSchedule {
        /// The new state.
        schedule: Schedule,
        /// The version that the change was made from.
        expected_version: i64,
    },
    /// A notification: a new one where `expected_version` is 0, else its new state, if it is still at that
    /// version.
    PutNotification {
        /// The new state.
        notification: Box<Notification>,
        /// The version that the change was made from.
        expected_version: i64,
    },
    /// What a person wants to be told: for the first time where `expected_version` is 0, else the new state, if
    /// it is still at that version.
    PutNotificationPreferences {
        /// The new state.
        preferences: NotificationPreferences,
        /// The version that the change was made from.
        expected_version: i64,
    },
    /// A dead job is ready again, with all its tries; where another one waits under its unique key it
    /// goes. One that is not dead is `not_found`.
    RetryJob(JobId),
    /// A dead job goes. One that is not dead is `not_found`.
    DiscardJob(JobId),
    /// No row: something was only looked at, and that is written down.
    Nothing,
}

/// What a contact is found by. A deleted contact keeps its keys, which no longer make it the
/// holder of its e-mails, and has no search terms.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct ContactIndex {
    /// Each key, and whether the contact is live under it.
    pub keys: Vec<(ContactKey, bool)>,
    /// The search terms; `None` leaves those of the store as they are.
    pub terms: Option<ContactTerms>,
}

impl Changes {
    pub(crate) fn new(scope: &TenantScope, at: Timestamp) -> Self {
        Changes {
            scope: scope.clone(),
            at,
            changes: Vec::new(),
            outcome: None,
            jobs: Vec::new(),
            lease: None,
            progress: None,
        }
    }

    /// The tenant and the actor that the changes belong to.
    pub fn scope(&self) -> &TenantScope {
        &self.scope
    }

    /// The tenant that every row belongs to.
    pub fn tenant(&self) -> TenantId {
        self.scope.tenant()
    }

    /// When the changes were decided.
    pub fn at(&self) -> Timestamp {
        self.at
    }

    /// The changes in the order in which they are to be applied.
    pub fn iter(&self) -> std::slice::Iter<'_, Change> {
        self.changes.iter()
    }

    /// What to remember for a repeated request, where the request can be repeated.
    pub fn outcome(&self) -> Option<&Outcome> {
        self.outcome.as_ref()
    }

    pub(crate) fn remember(&mut self, outcome: Outcome) {
        self.outcome = Some(outcome);
    }

    /// The jobs to enqueue. One whose unique key is that of a waiting job of its kind is dropped.
    pub fn jobs(&self) -> &[Job] {
        &self.jobs
    }

    /// The lease that the unit was made under. One that is not good at [`Changes::at`] refuses the unit,
    /// with `conflict`.
    pub fn lease(&self) -> Option<LeaseUse> {
        self.lease
    }

    pub(crate) fn use_lease(&mut self, lease: LeaseUse) {
        self.lease = Some(lease);
    }

    /// The group of readers of the event log that moves with the unit. One that is not where the unit found it
    /// refuses the unit, with `conflict`.
    pub fn progress(&self) -> Option<&GroupProgress> {
        self.progress.as_ref()
    }

    pub(crate) fn move_group(&mut self, progress: GroupProgress) {
        self.progress = Some(progress);
    }

    /// Adds a job.
    pub(crate) fn enqueue(&mut self, env: &Env, new: NewJob) -> Result<()> {
        new.check().map_err(Error::invalid)?;
        let request_id = self.scope.request_id().clone();
        self.jobs.push(new.into_job(env.new_id()?, self.at, request_id));
        Ok(())
    }

    /// Whether there is nothing to write.
    pub fn is_empty(&self) -> bool {
        self.changes.is_empty()
            && self.outcome.is_none()
            && self.jobs.is_empty()
            && self.progress.is_none()
            && self.lease.is_none_or(|lease| !lease.completes)
    }

    /// How many records change.
    pub fn len(&self) -> usize {
        self.changes.len()
    }

    /// These changes and then `other`'s, as one unit.
    ///
    /// # Errors
    ///
    /// `conflict` when `other` belongs to another tenant.
    pub fn and(mut self, other: Changes) -> Result<Self> {
        if other.tenant() != self.tenant() {
            return Err(Error::new(
                crate::ErrorKind::Conflict,
                "changes of two tenants cannot be one unit of work",
            ));
        }
        self.changes.extend(other.changes);
        self.jobs.extend(other.jobs);
        Ok(self)
    }

    pub(crate) fn put_schedule(&mut self, env: &Env, schedule: Schedule) -> Result<()> {
        let (id, expected_version) = (schedule.id, schedule.version - 1);
        let write = Write::PutSchedule { schedule: schedule.clone(), expected_version };
        self.record(env, write, id, Vec::new(), &ScheduleSet { schedule: &schedule })?;
        Ok(())
    }

    /// Adds a change with its audit entry and the event that `data` is of.
    pub(crate) fn record<P: Payload>(
        &mut self,
        env: &Env,
        write: Write,
        subject: impl Into<EntityRef>,
        fields: Vec<String>,
        data: &P,
    ) -> Result<&mut Change> {
        let subject = subject.into();
        let actor = self.scope.actor();
        let request_id = self.scope.request_id().clone();
        let data = serde_json::to_string(data).and_then(RawValue::from_string);
        let audit = AuditEntry {
            id: env.new_id()?,
            at: self.at,
            actor,
            action: P::NAME,
            resource: subject,
            request_id: request_id.clone(),
            fields,
        };
        let event = Event {
            id: env.new_id()?,
            name: P::NAME,
            occurred_at: self.at,
            actor,
            request_id,
            subject,
            data: data.map_err(Error::internal)?,
        };
        Ok(self.changes.push_mut(Change { write, timeline: None, audit, event }))
    }
}

impl<'a> IntoIterator for &'a Changes {
    type Item = &'a Change;
    type IntoIter = std::slice::Iter<'a, Change>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

impl Change {
    /// The rows.
    pub fn write(&self) -> &Write {
        &self.write
    }

    /// The entry on the contact's timeline, where the change is one of a contact or a call. A call's takes
    /// the place of the entry with the same id.
    pub fn timeline(&self) -> Option<&Activity> {
        self.timeline.as_ref()
    }

    /// The audit entry.
    pub fn audit(&self) -> &AuditEntry {
        &self.audit
    }

    /// The event.
    pub fn event(&self) -> &Event {
        &self.event
    }

    /// Shows `activity` on its contact's timeline.
    pub(crate) fn shows(&mut self, activity: Activity) {
        self.timeline = Some(activity);
    }

    /// Puts the change on the contact's timeline.
    pub(crate) fn on_timeline_of(
        &mut self,
        contact_id: ContactId,
        id: ActivityId,
        data: ActivityData,
    ) {
        self.timeline = Some(Activity {
            id,
            contact_id,
            occurred_at: self.audit.at,
            user_id: self.audit.actor.user(),
            subject: None,
            body: None,
            data,
            created_at: self.audit.at,
        });
    }
}

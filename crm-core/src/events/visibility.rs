//! Who sees which events.

use uuid::Uuid;

use super::model::{Event, EventName};
use crate::access::{
    ImportContacts, ReadActivities, ReadApiKeys, ReadAudit, ReadCalls, ReadCompanies, ReadConsents,
    ReadContacts, ReadJobs, ReadNotifications, ReadTelephony, ReadTenant, ReadUsers, authorize,
};
use crate::entity::EntityKind;
use crate::scope::{Actor, TenantScope};

/// The events that one actor sees: those of records that they may read.
///
/// ```
/// # use crm_core::{events::{EventName, Visibility}, memory::session_for_docs};
/// # tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(async {
/// let session = session_for_docs().await?;
/// assert!(Visibility::of(session.scope()).names().any(|name| name == EventName::ContactCreated));
/// # Ok::<(), crm_core::Error>(()) }).unwrap();
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Visibility {
    names: u128,
    /// Whose personal events it shows.
    personal: Personal,
}

/// Whose personal events are shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Personal {
    /// Everybody's: the operator and the CRM itself keep the log.
    All,
    /// This user's.
    Of(Uuid),
    /// Nobody's.
    None,
}

impl Visibility {
    /// What the actor of `scope` sees.
    pub fn of(scope: &TenantScope) -> Self {
        let seen = |name: &EventName| shows(*name, scope);
        let bits = EventName::ALL.iter().filter(|name| seen(name)).map(|name| bit(*name));
        let personal = match scope.actor() {
            Actor::System => Personal::All,
            Actor::User(id) => Personal::Of(id.as_uuid()),
            Actor::ApiKey(_) => Personal::None,
        };
        Visibility { names: bits.fold(0, |all, bit| all | bit), personal }
    }

    /// Whether the event is among it.
    pub fn shows(self, event: &Event) -> bool {
        self.names & bit(event.name) != 0 && self.shows_to(event)
    }

    /// Whether the event is no secret of somebody else's.
    pub(super) fn shows_to(self, event: &Event) -> bool {
        !is_personal(event.name)
            || match self.personal {
                Personal::All => true,
                Personal::Of(user) => {
                    event.subject.kind == EntityKind::User && event.subject.id == user
                }
                Personal::None => false,
            }
    }

    /// The names of events that can be seen.
    pub fn names(self) -> impl Iterator<Item = EventName> {
        EventName::ALL.iter().copied().filter(move |name| self.names & bit(*name) != 0)
    }
}

fn bit(name: EventName) -> u128 {
    const { assert!(EventName::ALL.len() <= 128) };
    1 << name as u32
}

/// Whether nobody but its subject sees an event of this name.
fn is_personal(name: EventName) -> bool {
    name == EventName::NotificationCreated
        || name == EventName::NotificationUpdated
        || name == EventName::NotificationPreferencesUpdated
}

fn shows(name: EventName, scope: &TenantScope) -> bool {
    match name {
        EventName::TenantCreated | EventName::TenantUpdated => {
            authorize::<ReadTenant>(scope).is_ok()
        }
        EventName::UserCreated | EventName::UserUpdated => authorize::<ReadUsers>(scope).is_ok(),
        // Who came in, and from where, is the audit log's.
        EventName::UserSecured
        | EventName::UserAuthenticated
        | EventName::AuthenticationFailed
        | EventName::SessionStarted
        | EventName::SessionRefreshed
        | EventName::SessionProved
        | EventName::SessionEnded
        | EventName::RecordingHeard => authorize::<ReadAudit>(scope).is_ok(),
        EventName::ApiKeyCreated | EventName::ApiKeyUsed | EventName::ApiKeyRevoked => {
            authorize::<ReadApiKeys>(scope).is_ok()
        }
        EventName::CompanyCreated | EventName::CompanyUpdated => {
            authorize::<ReadCompanies>(scope).is_ok()
        }
        EventName::ContactCreated
        | EventName::ContactUpdated
        | EventName::ContactDeleted
        | EventName::ContactRestored => authorize::<ReadContacts>(scope).is_ok(),
        EventName::ActivityLogged => authorize::<ReadActivities>(scope).is_ok(),
        EventName::ConsentRecorded => authorize::<ReadConsents>(scope).is_ok(),
        EventName::TelephonyAccountCreated | EventName::TelephonyAccountUpdated => {
            authorize::<ReadTelephony>(scope).is_ok()
        }
        EventName::CallStarted
        | EventName::CallLogged
        | EventName::CallUpdated
        | EventName::CallEnded
        | EventName::CallRecorded
        | EventName::RecordingDeleted => authorize::<ReadCalls>(scope).is_ok(),
        EventName::JobRetried | EventName::JobDiscarded | EventName::ScheduleSet => {
            authorize::<ReadJobs>(scope).is_ok()
        }
        EventName::ContactsImported => authorize::<ImportContacts>(scope).is_ok(),
        EventName::NotificationCreated
        | EventName::NotificationUpdated
        | EventName::NotificationPreferencesUpdated => {
            authorize::<ReadNotifications>(scope).is_ok()
        }
    }
}

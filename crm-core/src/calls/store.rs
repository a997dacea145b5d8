//! What calls ask of storage.

use async_trait::async_trait;

use super::model::{Call, CallStatus};
use crate::activities::Direction;
use crate::error::Result;
use crate::id::{CallId, ContactId, TelephonyAccountId, UserId};
use crate::scope::TenantScope;
use crate::time::Timestamp;

/// Which calls are meant; all that is given must hold.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct CallFilter {
    /// With this contact.
    pub contact_id: Option<ContactId>,
    /// By this user.
    pub user_id: Option<UserId>,
    /// Who called whom.
    pub direction: Option<Direction>,
    /// So far for the carrier.
    pub status: Option<CallStatus>,
    /// With this outcome.
    pub disposition: Option<String>,
    /// Begun at this time or later.
    pub from: Option<Timestamp>,
    /// Begun before this time.
    pub to: Option<Timestamp>,
}

/// One page of calls, newest first.
#[derive(Debug, Clone, Default)]
pub struct CallQuery {
    /// Which calls.
    pub filter: CallFilter,
    /// Only those that come after this one, going back in time.
    pub after: Option<(Timestamp, CallId)>,
    /// At most so many.
    pub limit: usize,
}

/// Reads of calls.
#[async_trait]
pub trait CallStore: Send + Sync + 'static {
    /// The call with this id.
    ///
    /// # Behavior
    ///
    /// - What was committed is read back as it was. (`a_call_is_read_as_written`)
    /// - Calls of other tenants are not found. (`calls_are_per_tenant`)
    /// - A call's entry on the timeline follows it: there is one, in its last state.
    ///   (`a_call_has_one_entry_that_follows_it`)
    async fn call(&self, scope: &TenantScope, id: CallId) -> Result<Option<Call>>;

    /// The call that the provider has under this name.
    ///
    /// # Behavior
    ///
    /// - A provider's call is kept once: a second one under its name is refused with `already_exists`
    ///   on the field `provider_call_id`. (`a_providers_call_is_kept_once`)
    async fn call_of_provider(
        &self,
        scope: &TenantScope,
        account: TelephonyAccountId,
        provider_call_id: &str,
    ) -> Result<Option<Call>>;

    /// Calls by `started_at`, newest first, then by id, greatest first.
    ///
    /// # Behavior
    ///
    /// - Every filter holds, alone and with the others. (`calls_are_filtered`)
    /// - Pages follow each other without a gap or a repetition. (`call_pages_are_whole`)
    async fn calls(&self, scope: &TenantScope, query: &CallQuery) -> Result<Vec<Call>>;
}

//! For stores that wrap another one: what they pass on untouched.

/// Passes what jobs, notifications, calls, consents and telephony accounts ask of storage on to another store.
///
/// A wrapper that changes none of it says so in one line: its type, with its parameter where it has one, and
/// a function from a reference to it to a result of the store within.
#[doc(hidden)]
#[macro_export]
macro_rules! forward_work {
    ($(any $generic:ident: $bound:path,)? for $wrapper:ty, by $inner:expr) => {
            #[::async_trait::async_trait]
            impl$(<$generic: $bound + ?Sized>)? $crate::ports::NotificationStore for $wrapper {
                async fn notifications(
                    &self,
                    scope: &$crate::TenantScope,
                    query: &$crate::notifications::NotificationQuery,
                ) -> $crate::Result<Vec<$crate::notifications::Notification>> {
                    ($inner)(self)?.notifications(scope, query).await
                }

                async fn notifications_by_id(
                    &self,
                    scope: &$crate::TenantScope,
                    user: $crate::UserId,
                    ids: &[$crate::NotificationId],
                ) -> $crate::Result<Vec<$crate::notifications::Notification>> {
                    ($inner)(self)?.notifications_by_id(scope, user, ids).await
                }

                async fn notification_preferences(
                    &self,
                    scope: &$crate::TenantScope,
                    user: $crate::UserId,
                ) -> $crate::Result<Option<$crate::notifications::NotificationPreferences>> {
                    ($inner)(self)?.notification_preferences(scope, user).await
                }
            }

            #[::async_trait::async_trait]
            impl$(<$generic: $bound + ?Sized>)? $crate::ports::JobStore for $wrapper {
                async fn claim_jobs(&self, scope: &$crate::SystemScope, claim: &$crate::jobs::Claim) -> $crate::Result<Vec<$crate::jobs::ClaimedJob>> {
                    ($inner)(self)?.claim_jobs(scope, claim).await
                }

                async fn keep_jobs(
                    &self,
                    scope: &$crate::SystemScope,
                    leases: &[$crate::jobs::Lease],
                    now: $crate::Timestamp,
                    until: $crate::Timestamp,
                ) -> $crate::Result<Vec<$crate::jobs::Lease>> {
                    ($inner)(self)?.keep_jobs(scope, leases, now, until).await
                }

                async fn settle_jobs(
                    &self,
                    scope: &$crate::SystemScope,
                    settlements: &[$crate::jobs::Settlement],
                    now: $crate::Timestamp,
                ) -> $crate::Result<()> {
                    ($inner)(self)?.settle_jobs(scope, settlements, now).await
                }

                async fn due_schedules(
                    &self,
                    scope: &$crate::SystemScope,
                    now: $crate::Timestamp,
                    limit: usize,
                ) -> $crate::Result<Vec<$crate::jobs::DueSchedule>> {
                    ($inner)(self)?.due_schedules(scope, now, limit).await
                }

                async fn jobs(&self, scope: &$crate::TenantScope, query: &$crate::jobs::JobQuery) -> $crate::Result<Vec<$crate::jobs::Job>> {
                    ($inner)(self)?.jobs(scope, query).await
                }

                async fn job(&self, scope: &$crate::TenantScope, id: $crate::JobId) -> $crate::Result<Option<$crate::jobs::Job>> {
                    ($inner)(self)?.job(scope, id).await
                }

                async fn schedules(&self, scope: &$crate::TenantScope) -> $crate::Result<Vec<$crate::jobs::Schedule>> {
                    ($inner)(self)?.schedules(scope).await
                }
            }

            #[::async_trait::async_trait]
            impl$(<$generic: $bound + ?Sized>)? $crate::ports::CallStore for $wrapper {
                async fn call(&self, scope: &$crate::TenantScope, id: $crate::CallId) -> $crate::Result<Option<$crate::calls::Call>> {
                    ($inner)(self)?.call(scope, id).await
                }

                async fn call_of_provider(
                    &self,
                    scope: &$crate::TenantScope,
                    account: $crate::TelephonyAccountId,
                    provider_call_id: &str,
                ) -> $crate::Result<Option<$crate::calls::Call>> {
                    ($inner)(self)?.call_of_provider(scope, account, provider_call_id).await
                }

                async fn calls(&self, scope: &$crate::TenantScope, query: &$crate::calls::CallQuery) -> $crate::Result<Vec<$crate::calls::Call>> {
                    ($inner)(self)?.calls(scope, query).await
                }
            }

            #[::async_trait::async_trait]
            impl$(<$generic: $bound + ?Sized>)? $crate::ports::PrivacyStore for $wrapper {
                async fn consents(
                    &self,
                    scope: &$crate::TenantScope,
                    contacts: &[$crate::ContactId],
                    history: bool,
                ) -> $crate::Result<Vec<$crate::privacy::Consent>> {
                    ($inner)(self)?.consents(scope, contacts, history).await
                }
            }

            #[::async_trait::async_trait]
            impl$(<$generic: $bound + ?Sized>)? $crate::ports::TelephonyStore for $wrapper {
                async fn telephony_accounts(&self, scope: &$crate::TenantScope) -> $crate::Result<Vec<$crate::telephony::TelephonyAccount>> {
                    ($inner)(self)?.telephony_accounts(scope).await
                }

                async fn accounts_of_carrier(
                    &self,
                    scope: &$crate::SystemScope,
                    provider: &str,
                    name: &str,
                    limit: usize,
                ) -> $crate::Result<Vec<($crate::TenantId, $crate::telephony::TelephonyAccount)>> {
                    ($inner)(self)?.accounts_of_carrier(scope, provider, name, limit).await
                }
            }
    };
}

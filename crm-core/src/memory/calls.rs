//! Calls, consents and accounts with carriers.

use async_trait::async_trait;

use super::MemoryStore;
use crate::calls::store::{CallFilter, CallQuery, CallStore};
use crate::calls::{Call, CallStatus};
use crate::error::Result;
use crate::id::{CallId, ContactId, TelephonyAccountId, TenantId};
use crate::ports::PrivacyStore;
use crate::privacy::Consent;
use crate::scope::{SystemScope, TenantScope};
use crate::telephony::{TelephonyAccount, TelephonyStore};

#[async_trait]
impl CallStore for MemoryStore {
    async fn call(&self, scope: &TenantScope, id: CallId) -> Result<Option<Call>> {
        Ok(self.of(scope.tenant(), |data| data.calls.get(&id).cloned()))
    }

    async fn call_of_provider(
        &self,
        scope: &TenantScope,
        account: TelephonyAccountId,
        provider_call_id: &str,
    ) -> Result<Option<Call>> {
        Ok(self.of(scope.tenant(), |data| {
            let mut calls = data.calls.values();
            let it = |call: &&Call| {
                call.account_id == Some(account)
                    && call.provider_call_id.as_deref() == Some(provider_call_id)
            };
            calls.find(it).cloned()
        }))
    }

    async fn calls(&self, scope: &TenantScope, query: &CallQuery) -> Result<Vec<Call>> {
        Ok(self.of(scope.tenant(), |data| {
            let mut calls: Vec<Call> =
                data.calls.values().filter(|call| is_meant(call, &query.filter)).cloned().collect();
            calls.sort_by_key(|call| std::cmp::Reverse((call.started_at, call.id)));
            calls.retain(|call| query.after.is_none_or(|after| (call.started_at, call.id) < after));
            calls.truncate(query.limit);
            calls
        }))
    }
}

fn is_meant(call: &Call, filter: &CallFilter) -> bool {
    let status: CallStatus = call.status();
    filter.contact_id.is_none_or(|id| call.contact_id == Some(id))
        && filter.user_id.is_none_or(|id| call.user_id == Some(id))
        && filter.direction.is_none_or(|direction| call.direction == direction)
        && filter.status.is_none_or(|wanted| status == wanted)
        && filter.disposition.as_ref().is_none_or(|word| call.disposition.as_ref() == Some(word))
        && filter.from.is_none_or(|from| call.started_at >= from)
        && filter.to.is_none_or(|to| call.started_at < to)
}

#[async_trait]
impl PrivacyStore for MemoryStore {
    async fn consents(
        &self,
        scope: &TenantScope,
        contacts: &[ContactId],
        history: bool,
    ) -> Result<Vec<Consent>> {
        Ok(self.of(scope.tenant(), |data| {
            let mut said: Vec<Consent> = data
                .consents
                .values()
                .filter(|consent| contacts.contains(&consent.contact_id))
                .cloned()
                .collect();
            said.sort_by_key(|said| (said.contact_id, std::cmp::Reverse((said.at, said.id))));
            if !history {
                let mut known = std::collections::HashSet::new();
                said.retain(|said| known.insert((said.contact_id, said.purpose)));
            }
            said
        }))
    }
}

#[async_trait]
impl TelephonyStore for MemoryStore {
    async fn telephony_accounts(&self, scope: &TenantScope) -> Result<Vec<TelephonyAccount>> {
        Ok(self.of(scope.tenant(), |data| data.telephony.values().cloned().collect()))
    }

    async fn accounts_of_carrier(
        &self,
        _: &SystemScope,
        provider: &str,
        name: &str,
        limit: usize,
    ) -> Result<Vec<(TenantId, TelephonyAccount)>> {
        let tenants = self.read();
        let accounts = tenants.iter().flat_map(|(tenant, data)| {
            data.telephony.values().map(move |account| (*tenant, account.clone()))
        });
        let of_carrier =
            accounts.filter(|(_, account)| account.provider == provider && account.name == name);
        Ok(of_carrier.take(limit).collect())
    }
}

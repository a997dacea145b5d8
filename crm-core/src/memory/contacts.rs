//! Reads of contacts.

use std::cmp::Ordering;

use async_trait::async_trait;
use uuid::Uuid;

use super::MemoryStore;
use super::tenant::TenantData;
use crate::contacts::store::{ContactQuery, ContactStore};
use crate::contacts::{Contact, ContactFilter, ContactKey, Deleted};
use crate::error::Result;
use crate::id::ContactId;
use crate::page::SortKey;
use crate::scope::TenantScope;

#[async_trait]
impl ContactStore for MemoryStore {
    async fn contact(&self, scope: &TenantScope, id: ContactId) -> Result<Option<Contact>> {
        Ok(self.of(scope.tenant(), |data| data.contacts.get(&id).cloned()))
    }

    async fn contacts_by_ids(
        &self,
        scope: &TenantScope,
        ids: &[ContactId],
    ) -> Result<Vec<Contact>> {
        Ok(self.of(scope.tenant(), |data| {
            ids.iter().filter_map(|id| data.contacts.get(id)).cloned().collect()
        }))
    }

    async fn contacts_by_keys(
        &self,
        scope: &TenantScope,
        keys: &[ContactKey],
    ) -> Result<Vec<(ContactKey, ContactId)>> {
        Ok(self.of(scope.tenant(), |data| {
            let mut found: Vec<(ContactKey, ContactId)> = Vec::new();
            for key in keys {
                let holder = data.by_key.get(key).and_then(|holders| holders.first());
                if let Some(holder) = holder
                    && !found.iter().any(|(other, _)| other == key)
                {
                    found.push((key.clone(), *holder));
                }
            }
            found
        }))
    }

    async fn contacts(&self, scope: &TenantScope, query: &ContactQuery) -> Result<Vec<Contact>> {
        Ok(self.of(scope.tenant(), |data| {
            let directed = |order: Ordering| if query.descending { order.reverse() } else { order };
            let comes_after = |place: &(SortKey, Uuid)| match &query.after {
                Some(after) => directed(compare(place, after)).is_gt(),
                None => true,
            };
            let mut found: Vec<((SortKey, Uuid), &Contact)> = matching(data, &query.filter)
                .map(|contact| ((query.sort.key_of(contact), contact.id.as_uuid()), contact))
                .filter(|(place, _)| comes_after(place))
                .collect();
            found.sort_by(|(a, _), (b, _)| directed(compare(a, b)));
            found.into_iter().take(query.limit).map(|(_, contact)| contact.clone()).collect()
        }))
    }

    async fn count_contacts(&self, scope: &TenantScope, filter: &ContactFilter) -> Result<u64> {
        Ok(self.of(scope.tenant(), |data| matching(data, filter).map(|_| 1).sum()))
    }
}

fn matching<'a>(
    data: &'a TenantData,
    filter: &'a ContactFilter,
) -> impl Iterator<Item = &'a Contact> {
    data.contacts.values().filter(|contact| matches(contact, filter))
}

fn matches(contact: &Contact, filter: &ContactFilter) -> bool {
    let ContactFilter {
        keys,
        owner_id,
        company_id,
        created_after,
        created_before,
        updated_after,
        updated_before,
        deleted,
    } = filter;
    let own_keys = if keys.is_empty() { Vec::new() } else { contact.keys() };
    keys.iter().all(|key| own_keys.contains(key))
        && owner_id.is_none_or(|id| contact.owner_id == Some(id))
        && company_id.is_none_or(|id| contact.company_id == Some(id))
        && created_after.is_none_or(|at| contact.created_at >= at)
        && created_before.is_none_or(|at| contact.created_at < at)
        && updated_after.is_none_or(|at| contact.updated_at >= at)
        && updated_before.is_none_or(|at| contact.updated_at < at)
        && match deleted {
            Deleted::Exclude => contact.is_live(),
            Deleted::Include => true,
            Deleted::Only => !contact.is_live(),
        }
}

/// Two places of one list, whose keys are of one type.
fn compare((a, a_id): &(SortKey, Uuid), (b, b_id): &(SortKey, Uuid)) -> Ordering {
    let by_key = match (a, b) {
        (SortKey::Time(a), SortKey::Time(b)) => a.cmp(b),
        (SortKey::Text(a), SortKey::Text(b)) => a.cmp(b),
        (SortKey::Score(a), SortKey::Score(b)) => a.total_cmp(b),
        (SortKey::Time(_) | SortKey::Text(_) | SortKey::Score(_), _) => Ordering::Equal,
    };
    by_key.then(a_id.cmp(b_id))
}

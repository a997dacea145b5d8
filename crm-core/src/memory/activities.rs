//! Reads of activities.

use std::cmp::Reverse;
use std::collections::BTreeMap;

use async_trait::async_trait;

use super::MemoryStore;
use super::tenant::TenantData;
use crate::activities::store::{ActivityQuery, ActivityStore};
use crate::activities::{Activity, ActivityFilter, StatsGroup, StatsGroupBy};
use crate::error::Result;
use crate::id::ActivityId;
use crate::scope::{Actor, TenantScope};

#[async_trait]
impl ActivityStore for MemoryStore {
    async fn activity(&self, scope: &TenantScope, id: ActivityId) -> Result<Option<Activity>> {
        Ok(self.of(scope.tenant(), |data| data.activities.get(&id).cloned()))
    }

    async fn activities(
        &self,
        scope: &TenantScope,
        query: &ActivityQuery,
    ) -> Result<Vec<Activity>> {
        Ok(self.of(scope.tenant(), |data| {
            let place = |activity: &Activity| (activity.occurred_at, activity.id);
            let mut found: Vec<&Activity> = matching(data, &query.filter)
                .filter(|activity| query.after.is_none_or(|after| place(activity) < after))
                .collect();
            found.sort_by_key(|activity| Reverse(place(activity)));
            found.into_iter().take(query.limit).cloned().collect()
        }))
    }

    async fn activity_stats(
        &self,
        scope: &TenantScope,
        filter: &ActivityFilter,
        group_by: StatsGroupBy,
    ) -> Result<Vec<StatsGroup>> {
        Ok(self.of(scope.tenant(), |data| {
            let mut counts: BTreeMap<String, u64> = BTreeMap::new();
            for activity in matching(data, filter) {
                let key = match group_by {
                    StatsGroupBy::Kind => activity.kind().to_string(),
                    StatsGroupBy::User => match activity.user_id {
                        Some(user) => user.to_string(),
                        None => Actor::System.to_string(),
                    },
                    StatsGroupBy::Day => activity.occurred_at.date(),
                };
                *counts.entry(key).or_default() += 1;
            }
            counts.into_iter().map(|(key, count)| StatsGroup { key, count }).collect()
        }))
    }
}

fn matching<'a>(
    data: &'a TenantData,
    filter: &'a ActivityFilter,
) -> impl Iterator<Item = &'a Activity> {
    let ActivityFilter { contact_id, kind, user_id, from, to } = filter;
    data.activities.values().filter(move |activity| {
        contact_id.is_none_or(|id| activity.contact_id == id)
            && kind.is_none_or(|kind| activity.kind() == kind)
            && user_id.is_none_or(|id| activity.user_id == Some(id))
            && from.is_none_or(|from| activity.occurred_at >= from)
            && to.is_none_or(|to| activity.occurred_at < to)
    })
}

//! Activities.

use async_trait::async_trait;
use crm_core::activities::store::ActivityQuery;
use crm_core::activities::{Activity, ActivityFilter, ActivityKind, StatsGroup, StatsGroupBy};
use crm_core::ports::ActivityStore;
use crm_core::{ActivityId, ContactId, Error, Result, TenantScope, Timestamp, UserId};
use serde::Deserialize;
use serde_json::value::RawValue;
use uuid::Uuid;

use crate::PostgresStore;
use crate::rows::{bigint, docs, get, optional_doc};
use crate::statement::Statement;

#[async_trait]
impl ActivityStore for PostgresStore {
    async fn activity(&self, scope: &TenantScope, id: ActivityId) -> Result<Option<Activity>> {
        let rows = self.call(scope, "activity_get", vec![id.as_uuid().into()]).await?;
        optional_doc(&rows)?.map(activity).transpose()
    }

    async fn activities(
        &self,
        scope: &TenantScope,
        query: &ActivityQuery,
    ) -> Result<Vec<Activity>> {
        let filter = &query.filter;
        // The end of time, and an id that comes after all others.
        let (before, before_id) = match query.after {
            Some((at, id)) => (at, id.as_uuid()),
            None => (Timestamp::MAX, Uuid::max()),
        };
        let of_contact = ActivityFilter { contact_id: filter.contact_id, ..Default::default() };
        let rows = match filter.contact_id {
            Some(contact) if *filter == of_contact => {
                let values = vec![
                    contact.as_uuid().into(),
                    before.into(),
                    before_id.into(),
                    bigint(query.limit).into(),
                ];
                self.call(scope, "activity_timeline", values).await?
            }
            Some(_) | None => {
                let mut statement = self.select("select doc", scope, filter);
                statement.push(" and (occurred_at, id) < (");
                statement.value(before.into());
                statement.push(", ");
                statement.value(before_id.into());
                statement.push(") order by occurred_at desc, id desc limit ");
                statement.value(bigint(query.limit).into());
                self.ask_in_transaction(scope, Statement::list_of(statement)).await?
            }
        };
        docs(&rows)?.into_iter().map(activity).collect()
    }

    async fn activity_stats(
        &self,
        scope: &TenantScope,
        filter: &ActivityFilter,
        group_by: StatsGroupBy,
    ) -> Result<Vec<StatsGroup>> {
        let key = match group_by {
            StatsGroupBy::Kind => "kind",
            StatsGroupBy::User => "coalesce(user_id::text, 'system')",
            StatsGroupBy::Day => "to_char(occurred_at at time zone 'UTC', 'YYYY-MM-DD')",
        };
        let columns = format!("select {key} as key, count(*) as count");
        let mut statement = self.select(&columns, scope, filter);
        statement.push(" group by 1");
        let rows = self.ask_in_transaction(scope, statement).await?;
        let mut groups: Vec<StatsGroup> = rows
            .iter()
            .map(|row| {
                let count: i64 = get(row, "count")?;
                Ok(StatsGroup { key: get(row, "key")?, count: count.cast_unsigned() })
            })
            .collect::<Result<_>>()?;
        groups.sort();
        Ok(groups)
    }
}

impl PostgresStore {
    /// `columns` of the activities that `filter` means.
    fn select(&self, columns: &str, scope: &TenantScope, filter: &ActivityFilter) -> Statement {
        let schema = &self.inner.schema;
        let mut statement =
            Statement::new(format!("{columns} from {schema}.activities where tenant_id = "));
        statement.value(scope.tenant().as_uuid().into());
        if let Some(contact) = filter.contact_id {
            statement.push(" and contact_id = ");
            statement.value(contact.as_uuid().into());
        }
        if let Some(kind) = filter.kind {
            statement.push(" and kind = ");
            statement.value(kind.as_str().into());
        }
        if let Some(user) = filter.user_id {
            statement.push(" and user_id = ");
            statement.value(user.as_uuid().into());
        }
        if let Some(from) = filter.from {
            statement.push(" and occurred_at >= ");
            statement.value(from.into());
        }
        if let Some(to) = filter.to {
            statement.push(" and occurred_at < ");
            statement.value(to.into());
        }
        statement
    }
}

/// An activity as its row keeps it. What `data` holds depends on the kind.
#[derive(Deserialize)]
struct Stored<'a> {
    id: ActivityId,
    contact_id: ContactId,
    kind: ActivityKind,
    occurred_at: Timestamp,
    user_id: Option<UserId>,
    subject: Option<String>,
    body: Option<String>,
    /// Absent where it is empty.
    #[serde(borrow)]
    data: Option<&'a RawValue>,
    created_at: Timestamp,
}

fn activity(stored: Stored<'_>) -> Result<Activity> {
    Activity::from_stored(
        stored.id,
        stored.contact_id,
        stored.occurred_at,
        stored.user_id,
        stored.subject,
        stored.body,
        stored.kind,
        stored.data.map_or("{}", RawValue::get),
        stored.created_at,
    )
    .map_err(Error::internal)
}

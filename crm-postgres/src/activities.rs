//! Activities.

use std::borrow::Cow;

use async_trait::async_trait;
use crm_core::activities::store::ActivityQuery;
use crm_core::activities::{Activity, ActivityFilter, StatsGroup, StatsGroupBy};
use crm_core::ports::ActivityStore;
use crm_core::{ActivityId, ContactId, Error, Result, TenantScope, Timestamp, UserId};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use sqlx::postgres::PgRow;
use uuid::Uuid;

use crate::PostgresStore;
use crate::rows::{self, bigint, get, json_text, parsed, timestamp};
use crate::statement::Statement;

#[async_trait]
impl ActivityStore for PostgresStore {
    async fn activity(&self, scope: &TenantScope, id: ActivityId) -> Result<Option<Activity>> {
        let rows = self.call(scope, "activity_get", vec![id.as_uuid().into()]).await?;
        rows.first().map(activity).transpose()
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
                let mut statement = self.select("select *", scope, filter);
                statement.push(" and (occurred_at, id) < (");
                statement.value(before.into());
                statement.push(", ");
                statement.value(before_id.into());
                statement.push(") order by occurred_at desc, id desc limit ");
                statement.value(bigint(query.limit).into());
                self.ask_in_transaction(scope, statement).await?
            }
        };
        rows.iter().map(activity).collect()
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

/// What an activity's row keeps as JSON beside what is filtered and sorted.
#[derive(Serialize, Deserialize)]
struct Doc<'a, D> {
    subject: Option<Cow<'a, str>>,
    body: Option<Cow<'a, str>>,
    data: D,
}

pub(crate) fn to_doc(activity: &Activity) -> Result<String> {
    rows::to_doc(&Doc {
        subject: activity.subject.as_deref().map(Cow::Borrowed),
        body: activity.body.as_deref().map(Cow::Borrowed),
        data: &activity.data,
    })
}

fn activity(row: &PgRow) -> Result<Activity> {
    let by: Option<Uuid> = get(row, "user_id")?;
    let doc: Doc<'_, &RawValue> =
        serde_json::from_str(json_text(row, "doc")?).map_err(Error::internal)?;
    Activity::from_stored(
        ActivityId::from_uuid(get(row, "id")?),
        ContactId::from_uuid(get(row, "contact_id")?),
        timestamp(row, "occurred_at")?,
        by.map(UserId::from_uuid),
        doc.subject.map(Cow::into_owned),
        doc.body.map(Cow::into_owned),
        parsed(row, "kind")?,
        doc.data.get(),
        timestamp(row, "created_at")?,
    )
    .map_err(Error::internal)
}

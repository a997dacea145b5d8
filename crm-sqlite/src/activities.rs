//! Activities.

use async_trait::async_trait;
use crm_core::activities::store::ActivityQuery;
use crm_core::activities::{Activity, ActivityFilter, StatsGroup, StatsGroupBy};
use crm_core::ports::ActivityStore;
use crm_core::{ActivityId, ContactId, Result, TenantScope, Timestamp, UserId};
use rusqlite::types::Value;
use rusqlite::{Connection, OptionalExtension, Row, params, params_from_iter};

use crate::SqliteStore;
use crate::error::Refused;
use crate::rows::{optional_uuid, parsed, timestamp, to_doc, unreadable, uuid};

pub(crate) fn insert(
    connection: &Connection,
    tenant: i64,
    activity: &Activity,
) -> Result<(), Refused> {
    write(connection, tenant, activity, INSERT)
}

/// An entry that takes the place of the one with its id.
pub(crate) fn put(
    connection: &Connection,
    tenant: i64,
    activity: &Activity,
) -> Result<(), Refused> {
    write(connection, tenant, activity, PUT)
}

const INSERT: &str = "INSERT INTO activity (tenant_no, id, contact_id, kind, occurred_at, user_id,
        subject, body, data, created_at)
    VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)";

const PUT: &str = "INSERT INTO activity (tenant_no, id, contact_id, kind, occurred_at, user_id,
        subject, body, data, created_at)
    VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)
    ON CONFLICT (tenant_no, id) DO UPDATE SET contact_id = excluded.contact_id, kind = excluded.kind,
        occurred_at = excluded.occurred_at, user_id = excluded.user_id,
        subject = excluded.subject, body = excluded.body, data = excluded.data";

fn write(
    connection: &Connection,
    tenant: i64,
    activity: &Activity,
    sql: &str,
) -> Result<(), Refused> {
    connection.prepare_cached(sql)?.execute(params![
        tenant,
        activity.id.as_uuid().as_bytes(),
        activity.contact_id.as_uuid().as_bytes(),
        activity.kind().as_str(),
        activity.occurred_at.as_micros(),
        activity.user_id.map(|id| id.as_uuid().into_bytes()),
        activity.subject,
        activity.body,
        to_doc(&activity.data)?,
        activity.created_at.as_micros(),
    ])?;
    Ok(())
}

const COLUMNS: &str = "id, contact_id, occurred_at, user_id, subject, body, kind, data, created_at";

fn activity(row: &Row<'_>) -> rusqlite::Result<Activity> {
    Activity::from_stored(
        ActivityId::from_uuid(uuid(row, 0)?),
        ContactId::from_uuid(uuid(row, 1)?),
        timestamp(row, 2)?,
        optional_uuid(row, 3)?.map(UserId::from_uuid),
        row.get(4)?,
        row.get(5)?,
        parsed(row, 6)?,
        row.get_ref(7)?.as_str()?,
        timestamp(row, 8)?,
    )
    .map_err(|error| unreadable(7, error))
}

/// The rows that `filter` means: the index to read, the condition, its values.
fn meant(tenant: i64, filter: &ActivityFilter) -> (&'static str, String, Vec<Value>) {
    let mut sql = "tenant_no = ?".to_owned();
    let mut values = vec![Value::Integer(tenant)];
    let mut index = "activity_time";
    if let Some(kind) = filter.kind {
        index = "activity_kind";
        sql.push_str(" AND kind = ?");
        values.push(kind.as_str().to_owned().into());
    }
    if let Some(user) = filter.user_id {
        index = "activity_user";
        sql.push_str(" AND user_id = ?");
        values.push(user.as_uuid().as_bytes().to_vec().into());
    }
    if let Some(contact) = filter.contact_id {
        index = "activity_timeline";
        sql.push_str(" AND contact_id = ?");
        values.push(contact.as_uuid().as_bytes().to_vec().into());
    }
    if let Some(from) = filter.from {
        sql.push_str(" AND occurred_at >= ?");
        values.push(from.as_micros().into());
    }
    if let Some(to) = filter.to {
        sql.push_str(" AND occurred_at < ?");
        values.push(to.as_micros().into());
    }
    (index, sql, values)
}

const MICROS_A_DAY: i64 = 24 * 60 * 60 * 1_000_000;

#[async_trait]
impl ActivityStore for SqliteStore {
    async fn activity(&self, scope: &TenantScope, id: ActivityId) -> Result<Option<Activity>> {
        self.readers().read_in(scope, |connection, tenant| {
            connection
                .prepare_cached(&format!(
                    "SELECT {COLUMNS} FROM activity WHERE tenant_no = ?1 AND id = ?2"
                ))?
                .query_row(params![tenant, id.as_uuid().as_bytes()], activity)
                .optional()
        })
    }

    async fn activities(
        &self,
        scope: &TenantScope,
        query: &ActivityQuery,
    ) -> Result<Vec<Activity>> {
        let filter = &query.filter;
        let kind_of_user = filter.kind.is_some() && filter.user_id.is_some();
        if filter.contact_id.is_some() || !kind_of_user {
            return self
                .readers()
                .read_in(scope, |connection, tenant| page(connection, tenant, query));
        }
        // One user's activities of one kind may lie far apart.
        let (scope, query) = (scope.clone(), query.clone());
        self.aside()
            .run(move |readers| {
                readers.read_in(&scope, |connection, tenant| page(connection, tenant, &query))
            })
            .await
    }

    async fn activity_stats(
        &self,
        scope: &TenantScope,
        filter: &ActivityFilter,
        group_by: StatsGroupBy,
    ) -> Result<Vec<StatsGroup>> {
        let (scope, filter) = (scope.clone(), filter.clone());
        self.aside()
            .run(move |readers| {
                readers.read_in(&scope, |connection, tenant| {
                    stats(connection, tenant, &filter, group_by)
                })
            })
            .await
    }
}

fn page(
    connection: &Connection,
    tenant: i64,
    query: &ActivityQuery,
) -> rusqlite::Result<Vec<Activity>> {
    let (index, mut sql, mut values) = meant(tenant, &query.filter);
    if let Some((at, id)) = query.after {
        sql.push_str(" AND (occurred_at, id) < (?, ?)");
        values.push(at.as_micros().into());
        values.push(id.as_uuid().as_bytes().to_vec().into());
    }
    values.push(i64::try_from(query.limit).unwrap_or(i64::MAX).into());
    connection
        .prepare_cached(&format!(
            "SELECT {COLUMNS} FROM activity INDEXED BY {index} WHERE {sql}
             ORDER BY occurred_at DESC, id DESC LIMIT ?"
        ))?
        .query_map(params_from_iter(values), activity)?
        .collect()
}

fn stats(
    connection: &Connection,
    tenant: i64,
    filter: &ActivityFilter,
    group_by: StatsGroupBy,
) -> rusqlite::Result<Vec<StatsGroup>> {
    let (index, sql, values) = meant(tenant, filter);
    // Where nothing narrows the list, the index that holds the key is read and no row. A beginning
    // narrows it: the statistics of a month must not read the years before.
    let narrow = filter.contact_id.is_some()
        || filter.kind.is_some()
        || filter.user_id.is_some()
        || filter.from.is_some();
    let (key, covering) = match group_by {
        StatsGroupBy::Kind => ("kind", "activity_kind"),
        StatsGroupBy::User => ("user_id", "activity_user"),
        // Rounded down, also before 1970.
        StatsGroupBy::Day => ("(occurred_at - ((occurred_at % ?) + ?) % ?) / ?", "activity_time"),
    };
    let index = if narrow { index } else { covering };
    let mut all_values = match group_by {
        StatsGroupBy::Day => vec![Value::Integer(MICROS_A_DAY); 4],
        StatsGroupBy::Kind | StatsGroupBy::User => Vec::new(),
    };
    all_values.extend(values);
    let sql =
        format!("SELECT {key}, count(*) FROM activity INDEXED BY {index} WHERE {sql} GROUP BY 1");
    let mut groups = connection
        .prepare_cached(&sql)?
        .query_map(params_from_iter(all_values), |row| {
            let key = match group_by {
                StatsGroupBy::Kind => row.get(0)?,
                StatsGroupBy::User => {
                    optional_uuid(row, 0)?.map_or("system".to_owned(), |id| id.to_string())
                }
                StatsGroupBy::Day => {
                    let micros = row.get::<_, i64>(0)?.saturating_mul(MICROS_A_DAY);
                    Timestamp::from_micros(micros)
                        .ok_or(rusqlite::Error::IntegralValueOutOfRange(0, micros))?
                        .date()
                }
            };
            Ok(StatsGroup { key, count: row.get(1)? })
        })?
        .collect::<rusqlite::Result<Vec<_>>>()?;
    groups.sort();
    Ok(groups)
}

//! Contacts.

use async_trait::async_trait;
use crm_core::contacts::store::ContactQuery;
use crm_core::contacts::{Contact, ContactFilter, ContactKey, ContactSort, Deleted};
use crm_core::ports::ContactStore;
use crm_core::{ContactId, Error, Result, SortKey, TenantScope, Timestamp};
use uuid::Uuid;

use crate::PostgresStore;
use crate::rows::{bigint, docs, get, is_text, optional_doc};
use crate::statement::{Statement, Value};

/// A text that comes after every name: its first character stands for none.
const LAST_NAME: &str = "\u{10ffff}";

/// The kind of a key as its column.
pub(crate) fn kind(key: &ContactKey) -> i16 {
    match key {
        ContactKey::Email(_) => 0,
        ContactKey::Phone(_) => 1,
        ContactKey::Tag(_) => 2,
        ContactKey::Fingerprint(_) => 3,
    }
}

#[async_trait]
impl ContactStore for PostgresStore {
    async fn contact(&self, scope: &TenantScope, id: ContactId) -> Result<Option<Contact>> {
        optional_doc(&self.call(scope, "contact_get", vec![id.as_uuid().into()]).await?)
    }

    async fn contacts_by_ids(
        &self,
        scope: &TenantScope,
        ids: &[ContactId],
    ) -> Result<Vec<Contact>> {
        if ids.is_empty() {
            return Ok(Vec::new());
        }
        let ids: Vec<Uuid> = ids.iter().map(|id| id.as_uuid()).collect();
        docs(&self.call(scope, "contact_by_ids", vec![ids.into()]).await?)
    }

    async fn contacts_by_keys(
        &self,
        scope: &TenantScope,
        keys: &[ContactKey],
    ) -> Result<Vec<(ContactKey, ContactId)>> {
        let keys: Vec<&ContactKey> = keys.iter().filter(|key| is_text(key.value())).collect();
        if keys.is_empty() {
            return Ok(Vec::new());
        }
        let kinds: Vec<i16> = keys.iter().map(|key| kind(key)).collect();
        let texts: Vec<String> = keys.iter().map(|key| key.value().to_owned()).collect();
        let rows = self.call(scope, "contact_by_keys", vec![kinds.into(), texts.into()]).await?;
        rows.iter()
            .map(|row| {
                let place: i64 = get(row, "place")?;
                // Places of the database count from 1.
                let key = usize::try_from(place - 1).ok().and_then(|place| keys.get(place));
                let key = key.ok_or_else(|| Error::internal("a key that was not asked for"))?;
                Ok(((*key).clone(), ContactId::from_uuid(get(row, "contact_id")?)))
            })
            .collect()
    }

    async fn contacts(&self, scope: &TenantScope, query: &ContactQuery) -> Result<Vec<Contact>> {
        let filter = &query.filter;
        if !can_be_met(filter) {
            return Ok(Vec::new());
        }
        let unfiltered = ContactFilter { deleted: filter.deleted, ..ContactFilter::default() };
        let (after, id) = place(query);
        if let Some(live) = live(filter.deleted).filter(|_| *filter == unfiltered) {
            let (time, name) = match after {
                SortKey::Time(at) => (at, String::new()),
                SortKey::Text(name) => (Timestamp::MIN, name),
                SortKey::Score(_) => return Ok(Vec::new()),
            };
            let values = vec![
                (!live).into(),
                column(query.sort).into(),
                query.descending.into(),
                time.into(),
                name.into(),
                id.into(),
                bigint(query.limit).into(),
            ];
            return docs(&self.call(scope, "contact_page", values).await?);
        }
        let statement = self.page(scope, query, after, id);
        docs(&self.ask_in_transaction(scope, statement).await?)
    }

    async fn count_contacts(&self, scope: &TenantScope, filter: &ContactFilter) -> Result<u64> {
        if !can_be_met(filter) {
            return Ok(0);
        }
        let mut statement = Statement::new("select count(*) as count from ");
        self.meant(&mut statement, scope, filter);
        let rows = self.ask_in_transaction(scope, statement).await?;
        let count: i64 = rows.first().map_or(Ok(0), |row| get(row, "count"))?;
        Ok(count.cast_unsigned())
    }
}

/// Whether contacts in use are meant, or deleted ones; both where neither.
fn live(deleted: Deleted) -> Option<bool> {
    match deleted {
        Deleted::Exclude => Some(true),
        Deleted::Only => Some(false),
        Deleted::Include => None,
    }
}

/// Whether a contact can have every key: the database keeps no text with a zero.
fn can_be_met(filter: &ContactFilter) -> bool {
    filter.keys.iter().all(|key| is_text(key.value()))
}

/// Where the page begins: after which sort key and id.
fn place(query: &ContactQuery) -> (SortKey, Uuid) {
    if let Some((key, id)) = &query.after {
        return (key.clone(), *id);
    }
    let key = match (query.sort, query.descending) {
        (ContactSort::CreatedAt | ContactSort::UpdatedAt, false) => SortKey::Time(Timestamp::MIN),
        (ContactSort::CreatedAt | ContactSort::UpdatedAt, true) => SortKey::Time(Timestamp::MAX),
        (ContactSort::LastName, false) => SortKey::Text(String::new()),
        (ContactSort::LastName, true) => SortKey::Text(LAST_NAME.to_owned()),
    };
    (key, if query.descending { Uuid::max() } else { Uuid::nil() })
}

fn column(sort: ContactSort) -> &'static str {
    match sort {
        ContactSort::CreatedAt => "created_at",
        ContactSort::UpdatedAt => "updated_at",
        ContactSort::LastName => "sort_name",
    }
}

impl PostgresStore {
    /// A page of the contacts that a filter means.
    fn page(
        &self,
        scope: &TenantScope,
        query: &ContactQuery,
        after: SortKey,
        id: Uuid,
    ) -> Statement {
        let column = column(query.sort);
        let (than, direction) = if query.descending { ("<", "desc") } else { (">", "asc") };
        let after: Value = match after {
            SortKey::Time(at) => at.into(),
            SortKey::Text(name) => name.into(),
            SortKey::Score(_) => LAST_NAME.into(),
        };
        let mut statement = Statement::new("select contacts.doc from ");
        self.meant(&mut statement, scope, &query.filter);
        if query.after.is_some() {
            statement.push(&format!(" and (contacts.{column}, contacts.id) {than} ("));
            statement.value(after);
            statement.push(", ");
            statement.value(id.into());
            statement.push(")");
        }
        statement.push(&format!(
            " order by contacts.{column} {direction}, contacts.id {direction} limit "
        ));
        statement.value(bigint(query.limit).into());
        Statement::list_of(statement)
    }

    /// The table, and the conditions of `filter`.
    fn meant(&self, statement: &mut Statement, scope: &TenantScope, filter: &ContactFilter) {
        let schema = &self.inner.schema;
        let tenant = scope.tenant().as_uuid();
        statement.push(&format!("{schema}.contacts where contacts.tenant_id = "));
        statement.value(tenant.into());
        let live = live(filter.deleted);
        // A key says itself whether its contact is in use.
        if let Some(live) = live.filter(|_| filter.keys.is_empty()) {
            statement.push(if live {
                " and not contacts.deleted"
            } else {
                " and contacts.deleted"
            });
        }
        if let Some(owner) = filter.owner_id {
            statement.push(" and contacts.owner_id = ");
            statement.value(owner.as_uuid().into());
        }
        if let Some(company) = filter.company_id {
            statement.push(" and contacts.company_id = ");
            statement.value(company.as_uuid().into());
        }
        for (condition, at) in [
            (" and contacts.created_at >= ", filter.created_after),
            (" and contacts.created_at < ", filter.created_before),
            (" and contacts.updated_at >= ", filter.updated_after),
            (" and contacts.updated_at < ", filter.updated_before),
        ] {
            if let Some(at) = at {
                statement.push(condition);
                statement.value(at.into());
            }
        }
        for key in &filter.keys {
            statement.push(&format!(
                " and exists (select from {schema}.contact_keys where contact_keys.tenant_id = "
            ));
            statement.value(tenant.into());
            statement.push(" and contact_keys.kind = ");
            statement.value(i64::from(kind(key)).into());
            statement.push("::smallint and contact_keys.value = ");
            statement.value(key.value().into());
            if let Some(live) = live {
                statement.push(if live {
                    " and contact_keys.live"
                } else {
                    " and not contact_keys.live"
                });
            }
            statement.push(" and contact_keys.contact_id = contacts.id)");
        }
    }
}

//! Contacts.

use async_trait::async_trait;
use crm_core::changes::ContactIndex;
use crm_core::contacts::store::ContactQuery;
use crm_core::contacts::{Contact, ContactFilter, ContactKey, ContactSort, Deleted};
use crm_core::ports::ContactStore;
use crm_core::{ContactId, Error, Result, SortKey, TenantScope};
use rusqlite::types::Value;
use rusqlite::{Connection, OptionalExtension, params, params_from_iter};
use uuid::Uuid;

use crate::error::{Refused, is_taken};
use crate::readers::Readers;
use crate::rows::{from_doc, not_at_version, to_doc, uuid};
use crate::{SqliteStore, search};

pub(crate) fn insert(
    connection: &Connection,
    tenant: i64,
    contact: &Contact,
    added: &ContactIndex,
) -> Result<(), Refused> {
    let id = contact.id.as_uuid();
    connection
        .prepare_cached(
            "INSERT INTO contact (tenant_no, id, deleted, created_at, updated_at, sort_name,
                                  owner_id, company_id, version, doc)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)",
        )?
        .execute(params![
            tenant,
            id.as_bytes(),
            !contact.is_live(),
            contact.created_at.as_micros(),
            contact.updated_at.as_micros(),
            contact.sort_name(),
            contact.owner_id.map(|id| id.as_uuid().into_bytes()),
            contact.company_id.map(|id| id.as_uuid().into_bytes()),
            contact.version,
            to_doc(contact)?,
        ])?;
    add_to_index(connection, tenant, contact, added)
}

pub(crate) fn update(
    connection: &Connection,
    tenant: i64,
    contact: &Contact,
    expected_version: i64,
    removed: &ContactIndex,
    added: &ContactIndex,
) -> Result<(), Refused> {
    let id = contact.id.as_uuid();
    let updated = connection
        .prepare_cached(
            "UPDATE contact SET deleted = ?4, updated_at = ?5, sort_name = ?6, owner_id = ?7,
                                company_id = ?8, version = ?9, doc = ?10
             WHERE tenant_no = ?1 AND id = ?2 AND version = ?3",
        )?
        .execute(params![
            tenant,
            id.as_bytes(),
            expected_version,
            !contact.is_live(),
            contact.updated_at.as_micros(),
            contact.sort_name(),
            contact.owner_id.map(|id| id.as_uuid().into_bytes()),
            contact.company_id.map(|id| id.as_uuid().into_bytes()),
            contact.version,
            to_doc(contact)?,
        ])?;
    if updated != 1 {
        return Err(not_at_version(connection, "contact", tenant, id, expected_version));
    }
    for (key, _) in &removed.keys {
        connection
            .prepare_cached(
                "DELETE FROM contact_key
                 WHERE tenant_no = ?1 AND kind = ?2 AND value = ?3 AND contact_id = ?4",
            )?
            .execute(params![tenant, kind(key), key.value(), id.as_bytes()])?;
    }
    if let Some(terms) = &removed.terms {
        search::remove(connection, tenant, id, terms)?;
    }
    add_to_index(connection, tenant, contact, added)
}

fn add_to_index(
    connection: &Connection,
    tenant: i64,
    contact: &Contact,
    added: &ContactIndex,
) -> Result<(), Refused> {
    let id = contact.id.as_uuid();
    for (key, live) in &added.keys {
        let inserted = connection
            .prepare_cached(
                "INSERT INTO contact_key (tenant_no, kind, value, contact_id, live)
                 VALUES (?1, ?2, ?3, ?4, ?5)",
            )?
            .execute(params![tenant, kind(key), key.value(), id.as_bytes(), live]);
        match inserted {
            Ok(_) => {}
            Err(error) if is_taken(&error) => {
                let holder: Uuid = connection
                    .prepare_cached(
                        "SELECT contact_id FROM contact_key
                         WHERE tenant_no = ?1 AND kind = 0 AND value = ?2 AND live = 1",
                    )?
                    .query_row(params![tenant, key.value()], |row| uuid(row, 0))?;
                let mut emails = contact.emails.iter();
                let at = emails.position(|email| email.address.key() == key.value());
                let field = format!("emails[{}].address", at.unwrap_or_default());
                let message = format!("another contact has the e-mail `{}`", key.value());
                return Err(Error::already_exists(field, holder, message).into());
            }
            Err(error) => return Err(error.into()),
        }
    }
    if let Some(terms) = &added.terms {
        search::add(connection, tenant, id, terms)?;
    }
    Ok(())
}

fn kind(key: &ContactKey) -> i64 {
    match key {
        ContactKey::Email(_) => 0,
        ContactKey::Phone(_) => 1,
        ContactKey::Tag(_) => 2,
        ContactKey::Fingerprint(_) => 3,
    }
}

#[async_trait]
impl ContactStore for SqliteStore {
    async fn contact(&self, scope: &TenantScope, id: ContactId) -> Result<Option<Contact>> {
        self.readers().read_in(scope, |connection, tenant| by_id(connection, tenant, id))
    }

    async fn contacts_by_ids(
        &self,
        scope: &TenantScope,
        ids: &[ContactId],
    ) -> Result<Vec<Contact>> {
        self.readers().read_snapshot_in(scope, |connection, tenant| {
            let found = ids.iter().map(|id| by_id(connection, tenant, *id));
            found.filter_map(Result::transpose).collect()
        })
    }

    async fn contacts_by_keys(
        &self,
        scope: &TenantScope,
        keys: &[ContactKey],
    ) -> Result<Vec<(ContactKey, ContactId)>> {
        self.readers().read_snapshot_in(scope, |connection, tenant| {
            let mut find = connection.prepare_cached(
                "SELECT contact_id FROM contact_key
                 WHERE tenant_no = ?1 AND kind = ?2 AND value = ?3 AND live = 1
                 ORDER BY contact_id LIMIT 1",
            )?;
            let mut found = Vec::new();
            for key in keys {
                let holder = find
                    .query_row(params![tenant, kind(key), key.value()], |row| uuid(row, 0))
                    .optional()?;
                found.extend(holder.map(|id| (key.clone(), ContactId::from_uuid(id))));
            }
            Ok(found)
        })
    }

    async fn contacts(&self, scope: &TenantScope, query: &ContactQuery) -> Result<Vec<Contact>> {
        let unfiltered =
            ContactFilter { deleted: query.filter.deleted, ..ContactFilter::default() };
        if query.filter == unfiltered {
            return self
                .readers()
                .read_snapshot_in(scope, |connection, tenant| page(connection, tenant, query));
        }
        // A filter may pass over many contacts before the page is full.
        let (scope, query) = (scope.clone(), query.clone());
        let work = move |readers: &Readers| {
            readers.read_snapshot_in(&scope, |connection, tenant| page(connection, tenant, &query))
        };
        self.aside().run(work).await
    }

    async fn count_contacts(&self, scope: &TenantScope, filter: &ContactFilter) -> Result<u64> {
        let (scope, filter) = (scope.clone(), filter.clone());
        self.aside()
            .run(move |readers| {
                readers.read_snapshot_in(&scope, |connection, tenant| {
                    let mut total = 0;
                    for deleted in states(filter.deleted) {
                        let mut conditions = Conditions::new(tenant, *deleted);
                        conditions.filter(&filter, None);
                        let sql = format!("SELECT count(*) FROM contact WHERE {}", conditions.sql);
                        total += connection
                            .prepare_cached(&sql)?
                            .query_row(params_from_iter(conditions.values), |row| {
                                row.get::<_, u64>(0)
                            })?;
                    }
                    Ok(total)
                })
            })
            .await
    }
}

fn by_id(connection: &Connection, tenant: i64, id: ContactId) -> rusqlite::Result<Option<Contact>> {
    connection
        .prepare_cached("SELECT doc FROM contact WHERE tenant_no = ?1 AND id = ?2")?
        .query_row(params![tenant, id.as_uuid().as_bytes()], |row| from_doc(row, 0))
        .optional()
}

fn page(
    connection: &Connection,
    tenant: i64,
    query: &ContactQuery,
) -> rusqlite::Result<Vec<Contact>> {
    let mut contacts = Vec::new();
    let states = states(query.filter.deleted);
    for deleted in states {
        let list = List::of(connection, tenant, *deleted, query)?;
        let mut rows = connection.prepare_cached(&list.sql)?;
        for contact in rows.query_map(params_from_iter(list.values), |row| from_doc(row, 0))? {
            contacts.push(contact?);
        }
    }
    // Live and deleted contacts come in two runs, each in order.
    if states.len() > 1 {
        let order = |contact: &Contact| match query.sort.key_of(contact) {
            SortKey::Time(at) => (at.as_micros(), String::new(), contact.id),
            SortKey::Text(text) => (0, text, contact.id),
            SortKey::Score(_) => (0, String::new(), contact.id),
        };
        contacts.sort_by_cached_key(order);
        if query.descending {
            contacts.reverse();
        }
        contacts.truncate(query.limit);
    }
    Ok(contacts)
}

/// The values of the column `deleted` that are meant.
fn states(deleted: Deleted) -> &'static [bool] {
    match deleted {
        Deleted::Exclude => &[false],
        Deleted::Include => &[false, true],
        Deleted::Only => &[true],
    }
}

/// A condition and the values of its parameters.
struct Conditions {
    sql: String,
    values: Vec<Value>,
}

impl Conditions {
    fn new(tenant: i64, deleted: bool) -> Self {
        Conditions {
            sql: "contact.tenant_no = ? AND deleted = ?".to_owned(),
            values: vec![Value::Integer(tenant), Value::Integer(deleted.into())],
        }
    }

    fn and(&mut self, sql: &str, value: impl Into<Value>) {
        self.sql.push_str(" AND ");
        self.sql.push_str(sql);
        self.values.push(value.into());
    }

    /// All conditions of `filter`, but for the key that drives the query.
    fn filter(&mut self, filter: &ContactFilter, driver: Option<&ContactKey>) {
        if let Some(owner) = filter.owner_id {
            self.and("owner_id = ?", owner.as_uuid().as_bytes().to_vec());
        }
        if let Some(company) = filter.company_id {
            self.and("contact.company_id = ?", company.as_uuid().as_bytes().to_vec());
        }
        for (column, at) in [
            ("created_at >= ?", filter.created_after),
            ("created_at < ?", filter.created_before),
            ("updated_at >= ?", filter.updated_after),
            ("updated_at < ?", filter.updated_before),
        ] {
            if let Some(at) = at {
                self.and(column, at.as_micros());
            }
        }
        for key in filter.keys.iter().filter(|key| Some(*key) != driver) {
            self.and(
                "EXISTS (SELECT 1 FROM contact_key
                         WHERE tenant_no = contact.tenant_no AND kind = ? AND value = ?
                           AND contact_id = contact.id)",
                kind(key),
            );
            self.values.push(key.value().to_owned().into());
        }
    }
}

/// A page of contacts as SQL.
struct List {
    sql: String,
    values: Vec<Value>,
}

/// Up to so many contacts, reading all that a key or an owner has and sorting them beats reading in
/// the order of the sort until the page is full.
const FEW: usize = 1000;

impl List {
    fn of(
        connection: &Connection,
        tenant: i64,
        deleted: bool,
        query: &ContactQuery,
    ) -> rusqlite::Result<Self> {
        let filter = &query.filter;
        let mut rarest: Option<(usize, &ContactKey)> = None;
        for key in &filter.keys {
            let count = count_key(connection, tenant, key)?;
            if count <= FEW && rarest.is_none_or(|(least, _)| count < least) {
                rarest = Some((count, key));
            }
        }
        let driver = rarest.map(|(_, key)| key);
        let (column, order_index) = match query.sort {
            ContactSort::CreatedAt => ("created_at", "contact_created"),
            ContactSort::UpdatedAt => ("updated_at", "contact_updated"),
            ContactSort::LastName => ("sort_name", "contact_name"),
        };
        let by_creation = query.sort == ContactSort::CreatedAt;
        let mut values = Vec::new();
        let mut conditions = Conditions::new(tenant, deleted);
        let source = if let Some(key) = driver {
            values = vec![tenant.into(), kind(key).into(), key.value().to_owned().into()];
            "(SELECT contact_id FROM contact_key
              WHERE tenant_no = ? AND kind = ? AND value = ?) AS holder
             CROSS JOIN contact ON contact.id = holder.contact_id"
                .to_owned()
        } else if let Some(company) = filter.company_id
            && (by_creation
                || count_with(connection, tenant, "company_id", company.as_uuid())? <= FEW)
        {
            "contact INDEXED BY contact_company".to_owned()
        } else if let Some(owner) = filter.owner_id
            && (by_creation || count_with(connection, tenant, "owner_id", owner.as_uuid())? <= FEW)
        {
            "contact INDEXED BY contact_owner".to_owned()
        } else {
            format!("contact INDEXED BY {order_index}")
        };
        conditions.filter(filter, driver);
        let (than, direction) = if query.descending { ("<", "DESC") } else { (">", "ASC") };
        if let Some((key, id)) = &query.after {
            let key = match key {
                SortKey::Time(at) => Value::Integer(at.as_micros()),
                SortKey::Text(text) => Value::Text(text.clone()),
                SortKey::Score(_) => Value::Null,
            };
            conditions.and(&format!("({column}, contact.id) {than} (?, ?)"), key);
            conditions.values.push(id.as_bytes().to_vec().into());
        }
        values.append(&mut conditions.values);
        values.push(Value::Integer(i64::try_from(query.limit).unwrap_or(i64::MAX)));
        let sql = format!(
            "SELECT doc FROM {source} WHERE {}
             ORDER BY {column} {direction}, contact.id {direction} LIMIT ?",
            conditions.sql
        );
        Ok(List { sql, values })
    }
}

fn count_key(connection: &Connection, tenant: i64, key: &ContactKey) -> rusqlite::Result<usize> {
    connection
        .prepare_cached(
            "SELECT count(*) FROM (SELECT 1 FROM contact_key
             WHERE tenant_no = ?1 AND kind = ?2 AND value = ?3 LIMIT ?4)",
        )?
        .query_row(params![tenant, kind(key), key.value(), FEW + 1], |row| row.get(0))
}

fn count_with(
    connection: &Connection,
    tenant: i64,
    column: &'static str,
    id: Uuid,
) -> rusqlite::Result<usize> {
    connection
        .prepare_cached(&format!(
            "SELECT count(*) FROM (SELECT 1 FROM contact
             WHERE tenant_no = ?1 AND {column} = ?2 LIMIT ?3)"
        ))?
        .query_row(params![tenant, id.as_bytes(), FEW + 1], |row| row.get(0))
}

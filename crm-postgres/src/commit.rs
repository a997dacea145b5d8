//! The one way to write.

use async_trait::async_trait;
use crm_core::changes::Write;
use crm_core::events::GroupProgress;
use crm_core::ports::Store;
use crm_core::{Changes, Error, ErrorKind, Result};
use serde::Deserialize;
use sqlx::PgConnection;
use uuid::Uuid;

use crate::error::{LOST, MOVED, Remedy, STALE, TAKEN, database, failed, remedy};
use crate::statement::{Protocol, Statement};
use crate::work::after;
use crate::{Inner, PostgresStore, unit};

#[async_trait]
impl Store for PostgresStore {
    async fn commit(&self, changes: Changes) -> Result<()> {
        if changes.is_empty() {
            return Ok(());
        }
        let store = self.clone();
        self.run(async move { store.inner.commit(&changes).await }).await
    }
}

impl PostgresStore {
    /// Writes `changes` within a transaction of the host, so that they are kept with the host's own rows or
    /// not at all. The connection's role must have what `crm_app` has, e.g. by being granted it.
    ///
    /// A refused change leaves the transaction as it was, and usable. Keep what follows short: until the
    /// transaction ends, readers of the tenant's events see nothing later, and a change that holds one of the same
    /// e-mails, or a word that is new to the tenant's search, waits, as it does for any unique value.
    ///
    /// ```no_run
    /// # use crm_core::{Session, contacts::NewContact};
    /// # async fn order(
    /// #     store: crm_postgres::PostgresStore, session: Session, pool: sqlx::PgPool,
    /// # ) -> Result<(), Box<dyn std::error::Error>> {
    /// let (customer, changes) =
    ///     session.contacts().plan_create(NewContact::named("Ada", "Lovelace")).await?;
    /// let mut transaction = pool.begin().await?;
    /// sqlx::query("insert into orders (customer_id) values ($1)")
    ///     .bind(customer.id.as_uuid())
    ///     .execute(&mut *transaction)
    ///     .await?;
    /// store.commit_in(&mut transaction, changes).await?;
    /// transaction.commit().await?;
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    ///
    /// Those of [`Store::commit`].
    pub async fn commit_in(&self, transaction: &mut PgConnection, changes: Changes) -> Result<()> {
        if changes.is_empty() {
            return Ok(());
        }
        let statement = self.inner.commit_statement(&changes, false)?;
        sqlx::raw_sql("savepoint crm").execute(&mut *transaction).await.map_err(failed)?;
        let written = statement.fetch(transaction, self.inner.protocol).await;
        let end = match written {
            Ok(_) => "release savepoint crm",
            Err(_) => "rollback to savepoint crm; release savepoint crm",
        };
        let ended = sqlx::raw_sql(end).execute(&mut *transaction).await;
        match written {
            Ok(_) => ended.map(|_| ()).map_err(failed),
            Err(error) => Err(refusal(&changes, error)),
        }
    }
}

impl Inner {
    fn commit_statement(&self, changes: &Changes, again: bool) -> Result<Statement> {
        let values = unit::arguments(changes, again)?;
        let tenant = changes.tenant().as_uuid().into();
        Ok(Statement::call(&self.schema, "commit", tenant, values))
    }

    async fn commit(&self, changes: &Changes) -> Result<()> {
        let mut statement = self.commit_statement(changes, false)?;
        let mut tries = 1;
        // The answer of an attempt was lost, so the unit may be there already.
        let mut lost = false;
        let mut refused = false;
        loop {
            let mut lease = self.connections.lease().await?;
            let connection = lease.connection()?;
            let shared = self.connections.are_shared();
            let attempt = attempt(connection, self.protocol, shared, &statement);
            let error = match self.patiently(attempt).await? {
                Ok(()) => {
                    lease.keep();
                    return Ok(());
                }
                Err(error) => error,
            };
            match remedy(&error) {
                // What refuses a repeated unit may be the unit itself, still at work when it was asked
                // for; having met it, it has ended by now.
                Remedy::None if lost && !refused => refused = true,
                Remedy::None => {
                    let refusal = refusal(changes, error);
                    if !shared || sqlx::raw_sql("rollback").execute(connection).await.is_ok() {
                        lease.keep();
                    }
                    return Err(refusal);
                }
                what @ (Remedy::Repeat | Remedy::Reconnect) => {
                    if what == Remedy::Reconnect && !lost {
                        lost = true;
                        statement = self.commit_statement(changes, true)?;
                    }
                    after(&self.connections, lease, error, shared, tries).await?;
                }
            }
            tries += 1;
        }
    }
}

async fn attempt(
    connection: &mut PgConnection,
    protocol: Protocol,
    shared: bool,
    statement: &Statement,
) -> Result<(), sqlx::Error> {
    if shared {
        // The position of events is the savepoint's number, see `crm.commit`.
        sqlx::raw_sql("begin; savepoint crm").execute(&mut *connection).await?;
    }
    statement.fetch(connection, protocol).await?;
    if shared {
        sqlx::raw_sql("commit").execute(&mut *connection).await?;
    }
    Ok(())
}

/// What `crm.commit` raises with [`TAKEN`].
#[derive(Deserialize)]
struct Taken {
    what: String,
    value: String,
    holder: Uuid,
    contact: Option<Uuid>,
}

/// What `crm.commit` raises with [`STALE`].
#[derive(Deserialize)]
struct Stale {
    what: String,
    expected: i64,
    found: Option<i64>,
}

/// The core's error for changes that were not written.
fn refusal(changes: &Changes, error: sqlx::Error) -> Error {
    let raised = database(&error).map(|raised| (raised.code().to_owned(), raised.detail()));
    match raised {
        Some((code, Some(detail))) if code == TAKEN => match serde_json::from_str(detail) {
            Ok(taken) => already_exists(changes, &taken),
            Err(unread) => Error::internal(unread),
        },
        Some((code, Some(detail))) if code == STALE => match serde_json::from_str(detail) {
            Ok(stale) => not_at_version(&stale),
            Err(unread) => Error::internal(unread),
        },
        Some((code, _)) if code == LOST => {
            Error::new(ErrorKind::Conflict, "the lease of the job is lost")
        }
        Some((code, _)) if code == MOVED => {
            changes.progress().map_or_else(|| failed(error), GroupProgress::refused)
        }
        Some(_) | None => failed(error),
    }
}

fn already_exists(changes: &Changes, taken: &Taken) -> Error {
    let value = &taken.value;
    let (field, message) = match taken.what.as_str() {
        "slug" => ("slug".to_owned(), format!("another tenant has the slug `{value}`")),
        "idempotency_key" => {
            ("idempotency_key".to_owned(), "the idempotency key was used before".to_owned())
        }
        "email" => ("email".to_owned(), format!("another user has the e-mail `{value}`")),
        "company_name" => ("name".to_owned(), format!("another company has the name `{value}`")),
        "company_domain" => {
            ("domain".to_owned(), format!("another company has the domain `{value}`"))
        }
        "contact_email" => {
            let place = taken.contact.and_then(|contact| place_of_email(changes, contact, value));
            (
                format!("emails[{}].address", place.unwrap_or_default()),
                format!("another contact has the e-mail `{value}`"),
            )
        }
        "telephony_account" => {
            ("name".to_owned(), format!("the account `{value}` is kept already"))
        }
        "schedule" => ("name".to_owned(), format!("the schedule `{value}` is there already")),
        "provider_call_id" => (
            "provider_call_id".to_owned(),
            "another call has the provider's name of this one".to_owned(),
        ),
        other => return Error::internal(format!("`{other}` is no unique value")),
    };
    Error::already_exists(field, taken.holder, message)
}

/// Where the contact, in its last state, has the e-mail.
fn place_of_email(changes: &Changes, contact: Uuid, key: &str) -> Option<usize> {
    changes.iter().rev().find_map(|change| match change.write() {
        Write::InsertContact { contact: made, .. } | Write::UpdateContact { contact: made, .. }
            if made.id.as_uuid() == contact =>
        {
            made.emails.iter().position(|email| email.address.key() == key)
        }
        Write::InsertTenant(_)
        | Write::UpdateTenant { .. }
        | Write::PutCredential { .. }
        | Write::InsertUser(_)
        | Write::UpdateUser { .. }
        | Write::InsertCompany(_)
        | Write::UpdateCompany { .. }
        | Write::InsertContact { .. }
        | Write::UpdateContact { .. }
        | Write::InsertActivity(_)
        | Write::InsertConsent(_)
        | Write::PutTelephonyAccount { .. }
        | Write::PutCall { .. }
        | Write::PutSchedule { .. }
        | Write::PutNotification { .. }
        | Write::PutNotificationPreferences { .. }
        | Write::RetryJob(_)
        | Write::DiscardJob(_)
        | Write::Nothing => None,
    })
}

fn not_at_version(stale: &Stale) -> Error {
    let what = match stale.what.as_str() {
        "tenant" => "tenant",
        "user" => "user",
        "credential" => "credential",
        "company" => "company",
        "contact" => "contact",
        "telephony account" => "telephony account",
        "call" => "call",
        "schedule" => "schedule",
        "notification" => "notification",
        "notification_preferences" => "notification_preferences",
        "job" => "job",
        other => return Error::internal(format!("`{other}` has no versions")),
    };
    match stale.found {
        Some(found) => Error::version_conflict(what, stale.expected, found),
        None => Error::not_found(what),
    }
}

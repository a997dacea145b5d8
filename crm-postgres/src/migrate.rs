//! Making a database ready, and keeping it current: what an administrator does, never the application.

use std::fmt;
use std::str::FromStr;

use crm_core::{Error, ErrorKind, Result};
use sqlx::postgres::PgConnectOptions;
use sqlx::{AssertSqlSafe, ConnectOptions, Row};

use crate::error::{database, failed, unreachable};
use crate::password;
use crate::schema::{self, MIGRATIONS, Migration, SchemaName};

/// Raised by the script where a database cannot be made ready.
const REFUSED: &str = "UX010";

/// What is installed into a database: the schema, its tables and functions, and on the server the roles
/// `crm_owner` (who owns them and cannot log in) and `crm_app` (the application).
///
/// ```
/// # fn main() -> Result<(), crm_core::Error> {
/// let script = crm_postgres::Installation::default().script()?;
/// assert!(script.contains("create schema crm "));
/// # Ok(()) }
/// ```
#[derive(Clone, Default)]
pub struct Installation {
    schema: SchemaName,
    app_password: Option<String>,
}

impl Installation {
    /// The schema, `crm` by default.
    #[must_use]
    pub fn schema(mut self, schema: SchemaName) -> Self {
        self.schema = schema;
        self
    }

    /// The password that `crm_app` gets, of printable ASCII. Without one it keeps what it has, which
    /// for a new role is none: it gets in where the server asks for no password.
    #[must_use]
    pub fn app_password(mut self, password: impl Into<String>) -> Self {
        self.app_password = Some(password.into());
        self
    }

    /// Installs into the database of `admin_url`, or brings it up to date: whole or not at all, and
    /// without a change where it is current. Returns what was done, a line each. A second installation
    /// at the same time waits.
    ///
    /// The role of the URL is a superuser, or owns the database and may create roles.
    ///
    /// # Errors
    ///
    /// `invalid` when the URL is none or the password cannot be used; `conflict` when the server, the
    /// database or a schema in it is not one that can be made ready; `forbidden` when the role may not
    /// do it; `unavailable` when the server cannot be reached.
    pub async fn run(&self, admin_url: &str) -> Result<Vec<String>> {
        let parts = self.parts()?;
        let mut connection =
            options(admin_url)?.disable_statement_logging().connect().await.map_err(unreachable)?;
        let mut rows = Vec::new();
        for part in parts {
            let sql = AssertSqlSafe(part);
            rows = sqlx::raw_sql(sql).fetch_all(&mut connection).await.map_err(not_installed)?;
        }
        rows.iter().map(|row| row.try_get("done").map_err(failed)).collect()
    }

    /// The same as a script for `psql`: for who lets no program near the database.
    ///
    /// # Errors
    ///
    /// `invalid` when the password cannot be used; `unavailable` when there is no randomness.
    pub fn script(&self) -> Result<String> {
        Ok(format!("\\set ON_ERROR_STOP on\n\n{}", self.parts()?.join("\n")))
    }

    /// One transaction for both ways, in parts: the server parses a part when those before it have run.
    /// The last returns what was done.
    fn parts(&self) -> Result<Vec<String>> {
        let mut parts = vec![
            include_str!("../installation/check.sql").to_owned(),
            include_str!("../installation/prepare.sql").to_owned(),
            known_up_to(schema::newest()),
        ];
        parts.extend(MIGRATIONS.iter().map(apply));
        parts.push(include_str!("../installation/finish.sql").to_owned());
        if let Some(password) = &self.app_password {
            // A verifier has no quotes: it is base64 and a few signs.
            let verifier = password::verifier(password)?;
            parts.push(set_password(&verifier));
        }
        parts.push(
            "select done from string_to_table(current_setting('crm.done'), E'\\n') as done
    where done <> '';
commit;
"
            .to_owned(),
        );
        Ok(parts.iter().map(|part| self.schema.put_into(part)).collect())
    }
}

impl fmt::Debug for Installation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Installation").field("schema", &self.schema).finish_non_exhaustive()
    }
}

/// Refuses a database that a newer program has migrated.
fn known_up_to(newest: i32) -> String {
    format!(
        "do $$
begin
    if exists (select from crm.migrations where version > {newest}) then
        raise exception using errcode = '{REFUSED}', message =
            'this program is older than the database; use the one that migrated it, or a newer one';
    end if;
end
$$;
"
    )
}

/// Applies a migration where it is missing.
fn apply(migration: &Migration) -> String {
    let Migration { version, name, sql } = migration;
    let checksum: String = migration.checksum().iter().map(|byte| format!("{byte:02x}")).collect();
    let changed = schema::changed(migration);
    format!(
        "do $installation$
declare
    _applied bytea := (select checksum from crm.migrations where version = {version});
begin
    if _applied is null then
        execute $migration$
{sql}
$migration$;
        insert into crm.migrations (version, name, checksum)
            values ({version}, '{name}', '\\x{checksum}');
        perform set_config('crm.done', concat_ws(
            E'\\n', nullif(current_setting('crm.done'), ''), 'applied migration {name}'
        ), true);
    elsif _applied <> '\\x{checksum}' then
        raise exception using errcode = '{REFUSED}', message = '{changed}';
    end if;
end
$installation$;
"
    )
}

/// Sets the password. It is the server's and not the database's, so that installations in two databases
/// can meet here; PostgreSQL then fails the later one instead of letting it follow.
fn set_password(verifier: &str) -> String {
    format!(
        "do $installation$
begin
    for _attempt in 1..20 loop
        begin
            alter role crm_app password '{verifier}';
            return;
        exception when internal_error then
            if _attempt = 20 then raise; end if;
        end;
    end loop;
end
$installation$;
"
    )
}

/// Where a URL leads.
///
/// # Errors
///
/// `invalid` for what is none; it is not repeated, since it may hold a password.
pub(crate) fn options(url: &str) -> Result<PgConnectOptions> {
    let refused = |why: String| {
        let message = "this is no URL of PostgreSQL; write e.g. `postgres://user@host/database`";
        Error::invalid_field("database", "invalid_url", message).with_source(why)
    };
    // The driver takes any scheme.
    if !["postgres://", "postgresql://"].iter().any(|scheme| url.starts_with(scheme)) {
        return Err(refused("another scheme".to_owned()));
    }
    PgConnectOptions::from_str(url).map_err(|error| refused(error.to_string()))
}

fn not_installed(error: sqlx::Error) -> Error {
    let Some((code, message)) =
        database(&error).map(|error| (error.code().to_owned(), error.message().to_owned()))
    else {
        return failed(error);
    };
    match code.as_str() {
        REFUSED => Error::new(ErrorKind::Conflict, message).with_source(error),
        "42501" => Error::new(
            ErrorKind::Forbidden,
            format!(
                "the role may not do this ({message}); use a superuser, or the database's owner with \
                 the right to create roles"
            ),
        )
        .with_source(error),
        _ => failed(error),
    }
}

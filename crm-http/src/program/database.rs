//! Which database a command works on.

use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;

use clap::Args;
use clap::builder::BoolishValueParser;
use crm_core::{Crm, CrmBuilder, Error};
use crm_postgres::{Options, PostgresStore, Protocol, SchemaName};
use crm_sqlite::SqliteStore;

use crate::program::failure::Failure;

/// The place of a database, as `--database` names it.
#[derive(Clone, PartialEq, Eq)]
pub(crate) enum DatabaseUrl {
    /// A file.
    Sqlite(PathBuf),
    /// A database of a server: the whole URL, which may hold a password.
    Postgres(String),
}

/// The database that a command works on.
#[derive(Debug, Args)]
pub(crate) struct Database {
    /// The database, as `sqlite://PATH` or `postgres://USER:PASSWORD@HOST/NAME`.
    #[arg(
        long = "database",
        global = true,
        value_name = "URL",
        env = "CRM_DATABASE_URL",
        default_value = "sqlite://crm.db",
        hide_env_values = true
    )]
    pub(crate) url: DatabaseUrl,
    /// The schema of a PostgreSQL database that holds the tables.
    #[arg(long, global = true, value_name = "NAME", env = "CRM_SCHEMA", default_value = "crm")]
    pub(crate) schema: SchemaName,
    /// PostgreSQL is behind a pooler that gives each transaction another connection and keeps no
    /// prepared statements, e.g. pgbouncer before 1.21.
    #[arg(
        long,
        global = true,
        env = "CRM_SIMPLE_PROTOCOL",
        value_parser = BoolishValueParser::new()
    )]
    pub(crate) simple_protocol: bool,
    /// Whether somebody named the database.
    #[arg(skip)]
    pub(crate) named: bool,
}

impl Database {
    /// The CRM in a database that exists.
    pub(crate) async fn open(&self) -> Result<Crm, Failure> {
        self.must_exist()?;
        self.open_or_create().await
    }

    /// The CRM in a database; a file is made where there is none.
    pub(crate) async fn open_or_create(&self) -> Result<Crm, Failure> {
        Ok(self.builder().await?.build()?)
    }

    /// What makes a CRM of the database; a file is made where there is none.
    pub(crate) async fn builder(&self) -> Result<CrmBuilder, Failure> {
        let builder = match &self.url {
            DatabaseUrl::Sqlite(path) => SqliteStore::open(path).await.map(Crm::builder),
            DatabaseUrl::Postgres(url) => {
                let protocol =
                    if self.simple_protocol { Protocol::Simple } else { Protocol::Prepared };
                let options = Options::default().schema(self.schema.clone()).protocol(protocol);
                PostgresStore::connect_with(url, options).await.map(Crm::builder)
            }
        };
        builder.map_err(|error| self.refused(error))
    }

    fn refused(&self, error: Error) -> Failure {
        // Each broken rule of isolation has an entry; together they are longer than a line.
        if let [_, _, ..] = error.fields() {
            let rules: Vec<&str> = error.fields().iter().map(|field| &*field.code).collect();
            return Failure::Usage(format!(
                "--database: `{}` would not keep tenants apart ({}); connect as `crm_app`, or let \
                 `crm-http doctor` say how to mend it",
                self.url,
                rules.join(", ")
            ));
        }
        Failure::of_option(error, |_| "--database").about(&self.url.to_string())
    }

    /// Refuses a file that does not exist: made in passing, it would be one more empty database
    /// wherever a path was mistyped. Whether a server has the database shows when it is asked.
    pub(crate) fn must_exist(&self) -> Result<(), Failure> {
        let path = match &self.url {
            DatabaseUrl::Sqlite(path) => path,
            DatabaseUrl::Postgres(_) => return Ok(()),
        };
        match path.try_exists() {
            Ok(true) => Ok(()),
            Ok(false) => Err(Failure::Usage(format!(
                "--database: there is no database `{}`; make one with `crm-http tenant create \
                 --name NAME --owner EMAIL`, or name another",
                self.url
            ))),
            Err(error) => Err(Failure::of_file("open", path, &error)),
        }
    }
}

/// Without the password, and without parameters, which may hold one too.
impl fmt::Display for DatabaseUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let url = match self {
            DatabaseUrl::Sqlite(path) => return write!(f, "sqlite://{}", path.display()),
            DatabaseUrl::Postgres(url) => url,
        };
        let place = url.split_once("://").map_or(url.as_str(), |(_, place)| place);
        // A password that was not escaped may have any sign, so the last `@` ends it.
        let (user, place) = match place.rsplit_once('@') {
            Some((login, place)) => (login.split(':').next().map(|user| format!("{user}@")), place),
            None => (None, place),
        };
        let place = place.split('?').next().unwrap_or_default();
        write!(f, "postgres://{}{place}", user.unwrap_or_default())
    }
}

impl fmt::Debug for DatabaseUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "`{self}`")
    }
}

impl FromStr for DatabaseUrl {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        const EXAMPLES: &str = "`sqlite://crm.db` or `postgres://crm_app@host/crm`";
        if text.starts_with("postgres://") || text.starts_with("postgresql://") {
            return Ok(DatabaseUrl::Postgres(text.to_owned()));
        }
        if text.starts_with("sqlite:") && text.ends_with(":memory:") {
            return Err(format!(
                "`{text}` would be gone when the command ends; use a file, e.g. `sqlite://crm.db`"
            ));
        }
        let Some(path) = text.strip_prefix("sqlite://") else {
            // The address of a server may hold a password, so it is not repeated.
            return Err(match text.split_once("://") {
                Some((scheme, _)) => {
                    format!("`{scheme}` is no kind of database; write e.g. {EXAMPLES}")
                }
                None => format!("`{text}` is no database URL; write e.g. {EXAMPLES}"),
            });
        };
        if path.is_empty() {
            return Err(format!("`{text}` names no file; write e.g. `sqlite://crm.db`"));
        }
        if path.contains('?') {
            return Err(format!("`{text}` has parameters; only the path is read"));
        }
        Ok(DatabaseUrl::Sqlite(path.into()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_named_relative_or_absolute() {
        for path in ["crm.db", "data/crm.db", "/var/lib/crm.db"] {
            let url: DatabaseUrl = format!("sqlite://{path}").parse().unwrap();
            assert_eq!(url, DatabaseUrl::Sqlite(path.into()));
            assert_eq!(url.to_string(), format!("sqlite://{path}"));
        }
    }

    #[test]
    fn what_is_no_file_is_refused() {
        for url in [
            "",
            "crm.db",
            "sqlite://",
            "sqlite::memory:",
            "sqlite://:memory:",
            "mysql://localhost/crm",
            "sqlite://crm.db?mode=ro",
        ] {
            let message = url.parse::<DatabaseUrl>().unwrap_err();
            assert!(!message.contains('\n') && !message.ends_with('.'), "{message}");
        }
    }

    #[test]
    fn the_password_of_a_server_is_not_repeated() {
        for (url, shown) in [
            ("postgres://crm:secret@host/crm", "postgres://crm@host/crm"),
            ("postgresql://crm:sec:ret@host:5433/crm", "postgres://crm@host:5433/crm"),
            ("postgres://crm:s@cr?t/e@host/crm?password=secret", "postgres://crm@host/crm"),
            ("postgres://host/crm?user=crm&password=secret", "postgres://host/crm"),
            ("postgres:///crm?host=/run/postgresql", "postgres:///crm"),
        ] {
            let url: DatabaseUrl = url.parse().unwrap();
            assert_eq!(url.to_string(), shown);
            assert_eq!(format!("{url:?}"), format!("`{shown}`"));
        }
        let message = "mysql://crm:secret@host/crm".parse::<DatabaseUrl>().unwrap_err();
        assert!(!message.contains("secret"), "{message}");
    }
}

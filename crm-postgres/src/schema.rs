//! The schema: its name, its migrations, and whether a database has them.

use std::fmt;
use std::str::FromStr;

use crm_core::{Error, Result};
use sha2::{Digest, Sha256};
use sqlx::{AssertSqlSafe, PgConnection};

use crate::error::{database, failed};
use crate::rows::get;

/// One step of the schema: forward only, never changed once released.
pub(crate) struct Migration {
    pub(crate) version: i32,
    /// The name of its file.
    pub(crate) name: &'static str,
    /// For the schema `crm`, see [`SchemaName::put_into`].
    pub(crate) sql: &'static str,
}

macro_rules! migrations {
    ($($version:literal $name:literal,)*) => {
        &[$(Migration {
            version: $version,
            name: $name,
            sql: include_str!(concat!("../migrations/", $name, ".sql")),
        },)*]
    };
}

/// The migrations in their order.
pub(crate) const MIGRATIONS: &[Migration] = migrations![
    1 "0001_tables",
    2 "0002_commit",
    3 "0003_reads",
    4 "0004_search",
    5 "0005_calls",
    6 "0006_jobs",
    7 "0007_events",
    8 "0008_notifications",
];

impl Migration {
    /// Tells whether a database was given the same text, whatever its schema is called.
    pub(crate) fn checksum(&self) -> Vec<u8> {
        Sha256::digest(self.sql).to_vec()
    }
}

/// The name of the schema that holds the tables: `crm`, unless the host has one of that name.
///
/// 1 to 41 characters: a small letter or `_`, then small letters, digits and `_`. Names of the system
/// are refused.
///
/// ```
/// use crm_postgres::SchemaName;
/// assert_eq!(SchemaName::default().to_string(), "crm");
/// assert_eq!("crm_test".parse::<SchemaName>()?.to_string(), "crm_test");
/// assert!("public".parse::<SchemaName>().is_err());
/// # Ok::<(), crm_core::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SchemaName(String);

impl SchemaName {
    /// The name.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// SQL that was written for the schema `crm`, for this one. The settings that name the tenant are
    /// called after the schema too, so that two in one database know nothing of each other.
    pub(crate) fn put_into(&self, sql: &str) -> String {
        sql.replace("crm.", &format!("{self}."))
            .replace("schema crm", &format!("schema {self}"))
            .replace("'crm'", &format!("'{self}'"))
    }
}

impl Default for SchemaName {
    fn default() -> Self {
        SchemaName("crm".to_owned())
    }
}

impl FromStr for SchemaName {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let mut letters = text.chars();
        let begins = letters.next().is_some_and(|c| c == '_' || c.is_ascii_lowercase());
        let goes_on = letters.all(|c| c == '_' || c.is_ascii_lowercase() || c.is_ascii_digit());
        let is_theirs = text.starts_with("pg_") || text == "public" || text == "information_schema";
        if begins && goes_on && text.len() <= 41 && !is_theirs {
            return Ok(SchemaName(text.to_owned()));
        }
        let message = format!(
            "`{text}` is no name for a schema; write up to 41 small letters, digits and `_`, e.g. `crm`"
        );
        Err(Error::invalid_field("schema", "invalid_schema", message))
    }
}

impl fmt::Display for SchemaName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The version of the schema that this program was made for.
pub(crate) fn newest() -> i32 {
    MIGRATIONS.last().map_or(0, |migration| migration.version)
}

/// Makes sure that a database has the schema that this program was made for; reads only.
///
/// # Errors
///
/// `invalid` when migrations are missing, when there are newer ones, and when one has another text;
/// `unavailable` when the database cannot be asked.
pub(crate) async fn check_version(
    connection: &mut PgConnection,
    schema: &SchemaName,
) -> Result<i32> {
    let sql = format!("select version, checksum from {schema}.migrations order by version");
    // As plain text, which every pooler understands.
    let asked = sqlx::raw_sql(AssertSqlSafe(sql)).fetch_all(connection).await;
    let applied: Vec<(i32, Vec<u8>)> = match asked {
        Ok(rows) => rows
            .iter()
            .map(|row| Ok((get(row, "version")?, get(row, "checksum")?)))
            .collect::<Result<_>>()?,
        Err(error) => {
            return Err(match database(&error).map(sqlx::postgres::PgDatabaseError::code) {
                // No such table; no such schema, or none that this role may look into.
                Some("42P01" | "3F000" | "42501") => refused(
                    "no_schema",
                    format!(
                        "the database has no schema `{schema}` for this role; {RUN_MIGRATE}, and \
                         connect as `crm_app`"
                    ),
                )
                .with_source(error),
                Some(_) | None => failed(error),
            });
        }
    };
    if let Some((version, _)) = applied.iter().find(|(version, _)| *version > newest()) {
        return Err(newer(*version));
    }
    for migration in MIGRATIONS {
        match applied.iter().find(|(version, _)| *version == migration.version) {
            None => {
                return Err(refused(
                    "older_schema",
                    format!("the database lacks migration {}; {RUN_MIGRATE}", migration.name),
                ));
            }
            Some((_, checksum)) if *checksum != migration.checksum() => {
                return Err(refused("foreign_schema", changed(migration)));
            }
            Some(_) => {}
        }
    }
    Ok(newest())
}

const RUN_MIGRATE: &str = "run `crm-http migrate --database ADMIN_URL`";

fn newer(version: i32) -> Error {
    let message = format!(
        "this program is older than the database: it knows migrations up to {}, not {version}; use a \
         newer one",
        newest()
    );
    refused("newer_schema", message)
}

/// What is wrong with a database that was given another text.
pub(crate) fn changed(migration: &Migration) -> String {
    format!(
        "migration {} of the database is not the one of this program; use the program that made it",
        migration.name
    )
}

fn refused(code: &'static str, message: String) -> Error {
    Error::invalid_field("database", code, message)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn every_file_is_embedded_in_its_order() {
        let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/migrations");
        let files: BTreeSet<String> = std::fs::read_dir(folder)
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        let embedded: Vec<String> =
            MIGRATIONS.iter().map(|migration| format!("{}.sql", migration.name)).collect();
        assert_eq!(files.into_iter().collect::<Vec<_>>(), embedded);
        for (index, migration) in MIGRATIONS.iter().enumerate() {
            assert_eq!(usize::try_from(migration.version).unwrap(), index + 1);
            assert!(migration.name.starts_with(&format!("{:04}_", migration.version)));
        }
    }

    #[test]
    fn names_that_need_quotes_or_are_the_systems_are_refused() {
        let longest = "x".repeat(41);
        for good in ["crm", "_", "crm_2", longest.as_str()] {
            assert!(good.parse::<SchemaName>().is_ok(), "{good}");
        }
        let long = "x".repeat(42);
        for bad in
            ["", "Crm", "2crm", "crm-x", "crm.x", "crm\"", "pg_crm", "public", "ü", long.as_str()]
        {
            let error = bad.parse::<SchemaName>().unwrap_err();
            assert_eq!(error.fields()[0].field, "schema", "{bad}");
        }
    }

    #[test]
    fn another_schema_stands_wherever_crm_stood() {
        let schema: SchemaName = "other".parse().unwrap();
        for migration in MIGRATIONS {
            let sql = schema.put_into(migration.sql);
            for rest in sql.split("crm").skip(1) {
                // The roles are the server's; messages may say whose they are.
                assert!(
                    ["_app", "_owner", ": "].iter().any(|ok| rest.starts_with(ok)),
                    "migration {}: crm{}",
                    migration.version,
                    rest.lines().next().unwrap_or_default()
                );
            }
        }
    }
}

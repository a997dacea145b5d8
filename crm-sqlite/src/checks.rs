//! What `doctor` looks at.

use std::path::Path;

use crm_core::Result;
use crm_core::ports::Finding;
use rusqlite::{Connection, OpenFlags};

use crate::error::failed;
use crate::schema;

/// Looks at a database file without changing it.
///
/// # Errors
///
/// `unavailable` when the file cannot be opened or read; `internal` when it is damaged so badly that it is
/// no database.
pub fn doctor(path: &Path) -> Result<Vec<Finding>> {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(path, flags).map_err(failed)?;
    let text = |sql: &str| connection.query_row(sql, [], |row| row.get::<_, String>(0));
    let number = |sql: &str| connection.query_row(sql, [], |row| row.get::<_, i64>(0));

    let mut findings = Vec::new();
    let mut note = |check, found: String, good| findings.push(Finding { check, found, good });
    let owner = schema::check_owner(&connection);
    note(
        "owner",
        owner.as_ref().map_or_else(ToString::to_string, |()| "crm-core".to_owned()),
        owner.is_ok(),
    );
    let version = schema::version(&connection);
    note(
        "schema",
        match &version {
            Ok(version) => format!("version {version} of {}", schema::newest()),
            Err(error) => error.to_string(),
        },
        version.is_ok_and(|version| version == schema::newest()),
    );
    let mode = text("PRAGMA journal_mode").map_err(failed)?;
    note("journal", mode.clone(), mode == "wal");
    let integrity = text("PRAGMA integrity_check(1)").map_err(failed)?;
    note("integrity", integrity.clone(), integrity == "ok");
    let orphans = number("SELECT count(*) FROM pragma_foreign_key_check").map_err(failed)?;
    note("references", format!("{orphans} rows refer to nothing"), orphans == 0);
    if let Ok(tenants) = number("SELECT count(*) FROM tenant") {
        note("tenants", tenants.to_string(), true);
    }
    Ok(findings)
}

//! What `doctor` looks at.

use crm_core::Result;
use crm_core::ports::Finding;
use sqlx::{AssertSqlSafe, ConnectOptions, Connection, PgConnection};

use crate::error::{failed, unreachable};
use crate::isolation;
use crate::migrate::options;
use crate::rows::get;
use crate::schema::{self, SchemaName};

/// Settings that keep a session of the application from waiting for ever.
const TIMEOUTS: [&str; 3] =
    ["statement_timeout", "lock_timeout", "idle_in_transaction_session_timeout"];

/// Looks at a database as the application sees it, without changing it: the server, the schema, the
/// role, and one line for each rule of isolation.
///
/// # Errors
///
/// `invalid` when the URL is none; `unavailable` when the server cannot be reached or asked.
pub async fn doctor(url: &str, schema: &SchemaName) -> Result<Vec<Finding>> {
    let mut connection =
        options(url)?.disable_statement_logging().connect().await.map_err(unreachable)?;
    let mut findings = server(&mut connection).await?;
    let version = schema::check_version(&mut connection, schema).await;
    let good = version.is_ok();
    let found = match version {
        Ok(version) => format!("version {version} of {version}"),
        Err(error) => error.to_string(),
    };
    findings.push(Finding { check: "schema", found, good });
    findings.extend(timeouts(&mut connection).await?);
    findings.extend(isolation::findings(&mut connection, schema).await?);
    connection.close().await.map_err(failed)?;
    Ok(findings)
}

/// The server, and how the connection reaches it.
async fn server(connection: &mut PgConnection) -> Result<Vec<Finding>> {
    let row = sqlx::raw_sql(
        "select current_setting('server_version_num')::integer as number,
            current_setting('server_version') as version,
            current_setting('server_encoding') as encoding, session_user::text as role,
            coalesce((select ssl from pg_stat_ssl where pid = pg_backend_pid()), false) as tls,
            pg_is_in_recovery() as replica",
    )
    .fetch_one(connection)
    .await
    .map_err(failed)?;
    let (number, version, encoding): (i32, String, String) =
        (get(&row, "number")?, get(&row, "version")?, get(&row, "encoding")?);
    let (role, tls, replica): (String, bool, bool) =
        (get(&row, "role")?, get(&row, "tls")?, get(&row, "replica")?);
    let note = |check, found: String, good| Finding { check, found, good };
    Ok(vec![
        note("server", format!("PostgreSQL {version}"), number >= 150_000),
        note("encoding", encoding.clone(), encoding == "UTF8"),
        note("role", role, true),
        note("encryption", if tls { "TLS" } else { "none" }.to_owned(), true),
        note("writable", if replica { "no, a replica" } else { "yes" }.to_owned(), !replica),
    ])
}

async fn timeouts(connection: &mut PgConnection) -> Result<Vec<Finding>> {
    let asked = TIMEOUTS.map(|check| format!("current_setting('{check}') as {check}")).join(", ");
    let row = sqlx::raw_sql(AssertSqlSafe(format!("select {asked}")))
        .fetch_one(connection)
        .await
        .map_err(failed)?;
    let finding = |check| {
        let found: String = get(&row, check)?;
        let good = found != "0";
        let found =
            if good { found } else { "none; alter role .. in database .. set it".to_owned() };
        Ok(Finding { check, found, good })
    };
    TIMEOUTS.into_iter().map(finding).collect()
}

//! `doctor`: what is wrong with the database, or with the keys beside it.

use crm_core::ports::Finding;
use crm_redis::Redis;
use serde_json::json;

use crate::program::cli::DoctorArgs;
use crate::program::database::{Database, DatabaseUrl};
use crate::program::failure::Failure;
use crate::program::keys;
use crate::program::output::{self, Format, note};

/// Prints what was looked at, and fails when something is not as it should be.
pub(crate) async fn run(database: &Database, args: &DoctorArgs) -> Result<(), Failure> {
    database.must_exist()?;
    let mut findings = match &database.url {
        DatabaseUrl::Sqlite(path) => crm_sqlite::doctor(path),
        DatabaseUrl::Postgres(url) => crm_postgres::doctor(url, &database.schema).await,
    }
    .map_err(|error| {
        Failure::of_option(error, |_| "--database").about(&database.url.to_string())
    })?;
    findings.push(keys::look(database, &args.keys));
    if let Some(url) = &args.redis {
        findings.push(redis(url).await);
    }
    let wrong = findings.iter().filter(|finding| !finding.good).count();
    match args.output.format() {
        Format::Json => output::json(&json!({
            "good": wrong == 0,
            "database": database.url.to_string(),
            "findings": findings
                .iter()
                .map(|finding| json!({
                    "check": finding.check,
                    "found": finding.found,
                    "good": finding.good,
                }))
                .collect::<Vec<_>>(),
        }))?,
        Format::Table => output::table(
            ["check", "", "found"],
            findings.iter().map(|finding| {
                let verdict = if finding.good { "good" } else { "WRONG" };
                [finding.check.to_owned(), verdict.to_owned(), finding.found.clone()]
            }),
        )?,
    }
    if wrong == 0 {
        return Ok(());
    }
    let checks: Vec<&str> =
        findings.iter().filter(|finding| !finding.good).map(|finding| finding.check).collect();
    note(&format!("crm-http: not as it should be: {}", checks.join(", ")));
    Err(Failure::Negative)
}

/// Whether Redis can be used.
async fn redis(url: &str) -> Finding {
    let check = "redis";
    let asked = async { Redis::connect(url).await?.check().await };
    match asked.await {
        Ok(()) => Finding { check, found: "it answers".to_owned(), good: true },
        Err(error) => Finding { check, found: error.message().to_owned(), good: false },
    }
}

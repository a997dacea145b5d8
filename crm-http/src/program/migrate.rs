//! `migrate`: a database of PostgreSQL made ready, or brought up to date.

use std::env::VarError;

use crm_postgres::Installation;
use serde_json::json;

use crate::program::cli::MigrateArgs;
use crate::program::database::{Database, DatabaseUrl};
use crate::program::failure::Failure;
use crate::program::output::{self, Format};

/// Where the application's password comes from: a command line is seen by others on the machine.
const PASSWORD: &str = "CRM_APP_PASSWORD";

/// Installs, or prints the script that would.
pub(crate) async fn run(database: &Database, args: &MigrateArgs) -> Result<(), Failure> {
    let mut installation = Installation::default().schema(database.schema.clone());
    match std::env::var(PASSWORD) {
        Ok(password) => installation = installation.app_password(password),
        Err(VarError::NotPresent) => {}
        Err(VarError::NotUnicode(_)) => {
            return Err(Failure::Usage(format!("{PASSWORD}: the password is not ASCII")));
        }
    }
    if args.print {
        let script = installation.script().map_err(refused)?;
        return output::text_lines(script.trim_end());
    }
    let url = match &database.url {
        DatabaseUrl::Postgres(url) => url,
        DatabaseUrl::Sqlite(_) => {
            return Err(Failure::Usage(format!(
                "--database: `{}` needs no `migrate`, a file is brought up to date when it is \
                 opened; name a database of PostgreSQL, e.g. `postgres://postgres@host/crm`",
                database.url
            )));
        }
    };
    let done = installation
        .run(url)
        .await
        .map_err(|error| refused(error).about(&database.url.to_string()))?;
    match args.output.format() {
        Format::Json => {
            output::json(&json!({ "database": database.url.to_string(), "done": done }))
        }
        Format::Table if done.is_empty() => output::text_lines("nothing was to be done"),
        Format::Table => {
            let lines: Vec<String> = done.iter().map(|line| output::plain(line)).collect();
            output::text_lines(&lines.join("\n"))
        }
    }
}

fn refused(error: crm_core::Error) -> Failure {
    Failure::of_option(error, |field| match field {
        "app_password" => PASSWORD,
        _ => "--database",
    })
}

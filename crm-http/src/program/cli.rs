//! The command line: what can be said, and one line for what cannot.

use std::error::Error as _;
use std::ffi::OsString;
use std::path::PathBuf;
use std::time::Duration;

use clap::builder::BoolishValueParser;
use clap::error::{ContextKind, ContextValue, ErrorKind};
use clap::parser::ValueSource;
use clap::{
    ArgMatches, Args, Command as ClapCommand, CommandFactory, FromArgMatches, Parser, Subcommand,
};
use crm_core::contacts::formats::{ExportFormat, ImportFormat};
use crm_core::contacts::import::OnConflict;
use crm_core::identity::TokenAlgorithm;
use crm_core::tenancy::Slug;
use crm_core::{Page, Region};

use crate::program::database::Database;
use crate::program::failure::Failure;
use crate::program::output::Format;
use crate::program::serve_args::ServeArgs;
use crate::program::settings::Settings;
use crate::program::values;
use crate::program::work::WorkerArgs;

/// Contacts, searchable, with a timeline, in one file.
#[derive(Debug, Parser)]
#[command(
    name = "crm-http",
    version,
    subcommand_required = true,
    after_help = "\
Every option is also an environment variable, shown beside it.

Exit status: 0 done, 1 not or not wholly done, 2 a wrong value, 130 stopped by ctrl-C.

Examples:
  crm-http tenant create --name 'Acme GmbH' --owner ada@acme.example --region DE
  crm-http import --tenant acme-gmbh contacts.csv
  crm-http search --tenant acme-gmbh ada lovelaec
  crm-http timeline --tenant acme-gmbh ada lovelace"
)]
pub(crate) struct Cli {
    #[command(flatten)]
    pub(crate) database: Database,
    /// The configuration file; `crm.toml` in the working directory where there is one.
    #[arg(long, global = true, value_name = "FILE", env = "CRM_CONFIG")]
    pub(crate) config: Option<PathBuf>,
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    Serve(Box<ServeArgs>),
    Worker(Box<WorkerArgs>),
    /// Tenants: the organisations whose data is kept apart.
    #[command(subcommand, subcommand_required = true)]
    Tenant(TenantCommand),
    /// Users, from the operator's side.
    #[command(subcommand, subcommand_required = true)]
    User(UserCommand),
    /// The keys that sign access tokens.
    #[command(subcommand, subcommand_required = true)]
    Keys(KeysCommand),
    Import(ImportArgs),
    Export(ExportArgs),
    Search(SearchArgs),
    Timeline(TimelineArgs),
    Seed(SeedArgs),
    Doctor(DoctorArgs),
    Migrate(MigrateArgs),
    /// Prints the OpenAPI document of the server.
    Openapi,
}

#[derive(Debug, Subcommand)]
pub(crate) enum TenantCommand {
    Create(TenantCreateArgs),
    Invite(TenantInviteArgs),
}

#[derive(Debug, Subcommand)]
pub(crate) enum UserCommand {
    Reset(UserResetArgs),
}

#[derive(Debug, Subcommand)]
pub(crate) enum KeysCommand {
    Rotate(KeysRotateArgs),
}

/// Makes an invitation to register a tenant over HTTP, where that takes one (`--registration invitation`).
///
/// It is good once, on the servers that have the same file of keys.
#[derive(Debug, Args)]
pub(crate) struct TenantInviteArgs {
    #[command(flatten)]
    pub(crate) token: TokenArgs,
    /// How long it is good.
    #[arg(long, value_name = "TIME", env = "CRM_VALID_FOR", default_value = "7d", value_parser = values::duration)]
    pub(crate) valid_for: Duration,
    #[command(flatten)]
    pub(crate) output: OutputArgs,
}

/// Invites a user anew, who has lost the password, the second factor or the first invitation.
///
/// All sessions of the user end. Whoever has the invitation sets the password.
#[derive(Debug, Args)]
pub(crate) struct UserResetArgs {
    #[command(flatten)]
    pub(crate) tenant: TenantArg,
    /// The user's e-mail address.
    #[arg(value_name = "EMAIL")]
    pub(crate) email: String,
    #[command(flatten)]
    pub(crate) output: OutputArgs,
}

/// Replaces the key that signs access tokens, in two steps, so that nobody is signed out.
///
/// A new key verifies first. When every server has been restarted with the file, the second step lets it
/// sign; the old one still verifies what it has signed.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  crm-http keys rotate               # then copy the file to every server and restart them, one by one
  crm-http keys rotate --finish      # the same again")]
pub(crate) struct KeysRotateArgs {
    #[command(flatten)]
    pub(crate) token: TokenArgs,
    /// The second step.
    #[arg(long, env = "CRM_FINISH", value_parser = BoolishValueParser::new())]
    pub(crate) finish: bool,
}

/// Where keys are, and of what kind new ones are.
#[derive(Debug, Args)]
pub(crate) struct TokenArgs {
    #[command(flatten)]
    pub(crate) file: KeysArg,
    /// How a new key signs: `EdDSA` (the default), `ES256` or `RS256`.
    #[arg(long, value_name = "NAME", env = "CRM_TOKEN_ALGORITHM", value_parser = values::algorithm)]
    pub(crate) token_algorithm: Option<TokenAlgorithm>,
}

#[derive(Debug, Args)]
pub(crate) struct KeysArg {
    /// The file of keys, made where there is none; `crm.keys.toml` beside a database in a file, else in
    /// the working directory.
    #[arg(long, value_name = "FILE", env = "CRM_KEYS")]
    pub(crate) keys: Option<PathBuf>,
}

/// Makes a tenant and the record of its owner.
///
/// The database is made where there is none.
#[derive(Debug, Args)]
pub(crate) struct TenantCreateArgs {
    /// The tenant's name for people.
    #[arg(long, env = "CRM_NAME")]
    pub(crate) name: String,
    /// The owner's e-mail address.
    #[arg(long, value_name = "EMAIL", env = "CRM_OWNER")]
    pub(crate) owner: String,
    /// The tenant's name in commands, e.g. `acme-gmbh`; made from its name where it is absent.
    #[arg(long, env = "CRM_SLUG")]
    pub(crate) slug: Option<Slug>,
    /// The region of phone numbers without a country code, two letters of ISO 3166.
    #[arg(long, env = "CRM_REGION", default_value = "US")]
    pub(crate) region: Region,
    /// Reads the owner's password from standard input, one line, instead of making one up.
    #[arg(long, env = "CRM_PASSWORD_STDIN", value_parser = BoolishValueParser::new())]
    pub(crate) password_stdin: bool,
    #[command(flatten)]
    pub(crate) output: OutputArgs,
}

/// Imports contacts from CSV, vCard or JSON lines files.
///
/// A bad row never loses a good one: each is reported with its reason. Rows are written in batches,
/// each whole; an import that was stopped goes on when it is run again with `--on-conflict skip`.
#[derive(Debug, Args)]
#[command(after_help = "\
Exit status: 0 every row is good, 1 some were refused (all others are imported), 2 a wrong value,
130 stopped by ctrl-C.

Examples:
  crm-http import --tenant acme google.csv outlook.csv
  crm-http import --tenant acme --map 'Ansprechpartner=name' --map 'Kd-Nr=custom.number' kunden.csv
  crm-http import --tenant acme --dry-run --errors bad.csv contacts.vcf
  zcat contacts.csv.gz | crm-http import --tenant acme -")]
pub(crate) struct ImportArgs {
    #[command(flatten)]
    pub(crate) tenant: TenantArg,
    /// The files; `-` is standard input.
    #[arg(required = true, value_name = "FILE")]
    pub(crate) files: Vec<PathBuf>,
    /// The format: `csv`, `vcard` or `jsonl`; told by the first bytes where it is absent.
    #[arg(long, env = "CRM_FORMAT")]
    pub(crate) format: Option<ImportFormat>,
    /// Fills a field from a CSV column whose header does not say so; may be repeated.
    ///
    /// Fields: first_name, last_name, name, display_name, company, title, email, phone (either with `:LABEL`),
    /// street, city, region, postal_code, country, tags, source, custom.KEY, ignore.
    /// In the environment one to a line.
    #[arg(
        long,
        value_name = "COLUMN=FIELD",
        env = "CRM_MAP",
        value_delimiter = '\n',
        value_parser = column_and_field
    )]
    pub(crate) map: Vec<(String, String)>,
    /// The character between the cells of a CSV file (`tab` for a tab); found out where it is absent.
    #[arg(long, value_name = "CHARACTER", env = "CRM_DELIMITER", value_parser = delimiter)]
    pub(crate) delimiter: Option<u8>,
    /// What to do with a row that is a known contact: `skip`, `update` or `error`.
    #[arg(long, value_name = "WAY", env = "CRM_ON_CONFLICT", default_value = "skip")]
    pub(crate) on_conflict: OnConflict,
    /// Reports what would happen and writes nothing.
    #[arg(long, env = "CRM_DRY_RUN", value_parser = BoolishValueParser::new())]
    pub(crate) dry_run: bool,
    /// Writes every refused value to this CSV file.
    #[arg(long, value_name = "FILE", env = "CRM_ERRORS")]
    pub(crate) errors: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) output: OutputArgs,
}

/// Writes all contacts as CSV, vCard 4.0 or JSON lines.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  crm-http export --tenant acme > contacts.csv
  crm-http export --tenant acme --output contacts.vcf
  crm-http export --tenant acme --format jsonl | head")]
pub(crate) struct ExportArgs {
    #[command(flatten)]
    pub(crate) tenant: TenantArg,
    /// The format: `csv`, `vcard` or `jsonl`; where it is absent told by the ending of `--output`,
    /// else `csv`.
    #[arg(long, env = "CRM_FORMAT")]
    pub(crate) format: Option<ExportFormat>,
    /// The file, which appears when it is whole; standard output where it is absent.
    #[arg(long, short, value_name = "FILE", env = "CRM_OUTPUT")]
    pub(crate) output: Option<PathBuf>,
}

/// Finds contacts by name, e-mail, phone or company, forgiving typos.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  crm-http search --tenant acme ada lovelaec
  crm-http search --tenant acme --json '+1 (425) 555-0123'")]
pub(crate) struct SearchArgs {
    #[command(flatten)]
    pub(crate) tenant: TenantArg,
    /// The words; several narrow.
    #[arg(required = true)]
    pub(crate) query: Vec<String>,
    /// The most contacts to show, 1 to 200.
    #[arg(long, value_name = "N", env = "CRM_LIMIT", default_value = "20", allow_negative_numbers = true, value_parser = limit)]
    pub(crate) limit: u16,
    #[command(flatten)]
    pub(crate) output: OutputArgs,
}

/// Shows what happened with a contact, newest first.
#[derive(Debug, Args)]
#[command(after_help = "\
With words instead of an id, the contact that they clearly mean; where several could be meant, they
are listed and the exit status is 1.

Examples:
  crm-http timeline --tenant acme ada lovelace
  crm-http timeline --tenant acme --limit 5 --json 019aa0f0-7d3a-7000-8000-000000000000")]
pub(crate) struct TimelineArgs {
    #[command(flatten)]
    pub(crate) tenant: TenantArg,
    /// The contact's id, or words to find it by.
    #[arg(required = true, value_name = "CONTACT_ID|QUERY")]
    pub(crate) contact: Vec<String>,
    /// The most entries to show, 1 to 200.
    #[arg(long, value_name = "N", env = "CRM_LIMIT", default_value = "50", allow_negative_numbers = true, value_parser = limit)]
    pub(crate) limit: u16,
    #[command(flatten)]
    pub(crate) output: OutputArgs,
}

/// Fills a tenant with made-up people; the same seed always makes the same ones.
///
/// The database and the tenant are made where there are none. Run again, it completes what is
/// missing.
#[derive(Debug, Args)]
#[command(after_help = "\
Example:
  crm-http seed --contacts 10000 --activities 5")]
pub(crate) struct SeedArgs {
    /// How many contacts.
    #[arg(long, value_name = "N", env = "CRM_CONTACTS", allow_negative_numbers = true, value_parser = whole_number)]
    pub(crate) contacts: u64,
    /// How many activities each of them has.
    #[arg(
        long,
        value_name = "M",
        env = "CRM_ACTIVITIES",
        default_value = "0",
        allow_negative_numbers = true, value_parser = whole_number
    )]
    pub(crate) activities: u64,
    /// Which people.
    #[arg(long, value_name = "S", env = "CRM_SEED", default_value = "1", allow_negative_numbers = true, value_parser = whole_number)]
    pub(crate) seed: u64,
    /// The tenant's slug.
    #[arg(long, value_name = "SLUG", env = "CRM_TENANT", default_value = "sample")]
    pub(crate) tenant: Slug,
    #[command(flatten)]
    pub(crate) output: OutputArgs,
}

/// Looks at the database and says what is wrong with it; the exit status is 1 where something is.
#[derive(Debug, Args)]
pub(crate) struct DoctorArgs {
    #[command(flatten)]
    pub(crate) keys: KeysArg,
    /// The Redis or Valkey that nodes share, where there is one.
    #[arg(long, value_name = "URL", env = "CRM_REDIS_URL", hide_env_values = true)]
    pub(crate) redis: Option<String>,
    #[command(flatten)]
    pub(crate) output: OutputArgs,
}

/// Makes a PostgreSQL database ready, or brings it up to date: the roles, the schema, the tables.
///
/// `--database` names it with a role that may: a superuser, or the database's owner with the right to
/// create roles. `CRM_APP_PASSWORD` in the environment becomes the password of `crm_app`, the role that
/// all other commands connect as. Run again, it does what is missing.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  CRM_APP_PASSWORD=... crm-http migrate --database postgres://postgres@localhost/crm
  crm-http migrate --print | psql -d crm")]
pub(crate) struct MigrateArgs {
    /// Prints the script for `psql` that does the same, and touches nothing.
    #[arg(long, env = "CRM_PRINT", value_parser = BoolishValueParser::new())]
    pub(crate) print: bool,
    #[command(flatten)]
    pub(crate) output: OutputArgs,
}

#[derive(Debug, Args)]
pub(crate) struct TenantArg {
    /// The tenant's slug.
    #[arg(long = "tenant", value_name = "SLUG", env = "CRM_TENANT")]
    pub(crate) slug: Slug,
}

#[derive(Debug, Args)]
pub(crate) struct OutputArgs {
    /// Prints JSON instead of a table.
    #[arg(long, env = "CRM_JSON", value_parser = BoolishValueParser::new())]
    json: bool,
}

impl OutputArgs {
    /// Who reads the output.
    pub(crate) fn format(&self) -> Format {
        if self.json { Format::Json } else { Format::Table }
    }
}

/// Reads the command line and the environment. Help and the version are printed, which is `None`.
pub(crate) fn parse(args: Vec<OsString>) -> Result<Option<(Cli, Settings)>, Failure> {
    let settings = Settings::read(&args);
    let command = settings
        .as_ref()
        .map_err(|_| ())
        .and_then(|settings| settings.apply(Cli::command(), SERVE).map_err(|_| ()));
    let parsed = command.unwrap_or_else(|()| Cli::command()).try_get_matches_from(args);
    let is_help = parsed.as_ref().is_err_and(|error| {
        matches!(error.kind(), ErrorKind::DisplayHelp | ErrorKind::DisplayVersion)
    });
    let settings = if is_help { Settings::default() } else { settings? };
    settings.apply(Cli::command(), SERVE)?;
    match parsed.and_then(|matches| read(&matches, &settings)) {
        Ok(cli) => Ok(Some((cli, settings))),
        Err(error)
            if matches!(error.kind(), ErrorKind::DisplayHelp | ErrorKind::DisplayVersion) =>
        {
            // A reader that has closed its end has seen enough.
            error.print().ok();
            Ok(None)
        }
        Err(error) => Err(Failure::Usage(in_one_line(&error, &settings))),
    }
}

/// The command whose options a file may name.
const SERVE: &str = "serve";

fn read(matches: &ArgMatches, settings: &Settings) -> Result<Cli, clap::Error> {
    let mut cli = Cli::from_arg_matches(matches)?;
    let innermost = {
        let mut matches = matches;
        while let Some((_, inner)) = matches.subcommand() {
            matches = inner;
        }
        matches
    };
    let source = innermost.value_source("url");
    cli.database.named = source != Some(ValueSource::DefaultValue) || settings.says("database");
    Ok(cli)
}

/// What is wrong, in one line.
fn in_one_line(error: &clap::Error, settings: &Settings) -> String {
    if let (ErrorKind::ValueValidation, Some(ContextValue::String(arg)), Some(reason)) =
        (error.kind(), error.get(ContextKind::InvalidArg), error.source())
    {
        let option = arg.split(' ').next().unwrap_or(arg);
        let value = match error.get(ContextKind::InvalidValue) {
            Some(ContextValue::String(value)) => value.as_str(),
            _ => "",
        };
        return match origin(option, value, settings) {
            Origin::Given => format!("{option}: {reason}"),
            Origin::Variable(variable) => format!("{option} (from {variable}): {reason}"),
            Origin::File(key) => format!("{key}: {reason}"),
        };
    }
    if error.kind() == ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand {
        return "a command is missing; `--help` lists them".to_owned();
    }
    let text = error.to_string();
    let lines = text
        .lines()
        .map(str::trim)
        .take_while(|line| !line.starts_with("Usage:") && !line.starts_with("For more"))
        .filter(|line| !line.is_empty());
    let mut joined = String::new();
    for line in lines {
        let gap = if line.starts_with("tip:") { "; " } else { " " };
        joined.push_str(if joined.is_empty() { "" } else { gap });
        joined.push_str(line);
    }
    joined.strip_prefix("error: ").unwrap_or(&joined).to_owned()
}

/// Who gave an option its value.
enum Origin {
    /// The command line.
    Given,
    /// This variable of the environment.
    Variable(String),
    /// This key of a file.
    File(String),
}

fn origin(option: &str, value: &str, settings: &Settings) -> Origin {
    let given = std::env::args()
        .any(|arg| arg == option || arg.strip_prefix(option).is_some_and(|a| a.starts_with('=')));
    if given {
        return Origin::Given;
    }
    let variable = variable_with(&Cli::command(), option, value).map(Origin::Variable);
    variable.or_else(|| settings.origin(option).map(Origin::File)).unwrap_or(Origin::Given)
}

/// The environment variable that has this value for an option.
fn variable_with(command: &ClapCommand, option: &str, value: &str) -> Option<String> {
    command
        .get_arguments()
        .filter(|arg| arg.get_long().is_some_and(|long| option.strip_prefix("--") == Some(long)))
        .filter_map(|arg| arg.get_env()?.to_str())
        .find(|name| std::env::var(name).is_ok_and(|set| set.contains(value)))
        .map(str::to_owned)
        .or_else(|| {
            command.get_subcommands().find_map(|command| variable_with(command, option, value))
        })
}

fn column_and_field(text: &str) -> Result<(String, String), String> {
    // A column's name may hold an equals sign; a field's does not.
    match text.rsplit_once('=') {
        Some((column, field)) if !column.is_empty() && !field.is_empty() => {
            Ok((column.to_owned(), field.trim().to_owned()))
        }
        Some(_) | None => Err(format!("`{text}` is no pair; write e.g. `Surname=last_name`")),
    }
}

fn delimiter(text: &str) -> Result<u8, String> {
    match text.as_bytes() {
        b"tab" | b"\\t" => Ok(b'\t'),
        [one] if one.is_ascii() && !matches!(one, b'"' | b'\r' | b'\n' | 0) => Ok(*one),
        _ => {
            Err(format!("`{text}` is no delimiter; write one ASCII character, e.g. `;`, or `tab`"))
        }
    }
}

fn limit(text: &str) -> Result<u16, String> {
    text.parse().ok().filter(|limit| (1..=Page::MAX_LIMIT).contains(limit)).ok_or_else(|| {
        format!("`{text}` is no limit; write a number from 1 to {}", Page::MAX_LIMIT)
    })
}

fn whole_number(text: &str) -> Result<u64, String> {
    text.parse().map_err(|_| format!("`{text}` is no whole number; write e.g. `1000`"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_definitions_fit_together() {
        Cli::command().debug_assert();
    }

    #[test]
    fn every_option_is_an_environment_variable() {
        fn check(command: &ClapCommand) {
            for arg in command.get_arguments() {
                let Some(long) = arg.get_long().filter(|long| !["help", "version"].contains(long))
                else {
                    continue;
                };
                let env = arg.get_env().unwrap_or_else(|| panic!("--{long} has no variable"));
                assert!(env.to_str().unwrap().starts_with("CRM_"), "--{long}");
            }
            command.get_subcommands().for_each(check);
        }
        check(&Cli::command());
    }
}

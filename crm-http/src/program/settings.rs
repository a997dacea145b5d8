//! What a file says where neither the command line nor the environment does: `crm.toml`.
//!
//! A key is the long name of an option with `_` for `-`, e.g. `public_url` for `--public-url`. What the
//! file says becomes the option's default, so that one parser reads and refuses values wherever they
//! come from.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use clap::{Arg, Command};
use toml::{Table, Value};

use crate::program::failure::Failure;

/// The file that is read where none is named.
const USUAL: &str = "crm.toml";

/// Tables that hold more than options, each read by the part that it is for.
const TABLES: &[&str] = &[
    #[cfg(feature = "oidc")]
    super::providers::TABLE,
];

/// Options that make no sense in a file.
const NOT_IN_A_FILE: [&str; 5] = ["config", "help", "version", "demo", "json"];

/// A configuration file.
#[derive(Debug, Default)]
pub(crate) struct Settings {
    path: PathBuf,
    table: Table,
}

impl Settings {
    /// The file that the command line or the environment names, or the usual one where there is one.
    pub(crate) fn read(args: &[OsString]) -> Result<Settings, Failure> {
        let named = named_by(args).or_else(|| std::env::var_os("CRM_CONFIG").map(PathBuf::from));
        let path = match named {
            Some(path) => path,
            None if Path::new(USUAL).is_file() => PathBuf::from(USUAL),
            None => return Ok(Settings::default()),
        };
        let shown = path.display();
        let text = std::fs::read_to_string(&path)
            .map_err(|error| Failure::Usage(format!("--config: cannot read `{shown}`: {error}")))?;
        let table = text.parse::<Table>().map_err(|error| {
            let before = error.span().and_then(|span| text.get(..span.start)).unwrap_or_default();
            let line = before.matches('\n').count() + 1;
            let message = error.message().lines().collect::<Vec<_>>().join(" ");
            Failure::Usage(format!("{shown}, line {line}: {message}"))
        })?;
        Ok(Settings { path, table })
    }

    /// Whether the file says something of this option.
    pub(crate) fn says(&self, option: &str) -> bool {
        self.table.contains_key(&key_of(option))
    }

    /// The file, and what it has under the name of a table.
    #[cfg(feature = "oidc")]
    pub(crate) fn table(&self, name: &str) -> Option<(impl std::fmt::Display, &Value)> {
        Some((self.path.display(), self.table.get(name)?))
    }

    /// The file and the key that give this option its value.
    pub(crate) fn origin(&self, option: &str) -> Option<String> {
        let key = key_of(option);
        self.table.contains_key(&key).then(|| format!("{}: `{key}`", self.path.display()))
    }

    /// Gives the options the defaults that the file has for them, in every command that has them. `within`
    /// is the command whose own options it may name, beside those of all commands.
    pub(crate) fn apply(&self, command: Command, within: &str) -> Result<Command, Failure> {
        let known = keys(&command, within);
        let mut command = command;
        for (key, value) in &self.table {
            if TABLES.contains(&key.as_str()) {
                continue;
            }
            if !known.contains(key) {
                return Err(self.unknown(key, &known));
            }
            let values = self.values(key, value)?;
            command = with_default(command, &key.replace('_', "-"), &values);
        }
        Ok(command)
    }

    fn values(&self, key: &str, value: &Value) -> Result<Vec<String>, Failure> {
        match value {
            Value::String(text) => Ok(vec![text.clone()]),
            Value::Integer(number) => Ok(vec![number.to_string()]),
            Value::Boolean(yes) => Ok(vec![yes.to_string()]),
            Value::Array(several) => several
                .iter()
                .map(|one| {
                    let text = one.as_str().map(str::to_owned);
                    text.ok_or_else(|| self.wrong(key, "is a list of texts in quotes"))
                })
                .collect(),
            Value::Float(_) | Value::Datetime(_) | Value::Table(_) => {
                Err(self.wrong(key, "is a text in quotes, a whole number or `true` or `false`"))
            }
        }
    }

    fn wrong(&self, key: &str, right: &str) -> Failure {
        Failure::Usage(format!("{}: `{key}` {right}", self.path.display()))
    }

    fn unknown(&self, key: &str, known: &[String]) -> Failure {
        let near = known
            .iter()
            .map(|name| (strsim::jaro_winkler(key, name), name))
            .filter(|(likeness, _)| *likeness > 0.75)
            .max_by(|(a, _), (b, _)| a.total_cmp(b));
        let hint = match near {
            Some((_, name)) => format!("did you mean `{name}`?"),
            None => {
                "`crm-http serve --help` lists the options; a key is written with `_`".to_owned()
            }
        };
        Failure::Usage(format!("{}: there is no key `{key}`; {hint}", self.path.display()))
    }
}

/// The command, with a default for the option of this name wherever it has one.
fn with_default(command: Command, long: &str, values: &[String]) -> Command {
    let own = command.get_arguments().find(|arg| arg.get_long() == Some(long));
    let own = own.map(|arg| arg.get_id().clone());
    let inner: Vec<String> =
        command.get_subcommands().map(|inner| inner.get_name().to_owned()).collect();
    let command = match own {
        Some(id) => command.mut_arg(id, |arg| arg.default_values(values.to_vec())),
        None => command,
    };
    inner.into_iter().fold(command, |command, name| {
        command.mut_subcommand(name, |inner| with_default(inner, long, values))
    })
}

/// The keys that a file may have.
fn keys(command: &Command, within: &str) -> Vec<String> {
    let inner = command.find_subcommand(within);
    let options = command.get_arguments().chain(inner.into_iter().flat_map(Command::get_arguments));
    options
        .filter_map(Arg::get_long)
        .filter(|long| !NOT_IN_A_FILE.contains(long))
        .map(key_of)
        .collect()
}

fn key_of(option: &str) -> String {
    option.trim_start_matches("--").replace('-', "_")
}

/// The file that `--config` names.
fn named_by(args: &[OsString]) -> Option<PathBuf> {
    let mut args = args.iter();
    while let Some(arg) = args.next() {
        match arg.to_str() {
            Some("--") => return None,
            Some("--config") => return args.next().map(PathBuf::from),
            Some(arg) => {
                if let Some(path) = arg.strip_prefix("--config=") {
                    return Some(PathBuf::from(path));
                }
            }
            None => {}
        }
    }
    None
}

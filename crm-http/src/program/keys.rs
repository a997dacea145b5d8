//! The file of keys, as commands name it.

use std::path::{Path, PathBuf};
use std::time::Duration;

use crm_core::Error;
use crm_core::ports::{Clock, Finding, SystemClock};
use crm_http::{Keys, KeysFile, TokenEntry};

use crate::program::cli::{KeysArg, KeysRotateArgs, TokenArgs};
use crate::program::database::{Database, DatabaseUrl};
use crate::program::failure::Failure;
use crate::program::output::{note, text_lines};

/// Beside a database in a file, otherwise in the working directory.
const USUAL: &str = "crm.keys.toml";

/// How long a key that signs no more still verifies: longer than any access token lives.
const VERIFIES_FOR: Duration = Duration::from_secs(2 * 60 * 60);

/// Where the keys are kept.
fn place(database: &Database, arg: &KeysArg) -> PathBuf {
    match (&arg.keys, &database.url) {
        (Some(named), _) => named.clone(),
        (None, DatabaseUrl::Sqlite(path)) => path.with_file_name(USUAL),
        (None, DatabaseUrl::Postgres(_)) => PathBuf::from(USUAL),
    }
}

/// The keys of the file, which is made where there is none.
pub(crate) fn read_or_make(database: &Database, args: &TokenArgs) -> Result<Keys, Failure> {
    let path = place(database, &args.file);
    let file = match read(&path)? {
        Some(file) => file,
        None => {
            if args.file.keys.is_none() && matches!(database.url, DatabaseUrl::Postgres(_)) {
                note(&format!(
                    "crm-http: new keys are made in `{}`; give every server of this database the same \
                     file, by --keys",
                    path.display()
                ));
            }
            KeysFile::make(&path, args.token_algorithm).map_err(bad)?
        }
    };
    file.keys(&path).map_err(bad)
}

/// What `doctor` finds of the file of keys.
pub(crate) fn look(database: &Database, arg: &KeysArg) -> Finding {
    let path = place(database, arg);
    let (found, good) = match read(&path) {
        Ok(Some(file)) => {
            let count = file.token.len() + file.seal.len();
            (format!("{count} in `{}`, which is its owner's alone", path.display()), true)
        }
        Ok(None) => (format!("no `{}`; `serve` makes it", path.display()), true),
        Err(failure) => (failure.to_string(), false),
    };
    Finding { check: "keys", found, good }
}

/// `keys rotate`: a new key verifies first, on every server; once it does, it signs.
pub(crate) fn rotate(database: &Database, args: &KeysRotateArgs) -> Result<(), Failure> {
    let path = place(database, &args.token.file);
    let mut file = read(&path)?.ok_or_else(|| {
        Failure::Usage(format!(
            "--keys: there is no `{}`; `crm-http serve` makes it, or name another",
            path.display()
        ))
    })?;
    let now = SystemClock.now();
    let waiting = file.token.iter().skip(1).position(|key| key.retired_at.is_none());
    let said = match (waiting, args.finish) {
        (None, false) => {
            file.token.retain(|key| {
                key.retired_at.is_none_or(|retired| now.since(retired) < VERIFIES_FOR)
            });
            let key = TokenEntry::new(args.token.token_algorithm)?;
            let said = format!(
                "`{}` verifies from now on; restart every server, then run `crm-http keys rotate --finish`",
                key.kid
            );
            file.token.push(key);
            said
        }
        (Some(place), true) => {
            let next = file.token.remove(place + 1);
            if let Some(signed) = file.token.first_mut() {
                signed.retired_at = Some(now);
            }
            let said = format!(
                "`{}` signs once the servers are restarted; nobody is signed out",
                next.kid
            );
            file.token.insert(0, next);
            said
        }
        (Some(_), false) => {
            return Err(Failure::Usage(
                "--finish: a new key waits already; when every server was restarted since, run \
                 `crm-http keys rotate --finish`"
                    .to_owned(),
            ));
        }
        (None, true) => {
            return Err(Failure::Usage(
                "--finish: no new key waits; begin with `crm-http keys rotate`".to_owned(),
            ));
        }
    };
    file.write(&path, true)?;
    text_lines(&said)
}

fn read(path: &Path) -> Result<Option<KeysFile>, Failure> {
    KeysFile::read(path).map_err(bad)
}

fn bad(error: Error) -> Failure {
    Failure::of_option(error, |_| "--keys")
}

//! The file of keys: those that sign access tokens, and those that seal what the store keeps secret.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use crm_core::identity::{TokenAlgorithm, TokenKey, TokenKeys};
use crm_core::ports::{Clock, Finding, Randomness, SystemClock, SystemRandomness};
use crm_core::{Error, KeyRing, Timestamp};
use serde::{Deserialize, Serialize};

use crate::program::cli::{KeysArg, KeysRotateArgs, TokenArgs};
use crate::program::database::{Database, DatabaseUrl};
use crate::program::failure::Failure;
use crate::program::output::{note, plain, text_lines};

/// Beside a database in a file, otherwise in the working directory.
const USUAL: &str = "crm.keys.toml";

/// How long a key that signs no more still verifies: longer than any access token lives.
const VERIFIES_FOR: Duration = Duration::from_secs(2 * 60 * 60);

const HEAD: &str = "\
# The keys of crm-http: whoever reads this file can sign in as anybody. Keep it with the database's backup,
# but not in the same place. `crm-http keys rotate` replaces the token key.
";

/// The file.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct KeysFile {
    /// The first signs, all verify.
    token: Vec<TokenEntry>,
    /// The first seals, all open.
    seal: Vec<SealEntry>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct TokenEntry {
    kid: String,
    algorithm: TokenAlgorithm,
    created_at: Timestamp,
    /// When it stopped to sign.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    retired_at: Option<Timestamp>,
    private_key: String,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct SealEntry {
    name: String,
    created_at: Timestamp,
    key: String,
}

/// What a server signs and seals with.
pub(crate) struct Keys {
    pub(crate) tokens: TokenKeys,
    pub(crate) ring: KeyRing,
}

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
            make(&path, args.token_algorithm)?
        }
    };
    let bad = |error: Error| Failure::Usage(format!("{}: {error}", path.display()));
    let mut tokens: Option<TokenKeys> = None;
    for entry in &file.token {
        let key = TokenKey::from_base64(entry.algorithm, &entry.private_key).map_err(bad)?;
        tokens = Some(match tokens {
            None => TokenKeys::new(key),
            Some(keys) => keys.also_verify(key),
        });
    }
    let tokens = tokens
        .ok_or_else(|| Failure::Usage(format!("{}: there is no `[[token]]`", path.display())))?;
    let mut sealing = Vec::new();
    for entry in &file.seal {
        let key = BASE64.decode(&entry.key).ok().and_then(|bytes| bytes.try_into().ok());
        let key: [u8; 32] = key.ok_or_else(|| {
            Failure::Usage(format!(
                "{}: the key `{}` is not 32 bytes in base64",
                path.display(),
                plain(&entry.name)
            ))
        })?;
        sealing.push((entry.name.clone(), key));
    }
    Ok(Keys { tokens, ring: KeyRing::new(sealing).map_err(bad)? })
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
            let key = new_token_key(args.token.token_algorithm)?;
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
    write(&path, &file, true)?;
    text_lines(&said)
}

fn read(path: &Path) -> Result<Option<KeysFile>, Failure> {
    let text = match std::fs::read_to_string(path) {
        Ok(text) => text,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(Failure::of_file("read", path, &error)),
    };
    must_be_private(path)?;
    // A message of the parser could repeat a key.
    let parsed = toml::from_str(&text).map_err(|error: toml::de::Error| {
        let before = error.span().and_then(|span| text.get(..span.start)).unwrap_or_default();
        let line = before.matches('\n').count() + 1;
        Failure::Usage(format!("{}, line {line}: this is no file of keys", path.display()))
    })?;
    Ok(Some(parsed))
}

#[cfg(unix)]
fn must_be_private(path: &Path) -> Result<(), Failure> {
    use std::os::unix::fs::PermissionsExt;
    let metadata =
        std::fs::metadata(path).map_err(|error| Failure::of_file("read", path, &error))?;
    let mode = metadata.permissions().mode() & 0o777;
    if mode & 0o077 == 0 {
        return Ok(());
    }
    let path = path.display();
    Err(Failure::Usage(format!(
        "--keys: others can read `{path}` (mode {mode:03o}); change that by `chmod 600 {path}`, and \
         rotate the keys if somebody has"
    )))
}

#[cfg(not(unix))]
fn must_be_private(_: &Path) -> Result<(), Failure> {
    Ok(())
}

fn make(path: &Path, algorithm: Option<TokenAlgorithm>) -> Result<KeysFile, Failure> {
    let mut key = [0; 32];
    SystemRandomness.fill(&mut key)?;
    let file = KeysFile {
        token: vec![new_token_key(algorithm)?],
        seal: vec![SealEntry {
            name: "1".to_owned(),
            created_at: SystemClock.now(),
            key: BASE64.encode(key),
        }],
    };
    write(path, &file, false)?;
    // Where another server was faster, its file is the one.
    read(path)?.ok_or_else(|| Failure::Failed(format!("`{}` has vanished", path.display())))
}

fn new_token_key(algorithm: Option<TokenAlgorithm>) -> Result<TokenEntry, Failure> {
    let algorithm = algorithm.unwrap_or_default();
    let key = TokenKey::generate(algorithm, &SystemRandomness)?;
    Ok(TokenEntry {
        kid: key.kid().to_owned(),
        algorithm,
        created_at: SystemClock.now(),
        retired_at: None,
        private_key: key.to_base64().reveal().to_owned(),
    })
}

/// Writes the whole file or nothing, readable by its owner alone (which is how temporary files are made).
fn write(path: &Path, file: &KeysFile, replace: bool) -> Result<(), Failure> {
    let failed = |error: std::io::Error| Failure::of_file("write", path, &error);
    let text = toml::to_string(file).map_err(|error| Failure::Failed(error.to_string()))?;
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
    let folder = folder.unwrap_or(Path::new("."));
    let mut temporary = tempfile::NamedTempFile::new_in(folder).map_err(failed)?;
    temporary.write_all(HEAD.as_bytes()).map_err(failed)?;
    temporary.write_all(text.as_bytes()).map_err(failed)?;
    temporary.as_file().sync_all().map_err(failed)?;
    if replace {
        temporary.persist(path).map_err(|error| failed(error.error))?;
        return Ok(());
    }
    match temporary.persist_noclobber(path) {
        Ok(_) => Ok(()),
        Err(error) if error.error.kind() == std::io::ErrorKind::AlreadyExists => Ok(()),
        Err(error) => Err(failed(error.error)),
    }
}

//! The file of keys: those that sign access tokens, and those that seal what the store keeps secret.

use std::io::{self, Write};
use std::path::Path;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use crm_core::identity::{TokenAlgorithm, TokenKey, TokenKeys};
use crm_core::ports::{Clock, Randomness, SystemClock, SystemRandomness};
use crm_core::{Error, KeyRing, Result, Timestamp};
use serde::{Deserialize, Serialize};

const HEAD: &str = "\
# The keys of crm-http: whoever reads this file can sign in as anybody. Keep it with the database's backup,
# but not in the same place. `crm-http keys rotate` replaces the token key.
";

/// The keys of an installation, in a file that its owner alone can read.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct KeysFile {
    /// The first signs, all verify.
    pub token: Vec<TokenEntry>,
    /// The first seals, all open.
    pub seal: Vec<SealEntry>,
}

/// A key that signs and verifies access tokens.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TokenEntry {
    /// Its name in tokens.
    pub kid: String,
    /// How it signs.
    pub algorithm: TokenAlgorithm,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it stopped to sign.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retired_at: Option<Timestamp>,
    private_key: String,
}

/// A key that seals.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SealEntry {
    name: String,
    created_at: Timestamp,
    key: String,
}

impl std::fmt::Debug for TokenEntry {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("TokenEntry").field("kid", &self.kid).finish_non_exhaustive()
    }
}

impl std::fmt::Debug for SealEntry {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SealEntry").field("name", &self.name).finish_non_exhaustive()
    }
}

/// What a CRM signs and seals with.
#[derive(Debug)]
pub struct Keys {
    /// Signs and verifies access tokens.
    pub tokens: TokenKeys,
    /// Seals what the store keeps secret.
    pub ring: KeyRing,
}

impl KeysFile {
    /// The file, where there is one.
    ///
    /// # Errors
    ///
    /// `invalid` where others can read it, or it is no file of keys; `unavailable` where it cannot be read.
    pub fn read(path: &Path) -> Result<Option<KeysFile>> {
        let text = match std::fs::read_to_string(path) {
            Ok(text) => text,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(failed("read", path, error)),
        };
        must_be_private(path)?;
        // A message of the parser could repeat a key.
        let parsed = toml::from_str(&text).map_err(|error: toml::de::Error| {
            let before = error.span().and_then(|span| text.get(..span.start)).unwrap_or_default();
            let line = before.matches('\n').count() + 1;
            refused(format!("{}, line {line}: this is no file of keys", path.display()))
        })?;
        Ok(Some(parsed))
    }

    /// Makes the file with new keys; where another program was faster, its file is the one.
    ///
    /// # Errors
    ///
    /// Those of [`KeysFile::read`]; `unavailable` where it cannot be written, or there is no randomness.
    pub fn make(path: &Path, algorithm: Option<TokenAlgorithm>) -> Result<KeysFile> {
        let mut key = [0; 32];
        SystemRandomness.fill(&mut key)?;
        let file = KeysFile {
            token: vec![TokenEntry::new(algorithm)?],
            seal: vec![SealEntry {
                name: "1".to_owned(),
                created_at: SystemClock.now(),
                key: BASE64.encode(key),
            }],
        };
        file.write(path, false)?;
        KeysFile::read(path)?.ok_or_else(|| {
            failed("read", path, io::Error::new(io::ErrorKind::NotFound, "it has vanished"))
        })
    }

    /// Writes the whole file or nothing, readable by its owner alone (which is how temporary files are
    /// made). One that is there stays, unless it is to be replaced.
    ///
    /// # Errors
    ///
    /// `unavailable` where it cannot be written.
    pub fn write(&self, path: &Path, replace: bool) -> Result<()> {
        let failed = |error: io::Error| failed("write", path, error);
        let text = toml::to_string(self).map_err(Error::internal)?;
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
            Err(error) if error.error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
            Err(error) => Err(failed(error.error)),
        }
    }

    /// The keys, ready for use; `path` is for messages.
    ///
    /// # Errors
    ///
    /// `invalid` where an entry is no key, or there is none.
    pub fn keys(&self, path: &Path) -> Result<Keys> {
        let bad = |error: Error| refused(format!("{}: {error}", path.display()));
        let mut tokens: Option<TokenKeys> = None;
        for entry in &self.token {
            let key = TokenKey::from_base64(entry.algorithm, &entry.private_key).map_err(bad)?;
            tokens = Some(match tokens {
                None => TokenKeys::new(key),
                Some(keys) => keys.also_verify(key),
            });
        }
        let tokens = tokens
            .ok_or_else(|| refused(format!("{}: there is no `[[token]]`", path.display())))?;
        let mut sealing = Vec::new();
        for entry in &self.seal {
            let key = BASE64.decode(&entry.key).ok().and_then(|bytes| bytes.try_into().ok());
            let key: [u8; 32] = key.ok_or_else(|| {
                let name = entry.name.escape_debug();
                refused(format!("{}: the key `{name}` is not 32 bytes in base64", path.display()))
            })?;
            sealing.push((entry.name.clone(), key));
        }
        Ok(Keys { tokens, ring: KeyRing::new(sealing).map_err(bad)? })
    }
}

impl TokenEntry {
    /// A new key.
    ///
    /// # Errors
    ///
    /// `unavailable` when there is no randomness.
    pub fn new(algorithm: Option<TokenAlgorithm>) -> Result<TokenEntry> {
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
}

fn refused(message: String) -> Error {
    Error::invalid_field("keys", "invalid_keys", message)
}

fn failed(what: &str, path: &Path, error: io::Error) -> Error {
    Error::unavailable(format!("cannot {what} `{}`", path.display()), error)
}

#[cfg(unix)]
fn must_be_private(path: &Path) -> Result<()> {
    use std::os::unix::fs::PermissionsExt;
    let metadata = std::fs::metadata(path).map_err(|error| failed("read", path, error))?;
    let mode = metadata.permissions().mode() & 0o777;
    if mode & 0o077 == 0 {
        return Ok(());
    }
    let path = path.display();
    Err(refused(format!(
        "others can read `{path}` (mode {mode:03o}); change that by `chmod 600 {path}`, and rotate the \
         keys if somebody has"
    )))
}

#[cfg(not(unix))]
fn must_be_private(_: &Path) -> Result<()> {
    Ok(())
}

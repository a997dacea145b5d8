//! Which database a command works on.

use std::fmt;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use crm_core::Crm;
use crm_sqlite::SqliteStore;

use crate::failure::Failure;

/// The place of a database, as `--database` names it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct DatabaseUrl {
    path: PathBuf,
}

impl DatabaseUrl {
    /// The file.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// The CRM in a file that exists.
    pub(crate) async fn open(&self) -> Result<Crm, Failure> {
        self.must_exist()?;
        self.open_or_create().await
    }

    /// The CRM in a file that is made where there is none.
    pub(crate) async fn open_or_create(&self) -> Result<Crm, Failure> {
        let store = SqliteStore::open(&self.path)
            .await
            .map_err(|error| Failure::from(error).about(&self.to_string()))?;
        Ok(Crm::builder(store).build()?)
    }

    /// Refuses a file that does not exist: made in passing, it would be one more empty database
    /// wherever a path was mistyped.
    pub(crate) fn must_exist(&self) -> Result<(), Failure> {
        match self.path.try_exists() {
            Ok(true) => Ok(()),
            Ok(false) => Err(Failure::Usage(format!(
                "--database: there is no database `{self}`; make one with `crm-http tenant create \
                 --name NAME --owner EMAIL`, or name another"
            ))),
            Err(error) => Err(Failure::of_file("open", &self.path, &error)),
        }
    }
}

impl fmt::Display for DatabaseUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "sqlite://{}", self.path.display())
    }
}

impl FromStr for DatabaseUrl {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        // The address of a server may hold a password, so it is not repeated.
        if text.starts_with("postgres://") || text.starts_with("postgresql://") {
            return Err(
                "this build has no PostgreSQL yet; use a file, e.g. `sqlite://crm.db`".into()
            );
        }
        if text.starts_with("sqlite:") && text.ends_with(":memory:") {
            return Err(format!(
                "`{text}` would be gone when the command ends; use a file, e.g. `sqlite://crm.db`"
            ));
        }
        let Some(path) = text.strip_prefix("sqlite://") else {
            return Err(match text.split_once("://") {
                Some((scheme, _)) => {
                    format!("`{scheme}` is no kind of database; use a file, e.g. `sqlite://crm.db`")
                }
                None => format!("`{text}` is no database URL; write e.g. `sqlite://crm.db`"),
            });
        };
        if path.is_empty() {
            return Err(format!("`{text}` names no file; write e.g. `sqlite://crm.db`"));
        }
        if path.contains('?') {
            return Err(format!("`{text}` has parameters; only the path is read"));
        }
        Ok(DatabaseUrl { path: path.into() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn path(url: &str) -> Result<PathBuf, String> {
        url.parse::<DatabaseUrl>().map(|url| url.path)
    }

    #[test]
    fn a_file_is_named_relative_or_absolute() {
        assert_eq!(path("sqlite://crm.db").unwrap(), Path::new("crm.db"));
        assert_eq!(path("sqlite://data/crm.db").unwrap(), Path::new("data/crm.db"));
        assert_eq!(path("sqlite:///var/lib/crm.db").unwrap(), Path::new("/var/lib/crm.db"));
    }

    #[test]
    fn what_is_no_file_is_refused() {
        for url in [
            "",
            "crm.db",
            "sqlite://",
            "sqlite::memory:",
            "sqlite://:memory:",
            "mysql://localhost/crm",
            "sqlite://crm.db?mode=ro",
        ] {
            let message = path(url).unwrap_err();
            assert!(!message.contains('\n') && !message.ends_with('.'), "{message}");
        }
    }

    #[test]
    fn the_password_of_a_server_is_not_repeated() {
        for scheme in ["postgres", "postgresql", "mysql"] {
            let message = path(&format!("{scheme}://crm:secret@host/crm")).unwrap_err();
            assert!(!message.contains("secret"), "{message}");
        }
    }
}

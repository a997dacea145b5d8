//! How a program in another language opens the CRM.

use std::path::{Path, PathBuf};
use std::time::Duration;

use crm_blobs::ObjectBlobs;
use crm_core::identity::{RegistrationPolicy, SignInPolicy};
use crm_core::telephony::Simulator;
use crm_core::{Crm, CrmBuilder, Error, ErrorKind, Result};
use crm_http::{Dependency, KeysFile};
use crm_postgres::{Options, PostgresBus, PostgresStore, Protocol, SchemaName};
use crm_redis::Redis;
use crm_sqlite::SqliteStore;
use crm_twilio::{Twilio, TwilioOptions};
use schemars::JsonSchema;
use serde::Deserialize;

/// Which CRM, and what it works with: the options of `crm-http serve` that are not the server's.
///
/// ```
/// # tokio::runtime::Runtime::new().unwrap().block_on(async {
/// use crm_embed::Opening;
/// let options = serde_json::json!({ "database": "sqlite::memory:", "simulator": true });
/// let crm = Opening::read(options)?.open(|builder| builder).await?.crm;
/// crm.check().await?;
/// # Ok::<(), crm_core::Error>(()) }).unwrap();
/// ```
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Opening {
    /// The database: `sqlite://PATH`, `sqlite::memory:` or `postgres://USER:PASSWORD@HOST/NAME`.
    pub database: String,
    /// The schema of a PostgreSQL database that holds the tables; `crm` where nothing is said.
    #[serde(default)]
    pub schema: Option<String>,
    /// Whether PostgreSQL is behind a pooler that keeps no prepared statements.
    #[serde(default)]
    pub simple_protocol: bool,
    /// The file of keys that sign access tokens and seal what is kept secret, made where there is none;
    /// `crm.keys.toml` beside a database in a file. Every process of a database needs the same one.
    #[serde(default)]
    pub keys: Option<PathBuf>,
    /// The URL under which the outside sees the host, e.g. `https://crm.example`: where carriers tell of
    /// calls, and who signs access tokens.
    #[serde(default)]
    pub public_url: Option<String>,
    /// Where recordings are kept, sealed: a folder, or `s3://BUCKET/PREFIX`, `gs://..`, `az://..`;
    /// `crm.recordings` beside a database in a file.
    #[serde(default)]
    pub recordings: Option<String>,
    /// Redis or Valkey, where several processes work together.
    #[serde(default)]
    pub redis: Option<String>,
    /// A PostgreSQL through which processes tell each other what happens, where there is no Redis.
    #[serde(default)]
    pub postgres_bus: Option<String>,
    /// For how many seconds events can be read, at least 3,600; 30 days where nothing is said.
    #[serde(default)]
    pub events_kept_seconds: Option<u64>,
    /// Lets tenants have accounts with the simulator, a carrier that makes its calls up.
    #[serde(default)]
    pub simulator: bool,
    /// Who may make a tenant by registering; nobody where nothing is said.
    #[serde(default)]
    pub registration: Registering,
    /// For how many seconds an access token is good; 15 minutes where nothing is said.
    #[serde(default)]
    pub token_lifetime_seconds: Option<u64>,
    /// Another address of Twilio's API, for tests.
    #[serde(default)]
    #[schemars(skip)]
    pub twilio_url: Option<String>,
}

/// Who may make a tenant by registering.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Registering {
    /// Everybody.
    Open,
    /// Who has an invitation of the operator.
    Invitation,
    /// Nobody: the host makes tenants.
    #[default]
    Closed,
}

impl From<Registering> for RegistrationPolicy {
    fn from(registering: Registering) -> Self {
        match registering {
            Registering::Open => RegistrationPolicy::Open,
            Registering::Invitation => RegistrationPolicy::Invitation,
            Registering::Closed => RegistrationPolicy::Closed,
        }
    }
}

/// A CRM that is open.
#[derive(Debug)]
pub struct Opened {
    /// It.
    pub crm: Crm,
    /// What it needs beside the store, for questions of its health.
    pub dependencies: Vec<Dependency>,
    /// The URL under which the outside sees the host, where that was said.
    pub public_url: Option<String>,
}

/// The place of a database.
enum Place<'a> {
    Memory,
    File(&'a Path),
    Server(&'a str),
}

const KEYS: &str = "crm.keys.toml";
const RECORDINGS: &str = "crm.recordings";

impl Opening {
    /// Reads the options as another language gives them.
    ///
    /// # Errors
    ///
    /// `invalid`, naming the option.
    pub fn read(options: serde_json::Value) -> Result<Self> {
        serde_path_to_error::deserialize(options).map_err(|error| {
            let path = error.path().to_string();
            Error::refused_value(&path, &error.into_inner().to_string())
        })
    }

    /// Opens it; `equip` adds what the host has written itself. In a runtime of tokio, whose threads serve
    /// what goes on behind (connections, not jobs: those the host runs).
    ///
    /// # Errors
    ///
    /// `invalid`, naming the option; `unavailable` or `internal` from the store.
    pub async fn open(self, equip: impl FnOnce(CrmBuilder) -> CrmBuilder + Send) -> Result<Opened> {
        let place = self.place()?;
        let mut builder = self.store(&place).await?;
        if let Some(path) = self.keys_path(&place)? {
            let file = match KeysFile::read(&path)? {
                Some(file) => file,
                None => KeysFile::make(&path, None)?,
            };
            let keys = file.keys(&path)?;
            let mut tokens = keys.tokens;
            if let Some(seconds) = self.token_lifetime_seconds {
                tokens = tokens.lifetime(Duration::from_secs(seconds));
            }
            if let Some(url) = &self.public_url {
                tokens = tokens.issuer(url.clone());
            }
            builder = builder.token_keys(tokens).key_ring(keys.ring);
        }
        let policy =
            SignInPolicy { registration: self.registration.into(), ..SignInPolicy::default() };
        builder = builder.sign_in_policy(policy).telephony(self.twilio()?);
        if self.simulator {
            builder = builder.telephony(Simulator::default());
        }
        if let Some(seconds) = self.events_kept_seconds {
            builder = builder.events_kept(Duration::from_secs(seconds));
        }
        if let Some(url) = &self.public_url {
            builder = builder.public_url(url.clone());
        }
        if let Some(blobs) = self.blobs(&place)? {
            builder = builder.blobs(blobs);
        }
        let mut dependencies = Vec::new();
        if let Some(url) = &self.postgres_bus {
            let bus = PostgresBus::connect(url, &self.schema()?).await;
            builder = builder.bus(bus.map_err(|error| about("postgres_bus", &error))?);
        }
        if let Some(url) = &self.redis {
            let redis = Redis::connect(url).await.map_err(|error| about("redis", &error))?;
            builder = builder.bus(redis.bus()).presence(redis.presence()).limits(redis.limits());
            dependencies.push(Dependency::new("redis", move || {
                let redis = redis.clone();
                async move { redis.check().await }
            }));
        }
        Ok(Opened { crm: equip(builder).build()?, dependencies, public_url: self.public_url })
    }

    fn place(&self) -> Result<Place<'_>> {
        let url = self.database.as_str();
        if matches!(url, "sqlite::memory:" | "sqlite://:memory:") {
            return Ok(Place::Memory);
        }
        if url.starts_with("postgres://") || url.starts_with("postgresql://") {
            return Ok(Place::Server(url));
        }
        match url.strip_prefix("sqlite://") {
            Some(path) if !path.is_empty() && !path.contains('?') => {
                Ok(Place::File(Path::new(path)))
            }
            // It may hold a password, so it is not repeated.
            Some(_) | None => Err(Error::invalid_field(
                "database",
                "invalid_url",
                "this is no URL of a database; write e.g. `sqlite://crm.db`, `sqlite::memory:` or \
                 `postgres://crm_app@host/crm`",
            )),
        }
    }

    async fn store(&self, place: &Place<'_>) -> Result<CrmBuilder> {
        match place {
            Place::Memory => SqliteStore::open_in_memory().await.map(Crm::builder),
            Place::File(path) => SqliteStore::open(path).await.map(Crm::builder),
            Place::Server(url) => {
                let protocol =
                    if self.simple_protocol { Protocol::Simple } else { Protocol::Prepared };
                let options = Options::default().schema(self.schema()?).protocol(protocol);
                PostgresStore::connect_with(url, options).await.map(Crm::builder)
            }
        }
    }

    fn schema(&self) -> Result<SchemaName> {
        match &self.schema {
            None => Ok(SchemaName::default()),
            Some(name) => name.parse().map_err(|error: Error| about("schema", &error)),
        }
    }

    fn keys_path(&self, place: &Place<'_>) -> Result<Option<PathBuf>> {
        match (&self.keys, place) {
            (Some(named), _) => Ok(Some(named.clone())),
            (None, Place::Memory) => Ok(None),
            (None, Place::File(path)) => Ok(Some(path.with_file_name(KEYS))),
            (None, Place::Server(_)) => Err(Error::invalid_field(
                "keys",
                "required",
                "name the file of keys, which every process of the database needs; it is made where \
                 there is none",
            )),
        }
    }

    fn blobs(&self, place: &Place<'_>) -> Result<Option<ObjectBlobs>> {
        let blobs = match (&self.recordings, place) {
            (Some(url), _) if url.contains("://") => ObjectBlobs::from_url(url),
            (Some(path), _) => ObjectBlobs::folder(path),
            (None, Place::File(path)) => ObjectBlobs::folder(path.with_file_name(RECORDINGS)),
            (None, Place::Memory) => return Ok(None),
            (None, Place::Server(_)) => ObjectBlobs::folder(RECORDINGS),
        };
        blobs.map(Some).map_err(|error| about("recordings", &error))
    }

    fn twilio(&self) -> Result<Twilio> {
        let mut options = TwilioOptions::default();
        if let Some(url) = &self.twilio_url {
            options = options.base_url(url.clone());
        }
        Twilio::new(options)
    }
}

/// What is wrong with an option, where it is the option that is wrong.
fn about(option: &'static str, error: &Error) -> Error {
    if error.kind() == ErrorKind::Unavailable {
        return Error::new(ErrorKind::Unavailable, error.message().to_owned());
    }
    Error::invalid_field(option, "invalid_value", error.message().to_owned())
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;
    use serde_json::json;

    fn refused(options: serde_json::Value) -> String {
        let runtime = tokio::runtime::Runtime::new().unwrap();
        let opened =
            runtime.block_on(async { Opening::read(options)?.open(|builder| builder).await });
        let error = opened.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Invalid, "{error:?}");
        error.fields().first().map(|refused| refused.field.clone()).unwrap_or_default()
    }

    #[test]
    fn an_option_that_is_wrong_is_named() {
        assert_eq!(refused(json!({})), "database");
        assert_eq!(refused(json!({ "database": "crm.db" })), "database");
        assert_eq!(refused(json!({ "database": "sqlite::memory:", "colour": 1 })), "colour");
        assert_eq!(refused(json!({ "database": "sqlite::memory:", "simulator": 1 })), "simulator");
        assert_eq!(refused(json!({ "database": "sqlite::memory:", "redis": "http://x" })), "redis");
        assert_eq!(
            refused(json!({ "database": "sqlite::memory:", "registration": "all" })),
            "registration"
        );
    }

    #[tokio::test]
    async fn keys_and_recordings_stand_beside_the_file() {
        let folder = tempfile::tempdir().unwrap();
        let database = format!("sqlite://{}", folder.path().join("a.db").display());
        let options = || Opening::read(json!({ "database": database })).unwrap();
        let first = options().open(|builder| builder).await.unwrap().crm;
        let second = options().open(|builder| builder).await.unwrap().crm;
        let keys = |crm: &Crm| serde_json::to_value(crm.key_set()).unwrap();
        assert_eq!(keys(&first), keys(&second));
        assert!(folder.path().join(KEYS).exists());
        first.check_recordings().await.unwrap();
        assert!(folder.path().join(RECORDINGS).exists());
    }
}

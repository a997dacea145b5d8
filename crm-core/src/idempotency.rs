//! Requests that can be repeated: the first outcome is remembered in the commit of its effect.

use std::collections::HashSet;
use std::fmt;
use std::str::FromStr;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use serde::{Deserialize, Serialize};

use crate::changes::Changes;
use crate::error::{Error, ErrorKind, Result};
use crate::id::TenantId;
use crate::identity::Digest;
use crate::scope::TenantScope;
use crate::session::Session;
use crate::time::Timestamp;

/// How long an outcome is remembered.
const REMEMBERED: Duration = Duration::from_secs(24 * 60 * 60);

/// Names one request of a caller who may have to repeat it: 1 to 255 printable ASCII characters.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IdempotencyKey(String);

impl FromStr for IdempotencyKey {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let printable = |byte: u8| byte == b' ' || byte.is_ascii_graphic();
        if (1..=255).contains(&text.len()) && text.bytes().all(printable) {
            Ok(IdempotencyKey(text.to_owned()))
        } else {
            Err(Error::invalid_field(
                "Idempotency-Key",
                "invalid_idempotency_key",
                "an idempotency key has 1 to 255 printable ASCII characters",
            ))
        }
    }
}

/// What came of a request that can be repeated.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Outcome {
    /// Whose request, and which: 64 hexadecimal digits.
    pub key: String,
    /// The digest of the request.
    pub request: Digest,
    /// What was made, as JSON, sealed by the key ring.
    pub sealed: String,
    /// Until when it is remembered.
    pub until: Timestamp,
}

/// Reads of what is remembered.
#[async_trait]
pub trait IdempotencyStore: Send + Sync + 'static {
    /// The outcome under this key that is remembered beyond `now`.
    ///
    /// # Behavior
    ///
    /// - What was committed with an outcome is remembered until its end, and by its tenant only.
    ///   (`outcomes_are_remembered`)
    /// - A second commit with a key that is remembered is refused whole, with `already_exists` on the
    ///   field `idempotency_key`; one whose outcome is over is replaced. (`an_outcome_is_written_once`)
    async fn outcome(
        &self,
        scope: &TenantScope,
        key: &str,
        now: Timestamp,
    ) -> Result<Option<Outcome>>;
}

/// A request under an idempotency key.
pub enum Idempotent {
    /// The first of its kind: what it makes in this session is remembered.
    First(Session),
    /// It was done before; this was the outcome, as JSON.
    Again(String),
}

/// A request under an idempotency key whose body is still to be read.
pub enum Repeatable {
    /// The first of its kind: [`Session::remember`] of this session keeps what came of it.
    First(Session),
    /// It was done before.
    Again(Done),
}

/// What came of a request that was done before.
pub struct Done {
    request: Digest,
    made: String,
}

impl Done {
    /// The outcome, as JSON, for the same request.
    ///
    /// # Errors
    ///
    /// `idempotency_key_reused` when `request` is another one.
    pub fn of(self, request: Digest) -> Result<String> {
        if self.request == request {
            return Ok(self.made);
        }
        Err(Error::new(
            ErrorKind::IdempotencyKeyReused,
            "the idempotency key was used for another request; take a new one",
        ))
    }
}

/// What a session carries for the request's key.
pub(crate) struct Pending {
    key: String,
    /// Known when the body is read.
    request: OnceLock<Digest>,
    running: Arc<Running>,
    tenant: TenantId,
}

/// The requests with a key that are under way in this process.
#[derive(Default)]
pub(crate) struct Running(Mutex<HashSet<(TenantId, String)>>);

impl Drop for Pending {
    fn drop(&mut self) {
        let mut running = self.running.0.lock().unwrap_or_else(PoisonError::into_inner);
        running.remove(&(self.tenant, std::mem::take(&mut self.key)));
    }
}

impl fmt::Debug for Pending {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Pending").field("key", &self.key).finish_non_exhaustive()
    }
}

impl Session {
    /// This session for the request that the caller named `key`. `request` is all that makes it this
    /// request and no other: the method, the path, the body.
    ///
    /// What the first operation makes that says so in its documentation is remembered for 24 hours, in
    /// the commit that makes it; one without effect is not.
    ///
    /// # Errors
    ///
    /// `idempotency_key_reused` when the key was used for another request; `idempotency_in_progress`
    /// while the first runs; `unavailable` or `internal` from the store.
    pub async fn idempotent(&self, key: &IdempotencyKey, request: &[u8]) -> Result<Idempotent> {
        let request = Digest::of(request);
        match self.repeatable(key).await? {
            Repeatable::First(session) => {
                if let Some(pending) = session.pending() {
                    let _ = pending.request.set(request);
                }
                Ok(Idempotent::First(session))
            }
            Repeatable::Again(done) => done.of(request).map(Idempotent::Again),
        }
    }

    /// This session for the request that the caller named `key`, of which nothing else is known yet, for
    /// its body is long. [`Session::remember`] keeps what came of it.
    ///
    /// # Errors
    ///
    /// `idempotency_in_progress` while the first runs; `unavailable` or `internal` from the store.
    pub async fn repeatable(&self, key: &IdempotencyKey) -> Result<Repeatable> {
        let named = format!("{}\n{}", self.scope().actor(), key.0);
        let key = Digest::of(named.as_bytes()).to_hex();
        let tenant = self.scope().tenant();
        let pending = {
            let mut running = self.core().running.0.lock().unwrap_or_else(PoisonError::into_inner);
            if !running.insert((tenant, key.clone())) {
                return Err(in_progress());
            }
            let running = Arc::clone(&self.core().running);
            Pending { key: key.clone(), request: OnceLock::new(), running, tenant }
        };
        match self.store().outcome(self.scope(), &key, self.env().now()).await? {
            None => Ok(Repeatable::First(self.with_pending(pending))),
            Some(known) => {
                let made = self.core().key_ring.open(&known.sealed, key.as_bytes())?;
                let made = String::from_utf8(made).map_err(Error::internal)?;
                Ok(Repeatable::Again(Done { request: known.request, made }))
            }
        }
    }

    /// Remembers for 24 hours what came of a [`Repeatable`] request, after all its effects. Without a key
    /// there is nothing to remember.
    ///
    /// # Errors
    ///
    /// `idempotency_in_progress` when another node was first; `unavailable` or `internal` from the store.
    pub async fn remember(&self, request: Digest, made: &(impl Serialize + Sync)) -> Result<()> {
        let Some(pending) = self.pending() else { return Ok(()) };
        let _ = pending.request.set(request);
        self.commit_made(self.new_changes(), made).await
    }

    /// Commits `changes`, and remembers `made` where the request can be repeated.
    pub(crate) async fn commit_made(
        &self,
        mut changes: Changes,
        made: &(impl Serialize + Sync),
    ) -> Result<()> {
        if let Some(pending) = self.pending()
            && let Some(request) = pending.request.get().copied()
        {
            let made = serde_json::to_vec(made).map_err(Error::internal)?;
            let sealed = self.core().key_ring.seal(&made, pending.key.as_bytes())?;
            let until = changes.at().after(REMEMBERED);
            changes.remember(Outcome { key: pending.key.clone(), request, sealed, until });
        }
        self.commit(changes).await.map_err(|error| {
            let by_key = |error: &Error| {
                error.kind() == ErrorKind::AlreadyExists
                    && error.fields().first().is_some_and(|field| field.field == "idempotency_key")
            };
            // Another node was first; its outcome is there for the next try.
            if by_key(&error) { in_progress() } else { error }
        })
    }
}

fn in_progress() -> Error {
    Error::new(
        ErrorKind::IdempotencyInProgress,
        "the first request with this idempotency key still runs; repeat it in a moment",
    )
}

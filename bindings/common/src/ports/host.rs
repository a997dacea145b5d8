//! What a binding implements: a way to an object of the host.

use std::error::Error as StdError;
use std::fmt;
use std::sync::mpsc;
use std::time::Duration;

use async_trait::async_trait;
use crm_core::{Error, ErrorKind, FieldError};
use tokio::runtime::Handle;

use super::value::{Arguments, HostValue};

/// An object of the host that implements a port: an instance of a Python class, an object in Node.
///
/// Methods and arguments are named in snake_case here. Python takes them as they are, the arguments by keyword;
/// Node takes [`camel_case`] names and one object of arguments.
#[async_trait]
pub trait Host: Send + Sync + 'static {
    /// Calls a method and waits for what it answers, whether the method is asynchronous or not. One that is
    /// not must not hold up the runtime. Dropping the future cancels the call where the language can.
    ///
    /// # Errors
    ///
    /// What the method raised, or why it could not be called.
    async fn call(
        &self,
        method: &'static str,
        arguments: Arguments,
    ) -> Result<HostValue, HostError>;

    /// Calls a method that is not asynchronous, and returns within `limit`, or soon after: where the language
    /// cannot interrupt a call, through [`within`]. May be called on any thread, one of the runtime or of the
    /// host's own, and never while a lock of the host's language is held by the caller.
    ///
    /// # Errors
    ///
    /// What the method raised, or why it could not be called: it is asynchronous, say; [`HostError::late`]
    /// when it has not answered in time.
    fn call_now(
        &self,
        method: &'static str,
        arguments: Arguments,
        limit: Duration,
    ) -> Result<HostValue, HostError>;

    /// Whether there is such a method, named in snake_case.
    fn has(&self, method: &str) -> bool;

    /// How the host's language writes a name, for what its author is told.
    fn spelling(&self) -> fn(&str) -> String {
        str::to_owned
    }
}

/// What a host's method raised.
#[derive(Debug, Default)]
pub struct HostError {
    /// In words. Shown to the CRM's callers where there is a code, too.
    pub message: String,
    /// The code of [`ErrorKind`] that the host chose by raising one of the CRM's own errors.
    pub code: Option<String>,
    /// Whether the same call can succeed later. Counts where there is no code.
    pub retryable: bool,
    /// The values that the host refused, with the code `invalid`.
    pub fields: Vec<FieldError>,
    /// How long to wait, with the code `rate_limited`.
    pub retry_after: Option<Duration>,
    /// What was raised: the very object, for the binding to find again with [`raised`].
    pub cause: Option<Box<dyn StdError + Send + Sync>>,
    /// Whether nothing was raised, and nothing answered in time; the rest does not count then.
    pub late: bool,
}

impl HostError {
    /// Something that went wrong in the host, without more being known of it.
    pub fn new(message: impl Into<String>) -> Self {
        HostError { message: message.into(), ..HostError::default() }
    }

    /// One that the host raised as an error of the CRM's with this code.
    pub fn coded(code: impl Into<String>, message: impl Into<String>) -> Self {
        HostError { code: Some(code.into()), ..HostError::new(message) }
    }

    /// The host has not answered in time.
    pub fn late() -> Self {
        HostError { late: true, retryable: true, ..HostError::new("no answer in time") }
    }

    /// The same, with what was raised.
    #[must_use]
    pub fn caused_by(mut self, cause: impl Into<Box<dyn StdError + Send + Sync>>) -> Self {
        self.cause = Some(cause.into());
        self
    }

    /// The kind that the host chose. `internal` says no more than any other exception does.
    pub(super) fn chosen(&self) -> Option<ErrorKind> {
        let code = self.code.as_deref()?;
        let known = ErrorKind::ALL.iter().copied().find(|kind| kind.code() == code);
        known.filter(|kind| *kind != ErrorKind::Internal)
    }
}

impl From<&Error> for HostError {
    /// An error of the CRM's, for a host that is handed one.
    fn from(error: &Error) -> Self {
        HostError {
            retryable: error.is_retryable(),
            fields: error.fields().to_vec(),
            retry_after: error.retry_after(),
            ..HostError::coded(error.code(), error.message())
        }
    }
}

impl fmt::Display for HostError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl StdError for HostError {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        self.cause.as_deref().map(|cause| cause as _)
    }
}

/// What a host raised, as its binding had put it into [`HostError::cause`], somewhere below `error`.
pub fn raised<T: StdError + 'static>(error: &Error) -> Option<&T> {
    let mut next = StdError::source(error);
    while let Some(error) = next {
        if let Some(found) = error.downcast_ref() {
            return Some(found);
        }
        next = error.source();
    }
    None
}

/// A name as Node has it: `hang_up` is `hangUp`.
pub fn camel_case(name: &str) -> String {
    let mut words = name.split('_');
    let mut camel = words.next().unwrap_or_default().to_owned();
    for word in words {
        let mut letters = word.chars();
        camel.extend(letters.next().map(|first| first.to_ascii_uppercase()));
        camel.push_str(letters.as_str());
    }
    camel
}

/// Runs a call that cannot be interrupted on a thread of `runtime` for blocking work, and waits for it up to
/// `limit`. One that takes longer is left alone with its thread.
///
/// # Errors
///
/// That of the call; [`HostError::late`].
pub fn within(
    runtime: &Handle,
    limit: Duration,
    call: impl FnOnce() -> Result<HostValue, HostError> + Send + 'static,
) -> Result<HostValue, HostError> {
    let (answer, answered) = mpsc::sync_channel(1);
    runtime.spawn_blocking(move || {
        // Who has stopped waiting wants no answer.
        drop(answer.send(call()));
    });
    match answered.recv_timeout(limit) {
        Ok(answer) => answer,
        Err(mpsc::RecvTimeoutError::Timeout) => Err(HostError::late()),
        Err(mpsc::RecvTimeoutError::Disconnected) => Err(HostError::new("the call was given up")),
    }
}

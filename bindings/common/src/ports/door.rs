//! The way to a host's object: time limits, and what becomes of what it raises.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use crm_core::blobs::ByteStream;
use crm_core::{Error, ErrorKind, FieldError, Result};
use futures::{StreamExt as _, stream};
use tokio::runtime::{Handle, RuntimeFlavor};
use tokio::time;

use super::TimeLimits;
use super::answer::Answer;
use super::host::{Host, HostError};
use super::value::{Arguments, HostStream, HostValue};

/// A host's object, as one port sees it.
#[derive(Clone)]
pub(super) struct Door {
    host: Arc<dyn Host>,
    port: &'static str,
    pub(super) limits: TimeLimits,
}

/// Which method of which port was called.
#[derive(Debug, Clone, Copy)]
pub(super) struct Asked {
    port: &'static str,
    method: &'static str,
    pub(super) spell: fn(&str) -> String,
}

/// A call that did not come off.
pub(super) struct Failed {
    pub(super) error: Error,
    /// Whether the host said so with a code of ours: it knows what it did.
    pub(super) chosen: bool,
}

impl From<Failed> for Error {
    fn from(failed: Failed) -> Self {
        failed.error
    }
}

impl Door {
    /// # Errors
    ///
    /// `invalid`, naming each method that the host needs and does not have.
    pub(super) fn new(
        host: Arc<dyn Host>,
        port: &'static str,
        limits: TimeLimits,
        needed: &[&str],
    ) -> Result<Self> {
        let missing = needed.iter().filter(|method| !host.has(method));
        let spell = host.spelling();
        let missing: Vec<_> = missing
            .map(|method| {
                let message = format!("the host's {port} has no method `{}`", spell(method));
                FieldError::new(format!("{port}.{method}"), "missing_method", message)
            })
            .collect();
        if missing.is_empty() {
            Ok(Door { host, port, limits })
        } else {
            Err(Error::invalid(missing))
        }
    }

    pub(super) fn has(&self, method: &str) -> bool {
        self.host.has(method)
    }

    pub(super) fn asked(&self, method: &'static str) -> Asked {
        Asked { port: self.port, method, spell: self.host.spelling() }
    }

    pub(super) async fn call(
        &self,
        method: &'static str,
        arguments: Arguments,
    ) -> Result<Answer, Failed> {
        let (asked, limit) = (self.asked(method), self.limits.call);
        match time::timeout(limit, self.host.call(method, arguments)).await {
            Ok(answer) => asked.answered(answer, limit),
            Err(_) => Err(asked.failed(HostError::late(), limit)),
        }
    }

    /// The same without a time limit, for a call whose progress is watched.
    pub(super) async fn call_unlimited(
        &self,
        method: &'static str,
        arguments: Arguments,
    ) -> Result<Answer, Failed> {
        let answer = self.host.call(method, arguments).await;
        self.asked(method).answered(answer, self.limits.call)
    }

    /// A call that is waited for on this thread; the runtime's other work is moved away from it.
    pub(super) fn call_now(
        &self,
        method: &'static str,
        arguments: Arguments,
    ) -> Result<Answer, Failed> {
        let limit = self.limits.call_now;
        let call = || self.call_briefly(method, arguments, limit);
        match Handle::try_current().map(|runtime| runtime.runtime_flavor()) {
            Ok(RuntimeFlavor::MultiThread) => tokio::task::block_in_place(call),
            Ok(_) | Err(_) => call(),
        }
    }

    /// The same for a call that takes no longer than moving that work would.
    pub(super) fn call_briefly(
        &self,
        method: &'static str,
        arguments: Arguments,
        limit: Duration,
    ) -> Result<Answer, Failed> {
        self.asked(method).answered(self.host.call_now(method, arguments, limit), limit)
    }

    /// The bytes that a host's iterator gives. The first are awaited here, so that an iterator that begins by
    /// raising is a call that raises.
    pub(super) async fn bytes(
        &self,
        method: &'static str,
        chunks: HostStream,
    ) -> Result<ByteStream> {
        let (asked, limit) = (self.asked(method), self.limits.call);
        let mut chunks = stream::unfold(Some(chunks), move |chunks| async move {
            let mut chunks = chunks?;
            let chunk = match time::timeout(limit, chunks.next()).await {
                Ok(None) => return None,
                Ok(Some(chunk)) => asked.chunk(chunk, limit),
                Err(_) => Err(asked.failed(HostError::late(), limit).error),
            };
            // What has failed is over.
            let rest = chunk.is_ok().then_some(chunks);
            Some((chunk, rest))
        })
        .boxed();
        match chunks.next().await {
            None => Ok(stream::empty().boxed()),
            Some(first) => Ok(stream::iter([Ok(first?)]).chain(chunks).boxed()),
        }
    }
}

impl Asked {
    fn answered(
        self,
        answer: Result<HostValue, HostError>,
        limit: Duration,
    ) -> Result<Answer, Failed> {
        match answer {
            Ok(value) => Ok(Answer { asked: self, value }),
            Err(error) => Err(self.failed(error, limit)),
        }
    }

    fn chunk(self, chunk: Result<HostValue, HostError>, limit: Duration) -> Result<Bytes> {
        match chunk {
            Ok(HostValue::Bytes(bytes)) => Ok(bytes),
            Ok(other) => Err(self
                .wrong("", &format!("expected bytes from the iterator, found {}", other.what()))),
            Err(error) => Err(self.failed(error, limit).error),
        }
    }

    /// What the host has raised as an error of ours, with its own as the source.
    pub(super) fn failed(self, raised: HostError, limit: Duration) -> Failed {
        let chosen = raised.chosen();
        let error = match chosen {
            _ if raised.late => {
                let message = format!("{self} has not answered within {limit:?}");
                Error::new(ErrorKind::Unavailable, message)
            }
            Some(ErrorKind::Invalid) if !raised.fields.is_empty() => {
                Error::invalid(raised.fields.clone())
            }
            Some(ErrorKind::RateLimited) if raised.retry_after.is_some() => {
                let wait = raised.retry_after.unwrap_or_default();
                Error::rate_limited(raised.message.clone(), wait)
            }
            Some(kind) => Error::new(kind, raised.message.clone()),
            // What any exception says is not for the CRM's callers.
            None if raised.retryable => {
                Error::new(ErrorKind::Unavailable, format!("{self} cannot do it at the moment"))
            }
            None => Error::new(ErrorKind::Internal, format!("{self} has failed")),
        };
        Failed { error: error.with_source(raised), chosen: chosen.is_some() }
    }
}

impl fmt::Display for Asked {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "`{}` of the host's {}", (self.spell)(self.method), self.port)
    }
}

impl fmt::Debug for Door {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Door").field("port", &self.port).finish_non_exhaustive()
    }
}

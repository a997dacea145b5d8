//! A host that does what a test says.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use crm_embed::ports::{Arguments, Host, HostError, HostValue};
use thiserror::Error;

/// What a host's language raised.
#[derive(Debug, Error, PartialEq)]
#[error("exception {0}")]
pub struct Exception(pub u32);

type Answer = Box<dyn Fn(Arguments) -> Result<HostValue, HostError> + Send + Sync>;

/// Answers each method like this; `None` is a host that hangs.
pub struct Scripted {
    answer: Mutex<Option<Answer>>,
    without: &'static [&'static str],
    pub calls: AtomicUsize,
}

impl Scripted {
    pub fn answering(
        answer: impl Fn(Arguments) -> Result<HostValue, HostError> + Send + Sync + 'static,
    ) -> Arc<Self> {
        let answer = Mutex::new(Some(Box::new(answer) as Answer));
        Arc::new(Scripted { answer, without: &[], calls: AtomicUsize::new(0) })
    }

    pub fn raising(error: impl Fn() -> HostError + Send + Sync + 'static) -> Arc<Self> {
        Scripted::answering(move |_| Err(error()))
    }

    pub fn hanging() -> Arc<Self> {
        let host = Scripted::answering(|_| Ok(HostValue::Null));
        host.hang();
        host
    }

    pub fn without(methods: &'static [&'static str]) -> Arc<Self> {
        let answer: Answer = Box::new(|_| Ok(HostValue::Null));
        let answer = Mutex::new(Some(answer));
        Arc::new(Scripted { answer, without: methods, calls: AtomicUsize::new(0) })
    }

    pub fn hang(&self) {
        *self.answer.lock().unwrap() = None;
    }

    pub fn then(
        &self,
        answer: impl Fn(Arguments) -> Result<HostValue, HostError> + Send + Sync + 'static,
    ) {
        *self.answer.lock().unwrap() = Some(Box::new(answer));
    }

    fn answer(&self, arguments: Arguments) -> Option<Result<HostValue, HostError>> {
        self.calls.fetch_add(1, Ordering::SeqCst);
        self.answer.lock().unwrap().as_ref().map(|answer| answer(arguments))
    }
}

#[async_trait]
impl Host for Scripted {
    async fn call(&self, _: &'static str, arguments: Arguments) -> Result<HostValue, HostError> {
        match self.answer(arguments) {
            Some(answer) => answer,
            None => std::future::pending().await,
        }
    }

    fn call_now(
        &self,
        _: &'static str,
        arguments: Arguments,
        _: Duration,
    ) -> Result<HostValue, HostError> {
        self.answer(arguments).unwrap_or_else(|| Err(HostError::late()))
    }

    fn has(&self, method: &str) -> bool {
        !self.without.contains(&method)
    }
}

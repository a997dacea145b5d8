//! What crosses the border: text in, text or an error out, and never a panic.

use std::any::Any;
use std::panic::AssertUnwindSafe;
use std::task::{Context, Poll, Waker};

use crm_core::operations::{Given, Operation, Reply};
use crm_core::{Error, ErrorKind, Result};
use crm_embed::ports::raised;
use futures::FutureExt;
use napi::bindgen_prelude::{Env, PromiseRaw, ToNapiValue, within_runtime_if_available};
use serde::Serialize;

use crate::OPERATIONS;
use crate::ports::{Raised, may_wait};

/// An error as the TypeScript reads it, as the message of an error of Node.
#[derive(Serialize)]
struct Told<'e> {
    code: &'static str,
    operation: &'static str,
    message: &'e str,
    retryable: bool,
    fields: &'e [crm_core::FieldError],
    existing_id: Option<uuid::Uuid>,
    retry_after: Option<f64>,
    cause: Option<String>,
    /// The number of what a host's object has raised.
    raised: Option<u32>,
}

pub(crate) fn thrown(error: &Error) -> napi::Error {
    let told = Told {
        code: error.code(),
        operation: error.operation(),
        message: error.message(),
        retryable: error.is_retryable(),
        fields: error.fields(),
        existing_id: error.existing_id(),
        retry_after: error.retry_after().map(|after| after.as_secs_f64()),
        cause: std::error::Error::source(error).map(ToString::to_string),
        raised: raised::<Raised>(error).map(|raised| raised.number),
    };
    // Without a text the TypeScript has an error that it does not know, which is `internal`.
    napi::Error::from_reason(serde_json::to_string(&told).unwrap_or_default())
}

/// A promise of what `work` comes to. The work goes on where nobody waits.
pub(crate) fn promise<T>(
    env: &Env,
    work: impl Future<Output = Result<T>> + Send + 'static,
) -> napi::Result<PromiseRaw<'_, T>>
where
    T: ToNapiValue + Send + 'static,
{
    env.spawn_future(async { contained(work).await.map_err(|error| thrown(&error)) })
}

/// The same for work that is often done at once, as a look-up in a file is: it is polled here a single time, and
/// becomes a task where it has to wait.
pub(crate) fn promise_at_once<T>(
    env: &Env,
    work: impl Future<Output = Result<T>> + Send + 'static,
) -> napi::Result<PromiseRaw<'_, T>>
where
    T: ToNapiValue + Send + 'static,
{
    let mut work = Box::pin(contained(work));
    let polled =
        within_runtime_if_available(|| work.as_mut().poll(&mut Context::from_waker(Waker::noop())));
    match polled {
        Poll::Ready(Ok(done)) => PromiseRaw::resolve(env, done),
        Poll::Ready(Err(error)) => PromiseRaw::reject(env, thrown(&error)),
        Poll::Pending => env.spawn_future(async { work.await.map_err(|error| thrown(&error)) }),
    }
}

/// What `work` comes to, on the caller's own thread.
pub(crate) fn wait<T>(work: impl Future<Output = Result<T>>) -> napi::Result<T> {
    let done = may_wait().and_then(|()| napi::bindgen_prelude::block_on(contained(work)));
    done.map_err(|error| thrown(&error))
}

/// A panic is an error like others: it is ours, and the host lives on.
pub(crate) async fn contained<T>(work: impl Future<Output = Result<T>>) -> Result<T> {
    AssertUnwindSafe(work).catch_unwind().await.unwrap_or_else(|panic| Err(of_panic(&*panic)))
}

fn of_panic(panic: &(dyn Any + Send)) -> Error {
    let said = panic.downcast_ref::<&str>().copied();
    let said = said.or_else(|| panic.downcast_ref::<String>().map(String::as_str));
    Error::internal(format!("a panic: {}", said.unwrap_or("of unknown cause")))
}

/// The operation of this number.
pub(crate) fn operation(number: u32) -> Result<&'static Operation> {
    let found = usize::try_from(number).ok().and_then(|number| OPERATIONS.get(number));
    found.copied().ok_or_else(|| Error::internal("there is no operation of this number"))
}

/// What is given to an operation.
pub(crate) fn given(operation: &'static Operation, text: &str) -> Result<Given> {
    let read = |text| -> Result<Given> { parsed::<serde_json::Value>(text)?.try_into() };
    read(text).map_err(|error| error.in_operation(operation.name))
}

/// JSON that the TypeScript has written.
pub(crate) fn parsed<T: serde::de::DeserializeOwned>(text: &str) -> Result<T> {
    let mut reader = serde_json::Deserializer::from_str(text);
    serde_path_to_error::deserialize(&mut reader).map_err(|error| {
        let path = error.path().to_string();
        let reason = error.into_inner();
        if reason.is_data() {
            // serde_json adds a place in a text that nobody has seen.
            let reason = reason.to_string();
            let said = reason.rsplit_once(" at line ").map_or(&*reason, |(said, _)| said);
            Error::refused_value(&path, said)
        } else {
            Error::new(ErrorKind::Malformed, "what is given cannot be read").with_source(reason)
        }
    })
}

pub(crate) fn text(reply: &dyn Reply) -> Result<String> {
    serde_json::to_string(reply).map_err(Error::internal)
}

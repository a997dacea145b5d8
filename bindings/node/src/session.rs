//! Somebody at work in a tenant.

use std::sync::Arc;

use crm_core::Session;
use napi::bindgen_prelude::{Env, PromiseRaw};
use napi_derive::napi;

use crate::bytes::{NativeBytes, NativeRecording};
use crate::crm::Open;
use crate::crossing::{given, operation, parsed, promise, promise_at_once, text};
use crate::events::{NativeGroup, NativeSubscription};
use crate::import::NativeImport;

/// A session of the core.
#[napi]
pub struct NativeSession {
    open: Arc<Open>,
    session: Session,
}

impl NativeSession {
    pub(crate) fn new(open: Arc<Open>, session: Session) -> Self {
        NativeSession { open, session }
    }

    fn run(
        &self,
        number: u32,
        args: String,
    ) -> impl Future<Output = crm_core::Result<String>> + use<> {
        // Asked for before the end, it is done after it.
        let operation = operation(number)
            .and_then(|operation| self.open.crm(operation.name).map(|_| operation));
        let session = self.session.clone();
        async move {
            let operation = operation?;
            let reply = operation.run_in(session, given(operation, &args)?).await?;
            text(&*reply)
        }
    }
}

#[napi]
impl NativeSession {
    /// Does an operation; the reply as JSON.
    #[napi]
    pub fn call<'env>(
        &self,
        env: &'env Env,
        number: u32,
        args: String,
    ) -> napi::Result<PromiseRaw<'env, String>> {
        let work = self.run(number, args);
        match operation(number) {
            Ok(operation) if operation.verb() == "get" => promise_at_once(env, work),
            Ok(_) | Err(_) => promise(env, work),
        }
    }

    /// The same, on this very thread.
    #[napi]
    pub fn call_blocking(&self, env: &Env, number: u32, args: String) -> napi::Result<String> {
        self.open.wait(env, self.run(number, args))
    }

    /// Follows the events after a place.
    #[napi]
    pub fn subscribe<'env>(
        &self,
        env: &'env Env,
        after: String,
    ) -> napi::Result<PromiseRaw<'env, NativeSubscription>> {
        let (open, session) = (Arc::clone(&self.open), self.session.clone());
        promise(env, async move { NativeSubscription::begin(&open, &session, &after).await })
    }

    /// Follows the events for a group.
    #[napi]
    pub fn group<'env>(
        &self,
        env: &'env Env,
        name: String,
        otherwise: String,
    ) -> napi::Result<PromiseRaw<'env, NativeGroup>> {
        let (open, session) = (Arc::clone(&self.open), self.session.clone());
        promise(env, async move { NativeGroup::begin(open, &session, &name, &otherwise).await })
    }

    /// Begins an import.
    #[napi]
    pub fn import<'env>(
        &self,
        env: &'env Env,
        options: String,
    ) -> napi::Result<PromiseRaw<'env, NativeImport>> {
        let (open, session) = (Arc::clone(&self.open), self.session.clone());
        promise(env, async move {
            open.crm("contacts.import")?;
            NativeImport::begin(session, &options)
        })
    }

    /// Begins an export.
    #[napi]
    pub fn export<'env>(
        &self,
        env: &'env Env,
        options: String,
    ) -> napi::Result<PromiseRaw<'env, NativeBytes>> {
        let (open, session) = (Arc::clone(&self.open), self.session.clone());
        promise(env, async move {
            open.crm("contacts.export")?;
            NativeBytes::of_export(session, parsed(&options)?).await
        })
    }

    /// Finds a call's recording.
    #[napi]
    pub fn recording<'env>(
        &self,
        env: &'env Env,
        call: String,
    ) -> napi::Result<PromiseRaw<'env, NativeRecording>> {
        let (open, session) = (Arc::clone(&self.open), self.session.clone());
        promise(env, async move {
            open.crm("calls.recording")?;
            NativeRecording::find(session, &call).await
        })
    }
}

//! What runs beside the calls: jobs, and the news of other processes.

use std::sync::{Arc, Mutex, PoisonError};

use crm_core::Crm;
use futures::FutureExt;
use futures::future::{BoxFuture, Shared};
use napi::bindgen_prelude::{Env, PromiseRaw, spawn};
use napi_derive::napi;
use tokio::sync::oneshot;

use crate::crm::Open;
use crate::crossing::promise;

/// A worker at work. It does not keep the process alive.
#[napi]
pub struct NativeWorker {
    stop: Mutex<Option<oneshot::Sender<()>>>,
    ended: Shared<BoxFuture<'static, ()>>,
}

impl NativeWorker {
    pub(crate) fn start(crm: Crm, open: &Arc<Open>, jobs: bool, at_once: Option<u32>) -> Self {
        let (stop, stopped) = oneshot::channel();
        let closed = open.closed();
        let shutdown = async move {
            tokio::select! { _ = stopped => {}, () = closed => {} }
        };
        let shutdown = shutdown.boxed().shared();
        let running = spawn(async move {
            let relay = crm.relay();
            let relaying = relay.run(tokio::time::sleep, shutdown.clone());
            let working = async {
                if jobs {
                    let mut worker = crm.worker();
                    if let Some(most) = at_once.and_then(|most| usize::try_from(most).ok()) {
                        worker = worker.at_once(most);
                    }
                    worker.run(tokio::time::sleep, shutdown.clone()).await;
                }
            };
            tokio::join!(relaying, working);
        });
        NativeWorker { stop: Mutex::new(Some(stop)), ended: running.map(drop).boxed().shared() }
    }
}

#[napi]
impl NativeWorker {
    /// Takes no more jobs, and comes back when those that run are done.
    #[napi]
    pub fn stop<'env>(&self, env: &'env Env) -> napi::Result<PromiseRaw<'env, ()>> {
        // What is dropped is heard as what is sent.
        self.stop.lock().unwrap_or_else(PoisonError::into_inner).take();
        let ended = self.ended.clone();
        promise(env, ended.map(Ok))
    }
}

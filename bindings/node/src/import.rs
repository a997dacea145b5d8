//! Importing contacts from bytes that the host hands over piece by piece.

use std::collections::BTreeMap;

use crm_core::contacts::formats::{ImportFormat, ReadOptions};
use crm_core::contacts::import::{Import, ImportOptions, OnConflict};
use crm_core::{Error, Result, Session};
use napi::bindgen_prelude::{Env, PromiseRaw, spawn};
use napi_derive::napi;
use serde::Deserialize;
use serde_json::json;
use tokio::sync::{mpsc, oneshot};

use crate::crossing::{parsed, promise, text};

/// How a file is imported, as the host says it.
#[derive(Deserialize)]
#[serde(deny_unknown_fields, default)]
#[derive(Default)]
struct Asked {
    format: Option<String>,
    on_conflict: OnConflict,
    dry_run: bool,
    source: Option<String>,
    map: BTreeMap<String, String>,
    delimiter: Option<char>,
}

impl TryFrom<Asked> for ImportOptions {
    type Error = Error;

    fn try_from(asked: Asked) -> Result<Self> {
        let delimiter = asked.delimiter.map(u8::try_from).transpose().map_err(|_| {
            Error::invalid_field(
                "delimiter",
                "invalid_delimiter",
                "a delimiter is one ASCII character",
            )
        })?;
        Ok(ImportOptions {
            format: asked.format.as_deref().map(str::parse::<ImportFormat>).transpose()?,
            read: ReadOptions { map: asked.map.into_iter().collect(), delimiter },
            on_conflict: asked.on_conflict,
            dry_run: asked.dry_run,
            source: asked.source,
        })
    }
}

/// What the host asks of an import, and where the answer goes.
enum Order {
    Push(Vec<u8>),
    Finish,
    Stop,
}

type Asking = (Order, oneshot::Sender<Result<String>>);

/// An import that goes on. It lives in a task of its own, since it borrows its session.
#[napi]
pub struct NativeImport {
    orders: mpsc::UnboundedSender<Asking>,
}

impl NativeImport {
    pub(crate) fn begin(session: Session, options: &str) -> Result<Self> {
        let named = |error: Error| error.in_operation("contacts.import");
        let asked: Asked = parsed(options).map_err(named)?;
        let options = ImportOptions::try_from(asked).map_err(named)?;
        session.contacts().import(options.clone())?;
        let (orders, mut asked) = mpsc::unbounded_channel::<Asking>();
        spawn(async move {
            let contacts = session.contacts();
            // It was begun once already, so that a refusal is told at once.
            let Ok(mut import) = contacts.import(options) else { return };
            while let Some((order, answer)) = asked.recv().await {
                // Who has stopped waiting needs no answer.
                let _ = answer.send(follow(&mut import, order).await);
            }
        });
        Ok(NativeImport { orders })
    }

    fn order<'env>(&self, env: &'env Env, order: Order) -> napi::Result<PromiseRaw<'env, String>> {
        let (answer, answered) = oneshot::channel();
        let sent = self.orders.send((order, answer));
        promise(env, async move {
            sent.map_err(|_| Error::internal("the import has ended by itself"))?;
            answered.await.map_err(|_| Error::internal("the import has ended in a panic"))?
        })
    }
}

async fn follow(import: &mut Import<'_>, order: Order) -> Result<String> {
    match order {
        Order::Push(bytes) => {
            import.push(&bytes).await?;
            let so_far = import.report();
            text(&json!({
                "created": so_far.created, "updated": so_far.updated,
                "skipped": so_far.skipped, "failed": so_far.failed,
            }))
        }
        Order::Finish => text(&import.finish().await?),
        Order::Stop => text(&import.stop().await?),
    }
}

#[napi]
impl NativeImport {
    /// Takes the next bytes; how many rows came to what so far, as JSON.
    #[napi]
    pub fn push<'env>(
        &self,
        env: &'env Env,
        bytes: &[u8],
    ) -> napi::Result<PromiseRaw<'env, String>> {
        self.order(env, Order::Push(bytes.to_vec()))
    }

    /// Ends the file; the report as JSON.
    #[napi]
    pub fn finish<'env>(&self, env: &'env Env) -> napi::Result<PromiseRaw<'env, String>> {
        self.order(env, Order::Finish)
    }

    /// Leaves the rest of the file; the report of what was read as JSON.
    #[napi]
    pub fn stop<'env>(&self, env: &'env Env) -> napi::Result<PromiseRaw<'env, String>> {
        self.order(env, Order::Stop)
    }
}

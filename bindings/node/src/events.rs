//! Following the events of a tenant.

use std::sync::Arc;

use crm_core::events::{Batch, Delivery, GroupReader, RecordedEvent, Subscription};
use crm_core::operations::{self, FollowedEvent, position_text};
use crm_core::{Error, ErrorKind, Result, Session};
use napi::bindgen_prelude::{Env, PromiseRaw};
use napi_derive::napi;
use serde::Serialize;
use tokio::sync::{Mutex, Notify};

use crate::crm::Open;
use crate::crossing::{promise, text};
use crate::session::NativeSession;

/// Deliveries on their way: what one read has brought.
#[derive(Serialize)]
struct Delivered {
    /// Where the log goes on, where events before it are missing.
    reset: Option<String>,
    events: Vec<FollowedEvent>,
}

fn followed(events: impl IntoIterator<Item = RecordedEvent>) -> Result<Vec<FollowedEvent>> {
    events.into_iter().map(FollowedEvent::try_from).collect()
}

/// Ends a wait, once and for all.
#[derive(Clone)]
struct End {
    open: Arc<Open>,
    told: Arc<Notify>,
}

impl End {
    fn new(open: &Arc<Open>) -> Self {
        End { open: Arc::clone(open), told: Arc::default() }
    }

    /// What `work` comes to; nothing where the end is first.
    async fn or<T>(&self, work: impl Future<Output = Result<T>>) -> Result<Option<T>> {
        tokio::select! {
            biased;
            () = self.told.notified() => {
                self.told.notify_one();
                Ok(None)
            }
            () = self.open.closed() => Ok(None),
            done = work => done.map(Some),
        }
    }
}

/// A subscription of the core.
#[napi]
pub struct NativeSubscription {
    reader: Arc<Mutex<Subscription>>,
    end: End,
}

impl NativeSubscription {
    pub(crate) async fn begin(open: &Arc<Open>, session: &Session, after: &str) -> Result<Self> {
        let named = |error: Error| error.in_operation("events.subscribe");
        open.crm("events.subscribe")?;
        let after = operations::after(after).map_err(named)?;
        let reader = session.events().subscribe(after).await?;
        Ok(NativeSubscription { reader: Arc::new(Mutex::new(reader)), end: End::new(open) })
    }
}

#[napi]
impl NativeSubscription {
    /// The next deliveries as JSON, as soon as there is one; null at the end.
    #[napi]
    pub fn next<'env>(&self, env: &'env Env) -> napi::Result<PromiseRaw<'env, Option<String>>> {
        let (reader, end) = (Arc::clone(&self.reader), self.end.clone());
        promise(env, async move {
            let mut reader = reader.lock().await;
            let Some(first) = end.or(reader.next()).await? else { return Ok(None) };
            let mut delivered = Delivered { reset: None, events: Vec::new() };
            match first {
                Delivery::Event(recorded) => delivered.events.push(recorded.try_into()?),
                Delivery::Reset(position) => delivered.reset = Some(position_text(position)),
            }
            delivered.events.extend(followed(reader.read_already().filter_map(Delivery::event))?);
            text(&delivered).map(Some)
        })
    }

    /// Ends it, also for who waits.
    #[napi]
    pub fn close(&self) {
        self.end.told.notify_one();
    }
}

/// A reader of a group of the core.
#[napi]
pub struct NativeGroup {
    reader: Arc<Mutex<GroupReader>>,
    end: End,
}

impl NativeGroup {
    pub(crate) async fn begin(
        open: Arc<Open>,
        session: &Session,
        name: &str,
        otherwise: &str,
    ) -> Result<Self> {
        let named = |error: Error| error.in_operation("events.group");
        open.crm("events.group")?;
        let otherwise = operations::after(otherwise).map_err(named)?;
        let reader = session.events().group(name.parse().map_err(named)?, otherwise).await?;
        Ok(NativeGroup { reader: Arc::new(Mutex::new(reader)), end: End::new(&open) })
    }
}

#[napi]
impl NativeGroup {
    /// The next batch, as soon as there is one; null at the end.
    #[napi]
    pub fn next<'env>(
        &self,
        env: &'env Env,
    ) -> napi::Result<PromiseRaw<'env, Option<NativeBatch>>> {
        let (reader, end) = (Arc::clone(&self.reader), self.end.clone());
        promise(env, async move {
            let Some(batch) = end.or(reader.lock().await.next()).await? else { return Ok(None) };
            let events = text(&followed(batch.events().iter().cloned())?)?;
            Ok(Some(NativeBatch {
                events,
                incomplete: batch.is_incomplete(),
                open: Arc::clone(&end.open),
                session: batch.session().clone(),
                batch: Arc::new(Mutex::new(Some(batch))),
            }))
        })
    }

    /// Ends it, also for who waits.
    #[napi]
    pub fn close(&self) {
        self.end.told.notify_one();
    }
}

/// A batch of the core.
#[napi]
pub struct NativeBatch {
    events: String,
    incomplete: bool,
    open: Arc<Open>,
    session: Session,
    batch: Arc<Mutex<Option<Batch>>>,
}

#[napi]
impl NativeBatch {
    /// The events as JSON.
    #[napi(getter)]
    pub fn events(&self) -> &str {
        &self.events
    }

    /// Whether events before these are missing.
    #[napi(getter)]
    pub fn incomplete(&self) -> bool {
        self.incomplete
    }

    /// The session whose first write moves the group past the batch.
    #[napi]
    pub fn session(&self) -> NativeSession {
        NativeSession::new(Arc::clone(&self.open), self.session.clone())
    }

    /// Moves the group past the batch.
    #[napi]
    pub fn done<'env>(&self, env: &'env Env) -> napi::Result<PromiseRaw<'env, ()>> {
        let batch = Arc::clone(&self.batch);
        promise(env, async move {
            let batch = batch.lock().await.take().ok_or_else(|| {
                Error::new(ErrorKind::Conflict, "the batch is done").in_operation("events.group")
            })?;
            batch.done().await
        })
    }
}

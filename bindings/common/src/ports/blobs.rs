//! A place for blobs that a host has.

use std::ops::Range;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use bytes::Bytes;
use crm_core::blobs::{BlobKey, Blobs, ByteStream};
use crm_core::{Error, Result};
use futures::{StreamExt as _, stream};
use tokio::sync::{Notify, watch};
use tokio::time;

use super::door::Door;
use super::host::{Host, HostError};
use super::value::{HostStream, HostValue};
use super::{LARGEST, TimeLimits};

/// A place of the host's. Bytes pass piece by piece in both directions.
#[derive(Debug)]
pub struct HostBlobs {
    door: Door,
}

impl HostBlobs {
    /// A place.
    ///
    /// # Errors
    ///
    /// `invalid` where the host has not all of `put`, `get` and `delete`.
    pub fn new(host: Arc<dyn Host>, limits: TimeLimits) -> Result<Self> {
        Ok(HostBlobs { door: Door::new(host, "blobs", limits, &["put", "get", "delete"])? })
    }
}

#[async_trait]
impl Blobs for HostBlobs {
    async fn put(&self, key: &BlobKey, bytes: ByteStream) -> Result<()> {
        let upload = Arc::new(Upload::default());
        // Whatever happens here, the host cannot take what it has by then for the whole.
        let _given_up = GivenUp(Arc::clone(&upload));
        let arguments = vec![
            ("key", key.as_str().into()),
            ("chunks", HostValue::Stream(Arc::clone(&upload).hand_out(bytes))),
        ];
        let mut call = Box::pin(self.door.call_unlimited("put", arguments));
        let (asked, limit) = (self.door.asked("put"), self.door.limits.call);
        let answer = loop {
            tokio::select! {
                answer = &mut call => break answer,
                () = upload.moved.notified() => {}
                () = time::sleep(limit) => {
                    // The time that our own bytes take is not the host's.
                    if !upload.reading.load(Ordering::SeqCst) {
                        return Err(asked.failed(HostError::late(), limit).error);
                    }
                }
            }
        };
        match upload.end() {
            // What the host has made of it does not matter: it was told.
            Some(End::Broken(error)) => Err(error),
            Some(End::Whole) => answer.map(drop).map_err(Error::from),
            None => {
                answer?;
                Err(asked.wrong("", "it has returned before it had read all chunks"))
            }
        }
    }

    async fn get(&self, key: &BlobKey, range: Range<u64>) -> Result<ByteStream> {
        let number = |place: u64| i64::try_from(place).ok().filter(|place| *place <= LARGEST);
        let arguments = vec![
            ("key", key.as_str().into()),
            ("start", HostValue::Integer(number(range.start).unwrap_or(LARGEST))),
            ("end", number(range.end).map_or(HostValue::Null, HostValue::Integer)),
        ];
        let chunks = self.door.call("get", arguments).await?.stream()?;
        let asked = self.door.asked("get");
        let mut left = range.end.saturating_sub(range.start);
        let bytes = self.door.bytes("get", chunks).await?;
        Ok(bytes
            .map(move |chunk| {
                let chunk = chunk?;
                left = left
                    .checked_sub(chunk.len() as u64)
                    .ok_or_else(|| asked.wrong("", "more bytes than were asked for"))?;
                Ok(chunk)
            })
            .boxed())
    }

    async fn delete(&self, key: &BlobKey) -> Result<()> {
        self.door.call("delete", vec![("key", key.as_str().into())]).await?;
        Ok(())
    }

    async fn check(&self) -> Result<()> {
        if self.door.has("check") {
            self.door.call("check", Vec::new()).await?;
        }
        Ok(())
    }
}

/// Bytes on their way to the host.
struct Upload {
    /// The host has asked for a piece, or was given one.
    moved: Notify,
    /// Whether a piece is waited for that we have to bring.
    reading: AtomicBool,
    end: Mutex<Option<End>>,
    given_up: watch::Sender<bool>,
}

enum End {
    Whole,
    Broken(Error),
}

impl Default for Upload {
    fn default() -> Self {
        Upload {
            moved: Notify::new(),
            reading: AtomicBool::new(false),
            end: Mutex::new(None),
            given_up: watch::Sender::new(false),
        }
    }
}

/// Gives the upload up where it is dropped.
struct GivenUp(Arc<Upload>);

impl Drop for GivenUp {
    fn drop(&mut self) {
        self.0.given_up.send_replace(true);
    }
}

/// As long as a piece is waited for.
struct Reading<'u>(&'u Upload);

impl<'u> Reading<'u> {
    fn begin(upload: &'u Upload) -> Self {
        upload.reading.store(true, Ordering::SeqCst);
        upload.moved.notify_one();
        Reading(upload)
    }
}

impl Drop for Reading<'_> {
    fn drop(&mut self) {
        self.0.reading.store(false, Ordering::SeqCst);
        self.0.moved.notify_one();
    }
}

impl Upload {
    fn end(&self) -> Option<End> {
        self.end.lock().unwrap_or_else(PoisonError::into_inner).take()
    }

    /// The bytes as the host sees them.
    fn hand_out(self: Arc<Self>, bytes: ByteStream) -> HostStream {
        stream::unfold(Some((self, bytes)), |state| async {
            let (upload, mut bytes) = state?;
            match upload.next(&mut bytes).await {
                Ok(Some(piece)) => Some((Ok(HostValue::Bytes(piece)), Some((upload, bytes)))),
                Ok(None) => None,
                Err(error) => Some((Err(error), None)),
            }
        })
        .boxed()
    }

    async fn next(&self, bytes: &mut ByteStream) -> Result<Option<Bytes>, HostError> {
        let mut given_up = self.given_up.subscribe();
        let piece = {
            let _reading = Reading::begin(self);
            tokio::select! {
                biased;
                _ = given_up.wait_for(|given_up| *given_up) => {
                    return Err(HostError::coded("unavailable", "the upload was given up"));
                }
                piece = bytes.next() => piece,
            }
        };
        let mut end = self.end.lock().unwrap_or_else(PoisonError::into_inner);
        match piece {
            Some(Ok(piece)) => Ok(Some(piece)),
            None => {
                *end = Some(End::Whole);
                Ok(None)
            }
            Some(Err(error)) => {
                let told = HostError::from(&error);
                *end = Some(End::Broken(error));
                Err(told)
            }
        }
    }
}

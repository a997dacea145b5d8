//! A connection whose bytes are passed on as they come.

use std::sync::Arc;

use crm_core::Error;
use napi::bindgen_prelude::{Buffer, Env, PromiseRaw, spawn};
use napi_derive::napi;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, DuplexStream, ReadHalf, WriteHalf};
use tokio::sync::{Mutex, watch};

use crate::crossing::promise;

/// Bytes that are read at once.
const PIECE: usize = 16 * 1024;

/// One connection to the routes.
#[napi]
pub struct NativePipe {
    reader: Arc<Mutex<Option<ReadHalf<DuplexStream>>>>,
    writer: Arc<Mutex<Option<WriteHalf<DuplexStream>>>>,
    closed: watch::Sender<bool>,
}

impl NativePipe {
    pub(super) fn new(stream: DuplexStream) -> Self {
        let (reader, writer) = tokio::io::split(stream);
        NativePipe {
            reader: Arc::new(Mutex::new(Some(reader))),
            writer: Arc::new(Mutex::new(Some(writer))),
            closed: watch::Sender::new(false),
        }
    }
}

#[napi]
impl NativePipe {
    /// The next bytes of the routes; null at the end.
    #[napi]
    pub fn read<'env>(&self, env: &'env Env) -> napi::Result<PromiseRaw<'env, Option<Buffer>>> {
        let reader = Arc::clone(&self.reader);
        let mut closed = self.closed.subscribe();
        promise(env, async move {
            let mut reader = reader.lock().await;
            let Some(reader) = reader.as_mut() else { return Ok(None) };
            let mut piece = Vec::with_capacity(PIECE);
            let read = tokio::select! {
                _ = closed.wait_for(|closed| *closed) => return Ok(None),
                read = reader.read_buf(&mut piece) => read,
            };
            match read {
                Ok(0) => Ok(None),
                Ok(_) => Ok(Some(Buffer::from(piece))),
                Err(error) => Err(Error::unavailable("the connection was cut off", error)),
            }
        })
    }

    /// Passes bytes on, once there is room; whether somebody still reads them.
    #[napi]
    pub fn write<'env>(
        &self,
        env: &'env Env,
        piece: &[u8],
    ) -> napi::Result<PromiseRaw<'env, bool>> {
        let writer = Arc::clone(&self.writer);
        let mut closed = self.closed.subscribe();
        let piece = piece.to_vec();
        promise(env, async move {
            let mut writer = writer.lock().await;
            let Some(writer) = writer.as_mut() else { return Ok(false) };
            Ok(tokio::select! {
                _ = closed.wait_for(|closed| *closed) => false,
                written = writer.write_all(&piece) => written.is_ok(),
            })
        })
    }

    /// The client writes nothing more.
    #[napi]
    pub fn end<'env>(&self, env: &'env Env) -> napi::Result<PromiseRaw<'env, ()>> {
        let writer = Arc::clone(&self.writer);
        promise(env, async move {
            if let Some(writer) = writer.lock().await.as_mut() {
                // Who has gone away needs no end.
                writer.shutdown().await.ok();
            }
            Ok(())
        })
    }

    /// Ends it in both directions.
    #[napi]
    pub fn close(&self) {
        self.closed.send_replace(true);
        let (reader, writer) = (Arc::clone(&self.reader), Arc::clone(&self.writer));
        spawn(async move {
            reader.lock().await.take();
            writer.lock().await.take();
        });
    }
}

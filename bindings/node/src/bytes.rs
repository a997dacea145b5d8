//! Bytes that go out piece by piece: exports and recordings.

use std::sync::Arc;

use crm_core::calls::RecordingFile;
use crm_core::contacts::ContactFilter;
use crm_core::contacts::formats::ExportFormat;
use crm_core::{Error, Result, Session};
use futures::stream::BoxStream;
use futures::{StreamExt, stream};
use napi::bindgen_prelude::{Buffer, Env, PromiseRaw, spawn};
use napi_derive::napi;
use serde::Deserialize;
use tokio::sync::{Mutex, mpsc};

use crate::crossing::promise;

/// How an export is written.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct ExportOptions {
    format: ExportFormat,
}

/// Bytes that are asked for piece by piece.
#[napi]
pub struct NativeBytes {
    pieces: Arc<Mutex<BoxStream<'static, Result<Vec<u8>>>>>,
}

impl NativeBytes {
    pub(crate) fn new(
        pieces: impl futures::Stream<Item = Result<Vec<u8>>> + Send + 'static,
    ) -> Self {
        NativeBytes { pieces: Arc::new(Mutex::new(pieces.fuse().boxed())) }
    }

    /// An export; what refuses it does so before the first piece.
    pub(crate) async fn of_export(session: Session, options: ExportOptions) -> Result<Self> {
        let (sender, mut pieces) = mpsc::channel(1);
        spawn(write(session, options.format, sender));
        let first = pieces.recv().await.transpose()?;
        let rest = stream::unfold(pieces, async |mut pieces| {
            pieces.recv().await.map(|piece| (piece, pieces))
        });
        Ok(NativeBytes::new(stream::iter(first.map(Ok)).chain(rest)))
    }
}

/// Writes an export as long as somebody takes it.
async fn write(session: Session, format: ExportFormat, pieces: mpsc::Sender<Result<Vec<u8>>>) {
    let written = async {
        let contacts = session.contacts();
        let mut export = contacts.export(format, ContactFilter::default())?;
        while let Some(piece) = export.next_bytes().await? {
            if pieces.send(Ok(piece)).await.is_err() {
                break;
            }
        }
        Ok(())
    };
    if let Err(error) = written.await {
        // Who has gone away needs no answer.
        let _ = pieces.send(Err(error)).await;
    }
}

#[napi]
impl NativeBytes {
    /// The next piece; null at the end.
    #[napi]
    pub fn next<'env>(&self, env: &'env Env) -> napi::Result<PromiseRaw<'env, Option<Buffer>>> {
        let pieces = Arc::clone(&self.pieces);
        promise(env, async move {
            let piece = pieces.lock().await.next().await.transpose()?;
            Ok(piece.map(Buffer::from))
        })
    }
}

/// A call's recording.
#[napi]
pub struct NativeRecording {
    session: Session,
    file: RecordingFile,
}

impl NativeRecording {
    pub(crate) async fn find(session: Session, call: &str) -> Result<Self> {
        let id =
            call.parse().map_err(|_| Error::not_found("call").in_operation("calls.recording"))?;
        let file = session.calls().recording(id).await?;
        Ok(NativeRecording { session, file })
    }
}

#[napi]
impl NativeRecording {
    /// What it is, e.g. `audio/x-wav`.
    #[napi(getter)]
    pub fn content_type(&self) -> &str {
        &self.file.content_type
    }

    /// How many bytes it has.
    #[napi(getter)]
    pub fn bytes(&self) -> f64 {
        // Exact below 2^53, which no recording comes near.
        self.file.bytes as f64
    }

    /// SHA-256 of the audio in hexadecimal digits.
    #[napi(getter)]
    pub fn sha256(&self) -> &str {
        &self.file.sha256
    }

    /// Hears the bytes from `start` to before `end`.
    #[napi]
    pub fn hear<'env>(
        &self,
        env: &'env Env,
        start: f64,
        end: f64,
    ) -> napi::Result<PromiseRaw<'env, NativeBytes>> {
        let (session, file) = (self.session.clone(), self.file.clone());
        promise(env, async move {
            // Numbers that are none of bytes come to the nearest that is.
            let bytes = session.calls().hear(&file, start as u64..end as u64).await?;
            Ok(NativeBytes::new(bytes.map(|piece| piece.map(Into::into))))
        })
    }
}

//! Writing, part by part.

use bytes::Bytes;
use crm_core::Result;
use crm_core::blobs::ByteStream;
use futures::StreamExt as _;
use object_store::path::Path;
use object_store::{MultipartUpload, ObjectStore, ObjectStoreExt as _, PutPayload};

use crate::failed;

/// Bytes of a part, of which one is held in memory. S3 takes 10,000 parts of at least 5 MiB, of one size but
/// for the last.
const PART: usize = 8 * 1024 * 1024;

/// Keeps what comes, whole or not at all.
pub(crate) async fn put(store: &dyn ObjectStore, path: &Path, bytes: ByteStream) -> Result<()> {
    let mut parts = Parts { bytes, piece: Bytes::new() };
    let (first, more) = parts.next().await?;
    if !more {
        return store.put(path, first).await.map(drop).map_err(failed);
    }
    let mut upload = store.put_multipart(path).await.map_err(failed)?;
    let result = write(&mut *upload, first, parts).await;
    if result.is_err() {
        // The first error is the one that helps.
        let _ = upload.abort().await;
    }
    result
}

async fn write(
    upload: &mut dyn MultipartUpload,
    first: PutPayload,
    mut parts: Parts,
) -> Result<()> {
    upload.put_part(first).await.map_err(failed)?;
    loop {
        let (part, more) = parts.next().await?;
        if part.content_length() > 0 {
            upload.put_part(part).await.map_err(failed)?;
        }
        if !more {
            return upload.complete().await.map(drop).map_err(failed);
        }
    }
}

/// A stream in parts of one size.
struct Parts {
    bytes: ByteStream,
    /// What of the last piece belongs to the next part.
    piece: Bytes,
}

impl Parts {
    /// The next part, and whether others may follow.
    async fn next(&mut self) -> Result<(PutPayload, bool)> {
        let mut part = Vec::new();
        let mut missing = PART;
        while missing > 0 {
            if self.piece.is_empty() {
                match self.bytes.next().await {
                    Some(piece) => self.piece = piece?,
                    None => return Ok((part.into_iter().collect(), false)),
                }
            }
            let next = self.piece.split_to(self.piece.len().min(missing));
            missing -= next.len();
            part.push(next);
        }
        Ok((part.into_iter().collect(), true))
    }
}

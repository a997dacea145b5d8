//! Large things that are kept outside of the store: recordings, exports.

use std::collections::BTreeMap;
use std::fmt;
use std::ops::Range;
use std::pin::Pin;
use std::sync::{Mutex, PoisonError};

use async_trait::async_trait;
use bytes::{Bytes, BytesMut};
use futures::{Stream, StreamExt as _, stream};

use crate::error::{Error, Result};

/// Bytes as they come, piece by piece.
pub type ByteStream = Pin<Box<dyn Stream<Item = Result<Bytes>> + Send>>;

/// Where large things are kept. What is given here is sealed already.
#[async_trait]
pub trait Blobs: Send + Sync + 'static {
    /// Keeps `bytes` under `key`, instead of what was there. A stream that ends with an error leaves all
    /// as it was.
    ///
    /// # Behavior
    ///
    /// - What was kept is read back, whole and in part, however large, and when it is empty.
    ///   (`a_blob_is_read_in_parts`, `a_large_blob_is_kept`, `an_empty_blob_is_a_blob`)
    /// - A stream that breaks leaves nothing behind, and what was there. (`a_broken_stream_leaves_nothing`)
    /// - What was there is replaced whole; of two who write at once one wins.
    ///   (`a_blob_is_replaced_whole`, `of_two_writers_one_is_kept_whole`)
    /// - Each key has its own blob. (`blobs_are_apart`)
    ///
    /// # Errors
    ///
    /// That of the stream; `unavailable` when the place cannot be written.
    async fn put(&self, key: &BlobKey, bytes: ByteStream) -> Result<()>;

    /// The bytes of `range`; fewer where the blob ends before.
    ///
    /// # Behavior
    ///
    /// - What was never kept is not found, whatever is asked of it. (`an_unknown_blob_is_not_found`)
    ///
    /// # Errors
    ///
    /// `not_found`; `unavailable`.
    async fn get(&self, key: &BlobKey, range: Range<u64>) -> Result<ByteStream>;

    /// Deletes a blob. One that is not there is deleted.
    ///
    /// # Behavior
    ///
    /// - A deleted blob is not found. (`a_deleted_blob_is_gone`)
    ///
    /// # Errors
    ///
    /// `unavailable`.
    async fn delete(&self, key: &BlobKey) -> Result<()>;

    /// Whether the place can be reached.
    ///
    /// # Behavior
    ///
    /// - A place that works can be. (`a_place_that_is_there_can_be_reached`)
    ///
    /// # Errors
    ///
    /// `unavailable`.
    async fn check(&self) -> Result<()>;
}

/// The name of a blob: parts of `a-z0-9-` with `/` between them. None is the beginning of another's parts, for
/// in a folder `a` cannot be a file beside `a/b`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct BlobKey(String);

impl BlobKey {
    /// The key of these parts.
    ///
    /// # Errors
    ///
    /// `internal` for a part that is empty or has other characters, which could name another place.
    pub fn new(parts: &[&str]) -> Result<Self> {
        let allowed = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-';
        if parts.is_empty()
            || parts.iter().any(|part| part.is_empty() || !part.bytes().all(allowed))
        {
            return Err(Error::internal(format!("`{}` is no key of a blob", parts.join("/"))));
        }
        Ok(BlobKey(parts.join("/")))
    }

    /// The key that was kept as this text.
    ///
    /// # Errors
    ///
    /// `internal` for a text that is no key.
    pub fn from_stored(text: &str) -> Result<Self> {
        BlobKey::new(&text.split('/').collect::<Vec<_>>())
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for BlobKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Blobs in this process's memory, gone with it: for tests, and for hosts that keep none.
#[derive(Debug, Default)]
pub struct MemoryBlobs(Mutex<BTreeMap<BlobKey, Bytes>>);

#[async_trait]
impl Blobs for MemoryBlobs {
    async fn put(&self, key: &BlobKey, mut bytes: ByteStream) -> Result<()> {
        let mut whole = BytesMut::new();
        while let Some(piece) = bytes.next().await {
            whole.extend_from_slice(&piece?);
        }
        let mut blobs = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        blobs.insert(key.clone(), whole.freeze());
        Ok(())
    }

    async fn get(&self, key: &BlobKey, range: Range<u64>) -> Result<ByteStream> {
        let blobs = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let blob = blobs.get(key).ok_or_else(|| Error::not_found("blob"))?;
        let at = |place: u64| usize::try_from(place).unwrap_or(usize::MAX).min(blob.len());
        let (start, end) = (at(range.start), at(range.end));
        let part = blob.slice(start.min(end)..end);
        Ok(Box::pin(stream::iter([Ok(part)])))
    }

    async fn delete(&self, key: &BlobKey) -> Result<()> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).remove(key);
        Ok(())
    }

    async fn check(&self) -> Result<()> {
        Ok(())
    }
}

//! Blobs in memory with a fault each.

use std::ops::Range;
use std::sync::Mutex;

use async_trait::async_trait;
use bytes::Bytes;
use crm_conformance::{BlobsFactory, Configuration, FreshBlobs};
use crm_core::blobs::{BlobKey, Blobs, ByteStream, MemoryBlobs};
use crm_core::{Error, ErrorKind, Result};
use futures::{StreamExt as _, TryStreamExt as _, stream};

/// What is wrong with the place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fault {
    /// Nothing: the wrapper itself is right.
    None,
    /// A part has one byte too many.
    IncludesEnds,
    /// What exceeds some size is cut off.
    CutsLargeBlobs,
    /// An empty blob is none.
    ForgetsEmptyBlobs,
    /// What was there stays in front.
    Appends,
    /// What came before the stream broke is kept.
    KeepsBrokenStreams,
    /// What is not there is empty.
    InventsBlobs,
    /// The last part of a key alone counts.
    CutsKeys,
    /// Those who write at once share a buffer.
    MixesWriters,
    /// Deleting does nothing.
    KeepsDeleted,
    /// Deleting what is not there fails.
    MissesDeleted,
    /// The place is said to be unreachable.
    NeverThere,
}

const CAUGHT_BY: &[(&str, Fault)] = &[
    ("a_blob_is_read_in_parts", Fault::IncludesEnds),
    ("a_large_blob_is_kept", Fault::CutsLargeBlobs),
    ("an_empty_blob_is_a_blob", Fault::ForgetsEmptyBlobs),
    ("a_blob_is_replaced_whole", Fault::Appends),
    ("a_broken_stream_leaves_nothing", Fault::KeepsBrokenStreams),
    ("an_unknown_blob_is_not_found", Fault::InventsBlobs),
    ("blobs_are_apart", Fault::CutsKeys),
    ("of_two_writers_one_is_kept_whole", Fault::MixesWriters),
    ("a_deleted_blob_is_gone", Fault::KeepsDeleted),
    ("a_deleted_blob_is_gone", Fault::MissesDeleted),
    ("a_place_that_is_there_can_be_reached", Fault::NeverThere),
];

struct Planted {
    inner: MemoryBlobs,
    fault: Fault,
    shared: Mutex<Vec<Bytes>>,
}

impl Planted {
    fn key(&self, key: &BlobKey) -> BlobKey {
        let last = key.as_str().rsplit('/').next().unwrap();
        if self.fault == Fault::CutsKeys { BlobKey::new(&[last]).unwrap() } else { key.clone() }
    }

    async fn whole(&self, key: &BlobKey) -> Vec<Bytes> {
        match self.inner.get(key, 0..u64::MAX).await {
            Ok(blob) => blob.try_collect().await.unwrap(),
            Err(_) => Vec::new(),
        }
    }

    async fn keep(&self, key: &BlobKey, pieces: Vec<Bytes>) -> Result<()> {
        self.inner.put(key, stream::iter(pieces.into_iter().map(Ok)).boxed()).await
    }
}

#[async_trait]
impl Blobs for Planted {
    async fn put(&self, key: &BlobKey, mut bytes: ByteStream) -> Result<()> {
        let key = self.key(key);
        let mut pieces = Vec::new();
        if self.fault == Fault::Appends {
            pieces = self.whole(&key).await;
        }
        let mixes = self.fault == Fault::MixesWriters;
        while let Some(piece) = bytes.next().await {
            match piece {
                Ok(piece) if mixes => {
                    self.shared.lock().unwrap().push(piece);
                    tokio::task::yield_now().await;
                }
                Ok(piece) => pieces.push(piece),
                Err(error) => {
                    if self.fault == Fault::KeepsBrokenStreams {
                        self.keep(&key, pieces).await?;
                    }
                    return Err(error);
                }
            }
        }
        if mixes {
            pieces = self.shared.lock().unwrap().clone();
        }
        if self.fault == Fault::CutsLargeBlobs {
            pieces = vec![pieces.concat().into_iter().take(1 << 20).collect()];
        }
        if self.fault == Fault::ForgetsEmptyBlobs && pieces.concat().is_empty() {
            return Ok(());
        }
        self.keep(&key, pieces).await
    }

    async fn get(&self, key: &BlobKey, range: Range<u64>) -> Result<ByteStream> {
        let more = u64::from(self.fault == Fault::IncludesEnds);
        let range = range.start..range.end.saturating_add(more);
        match self.inner.get(&self.key(key), range).await {
            Err(error)
                if self.fault == Fault::InventsBlobs && error.kind() == ErrorKind::NotFound =>
            {
                Ok(stream::empty().boxed())
            }
            result => result,
        }
    }

    async fn delete(&self, key: &BlobKey) -> Result<()> {
        let key = self.key(key);
        match self.fault {
            Fault::KeepsDeleted => Ok(()),
            Fault::MissesDeleted => {
                drop(self.inner.get(&key, 0..1).await?);
                self.inner.delete(&key).await
            }
            _ => self.inner.delete(&key).await,
        }
    }

    async fn check(&self) -> Result<()> {
        if self.fault == Fault::NeverThere {
            return Err(Error::unavailable("planted", "planted"));
        }
        self.inner.check().await
    }
}

struct With(Fault);

#[async_trait]
impl BlobsFactory for With {
    async fn fresh(&self) -> Result<FreshBlobs> {
        let (inner, shared) = (MemoryBlobs::default(), Mutex::default());
        Ok(FreshBlobs::new(Planted { inner, fault: self.0, shared }))
    }
}

#[test]
fn every_case_of_blobs_catches_its_fault() {
    let faults: Vec<(&str, Configuration)> = CAUGHT_BY
        .iter()
        .map(|(case, fault)| (*case, Configuration::blobs("planted", With(*fault))))
        .collect();
    crate::every_fault_is_caught(&Configuration::blobs("planted", With(Fault::None)), &faults);
}

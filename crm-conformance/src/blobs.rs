//! Places for blobs.

use std::ops::Range;

use bytes::Bytes;
use crm_core::blobs::{BlobKey, ByteStream};
use crm_core::{Error, ErrorKind, Result};
use futures::{StreamExt as _, TryStreamExt as _, stream};

use crate::case::cases;
use crate::env::{BlobsEnv, refused};

fn key(text: &str) -> BlobKey {
    BlobKey::from_stored(text).unwrap()
}

/// Bytes that differ from place to place.
fn sample(len: usize) -> Bytes {
    (0..len).map(|at| (at % 251) as u8).collect()
}

/// The bytes in uneven pieces, some of them empty.
fn pieces(bytes: &Bytes) -> ByteStream {
    let mut rest = bytes.clone();
    let mut len = 0;
    Box::pin(stream::iter(std::iter::from_fn(move || {
        len = (len * 7 + 1) % 100_003;
        let some = !rest.is_empty();
        some.then(|| Ok(rest.split_to(rest.len().min(len - len % 3))))
    })))
}

/// The same, and then an error.
fn breaking(bytes: &Bytes) -> ByteStream {
    let error = Error::unavailable("broken on purpose", "broken on purpose");
    Box::pin(pieces(bytes).chain(stream::iter([Err(error)])))
}

impl BlobsEnv {
    async fn put(&self, key: &BlobKey, bytes: &Bytes) {
        self.blobs.put(key, pieces(bytes)).await.unwrap();
    }

    async fn read(&self, key: &BlobKey, range: Range<u64>) -> Result<Vec<u8>> {
        let pieces: Vec<Bytes> = self.blobs.get(key, range).await?.try_collect().await?;
        Ok(pieces.concat())
    }

    async fn whole(&self, key: &BlobKey) -> Result<Vec<u8>> {
        self.read(key, 0..u64::MAX).await
    }
}

/// More than adapters send in one request.
const LARGE: usize = 20 * 1024 * 1024 + 7;

cases! {
    async fn a_blob_is_read_in_parts(env: &BlobsEnv) {
        let (key, bytes) = (key("tenant/recording-1"), sample(100_000));
        env.put(&key, &bytes).await;
        assert!(env.whole(&key).await.unwrap() == bytes);
        for range in [0..1, 0..100_000, 99_999..100_000, 1_000..70_000, 65_536..65_537] {
            let part = &bytes[range.start as usize..range.end as usize];
            assert!(env.read(&key, range.clone()).await.unwrap() == part, "{range:?}");
        }
        assert!(env.read(&key, 99_000..200_000).await.unwrap() == bytes[99_000..]);
        for range in [0..0, 5..5, 100_000..100_001, 200_000..300_000, 100_000..u64::MAX] {
            assert_eq!(env.read(&key, range.clone()).await.unwrap(), b"", "{range:?}");
        }
    }

    async fn a_large_blob_is_kept(env: &BlobsEnv) {
        let (key, bytes) = (key("large"), sample(LARGE));
        env.put(&key, &bytes).await;
        assert!(env.whole(&key).await.unwrap() == bytes);
        let (start, end) = (LARGE - 1_000_000, LARGE - 10);
        let part = env.read(&key, start as u64..end as u64).await.unwrap();
        assert!(part == bytes[start..end]);
    }

    async fn an_empty_blob_is_a_blob(env: &BlobsEnv) {
        let key = key("empty");
        env.put(&key, &Bytes::new()).await;
        assert_eq!(env.whole(&key).await.unwrap(), b"");
        assert_eq!(env.read(&key, 0..10).await.unwrap(), b"");
    }

    async fn a_blob_is_replaced_whole(env: &BlobsEnv) {
        let key = key("tenant/recording-1");
        for len in [1_000, LARGE, 10] {
            let bytes = sample(len);
            env.put(&key, &bytes).await;
            assert!(env.whole(&key).await.unwrap() == bytes);
        }
    }

    async fn a_broken_stream_leaves_nothing(env: &BlobsEnv) {
        let (new, old) = (key("new"), key("old"));
        env.put(&old, &sample(10)).await;
        for len in [0, 1_000, LARGE] {
            let bytes = sample(len);
            for key in [&new, &old] {
                refused(env.blobs.put(key, breaking(&bytes)).await, ErrorKind::Unavailable);
            }
            refused(env.whole(&new).await, ErrorKind::NotFound);
            assert!(env.whole(&old).await.unwrap() == sample(10));
        }
        env.put(&new, &sample(5)).await;
        assert!(env.whole(&new).await.unwrap() == sample(5));
    }

    async fn an_unknown_blob_is_not_found(env: &BlobsEnv) {
        env.put(&key("known/one"), &sample(10)).await;
        for unknown in ["unknown", "known/two", "known/on"] {
            for range in [0..10, 0..0, 5..u64::MAX] {
                refused(env.read(&key(unknown), range).await, ErrorKind::NotFound);
            }
        }
    }

    async fn blobs_are_apart(env: &BlobsEnv) {
        let keys = ["a/b", "a/bc", "a-b", "b/a", "a/c/b"].map(key);
        for (len, key) in (1..).zip(&keys) {
            env.put(key, &sample(len)).await;
        }
        env.blobs.delete(&keys[0]).await.unwrap();
        refused(env.whole(&keys[0]).await, ErrorKind::NotFound);
        for (len, key) in (1..).zip(&keys).skip(1) {
            assert!(env.whole(key).await.unwrap() == sample(len), "{key}");
        }
    }

    async fn of_two_writers_one_is_kept_whole(env: &BlobsEnv) {
        let key = key("tenant/recording-1");
        let (short, long) = (sample(LARGE / 2), sample(LARGE));
        let both = futures::join!(
            env.blobs.put(&key, pieces(&short)),
            env.blobs.put(&key, pieces(&long)),
        );
        assert!(both.0.is_ok() && both.1.is_ok(), "{both:?}");
        let kept = env.whole(&key).await.unwrap();
        assert!(kept == short || kept == long);
    }

    async fn a_deleted_blob_is_gone(env: &BlobsEnv) {
        let key = key("tenant/recording-1");
        env.blobs.delete(&key).await.unwrap();
        env.put(&key, &sample(10)).await;
        for _ in 0..2 {
            env.blobs.delete(&key).await.unwrap();
            refused(env.whole(&key).await, ErrorKind::NotFound);
        }
        env.put(&key, &sample(5)).await;
        assert!(env.whole(&key).await.unwrap() == sample(5));
    }

    async fn a_place_that_is_there_can_be_reached(env: &BlobsEnv) {
        env.blobs.check().await.unwrap();
        env.put(&key("one"), &sample(10)).await;
        env.blobs.check().await.unwrap();
    }
}

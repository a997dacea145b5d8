//! Places for blobs that hang, stop reading, or give too much.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use crm_core::ErrorKind;
use crm_core::blobs::{BlobKey, Blobs as _};
use crm_embed::ports::{
    Arguments, Host, HostBlobs, HostError, HostStream, HostValue, TimeLimits, raised,
};
use futures::{StreamExt as _, TryStreamExt as _, stream};
use tokio::time;

use crate::hosts::Given;
use crate::scripted::{Exception, Scripted};

fn key() -> BlobKey {
    BlobKey::new(&["tenant", "recording"]).unwrap()
}

fn blobs(host: Arc<dyn Host>) -> HostBlobs {
    HostBlobs::new(host, TimeLimits::default()).unwrap()
}

/// Reads so many pieces, one a `pace`, and then does what it is told to.
struct Reader {
    pieces: usize,
    pace: Duration,
    then: Then,
    left: Mutex<Option<HostStream>>,
}

enum Then {
    Return,
    Hang,
}

#[async_trait]
impl Host for Reader {
    async fn call(&self, _: &'static str, arguments: Arguments) -> Result<HostValue, HostError> {
        let HostValue::Stream(mut chunks) = Given::new(arguments).take("chunks") else { panic!() };
        for _ in 0..self.pieces {
            time::sleep(self.pace).await;
            if chunks.next().await.is_none() {
                break;
            }
        }
        *self.left.lock().unwrap() = Some(chunks);
        match self.then {
            Then::Return => Ok(HostValue::Null),
            Then::Hang => std::future::pending().await,
        }
    }

    fn call_now(&self, _: &'static str, _: Arguments, _: Duration) -> Result<HostValue, HostError> {
        panic!("no method of blobs is called so")
    }

    fn has(&self, _: &str) -> bool {
        true
    }
}

fn reader(pieces: usize, pace: u64, then: Then) -> Arc<Reader> {
    Arc::new(Reader { pieces, pace: Duration::from_secs(pace), then, left: Mutex::default() })
}

fn pieces(count: usize) -> crm_core::blobs::ByteStream {
    stream::iter((0..count).map(|_| Ok(Bytes::from_static(b"piece")))).boxed()
}

#[tokio::test(start_paused = true)]
async fn a_slow_host_may_take_as_long_as_it_reads() {
    blobs(reader(100, 20, Then::Return)).put(&key(), pieces(50)).await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn the_time_that_our_bytes_take_is_not_the_hosts() {
    let slow = pieces(3).then(|piece| async {
        time::sleep(Duration::from_secs(600)).await;
        piece
    });
    blobs(reader(100, 0, Then::Return)).put(&key(), slow.boxed()).await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_host_that_stops_reading_is_given_up_and_cannot_go_on() {
    let host = reader(3, 0, Then::Hang);
    let error = blobs(host.clone()).put(&key(), pieces(50)).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unavailable);
    assert_eq!(error.message(), "`put` of the host's blobs has not answered within 30s");
    let mut left = host.left.lock().unwrap().take().unwrap();
    let told = left.next().await.unwrap().unwrap_err();
    assert_eq!(told.code.as_deref(), Some("unavailable"));
    assert!(left.next().await.is_none());
}

#[tokio::test(start_paused = true)]
async fn an_upload_that_nobody_waits_for_is_given_up() {
    let host = reader(3, 0, Then::Hang);
    let blobs = blobs(host.clone());
    let put = time::timeout(Duration::from_secs(1), blobs.put(&key(), pieces(50))).await;
    assert!(put.is_err());
    let mut left = host.left.lock().unwrap().take().unwrap();
    left.next().await.unwrap().unwrap_err();
}

#[tokio::test]
async fn a_host_that_has_not_read_all_has_kept_nothing() {
    let error = blobs(reader(3, 0, Then::Return)).put(&key(), pieces(4)).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Internal);
    assert!(error.message().contains("before it had read all"), "{error}");
}

#[tokio::test]
async fn a_stream_that_breaks_is_told_even_where_the_host_takes_it_for_the_end() {
    let broken = || Err(crm_core::Error::unavailable("the carrier is away", Exception(1)));
    let broken = pieces(2).chain(stream::iter([broken()])).boxed();
    let error = blobs(reader(100, 0, Then::Return)).put(&key(), broken).await.unwrap_err();
    assert_eq!(error.message(), "the carrier is away");
    assert_eq!(raised(&error), Some(&Exception(1)));
}

#[tokio::test]
async fn more_than_was_asked_for_is_wrong() {
    let host = Scripted::answering(|_| Ok(HostValue::Bytes("0123456789".into())));
    let read = blobs(host.clone()).get(&key(), 0..10).await.unwrap();
    assert_eq!(read.try_collect::<Vec<_>>().await.unwrap(), ["0123456789"]);
    let read = blobs(host).get(&key(), 0..9).await.unwrap();
    let error = read.try_collect::<Vec<_>>().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Internal);
    let text = Scripted::answering(|_| {
        Ok(HostValue::Stream(stream::iter([Ok(HostValue::Text("text".into()))]).boxed()))
    });
    let error = blobs(text).get(&key(), 0..9).await.err().unwrap();
    assert!(error.message().ends_with("expected bytes from the iterator, found text"), "{error}");
}

/// Pieces that are in memory.
#[derive(Default)]
struct Live {
    now: AtomicUsize,
    most: AtomicUsize,
}

struct Piece(Vec<u8>, Arc<Live>);

impl AsRef<[u8]> for Piece {
    fn as_ref(&self) -> &[u8] {
        &self.0
    }
}

impl Drop for Piece {
    fn drop(&mut self) {
        self.1.now.fetch_sub(1, Ordering::SeqCst);
    }
}

#[tokio::test]
async fn a_large_upload_passes_piece_by_piece() {
    let live = Arc::new(Live::default());
    let source = Arc::clone(&live);
    let pieces = stream::iter(0..200).map(move |_| {
        let now = source.now.fetch_add(1, Ordering::SeqCst) + 1;
        source.most.fetch_max(now, Ordering::SeqCst);
        Ok(Bytes::from_owner(Piece(vec![7; 1024 * 1024], Arc::clone(&source))))
    });
    blobs(reader(1000, 0, Then::Return)).put(&key(), pieces.boxed()).await.unwrap();
    assert_eq!(live.most.load(Ordering::SeqCst), 1);
}

//! What is on the disk, and in memory meanwhile.

#![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]

use std::fs;
use std::path::{Path, PathBuf};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use bytes::Bytes;
use crm_blobs::ObjectBlobs;
use crm_core::blobs::{BlobKey, Blobs as _, ByteStream};
use crm_core::{Error, ErrorKind, Result};
use futures::{StreamExt as _, stream};

fn key() -> BlobKey {
    BlobKey::new(&["tenant", "call", "recording"]).unwrap()
}

/// All that is in a folder, itself among it.
fn everything(folder: &Path) -> Vec<PathBuf> {
    let mut found = vec![folder.to_owned()];
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() { found.extend(everything(&path)) } else { found.push(path) }
    }
    found
}

fn files(folder: &Path) -> Vec<PathBuf> {
    everything(folder).into_iter().filter(|path| path.is_file()).collect()
}

const PIECE: usize = 1024 * 1024;

/// The pieces that are in memory now, and were at most.
#[derive(Clone, Default)]
struct Live {
    now: Arc<AtomicUsize>,
    most: Arc<AtomicUsize>,
}

struct Counted(Vec<u8>, Live);

impl Live {
    fn piece(&self, fill: u8) -> Bytes {
        let now = self.now.fetch_add(1, Ordering::SeqCst) + 1;
        self.most.fetch_max(now, Ordering::SeqCst);
        Bytes::from_owner(Counted(vec![fill; PIECE], self.clone()))
    }
}

impl AsRef<[u8]> for Counted {
    fn as_ref(&self) -> &[u8] {
        &self.0
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        self.1.now.fetch_sub(1, Ordering::SeqCst);
    }
}

#[tokio::test]
async fn two_hundred_megabytes_pass_in_constant_memory() {
    let folder = tempfile::tempdir().unwrap();
    let blobs = ObjectBlobs::folder(folder.path()).unwrap();
    let live = Live::default();
    let source = live.clone();
    let pieces = (0..200_u8).map(move |fill| Ok(source.piece(fill)));
    blobs.put(&key(), stream::iter(pieces).boxed()).await.unwrap();
    assert_eq!(live.now.load(Ordering::SeqCst), 0);
    let most = live.most.load(Ordering::SeqCst);
    assert!((1..=16).contains(&most), "{most} pieces were in memory at once");

    let mut read = blobs.get(&key(), 0..u64::MAX).await.unwrap();
    let mut at = 0;
    while let Some(piece) = read.next().await {
        let piece = piece.unwrap();
        assert!(piece.len() <= PIECE, "a piece of {} bytes", piece.len());
        for byte in piece {
            assert_eq!(usize::from(byte), at / PIECE);
            at += 1;
        }
    }
    assert_eq!(at, 200 * PIECE);
}

#[tokio::test]
async fn a_broken_or_forgotten_stream_leaves_no_file() {
    let folder = tempfile::tempdir().unwrap();
    let blobs = ObjectBlobs::folder(folder.path()).unwrap();
    let pieces = |count: u8| (0..count).map(|fill| Ok(Bytes::from(vec![fill; PIECE])));
    for count in [0, 1, 20] {
        let broken = stream::iter([Err(Error::unavailable("broken", "broken"))]);
        let stream: ByteStream = stream::iter(pieces(count)).chain(broken).boxed();
        let error = blobs.put(&key(), stream).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Unavailable);
        assert_eq!(files(folder.path()), [""; 0].map(PathBuf::from));
    }
    // A caller who stops waiting in the middle.
    let (sent, middle) = futures::channel::oneshot::channel::<()>();
    let hanging = stream::once(async move {
        let _ = sent.send(());
        std::future::pending::<Result<Bytes>>().await
    });
    let stream: ByteStream = stream::iter(pieces(20)).chain(hanging).boxed();
    let key = key();
    let put: Pin<Box<dyn Future<Output = _> + Send>> = Box::pin(blobs.put(&key, stream));
    let put = match futures::future::select(put, middle).await {
        futures::future::Either::Left(_) => panic!("the stream has not ended"),
        futures::future::Either::Right((_, put)) => put,
    };
    assert_eq!(files(folder.path()).len(), 1, "it is being written");
    drop(put);
    // The file is deleted by a thread of the runtime.
    while !files(folder.path()).is_empty() {
        tokio::task::yield_now().await;
    }
}

#[cfg(unix)]
#[tokio::test]
async fn only_the_owner_may_look() {
    use std::os::unix::fs::PermissionsExt as _;
    let folder = tempfile::tempdir().unwrap();
    let inner = folder.path().join("new/blobs");
    fs::create_dir_all(folder.path().join("open")).unwrap();
    fs::set_permissions(folder.path().join("open"), fs::Permissions::from_mode(0o755)).unwrap();
    for root in [inner, folder.path().join("open")] {
        let blobs = ObjectBlobs::folder(&root).unwrap();
        for count in [1, 20] {
            let pieces = (0..count).map(|fill| Ok(Bytes::from(vec![fill; PIECE])));
            blobs.put(&key(), stream::iter(pieces).boxed()).await.unwrap();
            let found = everything(&root);
            assert_eq!(found.len(), 4, "{found:?}");
            for path in found {
                let mode = fs::metadata(&path).unwrap().permissions().mode() & 0o777;
                assert_eq!(mode, if path.is_dir() { 0o700 } else { 0o600 }, "{path:?}");
            }
        }
        blobs.delete(&key()).await.unwrap();
        assert_eq!(everything(&root), std::slice::from_ref(&root), "no folder is left empty");
    }
}

#[tokio::test]
async fn a_folder_that_is_gone_is_told() {
    let folder = tempfile::tempdir().unwrap();
    let blobs = ObjectBlobs::folder(folder.path()).unwrap();
    blobs.check().await.unwrap();
    fs::remove_dir(folder.path()).unwrap();
    assert_eq!(blobs.check().await.unwrap_err().kind(), ErrorKind::Unavailable);
    fs::write(folder.path(), "a file").unwrap();
    let put = blobs.put(&key(), stream::empty().boxed()).await;
    assert_eq!(put.unwrap_err().kind(), ErrorKind::Unavailable);
    assert_eq!(ObjectBlobs::folder(folder.path()).unwrap_err().kind(), ErrorKind::Unavailable);
    fs::remove_file(folder.path()).unwrap();
}

#[tokio::test]
async fn an_address_names_the_place() {
    let folder = tempfile::tempdir().unwrap();
    let url = format!("file://{}/with%20space", folder.path().display());
    let blobs = ObjectBlobs::from_url(&url).unwrap();
    blobs.put(&key(), stream::empty().boxed()).await.unwrap();
    assert!(folder.path().join("with space/tenant/call/recording").is_file());
    let refused = |url: &str| {
        let error = ObjectBlobs::from_url(url).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Invalid, "{url}");
        assert!(!error.to_string().contains("password"), "{error}");
        error.fields().first().unwrap().code.clone()
    };
    for url in [
        "blobs",
        "ftp://example.com/x",
        "file://elsewhere/x",
        "s3://key:password@bucket/x",
        "s3://bucket?secret=password",
    ] {
        assert_eq!(refused(url), "invalid_url", "{url}");
    }
    #[cfg(not(feature = "s3"))]
    assert_eq!(refused("s3://bucket/prefix"), "unsupported");
    #[cfg(not(feature = "gcs"))]
    assert_eq!(refused("gs://bucket"), "unsupported");
    #[cfg(not(feature = "azure"))]
    assert_eq!(refused("az://container"), "unsupported");
}

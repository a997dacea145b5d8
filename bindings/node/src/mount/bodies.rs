//! Bodies that come and go piece by piece.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use axum::body::{Body, Bytes, HttpBody as _};
use crm_core::{Error, Result};
use futures::{FutureExt as _, StreamExt as _, stream};
use tokio::sync::mpsc;

/// Bytes of a reply that is handed over at once, if they are there, and of a piece of a longer one.
const PIECE: usize = 64 * 1024;
/// Pieces of a request's body on their way.
const PIECES: usize = 2;

/// A request's body on its way to the CRM.
pub(super) struct Incoming {
    sender: mpsc::Sender<Bytes>,
    whole: Arc<AtomicBool>,
}

impl Incoming {
    /// It, and the body as the CRM reads it.
    pub(super) fn new() -> (Self, Body) {
        let (sender, receiver) = mpsc::channel(PIECES);
        let whole = Arc::new(AtomicBool::new(false));
        let ended = Arc::clone(&whole);
        let pieces = stream::unfold(Some(receiver), move |receiver| {
            let ended = Arc::clone(&ended);
            async move {
                let mut receiver: mpsc::Receiver<Bytes> = receiver?;
                match receiver.recv().await {
                    Some(piece) => Some((Ok(piece), Some(receiver))),
                    None if ended.load(Ordering::Acquire) => None,
                    None => Some((Err(io::Error::from(io::ErrorKind::ConnectionReset)), None)),
                }
            }
        });
        (Incoming { sender, whole }, Body::from_stream(pieces.fuse()))
    }

    pub(super) fn sender(&self) -> mpsc::Sender<Bytes> {
        self.sender.clone()
    }

    pub(super) fn end(self, whole: bool) {
        self.whole.store(whole, Ordering::Release);
    }
}

/// A reply's body, as it is made.
pub(super) struct Outgoing {
    body: Body,
    failed: Option<axum::Error>,
    /// There is nothing behind the end, and it may not be asked for.
    ended: bool,
}

impl Outgoing {
    pub(super) fn new(body: Body) -> Self {
        Outgoing { body, failed: None, ended: false }
    }

    /// What goes with the head, and whether it is all: a body that has a small end is waited for.
    pub(super) async fn first(&mut self) -> (Vec<u8>, bool) {
        let small = self.body.size_hint().exact().is_some_and(|bytes| bytes <= PIECE as u64);
        let mut piece = Vec::new();
        while !self.ended() && piece.len() < PIECE {
            let frame = self.frame();
            match if small { Some(frame.await) } else { frame.now_or_never() } {
                Some(Some(Ok(data))) => piece.extend_from_slice(&data),
                Some(Some(Err(error))) => {
                    self.failed = Some(error);
                    break;
                }
                Some(None) | None => break,
            }
        }
        (piece, self.ended())
    }

    fn ended(&self) -> bool {
        self.failed.is_none() && (self.ended || self.body.is_end_stream())
    }

    /// The next bytes; none at the end.
    pub(super) async fn next(&mut self) -> Result<Option<Vec<u8>>> {
        let frame = match self.failed.take() {
            Some(error) => Some(Err(error)),
            None => self.frame().await,
        };
        let frame = frame.transpose();
        let Some(data) =
            frame.map_err(|error| Error::unavailable("the reply was cut off", error))?
        else {
            return Ok(None);
        };
        let mut piece = data.to_vec();
        while piece.len() < PIECE && !self.ended() {
            match self.frame().now_or_never() {
                Some(Some(Ok(data))) => piece.extend_from_slice(&data),
                Some(Some(Err(error))) => {
                    self.failed = Some(error);
                    break;
                }
                Some(None) | None => break,
            }
        }
        Ok(Some(piece))
    }

    /// The next bytes; trailers are none.
    async fn frame(&mut self) -> Option<std::result::Result<Bytes, axum::Error>> {
        while !self.ended {
            let frame = std::future::poll_fn(|cx| Pin::new(&mut self.body).poll_frame(cx)).await;
            self.ended = frame.is_none();
            match frame? {
                Ok(frame) => match frame.into_data() {
                    Ok(data) => return Some(Ok(data)),
                    Err(_trailers) => {}
                },
                Err(error) => return Some(Err(error)),
            }
        }
        None
    }
}

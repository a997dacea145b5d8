//! Length and digest of a stream that passes through.

use std::sync::{Arc, Mutex, PoisonError};

use futures::{StreamExt as _, stream};

use crate::blobs::ByteStream;
use crate::error::Error;
use crate::identity::{Digest, Digester};

/// What was measured of a stream. Clones share it.
#[derive(Debug, Clone, Default)]
pub(crate) struct Measured(Arc<Mutex<Option<(u64, Digest)>>>);

impl Measured {
    /// Bytes and SHA-256; `None` where the stream has not been read to its end, or broke.
    pub(crate) fn result(&self) -> Option<(u64, Digest)> {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The same stream, which is measured while it is read. One that is longer or shorter than `expected`
/// ends with `unavailable`.
pub(crate) fn measured(source: ByteStream, expected: Option<u64>) -> (ByteStream, Measured) {
    let result = Measured::default();
    let first = (source, Digester::default(), 0_u64, result.clone());
    let stream =
        stream::try_unfold(first, move |(mut source, mut digester, len, result)| async move {
            let Some(piece) = source.next().await.transpose()? else {
                if expected.is_some_and(|expected| expected != len) {
                    return Err(differs(expected, len));
                }
                let mut result = result.0.lock().unwrap_or_else(PoisonError::into_inner);
                *result = Some((len, digester.finish()));
                return Ok(None);
            };
            let len = len.saturating_add(piece.len() as u64);
            if expected.is_some_and(|expected| expected < len) {
                return Err(differs(expected, len));
            }
            digester.update(&piece);
            Ok(Some((piece, (source, digester, len, result))))
        });
    (Box::pin(stream), result)
}

fn differs(expected: Option<u64>, len: u64) -> Error {
    let expected = expected.unwrap_or_default();
    let source = format!("{expected} bytes were promised, and {len} have come");
    Error::unavailable("a download ended with another length than promised", source)
}

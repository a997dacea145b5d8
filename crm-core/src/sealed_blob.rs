//! Sealing of blobs piece by piece, so that none is ever held whole, and any part can be read.
//!
//! A blob is a row of chunks, each of [`CHUNK`] bytes but for the last, sealed with AES-256-GCM under a
//! nonce of its place and of whether it is the last (STREAM: Hoang, Reyhanitabar, Rogaway and Vizár,
//! Online Authenticated-Encryption and its Nonce-Reuse Misuse-Resistance, 2015). A chunk that was altered,
//! moved, left out or taken from another blob does not open, for each blob has a key of its own.

mod measure;
#[cfg(test)]
mod tests;

use std::fmt;
use std::ops::Range;
use std::str::FromStr;

use aws_lc_rs::aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD as BASE64;
use bytes::{Buf as _, Bytes, BytesMut};
use futures::{StreamExt as _, stream};

pub(crate) use self::measure::measured;
use crate::blobs::ByteStream;
use crate::error::{Error, Result};

/// Plain bytes of a chunk.
const CHUNK: u64 = 64 * 1024;
/// Bytes that sealing adds to a chunk.
const TAG: u64 = 16;

/// The key of one blob. Used for one only, so that the nonces may count from zero.
pub(crate) struct StreamKey(LessSafeKey);

impl StreamKey {
    /// # Errors
    ///
    /// `internal` when the cipher refuses the key.
    pub(crate) fn new(key: &[u8; 32]) -> Result<Self> {
        UnboundKey::new(&AES_256_GCM, key)
            .map(|key| StreamKey(LessSafeKey::new(key)))
            .map_err(|error| Error::internal(error.to_string()))
    }

    fn seal(&self, place: u64, last: bool, mut chunk: BytesMut) -> Result<Bytes> {
        let sealed = self.0.seal_in_place_append_tag(nonce(place, last), Aad::empty(), &mut chunk);
        sealed.map_err(|error| Error::internal(error.to_string()))?;
        Ok(chunk.freeze())
    }

    fn open(&self, place: u64, last: bool, mut chunk: BytesMut) -> Result<Bytes> {
        let plain = self.0.open_in_place(nonce(place, last), Aad::empty(), &mut chunk);
        let plain = plain.map_err(|_| broken("was altered, or sealed with another key"))?.len();
        chunk.truncate(plain);
        Ok(chunk.freeze())
    }
}

fn nonce(place: u64, last: bool) -> Nonce {
    let mut nonce = [0; NONCE_LEN];
    let [.., a, b, c, d, e, f, g, h, end] = &mut nonce;
    [*a, *b, *c, *d, *e, *f, *g, *h] = place.to_be_bytes();
    *end = u8::from(last);
    Nonce::assume_unique_for_key(nonce)
}

fn broken(how: &str) -> Error {
    Error::internal(format!("a sealed blob {how}"))
}

/// With what a blob is sealed: a key of the key ring, by its name, and the salt of the blob's own.
/// In text `name.salt`, the salt in base64url.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct SealedBy {
    pub(crate) key: String,
    pub(crate) salt: [u8; 32],
}

impl fmt::Display for SealedBy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.key, BASE64.encode(self.salt))
    }
}

impl FromStr for SealedBy {
    type Err = Error;

    /// `internal` for a text that was not written here.
    fn from_str(text: &str) -> Result<Self> {
        let (key, salt) = text.split_once('.').ok_or_else(|| broken("has no key"))?;
        let salt = BASE64.decode(salt).map_err(Error::internal)?;
        let salt = salt.try_into().map_err(|_| broken("has a salt of another length"))?;
        Ok(SealedBy { key: key.to_owned(), salt })
    }
}

/// Seals `plain` while it is read.
pub(crate) fn seal(plain: ByteStream, key: StreamKey) -> ByteStream {
    let first = Some((Source::new(plain), key, 0_u64));
    Box::pin(stream::try_unfold(first, async |state| {
        let Some((mut source, key, place)) = state else { return Ok(None) };
        let chunk = source.read(CHUNK).await?;
        let last = source.is_at_end().await?;
        let sealed = key.seal(place, last, chunk)?;
        Ok(Some((sealed, (!last).then_some((source, key, place + 1)))))
    }))
}

/// The chunks of a blob that hold a part of it.
struct Part {
    /// Plain bytes of the blob.
    len: u64,
    /// The plain bytes that are wanted.
    wanted: Range<u64>,
    /// The chunks that they are in.
    chunks: Range<u64>,
}

impl Part {
    fn new(wanted: Range<u64>, len: u64) -> Self {
        let end = wanted.end.min(len);
        let wanted = wanted.start.min(end)..end;
        let chunks = if len == 0 {
            // The one chunk of an empty blob proves that it is.
            0..1
        } else if wanted.is_empty() {
            0..0
        } else {
            wanted.start / CHUNK..wanted.end.div_ceil(CHUNK)
        };
        Part { len, wanted, chunks }
    }

    /// The plain bytes of the chunk at `place`.
    fn plain(&self, place: u64) -> Range<u64> {
        let start = place.saturating_mul(CHUNK).min(self.len);
        start..start.saturating_add(CHUNK).min(self.len)
    }

    fn is_last(&self, place: u64) -> bool {
        self.plain(place).end == self.len
    }
}

/// The sealed bytes that are needed to read the plain bytes `wanted` of a blob of `plain_len`.
pub(crate) fn sealed_range(wanted: Range<u64>, plain_len: u64) -> Range<u64> {
    let part = Part::new(wanted, plain_len);
    let start = part.chunks.start.saturating_mul(CHUNK + TAG);
    let sealed = |place| {
        let plain = part.plain(place);
        plain.end - plain.start + TAG
    };
    let Some(last) = part.chunks.end.checked_sub(1) else { return 0..0 };
    start..last.saturating_mul(CHUNK + TAG).saturating_add(sealed(last))
}

/// Opens the plain bytes `wanted` of a blob of `plain_len`, while `sealed`, the bytes of
/// [`sealed_range`], are read. What does not open is an `internal` error; what stands before it was right.
pub(crate) fn open(
    sealed: ByteStream,
    key: StreamKey,
    plain_len: u64,
    wanted: Range<u64>,
) -> ByteStream {
    let part = Part::new(wanted, plain_len);
    let first = (Source::new(sealed), key, part.chunks.start);
    Box::pin(stream::try_unfold((first, part), async |((mut source, key, place), part)| {
        if !part.chunks.contains(&place) {
            return Ok(None);
        }
        let plain = part.plain(place);
        let needed = plain.end - plain.start + TAG;
        let chunk = source.read(needed).await?;
        if chunk.len() as u64 != needed {
            return Err(broken("is cut off"));
        }
        let mut opened = key.open(place, part.is_last(place), chunk)?;
        opened.truncate(size(part.wanted.end.saturating_sub(plain.start)));
        opened.advance(size(part.wanted.start.saturating_sub(plain.start)).min(opened.len()));
        Ok(Some((opened, ((source, key, place + 1), part))))
    }))
}

fn size(bytes: u64) -> usize {
    usize::try_from(bytes).unwrap_or(usize::MAX)
}

/// A stream that is read by lengths of the reader's choice.
struct Source {
    stream: ByteStream,
    /// What of the last piece was not read yet.
    piece: Bytes,
    ended: bool,
}

impl Source {
    fn new(stream: ByteStream) -> Self {
        Source { stream, piece: Bytes::new(), ended: false }
    }

    async fn is_at_end(&mut self) -> Result<bool> {
        while self.piece.is_empty() && !self.ended {
            match self.stream.next().await {
                Some(piece) => self.piece = piece?,
                None => self.ended = true,
            }
        }
        Ok(self.piece.is_empty())
    }

    /// The next `len` bytes; fewer at the end.
    async fn read(&mut self, len: u64) -> Result<BytesMut> {
        let len = size(len);
        let mut read = BytesMut::new();
        while read.len() < len && !self.is_at_end().await? {
            let next = self.piece.len().min(len - read.len());
            read.extend_from_slice(&self.piece.split_to(next));
        }
        Ok(read)
    }
}

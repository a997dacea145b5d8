//! What is sealed opens, in any part; what was tampered with does not.

use futures::executor::block_on;
use proptest::prelude::*;
use uuid::Uuid;

use super::*;
use crate::error::ErrorKind;
use crate::id::TenantId;
use crate::key_ring::KeyRing;

fn ring(names: &[(&str, u8)]) -> KeyRing {
    KeyRing::new(names.iter().map(|(name, byte)| ((*name).to_owned(), [*byte; 32]))).unwrap()
}

fn key() -> StreamKey {
    StreamKey::new(&[7; 32]).unwrap()
}

fn plain(len: u64) -> Vec<u8> {
    (0..len).map(|at| (at % 251) as u8).collect()
}

/// The bytes in pieces of this size, with an empty one between.
fn stream_of(bytes: &[u8], piece: usize) -> ByteStream {
    let pieces: Vec<Result<Bytes>> = bytes
        .chunks(piece)
        .flat_map(|piece| [Ok(Bytes::copy_from_slice(piece)), Ok(Bytes::new())])
        .collect();
    Box::pin(stream::iter(pieces))
}

/// All that a stream yields, and how it ends.
fn read(mut stream: ByteStream) -> (Vec<u8>, Result<()>) {
    let mut all = Vec::new();
    block_on(async {
        while let Some(piece) = stream.next().await {
            match piece {
                Ok(piece) => all.extend_from_slice(&piece),
                Err(error) => {
                    assert!(stream.next().await.is_none(), "nothing comes after an error");
                    return (all, Err(error));
                }
            }
        }
        (all, Ok(()))
    })
}

fn sealed(bytes: &[u8], piece: usize) -> Vec<u8> {
    let (sealed, end) = read(seal(stream_of(bytes, piece), key()));
    end.unwrap();
    sealed
}

fn opened(sealed: &[u8], len: u64, wanted: Range<u64>) -> (Vec<u8>, Result<()>) {
    let needed = sealed_range(wanted.clone(), len);
    let at = |place: u64| size(place).min(sealed.len());
    let part = &sealed[at(needed.start)..at(needed.end)];
    read(open(stream_of(part, 40_000), key(), len, wanted))
}

fn lengths() -> impl Strategy<Value = u64> {
    let border = prop::sample::select(vec![0, CHUNK, 2 * CHUNK, 3 * CHUNK]);
    prop_oneof![
        (border, 0_u64..3).prop_map(|(border, more)| (border + more).saturating_sub(1)),
        0..3 * CHUNK,
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn any_part_opens(
        len in lengths(),
        ends in (lengths(), lengths()),
        piece in prop::sample::select(vec![1_000, 65_535, 65_536, 65_552, 1_000_000]),
    ) {
        let plain = plain(len);
        let sealed = sealed(&plain, piece);
        prop_assert_eq!(sealed_range(0..u64::MAX, len), 0..sealed.len() as u64);
        let (start, end) = (ends.0.min(ends.1), ends.0.max(ends.1));
        for wanted in [0..len, 0..u64::MAX, start..end, start..start, len..len + 1] {
            let at = |place: u64| size(place.min(len));
            let expected = &plain[at(wanted.start)..at(wanted.end)];
            let (part, result) = opened(&sealed, len, wanted);
            prop_assert!(result.is_ok());
            prop_assert!(part == expected);
        }
    }

    #[test]
    fn what_was_tampered_with_does_not_open(
        len in lengths(),
        at in any::<prop::sample::Index>(),
        bit in 0_u8..8,
        how in 0_u8..4,
    ) {
        let plain = plain(len);
        let mut sealed = sealed(&plain, 65_536);
        let at = at.index(sealed.len());
        match how {
            0 => sealed[at] ^= 1 << bit,
            1 => sealed.truncate(at),
            2 => { sealed.remove(at); }
            _ => {
                let mut chunks: Vec<&[u8]> = sealed.chunks(size(CHUNK + TAG)).collect();
                chunks.rotate_left(1);
                if chunks.len() < 2 {
                    return Ok(());
                }
                sealed = chunks.concat();
            }
        }
        let (part, result) = opened(&sealed, len, 0..len);
        prop_assert_eq!(result.unwrap_err().kind(), ErrorKind::Internal);
        prop_assert!(plain.starts_with(&part), "something unverified was yielded");
        // Only whole chunks were.
        prop_assert_eq!(part.len() as u64 % CHUNK, 0);
    }
}

#[test]
fn a_chunk_opens_in_its_place_of_its_blob_only() {
    let two = sealed(&plain(2 * CHUNK), 65_536);
    let three = sealed(&plain(3 * CHUNK), 65_536);
    let refused = |sealed: &[u8], len: u64, key: StreamKey| {
        let (part, result) = read(open(stream_of(sealed, 65_536), key, len, 0..len));
        assert_eq!((part.len(), result.unwrap_err().kind()), (0, ErrorKind::Internal));
    };
    // A blob that ends at a border of chunks, when it did not, and the other way.
    let cut = &three[..size(CHUNK + TAG)];
    refused(cut, CHUNK, key());
    let (part, result) = opened(&two, 3 * CHUNK, 0..3 * CHUNK);
    assert_eq!((part.len() as u64, result.unwrap_err().kind()), (CHUNK, ErrorKind::Internal));
    refused(&two, 2 * CHUNK, StreamKey::new(&[8; 32]).unwrap());
    refused(&[], 0, key());
}

#[test]
fn a_broken_stream_ends_with_its_error() {
    let breaks = || {
        let pieces = [Ok(Bytes::from(plain(CHUNK + 1))), Err(Error::not_found("rest"))];
        Box::pin(stream::iter(pieces))
    };
    let (part, result) = read(seal(breaks(), key()));
    assert_eq!((part.len() as u64, result.unwrap_err().kind()), (CHUNK + TAG, ErrorKind::NotFound));
    let (_, result) = read(open(breaks(), key(), 3 * CHUNK, 0..3 * CHUNK));
    assert!(result.is_err());
    let (stream, measured) = measured(breaks(), None);
    assert_eq!(read(stream).1.unwrap_err().kind(), ErrorKind::NotFound);
    assert_eq!(measured.result(), None);
}

#[test]
fn a_key_is_of_one_tenant_one_purpose_one_blob_and_one_key_of_the_ring() {
    let [one, other] = [1, 2].map(|id| TenantId::from_uuid(Uuid::from_u128(id)));
    let old = ring(&[("a", 1)]);
    let new = ring(&[("b", 2), ("a", 1)]);
    let (name, key) = old.stream_key(one, "recording", &[3; 32]).unwrap();
    assert_eq!(name, "a");
    let (sealed, _) = read(seal(stream_of(b"tone", 9), key));
    let opens = |key: StreamKey| read(open(stream_of(&sealed, 9), key, 4, 0..4)).1.is_ok();
    let named = |name, tenant, purpose, last: u8| {
        let mut salt = [3; 32];
        salt[31] = last;
        new.stream_key_named(name, tenant, purpose, &salt).unwrap()
    };
    assert!(opens(named("a", one, "recording", 3)));
    assert!(!opens(named("b", one, "recording", 3)));
    assert!(!opens(named("a", other, "recording", 3)));
    assert!(!opens(named("a", one, "export", 3)));
    assert!(!opens(named("a", one, "recording", 4)));
    assert_eq!(new.stream_key(one, "recording", &[3; 32]).unwrap().0, "b");
    assert!(new.stream_key_named("c", one, "recording", &[3; 32]).is_err());
}

#[test]
fn what_a_blob_is_sealed_by_is_kept_as_text() {
    let by = SealedBy { key: "2026-1".to_owned(), salt: [255; 32] };
    let text = by.to_string();
    assert_eq!(text, format!("2026-1.{}8", "_".repeat(42)));
    assert_eq!(text.parse::<SealedBy>().unwrap(), by);
    for wrong in ["", "a", "a.", "a.AAAA", &format!("{text}A")] {
        assert_eq!(wrong.parse::<SealedBy>().unwrap_err().kind(), ErrorKind::Internal, "{wrong}");
    }
}

#[test]
fn a_stream_is_measured_while_it_is_read() {
    let bytes = plain(100_000);
    for (expected, good) in
        [(None, true), (Some(100_000), true), (Some(99_999), false), (Some(100_001), false)]
    {
        let (stream, measured) = measured(stream_of(&bytes, 999), expected);
        assert_eq!(measured.result(), None);
        let (read, end) = read(stream);
        let whole = (100_000, crate::identity::Digest::of(&bytes));
        assert_eq!(measured.result(), good.then_some(whole));
        match end {
            Ok(()) => assert!(good && read == bytes),
            Err(error) => assert!(!good && error.kind() == ErrorKind::Unavailable),
        }
    }
}

use proptest::collection::vec;
use proptest::prelude::*;

use super::*;

const WIDE: Limits = Limits { record: MAX_RECORD, card: MAX_CARD };

/// Everything that a file gives when it comes in pieces of these sizes.
fn in_pieces(
    format: ImportFormat,
    limits: Limits,
    bytes: &[u8],
    sizes: &[usize],
) -> Vec<Result<SourceRecord, String>> {
    let mut reader = RecordReader::with_limits(format, ReadOptions::default(), limits).unwrap();
    let mut found = Vec::new();
    let mut drain = |reader: &mut RecordReader| {
        loop {
            match reader.next_record() {
                Ok(Some(record)) => found.push(Ok(record)),
                Ok(None) => return true,
                Err(error) => {
                    found.push(Err(error.to_string()));
                    return false;
                }
            }
        }
    };
    let (mut rest, mut sizes) = (bytes, sizes.iter().cycle());
    while !rest.is_empty() {
        let size = (*sizes.next().unwrap()).clamp(1, rest.len());
        reader.push(&rest[..size]);
        rest = &rest[size..];
        if !drain(&mut reader) {
            return found;
        }
    }
    reader.finish();
    drain(&mut reader);
    found
}

/// Files that look like something, so that the readers get past their first line.
fn file() -> impl Strategy<Value = Vec<u8>> {
    let pieces: Vec<&[u8]> = vec![
        b"name,email,phone\n",
        b"a\tname\n",
        b"name\n",
        b"a\tname\n",
        b"Ada,ada@x.org,\n",
        b"\"",
        b"\"\"",
        b"\"a\nb\",c",
        b",",
        b";",
        b"\r",
        b"\n",
        b"\r\n",
        b"x\"y,\"z\n",
        b"sep=;\r\n",
        b"BEGIN:VCARD\r\n",
        b"END:VCARD\r\n",
        b"begin:vcard\n",
        b"BEGIN:VCALENDAR\n",
        b"END:VCALENDAR\n",
        b"FN:Ada\r\n",
        b"N:Lovelace;Ada;;;\r\n",
        b"AGENT:\r\n",
        b" folded\r\n",
        b"=\r\n",
        b"NOTE;ENCODING=QUOTED-PRINTABLE:a=\r\n",
        b"PHOTO;ENCODING=BASE64:AAAA\r\n",
        b"BBBB\r\n",
        b"\\",
        b":",
        b"item1.TEL:1\n",
        b"item1.X-ABLabel:_$!<x>!$_\n",
        b"PRODID:-//crm-core//contacts 1//EN\n",
        b"\xE9",
        b"\xC3\xA9",
        b"{\"first_name\":\"Ada\"}\n",
        b"{\"tags\":[1]}",
        b"{",
        b"\xEF\xBB\xBF",
        b"\xFF\xFE",
        b"\xFE\xFF",
        b"a\0b\0",
        b"\0",
        b"TEL;TYPE=\"a:1\r\n",
        b"more_json,name\n",
    ];
    let piece = prop_oneof![
        8 => prop::sample::select(pieces).prop_map(<[u8]>::to_vec),
        1 => vec(any::<u8>(), 0..6),
    ];
    vec(piece, 0..40).prop_map(|pieces| pieces.concat())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn the_sizes_of_the_pieces_do_not_matter(bytes in file(), sizes in vec(1usize..9, 1..6), tight in any::<bool>()) {
        let limits = if tight { Limits { record: 12, card: 40 } } else { WIDE };
        for format in ImportFormat::ALL.iter().copied() {
            let whole = in_pieces(format, limits, &bytes, &[usize::MAX]);
            prop_assert_eq!(&in_pieces(format, limits, &bytes, &sizes), &whole);
            prop_assert_eq!(&in_pieces(format, limits, &bytes, &[1]), &whole);
        }
    }

    #[test]
    fn arbitrary_bytes_are_read_to_their_end(bytes in vec(any::<u8>(), 0..300)) {
        for format in ImportFormat::ALL.iter().copied() {
            in_pieces(format, WIDE, &bytes, &[7]);
        }
    }
}

/// Feeds `unit` until `total` bytes are reached and returns the records with the most bytes that waited.
fn feed(
    format: ImportFormat,
    start: &[u8],
    unit: &[u8],
    total: usize,
) -> (Vec<SourceRecord>, usize) {
    let mut reader = RecordReader::new(format, ReadOptions::default()).unwrap();
    let mut records = Vec::new();
    let mut most = 0;
    reader.push(start);
    let piece = unit.repeat((64 * 1024 / unit.len()).max(1));
    let mut fed = 0;
    while fed < total {
        reader.push(&piece);
        fed += piece.len();
        while let Some(record) = reader.next_record().unwrap() {
            records.push(record);
        }
        most = most.max(reader.input.rest().len());
    }
    reader.finish();
    while let Some(record) = reader.next_record().unwrap() {
        records.push(record);
    }
    (records, most)
}

#[test]
fn one_endless_record_is_refused_within_its_bound() {
    for (format, start, bound) in [
        (ImportFormat::Csv, "name\n", MAX_RECORD),
        (ImportFormat::JsonLines, "{", MAX_RECORD),
        (ImportFormat::VCard, "BEGIN:VCARD\nFN:A\n", MAX_CARD),
    ] {
        let (records, most) = feed(format, start.as_bytes(), b"abcdefgh", bound * 3);
        assert_eq!(
            outcomes(&records),
            [format!("{}:record_too_large", records[0].row)],
            "{format}"
        );
        assert!(most <= bound + 128 * 1024, "{format}: {most}");
    }
}

#[test]
fn reading_goes_on_after_a_record_that_is_too_large() {
    let long = "x".repeat(MAX_RECORD + 10);
    let records = read(ImportFormat::Csv, format!("name,email\n{long}\nAda,a@x.org\n"));
    assert_eq!(outcomes(&records), ["2:record_too_large", "3"]);
    let records = read(
        ImportFormat::JsonLines,
        format!("{{\"title\":\"{long}\"}}\n{{\"first_name\":\"Ada\"}}\n"),
    );
    assert_eq!(outcomes(&records), ["1:record_too_large", "2"]);
    let photo = "QUFB".repeat(MAX_CARD / 4);
    let records = read(
        ImportFormat::VCard,
        format!(
            "BEGIN:VCARD\nPHOTO;ENCODING=b:{photo}\nEND:VCARD\nBEGIN:VCARD\nFN:Ada\nEND:VCARD\n"
        ),
    );
    assert_eq!(outcomes(&records), ["1:record_too_large", "2"]);
}

#[test]
#[expect(clippy::disallowed_methods, reason = "quadratic work shows in the time")]
fn lines_that_all_open_a_quote_cost_no_more_than_others() {
    let started = std::time::Instant::now();
    let (records, most) = feed(ImportFormat::Csv, b"a,name\n", b"x\"y,\"z\n", 4 * MAX_RECORD);
    assert!(records.len() > 4 * MAX_RECORD / 7, "{}", records.len());
    assert!(most <= MAX_RECORD + 128 * 1024);
    // Quadratic work would take hours.
    assert!(started.elapsed().as_secs() < 60, "{:?}", started.elapsed());
}

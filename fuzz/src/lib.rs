//! What the targets of the contact readers have in common.

use crm_core::contacts::formats::{ImportFormat, ReadOptions, RecordReader, SourceRecord};

/// Reads `bytes` at once and byte by byte. However a file is cut, its records are the same, their
/// rows rise, and a record without a contact says why.
pub fn check_reader(format: ImportFormat, bytes: &[u8]) {
    let whole = read(format, bytes, bytes.len().max(1));
    for record in &whole.0 {
        assert_ne!(record.outcome.as_ref().err().map(Vec::len), Some(0), "refused, no reason");
    }
    assert!(whole.0.is_sorted_by(|one, next| one.row < next.row), "a row twice");
    let cut = read(format, bytes, 1);
    assert_eq!(whole, cut, "cut into single bytes, the file reads otherwise");
}

/// The records up to the end, or up to what makes the file unreadable as a whole.
fn read(format: ImportFormat, bytes: &[u8], piece: usize) -> (Vec<SourceRecord>, Option<String>) {
    let mut reader = RecordReader::new(format, ReadOptions::default()).expect("default options");
    let mut records = Vec::new();
    for piece in bytes.chunks(piece) {
        reader.push(piece);
        if let Err(message) = drain(&mut reader, &mut records) {
            return (records, Some(message));
        }
    }
    reader.finish();
    let message = drain(&mut reader, &mut records).err();
    (records, message)
}

fn drain(reader: &mut RecordReader, records: &mut Vec<SourceRecord>) -> Result<(), String> {
    while let Some(record) = reader.next_record().map_err(|error| error.to_string())? {
        records.push(record);
    }
    Ok(())
}

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stderr,
    reason = "tests"
)]

mod csv;
mod hostile;
mod jsonl;
mod real_files;
mod round_trip;
mod vcard;

use super::*;
use crate::contacts::model::{ContactDetails, CustomValue};
use crate::phone::Region;
use crate::time::Timestamp;

fn read_with(
    format: ImportFormat,
    options: ReadOptions,
    bytes: &[u8],
) -> Result<Vec<SourceRecord>> {
    let mut reader = RecordReader::new(format, options)?;
    reader.push(bytes);
    reader.finish();
    let mut records = Vec::new();
    while let Some(record) = reader.next_record()? {
        records.push(record);
    }
    Ok(records)
}

fn read(format: ImportFormat, bytes: impl AsRef<[u8]>) -> Vec<SourceRecord> {
    read_with(format, ReadOptions::default(), bytes.as_ref()).unwrap()
}

/// The contact of a file's only record.
fn one(format: ImportFormat, bytes: impl AsRef<[u8]>) -> NewContact {
    let mut records = read(format, bytes);
    assert_eq!(records.len(), 1, "{records:?}");
    records.remove(0).outcome.unwrap()
}

fn csv(text: &str) -> NewContact {
    one(ImportFormat::Csv, text)
}

fn card(lines: &str) -> NewContact {
    one(ImportFormat::VCard, format!("BEGIN:VCARD\r\n{lines}\r\nEND:VCARD\r\n"))
}

/// `row:code` of each record that was refused, `row` of each that was not.
fn outcomes(records: &[SourceRecord]) -> Vec<String> {
    records
        .iter()
        .map(|record| match &record.outcome {
            Ok(_) => record.row.to_string(),
            Err(errors) => format!("{}:{}", record.row, errors[0].code),
        })
        .collect()
}

fn text(contact: &NewContact, key: &str) -> Option<String> {
    match contact.custom.get(key) {
        Some(CustomValue::Text(text)) => Some(text.clone()),
        Some(CustomValue::Bool(_) | CustomValue::Number(_)) | None => None,
    }
}

fn stored(details: ContactDetails) -> Contact {
    let at = Timestamp::from_micros(1_772_357_400_123_456).unwrap();
    Contact {
        id: "01956a3c-7f00-7000-8000-000000000001".parse().unwrap(),
        first_name: details.first_name,
        last_name: details.last_name,
        display_name: details.display_name,
        company: details.company,
        company_id: details.company_id,
        title: details.title,
        emails: details.emails,
        phones: details.phones,
        addresses: details.addresses,
        tags: details.tags,
        custom: details.custom,
        owner_id: details.owner_id,
        source: details.source,
        created_at: at,
        updated_at: at,
        deleted_at: None,
        version: 3,
    }
}

fn contact(new: NewContact) -> Contact {
    stored(new.validate(Region::US).unwrap())
}

fn export(format: ExportFormat, contacts: &[Contact]) -> Vec<u8> {
    let writer = ContactWriter::new(format);
    let mut out = writer.header();
    for contact in contacts {
        writer.write(contact, &mut out);
    }
    out
}

//! Contact files: CSV, vCard and JSON lines, from bytes to records and from contacts to bytes.
//!
//! Nothing here does I/O. A reader is fed with [`RecordReader::push`] and drained with
//! [`RecordReader::next_record`]; whatever the sizes of the pieces, the records are the same. It holds what
//! was pushed and not yet drained, and of that at most one unfinished record
//! ([`MAX_RECORD`], [`MAX_CARD`]).
//!
//! **Encodings.** A byte order mark decides: UTF-8, UTF-16LE or UTF-16BE. Without one, UTF-16 is known by
//! its NUL bytes; anything else is decided record by record (in a vCard line by line): what is
//! valid UTF-8 is UTF-8, what is not is Windows-1252. So a file that is ASCII for its first megabyte
//! and has `0xE9` later reads right.

mod csv_headers;
mod csv_layout;
mod csv_map;
mod csv_read;
mod csv_write;
mod decode;
mod jsonl_read;
mod names;
mod spreadsheet;
mod vcard_contact;
mod vcard_lines;
mod vcard_read;
mod vcard_write;

#[cfg(test)]
mod tests;

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::contacts::model::{Contact, NewContact};
use crate::email::shorten;
use crate::error::{Error, FieldError, Result};

pub use csv_map::fields;

use csv_read::CsvReader;
use decode::Input;
use jsonl_read::JsonLinesReader;
use vcard_read::VCardReader;

/// Bytes that one record of a CSV or JSON lines file may have.
pub const MAX_RECORD: usize = 1024 * 1024;
/// Bytes that one vCard may have; pictures make them large.
pub const MAX_CARD: usize = 8 * 1024 * 1024;

/// A format that contacts are read from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ImportFormat {
    /// Comma-separated values (RFC 4180) with a header; `;`, TAB and `|` separate as well.
    Csv,
    /// vCard 2.1, 3.0 (RFC 2426) and 4.0 (RFC 6350).
    VCard,
    /// One JSON object per line, each a [`NewContact`].
    JsonLines,
}

impl ImportFormat {
    /// Every format.
    pub const ALL: &'static [ImportFormat] =
        &[ImportFormat::Csv, ImportFormat::VCard, ImportFormat::JsonLines];

    /// `csv`, `vcard` or `jsonl`.
    pub const fn name(self) -> &'static str {
        match self {
            ImportFormat::Csv => "csv",
            ImportFormat::VCard => "vcard",
            ImportFormat::JsonLines => "jsonl",
        }
    }

    /// The format of a file by its first bytes (some dozens are enough): a vCard (or a calendar,
    /// which the vCard reader refuses by name) begins with `BEGIN:`, JSON lines with `{`, all else is CSV.
    ///
    /// ```
    /// use crm_core::contacts::formats::ImportFormat;
    /// assert_eq!(ImportFormat::detect(b"\r\nbegin:vcard\r\n"), ImportFormat::VCard);
    /// assert_eq!(ImportFormat::detect(b"{\"first_name\":"), ImportFormat::JsonLines);
    /// assert_eq!(ImportFormat::detect(b"first_name,last_name"), ImportFormat::Csv);
    /// ```
    pub fn detect(first_bytes: &[u8]) -> Self {
        let mut input = Input::default();
        input.push(first_bytes);
        input.finish();
        let text = input.rest().trim_ascii_start();
        if text.get(..6).is_some_and(|start| start.eq_ignore_ascii_case(b"BEGIN:")) {
            ImportFormat::VCard
        } else if text.starts_with(b"{") {
            ImportFormat::JsonLines
        } else {
            ImportFormat::Csv
        }
    }
}

impl fmt::Display for ImportFormat {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for ImportFormat {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        find_format(Self::ALL, |format| format.name(), text)
    }
}

/// A format that contacts are written in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "lowercase")]
pub enum ExportFormat {
    /// Comma-separated values with a header, for a spreadsheet.
    Csv,
    /// vCard 4.0 (RFC 6350), for an address book.
    VCard,
    /// One JSON object per line, each a [`Contact`], for a program.
    #[serde(rename = "jsonl")]
    JsonLines,
}

impl ExportFormat {
    /// Every format.
    pub const ALL: &'static [ExportFormat] =
        &[ExportFormat::Csv, ExportFormat::VCard, ExportFormat::JsonLines];

    /// `csv`, `vcard` or `jsonl`.
    pub const fn name(self) -> &'static str {
        match self {
            ExportFormat::Csv => "csv",
            ExportFormat::VCard => "vcard",
            ExportFormat::JsonLines => "jsonl",
        }
    }

    /// The media type of the bytes, for a `Content-Type`.
    pub const fn media_type(self) -> &'static str {
        match self {
            ExportFormat::Csv => "text/csv; charset=utf-8; header=present",
            ExportFormat::VCard => "text/vcard; charset=utf-8",
            ExportFormat::JsonLines => "application/jsonl",
        }
    }

    /// The usual ending of a file's name, without the dot.
    pub const fn extension(self) -> &'static str {
        match self {
            ExportFormat::Csv => "csv",
            ExportFormat::VCard => "vcf",
            ExportFormat::JsonLines => "jsonl",
        }
    }
}

impl fmt::Display for ExportFormat {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for ExportFormat {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        find_format(Self::ALL, |format| format.name(), text)
    }
}

fn find_format<T: Copy>(all: &[T], name: fn(T) -> &'static str, text: &str) -> Result<T> {
    all.iter().copied().find(|format| name(*format).eq_ignore_ascii_case(text.trim())).ok_or_else(
        || {
            Error::invalid_field(
                "format",
                "unknown_format",
                format!("`{}` is not a format; use `csv`, `vcard` or `jsonl`", shorten(text)),
            )
        },
    )
}

/// How to read a file, where it does not say so itself.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ReadOptions {
    /// For CSV: pairs of a column's header and the field it fills, over what the header says by
    /// itself.
    pub map: Vec<(String, String)>,
    /// For CSV: the character between cells, where it shall not be found out.
    pub delimiter: Option<u8>,
}

/// One record of a file: a contact that is not validated yet, or why there is none.
#[derive(Debug, Clone, PartialEq)]
pub struct SourceRecord {
    /// Where people see the record. CSV: the row as a spreadsheet numbers it, with the header in row 1
    /// (a blank row counts, a cell of several lines does not). vCard: the card's number from 1.
    /// JSON lines: the line from 1.
    pub row: u64,
    /// The contact, or every reason why the record cannot be read.
    pub outcome: Result<NewContact, Vec<FieldError>>,
    /// What the record held and the contact does not, e.g. a picture.
    pub warnings: Vec<FieldError>,
}

impl SourceRecord {
    fn new(row: u64, outcome: Result<NewContact, Vec<FieldError>>) -> Self {
        SourceRecord { row, outcome, warnings: Vec::new() }
    }

    fn refused(row: u64, field: &str, code: &'static str, message: impl Into<String>) -> Self {
        Self::new(row, Err(vec![FieldError::new(field, code, message)]))
    }
}

/// Reads contacts from the bytes of a file.
///
/// ```
/// use crm_core::contacts::formats::{ImportFormat, ReadOptions, RecordReader};
/// let mut reader = RecordReader::new(ImportFormat::JsonLines, ReadOptions::default())?;
/// let mut names = Vec::new();
/// for piece in [b"{\"first_name\":\"Ada\"}\n{\"first_".as_slice(), b"name\":\"Grace\"}"] {
///     reader.push(piece);
///     while let Some(record) = reader.next_record()? {
///         names.extend(record.outcome.unwrap().first_name);
///     }
/// }
/// reader.finish();
/// while let Some(record) = reader.next_record()? {
///     names.extend(record.outcome.unwrap().first_name);
/// }
/// assert_eq!(names, ["Ada", "Grace"]);
/// # Ok::<(), crm_core::Error>(())
/// ```
#[derive(Debug)]
pub struct RecordReader {
    input: Input,
    format: FormatReader,
}

/// Bytes that a record may have.
#[derive(Debug, Clone, Copy)]
struct Limits {
    record: usize,
    card: usize,
}

#[derive(Debug)]
enum FormatReader {
    Csv(Box<CsvReader>),
    VCard(VCardReader),
    JsonLines(JsonLinesReader),
}

impl RecordReader {
    /// A reader that has seen nothing yet.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Invalid`](crate::ErrorKind::Invalid): the options name an unknown field, name a
    /// column twice, or do not belong to the format.
    pub fn new(format: ImportFormat, options: ReadOptions) -> Result<Self> {
        Self::with_limits(format, options, Limits { record: MAX_RECORD, card: MAX_CARD })
    }

    fn with_limits(format: ImportFormat, options: ReadOptions, limits: Limits) -> Result<Self> {
        let format = match format {
            ImportFormat::Csv => {
                FormatReader::Csv(Box::new(CsvReader::new(options, limits.record)?))
            }
            ImportFormat::VCard | ImportFormat::JsonLines => {
                if options != ReadOptions::default() {
                    return Err(Error::invalid_field(
                        "map",
                        "not_for_format",
                        format!("columns and delimiters belong to CSV; a {format} file has none"),
                    ));
                }
                if format == ImportFormat::VCard {
                    FormatReader::VCard(VCardReader::new(limits))
                } else {
                    FormatReader::JsonLines(JsonLinesReader::new(limits.record))
                }
            }
        };
        Ok(RecordReader { input: Input::default(), format })
    }

    /// Feeds the next bytes of the file. Bytes after [`RecordReader::finish`] are not read.
    pub fn push(&mut self, bytes: &[u8]) {
        self.input.push(bytes);
    }

    /// Says that the file has ended, so that its last record is complete.
    pub fn finish(&mut self) {
        self.input.finish();
    }

    /// The next complete record; `None` until more bytes are pushed, or for good once the file has
    /// ended.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Invalid`](crate::ErrorKind::Invalid): the file as a whole cannot be read, e.g. no
    /// column of its header is one of a contact's. A broken record is no error: it is a
    /// [`SourceRecord`] without a contact, and the next one follows.
    pub fn next_record(&mut self) -> Result<Option<SourceRecord>> {
        match &mut self.format {
            FormatReader::Csv(reader) => reader.next_record(&mut self.input),
            FormatReader::VCard(reader) => reader.next_record(&mut self.input),
            FormatReader::JsonLines(reader) => Ok(reader.next_record(&mut self.input)),
        }
    }
}

/// Writes contacts as the bytes of a file: [`ContactWriter::header`] once, then each contact.
#[derive(Debug, Clone, Copy)]
pub struct ContactWriter {
    format: ExportFormat,
}

impl ContactWriter {
    /// A writer of a format.
    pub const fn new(format: ExportFormat) -> Self {
        ContactWriter { format }
    }

    /// What stands before the first contact; empty for most formats.
    pub fn header(&self) -> Vec<u8> {
        match self.format {
            ExportFormat::Csv => csv_write::header(),
            ExportFormat::VCard | ExportFormat::JsonLines => Vec::new(),
        }
    }

    /// Appends one contact.
    pub fn write(&self, contact: &Contact, out: &mut Vec<u8>) {
        match self.format {
            ExportFormat::Csv => csv_write::write(contact, out),
            ExportFormat::VCard => vcard_write::write(contact, out),
            ExportFormat::JsonLines => {
                // Writing to memory cannot fail, and every key of a contact is text.
                if serde_json::to_writer(&mut *out, contact).is_ok() {
                    out.push(b'\n');
                }
            }
        }
    }
}

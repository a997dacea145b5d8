//! CSV: from bytes to rows.
//!
//! Where a record ends is found here, so that an unclosed quote cannot swallow what follows; the cells of a
//! complete record are csv-core's. Quotes are those of RFC 4180; a quote within an unquoted cell is text.
//!
//! A quoted cell may hold line ends. It counts as **unclosed** where the file ends in it, where the record
//! grows over its limit, where text follows the quote that closes it some lines later (that quote
//! opened another cell), and where a record of several lines has more cells than the header. Then only the first line
//! of the record is refused; the lines up to the place where the fault showed are read one by one, each
//! refused unless it has as many cells as the header (so the lines of a long note do not become contacts); after
//! it reading goes on as before. Every byte is looked at twice at most.

use super::csv_layout::{Cells, Layout};
use super::csv_map::ColumnMap;
use super::decode::Input;
use super::{ReadOptions, SourceRecord};
use crate::error::{Error, Result};

/// Characters that are found out to stand between cells.
const DELIMITERS: [u8; 4] = [b',', b';', b'\t', b'|'];

#[derive(Debug)]
pub(super) struct CsvReader {
    /// Bytes that a record may have.
    limit: usize,
    map: ColumnMap,
    delimiter: Option<u8>,
    /// The last record ended in a CR, whose LF may follow.
    after_cr: bool,
    row: u64,
    scan: Scan,
    /// Bytes from here on that are read line by line.
    by_line: usize,
    /// The rest of an overlong line is passed over.
    skipping: bool,
    cells: CellBuffer,
    layout: Option<Layout>,
}

/// How far the end of the current record has been looked for.
#[derive(Debug, Clone, Copy, Default)]
struct Scan {
    at: usize,
    state: ScanState,
    /// Where the second line of the record begins.
    second_line: Option<usize>,
}

#[derive(Debug, Clone, Copy, Default, PartialEq)]
enum ScanState {
    #[default]
    CellStart,
    Plain,
    Quoted,
    /// After a quote in a quoted cell: the end of the cell, or the first of two.
    QuoteSeen,
}

/// Where the current record ends, or that it has none.
#[derive(Debug, Clone, Copy, PartialEq)]
enum End {
    Unknown,
    /// At the line end there.
    At(usize),
    /// It has an unclosed quote, which showed after so many bytes.
    Unclosed(usize),
    TooLarge,
}

#[derive(Debug)]
struct CellBuffer {
    reader: csv_core::Reader,
    text: Vec<u8>,
    ends: Vec<usize>,
}

impl CsvReader {
    pub(super) fn new(options: ReadOptions, limit: usize) -> Result<Self> {
        if let Some(delimiter) = options.delimiter
            && (!delimiter.is_ascii() || matches!(delimiter, b'"' | b'\r' | b'\n' | 0))
        {
            return Err(Error::invalid_field(
                "delimiter",
                "invalid_delimiter",
                "a delimiter is one ASCII character, neither a quote nor a line end",
            ));
        }
        Ok(CsvReader {
            limit,
            map: ColumnMap::parse(options.map)?,
            delimiter: options.delimiter,
            after_cr: false,
            row: 0,
            scan: Scan::default(),
            by_line: 0,
            skipping: false,
            cells: CellBuffer {
                reader: csv_core::Reader::new(),
                text: Vec::new(),
                ends: Vec::new(),
            },
            layout: None,
        })
    }

    pub(super) fn next_record(&mut self, input: &mut Input) -> Result<Option<SourceRecord>> {
        if self.layout.is_none() && !self.read_header(input)? {
            return Ok(None);
        }
        loop {
            if !self.start_record(input) {
                return Ok(None);
            }
            let rest = input.rest();
            if rest.is_empty() {
                return Ok(None);
            }
            if self.skipping {
                let end = rest.iter().position(|byte| is_line_end(*byte));
                self.pass(input, end.unwrap_or(input.rest().len()), end.is_some());
                self.skipping = end.is_none();
                continue;
            }
            let found = if self.by_line > 0 { self.read_line(input) } else { self.read_row(input) };
            match found {
                Found::Nothing => return Ok(None),
                Found::Blank => {}
                Found::Record(record) => return Ok(Some(record)),
            }
        }
    }

    /// Passes over the LF of a CRLF; `false` where it may still come.
    fn start_record(&mut self, input: &mut Input) -> bool {
        if self.after_cr {
            match input.rest().first() {
                Some(b'\n') => {
                    input.consume(1);
                    self.by_line = self.by_line.saturating_sub(1);
                }
                Some(_) => {}
                None => return false,
            }
            self.after_cr = false;
        }
        true
    }

    /// Consumes `length` bytes and, where there is one, the line end after them.
    fn pass(&mut self, input: &mut Input, length: usize, has_end: bool) {
        self.after_cr = has_end && input.rest().get(length) == Some(&b'\r');
        let consumed = length + usize::from(has_end);
        input.consume(consumed);
        self.by_line = self.by_line.saturating_sub(consumed);
        self.scan = Scan::default();
    }

    /// What may stand between cells: all that could, until the header has been read.
    fn delimiters(&self) -> Vec<u8> {
        self.delimiter.map_or_else(|| DELIMITERS.to_vec(), |delimiter| vec![delimiter])
    }

    /// Reads the header; `false` where more bytes are needed.
    fn read_header(&mut self, input: &mut Input) -> Result<bool> {
        loop {
            if !self.start_record(input) {
                return if input.ended() { Err(empty()) } else { Ok(false) };
            }
            let rest = input.rest();
            if rest.is_empty() && input.ended() {
                return Err(empty());
            }
            let delimiters = self.delimiters();
            let length = match self.scan.advance(rest, &delimiters, self.limit, input.ended()) {
                End::Unknown => return Ok(false),
                End::At(length) => length,
                End::Unclosed(_) | End::TooLarge => return Err(no_header()),
            };
            let record = rest.get(..length).unwrap_or_default();
            if record.trim_ascii().is_empty() {
                self.row += 1;
                self.pass(input, length, true);
                continue;
            }
            if let Some(announced) = announced_delimiter(record) {
                self.delimiter.get_or_insert(announced);
                self.pass(input, length, true);
                continue;
            }
            let delimiter = *self.delimiter.get_or_insert_with(|| sniff(record));
            let mut builder = csv_core::ReaderBuilder::new();
            self.cells.reader = builder.delimiter(delimiter).build();
            let text = input.text(record);
            self.layout = Some(Layout::new(self.cells.split(&text), &self.map)?);
            self.row += 1;
            self.pass(input, length, true);
            return Ok(true);
        }
    }

    /// Reads the next record in the ordinary way.
    fn read_row(&mut self, input: &mut Input) -> Found {
        let rest = input.rest();
        match self.scan.advance(rest, &[self.delimiter.unwrap_or(b',')], self.limit, input.ended())
        {
            End::Unknown => Found::Nothing,
            End::At(length) => {
                let spans_lines = self.scan.second_line.is_some();
                let record = rest.get(..length).unwrap_or_default();
                let text = input.text(record);
                let cells = self.cells.split(&text);
                let surplus = self.layout.as_ref().is_some_and(|layout| layout.has_surplus(cells));
                if spans_lines && surplus {
                    return self.unclosed(input, length);
                }
                let found = found(self.layout.as_ref(), self.row + 1, &text, cells);
                self.row += 1;
                self.pass(input, length, true);
                found
            }
            End::Unclosed(showed) => self.unclosed(input, showed),
            End::TooLarge => {
                self.row += 1;
                self.skipping = true;
                self.scan = Scan::default();
                Found::Record(SourceRecord::refused(
                    self.row,
                    "row",
                    "record_too_large",
                    format!("the row has more than {} bytes; split or shorten it", self.limit),
                ))
            }
        }
    }

    /// Refuses the first line of a record with an unclosed quote.
    fn unclosed(&mut self, input: &mut Input, showed: usize) -> Found {
        let rest = input.rest();
        let end = rest.iter().position(|byte| is_line_end(*byte)).unwrap_or(rest.len());
        self.by_line = showed;
        self.pass(input, end, end < input.rest().len());
        self.row += 1;
        Found::Record(unclosed_quote(self.row))
    }

    /// Reads one line of those that stood after an unclosed quote.
    fn read_line(&mut self, input: &mut Input) -> Found {
        let rest = input.rest();
        let end = rest.iter().position(|byte| is_line_end(*byte)).unwrap_or(rest.len());
        if end > self.by_line {
            // The line in which the fault showed is read as every other.
            self.by_line = 0;
            return Found::Blank;
        }
        let line = rest.get(..end).unwrap_or_default();
        let mut scan = Scan::default();
        let closed =
            scan.advance(line, &[self.delimiter.unwrap_or(b',')], self.limit, true) == End::At(end);
        let text = input.text(line);
        let cells = self.cells.split(&text);
        let width = self.layout.as_ref().map_or(0, Layout::width);
        let found = if !closed {
            Found::Record(unclosed_quote(self.row + 1))
        } else if !text.trim().is_empty() && cells.ends.len() != width {
            Found::Record(SourceRecord::refused(
                self.row + 1,
                "row",
                "after_unclosed_quote",
                format!(
                    "the line has {} cells and the header {width}; it stands after an unclosed quote \
                     and may be part of that cell",
                    cells.ends.len()
                ),
            ))
        } else {
            found(self.layout.as_ref(), self.row + 1, &text, cells)
        };
        self.row += 1;
        self.pass(input, end, end < input.rest().len());
        found
    }
}

#[expect(clippy::large_enum_variant, reason = "made once per row and taken apart at once")]
enum Found {
    Nothing,
    Blank,
    Record(SourceRecord),
}

fn found(layout: Option<&Layout>, row: u64, text: &str, cells: Cells<'_>) -> Found {
    match layout {
        Some(layout) if !text.trim().is_empty() => {
            Found::Record(SourceRecord::new(row, layout.contact(cells)))
        }
        Some(_) | None => Found::Blank,
    }
}

fn unclosed_quote(row: u64) -> SourceRecord {
    SourceRecord::refused(
        row,
        "row",
        "unclosed_quote",
        "a quote is opened and not closed; a quote within a quoted cell is written twice",
    )
}

fn empty() -> Error {
    Error::invalid_field(
        "header",
        "empty_file",
        "the file is empty; its first row names the columns",
    )
}

fn no_header() -> Error {
    Error::invalid_field(
        "header",
        "no_header",
        "the first row cannot be read; it names the columns, and a quote in it is closed",
    )
}

fn is_line_end(byte: u8) -> bool {
    matches!(byte, b'\n' | b'\r')
}

impl Scan {
    /// Looks on for the end of the record that `bytes` begins with.
    fn advance(&mut self, bytes: &[u8], delimiters: &[u8], limit: usize, ended: bool) -> End {
        for (offset, byte) in bytes.iter().copied().enumerate().skip(self.at) {
            if offset >= limit {
                return if self.second_line.is_some() {
                    End::Unclosed(offset)
                } else {
                    End::TooLarge
                };
            }
            self.state = match (self.state, byte) {
                (ScanState::CellStart, b'"') => ScanState::Quoted,
                (ScanState::Quoted, b'"') => ScanState::QuoteSeen,
                (ScanState::QuoteSeen, b'"') => ScanState::Quoted,
                (ScanState::Quoted, byte) => {
                    if is_line_end(byte) && self.second_line.is_none() {
                        self.second_line = Some(offset + 1);
                    }
                    ScanState::Quoted
                }
                (ScanState::CellStart | ScanState::Plain | ScanState::QuoteSeen, byte) => {
                    if is_line_end(byte) {
                        self.at = offset;
                        return End::At(offset);
                    }
                    if delimiters.contains(&byte) {
                        ScanState::CellStart
                    } else if self.state == ScanState::QuoteSeen && self.second_line.is_some() {
                        return End::Unclosed(offset);
                    } else {
                        ScanState::Plain
                    }
                }
            };
        }
        self.at = bytes.len();
        match self.state {
            _ if !ended => End::Unknown,
            ScanState::Quoted => End::Unclosed(bytes.len()),
            ScanState::CellStart | ScanState::Plain | ScanState::QuoteSeen => End::At(bytes.len()),
        }
    }
}

impl CellBuffer {
    /// The cells of one record.
    fn split(&mut self, record: &str) -> Cells<'_> {
        self.reader.reset();
        self.text.resize(record.len().max(1), 0);
        self.ends.resize(self.ends.len().max(32), 0);
        let (mut read, mut written, mut count) = (0, 0, 0);
        loop {
            let (result, took, wrote, ended) = self.reader.read_record(
                record.as_bytes().get(read..).unwrap_or_default(),
                self.text.get_mut(written..).unwrap_or_default(),
                self.ends.get_mut(count..).unwrap_or_default(),
            );
            read += took;
            written += wrote;
            count += ended;
            match result {
                // The record's own end is not in it, so that the end of the input is.
                csv_core::ReadRecordResult::InputEmpty => {}
                csv_core::ReadRecordResult::OutputFull => self.text.resize(self.text.len() * 2, 0),
                csv_core::ReadRecordResult::OutputEndsFull => {
                    self.ends.resize(self.ends.len() * 2, 0);
                }
                csv_core::ReadRecordResult::Record | csv_core::ReadRecordResult::End => break,
            }
        }
        // Cells are cut at ASCII characters, so that UTF-8 stays UTF-8.
        let text = std::str::from_utf8(self.text.get(..written).unwrap_or_default());
        Cells { text: text.unwrap_or_default(), ends: self.ends.get(..count).unwrap_or_default() }
    }
}

/// The delimiter that a first line `sep=;` announces, as Excel reads and writes it.
fn announced_delimiter(line: &[u8]) -> Option<u8> {
    let line = line.strip_prefix(b"\"").unwrap_or(line);
    let line = line.strip_suffix(b"\"").unwrap_or(line);
    match line {
        [s, e, p, b'=', delimiter] if [*s, *e, *p].eq_ignore_ascii_case(b"sep") => {
            (delimiter.is_ascii() && !matches!(delimiter, b'"' | 0)).then_some(*delimiter)
        }
        _ => None,
    }
}

/// The delimiter that stands most often outside of quotes; a comma where none does.
fn sniff(header: &[u8]) -> u8 {
    let mut counts = [0usize; DELIMITERS.len()];
    let mut quoted = false;
    for byte in header {
        if *byte == b'"' {
            quoted = !quoted;
        } else if !quoted {
            for (delimiter, count) in DELIMITERS.iter().zip(&mut counts) {
                *count += usize::from(byte == delimiter);
            }
        }
    }
    let mut best = (b',', 0);
    for (delimiter, count) in DELIMITERS.into_iter().zip(counts) {
        if count > best.1 {
            best = (delimiter, count);
        }
    }
    best.0
}

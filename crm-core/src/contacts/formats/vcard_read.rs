//! vCard: from a stream of bytes to cards.
//!
//! A card goes from `BEGIN:VCARD` to its `END:VCARD`; a card within it (AGENT, as vCard 2.1 nests it) is part
//! of it. A card that the next one begins in is taken as far as it goes, with a warning. So is one that the file ends
//! in after a whole line; in the middle of a line the file was cut off, and the card is refused.
//! Lines outside of cards are passed over and counted in a warning. A calendar or another component is one
//! refused record.

use super::decode::Input;
use super::vcard_contact::contact;
use super::vcard_lines::{is_marker, marked};
use super::{Limits, SourceRecord};
use crate::error::{Error, FieldError, Result};

#[derive(Debug)]
pub(super) struct VCardReader {
    limits: Limits,
    row: u64,
    place: Place,
    /// Where the line begins that is looked at.
    line: usize,
    /// Bytes of it that hold no line end.
    scanned: usize,
    /// The rest of a line is passed over.
    mid_line: bool,
    /// Lines outside of cards since the last record.
    junk: u64,
}

#[derive(Debug)]
enum Place {
    Outside,
    Card {
        /// Cards within the card that are open.
        nested: usize,
        /// The last line was an AGENT without a value: a card within the card follows.
        agent: bool,
    },
    /// In a component that is passed over, up to its end or the next card.
    Skipped(Vec<u8>),
}

impl VCardReader {
    pub(super) fn new(limits: Limits) -> Self {
        VCardReader {
            limits,
            row: 0,
            place: Place::Outside,
            line: 0,
            scanned: 0,
            mid_line: false,
            junk: 0,
        }
    }

    pub(super) fn next_record(&mut self, input: &mut Input) -> Result<Option<SourceRecord>> {
        loop {
            let rest = input.rest();
            let from = self.line + self.scanned;
            let end = rest.iter().skip(from).position(|byte| matches!(byte, b'\n' | b'\r'));
            let Some(end) = end.map(|at| at + from) else {
                if let Some(record) = self.incomplete(input)? {
                    return Ok(Some(record));
                }
                return Ok(None);
            };
            if self.mid_line {
                self.mid_line = false;
                self.drop_line(input, end + 1);
                continue;
            }
            if let Some(record) = self.complete(input, end) {
                return Ok(Some(record));
            }
        }
    }

    /// A line without its end: more will come, or the file has ended.
    fn incomplete(&mut self, input: &mut Input) -> Result<Option<SourceRecord>> {
        let length = input.rest().len();
        self.scanned = length - self.line.min(length);
        let in_card = matches!(self.place, Place::Card { .. });
        if in_card && length > self.limits.card {
            self.mid_line = true;
            self.drop_line(input, length);
            return Ok(Some(self.too_large()));
        }
        if !in_card && self.scanned > self.limits.record {
            self.junk += u64::from(!self.mid_line && matches!(self.place, Place::Outside));
            self.mid_line = true;
            self.drop_line(input, length);
        }
        if !input.ended() {
            return Ok(None);
        }
        let rest = input.rest();
        let cut_off =
            !self.mid_line && !rest.get(self.line..).unwrap_or_default().trim_ascii().is_empty();
        match &self.place {
            Place::Card { nested, .. } => {
                let line = rest.get(self.line..).unwrap_or_default();
                let closed = is_marker(line, b"END") && *nested == 0;
                let record = if closed || !cut_off {
                    self.take(input, length, !closed)
                } else {
                    self.row += 1;
                    SourceRecord::refused(
                        self.row,
                        "card",
                        "cut_off",
                        "the file ends in the middle of the card; it may have been cut off",
                    )
                };
                self.drop_line(input, length);
                self.place = Place::Outside;
                Ok(Some(record))
            }
            Place::Outside | Place::Skipped(_) => {
                self.junk += u64::from(cut_off && matches!(self.place, Place::Outside));
                self.drop_line(input, length);
                self.trailing_junk()
            }
        }
    }

    /// Lines after the last card are a record of their own; a file of nothing else is no vCard file.
    fn trailing_junk(&mut self) -> Result<Option<SourceRecord>> {
        if self.junk == 0 {
            return Ok(None);
        }
        if self.row == 0 {
            return Err(Error::invalid_field(
                "file",
                "no_card",
                "the file has no vCard; one begins with `BEGIN:VCARD`",
            ));
        }
        self.row += 1;
        let message = skipped(std::mem::take(&mut self.junk));
        Ok(Some(SourceRecord::refused(self.row, "card", "skipped_lines", message)))
    }

    /// A line with its end.
    fn complete(&mut self, input: &mut Input, end: usize) -> Option<SourceRecord> {
        let rest = input.rest();
        let line = rest.get(self.line..end).unwrap_or_default();
        match &mut self.place {
            Place::Card { .. } if end > self.limits.card => {
                self.drop_line(input, end + 1);
                Some(self.too_large())
            }
            Place::Card { nested, agent } => {
                if is_marker(line, b"END") {
                    if *nested == 0 {
                        let record = self.take(input, end, false);
                        self.drop_line(input, end + 1);
                        self.place = Place::Outside;
                        return Some(record);
                    }
                    *nested -= 1;
                } else if is_marker(line, b"BEGIN") {
                    if !*agent {
                        let before = self.line;
                        let record = self.take(input, before, true);
                        self.drop_line(input, before);
                        self.place = Place::Card { nested: 0, agent: false };
                        // The line that begins the next card is part of it.
                        self.line = end + 1 - before;
                        return Some(record);
                    }
                    *nested += 1;
                }
                if !line.trim_ascii().is_empty() {
                    let head = line.get(..5).unwrap_or_default();
                    *agent =
                        head.eq_ignore_ascii_case(b"AGENT") && line.trim_ascii().ends_with(b":");
                }
                self.line = end + 1;
                self.scanned = 0;
                None
            }
            Place::Outside | Place::Skipped(_) => {
                let line = if line.len() > self.limits.record {
                    b"-".as_slice()
                } else {
                    line.trim_ascii()
                };
                if is_marker(line, b"BEGIN") {
                    let begins = self.line;
                    self.drop_line(input, begins);
                    self.place = Place::Card { nested: 0, agent: false };
                    self.line = end + 1 - begins;
                    return None;
                }
                let mut record = None;
                if let Place::Skipped(name) = &self.place {
                    if marked(line, b"END").is_some_and(|end| end.eq_ignore_ascii_case(name)) {
                        self.place = Place::Outside;
                    }
                } else if let Some(name) = marked(line, b"BEGIN") {
                    self.row += 1;
                    record = Some(SourceRecord::refused(
                        self.row,
                        "card",
                        "not_a_contact",
                        format!(
                            "`{}` is no contact; only a vCard is read",
                            crate::email::shorten(&String::from_utf8_lossy(name))
                        ),
                    ));
                    self.place = Place::Skipped(name.to_vec());
                } else {
                    self.junk += u64::from(line.iter().any(|byte| *byte > b' '));
                }
                self.drop_line(input, end + 1);
                record
            }
        }
    }

    /// The card of the first `length` bytes.
    fn take(&mut self, input: &Input, length: usize, unfinished: bool) -> SourceRecord {
        self.row += 1;
        let (outcome, mut warnings) =
            contact(input.rest().get(..length).unwrap_or_default(), input);
        if unfinished {
            warnings.push(FieldError::new(
                "card",
                "missing_end",
                "the card has no `END:VCARD`; it was taken as far as it goes",
            ));
        }
        if self.junk > 0 {
            let message = skipped(std::mem::take(&mut self.junk));
            warnings.push(FieldError::new("card", "skipped_lines", message));
        }
        SourceRecord { row: self.row, outcome, warnings }
    }

    fn too_large(&mut self) -> SourceRecord {
        self.row += 1;
        self.place = Place::Skipped(b"VCARD".to_vec());
        SourceRecord::refused(
            self.row,
            "card",
            "record_too_large",
            format!("the card has more than {} bytes; make its picture smaller", self.limits.card),
        )
    }

    fn drop_line(&mut self, input: &mut Input, consumed: usize) {
        input.consume(consumed);
        self.line = 0;
        self.scanned = 0;
    }
}

fn skipped(lines: u64) -> String {
    format!("lines outside of a card were passed over: {lines}")
}

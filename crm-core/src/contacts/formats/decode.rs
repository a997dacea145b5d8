//! Character encodings, and the buffer between what is pushed and what is read.

use std::borrow::Cow;

use encoding_rs::{Decoder, UTF_16BE, UTF_16LE, WINDOWS_1252};

/// The bytes that wait to be read, free of byte order marks and of UTF-16.
#[derive(Debug, Default)]
pub(super) struct Input {
    encoding: Encoding,
    bytes: Vec<u8>,
    start: usize,
    ended: bool,
}

enum Encoding {
    /// Fewer bytes than decide; they are kept here.
    Unknown(Vec<u8>),
    /// UTF-8 by its byte order mark.
    Utf8,
    /// Each record decides between UTF-8 and Windows-1252.
    ByRecord,
    /// UTF-16, which is turned into UTF-8 as it arrives.
    Utf16(Decoder),
}

impl Default for Encoding {
    fn default() -> Self {
        Encoding::Unknown(Vec::new())
    }
}

impl std::fmt::Debug for Encoding {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Encoding::Unknown(_) => "unknown",
            Encoding::Utf8 => "UTF-8",
            Encoding::ByRecord => "UTF-8 or Windows-1252",
            Encoding::Utf16(_) => "UTF-16",
        })
    }
}

impl Input {
    pub(super) fn push(&mut self, bytes: &[u8]) {
        if self.ended {
            return;
        }
        if let Encoding::Unknown(head) = &mut self.encoding {
            head.extend_from_slice(bytes);
            // Two UTF-16 characters, and more than any byte order mark.
            if head.len() >= 4 {
                self.decide();
            }
        } else {
            self.append(bytes, false);
        }
    }

    pub(super) fn finish(&mut self) {
        if self.ended {
            return;
        }
        self.decide();
        self.append(&[], true);
        self.ended = true;
    }

    pub(super) fn ended(&self) -> bool {
        self.ended
    }

    /// What was not consumed yet.
    pub(super) fn rest(&self) -> &[u8] {
        self.bytes.get(self.start..).unwrap_or_default()
    }

    pub(super) fn consume(&mut self, count: usize) {
        self.start = self.bytes.len().min(self.start + count);
    }

    /// The text of one record.
    pub(super) fn text<'a>(&self, record: &'a [u8]) -> Cow<'a, str> {
        match (&self.encoding, std::str::from_utf8(record)) {
            (_, Ok(text)) => Cow::Borrowed(text),
            (Encoding::Utf8 | Encoding::Utf16(_), Err(_)) => String::from_utf8_lossy(record),
            (Encoding::ByRecord | Encoding::Unknown(_), Err(_)) => {
                WINDOWS_1252.decode_without_bom_handling(record).0
            }
        }
    }

    fn decide(&mut self) {
        let Encoding::Unknown(head) = &mut self.encoding else { return };
        let head = std::mem::take(head);
        let (encoding, mark) = match head.as_slice() {
            [0xEF, 0xBB, 0xBF, ..] => (Encoding::Utf8, 3),
            [0xFF, 0xFE, ..] => (Encoding::Utf16(UTF_16LE.new_decoder_without_bom_handling()), 2),
            [0xFE, 0xFF, ..] => (Encoding::Utf16(UTF_16BE.new_decoder_without_bom_handling()), 2),
            [1..=255, 0, 1..=255, 0, ..] | [1..=255, 0] => {
                (Encoding::Utf16(UTF_16LE.new_decoder_without_bom_handling()), 0)
            }
            [0, 1..=255, 0, 1..=255, ..] | [0, 1..=255] => {
                (Encoding::Utf16(UTF_16BE.new_decoder_without_bom_handling()), 0)
            }
            _ => (Encoding::ByRecord, 0),
        };
        self.encoding = encoding;
        self.append(head.get(mark..).unwrap_or_default(), false);
    }

    fn append(&mut self, bytes: &[u8], last: bool) {
        self.bytes.drain(..self.start);
        self.start = 0;
        match &mut self.encoding {
            Encoding::Unknown(_) | Encoding::Utf8 | Encoding::ByRecord => {
                self.bytes.extend_from_slice(bytes);
            }
            Encoding::Utf16(decoder) => {
                // A UTF-16 unit becomes at most three bytes; some more wait in the decoder.
                let most = decoder.max_utf8_buffer_length(bytes.len()).unwrap_or(usize::MAX / 2);
                let mut text = String::with_capacity(most);
                let _ = decoder.decode_to_string(bytes, &mut text, last);
                self.bytes.extend_from_slice(text.as_bytes());
            }
        }
    }
}

//! vCard: from the bytes of one card to its properties.
//!
//! Lines are unfolded (RFC 6350, 3.2; RFC 2425, 5.8.1), also the soft breaks of quoted-printable and base64 that goes on
//! without indentation, as vCard 2.1 writes them. Each value is decoded by its own ENCODING and CHARSET.

use std::borrow::Cow;

use encoding_rs::Encoding;

use super::decode::Input;

/// One content line.
#[derive(Debug, Default)]
pub(super) struct Property<'a> {
    pub(super) group: Option<String>,
    /// The name as written.
    pub(super) name: String,
    /// Names in capitals; a parameter without a value, as in vCard 2.1, is a TYPE.
    params: Vec<(String, String)>,
    value: Cow<'a, [u8]>,
    transfer: Transfer,
    charset: Option<&'static Encoding>,
    escapes: Escapes,
}

#[derive(Debug, Default, Clone, Copy, PartialEq)]
enum Transfer {
    #[default]
    Plain,
    QuotedPrintable,
    Base64,
}

/// What a backslash means in a value.
#[derive(Debug, Default, Clone, Copy, PartialEq)]
pub(super) enum Escapes {
    /// vCard 3.0 and 4.0: `\n` is a line end.
    #[default]
    Standard,
    /// vCard 2.1: only separators are escaped, so that `C:\new` is a path.
    Separators,
    /// Our own export: `\r` as well, so that a CR survives.
    Own,
}

/// The unfolded lines of a card, those of cards within it left out.
pub(super) fn unfold(card: &[u8]) -> Vec<Cow<'_, [u8]>> {
    let mut lines: Vec<Cow<'_, [u8]>> = Vec::new();
    let mut nested = 0usize;
    let mut begun = false;
    let mut joins = Joins::No;
    for line in physical_lines(card) {
        if is_marker(line, b"BEGIN") {
            nested += usize::from(begun);
            begun = true;
            continue;
        }
        if is_marker(line, b"END") {
            nested = nested.saturating_sub(1);
            continue;
        }
        if nested > 0 {
            continue;
        }
        if let Some(last) = lines.last_mut() {
            if joins == Joins::SoftBreak && last.ends_with(b"=") {
                let last = last.to_mut();
                last.pop();
                last.extend_from_slice(line);
                continue;
            }
            if let [b' ' | b'\t', rest @ ..] = line {
                last.to_mut().extend_from_slice(rest);
                continue;
            }
            if joins == Joins::Base64 && is_base64(line) {
                last.to_mut().extend_from_slice(line);
                continue;
            }
        }
        if !line.trim_ascii().is_empty() {
            joins = Joins::of(line);
            lines.push(Cow::Borrowed(line));
        }
    }
    lines
}

/// How a line goes on beside folding.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Joins {
    No,
    SoftBreak,
    Base64,
}

impl Joins {
    fn of(line: &[u8]) -> Self {
        let head = line.get(..colon(line).unwrap_or(line.len())).unwrap_or_default();
        let head = String::from_utf8_lossy(head);
        let has = |word: &str| {
            split_outside_quotes(&head, ';').skip(1).any(|parameter| {
                let value = parameter.split_once('=').map_or(parameter, |(_, value)| value);
                value.trim().eq_ignore_ascii_case(word)
            })
        };
        if has("QUOTED-PRINTABLE") {
            Joins::SoftBreak
        } else if has("BASE64") || has("B") {
            Joins::Base64
        } else {
            Joins::No
        }
    }
}

fn is_base64(line: &[u8]) -> bool {
    let line = line.trim_ascii();
    !line.is_empty()
        && line
            .iter()
            .all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'/' | b'='))
}

/// Lines that end in CRLF, LF or CR.
fn physical_lines(bytes: &[u8]) -> impl Iterator<Item = &[u8]> {
    bytes
        .split(|byte| *byte == b'\n')
        .flat_map(|line| line.strip_suffix(b"\r").unwrap_or(line).split(|byte| *byte == b'\r'))
}

/// Whether the line is `BEGIN:VCARD` or `END:VCARD`.
pub(super) fn is_marker(line: &[u8], word: &[u8]) -> bool {
    marked(line, word).is_some_and(|name| name.eq_ignore_ascii_case(b"VCARD"))
}

/// What a line `BEGIN:...` or `END:...` names.
pub(super) fn marked<'a>(line: &'a [u8], word: &[u8]) -> Option<&'a [u8]> {
    let (head, name) = line.split_at_checked(word.len())?;
    let name = name.trim_ascii_start().strip_prefix(b":")?;
    head.eq_ignore_ascii_case(word).then(|| name.trim_ascii())
}

impl<'a> Property<'a> {
    /// Takes a line apart; `None` where it has no name or no value.
    pub(super) fn parse(line: &'a [u8], escapes: Escapes, input: &Input) -> Option<Self> {
        let colon = colon(line)?;
        let head = input.text(line.get(..colon)?);
        let mut pieces = split_outside_quotes(&head, ';');
        let full_name = pieces.next()?.trim();
        let (group, name) = match full_name.rsplit_once('.') {
            Some((group, name)) => (Some(group.to_ascii_uppercase()), name),
            None => (None, full_name),
        };
        if name.is_empty() {
            return None;
        }
        let mut property = Property {
            group,
            name: name.to_owned(),
            value: Cow::Borrowed(line.get(colon + 1..)?),
            escapes,
            ..Property::default()
        };
        for piece in pieces {
            property.add_parameter(piece.trim());
        }
        Some(property)
    }

    fn add_parameter(&mut self, piece: &str) {
        let (name, value) = piece.split_once('=').unwrap_or(("", piece));
        let name = name.trim().to_ascii_uppercase();
        let value = value.trim();
        match (name.as_str(), value.to_ascii_uppercase().as_str()) {
            ("" | "ENCODING", "QUOTED-PRINTABLE") => self.transfer = Transfer::QuotedPrintable,
            ("" | "ENCODING", "BASE64") | ("ENCODING", "B") => self.transfer = Transfer::Base64,
            ("" | "ENCODING", "7BIT" | "8BIT" | "") => {}
            ("CHARSET", label) => {
                self.charset = Encoding::for_label(label.trim_matches('"').as_bytes())
            }
            ("", _) => self.params.push(("TYPE".to_owned(), value.to_owned())),
            _ => {
                for one in split_outside_quotes(value, ',') {
                    let text = one.trim().trim_matches('"');
                    self.params.push((name.clone(), caret_decode(text)));
                }
            }
        }
    }

    /// The first value of a parameter, whose name is in capitals.
    pub(super) fn param(&self, name: &str) -> Option<&str> {
        self.params.iter().find(|(other, _)| other == name).map(|(_, value)| value.as_str())
    }

    /// The TYPEs in small letters.
    pub(super) fn types(&self) -> Vec<String> {
        self.params
            .iter()
            .filter(|(name, _)| name == "TYPE")
            .flat_map(|(_, value)| value.split(','))
            .map(|value| value.trim().to_ascii_lowercase())
            .filter(|value| !value.is_empty())
            .collect()
    }

    /// Whether the value is binary, or a picture or sound within the card.
    pub(super) fn is_binary(&self) -> bool {
        self.transfer == Transfer::Base64
            || self.value.get(..5).is_some_and(|start| start.eq_ignore_ascii_case(b"data:"))
    }

    /// Bytes of the value as it stands in the card.
    pub(super) fn len(&self) -> usize {
        self.value.len()
    }

    /// The whole value.
    pub(super) fn text(&self, input: &Input) -> String {
        self.decode(&self.value, input)
    }

    /// The parts of a structured value.
    pub(super) fn components(&self, input: &Input) -> Vec<String> {
        split_unescaped(&self.value, b';').map(|part| self.decode(part, input)).collect()
    }

    /// The members of a list.
    pub(super) fn list(&self, input: &Input) -> Vec<String> {
        split_unescaped(&self.value, b',').map(|part| self.decode(part, input)).collect()
    }

    fn decode(&self, bytes: &[u8], input: &Input) -> String {
        let bytes = match self.transfer {
            Transfer::Plain => Cow::Borrowed(bytes),
            Transfer::QuotedPrintable => Cow::Owned(quoted_printable(bytes)),
            Transfer::Base64 => Cow::Owned(base64(bytes)),
        };
        let text = match self.charset {
            // What is valid UTF-8 beyond ASCII is hardly ever meant as anything else.
            Some(charset) if std::str::from_utf8(&bytes).is_err() => {
                charset.decode_without_bom_handling(&bytes).0
            }
            Some(_) | None => input.text(&bytes),
        };
        let text = if self.transfer == Transfer::Plain {
            text
        } else {
            Cow::Owned(text.replace("\r\n", "\n"))
        };
        unescape(&text, self.escapes)
    }
}

/// The colon between the name with its parameters and the value. One in a quoted parameter is part of it,
/// unless the quote is never closed.
fn colon(line: &[u8]) -> Option<usize> {
    let mut quoted = false;
    let outside = line.iter().position(|byte| {
        quoted ^= *byte == b'"';
        *byte == b':' && !quoted
    });
    outside.or_else(|| line.iter().position(|byte| *byte == b':'))
}

fn split_outside_quotes(text: &str, separator: char) -> impl Iterator<Item = &str> {
    let mut quoted = false;
    text.split(move |c| {
        quoted ^= c == '"';
        c == separator && !quoted
    })
}

fn split_unescaped(bytes: &[u8], separator: u8) -> impl Iterator<Item = &[u8]> {
    let mut escaped = false;
    bytes.split(move |byte| {
        let splits = *byte == separator && !escaped;
        escaped = *byte == b'\\' && !escaped;
        splits
    })
}

/// RFC 6868: `^n`, `^'` and `^^` in a parameter.
fn caret_decode(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut chars = text.chars();
    while let Some(c) = chars.next() {
        match (c, c == '^') {
            (_, false) => out.push(c),
            (_, true) => match chars.next() {
                Some('n') => out.push('\n'),
                Some('\'') => out.push('"'),
                Some('^') => out.push('^'),
                Some(other) => out.extend(['^', other]),
                None => out.push('^'),
            },
        }
    }
    out
}

fn unescape(text: &str, escapes: Escapes) -> String {
    let mut out = String::with_capacity(text.len());
    let mut chars = text.chars();
    while let Some(c) = chars.next() {
        if c != '\\' {
            out.push(c);
            continue;
        }
        match chars.next() {
            Some(c @ ('\\' | ';' | ',' | ':')) => out.push(c),
            Some('n' | 'N') if escapes != Escapes::Separators => out.push('\n'),
            Some('r') if escapes == Escapes::Own => out.push('\r'),
            Some(other) => out.extend(['\\', other]),
            None => out.push('\\'),
        }
    }
    out
}

/// RFC 2045, 6.7; a broken escape is kept as it is.
fn quoted_printable(bytes: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(bytes.len());
    let mut rest = bytes;
    while let [first, after @ ..] = rest {
        rest = after;
        if let (b'=', [high, low, after_both @ ..]) = (*first, after)
            && let (Some(high), Some(low)) = (hex(*high), hex(*low))
        {
            out.push(high << 4 | low);
            rest = after_both;
        } else {
            out.push(*first);
        }
    }
    out
}

fn hex(byte: u8) -> Option<u8> {
    (byte as char).to_digit(16).and_then(|digit| u8::try_from(digit).ok())
}

/// RFC 4648, 4; what is no letter of the alphabet is passed over.
fn base64(bytes: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(bytes.len() / 4 * 3);
    let (mut bits, mut count) = (0u32, 0u32);
    for byte in bytes {
        let six = match byte {
            b'A'..=b'Z' => byte - b'A',
            b'a'..=b'z' => byte - b'a' + 26,
            b'0'..=b'9' => byte - b'0' + 52,
            b'+' => 62,
            b'/' => 63,
            _ => continue,
        };
        bits = (bits << 6 | u32::from(six)) & 0x00FF_FFFF;
        count += 6;
        if count >= 8 {
            count -= 8;
            out.push(u8::try_from(bits >> count & 0xFF).unwrap_or(0));
        }
    }
    out
}

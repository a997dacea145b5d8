//! What commands print: tables for people, JSON for programs. Only data goes to standard output.

use std::io::{self, Write};

use comfy_table::{ColumnConstraint, ContentArrangement, Table, presets};
use crm_core::Timestamp;
use serde::Serialize;

use crate::program::failure::Failure;

/// Columns of a terminal that an id takes, and that a readable cell needs.
const ID_WIDTH: usize = 38;
const LEAST_WIDTH: usize = 12;

/// Whether people or a program read what a command prints.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Format {
    /// A table.
    Table,
    /// JSON.
    Json,
}

/// Prints a value as JSON.
pub(crate) fn json(value: &impl Serialize) -> Result<(), Failure> {
    let text = serde_json::to_string_pretty(value)
        .map_err(|error| Failure::Failed(format!("the result has no JSON: {error}")))?;
    text_lines(&json_plain(&text))
}

/// Prints a table. What is wider than the terminal is wrapped within its column, but for ids, which
/// people copy.
pub(crate) fn table<const N: usize>(
    header: [&str; N],
    rows: impl IntoIterator<Item = [String; N]>,
) -> Result<(), Failure> {
    let mut table = Table::new();
    table.load_style(presets::NOTHING);
    table.set_header(header);
    for row in rows {
        table.add_row(row.map(|cell| plain(&cell)));
    }
    let is_id = |name: &str| name == "id" || name.ends_with(" id");
    for (column, name) in table.column_iter_mut().zip(header) {
        column.set_padding((0, 2));
        if is_id(name) {
            column.set_constraint(ColumnConstraint::ContentWidth);
        }
    }
    let ids = header.iter().filter(|name| is_id(name)).count();
    let least = ids * ID_WIDTH + (N - ids) * LEAST_WIDTH;
    // Where nothing readable is left beside the ids, the terminal's own wrapping is better.
    if table.width().is_some_and(|width| usize::from(width) >= least) {
        table.set_content_arrangement(ContentArrangement::Dynamic);
    }
    text_lines(&table.trim_fmt())
}

/// Prints text, which has no control characters but line breaks.
pub(crate) fn text_lines(text: &str) -> Result<(), Failure> {
    let mut out = io::stdout().lock();
    writeln!(out, "{text}").and_then(|()| out.flush()).map_err(|error| of_stdout(&error))
}

/// What a failed write to standard output means. A reader that has seen enough is no failure.
pub(crate) fn of_stdout(error: &io::Error) -> Failure {
    if error.kind() == io::ErrorKind::BrokenPipe {
        Failure::NobodyReads
    } else {
        Failure::Failed(format!("cannot write to standard output: {error}"))
    }
}

/// Says something to the person at the terminal, apart from the data.
#[allow(clippy::print_stderr, reason = "messages go to standard error")]
pub(crate) fn note(message: &str) {
    eprintln!("{}", plain(message));
}

/// Text that does nothing to a terminal: line breaks and tabs become spaces, other control
/// characters and those that turn the direction of writing are spelled out.
///
/// Contacts come from strangers' files; a name could otherwise move the cursor, set the window's
/// title or show a row backwards.
pub(crate) fn plain(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '\n' | '\r' | '\t' => safe.push(' '),
            c if is_unsafe(c) => safe.extend(c.escape_unicode()),
            c => safe.push(c),
        }
    }
    safe
}

/// The same JSON, without the control characters that JSON itself lets through.
fn json_plain(json: &str) -> String {
    let mut safe = String::with_capacity(json.len());
    for c in json.chars() {
        // Outside of strings JSON has none of them but the line breaks between its parts.
        if c != '\n' && is_unsafe(c) {
            safe.push_str(&format!("\\u{:04x}", u32::from(c)));
        } else {
            safe.push(c);
        }
    }
    safe
}

/// Control characters (C0, DEL, C1), and the marks that reorder text (Unicode UAX 9, 2).
fn is_unsafe(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{200e}' | '\u{200f}' | '\u{061c}'
            | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

/// A time for people: UTC, to the second.
pub(crate) fn when(at: Timestamp) -> String {
    at.to_string().chars().take(19).map(|c| if c == 'T' { ' ' } else { c }).collect()
}

/// A number for people, its thousands parted.
pub(crate) fn count(number: u64) -> String {
    let digits = number.to_string();
    let mut parted = String::with_capacity(digits.len() + digits.len() / 3);
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            parted.push(',');
        }
        parted.push(digit);
    }
    parted
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_terminal_would_obey_is_spelled_out() {
        assert_eq!(plain("\u{1b}]0;owned\u{7}Ada"), "\\u{1b}]0;owned\\u{7}Ada");
        assert_eq!(plain("a\u{9b}31mb"), "a\\u{9b}31mb");
        assert_eq!(plain("Ada\u{202e}fdp"), "Ada\\u{202e}fdp");
        assert_eq!(plain("two\r\nlines\tand 王小明 Muñoz"), "two  lines and 王小明 Muñoz");
    }

    #[test]
    fn json_keeps_its_value_when_made_safe() {
        let value = serde_json::json!({ "name": "a\u{9b}31m\u{7f}\u{202e}\n王" });
        let safe = json_plain(&serde_json::to_string_pretty(&value).unwrap());
        assert!(!safe.chars().any(|c| c != '\n' && is_unsafe(c)), "{safe}");
        assert_eq!(serde_json::from_str::<serde_json::Value>(&safe).unwrap(), value);
    }

    #[test]
    fn thousands_are_parted() {
        assert_eq!(count(0), "0");
        assert_eq!(count(999), "999");
        assert_eq!(count(1_234_567), "1,234,567");
    }
}

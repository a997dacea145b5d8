//! Cells that a spreadsheet would run as formulas.
//!
//! A cell that begins with one of the characters below is written with an apostrophe before it, so that it
//! is text (OWASP, "CSV Injection"). Spreadsheets show that apostrophe when they open the file. A phone number such
//! as `+14255550123` gets one too: without it the spreadsheet would show a number without its `+`.

use std::borrow::Cow;

fn is_risky(c: char) -> bool {
    matches!(c, '=' | '+' | '-' | '@' | '\t' | '\r' | '\n' | '＝' | '＋' | '－' | '＠')
}

/// Whether the cell is risky but for apostrophes before it. Those count, so that [`restore`] is exact
/// also for text that began with an apostrophe of its own.
fn needs_mark(cell: &str) -> bool {
    cell.trim_start_matches('\'').starts_with(is_risky)
}

/// The cell as it is safe to write.
pub(super) fn neutralise(cell: &str) -> Cow<'_, str> {
    if needs_mark(cell) { Cow::Owned(format!("'{cell}")) } else { Cow::Borrowed(cell) }
}

/// Undoes [`neutralise`]; for our own export only, another program's apostrophe is its text.
pub(super) fn restore(cell: &str) -> Cow<'_, str> {
    match cell.strip_prefix('\'') {
        Some(rest) if needs_mark(rest) => Cow::Borrowed(rest),
        _ => Cow::Borrowed(cell),
    }
}

//! CSV: from contacts to rows.
//!
//! The columns are the same for every file, so that it can be streamed: the first three e-mails and phones and
//! the first address have columns of their own, the tenant's fields are one JSON object in `custom_json`, and what has no
//! column is in `more_json`. UTF-8 with a byte order mark and CRLF, which spreadsheets want; cells that they
//! would run as formulas are neutralised (see [`spreadsheet`](super::spreadsheet)).

use std::fmt::Write;

use serde_json::{Map, Value, json};

use super::spreadsheet::neutralise;
use crate::contacts::model::{Contact, PostalAddress};

/// E-mails and phones that have columns.
const COLUMNS_EACH: usize = 3;

/// The mark and the header.
pub(super) fn header() -> Vec<u8> {
    let mut row = Row(String::from('\u{feff}'));
    for name in ["id", "first_name", "last_name", "display_name", "company", "title"] {
        row.cell(name);
    }
    for nth in 0..COLUMNS_EACH {
        let number = if nth == 0 { String::new() } else { format!("_{}", nth + 1) };
        row.cell(&format!("email{number}"));
        row.cell(&format!("email{number}_label"));
    }
    for nth in 0..COLUMNS_EACH {
        let number = if nth == 0 { String::new() } else { format!("_{}", nth + 1) };
        row.cell(&format!("phone{number}"));
        row.cell(&format!("phone{number}_label"));
        row.cell(&format!("phone{number}_as_typed"));
    }
    for name in [
        "street",
        "city",
        "region",
        "postal_code",
        "country",
        "address_label",
        "tags",
        "source",
        "owner_id",
        "company_id",
        "created_at",
        "updated_at",
        "version",
        "custom_json",
        "more_json",
    ] {
        row.cell(name);
    }
    row.end()
}

/// Appends one row.
pub(super) fn write(contact: &Contact, out: &mut Vec<u8>) {
    let mut row = Row(String::new());
    let mut more = Map::new();
    row.cell(&contact.id.to_string());
    row.optional(contact.first_name.as_deref());
    row.optional(contact.last_name.as_deref());
    row.cell(&contact.display_name);
    row.optional(contact.company.as_deref());
    row.optional(contact.title.as_deref());
    for nth in 0..COLUMNS_EACH {
        let email = contact.emails.get(nth);
        row.optional(email.map(|email| email.address.as_str()));
        row.optional(email.and_then(|email| email.label.as_deref()));
    }
    for nth in 0..COLUMNS_EACH {
        let phone = contact.phones.get(nth);
        let number = phone.and_then(|phone| phone.number.as_ref()).map(|number| number.as_str());
        let raw = phone.map(|phone| phone.raw.as_str());
        row.optional(number.or(raw));
        row.optional(phone.and_then(|phone| phone.label.as_deref()));
        row.optional(raw.filter(|raw| number.is_some_and(|number| number != *raw)));
    }
    let nowhere = PostalAddress::default();
    let address = contact.addresses.first().unwrap_or(&nowhere);
    row.optional(address.street.as_deref());
    row.optional(address.city.as_deref());
    row.optional(address.region.as_deref());
    row.optional(address.postal_code.as_deref());
    row.optional(address.country.as_deref());
    row.optional(address.label.as_deref());
    row.cell(&contact.tags.join("; "));
    row.optional(contact.source.as_deref());
    row.optional(contact.owner_id.map(|id| id.to_string()).as_deref());
    row.optional(contact.company_id.map(|id| id.to_string()).as_deref());
    row.cell(&contact.created_at.to_string());
    row.cell(&contact.updated_at.to_string());
    row.cell(&contact.version.to_string());
    row.optional(
        (!contact.custom.is_empty()).then(|| json!(contact.custom).to_string()).as_deref(),
    );
    if let Some(surplus @ [_, ..]) = contact.emails.get(COLUMNS_EACH..) {
        more.insert("emails".to_owned(), json!(surplus));
    }
    if let Some(surplus @ [_, ..]) = contact.phones.get(COLUMNS_EACH..) {
        more.insert("phones".to_owned(), json!(surplus));
    }
    if let Some(surplus @ [_, ..]) = contact.addresses.get(1..) {
        more.insert("addresses".to_owned(), json!(surplus));
    }
    if contact.tags.iter().any(|tag| tag.contains(';')) {
        more.insert("tags".to_owned(), json!(contact.tags));
    }
    row.optional((!more.is_empty()).then(|| Value::Object(more).to_string()).as_deref());
    out.extend_from_slice(&row.end());
}

struct Row(String);

impl Row {
    fn cell(&mut self, text: &str) {
        let cell = neutralise(text);
        // Every delimiter that a reader may take, and spaces that one may cut off, are quoted.
        let quoted = cell.contains(['"', ',', ';', '\t', '|', '\n', '\r'])
            || cell.starts_with(char::is_whitespace)
            || cell.ends_with(char::is_whitespace);
        // Writing to a string cannot fail.
        let _ = if quoted {
            write!(self.0, "\"{}\",", cell.replace('"', "\"\""))
        } else {
            write!(self.0, "{cell},")
        };
    }

    fn optional(&mut self, text: Option<&str>) {
        self.cell(text.unwrap_or_default());
    }

    fn end(mut self) -> Vec<u8> {
        self.0.pop();
        self.0.push_str("\r\n");
        self.0.into_bytes()
    }
}

//! JSON lines: one contact per line.

use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

use super::SourceRecord;
use super::decode::Input;
use crate::contacts::model::NewContact;
use crate::email::shorten;
use crate::error::FieldError;

/// What an export holds besides the contact's details; the store decides these anew.
const EXPORT_ONLY: &[&str] = &["id", "created_at", "updated_at", "deleted_at", "version"];

#[derive(Debug)]
pub(super) struct JsonLinesReader {
    /// Bytes that a line may have.
    limit: usize,
    row: u64,
    /// Bytes of the unfinished line that hold no line end.
    scanned: usize,
    /// The rest of an overlong line is passed over.
    skipping: bool,
}

impl JsonLinesReader {
    pub(super) fn new(limit: usize) -> Self {
        JsonLinesReader { limit, row: 0, scanned: 0, skipping: false }
    }

    pub(super) fn next_record(&mut self, input: &mut Input) -> Option<SourceRecord> {
        loop {
            let rest = input.rest();
            let unseen = rest.get(self.scanned..).unwrap_or_default();
            let end = unseen.iter().position(|byte| *byte == b'\n').map(|at| at + self.scanned);
            if self.skipping {
                input.consume(end.map_or(rest.len(), |end| end + 1));
                self.scanned = 0;
                end?;
                self.skipping = false;
                continue;
            }
            let length = end.unwrap_or(rest.len());
            if length > self.limit {
                self.row += 1;
                self.skipping = true;
                self.scanned = 0;
                return Some(SourceRecord::refused(
                    self.row,
                    "line",
                    "record_too_large",
                    format!("the line has more than {} bytes; split or shorten it", self.limit),
                ));
            }
            if end.is_none() && (!input.ended() || rest.is_empty()) {
                self.scanned = rest.len();
                return None;
            }
            self.scanned = 0;
            self.row += 1;
            let line = rest.get(..length).unwrap_or_default();
            let record = (!line.trim_ascii().is_empty())
                .then(|| SourceRecord::new(self.row, contact(&input.text(line))));
            input.consume(length + 1);
            if record.is_some() {
                return record;
            }
        }
    }
}

fn contact(line: &str) -> Result<NewContact, Vec<FieldError>> {
    let object: Map<String, Value> = serde_json::from_str(line).map_err(|error| {
        vec![FieldError::new(
            "line",
            "invalid_json",
            format!(
                "the line is not a JSON object ({error}); it looks like {{\"first_name\": \"Ada\"}}"
            ),
        )]
    })?;
    let mut contact = NewContact::default();
    let mut refused = Vec::new();
    for (key, value) in object {
        if value.is_null() || EXPORT_ONLY.contains(&key.as_str()) {
            continue;
        }
        let taken = match key.as_str() {
            "first_name" => take(&key, value).map(|value| contact.first_name = value),
            "last_name" => take(&key, value).map(|value| contact.last_name = value),
            "display_name" => take(&key, value).map(|value| contact.display_name = value),
            "company" => take(&key, value).map(|value| contact.company = value),
            "company_id" => take(&key, value).map(|value| contact.company_id = value),
            "title" => take(&key, value).map(|value| contact.title = value),
            "emails" => take(&key, value).map(|value| contact.emails = value),
            "phones" => take(&key, value).map(|value| contact.phones = value),
            "addresses" => take(&key, value).map(|value| contact.addresses = value),
            "tags" => take(&key, value).map(|value| contact.tags = value),
            "custom" => take(&key, value).map(|value| contact.custom = value),
            "owner_id" => take(&key, value).map(|value| contact.owner_id = value),
            "source" => take(&key, value).map(|value| contact.source = value),
            unknown => Err(FieldError::new(
                shorten(unknown),
                "unknown_field",
                format!(
                    "a contact has no `{}`; a field of your own belongs into `custom`",
                    shorten(unknown)
                ),
            )),
        };
        refused.extend(taken.err());
    }
    // However the host's other crates have JSON keep its keys.
    refused.sort_by(|a, b| a.field.cmp(&b.field));
    if refused.is_empty() { Ok(contact) } else { Err(refused) }
}

fn take<T: DeserializeOwned>(field: &str, value: Value) -> Result<T, FieldError> {
    serde_json::from_value(value).map_err(|error| {
        FieldError::new(field, "invalid_type", format!("`{field}` cannot be read: {error}"))
    })
}

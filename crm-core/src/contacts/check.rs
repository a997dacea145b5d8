//! The rules of a contact's values, and all that break them at once.

use std::collections::BTreeMap;

use super::model::{
    ContactEmail, ContactPhone, CustomValue, MAX_CUSTOM, MAX_CUSTOM_TEXT, MAX_ENTRIES, MAX_LINE,
    MAX_TAGS, NewEmail, NewPhone, PostalAddress,
};
use crate::email::{EmailAddress, shorten};
use crate::error::FieldError;
use crate::phone::{PhoneNumber, Region};

/// Collects every refused value of one record, so that the caller sees them together.
#[derive(Default)]
pub(crate) struct Check {
    pub(crate) refused: Vec<FieldError>,
}

impl Check {
    pub(crate) fn refuse(
        &mut self,
        field: impl Into<String>,
        code: &'static str,
        message: impl Into<String>,
    ) {
        self.refused.push(FieldError::new(field, code, message));
    }

    fn refused_any(&self, list: &str) -> bool {
        self.refused.iter().any(|error| error.field.starts_with(list))
    }

    /// A contact needs a name, an e-mail or a phone. Where one was refused, that is said already.
    pub(crate) fn something_to_go_by(
        &mut self,
        names: [&Option<String>; 3],
        emails: &[ContactEmail],
        phones: &[ContactPhone],
    ) {
        if names.iter().all(|name| name.is_none())
            && emails.is_empty()
            && phones.is_empty()
            && self.refused.is_empty()
        {
            self.refuse("first_name", "required", "a contact needs a name, an e-mail or a phone");
        }
    }

    /// One line of text: trimmed, empty is none, no control characters.
    pub(crate) fn line(&mut self, field: &str, value: Option<String>) -> Option<String> {
        self.text(field, value, MAX_LINE, false)
    }

    fn text(
        &mut self,
        field: &str,
        value: Option<String>,
        most: usize,
        lines: bool,
    ) -> Option<String> {
        let value = value?;
        let trimmed = value.trim();
        if trimmed.is_empty() {
            return None;
        }
        if trimmed.chars().nth(most).is_some() {
            let count = trimmed.chars().count();
            self.refuse(
                field,
                "too_long",
                format!("`{field}` has {count} characters; at most {most} are kept"),
            );
            return None;
        }
        let forbidden = |c: char| c.is_control() && !(lines && matches!(c, '\n' | '\r' | '\t'));
        if trimmed.chars().any(forbidden) {
            self.refuse(
                field,
                "control_character",
                format!("`{field}` holds a control character; only printable text is kept"),
            );
            return None;
        }
        Some(if trimmed.len() == value.len() { value } else { trimmed.to_owned() })
    }

    pub(crate) fn count(&mut self, field: &str, count: usize, most: usize) -> bool {
        if count > most {
            self.refuse(
                field,
                "too_many",
                format!("`{field}` has {count} entries; at most {most} are kept"),
            );
        }
        count <= most
    }

    pub(crate) fn emails(&mut self, emails: Vec<NewEmail>) -> Vec<ContactEmail> {
        if !self.count("emails", emails.len(), MAX_ENTRIES) {
            return Vec::new();
        }
        let mut kept: Vec<ContactEmail> = Vec::with_capacity(emails.len());
        for (index, email) in emails.into_iter().enumerate() {
            let label = self.line(&format!("emails[{index}].label"), email.label);
            match EmailAddress::parse(&email.address) {
                Ok(address) => {
                    let key = address.key();
                    if !kept.iter().any(|other| other.address.key() == key) {
                        kept.push(ContactEmail { address, label });
                    }
                }
                Err(error) => {
                    self.refuse(format!("emails[{index}].address"), "invalid_email", error.message);
                }
            }
        }
        kept
    }

    pub(crate) fn phones(&mut self, phones: Vec<NewPhone>, region: Region) -> Vec<ContactPhone> {
        if !self.count("phones", phones.len(), MAX_ENTRIES) {
            return Vec::new();
        }
        let mut kept: Vec<ContactPhone> = Vec::with_capacity(phones.len());
        for (index, phone) in phones.into_iter().enumerate() {
            let label = self.line(&format!("phones[{index}].label"), phone.label);
            let number_text = self.line(&format!("phones[{index}].number"), phone.number);
            let raw_text = self.line(&format!("phones[{index}].raw"), phone.raw);
            // `number` is the caller's better knowledge; `raw` is what is kept as typed.
            let number = number_text
                .as_deref()
                .and_then(|text| PhoneNumber::parse(text, region))
                .or_else(|| raw_text.as_deref().and_then(|text| PhoneNumber::parse(text, region)));
            let Some(raw) = raw_text.or(number_text) else {
                if !self.refused_any(&format!("phones[{index}]")) {
                    self.refuse(
                        format!("phones[{index}].raw"),
                        "required",
                        "a phone needs a number",
                    );
                }
                continue;
            };
            let phone = ContactPhone { number, raw, label };
            if !kept.iter().any(|known| known.is_same_as(&phone)) {
                kept.push(phone);
            }
        }
        kept
    }

    pub(crate) fn addresses(&mut self, addresses: Vec<PostalAddress>) -> Vec<PostalAddress> {
        if !self.count("addresses", addresses.len(), MAX_ENTRIES) {
            return Vec::new();
        }
        let mut kept = Vec::with_capacity(addresses.len());
        for (index, address) in addresses.into_iter().enumerate() {
            let mut line = |part: &str, value, lines| {
                self.text(&format!("addresses[{index}].{part}"), value, MAX_LINE * 4, lines)
            };
            let address = PostalAddress {
                street: line("street", address.street, true),
                city: line("city", address.city, false),
                region: line("region", address.region, false),
                postal_code: line("postal_code", address.postal_code, false),
                country: line("country", address.country, false),
                label: line("label", address.label, false),
            };
            if !address.is_empty() {
                kept.push(address);
            }
        }
        kept
    }

    pub(crate) fn tags(&mut self, tags: Vec<String>) -> Vec<String> {
        if !self.count("tags", tags.len(), MAX_TAGS) {
            return Vec::new();
        }
        let mut kept: Vec<String> = tags
            .into_iter()
            .enumerate()
            .filter_map(|(index, tag)| self.line(&format!("tags[{index}]"), Some(tag)))
            .collect();
        kept.sort();
        kept.dedup();
        kept
    }

    pub(crate) fn custom(
        &mut self,
        custom: BTreeMap<String, CustomValue>,
    ) -> BTreeMap<String, CustomValue> {
        if !self.count("custom", custom.len(), MAX_CUSTOM) {
            return BTreeMap::new();
        }
        let mut kept = BTreeMap::new();
        for (key, value) in custom {
            let field = format!("custom.{}", shorten(&key));
            let Some(key) = self.line(&field, Some(key)) else {
                if !self.refused_any(&field) {
                    self.refuse("custom", "required", "a custom field needs a name");
                }
                continue;
            };
            if let CustomValue::Text(text) = &value
                && text.len() > MAX_CUSTOM_TEXT
            {
                self.refuse(
                    field,
                    "too_long",
                    format!(
                        "the text has {} bytes; at most {MAX_CUSTOM_TEXT} are kept",
                        text.len()
                    ),
                );
                continue;
            }
            if kept.contains_key(&key) {
                self.refuse(field, "duplicate", format!("`{key}` is given twice"));
                continue;
            }
            kept.insert(key, value);
        }
        kept
    }
}

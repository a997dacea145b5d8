//! vCard 4.0 (RFC 6350): from contacts to cards.
//!
//! What the format has no property for stands in properties and parameters that begin with `X-CRM-`, so that
//! nothing is lost when a card comes back. Well-known custom fields are written twice: for other programs as
//! NOTE, BDAY, NICKNAME and URL, and exactly in X-CRM-CUSTOM, which is what the own reader takes.

use std::borrow::Cow;

use serde_json::json;

use crate::contacts::model::{Contact, CustomValue};

/// Marks a card as written here: its values are taken exactly.
pub(super) const PRODID: &str = "-//crm-core//contacts 1//EN";

/// Octets that a line has at most, without its end (RFC 6350, 3.2).
const FOLD: usize = 75;

/// Appends one card.
pub(super) fn write(contact: &Contact, out: &mut Vec<u8>) {
    let mut card = Card { out };
    card.line("BEGIN:VCARD");
    card.line("VERSION:4.0");
    card.line(&format!("PRODID:{PRODID}"));
    card.line(&format!("UID:urn:uuid:{}", contact.id));
    card.line(&format!(
        "N:{};{};;;",
        escape(contact.last_name.as_deref().unwrap_or_default()),
        escape(contact.first_name.as_deref().unwrap_or_default())
    ));
    card.text("FN", &contact.display_name);
    card.optional("ORG", contact.company.as_deref());
    card.optional("TITLE", contact.title.as_deref());
    for email in &contact.emails {
        let label = label(email.label.as_deref(), &["home", "work"]);
        card.text(&format!("EMAIL{label}"), email.address.as_str());
    }
    for phone in &contact.phones {
        let mut head =
            format!("TEL{}", label(phone.label.as_deref(), &["home", "work", "fax", "pager"]));
        let number = phone.number.as_ref().map_or(phone.raw.as_str(), |number| number.as_str());
        if number != phone.raw {
            head.push_str(&format!(";X-CRM-RAW={}", parameter(&phone.raw)));
        }
        card.text(&head, number);
    }
    for address in &contact.addresses {
        let part = |part: &Option<String>| escape(part.as_deref().unwrap_or_default()).into_owned();
        card.line(&format!(
            "ADR{}:;;{};{};{};{};{}",
            label(address.label.as_deref(), &["home", "work"]),
            part(&address.street),
            part(&address.city),
            part(&address.region),
            part(&address.postal_code),
            part(&address.country)
        ));
    }
    if !contact.tags.is_empty() {
        let tags: Vec<Cow<'_, str>> = contact.tags.iter().map(|tag| escape(tag)).collect();
        card.line(&format!("CATEGORIES:{}", tags.join(",")));
    }
    for (property, key) in
        [("NOTE", "notes"), ("NICKNAME", "nickname"), ("URL", "website"), ("BDAY", "birthday")]
    {
        if let Some(CustomValue::Text(text)) = contact.custom.get(key)
            && (property != "BDAY" || is_date(text))
        {
            let text = if property == "BDAY" { text.replace('-', "") } else { printable(text) };
            card.text(property, &text);
        }
    }
    card.optional("X-CRM-SOURCE", contact.source.as_deref());
    card.optional("X-CRM-OWNER-ID", contact.owner_id.map(|id| id.to_string()).as_deref());
    card.optional("X-CRM-COMPANY-ID", contact.company_id.map(|id| id.to_string()).as_deref());
    for (key, value) in &contact.custom {
        card.text("X-CRM-CUSTOM", &json!({ key: value }).to_string());
    }
    let revised: String =
        contact.updated_at.to_string().chars().filter(|c| !matches!(c, '-' | ':')).collect();
    let revised = revised.split('.').next().unwrap_or_default().trim_end_matches('Z');
    card.line(&format!("REV:{revised}Z"));
    card.line("END:VCARD");
}

struct Card<'a> {
    out: &'a mut Vec<u8>,
}

impl Card<'_> {
    fn optional(&mut self, head: &str, text: Option<&str>) {
        if let Some(text) = text {
            self.text(head, text);
        }
    }

    fn text(&mut self, head: &str, text: &str) {
        self.line(&format!("{head}:{}", escape(text)));
    }

    /// One content line, folded between characters.
    fn line(&mut self, line: &str) {
        let mut width = 0;
        for c in line.chars() {
            if width + c.len_utf8() > FOLD {
                self.out.extend_from_slice(b"\r\n ");
                width = 1;
            }
            self.out.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes());
            width += c.len_utf8();
        }
        self.out.extend_from_slice(b"\r\n");
    }
}

/// The parameters for a label: a TYPE where the format has one, and the label itself where that is not
/// the same.
fn label(label: Option<&str>, types: &[&str]) -> String {
    match label {
        None => String::new(),
        Some(one) if types.contains(&one) => format!(";TYPE={one}"),
        Some(own) => {
            // RFC 6350 calls a mobile phone a cell.
            let known = if own == "mobile" && types.contains(&"pager") {
                ";TYPE=cell".to_owned()
            } else {
                String::new()
            };
            format!("{known};X-CRM-LABEL={}", parameter(own))
        }
    }
}

/// A quoted parameter value (RFC 6868).
fn parameter(text: &str) -> String {
    format!("\"{}\"", text.replace('^', "^^").replace('"', "^'").replace('\n', "^n"))
}

/// RFC 6350, 3.4; a CR, which the format cannot write, as `\r`.
fn escape(text: &str) -> Cow<'_, str> {
    if !text.contains(['\\', ';', ',', '\n', '\r']) {
        return Cow::Borrowed(text);
    }
    let mut out = String::with_capacity(text.len() + 8);
    for c in text.chars() {
        match c {
            '\\' | ';' | ',' => out.extend(['\\', c]),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            c => out.push(c),
        }
    }
    Cow::Owned(out)
}

/// The text without control characters, for other programs.
fn printable(text: &str) -> String {
    text.replace("\r\n", "\n")
        .chars()
        .filter(|c| *c == '\n' || *c == '\t' || !c.is_control())
        .collect()
}

fn is_date(text: &str) -> bool {
    text.len() == 10 && chrono::NaiveDate::parse_from_str(text, "%Y-%m-%d").is_ok()
}

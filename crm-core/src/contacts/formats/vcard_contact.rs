//! vCard: from the properties of a card to a contact.
//!
//! What a contact has no field for is kept in `custom`: well-known properties under stable keys (`notes`,
//! `birthday`, `nickname`, `website`, ...), others under their name. Pictures, sounds and keys are not kept, with
//! a warning. A LABEL (an address as text, in vCard 2.1 and 3.0) counts only where the card has no ADR.

use std::collections::BTreeMap;
use std::str::FromStr;

use super::decode::Input;
use super::names::{label, name_the_nameless, one_line, split_full_name};
use super::vcard_lines::{Escapes, Property, unfold};
use super::vcard_write::PRODID;
use crate::contacts::model::{
    CustomValue, MAX_CUSTOM_TEXT, NewContact, NewEmail, NewPhone, PostalAddress,
};
use crate::error::{Error, FieldError};

/// Properties about the card itself.
const HOUSEKEEPING: &[&str] = &["VERSION", "PRODID", "REV", "CLIENTPIDMAP"];

/// Reads one card.
pub(super) fn contact(
    card: &[u8],
    input: &Input,
) -> (Result<NewContact, Vec<FieldError>>, Vec<FieldError>) {
    let mut builder = Builder::new(input);
    let lines = unfold(card);
    let escapes = escapes(&lines, input);
    builder.own = escapes == Escapes::Own;
    let mut unreadable = 0usize;
    let mut properties = Vec::with_capacity(lines.len());
    for line in &lines {
        match Property::parse(line, escapes, input) {
            Some(property) => properties.push(property),
            None => unreadable += 1,
        }
    }
    if unreadable > 0 {
        builder.warn("card", "unreadable_line", format!("lines that cannot be read: {unreadable}"));
    }
    for property in &properties {
        if property.name.eq_ignore_ascii_case("X-ABLABEL")
            && let Some(group) = &property.group
        {
            // Apple wraps its own labels: `_$!<HomePage>!$_`.
            let text = property.text(input);
            let text = text.trim_start_matches("_$!<").trim_end_matches(">!$_");
            builder.group_labels.insert(group.clone(), text.to_owned());
        }
    }
    for property in &properties {
        builder.add(property);
    }
    builder.finish()
}

fn escapes(lines: &[std::borrow::Cow<'_, [u8]>], input: &Input) -> Escapes {
    let mut escapes = Escapes::Standard;
    for line in lines {
        let text = input.text(line);
        let Some((name, value)) = text.split_once(':') else { continue };
        if name.eq_ignore_ascii_case("PRODID") && value.trim() == PRODID {
            return Escapes::Own;
        }
        if name.eq_ignore_ascii_case("VERSION") && value.trim().starts_with('2') {
            escapes = Escapes::Separators;
        }
    }
    escapes
}

struct Builder<'a> {
    input: &'a Input,
    own: bool,
    contact: NewContact,
    full_name: Option<String>,
    /// The values with their rank: the preferred ones come first.
    emails: Vec<(u32, NewEmail)>,
    phones: Vec<(u32, NewPhone)>,
    addresses: Vec<(u32, PostalAddress)>,
    written_addresses: Vec<PostalAddress>,
    group_labels: BTreeMap<String, String>,
    refused: Vec<FieldError>,
    warnings: Vec<FieldError>,
}

impl<'a> Builder<'a> {
    fn new(input: &'a Input) -> Self {
        Builder {
            input,
            own: false,
            contact: NewContact::default(),
            full_name: None,
            emails: Vec::new(),
            phones: Vec::new(),
            addresses: Vec::new(),
            written_addresses: Vec::new(),
            group_labels: BTreeMap::new(),
            refused: Vec::new(),
            warnings: Vec::new(),
        }
    }

    fn warn(&mut self, field: &str, code: &'static str, message: impl Into<String>) {
        self.warnings.push(FieldError::new(field, code, message));
    }

    fn add(&mut self, property: &Property<'_>) {
        let name = property.name.to_ascii_uppercase();
        if HOUSEKEEPING.contains(&name.as_str()) {
            return;
        }
        if matches!(name.as_str(), "PHOTO" | "LOGO" | "SOUND" | "KEY" | "AGENT") {
            return self.add_media(&name, property);
        }
        if self.own && self.add_own(&name, property) {
            return;
        }
        match name.as_str() {
            "FN" => {
                let text = one_line(&property.text(self.input));
                if !text.is_empty() && self.full_name.is_none() {
                    self.full_name = Some(text);
                }
            }
            "N" => self.add_name(property),
            "ORG" => {
                let parts = property.components(self.input);
                let mut parts =
                    parts.iter().map(|part| one_line(part)).filter(|part| !part.is_empty());
                let organization = parts.next().unwrap_or_default();
                if self.contact.company.is_none() && !organization.is_empty() {
                    self.contact.company = Some(organization);
                } else {
                    self.custom("organization", &organization);
                }
                self.custom("department", &parts.collect::<Vec<_>>().join("; "));
            }
            "TITLE" => {
                let text = one_line(&property.text(self.input));
                if self.contact.title.is_none() && !text.is_empty() {
                    self.contact.title = Some(text);
                } else {
                    self.custom("title", &text);
                }
            }
            "EMAIL" => self.add_email(property),
            "TEL" => self.add_phone(property),
            "ADR" => self.add_address(property),
            "LABEL" => {
                let street = property.text(self.input).trim().to_owned();
                if !street.is_empty() {
                    let label = self.label(property);
                    let street = Some(street);
                    self.written_addresses.push(PostalAddress {
                        street,
                        label,
                        ..PostalAddress::default()
                    });
                }
            }
            "CATEGORIES" => {
                let tags = property.list(self.input);
                self.contact.tags.extend(tags.iter().map(|tag| one_line(tag)));
            }
            "KIND" | "X-ADDRESSBOOKSERVER-KIND" => self.check_kind(property),
            "X-ABLABEL" if property.group.is_some() => {}
            _ => self.add_other(&name, property),
        }
    }

    /// What only our own export writes; `true` where the property has been dealt with.
    fn add_own(&mut self, name: &str, property: &Property<'_>) -> bool {
        let text = || property.text(self.input);
        match name {
            "N" => {
                let mut parts = property.components(self.input).into_iter();
                self.contact.last_name = parts.next().filter(|part| !part.is_empty());
                self.contact.first_name = parts.next().filter(|part| !part.is_empty());
            }
            "FN" => self.contact.display_name = Some(text()),
            "ORG" => self.contact.company = Some(text()),
            "X-CRM-SOURCE" => self.contact.source = Some(text()),
            "X-CRM-OWNER-ID" => self.contact.owner_id = self.id("owner_id", &text()),
            "X-CRM-COMPANY-ID" => self.contact.company_id = self.id("company_id", &text()),
            "X-CRM-CUSTOM" => {
                match serde_json::from_str::<BTreeMap<String, CustomValue>>(&text()) {
                    Ok(custom) => self.contact.custom.extend(custom),
                    Err(error) => self.refused.push(FieldError::new(
                        "X-CRM-CUSTOM",
                        "invalid_json",
                        format!("`X-CRM-CUSTOM` is not the JSON that an export writes: {error}"),
                    )),
                }
            }
            "CATEGORIES" => self.contact.tags.extend(property.list(self.input)),
            // Written for other programs; X-CRM-CUSTOM holds the same exactly.
            "UID" | "NOTE" | "BDAY" | "NICKNAME" | "URL" => {}
            _ => return false,
        }
        true
    }

    fn id<T: FromStr<Err = Error>>(&mut self, field: &str, text: &str) -> Option<T> {
        match text.parse() {
            Ok(id) => Some(id),
            Err(error) => {
                self.refused.push(FieldError::new(field, "invalid_id", error.message().to_owned()));
                None
            }
        }
    }

    fn add_name(&mut self, property: &Property<'_>) {
        let parts = property.components(self.input);
        let mut parts = parts.iter().map(|part| one_line(part));
        let mut next = || parts.next().filter(|part| !part.is_empty());
        let (last, first) = (next(), next());
        if self.contact.last_name.is_none() && self.contact.first_name.is_none() {
            self.contact.last_name = last;
            self.contact.first_name = first;
        }
        // RFC 9554 added the last two.
        for key in ["middle_name", "honorific", "suffix", "secondary_surname", "generation"] {
            if let Some(value) = next() {
                self.custom(key, &value);
            }
        }
    }

    fn add_email(&mut self, property: &Property<'_>) {
        let text = one_line(&property.text(self.input));
        let address = text.strip_prefix("mailto:").unwrap_or(&text).to_owned();
        if !address.is_empty() {
            let label = self.label(property);
            self.emails.push((rank(property), NewEmail { address, label }));
        }
    }

    fn add_phone(&mut self, property: &Property<'_>) {
        let text = one_line(&property.text(self.input));
        let number = match text.get(..4) {
            Some(scheme) if !self.own && scheme.eq_ignore_ascii_case("tel:") => from_tel_uri(&text),
            Some(_) | None => text,
        };
        if number.is_empty() {
            return;
        }
        let label = self.label(property);
        let raw = property.param("X-CRM-RAW").filter(|_| self.own).map(str::to_owned);
        let phone = match raw {
            Some(raw) => NewPhone { number: Some(number), raw: Some(raw), label },
            None => NewPhone { number: None, raw: Some(number), label },
        };
        self.phones.push((rank(property), phone));
    }

    fn add_address(&mut self, property: &Property<'_>) {
        let parts = property.components(self.input);
        let part = |index: usize| {
            parts.get(index).map(|part| one_line(part)).filter(|part| !part.is_empty())
        };
        let street: Vec<&str> = [2, 1, 0]
            .into_iter()
            .filter_map(|index| parts.get(index))
            .map(|part| part.trim())
            .filter(|part| !part.is_empty())
            .collect();
        let address = PostalAddress {
            street: (!street.is_empty()).then(|| street.join("\n")),
            city: part(3),
            region: part(4),
            postal_code: part(5),
            country: part(6),
            label: self.label(property),
        };
        if !address.is_empty() {
            self.addresses.push((rank(property), address));
        } else if let Some(written) = property.param("LABEL").map(str::trim)
            && !written.is_empty()
        {
            let street = Some(written.to_owned());
            self.addresses.push((rank(property), PostalAddress { street, ..address }));
        }
    }

    /// What the value is for: the card's own label, else its TYPEs.
    fn label(&self, property: &Property<'_>) -> Option<String> {
        if self.own {
            return match property.param("X-CRM-LABEL") {
                Some(own) => Some(own.to_owned()),
                None => property.param("TYPE").map(str::to_owned),
            };
        }
        if let Some(text) = property.group.as_ref().and_then(|group| self.group_labels.get(group)) {
            return label(text);
        }
        let types = property.types();
        let has = |name: &str| types.iter().any(|other| other == name);
        let place = ["work", "home", "other", "school"].into_iter().find(|place| has(place));
        let kind = if has("fax") {
            Some("fax")
        } else if has("cell") || has("mobile") {
            Some("mobile")
        } else {
            ["pager", "main", "car", "textphone", "billing", "delivery"]
                .into_iter()
                .find(|kind| has(kind))
        };
        match (place, kind) {
            (Some("home"), Some("mobile")) | (None, Some("mobile")) => Some("mobile".to_owned()),
            (Some(place), Some(kind)) => Some(format!("{place} {kind}")),
            (Some(one), None) | (None, Some(one)) => Some(one.to_owned()),
            (None, None) => None,
        }
    }

    fn check_kind(&mut self, property: &Property<'_>) {
        let kind = property.text(self.input).trim().to_ascii_lowercase();
        if matches!(kind.as_str(), "group" | "location" | "application" | "device") {
            self.refused.push(FieldError::new(
                "KIND",
                "not_a_contact",
                format!("the card is a `{kind}`, not a person or an organisation"),
            ));
        }
    }

    fn add_media(&mut self, name: &str, property: &Property<'_>) {
        let text = if property.is_binary() { String::new() } else { property.text(self.input) };
        if text.starts_with("http://") || text.starts_with("https://") {
            self.custom(&name.to_ascii_lowercase(), &text);
        } else if property.len() > 0 || name == "AGENT" {
            self.warn(
                name,
                "not_kept",
                format!(
                    "the {} of {} bytes is not kept",
                    name.to_ascii_lowercase(),
                    property.len()
                ),
            );
        }
    }

    fn add_other(&mut self, name: &str, property: &Property<'_>) {
        let mut text = property.text(self.input).trim().to_owned();
        let unreadable =
            |c: char| c.is_control() && !matches!(c, '\n' | '\r' | '\t') || c == '\u{fffd}';
        if text.len() > MAX_CUSTOM_TEXT && name != "NOTE"
            || property.is_binary() && text.contains(unreadable)
        {
            return self.warn(
                &property.name,
                "not_kept",
                format!(
                    "`{}` of {} bytes is not kept; it is no text of at most {MAX_CUSTOM_TEXT} bytes",
                    crate::email::shorten(&property.name),
                    property.len()
                ),
            );
        }
        let key = match name {
            "NOTE" => {
                if let Some(CustomValue::Text(notes)) = self.contact.custom.get_mut("notes") {
                    if !text.is_empty() {
                        notes.push('\n');
                        notes.push_str(&text);
                    }
                    return;
                }
                "notes"
            }
            "BDAY" => {
                text = with_dashes(text);
                "birthday"
            }
            "ANNIVERSARY" | "X-ANNIVERSARY" | "X-MS-ANNIVERSARY" => {
                text = with_dashes(text);
                "anniversary"
            }
            "NICKNAME" => "nickname",
            "URL" => "website",
            "GENDER" => "gender",
            "ROLE" => "role",
            "UID" => "uid",
            _ => {
                // An Apple property says in its label what it is.
                let label = property.group.as_ref().and_then(|group| self.group_labels.get(group));
                match label.filter(|label| name.starts_with("X-AB") && !label.is_empty()).cloned() {
                    Some(label) => self.custom(&label, &text),
                    None => self.custom(&property.name, &text),
                }
                return;
            }
        };
        self.custom(key, &text);
    }

    /// Keeps a field of the card's own; the second of a kind is `key_2`.
    fn custom(&mut self, key: &str, text: &str) {
        if text.trim().is_empty() {
            return;
        }
        let custom = &mut self.contact.custom;
        let value = CustomValue::Text(text.to_owned());
        let mut name = key.to_owned();
        let mut nth = 1;
        while let Some(other) = custom.get(&name) {
            if *other == value {
                return;
            }
            nth += 1;
            name = format!("{key}_{nth}");
        }
        custom.insert(name, value);
    }

    fn finish(mut self) -> (Result<NewContact, Vec<FieldError>>, Vec<FieldError>) {
        if !self.refused.is_empty() {
            return (Err(self.refused), self.warnings);
        }
        if let Some(full) = self.full_name.take() {
            self.take_full_name(full);
        }
        if !self.own {
            // Sorting is stable: those of one rank stay in the card's order.
            self.emails.sort_by_key(|(rank, _)| *rank);
            self.phones.sort_by_key(|(rank, _)| *rank);
            self.addresses.sort_by_key(|(rank, _)| *rank);
        }
        let mut contact = self.contact;
        contact.emails = self.emails.into_iter().map(|(_, email)| email).collect();
        contact.phones = self.phones.into_iter().map(|(_, phone)| phone).collect();
        contact.addresses = self.addresses.into_iter().map(|(_, address)| address).collect();
        if contact.addresses.is_empty() {
            contact.addresses = self.written_addresses;
        }
        if !self.own {
            name_the_nameless(&mut contact);
        }
        (Ok(contact), self.warnings)
    }

    /// A card without N has its names in FN; one with both keeps FN where it says something else.
    fn take_full_name(&mut self, full: String) {
        let contact = &mut self.contact;
        let names: Vec<&str> = [&contact.first_name, &contact.last_name]
            .into_iter()
            .filter_map(|name| name.as_deref())
            .collect();
        if names.is_empty() {
            // The card of a company: its name is no person's.
            if contact.company.as_deref() == Some(full.as_str()) {
                contact.display_name = Some(full);
                return;
            }
            let parts = split_full_name(&full);
            contact.first_name = parts.first;
            contact.last_name = parts.last;
            for (key, value) in [("honorific", parts.honorific), ("suffix", parts.suffix)] {
                if let Some(value) = value {
                    self.custom(key, &value);
                }
            }
        } else if names.join(" ") != full {
            contact.display_name = Some(full);
        }
    }
}

/// The preferred of a kind come first: PREF=1 to 100 in vCard 4.0, TYPE=pref before.
fn rank(property: &Property<'_>) -> u32 {
    if property.types().iter().any(|name| name == "pref") {
        return 0;
    }
    property.param("PREF").and_then(|rank| rank.parse().ok()).unwrap_or(101)
}

/// The number of a `tel:` URI (RFC 3966), its extension in words.
fn from_tel_uri(uri: &str) -> String {
    let mut parts = uri.get(4..).unwrap_or_default().split(';');
    let number = parts.next().unwrap_or_default().to_owned();
    match parts.find_map(|part| part.strip_prefix("ext=")) {
        Some(extension) => format!("{number} ext. {extension}"),
        None => number,
    }
}

/// `19630921` as `1963-09-21`; any other text as it is.
fn with_dashes(text: String) -> String {
    if text.len() == 8
        && text.bytes().all(|byte| byte.is_ascii_digit())
        && let (Some(year), Some(month), Some(day)) = (text.get(..4), text.get(4..6), text.get(6..))
    {
        return format!("{year}-{month}-{day}");
    }
    text
}

//! From the cells of a row to a contact.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::str::FromStr;

use serde::Deserialize;
use serde_json::{Map, Value};

use super::csv_headers::{AddressPart, Line, PointPart, Slot, Target, targets};
use super::csv_map::ColumnMap;
use super::names::{label, name_the_nameless, one_line, split_full_name};
use super::spreadsheet::restore;
use crate::contacts::model::{
    CustomValue, MAX_LINE, NewContact, NewEmail, NewPhone, PostalAddress,
};
use crate::error::{Error, FieldError, Result};

/// Marks a file as our own export: its cells are taken exactly.
pub(super) const MORE_COLUMN: &str = "more_json";

/// Between several values in one cell of a Google export.
const GOOGLE_SEPARATOR: &str = ":::";

/// The columns of one file.
#[derive(Debug, Default)]
pub(super) struct Layout {
    width: usize,
    own: bool,
    /// With the header, for the second of two columns for one value.
    lines: Vec<(Line, usize, String)>,
    tags: Vec<usize>,
    emails: Vec<Point>,
    phones: Vec<Point>,
    addresses: Vec<AddressColumns>,
    custom: Vec<(String, usize)>,
    custom_json: Option<usize>,
    more_json: Option<usize>,
}

/// The columns of one e-mail or phone.
#[derive(Debug)]
struct Point {
    slot: Slot,
    value: usize,
    label: Option<usize>,
    as_typed: Option<usize>,
}

/// The columns of one address.
#[derive(Debug, Default)]
struct AddressColumns {
    slot: Slot,
    parts: Vec<(AddressPart, usize)>,
}

/// The cells of one row, side by side in one text.
#[derive(Debug, Clone, Copy)]
pub(super) struct Cells<'a> {
    pub(super) text: &'a str,
    /// Where each cell ends.
    pub(super) ends: &'a [usize],
}

impl<'a> Cells<'a> {
    pub(super) fn get(&self, index: usize) -> &'a str {
        let start = index.checked_sub(1).and_then(|before| self.ends.get(before)).copied();
        let end = self.ends.get(index).copied().unwrap_or(0);
        self.text.get(start.unwrap_or(0)..end).unwrap_or_default()
    }
}

/// What our own export keeps of a contact beyond its columns.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct More {
    emails: Vec<NewEmail>,
    phones: Vec<NewPhone>,
    addresses: Vec<PostalAddress>,
    tags: Option<Vec<String>>,
}

impl Layout {
    /// Reads a header.
    pub(super) fn new(cells: Cells<'_>, map: &ColumnMap) -> Result<Self> {
        let headers: Vec<String> =
            (0..cells.ends.len()).map(|index| one_line(cells.get(index))).collect();
        let own = headers.iter().any(|header| header == MORE_COLUMN);
        let mut targets = targets(&headers, own);
        map.apply(&headers, &mut targets)?;
        let mut layout = Layout { width: headers.len(), own, ..Layout::default() };
        let mut labels = Vec::new();
        for (index, (target, header)) in targets.into_iter().zip(&headers).enumerate() {
            match target {
                Target::Ignore => {}
                Target::Line(line) => layout.lines.push((line, index, custom_key(header, index))),
                Target::Tags => layout.tags.push(index),
                Target::Email(slot, PointPart::Value) => {
                    layout.emails.push(Point::new(slot, index))
                }
                Target::Phone(slot, PointPart::Value) => {
                    layout.phones.push(Point::new(slot, index))
                }
                Target::Email(slot, part) => labels.push((true, slot, part, index, header)),
                Target::Phone(slot, part) => labels.push((false, slot, part, index, header)),
                Target::Address(slot, part) => layout.add_address_part(slot, part, index),
                Target::Custom(key) => layout.add_custom(&key, index),
                Target::CustomJson => layout.custom_json = Some(index),
                Target::MoreJson => layout.more_json = Some(index),
            }
        }
        // A label can stand before or after its value; one without a value is kept as it is.
        for (is_email, slot, part, index, header) in labels {
            let points = if is_email { &mut layout.emails } else { &mut layout.phones };
            match points.iter_mut().find(|point| point.slot == slot) {
                Some(point) if part == PointPart::Label => point.label = Some(index),
                Some(point) => point.as_typed = Some(index),
                None => layout.add_custom(header, index),
            }
        }
        layout.emails.sort_by_key(|point| !point.slot.primary);
        layout.phones.sort_by_key(|point| !point.slot.primary);
        for address in &mut layout.addresses {
            // The lines of a street in their order; the other parts have none.
            address.parts.sort_by_key(
                |(part, _)| {
                    if let AddressPart::Street(line) = part { *line } else { 0 }
                },
            );
        }
        layout.check_usable(&headers)?;
        Ok(layout)
    }

    fn add_address_part(&mut self, slot: Slot, part: AddressPart, index: usize) {
        let at = match self.addresses.iter().position(|address| address.slot == slot) {
            Some(at) => at,
            None => {
                self.addresses.push(AddressColumns { slot, parts: Vec::new() });
                self.addresses.len() - 1
            }
        };
        if let Some(address) = self.addresses.get_mut(at) {
            address.parts.push((part, index));
        }
    }

    fn add_custom(&mut self, key: &str, index: usize) {
        let mut key = custom_key(key, index);
        let same = |key: &str| self.custom.iter().any(|(other, _)| other == key);
        if same(&key) {
            let base: String = key.chars().take(MAX_LINE - 8).collect();
            key = (2..).map(|n| format!("{base}_{n}")).find(|key| !same(key)).unwrap_or(base);
        }
        self.custom.push((key, index));
    }

    fn check_usable(&self, headers: &[String]) -> Result<()> {
        let named = self.lines.iter().any(|(line, _, _)| match line {
            Line::FirstName | Line::LastName | Line::Name | Line::DisplayName => true,
            Line::Company | Line::Title | Line::Source | Line::OwnerId | Line::CompanyId => false,
        });
        if named || !self.emails.is_empty() || !self.phones.is_empty() {
            return Ok(());
        }
        let found: Vec<String> = headers
            .iter()
            .take(20)
            .map(|header| format!("`{}`", crate::email::shorten(header)))
            .collect();
        Err(Error::invalid_field(
            "header",
            "no_usable_column",
            format!(
                "no column is a name, an e-mail or a phone; the header has {}; map one, e.g. `{}=name`",
                found.join(", "),
                headers.first().map(|header| crate::email::shorten(header)).unwrap_or_default()
            ),
        ))
    }

    /// Whether a row has text beyond the last header.
    pub(super) fn has_surplus(&self, cells: Cells<'_>) -> bool {
        (self.width..cells.ends.len()).any(|index| !cells.get(index).trim().is_empty())
    }

    /// How many columns the header has.
    pub(super) fn width(&self) -> usize {
        self.width
    }

    /// The contact of one row.
    pub(super) fn contact(&self, cells: Cells<'_>) -> Result<NewContact, Vec<FieldError>> {
        if self.has_surplus(cells) {
            return Err(vec![FieldError::new(
                "row",
                "too_many_cells",
                format!(
                    "the row has {} cells under {} headers; a cell with the delimiter in it needs quotes",
                    cells.ends.len(),
                    self.width
                ),
            )]);
        }
        let mut contact = NewContact::default();
        let mut refused = Vec::new();
        let mut full_name = None;
        for (line, index, header) in &self.lines {
            let Some(value) = self.line(cells, *index) else { continue };
            let place = match line {
                Line::FirstName => &mut contact.first_name,
                Line::LastName => &mut contact.last_name,
                Line::Name => &mut full_name,
                Line::DisplayName => &mut contact.display_name,
                Line::Company => &mut contact.company,
                Line::Title => &mut contact.title,
                Line::Source => &mut contact.source,
                Line::OwnerId => {
                    contact.owner_id = id("owner_id", &value, &mut refused);
                    continue;
                }
                Line::CompanyId => {
                    contact.company_id = id("company_id", &value, &mut refused);
                    continue;
                }
            };
            if place.is_none() {
                *place = Some(value);
            } else if place.as_deref() != Some(value.as_str()) {
                contact.custom.insert(header.clone(), CustomValue::Text(value));
            }
        }
        for point in &self.emails {
            self.add_emails(point, cells, &mut contact.emails);
        }
        for point in &self.phones {
            self.add_phones(point, cells, &mut contact.phones);
        }
        for address in &self.addresses {
            self.add_addresses(address, cells, &mut contact.addresses);
        }
        for index in &self.tags {
            self.add_tags(*index, cells, &mut contact.tags);
        }
        for (key, index) in &self.custom {
            if let Some(value) = self.cell(cells, *index) {
                contact.custom.insert(key.clone(), CustomValue::Text(value.into_owned()));
            }
        }
        if let Some(full) = full_name {
            self.take_full_name(&full, &mut contact);
        } else if !self.own
            && contact.first_name.is_none()
            && contact.last_name.is_none()
            && contact.display_name != contact.company
            && let Some(display) = contact.display_name.clone()
        {
            self.take_full_name(&display, &mut contact);
        }
        self.add_json(cells, &mut contact, &mut refused);
        if !self.own {
            name_the_nameless(&mut contact);
        }
        if refused.is_empty() { Ok(contact) } else { Err(refused) }
    }

    /// A cell that is not blank.
    fn cell<'a>(&self, cells: Cells<'a>, index: usize) -> Option<Cow<'a, str>> {
        let cell = cells.get(index);
        if self.own {
            return (!cell.is_empty()).then(|| restore(cell));
        }
        let cell = cell.trim();
        (!cell.is_empty()).then_some(Cow::Borrowed(cell))
    }

    /// A cell of one line.
    fn line(&self, cells: Cells<'_>, index: usize) -> Option<String> {
        self.cell(cells, index).map(|cell| one_line(&cell)).filter(|line| !line.is_empty())
    }

    /// A label from its cell, else from the header.
    fn label(&self, column: Option<usize>, slot: &Slot, cells: Cells<'_>) -> Option<String> {
        let cell = column.and_then(|index| self.line(cells, index));
        match cell {
            Some(text) if self.own => Some(text),
            Some(text) => label(&text),
            None => slot.label.clone(),
        }
    }

    fn add_emails(&self, point: &Point, cells: Cells<'_>, emails: &mut Vec<NewEmail>) {
        let Some(cell) = self.cell(cells, point.value) else { return };
        let label = self.label(point.label, &point.slot, cells);
        if self.own {
            emails.push(NewEmail { address: cell.into_owned(), label });
            return;
        }
        // `;` and `,` separate only where more than one address is there to be separated.
        let several = cell.matches('@').count() > 1;
        for address in cell.split(|c| several && matches!(c, ';' | ',' | '\n')) {
            for address in address.split(GOOGLE_SEPARATOR) {
                let address = address.trim();
                let inner = address.rsplit_once('<').and_then(|(_, rest)| rest.split_once('>'));
                let address = inner.map_or(address, |(inside, _)| inside.trim());
                let address = address.strip_prefix("mailto:").unwrap_or(address);
                if !address.is_empty() {
                    emails.push(NewEmail { address: address.to_owned(), label: label.clone() });
                }
            }
        }
    }

    fn add_phones(&self, point: &Point, cells: Cells<'_>, phones: &mut Vec<NewPhone>) {
        let number = self.line(cells, point.value);
        let as_typed = point.as_typed.and_then(|index| self.line(cells, index));
        let label = self.label(point.label, &point.slot, cells);
        match (number, as_typed) {
            (Some(all), None) if !self.own && all.contains(GOOGLE_SEPARATOR) => {
                for one in all.split(GOOGLE_SEPARATOR).map(str::trim).filter(|one| !one.is_empty())
                {
                    let raw = Some(one.to_owned());
                    phones.push(NewPhone { number: None, raw, label: label.clone() });
                }
            }
            (raw, None) | (None, raw) if raw.is_some() => {
                phones.push(NewPhone { number: None, raw, label });
            }
            (None, _) => {}
            (number, raw) => phones.push(NewPhone { number, raw, label }),
        }
    }

    fn add_addresses(
        &self,
        columns: &AddressColumns,
        cells: Cells<'_>,
        addresses: &mut Vec<PostalAddress>,
    ) {
        let parts: Vec<(AddressPart, Cow<'_, str>)> = columns
            .parts
            .iter()
            .filter_map(|(part, index)| Some((*part, self.cell(cells, *index)?)))
            .collect();
        let count = if self.own {
            1
        } else {
            parts.iter().map(|(_, cell)| cell.split(GOOGLE_SEPARATOR).count()).max().unwrap_or(0)
        };
        for nth in 0..count {
            let mut address = PostalAddress::default();
            let mut whole = None;
            for (part, cell) in &parts {
                let text = if count == 1 {
                    cell.as_ref()
                } else {
                    cell.split(GOOGLE_SEPARATOR).nth(nth).unwrap_or_default().trim()
                };
                if text.is_empty() {
                    continue;
                }
                match part {
                    AddressPart::Street(_) => match &mut address.street {
                        Some(street) if street != text => {
                            street.push('\n');
                            street.push_str(text);
                        }
                        Some(_) => {}
                        street @ None => *street = Some(text.to_owned()),
                    },
                    AddressPart::City => address.city = Some(one_line(text)),
                    AddressPart::Region => address.region = Some(one_line(text)),
                    AddressPart::PostalCode => address.postal_code = Some(one_line(text)),
                    AddressPart::Country => address.country = Some(one_line(text)),
                    AddressPart::Label if self.own => address.label = Some(text.to_owned()),
                    AddressPart::Label => address.label = label(text),
                    AddressPart::Whole => whole = Some(text),
                }
            }
            // Beside its parts the whole address says nothing new; beside a town it is the street.
            if address.street.is_none() && (address.city.is_some() || address.is_empty()) {
                address.street = whole.map(str::to_owned);
            }
            if !address.is_empty() {
                address.label = address.label.or_else(|| columns.slot.label.clone());
                addresses.push(address);
            }
        }
    }

    fn add_tags(&self, index: usize, cells: Cells<'_>, tags: &mut Vec<String>) {
        let Some(cell) = self.cell(cells, index) else { return };
        let pieces: Vec<&str> = if !self.own && cell.contains(GOOGLE_SEPARATOR) {
            cell.split(GOOGLE_SEPARATOR).collect()
        } else if self.own || cell.contains(';') {
            cell.split(';').collect()
        } else {
            cell.split(',').collect()
        };
        for piece in pieces {
            let piece = piece.trim();
            if self.own {
                if !piece.is_empty() {
                    tags.push(piece.to_owned());
                }
                continue;
            }
            // Google marks its own groups with `* `. That a contact is one of "my contacts" says nothing.
            let tag = one_line(piece.strip_prefix("* ").unwrap_or(piece));
            let says_nothing = piece.starts_with("* ") && is_my_contacts(&tag);
            if !tag.is_empty() && !says_nothing {
                tags.push(tag);
            }
        }
    }

    fn take_full_name(&self, full: &str, contact: &mut NewContact) {
        if contact.first_name.is_some() || contact.last_name.is_some() {
            let joined: Vec<&str> = [&contact.first_name, &contact.last_name]
                .into_iter()
                .filter_map(|name| name.as_deref())
                .collect();
            if contact.display_name.is_none() && joined.join(" ") != full {
                contact.display_name = Some(full.to_owned());
            }
            return;
        }
        let parts = split_full_name(full);
        contact.first_name = parts.first;
        contact.last_name = parts.last;
        if contact.display_name.as_deref() == Some(full) {
            contact.display_name = None;
        }
        for (key, value) in [("honorific", parts.honorific), ("suffix", parts.suffix)] {
            if let Some(value) = value {
                contact.custom.entry(key.to_owned()).or_insert(CustomValue::Text(value));
            }
        }
    }

    fn add_json(&self, cells: Cells<'_>, contact: &mut NewContact, refused: &mut Vec<FieldError>) {
        let mut refuse = |field: &str, error: serde_json::Error| {
            refused.push(FieldError::new(
                field,
                "invalid_json",
                format!("`{field}` is not the JSON that an export writes: {error}"),
            ));
        };
        if let Some(cell) = self.custom_json.and_then(|index| self.cell(cells, index)) {
            match serde_json::from_str::<Map<String, Value>>(&cell)
                .and_then(|map| serde_json::from_value(Value::Object(map)))
            {
                Ok::<BTreeMap<String, CustomValue>, _>(custom) => contact.custom.extend(custom),
                Err(error) => refuse("custom_json", error),
            }
        }
        if let Some(cell) = self.more_json.and_then(|index| self.cell(cells, index)) {
            match serde_json::from_str::<More>(&cell) {
                Ok(more) => {
                    contact.emails.extend(more.emails);
                    contact.phones.extend(more.phones);
                    contact.addresses.extend(more.addresses);
                    if let Some(tags) = more.tags {
                        contact.tags = tags;
                    }
                }
                Err(error) => refuse(MORE_COLUMN, error),
            }
        }
    }
}

impl Point {
    fn new(slot: Slot, value: usize) -> Self {
        Point { slot, value, label: None, as_typed: None }
    }
}

/// A header as the key of a custom field.
fn custom_key(header: &str, index: usize) -> String {
    let key: String = header.chars().filter(|c| !c.is_control()).take(MAX_LINE).collect();
    if key.is_empty() { format!("column_{}", index + 1) } else { key }
}

fn is_my_contacts(tag: &str) -> bool {
    tag.chars()
        .filter(|c| c.is_alphanumeric())
        .flat_map(char::to_lowercase)
        .eq("mycontacts".chars())
}

fn id<T: FromStr<Err = Error>>(
    field: &str,
    text: &str,
    refused: &mut Vec<FieldError>,
) -> Option<T> {
    text.parse()
        .map_err(|error: Error| {
            refused.push(FieldError::new(field, "invalid_id", error.message().to_owned()));
        })
        .ok()
}

//! The fields that a caller can map a column to.

use super::csv_headers::{AddressPart, Line, PointPart, Slot, Target, plain};
use crate::email::shorten;
use crate::error::{Error, FieldError, Result};

/// The fields that a column of a CSV file can be mapped to, for [`ReadOptions::map`](super::ReadOptions).
///
/// `email`, `phone` and the parts of an address take a label after a colon, e.g. `phone:mobile`; the parts
/// with one label make one address. `custom.<key>` is a field of the tenant's own, `ignore` leaves the
/// column out.
pub fn fields() -> &'static [&'static str] {
    FIELDS
}

const FIELDS: &[&str] = &[
    "first_name",
    "last_name",
    "name",
    "display_name",
    "company",
    "title",
    "email",
    "phone",
    "street",
    "city",
    "region",
    "postal_code",
    "country",
    "tags",
    "source",
    "owner_id",
    "company_id",
    "custom.<key>",
    "ignore",
];

/// What the caller's map says of the columns, by the header as the caller wrote it.
#[derive(Debug, Default)]
pub(super) struct ColumnMap(Vec<(String, Target)>);

impl ColumnMap {
    /// Parses every pair of a column and a field.
    pub(super) fn parse(pairs: Vec<(String, String)>) -> Result<Self> {
        let mut refused = Vec::new();
        let mut columns: Vec<(String, Target)> = Vec::with_capacity(pairs.len());
        for (column, field) in pairs {
            let target = match target(&field) {
                Ok(target) => target,
                Err(message) => {
                    refused.push(FieldError::new("map", "unknown_field", message));
                    continue;
                }
            };
            let single = matches!(target, Target::Line(_));
            if columns.iter().any(|(other, _)| *other == column) {
                refused.push(FieldError::new(
                    "map",
                    "duplicate_column",
                    format!("the column `{}` is mapped twice; map it once", shorten(&column)),
                ));
            } else if single && columns.iter().any(|(_, other)| *other == target) {
                refused.push(FieldError::new(
                    "map",
                    "duplicate_field",
                    format!(
                        "two columns are mapped to `{}`, which a contact has once",
                        shorten(&field)
                    ),
                ));
            } else {
                columns.push((column, target));
            }
        }
        if refused.is_empty() { Ok(ColumnMap(columns)) } else { Err(Error::invalid(refused)) }
    }

    /// Puts the mapped targets over those that the headers gave by themselves.
    pub(super) fn apply(&self, headers: &[String], targets: &mut [Target]) -> Result<()> {
        let mut refused = Vec::new();
        for (column, mapped) in &self.0 {
            let exact = headers.iter().position(|header| header == column.trim());
            let found =
                exact.or_else(|| headers.iter().position(|header| plain(header) == plain(column)));
            match found.and_then(|index| targets.get_mut(index)) {
                Some(target) => *target = mapped.clone(),
                None => refused.push(FieldError::new(
                    "map",
                    "unknown_column",
                    format!(
                        "the file has no column `{}`{}",
                        shorten(column),
                        nearest(column, headers.iter().map(String::as_str))
                    ),
                )),
            }
        }
        if refused.is_empty() { Ok(()) } else { Err(Error::invalid(refused)) }
    }
}

fn target(field: &str) -> std::result::Result<Target, String> {
    let field = field.trim();
    if let Some(key) = field.strip_prefix("custom.")
        && !key.trim().is_empty()
    {
        return Ok(Target::Custom(key.trim().to_owned()));
    }
    let (name, label) = match field.split_once(':') {
        Some((name, label)) => (name.trim(), Some(label.trim()).filter(|label| !label.is_empty())),
        None => (field, None),
    };
    let slot = || Slot { label: label.map(str::to_owned), ..Slot::default() };
    let target = match name {
        "first_name" => Target::Line(Line::FirstName),
        "last_name" => Target::Line(Line::LastName),
        "name" => Target::Line(Line::Name),
        "display_name" => Target::Line(Line::DisplayName),
        "company" => Target::Line(Line::Company),
        "title" => Target::Line(Line::Title),
        "source" => Target::Line(Line::Source),
        "owner_id" => Target::Line(Line::OwnerId),
        "company_id" => Target::Line(Line::CompanyId),
        "tags" => Target::Tags,
        "ignore" => Target::Ignore,
        "email" => return Ok(Target::Email(slot(), PointPart::Value)),
        "phone" => return Ok(Target::Phone(slot(), PointPart::Value)),
        "street" => return Ok(Target::Address(slot(), AddressPart::Street(1))),
        "city" => return Ok(Target::Address(slot(), AddressPart::City)),
        "region" => return Ok(Target::Address(slot(), AddressPart::Region)),
        "postal_code" => return Ok(Target::Address(slot(), AddressPart::PostalCode)),
        "country" => return Ok(Target::Address(slot(), AddressPart::Country)),
        _ => {
            return Err(format!(
                "`{}` is no field of a contact{}",
                shorten(field),
                nearest(name, FIELDS.iter().copied())
            ));
        }
    };
    match label {
        None => Ok(target),
        Some(_) => Err(format!("`{name}` takes no label; write `{name}` alone")),
    }
}

/// `; did you mean ...?` where something is near, else all there is.
fn nearest<'a>(wanted: &str, known: impl Iterator<Item = &'a str> + Clone) -> String {
    let wanted = shorten(wanted).to_lowercase();
    let best = known
        .clone()
        .map(|name| (strsim::damerau_levenshtein(&wanted, &shorten(name).to_lowercase()), name))
        .min_by_key(|(distance, _)| *distance);
    match best {
        Some((distance, name)) if distance <= 1 + wanted.chars().count() / 3 => {
            format!("; did you mean `{}`?", shorten(name))
        }
        _ => {
            let all: Vec<String> =
                known.take(100).map(|name| format!("`{}`", shorten(name))).collect();
            format!("; there are {}", all.join(", "))
        }
    }
}

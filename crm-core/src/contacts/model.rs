//! A contact: what it holds and the rules of each value.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::check::Check;
use crate::email::EmailAddress;
use crate::error::FieldError;
use crate::id::{CompanyId, ContactId, UserId};
use crate::patch::Patch;
use crate::phone::{PhoneNumber, Region};
#[cfg(feature = "schema")]
use crate::schema::{FILLED, LINE, LINES};
use crate::time::Timestamp;

/// Characters that a name, title, label or similar line may have.
pub const MAX_LINE: usize = 255;
/// E-mails, phones or addresses that one contact may have.
pub const MAX_ENTRIES: usize = 50;
/// Tags that one contact may have.
pub const MAX_TAGS: usize = 100;
/// Custom fields that one contact may have.
pub const MAX_CUSTOM: usize = 250;
/// Bytes that the text of one custom field may have.
pub const MAX_CUSTOM_TEXT: usize = 16 * 1024;

/// A person (or a mailbox, or a switchboard) that the tenant deals with.
///
/// Only the core makes one, so one that exists is valid: it has a name, an e-mail or a phone, and
/// every value keeps its rule. Changing a copy in memory changes nothing in the store.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[non_exhaustive]
pub struct Contact {
    /// Identifies the contact within its tenant.
    pub id: ContactId,
    /// Given name.
    pub first_name: Option<String>,
    /// Family name.
    pub last_name: Option<String>,
    /// The name to show: as given, else first and last name, else company, e-mail or phone.
    pub display_name: String,
    /// The employer's name.
    pub company: Option<String>,
    /// The employer's own record.
    pub company_id: Option<CompanyId>,
    /// Job title.
    pub title: Option<String>,
    /// E-mail addresses, the primary one first.
    #[serde(default)]
    pub emails: Vec<ContactEmail>,
    /// Phone numbers, the primary one first.
    #[serde(default)]
    pub phones: Vec<ContactPhone>,
    /// Postal addresses, the primary one first.
    #[serde(default)]
    pub addresses: Vec<PostalAddress>,
    /// Tags in alphabetical order, each once.
    #[serde(default)]
    pub tags: Vec<String>,
    /// Fields of the tenant's own.
    #[serde(default)]
    pub custom: BTreeMap<String, CustomValue>,
    /// The user who looks after the contact.
    pub owner_id: Option<UserId>,
    /// Where the contact came from, e.g. `import`.
    pub source: Option<String>,
    /// When the contact was made.
    pub created_at: Timestamp,
    /// When the contact was last changed.
    pub updated_at: Timestamp,
    /// When the contact was deleted, if it is.
    pub deleted_at: Option<Timestamp>,
    /// Counts the changes, from 1.
    pub version: i64,
}

impl Contact {
    /// Whether the contact is in use, as opposed to deleted.
    pub fn is_live(&self) -> bool {
        self.deleted_at.is_none()
    }
}

/// An e-mail address of a contact.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct ContactEmail {
    /// The address, as typed.
    pub address: EmailAddress,
    /// What it is for, e.g. `work`.
    #[serde(default)]
    pub label: Option<String>,
}

/// A phone number of a contact.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct ContactPhone {
    /// The number in E.164; `None` flags text that is no number, which is kept in `raw`.
    pub number: Option<PhoneNumber>,
    /// What was typed.
    pub raw: String,
    /// What it is for, e.g. `mobile`.
    #[serde(default)]
    pub label: Option<String>,
}

impl ContactPhone {
    /// The digits after `x`, `ext` or `#` at the end of what was typed: E.164 has no extensions, and
    /// two people behind one switchboard are two.
    pub(crate) fn extension(&self) -> Option<&str> {
        let digits = self.raw.bytes().rev().take_while(u8::is_ascii_digit).count();
        let (before, extension) = self.raw.split_at_checked(self.raw.len() - digits)?;
        let mark = before.trim_end_matches([' ', '.', ':', '=']).chars().last()?;
        (digits > 0 && matches!(mark, 'x' | 'X' | 't' | 'T' | '#')).then_some(extension)
    }

    /// Whether both are one number, or one text where neither is a number.
    pub(crate) fn is_same_as(&self, other: &ContactPhone) -> bool {
        match (&self.number, &other.number) {
            (Some(own), Some(others)) => own == others && self.extension() == other.extension(),
            (None, None) => self.raw == other.raw,
            (Some(_), None) | (None, Some(_)) => false,
        }
    }
}

/// A postal address.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields, default)]
pub struct PostalAddress {
    /// Street and house number; further lines after a line break.
    #[cfg_attr(feature = "schema", schemars(length(max = MAX_LINE * 4), regex(pattern = LINES)))]
    pub street: Option<String>,
    /// Town.
    #[cfg_attr(feature = "schema", schemars(length(max = MAX_LINE * 4), regex(pattern = LINE)))]
    pub city: Option<String>,
    /// State, province or county.
    #[cfg_attr(feature = "schema", schemars(length(max = MAX_LINE * 4), regex(pattern = LINE)))]
    pub region: Option<String>,
    /// Postal code.
    #[cfg_attr(feature = "schema", schemars(length(max = MAX_LINE * 4), regex(pattern = LINE)))]
    pub postal_code: Option<String>,
    /// Country, as written.
    #[cfg_attr(feature = "schema", schemars(length(max = MAX_LINE * 4), regex(pattern = LINE)))]
    pub country: Option<String>,
    /// What it is for, e.g. `home`.
    #[cfg_attr(feature = "schema", schemars(length(max = MAX_LINE * 4), regex(pattern = LINE)))]
    pub label: Option<String>,
}

impl PostalAddress {
    /// Whether no part of the address is known (a label alone is no address).
    pub fn is_empty(&self) -> bool {
        [&self.street, &self.city, &self.region, &self.postal_code, &self.country]
            .iter()
            .all(|part| part.is_none())
    }
}

/// The value of a field of the tenant's own.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(untagged)]
pub enum CustomValue {
    /// `true` or `false`.
    Bool(bool),
    /// A number.
    Number(serde_json::Number),
    /// Text, at most [`MAX_CUSTOM_TEXT`] bytes.
    Text(#[cfg_attr(feature = "schema", schemars(length(max = MAX_CUSTOM_TEXT)))] String),
}

/// What a caller says of a contact to be made; nothing is trusted yet.
///
/// ```
/// use crm_core::contacts::NewContact;
/// let ada = NewContact::named("Ada", "Lovelace").email("ada@example.com").phone("+44 20 7946 0958");
/// assert_eq!(ada.emails[0].address, "ada@example.com");
/// ```
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[cfg_attr(feature = "schema", schemars(extend("anyOf" = [
    { "required": ["first_name"], "properties": { "first_name": { "type": "string", "pattern": FILLED } } },
    { "required": ["last_name"], "properties": { "last_name": { "type": "string", "pattern": FILLED } } },
    { "required": ["display_name"], "properties": { "display_name": { "type": "string", "pattern": FILLED } } },
    { "required": ["emails"], "properties": { "emails": { "minItems": 1 } } },
    { "required": ["phones"], "properties": { "phones": { "minItems": 1 } } },
])))]
#[serde(deny_unknown_fields, default)]
pub struct NewContact {
    /// Given name, at most [`MAX_LINE`] characters.
    #[cfg_attr(feature = "schema", schemars(length(max = MAX_LINE), regex(pattern = LINE)))]
    pub first_name: Option<String>,
    /// Family name, at most [`MAX_LINE`] characters.
    #[cfg_attr(feature = "schema", schemars(length(max = MAX_LINE), regex(pattern = LINE)))]
    pub last_name: Option<String>,
    /// The name to show, where it is not first and last name.
    #[cfg_attr(feature = "schema", schemars(length(max = MAX_LINE), regex(pattern = LINE)))]
    pub display_name: Option<String>,
    /// The employer's name.
    #[cfg_attr(feature = "schema", schemars(length(max = MAX_LINE), regex(pattern = LINE)))]
    pub company: Option<String>,
    /// The employer's own record.
    pub company_id: Option<CompanyId>,
    /// Job title.
    #[cfg_attr(feature = "schema", schemars(length(max = MAX_LINE), regex(pattern = LINE)))]
    pub title: Option<String>,
    /// E-mail addresses, the primary one first; at most [`MAX_ENTRIES`].
    #[cfg_attr(feature = "schema", schemars(length(max = MAX_ENTRIES)))]
    pub emails: Vec<NewEmail>,
    /// Phone numbers, the primary one first; at most [`MAX_ENTRIES`].
    #[cfg_attr(feature = "schema", schemars(length(max = MAX_ENTRIES)))]
    pub phones: Vec<NewPhone>,
    /// Postal addresses, the primary one first; at most [`MAX_ENTRIES`].
    #[cfg_attr(feature = "schema", schemars(length(max = MAX_ENTRIES)))]
    pub addresses: Vec<PostalAddress>,
    /// Tags; at most [`MAX_TAGS`].
    #[cfg_attr(feature = "schema", schemars(length(max = MAX_TAGS), inner(length(max = MAX_LINE), regex(pattern = LINE))))]
    pub tags: Vec<String>,
    /// Fields of the tenant's own; at most [`MAX_CUSTOM`].
    #[cfg_attr(feature = "schema", schemars(extend("maxProperties" = MAX_CUSTOM, "propertyNames" = { "maxLength": MAX_LINE, "pattern": FILLED })))]
    pub custom: BTreeMap<String, CustomValue>,
    /// The user who looks after the contact.
    pub owner_id: Option<UserId>,
    /// Where the contact came from.
    #[cfg_attr(feature = "schema", schemars(length(max = MAX_LINE), regex(pattern = LINE)))]
    pub source: Option<String>,
}

/// An e-mail address as typed.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct NewEmail {
    /// The address.
    #[cfg_attr(feature = "schema", schemars(email, length(min = 3, max = 254)))]
    pub address: String,
    /// What it is for, e.g. `work`.
    #[serde(default)]
    #[cfg_attr(feature = "schema", schemars(length(max = MAX_LINE), regex(pattern = LINE)))]
    pub label: Option<String>,
}

/// A phone number as typed.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[cfg_attr(feature = "schema", schemars(extend("anyOf" = [
    { "required": ["number"], "properties": { "number": { "type": "string", "pattern": FILLED } } },
    { "required": ["raw"], "properties": { "raw": { "type": "string", "pattern": FILLED } } },
])))]
#[serde(deny_unknown_fields, default)]
pub struct NewPhone {
    /// The number in any notation; the same as `raw`, and enough by itself.
    #[cfg_attr(feature = "schema", schemars(length(max = MAX_LINE), regex(pattern = LINE)))]
    pub number: Option<String>,
    /// What was typed, kept as it is.
    #[cfg_attr(feature = "schema", schemars(length(max = MAX_LINE), regex(pattern = LINE)))]
    pub raw: Option<String>,
    /// What it is for, e.g. `mobile`.
    #[cfg_attr(feature = "schema", schemars(length(max = MAX_LINE), regex(pattern = LINE)))]
    pub label: Option<String>,
}

impl NewContact {
    /// A contact with these names and nothing else.
    pub fn named(first: impl Into<String>, last: impl Into<String>) -> Self {
        NewContact {
            first_name: Some(first.into()),
            last_name: Some(last.into()),
            ..NewContact::default()
        }
    }

    /// The same with one more e-mail address.
    #[must_use]
    pub fn email(mut self, address: impl Into<String>) -> Self {
        self.emails.push(NewEmail { address: address.into(), label: None });
        self
    }

    /// The same with one more phone number, in any notation.
    #[must_use]
    pub fn phone(mut self, number: impl Into<String>) -> Self {
        self.phones.push(NewPhone { number: None, raw: Some(number.into()), label: None });
        self
    }

    /// The same with the employer's name.
    #[must_use]
    pub fn company(mut self, name: impl Into<String>) -> Self {
        self.company = Some(name.into());
        self
    }

    /// The same with one more tag.
    #[must_use]
    pub fn tag(mut self, tag: impl Into<String>) -> Self {
        self.tags.push(tag.into());
        self
    }
}

/// A change to a contact: an RFC 7396 merge patch. Lists are replaced whole, `custom` is merged key by
/// key.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields, default)]
pub struct ContactPatch {
    /// Given name.
    #[cfg_attr(feature = "schema", schemars(length(max = MAX_LINE), regex(pattern = LINE)))]
    pub first_name: Patch<String>,
    /// Family name.
    #[cfg_attr(feature = "schema", schemars(length(max = MAX_LINE), regex(pattern = LINE)))]
    pub last_name: Patch<String>,
    /// The name to show; cleared, it follows the other names again.
    #[cfg_attr(feature = "schema", schemars(length(max = MAX_LINE), regex(pattern = LINE)))]
    pub display_name: Patch<String>,
    /// The employer's name.
    #[cfg_attr(feature = "schema", schemars(length(max = MAX_LINE), regex(pattern = LINE)))]
    pub company: Patch<String>,
    /// The employer's own record.
    pub company_id: Patch<CompanyId>,
    /// Job title.
    #[cfg_attr(feature = "schema", schemars(length(max = MAX_LINE), regex(pattern = LINE)))]
    pub title: Patch<String>,
    /// All e-mail addresses.
    #[cfg_attr(feature = "schema", schemars(length(max = MAX_ENTRIES)))]
    pub emails: Patch<Vec<NewEmail>>,
    /// All phone numbers.
    #[cfg_attr(feature = "schema", schemars(length(max = MAX_ENTRIES)))]
    pub phones: Patch<Vec<NewPhone>>,
    /// All postal addresses.
    #[cfg_attr(feature = "schema", schemars(length(max = MAX_ENTRIES)))]
    pub addresses: Patch<Vec<PostalAddress>>,
    /// All tags.
    #[cfg_attr(feature = "schema", schemars(length(max = MAX_TAGS), inner(length(max = MAX_LINE), regex(pattern = LINE))))]
    pub tags: Patch<Vec<String>>,
    /// Fields of the tenant's own: `null` removes one.
    #[cfg_attr(feature = "schema", schemars(extend("maxProperties" = MAX_CUSTOM, "propertyNames" = { "maxLength": MAX_LINE, "pattern": FILLED })))]
    pub custom: Patch<BTreeMap<String, Option<CustomValue>>>,
    /// The user who looks after the contact.
    pub owner_id: Patch<UserId>,
    /// Where the contact came from.
    #[cfg_attr(feature = "schema", schemars(length(max = MAX_LINE), regex(pattern = LINE)))]
    pub source: Patch<String>,
}

/// The values of a contact that people decide, parsed and valid: what [`NewContact`] becomes.
///
/// Kept apart from [`Contact`] so that validation needs neither a clock nor an identifier.
#[derive(Debug, Clone, PartialEq)]
pub struct ContactDetails {
    pub(crate) first_name: Option<String>,
    pub(crate) last_name: Option<String>,
    pub(crate) display_name: String,
    pub(crate) company: Option<String>,
    pub(crate) company_id: Option<CompanyId>,
    pub(crate) title: Option<String>,
    pub(crate) emails: Vec<ContactEmail>,
    pub(crate) phones: Vec<ContactPhone>,
    pub(crate) addresses: Vec<PostalAddress>,
    pub(crate) tags: Vec<String>,
    pub(crate) custom: BTreeMap<String, CustomValue>,
    pub(crate) owner_id: Option<UserId>,
    pub(crate) source: Option<String>,
}

impl ContactDetails {
    /// Bytes of the values that can be long.
    pub(crate) fn long_text(&self) -> usize {
        let custom = self.custom.iter().map(|(key, value)| {
            key.len()
                + match value {
                    CustomValue::Text(text) => text.len(),
                    CustomValue::Bool(_) | CustomValue::Number(_) => 8,
                }
        });
        let streets = self.addresses.iter().filter_map(|address| address.street.as_ref());
        custom.sum::<usize>() + streets.map(String::len).sum::<usize>()
    }
}

impl NewContact {
    /// Parses every value. Numbers without a country code belong to `region`.
    ///
    /// # Errors
    ///
    /// One [`FieldError`] for each refused value, all at once.
    pub fn validate(self, region: Region) -> Result<ContactDetails, Vec<FieldError>> {
        let mut check = Check::default();
        let first_name = check.line("first_name", self.first_name);
        let last_name = check.line("last_name", self.last_name);
        let given_display = check.line("display_name", self.display_name);
        let company = check.line("company", self.company);
        let title = check.line("title", self.title);
        let source = check.line("source", self.source);
        let emails = check.emails(self.emails);
        let phones = check.phones(self.phones, region);
        let addresses = check.addresses(self.addresses);
        let tags = check.tags(self.tags);
        let custom = check.custom(self.custom);

        check.something_to_go_by([&first_name, &last_name, &given_display], &emails, &phones);
        let display_name = given_display.unwrap_or_else(|| {
            default_display_name(
                first_name.as_deref(),
                last_name.as_deref(),
                company.as_deref(),
                &emails,
                &phones,
            )
        });
        if !check.refused.is_empty() {
            return Err(check.refused);
        }
        Ok(ContactDetails {
            first_name,
            last_name,
            display_name,
            company,
            company_id: self.company_id,
            title,
            emails,
            phones,
            addresses,
            tags,
            custom,
            owner_id: self.owner_id,
            source,
        })
    }
}

/// The name to show where none was given.
pub(crate) fn default_display_name(
    first: Option<&str>,
    last: Option<&str>,
    company: Option<&str>,
    emails: &[ContactEmail],
    phones: &[ContactPhone],
) -> String {
    match (first, last) {
        (Some(first), Some(last)) => format!("{first} {last}"),
        (Some(one), None) | (None, Some(one)) => one.to_owned(),
        (None, None) => company
            .map(str::to_owned)
            .or_else(|| emails.first().map(|email| email.address.to_string()))
            .or_else(|| phones.first().map(|phone| phone.raw.clone()))
            .unwrap_or_default(),
    }
}

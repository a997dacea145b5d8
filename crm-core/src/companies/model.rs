//! A company and its rules.

use serde::{Deserialize, Serialize};

use crate::error::FieldError;
use crate::id::CompanyId;
use crate::patch::Patch;
use crate::text;
use crate::time::Timestamp;

/// An organisation that contacts work for.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[non_exhaustive]
pub struct Company {
    /// Identifies the company within its tenant.
    pub id: CompanyId,
    /// Its name, unique in the tenant whatever the case, accents and punctuation.
    pub name: String,
    /// The domain of its e-mail addresses, unique in the tenant, e.g. `acme.example`.
    pub domain: Option<String>,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it was last changed.
    pub updated_at: Timestamp,
    /// Counts the changes, from 1.
    pub version: i64,
}

impl Company {
    /// What the company is found by: its name and its domain.
    pub fn keys(&self) -> Vec<CompanyKey> {
        let mut keys = vec![CompanyKey::name(&self.name)];
        keys.extend(self.domain.as_deref().map(CompanyKey::domain));
        keys
    }
}

/// A normalised name or domain; a tenant has at most one company for each.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum CompanyKey {
    /// The words of the name, without case, accents and punctuation.
    Name(String),
    /// The domain in lower case.
    Domain(String),
}

impl CompanyKey {
    /// The key of a name. A name without a letter or digit is its own key.
    pub fn name(name: &str) -> Self {
        let words = text::words(name).join(" ");
        CompanyKey::Name(if words.is_empty() { name.trim().to_owned() } else { words })
    }

    /// The key of a domain.
    pub fn domain(domain: &str) -> Self {
        CompanyKey::Domain(domain.trim().to_lowercase())
    }
}

/// A company to be made.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct NewCompany {
    /// Its name, at most 255 characters.
    #[cfg_attr(feature = "schema", schemars(length(min = 1, max = 255), regex(pattern = crate::schema::FILLED)))]
    pub name: String,
    /// The domain of its e-mail addresses.
    #[serde(default)]
    #[cfg_attr(feature = "schema", schemars(length(max = 253), regex(pattern = crate::schema::DOMAIN)))]
    pub domain: Option<String>,
}

/// A change to a company: an RFC 7396 merge patch.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields, default)]
pub struct CompanyPatch {
    /// Its name; cannot be cleared.
    #[cfg_attr(feature = "schema", schemars(with = "String", length(min = 1, max = 255), regex(pattern = crate::schema::FILLED)))]
    pub name: Patch<String>,
    /// The domain of its e-mail addresses.
    #[cfg_attr(feature = "schema", schemars(length(max = 253), regex(pattern = crate::schema::DOMAIN)))]
    pub domain: Patch<String>,
}

/// Parses a domain: labels of letters, digits and dashes with a dot between (RFC 1035, 2.3.1).
pub(crate) fn parse_domain(domain: &str) -> Result<String, FieldError> {
    let domain = domain.trim().trim_end_matches('.').to_lowercase();
    let label = |label: &str| {
        (1..=63).contains(&label.len())
            && !label.starts_with('-')
            && !label.ends_with('-')
            && label.chars().all(|c| c.is_alphanumeric() || c == '-')
    };
    if domain.len() <= 253 && domain.contains('.') && domain.split('.').all(label) {
        Ok(domain)
    } else {
        let message = format!(
            "`{}` is no domain; one looks like `acme.example`",
            crate::email::shorten(&domain)
        );
        Err(FieldError::new("domain", "invalid_domain", message))
    }
}

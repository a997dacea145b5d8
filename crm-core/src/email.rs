//! E-mail addresses.

use std::fmt;

use serde::{Deserialize, Deserializer, Serialize};

use crate::error::FieldError;

/// An e-mail address that can be written to: `local@domain`, at most 254 characters (RFC 5321, 4.5.3.1.3).
///
/// The address is kept as it was typed, without the space around it; [`EmailAddress::key`] is what
/// two spellings of one mailbox have in common.
///
/// ```
/// use crm_core::EmailAddress;
/// let address = EmailAddress::parse(" Ada@Example.COM ").unwrap();
/// assert_eq!(address.as_str(), "Ada@Example.COM");
/// assert_eq!(address.key(), "ada@example.com");
/// assert_eq!(address.domain(), "example.com");
/// assert!(EmailAddress::parse("ada@").is_err());
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize)]
#[serde(transparent)]
pub struct EmailAddress(String);

impl EmailAddress {
    /// Parses an address.
    ///
    /// # Errors
    ///
    /// A [`FieldError`] with an empty field and the code `invalid_email`; the caller names the field.
    pub fn parse(text: &str) -> Result<Self, FieldError> {
        let text = text.trim();
        let options =
            email_address::Options::default().without_display_text().without_domain_literal();
        if text.len() <= 254
            && email_address::EmailAddress::parse_with_options(text, options).is_ok()
        {
            Ok(EmailAddress(text.to_owned()))
        } else {
            Err(FieldError::new(
                "",
                "invalid_email",
                format!(
                    "`{}` is not an e-mail address; one looks like `ada@example.com`",
                    shorten(text)
                ),
            ))
        }
    }

    /// The address as it was typed.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The address in lower case: equal for every spelling of one mailbox.
    ///
    /// RFC 5321 lets a host tell `Ada@` from `ada@`; none that people use does.
    pub fn key(&self) -> String {
        self.0.to_lowercase()
    }

    /// The part after the last `@`, in lower case.
    pub fn domain(&self) -> String {
        self.0.rsplit('@').next().unwrap_or_default().to_lowercase()
    }
}

impl fmt::Display for EmailAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl<'de> Deserialize<'de> for EmailAddress {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
        EmailAddress::parse(&text).map_err(|error| serde::de::Error::custom(error.message))
    }
}

/// At most 80 characters of what a caller typed, for use in a message.
pub(crate) fn shorten(text: &str) -> String {
    let mut short: String = text.chars().take(80).collect();
    if short.len() < text.len() {
        short.push('…');
    }
    short
}

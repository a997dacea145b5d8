//! Phone numbers in E.164.

use std::fmt;
use std::str::FromStr;

use rlibphonenumber::{PHONE_NUMBER_UTIL, PhoneNumberFormat};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::email::shorten;
use crate::error::{Error, Result};

/// A phone number in E.164: `+`, the country code and at most 15 digits in all.
///
/// ```
/// use crm_core::{PhoneNumber, Region};
/// let us: Region = "US".parse().unwrap();
/// let number = PhoneNumber::parse("(425) 555-0123", us).unwrap();
/// assert_eq!(number.as_str(), "+14255550123");
/// assert_eq!(PhoneNumber::parse("8 800 555-35-35", "RU".parse().unwrap()).unwrap().as_str(), "+78005553535");
/// assert!(PhoneNumber::parse("12", us).is_none());
/// ```
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(transparent)]
pub struct PhoneNumber(String);

impl PhoneNumber {
    /// Reads a number in any notation; one without a country code belongs to `region`.
    ///
    /// `None` where the text is no number that could exist, by the lengths that the numbering plan
    /// allows. Whether a prefix is in use today is not asked: the plan's tables age faster than
    /// address books.
    pub fn parse(text: &str, region: Region) -> Option<Self> {
        // libphonenumber reads at most 250 characters.
        if text.len() > 250 {
            return None;
        }
        let number = PHONE_NUMBER_UTIL.parse(text, Some(region.0)).ok()?;
        if !PHONE_NUMBER_UTIL.is_possible_number(&number) {
            return None;
        }
        Self::from_e164(&number.format_as(PhoneNumberFormat::E164))
    }

    /// The number that is written in E.164 already, e.g. as read from storage.
    pub fn from_e164(text: &str) -> Option<Self> {
        let digits = text.strip_prefix('+')?;
        let well_formed = (2..=15).contains(&digits.len())
            && digits.bytes().all(|byte| byte.is_ascii_digit())
            && !digits.starts_with('0');
        well_formed.then(|| PhoneNumber(text.to_owned()))
    }

    /// `+` and the digits.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The digits alone, country code first.
    pub fn digits(&self) -> &str {
        self.0.strip_prefix('+').unwrap_or(&self.0)
    }
}

impl fmt::Display for PhoneNumber {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl<'de> Deserialize<'de> for PhoneNumber {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> std::result::Result<Self, D::Error> {
        let text = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
        PhoneNumber::from_e164(&text)
            .ok_or_else(|| serde::de::Error::custom(format!("`{text}` is not a number in E.164")))
    }
}

/// A country or territory with its own numbering plan: the default for numbers typed without a
/// country code. ISO 3166-1 alpha-2, e.g. `US`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Region(rlibphonenumber::Region);

impl Region {
    /// The United States, where nothing else is known.
    pub const US: Region = Region(rlibphonenumber::Region::US);
}

impl fmt::Display for Region {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}

impl FromStr for Region {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let refused = || {
            Error::invalid_field(
                "region",
                "invalid_region",
                format!(
                    "`{}` is not a region; write two letters of ISO 3166, e.g. `US`",
                    shorten(text)
                ),
            )
        };
        let region: rlibphonenumber::Region =
            text.trim().to_ascii_uppercase().parse().map_err(|_| refused())?;
        PHONE_NUMBER_UTIL.get_country_code_for_region(region).ok_or_else(refused)?;
        Ok(Region(region))
    }
}

impl Serialize for Region {
    fn serialize<S: Serializer>(&self, serializer: S) -> std::result::Result<S::Ok, S::Error> {
        serializer.collect_str(&self.0)
    }
}

impl<'de> Deserialize<'de> for Region {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> std::result::Result<Self, D::Error> {
        let text = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

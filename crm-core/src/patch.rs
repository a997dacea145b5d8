//! The values of a merge patch.

use serde::{Deserialize, Deserializer};

/// One field of an RFC 7396 merge patch: absent keeps, `null` clears, a value replaces.
///
/// In a struct, give the field `#[serde(default)]`, so that an absent one is [`Patch::Keep`].
///
/// ```
/// use crm_core::Patch;
/// #[derive(serde::Deserialize)]
/// struct Person { #[serde(default)] title: Patch<String> }
/// let read = |text| serde_json::from_str::<Person>(text).unwrap().title;
/// assert_eq!(read("{}"), Patch::Keep);
/// assert_eq!(read(r#"{"title": null}"#), Patch::Clear);
/// assert_eq!(read(r#"{"title": "Dr."}"#), Patch::Set("Dr.".to_owned()));
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Patch<T> {
    /// Leave the field as it is.
    #[default]
    Keep,
    /// Empty the field.
    Clear,
    /// Replace the field.
    Set(T),
}

impl<T> From<T> for Patch<T> {
    fn from(value: T) -> Self {
        Patch::Set(value)
    }
}

impl<T> Patch<T> {
    /// What the field holds after the patch, given what it held before.
    pub fn apply(self, before: Option<T>) -> Option<T> {
        match self {
            Patch::Keep => before,
            Patch::Clear => None,
            Patch::Set(value) => Some(value),
        }
    }

    /// Whether the patch leaves the field alone.
    pub const fn is_keep(&self) -> bool {
        matches!(self, Patch::Keep)
    }
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Patch<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Ok(match Option::<T>::deserialize(deserializer)? {
            None => Patch::Clear,
            Some(value) => Patch::Set(value),
        })
    }
}

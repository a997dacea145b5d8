//! A tenant and its rules.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize};

use crate::access::Role;
use crate::crm::Principal;
use crate::email::shorten;
use crate::error::{Error, Result};
use crate::id::TenantId;
use crate::identity::User;
use crate::page::{Limit, Page};
use crate::phone::Region;
use crate::text;
use crate::time::Timestamp;

/// An organisation that uses the CRM. Nothing of one tenant is ever seen by another.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[non_exhaustive]
pub struct Tenant {
    /// Identifies the tenant.
    pub id: TenantId,
    /// Its name for people.
    pub name: String,
    /// Its name in commands and addresses, unique in the installation.
    pub slug: Slug,
    /// The region of phone numbers without a country code.
    pub default_region: Region,
    /// The domains of e-mail addresses whose holders may join by an account with a provider of
    /// identities.
    #[serde(default)]
    pub join_domains: Vec<String>,
    /// What those who join so are.
    #[serde(default = "join_role")]
    pub join_role: Role,
    /// What can come of a call, in the order in which people choose from it.
    #[serde(default = "dispositions")]
    pub dispositions: Vec<String>,
    /// How many days recordings are kept; `None` for ever.
    #[serde(default = "recording_days")]
    pub recording_days: Option<u32>,
    /// When it was made.
    pub created_at: Timestamp,
    /// Counts the changes, from 1.
    pub version: i64,
}

/// What can come of a call where a tenant says nothing else.
pub(crate) fn dispositions() -> Vec<String> {
    let words =
        ["reached", "left_message", "no_answer", "wrong_number", "call_back", "not_interested"];
    words.map(str::to_owned).to_vec()
}

/// How many days recordings are kept where a tenant says nothing else.
#[allow(clippy::unnecessary_wraps, reason = "the default of a field that can be empty")]
pub(crate) fn recording_days() -> Option<u32> {
    Some(90)
}

fn join_role() -> Role {
    Role::Viewer
}

/// A tenant to be made, with its owner.
#[derive(Debug, Clone, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct NewTenant {
    /// Its name for people, at most 255 characters.
    pub name: String,
    /// Its name in commands; made from `name` where it is absent.
    #[serde(default)]
    pub slug: Option<Slug>,
    /// The region of phone numbers without a country code.
    pub default_region: Region,
    /// The owner's e-mail address.
    pub owner_email: String,
    /// The owner's name; the address where it is absent.
    #[serde(default)]
    pub owner_name: Option<String>,
}

/// A tenant that was made, and its owner.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct CreatedTenant {
    /// The tenant.
    pub tenant: Tenant,
    /// Its owner.
    pub owner: User,
}

/// Which tenants.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields, default)]
pub struct ListTenants {
    /// Those whose slug comes after this one.
    pub after: Option<Slug>,
    /// At most so many, 1 to 200; 50 where nothing is said.
    pub limit: Option<Limit>,
}

impl ListTenants {
    /// At most so many.
    pub fn limit(&self) -> usize {
        Page::asked(self.limit, None).limit()
    }
}

impl NewTenant {
    /// A tenant with a slug that follows from its name and an owner who is called by the address.
    pub fn new(
        name: impl Into<String>,
        owner_email: impl Into<String>,
        default_region: Region,
    ) -> Self {
        NewTenant {
            name: name.into(),
            slug: None,
            default_region,
            owner_email: owner_email.into(),
            owner_name: None,
        }
    }
}

impl Tenant {
    /// The principal of one of the tenant's users.
    pub fn principal(&self, user: &User) -> Principal {
        Principal::User { tenant: self.id, user: user.id }
    }
}

/// A short name: 2 to 63 of `a-z0-9-`, beginning and ending with a letter or digit (a DNS label,
/// RFC 1035, 2.3.1, so that it can become a host name).
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(transparent)]
pub struct Slug(String);

impl Slug {
    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The slug that a name suggests, e.g. `acme-gmbh` for `Acme GmbH`; `None` where the name has
    /// no letters or digits that a slug can hold.
    pub fn suggest(name: &str) -> Option<Slug> {
        let folded = text::fold(name);
        let mut slug = String::new();
        for c in folded.chars() {
            if c.is_ascii_alphanumeric() {
                slug.push(c);
            } else if !slug.is_empty() && !slug.ends_with('-') {
                slug.push('-');
            }
        }
        slug.truncate(63);
        slug.trim_end_matches('-').parse().ok()
    }
}

impl fmt::Display for Slug {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl FromStr for Slug {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let allowed = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
        if (2..=63).contains(&text.len())
            && text.bytes().all(allowed)
            && !text.starts_with('-')
            && !text.ends_with('-')
        {
            Ok(Slug(text.to_owned()))
        } else {
            Err(Error::invalid_field(
                "slug",
                "invalid_slug",
                format!(
                    "`{}` is no slug; one has 2 to 63 of `a-z0-9-` and no dash at an end, e.g. `acme-gmbh`",
                    shorten(text)
                ),
            ))
        }
    }
}

impl<'de> Deserialize<'de> for Slug {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

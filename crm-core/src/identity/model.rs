//! A user.

use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::access::Role;
use crate::email::EmailAddress;
use crate::error::{Error, Result};
use crate::id::UserId;
use crate::patch::Patch;
use crate::time::Timestamp;

/// A person who works in one tenant.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[non_exhaustive]
pub struct User {
    /// Identifies the user within its tenant.
    pub id: UserId,
    /// The address they sign in with, unique in the tenant.
    pub email: EmailAddress,
    /// Their name.
    pub full_name: String,
    /// What they may do.
    pub role: Role,
    /// Whether they may do anything at all.
    pub status: UserStatus,
    /// Counts how often all sessions of the user were ended at once, as by a new password.
    #[serde(default)]
    pub session_epoch: i64,
    /// When the user was made.
    pub created_at: Timestamp,
    /// When the user was last changed.
    pub updated_at: Timestamp,
    /// Counts the changes, from 1.
    pub version: i64,
}

/// Whether a user may work.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum UserStatus {
    /// May work.
    Active,
    /// May not, until somebody changes it.
    Disabled,
    /// May, as soon as they have accepted the invitation.
    Invited,
}

impl UserStatus {
    /// The status's stable name.
    pub const fn as_str(self) -> &'static str {
        match self {
            UserStatus::Active => "active",
            UserStatus::Disabled => "disabled",
            UserStatus::Invited => "invited",
        }
    }
}

impl FromStr for UserStatus {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        match text {
            "active" => Ok(UserStatus::Active),
            "disabled" => Ok(UserStatus::Disabled),
            "invited" => Ok(UserStatus::Invited),
            _ => Err(Error::invalid_field(
                "status",
                "invalid_status",
                format!("`{text}` is no status; choose active, disabled or invited"),
            )),
        }
    }
}

/// A user to be made.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct NewUser {
    /// The address they sign in with.
    #[cfg_attr(feature = "schema", schemars(email, length(min = 3, max = 254)))]
    pub email: String,
    /// Their name; the address where it is absent.
    #[serde(default)]
    #[cfg_attr(feature = "schema", schemars(length(min = 1, max = 255), regex(pattern = crate::schema::FILLED)))]
    pub full_name: Option<String>,
    /// What they may do.
    pub role: Role,
}

/// A change to a user: an RFC 7396 merge patch. None of the fields can be cleared.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields, default)]
pub struct UserPatch {
    /// Their name.
    #[cfg_attr(feature = "schema", schemars(with = "String", length(min = 1, max = 255), regex(pattern = crate::schema::FILLED)))]
    pub full_name: Patch<String>,
    /// What they may do.
    #[cfg_attr(feature = "schema", schemars(with = "Role"))]
    pub role: Patch<Role>,
    /// Whether they may work.
    #[cfg_attr(feature = "schema", schemars(with = "UserStatus"))]
    pub status: Patch<UserStatus>,
}

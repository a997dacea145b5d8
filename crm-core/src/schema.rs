//! JSON Schemas of the types that are written as text.

use std::borrow::Cow;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};

use crate::email::EmailAddress;
use crate::events::EventName;
use crate::id::{Id, IdKind};
use crate::identity::Secret;
use crate::jobs::JobKind;
use crate::page::{Limit, Page};
use crate::patch::Patch;
use crate::phone::{PhoneNumber, Region};
use crate::scope::{Actor, RequestId};
use crate::tenancy::Slug;
use crate::time::Timestamp;

/// One line: no control characters.
pub(crate) const LINE: &str = r"^[^\x00-\x1f\x7f-\x9f]*$";
/// Several lines: no other control characters.
pub(crate) const LINES: &str = r"^[^\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f]*$";
/// One line that says something.
pub(crate) const FILLED: &str =
    r"^[^\x00-\x1f\x7f-\x9f]*[^\x00-\x1f\x7f-\x9f\s][^\x00-\x1f\x7f-\x9f]*$";
/// A domain.
pub(crate) const DOMAIN: &str = r"^([A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?\.)+[A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?$";

impl<K: IdKind> JsonSchema for Id<K> {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        format!("{}_id", K::NAME).replace(' ', "_").into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "string", "format": "uuid" })
    }
}

impl<T: JsonSchema> JsonSchema for Patch<T> {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        format!("Patch_of_{}", T::schema_name()).into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        Option::<T>::json_schema(generator)
    }

    fn _schemars_private_is_option() -> bool {
        true
    }
}

impl JsonSchema for Limit {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        "Limit".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "type": "integer",
            "minimum": 1,
            "maximum": Page::MAX_LIMIT,
            "default": Page::DEFAULT_LIMIT,
        })
    }
}

macro_rules! texts {
    ($($type:ty = $name:literal, { $($key:literal: $value:expr),* };)*) => {$(
        impl JsonSchema for $type {
            fn inline_schema() -> bool {
                true
            }

            fn schema_name() -> Cow<'static, str> {
                $name.into()
            }

            fn json_schema(_: &mut SchemaGenerator) -> Schema {
                json_schema!({ "type": "string", $($key: $value),* })
            }
        }
    )*};
}

texts! {
    Timestamp = "Timestamp", { "format": "date-time" };
    EmailAddress = "EmailAddress", { "format": "email", "maxLength": 254 };
    PhoneNumber = "PhoneNumber", { "pattern": "^\\+[1-9][0-9]{1,14}$" };
    Region = "Region", { "pattern": "^[A-Z]{2}$" };
    Slug = "Slug", { "pattern": "^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])$" };
    Secret = "Secret", { "format": "password" };
    RequestId = "RequestId", { "pattern": "^[A-Za-z0-9._-]{1,128}$" };
    EventName = "EventName", { "pattern": "^[a-z_]+(\\.[a-z_]+)+(\\.v[0-9]+)?$" };
    JobKind = "JobKind", { "pattern": "^[a-z0-9_.]{1,64}$" };
    Actor = "Actor", { "pattern": "^(system|(user|api_key):[0-9a-f-]{36})$" };
}

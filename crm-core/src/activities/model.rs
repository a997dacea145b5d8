//! An activity and the shape of each kind's data.

use std::fmt;
use std::str::FromStr;

use serde::ser::SerializeStruct;
use serde::{Deserialize, Serialize, Serializer};
use serde_json::Value;

use crate::calls::CallStatus;
use crate::email::shorten;
use crate::error::{Error, Result};
use crate::id::{ActivityId, CallId, ContactId, UserId};
use crate::time::Timestamp;

/// Characters that an activity's subject may have.
pub const MAX_SUBJECT: usize = 500;
/// Bytes that an activity's body may have.
pub const MAX_BODY: usize = 64 * 1024;
/// Bytes that an activity's data may have as JSON.
pub const MAX_DATA: usize = 16 * 1024;

/// One entry of a timeline.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct Activity {
    /// Identifies the activity within its tenant.
    pub id: ActivityId,
    /// The contact on whose timeline it stands.
    pub contact_id: ContactId,
    /// When it happened.
    pub occurred_at: Timestamp,
    /// Who did it; `None` for the CRM itself.
    pub user_id: Option<UserId>,
    /// One line.
    pub subject: Option<String>,
    /// The text.
    pub body: Option<String>,
    /// The kind, and what that kind holds.
    pub data: ActivityData,
    /// When it was written down.
    pub created_at: Timestamp,
}

impl Activity {
    /// The kind.
    pub fn kind(&self) -> ActivityKind {
        self.data.kind()
    }

    /// An activity from its stored parts.
    ///
    /// # Errors
    ///
    /// `internal` when `data` is not of the kind's shape.
    #[allow(clippy::too_many_arguments, reason = "one argument a column, in their order")]
    pub fn from_stored(
        id: ActivityId,
        contact_id: ContactId,
        occurred_at: Timestamp,
        user_id: Option<UserId>,
        subject: Option<String>,
        body: Option<String>,
        kind: ActivityKind,
        data: &str,
        created_at: Timestamp,
    ) -> Result<Self> {
        let data = ActivityData::from_json(kind, data).map_err(Error::internal)?;
        Ok(Activity { id, contact_id, occurred_at, user_id, subject, body, data, created_at })
    }
}

impl Serialize for Activity {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut fields = serializer.serialize_struct("Activity", 9)?;
        fields.serialize_field("id", &self.id)?;
        fields.serialize_field("contact_id", &self.contact_id)?;
        fields.serialize_field("kind", &self.kind())?;
        fields.serialize_field("occurred_at", &self.occurred_at)?;
        fields.serialize_field("user_id", &self.user_id)?;
        fields.serialize_field("subject", &self.subject)?;
        fields.serialize_field("body", &self.body)?;
        fields.serialize_field("data", &self.data)?;
        fields.serialize_field("created_at", &self.created_at)?;
        fields.end()
    }
}

macro_rules! activity_kinds {
    ($($(#[$doc:meta])* $kind:ident = $name:literal, by_people: $by_people:literal,
        { $($(#[$fdoc:meta])* $field:ident: $type:ty,)* };)*) => {
        /// The kinds of activity.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
        #[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
        #[serde(rename_all = "snake_case")]
        pub enum ActivityKind { $($(#[$doc])* $kind,)* }

        impl ActivityKind {
            /// Every kind.
            pub const ALL: &'static [ActivityKind] = &[$(ActivityKind::$kind,)*];

            /// The kind's stable name.
            pub const fn as_str(self) -> &'static str {
                match self { $(ActivityKind::$kind => $name,)* }
            }

            /// Whether people write it; the CRM alone writes the others.
            pub const fn is_by_people(self) -> bool {
                match self { $(ActivityKind::$kind => $by_people,)* }
            }
        }

        /// What each kind of activity holds, its `data` in JSON.
        #[derive(Debug, Clone, PartialEq, Serialize)]
        #[serde(untagged)]
        pub enum ActivityData {
            $($(#[$doc])* $kind { $(
                $(#[$fdoc])*
                $field: $type,
            )* },)*
        }

        impl ActivityData {
            /// The kind that has this shape.
            pub const fn kind(&self) -> ActivityKind {
                match self { $(ActivityData::$kind { .. } => ActivityKind::$kind,)* }
            }

            /// Reads the shape of `kind` from JSON.
            ///
            /// # Errors
            ///
            /// The reader's own words, where the JSON has not that shape.
            pub fn from_json(kind: ActivityKind, json: &str) -> Result<Self, serde_json::Error> {
                match kind {
                    $(ActivityKind::$kind => {
                        let shapes::$kind { $($field,)* } = serde_json::from_str(json)?;
                        Ok(ActivityData::$kind { $($field,)* })
                    })*
                }
            }

            /// The schema of each kind's shape.
            #[cfg(feature = "schema")]
            fn schemas(
                generator: &mut schemars::SchemaGenerator,
            ) -> Vec<(ActivityKind, schemars::Schema)> {
                vec![$((ActivityKind::$kind, generator.subschema_for::<shapes::$kind>()),)*]
            }
        }

        /// The data of each kind, by itself.
        mod shapes {
            use super::*;

            $(
                $(#[$doc])*
                #[derive(Deserialize)]
                #[cfg_attr(feature = "schema", derive(schemars::JsonSchema), schemars(inline))]
                #[serde(deny_unknown_fields)]
                pub(super) struct $kind {
                    $($(#[$fdoc])* #[serde(default)] pub(super) $field: $type,)*
                }
            )*
        }
    };
}

activity_kinds! {
    /// Something that somebody wrote down.
    Note = "note", by_people: true, {};
    /// An e-mail.
    Email = "email", by_people: true, {
        /// Whether it was sent or received.
        direction: Option<Direction>,
        /// Who it came from.
        from: Option<String>,
        /// Who it went to.
        to: Vec<String>,
    };
    /// A text message.
    Sms = "sms", by_people: true, {
        /// Whether it was sent or received.
        direction: Option<Direction>,
        /// The other side's number.
        number: Option<String>,
    };
    /// A meeting.
    Meeting = "meeting", by_people: true, {
        /// When it ended or will end.
        ends_at: Option<Timestamp>,
        /// Where.
        location: Option<String>,
        /// Who took part.
        attendees: Vec<String>,
    };
    /// A telephone call.
    Call = "call", by_people: true, {
        /// Who called whom.
        direction: Option<Direction>,
        /// The other side's number.
        number: Option<String>,
        /// How long it took.
        duration_seconds: Option<u32>,
        /// What came of it.
        disposition: Option<String>,
        /// How far it is; the CRM alone writes it.
        status: Option<CallStatus>,
        /// The call's own record; the CRM alone writes it.
        call_id: Option<CallId>,
    };
    /// Something to be done.
    Task = "task", by_people: true, {
        /// Until when.
        due_at: Option<Timestamp>,
        /// Whether it is done.
        done: bool,
    };
    /// The contact was made.
    ContactCreated = "contact_created", by_people: false, {
        /// Where it came from.
        source: Option<String>,
    };
    /// The contact was changed.
    ContactUpdated = "contact_updated", by_people: false, {
        /// What changed.
        changes: Vec<FieldChange>,
    };
    /// The contact was deleted.
    ContactDeleted = "contact_deleted", by_people: false, {};
    /// The contact was brought back.
    ContactRestored = "contact_restored", by_people: false, {};
}

#[cfg(feature = "schema")]
impl schemars::JsonSchema for Activity {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Activity".into()
    }

    fn json_schema(generator: &mut schemars::SchemaGenerator) -> schemars::Schema {
        let shapes = ActivityData::schemas(generator).into_iter();
        let one_of: Vec<Value> = shapes
            .map(|(kind, data)| {
                serde_json::json!({
                    "properties": { "kind": { "const": kind }, "data": data },
                    "required": ["kind"],
                })
            })
            .collect();
        schemars::json_schema!({
            "description": "One entry of a timeline. `data` has the shape of its `kind`.",
            "type": "object",
            "properties": {
                "id": generator.subschema_for::<ActivityId>(),
                "contact_id": generator.subschema_for::<ContactId>(),
                "kind": generator.subschema_for::<ActivityKind>(),
                "occurred_at": generator.subschema_for::<Timestamp>(),
                "user_id": generator.subschema_for::<Option<UserId>>(),
                "subject": generator.subschema_for::<Option<String>>(),
                "body": generator.subschema_for::<Option<String>>(),
                "data": { "type": "object" },
                "created_at": generator.subschema_for::<Timestamp>(),
            },
            "required": [
                "id", "contact_id", "kind", "occurred_at", "user_id", "subject", "body", "data",
                "created_at",
            ],
            "oneOf": one_of,
        })
    }
}

/// [`NewActivity::data`] by [`NewActivity::kind`].
#[cfg(feature = "schema")]
fn kinds_by_people(schema: &mut schemars::Schema) {
    let mut generator = schemars::SchemaGenerator::default();
    let shapes = ActivityData::schemas(&mut generator).into_iter();
    let one_of: Vec<Value> = shapes
        .filter(|(kind, _)| kind.is_by_people())
        .map(|(kind, data)| {
            let data = serde_json::json!({ "anyOf": [data, { "type": "null" }] });
            serde_json::json!({
                "properties": { "kind": { "const": kind }, "data": data },
                "required": ["kind"],
            })
        })
        .collect();
    schema.insert("oneOf".to_owned(), one_of.into());
}

/// A field that changed, before and after.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema), schemars(inline))]
pub struct FieldChange {
    /// The field's name.
    pub field: String,
    /// What it held; `null` for nothing.
    pub old: Value,
    /// What it holds; `null` for nothing.
    pub new: Value,
}

/// Which way a call or message went, seen from the tenant.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema), schemars(inline))]
#[serde(rename_all = "snake_case")]
pub enum Direction {
    /// From the contact.
    Inbound,
    /// To the contact.
    Outbound,
}

impl fmt::Display for ActivityKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for ActivityKind {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        ActivityKind::ALL.iter().copied().find(|kind| kind.as_str() == text).ok_or_else(|| {
            let known: Vec<_> = ActivityKind::ALL.iter().map(|kind| kind.as_str()).collect();
            Error::invalid_field(
                "kind",
                "invalid_kind",
                format!(
                    "`{}` is no kind of activity; choose one of {}",
                    shorten(text),
                    known.join(", ")
                ),
            )
        })
    }
}

/// An activity to be logged by a person. What is logged stays as it is: a mistake is corrected by
/// another entry.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[cfg_attr(feature = "schema", schemars(transform = kinds_by_people))]
#[serde(deny_unknown_fields)]
pub struct NewActivity {
    /// The contact on whose timeline it will stand.
    pub contact_id: ContactId,
    /// One of the kinds that people write.
    pub kind: ActivityKind,
    /// When it happened; now, where it is absent.
    #[serde(default)]
    pub occurred_at: Option<Timestamp>,
    /// One line, at most [`MAX_SUBJECT`] characters.
    #[serde(default)]
    #[cfg_attr(feature = "schema", schemars(length(max = MAX_SUBJECT)))]
    pub subject: Option<String>,
    /// The text, at most [`MAX_BODY`] bytes.
    #[serde(default)]
    #[cfg_attr(feature = "schema", schemars(length(max = MAX_BODY)))]
    pub body: Option<String>,
    /// The kind's own fields, at most [`MAX_DATA`] bytes; none, where it is absent.
    #[serde(default)]
    pub data: Value,
}

impl NewActivity {
    /// A note on a contact.
    pub fn note(contact_id: ContactId, body: impl Into<String>) -> Self {
        NewActivity { body: Some(body.into()), ..NewActivity::of(contact_id, ActivityKind::Note) }
    }

    /// An activity of `kind` that says nothing yet.
    pub fn of(contact_id: ContactId, kind: ActivityKind) -> Self {
        NewActivity {
            contact_id,
            kind,
            occurred_at: None,
            subject: None,
            body: None,
            data: Value::Null,
        }
    }
}

/// What statistics count by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum StatsGroupBy {
    /// By kind; the key is the kind's name.
    Kind,
    /// By user; the key is the user's id, or `system`.
    User,
    /// By day in UTC; the key is `YYYY-MM-DD`.
    Day,
}

impl FromStr for StatsGroupBy {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        match text {
            "kind" => Ok(StatsGroupBy::Kind),
            "user" => Ok(StatsGroupBy::User),
            "day" => Ok(StatsGroupBy::Day),
            _ => Err(Error::invalid_field(
                "group_by",
                "invalid_group",
                format!("`{}` is no group; choose kind, user or day", shorten(text)),
            )),
        }
    }
}

/// How many activities there were.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Stats {
    /// The groups in the order of their keys.
    pub groups: Vec<StatsGroup>,
    /// All groups together.
    pub total: u64,
}

/// One group of the statistics.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct StatsGroup {
    /// What the group's activities have in common.
    pub key: String,
    /// How many there are.
    pub count: u64,
}

//! The shape of each event's data.

#[cfg(feature = "schema")]
mod schema;

use std::marker::PhantomData;

use serde::Serialize;
use serde_json::{Map, Value};

use super::model::EventName;
use crate::activities::Activity;
use crate::calls::CallView;
use crate::companies::Company;
use crate::contacts::Contact;
use crate::error::{Error, Result};
use crate::id::{ContactId, NotificationId, UserId};
use crate::identity::{ApiKeyInfo, SignInMethod, User};
use crate::jobs::{JobKind, Schedule};
use crate::notifications::{Notification, NotificationPreferences};
use crate::privacy::Consent;
use crate::telephony::TelephonyAccountView;
use crate::tenancy::Tenant;
use crate::time::Timestamp;

/// The data of one kind of event. Only this crate has any:
///
/// ```compile_fail,E0277
/// #[derive(serde::Serialize)]
/// struct Mine;
/// impl crm_core::events::Payload for Mine {
///     const NAME: crm_core::events::EventName = crm_core::events::EventName::UserSecured;
/// }
/// ```
pub trait Payload: Serialize + sealed::Sealed {
    /// Whose data it is.
    const NAME: EventName;
}

mod sealed {
    pub trait Sealed {}
}

/// The fields of a `T` that have new values, by their names in its JSON.
#[derive(Debug, Clone, Serialize)]
#[serde(transparent)]
pub struct Changed<T>(Map<String, Value>, #[serde(skip)] PhantomData<fn(T)>);

impl<T> Changed<T> {
    pub(crate) fn none() -> Self {
        Changed(Map::new(), PhantomData)
    }

    pub(crate) fn of(fields: Map<String, Value>) -> Self {
        Changed(fields, PhantomData)
    }

    pub(crate) fn set(&mut self, field: &str, value: &impl Serialize) -> Result<()> {
        let value = serde_json::to_value(value).map_err(Error::internal)?;
        self.0.insert(field.to_owned(), value);
        Ok(())
    }
}

/// Why a sign-in is over.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum SessionEnd {
    /// The user signed out.
    SignedOut,
    /// The user ended it from another one.
    Ended,
    /// A refresh token was used twice, so that somebody may have stolen it.
    TokenReused,
}

macro_rules! payloads {
    ($(
        $(#[$doc:meta])*
        $name:ident $(<$life:lifetime>)? { $($(#[$field_doc:meta])* $field:ident: $type:ty,)* }
    )*) => {
        $(
            $(#[$doc])*
            #[derive(Debug, Clone, Serialize)]
            #[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
            #[non_exhaustive]
            pub struct $name $(<$life>)? { $($(#[$field_doc])* pub $field: $type,)* }

            impl $(<$life>)? sealed::Sealed for $name $(<$life>)? {}

            impl $(<$life>)? Payload for $name $(<$life>)? {
                const NAME: EventName = EventName::$name;
            }
        )*

        #[cfg(feature = "schema")]
        #[allow(elided_lifetimes_in_paths, reason = "those of all shapes are alike")]
        impl EventName {
            /// The JSON Schema (2020-12) of [`Event::data`](super::Event::data), whole by itself.
            pub fn schema(self) -> schemars::Schema {
                let generator = schema::generator();
                match self { $(EventName::$name => generator.into_root_schema_for::<$name>(),)* }
            }

            /// The same as a part of `generator`'s schemas.
            pub(super) fn subschema(self, generator: &mut schemars::SchemaGenerator) -> schemars::Schema {
                match self { $(EventName::$name => generator.subschema_for::<$name>(),)* }
            }
        }
    };
}

payloads! {
    /// A tenant was made.
    TenantCreated<'a> {
        /// The tenant.
        tenant: &'a Tenant,
    }
    /// A tenant's settings have changed, or who owns it.
    TenantUpdated {
        /// The tenant's version from now on.
        version: i64,
        /// The new values.
        changes: Changed<Tenant>,
    }
    /// A user was made.
    UserCreated<'a> {
        /// The user.
        user: &'a User,
    }
    /// A user has changed.
    UserUpdated {
        /// The user's version from now on.
        version: i64,
        /// When.
        updated_at: Timestamp,
        /// The new values.
        changes: Changed<User>,
    }
    /// The password, the second factor or a linked account of a user has changed.
    UserSecured {}
    /// The user proved who they are, and what is kept of that has changed: a one-time code is used up, or
    /// wrong attempts are forgotten.
    UserAuthenticated {}
    /// Somebody was wrong about the user's password or second factor.
    AuthenticationFailed {
        /// So often in a row.
        failures: u32,
    }
    /// A user signed in.
    SessionStarted {
        /// The user.
        user_id: UserId,
        /// How they signed in.
        method: SignInMethod,
    }
    /// A sign-in goes on with a new token.
    SessionRefreshed {
        /// The user.
        user_id: UserId,
    }
    /// The user proved again who they are.
    SessionProved {
        /// The user.
        user_id: UserId,
    }
    /// A sign-in is over.
    SessionEnded {
        /// The user.
        user_id: UserId,
        /// Why.
        reason: SessionEnd,
    }
    /// An API key was made.
    ApiKeyCreated<'a> {
        /// The key, without its secret.
        api_key: &'a ApiKeyInfo,
    }
    /// An API key was used for the first time in a while.
    ApiKeyUsed {
        /// The key's version from now on.
        version: i64,
        /// When.
        last_used_at: Timestamp,
    }
    /// An API key was revoked.
    ApiKeyRevoked {
        /// The key's version from now on.
        version: i64,
        /// When.
        revoked_at: Timestamp,
    }
    /// A company was made.
    CompanyCreated<'a> {
        /// The company.
        company: &'a Company,
    }
    /// A company has changed.
    CompanyUpdated {
        /// The company's version from now on.
        version: i64,
        /// When.
        updated_at: Timestamp,
        /// The new values.
        changes: Changed<Company>,
    }
    /// A contact was made.
    ContactCreated<'a> {
        /// The contact.
        contact: &'a Contact,
    }
    /// A contact has changed.
    ContactUpdated {
        /// The contact's version from now on.
        version: i64,
        /// When.
        updated_at: Timestamp,
        /// The new values.
        changes: Changed<Contact>,
    }
    /// A contact is out of use.
    ContactDeleted {
        /// The contact's version from now on.
        version: i64,
        /// When.
        updated_at: Timestamp,
        /// The same.
        deleted_at: Timestamp,
    }
    /// A deleted contact is back in use.
    ContactRestored {
        /// The contact's version from now on.
        version: i64,
        /// When.
        updated_at: Timestamp,
        /// It is not deleted any more.
        deleted_at: (),
    }
    /// Somebody logged an activity.
    ActivityLogged<'a> {
        /// The activity.
        activity: &'a Activity,
    }
    /// A contact's answer was written down.
    ConsentRecorded<'a> {
        /// The answer.
        consent: &'a Consent,
    }
    /// An account with a carrier was made.
    TelephonyAccountCreated<'a> {
        /// The account, without its secrets.
        account: &'a TelephonyAccountView,
    }
    /// An account with a carrier has changed; new secrets are not shown.
    TelephonyAccountUpdated {
        /// The account's version from now on.
        version: i64,
        /// When.
        updated_at: Timestamp,
        /// The new values.
        changes: Changed<TelephonyAccountView>,
    }
    /// A call was asked for, or comes in.
    CallStarted<'a> {
        /// Who is called or calls, where it is known.
        contact_id: Option<ContactId>,
        /// The call.
        call: &'a CallView,
    }
    /// A call on an ordinary phone was written down.
    CallLogged<'a> {
        /// With whom.
        contact_id: Option<ContactId>,
        /// The call.
        call: &'a CallView,
    }
    /// A call has changed.
    CallUpdated {
        /// Who is called or calls, where it is known.
        contact_id: Option<ContactId>,
        /// The call's version from now on.
        version: i64,
        /// When.
        updated_at: Timestamp,
        /// The new values.
        changes: Changed<CallView>,
    }
    /// A call is over.
    CallEnded {
        /// Who was called or called, where it is known.
        contact_id: Option<ContactId>,
        /// The call's version from now on.
        version: i64,
        /// When that was written down.
        updated_at: Timestamp,
        /// The new values.
        changes: Changed<CallView>,
    }
    /// A recording of a call can be heard.
    CallRecorded {
        /// Who was called or called, where it is known.
        contact_id: Option<ContactId>,
        /// The call's version from now on.
        version: i64,
        /// When.
        updated_at: Timestamp,
        /// The new values.
        changes: Changed<CallView>,
    }
    /// Somebody was given a recording, or these bytes of it.
    RecordingHeard {
        /// Who was called or called, where it is known.
        contact_id: Option<ContactId>,
        /// How long the recording is.
        bytes: u64,
        /// The first byte.
        from: u64,
        /// After the last byte.
        to: u64,
    }
    /// A recording of a call can no longer be heard.
    RecordingDeleted {
        /// Who was called or called, where it is known.
        contact_id: Option<ContactId>,
        /// The call's version from now on.
        version: i64,
        /// When.
        updated_at: Timestamp,
        /// The new values.
        changes: Changed<CallView>,
    }
    /// A dead job is tried again.
    JobRetried<'a> {
        /// What it is for.
        kind: &'a JobKind,
        /// Why it was given up.
        failure: Option<&'a str>,
    }
    /// A dead job was given up for good.
    JobDiscarded<'a> {
        /// What it was for.
        kind: &'a JobKind,
        /// Why it was given up.
        failure: Option<&'a str>,
    }
    /// A schedule is new, or has a new time.
    ScheduleSet<'a> {
        /// The schedule.
        schedule: &'a Schedule,
    }
    /// A file of contacts was imported.
    ContactsImported {
        /// Contacts that were made.
        created: u64,
        /// Contacts that were changed.
        updated: u64,
        /// Rows that were left out.
        skipped: u64,
        /// Rows that could not be read.
        failed: u64,
    }
    /// Somebody has a notification.
    NotificationCreated<'a> {
        /// The notification.
        notification: &'a Notification,
    }
    /// A notification has come, was read, or stands for more than before.
    NotificationUpdated {
        /// The notification.
        notification_id: NotificationId,
        /// Its version from now on.
        version: i64,
        /// The new values.
        changes: Changed<Notification>,
    }
    /// Somebody chose of what and how to be told.
    NotificationPreferencesUpdated {
        /// The preferences' version from now on.
        version: i64,
        /// The new values.
        changes: Changed<NotificationPreferences>,
    }
}

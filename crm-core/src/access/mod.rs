//! Who may do what: roles, actions and the permits that operations consume.

use std::fmt;
use std::marker::PhantomData;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::email::shorten;
use crate::error::{Error, ErrorKind, Result};
use crate::scope::{Freshness, Proof, TenantScope};

/// What a user is in a tenant. Each role may do all that the next one may.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// Holds the tenant: everything, including its settings.
    Owner,
    /// Runs the tenant: people, import, export, audit.
    Admin,
    /// Works with contacts.
    Agent,
    /// Reads.
    Viewer,
}

impl Role {
    /// Every role, the mightiest first.
    pub const ALL: &'static [Role] = &[Role::Owner, Role::Admin, Role::Agent, Role::Viewer];

    /// Whether the role may do all that `other` may.
    ///
    /// ```
    /// use crm_core::Role;
    /// assert!(Role::Owner.includes(Role::Admin));
    /// assert!(!Role::Agent.includes(Role::Admin));
    /// ```
    pub const fn includes(self, other: Role) -> bool {
        // Declared from the mightiest down.
        self as u8 <= other as u8
    }

    /// The role's stable name.
    pub const fn as_str(self) -> &'static str {
        match self {
            Role::Owner => "owner",
            Role::Admin => "admin",
            Role::Agent => "agent",
            Role::Viewer => "viewer",
        }
    }
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl FromStr for Role {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        Role::ALL.iter().copied().find(|role| role.as_str() == text).ok_or_else(|| {
            Error::invalid_field(
                "role",
                "invalid_role",
                format!("`{}` is no role; choose owner, admin, agent or viewer", shorten(text)),
            )
        })
    }
}

mod sealed {
    pub trait Sealed {}
}

/// Something that a role allows or forbids. Each action is a type of its own, so that the permit
/// for one is not the permit for another.
pub trait Action: sealed::Sealed + 'static {
    /// The action's stable name, `resource:verb`.
    const NAME: &'static str;
    /// The least role that may do it.
    const LEAST: Role;
    /// Whether it changes anything.
    const WRITES: bool;
    /// Whether a person must have proved who they are a short while ago.
    const STEP_UP: bool;
    /// Whether an API key can have it.
    const FOR_KEYS: bool;
}

macro_rules! actions {
    ($($(#[$doc:meta])* $action:ident = $name:literal from $least:ident, $($word:ident)+;)*) => {
        $(
            $(#[$doc])*
            #[derive(Debug, Clone, Copy)]
            pub enum $action {}
            impl sealed::Sealed for $action {}
            impl Action for $action {
                const NAME: &'static str = $name;
                const LEAST: Role = Role::$least;
                const WRITES: bool = $(actions!(@writes $word) ||)+ false;
                const STEP_UP: bool = $(actions!(@step_up $word) ||)+ false;
                const FOR_KEYS: bool = $(actions!(@for_keys $word) &&)+ true;
            }
        )*

        /// Every action with the least role that may do it.
        pub const ACTIONS: &[(&str, Role)] = &[$(($action::NAME, $action::LEAST),)*];

        /// The actions that an API key can be given: its scopes.
        pub fn key_scopes() -> impl Iterator<Item = &'static str> {
            [$(($action::NAME, $action::FOR_KEYS),)*]
                .into_iter()
                .filter_map(|(name, for_keys)| for_keys.then_some(name))
        }
    };
    (@writes reads) => { false };
    (@writes writes) => { true };
    (@writes steps_up) => { true };
    (@writes for_people) => { false };
    (@step_up reads) => { false };
    (@step_up writes) => { false };
    (@step_up steps_up) => { true };
    (@step_up for_people) => { false };
    (@for_keys reads) => { true };
    (@for_keys writes) => { true };
    (@for_keys steps_up) => { false };
    (@for_keys for_people) => { false };
}

actions! {
    /// Read contacts, search them, read their timelines.
    ReadContacts = "contacts:read" from Viewer, reads;
    /// Make contacts.
    CreateContacts = "contacts:create" from Agent, writes;
    /// Change contacts.
    UpdateContacts = "contacts:update" from Agent, writes;
    /// Delete contacts.
    DeleteContacts = "contacts:delete" from Agent, writes;
    /// Bring deleted contacts back.
    RestoreContacts = "contacts:restore" from Agent, writes;
    /// Import contacts from a file.
    ImportContacts = "contacts:import" from Admin, writes;
    /// Export all contacts.
    ExportContacts = "contacts:export" from Admin, reads;
    /// Read companies.
    ReadCompanies = "companies:read" from Viewer, reads;
    /// Make and change companies.
    WriteCompanies = "companies:write" from Agent, writes;
    /// Read activities and their statistics.
    ReadActivities = "activities:read" from Viewer, reads;
    /// Log activities.
    LogActivities = "activities:log" from Agent, writes;
    /// Read calls.
    ReadCalls = "calls:read" from Viewer, reads;
    /// Make calls and hang up.
    PlaceCalls = "calls:place" from Agent, writes;
    /// Log calls, and say what came of them.
    UpdateCalls = "calls:update" from Agent, writes;
    /// Hear the recordings of calls.
    HearRecordings = "recordings:read" from Agent, reads;
    /// Delete the recordings of calls.
    DeleteRecordings = "recordings:delete" from Admin, writes;
    /// Read what contacts agreed to.
    ReadConsents = "consents:read" from Viewer, reads;
    /// Write down what contacts agreed to.
    RecordConsents = "consents:record" from Agent, writes;
    /// Read the tenant's telephony accounts.
    ReadTelephony = "telephony:read" from Admin, reads;
    /// Keep and change the tenant's telephony accounts.
    ManageTelephony = "telephony:manage" from Admin, steps_up;
    /// Read the jobs of the tenant.
    ReadJobs = "jobs:read" from Admin, reads;
    /// Enqueue jobs of the host's, schedule them, retry and discard dead ones.
    ManageJobs = "jobs:manage" from Admin, writes;
    /// Read the list of users.
    ReadUsers = "users:read" from Viewer, reads;
    /// Make users and change their roles.
    ManageUsers = "users:manage" from Admin, writes for_people;
    /// Give somebody the role of an owner, or change an owner.
    ManageOwners = "owners:manage" from Owner, steps_up;
    /// Read the tenant's settings.
    ReadTenant = "tenant:read" from Viewer, reads;
    /// Change the tenant's settings.
    ManageTenant = "tenant:manage" from Owner, steps_up;
    /// List API keys.
    ReadApiKeys = "api_keys:read" from Admin, reads for_people;
    /// Make and revoke API keys.
    ManageApiKeys = "api_keys:manage" from Admin, steps_up;
    /// Look after one's own password, second factor and sessions; what is at stake asks for the password.
    ManageOwnAccount = "account:manage" from Viewer, writes for_people;
    /// Begin a second factor of one's own.
    SecureOwnAccount = "account:secure" from Viewer, steps_up;
    /// Follow what happens, as far as it may be read.
    FollowEvents = "events:follow" from Viewer, reads;
    /// Read one's own notifications, mark them, and choose what to be told.
    ReadNotifications = "notifications:read" from Viewer, writes for_people;
    /// Tell something to everybody, or to all with a role.
    Broadcast = "notifications:broadcast" from Admin, writes for_people;
    /// Read the event log.
    ReadEvents = "events:read" from Admin, reads;
    /// Read the audit log.
    ReadAudit = "audit:read" from Admin, reads;
}

/// Proof that `A` was allowed. What decides a write or reads a record takes one, so that a forgotten
/// check does not compile.
///
/// ```compile_fail,E0308
/// # use crm_core::access::{CreateContacts, DeleteContacts, Permit};
/// fn delete(_: Permit<DeleteContacts>) {}
/// fn create(permit: Permit<CreateContacts>) { delete(permit) }
/// ```
#[derive(Debug)]
pub struct Permit<A: Action> {
    scope: TenantScope,
    action: PhantomData<A>,
}

impl<A: Action> Permit<A> {
    /// The scope that the action was allowed in.
    pub fn scope(&self) -> &TenantScope {
        &self.scope
    }
}

impl Permit<ImportContacts> {
    /// To import is to make and change contacts and companies by a file: who may, may do that in it.
    pub(crate) fn within<A: Action>(&self) -> Permit<A> {
        Permit { scope: self.scope.clone(), action: PhantomData }
    }
}

/// Allows or forbids `A` by the scope's role.
///
/// # Errors
///
/// `forbidden`, naming the action and the role it needs; `conflict` for a change in a session that may
/// read old data.
pub fn authorize<A: Action>(scope: &TenantScope) -> Result<Permit<A>> {
    if A::WRITES && scope.freshness() == Freshness::MayLag {
        return Err(Error::new(
            ErrorKind::Conflict,
            format!(
                "`{}` in a session that may lag, which only reads; use the session it came from",
                A::NAME
            ),
        ));
    }
    let forbidden = |message| Err(Error::new(ErrorKind::Forbidden, message));
    if !scope.role().includes(A::LEAST) {
        return forbidden(format!(
            "the role `{}` may not `{}`; it takes `{}`",
            scope.role(),
            A::NAME,
            A::LEAST
        ));
    }
    match scope.proof() {
        Proof::Host => {}
        Proof::SignIn { fresh, .. } => {
            if A::STEP_UP && !fresh {
                return Err(Error::new(
                    ErrorKind::StepUpRequired,
                    format!("`{}` needs a fresh proof of who you are; step up first", A::NAME),
                ));
            }
        }
        Proof::Key { scopes } => {
            if !A::FOR_KEYS || !scopes.iter().any(|scope| scope == A::NAME) {
                return forbidden(format!("the API key may not `{}`", A::NAME));
            }
        }
    }
    Ok(Permit { scope: scope.clone(), action: PhantomData })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The whole policy as a table, so that a change of it shows in review.
    #[test]
    fn policy() {
        let mut table = format!("{:22}", "");
        for role in Role::ALL {
            table += &format!("{role:8}");
        }
        table += "key";
        for (action, least) in ACTIONS {
            table += &format!("\n{action:22}");
            for role in Role::ALL {
                table += if role.includes(*least) { "yes     " } else { "-       " };
            }
            table += if key_scopes().any(|scope| scope == *action) { "yes" } else { "-" };
        }
        insta::assert_snapshot!(table.lines().map(str::trim_end).collect::<Vec<_>>().join("\n"));
    }
}

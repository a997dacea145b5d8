//! What people and programs prove themselves with, as it is kept: never the secret itself.

use aws_lc_rs::digest;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::external::CODE_LASTS;
use super::model::User;
use super::policy::SignInPolicy;
use super::secret::{Digest, Secret};
use crate::access::Role;
use crate::email::EmailAddress;
use crate::id::{ApiKeyId, SignInId, UserId};
use crate::tenancy::Tenant;
use crate::time::Timestamp;

/// One record of what somebody proves themselves with. A store keeps it whole, under its id.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "credential", rename_all = "snake_case")]
pub enum Credential {
    /// How a user signs in.
    Authenticators(Authenticators),
    /// One sign-in of a user.
    SignIn(SignIn),
    /// An API key.
    ApiKey(ApiKey),
    /// A user's account with a provider of identities.
    Link(Link),
}

/// The kinds of [`Credential`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum CredentialKind {
    /// [`Credential::Authenticators`].
    Authenticators,
    /// [`Credential::SignIn`].
    SignIn,
    /// [`Credential::ApiKey`].
    ApiKey,
    /// [`Credential::Link`].
    Link,
}

impl CredentialKind {
    /// The kind's stable name.
    pub const fn as_str(self) -> &'static str {
        match self {
            CredentialKind::Authenticators => "authenticators",
            CredentialKind::SignIn => "sign_in",
            CredentialKind::ApiKey => "api_key",
            CredentialKind::Link => "link",
        }
    }
}

impl Credential {
    /// Identifies the record within its tenant.
    pub fn id(&self) -> Uuid {
        match self {
            // One of a user, found by the user.
            Credential::Authenticators(own) => own.user_id.as_uuid(),
            Credential::SignIn(own) => own.id.as_uuid(),
            Credential::ApiKey(own) => own.id.as_uuid(),
            Credential::Link(own) => own.id(),
        }
    }

    /// Which kind it is.
    pub fn kind(&self) -> CredentialKind {
        match self {
            Credential::Authenticators(_) => CredentialKind::Authenticators,
            Credential::SignIn(_) => CredentialKind::SignIn,
            Credential::ApiKey(_) => CredentialKind::ApiKey,
            Credential::Link(_) => CredentialKind::Link,
        }
    }

    /// Whose it is; an API key is nobody's.
    pub fn user_id(&self) -> Option<UserId> {
        match self {
            Credential::Authenticators(own) => Some(own.user_id),
            Credential::SignIn(own) => Some(own.user_id),
            Credential::ApiKey(_) => None,
            Credential::Link(own) => Some(own.user_id),
        }
    }

    /// Counts the changes, from 1.
    pub fn version(&self) -> i64 {
        match self {
            Credential::Authenticators(own) => own.version,
            Credential::SignIn(own) => own.version,
            Credential::ApiKey(own) => own.version,
            Credential::Link(own) => own.version,
        }
    }

    /// From when on the store may forget it.
    pub fn useless_from(&self) -> Option<Timestamp> {
        match self {
            // While a code could still be exchanged for it, its id must not be free again.
            Credential::SignIn(own) => {
                let ended = own.ended_at.unwrap_or(own.expires_at);
                Some(ended.max(own.created_at.after(CODE_LASTS)))
            }
            Credential::Authenticators(_) | Credential::ApiKey(_) | Credential::Link(_) => None,
        }
    }

    /// What the user can be found by before the tenant is known, because of this record.
    pub fn sign_in_name(&self) -> Option<SignInName> {
        match self {
            Credential::Link(own) => Some(SignInName::of_link(&own.provider, &own.subject)),
            Credential::Authenticators(_) | Credential::SignIn(_) | Credential::ApiKey(_) => None,
        }
    }
}

/// How a user signs in: the authenticators bound to the account, in the words of NIST SP 800-63B.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Authenticators {
    /// Whose they are.
    pub user_id: UserId,
    /// The password's hash, as a PHC string or in bcrypt's form.
    #[serde(default)]
    pub password: Option<Secret>,
    /// When the password was set.
    #[serde(default)]
    pub password_set_at: Option<Timestamp>,
    /// The digest of the invitation that sets the first password, and until when it can.
    #[serde(default)]
    pub invitation: Option<Invitation>,
    /// The generator of one-time codes.
    #[serde(default)]
    pub totp: Option<Totp>,
    /// The digests of the recovery codes that are left.
    #[serde(default)]
    pub recovery_codes: Vec<Digest>,
    /// How often in a row somebody was wrong about the password or the second factor.
    #[serde(default)]
    pub failures: u32,
    /// Counts the changes, from 1.
    pub version: i64,
}

impl Authenticators {
    /// None yet.
    pub(crate) fn none(user_id: UserId) -> Self {
        Authenticators {
            user_id,
            password: None,
            password_set_at: None,
            invitation: None,
            totp: None,
            recovery_codes: Vec::new(),
            failures: 0,
            version: 0,
        }
    }

    /// Whether the password was guessed at too often: it signs in no more until there is a new one.
    pub(crate) fn is_locked(&self, policy: &SignInPolicy) -> bool {
        self.failures >= policy.most_failures
    }

    /// Whether a second factor is asked for.
    pub fn has_second_factor(&self) -> bool {
        self.totp.as_ref().is_some_and(|totp| totp.confirmed)
    }
}

/// The way in for somebody who has no password yet.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Invitation {
    /// The digest of the token.
    pub token: Digest,
    /// Until when it can be accepted.
    pub expires_at: Timestamp,
}

/// A generator of one-time codes (RFC 6238).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Totp {
    /// The shared secret, sealed by the key ring.
    pub secret: Secret,
    /// Whether the user has shown a code; it asks for none before.
    pub confirmed: bool,
    /// The time step of the last code that was taken: none is taken twice.
    pub last_step: u64,
}

/// One sign-in of a user, from its first token to its last: a session, as people see it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct SignIn {
    /// Identifies it.
    pub id: SignInId,
    /// Who signed in.
    pub user_id: UserId,
    /// How.
    pub method: SignInMethod,
    /// When.
    pub created_at: Timestamp,
    /// When the person last proved who they are.
    pub proved_at: Timestamp,
    /// When it was last refreshed.
    pub refreshed_at: Timestamp,
    /// When it ends unless it is refreshed before.
    pub expires_at: Timestamp,
    /// When it ended before its time.
    #[serde(default)]
    pub ended_at: Option<Timestamp>,
    /// The user's count of ended sessions when it began.
    pub epoch: i64,
    /// The program, as it names itself.
    #[serde(default)]
    pub user_agent: Option<String>,
    /// Where it came from.
    #[serde(default)]
    pub address: Option<String>,
    /// The digest of what all refresh tokens of the sign-in share.
    pub family: Digest,
    /// The digest of the refresh token.
    pub refresh_token: Digest,
    /// The token before.
    #[serde(default)]
    pub previous: Option<PreviousToken>,
    /// Counts the changes, from 1.
    pub version: i64,
}

/// The refresh token before the present one.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct PreviousToken {
    /// Its digest.
    pub token: Digest,
    /// When it was used.
    pub used_at: Timestamp,
    /// Its successor, which only it can open.
    pub successor: Digest,
}

/// How somebody signed in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum SignInMethod {
    /// By a password, and a second factor where there is one.
    Password,
    /// By an account with a provider of identities.
    Oidc,
}

/// An API key: a program's way in.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ApiKey {
    /// Identifies the key.
    pub id: ApiKeyId,
    /// What people call it.
    pub name: String,
    /// What it may do at most.
    pub role: Role,
    /// The actions that it may do, of those that its role allows.
    pub scopes: Vec<String>,
    /// The digest of the secret.
    pub secret: Digest,
    /// Who made it.
    #[serde(default)]
    pub created_by: Option<UserId>,
    /// When.
    pub created_at: Timestamp,
    /// Until when it can be used.
    #[serde(default)]
    pub expires_at: Option<Timestamp>,
    /// When it was last used, to [`ApiKey::USE_RESOLUTION`].
    #[serde(default)]
    pub last_used_at: Option<Timestamp>,
    /// When it was revoked.
    #[serde(default)]
    pub revoked_at: Option<Timestamp>,
    /// Counts the changes, from 1.
    pub version: i64,
}

impl ApiKey {
    /// How old a noted use may be before another is noted: ten minutes.
    pub const USE_RESOLUTION: std::time::Duration = std::time::Duration::from_secs(600);

    /// Whether the key opens anything at `now`.
    pub(crate) fn is_live(&self, now: Timestamp) -> bool {
        self.revoked_at.is_none() && self.expires_at.is_none_or(|until| now < until)
    }
}

/// A user's account with a provider of identities.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Link {
    /// The provider's name in this installation.
    pub provider: String,
    /// The user's name at the provider, which never changes (`sub`).
    pub subject: String,
    /// Whose account it is.
    pub user_id: UserId,
    /// The address that the provider vouched for.
    pub email: EmailAddress,
    /// When it was linked.
    pub linked_at: Timestamp,
    /// Counts the changes, from 1.
    pub version: i64,
}

impl Link {
    /// Follows from the provider and the subject.
    pub fn id(&self) -> Uuid {
        Link::id_of(&self.provider, &self.subject)
    }

    /// The id of the link of this account: the first bits of a digest (RFC 9562, 5.8).
    pub(crate) fn id_of(provider: &str, subject: &str) -> Uuid {
        let digest = Digest::of(SignInName::of_link(provider, subject).as_str().as_bytes());
        let mut bytes = [0; 16];
        bytes.iter_mut().zip(digest.as_bytes()).for_each(|(to, from)| *to = *from);
        uuid::Builder::from_custom_bytes(bytes).into_uuid()
    }
}

/// What a user is found by before the tenant is known.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SignInName(String);

impl SignInName {
    /// The address that a user signs in with.
    pub fn of_email(email: &EmailAddress) -> Self {
        SignInName(format!("email:{}", email.key()))
    }

    /// The account with a provider of identities.
    pub fn of_link(provider: &str, subject: &str) -> Self {
        let subject = digest::digest(&digest::SHA256, subject.as_bytes());
        let hex: String = subject.as_ref().iter().map(|byte| format!("{byte:02x}")).collect();
        SignInName(format!("oidc:{provider}:{hex}"))
    }

    /// The text, compared by its bytes.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// How somebody stands: all that decides whether they may come in, in one look.
#[derive(Debug, Clone, PartialEq, Deserialize)]
pub struct Standing {
    /// The tenant.
    pub tenant: Tenant,
    /// The user asked for, or whose the credential is.
    #[serde(default)]
    pub user: Option<User>,
    /// The credential asked for.
    #[serde(default)]
    pub credential: Option<Credential>,
}

/// Whose standing is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum StandingOf {
    /// A user.
    User(UserId),
    /// A credential and the user whose it is.
    Credential(Uuid),
}

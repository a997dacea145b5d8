//! Who acts, for which tenant: the key to a tenant's data.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use uuid::Uuid;

use crate::access::Role;
use crate::email::shorten;
use crate::error::{Error, Result};
use crate::id::{ApiKeyId, SignInId, TenantId, UserId};
use crate::phone::Region;

/// The right to work on one tenant's data, on behalf of one actor.
///
/// Every read and every write of a store takes one, and only the core makes one, from a principal
/// that it has checked. It cannot be written down or read from text:
///
/// ```compile_fail,E0451
/// # use crm_core::TenantScope;
/// let scope = TenantScope { inner: unimplemented!() };
/// ```
/// ```compile_fail,E0277
/// let scope: crm_core::TenantScope = serde_json::from_str("{}").unwrap();
/// ```
/// ```compile_fail,E0277
/// fn of<T: Default>() -> T { T::default() }
/// let scope: crm_core::TenantScope = of();
/// ```
#[derive(Debug, Clone)]
pub struct TenantScope {
    inner: Arc<Inner>,
    freshness: Freshness,
}

/// How old the data of a read may be.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Freshness {
    /// Everything that was committed before.
    #[default]
    Latest,
    /// A little old, in exchange for a read that a copy of the store may serve.
    MayLag,
}

#[derive(Debug)]
struct Inner {
    tenant: TenantId,
    region: Region,
    actor: Actor,
    role: Role,
    proof: Proof,
    request_id: RequestId,
}

/// How it is known who acts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Proof {
    /// The host says so.
    Host,
    /// An access token of this sign-in.
    SignIn {
        /// The sign-in.
        id: SignInId,
        /// Whether the person proved who they are a short while ago.
        fresh: bool,
    },
    /// An API key.
    Key {
        /// The actions that it may do, where its role allows them.
        scopes: Arc<[String]>,
    },
}

impl TenantScope {
    pub(crate) fn new(
        tenant: TenantId,
        region: Region,
        actor: Actor,
        role: Role,
        proof: Proof,
        request_id: RequestId,
    ) -> Self {
        let inner = Inner { tenant, region, actor, role, proof, request_id };
        TenantScope { inner: Arc::new(inner), freshness: Freshness::Latest }
    }

    /// The operator, or the CRM itself, at work in a tenant, with every right of its owner.
    pub(crate) fn of_system(tenant: TenantId, region: Region, request_id: RequestId) -> Self {
        let (actor, proof) = (Actor::System, Proof::Host);
        TenantScope::new(tenant, region, actor, Role::Owner, proof, request_id)
    }

    /// The same for reads that may be served from a copy.
    pub(crate) fn lagging(&self) -> Self {
        TenantScope { inner: Arc::clone(&self.inner), freshness: Freshness::MayLag }
    }

    /// How old what is read may be.
    pub fn freshness(&self) -> Freshness {
        self.freshness
    }

    /// The tenant.
    pub fn tenant(&self) -> TenantId {
        self.inner.tenant
    }

    /// The region of phone numbers without a country code.
    pub fn region(&self) -> Region {
        self.inner.region
    }

    /// Who acts.
    pub fn actor(&self) -> Actor {
        self.inner.actor
    }

    /// What the actor may do.
    pub fn role(&self) -> Role {
        self.inner.role
    }

    /// How it is known who acts.
    pub fn proof(&self) -> &Proof {
        &self.inner.proof
    }

    /// The request that all of this belongs to.
    pub fn request_id(&self) -> &RequestId {
        &self.inner.request_id
    }
}

/// The right to work across tenants, for a stated reason: sign-in, operation, maintenance.
#[derive(Debug, Clone)]
pub struct SystemScope {
    reason: &'static str,
    request_id: RequestId,
}

impl SystemScope {
    pub(crate) fn new(reason: &'static str, request_id: RequestId) -> Self {
        tracing::debug!(reason, request_id = request_id.as_str(), "work across tenants");
        SystemScope { reason, request_id }
    }

    /// Why the work is done.
    pub fn reason(&self) -> &'static str {
        self.reason
    }

    /// The request that all of this belongs to.
    pub fn request_id(&self) -> &RequestId {
        &self.request_id
    }
}

/// Who does something. In text `system`, `user:<id>` or `api_key:<id>`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Actor {
    /// The operator of the installation, or the CRM itself.
    System,
    /// A user of the tenant.
    User(UserId),
    /// A program, by its API key.
    ApiKey(ApiKeyId),
}

impl Actor {
    /// The user, where it is one.
    pub fn user(self) -> Option<UserId> {
        match self {
            Actor::System | Actor::ApiKey(_) => None,
            Actor::User(id) => Some(id),
        }
    }
}

impl fmt::Display for Actor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Actor::System => f.write_str("system"),
            Actor::User(id) => write!(f, "user:{id}"),
            Actor::ApiKey(id) => write!(f, "api_key:{id}"),
        }
    }
}

impl FromStr for Actor {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        if text == "system" {
            return Ok(Actor::System);
        }
        let of = |kind: &str| text.strip_prefix(kind).and_then(|id| Uuid::try_parse(id).ok());
        let user = of("user:").map(|id| Actor::User(UserId::from_uuid(id)));
        let key = || of("api_key:").map(|id| Actor::ApiKey(ApiKeyId::from_uuid(id)));
        user.or_else(key).ok_or_else(|| {
            Error::invalid_field(
                "actor",
                "invalid_actor",
                format!(
                    "`{}` is no actor; write `system`, `user:<id>` or `api_key:<id>`",
                    shorten(text)
                ),
            )
        })
    }
}

impl Serialize for Actor {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Actor {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

/// Names one request in every log line, audit entry and event that it causes: 1 to 128 of
/// `A-Za-z0-9._-`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RequestId(Arc<str>);

impl Serialize for RequestId {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.0)
    }
}

impl RequestId {
    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl From<Uuid> for RequestId {
    fn from(id: Uuid) -> Self {
        RequestId(id.to_string().into())
    }
}

impl FromStr for RequestId {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"._-".contains(&byte);
        if (1..=128).contains(&text.len()) && text.bytes().all(allowed) {
            Ok(RequestId(text.into()))
        } else {
            Err(Error::invalid_field(
                "request_id",
                "invalid_request_id",
                "a request id has 1 to 128 characters of `A-Za-z0-9._-`",
            ))
        }
    }
}

impl<'de> Deserialize<'de> for RequestId {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

//! Secrets that are shown once and kept as a digest.

use std::fmt;

use aws_lc_rs::{constant_time, digest, hmac};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD as BASE64;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use uuid::Uuid;

use crate::env::Env;
use crate::error::Result;
use crate::id::TenantId;

/// Something that must not appear in a log: its `Debug` says nothing.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Secret(String);

impl Secret {
    /// A secret with this text.
    pub fn new(text: impl Into<String>) -> Self {
        Secret(text.into())
    }

    /// The text, for the one place that needs it.
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl From<String> for Secret {
    fn from(text: String) -> Self {
        Secret(text)
    }
}

impl From<&str> for Secret {
    fn from(text: &str) -> Self {
        Secret(text.to_owned())
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(..)")
    }
}

/// What is kept of a secret of 256 random bits: its SHA-256. No salt and no work factor, for there is
/// nothing to guess.
#[derive(Clone, Copy)]
pub struct Digest([u8; 32]);

impl Digest {
    /// The digest of a secret's bytes.
    pub fn of(secret: &[u8]) -> Self {
        let mut bytes = [0; 32];
        bytes.copy_from_slice(digest::digest(&digest::SHA256, secret).as_ref());
        Digest(bytes)
    }

    /// The bytes.
    pub fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }

    /// The bytes as 64 hexadecimal digits.
    pub fn to_hex(&self) -> String {
        self.0.iter().map(|byte| format!("{byte:02x}")).collect()
    }
}

/// The [`Digest`] of bytes that come piece by piece.
#[derive(Clone)]
pub struct Digester(digest::Context);

impl Default for Digester {
    fn default() -> Self {
        Digester(digest::Context::new(&digest::SHA256))
    }
}

impl Digester {
    /// Takes the next bytes.
    pub fn update(&mut self, bytes: &[u8]) {
        self.0.update(bytes);
    }

    /// The digest of all bytes.
    pub fn finish(self) -> Digest {
        let mut bytes = [0; 32];
        bytes.copy_from_slice(self.0.finish().as_ref());
        Digest(bytes)
    }
}

impl fmt::Debug for Digester {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Digester(..)")
    }
}

impl PartialEq for Digest {
    /// In constant time.
    fn eq(&self, other: &Self) -> bool {
        constant_time::verify_slices_are_equal(&self.0, &other.0).is_ok()
    }
}

impl Eq for Digest {}

impl fmt::Debug for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Digest(..)")
    }
}

impl Serialize for Digest {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&BASE64.encode(self.0))
    }
}

impl<'de> Deserialize<'de> for Digest {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
        let bytes = BASE64.decode(text.as_bytes()).ok().and_then(|bytes| bytes.try_into().ok());
        bytes.map(Digest).ok_or_else(|| serde::de::Error::custom("a digest has 32 bytes in base64"))
    }
}

/// An opaque token: the tenant and the record that it belongs to, in the open, and 256 random bits.
/// With the tenant in it, no look-up crosses tenants.
pub(crate) struct OpaqueToken {
    pub(crate) tenant: TenantId,
    pub(crate) id: Uuid,
    secret: [u8; 32],
}

/// What an opaque token is for, told by how it begins, so that scanners for leaked secrets find it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum TokenKind {
    Refresh,
    ApiKey,
    Invitation,
}

impl TokenKind {
    pub(crate) const fn prefix(self) -> &'static str {
        match self {
            TokenKind::Refresh => "crmr_",
            TokenKind::ApiKey => "crmk_",
            TokenKind::Invitation => "crmi_",
        }
    }
}

impl OpaqueToken {
    pub(crate) fn new(env: &Env, tenant: TenantId, id: Uuid) -> Result<Self> {
        let mut secret = [0; 32];
        env.fill(&mut secret)?;
        Ok(OpaqueToken { tenant, id, secret })
    }

    pub(crate) fn parse(kind: TokenKind, text: &str) -> Option<Self> {
        let bytes = BASE64.decode(text.strip_prefix(kind.prefix())?).ok()?;
        let (tenant, rest) = bytes.split_first_chunk::<16>()?;
        let (id, secret) = rest.split_first_chunk::<16>()?;
        Some(OpaqueToken {
            tenant: TenantId::from_uuid(Uuid::from_bytes(*tenant)),
            id: Uuid::from_bytes(*id),
            secret: secret.try_into().ok()?,
        })
    }

    pub(crate) fn text(&self, kind: TokenKind) -> Secret {
        let mut bytes = Vec::with_capacity(64);
        bytes.extend(self.tenant.as_uuid().as_bytes());
        bytes.extend(self.id.as_bytes());
        bytes.extend(self.secret);
        Secret(format!("{}{}", kind.prefix(), BASE64.encode(bytes)))
    }

    pub(crate) fn digest(&self) -> Digest {
        Digest::of(&self.secret)
    }

    /// The secret of `successor`, readable only with this token: what is kept lets whoever presents
    /// this token again be given the same successor, and tells nothing to who reads the store.
    ///
    /// The key of the one-time pad is used once: a token has one successor.
    pub(crate) fn seal_successor(&self, successor: &OpaqueToken) -> Digest {
        Digest(self.pad(&successor.secret))
    }

    pub(crate) fn open_successor(&self, sealed: &Digest) -> OpaqueToken {
        OpaqueToken { tenant: self.tenant, id: self.id, secret: self.pad(&sealed.0) }
    }

    fn pad(&self, bytes: &[u8; 32]) -> [u8; 32] {
        let key = hmac::Key::new(hmac::HMAC_SHA256, &self.secret);
        let pad = hmac::sign(&key, b"successor");
        let mut padded = *bytes;
        for (byte, pad) in padded.iter_mut().zip(pad.as_ref()) {
            *byte ^= pad;
        }
        padded
    }
}

/// A refresh token: an opaque token, which changes with each use, and behind it 128 random bits that stay
/// as long as the sign-in. They tell a token that was used up from one that nobody was given: who only
/// knows the ids, as everybody does who reads the tenant's events, cannot end the sign-in.
pub(crate) struct RefreshToken {
    pub(crate) token: OpaqueToken,
    family: [u8; 16],
}

impl RefreshToken {
    /// The first of a family.
    pub(crate) fn first(env: &Env, tenant: TenantId, id: Uuid) -> Result<Self> {
        let mut family = [0; 16];
        env.fill(&mut family)?;
        Ok(RefreshToken { token: OpaqueToken::new(env, tenant, id)?, family })
    }

    /// Another of the same family.
    pub(crate) fn with(&self, token: OpaqueToken) -> Self {
        RefreshToken { token, family: self.family }
    }

    pub(crate) fn parse(text: &str) -> Option<Self> {
        let (token, family) = text.rsplit_once('.')?;
        Some(RefreshToken {
            token: OpaqueToken::parse(TokenKind::Refresh, token)?,
            family: BASE64.decode(family).ok()?.try_into().ok()?,
        })
    }

    pub(crate) fn text(&self) -> Secret {
        let token = self.token.text(TokenKind::Refresh);
        Secret(format!("{}.{}", token.reveal(), BASE64.encode(self.family)))
    }

    /// What is kept of what the family shares.
    pub(crate) fn family(&self) -> Digest {
        Digest::of(&self.family)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Arc;

    #[test]
    fn a_token_comes_back_as_it_was_and_says_nothing_in_a_log() {
        let env =
            Env::new(Arc::new(crate::ports::SystemClock), Arc::new(crate::ports::SystemRandomness));
        let token = OpaqueToken::new(&env, env.new_id().unwrap(), env.new_uuid().unwrap()).unwrap();
        let text = token.text(TokenKind::Refresh);
        let again = OpaqueToken::parse(TokenKind::Refresh, text.reveal()).unwrap();
        assert_eq!((again.tenant, again.id), (token.tenant, token.id));
        assert_eq!(again.digest(), token.digest());
        assert!(OpaqueToken::parse(TokenKind::ApiKey, text.reveal()).is_none());
        assert!(OpaqueToken::parse(TokenKind::Refresh, text.reveal().get(..80).unwrap()).is_none());
        assert_eq!(format!("{text:?} {:?}", token.digest()), "Secret(..) Digest(..)");
    }

    #[test]
    fn only_the_token_itself_opens_its_successor() {
        let env =
            Env::new(Arc::new(crate::ports::SystemClock), Arc::new(crate::ports::SystemRandomness));
        let (tenant, id) = (env.new_id().unwrap(), env.new_uuid().unwrap());
        let token = || OpaqueToken::new(&env, tenant, id).unwrap();
        let (first, second, other) = (token(), token(), token());
        let sealed = first.seal_successor(&second);
        assert_eq!(first.open_successor(&sealed).digest(), second.digest());
        assert_ne!(other.open_successor(&sealed).digest(), second.digest());
        assert_ne!(Digest::of(sealed.as_bytes()), second.digest());
    }
}

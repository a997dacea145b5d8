//! Access tokens: JWTs of the profile of RFC 9068, and the keys that sign and verify them.

use std::fmt;
use std::time::Duration;

use aws_lc_rs::encoding::{AsDer, Pkcs8V1Der};
use aws_lc_rs::rsa::{KeyPair as RsaKeyPair, KeySize};
use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, Ed25519KeyPair};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use jsonwebtoken::jwk::{Jwk, JwkSet, PublicKeyUse, ThumbprintHash};
use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Header, Validation};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::secret::Secret;
use crate::error::{Error, ErrorKind, Result};
use crate::id::{SignInId, TenantId, UserId};
use crate::ports::Randomness;
use crate::time::Timestamp;

/// Bytes of the longest token that is looked at; ours have some 500.
const MAX_TOKEN: usize = 4096;

/// Seconds by which the clocks of two nodes may differ.
const LEEWAY: i64 = 2;

/// How access tokens are signed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum TokenAlgorithm {
    /// Ed25519.
    #[default]
    #[serde(rename = "EdDSA")]
    EdDsa,
    /// ECDSA over P-256 with SHA-256.
    #[serde(rename = "ES256")]
    Es256,
    /// RSA, PKCS #1 v1.5, with SHA-256; 3072 bits where the key is made here, 2048 at least.
    #[serde(rename = "RS256")]
    Rs256,
}

impl TokenAlgorithm {
    /// Every algorithm.
    pub const ALL: &'static [TokenAlgorithm] =
        &[TokenAlgorithm::EdDsa, TokenAlgorithm::Es256, TokenAlgorithm::Rs256];

    /// Its name in the header of a token (RFC 7518, RFC 8037).
    pub const fn as_str(self) -> &'static str {
        match self {
            TokenAlgorithm::EdDsa => "EdDSA",
            TokenAlgorithm::Es256 => "ES256",
            TokenAlgorithm::Rs256 => "RS256",
        }
    }

    const fn of_jwt(self) -> Algorithm {
        match self {
            TokenAlgorithm::EdDsa => Algorithm::EdDSA,
            TokenAlgorithm::Es256 => Algorithm::ES256,
            TokenAlgorithm::Rs256 => Algorithm::RS256,
        }
    }
}

/// A private key that signs access tokens, with the public key that verifies them.
pub struct TokenKey {
    algorithm: TokenAlgorithm,
    pkcs8: Vec<u8>,
    signing: EncodingKey,
    verifying: DecodingKey,
    public: Jwk,
    kid: String,
}

impl TokenKey {
    /// A new key.
    ///
    /// # Errors
    ///
    /// `unavailable` when there is no randomness; `internal` when the key cannot be made.
    pub fn generate(algorithm: TokenAlgorithm, randomness: &dyn Randomness) -> Result<Self> {
        let pkcs8 = match algorithm {
            TokenAlgorithm::EdDsa => {
                let mut seed = [0; 32];
                randomness.fill(&mut seed)?;
                let pair = Ed25519KeyPair::from_seed_unchecked(&seed).map_err(rejected)?;
                pair.to_pkcs8v1().map_err(unspecified)?.as_ref().to_vec()
            }
            // The library draws these from the operating system itself.
            TokenAlgorithm::Es256 => {
                let pair = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING);
                pair.and_then(|pair| pair.to_pkcs8v1()).map_err(unspecified)?.as_ref().to_vec()
            }
            TokenAlgorithm::Rs256 => {
                let pair = RsaKeyPair::generate(KeySize::Rsa3072).map_err(unspecified)?;
                AsDer::<Pkcs8V1Der<'static>>::as_der(&pair).map_err(unspecified)?.as_ref().to_vec()
            }
        };
        TokenKey::from_pkcs8(algorithm, &pkcs8)
    }

    /// The key in this PKCS #8 document (DER).
    ///
    /// # Errors
    ///
    /// `invalid` when the document holds no key of the algorithm, or one of RSA below 2048 bits.
    pub fn from_pkcs8(algorithm: TokenAlgorithm, pkcs8: &[u8]) -> Result<Self> {
        let invalid = || {
            let message = format!(
                "this is no private key for {}; give a PKCS #8 document",
                algorithm.as_str()
            );
            Error::invalid_field("token_key", "invalid_key", message)
        };
        let signing = match algorithm {
            TokenAlgorithm::EdDsa => EncodingKey::from_ed_der(pkcs8),
            TokenAlgorithm::Es256 => EncodingKey::from_ec_der(pkcs8),
            TokenAlgorithm::Rs256 => {
                // This library reads the key within the document, which begins behind 26 bytes where the
                // document is written as every key of 2048 bits and more is written anew.
                // It takes 2048 to 8192 bits (RFC 7518, 3.3).
                let pair = RsaKeyPair::from_pkcs8(pkcs8).map_err(|_| invalid())?;
                let document = AsDer::<Pkcs8V1Der<'static>>::as_der(&pair).map_err(unspecified)?;
                EncodingKey::from_rsa_der(document.as_ref().get(26..).unwrap_or_default())
            }
        };
        let mut public =
            Jwk::from_encoding_key(&signing, algorithm.of_jwt()).map_err(|_| invalid())?;
        let verifying = DecodingKey::from_jwk(&public).map_err(|_| invalid())?;
        let kid = public.thumbprint(ThumbprintHash::SHA256).map_err(Error::internal)?;
        public.common.key_id = Some(kid.clone());
        public.common.public_key_use = Some(PublicKeyUse::Signature);
        Ok(TokenKey { algorithm, pkcs8: pkcs8.to_vec(), signing, verifying, public, kid })
    }

    /// How it signs.
    pub fn algorithm(&self) -> TokenAlgorithm {
        self.algorithm
    }

    /// Its name in tokens and in the key set: the thumbprint of RFC 7638.
    pub fn kid(&self) -> &str {
        &self.kid
    }

    /// The PKCS #8 document in base64, to be kept where nobody else reads it.
    pub fn to_base64(&self) -> Secret {
        Secret::new(BASE64.encode(&self.pkcs8))
    }

    /// The key that [`TokenKey::to_base64`] wrote.
    ///
    /// # Errors
    ///
    /// `invalid` when it is no such text.
    pub fn from_base64(algorithm: TokenAlgorithm, text: &str) -> Result<Self> {
        let bytes = BASE64.decode(text.trim()).map_err(|_| {
            Error::invalid_field("token_key", "invalid_key", "a key is PKCS #8 in base64")
        })?;
        TokenKey::from_pkcs8(algorithm, &bytes)
    }
}

fn rejected(error: aws_lc_rs::error::KeyRejected) -> Error {
    Error::internal(error.to_string())
}

fn unspecified(_: aws_lc_rs::error::Unspecified) -> Error {
    Error::internal("the key cannot be made")
}

impl fmt::Debug for TokenKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TokenKey").field("kid", &self.kid).finish_non_exhaustive()
    }
}

/// The keys of access tokens, of which the first signs and all verify.
///
/// To rotate without a sign-out, let a new key verify on every node first, then let it sign, and take the
/// old one away when the last token that it signed is over.
#[derive(Debug)]
pub struct TokenKeys {
    keys: Vec<TokenKey>,
    issuer: String,
    audience: String,
    lifetime: Duration,
}

/// What an access token says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AccessClaims {
    /// Who issued it.
    pub iss: String,
    /// Who it is for.
    pub aud: String,
    /// The user.
    pub sub: UserId,
    /// The program that asked for it; always this one.
    pub client_id: String,
    /// The user's tenant.
    pub tenant_id: TenantId,
    /// The sign-in that it came from.
    pub sid: SignInId,
    /// Its own id.
    pub jti: Uuid,
    /// When it was issued, in seconds since 1970.
    pub iat: i64,
    /// When it ends, in seconds since 1970.
    pub exp: i64,
}

impl TokenKeys {
    /// Five minutes: how long a token that left the house can be used where nobody asks this CRM about it.
    pub const LIFETIME: Duration = Duration::from_secs(300);

    /// Keys of which `signing` signs, under the issuer and audience `crm`.
    pub fn new(signing: TokenKey) -> Self {
        TokenKeys {
            keys: vec![signing],
            issuer: "crm".to_owned(),
            audience: "crm".to_owned(),
            lifetime: Self::LIFETIME,
        }
    }

    /// Another key that verifies.
    #[must_use]
    pub fn also_verify(mut self, key: TokenKey) -> Self {
        self.keys.push(key);
        self
    }

    /// Who issues the tokens, as a URL where other services verify them.
    #[must_use]
    pub fn issuer(mut self, issuer: impl Into<String>) -> Self {
        self.issuer = issuer.into();
        self
    }

    /// Who the tokens are for.
    #[must_use]
    pub fn audience(mut self, audience: impl Into<String>) -> Self {
        self.audience = audience.into();
        self
    }

    /// How long a token can be used, 10 s to 1 h; [`TokenKeys::LIFETIME`] where nothing is said.
    #[must_use]
    pub fn lifetime(mut self, lifetime: Duration) -> Self {
        self.lifetime = lifetime.clamp(Duration::from_secs(10), Duration::from_secs(3600));
        self
    }

    /// How long a new token can be used.
    pub fn expires_in(&self) -> Duration {
        self.lifetime
    }

    /// The public keys as a JWK set (RFC 7517), for services that verify tokens themselves.
    pub fn key_set(&self) -> JsonWebKeySet {
        let set = JwkSet { keys: self.keys.iter().map(|key| key.public.clone()).collect() };
        JsonWebKeySet(serde_json::to_value(set).unwrap_or_default())
    }

    pub(crate) fn issue(
        &self,
        tenant: TenantId,
        user: UserId,
        sign_in: SignInId,
        token: Uuid,
        now: Timestamp,
    ) -> Result<Secret> {
        let key = self.keys.first().ok_or_else(|| Error::internal("there is no token key"))?;
        let mut header = Header::new(key.algorithm.of_jwt());
        header.typ = Some("at+jwt".to_owned());
        header.kid = Some(key.kid.clone());
        let iat = now.as_micros().div_euclid(1_000_000);
        let claims = AccessClaims {
            iss: self.issuer.clone(),
            aud: self.audience.clone(),
            sub: user,
            client_id: "crm".to_owned(),
            tenant_id: tenant,
            sid: sign_in,
            jti: token,
            iat,
            exp: iat.saturating_add_unsigned(self.lifetime.as_secs()),
        };
        jsonwebtoken::encode(&header, &claims, &key.signing)
            .map(Secret::new)
            .map_err(Error::internal)
    }

    /// What a token says, if it is one of ours, for us, and not over.
    ///
    /// # Errors
    ///
    /// `unauthenticated`, and why for the log only.
    pub fn verify(&self, token: &str, now: Timestamp) -> Result<AccessClaims> {
        let refused = |why: String| {
            Error::new(ErrorKind::Unauthenticated, "the access token is not valid, or not any more")
                .with_source(why)
        };
        if token.len() > MAX_TOKEN {
            return Err(refused(format!("{} bytes", token.len())));
        }
        let header =
            jsonwebtoken::decode_header(token).map_err(|error| refused(error.to_string()))?;
        let key = header.kid.as_deref().and_then(|kid| self.keys.iter().find(|key| key.kid == kid));
        let key = key.ok_or_else(|| refused("an unknown key".to_owned()))?;
        // RFC 9068, 4: the media type may be written whole.
        let typ = header.typ.as_deref().unwrap_or_default();
        if !typ.eq_ignore_ascii_case("at+jwt") && !typ.eq_ignore_ascii_case("application/at+jwt") {
            return Err(refused(format!("a token of type `{typ}`")));
        }
        if header.crit.is_some() {
            return Err(refused("a critical extension".to_owned()));
        }
        // The key decides the algorithm, never the token (RFC 8725, 3.1).
        let mut validation = Validation::new(key.algorithm.of_jwt());
        validation.set_issuer(&[&self.issuer]);
        validation.set_audience(&[&self.audience]);
        validation.set_required_spec_claims(&["exp", "iss", "aud", "sub"]);
        // By the clock that was injected, below.
        validation.validate_exp = false;
        let data = jsonwebtoken::decode::<AccessClaims>(token, &key.verifying, &validation)
            .map_err(|error| refused(error.to_string()))?;
        let now = now.as_micros().div_euclid(1_000_000);
        if now >= data.claims.exp {
            return Err(refused("expired".to_owned()));
        }
        if data.claims.iat > now.saturating_add(LEEWAY) {
            return Err(refused("issued in the future".to_owned()));
        }
        Ok(data.claims)
    }
}

/// A set of public keys as RFC 7517 writes it.
#[derive(Debug, Clone, Serialize)]
#[serde(transparent)]
pub struct JsonWebKeySet(serde_json::Value);

//! Keys that seal what is kept, so that who reads the store cannot read it.

use std::fmt;

use aws_lc_rs::aead::{AES_256_GCM, Aad, Nonce, RandomizedNonceKey};
use aws_lc_rs::hkdf::{HKDF_SHA256, KeyType, Prk, Salt};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD as BASE64;

use crate::error::{Error, Result};
use crate::id::TenantId;
use crate::ports::Randomness;
use crate::sealed_blob::StreamKey;

/// Keys of AES-256-GCM, of which the first seals and all open: a new key is put in front, and the old
/// ones stay until nothing is left that they sealed.
pub struct KeyRing {
    keys: Vec<NamedKey>,
}

struct NamedKey {
    name: String,
    key: RandomizedNonceKey,
    /// What the keys of blobs are derived from (RFC 5869).
    material: Prk,
}

/// Bytes of a key.
const KEY_BYTES: usize = 32;

impl KeyRing {
    /// A ring of these keys, each with its name; the first one seals.
    ///
    /// # Errors
    ///
    /// `invalid` without a key, or for a name that is not 1 to 32 of `a-z0-9-` or comes twice.
    pub fn new(keys: impl IntoIterator<Item = (String, [u8; KEY_BYTES])>) -> Result<Self> {
        let mut ring: Vec<NamedKey> = Vec::new();
        for (name, key) in keys {
            let allowed = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-';
            if !(1..=32).contains(&name.len())
                || !name.bytes().all(allowed)
                || ring.iter().any(|other| other.name == name)
            {
                return Err(Error::invalid_field(
                    "key_ring",
                    "invalid_key_name",
                    "the name of a key has 1 to 32 of `a-z0-9-`, and each key its own",
                ));
            }
            let material = Salt::new(HKDF_SHA256, b"crm-core blobs").extract(&key);
            let key = RandomizedNonceKey::new(&AES_256_GCM, &key).map_err(unspecified)?;
            ring.push(NamedKey { name, key, material });
        }
        if ring.is_empty() {
            return Err(Error::invalid_field(
                "key_ring",
                "no_key",
                "a key ring has at least one key",
            ));
        }
        Ok(KeyRing { keys: ring })
    }

    /// A ring of one new key. What it seals is lost with it.
    ///
    /// # Errors
    ///
    /// `unavailable` when there is no randomness.
    pub fn generate(randomness: &dyn Randomness) -> Result<Self> {
        let mut key = [0; KEY_BYTES];
        randomness.fill(&mut key)?;
        KeyRing::new([("1".to_owned(), key)])
    }

    /// Seals `plain` for `context`: it opens in no other.
    ///
    /// # Errors
    ///
    /// `internal` when the cipher fails.
    pub fn seal(&self, plain: &[u8], context: &[u8]) -> Result<String> {
        let NamedKey { name, key, .. } = self.first()?;
        let mut bytes = plain.to_vec();
        let nonce =
            key.seal_in_place_append_tag(Aad::from(context), &mut bytes).map_err(unspecified)?;
        let mut sealed = nonce.as_ref().to_vec();
        sealed.extend(bytes);
        Ok(format!("{name}.{}", BASE64.encode(sealed)))
    }

    /// Opens what a key of the ring has sealed for `context`.
    ///
    /// # Errors
    ///
    /// `internal` when the key is not in the ring, or the text or its context is not what was sealed.
    pub fn open(&self, sealed: &str, context: &[u8]) -> Result<Vec<u8>> {
        let (name, text) = sealed.split_once('.').ok_or_else(|| Error::internal("not sealed"))?;
        let NamedKey { key, .. } = self.named(name)?;
        let bytes = BASE64.decode(text).map_err(Error::internal)?;
        let (nonce, bytes) = bytes
            .split_first_chunk::<12>()
            .ok_or_else(|| Error::internal("the sealed text is cut off"))?;
        let mut bytes = bytes.to_vec();
        let nonce = Nonce::assume_unique_for_key(*nonce);
        let plain =
            key.open_in_place(nonce, Aad::from(context), &mut bytes).map_err(unspecified)?;
        Ok(plain.to_vec())
    }

    /// The key for one new blob of the tenant, by its own random `salt`, and the name of the ring's key that it
    /// comes from.
    ///
    /// # Errors
    ///
    /// `internal` when the derivation fails.
    pub(crate) fn stream_key(
        &self,
        tenant: TenantId,
        purpose: &str,
        salt: &[u8; KEY_BYTES],
    ) -> Result<(&str, StreamKey)> {
        let first = self.first()?;
        Ok((&first.name, first.stream_key(tenant, purpose, salt)?))
    }

    /// The key for a blob that was sealed when the ring's key `name` was the first.
    ///
    /// # Errors
    ///
    /// `internal` when the key is not in the ring, or the derivation fails.
    pub(crate) fn stream_key_named(
        &self,
        name: &str,
        tenant: TenantId,
        purpose: &str,
        salt: &[u8; KEY_BYTES],
    ) -> Result<StreamKey> {
        self.named(name)?.stream_key(tenant, purpose, salt)
    }

    fn first(&self) -> Result<&NamedKey> {
        self.keys.first().ok_or_else(|| Error::internal("the key ring is empty"))
    }

    fn named(&self, name: &str) -> Result<&NamedKey> {
        let key = self.keys.iter().find(|key| key.name == name);
        key.ok_or_else(|| Error::internal(format!("the key `{name}` is not in the ring")))
    }
}

impl NamedKey {
    fn stream_key(
        &self,
        tenant: TenantId,
        purpose: &str,
        salt: &[u8; KEY_BYTES],
    ) -> Result<StreamKey> {
        // The tenant's key for the purpose, then the blob's.
        let own = derive(&self.material, &[tenant.as_uuid().as_bytes(), purpose.as_bytes()])?;
        StreamKey::new(&derive(&Salt::new(HKDF_SHA256, salt).extract(&own), &[b"blob"])?)
    }
}

fn derive(material: &Prk, info: &[&[u8]]) -> Result<[u8; KEY_BYTES]> {
    struct Length;
    impl KeyType for Length {
        fn len(&self) -> usize {
            KEY_BYTES
        }
    }
    let mut key = [0; KEY_BYTES];
    let output =
        material.expand(info, Length).map_err(|error| Error::internal(error.to_string()))?;
    output.fill(&mut key).map_err(|error| Error::internal(error.to_string()))?;
    Ok(key)
}

fn unspecified(_: aws_lc_rs::error::Unspecified) -> Error {
    Error::internal("what was sealed cannot be opened: another key, another context or altered")
}

impl fmt::Debug for KeyRing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names: Vec<&str> = self.keys.iter().map(|key| key.name.as_str()).collect();
        f.debug_struct("KeyRing").field("keys", &names).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ring(keys: &[(&str, u8)]) -> KeyRing {
        KeyRing::new(keys.iter().map(|(name, byte)| ((*name).to_owned(), [*byte; 32]))).unwrap()
    }

    #[test]
    fn what_is_sealed_opens_with_its_key_in_its_context_only() {
        let sealed = ring(&[("a", 1)]).seal(b"secret", b"tenant 1").unwrap();
        // Another key has come in front.
        let both = ring(&[("b", 2), ("a", 1)]);
        assert_eq!(both.open(&sealed, b"tenant 1").unwrap(), b"secret");
        assert!(both.open(&sealed, b"tenant 2").is_err());
        assert!(ring(&[("b", 2)]).open(&sealed, b"tenant 1").is_err());
        assert!(ring(&[("a", 2)]).open(&sealed, b"tenant 1").is_err());
        let flipped = if sealed.ends_with('A') { "B" } else { "A" };
        let altered = format!("{}{flipped}", sealed.get(..sealed.len() - 1).unwrap());
        assert!(both.open(&altered, b"tenant 1").is_err());
        assert_ne!(sealed, ring(&[("a", 1)]).seal(b"secret", b"tenant 1").unwrap());
        assert!(!format!("{both:?}").contains("secret"));
    }

    #[test]
    fn a_ring_has_keys_with_names_of_their_own() {
        assert!(KeyRing::new([]).is_err());
        for name in ["", "A", "a.b", &"a".repeat(33)] {
            assert!(KeyRing::new([(name.to_owned(), [0; 32])]).is_err(), "{name}");
        }
        assert!(KeyRing::new([("a".to_owned(), [0; 32]), ("a".to_owned(), [1; 32])]).is_err());
    }
}

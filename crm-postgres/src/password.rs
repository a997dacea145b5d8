//! A password as the server keeps it.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use crm_core::ports::{Randomness, SystemRandomness};
use crm_core::{Error, Result};
use hmac::{Hmac, KeyInit, Mac};
use sha2::{Digest, Sha256};

/// PostgreSQL's own number (`scram_iterations`).
const ROUNDS: u32 = 4096;

/// What the server keeps of `password` (RFC 5803), made here so that the password itself stands in no
/// statement, and so in no log.
pub(crate) fn verifier(password: &str) -> Result<String> {
    // Other characters are prepared before they are hashed (RFC 4013); these stay as they are.
    if password.is_empty() || !password.bytes().all(|byte| (b' '..=b'~').contains(&byte)) {
        let message = "the password is empty or has other characters than printable ASCII";
        return Err(Error::invalid_field("app_password", "invalid_password", message));
    }
    let mut salt = [0; 16];
    SystemRandomness.fill(&mut salt)?;
    verifier_with(password, &salt)
}

fn verifier_with(password: &str, salt: &[u8]) -> Result<String> {
    let mut block = hmac(password.as_bytes(), &[salt, &1u32.to_be_bytes()])?;
    let mut salted = block;
    for _ in 1..ROUNDS {
        block = hmac(password.as_bytes(), &[&block])?;
        for (sum, byte) in salted.iter_mut().zip(block) {
            *sum ^= byte;
        }
    }
    let stored = Sha256::digest(hmac(&salted, &[b"Client Key"])?);
    let server = hmac(&salted, &[b"Server Key"])?;
    let [salt, stored, server] =
        [salt, stored.as_slice(), &server].map(|bytes| STANDARD.encode(bytes));
    Ok(format!("SCRAM-SHA-256${ROUNDS}:{salt}${stored}:{server}"))
}

fn hmac(key: &[u8], parts: &[&[u8]]) -> Result<[u8; 32]> {
    let mut mac = Hmac::<Sha256>::new_from_slice(key).map_err(Error::internal)?;
    for part in parts {
        mac.update(part);
    }
    Ok(mac.finalize().into_bytes().into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_keys_are_those_of_the_standard() {
        // RFC 7677, section 3: the password `pencil`.
        let salt = STANDARD.decode("W22ZaJ0SNY7soEsUEjb6gQ==").unwrap();
        assert_eq!(
            verifier_with("pencil", &salt).unwrap(),
            "SCRAM-SHA-256$4096:W22ZaJ0SNY7soEsUEjb6gQ==$WG5d8oPm3OtcPnkdi4Uo7BkeZkBFzpcXkuLmtbsT4qY=:\
             wfPLwcE6nTWhTAmQ7tl2KeoiWGPlZqQxSrmfPwDl2dU="
        );
    }

    #[test]
    fn two_of_one_password_differ() {
        assert_ne!(verifier("secret").unwrap(), verifier("secret").unwrap());
        for bad in ["", "pass\nword", "pässword"] {
            assert_eq!(verifier(bad).unwrap_err().fields()[0].field, "app_password");
        }
    }
}

//! Passwords: what is accepted, how they are kept and compared.

use argon2::password_hash::phc::PasswordHash;
use argon2::password_hash::{CustomizedPasswordHasher, PasswordVerifier};
use argon2::{Algorithm, Argon2, Params, Version};

use super::secret::Secret;
use crate::crm::Core;
use crate::error::{Error, FieldError, Result};
use crate::text::fold;
use crate::workers::offload;

/// Characters of a password that is the only factor (NIST SP 800-63B-4, 3.1.1.2).
pub const MIN_PASSWORD: usize = 15;
/// Characters of a password beside a second factor (NIST SP 800-63B-4, 3.1.1.2).
pub const MIN_PASSWORD_WITH_SECOND_FACTOR: usize = 8;
/// Characters of the longest password.
pub const MAX_PASSWORD: usize = 256;

/// Guesses that it must take at least to find a password: what an attacker makes in months at the rate
/// that sign-in allows, many times over.
const MIN_GUESSES_LOG10: f64 = 8.0;

/// What every hash costs: 19 MiB, two passes, one lane (OWASP, and FACTS of the house: some 15 ms).
const MEMORY_KIB: u32 = 19 * 1024;
const PASSES: u32 = 2;

/// A hash of no password, with the cost of every other: who has none takes as long as who has one.
const NOBODYS: &str = "$argon2id$v=19$m=19456,t=2,p=1$bm9ib2R5J3Mgc2FsdCE$\
                       C8sXxWkWQ1l5n2v7d2dGZ3mYqv0P1m4n0a5s1u0v9wA";

/// Refuses a password that is short, common, or made of words that belong to the person.
///
/// `context` are such words: the address, the name, the tenant. There are no rules of composition
/// (NIST SP 800-63B-4, 3.1.1.2).
///
/// # Errors
///
/// A field error on `field` with the code `password_too_short`, `password_too_long` or
/// `password_too_common`, and a hint.
pub(crate) fn check_password(
    field: &str,
    password: &Secret,
    context: &[&str],
    has_second_factor: bool,
) -> Result<(), FieldError> {
    let least = if has_second_factor { MIN_PASSWORD_WITH_SECOND_FACTOR } else { MIN_PASSWORD };
    let length = password.reveal().chars().count();
    if length < least {
        let message = format!(
            "a password has at least {least} characters, this one has {length}; \
             several words that do not belong together are easy to remember"
        );
        return Err(FieldError::new(field, "password_too_short", message));
    }
    if length > MAX_PASSWORD {
        let message =
            format!("a password has at most {MAX_PASSWORD} characters, this one has {length}");
        return Err(FieldError::new(field, "password_too_long", message));
    }
    let mut words: Vec<String> = vec!["crm".to_owned()];
    for word in context {
        let folded = fold(word);
        let parts = folded.split(|c: char| !c.is_alphanumeric());
        words.extend(parts.filter(|part| part.chars().count() > 2).map(str::to_owned));
        words.push(folded);
    }
    let mut words: Vec<&str> = words.iter().map(String::as_str).collect();
    words.sort_by_key(|word| std::cmp::Reverse(word.len()));
    // The estimate below takes a word between others for much, however near it is at hand.
    let others = words
        .iter()
        .filter(|word| !word.is_empty())
        .fold(fold(password.reveal()), |left, word| left.replace(word, " "));
    if others.chars().filter(|c| c.is_alphanumeric()).count() < least / 2 && others.contains(' ') {
        let message = "this password is made of the person's own name, address or company; \
                       several words that do not belong together are harder to guess";
        return Err(FieldError::new(field, "password_too_common", message));
    }
    let entropy = zxcvbn::zxcvbn(password.reveal(), &words);
    if entropy.guesses_log10() < MIN_GUESSES_LOG10 {
        let mut message = "this password is among the first that somebody would try".to_owned();
        if let Some(feedback) = entropy.feedback() {
            if let Some(warning) = feedback.warning() {
                message.push_str(": ");
                message.push_str(&sentence(&warning.to_string()));
            }
            if let Some(suggestion) = feedback.suggestions().first() {
                message.push_str("; ");
                message.push_str(&sentence(&suggestion.to_string()));
            }
        }
        return Err(FieldError::new(field, "password_too_common", message));
    }
    Ok(())
}

/// A sentence of another library in the manner of this one's messages.
fn sentence(text: &str) -> String {
    let mut chars = text.trim_end_matches('.').chars();
    chars.next().map_or_else(String::new, |first| first.to_lowercase().chain(chars).collect())
}

/// Whether a password was right.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Verdict {
    Wrong,
    Right,
    /// Right, and its hash is of an older kind or cost than new ones.
    RightButOld,
}

/// The hash of a password, made by the workers.
pub(crate) async fn hash_password(core: &Core, password: &Secret) -> Result<Secret> {
    let mut salt = [0; 16];
    core.env.fill(&mut salt)?;
    let password = password.clone();
    offload(&*core.workers, move || {
        let params = Params::new(MEMORY_KIB, PASSES, 1, None).map_err(Error::internal)?;
        let argon2 = Argon2::new(Algorithm::Argon2id, Version::V0x13, params.clone());
        let hash: PasswordHash = argon2
            .hash_password_customized(password.reveal().as_bytes(), &salt, None, None, params)
            .map_err(Error::internal)?;
        Ok(Secret::new(hash.to_string()))
    })
    .await?
}

/// Compares a password with a hash, or, where there is none, takes as long.
pub(crate) async fn verify_password(
    core: &Core,
    password: &Secret,
    hash: Option<&Secret>,
) -> Result<Verdict> {
    let known = hash.is_some();
    let hash = hash.cloned().unwrap_or_else(|| Secret::from(NOBODYS));
    let password = password.clone();
    let verdict =
        offload(&*core.workers, move || compare(password.reveal(), hash.reveal())).await?;
    Ok(if known { verdict } else { Verdict::Wrong })
}

fn compare(password: &str, hash: &str) -> Verdict {
    if password.chars().count() > MAX_PASSWORD {
        return Verdict::Wrong;
    }
    if hash.starts_with("$2") {
        return match bcrypt::verify(password, hash) {
            Ok(true) => Verdict::RightButOld,
            Ok(false) | Err(_) => Verdict::Wrong,
        };
    }
    let Ok(parsed) = PasswordHash::new(hash) else { return Verdict::Wrong };
    if Argon2::default().verify_password(password.as_bytes(), &parsed).is_err() {
        return Verdict::Wrong;
    }
    if hash.starts_with("$argon2id$v=19$m=19456,t=2,p=1$") {
        Verdict::Right
    } else {
        Verdict::RightButOld
    }
}

/// Whether a hash that was made elsewhere can be compared with: argon2 as a PHC string, or bcrypt.
pub(crate) fn is_known_hash(hash: &str) -> bool {
    if hash.starts_with("$argon2") {
        return PasswordHash::new(hash).is_ok_and(|hash| {
            let whole = hash.salt.is_some() && hash.hash.is_some();
            whole
                && Params::try_from(&hash).is_ok_and(|params| {
                    // A foreign hash must not be a way to take the machine's memory.
                    params.m_cost() <= 256 * 1024 && params.t_cost() <= 16
                })
        });
    }
    let cost = hash.get(4..6).and_then(|cost| cost.parse::<u32>().ok());
    hash.len() == 60
        && ["$2a$", "$2b$", "$2y$"].iter().any(|kind| hash.starts_with(kind))
        && cost.is_some_and(|cost| (4..=14).contains(&cost))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn code(password: &str, context: &[&str], second: bool) -> Option<String> {
        check_password("password", &password.into(), context, second)
            .err()
            .map(|error| error.code.into_owned())
    }

    #[test]
    fn length_counts_and_composition_does_not() {
        assert_eq!(code("correct horse battery", &[], false), None);
        assert_eq!(code("tangerine ledger", &[], false), None);
        assert_eq!(code("x8!Kq#2pLm", &[], false).as_deref(), Some("password_too_short"));
        assert_eq!(code("x8!Kq#2pLm", &[], true), None);
        assert_eq!(code("üñïçø∂é πåßßœ®∂ß", &[], false), None);
        assert_eq!(code(&"ab c".repeat(65), &[], false).as_deref(), Some("password_too_long"));
    }

    #[test]
    fn what_everybody_tries_first_is_refused() {
        for common in [
            "passwordpassword",
            "123456789012345",
            "aaaaaaaaaaaaaaaaaa",
            "qwertyuiopasdfghjkl",
            "abcdefghijklmnopqrst",
        ] {
            assert_eq!(
                code(common, &[], false).as_deref(),
                Some("password_too_common"),
                "{common}"
            );
        }
        let context = ["ada.lovelace@analytical-engines.example", "Analytical Engines"];
        for own in ["analytical-engines", "AdaLovelace2026", "adalovelace.analytical"] {
            assert_eq!(code(own, &context, false).as_deref(), Some("password_too_common"), "{own}");
        }
        let error = check_password("password", &"passwordpassword".into(), &[], false).unwrap_err();
        assert!(error.message.contains("; ") && !error.message.ends_with('.'), "{}", error.message);
    }

    #[test]
    fn hashes_of_imported_users_verify_and_are_called_old() {
        let bcrypt = bcrypt::hash_with_salt("correct horse", 4, [7; 16]).unwrap();
        let bcrypt = bcrypt.format_for_version(bcrypt::Version::TwoY);
        assert!(is_known_hash(&bcrypt));
        assert_eq!(compare("correct horse", &bcrypt), Verdict::RightButOld);
        assert_eq!(compare("wrong horse", &bcrypt), Verdict::Wrong);
        let params = Params::new(8 * 1024, 1, 1, None).unwrap();
        let weak: PasswordHash = Argon2::default()
            .hash_password_customized(b"correct horse", &[7; 16], None, None, params)
            .unwrap();
        assert!(is_known_hash(&weak.to_string()));
        assert_eq!(compare("correct horse", &weak.to_string()), Verdict::RightButOld);
        for unknown in ["", "plain", "$2a$31$", "$1$salt$hash", "$argon2id$v=19$m=19456"] {
            assert!(!is_known_hash(unknown), "{unknown}");
            assert_eq!(compare("", unknown), Verdict::Wrong);
        }
    }

    #[test]
    fn nobodys_hash_costs_as_much_as_any() {
        let parsed = PasswordHash::new(NOBODYS).unwrap();
        let params = Params::try_from(&parsed).unwrap();
        assert_eq!((params.m_cost(), params.t_cost(), params.p_cost()), (MEMORY_KIB, PASSES, 1));
        assert_eq!(parsed.hash.unwrap().len(), 32);
        assert_eq!(compare("", NOBODYS), Verdict::Wrong);
    }
}

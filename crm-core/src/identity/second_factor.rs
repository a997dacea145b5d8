//! The second factor: one-time codes by RFC 6238, and recovery codes for who has lost their generator.

use aws_lc_rs::constant_time;
use serde::{Deserialize, Serialize};

use super::account::Account;
use super::credential::{Authenticators, SignIn, Totp};
use super::model::User;
use super::password::check_password;
use super::password_sign_in::note_success;
use super::secret::{Digest, Secret};
use super::sign_in::{put_authenticators, put_sign_in};
use crate::access::{ManageOwnAccount, SecureOwnAccount};
use crate::crm::Core;
use crate::env::Env;
use crate::error::{Error, ErrorKind, FieldError, Result};
use crate::events::payload::SessionProved;
use crate::id::{TenantId, UserId};
use crate::tenancy::Tenant;
use crate::time::Timestamp;

/// Seconds for which a code is shown (RFC 6238, 5.2).
const STEP: u64 = 30;
/// Bytes of the shared secret (RFC 4226, 4).
const SECRET_BYTES: usize = 20;
/// How many recovery codes there are.
const RECOVERY_CODES: usize = 10;
/// Bytes of a recovery code: so many that its plain hash tells nothing of it, and no more than people can type.
const RECOVERY_BYTES: usize = 16;

/// A generator of one-time codes that is to be set up.
#[derive(Debug, Clone, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[non_exhaustive]
pub struct NewTotp {
    /// The shared secret in base32, to be typed.
    pub secret: Secret,
    /// The same as an `otpauth:` URI, to be shown as a QR code.
    pub uri: Secret,
}

/// The codes that stand in for a lost generator, each once. They are not shown again.
#[derive(Debug, Clone, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[non_exhaustive]
pub struct RecoveryCodes {
    /// Ten codes of 128 random bits.
    pub recovery_codes: Vec<Secret>,
}

/// A code of the second factor.
#[derive(Debug, Clone, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Code {
    /// Six digits, or a recovery code where one is taken.
    pub code: Secret,
}

/// Goes without a second factor again.
#[derive(Debug, Clone, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct RemoveTotp {
    /// The password, which is the only factor then: at least 15 characters.
    pub password: Secret,
    /// A code of the generator, or a recovery code.
    pub code: Secret,
}

/// Another proof of who somebody is, for what asks for a fresh one.
#[derive(Debug, Clone, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct StepUp {
    /// The password.
    pub password: Secret,
    /// A code of the second factor, where there is one.
    #[serde(default)]
    pub code: Option<Secret>,
}

impl Account<'_> {
    /// Begins a second factor; it is asked for when [`Account::confirm_totp`] has seen its first code.
    ///
    /// # Errors
    ///
    /// `forbidden` where nobody is signed in; `step_up_required`; `conflict` where there is a second factor
    /// already or no password that it could be second to; `unavailable` or `internal` from the store.
    pub async fn begin_totp(&self) -> Result<NewTotp> {
        let attempt = || async {
            self.session.authorize::<SecureOwnAccount>()?;
            let (tenant, user, own) = self.authenticators().await?;
            if own.password.is_none() {
                let message = "an account without a password has no second factor";
                return Err(Error::new(ErrorKind::Conflict, message));
            }
            if own.has_second_factor() {
                let message = "there is a second factor already; remove it first";
                return Err(Error::new(ErrorKind::Conflict, message));
            }
            let core = self.session.core();
            let mut secret = [0; SECRET_BYTES];
            core.env.fill(&mut secret)?;
            let sealed = core.key_ring.seal(&secret, &context_of(tenant.id, user.id))?;
            let totp = Totp { secret: sealed.into(), confirmed: false, last_step: 0 };
            let own = Authenticators { totp: Some(totp), ..own };
            let mut changes = self.session.new_changes();
            put_authenticators(core, &mut changes, own, &["totp"])?;
            self.session.commit(changes).await?;
            let secret = totp_rs::Secret::from(secret).to_base32();
            Ok(NewTotp { uri: uri(&tenant, &user, &secret), secret: secret.into() })
        };
        let begun = self.session.retry_contended(false, attempt);
        self.session.run("account.begin_totp", begun).await
    }

    /// Shows that the generator works. From now on a sign-in by password asks for a code.
    ///
    /// # Errors
    ///
    /// `invalid` on `code`; `conflict` where no second factor was begun; `forbidden` where nobody is signed
    /// in; `rate_limited` after too many wrong attempts; `unavailable` or `internal` from the store.
    pub async fn confirm_totp(&self, code: &Secret) -> Result<RecoveryCodes> {
        let attempt = || async {
            self.session.authorize::<ManageOwnAccount>()?;
            let (tenant, user, mut own) = self.authenticators().await?;
            if own.has_second_factor() || own.totp.is_none() {
                let message = "no second factor was begun that waits for its first code";
                return Err(Error::new(ErrorKind::Conflict, message));
            }
            // A recovery code of an earlier generator says nothing of this one.
            own.recovery_codes.clear();
            self.check_own_code(&tenant, &user, &mut own, code).await?;
            own.totp = own.totp.map(|totp| Totp { confirmed: true, ..totp });
            self.renew_recovery_codes(own, &["totp", "recovery_codes"]).await
        };
        let confirmed = self.session.retry_contended(false, attempt);
        self.session.run("account.confirm_totp", confirmed).await
    }

    /// New recovery codes; the old ones are of no use any more.
    ///
    /// # Errors
    ///
    /// `invalid` on `code`; `conflict` where there is no second factor; `forbidden` where nobody is signed
    /// in; `step_up_required`; `rate_limited` after too many wrong attempts; `unavailable` or `internal` from
    /// the store.
    pub async fn new_recovery_codes(&self, code: &Secret) -> Result<RecoveryCodes> {
        let attempt = || async {
            self.session.authorize::<SecureOwnAccount>()?;
            let (tenant, user, mut own) = self.authenticators().await?;
            must_have_second_factor(&own)?;
            self.check_own_code(&tenant, &user, &mut own, code).await?;
            self.renew_recovery_codes(own, &["recovery_codes"]).await
        };
        let renewed = self.session.retry_contended(false, attempt);
        self.session.run("account.new_recovery_codes", renewed).await
    }

    /// Goes without a second factor again.
    ///
    /// # Errors
    ///
    /// `invalid` on `password`, also where it is too short to be the only factor, or on `code`; `conflict`
    /// where there is no second factor; `forbidden` where nobody is signed in; `rate_limited` after too many
    /// wrong attempts; `unavailable` or `internal` from the store.
    pub async fn remove_totp(&self, remove: RemoveTotp) -> Result<()> {
        let attempt = || async {
            self.session.authorize::<ManageOwnAccount>()?;
            let (tenant, user, mut own) = self.authenticators().await?;
            must_have_second_factor(&own)?;
            self.check_own_password("password", &user, &own, &remove.password).await?;
            self.check_own_code(&tenant, &user, &mut own, &remove.code).await?;
            let context = [user.email.as_str(), &user.full_name, &tenant.name];
            check_password("password", &remove.password, &context, false)
                .map_err(|error| Error::invalid(vec![error]))?;
            let own = Authenticators { totp: None, recovery_codes: Vec::new(), ..own };
            let mut changes = self.session.new_changes();
            let fields = ["totp", "recovery_codes"];
            put_authenticators(self.session.core(), &mut changes, own, &fields)?;
            self.session.commit(changes).await
        };
        let removed = self.session.retry_contended(false, attempt);
        self.session.run("account.remove_totp", removed).await
    }

    /// Proves again who the user is, so that what needs a fresh proof is allowed for
    /// [`SignInPolicy::fresh`](super::SignInPolicy::fresh).
    ///
    /// # Errors
    ///
    /// `invalid` on `password`; `second_factor_required` when the password is right, and a code is missing
    /// or wrong; `conflict` in a session that did not begin with a sign-in; `forbidden` where nobody is
    /// signed in; `rate_limited` after too many wrong attempts; `unavailable` or `internal` from the store.
    pub async fn step_up(&self, proof: StepUp) -> Result<()> {
        let attempt = || async {
            self.session.authorize::<ManageOwnAccount>()?;
            let (tenant, user, own) = self.authenticators().await?;
            let sign_in = self.current().await?.ok_or_else(|| {
                Error::new(ErrorKind::Conflict, "the session did not begin with a sign-in")
            })?;
            self.check_own_password("password", &user, &own, &proof.password).await?;
            let mut after = Authenticators { failures: 0, ..own.clone() };
            if own.has_second_factor() {
                let code = proof.code.as_ref().ok_or_else(code_required)?;
                self.check_own_code(&tenant, &user, &mut after, code).await.map_err(|error| {
                    if error.kind() == ErrorKind::Invalid { code_required() } else { error }
                })?;
            }
            let core = self.session.core();
            let mut changes = self.session.new_changes();
            if after != own {
                note_success(core, &mut changes, after)?;
            }
            let sign_in = SignIn { proved_at: changes.at(), ..sign_in };
            put_sign_in(core, &mut changes, sign_in, &SessionProved { user_id: user.id })?;
            self.session.commit(changes).await
        };
        let proved = self.session.retry_contended(false, attempt);
        self.session.run("account.step_up", proved).await
    }

    /// Takes a code of the user's own, and counts a wrong one as a wrong sign-in.
    async fn check_own_code(
        &self,
        tenant: &Tenant,
        user: &User,
        own: &mut Authenticators,
        code: &Secret,
    ) -> Result<()> {
        self.count_attempt(user).await?;
        if !take_code(self.session.core(), tenant.id, own, code)? {
            self.note_failure(user).await;
            let message = "this code is not right, or was used before";
            return Err(Error::invalid(vec![FieldError::new("code", "wrong_code", message)]));
        }
        self.forgive_attempt(user).await
    }

    async fn renew_recovery_codes(
        &self,
        own: Authenticators,
        fields: &[&str],
    ) -> Result<RecoveryCodes> {
        let core = self.session.core();
        let (codes, digests) = recovery_codes(&core.env)?;
        let own = Authenticators { recovery_codes: digests, failures: 0, ..own };
        let mut changes = self.session.new_changes();
        put_authenticators(core, &mut changes, own, fields)?;
        self.session.commit(changes).await?;
        Ok(RecoveryCodes { recovery_codes: codes })
    }
}

/// The password is right; a code of the second factor is missing or wrong.
pub(super) fn code_required() -> Error {
    let message = "a code of the second factor is needed, one that was not used before";
    Error::new(ErrorKind::SecondFactorRequired, message)
}

fn must_have_second_factor(own: &Authenticators) -> Result<()> {
    if own.has_second_factor() {
        return Ok(());
    }
    Err(Error::new(ErrorKind::Conflict, "there is no second factor"))
}

/// Whether a code is right; if so, `own` says that it is used up.
pub(super) fn take_code(
    core: &Core,
    tenant: TenantId,
    own: &mut Authenticators,
    code: &Secret,
) -> Result<bool> {
    let typed = |c: &char| !c.is_whitespace() && *c != '-';
    let code: String = code.reveal().chars().filter(typed).take(64).collect();
    if code.len() == 6 && code.bytes().all(|byte| byte.is_ascii_digit()) {
        let Some(totp) = &mut own.totp else { return Ok(false) };
        let context = context_of(tenant, own.user_id);
        let secret = core.key_ring.open(totp.secret.reveal(), &context)?;
        let step = right_step(&secret, &code, core.env.now(), totp.last_step)?;
        if let Some(step) = step {
            totp.last_step = step;
        }
        return Ok(step.is_some());
    }
    let digest = Digest::of(code.to_ascii_uppercase().as_bytes());
    let before = own.recovery_codes.len();
    own.recovery_codes.retain(|known| *known != digest);
    Ok(own.recovery_codes.len() < before)
}

/// The step later than `last_step` that `code` is of: the present one, the one before or the one after.
fn right_step(secret: &[u8], code: &str, now: Timestamp, last_step: u64) -> Result<Option<u64>> {
    let generator = totp_rs::Builder::new().with_secret(secret).build();
    let generator = generator.map_err(|error| Error::internal(error.to_string()))?;
    let now = u64::try_from(now.as_micros().div_euclid(1_000_000)).unwrap_or_default() / STEP;
    let mut right = None;
    for step in now.saturating_sub(1)..=now.saturating_add(1) {
        let expected = generator.generate(step.saturating_mul(STEP)).to_string();
        let equal = constant_time::verify_slices_are_equal(expected.as_bytes(), code.as_bytes());
        if equal.is_ok() && step > last_step {
            right = Some(step);
        }
    }
    Ok(right)
}

fn recovery_codes(env: &Env) -> Result<(Vec<Secret>, Vec<Digest>)> {
    let mut codes = Vec::with_capacity(RECOVERY_CODES);
    for _ in 0..RECOVERY_CODES {
        let mut bytes = [0; RECOVERY_BYTES];
        env.fill(&mut bytes)?;
        let code = totp_rs::Secret::from(bytes.as_slice()).to_base32();
        let parts: Vec<String> =
            code.as_bytes().chunks(4).map(|part| String::from_utf8_lossy(part).into()).collect();
        codes.push((Secret::new(parts.join("-").to_lowercase()), Digest::of(code.as_bytes())));
    }
    Ok(codes.into_iter().unzip())
}

/// What a shared secret is sealed for.
fn context_of(tenant: TenantId, user: UserId) -> Vec<u8> {
    format!("totp\n{tenant}\n{user}").into_bytes()
}

/// The URI that generators read, as their makers have agreed on it.
fn uri(tenant: &Tenant, user: &User, secret: &str) -> Secret {
    let issuer = encoded(&tenant.name);
    let account = encoded(user.email.as_str());
    Secret::new(format!("otpauth://totp/{issuer}:{account}?secret={secret}&issuer={issuer}"))
}

/// Percent-encoded but for what is unreserved (RFC 3986, 2.3).
fn encoded(text: &str) -> String {
    let mut encoded = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            encoded.push(char::from(byte));
        } else {
            encoded.push_str(&format!("%{byte:02X}"));
        }
    }
    encoded
}

#[cfg(test)]
mod tests {
    use super::*;

    /// RFC 6238, appendix B, for SHA-1: eight digits, of which generators show the last six.
    #[test]
    fn the_test_vectors_of_the_rfc() {
        for (seconds, code) in [
            (59, "94287082"),
            (1_111_111_109, "07081804"),
            (1_111_111_111, "14050471"),
            (1_234_567_890, "89005924"),
            (2_000_000_000, "69279037"),
            (20_000_000_000_i64, "65353130"),
        ] {
            let now = Timestamp::from_micros(seconds * 1_000_000).unwrap();
            let step = right_step(b"12345678901234567890", code.get(2..).unwrap(), now, 0).unwrap();
            assert_eq!(step, Some(seconds.unsigned_abs() / 30), "{code}");
        }
    }

    #[test]
    fn a_code_is_good_for_one_step_around_and_once() {
        let secret = b"12345678901234567890";
        let at = |seconds: i64| Timestamp::from_micros(seconds * 1_000_000).unwrap();
        let code = "287082";
        for (seconds, last, right) in [
            (29, 0, Some(1)),
            (30, 0, Some(1)),
            (89, 0, Some(1)),
            (90, 0, None),
            (59, 1, None),
            (59, 2, None),
        ] {
            assert_eq!(right_step(secret, code, at(seconds), last).unwrap(), right, "{seconds}");
        }
        assert_eq!(right_step(secret, "287083", at(59), 0).unwrap(), None);
    }
}

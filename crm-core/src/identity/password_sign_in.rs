//! The way in by a password, and a second factor where there is one.

use serde::Deserialize;
use uuid::Uuid;

use super::credential::{Authenticators, Credential, SignInMethod, SignInName, StandingOf};
use super::model::{User, UserStatus};
use super::password::{Verdict, hash_password, verify_password};
use super::second_factor::{code_required, take_code};
use super::secret::Secret;
use super::sign_in::{
    Identity, SignedIn, put_authenticators, record_authenticators, tenant_required, throttle_of,
};
use crate::access::Role;
use crate::changes::Changes;
use crate::crm::Core;
use crate::email::EmailAddress;
use crate::error::{Error, ErrorKind, Result};
use crate::events::payload::{AuthenticationFailed, UserAuthenticated};
use crate::id::{Id, TenantId, UserId};
use crate::scope::{Actor, Proof, RequestId, SystemScope, TenantScope};
use crate::tenancy::Tenant;
use crate::time::Timestamp;

/// Somebody who says who they are.
#[derive(Debug, Clone, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct PasswordSignIn {
    /// Their e-mail address.
    pub email: String,
    /// Their password.
    pub password: Secret,
    /// The tenant's id or slug, where the address and the password belong to several.
    #[serde(default)]
    pub tenant: Option<String>,
    /// A code of the second factor, where there is one: six digits of its generator, or a recovery code.
    #[serde(default)]
    pub code: Option<Secret>,
}

/// Accounts that one address may have in different tenants, to compare a password with.
const MOST_ACCOUNTS: usize = 8;

/// How often a sign-in is decided again that met another change of the same account.
const MOST_TRIES: usize = 100;

/// An account as it is kept.
struct Known {
    tenant: Tenant,
    user: User,
    own: Authenticators,
}

impl Identity {
    /// Lets somebody in by their password.
    ///
    /// An unknown address, a wrong password, one that was guessed at too often and a disabled user get the
    /// same answer after the same time.
    ///
    /// # Errors
    ///
    /// `unauthenticated`; `second_factor_required` when the password is right, and a code is missing or
    /// wrong; `invalid` on `tenant` when the address and the password belong to several tenants and none is
    /// named; `rate_limited` after too many wrong attempts; `unavailable` or `internal` from the store.
    pub async fn sign_in(&self, attempt: PasswordSignIn) -> Result<SignedIn> {
        let signed_in = async {
            let email = EmailAddress::parse(&attempt.email).ok();
            let throttle =
                email.as_ref().map_or_else(|| attempt.email.to_lowercase(), EmailAddress::key);
            let throttle = throttle_of(&throttle);
            self.count_attempt(&throttle).await?;
            let began = self.core().env.now();
            let known = self.known(email.as_ref(), attempt.tenant.as_deref()).await?;
            if known.is_empty() {
                verify_password(self.core(), &attempt.password, None).await?;
            }
            let (mut right, mut wrong) = (Vec::new(), Vec::new());
            for account in known {
                let hash = account.own.password.as_ref();
                match verify_password(self.core(), &attempt.password, hash).await? {
                    Verdict::Wrong => wrong.push(account),
                    verdict @ (Verdict::Right | Verdict::RightButOld) => {
                        if may_sign_in(self.core(), &account) {
                            right.push((account, verdict));
                        }
                    }
                }
            }
            let several = right.len() > 1;
            let Some((account, verdict)) = right.pop() else {
                tracing::warn!(
                    request_id = self.arrival.request_id.as_str(),
                    "a sign-in was refused"
                );
                // What is written for a known account must not show in the time of the answer.
                let noted = async {
                    for account in &wrong {
                        self.note_failure(account.tenant.id, account.user.id).await;
                    }
                };
                let cover = verify_password(self.core(), &attempt.password, None);
                futures::join!(noted, cover).1?;
                return Err(refused());
            };
            if several {
                self.forgive_attempt(&throttle).await?;
                return Err(tenant_required());
            }
            let hash = match verdict {
                Verdict::RightButOld => Some(hash_password(self.core(), &attempt.password).await?),
                Verdict::Right | Verdict::Wrong => None,
            };
            self.admit(account, hash, attempt.code.as_ref(), &throttle, began).await
        };
        let result = signed_in.await.map_err(|error: Error| error.in_operation("identity.sign_in"));
        let outcome = result.as_ref().map_or_else(Error::code, |_| "ok");
        metrics::counter!("crm_sign_ins_total", "result" => outcome).increment(1);
        result
    }

    /// The accounts that an attempt may mean.
    async fn known(
        &self,
        email: Option<&EmailAddress>,
        tenant: Option<&str>,
    ) -> Result<Vec<Known>> {
        let mut known = Vec::new();
        let Some(email) = email else { return Ok(known) };
        let system = self.system_scope("sign in");
        let tenant = self.tenant_named(&system, tenant).await?;
        let accounts = self.accounts(&system, &SignInName::of_email(email), tenant).await?;
        for (tenant, user) in accounts.into_iter().take(MOST_ACCOUNTS) {
            known.extend(known_account(self.core(), &system, tenant, user).await?);
        }
        if known.is_empty() {
            // As many looks as for who is known.
            let nobody = Uuid::nil();
            known_account(self.core(), &system, Id::from_uuid(nobody), Id::from_uuid(nobody))
                .await?;
        }
        Ok(known)
    }

    /// Lets in who has shown the right password. `hash` is a better one than what is kept.
    async fn admit(
        &self,
        account: Known,
        hash: Option<Secret>,
        code: Option<&Secret>,
        throttle: &str,
        began: Timestamp,
    ) -> Result<SignedIn> {
        let shown = account.own.password.clone();
        let mut now_known = Some(account);
        for _ in 0..MOST_TRIES {
            let known = now_known
                .take()
                .filter(|known| known.own.password == shown && may_sign_in(self.core(), known));
            let Some(Known { tenant, user, own }) = known else { return Err(refused()) };
            let mut after = own.clone();
            if own.has_second_factor() {
                let Some(code) = code else {
                    self.forgive_attempt(throttle).await?;
                    return Err(code_required());
                };
                if !take_code(self.core(), tenant.id, &mut after, code)? {
                    self.note_failure(tenant.id, user.id).await;
                    return Err(code_required());
                }
            }
            after.failures = 0;
            let mut changes = self.changes_of(&tenant, &user);
            if let Some(hash) = &hash {
                after.password = Some(hash.clone());
                put_authenticators(self.core(), &mut changes, after, &["password"])?;
            } else if after != own {
                note_success(self.core(), &mut changes, after)?;
            }
            let tokens = self.begin(&mut changes, &user, SignInMethod::Password, began)?;
            match self.core().commit(changes).await {
                Ok(()) => {
                    self.forgive_attempt(throttle).await?;
                    return Ok(SignedIn { tokens, user });
                }
                Err(error) if error.kind() == ErrorKind::VersionConflict => {}
                Err(error) => return Err(error),
            }
            let system = self.system_scope("sign in");
            now_known = known_account(self.core(), &system, tenant.id, user.id).await?;
        }
        Err(refused())
    }

    async fn note_failure(&self, tenant: TenantId, user: UserId) {
        note_failure(self.core(), &self.arrival.request_id, tenant, user).await;
    }
}

fn refused() -> Error {
    Error::new(
        ErrorKind::Unauthenticated,
        "the e-mail address, the password or the tenant is not right",
    )
}

fn may_sign_in(core: &Core, account: &Known) -> bool {
    account.user.status == UserStatus::Active && !account.own.is_locked(&core.policy)
}

/// The account of a user who has authenticators.
async fn known_account(
    core: &Core,
    system: &SystemScope,
    tenant: TenantId,
    user: UserId,
) -> Result<Option<Known>> {
    let of = StandingOf::Credential(user.as_uuid());
    let Some(standing) = core.store.standing(system, tenant, of).await? else { return Ok(None) };
    Ok(match (standing.user, standing.credential) {
        (Some(user), Some(Credential::Authenticators(own))) => {
            Some(Known { tenant: standing.tenant, user, own })
        }
        (Some(_) | None, Some(_) | None) => None,
    })
}

/// Records that somebody was right, where that changes what is kept.
pub(super) fn note_success(
    core: &Core,
    changes: &mut Changes,
    after: Authenticators,
) -> Result<()> {
    record_authenticators(core, changes, after, &[], &UserAuthenticated {})
}

/// Counts a wrong password or code of a user, up to the number that matters. The count outlives this
/// process; what cannot be written is logged, for the answer is the same.
pub(super) async fn note_failure(
    core: &Core,
    request_id: &RequestId,
    tenant: TenantId,
    user: UserId,
) {
    let system = SystemScope::new("count a wrong attempt", request_id.clone());
    let noted = async {
        for _ in 0..MOST_TRIES {
            let account = known_account(core, &system, tenant, user).await?;
            let Some(Known { tenant, user: _, own }) = account else { return Ok(()) };
            if own.is_locked(&core.policy) {
                return Ok(());
            }
            let failures = own.failures + 1;
            let own = Authenticators { failures, ..own };
            let (actor, proof) = (Actor::System, Proof::Host);
            let (region, role) = (tenant.default_region, Role::Owner);
            let scope = TenantScope::new(tenant.id, region, actor, role, proof, request_id.clone());
            let mut changes = Changes::new(&scope, core.env.now());
            let data = AuthenticationFailed { failures };
            record_authenticators(core, &mut changes, own, &[], &data)?;
            match core.commit(changes).await {
                Err(error) if error.kind() == ErrorKind::VersionConflict => {}
                result => return result,
            }
        }
        Ok(())
    };
    let noted: Result<()> = noted.await;
    if let Err(error) = noted {
        tracing::warn!(
            request_id = request_id.as_str(), %tenant, %user, %error,
            "a wrong attempt is not counted"
        );
    }
}

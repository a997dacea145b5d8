//! Sessions that last: who was let in once is looked at again, and can bring a ticket instead of a token.

use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::credential::{Credential, StandingOf};
use super::sign_in::{not_signed_in, signed_in};
use super::{Digest, Secret, UserStatus};
use crate::changes::Changes;
use crate::crm::Crm;
use crate::error::{Error, ErrorKind, Result};
use crate::id::{ApiKeyId, SignInId, TenantId, UserId};
use crate::idempotency::Outcome;
use crate::scope::{Actor, Proof, RequestId, SystemScope, TenantScope};
use crate::session::Session;

/// How long a ticket of admission can be used.
pub const TICKET_LASTS: Duration = Duration::from_secs(30);

const CONTEXT: &str = "admission";

#[derive(Serialize, Deserialize)]
struct Ticket {
    tenant: TenantId,
    holder: Holder,
    nonce: Uuid,
}

/// Whose standing decides.
#[derive(Clone, Copy, Serialize, Deserialize)]
enum Holder {
    User(UserId),
    SignIn(SignInId),
    ApiKey(ApiKeyId),
}

impl Crm {
    /// A ticket that lets its bearer in once, as the session's actor, within [`TICKET_LASTS`]. It goes where a
    /// token must not, such as into a URL.
    ///
    /// # Errors
    ///
    /// `forbidden` for the CRM's own sessions; `unavailable` when there is no randomness.
    pub fn admission_ticket(&self, session: &Session) -> Result<Secret> {
        let nonce = self.core().env.new_uuid()?;
        let (tenant, holder) = (session.scope().tenant(), holder(session.scope())?);
        self.seal_ticket(CONTEXT, &Ticket { tenant, holder, nonce }, TICKET_LASTS)
    }

    /// The session of a ticket's holder, the first time that it is brought, on whichever node.
    ///
    /// # Errors
    ///
    /// `unauthenticated` when the ticket is not good, over or used, or its holder may not come in any more;
    /// `unavailable` or `internal` from the store.
    pub async fn admit(&self, ticket: &Secret, request_id: RequestId) -> Result<Session> {
        let Ticket { tenant, holder, nonce } = self.open_ticket(CONTEXT, ticket)?;
        let session = self.admitted(tenant, holder, request_id).await?;
        let now = self.core().env.now();
        let request = Digest::of(nonce.as_bytes());
        let mut changes = Changes::new(session.scope(), now);
        changes.remember(Outcome {
            key: request.to_hex(),
            request,
            sealed: String::new(),
            until: now.after(TICKET_LASTS * 2),
        });
        match self.core().commit(changes).await {
            Ok(()) => Ok(session),
            Err(error) if error.kind() == ErrorKind::AlreadyExists => {
                let message = "the ticket was used before; get a new one";
                Err(Error::new(ErrorKind::Unauthenticated, message))
            }
            Err(error) => Err(error),
        }
    }

    /// A session for the same actor as they stand now, by the store's word of this moment.
    ///
    /// # Errors
    ///
    /// `unauthenticated` when they may not come in any more: the sign-in has ended, the key is revoked, the
    /// user disabled; `forbidden` for the CRM's own sessions; `unavailable` or `internal` from the store.
    pub async fn renewed(&self, session: &Session) -> Result<Session> {
        let scope = session.scope();
        self.admitted(scope.tenant(), holder(scope)?, scope.request_id().clone()).await
    }

    async fn admitted(
        &self,
        tenant: TenantId,
        holder: Holder,
        request_id: RequestId,
    ) -> Result<Session> {
        let core = self.core();
        let of = match holder {
            Holder::User(id) => StandingOf::User(id),
            Holder::SignIn(id) => StandingOf::Credential(id.as_uuid()),
            Holder::ApiKey(id) => StandingOf::Credential(id.as_uuid()),
        };
        let system = SystemScope::new("let somebody in", request_id.clone());
        let standing = core.store.standing(&system, tenant, of).await?.ok_or_else(not_signed_in)?;
        let now = core.env.now();
        match holder {
            Holder::User(_) => {
                let user = standing.user.as_ref().filter(|user| user.status == UserStatus::Active);
                let user = user.ok_or_else(not_signed_in)?;
                Ok(self.session_for(&standing.tenant, user, Proof::Host, request_id))
            }
            Holder::SignIn(_) => {
                let (tenant, user, sign_in) =
                    signed_in(&standing, now).ok_or_else(not_signed_in)?;
                let fresh = now.since(sign_in.proved_at) < self.policy().fresh;
                let proof = Proof::SignIn { id: sign_in.id, fresh };
                Ok(self.session_for(tenant, user, proof, request_id))
            }
            Holder::ApiKey(_) => match &standing.credential {
                Some(Credential::ApiKey(key)) if key.is_live(now) => {
                    let proof = Proof::Key { scopes: key.scopes.as_slice().into() };
                    let (actor, region) = (Actor::ApiKey(key.id), standing.tenant.default_region);
                    let scope =
                        TenantScope::new(tenant, region, actor, key.role, proof, request_id);
                    Ok(Session::new(Arc::clone(core), scope))
                }
                Some(_) | None => Err(not_signed_in()),
            },
        }
    }
}

fn holder(scope: &TenantScope) -> Result<Holder> {
    match (scope.actor(), scope.proof()) {
        (Actor::User(_), Proof::SignIn { id, .. }) => Ok(Holder::SignIn(*id)),
        (Actor::User(id), Proof::Host | Proof::Key { .. }) => Ok(Holder::User(id)),
        (Actor::ApiKey(id), _) => Ok(Holder::ApiKey(id)),
        (Actor::System, _) => {
            Err(Error::new(ErrorKind::Forbidden, "the CRM itself is let in by nobody"))
        }
    }
}

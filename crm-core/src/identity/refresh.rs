//! The next tokens of a sign-in.

use super::credential::{PreviousToken, SignIn, StandingOf};
use super::secret::{OpaqueToken, RefreshToken, Secret};
use super::sign_in::{Identity, Tokens, not_signed_in, put_sign_in, signed_in};
use crate::error::{Error, ErrorKind, Result};
use crate::events::payload::{SessionEnd, SessionEnded, SessionRefreshed};

/// How often a refresh looks again that met another change of the same sign-in.
const MOST_TRIES: usize = 100;

impl Identity {
    /// The next tokens for a refresh token, which is used up by it.
    ///
    /// Within [`SignInPolicy::retry_within`](super::SignInPolicy::retry_within) the same token gives the same successor again, as long as
    /// that one was not used.
    ///
    /// # Errors
    ///
    /// `token_reused` when the token was used before: the sign-in has ended; `unauthenticated`;
    /// `rate_limited`; `unavailable` or `internal` from the store.
    pub async fn refresh(&self, token: &Secret) -> Result<Tokens> {
        let refreshed = async {
            let Some(token) = RefreshToken::parse(token.reveal()) else {
                self.count_stranger().await?;
                return Err(not_signed_in());
            };
            let mut tries = 1;
            loop {
                match self.try_refresh(&token).await {
                    // Somebody else was first: look again.
                    Err(error)
                        if error.kind() == ErrorKind::VersionConflict && tries < MOST_TRIES =>
                    {
                        tries += 1;
                    }
                    result => return result,
                }
            }
        };
        refreshed.await.map_err(|error: Error| error.in_operation("identity.refresh"))
    }

    async fn try_refresh(&self, refresh: &RefreshToken) -> Result<Tokens> {
        let token = &refresh.token;
        let system = self.system_scope("refresh a sign-in");
        let of = StandingOf::Credential(token.id);
        let standing = self.core().store.standing(&system, token.tenant, of).await?;
        let now = self.core().env.now();
        let known = standing.as_ref().and_then(|standing| signed_in(standing, now));
        let Some((tenant, user, sign_in)) =
            known.filter(|(_, _, sign_in)| sign_in.family == refresh.family())
        else {
            self.count_stranger().await?;
            return Err(not_signed_in());
        };
        let mut changes = self.changes_of(tenant, user);
        let presented = token.digest();
        if presented == sign_in.refresh_token {
            let next = OpaqueToken::new(&self.core().env, token.tenant, token.id)?;
            let policy = self.crm.policy();
            let renewed = SignIn {
                refreshed_at: now,
                expires_at: now.after(policy.idle).min(sign_in.created_at.after(policy.lasts)),
                refresh_token: next.digest(),
                previous: Some(PreviousToken {
                    token: presented,
                    used_at: now,
                    successor: token.seal_successor(&next),
                }),
                ..sign_in.clone()
            };
            let data = SessionRefreshed { user_id: user.id };
            put_sign_in(self.core(), &mut changes, renewed, &data)?;
            self.core().commit(changes).await?;
            return self.tokens(tenant.id, user.id, &refresh.with(next));
        }
        if let Some(previous) = &sign_in.previous
            && previous.token == presented
            && now.since(previous.used_at) < self.crm.policy().retry_within
        {
            let successor = token.open_successor(&previous.successor);
            return self.tokens(tenant.id, user.id, &refresh.with(successor));
        }
        tracing::warn!(
            request_id = self.arrival.request_id.as_str(),
            tenant = %tenant.id,
            user = %user.id,
            "a used refresh token came back: its sign-in is ended"
        );
        let ended = SignIn { ended_at: Some(now), ..sign_in.clone() };
        let data = SessionEnded { user_id: user.id, reason: SessionEnd::TokenReused };
        put_sign_in(self.core(), &mut changes, ended, &data)?;
        self.core().commit(changes).await?;
        Err(Error::new(
            ErrorKind::TokenReused,
            "the refresh token was used before, so its sign-in has ended; sign in again",
        ))
    }
}

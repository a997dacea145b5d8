//! How long people stay signed in, how often they may be wrong, and who may register.

use std::time::Duration;

use crate::ports::Quota;

/// How long people stay signed in, and how often they may be wrong.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SignInPolicy {
    /// How long a sign-in lasts without being refreshed.
    pub idle: Duration,
    /// How long a sign-in lasts at most.
    pub lasts: Duration,
    /// How long after its use a refresh token gives the same successor again, while that one was not
    /// used: an answer that was lost is no theft (RFC 9700, 4.14).
    pub retry_within: Duration,
    /// How long a proof of identity is fresh enough for an owner's actions.
    pub fresh: Duration,
    /// Wrong attempts on one account.
    pub per_account: Quota,
    /// Wrong attempts in a row on one account, however long they take, after which its password is of no
    /// use until there is a new one: 100 at most (NIST SP 800-63B-4, 3.2.2).
    pub most_failures: u32,
    /// Wrong attempts from one address.
    pub per_address: Quota,
    /// New tenants from one address.
    pub registrations: Quota,
    /// Who may make a tenant by registering.
    pub registration: RegistrationPolicy,
}

/// Who may make a tenant by registering.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum RegistrationPolicy {
    /// Everybody.
    #[default]
    Open,
    /// Who has an invitation of the operator.
    Invitation,
    /// Nobody: the operator makes tenants.
    Closed,
}

impl Default for SignInPolicy {
    /// 30 days idle, 90 days at most, a retry within 10 s, fresh for 15 minutes; 10 wrong attempts on an
    /// account and then one in 15 minutes, 100 in a row; 30 from an address and then one in 10 s; 10 registrations and then one in 10 minutes, open to
    /// everybody.
    fn default() -> Self {
        let day = Duration::from_secs(24 * 60 * 60);
        SignInPolicy {
            idle: day * 30,
            lasts: day * 90,
            retry_within: Duration::from_secs(10),
            fresh: Duration::from_secs(15 * 60),
            per_account: Quota::new(10, Duration::from_secs(15 * 60)),
            most_failures: 100,
            per_address: Quota::new(30, Duration::from_secs(10)),
            registrations: Quota::new(10, Duration::from_secs(10 * 60)),
            registration: RegistrationPolicy::Open,
        }
    }
}

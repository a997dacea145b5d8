//! What a host or an operator decides.

/// How the CRM behaves over HTTP.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Config {
    /// Who may make a tenant.
    pub registrations: Registrations,
    /// Bytes of the largest JSON body; 1 MiB where nothing is said.
    pub body_limit: usize,
}

/// Who may make a tenant over HTTP.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Registrations {
    /// Everybody.
    Open,
    /// Nobody: tenants are made by the operator.
    #[default]
    Closed,
    /// Who has an invitation of the operator's.
    Invitation,
}

impl Default for Config {
    fn default() -> Self {
        Config { registrations: Registrations::default(), body_limit: 1024 * 1024 }
    }
}

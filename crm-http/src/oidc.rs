//! Signing in through a provider of identities (OpenID Connect).
//!
//! The authorization code flow with PKCE (S256), `state` and `nonce`. What must come back unchanged goes
//! with the browser, sealed, in a cookie that is good for ten minutes.

mod provider;

pub use provider::OidcProvider;

//! The providers of identities, each a table `[[oidc]]` of the configuration file.

use std::net::SocketAddr;
use std::sync::Arc;

use crm_core::identity::Secret;
use crm_http::OidcProvider;
use serde::Deserialize;

use crate::program::failure::Failure;
use crate::program::settings::Settings;

/// The tables' name in the file.
pub(crate) const TABLE: &str = "oidc";

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Entry {
    name: String,
    issuer: String,
    client_id: String,
    /// Otherwise `CRM_OIDC_{NAME}_SECRET` of the environment, where there is one.
    client_secret: Option<Secret>,
    scopes: Option<Vec<String>>,
    return_to: Option<url::Url>,
}

/// The providers. Their answers come back to `public_url`, or where it is absent to `address`.
pub(crate) fn read(
    settings: &Settings,
    public_url: Option<&str>,
    address: SocketAddr,
) -> Result<Vec<Arc<OidcProvider>>, Failure> {
    let Some((file, tables)) = settings.table(TABLE) else { return Ok(Vec::new()) };
    let wrong =
        |what: &dyn std::fmt::Display| Failure::Usage(format!("{file}: `[[{TABLE}]]`: {what}"));
    let entries: Vec<Entry> = tables.clone().try_into().map_err(|error: toml::de::Error| {
        wrong(&error.message().lines().collect::<Vec<_>>().join(" "))
    })?;
    let local = format!("http://{address}");
    let base = public_url.unwrap_or(&local);
    let mut providers: Vec<Arc<OidcProvider>> = Vec::new();
    for entry in entries {
        let Entry { name, issuer, client_id, client_secret, scopes, return_to } = entry;
        if providers.iter().any(|known| known.name() == name) {
            return Err(wrong(&format!("the name `{name}` comes twice")));
        }
        let redirect = format!("{base}/auth/oidc/{name}/callback");
        let mut provider = OidcProvider::new(name.clone(), &issuer, client_id, &redirect)
            .map_err(|error| wrong(&format!("`{name}`: {error}")))?;
        let variable = format!("CRM_OIDC_{}_SECRET", name.to_uppercase().replace('-', "_"));
        if let Some(secret) =
            client_secret.or_else(|| std::env::var(variable).ok().map(Secret::new))
        {
            provider = provider.client_secret(&secret);
        }
        if let Some(scopes) = scopes {
            provider = provider.scopes(scopes);
        }
        if let Some(url) = return_to {
            provider = provider.return_to(url);
        }
        providers.push(Arc::new(provider));
    }
    Ok(providers)
}

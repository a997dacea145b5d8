//! The providers of identities, each a table `[[oidc]]` of the configuration file.

use std::fmt::Display;
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
    client_secret: Option<Secret>,
    /// The variable of the environment that holds the secret; where neither is said, that is
    /// `CRM_OIDC_<NAME>_CLIENT_SECRET`, which need not be there.
    client_secret_env: Option<String>,
    scopes: Option<Vec<String>>,
    return_to: Option<url::Url>,
}

/// The providers. Their answers come back to `public_url`.
pub(crate) fn read(
    settings: &Settings,
    public_url: Option<&str>,
) -> Result<Vec<Arc<OidcProvider>>, Failure> {
    let Some((file, tables)) = settings.table(TABLE) else { return Ok(Vec::new()) };
    let wrong = |what: &dyn Display| Failure::Usage(format!("{file}: `[[{TABLE}]]`: {what}"));
    let entries: Vec<Entry> =
        serde_path_to_error::deserialize(tables.clone()).map_err(|error| {
            let (place, error) = (error.path().to_string(), error.into_inner());
            wrong(&format!("{place}: {}", one_line(error.message())))
        })?;
    let Some(base) = public_url else {
        let why = "providers send people back to `public_url`; set it, e.g. `https://crm.example`";
        return Err(wrong(&why));
    };
    let mut providers: Vec<Arc<OidcProvider>> = Vec::new();
    for entry in entries {
        let name = entry.name.clone();
        if providers.iter().any(|known| known.name() == name) {
            return Err(wrong(&format!("the name `{name}` comes twice")));
        }
        let provider = provider(entry, base).map_err(|why| wrong(&format!("`{name}`: {why}")))?;
        providers.push(Arc::new(provider));
    }
    Ok(providers)
}

fn provider(entry: Entry, base: &str) -> Result<OidcProvider, String> {
    let secret = secret(&entry)?;
    let Entry { name, issuer, client_id, scopes, return_to, .. } = entry;
    if client_id.is_empty() {
        return Err("`client_id` is empty; the provider gives it when the client is set up".into());
    }
    let redirect = format!("{base}/auth/oidc/{name}/callback");
    let mut provider =
        OidcProvider::new(name, &issuer, client_id, &redirect).map_err(|error| said(&error))?;
    if let Some(secret) = secret {
        provider = provider.client_secret(&secret);
    }
    if let Some(scopes) = scopes {
        provider = provider.scopes(scopes);
    }
    if let Some(url) = return_to {
        provider = provider.return_to(url).map_err(|error| said(&error))?;
    }
    Ok(provider)
}

fn secret(entry: &Entry) -> Result<Option<Secret>, String> {
    let secret = match (&entry.client_secret, &entry.client_secret_env) {
        (Some(_), Some(_)) => {
            return Err("say `client_secret` or `client_secret_env`, not both".to_owned());
        }
        (Some(secret), None) => Some(secret.clone()),
        (None, Some(variable)) => {
            let value = std::env::var(variable).map_err(|_| {
                format!("`client_secret_env`: `{variable}` is not in the environment")
            })?;
            Some(Secret::new(value))
        }
        (None, None) => {
            let name = entry.name.to_uppercase().replace('-', "_");
            std::env::var(format!("CRM_OIDC_{name}_CLIENT_SECRET")).ok().map(Secret::new)
        }
    };
    if secret.as_ref().is_some_and(|secret| secret.reveal().is_empty()) {
        return Err("the client's secret is empty; a public client has none at all".to_owned());
    }
    Ok(secret)
}

/// What a refused value is told, with the key it belongs to.
fn said(error: &crm_core::Error) -> String {
    let each = error.fields().iter().map(|field| {
        let key = field.field.strip_prefix("oidc.").unwrap_or(&field.field);
        let key = if key == "redirect" { "public_url" } else { key };
        format!("`{key}`: {}", field.message)
    });
    each.collect::<Vec<_>>().join("; ")
}

fn one_line(text: &str) -> String {
    text.lines().collect::<Vec<_>>().join(" ")
}

//! Whether a webhook is Twilio's (twilio.com/docs/usage/webhooks/webhooks-security): HMAC-SHA1, under an
//! auth token of the account, over the address that was called and every parameter.

use aws_lc_rs::{digest, hmac};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use crm_core::identity::Secret;
use crm_core::telephony::WebhookRequest;
use crm_core::{Error, ErrorKind, Result};

use crate::form::Form;

/// The signature that Twilio makes for this address and form, as the header `X-Twilio-Signature` has it: for
/// who tests what webhooks do.
///
/// ```
/// let signature = crm_twilio::sign(&"token".into(), "https://crm.example/webhooks/twilio", b"CallSid=CA1");
/// assert_eq!(signature.len(), 28);
/// ```
pub fn sign(auth_token: &Secret, url: &str, form: &[u8]) -> String {
    let data = [url.as_bytes(), &Form::read(form).signed()].concat();
    STANDARD.encode(hmac::sign(&key(auth_token), &data))
}

/// # Errors
///
/// `forbidden` where no token made the signature.
pub(crate) fn verify(auth_tokens: &[Secret], request: &WebhookRequest) -> Result<()> {
    let signature = request.header("x-twilio-signature").and_then(|it| STANDARD.decode(it).ok());
    if let (Some(signature), Some(parameters)) = (signature, parameters(request)) {
        // Twilio signs the address with or without its port, by rules that have changed.
        let other = other_port(&request.url);
        let urls = [Some(request.url.as_str()), other.as_deref()];
        let data = urls.map(|url| Some([url?.as_bytes(), &parameters].concat()));
        // An empty token would let everybody sign.
        for token in auth_tokens.iter().filter(|token| !token.reveal().is_empty()) {
            let key = key(token);
            if data.iter().flatten().any(|data| hmac::verify(&key, data, &signature).is_ok()) {
                return Ok(());
            }
        }
    }
    Err(Error::new(ErrorKind::Forbidden, "the request is not signed by the carrier"))
}

fn key(token: &Secret) -> hmac::Key {
    hmac::Key::new(hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY, token.reveal().as_bytes())
}

/// What is signed beside the address: the form, or nothing where the address has the hash of another body.
/// `None` where the body is covered by neither.
fn parameters(request: &WebhookRequest) -> Option<Vec<u8>> {
    if is_form(request) {
        return Some(Form::read(&request.body).signed());
    }
    let covered = match request.query("bodySHA256") {
        Some(said) => {
            hex(digest::digest(&digest::SHA256, &request.body).as_ref()).eq_ignore_ascii_case(&said)
        }
        None => request.body.is_empty(),
    };
    covered.then(Vec::new)
}

fn is_form(request: &WebhookRequest) -> bool {
    let Some(text) = request.header("content-type") else { return true };
    let essence = text.split(';').next().unwrap_or_default().trim();
    essence.eq_ignore_ascii_case("application/x-www-form-urlencoded")
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// The address with the port of its scheme where it has none, and without its port where it has one. It is
/// changed as a text, for an address that is read and written again may look otherwise.
fn other_port(url: &str) -> Option<String> {
    let (scheme, rest) = url.split_once("://")?;
    let (authority, path) = match rest.find(['/', '?', '#']) {
        Some(end) => rest.split_at_checked(end)?,
        None => (rest, ""),
    };
    let (user, host) = match authority.rsplit_once('@') {
        Some((user, host)) => (Some(user), host),
        None => (None, authority),
    };
    // The colons of an IPv6 address are in brackets.
    let port = host.rsplit_once(':').filter(|(_, port)| !port.contains(']'));
    let host = match (port, scheme) {
        (Some((host, _)), _) => host.to_owned(),
        (None, "https") => format!("{host}:443"),
        (None, "http") => format!("{host}:80"),
        (None, _) => return None,
    };
    let user = user.map(|user| format!("{user}@")).unwrap_or_default();
    Some(format!("{scheme}://{user}{host}{path}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_port_is_put_in_and_taken_out() {
        for (url, other) in [
            ("https://crm.example/a:b?c", "https://crm.example:443/a:b?c"),
            ("http://crm.example", "http://crm.example:80"),
            ("https://crm.example:8443/a", "https://crm.example/a"),
            ("https://a:b@crm.example?x=y", "https://a:b@crm.example:443?x=y"),
            ("https://a:b@crm.example:1/", "https://a:b@crm.example/"),
            ("https://[::1]/", "https://[::1]:443/"),
            ("https://[::1]:44/", "https://[::1]/"),
        ] {
            assert_eq!(other_port(url).as_deref(), Some(other), "{url}");
        }
        assert_eq!(other_port("crm.example"), None);
        assert_eq!(other_port("ftp://crm.example/"), None);
    }
}

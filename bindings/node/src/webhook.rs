//! Requests of carriers, which a server of the host's has taken.

use crm_core::telephony::WebhookRequest;
use crm_core::{Crm, Error, Result};
use serde::Deserialize;
use serde_json::json;

use crate::crossing::{parsed, text};

/// A request without its body.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Head {
    provider: String,
    url: String,
    headers: Vec<Vec<String>>,
}

/// The headers, names in lower case.
fn pairs(headers: Vec<Vec<String>>) -> Result<Vec<(String, String)>> {
    let pair = |(at, pair): (usize, Vec<String>)| match <[String; 2]>::try_from(pair) {
        Ok([name, value]) => Ok((name.to_ascii_lowercase(), value)),
        Err(_) => Err(Error::invalid_field(
            format!("headers[{at}]"),
            "invalid_value",
            "a header is a name and a value",
        )),
    };
    headers.into_iter().enumerate().map(pair).collect()
}

/// Hands in a request; what the carrier is answered, as JSON.
pub(crate) async fn hand_in(crm: Crm, head: &str, body: Vec<u8>) -> Result<String> {
    let named = |error: Error| error.in_operation("calls.webhook");
    let Head { provider, url, headers } = parsed(head).map_err(named)?;
    let headers = pairs(headers).map_err(named)?;
    let request = WebhookRequest { url, headers, body: body.into() };
    let reply = crm.webhook(&provider, request).await?;
    text(&json!({ "contentType": reply.content_type, "body": reply.body }))
}

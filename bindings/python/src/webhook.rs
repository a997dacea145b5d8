//! Requests of carriers, which a server of the host's has taken.

use crm_core::telephony::{WebhookReply, WebhookRequest};
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::types::{PyByteArray, PyBytes, PyMapping, PyMemoryView, PyString};

use crate::arguments::{self, Read, Refused};
use crate::crm::Crm;
use crate::waiting::Waiting;

/// Hands in a request; gives what the body of the answer is, and the body.
#[pyfunction]
pub(crate) fn webhook(
    crm: &Bound<'_, Crm>,
    provider: &Bound<'_, PyAny>,
    url: &Bound<'_, PyAny>,
    headers: &Bound<'_, PyAny>,
    body: &Bound<'_, PyAny>,
) -> PyResult<Waiting> {
    let py = crm.py();
    let read = || -> Read<(String, WebhookRequest)> {
        let provider = text(provider).map_err(|refused| refused.within("provider"))?;
        let url = text(url).map_err(|refused| refused.within("url"))?;
        let headers = pairs(headers).map_err(|refused| refused.within("headers"))?;
        let body = bytes(body).map_err(|refused| refused.within("body"))?.into();
        Ok((provider, WebhookRequest { url, headers, body }))
    };
    let (provider, request) = read().map_err(|refused| refused.raised(py, "calls.webhook"))?;
    let core = crm.get().core(py)?;
    let work = async move { core.webhook(&provider, request).await };
    Ok(Waiting::on(crm.get().handle(), work, |py, reply: WebhookReply| {
        Ok((reply.content_type, reply.body).into_pyobject(py)?.into_any())
    }))
}

/// The headers of a mapping or of pairs, names in lower case.
fn pairs(headers: &Bound<'_, PyAny>) -> Read<Vec<(String, String)>> {
    let wrong = || wrong(headers, "a mapping or pairs of names and values");
    let items = match headers.cast::<PyMapping>() {
        Ok(mapping) => mapping.call_method0(intern!(headers.py(), "items"))?,
        Err(_) => headers.clone(),
    };
    let mut pairs = Vec::new();
    for (at, item) in items.try_iter().map_err(|_| wrong())?.enumerate() {
        let pair = pair(&item?).map_err(|refused| refused.within(&format!("[{at}]")))?;
        pairs.push(pair);
    }
    Ok(pairs)
}

fn pair(item: &Bound<'_, PyAny>) -> Read<(String, String)> {
    // Text of two characters would be a pair of them.
    let pair = if item.is_instance_of::<PyString>() { None } else { item.extract().ok() };
    let [name, value]: [Bound<'_, PyAny>; 2] =
        pair.ok_or_else(|| wrong(item, "a pair of a name and a value"))?;
    Ok((header(&name)?.to_ascii_lowercase(), header(&value)?))
}

/// Servers that speak ASGI give headers as bytes.
fn header(value: &Bound<'_, PyAny>) -> Read<String> {
    match value.cast::<PyBytes>() {
        Ok(bytes) => Ok(bytes.as_bytes().iter().copied().map(char::from).collect()),
        Err(_) => text(value),
    }
}

fn text(value: &Bound<'_, PyAny>) -> Read<String> {
    if value.is_instance_of::<PyString>() {
        arguments::text(value)
    } else {
        Err(wrong(value, "text"))
    }
}

fn bytes(value: &Bound<'_, PyAny>) -> Read<Vec<u8>> {
    if let Ok(bytes) = value.cast::<PyBytes>() {
        return Ok(bytes.as_bytes().to_vec());
    }
    if let Ok(bytes) = value.cast::<PyByteArray>() {
        return Ok(bytes.to_vec());
    }
    if value.is_instance_of::<PyMemoryView>() {
        return Ok(value.call_method0(intern!(value.py(), "tobytes"))?.extract()?);
    }
    Err(wrong(value, "bytes"))
}

fn wrong(value: &Bound<'_, PyAny>, expected: &str) -> Refused {
    let class = value.get_type();
    let class = class.name().map(|name| name.to_string()).unwrap_or_default();
    Refused::new("invalid_type", format!("a value of type `{class}` is given, not {expected}"))
}

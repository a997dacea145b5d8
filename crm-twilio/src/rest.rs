//! How a request is sent, and sent again.

use std::time::Duration;

use crm_core::telephony::CarrierAccount;
use crm_core::{Error, Result};
use reqwest::header::{CONTENT_TYPE, USER_AGENT};
use reqwest::{Client, Method, RequestBuilder, Response, redirect};
use serde::de::DeserializeOwned;
use url::Url;

use crate::account::Account;
use crate::error::{Failure, Fate};
use crate::options::TwilioOptions;

/// Bytes of the longest answer: a page of a thousand calls has some 2 MB.
const LONGEST: usize = 8 * 1024 * 1024;
/// Bytes of the longest refusal that is read.
const LONGEST_REFUSAL: usize = 64 * 1024;
/// How Twilio knows us.
const AGENT: &str = concat!("crm-twilio/", env!("CARGO_PKG_VERSION"));

/// A client of the REST API.
#[derive(Debug)]
pub(crate) struct Rest {
    http: Client,
    base: Option<Url>,
    pub(crate) options: TwilioOptions,
}

/// What is asked of the API.
pub(crate) struct Ask {
    pub(crate) method: Method,
    pub(crate) url: Url,
    /// A form, as it is sent.
    pub(crate) form: Option<String>,
}

/// Whether a request that may have been done is sent again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Repeat {
    /// It does the same twice as once.
    Always,
    /// Only where it surely was not done.
    IfNotDone,
}

impl Ask {
    pub(crate) fn get(url: Url) -> Self {
        Ask { method: Method::GET, url, form: None }
    }

    pub(crate) fn post(url: Url, form: &[(&str, &str)]) -> Self {
        let form = form_urlencoded::Serializer::new(String::new()).extend_pairs(form).finish();
        Ask { method: Method::POST, url, form: Some(form) }
    }

    pub(crate) fn delete(url: Url) -> Self {
        Ask { method: Method::DELETE, url, form: None }
    }
}

impl Rest {
    pub(crate) fn new(options: TwilioOptions) -> Result<Self> {
        let base = options.base()?;
        let http = Client::builder()
            // An answer that names another address must not take our secrets there.
            .redirect(redirect::Policy::none())
            .connect_timeout(options.connect_timeout)
            .build()
            .map_err(Error::internal)?;
        Ok(Rest { http, base, options })
    }

    pub(crate) fn account<'a>(&self, account: &'a CarrierAccount) -> Result<Account<'a>> {
        Account::read(account, self.base.as_ref())
    }

    /// A request without secrets.
    pub(crate) fn request(&self, method: Method, url: Url) -> RequestBuilder {
        self.http.request(method, url).header(USER_AGENT, AGENT)
    }

    /// What the API answers, read as `T`.
    pub(crate) async fn json<T: DeserializeOwned>(
        &self,
        account: &Account<'_>,
        ask: &Ask,
        repeat: Repeat,
    ) -> Result<T, Failure> {
        self.retrying(repeat, || async {
            let body = self.once(account, ask).await?;
            serde_json::from_slice(&body)
                .map_err(|error| Failure::unreadable("the carrier's answer cannot be read", error))
        })
        .await
    }

    /// A request whose answer says nothing.
    pub(crate) async fn done(
        &self,
        account: &Account<'_>,
        ask: &Ask,
        repeat: Repeat,
    ) -> Result<(), Failure> {
        self.retrying(repeat, || async { self.once(account, ask).await.map(drop) }).await
    }

    async fn once(&self, account: &Account<'_>, ask: &Ask) -> Result<Vec<u8>, Failure> {
        let mut request = self
            .request(ask.method.clone(), ask.url.clone())
            .basic_auth(account.user, Some(account.password))
            .timeout(self.options.request_timeout);
        if let Some(form) = &ask.form {
            request = request
                .header(CONTENT_TYPE, "application/x-www-form-urlencoded")
                .body(form.clone());
        }
        let mut response = request.send().await.map_err(Failure::transport)?;
        if !response.status().is_success() {
            return Err(refused(response).await);
        }
        read(&mut response, LONGEST).await?.ok_or_else(|| {
            Failure::unreadable("the carrier's answer is too long", "more bytes than allowed")
        })
    }

    /// Tries again what failed for a moment, as long as that does no harm.
    pub(crate) async fn retrying<T, F>(
        &self,
        repeat: Repeat,
        attempt: impl Fn() -> F,
    ) -> Result<T, Failure>
    where
        F: Future<Output = Result<T, Failure>>,
    {
        let mut waited = Duration::ZERO;
        for time in 0.. {
            let failure = match attempt().await {
                Ok(answer) => return Ok(answer),
                Err(failure) => failure,
            };
            let again = match failure.fate {
                Fate::Unreached | Fate::Limited => true,
                Fate::Refused => false,
                Fate::Unknown => repeat == Repeat::Always,
            };
            let wait = failure.wait.unwrap_or_else(|| backoff(self.options.backoff, time));
            waited = waited.saturating_add(wait);
            if !again || time >= self.options.retries || waited > self.options.longest_wait {
                return Err(failure);
            }
            tracing::debug!(error = %failure.error, ?wait, "a request to the carrier is repeated");
            tokio::time::sleep(wait).await;
        }
        Err(Failure::unreadable("the carrier cannot be reached", "no attempt was made"))
    }
}

/// What an answer that is no success says.
pub(crate) async fn refused(mut response: Response) -> Failure {
    let (status, headers) = (response.status(), response.headers().clone());
    // The status alone says enough where the rest does not come.
    let body = read(&mut response, LONGEST_REFUSAL).await.ok().flatten().unwrap_or_default();
    Failure::answered(status, &headers, &body)
}

/// The whole body; `None` where it has more than `longest` bytes.
async fn read(response: &mut Response, longest: usize) -> Result<Option<Vec<u8>>, Failure> {
    let mut body = Vec::new();
    while let Some(piece) = response.chunk().await.map_err(Failure::transport)? {
        if body.len().saturating_add(piece.len()) > longest {
            return Ok(None);
        }
        body.extend_from_slice(&piece);
    }
    Ok(Some(body))
}

/// `first`, twice as long each further time, and up to half of that less by chance: who failed together
/// does not come back together.
fn backoff(first: Duration, time: u32) -> Duration {
    let most = first.saturating_mul(2_u32.saturating_pow(time));
    most.mul_f64(1.0 - 0.5 * chance())
}

/// From 0 to 1.
#[expect(clippy::disallowed_methods, reason = "how long is waited changes no outcome")]
fn chance() -> f64 {
    f64::from(getrandom::u32().unwrap_or_default()) / f64::from(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_grow_and_differ() {
        let waits: Vec<_> = (0..4).map(|time| backoff(Duration::from_millis(100), time)).collect();
        for (wait, most) in waits.iter().zip([100, 200, 400, 800]) {
            let most = Duration::from_millis(most);
            assert!((most / 2..=most).contains(wait), "{wait:?} of {most:?}");
        }
        assert!(backoff(Duration::from_millis(100), 3) != waits[3]);
        assert_eq!(backoff(Duration::ZERO, u32::MAX), Duration::ZERO);
    }

    #[test]
    fn only_a_place_that_keeps_secrets_is_a_base() {
        let new = |url: &str| Rest::new(TwilioOptions::default().base_url(url)).map(drop);
        for url in ["https://twilio.example", "http://127.0.0.1:4010", "http://localhost/"] {
            new(url).unwrap();
        }
        for url in [
            "http://twilio.example",
            "ftp://127.0.0.1",
            "https://user@twilio.example",
            "https://twilio.example/path",
            "https://twilio.example/?a=b",
            "twilio.example",
        ] {
            assert_eq!(new(url).unwrap_err().fields()[0].field, "base_url", "{url}");
        }
    }
}

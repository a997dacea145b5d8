//! How Twilio is reached.

use std::time::Duration;

use crm_core::{Error, Result};
use url::{Host, Url};

/// How Twilio is reached. The defaults are good for production.
#[derive(Debug, Clone)]
pub struct TwilioOptions {
    pub(crate) base_url: Option<String>,
    pub(crate) connect_timeout: Duration,
    pub(crate) request_timeout: Duration,
    pub(crate) idle_timeout: Duration,
    pub(crate) retries: u32,
    pub(crate) backoff: Duration,
    pub(crate) longest_wait: Duration,
}

impl Default for TwilioOptions {
    fn default() -> Self {
        TwilioOptions {
            base_url: None,
            connect_timeout: Duration::from_secs(5),
            request_timeout: Duration::from_secs(15),
            idle_timeout: Duration::from_secs(30),
            retries: 3,
            backoff: Duration::from_millis(250),
            longest_wait: Duration::from_secs(10),
        }
    }
}

impl TwilioOptions {
    /// Where every account's requests go instead of to Twilio: scheme, host and port, `https`, or `http`
    /// on this machine. For tests and for a proxy that speaks Twilio's API.
    #[must_use]
    pub fn base_url(mut self, url: impl Into<String>) -> Self {
        self.base_url = Some(url.into());
        self
    }

    /// How long a connection may take, instead of 5 s.
    #[must_use]
    pub fn connect_timeout(mut self, timeout: Duration) -> Self {
        self.connect_timeout = timeout;
        self
    }

    /// How long one request may take up to its whole answer, instead of 15 s. Audio is not meant.
    #[must_use]
    pub fn request_timeout(mut self, timeout: Duration) -> Self {
        self.request_timeout = timeout;
        self
    }

    /// How long the next piece of a recording may take, instead of 30 s.
    #[must_use]
    pub fn idle_timeout(mut self, timeout: Duration) -> Self {
        self.idle_timeout = timeout;
        self
    }

    /// How often a request that failed is sent again at most, instead of 3 times, and how long is waited
    /// before the first time, instead of 250 ms; twice as long before each further one, and up to half of
    /// it by chance.
    #[must_use]
    pub fn retries(mut self, times: u32, backoff: Duration) -> Self {
        self.retries = times;
        self.backoff = backoff;
        self
    }

    /// How long is waited in all before requests are sent again, instead of 10 s. Where Twilio asks for
    /// more, the caller is told at once.
    #[must_use]
    pub fn longest_wait(mut self, wait: Duration) -> Self {
        self.longest_wait = wait;
        self
    }

    pub(crate) fn base(&self) -> Result<Option<Url>> {
        let Some(text) = &self.base_url else { return Ok(None) };
        let url = Url::parse(text).ok().filter(is_base).ok_or_else(|| {
            let message = "give an `https` URL, or `http` on this machine, without a path";
            Error::invalid_field("base_url", "invalid_url", message)
        })?;
        Ok(Some(url))
    }
}

fn is_base(url: &Url) -> bool {
    let safe = match url.scheme() {
        "https" => true,
        "http" => match url.host() {
            Some(Host::Domain(name)) => name == "localhost",
            Some(Host::Ipv4(address)) => address.is_loopback(),
            Some(Host::Ipv6(address)) => address.is_loopback(),
            None => false,
        },
        _ => false,
    };
    let bare = url.username().is_empty() && url.password().is_none();
    safe && bare && url.path() == "/" && url.query().is_none() && url.fragment().is_none()
}

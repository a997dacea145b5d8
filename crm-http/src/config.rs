//! What a host or an operator decides.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use crm_core::ports::Quota;
use futures::FutureExt as _;
use futures::future::BoxFuture;

use crate::address::{Network, ProxyHeader};
use crate::cors::Origins;
use crate::realtime::Closing;

/// How the CRM behaves over HTTP.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Config {
    /// Bytes of the largest JSON body; 1 MiB where nothing is said.
    pub body_limit: usize,
    /// Bytes of the largest file to import, which is streamed; 1 GiB where nothing is said.
    pub import_limit: usize,
    /// How long a request may take to be answered; 30 s where nothing is said. A reply that is streamed
    /// has begun by then, and an upload may take longer as long as it does not stand still.
    pub time_limit: Duration,
    /// The URL under which the outside sees the router, where it is known. An `https` one makes browsers
    /// stay with it (RFC 6797).
    pub public_url: Option<String>,
    /// The web pages whose scripts may call; none where nothing is said.
    pub cors_origins: Origins,
    /// Proxies whose word on the caller's address counts; none where nothing is said.
    pub trusted_proxies: Vec<Network>,
    /// How these proxies tell it.
    pub proxy_header: ProxyHeader,
    /// Requests of each user and each API key, `None` for any number; 600 in 10 s where nothing is said.
    pub per_caller: Option<Quota>,
    /// Requests from each address that nobody answers for, `None` for any number; 120 in 10 s where nothing
    /// is said.
    pub per_address: Option<Quota>,
    /// What else the host needs and `GET /health/ready` shall name; none where nothing is said.
    pub dependencies: Vec<Dependency>,
    /// The most clients that follow events at once; 20,000 where nothing is said.
    pub realtime_connections: usize,
    /// How often such a client is to be heard of; one that was silent for twice as long is sent away. 25 s where
    /// nothing is said.
    pub heartbeat: Duration,
    /// Ends the connections of those clients; kept by the host, which closes it when it stops.
    pub closing: Closing,
    /// The providers of identities that people may sign in with.
    #[cfg(feature = "oidc")]
    pub oidc: Vec<std::sync::Arc<crate::OidcProvider>>,
}

impl Default for Config {
    fn default() -> Self {
        let ten_seconds = Duration::from_secs(10);
        Config {
            body_limit: 1024 * 1024,
            import_limit: 1024 * 1024 * 1024,
            time_limit: Duration::from_secs(30),
            public_url: None,
            cors_origins: Origins::default(),
            trusted_proxies: Vec::new(),
            proxy_header: ProxyHeader::default(),
            per_caller: Some(Quota::per(600, ten_seconds)),
            per_address: Some(Quota::per(120, ten_seconds)),
            dependencies: Vec::new(),
            realtime_connections: 20_000,
            heartbeat: Duration::from_secs(25),
            closing: Closing::default(),
            #[cfg(feature = "oidc")]
            oidc: Vec::new(),
        }
    }
}

impl Config {
    /// Whether the outside speaks to the router over TLS.
    pub(crate) fn is_https(&self) -> bool {
        self.public_url.as_deref().is_some_and(|url| url.starts_with("https://"))
    }
}

/// Something that the host needs, though not to serve: while it is away, the server is ready nevertheless.
#[derive(Clone)]
pub struct Dependency {
    pub(crate) name: &'static str,
    pub(crate) check: Arc<dyn Fn() -> BoxFuture<'static, crm_core::Result<()>> + Send + Sync>,
}

impl Dependency {
    /// Something of this name, and how it is asked whether it is there.
    pub fn new<F>(name: &'static str, check: impl Fn() -> F + Send + Sync + 'static) -> Self
    where
        F: Future<Output = crm_core::Result<()>> + Send + 'static,
    {
        Dependency { name, check: Arc::new(move || check().boxed()) }
    }
}

impl fmt::Debug for Dependency {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Dependency").field("name", &self.name).finish_non_exhaustive()
    }
}

//! The options of `serve`.

use std::net::SocketAddr;
use std::time::Duration;

use clap::Args;
use clap::builder::BoolishValueParser;
use crm_core::identity::RegistrationPolicy;
use crm_http::{Network, ProxyHeader};

use crate::program::cli::TokenArgs;
use crate::program::log;
use crate::program::values::{self, CorsOrigin, Listen, LogFormat, Rate};
use crate::program::work::WorkArgs;

/// Starts the server.
///
/// With nothing said it keeps its data in `crm.db`, its keys in `crm.keys.toml` and recordings in
/// `crm.recordings`, all made in the working directory. What an option does not say, the environment does, then the file `crm.toml` (each option's
/// long name, with `_` for `-`).
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  crm-http serve
  crm-http serve --demo
  crm-http serve --listen 0.0.0.0:8080 --public-url https://crm.example --trusted-proxies 10.0.0.0/8")]
pub(crate) struct ServeArgs {
    /// The address to listen on; port 0 takes a free one.
    #[arg(long, value_name = "ADDRESS", env = "CRM_LISTEN", default_value = "127.0.0.1:8080", value_parser = values::address)]
    pub(crate) listen: SocketAddr,
    /// The address of the metrics, which everybody who reaches it can read, or `off`; 127.0.0.1:9090 where
    /// nothing is said, or a free port where that is taken.
    #[arg(long, value_name = "ADDRESS", env = "CRM_METRICS_LISTEN")]
    pub(crate) metrics_listen: Option<Listen>,
    #[command(flatten)]
    pub(crate) work: WorkArgs,
    /// Leaves the jobs to others, which `crm-http worker` runs.
    #[arg(long, env = "CRM_WITHOUT_WORKER", value_parser = BoolishValueParser::new())]
    pub(crate) without_worker: bool,
    /// Fills a throw-away database, or the one that is named, with made-up people, and prints how to sign
    /// in; on a loopback address only.
    #[arg(long, env = "CRM_DEMO", value_parser = BoolishValueParser::new())]
    pub(crate) demo: bool,
    /// Who may make a tenant: `open`, `closed` or `invitation`; open on a loopback address, else closed.
    #[arg(long, value_name = "WHO", env = "CRM_REGISTRATION", value_parser = values::registrations)]
    pub(crate) registration: Option<RegistrationPolicy>,
    /// Web pages whose scripts may call, by their origins, e.g. `https://app.example`, or `*`.
    #[arg(long, value_name = "ORIGIN", env = "CRM_CORS_ORIGINS", value_delimiter = ',')]
    pub(crate) cors_origins: Vec<CorsOrigin>,
    /// Proxies whose word on the caller's address counts, e.g. `10.0.0.0/8`.
    #[arg(long, value_name = "NETWORK", env = "CRM_TRUSTED_PROXIES", value_delimiter = ',')]
    pub(crate) trusted_proxies: Vec<Network>,
    /// The header in which these proxies tell it: `x-forwarded-for` or `forwarded`.
    #[arg(long, value_name = "NAME", env = "CRM_PROXY_HEADER", default_value = "x-forwarded-for")]
    pub(crate) proxy_header: ProxyHeader,
    /// How log lines are written, on standard error: `text` or `json`.
    #[arg(long, value_name = "FORMAT", env = "CRM_LOG_FORMAT", default_value = "text")]
    pub(crate) log_format: LogFormat,
    /// Which log lines are written, e.g. `warn`, or `warn,crm_http::access=info`.
    #[arg(long, value_name = "LEVEL", env = "CRM_LOG_LEVEL", default_value = "info", value_parser = log::filter)]
    pub(crate) log_level: String,
    #[command(flatten)]
    pub(crate) token: TokenArgs,
    /// How long an access token lives, 10s to 1h.
    #[arg(long, value_name = "TIME", env = "CRM_TOKEN_LIFETIME", default_value = "5m", value_parser = values::token_lifetime)]
    pub(crate) token_lifetime: Duration,
    /// How long a sign-in lasts without being used; 30d where nothing is said.
    #[arg(long, value_name = "TIME", env = "CRM_SIGN_IN_IDLE", value_parser = values::duration)]
    pub(crate) sign_in_idle: Option<Duration>,
    /// How long a sign-in lasts at most; 90d where nothing is said.
    #[arg(long, value_name = "TIME", env = "CRM_SIGN_IN_LASTS", value_parser = values::duration)]
    pub(crate) sign_in_lasts: Option<Duration>,
    /// How long a proof of identity is fresh enough for an owner's actions; 15m where nothing is said.
    #[arg(long, value_name = "TIME", env = "CRM_SIGN_IN_FRESH", value_parser = values::duration)]
    pub(crate) sign_in_fresh: Option<Duration>,
    /// The largest JSON body.
    #[arg(long, value_name = "SIZE", env = "CRM_BODY_LIMIT", default_value = "1MiB", value_parser = values::size)]
    pub(crate) body_limit: usize,
    /// The largest file to import.
    #[arg(long, value_name = "SIZE", env = "CRM_IMPORT_LIMIT", default_value = "1GiB", value_parser = values::size)]
    pub(crate) import_limit: usize,
    /// How long a request may take to be answered.
    #[arg(long, value_name = "TIME", env = "CRM_TIME_LIMIT", default_value = "30s", value_parser = values::duration)]
    pub(crate) time_limit: Duration,
    /// How long the head of a request may take, and how long a connection may lie idle.
    #[arg(long, value_name = "TIME", env = "CRM_HEAD_LIMIT", default_value = "30s", value_parser = values::duration)]
    pub(crate) head_limit: Duration,
    /// Requests of each user and API key, as a number in a time, or `off`.
    #[arg(long, value_name = "RATE", env = "CRM_RATE_LIMIT", default_value = "600/10s")]
    pub(crate) rate_limit: Rate,
    /// Requests from each address that nobody is signed in for, or `off`.
    #[arg(long, value_name = "RATE", env = "CRM_RATE_LIMIT_ADDRESS", default_value = "120/10s")]
    pub(crate) rate_limit_address: Rate,
    /// The most connections at once; more wait. As many clients again can follow events; more are refused.
    #[arg(long, value_name = "N", env = "CRM_MAX_CONNECTIONS", default_value = "10000", value_parser = values::count)]
    pub(crate) max_connections: usize,
    /// How long requests in flight may take when the server is told to stop.
    #[arg(long, value_name = "TIME", env = "CRM_DRAIN_TIMEOUT", default_value = "30s", value_parser = values::duration)]
    pub(crate) drain_timeout: Duration,
}

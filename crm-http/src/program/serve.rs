//! The server.

use crm_core::Crm;
use crm_core::identity::{RegistrationPolicy, SignInPolicy};
use crm_http::{Config, Dependency, Origins};
use crm_redis::Redis;
use tempfile::TempDir;
use tokio::net::{TcpListener, TcpSocket};
use tokio::sync::oneshot;

use crate::program::database::{Database, DatabaseUrl};
use crate::program::failure::Failure;
use crate::program::output::text_lines;
use crate::program::serve_args::ServeArgs;
use crate::program::server::Server;
use crate::program::settings::Settings;
use crate::program::values::CorsOrigin;
use crate::program::work::{self, Relaying, Working};
use crate::program::{demo, keys, log, metrics};

pub(crate) fn print_openapi() -> Result<(), Failure> {
    let text = serde_json::to_string_pretty(&crm_http::document())
        .map_err(|error| Failure::Failed(error.to_string()))?;
    text_lines(&text)
}

pub(crate) async fn run(
    mut database: Database,
    args: ServeArgs,
    settings: &Settings,
) -> Result<(), Failure> {
    log::start(args.log_format, &args.log_level);
    tracing::debug!(?database, ?args, "starting");
    let mut config = config(&args, settings)?;
    let redis = work::redis(&args.work).await?;
    config.dependencies.extend(redis.clone().map(dependency));
    let throw_away = if args.demo { stage(&mut database, &args)? } else { None };
    let listener = listen(args.listen).map_err(|error| {
        Failure::Failed(format!("--listen: cannot listen on {}: {error}", args.listen))
    })?;
    let address = listener.local_addr().map_err(|error| Failure::Failed(error.to_string()))?;
    let metrics_listener = metrics::listener(args.metrics_listen).await?;
    let metrics_address = metrics_listener.as_ref().and_then(|own| own.local_addr().ok());
    if let Some(own) = metrics_listener {
        tokio::spawn(metrics::serve(own, metrics::start()?));
    }

    let is_loopback = address.ip().is_loopback();
    let crm = crm(&database, &args, is_loopback, throw_away.as_ref(), redis.as_ref()).await?;
    let entrance = if args.demo { Some(demo::prepare(&crm).await?) } else { None };

    let working = (!args.without_worker)
        .then(|| Working::start(&crm, args.work.jobs_at_once, args.drain_timeout));
    let relaying = Relaying::start(&crm);
    let closing = config.closing.clone();
    let server = Server {
        listener,
        router: crm_http::router(crm, config),
        connections: args.max_connections,
        head_limit: args.head_limit,
    };
    let (stop, stopped) = oneshot::channel();
    let mut signals = Signals::listen()?;
    let serving = tokio::spawn(server.run(
        async {
            stopped.await.ok();
        },
        args.drain_timeout,
    ));
    text_lines(&format!("listening on http://{address}"))?;
    if let Some(own) = metrics_address {
        text_lines(&format!("metrics on http://{own}/metrics"))?;
    }
    if let Some(entrance) = entrance {
        entrance.tell(&format!("http://{address}"))?;
    }

    signals.next().await;
    tracing::info!("stopping");
    stop.send(()).ok();
    closing.close();
    let drained = async {
        let cut = serving.await;
        if let Some(working) = working {
            working.stop().await;
        }
        relaying.stop().await;
        cut
    };
    tokio::select! {
        cut = drained => match cut {
            Ok(0) => {}
            Ok(cut) => tracing::warn!(connections = cut, "cut off what was still in flight"),
            Err(error) => return Err(Failure::Failed(error.to_string())),
        },
        () = signals.next() => return Err(Failure::Interrupted),
    }
    tracing::info!("stopped");
    if let Some(folder) = throw_away {
        let path = folder.path().to_owned();
        folder.close().map_err(|error| Failure::of_file("remove", &path, &error))?;
    }
    Ok(())
}

/// What the system keeps of replies to somebody who does not read: enough for 2 MB/s over 100 ms, and little
/// enough that a client which has stopped reading is noticed soon.
const SEND_BUFFER: u32 = 128 * 1024;

fn listen(address: std::net::SocketAddr) -> std::io::Result<TcpListener> {
    let socket = if address.is_ipv4() { TcpSocket::new_v4() } else { TcpSocket::new_v6() }?;
    socket.set_reuseaddr(true)?;
    // Those that are accepted have it from here.
    socket.set_send_buffer_size(SEND_BUFFER)?;
    socket.bind(address)?;
    socket.listen(1024)
}

fn dependency(redis: Redis) -> Dependency {
    Dependency::new("redis", move || {
        let redis = redis.clone();
        async move { redis.check().await }
    })
}

/// The place of a demo: what is named, or a folder that is removed in the end.
fn stage(database: &mut Database, args: &ServeArgs) -> Result<Option<TempDir>, Failure> {
    if !args.listen.ip().is_loopback() {
        return Err(Failure::Usage(format!(
            "--demo: everybody who reaches {} could look around; listen on e.g. `127.0.0.1:8080`",
            args.listen
        )));
    }
    if database.named {
        return Ok(None);
    }
    let folder = tempfile::Builder::new().prefix("crm-demo-").tempdir();
    let folder = folder
        .map_err(|error| Failure::Failed(format!("--demo: no folder can be made: {error}")))?;
    database.url = DatabaseUrl::Sqlite(folder.path().join("crm.db"));
    Ok(Some(folder))
}

async fn crm(
    database: &Database,
    args: &ServeArgs,
    is_loopback: bool,
    throw_away: Option<&TempDir>,
    redis: Option<&Redis>,
) -> Result<Crm, Failure> {
    let builder = database.builder().await?;
    let keys = keys::read_or_make(database, &args.token)?;
    let mut tokens = keys.tokens.lifetime(args.token_lifetime);
    if let Some(url) = &args.work.public_url {
        tokens = tokens.issuer(url.clone());
    }
    let usual = SignInPolicy::default();
    let by_address =
        if is_loopback { RegistrationPolicy::Open } else { RegistrationPolicy::Closed };
    let policy = SignInPolicy {
        idle: args.sign_in_idle.unwrap_or(usual.idle),
        lasts: args.sign_in_lasts.unwrap_or(usual.lasts),
        fresh: args.sign_in_fresh.unwrap_or(usual.fresh),
        registration: args.registration.unwrap_or(by_address),
        ..usual
    };
    let builder = builder.token_keys(tokens).key_ring(keys.ring).sign_in_policy(policy);
    Ok(work::equip(builder, database, &args.work, throw_away, args.demo, redis).await?.build()?)
}

#[cfg_attr(not(feature = "oidc"), expect(unused_variables, reason = "for providers"))]
fn config(args: &ServeArgs, settings: &Settings) -> Result<Config, Failure> {
    let mut config = Config::default();
    config.body_limit = args.body_limit;
    config.import_limit = args.import_limit;
    config.time_limit = args.time_limit;
    config.realtime_connections = args.max_connections;
    config.public_url.clone_from(&args.work.public_url);
    config.cors_origins = origins(&args.cors_origins);
    config.trusted_proxies.clone_from(&args.trusted_proxies);
    config.proxy_header = args.proxy_header;
    config.per_caller = args.rate_limit.0;
    config.per_address = args.rate_limit_address.0;
    #[cfg(feature = "oidc")]
    {
        let url = args.work.public_url.as_deref();
        config.oidc = crate::program::providers::read(settings, url)?;
    }
    Ok(config)
}

fn origins(named: &[CorsOrigin]) -> Origins {
    let each = named.iter().map(|origin| match origin {
        CorsOrigin::Any => None,
        CorsOrigin::One(origin) => Some(origin.clone()),
    });
    each.collect::<Option<Vec<_>>>().map_or(Origins::Any, Origins::from_iter)
}

/// What tells the server to stop.
pub(crate) struct Signals {
    #[cfg(unix)]
    terminate: tokio::signal::unix::Signal,
    #[cfg(unix)]
    interrupt: tokio::signal::unix::Signal,
}

impl Signals {
    #[cfg(unix)]
    pub(crate) fn listen() -> Result<Self, Failure> {
        use tokio::signal::unix::{SignalKind, signal};
        let failed =
            |error: std::io::Error| Failure::Failed(format!("cannot hear signals: {error}"));
        Ok(Signals {
            terminate: signal(SignalKind::terminate()).map_err(failed)?,
            interrupt: signal(SignalKind::interrupt()).map_err(failed)?,
        })
    }

    #[cfg(unix)]
    pub(crate) async fn next(&mut self) {
        tokio::select! {
            _ = self.terminate.recv() => {}
            _ = self.interrupt.recv() => {}
        }
    }

    #[cfg(not(unix))]
    pub(crate) fn listen() -> Result<Self, Failure> {
        Ok(Signals {})
    }

    #[cfg(not(unix))]
    pub(crate) async fn next(&mut self) {
        tokio::signal::ctrl_c().await.ok();
    }
}

//! What runs jobs: within `serve`, or by itself as `worker`.

use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::Args;
use clap::builder::BoolishValueParser;
use crm_blobs::ObjectBlobs;
use crm_core::telephony::Simulator;
use crm_core::{Crm, CrmBuilder};
use crm_postgres::PostgresBus;
use crm_redis::Redis;
use crm_twilio::{Twilio, TwilioOptions};
use tempfile::TempDir;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

use crate::program::cli::TokenArgs;
use crate::program::database::{Database, DatabaseUrl};
use crate::program::failure::Failure;
use crate::program::output::text_lines;
use crate::program::serve::Signals;
use crate::program::values::{self, LogFormat};
use crate::program::{keys, log};

/// Where recordings are, and how jobs are run.
#[derive(Debug, Args)]
pub(crate) struct WorkArgs {
    /// The URL under which the outside sees the server, e.g. `https://crm.example`: where carriers tell of
    /// calls, and who signs access tokens.
    #[arg(long, value_name = "URL", env = "CRM_PUBLIC_URL", value_parser = values::public_url)]
    pub(crate) public_url: Option<String>,
    /// Where recordings are kept, sealed: a folder, or `s3://BUCKET/PREFIX`, `gs://..`, `az://..`;
    /// `crm.recordings` beside a database in a file, else in the working directory.
    #[arg(long, value_name = "PLACE", env = "CRM_RECORDINGS")]
    pub(crate) recordings: Option<String>,
    /// Redis or Valkey, where several nodes work together, e.g. `rediss://USER:PASSWORD@HOST:6379`: they tell
    /// each other what happens at once, and count limits together. It keeps nothing that cannot be lost.
    #[arg(long, value_name = "URL", env = "CRM_REDIS_URL", hide_env_values = true)]
    pub(crate) redis: Option<String>,
    /// A PostgreSQL through which nodes tell each other what happens, where there is no Redis: the database's
    /// server itself, not a pgbouncer before it.
    #[arg(
        long,
        value_name = "URL",
        env = "CRM_POSTGRES_BUS_URL",
        hide_env_values = true,
        conflicts_with = "redis"
    )]
    pub(crate) postgres_bus: Option<String>,
    /// How many jobs run at once.
    #[arg(long, value_name = "N", env = "CRM_JOBS_AT_ONCE", default_value = "50", value_parser = values::count)]
    pub(crate) jobs_at_once: usize,
    /// How long events can be read, at least an hour, e.g. `30d`. Who follows them and comes back later is told that
    /// some are missing.
    #[arg(long, value_name = "TIME", env = "CRM_EVENTS_KEPT", default_value = "30d", value_parser = values::events_kept)]
    pub(crate) events_kept: Duration,
    /// Lets tenants have accounts with the simulator, a carrier that makes its calls up.
    #[arg(long, env = "CRM_SIMULATOR", value_parser = BoolishValueParser::new())]
    pub(crate) simulator: bool,
    /// Another address of Twilio's API, for tests.
    #[arg(long, value_name = "URL", env = "CRM_TWILIO_URL", hide = true)]
    pub(crate) twilio_url: Option<String>,
}

/// Runs jobs and nothing else.
///
/// Any number of workers share the jobs of a database. `serve` runs one itself, unless it is told not to.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  crm-http worker --database postgres://crm_app@db/crm --keys crm.keys.toml --public-url https://crm.example")]
pub(crate) struct WorkerArgs {
    #[command(flatten)]
    pub(crate) work: WorkArgs,
    #[command(flatten)]
    pub(crate) token: TokenArgs,
    /// How long jobs may go on when the worker is told to stop.
    #[arg(long, value_name = "TIME", env = "CRM_DRAIN_TIMEOUT", default_value = "25s", value_parser = values::duration)]
    pub(crate) drain_timeout: Duration,
    /// How log lines are written, on standard error: `text` or `json`.
    #[arg(long, value_name = "FORMAT", env = "CRM_LOG_FORMAT", default_value = "text")]
    pub(crate) log_format: LogFormat,
    /// Which log lines are written, e.g. `warn`.
    #[arg(long, value_name = "LEVEL", env = "CRM_LOG_LEVEL", default_value = "info", value_parser = log::filter)]
    pub(crate) log_level: String,
}

/// The CRM with its carriers and the place of recordings, which is the folder of a demo where there is one.
pub(crate) async fn equip(
    builder: CrmBuilder,
    database: &Database,
    args: &WorkArgs,
    demo: Option<&TempDir>,
    simulator: bool,
    redis: Option<&Redis>,
) -> Result<CrmBuilder, Failure> {
    let mut options = TwilioOptions::default();
    if let Some(url) = &args.twilio_url {
        options = options.base_url(url.clone());
    }
    let mut builder = builder
        .events_kept(args.events_kept)
        .telephony(Twilio::new(options)?)
        .blobs(recordings(database, args.recordings.as_deref(), demo)?);
    if simulator || args.simulator {
        builder = builder.telephony(Simulator::default());
    }
    if let Some(url) = &args.public_url {
        builder = builder.public_url(url.clone());
    }
    if let Some(url) = &args.postgres_bus {
        let bus = PostgresBus::connect(url, &database.schema).await;
        builder = builder.bus(
            bus.map_err(|error| Failure::Usage(format!("--postgres-bus: {}", error.message())))?,
        );
    }
    if let Some(redis) = redis {
        builder = builder.bus(redis.bus()).presence(redis.presence()).limits(redis.limits());
    }
    Ok(builder)
}

/// The Redis that is named. One that is away is waited for while all else works.
pub(crate) async fn redis(args: &WorkArgs) -> Result<Option<Redis>, Failure> {
    let Some(url) = &args.redis else { return Ok(None) };
    let redis = Redis::connect(url).await;
    let redis = redis.map_err(|error| Failure::Usage(format!("--redis: {}", error.message())))?;
    if let Err(error) = redis.check().await {
        tracing::warn!(%error, "Redis does not answer; it is used once it does");
    }
    Ok(Some(redis))
}

fn recordings(
    database: &Database,
    place: Option<&str>,
    demo: Option<&TempDir>,
) -> Result<ObjectBlobs, Failure> {
    const FOLDER: &str = "crm.recordings";
    let opened = match (place, demo) {
        (Some(url), _) if url.contains("://") => ObjectBlobs::from_url(url),
        (Some(path), _) => ObjectBlobs::folder(path),
        (None, Some(folder)) => ObjectBlobs::folder(folder.path().join(FOLDER)),
        (None, None) => {
            let beside = match &database.url {
                DatabaseUrl::Sqlite(path) => path.parent().unwrap_or(Path::new("")).join(FOLDER),
                DatabaseUrl::Postgres(_) => PathBuf::from(FOLDER),
            };
            ObjectBlobs::folder(beside)
        }
    };
    opened.map_err(|error| Failure::Usage(format!("--recordings: {}", error.message())))
}

/// A worker that runs until it is told to stop.
pub(crate) struct Working {
    stop: oneshot::Sender<()>,
    task: JoinHandle<()>,
}

impl Working {
    pub(crate) fn start(crm: &Crm, at_once: usize, drain: Duration) -> Self {
        let (stop, stopped) = oneshot::channel();
        let worker = crm.worker().at_once(at_once).drain_for(drain);
        let task = tokio::spawn(async move {
            let stopped = async {
                stopped.await.ok();
            };
            worker.run(tokio::time::sleep, stopped).await;
        });
        Working { stop, task }
    }

    /// Lets the jobs that run come to their end.
    pub(crate) async fn stop(self) {
        self.stop.send(()).ok();
        if let Err(error) = self.task.await {
            tracing::error!(%error, "the worker has failed");
        }
    }
}

/// What hears from other nodes, at it.
pub(crate) struct Relaying {
    stop: oneshot::Sender<()>,
    task: JoinHandle<()>,
}

impl Relaying {
    pub(crate) fn start(crm: &Crm) -> Self {
        let (stop, stopped) = oneshot::channel();
        let relay = crm.relay();
        let task = tokio::spawn(async move {
            let stopped = async {
                stopped.await.ok();
            };
            relay.run(tokio::time::sleep, stopped).await;
        });
        Relaying { stop, task }
    }

    pub(crate) async fn stop(self) {
        self.stop.send(()).ok();
        if let Err(error) = self.task.await {
            tracing::error!(%error, "the relay has failed");
        }
    }
}

pub(crate) async fn run(database: Database, args: WorkerArgs) -> Result<(), Failure> {
    log::start(args.log_format, &args.log_level);
    let keys = keys::read_or_make(&database, &args.token)?;
    let builder = database.builder().await?.key_ring(keys.ring);
    let redis = redis(&args.work).await?;
    let crm = equip(builder, &database, &args.work, None, false, redis.as_ref()).await?.build()?;
    let mut signals = Signals::listen()?;
    let working = Working::start(&crm, args.work.jobs_at_once, args.drain_timeout);
    let relaying = Relaying::start(&crm);
    text_lines("working")?;
    signals.next().await;
    tracing::info!("stopping");
    let stopped = async {
        working.stop().await;
        relaying.stop().await;
    };
    tokio::select! {
        () = stopped => Ok(()),
        () = signals.next() => Err(Failure::Interrupted),
    }
}

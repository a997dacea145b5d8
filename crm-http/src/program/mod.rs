//! The program: its command line and its commands.

mod activities;
mod cli;
mod contacts;
mod database;
mod demo;
mod doctor;
mod failure;
mod keys;
mod log;
mod metrics;
mod migrate;
mod output;
mod progress;
#[cfg(feature = "oidc")]
mod providers;
mod seed;
mod serve;
mod serve_args;
mod server;
mod settings;
mod tenancy;
mod users;
mod values;
mod work;

use cli::{Cli, Command, KeysCommand, TenantCommand, UserCommand};
use failure::Failure;

/// Does what the command line says.
pub(crate) fn run() -> Result<(), Failure> {
    let Some((Cli { database, command, .. }, settings)) =
        cli::parse(std::env::args_os().collect())?
    else {
        return Ok(());
    };
    if let Command::Openapi = command {
        return serve::print_openapi();
    }
    let mut runtime = tokio::runtime::Builder::new_multi_thread();
    if !matches!(command, Command::Serve(_) | Command::Worker(_)) {
        // One worker beside this thread: it hears ctrl-C while a batch is planned here.
        runtime.worker_threads(1);
    }
    let runtime = runtime
        .enable_all()
        .build()
        .map_err(|error| Failure::Failed(format!("cannot start: {error}")))?;
    let result = runtime.block_on(async {
        match command {
            Command::Serve(args) => serve::run(database, *args, &settings).await,
            Command::Worker(args) => work::run(database, *args).await,
            Command::Tenant(TenantCommand::Create(args)) => tenancy::create(&database, args).await,
            Command::Tenant(TenantCommand::Invite(args)) => tenancy::invite(&database, args).await,
            Command::User(UserCommand::Reset(args)) => users::reset(&database, args).await,
            Command::Keys(KeysCommand::Rotate(args)) => keys::rotate(&database, &args),
            Command::Import(args) => contacts::import::run(&database, args).await,
            Command::Export(args) => contacts::export::run(&database, args).await,
            Command::Search(args) => contacts::search(&database, args).await,
            Command::Timeline(args) => activities::timeline(&database, args).await,
            Command::Seed(args) => seed::run(&database, args).await,
            Command::Doctor(args) => doctor::run(&database, &args).await,
            Command::Migrate(args) => migrate::run(&database, &args).await,
            Command::Openapi => Ok(()),
        }
    });
    // What hangs in the background must not keep the process.
    runtime.shutdown_timeout(LAST_WORK);
    result
}

/// How long work in the background may go on when all else is done.
const LAST_WORK: std::time::Duration = std::time::Duration::from_secs(1);

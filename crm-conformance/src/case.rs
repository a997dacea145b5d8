//! A case, and how it is defined.

use std::any::Any;
use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};

use futures::future::BoxFuture;

use crate::env::{BlobsEnv, BusEnv, CacheEnv, CarrierEnv, Env, LimitsEnv, PresenceEnv};
use crate::factory::Source;
use crate::harness::Configuration;

/// Something that every adapter of a port must do. Its name stands in parentheses behind the bullet that promises
/// it.
#[derive(Clone, Copy)]
pub struct Case {
    /// The file that it stands in: an entity, or a port.
    pub suite: &'static str,
    /// Its name, unique over all suites.
    pub name: &'static str,
    pub(crate) run: Run,
}

/// What a case does, by what it works with.
#[derive(Clone, Copy)]
pub(crate) enum Run {
    Env(for<'a> fn(&'a Env) -> BoxFuture<'a, ()>),
    BlobsEnv(for<'a> fn(&'a BlobsEnv) -> BoxFuture<'a, ()>),
    CarrierEnv(for<'a> fn(&'a CarrierEnv) -> BoxFuture<'a, ()>),
    BusEnv(for<'a> fn(&'a BusEnv) -> BoxFuture<'a, ()>),
    PresenceEnv(for<'a> fn(&'a PresenceEnv) -> BoxFuture<'a, ()>),
    CacheEnv(for<'a> fn(&'a CacheEnv) -> BoxFuture<'a, ()>),
    LimitsEnv(for<'a> fn(&'a LimitsEnv) -> BoxFuture<'a, ()>),
}

impl Case {
    /// Whether the case is one of the port that the configuration is of.
    pub fn is_for(&self, configuration: &Configuration) -> bool {
        matches!(
            (self.run, &configuration.source),
            (Run::Env(_), Source::Store(_))
                | (Run::BlobsEnv(_), Source::Blobs(_))
                | (Run::CarrierEnv(_), Source::Carrier(_))
                | (Run::BusEnv(_), Source::Bus(_))
                | (Run::PresenceEnv(_), Source::Presence(_))
                | (Run::CacheEnv(_), Source::Cache(_))
                | (Run::LimitsEnv(_), Source::Limits(_))
        )
    }

    /// Runs the case on a fresh adapter.
    ///
    /// # Errors
    ///
    /// What the adapter did wrong, or why there is none of the case's port.
    pub fn run(&self, configuration: &Configuration) -> Result<(), String> {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(2)
            .enable_all()
            .build()
            .map_err(|error| error.to_string())?;
        // Nothing of the environment outlives a panic: each case has its own.
        let run = AssertUnwindSafe(|| {
            runtime.block_on(async {
                let none = |error| format!("nothing to run on: {error:?}");
                match (self.run, &configuration.source) {
                    (Run::Env(run), Source::Store(factory)) => {
                        run(&Env::new(&**factory).await.map_err(none)?).await;
                    }
                    (Run::BlobsEnv(run), Source::Blobs(factory)) => {
                        run(&factory.fresh().await.map_err(none)?).await;
                    }
                    (Run::CarrierEnv(run), Source::Carrier(factory)) => {
                        run(&factory.fresh().await.map_err(none)?).await;
                    }
                    (Run::BusEnv(run), Source::Bus(factory)) => {
                        run(&factory.fresh().await.map_err(none)?).await;
                    }
                    (Run::PresenceEnv(run), Source::Presence(factory)) => {
                        run(&factory.fresh().await.map_err(none)?).await;
                    }
                    (Run::CacheEnv(run), Source::Cache(factory)) => {
                        run(&factory.fresh().await.map_err(none)?).await;
                    }
                    (Run::LimitsEnv(run), Source::Limits(factory)) => {
                        run(&factory.fresh().await.map_err(none)?).await;
                    }
                    _ => return Err(format!("{self:?} is a case of another port")),
                }
                Ok(())
            })
        });
        catch_unwind(run).unwrap_or_else(|panic| Err(words(&*panic)))
    }
}

fn words(panic: &(dyn Any + Send)) -> String {
    panic
        .downcast_ref::<String>()
        .cloned()
        .or_else(|| panic.downcast_ref::<&str>().map(|text| (*text).to_owned()))
        .unwrap_or_else(|| "the case panicked without words".to_owned())
}

impl fmt::Debug for Case {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}::{}", self.suite, self.name)
    }
}

/// Defines the cases of a file and lists them, so that none can be written and not run.
macro_rules! cases {
    ($($(#[$meta:meta])* async fn $name:ident($env:ident: &$kind:ident) $body:block)*) => {
        $($(#[$meta])* async fn $name($env: &crate::env::$kind) $body)*

        pub(crate) const CASES: &[crate::case::Case] = &[$(crate::case::Case {
            suite: module_path!().split_at("crm_conformance::".len()).1,
            name: stringify!($name),
            run: crate::case::Run::$kind(|env| Box::pin($name(env))),
        },)*];
    };
}

/// Declares the files with cases and lists them, so that none can be forgotten.
macro_rules! suites {
    ($($suite:ident),*) => {
        $(mod $suite;)*

        /// Every case.
        pub fn cases() -> impl Iterator<Item = &'static Case> {
            [$($suite::CASES,)*].into_iter().flatten()
        }
    };
}

pub(crate) use {cases, suites};

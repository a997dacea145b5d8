//! The test program of an adapter.

use std::fmt;
use std::process::ExitCode;
use std::sync::Arc;

use libtest_mimic::{Arguments, Failed, Trial};

use crate::cases;
use crate::factory::{BlobsFactory, CarrierFactory, Factory, Source};
use crate::nodes::{BusFactory, CacheFactory, LimitsFactory, PresenceFactory};

/// An adapter in one configuration, e.g. on a file.
#[derive(Clone)]
pub struct Configuration {
    name: &'static str,
    pub(crate) source: Source,
}

impl Configuration {
    /// The configuration `name`, with the stores that `factory` makes.
    pub fn new(name: &'static str, factory: impl Factory) -> Self {
        Configuration { name, source: Source::Store(Arc::new(factory)) }
    }

    /// The configuration `name` of a place for blobs.
    pub fn blobs(name: &'static str, factory: impl BlobsFactory) -> Self {
        Configuration { name, source: Source::Blobs(Arc::new(factory)) }
    }

    /// The configuration `name` of a carrier of calls.
    pub fn carrier(name: &'static str, factory: impl CarrierFactory) -> Self {
        Configuration { name, source: Source::Carrier(Arc::new(factory)) }
    }

    /// The configuration `name` of a bus between nodes.
    pub fn bus(name: &'static str, factory: impl BusFactory) -> Self {
        Configuration { name, source: Source::Bus(Arc::new(factory)) }
    }

    /// The configuration `name` of a presence.
    pub fn presence(name: &'static str, factory: impl PresenceFactory) -> Self {
        Configuration { name, source: Source::Presence(Arc::new(factory)) }
    }

    /// The configuration `name` of a cache.
    pub fn cache(name: &'static str, factory: impl CacheFactory) -> Self {
        Configuration { name, source: Source::Cache(Arc::new(factory)) }
    }

    /// The configuration `name` of limits.
    pub fn limits(name: &'static str, factory: impl LimitsFactory) -> Self {
        Configuration { name, source: Source::Limits(Arc::new(factory)) }
    }
}

impl fmt::Debug for Configuration {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Configuration").field(&self.name).finish()
    }
}

/// Runs every case in every configuration of its port, each as a test of its own named
/// `configuration::suite::case`, with the arguments of `cargo test`; for a test target with
/// `harness = false`. cargo-nextest runs it, too.
pub fn main(configurations: impl IntoIterator<Item = Configuration>) -> ExitCode {
    let mut trials = Vec::new();
    for configuration in configurations {
        trials.extend(cases().filter(|case| case.is_for(&configuration)).map(|case| {
            let name = format!("{}::{}::{}", configuration.name, case.suite, case.name);
            let configuration = configuration.clone();
            Trial::test(name, move || case.run(&configuration).map_err(Failed::from))
        }));
    }
    assert!(!trials.is_empty(), "no configuration, so nothing would be proved");
    libtest_mimic::run(&Arguments::from_args(), trials).exit_code()
}

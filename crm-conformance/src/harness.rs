//! The test program of an adapter.

use std::fmt;
use std::process::ExitCode;
use std::sync::Arc;

use libtest_mimic::{Arguments, Failed, Trial};

use crate::cases;
use crate::factory::Factory;

/// An adapter in one configuration, e.g. on a file.
#[derive(Clone)]
pub struct Configuration {
    name: &'static str,
    factory: Arc<dyn Factory>,
}

impl Configuration {
    /// The configuration `name`, with the stores that `factory` makes.
    pub fn new(name: &'static str, factory: impl Factory) -> Self {
        Configuration { name, factory: Arc::new(factory) }
    }
}

impl fmt::Debug for Configuration {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Configuration").field(&self.name).finish()
    }
}

/// Runs every case in every configuration, each as a test of its own named
/// `configuration::suite::case`, with the arguments of `cargo test`; for a test target with
/// `harness = false`. cargo-nextest runs it, too.
pub fn main(configurations: impl IntoIterator<Item = Configuration>) -> ExitCode {
    let mut trials = Vec::new();
    for Configuration { name, factory } in configurations {
        trials.extend(cases().map(|case| {
            let factory = Arc::clone(&factory);
            let run = move || case.run(&*factory).map_err(Failed::from);
            Trial::test(format!("{name}::{}::{}", case.suite, case.name), run)
        }));
    }
    assert!(!trials.is_empty(), "no configuration, so nothing would be proved");
    libtest_mimic::run(&Arguments::from_args(), trials).exit_code()
}

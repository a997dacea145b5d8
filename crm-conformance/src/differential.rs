//! Random commands on two stores that must answer alike.

mod command;
mod run;

use std::fmt;

use proptest::collection::vec;
use proptest::test_runner::{Config, RngAlgorithm, TestCaseError, TestError, TestRng, TestRunner};

use self::command::{Command, commands};
use crate::factory::Factory;

/// Where two stores part: the shortest list of commands that was found, and both answers.
#[derive(Debug, Clone)]
pub struct Divergence {
    /// The commands, the last of which was answered differently, or left different records.
    pub commands: Vec<String>,
    /// Both answers.
    pub answers: String,
}

impl fmt::Display for Divergence {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, command) in self.commands.iter().enumerate() {
            writeln!(f, "{at:3}. {command}")?;
        }
        f.write_str(&self.answers)
    }
}

impl std::error::Error for Divergence {}

/// Runs `cases` random lists of up to 60 commands on a store of each factory, over three tenants,
/// with one clock and one randomness, so that even the ids must be equal.
///
/// After each command the answers are compared (records, or the kind of error and the holder that
/// it names), halfway and at the end everything that each tenant has: users,
/// credentials, companies, contacts in every order,
/// timelines, audit, events with their order and data, statistics and searches. The same `seed` makes
/// the same commands.
///
/// # Errors
///
/// The first [`Divergence`], shortened as far as it goes.
pub fn differential(
    reference: &dyn Factory,
    subject: &dyn Factory,
    cases: u32,
    seed: u64,
) -> Result<(), Divergence> {
    let config =
        Config { cases, failure_persistence: None, max_shrink_iters: 200, ..Config::default() };
    let mut bytes = [0; 32];
    bytes[..8].copy_from_slice(&seed.to_le_bytes());
    let rng = TestRng::from_seed(RngAlgorithm::ChaCha, &bytes);
    let mut runner = TestRunner::new_with_rng(config, rng);
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| Divergence { commands: Vec::new(), answers: error.to_string() })?;
    let outcome = runner.run(&vec(commands(), 1..60), |commands| {
        runtime.block_on(run::compare(reference, subject, &commands)).map_err(TestCaseError::fail)
    });
    outcome.map_err(|error| match error {
        TestError::Fail(reason, commands) => Divergence {
            commands: commands.iter().map(Command::to_string).collect(),
            answers: reason.message().to_owned(),
        },
        TestError::Abort(reason) => {
            Divergence { commands: Vec::new(), answers: reason.message().to_owned() }
        }
    })
}

//! SQLite proves what every store must, on a file and in memory.

mod stores;

use crm_conformance::Configuration;
use crm_sqlite::Options;
use stores::{InMemory, OnFile};

fn main() -> std::process::ExitCode {
    crm_conformance::main([
        Configuration::new("file", OnFile(Options::default())),
        Configuration::new("ungrouped", OnFile(Options::default().group_commit(false))),
        Configuration::new("memory", InMemory),
    ])
}

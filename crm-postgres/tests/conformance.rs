//! PostgreSQL proves what every store must: direct, through pgbouncer, on a host's pool.

mod stores;
mod support;

use crm_conformance::Configuration;
use crm_postgres::Options;
use stores::{Direct, Hosted, Pooled};

fn main() -> std::process::ExitCode {
    crm_conformance::main([
        Configuration::new("direct", Direct(Options::default())),
        Configuration::new("pgbouncer", Pooled),
        Configuration::new("hosted", Hosted),
    ])
}

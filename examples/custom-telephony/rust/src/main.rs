//! Calls over a switchboard, at the speed of life.

use std::sync::Arc;
use std::time::Duration;

use crm_core::ports::SystemClock;
use crm_core::{Crm, Result};
use crm_sqlite::SqliteStore;
use custom_telephony::{Carrier, Switchboard, call_ada};

#[tokio::main]
#[allow(clippy::print_stdout, reason = "what the program is for")]
async fn main() -> Result<()> {
    let switchboard = Arc::new(Switchboard::new(SystemClock));
    let store = SqliteStore::open_in_memory().await?;
    let crm = Crm::builder(store).telephony(Carrier(switchboard)).build()?;
    call_ada(
        &crm,
        async || tokio::time::sleep(Duration::from_secs(1)).await,
        |line| println!("{line}"),
    )
    .await
}

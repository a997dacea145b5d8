//! What the core brings proves what every adapter must: the store and the blobs in memory, the simulated
//! carrier, and the presence and the limits of one process.

#![allow(clippy::unwrap_used, reason = "tests")]

use std::sync::Arc;

use async_trait::async_trait;
use crm_conformance::{
    BlobsFactory, CarrierFactory, Configuration, Factory, Fresh, FreshBlobs, FreshCarrier,
    FreshLimits, FreshPresence, LimitsFactory, PresenceFactory, TestClock,
};
use crm_core::blobs::MemoryBlobs;
use crm_core::memory::MemoryStore;
use crm_core::ports::{Limits, LocalLimits, LocalPresence, Presence};
use crm_core::telephony::{CarrierAccount, CarrierSecrets, Simulator};
use crm_core::{PhoneNumber, Result};

struct InMemory;

#[async_trait]
impl Factory for InMemory {
    async fn fresh(&self) -> Result<Fresh> {
        Ok(Fresh::new(MemoryStore::default()))
    }
}

#[async_trait]
impl BlobsFactory for InMemory {
    async fn fresh(&self) -> Result<FreshBlobs> {
        Ok(FreshBlobs::new(MemoryBlobs::default()))
    }
}

#[async_trait]
impl PresenceFactory for InMemory {
    async fn fresh(&self) -> Result<FreshPresence> {
        let one: Arc<dyn Presence> = Arc::new(LocalPresence::default());
        Ok(FreshPresence::new([Arc::clone(&one), one]))
    }
}

#[async_trait]
impl LimitsFactory for InMemory {
    async fn fresh(&self) -> Result<FreshLimits> {
        let one: Arc<dyn Limits> = Arc::new(LocalLimits::default());
        Ok(FreshLimits::new([Arc::clone(&one), one]))
    }
}

/// The simulator as it is, or as it makes life hard.
struct Simulated {
    hard: bool,
}

#[async_trait]
impl CarrierFactory for Simulated {
    async fn fresh(&self) -> Result<FreshCarrier> {
        let clock = TestClock::default();
        let simulator = Simulator::new(clock.clone());
        let simulator = if self.hard { simulator.out_of_order(7).twice() } else { simulator };
        let secrets = CarrierSecrets { auth_tokens: vec!["token".into()], api_key: None };
        let account = CarrierAccount::new("simulated", secrets);
        let number = |text| PhoneNumber::from_e164(text).unwrap();
        let (own, answers) = (number("+14255550199"), number("+14255550150"));
        Ok(FreshCarrier::new(simulator, clock, account, own, answers))
    }
}

fn main() -> std::process::ExitCode {
    crm_conformance::main([
        Configuration::new("memory", InMemory),
        Configuration::blobs("memory", InMemory),
        Configuration::presence("memory", InMemory),
        Configuration::limits("memory", InMemory),
        Configuration::carrier("simulator", Simulated { hard: false }),
        Configuration::carrier("hard_simulator", Simulated { hard: true }),
    ])
}

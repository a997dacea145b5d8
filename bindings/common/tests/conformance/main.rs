//! Ports over a host's objects prove what every adapter must.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::unreachable,
    clippy::indexing_slicing,
    clippy::wildcard_enum_match_arm,
    dead_code,
    unreachable_pub,
    reason = "tests, which share their hosts"
)]

#[path = "../hosts/mod.rs"]
mod hosts;

use std::sync::Arc;

use async_trait::async_trait;
use crm_conformance::{
    BlobsFactory, BusFactory, CarrierFactory, Configuration, FreshBlobs, FreshBus, FreshCarrier,
};
use crm_core::ports::EventBus;
use crm_core::telephony::{CarrierAccount, CarrierSecrets};
use crm_core::{PhoneNumber, Result};
use crm_embed::ports::{HostBlobs, HostBus, HostTelephony, TimeLimits};
use tokio::runtime::Handle;

use hosts::blobs::HostedBlobs;
use hosts::bus::Channel;
use hosts::carrier::HostedCarrier;

struct Hosted {
    hard: bool,
}

#[async_trait]
impl CarrierFactory for Hosted {
    async fn fresh(&self) -> Result<FreshCarrier> {
        let hard = self.hard;
        let host =
            HostedCarrier::new(
                |simulator| {
                    if hard { simulator.out_of_order(7).twice() } else { simulator }
                },
            );
        let clock = host.clock.clone();
        let carrier = HostTelephony::new("hosted", Arc::new(host), TimeLimits::default())?;
        let secrets = CarrierSecrets { auth_tokens: vec!["token".into()], api_key: None };
        let account = CarrierAccount::new("hosted", secrets).option("edge", "Dublin");
        let number = |text| PhoneNumber::from_e164(text).unwrap();
        let (own, answers) = (number("+14255550199"), number("+14255550150"));
        Ok(FreshCarrier::new(carrier, clock, account, own, answers))
    }
}

#[async_trait]
impl BlobsFactory for Hosted {
    async fn fresh(&self) -> Result<FreshBlobs> {
        let host = Arc::new(HostedBlobs::default());
        Ok(FreshBlobs::new(HostBlobs::new(host, TimeLimits::default())?))
    }
}

#[async_trait]
impl BusFactory for Hosted {
    async fn fresh(&self) -> Result<FreshBus> {
        let channel = Channel::default();
        let node = || {
            let host = Arc::new(channel.clone());
            let bus = HostBus::new(host, TimeLimits::default(), &Handle::current())?;
            Ok::<_, crm_core::Error>(Arc::new(bus) as Arc<dyn EventBus>)
        };
        Ok(FreshBus::new([node()?, node()?], channel.clone()))
    }
}

fn main() -> std::process::ExitCode {
    crm_conformance::main([
        Configuration::carrier("host", Hosted { hard: false }),
        Configuration::carrier("hard_host", Hosted { hard: true }),
        Configuration::blobs("host", Hosted { hard: false }),
        Configuration::bus("host", Hosted { hard: false }),
    ])
}

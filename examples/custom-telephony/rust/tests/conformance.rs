//! The carrier proves what every carrier must.

#![allow(clippy::unwrap_used, reason = "tests")]

use std::sync::Arc;

use async_trait::async_trait;
use crm_conformance::{CarrierFactory, Configuration, FreshCarrier, TestClock};
use crm_core::telephony::{CarrierAccount, CarrierSecrets};
use crm_core::{PhoneNumber, Result};
use custom_telephony::{Carrier, Switchboard};

struct Fresh;

#[async_trait]
impl CarrierFactory for Fresh {
    async fn fresh(&self) -> Result<FreshCarrier> {
        let clock = TestClock::default();
        let carrier = Carrier(Arc::new(Switchboard::new(clock.clone())));
        let secrets = CarrierSecrets { auth_tokens: vec!["token".into()], api_key: None };
        let account = CarrierAccount::new("proven", secrets);
        let number = |text| PhoneNumber::from_e164(text).unwrap();
        let (own, answers) = (number("+14255550199"), number("+14255550150"));
        Ok(FreshCarrier::new(carrier, clock, account, own, answers))
    }
}

fn main() -> std::process::ExitCode {
    crm_conformance::main([Configuration::carrier("switchboard", Fresh)])
}

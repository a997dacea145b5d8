//! The conformance suite of telephony over a carrier that a host has written, for a binding's own tests.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use crm_conformance::{CarrierFactory, Configuration, FreshCarrier, Passing};
use crm_core::telephony::{CarrierAccount, CarrierSecrets};
use crm_core::{Error, PhoneNumber, Result, Timestamp};

use super::door::Door;
use super::{Host, HostTelephony, TimeLimits};

/// The provider's name in the suite.
const PROVIDER: &str = "proven";

/// What came of one case.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Proof {
    /// The case.
    pub case: &'static str,
    /// What the carrier did wrong; `None` where it is right.
    pub wrong: Option<String>,
}

/// Runs every case of the suite, one after the other, each on a carrier of its own that `fresh` makes.
///
/// Beside what telephony needs, the carrier has two methods for its time: `now()`, which is not asynchronous,
/// answers it, and `pass_time(seconds)` lets time pass. It knows the account `proven` with the token `token` and
/// the number `+14255550199`. Who is called at `+14255550150` answers within a minute, and talks for 2 to 60
/// seconds.
///
/// # Errors
///
/// `internal` when the cases cannot be run. What a carrier does wrong is a [`Proof`].
pub async fn prove_telephony(
    fresh: impl Fn() -> Result<Arc<dyn Host>> + Send + Sync + 'static,
) -> Result<Vec<Proof>> {
    let carriers = Configuration::carrier(PROVIDER, Carriers(fresh));
    // Each case brings a runtime of its own.
    let run = tokio::task::spawn_blocking(move || {
        let cases = crm_conformance::cases().filter(|case| case.is_for(&carriers));
        cases.map(|case| Proof { case: case.name, wrong: case.run(&carriers).err() }).collect()
    });
    run.await.map_err(Error::internal)
}

struct Carriers<F>(F);

#[async_trait]
impl<F: Fn() -> Result<Arc<dyn Host>> + Send + Sync + 'static> CarrierFactory for Carriers<F> {
    async fn fresh(&self) -> Result<FreshCarrier> {
        let host = (self.0)()?;
        let limits = TimeLimits::default();
        let time = Door::new(Arc::clone(&host), "telephony", limits, &["now", "pass_time"])?;
        let carrier = HostTelephony::new(PROVIDER, host, limits)?;
        let secrets = CarrierSecrets { auth_tokens: vec!["token".into()], api_key: None };
        let account = CarrierAccount::new(PROVIDER, secrets);
        let number =
            |text| PhoneNumber::from_e164(text).ok_or_else(|| Error::internal(format!("`{text}`")));
        let (own, answers) = (number("+14255550199")?, number("+14255550150")?);
        Ok(FreshCarrier::new(carrier, HostTime(time), account, own, answers))
    }
}

/// The time of a carrier.
struct HostTime(Door);

#[async_trait]
impl Passing for HostTime {
    #[allow(clippy::panic, reason = "a case fails by panicking")]
    fn now(&self) -> Timestamp {
        let now = self.0.call_now("now", Vec::new()).map_err(Error::from);
        now.and_then(|now| now.time()).unwrap_or_else(|error| panic!("{error:?}"))
    }

    #[allow(clippy::panic, reason = "a case fails by panicking")]
    async fn pass(&self, time: Duration) {
        let seconds = u32::try_from(time.as_secs()).unwrap_or(u32::MAX);
        let passed = self.0.call("pass_time", vec![("seconds", seconds.into())]).await;
        if let Err(failed) = passed {
            panic!("{:?}", failed.error);
        }
    }
}

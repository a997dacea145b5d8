//! Ports that a host writes in its own language, each implemented here over one trait, [`Host`].
//!
//! What host authors write is in `docs/ports.md`: every method, its arguments, what it answers and what it
//! raises. [`METHODS`] lists the same for programs, and [`answers`] the shapes of what is answered, as JSON
//! Schema.
//!
//! - Each call has a time limit ([`TimeLimits`]); a host that does not keep it is `unavailable`.
//! - What a host raises is the source of the error that comes of it; [`raised`] finds the very object again. An
//!   error of the CRM's that it raises keeps its code; anything else is `internal`, or `unavailable` where it may
//!   be tried again.
//! - A wrong answer is `internal`, and says which method gave it and at which field.

mod answer;
mod blobs;
mod bus;
mod channel;
mod clock;
mod contract;
mod door;
mod host;
#[cfg(feature = "conformance")]
mod prove;
mod telephony;
mod value;

use std::sync::Arc;
use std::time::Duration;

use crm_core::{CrmBuilder, Result};
use tokio::runtime::Handle;
use tokio::task::AbortHandle;

pub use blobs::HostBlobs;
pub use bus::HostBus;
pub use channel::HostChannel;
pub use clock::HostClock;
pub use contract::{METHODS, Method, answers, contract};
pub use host::{Host, HostError, camel_case, raised, within};
#[cfg(feature = "conformance")]
pub use prove::{Proof, prove_telephony};
pub use telephony::HostTelephony;
pub use value::{Arguments, HostStream, HostValue};

/// The largest whole number that every language has, 2^53 - 1.
const LARGEST: i64 = (1 << 53) - 1;

/// How long a host's methods may take.
#[derive(Debug, Clone, Copy)]
pub struct TimeLimits {
    /// A call that is awaited, and the next piece of what is read or written: 30 seconds.
    pub call: Duration,
    /// A call that a thread waits for, such as `verify` of telephony: 5 seconds.
    pub call_now: Duration,
    /// The clock: 1 second.
    pub clock: Duration,
}

impl Default for TimeLimits {
    fn default() -> Self {
        let seconds = Duration::from_secs;
        TimeLimits { call: seconds(30), call_now: seconds(5), clock: seconds(1) }
    }
}

/// A host's objects, by their port.
#[derive(Default)]
pub struct Hosts {
    /// Carriers of calls, by the name of the provider: 1 to 32 of `a-z0-9_`.
    pub telephony: Vec<(String, Arc<dyn Host>)>,
    /// The bus between nodes.
    pub bus: Option<Arc<dyn Host>>,
    /// The place of recordings.
    pub blobs: Option<Arc<dyn Host>>,
    /// The clock.
    pub clock: Option<Arc<dyn Host>>,
    /// Channels of notifications, by their names: 1 to 64 of `a-z0-9_`, and not `in_app`.
    pub channels: Vec<(String, Arc<dyn Host>)>,
    /// How long their methods may take.
    pub limits: TimeLimits,
}

/// The ports that a host has written.
#[derive(Debug, Default)]
#[must_use]
pub struct Ports {
    telephony: Vec<HostTelephony>,
    bus: Option<HostBus>,
    blobs: Option<HostBlobs>,
    clock: Option<HostClock>,
    channels: Vec<HostChannel>,
}

impl Ports {
    /// Looks whether every object can be what it shall be. The bus is listened to on `runtime` from now on.
    ///
    /// # Errors
    ///
    /// `invalid` for a name that cannot be, or methods that are missing; what came of asking the clock.
    pub fn new(hosts: Hosts, runtime: &Handle) -> Result<Self> {
        let limits = hosts.limits;
        let telephony = hosts.telephony.into_iter();
        let channels = hosts.channels.into_iter();
        Ok(Ports {
            telephony: telephony
                .map(|(name, host)| HostTelephony::new(&name, host, limits))
                .collect::<Result<_>>()?,
            blobs: hosts.blobs.map(|host| HostBlobs::new(host, limits)).transpose()?,
            clock: hosts.clock.map(|host| HostClock::new(host, limits)).transpose()?,
            channels: channels
                .map(|(name, host)| HostChannel::new(name, host, limits))
                .collect::<Result<_>>()?,
            bus: hosts.bus.map(|host| HostBus::new(host, limits, runtime)).transpose()?,
        })
    }

    /// What ends the bus before the last who holds the CRM has let it go.
    pub fn ends(&self) -> Vec<AbortHandle> {
        self.bus.iter().flat_map(HostBus::ends).collect()
    }

    /// Gives them to a CRM that is being built.
    pub fn equip(self, mut builder: CrmBuilder) -> CrmBuilder {
        for telephony in self.telephony {
            builder = builder.telephony(telephony);
        }
        for channel in self.channels {
            builder = builder.notification_channel(channel);
        }
        if let Some(bus) = self.bus {
            builder = builder.bus(bus);
        }
        if let Some(blobs) = self.blobs {
            builder = builder.blobs(blobs);
        }
        if let Some(clock) = self.clock {
            builder = builder.clock(clock);
        }
        builder
    }
}

impl std::fmt::Debug for Hosts {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Hosts").field("limits", &self.limits).finish_non_exhaustive()
    }
}

/// Whether this is 1 to `longest` of `a-z0-9_`.
fn is_name(name: &str, longest: usize) -> bool {
    let allowed = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_';
    (1..=longest).contains(&name.len()) && name.bytes().all(allowed)
}

//! What every adapter of a port of [`crm_core`] must prove: stores, places for blobs, carriers of calls,
//! and what nodes share: a bus, presence, a cache, limits.
//!
//! Each bullet under `# Behavior` in the docs of [`crm_core::ports`], [`crm_core::blobs`],
//! [`crm_core::telephony`], [`crm_core::presence`] and [`crm_core::cache`] names a case of this crate. An adapter runs them all from a test target without a harness:
//!
//! ```no_run
//! # // tests/conformance.rs, with `harness = false` in Cargo.toml
//! use crm_conformance::{Configuration, Factory, Fresh};
//! # use crm_core::memory::MemoryStore;
//!
//! struct InMemory;
//!
//! #[async_trait::async_trait]
//! impl Factory for InMemory {
//!     async fn fresh(&self) -> crm_core::Result<Fresh> {
//!         Ok(Fresh::new(MemoryStore::default()))
//!     }
//! }
//!
//! fn main() -> std::process::ExitCode {
//!     crm_conformance::main([Configuration::new("memory", InMemory)])
//! }
//! ```
//!
//! [`Configuration::blobs`], [`Configuration::carrier`], [`Configuration::bus`] and so on do the same for the
//! other ports; a [`Proxy`] cuts an adapter off from its server.
//! [`differential`] compares a store with the one in memory over random commands; [`TestClock`],
//! [`SeededRandomness`] and [`FaultyStore`] serve an adapter's own tests.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a case fails by panicking"
)]

mod case;
mod clock;
mod differential;
mod env;
mod factory;
mod faulty;
mod harness;
pub mod killed_workers;
mod namesake;
mod nodes;
mod proxy;
mod snapshot;

pub use case::Case;
pub use clock::{SeededRandomness, TestClock};
pub use differential::{Divergence, differential};
pub use factory::{
    BlobsFactory, CarrierFactory, Factory, Fresh, FreshBlobs, FreshCarrier, Passing,
};
pub use faulty::FaultyStore;
pub use harness::{Configuration, main};
pub use nodes::{
    BusFactory, CacheFactory, FreshBus, FreshCache, FreshLimits, FreshPresence, LimitsFactory,
    Outage, PresenceFactory, RealTime,
};
pub use proxy::Proxy;

case::suites! { tenancy, identity, companies, contacts, search, activities, calls, telephony, jobs, notifications, privacy, events, audit, idempotency, changes, blobs, carriers, bus, presence, cache, limits }

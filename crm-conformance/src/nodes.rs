//! Where the adapters of the ports that nodes share come from. The adapters of two nodes may be one and the
//! same, where all nodes are in one process.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use crm_core::Result;
use crm_core::ports::{Cache, EventBus, Limits, Presence};

use crate::env::{BusEnv, CacheEnv, LimitsEnv, PresenceEnv};
use crate::factory::Passing;

/// How nodes are cut off from what they share.
#[async_trait]
pub trait Outage: Send + Sync + 'static {
    /// Ends every connection, and lets none be made.
    async fn begin(&self);

    /// Lets connections be made again.
    async fn end(&self);
}

/// Time of the machine, for adapters whose server has a clock of its own.
#[derive(Debug, Clone, Copy, Default)]
pub struct RealTime;

#[async_trait]
impl Passing for RealTime {
    fn now(&self) -> crm_core::Timestamp {
        crm_core::ports::Clock::now(&crm_core::ports::SystemClock)
    }

    async fn pass(&self, time: Duration) {
        tokio::time::sleep(time).await;
    }
}

/// Makes the nodes on a bus of one configuration of an adapter.
#[async_trait]
pub trait BusFactory: Send + Sync + 'static {
    /// Two nodes that hear each other within some seconds, on a bus that nobody else tells anything.
    ///
    /// # Errors
    ///
    /// Why there are none; the cases then fail.
    async fn fresh(&self) -> Result<FreshBus>;
}

/// Two nodes on a bus, and how they are cut off from it.
pub type FreshBus = BusEnv;

impl BusEnv {
    /// Two nodes, both cut off by `outage`.
    pub fn new(nodes: [Arc<dyn EventBus>; 2], outage: impl Outage) -> Self {
        BusEnv { nodes, outage: Arc::new(outage), _keep: Box::new(()) }
    }
}

/// Makes the presences of one configuration of an adapter.
#[async_trait]
pub trait PresenceFactory: Send + Sync + 'static {
    /// Two nodes' sights of where nobody is.
    ///
    /// # Errors
    ///
    /// Why there are none; the cases then fail.
    async fn fresh(&self) -> Result<FreshPresence>;
}

/// Who is connected, as two nodes see it.
pub type FreshPresence = PresenceEnv;

impl PresenceEnv {
    /// The same, as two nodes see it.
    pub fn new(nodes: [Arc<dyn Presence>; 2]) -> Self {
        PresenceEnv { nodes, _keep: Box::new(()) }
    }
}

/// Makes the caches of one configuration of an adapter.
#[async_trait]
pub trait CacheFactory: Send + Sync + 'static {
    /// Two nodes' sights of an empty cache.
    ///
    /// # Errors
    ///
    /// Why there are none; the cases then fail.
    async fn fresh(&self) -> Result<FreshCache>;
}

/// A cache as two nodes see it, and how its time passes.
pub type FreshCache = CacheEnv;

impl CacheEnv {
    /// A cache as two nodes see it, whose time is `time`.
    pub fn new(nodes: [Arc<dyn Cache>; 2], time: impl Passing) -> Self {
        CacheEnv { nodes, time: Arc::new(time), _keep: Box::new(()) }
    }
}

/// Makes the limits of one configuration of an adapter.
#[async_trait]
pub trait LimitsFactory: Send + Sync + 'static {
    /// Two nodes' sights of limits that nothing has been taken of.
    ///
    /// # Errors
    ///
    /// Why there are none; the cases then fail.
    async fn fresh(&self) -> Result<FreshLimits>;
}

/// Limits that two nodes count for.
pub type FreshLimits = LimitsEnv;

impl LimitsEnv {
    /// Limits that two nodes count for.
    pub fn new(nodes: [Arc<dyn Limits>; 2]) -> Self {
        LimitsEnv { nodes, _keep: Box::new(()) }
    }
}

/// What is the same for each of them.
macro_rules! kept {
    ($($env:ident is $name:literal),*) => {$(
        impl $env {
            /// The same, with something that is dropped after the nodes, e.g. a server.
            #[must_use]
            pub fn keeping(mut self, keep: impl std::any::Any + Send + Sync) -> Self {
                self._keep = Box::new(keep);
                self
            }
        }

        impl fmt::Debug for $env {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.debug_struct($name).finish_non_exhaustive()
            }
        }
    )*};
}

kept! {
    BusEnv is "FreshBus",
    PresenceEnv is "FreshPresence",
    CacheEnv is "FreshCache",
    LimitsEnv is "FreshLimits"
}

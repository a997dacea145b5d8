//! Where the adapters under test come from.

use std::any::Any;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use crm_core::blobs::Blobs;
use crm_core::ports::{Clock, Store};
use crm_core::telephony::{CarrierAccount, Telephony};
use crm_core::{PhoneNumber, Result, Timestamp};

use crate::clock::TestClock;
use crate::env::{BlobsEnv, CarrierEnv};
use crate::nodes::{BusFactory, CacheFactory, LimitsFactory, PresenceFactory};

/// Makes the stores of one configuration of an adapter.
#[async_trait]
pub trait Factory: Send + Sync + 'static {
    /// A store without a tenant, which nothing else uses.
    ///
    /// # Errors
    ///
    /// Why there is none; the cases then fail, for a suite without a backend has proved nothing.
    async fn fresh(&self) -> Result<Fresh>;
}

/// A store without a tenant, and what it needs as long as it is used, e.g. its folder.
pub struct Fresh {
    pub(crate) store: Arc<dyn Store>,
    pub(crate) keep: Box<dyn Any + Send + Sync>,
}

impl Fresh {
    /// A store that needs nothing else.
    pub fn new(store: impl Store) -> Self {
        Fresh { store: Arc::new(store), keep: Box::new(()) }
    }

    /// The same, with something that is dropped after the store, e.g. a temporary folder.
    #[must_use]
    pub fn keeping(mut self, keep: impl Any + Send + Sync) -> Self {
        self.keep = Box::new(keep);
        self
    }
}

impl fmt::Debug for Fresh {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Fresh").finish_non_exhaustive()
    }
}

/// Makes the places for blobs of one configuration of an adapter.
#[async_trait]
pub trait BlobsFactory: Send + Sync + 'static {
    /// An empty place, which nothing else uses.
    ///
    /// # Errors
    ///
    /// Why there is none; the cases then fail.
    async fn fresh(&self) -> Result<FreshBlobs>;
}

/// An empty place for blobs, and what it needs as long as it is used.
pub type FreshBlobs = BlobsEnv;

impl BlobsEnv {
    /// A place that needs nothing else.
    pub fn new(blobs: impl Blobs) -> Self {
        BlobsEnv { blobs: Arc::new(blobs), _keep: Box::new(()) }
    }

    /// The same, with something that is dropped after the place, e.g. a temporary folder.
    #[must_use]
    pub fn keeping(mut self, keep: impl Any + Send + Sync) -> Self {
        self._keep = Box::new(keep);
        self
    }
}

impl fmt::Debug for BlobsEnv {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FreshBlobs").finish_non_exhaustive()
    }
}

/// Makes the carriers of one configuration of an adapter.
#[async_trait]
pub trait CarrierFactory: Send + Sync + 'static {
    /// A carrier without calls, which nothing else uses.
    ///
    /// # Errors
    ///
    /// Why there is none; the cases then fail.
    async fn fresh(&self) -> Result<FreshCarrier>;
}

/// A carrier, an account with it, and how its time passes.
pub type FreshCarrier = CarrierEnv;

impl CarrierEnv {
    /// A carrier whose time is `time`, an account with it that has one token, one of the account's numbers,
    /// and the number of somebody who answers within a minute and talks for 2 to 60 seconds.
    pub fn new(
        carrier: impl Telephony,
        time: impl Passing,
        account: CarrierAccount,
        number: PhoneNumber,
        answers: PhoneNumber,
    ) -> Self {
        let (carrier, time) = (Arc::new(carrier), Arc::new(time));
        CarrierEnv { carrier, time, account, number, answers, _keep: Box::new(()) }
    }

    /// The same, with something that is dropped after the carrier, e.g. a server.
    #[must_use]
    pub fn keeping(mut self, keep: impl Any + Send + Sync) -> Self {
        self._keep = Box::new(keep);
        self
    }
}

impl fmt::Debug for CarrierEnv {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FreshCarrier").finish_non_exhaustive()
    }
}

/// Time that a case lets pass.
#[async_trait]
pub trait Passing: Send + Sync + 'static {
    /// The present moment.
    fn now(&self) -> Timestamp;

    /// Lets this much time pass.
    async fn pass(&self, time: Duration);
}

#[async_trait]
impl Passing for TestClock {
    fn now(&self) -> Timestamp {
        Clock::now(self)
    }

    async fn pass(&self, time: Duration) {
        self.advance_micros(i64::try_from(time.as_micros()).unwrap_or(i64::MAX));
    }
}

/// Where the adapters of a configuration come from, by their port.
#[derive(Clone)]
pub(crate) enum Source {
    Store(Arc<dyn Factory>),
    Blobs(Arc<dyn BlobsFactory>),
    Carrier(Arc<dyn CarrierFactory>),
    Bus(Arc<dyn BusFactory>),
    Presence(Arc<dyn PresenceFactory>),
    Cache(Arc<dyn CacheFactory>),
    Limits(Arc<dyn LimitsFactory>),
}

//! Where the stores under test come from.

use std::any::Any;
use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;
use crm_core::Result;
use crm_core::ports::Store;

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

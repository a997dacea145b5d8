//! The proof of being within one tenant.

/// One tenant, as the core has authorized it.
#[derive(Debug)]
pub struct TenantScope(());

impl TenantScope {
    /// A scope for the benches.
    #[doc(hidden)]
    pub fn placeholder() -> Self {
        TenantScope(())
    }
}

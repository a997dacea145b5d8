//! A store in memory: plain maps behind one lock, nothing kept after the last clone is dropped.
//!
//! It is written to be obviously right rather than fast: it derives what a record is found by from
//! the record itself, and answers most lists by looking at every record. That makes it the oracle
//! that other stores are compared with, and a store for a host's unit tests.

mod activities;
mod audit;
mod calls;
mod companies;
mod contacts;
mod events;
mod forward;
mod idempotency;
mod identity;
mod jobs;
mod notifications;
mod search;
mod tenancy;
mod tenant;

use std::collections::BTreeMap;
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use async_trait::async_trait;

use self::tenant::{Before, TenantData};
use crate::changes::{Changes, Write};
use crate::crm::Crm;
use crate::error::{Error, Result};
use crate::id::TenantId;
use crate::jobs::LeaseUse;
use crate::ports::Store;
use crate::session::Session;
use crate::tenancy::NewTenant;

/// A [`Store`] in memory. Clones share one store.
///
/// ```
/// # use crm_core::{Crm, Page, contacts::NewContact, memory::MemoryStore, tenancy::NewTenant};
/// # tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(async {
/// let crm = Crm::builder(MemoryStore::default()).build()?;
/// let system = crm.system("set up a test")?;
/// let (tenant, _owner) = system
///     .create_tenant(NewTenant {
///         name: "Acme GmbH".into(),
///         slug: None,
///         default_region: "DE".parse()?,
///         owner_email: "owner@acme.example".into(),
///         owner_name: None,
///     })
///     .await?;
/// let session = system.session(tenant.id).await?;
/// let ada = session.contacts().create(NewContact::named("Ada", "Lovelace")).await?;
/// assert_eq!(session.contacts().get(ada.id).await?, ada);
/// # Ok::<(), crm_core::Error>(()) }).unwrap();
/// ```
#[derive(Debug, Clone, Default)]
pub struct MemoryStore {
    tenants: Arc<RwLock<BTreeMap<TenantId, TenantData>>>,
}

impl MemoryStore {
    fn read(&self) -> RwLockReadGuard<'_, BTreeMap<TenantId, TenantData>> {
        self.tenants.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self) -> RwLockWriteGuard<'_, BTreeMap<TenantId, TenantData>> {
        self.tenants.write().unwrap_or_else(PoisonError::into_inner)
    }

    /// What `read` says of the tenant's data; its default where there is no such tenant.
    fn of<T: Default>(&self, tenant: TenantId, read: impl FnOnce(&TenantData) -> T) -> T {
        self.read().get(&tenant).map(read).unwrap_or_default()
    }
}

#[async_trait]
impl Store for MemoryStore {
    async fn commit(&self, changes: Changes) -> Result<()> {
        let mut tenants = self.write();
        let id = changes.tenant();
        let mut is_new = false;
        let mut undo: Vec<Before> = Vec::new();
        let leased = changes.lease().map_or(Ok(()), |used| {
            let data = tenants.get(&id).ok_or_else(|| Error::not_found("tenant"))?;
            data.check_lease(used, changes.at())
        });
        let placed = changes.progress().map_or(Ok(()), |progress| {
            let data = tenants.get(&id).ok_or_else(|| Error::not_found("tenant"))?;
            data.log.check_progress(progress)
        });
        let applied = leased.and(placed).and_then(|()| {
            changes.iter().try_for_each(|change| {
                if let Write::InsertTenant(tenant) = change.write() {
                    if let Some(holder) =
                        tenants.values().find(|other| other.tenant.slug == tenant.slug)
                    {
                        let message = format!("another tenant has the slug `{}`", tenant.slug);
                        let holder = holder.tenant.id.as_uuid();
                        return Err(Error::already_exists("slug", holder, message));
                    }
                    if tenants.contains_key(&id) {
                        return Err(Error::internal(format!("the tenant `{id}` is there already")));
                    }
                    tenants.insert(id, TenantData::of(tenant.clone()));
                    is_new = true;
                }
                let data = tenants.get_mut(&id).ok_or_else(|| Error::not_found("tenant"))?;
                undo.push(data.apply(change.write(), changes.at())?);
                change.timeline().map_or(Ok(()), |entry| data.check_activity(entry))
            })
        });
        let applied = applied.and_then(|()| {
            let Some(outcome) = changes.outcome() else { return Ok(()) };
            let data = tenants.get_mut(&id).ok_or_else(|| Error::not_found("tenant"))?;
            data.remember(outcome, changes.at())
        });
        if is_new && applied.is_err() {
            tenants.remove(&id);
        }
        if let Some(data) = tenants.get_mut(&id) {
            match applied {
                Ok(()) => {
                    changes.iter().for_each(|change| data.write_down(change));
                    if let Some(LeaseUse { lease, completes: true }) = changes.lease() {
                        data.jobs.remove(&lease.job);
                    }
                    changes.jobs().iter().for_each(|job| data.enqueue(job));
                    if let Some(progress) = changes.progress() {
                        data.log.groups.insert(progress.group.clone(), progress.to);
                    }
                }
                Err(_) => undo.into_iter().rev().for_each(|before| data.undo(before)),
            }
        }
        applied
    }
}

/// The operator's session in a tenant of a new store, for examples.
///
/// # Errors
///
/// Those of making a tenant.
#[doc(hidden)]
pub async fn session_for_docs() -> Result<Session> {
    let crm = Crm::builder(MemoryStore::default()).build()?;
    let system = crm.system("an example of the documentation")?;
    let new = NewTenant {
        name: "Example".into(),
        slug: None,
        default_region: "US".parse()?,
        owner_email: "owner@example.com".into(),
        owner_name: None,
    };
    let (tenant, _) = system.create_tenant(new).await?;
    system.session(tenant.id).await
}

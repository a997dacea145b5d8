//! The domain of a CRM that other programs embed: tenants, users, contacts, companies, activities,
//! an event log and an audit log, over a store that the host chooses.
//!
//! A [`Crm`] is built over a [`Store`](ports::Store): `crm-sqlite` keeps everything in one file, the
//! feature `memory` brings one for tests. A [`Session`] is one actor in one tenant, and the way to
//! everything that the tenant has:
//!
//! | of a session | what it does |
//! |---|---|
//! | [`contacts()`](Session::contacts) | make, get, update, delete, restore, list, count, [search](contacts::Contacts::search), [import](contacts::import), [export](contacts::export) |
//! | [`companies()`](Session::companies) | make, get, find, update, list |
//! | [`activities()`](Session::activities) | log, list, a contact's timeline, statistics |
//! | [`users()`](Session::users) | make and invite, get, update, list |
//! | [`account()`](Session::account) | password, second factor and sessions of who is signed in |
//! | [`api_keys()`](Session::api_keys) | make, list, revoke |
//! | [`tenant()`](Session::tenant) | the tenant's settings |
//! | [`events()`](Session::events), [`audit()`](Session::audit) | read what happened, and who did it |
//!
//! ```
//! use crm_core::contacts::{ContactFilter, ContactPatch, ContactSort, NewContact};
//! use crm_core::{Crm, Page, memory::MemoryStore, tenancy::NewTenant};
//! # tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(async {
//! let crm = Crm::builder(MemoryStore::default()).build()?;
//! let acme = NewTenant::new("Acme GmbH", "ada@acme.example", "DE".parse()?);
//! let (tenant, owner) = crm.system("first start")?.create_tenant(acme).await?;
//! let session = crm.session(tenant.principal(&owner)).await?;
//!
//! let ada = session.contacts().create(NewContact::named("Ada", "Lovelace")).await?;
//! let patch = ContactPatch { title: "Analyst".to_owned().into(), ..ContactPatch::default() };
//! let ada = session.contacts().update(ada.id, patch, Some(ada.version)).await?;
//! assert_eq!((ada.title.as_deref(), ada.version), (Some("Analyst"), 2));
//!
//! let mut page = Page::first(50);
//! loop {
//!     let filter = ContactFilter::default();
//!     let list = session.contacts().list(&filter, ContactSort::LastName, false, &page).await?;
//!     assert_eq!(list.items, [ada.clone()]);
//!     match list.next_cursor {
//!         Some(cursor) => page = Page::after(cursor, 50),
//!         None => break,
//!     }
//! }
//! # Ok::<(), crm_core::Error>(()) }).unwrap();
//! ```
//!
//! Futures are `Send` and belong to no runtime. The core does no I/O itself and spawns nothing; it
//! reads the clock and asks for randomness through [`ports`].
//!
//! Features: `schema`, JSON Schemas of requests and replies; `memory`, a store in memory; `sample`, made-up people for demonstrations and benches.

pub mod access;
pub mod activities;
pub mod audit;
mod bell;
pub mod blobs;
pub mod cache;
pub mod calls;
pub mod changes;
pub mod companies;
pub mod contacts;
mod crm;
mod email;
mod entity;
mod env;
mod error;
pub mod events;
mod hash;
mod id;
pub mod idempotency;
pub mod identity;
pub mod jobs;
mod key_ring;
mod limits;
#[cfg(feature = "memory")]
pub mod memory;
pub mod notifications;
#[cfg(feature = "operations")]
pub mod operations;
mod page;
mod patch;
mod phone;
pub mod ports;
pub mod presence;
pub mod privacy;
#[cfg(feature = "sample")]
pub mod sample;
#[cfg(feature = "schema")]
mod schema;
mod scope;
mod sealed_blob;
mod session;
mod standing;
pub mod telephony;
pub mod tenancy;
pub mod text;
mod tickets;
mod time;
mod workers;

pub use access::Role;
pub use changes::Changes;
pub use contacts::search::Nicknames;
pub use crm::{Crm, CrmBuilder, Principal};
pub use email::EmailAddress;
pub use entity::{EntityKind, EntityRef};
pub use error::{Error, ErrorKind, FieldError, Result};
pub use id::{
    ActivityId, ActivityRecord, ApiKeyId, ApiKeyKind, AuditId, CallId, CallKind, CompanyId,
    CompanyKind, ConsentId, ConsentKind, ContactId, ContactKind, EventId, Id, IdKind, JobId,
    JobRecord, NotificationId, NotificationRecord, ScheduleId, ScheduleKind, SignInId, SignInKind,
    TelephonyAccountId, TelephonyAccountKind, TenantId, UserId, UserKind,
};
pub use key_ring::KeyRing;
pub use page::{Cursor, Limit, Page, PageOf, Paging, SortKey};
pub use patch::Patch;
pub use phone::{PhoneNumber, Region};
pub use scope::{Actor, Freshness, Proof, RequestId, SystemScope, TenantScope};
pub use session::Session;
pub use time::Timestamp;

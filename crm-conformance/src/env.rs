//! What a case works with.

use std::any::Any;
use std::sync::Arc;

use crm_core::blobs::Blobs;
use crm_core::cache::Cache;
use crm_core::contacts::store::ContactQuery;
use crm_core::contacts::{Contact, ContactFilter, ContactSort, Deleted, NewContact};
use crm_core::events::{EventPosition, RecordedEvent};
use crm_core::identity::{
    Arrival, Identity, NewUser, PasswordSignIn, Registration, UserPatch, UserStatus,
};
use crm_core::ports::{EventBus, Limits, Store};
use crm_core::presence::Presence;
use crm_core::telephony::{CarrierAccount, Telephony};
use crm_core::tenancy::{NewTenant, System};
use crm_core::{
    Changes, ContactId, Crm, Error, ErrorKind, Page, PhoneNumber, Principal, Result, Role, Session,
    UserId,
};

use crate::clock::{SeededRandomness, TestClock};
use crate::factory::{Factory, Fresh, Passing};
use crate::faulty::FaultyStore;
use crate::namesake::Namesake;
use crate::nodes::Outage;

/// More than any case writes.
pub(crate) const ALL: usize = 10_000;

/// A fresh store, a CRM over it, and the clock that both go by.
pub(crate) struct Env {
    pub(crate) crm: Crm,
    /// The store as the CRM sees it.
    pub(crate) door: FaultyStore<dyn Store>,
    pub(crate) store: Arc<dyn Store>,
    pub(crate) clock: TestClock,
    _keep: Box<dyn Any + Send + Sync>,
}

/// An empty place for blobs.
pub struct BlobsEnv {
    pub(crate) blobs: Arc<dyn Blobs>,
    pub(crate) _keep: Box<dyn Any + Send + Sync>,
}

/// A carrier of calls.
pub struct CarrierEnv {
    pub(crate) carrier: Arc<dyn Telephony>,
    pub(crate) time: Arc<dyn Passing>,
    pub(crate) account: CarrierAccount,
    /// One of the account's numbers.
    pub(crate) number: PhoneNumber,
    /// Who answers.
    pub(crate) answers: PhoneNumber,
    pub(crate) _keep: Box<dyn Any + Send + Sync>,
}

/// Two nodes on a bus, and how they are cut off from it.
pub struct BusEnv {
    pub(crate) nodes: [Arc<dyn EventBus>; 2],
    pub(crate) outage: Arc<dyn Outage>,
    pub(crate) _keep: Box<dyn Any + Send + Sync>,
}

/// Who is connected, as two nodes see it.
pub struct PresenceEnv {
    pub(crate) nodes: [Arc<dyn Presence>; 2],
    pub(crate) _keep: Box<dyn Any + Send + Sync>,
}

/// A cache as two nodes see it, and how its time passes.
pub struct CacheEnv {
    pub(crate) nodes: [Arc<dyn Cache>; 2],
    pub(crate) time: Arc<dyn Passing>,
    pub(crate) _keep: Box<dyn Any + Send + Sync>,
}

/// Limits that two nodes count for.
pub struct LimitsEnv {
    pub(crate) nodes: [Arc<dyn Limits>; 2],
    pub(crate) _keep: Box<dyn Any + Send + Sync>,
}

impl Env {
    pub(crate) async fn new(factory: &dyn Factory) -> Result<Self> {
        let Fresh { store, keep } = factory.fresh().await?;
        let clock = TestClock::default();
        let door = FaultyStore::new(Arc::clone(&store));
        let crm = Crm::builder(door.clone())
            .clock(clock.clone())
            .randomness(SeededRandomness::new(7))
            .telephony(Namesake)
            .build()?;
        Ok(Env { crm, door, store, clock, _keep: keep })
    }

    /// A CRM over the same store that knows nothing of this one.
    pub(crate) fn another_node(&self) -> Crm {
        let builder = Crm::builder(self.door.clone()).clock(self.clock.clone());
        builder.randomness(SeededRandomness::new(8)).telephony(Namesake).build().unwrap()
    }

    pub(crate) fn system(&self) -> System {
        self.crm.system("prove what the store does").unwrap()
    }

    /// The way in, as from a program of this name.
    pub(crate) fn identity(&self, user_agent: &str) -> Identity {
        identity(&self.crm, user_agent)
    }

    /// The operator's session in a new tenant.
    pub(crate) async fn tenant(&self, slug: &str) -> Session {
        let system = self.system();
        let (tenant, _) = system.create_tenant(new_tenant(slug)).await.unwrap();
        system.session(tenant.id).await.unwrap()
    }

    /// The session of a new user of the session's tenant.
    pub(crate) async fn colleague(&self, session: &Session, name: &str, role: Role) -> Session {
        let email = format!("{name}@colleagues.example");
        let new = NewUser { email, full_name: Some(name.to_owned()), role };
        let user = session.users().create(new).await.unwrap().user;
        activate(session, user.id).await.unwrap();
        let principal = Principal::User { tenant: session.scope().tenant(), user: user.id };
        self.crm.session(principal).await.unwrap()
    }

    /// Every contact that the filter means, straight from the store.
    pub(crate) async fn contacts(&self, session: &Session, filter: ContactFilter) -> Vec<Contact> {
        let query = ContactQuery { filter, limit: ALL, ..ContactQuery::default() };
        self.store.contacts(session.scope(), &query).await.unwrap()
    }

    /// Every contact of the tenant, in use or deleted.
    pub(crate) async fn all_contacts(&self, session: &Session) -> Vec<Contact> {
        let filter = ContactFilter { deleted: Deleted::Include, ..ContactFilter::default() };
        self.contacts(session, filter).await
    }

    /// Every event of the tenant.
    pub(crate) async fn events(&self, session: &Session) -> Vec<RecordedEvent> {
        self.store.events_after(session.scope(), EventPosition::START, ALL).await.unwrap()
    }
}

/// Lets a user work who was only invited.
pub(crate) async fn activate(session: &Session, user: UserId) -> Result<()> {
    let active = UserPatch { status: UserStatus::Active.into(), ..UserPatch::default() };
    session.users().update(user, active, None).await.map(drop)
}

pub(crate) fn identity(crm: &Crm, user_agent: &str) -> Identity {
    crm.identity(Arrival {
        request_id: crm.new_request_id().unwrap(),
        address: None,
        user_agent: Some(user_agent.to_owned()),
    })
}

/// What the owner of a tenant of this name signs up with; see [`sign_in`].
pub(crate) fn registration(company_name: &str) -> Registration {
    Registration {
        company_name: company_name.to_owned(),
        full_name: "Ada Lovelace".to_owned(),
        email: format!("ada@{company_name}.example"),
        password: PASSWORD.into(),
        default_region: None,
        invitation: None,
    }
}

/// How the owner of a [`registration`] signs in.
pub(crate) fn sign_in(company_name: &str) -> PasswordSignIn {
    let email = format!("ada@{company_name}.example");
    PasswordSignIn { email, password: PASSWORD.into(), tenant: None, code: None }
}

const PASSWORD: &str = "tangerine ledger boat";

pub(crate) fn new_tenant(slug: &str) -> NewTenant {
    NewTenant {
        name: format!("Tenant {slug}"),
        slug: Some(slug.parse().unwrap()),
        default_region: "US".parse().unwrap(),
        owner_email: format!("owner@{slug}.example"),
        owner_name: None,
    }
}

/// What making these contacts would write, as one unit.
pub(crate) async fn plan_all(
    session: &Session,
    contacts: impl IntoIterator<Item = NewContact>,
) -> (Vec<Contact>, Changes) {
    let mut planned: Option<(Vec<Contact>, Changes)> = None;
    for new in contacts {
        let (contact, changes) = session.contacts().plan_create(new).await.unwrap();
        planned = Some(match planned {
            None => (vec![contact], changes),
            Some((mut contacts, before)) => {
                contacts.push(contact);
                (contacts, before.and(changes).unwrap())
            }
        });
    }
    planned.expect("at least one contact")
}

/// The contacts that a search finds, the best first.
pub(crate) async fn search(session: &Session, text: &str) -> Vec<ContactId> {
    let hits = session.contacts().search(text, &Page::first(Page::MAX_LIMIT)).await.unwrap();
    hits.items.into_iter().map(|hit| hit.contact.id).collect()
}

pub(crate) fn ids(contacts: &[Contact]) -> Vec<ContactId> {
    contacts.iter().map(|contact| contact.id).collect()
}

/// The error of an operation that must be refused with `kind`.
#[track_caller]
pub(crate) fn refused<T: std::fmt::Debug>(result: Result<T>, kind: ErrorKind) -> Error {
    let error = result.expect_err("the operation must be refused");
    assert_eq!(error.kind(), kind, "{error:?}");
    error
}

/// Every order of a list of contacts.
pub(crate) const ORDERS: [(ContactSort, bool); 6] = [
    (ContactSort::CreatedAt, false),
    (ContactSort::CreatedAt, true),
    (ContactSort::UpdatedAt, false),
    (ContactSort::UpdatedAt, true),
    (ContactSort::LastName, false),
    (ContactSort::LastName, true),
];

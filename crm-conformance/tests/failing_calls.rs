//! Whichever call of the store fails, the caller hears `unavailable`, nothing is half done, and the
//! same call succeeds when the store is back.

#![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]

use std::sync::Arc;

use crm_conformance::FaultyStore;
use crm_core::activities::NewActivity;
use crm_core::companies::NewCompany;
use crm_core::contacts::{ContactFilter, ContactPatch, ContactSort, Deleted, NewContact};
use crm_core::memory::MemoryStore;
use crm_core::tenancy::NewTenant;
use crm_core::{ContactId, Crm, ErrorKind, Page, Patch, Result, Session};

async fn sessions() -> (Session, FaultyStore<MemoryStore>) {
    let store = FaultyStore::new(Arc::new(MemoryStore::default()));
    let system = Crm::builder(store.clone()).build().unwrap().system("fail on purpose").unwrap();
    let new = NewTenant {
        name: "Acme".into(),
        slug: None,
        default_region: "US".parse().unwrap(),
        owner_email: "owner@acme.example".into(),
        owner_name: None,
    };
    let (tenant, _) = system.create_tenant(new).await.unwrap();
    (system.session(tenant.id).await.unwrap(), store)
}

async fn everything(session: &Session) -> String {
    let filter = ContactFilter { deleted: Deleted::Include, ..ContactFilter::default() };
    let page = Page::first(Page::MAX_LIMIT);
    let list = session.contacts().list(&filter, ContactSort::CreatedAt, false, &page).await;
    let companies = session.companies().list(&page).await.unwrap().items;
    let audit = session.audit().list(None, &page).await.unwrap().items;
    let events = session.events().after(crm_core::events::EventPosition::START, 1000).await;
    format!("{:?} {companies:?} {audit:?} {:?}", list.unwrap().items, events.unwrap())
}

/// Fails the first call of `operation`, then the second, and so on until none is left to fail.
async fn fail_each_call<T>(
    session: &Session,
    store: &FaultyStore<MemoryStore>,
    operation: impl AsyncFn() -> Result<T>,
) -> u64 {
    let before = everything(session).await;
    for n in 1..20 {
        store.fail_call(n);
        let result = operation().await;
        if !store.has_failed() {
            store.fail_call(0);
            assert!(result.is_ok(), "without a failure it succeeds");
            return n - 1;
        }
        let Err(error) = result else { panic!("call {n} failed and nobody was told") };
        assert_eq!(error.kind(), ErrorKind::Unavailable, "{error:?}");
        assert!(error.is_retryable());
        assert!(!error.operation().is_empty(), "{error:?} does not say where");
        assert_eq!(everything(session).await, before, "call {n} failed halfway");
    }
    panic!("the operation calls the store without end");
}

#[tokio::test]
async fn every_call_of_every_operation_may_fail() {
    let (session, store) = sessions().await;
    let contacts = session.contacts();
    let ada = || NewContact::named("Ada", "Lovelace").email("ada@example.com");
    let mut calls = 0;
    calls += fail_each_call(&session, &store, async || contacts.create(ada()).await).await;
    let hits = contacts.search("ada", &Page::default()).await.unwrap();
    let id: ContactId = hits.items.first().unwrap().contact.id;
    let patch = || ContactPatch { title: Patch::Set("Countess".into()), ..Default::default() };
    calls +=
        fail_each_call(&session, &store, async || contacts.update(id, patch(), None).await).await;
    calls += fail_each_call(&session, &store, async || contacts.delete(id, None).await).await;
    calls += fail_each_call(&session, &store, async || contacts.restore(id).await).await;
    calls += fail_each_call(&session, &store, async || contacts.get(id).await).await;
    let search = async || contacts.search("ada lovelaec", &Page::default()).await;
    calls += fail_each_call(&session, &store, search).await;
    let note = || NewActivity::note(id, "hello");
    let activities = session.activities();
    calls += fail_each_call(&session, &store, async || activities.create(note()).await).await;
    let both = async || activities.create_all(vec![note(), note()]).await;
    calls += fail_each_call(&session, &store, both).await;
    let timeline = async || activities.timeline(id, &Page::default()).await;
    calls += fail_each_call(&session, &store, timeline).await;
    let company = || NewCompany { name: "Initech".into(), domain: None };
    let create = async || session.companies().create(company()).await;
    calls += fail_each_call(&session, &store, create).await;
    // Ten operations, most of which call the store more than once.
    assert!(calls >= 15, "only {calls} calls were made to fail");
}

//! Units of work: whole or not at all, whoever else writes.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::task::Poll;

use crm_core::activities::store::ActivityQuery;
use crm_core::activities::ActivityFilter;
use crm_core::audit::AuditQuery;
use crm_core::companies::{CompanyPatch, NewCompany};
use crm_core::contacts::{Contact, ContactPatch, CustomValue, NewContact};
use crm_core::identity::NewUser;
use crm_core::memory::MemoryStore;
use crm_core::ports::Store;
use crm_core::{Crm, EntityRef, ErrorKind, Patch, Role, Session};
use futures::future::join_all;

use crate::case::cases;
use crate::clock::SeededRandomness;
use crate::faulty::FaultyStore;
use crate::env::{Env, ids, new_tenant, plan_all, refused, search};
use crate::snapshot::snapshot;

fn person(number: usize) -> NewContact {
    NewContact::named(format!("Person{number}"), "Batch").email(format!("p{number}@example.com"))
}

/// Which traces a contact has left: its row, its timeline, its audit entry, its event, its search
/// terms.
async fn traces(env: &Env, session: &Session, contact: &Contact) -> [bool; 5] {
    let scope = session.scope();
    let filter = ActivityFilter { contact_id: Some(contact.id), ..ActivityFilter::default() };
    let timeline = ActivityQuery { filter, after: None, limit: 1 };
    let subject = EntityRef::from(contact.id);
    let audit = AuditQuery { resource: Some(subject), before: None, limit: 1 };
    [
        env.store.contact(scope, contact.id).await.unwrap().is_some(),
        !env.store.activities(scope, &timeline).await.unwrap().is_empty(),
        !env.store.audit_entries(scope, &audit).await.unwrap().is_empty(),
        env.events(session).await.iter().any(|recorded| recorded.event.subject == subject),
        search(session, &contact.display_name).await.contains(&contact.id),
    ]
}

cases! {
    async fn changes_apply_whole_or_not_at_all(env: &Env) {
        let session = env.tenant("acme").await;
        let taken = session.contacts().create(person(0)).await.unwrap();
        let before = snapshot(&*env.store, session.scope()).await.unwrap();
        // The refused contact is the first, the last, or in the middle of its unit.
        for place in [0, 1, 4] {
            session.contacts().delete(taken.id, None).await.unwrap();
            let mut news: Vec<NewContact> = (1..5).map(person).collect();
            news.insert(place, person(0));
            let (planned, changes) = plan_all(&session, news).await;
            session.contacts().restore(taken.id).await.unwrap();
            let between = snapshot(&*env.store, session.scope()).await.unwrap();

            let error = refused(env.store.commit(changes).await, ErrorKind::AlreadyExists);
            assert_eq!(error.existing_id(), Some(taken.id.as_uuid()), "the holder is named");
            let after = snapshot(&*env.store, session.scope()).await.unwrap();
            assert_eq!(after, between, "the refused unit left something behind");
            for contact in &planned {
                assert_eq!(traces(env, &session, contact).await, [false; 5], "{place}");
            }
        }
        assert!(before.len() < snapshot(&*env.store, session.scope()).await.unwrap().len());
        let (planned, changes) = plan_all(&session, (1..5).map(person)).await;
        env.store.commit(changes).await.unwrap();
        for contact in &planned {
            assert_eq!(traces(env, &session, contact).await, [true; 5]);
        }
    }

    async fn later_changes_see_earlier_ones(env: &Env) {
        let session = env.tenant("acme").await;
        let same = || NewContact::named("Ada", "L").email("ada@example.com");
        let (planned, changes) = plan_all(&session, [person(1), same(), person(2), same()]).await;
        let error = refused(env.store.commit(changes).await, ErrorKind::AlreadyExists);
        assert_eq!(error.existing_id(), Some(planned[1].id.as_uuid()), "the first of the two");
        assert_eq!(env.all_contacts(&session).await, []);
    }

    async fn a_large_unit_is_whole(env: &Env) {
        let session = env.tenant("acme").await;
        let mut news: Vec<NewContact> = (0..1000).map(person).collect();
        let (planned, changes) = plan_all(&session, news.clone()).await;
        assert_eq!(changes.len(), 1000);
        env.store.commit(changes).await.unwrap();
        let contacts = env.all_contacts(&session).await;
        assert_eq!(ids(&contacts), ids(&planned));
        assert_eq!(contacts, planned);
        assert_eq!(env.events(&session).await.len(), 1002);
        assert_eq!(search(&session, "person777").await[0], planned[777].id);

        for (number, new) in news.iter_mut().enumerate() {
            *new = person(number + 1000);
        }
        let (_, changes) = plan_all(&session, news).await;
        session.contacts().create(person(1999)).await.unwrap();
        refused(env.store.commit(changes).await, ErrorKind::AlreadyExists);
        assert_eq!(env.all_contacts(&session).await.len(), 1001);
    }

    async fn a_stale_change_is_refused(env: &Env) {
        let session = env.tenant("acme").await;
        let titled = |title: &str| ContactPatch {
            title: Patch::Set(title.into()),
            ..ContactPatch::default()
        };
        let ada = session.contacts().create(person(1)).await.unwrap();
        let second = session.contacts().update(ada.id, titled("a"), Some(1)).await.unwrap();
        let before = snapshot(&*env.store, session.scope()).await.unwrap();
        for stale in [0, 1, 3] {
            let stale = Some(stale);
            let update = session.contacts().update(ada.id, titled("b"), stale).await;
            refused(update, ErrorKind::VersionConflict);
            refused(session.contacts().delete(ada.id, stale).await, ErrorKind::VersionConflict);
        }
        assert_eq!(snapshot(&*env.store, session.scope()).await.unwrap(), before);
        assert_eq!(second.version, 2);

        // Sixteen callers name the same version: the commit lets one of them through.
        env.door.gather_commits(16);
        let versions = (0..16).map(|number| {
            let session = session.clone();
            let patch = titled(&format!("caller {number}"));
            tokio::spawn(async move { session.contacts().update(ada.id, patch, Some(2)).await })
        });
        let results = join_all(versions).await.into_iter().map(|result| result.unwrap());
        let (won, lost): (Vec<_>, Vec<_>) = results.partition(|result| result.is_ok());
        assert_eq!(won.len(), 1, "{won:?}");
        for result in lost {
            refused(result, ErrorKind::VersionConflict);
        }
        let found = env.store.contact(session.scope(), ada.id).await.unwrap();
        assert_eq!(found.as_ref(), won[0].as_ref().ok());

        let new = NewCompany { name: "Initech".into(), domain: None };
        let company = session.companies().create(new).await.unwrap();
        let patch = || CompanyPatch { name: Patch::Set("X".into()), ..CompanyPatch::default() };
        let stale = session.companies().update(company.id, patch(), Some(2)).await;
        refused(stale, ErrorKind::VersionConflict);
        session.companies().update(company.id, patch(), Some(1)).await.unwrap();
    }

    async fn one_of_many_equal_creates_wins(env: &Env) {
        let session = env.tenant("acme").await;
        for round in 0..5 {
            let email = format!("round{round}@example.com");
            env.door.gather_commits(16);
            let creates = (0..16).map(|number| {
                let session = session.clone();
                let new = NewContact::named("Caller", number.to_string()).email(&email);
                tokio::spawn(async move { session.contacts().create(new).await })
            });
            let results = join_all(creates).await.into_iter().map(|result| result.unwrap());
            let (won, lost): (Vec<_>, Vec<_>) = results.partition(|result| result.is_ok());
            assert_eq!(won.len(), 1, "{won:?}");
            let winner = won[0].as_ref().unwrap();
            for result in lost {
                let error = refused(result, ErrorKind::AlreadyExists);
                assert_eq!(error.existing_id(), Some(winner.id.as_uuid()), "the winner is named");
                assert_eq!(error.fields()[0].field, "emails[0].address");
            }
            assert_eq!(env.all_contacts(&session).await.len(), round + 1);
            assert_eq!(traces(env, &session, winner).await, [true; 5]);
        }
        assert_eq!(env.events(&session).await.len(), 2 + 5);
    }

    async fn contended_updates_all_land(env: &Env) {
        let session = env.tenant("acme").await;
        let ada = session.contacts().create(person(1)).await.unwrap();
        // No more callers than the core tries: each failed try is another caller's success.
        const CALLERS: usize = 8;
        for round in 0..8 {
            env.door.gather_commits(CALLERS as u64);
            let updates = (0..CALLERS).map(|caller| {
                let session = session.clone();
                let value = Some(CustomValue::Bool(true));
                let custom = BTreeMap::from([(format!("{round}.{caller}"), value)]);
                let patch =
                    ContactPatch { custom: Patch::Set(custom), ..ContactPatch::default() };
                tokio::spawn(async move { session.contacts().update(ada.id, patch, None).await })
            });
            for result in join_all(updates).await {
                result.unwrap().unwrap();
            }
        }
        let found = env.store.contact(session.scope(), ada.id).await.unwrap().unwrap();
        assert_eq!(found.custom.len(), 8 * CALLERS, "no update was lost");
        assert_eq!(found.version, i64::try_from(1 + 8 * CALLERS).unwrap());
        let query = AuditQuery { resource: Some(ada.id.into()), before: None, limit: 1000 };
        let audit = env.store.audit_entries(session.scope(), &query).await.unwrap();
        assert_eq!(audit.len(), 1 + 8 * CALLERS, "each update once");
    }

    async fn a_dropped_commit_is_whole_or_absent(env: &Env) {
        let session = env.tenant("acme").await;
        for polls in 0..12_usize {
            let new = person(polls);
            let (planned, changes) = plan_all(&session, [new.clone(), person(100 + polls)]).await;
            {
                let mut commit = env.store.commit(changes);
                for _ in 0..polls {
                    if let Poll::Ready(result) = futures::poll!(&mut commit) {
                        result.unwrap();
                        break;
                    }
                    tokio::task::yield_now().await;
                }
            }
            // The write may still be under way; whatever comes of it is whole, and lasts.
            let mut found = [[false; 5]; 2];
            for _ in 0..200 {
                session.contacts().create(NewContact::named("Settle", "Down")).await.unwrap();
                found = [
                    traces(env, &session, &planned[0]).await,
                    traces(env, &session, &planned[1]).await,
                ];
                if found == [[true; 5]; 2] || found == [[false; 5]; 2] {
                    break;
                }
            }
            assert!(
                found == [[true; 5]; 2] || found == [[false; 5]; 2],
                "half a unit after {polls} polls: {found:?}"
            );
            // The address is taken, by a unit that is there by now, or free, and the unit never comes.
            match session.contacts().create(new).await {
                Err(error) => {
                    assert_eq!(error.existing_id(), Some(planned[0].id.as_uuid()), "{error:?}");
                    found = [[true; 5]; 2];
                }
                Ok(_) => assert_eq!(found, [[false; 5]; 2], "the address was free"),
            }
            for (contact, found) in planned.iter().zip(found) {
                assert_eq!(traces(env, &session, contact).await, found, "after {polls} polls");
            }
        }
    }

    async fn references_stay_in_the_tenant(env: &Env) {
        // A second installation that makes the same ids knows records that this one does not.
        let twin = |store: Arc<dyn Store>| {
            Crm::builder(FaultyStore::new(store))
                .clock(env.clock.clone())
                .randomness(SeededRandomness::new(9))
                .build()
                .unwrap()
        };
        let session = async |crm: Crm| {
            let system = crm.system("make a tenant with the same id").unwrap();
            let (tenant, _) = system.create_tenant(new_tenant("acme")).await.unwrap();
            system.session(tenant.id).await.unwrap()
        };
        let there = session(twin(Arc::new(MemoryStore::default()))).await;
        let (_, changes) = plan_all(&there, [person(1)]).await;
        refused(env.store.commit(changes).await, ErrorKind::NotFound);
        let here = session(twin(Arc::clone(&env.store))).await;
        assert_eq!(here.scope().tenant(), there.scope().tenant());

        let new = NewCompany { name: "Initech".into(), domain: None };
        let company_id = Some(there.companies().create(new).await.unwrap().id);
        let email = "agent@example.com".to_owned();
        let new = NewUser { email, full_name: None, role: Role::Agent };
        let owner_id = Some(there.users().create(new).await.unwrap().user.id);
        here.contacts().create(person(1)).await.unwrap();
        let before = snapshot(&*env.store, here.scope()).await.unwrap();
        for new in
            [NewContact { company_id, ..person(2) }, NewContact { owner_id, ..person(2) }]
        {
            let (_, changes) = plan_all(&there, [person(3), new.clone()]).await;
            refused(env.store.commit(changes).await, ErrorKind::NotFound);
            let after = snapshot(&*env.store, here.scope()).await.unwrap();
            assert_eq!(after, before, "{new:?}");
        }
    }
}

//! The event log.

use crm_core::Role;
use crm_core::activities::NewActivity;
use crm_core::companies::{CompanyPatch, NewCompany};
use crm_core::contacts::{ContactPatch, NewContact};
use crm_core::events::{Event, EventPosition};
use crm_core::identity::{UserPatch, UserStatus};
use crm_core::{EntityRef, EventId, Patch};
use serde_json::{Value, json};

use crate::case::cases;
use crate::env::{ALL, plan_all};

cases! {
    async fn events_are_per_tenant(env: &Env) {
        let (acme, other) = (env.tenant("acme").await, env.tenant("other").await);
        let ada = acme.contacts().create(NewContact::named("Ada", "Lovelace")).await.unwrap();
        let bob = other.contacts().create(NewContact::named("Bob", "Builder")).await.unwrap();
        let eve = acme.contacts().create(NewContact::named("Eve", "Moore")).await.unwrap();
        for (session, own) in [(&acme, vec![ada.id, eve.id]), (&other, vec![bob.id])] {
            let events = env.events(session).await;
            let subjects: Vec<EntityRef> =
                events.iter().skip(2).map(|recorded| recorded.event.subject).collect();
            let own: Vec<EntityRef> = own.into_iter().map(EntityRef::from).collect();
            assert_eq!(subjects, own, "after the tenant's and its owner's making");
        }
    }

    async fn events_resume_without_a_gap(env: &Env) {
        let session = env.tenant("acme").await;
        let other = env.tenant("other").await;
        for number in 0..10 {
            let new = NewContact::named("Number", number.to_string());
            session.contacts().create(new.clone()).await.unwrap();
            other.contacts().create(new).await.unwrap();
        }
        let ids = |events: &[crm_core::events::RecordedEvent]| -> Vec<EventId> {
            events.iter().map(|recorded| recorded.event.id).collect()
        };
        let all = env.events(&session).await;
        assert_eq!(all.len(), 12);
        assert!(all.is_sorted_by(|a, b| a.position < b.position), "positions grow");
        assert!(all[0].position > EventPosition::START);
        for limit in [1, 5, 12] {
            let mut walked = Vec::new();
            let mut position = EventPosition::START;
            loop {
                let page =
                    env.store.events_after(session.scope(), position, limit).await.unwrap();
                assert!(page.len() <= limit, "{} events on a page of {limit}", page.len());
                let Some(last) = page.last() else { break };
                position = last.position;
                walked.extend(ids(&page));
                assert!(walked.len() < ALL, "the pages have no end");
            }
            assert_eq!(walked, ids(&all), "pages of {limit}");
        }

        // A reader at the end sees what comes next, and only that.
        let end = all[11].position;
        let eve = session.contacts().create(NewContact::named("Eve", "Moore")).await.unwrap();
        let next = env.store.events_after(session.scope(), end, ALL).await.unwrap();
        assert_eq!(next.len(), 1);
        assert_eq!(next[0].event.subject, EntityRef::from(eve.id));
        let far = EventPosition(u64::try_from(i64::MAX).unwrap());
        assert!(env.store.events_after(session.scope(), far, 1).await.unwrap().is_empty());
    }

    async fn events_keep_the_order_of_changes(env: &Env) {
        let session = env.tenant("acme").await;
        let names = ["Zoe", "Ada", "Mia", "Bob", "Kim"];
        let (contacts, changes) =
            plan_all(&session, names.map(|name| NewContact::named(name, "Batch"))).await;
        env.store.commit(changes).await.unwrap();
        let subjects: Vec<EntityRef> =
            env.events(&session).await.iter().skip(2).map(|one| one.event.subject).collect();
        let planned: Vec<EntityRef> = contacts.iter().map(|contact| contact.id.into()).collect();
        assert_eq!(subjects, planned);
    }

    async fn every_write_has_an_event(env: &Env) {
        let session = env.tenant("acme").await;
        let tenant = session.scope().tenant();
        let at = |micros| env.clock.advance_micros(micros);
        let colleague = env.colleague(&session, "agent", Role::Agent).await;
        let agent = colleague.scope().actor().user().unwrap();
        at(1);
        let name = "Ada 🦀 \"quoted\" \\ é".to_owned();
        let ada = colleague.contacts().create(NewContact::named(&name, "L")).await.unwrap();
        at(1);
        let patch = ContactPatch { title: Patch::Set("Countess".into()), ..Default::default() };
        let updated = colleague.contacts().update(ada.id, patch, None).await.unwrap();
        at(1);
        let deleted = colleague.contacts().delete(ada.id, None).await.unwrap();
        at(1);
        let restored = colleague.contacts().restore(ada.id).await.unwrap();
        at(1);
        let note = colleague.activities().create(NewActivity::note(ada.id, "a\0b")).await.unwrap();
        at(1);
        let new = NewCompany { name: "Initech".into(), domain: None };
        let company = colleague.companies().create(new).await.unwrap();
        at(1);
        let patch = CompanyPatch { domain: Patch::Set("i.example".into()), ..Default::default() };
        let renamed = colleague.companies().update(company.id, patch, None).await.unwrap();
        at(1);
        let patch = UserPatch { status: Patch::Set(UserStatus::Disabled), ..Default::default() };
        let disabled = session.users().update(agent, patch, None).await.unwrap();

        let events = env.events(&session).await;
        let expected: Vec<(&str, EntityRef, Value)> = vec![
            ("contact.created.v1", ada.id.into(), json!({ "contact": ada })),
            (
                "contact.updated.v1",
                ada.id.into(),
                json!({
                    "version": 2, "updated_at": updated.updated_at, "changes": { "title": "Countess" },
                }),
            ),
            (
                "contact.deleted.v1",
                ada.id.into(),
                json!({
                    "version": 3, "updated_at": deleted.updated_at, "deleted_at": deleted.deleted_at,
                }),
            ),
            ("contact.restored.v1", ada.id.into(), json!({ "version": 4, "updated_at": restored.updated_at, "deleted_at": null })),
            ("activity.logged.v1", note.id.into(), json!({ "activity": note })),
            ("company.created.v1", company.id.into(), json!({ "company": company })),
            (
                "company.updated.v1",
                company.id.into(),
                json!({
                    "version": 2, "updated_at": renamed.updated_at,
                    "changes": { "domain": "i.example" },
                }),
            ),
            (
                "user.updated.v1",
                agent.into(),
                json!({
                    "version": 3, "updated_at": disabled.updated_at,
                    "changes": { "status": "disabled", "session_epoch": 1 },
                }),
            ),
        ];
        let names: Vec<&str> = events.iter().map(|one| one.event.name.as_str()).collect();
        let mut expected_names = vec!["tenant.created.v1", "user.created.v1", "user.created.v1"];
        // The colleague is invited, and made active.
        expected_names.extend(["user.secured.v1", "user.updated.v1"]);
        expected_names.extend(expected.iter().map(|(name, ..)| *name));
        assert_eq!(names, expected_names);
        assert_eq!(events[0].event.subject, tenant.into());
        for (recorded, (name, subject, data)) in events.iter().skip(5).zip(expected) {
            let event = &recorded.event;
            assert_eq!(event.subject, subject, "{name}");
            let written: Value = serde_json::from_str(event.data.get()).unwrap();
            assert_eq!(written, data, "{name}");
        }

        let last = |at: usize| -> &Event { &events[events.len() - at].event };
        assert_eq!(last(1).actor, session.scope().actor(), "the operator's doing");
        assert_eq!(last(1).request_id, *session.scope().request_id());
        assert_eq!(last(2).actor, colleague.scope().actor(), "the user's doing");
        assert_eq!(last(2).request_id, *colleague.scope().request_id());
        let times: Vec<i64> =
            events.iter().skip(5).map(|one| one.event.occurred_at.as_micros()).collect();
        assert!(times.is_sorted_by(|a, b| a + 1 == *b), "each its own microsecond: {times:?}");
    }
}

//! The event log.

use std::time::Duration;

use crm_core::activities::NewActivity;
use crm_core::companies::{CompanyPatch, NewCompany};
use crm_core::contacts::{ContactPatch, NewContact, NewEmail};
use crm_core::events::{After, Event, EventBounds, EventPosition, GroupName};
use crm_core::identity::{UserPatch, UserStatus};
use crm_core::ports::Clock as _;
use crm_core::{EntityRef, ErrorKind, EventId, Patch, Role, Session};
use serde_json::{Value, json};

use crate::case::cases;
use crate::env::{ALL, Env, plan_all, refused};

async fn bounds(env: &Env, session: &Session) -> EventBounds {
    env.store.event_bounds(session.scope()).await.unwrap()
}

async fn place(env: &Env, session: &Session, group: &GroupName) -> Option<EventPosition> {
    env.store.event_group(session.scope(), group).await.unwrap()
}

/// A contact with an e-mail.
fn reachable(name: &str, address: &str) -> NewContact {
    let emails = vec![NewEmail { address: address.to_owned(), label: None }];
    NewContact { emails, ..NewContact::named(name, "Reader") }
}

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

    async fn the_bounds_of_the_log(env: &Env) {
        let (session, other) = (env.tenant("acme").await, env.tenant("other").await);
        for number in 0..5 {
            let new = NewContact::named("Number", number.to_string());
            session.contacts().create(new.clone()).await.unwrap();
            other.contacts().create(new).await.unwrap();
            let events = env.events(&session).await;
            let bounds = bounds(env, &session).await;
            assert_eq!(bounds.horizon, EventPosition::START, "nothing is forgotten");
            assert_eq!(bounds.newest, events.last().unwrap().position);
            // Where others are still writing, the end is before what they may write.
            assert!(bounds.end <= bounds.newest, "{bounds:?}");
        }
        let before = bounds(env, &session).await;
        let mia = session.contacts().create(NewContact::named("Mia", "Late")).await.unwrap();
        let next = env.store.events_after(session.scope(), before.end, ALL).await.unwrap();
        assert_eq!(next.last().unwrap().event.subject, EntityRef::from(mia.id));
        let next: Vec<_> = next.iter().filter(|one| one.position > before.newest).collect();
        assert_eq!(next.len(), 1, "what came after the bounds is after the newest");
    }

    async fn a_group_moves_with_its_effect(env: &Env) {
        let session = env.tenant("acme").await;
        session.contacts().create(reachable("Ada", "ada@acme.example")).await.unwrap();
        let group: GroupName = "letters".parse().unwrap();
        assert_eq!(place(env, &session, &group).await, None, "nobody has read for it");
        let mut reader = session.events().group(group.clone(), After::Start).await.unwrap();
        let begun = place(env, &session, &group).await;
        assert_eq!(begun, Some(EventPosition::START));

        // An effect that is refused does not move the group.
        let batch = reader.next().await.unwrap();
        let last = batch.events().last().unwrap().position;
        let taken = batch.session().contacts().create(reachable("Eve", "ada@acme.example")).await;
        refused(taken, ErrorKind::AlreadyExists);
        assert_eq!(place(env, &session, &group).await, begun);

        let effect = batch.session().contacts().create(reachable("Eve", "eve@acme.example")).await;
        let effect = effect.unwrap();
        assert_eq!(place(env, &session, &group).await, Some(last));
        assert!(env.store.contact(session.scope(), effect.id).await.unwrap().is_some());

        // And a batch without an effect.
        let batch = reader.next().await.unwrap();
        let subjects: Vec<_> = batch.events().iter().map(|one| one.event.subject).collect();
        assert_eq!(subjects, [EntityRef::from(effect.id)]);
        let last = batch.events()[0].position;
        batch.done().await.unwrap();
        assert_eq!(place(env, &session, &group).await, Some(last));
    }

    async fn a_group_moves_once(env: &Env) {
        let session = env.tenant("acme").await;
        session.contacts().create(NewContact::named("Ada", "Lovelace")).await.unwrap();
        let group: GroupName = "letters".parse().unwrap();
        let mut first = session.events().group(group.clone(), After::Start).await.unwrap();
        let mut second = session.events().group(group.clone(), After::Start).await.unwrap();
        for round in ["new", "kept"] {
            let (won, lost) = (first.next().await.unwrap(), second.next().await.unwrap());
            assert_eq!(won.events().len(), lost.events().len(), "{round}: both see the same");
            let effect = NewContact::named("Effect", round);
            won.session().contacts().create(effect.clone()).await.unwrap();
            let moved = place(env, &session, &group).await;
            refused(lost.session().contacts().create(effect).await, ErrorKind::Conflict);
            refused(lost.done().await, ErrorKind::Conflict);
            assert_eq!(place(env, &session, &group).await, moved);
        }
        let contacts = env.all_contacts(&session).await;
        assert_eq!(contacts.len(), 3, "each effect is there once");
        assert_eq!(env.events(&session).await.len(), 5, "a refused unit leaves no event");
    }

    async fn groups_are_per_tenant(env: &Env) {
        let (acme, other) = (env.tenant("acme").await, env.tenant("other").await);
        let group: GroupName = "letters".parse().unwrap();
        let mut reader = acme.events().group(group.clone(), After::Start).await.unwrap();
        let batch = reader.next().await.unwrap();
        let last = batch.events().last().unwrap().position;
        batch.done().await.unwrap();
        assert_eq!(place(env, &other, &group).await, None);
        let mut theirs = other.events().group(group.clone(), After::Start).await.unwrap();
        theirs.next().await.unwrap().done().await.unwrap();
        assert_eq!(place(env, &acme, &group).await, Some(last));
        let another: GroupName = "letter".parse().unwrap();
        assert_eq!(place(env, &acme, &another).await, None, "a group of another name");
    }

    async fn old_events_are_forgotten(env: &Env) {
        let (session, other) = (env.tenant("acme").await, env.tenant("other").await);
        for number in 0..6 {
            env.clock.advance_micros(1_000_000);
            let new = NewContact::named("Number", number.to_string());
            session.contacts().create(new.clone()).await.unwrap();
            other.contacts().create(new).await.unwrap();
        }
        let theirs = env.events(&other).await.len();
        let all = env.events(&session).await;
        assert_eq!(all.len(), 8, "the tenant, its owner, six contacts");
        let forget = async |before, limit| {
            env.store.forget_events(session.scope(), before, limit).await.unwrap()
        };
        let before = all[5].event.occurred_at;
        assert_eq!(forget(all[0].event.occurred_at, ALL).await, 0, "none is before the first");
        assert_eq!(bounds(env, &session).await.horizon, EventPosition::START);
        assert_eq!(forget(before, 2).await, 2, "no more than asked for");
        assert_eq!(bounds(env, &session).await.horizon, all[1].position);
        assert_eq!(forget(before, ALL).await, 3, "up to the first that is not old");
        assert_eq!(forget(before, ALL).await, 0);
        let kept: Vec<EventId> = env.events(&session).await.iter().map(|one| one.event.id).collect();
        let expected: Vec<EventId> = all[5..].iter().map(|one| one.event.id).collect();
        assert_eq!(kept, expected);
        let now = bounds(env, &session).await;
        assert_eq!((now.horizon, now.newest), (all[4].position, all[7].position));
        assert!(now.horizon <= now.end && now.end <= now.newest, "{now:?}");
        assert_eq!(env.events(&other).await.len(), theirs, "other tenants keep theirs");
        assert_eq!(bounds(env, &other).await.horizon, EventPosition::START);
    }

    async fn positions_are_not_given_again(env: &Env) {
        let session = env.tenant("acme").await;
        session.contacts().create(NewContact::named("Ada", "Lovelace")).await.unwrap();
        let last = env.events(&session).await.last().unwrap().position;
        let later = env.clock.now().after(Duration::from_secs(1));
        let forgotten = env.store.forget_events(session.scope(), later, ALL).await.unwrap();
        assert_eq!(forgotten, 3);
        assert!(env.events(&session).await.is_empty());
        let empty = bounds(env, &session).await;
        assert_eq!((empty.horizon, empty.end, empty.newest), (last, last, last));
        let eve = session.contacts().create(NewContact::named("Eve", "Moore")).await.unwrap();
        let next = env.store.events_after(session.scope(), last, ALL).await.unwrap();
        assert_eq!(next.len(), 1, "the log goes on where it was");
        assert_eq!(next[0].event.subject, EntityRef::from(eve.id));
        assert_eq!(bounds(env, &session).await.newest, next[0].position);
    }
}

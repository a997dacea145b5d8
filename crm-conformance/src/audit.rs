//! The audit log.

use crm_core::activities::NewActivity;
use crm_core::audit::{AuditEntry, AuditQuery};
use crm_core::companies::{CompanyPatch, NewCompany};
use crm_core::contacts::{ContactPatch, NewContact};
use crm_core::identity::UserPatch;
use crm_core::{EntityRef, Patch, Role, Session};

use crate::case::cases;
use crate::env::{ALL, Env};

async fn entries(env: &Env, session: &Session, resource: Option<EntityRef>) -> Vec<AuditEntry> {
    let query = AuditQuery { resource, before: None, limit: ALL };
    env.store.audit_entries(session.scope(), &query).await.unwrap()
}

cases! {
    async fn audit_is_per_tenant(env: &Env) {
        let (acme, other) = (env.tenant("acme").await, env.tenant("other").await);
        let ada = acme.contacts().create(NewContact::named("Ada", "Lovelace")).await.unwrap();
        assert_eq!(entries(env, &acme, Some(ada.id.into())).await.len(), 1);
        assert_eq!(entries(env, &other, Some(ada.id.into())).await, []);
        assert_eq!(entries(env, &acme, None).await.len(), 3);
        let foreign = entries(env, &other, None).await;
        assert_eq!(foreign.len(), 2, "the tenant's and its owner's making: {foreign:?}");
    }

    async fn every_write_is_audited(env: &Env) {
        let session = env.tenant("acme").await;
        let colleague = env.colleague(&session, "agent", Role::Agent).await;
        let agent = colleague.scope().actor().user().unwrap();
        env.clock.advance_micros(1);
        let ada = colleague.contacts().create(NewContact::named("Ada", "L")).await.unwrap();
        let patch = ContactPatch {
            first_name: Patch::Set("Augusta".into()),
            tags: Patch::Set(vec!["vip".into()]),
            ..ContactPatch::default()
        };
        colleague.contacts().update(ada.id, patch, None).await.unwrap();
        colleague.contacts().delete(ada.id, None).await.unwrap();
        colleague.contacts().restore(ada.id).await.unwrap();
        let note = colleague.activities().create(NewActivity::note(ada.id, "hello")).await.unwrap();
        let new = NewCompany { name: "Initech".into(), domain: None };
        let company = colleague.companies().create(new).await.unwrap();
        let patch = CompanyPatch { name: Patch::Set("Initrode".into()), ..Default::default() };
        colleague.companies().update(company.id, patch, None).await.unwrap();
        let patch = UserPatch { role: Patch::Set(Role::Viewer), ..Default::default() };
        session.users().update(agent, patch, None).await.unwrap();

        let mut written = entries(env, &session, None).await;
        written.reverse();
        let expected: Vec<(&str, EntityRef, Vec<&str>)> = vec![
            ("tenant.created", session.scope().tenant().into(), vec![]),
            ("user.created", written[1].resource, vec![]),
            ("user.created", agent.into(), vec![]),
            ("user.secured", agent.into(), vec!["invitation"]),
            ("user.updated", agent.into(), vec!["status"]),
            ("contact.created", ada.id.into(), vec![]),
            ("contact.updated", ada.id.into(), vec!["first_name", "display_name", "tags"]),
            ("contact.deleted", ada.id.into(), vec![]),
            ("contact.restored", ada.id.into(), vec![]),
            ("activity.logged", note.id.into(), vec![]),
            ("company.created", company.id.into(), vec![]),
            ("company.updated", company.id.into(), vec!["name"]),
            ("user.updated", agent.into(), vec!["role"]),
        ];
        let found: Vec<_> = written
            .iter()
            .map(|entry| {
                let fields: Vec<&str> = entry.fields.iter().map(String::as_str).collect();
                (entry.action.action(), entry.resource, fields)
            })
            .collect();
        assert_eq!(found, expected);
        let (first, last) = (&written[5], &written[12]);
        assert_eq!(first.actor, colleague.scope().actor(), "the user's doing");
        assert_eq!(first.request_id, *colleague.scope().request_id());
        assert_eq!(first.at, ada.created_at);
        assert_eq!(last.actor, session.scope().actor(), "the operator's doing");
        assert_eq!(last.request_id, *session.scope().request_id());
    }

    async fn audit_pages_are_whole(env: &Env) {
        let session = env.tenant("acme").await;
        let ada = session.contacts().create(NewContact::named("Ada", "L")).await.unwrap();
        let bob = session.contacts().create(NewContact::named("Bob", "B")).await.unwrap();
        for number in 0..4 {
            for id in [ada.id, bob.id] {
                let patch = ContactPatch {
                    title: Patch::Set(format!("number {number}")),
                    ..ContactPatch::default()
                };
                session.contacts().update(id, patch, None).await.unwrap();
            }
        }
        for (resource, count) in [(None, 12), (Some(EntityRef::from(bob.id)), 5)] {
            let all = entries(env, &session, resource).await;
            assert_eq!(all.len(), count);
            assert!(all.is_sorted_by(|a, b| a.id > b.id), "newest first: {all:?}");
            for limit in [1, 3, count] {
                let mut walked: Vec<AuditEntry> = Vec::new();
                loop {
                    let before = walked.last().map(|entry| entry.id.as_uuid());
                    let query = AuditQuery { resource, before, limit };
                    let page = env.store.audit_entries(session.scope(), &query).await.unwrap();
                    assert!(page.len() <= limit, "{} entries on a page of {limit}", page.len());
                    if page.is_empty() {
                        break;
                    }
                    walked.extend(page);
                    assert!(walked.len() < ALL, "the pages have no end");
                }
                assert_eq!(walked, all, "pages of {limit}");
            }
        }
    }
}

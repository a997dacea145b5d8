//! Users.

use crm_core::identity::{NewUser, StandingOf, UserPatch, UserStatus};
use crm_core::{ErrorKind, Patch, Principal, Role, UserId};

use crate::case::cases;
use crate::env::{ALL, refused};

fn new_user(email: &str) -> NewUser {
    NewUser { email: email.to_owned(), full_name: None, role: Role::Agent }
}

cases! {
    async fn users_are_per_tenant(env: &Env) {
        let (acme, other) = (env.tenant("acme").await, env.tenant("other").await);
        let (acme_id, other_id) = (acme.scope().tenant(), other.scope().tenant());
        let user = acme.users().create(new_user("ada@example.com")).await.unwrap();
        // The same address may work in several tenants.
        let namesake = other.users().create(new_user("ada@example.com")).await.unwrap();

        assert_eq!(env.store.user(acme.scope(), user.id).await.unwrap(), Some(user.clone()));
        assert_eq!(env.store.user(other.scope(), user.id).await.unwrap(), None);
        let system = env.system();
        let of = StandingOf::User(user.id);
        let found = env.store.standing(system.scope(), acme_id, of).await.unwrap();
        assert_eq!(found.and_then(|standing| standing.user), Some(user.clone()));
        let found = env.store.standing(system.scope(), other_id, of).await.unwrap();
        assert_eq!(found.and_then(|standing| standing.user), None);
        let users = env.store.users(other.scope(), None, ALL).await.unwrap();
        assert!(users.contains(&namesake) && !users.contains(&user), "{users:?}");

        let patch = UserPatch { full_name: Patch::Set("X".into()), ..UserPatch::default() };
        refused(other.users().update(user.id, patch, None).await, ErrorKind::NotFound);
        let principal = Principal::User { tenant: other_id, user: user.id };
        refused(env.crm.session(principal).await, ErrorKind::Unauthenticated);
        assert_eq!(env.store.user(acme.scope(), user.id).await.unwrap(), Some(user));
    }

    async fn users_are_listed(env: &Env) {
        let session = env.tenant("acme").await;
        env.tenant("other").await;
        for number in 0..7 {
            session.users().create(new_user(&format!("{number}@example.com"))).await.unwrap();
        }
        let all = env.store.users(session.scope(), None, ALL).await.unwrap();
        assert_eq!(all.len(), 8, "seven users and the owner");
        assert!(all.is_sorted_by_key(|user| user.id), "{all:?}");
        for limit in [1, 3, 8] {
            let mut walked = Vec::new();
            let mut after = None;
            loop {
                let page = env.store.users(session.scope(), after, limit).await.unwrap();
                assert!(page.len() <= limit, "{} users on a page of {limit}", page.len());
                let Some(last) = page.last() else { break };
                after = Some(last.id.as_uuid());
                walked.extend(page);
                assert!(walked.len() < ALL, "the pages have no end");
            }
            assert_eq!(walked, all, "pages of {limit}");
        }
    }

    async fn user_emails_are_unique(env: &Env) {
        let session = env.tenant("acme").await;
        let ada = session.users().create(new_user("Ada@Example.com")).await.unwrap();
        let again = session.users().create(new_user("ada@example.COM")).await;
        let error = refused(again, ErrorKind::AlreadyExists);
        assert_eq!(error.existing_id(), Some(ada.id.as_uuid()), "the holder is named");
        // The key is Unicode's lower case, not that of ASCII alone.
        let emil = session.users().create(new_user("ÉMIL@example.com")).await.unwrap();
        let again = session.users().create(new_user("émil@example.com")).await;
        let error = refused(again, ErrorKind::AlreadyExists);
        assert_eq!(error.existing_id(), Some(emil.id.as_uuid()));
        let users = env.store.users(session.scope(), None, ALL).await.unwrap();
        assert_eq!(users.len(), 3, "the refused users left nothing behind: {users:?}");
    }

    async fn a_user_is_read_as_written(env: &Env) {
        let session = env.tenant("acme").await;
        let mut new = new_user("Ada.Lovelace+crm@Example.com");
        new.full_name = Some("Ada Lovelace 🦀 Ünï\u{301}code".into());
        let mut user = session.users().create(new).await.unwrap();
        for (role, status) in [
            (Role::Viewer, UserStatus::Active),
            (Role::Admin, UserStatus::Disabled),
            (Role::Owner, UserStatus::Active),
        ] {
            assert_eq!(env.store.user(session.scope(), user.id).await.unwrap(), Some(user.clone()));
            env.clock.advance_micros(1);
            let patch = UserPatch {
                full_name: Patch::Set(format!("O'Hara \"{}\"", role.as_str())),
                role: Patch::Set(role),
                status: Patch::Set(status),
            };
            let after = session.users().update(user.id, patch, Some(user.version)).await.unwrap();
            assert_eq!((after.version, after.role), (user.version + 1, role));
            assert!(after.updated_at > after.created_at);
            user = after;
        }
        assert_eq!(env.store.user(session.scope(), user.id).await.unwrap(), Some(user));
        let unknown = UserId::from_uuid(uuid::Uuid::from_u128(1));
        assert_eq!(env.store.user(session.scope(), unknown).await.unwrap(), None);
    }
}

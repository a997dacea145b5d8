//! Users.

use crm_core::identity::{
    ApiKey, Credential, CredentialKind, NewApiKey, NewUser, SignIn, SignInMethod, SignInName,
    StandingOf, Tokens, UserPatch, UserStatus,
};
use crm_core::ports::Clock as _;
use crm_core::{Crm, EmailAddress, ErrorKind, Patch, Principal, Role, Session, SignInId, TenantId, UserId};
use futures::future::join_all;
use uuid::Uuid;

use crate::case::cases;
use crate::clock::SeededRandomness;
use crate::env::{ALL, Env, identity, refused, registration, sign_in};

fn new_user(email: &str) -> NewUser {
    NewUser { email: email.to_owned(), full_name: None, role: Role::Agent }
}

fn new_key(name: &str) -> NewApiKey {
    let scopes = vec!["contacts:read".to_owned()];
    NewApiKey { name: name.to_owned(), role: Role::Viewer, scopes, expires_at: None }
}

async fn credential(env: &Env, tenant: TenantId, id: Uuid) -> Option<Credential> {
    let (system, of) = (env.system(), StandingOf::Credential(id));
    let standing = env.store.standing(system.scope(), tenant, of).await.unwrap();
    standing.expect("the tenant is there").credential
}

async fn api_key(env: &Env, session: &Session, id: Uuid) -> ApiKey {
    match credential(env, session.scope().tenant(), id).await {
        Some(Credential::ApiKey(key)) => key,
        other => panic!("no API key: {other:?}"),
    }
}

/// The user's sign-ins, as the store lists them.
async fn sign_ins(env: &Env, session: &Session, user: Option<UserId>) -> Vec<SignIn> {
    let kind = CredentialKind::SignIn;
    let all = env.store.credentials(session.scope(), kind, user, None, ALL).await.unwrap();
    let own = |credential| match credential {
        Credential::SignIn(own) => own,
        other @ (Credential::Authenticators(_) | Credential::ApiKey(_) | Credential::Link(_)) => {
            panic!("asked for sign-ins: {other:?}")
        }
    };
    all.into_iter().map(own).collect()
}

fn ids_of(sign_ins: &[SignIn]) -> Vec<SignInId> {
    sign_ins.iter().map(|own| own.id).collect()
}

/// The only sign-in that a new owner has, and the session of the operator in the tenant.
async fn registered(env: &Env, company: &str) -> (Tokens, Session, SignIn) {
    let new = env.identity("first").register(registration(company)).await.unwrap();
    let session = env.system().session(new.tenant.id).await.unwrap();
    let sign_in = sign_ins(env, &session, Some(new.user.id)).await.pop().unwrap();
    (new.tokens, session, sign_in)
}

cases! {
    async fn users_are_per_tenant(env: &Env) {
        let (acme, other) = (env.tenant("acme").await, env.tenant("other").await);
        let (acme_id, other_id) = (acme.scope().tenant(), other.scope().tenant());
        let user = acme.users().create(new_user("ada@example.com")).await.unwrap().user;
        // The same address may work in several tenants.
        let namesake = other.users().create(new_user("ada@example.com")).await.unwrap().user;

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
        let ada = session.users().create(new_user("Ada@Example.com")).await.unwrap().user;
        let again = session.users().create(new_user("ada@example.COM")).await;
        let error = refused(again, ErrorKind::AlreadyExists);
        assert_eq!(error.existing_id(), Some(ada.id.as_uuid()), "the holder is named");
        // The key is Unicode's lower case, not that of ASCII alone.
        let emil = session.users().create(new_user("ÉMIL@example.com")).await.unwrap().user;
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
        let mut user = session.users().create(new).await.unwrap().user;
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

    async fn credentials_are_per_tenant(env: &Env) {
        let (acme, other) = (env.tenant("acme").await, env.tenant("other").await);
        let (acme_id, other_id) = (acme.scope().tenant(), other.scope().tenant());
        let key = acme.api_keys().create(new_key("theirs")).await.unwrap().api_key.id;
        assert!(credential(env, acme_id, key.as_uuid()).await.is_some());
        assert_eq!(credential(env, other_id, key.as_uuid()).await, None);
        let kind = CredentialKind::ApiKey;
        let listed = env.store.credentials(other.scope(), kind, None, None, ALL).await.unwrap();
        assert_eq!(listed, []);
        refused(other.api_keys().revoke(key).await, ErrorKind::NotFound);
        assert_eq!(api_key(env, &acme, key.as_uuid()).await.revoked_at, None);

        let (_, session, sign_in) = registered(env, "engines").await;
        let id = sign_in.id.as_uuid();
        assert!(credential(env, session.scope().tenant(), id).await.is_some());
        assert_eq!(credential(env, other_id, id).await, None);
        let user = Some(sign_in.user_id);
        assert_eq!(sign_ins(env, &other, user).await, []);
    }

    async fn a_credential_is_read_as_written(env: &Env) {
        let program = "Browser/1 \0 'quoted' \"🦀\" Ünï\u{301}code";
        let new = env.identity(program).register(registration("acme")).await.unwrap();
        let tenant = new.tenant.id;
        let session = env.system().session(tenant).await.unwrap();

        let user = new.user.id;
        let (system, of) = (env.system(), StandingOf::Credential(user.as_uuid()));
        let standing = env.store.standing(system.scope(), tenant, of).await.unwrap().unwrap();
        assert_eq!((&standing.tenant, &standing.user), (&new.tenant, &Some(new.user)));
        let Some(Credential::Authenticators(own)) = standing.credential else {
            panic!("no authenticators: {:?}", standing.credential);
        };
        assert_eq!((own.user_id, own.version, own.totp), (user, 1, None));
        assert!(own.password.unwrap().reveal().starts_with("$argon2id$"));

        let first = sign_ins(env, &session, Some(user)).await.pop().unwrap();
        assert_eq!((first.user_id, first.method, first.version), (user, SignInMethod::Password, 1));
        assert_eq!(first.user_agent.as_deref(), Some(program));
        env.clock.advance_micros(1_000_001);
        let tokens = env.identity(program).refresh(&new.tokens.refresh_token).await.unwrap();
        let found = credential(env, tenant, first.id.as_uuid()).await;
        let Some(Credential::SignIn(second)) = found.clone() else { panic!("{found:?}") };
        assert_eq!(second.refreshed_at, first.refreshed_at.saturating_add_micros(1_000_001));
        assert_eq!(second.expires_at, first.expires_at.saturating_add_micros(1_000_001));
        assert_eq!(second.previous.as_ref().unwrap().token, first.refresh_token);
        assert_eq!(second.version, 2);
        // The digests are read back whole: the token works, as does the one before in its place.
        env.identity(program).refresh(&tokens.refresh_token).await.unwrap();

        let expires_at = Some(second.expires_at);
        let new = NewApiKey { expires_at, ..new_key("Ключ '\"🦀") };
        let made = session.api_keys().create(new).await.unwrap().api_key;
        let of = StandingOf::Credential(made.id.as_uuid());
        let standing = env.store.standing(system.scope(), tenant, of).await.unwrap().unwrap();
        assert_eq!(standing.user, None, "a key is nobody's");
        let key = api_key(env, &session, made.id.as_uuid()).await;
        assert_eq!((key.name, key.scopes), (made.name, made.scopes));
        assert_eq!((key.expires_at, key.created_at), (expires_at, env.clock.now()));

        let of = StandingOf::Credential(Uuid::from_u128(1));
        let standing = env.store.standing(system.scope(), tenant, of).await.unwrap().unwrap();
        assert_eq!((standing.user, standing.credential), (None, None));
    }

    async fn accounts_are_found_by_name(env: &Env) {
        let system = env.system();
        let mut expected = Vec::new();
        for (slug, email) in [("acme", "Zoë@Example.com"), ("other", "zoË@example.COM")] {
            let session = env.tenant(slug).await;
            let user = session.users().create(new_user(email)).await.unwrap().user;
            // Refused, and so without a trace.
            refused(session.users().create(new_user(email)).await, ErrorKind::AlreadyExists);
            expected.push((session.scope().tenant(), user.id));
        }
        env.tenant("without").await;
        expected.sort();
        let find = async |email: &str, limit| {
            let name = SignInName::of_email(&EmailAddress::parse(email).unwrap());
            env.store.accounts(system.scope(), &name, limit).await.unwrap()
        };
        assert_eq!(find("ZOË@example.com", ALL).await, expected);
        assert_eq!(find("zoë@example.com", 1).await, expected[..1]);
        assert_eq!(find("zoe@example.com", ALL).await, []);
        assert_eq!(find("owner@acme.example", ALL).await.len(), 1);
        let name = SignInName::of_link("provider", "zoë@example.com");
        assert_eq!(env.store.accounts(system.scope(), &name, ALL).await.unwrap(), []);
    }

    async fn credentials_are_listed(env: &Env) {
        let (_, session, sign_in) = registered(env, "acme").await;
        env.tenant("other").await.api_keys().create(new_key("theirs")).await.unwrap();
        for number in 0..7 {
            session.api_keys().create(new_key(&number.to_string())).await.unwrap();
        }
        let list = async |kind, user, after, limit| {
            env.store.credentials(session.scope(), kind, user, after, limit).await.unwrap()
        };
        let kind = CredentialKind::ApiKey;
        let all = list(kind, None, None, ALL).await;
        assert_eq!(all.len(), 7);
        assert!(all.iter().all(|credential| credential.kind() == kind), "{all:?}");
        assert!(all.is_sorted_by_key(Credential::id), "{all:?}");
        for limit in [1, 3, 7] {
            let (mut walked, mut after) = (Vec::new(), None);
            loop {
                let page = list(kind, None, after, limit).await;
                assert!(page.len() <= limit, "{} credentials on a page of {limit}", page.len());
                let Some(last) = page.last() else { break };
                after = Some(last.id());
                walked.extend(page);
                assert!(walked.len() < ALL, "the pages have no end");
            }
            assert_eq!(walked, all, "pages of {limit}");
        }
        // Of one user, and of nobody else.
        let user = Some(sign_in.user_id);
        assert_eq!(list(kind, user, None, ALL).await, []);
        assert_eq!(list(CredentialKind::Authenticators, user, None, ALL).await.len(), 1);
        assert_eq!(sign_ins(env, &session, user).await, [sign_in]);
        let nobody = Some(UserId::from_uuid(Uuid::from_u128(1)));
        assert_eq!(sign_ins(env, &session, nobody).await, []);
    }

    async fn useless_sign_ins_are_forgotten(env: &Env) {
        let (tokens, session, first) = registered(env, "acme").await;
        let user = Some(first.user_id);
        // Somebody else's is as useless, and none of theirs.
        registered(env, "other").await;
        let own = env.identity("first").authenticate(tokens.access_token.reveal()).await.unwrap();
        // Beyond the minute in which a code could be exchanged for it.
        env.clock.advance_micros(60_000_000);
        env.identity("second").sign_in(sign_in("acme")).await.unwrap();
        own.account().end_session(first.id).await.unwrap();
        let both = sign_ins(env, &session, user).await;
        assert_eq!(both.len(), 2, "one has ended, and is still there");
        env.identity("third").sign_in(sign_in("acme")).await.unwrap();
        let live = sign_ins(env, &session, user).await;
        assert_eq!(live.len(), 2);
        assert!(!ids_of(&live).contains(&first.id), "{live:?}");
        assert!(ids_of(&live).contains(&both[1].id), "{live:?}");
        // To the microsecond in which they are over.
        let until = live[0].expires_at;
        env.clock.set(until.saturating_add_micros(-1));
        let tokens = env.identity("fourth").sign_in(sign_in("acme")).await.unwrap().tokens;
        assert_eq!(sign_ins(env, &session, user).await.len(), 3);
        env.clock.set(until);
        env.identity("fourth").refresh(&tokens.refresh_token).await.unwrap();
        assert_eq!(sign_ins(env, &session, user).await.len(), 3, "a refresh forgets none");
        env.identity("fifth").sign_in(sign_in("acme")).await.unwrap();
        let left = sign_ins(env, &session, user).await;
        let programs: Vec<_> = left.iter().filter_map(|own| own.user_agent.as_deref()).collect();
        assert_eq!(programs, ["fourth", "fifth"]);
        let authenticators = CredentialKind::Authenticators;
        let kept = env.store.credentials(session.scope(), authenticators, user, None, ALL).await;
        assert_eq!(kept.unwrap().len(), 1);
    }

    async fn a_stale_credential_is_refused(env: &Env) {
        let session = env.tenant("acme").await;
        let key = session.api_keys().create(new_key("used and revoked")).await.unwrap();
        let id = key.api_key.id;
        let other = Crm::builder(env.door.clone())
            .clock(env.clock.clone())
            .randomness(SeededRandomness::new(8))
            .build()
            .unwrap();
        let there = other.system("prove what the store does").unwrap();
        let there = there.session(session.scope().tenant()).await.unwrap();
        // Both read the key before either writes it: whoever is second has to look again.
        env.door.gather_commits(2);
        let program = env.identity("program");
        let keys = there.api_keys();
        let (revoked, used) =
            futures::join!(keys.revoke(id), program.authenticate(key.secret.reveal()));
        used.unwrap();
        revoked.unwrap();
        let after = api_key(env, &session, id.as_uuid()).await;
        assert!(after.revoked_at.is_some(), "a note of the use undid the revocation: {after:?}");
        let written = 1 + i64::from(after.last_used_at.is_some());
        assert_eq!(after.version, 1 + written, "{after:?}");
    }

    async fn refreshes_of_one_token_agree(env: &Env) {
        const MANY: u64 = 64;
        let (tokens, session, first) = registered(env, "acme").await;
        env.clock.advance_micros(1);
        env.door.gather_commits(MANY);
        let asked = (0..MANY).map(|_| {
            let (there, token) = (identity(&env.crm, "program"), tokens.refresh_token.clone());
            tokio::spawn(async move { there.refresh(&token).await })
        });
        let answers: Vec<Tokens> =
            join_all(asked).await.into_iter().map(|answer| answer.unwrap().unwrap()).collect();
        let successor = &answers[0].refresh_token;
        assert!(answers.iter().all(|answer| answer.refresh_token == *successor));
        assert_ne!(*successor, tokens.refresh_token);
        let after = sign_ins(env, &session, Some(first.user_id)).await;
        assert_eq!((after.len(), after[0].version), (1, 2), "one of them was written");
        env.identity("program").refresh(successor).await.unwrap();
    }
}

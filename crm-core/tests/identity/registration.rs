//! Registration, tickets, and passwords that the operator sets.

use std::time::Duration;

use crm_core::identity::{Registration, RegistrationPolicy, Secret, SignInPolicy};
use crm_core::{ErrorKind, UserId};

use crate::{PASSWORD, field, refused, unlimited, world, world_with};

const HOUR: Duration = Duration::from_secs(3600);

pub(crate) fn registration(email: &str, invitation: Option<&Secret>) -> Registration {
    Registration {
        company_name: "Initech".into(),
        full_name: "Bill Lumbergh".into(),
        email: email.into(),
        password: PASSWORD.into(),
        default_region: None,
        invitation: invitation.cloned(),
    }
}

#[tokio::test]
async fn an_invitation_registers_one_tenant() {
    let policy = SignInPolicy { registration: RegistrationPolicy::Invitation, ..unlimited() };
    let world = world_with(|builder| builder.sign_in_policy(policy)).await;
    let register = |email: &'static str, invitation: Option<&Secret>| {
        let (identity, new) = (world.identity(), registration(email, invitation));
        async move { identity.register(new).await }
    };
    refused(register("a@initech.example", None).await, ErrorKind::Forbidden);
    let made_up = Secret::from("1.bm90aGluZw");
    refused(register("a@initech.example", Some(&made_up)).await, ErrorKind::Forbidden);

    let system = world.crm.system("test").unwrap();
    let invitation = system.registration_invitation(HOUR).unwrap();
    let (one, two) = futures::join!(
        register("a@initech.example", Some(&invitation)),
        register("b@initech.example", Some(&invitation)),
    );
    assert_eq!([&one, &two].iter().filter(|result| result.is_ok()).count(), 1);
    refused(if one.is_ok() { two } else { one }, ErrorKind::Forbidden);
    refused(register("c@initech.example", Some(&invitation)).await, ErrorKind::Forbidden);

    let late = system.registration_invitation(HOUR).unwrap();
    world.clock.advance(HOUR);
    refused(register("d@initech.example", Some(&late)).await, ErrorKind::Forbidden);
    // A ticket for something else is no invitation.
    let other = world.crm.seal_ticket("oidc", &world.tenant.id, HOUR).unwrap();
    refused(register("e@initech.example", Some(&other)).await, ErrorKind::Forbidden);
}

#[tokio::test]
async fn where_registration_is_closed_nobody_registers() {
    let policy = SignInPolicy { registration: RegistrationPolicy::Closed, ..unlimited() };
    let world = world_with(|builder| builder.sign_in_policy(policy)).await;
    let invitation = world.crm.system("test").unwrap().registration_invitation(HOUR).unwrap();
    for invitation in [None, Some(&invitation)] {
        let new = registration("a@initech.example", invitation);
        refused(world.identity().register(new).await, ErrorKind::Forbidden);
    }
}

#[tokio::test]
async fn a_ticket_opens_in_its_context_and_time() {
    let world = world().await;
    let ticket = world.crm.seal_ticket("state", &("nonce", 7), HOUR).unwrap();
    let opened: (String, u32) = world.crm.open_ticket("state", &ticket).unwrap();
    assert_eq!(opened, ("nonce".to_owned(), 7));
    let elsewhere = world.crm.open_ticket::<(String, u32)>("other", &ticket);
    refused(elsewhere, ErrorKind::Unauthenticated);
    for bad in ["", "x", "1.", &"a".repeat(100_000)] {
        let bad = world.crm.open_ticket::<(String, u32)>("state", &bad.into());
        refused(bad, ErrorKind::Unauthenticated);
    }
    world.clock.advance(HOUR);
    let late = world.crm.open_ticket::<(String, u32)>("state", &ticket);
    refused(late, ErrorKind::Unauthenticated);
}

#[tokio::test]
async fn hashes_of_another_program_are_taken_over_and_replaced() {
    let world = world().await;
    let system = world.crm.system("test").unwrap();
    let (tenant, owner) = (world.tenant.id, world.owner.id);
    let before = world.try_sign_in("owner@acme.example", PASSWORD, None).await.unwrap();
    // Of the password "correct horse", by bcrypt with the cost 4.
    let hash = bcrypt::hash_with_salt("correct horse", 4, [7; 16]).unwrap();
    let hash = hash.format_for_version(bcrypt::Version::TwoB);
    system.import_password_hash(tenant, owner, hash.into()).await.unwrap();
    refused(world.with(&before).await, ErrorKind::Unauthenticated);
    let old = world.try_sign_in("owner@acme.example", PASSWORD, None).await;
    refused(old, ErrorKind::Unauthenticated);
    let hashes = || world.hashes.0.swap(0, std::sync::atomic::Ordering::SeqCst);
    hashes();
    world.try_sign_in("owner@acme.example", "correct horse", None).await.unwrap();
    assert_eq!(hashes(), 2, "compared, and hashed anew");
    world.try_sign_in("owner@acme.example", "correct horse", None).await.unwrap();
    assert_eq!(hashes(), 1, "compared only");

    let unknown = system.import_password_hash(tenant, owner, "plain".into()).await;
    assert_eq!(field(unknown), ("hash".into(), "unknown_hash".into()));
    let common = system.set_password(tenant, owner, &"passwordpassword".into()).await;
    assert_eq!(field(common), ("password".into(), "password_too_common".into()));
    let nobody = UserId::from_uuid(uuid::Uuid::nil());
    let missing = system.set_password(tenant, nobody, &PASSWORD.into()).await;
    refused(missing, ErrorKind::NotFound);
}

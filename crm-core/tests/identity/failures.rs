//! Wrong attempts in a row.

use std::sync::atomic::Ordering;
use std::time::Duration;

use crm_core::identity::{
    ChangePassword, ExternalIdentity, PasswordSignIn, SignInPolicy, UserPatch, UserStatus,
};
use crm_core::ports::Quota;
use crm_core::{ErrorKind, Role};

use crate::{PASSWORD, World, field, refused, unlimited, world_with};

const ADA: &str = "ada@acme.example";
const WRONG: &str = "some other password";

/// A world where five wrong attempts in a row are too many.
async fn world_of_five() -> World {
    assert_eq!(SignInPolicy::default().most_failures, 100);
    let policy = SignInPolicy { most_failures: 5, ..unlimited() };
    world_with(|builder| builder.sign_in_policy(policy)).await
}

#[tokio::test]
async fn after_too_many_in_a_row_the_password_is_of_no_use() {
    let world = world_of_five().await;
    let ada = world.user(ADA, Role::Agent).await;
    for _ in 0..4 {
        refused(world.try_sign_in(ADA, WRONG, None).await, ErrorKind::Unauthenticated);
    }
    let session = world.session(ADA).await;
    // It counts anew; a guess within a session counts, too.
    for _ in 0..4 {
        refused(world.try_sign_in(ADA, WRONG, None).await, ErrorKind::Unauthenticated);
    }
    let change = |current: &str| ChangePassword {
        current_password: current.into(),
        new_password: "tangerine ledger window".into(),
    };
    let wrong = session.account().change_password(change(WRONG)).await;
    assert_eq!(field(wrong), ("current_password".into(), "wrong_password".into()));
    let wrong = refused(world.try_sign_in(ADA, WRONG, None).await, ErrorKind::Unauthenticated);
    let right = refused(world.try_sign_in(ADA, PASSWORD, None).await, ErrorKind::Unauthenticated);
    assert_eq!(wrong.to_string(), right.to_string());
    let right = session.account().change_password(change(PASSWORD)).await;
    assert_eq!(field(right), ("current_password".into(), "wrong_password".into()));
    let events = world.events().await;
    let failed = events.iter().filter(|name| *name == "user.authentication_failed.v1").count();
    assert_eq!(failed, 4 + 5, "what is beyond is not written");

    // Another way in is open still, and a new invitation opens this one again.
    let external = ExternalIdentity {
        provider: "example".into(),
        subject: "1".into(),
        email: Some(ADA.into()),
        email_verified: true,
        name: None,
        authenticated_at: None,
    };
    world.identity().sign_in_external(&external, None).await.unwrap();
    refused(world.try_sign_in(ADA, PASSWORD, None).await, ErrorKind::Unauthenticated);
    let again = world.operator().await.users().invite_again(ada.id).await.unwrap();
    let accept = crm_core::identity::AcceptInvitation {
        invitation: again.invitation,
        password: PASSWORD.into(),
        full_name: None,
    };
    world.identity().accept_invitation(accept).await.unwrap();
    world.session(ADA).await;
}

#[tokio::test]
async fn wrong_codes_of_the_second_factor_count() {
    let world = world_of_five().await;
    world.user(ADA, Role::Agent).await;
    let session = world.session(ADA).await;
    let totp = session.account().begin_totp().await.unwrap();
    let secret = totp_rs::Secret::try_from_base32(totp.secret.reveal()).unwrap();
    let generator = totp_rs::Builder::new().with_secret(secret).build().unwrap();
    let first = generator.generate(1_800_000_000).to_string();
    let codes = session.account().confirm_totp(&first.into()).await.unwrap();
    for _ in 0..5 {
        let wrong = world.try_sign_in(ADA, PASSWORD, Some("wrong")).await;
        refused(wrong, ErrorKind::SecondFactorRequired);
    }
    let code = codes.recovery_codes[0].reveal();
    let locked = world.try_sign_in(ADA, PASSWORD, Some(code)).await;
    refused(locked, ErrorKind::Unauthenticated);
}

#[tokio::test]
async fn every_refusal_takes_the_same_computations() {
    let world = world_of_five().await;
    world.user(ADA, Role::Agent).await;
    let disabled = world.user("disabled@acme.example", Role::Agent).await;
    let patch = UserPatch { status: UserStatus::Disabled.into(), ..UserPatch::default() };
    world.operator().await.users().update(disabled.id, patch, None).await.unwrap();
    let invited = crm_core::identity::NewUser {
        email: "invited@acme.example".into(),
        full_name: None,
        role: Role::Agent,
    };
    world.operator().await.users().create(invited).await.unwrap();
    world.user("locked@acme.example", Role::Agent).await;
    for _ in 0..5 {
        let wrong = world.try_sign_in("locked@acme.example", WRONG, None).await;
        refused(wrong, ErrorKind::Unauthenticated);
    }
    let mut answers = Vec::new();
    for (email, password) in [
        (ADA, WRONG),
        ("nobody@acme.example", WRONG),
        ("no address", WRONG),
        ("disabled@acme.example", PASSWORD),
        ("disabled@acme.example", WRONG),
        ("invited@acme.example", PASSWORD),
        ("locked@acme.example", PASSWORD),
        ("locked@acme.example", WRONG),
    ] {
        world.hashes.0.store(0, Ordering::SeqCst);
        let error =
            refused(world.try_sign_in(email, password, None).await, ErrorKind::Unauthenticated);
        answers.push((error.to_string(), world.hashes.0.load(Ordering::SeqCst)));
    }
    answers.dedup();
    assert_eq!(answers.len(), 1, "{answers:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn wrong_attempts_at_once_count_each() {
    let meeting = crate::Meeting::default();
    let policy = SignInPolicy { most_failures: 2, ..unlimited() };
    let world = world_with(|b| b.sign_in_policy(policy).randomness(meeting.clone())).await;
    world.user(ADA, Role::Agent).await;
    let tasks = [world.identity(), world.identity()].map(|identity| async move {
        let attempt =
            PasswordSignIn { email: ADA.into(), password: WRONG.into(), tenant: None, code: None };
        refused(identity.sign_in(attempt).await, ErrorKind::Unauthenticated);
    });
    meeting.of_two();
    for task in tasks.map(tokio::spawn) {
        task.await.unwrap();
    }
    refused(world.try_sign_in(ADA, PASSWORD, None).await, ErrorKind::Unauthenticated);
}

#[tokio::test]
async fn an_attempt_that_the_throttle_stops_does_not_count() {
    let per_account = Quota::new(3, Duration::from_secs(3600));
    let policy = SignInPolicy { per_account, ..unlimited() };
    let world = world_with(|builder| builder.sign_in_policy(policy)).await;
    world.user(ADA, Role::Agent).await;
    for number in 0..10 {
        let kind = if number < 3 { ErrorKind::Unauthenticated } else { ErrorKind::RateLimited };
        refused(world.try_sign_in(ADA, WRONG, None).await, kind);
    }
    let events = world.events().await;
    let failed = events.iter().filter(|name| *name == "user.authentication_failed.v1").count();
    assert_eq!(failed, 3);
}

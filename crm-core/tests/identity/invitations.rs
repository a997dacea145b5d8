//! Invitations.

use std::time::Duration;

use crm_core::idempotency::Idempotent;
use crm_core::identity::{AcceptInvitation, NewUser, Secret, UserPatch, UserStatus};
use crm_core::{ErrorKind, Role};

use crate::{PASSWORD, field, refused, world};

const DAY: Duration = Duration::from_secs(24 * 60 * 60);

fn ada() -> NewUser {
    NewUser { email: "ada@acme.example".into(), full_name: None, role: Role::Agent }
}

fn accept(invitation: &Secret, password: &str) -> AcceptInvitation {
    AcceptInvitation {
        invitation: invitation.clone(),
        password: password.into(),
        full_name: Some("Ada Lovelace".into()),
    }
}

#[tokio::test]
async fn who_is_invited_chooses_a_password_and_is_in() {
    let world = world().await;
    let owner = world.session("owner@acme.example").await;
    let created = owner.users().create(ada()).await.unwrap();
    assert_eq!(created.user.status, UserStatus::Invited);
    assert!(created.invitation.reveal().starts_with("crmi_"));
    refused(
        world.try_sign_in("ada@acme.example", PASSWORD, None).await,
        ErrorKind::Unauthenticated,
    );
    let principal = world.tenant.principal(&created.user);
    refused(world.crm.session(principal).await, ErrorKind::Unauthenticated);

    let short = world.identity().accept_invitation(accept(&created.invitation, "short")).await;
    assert_eq!(field(short), ("password".into(), "password_too_short".into()));
    let accepted =
        world.identity().accept_invitation(accept(&created.invitation, PASSWORD)).await.unwrap();
    assert_eq!(accepted.user.status, UserStatus::Active);
    assert_eq!(accepted.user.full_name, "Ada Lovelace");
    let session = world.with(&accepted).await.unwrap();
    assert_eq!(session.scope().role(), Role::Agent);
    world.session("ada@acme.example").await;

    let again = world.identity().accept_invitation(accept(&created.invitation, PASSWORD)).await;
    refused(again, ErrorKind::Unauthenticated);
}

#[tokio::test]
async fn an_invitation_is_over_after_seven_days_and_lost_when_the_user_is_disabled() {
    let world = world().await;
    let operator = world.operator().await;
    let created = operator.users().create(ada()).await.unwrap();
    world.clock.advance(DAY * 7);
    let late = world.identity().accept_invitation(accept(&created.invitation, PASSWORD)).await;
    refused(late, ErrorKind::Unauthenticated);

    let again = operator.users().invite_again(created.user.id).await.unwrap();
    let old = world.identity().accept_invitation(accept(&created.invitation, PASSWORD)).await;
    refused(old, ErrorKind::Unauthenticated);
    let disable = UserPatch { status: UserStatus::Disabled.into(), ..UserPatch::default() };
    operator.users().update(created.user.id, disable, None).await.unwrap();
    let disabled = world.identity().accept_invitation(accept(&again.invitation, PASSWORD)).await;
    refused(disabled, ErrorKind::Unauthenticated);
    refused(operator.users().invite_again(created.user.id).await, ErrorKind::Conflict);
}

#[tokio::test]
async fn of_two_who_accept_at_once_one_is_in() {
    let world = world().await;
    let created = world.operator().await.users().create(ada()).await.unwrap();
    let (one, two) = (world.identity(), world.identity());
    let (one, two) = futures::join!(
        one.accept_invitation(accept(&created.invitation, PASSWORD)),
        two.accept_invitation(accept(&created.invitation, "another password of mine")),
    );
    assert_eq!([&one, &two].iter().filter(|result| result.is_ok()).count(), 1);
    let lost = if one.is_ok() { two } else { one };
    refused(lost, ErrorKind::Unauthenticated);
}

#[tokio::test]
async fn a_new_invitation_ends_the_sessions_and_the_old_password() {
    let world = world().await;
    let ada = world.user("ada@acme.example", Role::Agent).await;
    let signed_in = world.try_sign_in("ada@acme.example", PASSWORD, None).await.unwrap();
    let owner = world.session("owner@acme.example").await;
    let again = owner.users().invite_again(ada.id).await.unwrap();
    assert_eq!(again.user.status, UserStatus::Active, "who works in the host goes on to");
    refused(world.with(&signed_in).await, ErrorKind::Unauthenticated);
    let old = world.try_sign_in("ada@acme.example", PASSWORD, None).await;
    refused(old, ErrorKind::Unauthenticated);
    let new = "tangerine ledger window";
    world.identity().accept_invitation(accept(&again.invitation, new)).await.unwrap();
    world.try_sign_in("ada@acme.example", new, None).await.unwrap();

    // Nobody takes over an account above their own, nor their own without its password.
    refused(owner.users().invite_again(world.owner.id).await, ErrorKind::Conflict);
    world.user("admin@acme.example", Role::Admin).await;
    let admin = world.session("admin@acme.example").await;
    refused(admin.users().invite_again(world.owner.id).await, ErrorKind::Forbidden);
    let other = world.user("other@acme.example", Role::Owner).await;
    let signed_in = world.try_sign_in("owner@acme.example", PASSWORD, None).await.unwrap();
    world.clock.advance(DAY / 2);
    let tokens = world.identity().refresh(&signed_in.tokens.refresh_token).await.unwrap();
    let stale = world.identity().authenticate(tokens.access_token.reveal()).await.unwrap();
    let stale = stale.users().invite_again(other.id).await;
    refused(stale, ErrorKind::StepUpRequired);
}

#[tokio::test]
async fn a_repeated_request_gets_the_same_invitation() {
    let world = world().await;
    let operator = world.operator().await;
    let key = "k1".parse().unwrap();
    let Idempotent::First(first) = operator.idempotent(&key, b"POST /users").await.unwrap() else {
        panic!("nothing was done before")
    };
    let created = first.users().create(ada()).await.unwrap();
    drop(first);
    let Idempotent::Again(json) = operator.idempotent(&key, b"POST /users").await.unwrap() else {
        panic!("it was done before")
    };
    let json: serde_json::Value = serde_json::from_str(&json).unwrap();
    assert_eq!(json["invitation"], created.invitation.reveal());
    assert_eq!((&json["status"], &json["email"]), (&"invited".into(), &"ada@acme.example".into()));
}

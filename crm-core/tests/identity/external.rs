//! Accounts with providers of identities.

use std::time::Duration;

use crm_core::identity::{
    AcceptInvitation, ExternalIdentity, NewUser, RegistrationPolicy, Secret, SignInPolicy,
    SignedIn, UserPatch, UserStatus,
};
use crm_core::ports::Clock as _;
use crm_core::tenancy::TenantPatch;
use crm_core::{ErrorKind, Result, Role};

use crate::registration::registration;
use crate::{PASSWORD, World, make_tenant, refused, second_factor, world};

const ADA: &str = "ada@acme.example";

fn account(subject: &str, email: &str) -> ExternalIdentity {
    ExternalIdentity {
        provider: "example".into(),
        subject: subject.into(),
        email: Some(email.into()),
        email_verified: true,
        name: Some("Ada King".into()),
        authenticated_at: None,
    }
}

async fn arrive(world: &World, who: &ExternalIdentity, tenant: Option<&str>) -> Result<SignedIn> {
    world.identity().sign_in_external(who, tenant).await
}

async fn let_join(world: &World, role: Role) {
    let patch = TenantPatch {
        join_domains: vec!["acme.example".to_owned()].into(),
        join_role: role.into(),
        ..TenantPatch::default()
    };
    world.operator().await.tenant().update(patch, None).await.unwrap();
}

#[tokio::test]
async fn a_verified_address_links_once_and_the_link_stays() {
    let world = world().await;
    let ada = world.user(ADA, Role::Agent).await;
    let unverified = ExternalIdentity { email_verified: false, ..account("1", ADA) };
    let nameless = ExternalIdentity { email: None, ..account("1", ADA) };
    for who in [unverified.clone(), nameless, account("1", "nobody@acme.example")] {
        refused(arrive(&world, &who, None).await, ErrorKind::Unauthenticated);
    }
    let signed_in = arrive(&world, &account("1", "ADA@acme.example"), None).await.unwrap();
    assert_eq!(signed_in.user.id, ada.id);
    let session = world.with(&signed_in).await.unwrap();
    assert_eq!(session.account().me().await.unwrap().session.unwrap().method.to_owned(), {
        crm_core::identity::SignInMethod::Oidc
    });
    // From now on the account counts, whatever its address.
    let signed_in = arrive(&world, &account("1", "new@elsewhere.example"), None).await.unwrap();
    assert_eq!(signed_in.user.id, ada.id);
    arrive(&world, &unverified, None).await.unwrap();
    // The address has gone to somebody else at the same provider.
    refused(arrive(&world, &account("2", ADA), None).await, ErrorKind::Unauthenticated);
    let other = ExternalIdentity { provider: "other".into(), ..account("2", ADA) };
    assert_eq!(arrive(&world, &other, None).await.unwrap().user.id, ada.id);

    let disable = UserPatch { status: UserStatus::Disabled.into(), ..UserPatch::default() };
    world.operator().await.users().update(ada.id, disable, None).await.unwrap();
    world.user("eve@acme.example", Role::Agent).await;
    // Not as somebody else either, whose address the account has by now.
    let eves = arrive(&world, &account("1", "eve@acme.example"), None).await;
    refused(eves, ErrorKind::Unauthenticated);
    let_join(&world, Role::Viewer).await;
    for who in [account("1", ADA), account("3", ADA), account("1", "new@acme.example")] {
        for tenant in [None, Some("acme-gmbh")] {
            refused(arrive(&world, &who, tenant).await, ErrorKind::Unauthenticated);
        }
    }
}

/// Somebody has registered with an address that is not theirs, and its owner comes later.
#[tokio::test]
async fn what_was_set_before_the_address_was_proved_is_of_no_use() {
    let policy = SignInPolicy { registration: RegistrationPolicy::Open, ..crate::unlimited() };
    let world = crate::world_with(|builder| builder.sign_in_policy(policy)).await;
    let stranger = world.identity().register(registration(ADA, None)).await.unwrap();
    let of_stranger =
        async || world.identity().authenticate(stranger.tokens.access_token.reveal()).await;
    let session = of_stranger().await.unwrap();
    let totp = session.account().begin_totp().await.unwrap();
    let first = second_factor::code(&world, &totp);
    let codes = session.account().confirm_totp(&first.into()).await.unwrap().recovery_codes;

    let arrived = arrive(&world, &account("1", ADA), None).await.unwrap();
    assert_eq!(arrived.user.id, stranger.user.id);
    let me = world.with(&arrived).await.unwrap().account().me().await.unwrap();
    assert_eq!((me.second_factor, me.recovery_codes_left), (false, 0));
    refused(of_stranger().await, ErrorKind::Unauthenticated);
    let refreshed = world.identity().refresh(&stranger.tokens.refresh_token).await;
    refused(refreshed, ErrorKind::Unauthenticated);
    for code in [None, Some(codes[0].reveal())] {
        let again = world.try_sign_in(ADA, PASSWORD, code).await;
        refused(again, ErrorKind::Unauthenticated);
    }
    // Who is linked comes back and ends nothing.
    arrive(&world, &account("1", ADA), None).await.unwrap();
    world.with(&arrived).await.unwrap();
}

#[tokio::test]
async fn who_is_invited_accepts_by_it() {
    let world = world().await;
    let new = NewUser { email: ADA.into(), full_name: None, role: Role::Agent };
    let created = world.operator().await.users().create(new).await.unwrap();
    let signed_in = arrive(&world, &account("1", ADA), None).await.unwrap();
    assert_eq!(signed_in.user.status, UserStatus::Active);
    world.with(&signed_in).await.unwrap();
    let accept = AcceptInvitation {
        invitation: created.invitation,
        password: PASSWORD.into(),
        full_name: None,
    };
    refused(world.identity().accept_invitation(accept).await, ErrorKind::Unauthenticated);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn who_has_an_address_of_the_domain_joins_where_the_tenant_is_named() {
    let meeting = crate::Meeting::default();
    let world =
        crate::world_with(|b| b.sign_in_policy(crate::unlimited()).randomness(meeting.clone()))
            .await;
    let slug = Some("acme-gmbh");
    refused(arrive(&world, &account("1", ADA), slug).await, ErrorKind::Unauthenticated);
    let_join(&world, Role::Agent).await;
    refused(arrive(&world, &account("1", ADA), None).await, ErrorKind::Unauthenticated);
    refused(arrive(&world, &account("1", ADA), Some("nobodys")).await, ErrorKind::Unauthenticated);
    for address in ["ada@acme.example.org", "ada@sub.acme.example"] {
        let elsewhere = arrive(&world, &account("1", address), slug).await;
        refused(elsewhere, ErrorKind::Unauthenticated);
    }
    let unverified = ExternalIdentity { email_verified: false, ..account("1", ADA) };
    refused(arrive(&world, &unverified, slug).await, ErrorKind::Unauthenticated);

    let who = account("1", "Ada@ACME.example");
    let tasks = [world.identity(), world.identity()].map(|identity| {
        let who = who.clone();
        async move { identity.sign_in_external(&who, Some("acme-gmbh")).await.unwrap().user }
    });
    meeting.of_two();
    let tasks = tasks.map(tokio::spawn);
    let mut users = Vec::new();
    for task in tasks {
        users.push(task.await.unwrap());
    }
    users.dedup_by_key(|user| user.id);
    assert_eq!(users.len(), 1, "once a user, however many arrive");
    let one = users.remove(0);
    assert_eq!((one.role, one.full_name.as_str()), (Role::Agent, "Ada King"));
    assert_eq!(arrive(&world, &who, None).await.unwrap().user.id, one.id);
}

#[tokio::test]
async fn of_several_tenants_the_named_one_is_meant() {
    let world = world().await;
    let (other, owner) = make_tenant(&world.crm, "Other", ADA).await;
    let ada = world.user(ADA, Role::Agent).await;
    let error = refused(arrive(&world, &account("1", ADA), None).await, ErrorKind::Invalid);
    assert_eq!(error.fields()[0].code, "tenant_required");
    let named = arrive(&world, &account("1", ADA), Some("other")).await.unwrap();
    assert_eq!(named.user.id, owner.id);
    let by_id = world.tenant.id.to_string();
    let named = arrive(&world, &account("1", ADA), Some(&by_id)).await.unwrap();
    assert_eq!(named.user.id, ada.id);
    // Both are linked now.
    refused(arrive(&world, &account("1", ADA), None).await, ErrorKind::Invalid);
    let named = arrive(&world, &account("1", ADA), Some(other.slug.as_str())).await.unwrap();
    assert_eq!(named.user.id, owner.id);
}

#[tokio::test]
async fn a_code_is_exchanged_once_within_a_minute() {
    let world = world().await;
    let ada = world.user(ADA, Role::Agent).await;
    let issue = async || world.identity().issue_code(&account("1", ADA), None, None).await.unwrap();
    let exchange = async |code: &_| world.identity().exchange_code(code, None).await;
    let code = issue().await;
    let signed_in = exchange(&code).await.unwrap();
    assert_eq!(signed_in.user.id, ada.id);
    let session = world.with(&signed_in).await.unwrap();
    refused(exchange(&code).await, ErrorKind::Unauthenticated);
    // Nor when the sign-in has ended and others have begun.
    session.account().sign_out(None).await.unwrap();
    world.clock.advance(Duration::from_secs(30));
    arrive(&world, &account("1", ADA), None).await.unwrap();
    refused(exchange(&code).await, ErrorKind::Unauthenticated);

    let code = issue().await;
    let (one, two) = futures::join!(exchange(&code), exchange(&code));
    assert!(one.is_ok() != two.is_ok());
    let late = issue().await;
    world.clock.advance(Duration::from_secs(60));
    refused(exchange(&late).await, ErrorKind::Unauthenticated);
    refused(exchange(&"1.bm90aGluZw".into()).await, ErrorKind::Unauthenticated);

    let code = issue().await;
    let disable = UserPatch { status: UserStatus::Disabled.into(), ..UserPatch::default() };
    world.operator().await.users().update(ada.id, disable, None).await.unwrap();
    refused(exchange(&code).await, ErrorKind::Unauthenticated);
}

/// The challenge and the verifier of RFC 7636, appendix B.
#[tokio::test]
async fn a_code_serves_who_has_its_verifier() {
    let world = world().await;
    world.user(ADA, Role::Agent).await;
    let challenge = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM";
    let right = Secret::from("dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk");
    let wrong = Secret::from("dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXl");
    let issue = async |challenge| {
        world.identity().issue_code(&account("1", ADA), None, challenge).await.unwrap()
    };
    let code = issue(Some(challenge)).await;
    for verifier in [None, Some(&wrong), Some(&challenge.into())] {
        let stolen = world.identity().exchange_code(&code, verifier).await;
        refused(stolen, ErrorKind::Unauthenticated);
    }
    world.identity().exchange_code(&code, Some(&right)).await.unwrap();
    let unbound = issue(None).await;
    let other = world.identity().exchange_code(&unbound, Some(&right)).await;
    refused(other, ErrorKind::Unauthenticated);
}

#[tokio::test]
async fn an_old_session_at_the_provider_is_no_fresh_proof() {
    let world = world().await;
    world.user(ADA, Role::Agent).await;
    let now = world.clock.now();
    let ago = |seconds: i64| Some(now.saturating_add_micros(-seconds * 1_000_000));
    let kind_at = async |said, later| {
        let who = ExternalIdentity { authenticated_at: said, ..account("1", ADA) };
        let code = world.identity().issue_code(&who, None, None).await.unwrap();
        let exchanged = world.identity().exchange_code(&code, None).await.unwrap();
        let here = arrive(&world, &who, None).await.unwrap();
        world.clock.advance(later);
        let mut kinds = Vec::new();
        for signed_in in [exchanged, here] {
            let tokens = world.identity().refresh(&signed_in.tokens.refresh_token).await.unwrap();
            let session =
                world.identity().authenticate(tokens.access_token.reveal()).await.unwrap();
            kinds.push(session.account().begin_totp().await.unwrap_err().kind());
        }
        assert_eq!(kinds[0], kinds[1]);
        kinds[0]
    };
    let (none, quarter) = (Duration::ZERO, Duration::from_secs(900));
    // Who is let through has no password that a second factor could be second to.
    assert_eq!(kind_at(ago(899), none).await, ErrorKind::Conflict);
    assert_eq!(kind_at(ago(900), none).await, ErrorKind::StepUpRequired);
    assert_eq!(kind_at(None, none).await, ErrorKind::Conflict);
    // The provider's clock may be ahead: that makes no proof last longer.
    assert_eq!(kind_at(ago(-600), quarter).await, ErrorKind::StepUpRequired);
}

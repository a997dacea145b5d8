//! The second factor, and proofs that are fresh.

use std::time::Duration;

use crm_core::identity::{NewTotp, RecoveryCodes, RemoveTotp, SignedIn, StepUp};
use crm_core::ports::Clock;
use crm_core::{ErrorKind, Role, Session};

use crate::{PASSWORD, World, field, refused, world};

const OWNER: &str = "owner@acme.example";
const STEP: Duration = Duration::from_secs(30);

/// What a generator shows that has read the secret.
pub(crate) fn code(world: &World, totp: &NewTotp) -> String {
    let secret = totp_rs::Secret::try_from_base32(totp.secret.reveal()).unwrap();
    let generator = totp_rs::Builder::new().with_secret(secret).build().unwrap();
    generator
        .generate(u64::try_from(world.clock.now().as_micros()).unwrap() / 1_000_000)
        .to_string()
}

async fn begun(world: &World) -> (Session, NewTotp, RecoveryCodes) {
    let session = world.session(OWNER).await;
    let totp = session.account().begin_totp().await.unwrap();
    let codes = session.account().confirm_totp(&code(world, &totp).into()).await.unwrap();
    (session, totp, codes)
}

async fn enter(world: &World, code: &str) -> crm_core::Result<SignedIn> {
    world.try_sign_in(OWNER, PASSWORD, Some(code)).await
}

#[tokio::test]
async fn a_generator_is_asked_for_when_it_has_shown_a_code() {
    let world = world().await;
    let session = world.session(OWNER).await;
    let totp = session.account().begin_totp().await.unwrap();
    assert_eq!(
        totp.uri.reveal(),
        format!(
            "otpauth://totp/Acme%20GmbH:owner%40acme.example?secret={}&issuer=Acme%20GmbH",
            totp.secret.reveal()
        )
    );
    // Nothing is asked for before.
    world.try_sign_in(OWNER, PASSWORD, None).await.unwrap();
    let wrong = session.account().confirm_totp(&"000000".into()).await;
    assert_eq!(field(wrong), ("code".into(), "wrong_code".into()));
    let first = code(&world, &totp);
    let codes = session.account().confirm_totp(&first.as_str().into()).await.unwrap();
    assert_eq!(codes.recovery_codes.len(), 10);
    let me = session.account().me().await.unwrap();
    assert_eq!((me.second_factor, me.recovery_codes_left), (true, 10));
    refused(session.account().begin_totp().await, ErrorKind::Conflict);
    refused(session.account().confirm_totp(&first.as_str().into()).await, ErrorKind::Conflict);

    let missing = world.try_sign_in(OWNER, PASSWORD, None).await;
    refused(missing, ErrorKind::SecondFactorRequired);
    // Who does not know the password learns nothing of the second factor.
    for code in [None, Some("000000")] {
        let wrong = world.try_sign_in(OWNER, "some other password", code).await;
        refused(wrong, ErrorKind::Unauthenticated);
    }
    refused(enter(&world, &first).await, ErrorKind::SecondFactorRequired);
    world.clock.advance(STEP);
    let next = code(&world, &totp);
    refused(enter(&world, "000000").await, ErrorKind::SecondFactorRequired);
    enter(&world, &format!(" {} {} ", &next[..3], &next[3..])).await.unwrap();
    refused(enter(&world, &next).await, ErrorKind::SecondFactorRequired);
}

#[tokio::test]
async fn of_two_sign_ins_with_one_code_one_is_in() {
    let world = world().await;
    let (_, totp, codes) = begun(&world).await;
    world.clock.advance(STEP);
    let next = code(&world, &totp);
    let recovery = codes.recovery_codes[0].reveal();
    for code in [next.as_str(), recovery] {
        let (one, two) = futures::join!(enter(&world, code), enter(&world, code));
        assert_eq!([&one, &two].iter().filter(|result| result.is_ok()).count(), 1);
        refused(if one.is_ok() { two } else { one }, ErrorKind::SecondFactorRequired);
    }
}

#[tokio::test]
async fn a_recovery_code_lets_in_once_and_new_ones_replace_the_old() {
    let world = world().await;
    let (session, totp, codes) = begun(&world).await;
    let [first, second, third] = [0, 1, 2].map(|place| codes.recovery_codes[place].reveal());
    assert_eq!((first.len(), first.matches('-').count()), (32, 6), "128 bits in base32");
    enter(&world, first).await.unwrap();
    refused(enter(&world, first).await, ErrorKind::SecondFactorRequired);
    enter(&world, &second.to_uppercase().replace('-', " ")).await.unwrap();
    assert_eq!(session.account().me().await.unwrap().recovery_codes_left, 8);

    world.clock.advance(STEP);
    let renewed = code(&world, &totp);
    let renewed = session.account().new_recovery_codes(&renewed.as_str().into()).await.unwrap();
    assert_eq!(session.account().me().await.unwrap().recovery_codes_left, 10);
    refused(enter(&world, third).await, ErrorKind::SecondFactorRequired);
    enter(&world, renewed.recovery_codes[9].reveal()).await.unwrap();
}

#[tokio::test]
async fn a_second_factor_goes_with_the_password_and_a_code() {
    let world = world().await;
    let (session, totp, codes) = begun(&world).await;
    world.clock.advance(STEP);
    let next = code(&world, &totp);
    let remove =
        |password: &str, code: &str| RemoveTotp { password: password.into(), code: code.into() };
    let wrong = session.account().remove_totp(remove("some other password", &next)).await;
    assert_eq!(field(wrong), ("password".into(), "wrong_password".into()));
    let wrong = session.account().remove_totp(remove(PASSWORD, "000000")).await;
    assert_eq!(field(wrong), ("code".into(), "wrong_code".into()));
    session.account().remove_totp(remove(PASSWORD, &next)).await.unwrap();
    world.try_sign_in(OWNER, PASSWORD, None).await.unwrap();
    let me = session.account().me().await.unwrap();
    assert_eq!((me.second_factor, me.recovery_codes_left), (false, 0));
    refused(session.account().remove_totp(remove(PASSWORD, &next)).await, ErrorKind::Conflict);
    let gone = session.account().new_recovery_codes(&codes.recovery_codes[0]).await;
    refused(gone, ErrorKind::Conflict);
}

#[tokio::test]
async fn a_short_password_does_not_stay_alone() {
    let world = world().await;
    let (session, _, codes) = begun(&world).await;
    let change = crm_core::identity::ChangePassword {
        current_password: PASSWORD.into(),
        new_password: "x8!Kq#2pLm".into(),
    };
    session.account().change_password(change).await.unwrap();
    let code = codes.recovery_codes[0].clone();
    let remove = RemoveTotp { password: "x8!Kq#2pLm".into(), code };
    let alone = session.account().remove_totp(remove).await;
    assert_eq!(field(alone), ("password".into(), "password_too_short".into()));
}

#[tokio::test]
async fn a_step_up_renews_the_proof() {
    let world = world().await;
    let signed_in = world.try_sign_in(OWNER, PASSWORD, None).await.unwrap();
    let stale = async || {
        world.clock.advance(Duration::from_secs(15 * 60));
        let late = world.identity().refresh(&signed_in.tokens.refresh_token).await;
        // The first token serves the first time only; later the session is asked for anew.
        late.map(|tokens| tokens.access_token)
    };
    let access = stale().await.unwrap();
    let session = async || world.identity().authenticate(access.reveal()).await.unwrap();
    let step_up = |password: &str, code: Option<&str>| StepUp {
        password: password.into(),
        code: code.map(Into::into),
    };
    refused(session().await.account().begin_totp().await, ErrorKind::StepUpRequired);
    let wrong = session().await.account().step_up(step_up("some other password", None)).await;
    assert_eq!(field(wrong), ("password".into(), "wrong_password".into()));
    refused(session().await.account().begin_totp().await, ErrorKind::StepUpRequired);
    session().await.account().step_up(step_up(PASSWORD, None)).await.unwrap();
    let totp = session().await.account().begin_totp().await.unwrap();
    let first = code(&world, &totp);
    let codes = session().await.account().confirm_totp(&first.as_str().into()).await.unwrap();

    let account = session().await;
    for code in [None, Some("000000"), Some(first.as_str())] {
        let step_up = account.account().step_up(step_up(PASSWORD, code)).await;
        refused(step_up, ErrorKind::SecondFactorRequired);
    }
    let code = codes.recovery_codes[0].reveal();
    account.account().step_up(step_up(PASSWORD, Some(code))).await.unwrap();
    let again = account.account().step_up(step_up(PASSWORD, Some(code))).await;
    refused(again, ErrorKind::SecondFactorRequired);
    // A session of the host began with no sign-in that could be renewed.
    let host = world.crm.session(world.tenant.principal(&world.owner)).await.unwrap();
    refused(host.account().step_up(step_up(PASSWORD, None)).await, ErrorKind::Conflict);
}

#[tokio::test]
async fn new_recovery_codes_ask_for_a_fresh_proof() {
    let world = world().await;
    let signed_in = world.try_sign_in(OWNER, PASSWORD, None).await.unwrap();
    let session = world.with(&signed_in).await.unwrap();
    let totp = session.account().begin_totp().await.unwrap();
    let first = code(&world, &totp);
    let codes = session.account().confirm_totp(&first.into()).await.unwrap().recovery_codes;
    world.clock.advance(Duration::from_secs(15 * 60));
    let tokens = world.identity().refresh(&signed_in.tokens.refresh_token).await.unwrap();
    let session =
        async || world.identity().authenticate(tokens.access_token.reveal()).await.unwrap();
    let stale = session().await.account().new_recovery_codes(&codes[0]).await;
    refused(stale, ErrorKind::StepUpRequired);
    let proof = StepUp { password: PASSWORD.into(), code: Some(codes[1].clone()) };
    session().await.account().step_up(proof).await.unwrap();
    session().await.account().new_recovery_codes(&codes[0]).await.unwrap();
}

#[tokio::test]
async fn a_new_invitation_takes_the_second_factor_away() {
    let world = world().await;
    world.user("ada@acme.example", Role::Agent).await;
    let session = world.session("ada@acme.example").await;
    let totp = session.account().begin_totp().await.unwrap();
    session.account().confirm_totp(&code(&world, &totp).into()).await.unwrap();
    let me = session.account().me().await.unwrap().user.unwrap();
    let again = world.operator().await.users().invite_again(me.id).await.unwrap();
    let accept = crm_core::identity::AcceptInvitation {
        invitation: again.invitation,
        password: PASSWORD.into(),
        full_name: None,
    };
    world.identity().accept_invitation(accept).await.unwrap();
    world.session("ada@acme.example").await;
}

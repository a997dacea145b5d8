//! What the provider's id token says, and who has signed it (OpenID Connect Core, 3.1.3.7).

use std::sync::Arc;
use std::time::Duration;

use aws_lc_rs::hmac;
use serde_json::{Value, json};

use crate::fake::{CLIENT_SECRET, Key, Plan};
use crate::scene::{ADA, Scene};

/// A sign-in in which one thing is otherwise.
async fn refused(change: impl FnOnce(&mut Plan)) {
    let mut scene = Scene::new().await;
    scene.fake.now(change);
    scene.sign_in().await.refused(401, "unauthenticated");
    assert_eq!(scene.fake.asked("token"), 1);
}

async fn refused_claims(change: impl Fn(&mut Value) + Send + 'static) {
    refused(|plan| plan.claims = Box::new(change)).await;
}

async fn accepted_claims(change: impl Fn(&mut Value) + Send + 'static) {
    let mut scene = Scene::new().await;
    scene.fake.now(|plan| plan.claims = Box::new(change));
    assert_eq!(scene.sign_in().await.signed_in(), ADA);
}

#[tokio::test]
async fn another_nonce() {
    refused_claims(|claims| claims["nonce"] = "another".into()).await;
}

#[tokio::test]
async fn no_nonce() {
    refused_claims(|claims| drop(claims.as_object_mut().unwrap().remove("nonce"))).await;
}

#[tokio::test]
async fn another_audience() {
    refused_claims(|claims| claims["aud"] = "another".into()).await;
}

#[tokio::test]
async fn no_audience() {
    refused_claims(|claims| claims["aud"] = json!([])).await;
}

#[tokio::test]
async fn a_further_audience() {
    refused_claims(|claims| claims["aud"] = json!(["crm", "another"])).await;
}

#[tokio::test]
async fn another_authorized_party() {
    refused_claims(|claims| claims["azp"] = "another".into()).await;
    accepted_claims(|claims| claims["azp"] = "crm".into()).await;
}

#[tokio::test]
async fn another_issuer() {
    refused_claims(|claims| claims["iss"] = "https://elsewhere.example".into()).await;
}

#[tokio::test]
async fn an_issuer_that_only_looks_alike() {
    refused_claims(|claims| {
        claims["iss"] = format!("{}/", claims["iss"].as_str().unwrap()).into();
    })
    .await;
}

#[tokio::test]
async fn over() {
    refused_claims(|claims| claims["exp"] = claims["iat"].clone()).await;
    accepted_claims(|claims| claims["exp"] = (claims["iat"].as_i64().unwrap() + 1).into()).await;
}

#[tokio::test]
async fn without_an_end() {
    refused_claims(|claims| drop(claims.as_object_mut().unwrap().remove("exp"))).await;
}

#[tokio::test]
async fn issued_in_the_future() {
    refused_claims(|claims| claims["iat"] = (claims["iat"].as_i64().unwrap() + 61).into()).await;
    accepted_claims(|claims| claims["iat"] = (claims["iat"].as_i64().unwrap() + 60).into()).await;
}

#[tokio::test]
async fn without_a_subject() {
    refused_claims(|claims| drop(claims.as_object_mut().unwrap().remove("sub"))).await;
}

#[tokio::test]
async fn signed_by_nobody() {
    refused(|plan| {
        plan.header = Box::new(|header| *header = json!({ "alg": "none" }));
        plan.sign = Arc::new(|_| Vec::new());
    })
    .await;
}

#[tokio::test]
async fn with_its_signature_cut_off() {
    refused(|plan| plan.sign = Arc::new(|_| Vec::new())).await;
}

/// Everybody who has the client's secret could sign for everybody else.
#[tokio::test]
async fn signed_with_the_clients_secret() {
    refused(|plan| {
        plan.header = Box::new(|header| *header = json!({ "alg": "HS256" }));
        plan.sign = Arc::new(|signed| {
            let key = hmac::Key::new(hmac::HMAC_SHA256, CLIENT_SECRET.as_bytes());
            hmac::sign(&key, signed).as_ref().to_vec()
        });
    })
    .await;
}

#[tokio::test]
async fn signed_by_a_strangers_key_under_the_name_of_the_providers() {
    refused(|plan| plan.sign = Key::new("first").signer()).await;
}

/// The key that the token brings along is whose token it is.
#[tokio::test]
async fn signed_by_a_key_that_it_brings_along() {
    refused(|plan| {
        let own = Key::new("own");
        let public = own.public();
        plan.header = Box::new(move |header| {
            *header = json!({ "alg": "EdDSA", "jwk": public });
        });
        plan.sign = own.signer();
    })
    .await;
}

#[tokio::test]
async fn of_another_type() {
    refused(|plan| plan.header = Box::new(|header| header["typ"] = "at+jwt".into())).await;
}

#[tokio::test]
async fn critical_in_a_way_that_nobody_knows() {
    refused(|plan| plan.header = Box::new(|header| header["crit"] = json!(["b64"]))).await;
}

#[tokio::test]
async fn new_keys_are_read_when_a_token_needs_them_but_not_each_time() {
    let mut scene = Scene::new().await;
    assert_eq!(scene.sign_in().await.signed_in(), ADA);
    assert_eq!(scene.fake.asked("keys"), 1);
    let second = Key::new("second");
    let public = second.public();
    scene.fake.now(|plan| {
        plan.header = Box::new(|header| header["kid"] = "second".into());
        plan.sign = second.signer();
    });
    // Read again, but the provider does not publish it.
    scene.later(Duration::from_secs(30));
    scene.sign_in().await.refused(401, "unauthenticated");
    assert_eq!(scene.fake.asked("keys"), 2);
    // Published, but asked for a moment ago.
    scene.fake.now(|plan| plan.keys.push(public));
    scene.later(Duration::from_secs(29));
    scene.sign_in().await.refused(401, "unauthenticated");
    assert_eq!(scene.fake.asked("keys"), 2);
    scene.later(Duration::from_secs(1));
    assert_eq!(scene.sign_in().await.signed_in(), ADA);
    assert_eq!(scene.fake.asked("keys"), 3);
    // And kept.
    assert_eq!(scene.sign_in().await.signed_in(), ADA);
    assert_eq!(scene.fake.asked("keys"), 3);
}

#[tokio::test]
async fn a_withdrawn_key_is_forgotten_within_an_hour() {
    let mut scene = Scene::new().await;
    assert_eq!(scene.sign_in().await.signed_in(), ADA);
    scene.fake.now(|plan| plan.keys = vec![Key::new("second").public()]);
    scene.later(Duration::from_secs(60 * 60));
    scene.sign_in().await.refused(401, "unauthenticated");
}

/// What is wrong in another way is no reason to ask the provider for its keys.
#[tokio::test]
async fn keys_are_not_read_again_for_a_wrong_nonce() {
    let mut scene = Scene::new().await;
    assert_eq!(scene.sign_in().await.signed_in(), ADA);
    scene.fake.now(|plan| plan.claims = Box::new(|claims| claims["nonce"] = "another".into()));
    scene.later(Duration::from_secs(60));
    scene.sign_in().await.refused(401, "unauthenticated");
    assert_eq!(scene.fake.asked("keys"), 1);
}

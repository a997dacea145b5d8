//! How the provider answers us.

use std::time::Duration;

use crm_core::identity::Secret;
use crm_http::OidcProvider;
use serde_json::json;

use crate::fake::{CLIENT_SECRET, TokenAnswer};
use crate::scene::{ADA, Scene};

#[tokio::test]
async fn a_token_endpoint_that_points_elsewhere_is_not_followed() {
    let mut scene = Scene::new().await;
    scene.fake.now(|plan| plan.token_answer = TokenAnswer::ElsewhereIsBetter);
    scene.sign_in().await.refused(401, "unauthenticated");
    assert_eq!((scene.fake.asked("token"), scene.fake.asked("elsewhere")), (1, 0));
}

#[tokio::test]
async fn a_discovery_document_that_points_elsewhere_is_not_followed() {
    let mut scene = Scene::new().await;
    let issuer = format!("{}/elsewhere", scene.fake.url);
    let back = format!("{}/auth/oidc/fake/callback", scene.host.url);
    assert!(OidcProvider::new("fake", &issuer, "crm", &back).is_ok());
    scene.fake.now(|plan| plan.discovery = Box::new(|document| *document = json!("moved")));
    scene.browser.get(scene.host.login("fake")).await.refused(503, "unavailable");
}

#[tokio::test]
async fn a_huge_answer_is_cut_off() {
    let mut scene = Scene::new().await;
    scene.fake.now(|plan| plan.token_answer = TokenAnswer::Endless);
    scene.sign_in().await.refused(503, "unavailable");
}

#[tokio::test]
async fn a_slow_provider_is_unavailable() {
    let patience = Duration::from_millis(300);
    let mut scene = Scene::with(|provider| {
        provider.client_secret(&Secret::from(CLIENT_SECRET)).patience(patience)
    })
    .await;
    scene.fake.now(|plan| plan.token_answer = TokenAnswer::Never);
    let page = scene.sign_in().await;
    let said = page.refused(503, "unavailable");
    assert_eq!(said, "the provider `fake` cannot be reached");
}

#[tokio::test]
async fn a_broken_provider_is_unavailable() {
    let mut scene = Scene::new().await;
    scene.fake.now(|plan| plan.token_answer = TokenAnswer::Broken);
    scene.sign_in().await.refused(503, "unavailable");
}

#[tokio::test]
async fn a_provider_that_is_not_there_is_unavailable_and_found_when_it_is() {
    let mut scene = Scene::new().await;
    scene.fake.now(|plan| plan.discovery = Box::new(|document| *document = json!({})));
    scene.browser.get(scene.host.login("fake")).await.refused(503, "unavailable");
    scene.fake.now(|plan| plan.discovery = Box::new(|_| {}));
    assert_eq!(scene.sign_in().await.signed_in(), ADA);
}

#[tokio::test]
async fn a_provider_that_refuses_the_code_is_believed() {
    let mut scene = Scene::new().await;
    scene.fake.now(|plan| plan.token_answer = TokenAnswer::Refusal);
    scene.sign_in().await.refused(401, "unauthenticated");
}

#[tokio::test]
async fn user_info_of_somebody_else_is_not_taken() {
    for (sub, comes_in) in [("4711", true), ("4712", false)] {
        let mut scene = Scene::new().await;
        scene.fake.now(|plan| {
            plan.person = json!({ "sub": "4711" });
            plan.user_info = json!({ "sub": sub, "email": ADA, "email_verified": true });
        });
        let page = scene.sign_in().await;
        assert_eq!(scene.fake.asked("user info"), 1);
        if comes_in {
            assert_eq!(page.signed_in(), ADA);
        } else {
            page.refused(401, "unauthenticated");
        }
    }
}

/// Some providers write `"true"`.
#[tokio::test]
async fn a_verified_address_may_be_said_in_quotes() {
    for (said, comes_in) in [("true", true), ("false", false)] {
        let mut scene = Scene::new().await;
        scene.fake.now(|plan| plan.person["email_verified"] = said.into());
        let page = scene.sign_in().await;
        if comes_in {
            assert_eq!(page.signed_in(), ADA);
        } else {
            page.refused(401, "unauthenticated");
        }
    }
}

#[tokio::test]
async fn a_discovery_document_of_another_issuer_is_refused() {
    let mut scene = Scene::new().await;
    scene.fake.now(|plan| {
        plan.discovery =
            Box::new(|document| document["issuer"] = "https://elsewhere.example".into());
    });
    scene.browser.get(scene.host.login("fake")).await.refused(503, "unavailable");
    assert_eq!(scene.fake.asked("keys"), 0);
}

/// No endpoint is asked in the clear over a network. The names do not exist, so that a request that was
/// sent would be `unavailable`, too; the log of the refusal would name another reason.
#[tokio::test]
async fn an_endpoint_on_plain_http_elsewhere_is_refused() {
    let mut scene = Scene::new().await;
    let to = "authorization_endpoint";
    scene.fake.now(|plan| {
        plan.discovery = Box::new(move |document| document[to] = "http://idp.invalid/a".into());
    });
    scene.browser.get(scene.host.login("fake")).await.refused(503, "unavailable");
    // A name of this machine that is none of the known ones: it would be reached.
    for endpoint in ["jwks_uri", "token_endpoint"] {
        let mut scene = Scene::new().await;
        scene.fake.now(|plan| {
            plan.discovery = Box::new(move |document| {
                let url = document[endpoint].as_str().unwrap().replace("127.0.0.1", "0.0.0.0");
                document[endpoint] = url.into();
            });
        });
        let page = scene.browser.get(scene.host.login("fake")).await;
        if endpoint == "token_endpoint" {
            let back = scene.browser.get(page.to()).await.to().clone();
            scene.browser.get(back).await.refused(503, "unavailable");
            assert_eq!(scene.fake.asked("token"), 0);
        } else {
            page.refused(503, "unavailable");
            assert_eq!(scene.fake.asked("keys"), 0);
        }
    }
}

#[tokio::test]
async fn many_at_once_ask_the_provider_once() {
    let scene = Scene::new().await;
    let client = reqwest::Client::builder()
        .redirect(reqwest::redirect::Policy::none())
        .no_proxy()
        .build()
        .unwrap();
    let mut tasks = tokio::task::JoinSet::new();
    for _ in 0..16 {
        tasks.spawn(client.get(scene.host.login("fake")).send());
    }
    while let Some(answer) = tasks.join_next().await {
        assert_eq!(answer.unwrap().unwrap().status().as_u16(), 302);
    }
    assert_eq!((scene.fake.asked("discovery"), scene.fake.asked("keys")), (1, 1));
}

#[tokio::test]
async fn what_a_provider_cannot_be_is_refused() {
    let back = "https://crm.example/auth/oidc/op/callback";
    let op = "https://op.example";
    assert!(OidcProvider::new("op", op, "crm", back).is_ok());
    assert!(OidcProvider::new("op", "http://[::1]:1", "crm", back).is_ok());
    for (name, issuer, redirect) in [
        ("", op, back),
        ("Op", op, back),
        ("op/x", op, back),
        ("op", "http://op.example", back),
        ("op", "http://127.0.0.1.example", back),
        ("op", "op.example", back),
        ("op", "file:///etc/passwd", back),
        ("op", op, "http://crm.example/auth/oidc/op/callback"),
        ("op", op, "https://crm.example/auth/oidc/another/callback"),
        ("op", op, "https://crm.example/"),
    ] {
        let error = OidcProvider::new(name, issuer, "crm", redirect).unwrap_err();
        assert_eq!(error.kind(), crm_core::ErrorKind::Invalid, "{name} {issuer} {redirect}");
    }
}

//! Whom an account with a provider belongs to.

use std::time::Duration;

use crm_core::identity::{Secret, UserStatus};
use serde_json::{Value, json};

use crate::browser::{Browser, parameter};
use crate::fake::CLIENT_SECRET;
use crate::host::{CHALLENGE, OWNER, VERIFIER};
use crate::scene::{ADA, Scene};

#[tokio::test]
async fn a_link_holds_when_the_address_changes() {
    let mut scene = Scene::new().await;
    assert_eq!(scene.sign_in().await.signed_in(), ADA);
    for person in [
        json!({ "sub": "4711", "email": OWNER, "email_verified": true }),
        json!({ "sub": "4711", "email": ADA, "email_verified": false }),
        json!({ "sub": "4711" }),
    ] {
        scene.fake.now(|plan| {
            plan.person = person;
            plan.user_info = json!({ "sub": "4711" });
        });
        assert_eq!(scene.sign_in().await.signed_in(), ADA);
    }
    assert_eq!(scene.host.links(ADA).await, 1);
}

/// An address that has been given to somebody else at the provider does not give them the user.
#[tokio::test]
async fn a_second_account_of_the_provider_is_not_linked() {
    let mut scene = Scene::new().await;
    assert_eq!(scene.sign_in().await.signed_in(), ADA);
    scene.fake.now(|plan| plan.person["sub"] = "4712".into());
    scene.sign_in().await.refused(401, "unauthenticated");
}

#[tokio::test]
async fn an_address_is_known_however_it_is_written() {
    let mut scene = Scene::new().await;
    scene.fake.now(|plan| plan.person["email"] = "Ada@ACME.example".into());
    assert_eq!(scene.sign_in().await.signed_in(), ADA);
}

#[tokio::test]
async fn an_unverified_address_says_nothing() {
    for verified in [json!(false), Value::Null] {
        let mut scene = Scene::new().await;
        scene.fake.now(|plan| plan.person["email_verified"] = verified);
        scene.sign_in().await.refused(401, "unauthenticated");
        assert_eq!(scene.host.user(ADA).await.unwrap().status, UserStatus::Invited);
    }
}

#[tokio::test]
async fn a_subdomain_is_another_domain() {
    let mut scene = Scene::new().await;
    scene.host.joined_by(&["partner.example"]).await;
    let login = format!("{}?tenant=acme", scene.host.login("fake"));
    for (email, comes_in) in [
        ("new@sub.partner.example", false),
        ("new@partner.example.evil.example", false),
        ("new@partner.example", true),
    ] {
        scene.fake.now(|plan| {
            plan.person = json!({ "sub": email, "email": email, "email_verified": true });
        });
        let page = scene.browser.get(&login).await;
        let back = scene.browser.get(page.to()).await;
        let page = scene.browser.get(back.to()).await;
        if comes_in {
            assert_eq!(page.signed_in(), email);
        } else {
            page.refused(401, "unauthenticated");
        }
    }
}

#[tokio::test]
async fn a_code_for_tokens_is_good_for_a_minute() {
    for (waits, comes_in) in [(59, true), (60, false)] {
        let mut scene = Scene::with(|provider| {
            let to = "https://app.example/signed-in".parse().unwrap();
            provider.client_secret(&Secret::from(CLIENT_SECRET)).return_to(to).unwrap()
        })
        .await;
        let page = scene.sign_in_at(scene.host.login_of_page("fake")).await;
        assert_eq!(parameter(page.to(), "state"), None);
        let code = parameter(page.to(), "code").unwrap();
        let code = json!({ "code": code, "verifier": VERIFIER });
        scene.later(Duration::from_secs(waits));
        let url = format!("{}/auth/oidc/token", scene.host.url);
        let page = Browser::new().post_json(&url, &code).await;
        if comes_in {
            assert_eq!(page.signed_in(), ADA);
        } else {
            page.refused(401, "unauthenticated");
        }
    }
}

/// Who sees the address that the browser is sent to has the code.
#[tokio::test]
async fn a_code_serves_the_page_that_began() {
    let mut scene = Scene::with(|provider| {
        let to = "https://app.example/signed-in".parse().unwrap();
        provider.client_secret(&Secret::from(CLIENT_SECRET)).return_to(to).unwrap()
    })
    .await;
    let login = scene.host.login("fake");
    let short = &CHALLENGE[1..];
    for begins in
        [login.clone(), format!("{login}?challenge="), format!("{login}?challenge={short}")]
    {
        scene.browser.get(&begins).await.refused(400, "malformed");
    }
    let page = scene.sign_in_at(scene.host.login_of_page("fake")).await;
    let code = parameter(page.to(), "code").unwrap();
    let url = format!("{}/auth/oidc/token", scene.host.url);
    for wrong in [CHALLENGE, ""] {
        let stolen = json!({ "code": code, "verifier": wrong });
        Browser::new().post_json(&url, &stolen).await.refused(401, "unauthenticated");
    }
    let without = Browser::new().post_json(&url, &json!({ "code": code })).await;
    assert!(without.status.is_client_error(), "{without:?}");
    let own = json!({ "code": code, "verifier": VERIFIER });
    assert_eq!(Browser::new().post_json(&url, &own).await.signed_in(), ADA);
}

/// Otherwise somebody could bring others into an account of theirs by a link.
#[tokio::test]
async fn the_page_gets_back_the_state_that_it_gave() {
    let mut scene = Scene::with(|provider| {
        let to = "https://app.example/signed-in?lang=de".parse().unwrap();
        provider.client_secret(&Secret::from(CLIENT_SECRET)).return_to(to).unwrap()
    })
    .await;
    let login = scene.host.login("fake");
    let page = format!("{login}?state=a%26code%3Db&challenge={CHALLENGE}");
    let page = scene.browser.get(page).await;
    let back = scene.browser.get(page.to()).await;
    let page = scene.browser.get(back.to()).await;
    let to = page.to();
    assert!(to.as_str().starts_with("https://app.example/signed-in?lang=de&code="), "{to}");
    assert_eq!(parameter(to, "state").as_deref(), Some("a&code=b"));
    let long = "x".repeat(129);
    for name in ["state", "tenant"] {
        scene.browser.get(format!("{login}?{name}={long}")).await.refused(400, "malformed");
    }
}

#[tokio::test]
async fn the_age_of_the_providers_session_counts() {
    let mut scene = Scene::new().await;
    for (ago, fresh) in [(899, true), (900, false)] {
        scene.fake.now(|plan| {
            plan.claims = Box::new(move |claims| {
                claims["auth_time"] = (claims["iat"].as_i64().unwrap() - ago).into();
            });
        });
        let reply = scene.sign_in().await.json();
        let url = format!("{}/auth/totp", scene.host.url);
        let request = reqwest::Client::new().post(url);
        let token = reply["access_token"].as_str().unwrap();
        let reply = request.bearer_auth(token).send().await.unwrap().text().await.unwrap();
        // Who is let through has no password that a second factor could be second to.
        let code = if fresh { "conflict" } else { "step_up_required" };
        assert_eq!(serde_json::from_str::<Value>(&reply).unwrap()["code"], code, "{reply}");
    }
}

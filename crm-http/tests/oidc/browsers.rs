//! What the browser brings back.

use std::time::Duration;

use crm_core::identity::Secret;
use crm_http::OidcProvider;

use crate::browser::{Browser, parameter, with_parameter};
use crate::fake::{CLIENT, CLIENT_SECRET, Fake};
use crate::host::{Host, callback};
use crate::scene::{ADA, Scene};
use crm_conformance::TestClock;

const NOT_HERE: &str = "this sign-in was not begun in this browser, or is over; begin again";

#[tokio::test]
async fn who_comes_back_as_sent_is_signed_in_and_the_cookie_is_gone() {
    let mut scene = Scene::new().await;
    let login = scene.browser.get(scene.host.login("fake")).await;
    let sent = &login.set_cookie[0];
    for attribute in ["Path=/auth/oidc/fake;", "Max-Age=600;", "HttpOnly", "SameSite=Lax"] {
        assert!(sent.contains(attribute), "{sent}");
    }
    // On plain http a browser would not send it back.
    assert!(!sent.contains("Secure"), "{sent}");
    let asked = login.to().clone();
    assert_eq!(parameter(&asked, "scope").as_deref(), Some("openid email profile"));
    let secrets = ["state", "nonce", "code_challenge"].map(|name| parameter(&asked, name).unwrap());
    assert!(secrets.iter().all(|secret| secret.len() >= 43 && !sent.contains(secret)));
    let back = scene.browser.get(asked).await.to().clone();
    let page = scene.browser.get(back).await;
    assert_eq!(page.signed_in(), ADA);
    assert!(scene.browser.cookies.is_empty(), "{:?}", scene.browser.cookies);
    let again = scene.browser.get(scene.host.login("fake")).await;
    for (name, before) in ["state", "nonce", "code_challenge"].iter().zip(&secrets) {
        assert_ne!(parameter(again.to(), name).as_ref(), Some(before), "{name}");
    }
}

/// Over TLS no neighbour's page can plant one, and behind a proxy's prefix it comes back all the same.
#[tokio::test]
async fn the_cookie_is_made_for_the_address_that_browsers_see() {
    for (outside, begins, attributes) in [
        (
            "https://crm.example/app/auth/oidc/fake/callback",
            "__Host-crm_oidc_fake=",
            "Path=/; HttpOnly; SameSite=Lax; Secure",
        ),
        (
            "http://127.0.0.1/app/auth/oidc/fake/callback",
            "crm_oidc_fake=",
            "Path=/app/auth/oidc/fake; HttpOnly; SameSite=Lax",
        ),
    ] {
        let clock = TestClock::default().stepping(1);
        let fake = Fake::start(clock.clone()).await;
        let host = Host::start(clock, async |_| {
            vec![OidcProvider::new("fake", &fake.url, CLIENT, outside).unwrap()]
        })
        .await;
        host.invite(ADA).await;
        let mut browser = Browser::new();
        let page = browser.get(host.login("fake")).await;
        let sent = &page.set_cookie[0];
        assert!(sent.starts_with(begins) && sent.ends_with(attributes), "{sent}");
        assert_eq!(parameter(page.to(), "redirect_uri").as_deref(), Some(outside));
        // What a proxy makes of the address.
        let outside = browser.get(page.to()).await.to().clone();
        let inside = format!("{}?{}", callback(&host.url, "fake"), outside.query().unwrap());
        browser.cookies = browser.cookies.into_iter().map(|cookie| cookie.at("/")).collect();
        assert_eq!(browser.get(inside).await.signed_in(), ADA);
    }
}

#[tokio::test]
async fn a_state_that_is_not_the_browsers_is_refused() {
    for wrong in [Some("x"), Some(""), None] {
        let mut scene = Scene::new().await;
        let back = with_parameter(&scene.way_back().await, "state", wrong);
        assert_eq!(scene.browser.get(back).await.refused(401, "unauthenticated"), NOT_HERE);
        assert_eq!(scene.fake.asked("token"), 0);
    }
}

#[tokio::test]
async fn the_state_of_another_sign_in_of_the_same_browser_is_refused() {
    let mut scene = Scene::new().await;
    let first = scene.way_back().await;
    scene.way_back().await;
    assert_eq!(scene.browser.get(first).await.refused(401, "unauthenticated"), NOT_HERE);
}

#[tokio::test]
async fn another_browser_is_refused() {
    let mut scene = Scene::new().await;
    let back = scene.way_back().await;
    assert_eq!(Browser::new().get(&back).await.refused(401, "unauthenticated"), NOT_HERE);
    // One in which somebody else has begun, too.
    let mut other = Browser::new();
    other.get(scene.host.login("fake")).await;
    assert_eq!(other.get(&back).await.refused(401, "unauthenticated"), NOT_HERE);
    assert_eq!(scene.fake.asked("token"), 0);
}

#[tokio::test]
async fn an_altered_cookie_is_refused() {
    let mut scene = Scene::new().await;
    let back = scene.way_back().await;
    let whole = scene.browser.cookies[0].value.clone();
    for at in [0, whole.len() / 2, whole.len() - 2] {
        let mut bytes = whole.clone().into_bytes();
        bytes[at] = if bytes[at] == b'A' { b'B' } else { b'A' };
        scene.browser.cookies[0].value = String::from_utf8(bytes).unwrap();
        scene.browser.get(&back).await.refused(401, "unauthenticated");
    }
    assert_eq!(scene.fake.asked("token"), 0);
    scene.browser.cookies[0].value = whole;
    assert_eq!(scene.browser.get(&back).await.signed_in(), ADA);
}

#[tokio::test]
async fn a_cookie_is_good_for_ten_minutes() {
    for (waits, comes_in) in [(599, true), (600, false)] {
        let mut scene = Scene::new().await;
        let back = scene.way_back().await;
        scene.later(Duration::from_secs(waits));
        let page = scene.browser.get(back).await;
        if comes_in {
            assert_eq!(page.signed_in(), ADA);
        } else {
            page.refused(401, "unauthenticated");
        }
    }
}

#[tokio::test]
async fn a_cookie_of_another_provider_is_refused() {
    let mut scene = Scene::new().await;
    let back = scene.way_back().await;
    let mut other = back.clone();
    other.set_path("/auth/oidc/other/callback");
    // The browser itself would not send it there.
    assert_eq!(scene.browser.get(&other).await.refused(401, "unauthenticated"), NOT_HERE);
    let mut cookie = scene.browser.cookies[0].clone();
    cookie.name = "crm_oidc_other".to_owned();
    let mut thief = Browser::new();
    thief.cookies = vec![cookie.at("/")];
    assert_eq!(thief.get(&other).await.refused(401, "unauthenticated"), NOT_HERE);
    assert_eq!(scene.fake.asked("token"), 0);
    assert_eq!(scene.browser.get(&back).await.signed_in(), ADA);
}

/// The checks of the provider's answer (RFC 9207, 2.4).
#[tokio::test]
async fn the_answers_author_must_be_the_provider() {
    for wrong in [Some("https://elsewhere.example"), Some(""), None] {
        let mut scene = Scene::new().await;
        let back = with_parameter(&scene.way_back().await, "iss", wrong);
        scene.browser.get(back).await.refused(401, "unauthenticated");
        assert_eq!(scene.fake.asked("token"), 0, "the code is not given away: {wrong:?}");
    }
}

#[tokio::test]
async fn an_author_that_was_not_promised_may_be_missing_but_not_be_another() {
    let promise = "authorization_response_iss_parameter_supported";
    for (iss, comes_in) in [(None, true), (Some("https://elsewhere.example"), false)] {
        let mut scene = Scene::new().await;
        scene.fake.now(|plan| {
            plan.discovery = Box::new(move |document| document[promise] = false.into());
            plan.iss = iss.map(str::to_owned);
        });
        let page = scene.sign_in().await;
        if comes_in {
            assert_eq!(page.signed_in(), ADA);
        } else {
            page.refused(401, "unauthenticated");
        }
    }
}

#[tokio::test]
async fn an_error_of_the_provider_is_a_refusal() {
    for with_code in [false, true] {
        let mut scene = Scene::new().await;
        let mut back = with_parameter(&scene.way_back().await, "error", Some("access_denied"));
        if !with_code {
            back = with_parameter(&back, "code", None);
        }
        let said = scene.browser.get(back).await.refused(401, "unauthenticated");
        assert_eq!(said, "the provider did not let you in");
        assert_eq!(scene.fake.asked("token"), 0);
    }
    let mut scene = Scene::new().await;
    let back = with_parameter(&scene.way_back().await, "code", None);
    scene.browser.get(back).await.refused(401, "unauthenticated");
}

#[tokio::test]
async fn a_code_is_used_once() {
    let mut scene = Scene::new().await;
    let back = scene.way_back().await;
    let before = scene.browser.cookies.clone();
    assert_eq!(scene.browser.get(&back).await.signed_in(), ADA);
    scene.browser.get(&back).await.refused(401, "unauthenticated");
    // Who has kept the cookie meets the provider's own check.
    scene.browser.cookies = before;
    scene.browser.get(&back).await.refused(401, "unauthenticated");
    assert_eq!(scene.fake.asked("token"), 2);
}

#[tokio::test]
async fn the_verifier_of_the_challenge_is_sent_and_the_client_says_who_it_is() {
    let mut scene = Scene::new().await;
    assert_eq!(scene.sign_in().await.signed_in(), ADA);
    let plan = scene.fake.plan.lock().unwrap();
    assert_eq!(plan.authorization.as_deref(), Some(&*crate::fake::basic()));
    assert!(plan.token_form["code_verifier"].len() >= 43);
    assert!(!plan.token_form.contains_key("client_secret"));
}

/// A code that was stolen from another browser's way back, with a state of the thief's.
#[tokio::test]
async fn a_stolen_code_fails_for_its_verifier() {
    let mut scene = Scene::new().await;
    let stolen = parameter(&scene.way_back().await, "code").unwrap();
    let mut thief = Scene { browser: Browser::new(), ..scene };
    let back = with_parameter(&thief.way_back().await, "code", Some(&stolen));
    thief.browser.get(back).await.refused(401, "unauthenticated");
    assert_eq!(thief.fake.asked("token"), 1);
    // Where the provider does not check it, the nonce of the id token is still another.
    thief.fake.now(|plan| plan.codes_are_checked = false);
    let stolen = parameter(&thief.way_back().await, "code").unwrap();
    thief.browser = Browser::new();
    let back = with_parameter(&thief.way_back().await, "code", Some(&stolen));
    thief.browser.get(back).await.refused(401, "unauthenticated");
    assert_eq!(thief.fake.asked("token"), 2);
}

#[tokio::test]
async fn a_public_client_has_no_secret_and_another_sends_it_as_the_provider_wants() {
    let mut scene = Scene::with(|provider| provider).await;
    assert_eq!(scene.sign_in().await.signed_in(), ADA);
    scene.fake.now(|plan| {
        assert_eq!(plan.authorization, None);
        assert_eq!(plan.token_form["client_id"], "crm");
        assert!(!plan.token_form.contains_key("client_secret"));
    });
    let mut scene =
        Scene::with(|provider| provider.client_secret(&Secret::from(CLIENT_SECRET))).await;
    scene.fake.now(|plan| {
        plan.discovery = Box::new(|document| {
            document["token_endpoint_auth_methods_supported"] = ["client_secret_post"].into();
        });
    });
    assert_eq!(scene.sign_in().await.signed_in(), ADA);
    scene.fake.now(|plan| {
        assert_eq!(plan.authorization, None);
        assert_eq!(plan.token_form["client_secret"], CLIENT_SECRET);
    });
}

#[tokio::test]
async fn a_provider_that_is_not_configured_is_not_found() {
    let mut scene = Scene::new().await;
    for path in ["login", "callback?code=x&state=y"] {
        let url = format!("{}/auth/oidc/nobody/{path}", scene.host.url);
        scene.browser.get(url).await.refused(404, "not_found");
    }
}

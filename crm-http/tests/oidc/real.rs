//! The whole way, with a provider that others have written and that is certified.

use crm_core::Role;
use crm_core::identity::{Secret, UserStatus};
use crm_core::ports::SystemClock;
use crm_http::OidcProvider;
use serde_json::{Value, json};

use crate::browser::{Browser, Page, parameter};
use crate::host::{CHALLENGE, Host, OWNER, VERIFIER, callback};
use crate::real_provider::{CONFIDENTIAL, PUBLIC, Program, RealProvider, way_back};

/// The page of ours that codes are sent to; nobody listens there.
const RETURN_TO: &str = "http://127.0.0.1:9/signed-in?from=crm";

struct Together {
    host: Host,
    _provider: RealProvider,
}

impl Together {
    /// The providers `secret`, `public` and `returning`: one server, asked in three ways.
    async fn start() -> Option<Self> {
        let program = Program::find()?;
        let mut process = None;
        let host = Host::start(SystemClock, async |host| {
            let back = ["secret", "public", "returning"].map(|name| callback(host, name));
            let started = tokio::task::spawn_blocking({
                let back = back.clone();
                move || RealProvider::start(&program, &back)
            });
            let started = process.insert(started.await.unwrap());
            let (client, secret) = CONFIDENTIAL;
            let provider = |name: &str, client: &str, back: &str| {
                OidcProvider::new(name, &started.issuer, client, back).unwrap()
            };
            let secret = Secret::from(secret);
            vec![
                provider("secret", client, &back[0]).client_secret(&secret),
                provider("public", PUBLIC, &back[1]),
                provider("returning", client, &back[2])
                    .client_secret(&secret)
                    .return_to(RETURN_TO.parse().unwrap())
                    .unwrap(),
            ]
        })
        .await;
        Some(Together { host, _provider: process? })
    }

    async fn sign_in_with(&self, provider: &str, who: &str, query: &str) -> Page {
        let mut browser = Browser::new();
        let login = format!("{}{query}", self.host.login(provider));
        let back = callback(&self.host.url, provider);
        let back = way_back(&mut browser, &login, who, &back).await;
        browser.get(back).await
    }

    async fn sign_in(&self, who: &str) -> Page {
        self.sign_in_with("secret", who, "").await
    }
}

#[tokio::test]
async fn an_invited_and_an_active_user_are_linked_and_come_back_by_the_link() {
    let Some(both) = Together::start().await else { return };
    both.host.invite("ada@acme.example").await;
    for _ in 0..2 {
        assert_eq!(both.sign_in("ada@acme.example").await.signed_in(), "ada@acme.example");
        let ada = both.host.user("ada@acme.example").await.unwrap();
        assert_eq!((ada.status, ada.role), (UserStatus::Active, Role::Agent));
        assert_eq!(both.sign_in(OWNER).await.signed_in(), OWNER);
    }
    assert_eq!(both.host.links("ada@acme.example").await, 1);
    assert_eq!(both.host.links(OWNER).await, 1);
}

#[tokio::test]
async fn a_tenant_is_joined_by_its_domain() {
    let Some(both) = Together::start().await else { return };
    let new = "new@partner.example";
    let refused = both.sign_in_with("secret", new, "?tenant=acme").await;
    refused.refused(401, "unauthenticated");
    both.host.joined_by(&["partner.example"]).await;
    // Which tenant is meant must be said: domains are not looked for in all of them.
    both.sign_in(new).await.refused(401, "unauthenticated");
    assert_eq!(both.sign_in_with("secret", new, "?tenant=acme").await.signed_in(), new);
    let user = both.host.user(new).await.unwrap();
    assert_eq!((user.status, user.role), (UserStatus::Active, Role::Viewer));
    assert_eq!(user.full_name, "new Example");
    assert_eq!(both.sign_in(new).await.signed_in(), new);
}

#[tokio::test]
async fn who_may_not_come_in_is_told_the_same() {
    let Some(both) = Together::start().await else { return };
    both.host.joined_by(&["unverified.example"]).await;
    both.host.invite("nobody@unverified.example").await;
    both.host.invite("bob@acme.example").await;
    both.host.set_status("bob@acme.example", UserStatus::Disabled).await;
    both.host.invite("linked@acme.example").await;
    both.sign_in("linked@acme.example").await.signed_in();
    both.host.set_status("linked@acme.example", UserStatus::Disabled).await;
    let mut answers = Vec::new();
    for who in [
        "nobody@unverified.example",
        "bob@acme.example",
        "linked@acme.example",
        "unknown@acme.example",
    ] {
        let page = both.sign_in_with("secret", who, "?tenant=acme").await;
        page.refused(401, "unauthenticated");
        let mut problem: Value = page.json();
        problem["request_id"] = json!("");
        answers.push((page.set_cookie, problem));
    }
    assert!(answers.windows(2).all(|pair| pair[0] == pair[1]), "{answers:#?}");
    let invited = both.host.user("nobody@unverified.example").await.unwrap();
    assert_eq!(invited.status, UserStatus::Invited);
}

#[tokio::test]
async fn a_client_without_a_secret_signs_in_and_a_code_serves_once() {
    let Some(both) = Together::start().await else { return };
    let mut browser = Browser::new();
    let login = both.host.login("public");
    let back = callback(&both.host.url, "public");
    let back = way_back(&mut browser, &login, OWNER, &back).await;
    assert!(parameter(&back, "iss").is_some(), "this provider says who it is");
    let before = browser.cookies.clone();
    assert_eq!(browser.get(&back).await.signed_in(), OWNER);
    browser.get(&back).await.refused(401, "unauthenticated");
    browser.cookies = before;
    browser.get(&back).await.refused(401, "unauthenticated");
}

#[tokio::test]
async fn a_browser_returns_with_a_code_that_is_exchanged_once() {
    let Some(both) = Together::start().await else { return };
    let query = format!("?challenge={CHALLENGE}");
    let page = both.sign_in_with("returning", OWNER, &query).await;
    let to = page.to();
    assert!(to.as_str().starts_with(RETURN_TO), "{to}");
    assert_eq!((page.status.as_u16(), page.body.as_str()), (302, ""));
    let mut script = Browser::new();
    let url = format!("{}/auth/oidc/token", both.host.url);
    let code = json!({ "code": parameter(to, "code").unwrap(), "verifier": VERIFIER });
    assert_eq!(script.post_json(&url, &code).await.signed_in(), OWNER);
    script.post_json(&url, &code).await.refused(401, "unauthenticated");
    script
        .post_json(&url, &json!({ "code": "x", "verifier": VERIFIER }))
        .await
        .refused(401, "unauthenticated");
}

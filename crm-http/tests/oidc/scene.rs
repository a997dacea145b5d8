//! A host, a provider that does what it is told, and a browser.

use std::time::Duration;

use crm_conformance::TestClock;
use crm_core::identity::Secret;
use crm_http::OidcProvider;
use url::Url;

use crate::browser::{Browser, Page};
use crate::fake::{CLIENT, CLIENT_SECRET, Fake};
use crate::host::{Host, callback};

/// Whom the provider vouches for, and who is invited.
pub(crate) const ADA: &str = "ada@acme.example";

pub(crate) struct Scene {
    pub(crate) clock: TestClock,
    pub(crate) fake: Fake,
    pub(crate) host: Host,
    pub(crate) browser: Browser,
}

impl Scene {
    pub(crate) async fn new() -> Self {
        Scene::with(|provider| provider.client_secret(&Secret::from(CLIENT_SECRET))).await
    }

    /// The provider `fake` as `change` makes it, and the provider `other`, which is the same server.
    pub(crate) async fn with(change: impl Fn(OidcProvider) -> OidcProvider) -> Self {
        let clock = TestClock::default().stepping(1);
        let fake = Fake::start(clock.clone()).await;
        let host = Host::start(clock.clone(), async |host| {
            let provider = |name: &str| {
                let back = callback(host, name);
                OidcProvider::new(name, &fake.url, CLIENT, &back).unwrap()
            };
            vec![change(provider("fake")), change(provider("other"))]
        })
        .await;
        host.invite(ADA).await;
        Scene { clock, fake, host, browser: Browser::new() }
    }

    /// From our page by the provider to the address that the browser comes back to.
    pub(crate) async fn way_back(&mut self) -> Url {
        self.way_back_from(self.host.login("fake")).await
    }

    async fn way_back_from(&mut self, login: String) -> Url {
        let page = self.browser.get(login).await;
        assert_eq!(page.status.as_u16(), 302, "{page:?}");
        let page = self.browser.get(page.to()).await;
        page.to().clone()
    }

    pub(crate) async fn sign_in(&mut self) -> Page {
        self.sign_in_at(self.host.login("fake")).await
    }

    pub(crate) async fn sign_in_at(&mut self, login: String) -> Page {
        let back = self.way_back_from(login).await;
        self.browser.get(back).await
    }

    pub(crate) fn later(&self, by: Duration) {
        self.clock.advance_micros(i64::try_from(by.as_micros()).unwrap());
    }
}

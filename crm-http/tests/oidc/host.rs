//! The CRM with a tenant, on a free port.

use std::sync::Arc;

use crm_core::identity::{NewUser, User, UserPatch, UserStatus};
use crm_core::ports::Clock;
use crm_core::tenancy::{NewTenant, TenantPatch};
use crm_core::{Crm, EntityRef, Page, Patch, Role, Session};
use crm_http::{Config, OidcProvider};
use crm_sqlite::SqliteStore;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

/// The owner of the tenant `acme`, who is active.
pub(crate) const OWNER: &str = "owner@acme.example";

/// What a page knows, and its challenge (RFC 7636, appendix B).
pub(crate) const VERIFIER: &str = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
pub(crate) const CHALLENGE: &str = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM";

pub(crate) struct Host {
    pub(crate) url: String,
    owner: Session,
    server: JoinHandle<()>,
}

impl Host {
    /// `providers` are made for the address that the server has.
    pub(crate) async fn start(
        clock: impl Clock,
        providers: impl AsyncFnOnce(&str) -> Vec<OidcProvider>,
    ) -> Self {
        let store = SqliteStore::open_in_memory().await.unwrap();
        let crm = Crm::builder(store).clock(clock).build().unwrap();
        let new = NewTenant {
            name: "Acme".to_owned(),
            slug: Some("acme".parse().unwrap()),
            default_region: "DE".parse().unwrap(),
            owner_email: OWNER.to_owned(),
            owner_name: None,
        };
        let (tenant, owner) = crm.system("tests").unwrap().create_tenant(new).await.unwrap();
        let owner = crm.session(tenant.principal(&owner)).await.unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let mut config = Config::default();
        config.oidc = providers(&url).await.into_iter().map(Arc::new).collect();
        let router = crm_http::router(crm, config);
        let server = tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
        Host { url, owner, server }
    }

    pub(crate) async fn invite(&self, email: &str) {
        let new = NewUser { email: email.to_owned(), full_name: None, role: Role::Agent };
        self.owner.users().create(new).await.unwrap();
    }

    pub(crate) async fn set_status(&self, email: &str, status: UserStatus) {
        let user = self.user(email).await.unwrap();
        let patch = UserPatch { status: Patch::Set(status), ..UserPatch::default() };
        self.owner.users().update(user.id, patch, None).await.unwrap();
    }

    pub(crate) async fn user(&self, email: &str) -> Option<User> {
        let page = Page::first(100);
        let users = self.owner.users().list(&page).await.unwrap().items;
        users.into_iter().find(|user| user.email.to_string() == email)
    }

    /// How many accounts with providers have been linked to somebody.
    pub(crate) async fn links(&self, email: &str) -> usize {
        let user = self.user(email).await.unwrap();
        let entries = self.owner.audit().list(None, &Page::first(100)).await.unwrap().items;
        let of_user = entries.iter().filter(|entry| entry.resource == EntityRef::from(user.id));
        of_user.filter(|entry| entry.fields == ["link"]).count()
    }

    pub(crate) async fn joined_by(&self, domains: &[&str]) {
        let domains = domains.iter().map(|domain| (*domain).to_owned()).collect();
        let patch = TenantPatch { join_domains: Patch::Set(domains), ..TenantPatch::default() };
        self.owner.tenant().update(patch, None).await.unwrap();
    }

    pub(crate) fn login(&self, provider: &str) -> String {
        format!("{}/auth/oidc/{provider}/login", self.url)
    }

    /// Where a page begins that is returned to.
    pub(crate) fn login_of_page(&self, provider: &str) -> String {
        format!("{}?challenge={CHALLENGE}", self.login(provider))
    }
}

impl Drop for Host {
    fn drop(&mut self) {
        self.server.abort();
    }
}

pub(crate) fn callback(host: &str, provider: &str) -> String {
    format!("{host}/auth/oidc/{provider}/callback")
}

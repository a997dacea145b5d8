//! How people come in, and what they may do about it.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::string_slice,
    clippy::wildcard_enum_match_arm,
    clippy::disallowed_methods,
    reason = "tests"
)]

#[path = "../common/clock.rs"]
mod clock;
mod external;
mod failures;
mod invitations;
mod registration;
mod second_factor;
mod tenant;
mod users;

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use crm_core::events::RecordedEvent;
use crm_core::identity::{
    AcceptInvitation, Arrival, Identity, NewUser, PasswordSignIn, SignInPolicy, SignedIn, User,
};
use crm_core::memory::MemoryStore;
use crm_core::ports::{Computation, Quota, Randomness, SystemRandomness, Workers};
use crm_core::tenancy::{NewTenant, Tenant};
use crm_core::{Crm, CrmBuilder, Error, ErrorKind, Result, Role, Session};

use crate::clock::TestClock;

pub(crate) const PASSWORD: &str = "correct horse battery";

/// Computes on a thread for each, so that others can come in between, and counts.
#[derive(Clone, Default)]
pub(crate) struct Counting(pub(crate) Arc<AtomicUsize>);

impl Workers for Counting {
    fn submit(&self, computation: Computation) -> Result<()> {
        self.0.fetch_add(1, Ordering::SeqCst);
        std::thread::spawn(computation);
        Ok(())
    }
}

/// Where two tasks meet that have both decided, before either commits: each asks for randomness then.
#[derive(Clone, Default)]
pub(crate) struct Meeting(Arc<std::sync::Mutex<Vec<Arc<std::sync::Barrier>>>>);

impl Meeting {
    pub(crate) fn of_two(&self) {
        let barrier = Arc::new(std::sync::Barrier::new(2));
        *self.0.lock().unwrap() = vec![Arc::clone(&barrier), barrier];
    }
}

impl Randomness for Meeting {
    fn fill(&self, bytes: &mut [u8]) -> Result<()> {
        let barrier = self.0.lock().unwrap().pop();
        if let Some(barrier) = barrier {
            barrier.wait();
        }
        SystemRandomness.fill(bytes)
    }
}

/// A CRM with one tenant, whose owner can sign in.
pub(crate) struct World {
    pub(crate) crm: Crm,
    pub(crate) clock: TestClock,
    pub(crate) hashes: Counting,
    pub(crate) tenant: Tenant,
    pub(crate) owner: User,
}

/// No limits in time, so that what is counted for ever is met.
pub(crate) fn unlimited() -> SignInPolicy {
    let quota = Quota::new(1_000_000, Duration::from_secs(1));
    SignInPolicy {
        per_account: quota,
        per_address: quota,
        registrations: quota,
        ..SignInPolicy::default()
    }
}

pub(crate) async fn world() -> World {
    world_with(|builder| builder.sign_in_policy(unlimited())).await
}

pub(crate) async fn world_with(choose: impl FnOnce(CrmBuilder) -> CrmBuilder) -> World {
    let clock = TestClock::default();
    let hashes = Counting::default();
    let builder = Crm::builder(MemoryStore::default()).clock(clock.clone()).workers(hashes.clone());
    let crm = choose(builder).build().unwrap();
    let (tenant, owner) = make_tenant(&crm, "Acme GmbH", "owner@acme.example").await;
    World { crm, clock, hashes, tenant, owner }
}

pub(crate) async fn make_tenant(crm: &Crm, name: &str, owner: &str) -> (Tenant, User) {
    let system = crm.system("test").unwrap();
    let new = NewTenant::new(name, owner, "DE".parse().unwrap());
    let (tenant, owner) = system.create_tenant(new).await.unwrap();
    system.set_password(tenant.id, owner.id, &PASSWORD.into()).await.unwrap();
    let owner = system.session(tenant.id).await.unwrap().users().get(owner.id).await.unwrap();
    (tenant, owner)
}

impl World {
    pub(crate) fn identity(&self) -> Identity {
        self.crm.identity(Arrival {
            request_id: self.crm.new_request_id().unwrap(),
            address: None,
            user_agent: None,
        })
    }

    pub(crate) async fn operator(&self) -> Session {
        self.crm.system("test").unwrap().session(self.tenant.id).await.unwrap()
    }

    /// A user who has accepted.
    pub(crate) async fn user(&self, email: &str, role: Role) -> User {
        let new = NewUser { email: email.to_owned(), full_name: None, role };
        let created = self.operator().await.users().create(new).await.unwrap();
        let accept = AcceptInvitation {
            invitation: created.invitation,
            password: PASSWORD.into(),
            full_name: None,
        };
        self.identity().accept_invitation(accept).await.unwrap().user
    }

    pub(crate) async fn try_sign_in(
        &self,
        email: &str,
        password: &str,
        code: Option<&str>,
    ) -> Result<SignedIn> {
        let attempt = PasswordSignIn {
            email: email.to_owned(),
            password: password.into(),
            tenant: None,
            code: code.map(Into::into),
        };
        self.identity().sign_in(attempt).await
    }

    /// A session of somebody who has just signed in.
    pub(crate) async fn session(&self, email: &str) -> Session {
        let signed_in = self.try_sign_in(email, PASSWORD, None).await.unwrap();
        self.with(&signed_in).await.unwrap()
    }

    pub(crate) async fn with(&self, signed_in: &SignedIn) -> Result<Session> {
        self.identity().authenticate(signed_in.tokens.access_token.reveal()).await
    }

    /// The events of the tenant so far, by name.
    pub(crate) async fn events(&self) -> Vec<String> {
        let session = self.operator().await;
        let all: Vec<RecordedEvent> =
            session.events().after(crm_core::events::EventPosition::START, 10_000).await.unwrap();
        all.iter().map(|event| event.event.name.to_string()).collect()
    }
}

pub(crate) fn refused<T: std::fmt::Debug>(result: Result<T>, kind: ErrorKind) -> Error {
    let error = result.unwrap_err();
    assert_eq!(error.kind(), kind, "{error:?}");
    error
}

/// The field and the code of the only refused value.
pub(crate) fn field<T: std::fmt::Debug>(result: Result<T>) -> (String, String) {
    let error = refused(result, ErrorKind::Invalid);
    assert_eq!(error.fields().len(), 1, "{error:?}");
    (error.fields()[0].field.clone(), error.fields()[0].code.to_string())
}

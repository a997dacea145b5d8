//! What calls, their recordings and jobs promise, over a carrier that is scripted.
#![allow(
    missing_docs,
    clippy::unwrap_used,
    clippy::disallowed_methods,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "tests"
)]

mod carrier;
#[path = "../common/clock.rs"]
mod clock;
#[path = "../common/faulty.rs"]
mod faulty;
mod jobs;
mod orders;
mod placing;
mod recordings;
mod replays;
mod time;
mod two_workers;

use std::time::Duration;

use carrier::{Carrier, request};
use clock::TestClock;
use crm_core::calls::{Call, CallStatus, Progress, StartCall};
use crm_core::contacts::{Contact, NewContact};
use crm_core::events::{EventPosition, RecordedEvent};
use crm_core::jobs::{Job, Worker};
use crm_core::telephony::{CarrierSecrets, NewTelephonyAccount, WebhookRequest};
use crm_core::tenancy::{NewTenant, Tenant};
use crm_core::{CallId, Crm, CrmBuilder, KeyRing, Page, Region, Session, Timestamp};
use faulty::Faulty;
use serde_json::json;

const LINE: &str = "+14255550100";
const ADA: &str = "+14255550123";

/// A tenant with an account of the carrier's, and a contact who can be called.
struct World {
    clock: TestClock,
    carrier: Carrier,
    store: Faulty,
    crm: Crm,
    tenant: Tenant,
    session: Session,
    ada: Contact,
}

/// Every CRM of a test has the same keys, as the processes of a host do.
fn crm_over(store: &Faulty, clock: &TestClock, carrier: &Carrier) -> Crm {
    builder_over(store, clock, carrier).build().unwrap()
}

fn builder_over(store: &Faulty, clock: &TestClock, carrier: &Carrier) -> CrmBuilder {
    Crm::builder(store.clone())
        .clock(clock.clone())
        .telephony(carrier.clone())
        .key_ring(KeyRing::new([("test".to_owned(), [7; 32])]).unwrap())
        .public_url("https://crm.example")
}

/// An account `AC1` with this number.
fn account(word: &str, number: &str) -> NewTelephonyAccount {
    NewTelephonyAccount {
        provider: "scripted".into(),
        name: "AC1".into(),
        secrets: CarrierSecrets { auth_tokens: vec![word.into()], api_key: None },
        numbers: vec![number.into()],
        connect_to: None,
        greeting: Some("Hello".into()),
        options: Default::default(),
    }
}

async fn new_tenant(crm: &Crm, name: &str) -> (Tenant, Session) {
    let system = crm.system("a test").unwrap();
    let new = NewTenant::new(name, format!("owner@{name}.example"), Region::US);
    let (tenant, owner) = system.create_tenant(new).await.unwrap();
    let session = crm.session(tenant.principal(&owner)).await.unwrap();
    (tenant, session)
}

impl World {
    async fn new() -> Self {
        let (store, clock, carrier) = (Faulty::default(), TestClock::default(), Carrier::default());
        let crm = crm_over(&store, &clock, &carrier);
        let (tenant, session) = new_tenant(&crm, "acme").await;
        session.telephony().create(account("open sesame", LINE)).await.unwrap();
        let ada = NewContact::named("Ada", "Lovelace").phone(ADA);
        let ada = session.contacts().create(ada).await.unwrap();
        World { clock, carrier, store, crm, tenant, session, ada }
    }

    async fn start(&self) -> Call {
        self.session.calls().start(StartCall::to(self.ada.id)).await.unwrap()
    }

    /// A call that the carrier has.
    async fn placed(&self) -> Call {
        let call = self.start().await;
        self.work().await;
        self.call(call.id).await
    }

    async fn call(&self, id: CallId) -> Call {
        self.session.calls().get(id).await.unwrap()
    }

    fn worker(&self) -> Worker {
        self.crm.worker()
    }

    /// Runs what is due.
    async fn work(&self) -> usize {
        self.worker().run_due().await.unwrap()
    }

    async fn work_after(&self, seconds: u64) -> usize {
        self.clock.advance(Duration::from_secs(seconds));
        self.work().await
    }

    /// The carrier's request about this call, under the address that it was given.
    fn news(&self, call: &Call, id: &str, token: Option<&str>, told: &Progress) -> WebhookRequest {
        let body = json!({ "news": "call", "call": id, "progress": told });
        request(&self.url(call), token, body)
    }

    fn url(&self, call: &Call) -> String {
        let tenant = self.tenant.id;
        format!("https://crm.example/webhooks/scripted?tenant={tenant}&call={}", call.id)
    }

    async fn tell(&self, request: WebhookRequest) {
        self.crm.webhook("scripted", request).await.unwrap();
    }

    /// The names of all events that happened to the call.
    async fn events(&self, call: CallId) -> Vec<&'static str> {
        self.events_after(call, EventPosition::START).await
    }

    async fn events_after(&self, call: CallId, position: EventPosition) -> Vec<&'static str> {
        let events = self.session.events().after(position, 1000).await.unwrap();
        let own = events.iter().filter(|it| it.event.subject.id == call.as_uuid());
        own.map(|it| it.event.name.action()).collect()
    }

    async fn jobs(&self) -> Vec<Job> {
        self.session.jobs().list(None, None, &Page::default()).await.unwrap().items
    }
}

async fn all_events(session: &Session) -> Vec<RecordedEvent> {
    session.events().after(EventPosition::START, 1000).await.unwrap()
}

fn step(status: CallStatus, sequence: u32) -> Progress {
    let at = Timestamp::from_micros(1_800_000_000_000_000 + i64::from(sequence) * 1_000_000);
    Progress::step(status, Some(sequence), at)
}

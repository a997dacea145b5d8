//! A tenant in which commands are run, and its state as sessions show it.

use std::time::Duration;

use crm_core::activities::ActivityFilter;
use crm_core::calls::{CallFilter, CallView, StartCall};
use crm_core::contacts::import::ImportOptions;
use crm_core::contacts::{ContactFilter, ContactSort, Deleted};
use crm_core::events::{EventPosition, RecordedEvent};
use crm_core::identity::{Arrival, PasswordSignIn, Secret, StepUp};
use crm_core::jobs::{JobState, NewJob, Next, Worker};
use crm_core::memory::MemoryStore;
use crm_core::telephony::{CarrierAccount, CarrierSecrets, Simulator, TelephonyAccountView};
use crm_core::tenancy::{NewTenant, Tenant};
use crm_core::{
    ApiKeyId, CallId, CompanyId, ContactId, Crm, Error, ErrorKind, Page, PageOf, Region, Result,
    Session, TelephonyAccountId, UserId,
};
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use crate::clock::TestClock;
use crate::commands::Command;

const PASSWORD: &str = "correct horse battery";
const LINE: &str = "+14255550100";

pub(crate) struct World {
    crm: Crm,
    clock: TestClock,
    carrier: Simulator,
    worker: Worker,
    pub(crate) tenant: Tenant,
    pub(crate) session: Session,
    users: Vec<UserId>,
    keys: Vec<(ApiKeyId, Secret)>,
    companies: Vec<CompanyId>,
    contacts: Vec<ContactId>,
    accounts: Vec<TelephonyAccountId>,
}

/// The state, one list of JSON records for each kind.
pub(crate) struct State {
    pub(crate) tenants: Vec<Value>,
    pub(crate) users: Vec<Value>,
    pub(crate) api_keys: Vec<Value>,
    pub(crate) companies: Vec<Value>,
    pub(crate) contacts: Vec<Value>,
    pub(crate) activities: Vec<Value>,
    pub(crate) consents: Vec<Value>,
    pub(crate) accounts: Vec<Value>,
    pub(crate) calls: Vec<Value>,
    pub(crate) schedules: Vec<Value>,
    /// The owner's.
    pub(crate) notifications: Vec<Value>,
    /// The owner's, where they have chosen.
    pub(crate) preferences: Vec<Value>,
}

fn read<T: DeserializeOwned>(value: &Value) -> Result<T> {
    serde_json::from_value(value.clone())
        .map_err(|error| Error::new(ErrorKind::Invalid, error.to_string()))
}

fn of<T: Copy>(all: &[T], at: usize) -> Result<T> {
    let at = at.checked_rem(all.len());
    at.map(|at| all[at]).ok_or_else(|| Error::new(ErrorKind::NotFound, "none was made yet"))
}

async fn walk<T: serde::Serialize>(list: impl AsyncFn(Page) -> Result<PageOf<T>>) -> Vec<Value> {
    let mut all = Vec::new();
    let mut page = Page::first(Page::MAX_LIMIT);
    loop {
        let part = list(page).await.unwrap();
        all.extend(part.items.iter().map(|item| json!(item)));
        let Some(cursor) = part.next_cursor else { return all };
        page = Page::after(cursor, Page::MAX_LIMIT);
    }
}

impl World {
    pub(crate) async fn new() -> Self {
        let clock = TestClock::default();
        let carrier = Simulator::new(clock.clone());
        let crm = Crm::builder(MemoryStore::default())
            .clock(clock.clone())
            .telephony(carrier.clone())
            .public_url("https://crm.example")
            .build()
            .unwrap();
        let system = crm.system("a test").unwrap();
        let new = NewTenant::new("Acme", "owner@acme.example", Region::US);
        let (tenant, owner) = system.create_tenant(new).await.unwrap();
        let session = crm.session(tenant.principal(&owner)).await.unwrap();
        let failing = |_| async { Err::<Next, _>(Error::new(ErrorKind::Conflict, "it cannot be")) };
        World {
            worker: crm
                .worker()
                .handle("fails", failing)
                .handle("works", |_| async { Ok(Next::Done) }),
            users: vec![owner.id],
            keys: Vec::new(),
            companies: Vec::new(),
            contacts: Vec::new(),
            accounts: Vec::new(),
            crm,
            clock,
            carrier,
            tenant,
            session,
        }
    }

    /// Runs a command. One that is refused changes nothing.
    pub(crate) async fn run(&mut self, command: &Command) -> Result<()> {
        // So that no two changes have one time.
        self.clock.advance(Duration::from_micros(1));
        let session = self.session.clone();
        match command {
            Command::Tick(seconds) => {
                self.clock.advance(Duration::from_secs(*seconds));
                self.worker.run_due().await?;
            }
            Command::PatchTenant(patch) => {
                session.tenant().update(read(patch)?, None).await?;
            }
            Command::CreateUser(new) => {
                self.users.push(session.users().create(read(new)?).await?.user.id);
            }
            Command::PatchUser(at, patch) => {
                // The owner's own standing is what the session lives on.
                let user = of(&self.users, *at)?;
                if user != self.users[0] {
                    session.users().update(user, read(patch)?, None).await?;
                }
            }
            Command::CreateApiKey(new) => {
                let made = session.api_keys().create(read(new)?).await?;
                self.keys.push((made.api_key.id, made.secret));
            }
            Command::UseApiKey(at) => {
                let at = of(&(0..self.keys.len()).collect::<Vec<_>>(), *at)?;
                self.identity().authenticate(self.keys[at].1.reveal()).await?;
            }
            Command::RevokeApiKey(at) => {
                let ids: Vec<ApiKeyId> = self.keys.iter().map(|(id, _)| *id).collect();
                session.api_keys().revoke(of(&ids, *at)?).await?;
            }
            Command::CreateCompany(new) => {
                self.companies.push(session.companies().create(read(new)?).await?.id);
            }
            Command::PatchCompany(at, patch) => {
                let company = of(&self.companies, *at)?;
                session.companies().update(company, read(patch)?, None).await?;
            }
            Command::CreateContact(new) => {
                self.contacts.push(session.contacts().create(read(new)?).await?.id);
            }
            Command::PatchContact(at, patch) => {
                let contact = of(&self.contacts, *at)?;
                session.contacts().update(contact, read(patch)?, None).await?;
            }
            Command::DeleteContact(at) => {
                session.contacts().delete(of(&self.contacts, *at)?, None).await?;
            }
            Command::RestoreContact(at) => {
                session.contacts().restore(of(&self.contacts, *at)?).await?;
            }
            Command::Log(at, new) => {
                let new = self.about(*at, new)?;
                session.activities().create(read(&new)?).await?;
            }
            Command::Consent(at, new) => {
                let contact = of(&self.contacts, *at)?;
                session.privacy().record_consent(contact, read(new)?).await?;
            }
            Command::CreateAccount(name) => {
                let new = json!({
                    "provider": "simulator", "name": name, "numbers": [LINE],
                    "secrets": { "auth_tokens": ["secret"] },
                });
                self.accounts.push(session.telephony().create(read(&new)?).await?.id);
            }
            Command::PatchAccount(at, patch) => {
                let account = of(&self.accounts, *at)?;
                session.telephony().update(account, read(patch)?, None).await?;
            }
            Command::StartCall(at, record) => {
                let start = StartCall::to(of(&self.contacts, *at)?);
                session.calls().start(StartCall { record: *record, ..start }).await?;
            }
            Command::CallIn(from) => {
                let secrets = CarrierSecrets { auth_tokens: vec!["secret".into()], api_key: None };
                let account = CarrierAccount::new("one", secrets);
                let region = self.tenant.default_region;
                let number = |text| crm_core::PhoneNumber::parse(text, region).unwrap();
                let tenant = self.tenant.id;
                let url = format!("https://crm.example/webhooks/simulator/voice?tenant={tenant}");
                self.carrier.call_in(&account, Some(number(from)), number(LINE), &url)?;
                self.worker.run_due().await?;
            }
            Command::LogCall(at, new) => {
                let new = self.about(*at, new)?;
                session.calls().log(read(&new)?).await?;
            }
            Command::PatchCall(at, patch) => {
                session.calls().update(self.call(*at).await?, read(patch)?, None).await?;
            }
            Command::HangUp(at) => {
                session.calls().hang_up(self.call(*at).await?).await?;
            }
            Command::HearRecording(at) => {
                let file = session.calls().recording(self.call(*at).await?).await?;
                drop(session.calls().hear(&file, 0..10).await?);
            }
            Command::DeleteRecording(at) => {
                session.calls().delete_recording(self.call(*at).await?).await?;
            }
            Command::Schedule(name, cron) => {
                session.jobs().schedule(name, cron, "works", &json!({ "about": 7 })).await?;
            }
            Command::SignIn => self.sign_in().await?,
            Command::Broadcast(title) => {
                let new = json!({ "title": title, "to": "everybody" });
                session.notifications().broadcast(read(&new)?).await?;
            }
            Command::ReadNotification(at) => {
                let all = session.notifications().list(false, &Page::first(200)).await?;
                let all: Vec<_> = all.items.iter().map(|own| own.id).collect();
                session.notifications().mark_read(of(&all, *at)?).await?;
            }
            Command::Prefer(chosen) => {
                session.notifications().set_preferences(read(chosen)?, None).await?;
            }
            Command::Import => {
                let mut import = session.contacts().import(ImportOptions::default())?;
                import.push(b"first_name,email\nIda,ida@acme.example\n").await?;
                import.finish().await?;
            }
            Command::Die => self.die().await?,
        }
        Ok(())
    }

    fn identity(&self) -> crm_core::identity::Identity {
        let request_id = self.crm.new_request_id().unwrap();
        self.crm.identity(Arrival { request_id, address: None, user_agent: None })
    }

    fn about(&self, at: usize, new: &Value) -> Result<Value> {
        let mut new = new.clone();
        new["contact_id"] = json!(of(&self.contacts, at)?);
        Ok(new)
    }

    async fn call(&self, at: usize) -> Result<CallId> {
        let calls = self.session.calls().list(&CallFilter::default(), &Page::first(200)).await?;
        of(&calls.items.iter().map(|call| call.id).collect::<Vec<_>>(), at)
    }

    async fn sign_in(&self) -> Result<()> {
        let password = Secret::from(PASSWORD);
        let system = self.crm.system("a test")?;
        system.set_password(self.tenant.id, self.users[0], &password).await?;
        let attempt = |password: &str| PasswordSignIn {
            email: "owner@acme.example".to_owned(),
            password: password.into(),
            tenant: None,
            code: None,
        };
        let identity = self.identity();
        identity.sign_in(attempt("something else")).await.unwrap_err();
        let tokens = identity.sign_in(attempt(PASSWORD)).await?.tokens;
        let tokens = identity.refresh(&tokens.refresh_token).await?;
        let session = identity.authenticate(tokens.access_token.reveal()).await?;
        session.account().step_up(StepUp { password, code: None }).await?;
        session.account().sign_out(None).await
    }

    async fn die(&self) -> Result<()> {
        let job = self.session.jobs().enqueue(NewJob::new("fails", &())?).await?;
        for end in ["retry", "discard"] {
            for _ in 0..100 {
                self.clock.advance(Duration::from_secs(86_400));
                self.worker.run_due().await?;
                if self.session.jobs().get(job.id).await?.state == JobState::Dead {
                    break;
                }
            }
            match end {
                "retry" => drop(self.session.jobs().retry(job.id).await?),
                _ => self.session.jobs().discard(job.id).await?,
            }
        }
        Ok(())
    }

    pub(crate) async fn events_after(&self, position: EventPosition) -> Vec<RecordedEvent> {
        self.session.events().after(position, 10_000).await.unwrap()
    }

    pub(crate) async fn state(&self) -> State {
        let session = &self.session;
        let everybody = ContactFilter { deleted: Deleted::Include, ..ContactFilter::default() };
        let (contacts, activities) = (session.contacts(), session.activities());
        let mut consents = Vec::new();
        for contact in &self.contacts {
            let said = session.privacy().consents(*contact).await.unwrap();
            consents.extend(said.iter().map(|said| json!(said)));
        }
        let calls = walk(async |page| {
            let part = session.calls().list(&CallFilter::default(), &page).await?;
            let items = part.items.iter().map(CallView::from).collect();
            Ok(PageOf { items, next_cursor: part.next_cursor })
        });
        let accounts = session.telephony().list().await.unwrap();
        let schedules = session.jobs().schedules().await.unwrap();
        let preferences = session.notifications().preferences().await.unwrap();
        let chosen = (preferences.version > 0).then(|| json!(preferences));
        State {
            notifications: walk(async |page| session.notifications().list(false, &page).await)
                .await,
            preferences: chosen.into_iter().collect(),
            tenants: vec![json!(session.tenant().get().await.unwrap())],
            users: walk(async |page| session.users().list(&page).await).await,
            api_keys: walk(async |page| session.api_keys().list(&page).await).await,
            companies: walk(async |page| session.companies().list(&page).await).await,
            contacts: walk(async |page| {
                contacts.list(&everybody, ContactSort::CreatedAt, false, &page).await
            })
            .await,
            activities: walk(async |page| activities.list(&ActivityFilter::default(), &page).await)
                .await,
            consents,
            accounts: accounts.iter().map(|own| json!(TelephonyAccountView::from(own))).collect(),
            calls: calls.await,
            schedules: schedules.iter().map(|schedule| json!(schedule)).collect(),
        }
    }
}

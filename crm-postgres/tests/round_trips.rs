//! What an operation costs in round trips, pinned.
#![allow(
    missing_docs,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "tests"
)]

mod stores;
mod support;
mod tenants;

use std::time::Duration;

use crm_core::activities::store::ActivityQuery;
use crm_core::activities::{ActivityFilter, ActivityKind, NewActivity, StatsGroupBy};
use crm_core::audit::AuditQuery;
use crm_core::calls::{CallPatch, CallQuery, LogCall};
use crm_core::companies::{CompanyKey, NewCompany};
use crm_core::contacts::search::{CandidateQuery, Stage, Tier, WordLookup, neighbourhood};
use crm_core::contacts::store::ContactQuery;
use crm_core::contacts::{ContactFilter, ContactKey, ContactSort, Deleted};
use crm_core::events::{After, EventPosition};
use crm_core::identity::{
    Arrival, CredentialKind, NewApiKey, NewUser, PasswordSignIn, Registration, SignInName,
    StandingOf,
};
use crm_core::jobs::{Claim, JobEnd, JobQuery, Lease, NewJob, Settlement};
use crm_core::notifications::{NotificationQuery, Which};
use crm_core::ports::{
    ActivityStore, AuditStore, CallStore, CompanyStore, ContactStore, EventStore, IdempotencyStore,
    IdentityStore, JobStore, NotificationStore, PrivacyStore, SearchStore, Store, TelephonyStore,
    TenancyStore,
};
use crm_core::{
    Changes, ContactId, Crm, JobId, NotificationId, Role, Session, TelephonyAccountId, Timestamp,
    UserId,
};
use crm_postgres::{Options, PostgresStore, Protocol};
use sqlx::postgres::PgPoolOptions;
use support::TestDatabase;
use support::proxy::Proxy;
use tenants::{crm, new_tenant, person, tenant, titled};

/// What each costs on connections of the store's own, and with one message of text for each statement.
const PREPARED_AND_SIMPLE: &str = "
    tenant by id               1 1
    tenant by slug             1 1
    tenants                    1 1
    standing of a user         1 1
    standing of a credential   1 1
    accounts                   1 1
    credentials                1 1
    outcome                    1 1
    user                       1 1
    users                      1 1
    company                    1 1
    companies                  1 1
    companies by keys          1 1
    contact                    1 1
    contacts by ids            1 1
    contacts by keys           1 1
    first page CreatedAt       1 1
    next page CreatedAt        1 1
    first page UpdatedAt       1 1
    next page UpdatedAt        1 1
    first page LastName        1 1
    next page LastName         1 1
    deleted ones               1 1
    in any state               3 1
    filtered                   3 1
    count                      3 1
    find words                 1 1
    find candidates            1 1
    activity                   1 1
    timeline                   1 1
    next page of the timeline  1 1
    activities of a kind       3 1
    activity stats             3 1
    audit                      1 1
    audit of a record          1 1
    events                     1 1
    events after a position    1 1
    bounds of the log          1 1
    place of a group           1 1
    move a group               1 1
    forget events              1 1
    open a session             1 1
    open it again              0 0
    sign in                    3 3
    refresh                    2 2
    refresh again              1 1
    authenticate               1 1
    authenticate again         0 0
    who is signed in           2 2
    sign out                   2 2
    come in by a key           2 2
    come in by a key again     0 0
    create a contact           1 1
    update a contact           2 2
    delete a contact           2 2
    restore a contact          3 3
    commit of one              1 1
    commit of a hundred        1 1
    create a tenant            1 1
    call                       1 1
    call of a provider         1 1
    calls                      3 1
    consents                   1 1
    telephony accounts         1 1
    accounts of a carrier      1 1
    jobs                       1 1
    job                        1 1
    schedules                  1 1
    notifications              3 1
    notifications by id        1 1
    notification wishes        1 1
    log a call                 2 2
    change a call              2 2
    enqueue                    1 1
    claim                      1 1
    keep                       1 1
    settle                     1 1
    due schedules              1 1
";

const COMPANY: &str = "engines";
const PASSWORD: &str = "tangerine ledger boat";

/// Counts an operation's round trips, once it has been done before.
struct Meter {
    proxy: Proxy,
    counts: Vec<(String, usize)>,
    warm: bool,
}

impl Meter {
    async fn count<T>(
        &mut self,
        name: impl Into<String>,
        work: impl Future<Output = crm_core::Result<T>>,
    ) -> T {
        self.proxy.reset();
        let name = name.into();
        let answer = work.await.unwrap_or_else(|error| panic!("{name}: {error:?}"));
        if self.warm {
            self.counts.push((name, self.proxy.count()));
        }
        answer
    }
}

/// Every operation and its round trips.
async fn measure(store: &PostgresStore, proxy: Proxy) -> Vec<(String, usize)> {
    let crm = crm(store);
    let system = crm.system("test").unwrap();
    let session = tenant(&crm, "acme").await;
    let scope = session.scope();
    let ada = session.contacts().create(person("ada", 0)).await.unwrap();
    let note = session.activities().create(NewActivity::note(ada.id, "first")).await.unwrap();
    let new = NewCompany { name: "Initech".into(), domain: None };
    let company = session.companies().create(new).await.unwrap();
    let new = NewUser { email: "eve@acme.example".into(), full_name: None, role: Role::Agent };
    let user = session.users().create(new).await.unwrap().user;
    let active = crm_core::identity::UserPatch {
        status: crm_core::identity::UserStatus::Active.into(),
        ..Default::default()
    };
    session.users().update(user.id, active, None).await.unwrap();
    let registration = Registration {
        company_name: COMPANY.into(),
        full_name: "Ada Lovelace".into(),
        email: format!("ada@{COMPANY}.example"),
        password: PASSWORD.into(),
        default_region: None,
        invitation: None,
    };
    let request_id = crm.new_request_id().unwrap();
    let arrival = Arrival { request_id, address: None, user_agent: None };
    crm.identity(arrival).register(registration).await.unwrap();
    let mut meter = Meter { proxy, counts: Vec::new(), warm: false };
    // Twice: the first time each statement is prepared.
    for round in 0..2 {
        meter.warm = round == 1;
        let m = &mut meter;
        m.count("tenant by id", store.tenant(system.scope(), scope.tenant())).await;
        m.count("tenant by slug", system.tenant(&"acme".parse().unwrap())).await;
        m.count("tenants", system.tenants(None, 5)).await;
        let by_user = StandingOf::User(user.id);
        m.count("standing of a user", store.standing(system.scope(), scope.tenant(), by_user))
            .await;
        let by_id = StandingOf::Credential(user.id.as_uuid());
        m.count("standing of a credential", store.standing(system.scope(), scope.tenant(), by_id))
            .await;
        let name = SignInName::of_email(&user.email);
        m.count("accounts", store.accounts(system.scope(), &name, 5)).await;
        let kind = CredentialKind::SignIn;
        m.count("credentials", store.credentials(scope, kind, Some(user.id), None, 5)).await;
        m.count("outcome", store.outcome(scope, "key", user.created_at)).await;
        m.count("user", store.user(scope, user.id)).await;
        m.count("users", store.users(scope, None, 5)).await;
        m.count("company", store.company(scope, company.id)).await;
        m.count("companies", store.companies(scope, None, 5)).await;
        let keys = [CompanyKey::Name("initech".into())];
        m.count("companies by keys", store.companies_by_keys(scope, &keys)).await;
        m.count("contact", store.contact(scope, ada.id)).await;
        m.count("contacts by ids", store.contacts_by_ids(scope, &[ada.id])).await;
        let keys = [ContactKey::Tag("person".into())];
        m.count("contacts by keys", store.contacts_by_keys(scope, &keys)).await;
        let first = ContactQuery { limit: 5, ..ContactQuery::default() };
        for sort in [ContactSort::CreatedAt, ContactSort::UpdatedAt, ContactSort::LastName] {
            let first = ContactQuery { sort, ..first.clone() };
            m.count(format!("first page {sort:?}"), store.contacts(scope, &first)).await;
            let next = ContactQuery { after: Some((sort.key_of(&ada), ada.id.as_uuid())), ..first };
            m.count(format!("next page {sort:?}"), store.contacts(scope, &next)).await;
        }
        for (name, filter) in [
            ("deleted ones", ContactFilter { deleted: Deleted::Only, ..ContactFilter::default() }),
            (
                "in any state",
                ContactFilter { deleted: Deleted::Include, ..ContactFilter::default() },
            ),
            ("filtered", ContactFilter { keys: keys.to_vec(), ..ContactFilter::default() }),
        ] {
            let query = ContactQuery { filter, ..first.clone() };
            m.count(name, store.contacts(scope, &query)).await;
        }
        m.count("count", store.count_contacts(scope, &ContactFilter::default())).await;
        let lookup = WordLookup {
            hashes: neighbourhood("ada"),
            word_prefixes: vec!["ad".into()],
            term_prefixes: Vec::new(),
            most: 5,
        };
        m.count("find words", store.find_words(scope, &lookup)).await;
        let tier = Tier {
            groups: vec![vec!["ada".into()]],
            count: 10,
            limit: 10,
            limit_per_term: 10,
            examine: 10,
        };
        let query = CandidateQuery { stages: vec![Stage { unless_found: 1, tiers: vec![tier] }] };
        let found = m.count("find candidates", store.find_candidates(scope, &query)).await;
        assert!(!found.is_empty());
        m.count("activity", store.activity(scope, note.id)).await;
        let of_ada = ActivityFilter { contact_id: Some(ada.id), ..ActivityFilter::default() };
        let query = ActivityQuery { filter: of_ada, after: None, limit: 5 };
        m.count("timeline", store.activities(scope, &query)).await;
        let next = ActivityQuery { after: Some((note.occurred_at, note.id)), ..query };
        m.count("next page of the timeline", store.activities(scope, &next)).await;
        let notes = ActivityFilter { kind: Some(ActivityKind::Note), ..ActivityFilter::default() };
        let query = ActivityQuery { filter: notes.clone(), after: None, limit: 5 };
        m.count("activities of a kind", store.activities(scope, &query)).await;
        m.count("activity stats", store.activity_stats(scope, &notes, StatsGroupBy::Day)).await;
        for (name, resource) in [("audit", None), ("audit of a record", Some(ada.id.into()))] {
            let query = AuditQuery { resource, before: None, limit: 5 };
            m.count(name, store.audit_entries(scope, &query)).await;
        }
        let events = m.count("events", store.events_after(scope, EventPosition::START, 5)).await;
        let after = events[2].position;
        m.count("events after a position", store.events_after(scope, after, 5)).await;
        m.count("bounds of the log", store.event_bounds(scope)).await;
        let group = "letters".parse().unwrap();
        m.count("place of a group", store.event_group(scope, &group)).await;
        let mut reader = session.events().group(group, After::Start).await.unwrap();
        let batch = reader.next().await.unwrap();
        m.count("move a group", batch.done()).await;
        m.count("forget events", store.forget_events(scope, Timestamp::MIN, 5)).await;
        let principal = crm_core::Principal::User { tenant: scope.tenant(), user: user.id };
        let other_node = tenants::crm(store);
        m.count("open a session", other_node.session(principal)).await;
        m.count("open it again", other_node.session(principal)).await;

        let arriving = |crm: &Crm| {
            let request_id = crm.new_request_id().unwrap();
            crm.identity(Arrival { request_id, address: None, user_agent: None })
        };
        let new = PasswordSignIn {
            email: format!("ada@{COMPANY}.example"),
            password: PASSWORD.into(),
            tenant: None,
            code: None,
        };
        let tokens = m.count("sign in", arriving(&crm).sign_in(new)).await.tokens;
        let token = tokens.refresh_token;
        m.count("refresh", arriving(&crm).refresh(&token)).await;
        let tokens = m.count("refresh again", arriving(&crm).refresh(&token)).await;
        let bearer = tokens.access_token.reveal();
        m.count("authenticate", arriving(&crm).authenticate(bearer)).await;
        let own = m.count("authenticate again", arriving(&crm).authenticate(bearer)).await;
        m.count("who is signed in", own.account().me()).await;
        m.count("sign out", own.account().sign_out(None)).await;
        let new = NewApiKey {
            name: "Key".into(),
            role: Role::Viewer,
            scopes: vec!["contacts:read".into()],
            expires_at: None,
        };
        let key = session.api_keys().create(new).await.unwrap().secret;
        m.count("come in by a key", arriving(&crm).authenticate(key.reveal())).await;
        // The note of the first use has made the look untrue.
        arriving(&crm).authenticate(key.reveal()).await.unwrap();
        m.count("come in by a key again", arriving(&crm).authenticate(key.reveal())).await;

        // A read for the decision, and the commit.
        let contacts = session.contacts();
        let bob = m.count("create a contact", contacts.create(person("bob", round))).await;
        m.count("update a contact", contacts.update(bob.id, titled("T"), None)).await;
        m.count("delete a contact", contacts.delete(bob.id, None)).await;
        m.count("restore a contact", contacts.restore(bob.id)).await;
        let (_, one) = contacts.plan_create(person("one", round)).await.unwrap();
        m.count("commit of one", store.commit(one)).await;
        let mut hundred: Option<Changes> = None;
        for number in 0..100 {
            let new = person("hundred", round * 100 + number);
            let (_, changes) = contacts.plan_create(new).await.unwrap();
            hundred = Some(match hundred {
                None => changes,
                Some(before) => before.and(changes).unwrap(),
            });
        }
        m.count("commit of a hundred", store.commit(hundred.unwrap())).await;
        let new = new_tenant(&format!("tenant{round}"));
        m.count("create a tenant", system.create_tenant(new)).await;
        measure_calls_and_jobs(m, store, &session, ada.id).await;
    }
    meter.counts
}

async fn measure_calls_and_jobs(
    m: &mut Meter,
    store: &PostgresStore,
    session: &Session,
    contact: ContactId,
) {
    let crm = crm(store);
    let system = crm.system("test").unwrap();
    let (scope, across) = (session.scope(), system.scope());
    let new: LogCall = serde_json::from_value(serde_json::json!({
        "contact_id": contact, "direction": "outbound", "number": "+14255550123",
    }))
    .unwrap();
    let call = session.calls().log(new.clone()).await.unwrap();
    m.count("call", store.call(scope, call.id)).await;
    let account = TelephonyAccountId::from_uuid(call.id.as_uuid());
    m.count("call of a provider", store.call_of_provider(scope, account, "name")).await;
    m.count("calls", store.calls(scope, &CallQuery { limit: 5, ..CallQuery::default() })).await;
    m.count("consents", store.consents(scope, &[contact], false)).await;
    m.count("telephony accounts", store.telephony_accounts(scope)).await;
    m.count("accounts of a carrier", store.accounts_of_carrier(across, "twilio", "AC", 5)).await;
    m.count("jobs", store.jobs(scope, &JobQuery { limit: 5, ..JobQuery::default() })).await;
    m.count("job", store.job(scope, JobId::from_uuid(call.id.as_uuid()))).await;
    m.count("schedules", store.schedules(scope)).await;
    let user = UserId::from_uuid(call.id.as_uuid());
    let (which, kind) = (Which::Unread, None);
    let query = NotificationQuery { user_id: user, which, kind, from: None, after: None, limit: 5 };
    m.count("notifications", store.notifications(scope, &query)).await;
    let ids = [NotificationId::from_uuid(call.id.as_uuid())];
    m.count("notifications by id", store.notifications_by_id(scope, user, &ids)).await;
    m.count("notification wishes", store.notification_preferences(scope, user)).await;
    m.count("log a call", session.calls().log(new)).await;
    let patch: CallPatch = serde_json::from_str(r#"{"note": "a note"}"#).unwrap();
    m.count("change a call", session.calls().update(call.id, patch, None)).await;
    let job = || NewJob::new("work", &()).unwrap();
    m.count("enqueue", session.jobs().enqueue(job())).await;
    let now = crm.now();
    let until = now.after(Duration::from_secs(30));
    let claim = Claim { kinds: vec!["work".parse().unwrap()], limit: 5, after: None, now, until };
    let claimed = m.count("claim", store.claim_jobs(across, &claim)).await;
    let leases: Vec<_> = claimed.iter().map(|job| job.lease).collect();
    m.count("keep", store.keep_jobs(across, &leases, now, until)).await;
    let done = |lease: &Lease| Settlement { lease: *lease, end: JobEnd::Done };
    let done: Vec<Settlement> = leases.iter().map(done).collect();
    m.count("settle", store.settle_jobs(across, &done, now)).await;
    m.count("due schedules", store.due_schedules(across, now, 5)).await;
}

async fn measured(protocol: Protocol) -> Vec<(String, usize)> {
    let database = TestDatabase::create(Some(&stores::migrated().await)).await;
    let url = database.url_as("crm_app");
    let proxy = Proxy::start(&url).await;
    let options = Options::default().connections(1).protocol(protocol);
    let store = PostgresStore::connect_with(&proxy.url(&url), options).await.unwrap();
    measure(&store, proxy).await
}

#[tokio::test]
async fn what_is_hot_costs_one_round_trip_and_the_rest_three_at_most() {
    let prepared = measured(Protocol::Prepared).await;
    let simple = measured(Protocol::Simple).await;
    let table: Vec<String> = prepared
        .iter()
        .zip(&simple)
        .map(|((name, prepared), (_, simple))| format!("    {name:<26} {prepared} {simple}\n"))
        .collect();
    assert_eq!(format!("\n{}", table.concat()), PREPARED_AND_SIMPLE);
}

/// There the transaction is the store's own, and the pool asks once more when the connection comes back.
#[tokio::test]
async fn on_the_hosts_pool_a_commit_costs_three_and_the_pools_own() {
    let database = TestDatabase::create(Some(&stores::migrated().await)).await;
    let url = database.url_as("crm_app");
    let proxy = Proxy::start(&url).await;
    let pool = PgPoolOptions::new().max_connections(1).test_before_acquire(false);
    let pool = pool.connect(&proxy.url(&url)).await.unwrap();
    let store = PostgresStore::from_pool(pool.clone(), Options::default()).await.unwrap();
    let session = tenant(&crm(&store), "acme").await;
    for number in 0..2 {
        let (_, changes) = session.contacts().plan_create(person("ada", number)).await.unwrap();
        let held = pool.acquire().await.unwrap();
        proxy.reset();
        drop(held);
        store.commit(changes).await.unwrap();
        // Once this one is there, the store's has come back.
        drop(pool.acquire().await.unwrap());
    }
    assert_eq!(proxy.count(), 1 + 3 + 1, "one when a connection comes back, before and after");
}

//! How PostgreSQL finds the rows of each operation, in a tenant of 200,000 contacts, as `crm_app`: the
//! server reports the plan of every statement that it runs, also within functions, and no row of a table
//! may be read to be thrown away.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "tests"
)]

mod stores;
mod support;

use std::sync::{Arc, Mutex};

use crm_core::activities::Direction;
use crm_core::activities::{ActivityFilter, ActivityKind, NewActivity, StatsGroupBy};
use crm_core::calls::{CallFilter, CallPatch, CallQuery, CallStatus, LogCall};
use crm_core::companies::{CompanyKey, NewCompany};
use crm_core::contacts::{
    ContactFilter, ContactKey, ContactPatch, ContactSort, Deleted, NewContact,
};
use crm_core::events::{After, EventPosition};
use crm_core::idempotency::Idempotent;
use crm_core::identity::{
    Arrival, NewApiKey, PasswordSignIn, Registered, Registration, SignInName,
};
use crm_core::jobs::{Claim, JobEnd, JobState, NewJob, Settlement};
use crm_core::notifications::{NotificationQuery, Which};
use crm_core::ports::{
    CallStore, CompanyStore, EventStore, IdentityStore, JobStore, NotificationStore, PrivacyStore,
    TelephonyStore,
};
use crm_core::privacy::NewConsent;
use crm_core::{
    CompanyId, ContactId, Crm, NotificationId, Page, Role, Session, TelephonyAccountId, Timestamp,
    UserId,
};
use crm_postgres::{Options, PostgresStore};
use sqlx::{AssertSqlSafe, Connection, PgConnection};
use support::TestDatabase;
use tracing::field::{Field, Visit};
use tracing::span;
use uuid::Uuid;

const CONTACTS: usize = 200_000;
const PASSWORD: &str = "tangerine ledger boat";

/// What the server tells its client: the driver reports it as events.
#[derive(Clone, Default)]
struct Notices(Arc<Mutex<Vec<String>>>);

impl tracing::Subscriber for Notices {
    fn enabled(&self, metadata: &tracing::Metadata<'_>) -> bool {
        metadata.target() == "sqlx::postgres::notice"
    }
    fn new_span(&self, _: &span::Attributes<'_>) -> span::Id {
        span::Id::from_u64(1)
    }
    fn record(&self, _: &span::Id, _: &span::Record<'_>) {}
    fn record_follows_from(&self, _: &span::Id, _: &span::Id) {}
    fn event(&self, event: &tracing::Event<'_>) {
        struct Message(String);
        impl Visit for Message {
            fn record_debug(&mut self, field: &Field, value: &dyn std::fmt::Debug) {
                if field.name() == "message" {
                    self.0 = format!("{value:?}").replace("\\n", "\n");
                }
            }
        }
        let mut message = Message(String::new());
        event.record(&mut message);
        self.0.lock().unwrap().push(message.0);
    }
    fn enter(&self, _: &span::Id) {}
    fn exit(&self, _: &span::Id) {}
}

/// What an operation may do beside reading what its indexes lead to.
#[derive(Clone, Copy, PartialEq)]
enum May {
    Seek,
    /// Sort or hash what was found: few rows, or the groups of a count.
    Sort,
    /// Look at rows that one condition found and another refuses: two filters that no one index holds; in
    /// a commit the version of the record itself, and who else has a word.
    Filter,
}

struct Plans {
    notices: Notices,
    faults: Vec<String>,
}

impl Plans {
    /// Runs an operation and looks at the plan of each of its statements; they use these indexes.
    async fn of<T>(
        &mut self,
        name: &str,
        indexes: &[&str],
        may: May,
        operation: impl Future<Output = crm_core::Result<T>>,
    ) -> T {
        self.notices.0.lock().unwrap().clear();
        let result = operation.await.unwrap();
        let plans = std::mem::take(&mut *self.notices.0.lock().unwrap()).join("\n");
        let mut node = "";
        for line in plans.lines().map(str::trim) {
            if line.contains("(cost=") {
                node = line;
            }
            // Other nodes look at what was found already.
            let of_table = node.contains("Index Scan") || node.contains("Index Only Scan");
            let heeds_system = [
                "tenants",
                "sign_in_names",
                "telephony_accounts",
                "schedules",
                "jobs",
                "jobs jobs_1",
            ];
            let of_policy =
                heeds_system.iter().any(|table| node.contains(&format!(" on {table} ")))
                    && line.contains("((tenant_id = $");
            let filters =
                line.starts_with("Filter:") && of_table && !of_policy && may != May::Filter;
            // The list of databases is short, and nobody's: what the planner does with it is its affair.
            let scans = line.contains("Seq Scan on") && !line.contains("Seq Scan on pg_database");
            let sorts = (line.contains("Sort  (") || line.contains("Hash")) && may == May::Seek;
            if filters || scans || sorts {
                self.faults.push(format!("{name}: {node}\n    {line}"));
            }
        }
        for index in indexes {
            if !plans.contains(&format!("using {index} ")) {
                self.faults.push(format!("{name}: `{index}` is not used, but\n{plans}"));
            }
        }
        result
    }
}

/// Contacts with their keys, search terms and activities, written past the application.
async fn fill(admin: &mut PgConnection, session: &Session, owner: UserId, company: CompanyId) {
    let tenant = session.scope().tenant();
    let template = session
        .contacts()
        .create(NewContact::named("Template", "Person").email("t@example.com"))
        .await
        .unwrap();
    let sql = format!(
        "insert into crm.tenants
             select md5('tenant' || n)::uuid, 'other-' || n, 1, doc
             from crm.tenants, generate_series(1, 5000) as n where tenant_id = '{tenant}';
         insert into crm.users
             select '{tenant}', md5('user' || n)::uuid, 'user' || n || '@example.com', 1, doc
             from crm.users, generate_series(1, 5000) as n where tenant_id = '{tenant}';
         insert into crm.sign_in_names select tenant_id, 'email:user' || n || '@example.com', id
             from crm.users join generate_series(1, 5000) as n on id = md5('user' || n)::uuid;
         insert into crm.sign_in_names select '{tenant}', 'oidc:p:' || n, '{owner}' from generate_series(1, {CONTACTS}) as n;
         insert into crm.credentials
             select '{tenant}', md5('sign-in' || n)::uuid, kind, case when n % 40 = 0 then user_id else md5('user' || 1 + n % 5000)::uuid end,
                 'infinity', 1, doc
             from crm.credentials, generate_series(1, {CONTACTS}) as n where kind = 'sign_in';
         insert into crm.credentials
             select '{tenant}', md5('key' || n)::uuid, kind, null, 'infinity', 1, doc
             from crm.credentials, generate_series(1, 5000) as n where kind = 'api_key';
         insert into crm.outcomes
             select '{tenant}', 'key' || n, '2030-01-01'::timestamptz + n * interval '1 second', '{{}}' from generate_series(1, {CONTACTS}) as n;
         insert into crm.companies
             select '{tenant}', md5('company' || n)::uuid, 1, doc
             from crm.companies, generate_series(1, 5000) as n where tenant_id = '{tenant}';
         insert into crm.company_keys
             select '{tenant}', 0, 'company' || n, md5('company' || n)::uuid from generate_series(1, 5000) as n;
         create temporary table made as
             select n, ('00000000-0000-7000-8000-' || lpad(to_hex(n), 12, '0'))::uuid as id,
                 '2020-01-01'::timestamptz + n * interval '1 minute' as at
             from generate_series(1, {CONTACTS}) as n;
         insert into crm.contacts
             select tenant_id, made.id, made.n % 50 = 0, made.at, made.at + interval '1 day',
                 'name' || made.n, case when made.n % 4 = 0 then '{owner}'::uuid end,
                 case when made.n % 5 = 0 then '{company}'::uuid end, 1,
                 replace(doc::text, '{template}', made.id::text)::json
             from crm.contacts, made where contacts.id = '{template}';
         insert into crm.contact_keys
             select '{tenant}', 0, 'c' || n || '@example.com', id, n % 50 <> 0 from made;
         insert into crm.contact_keys
             select '{tenant}', 1, '+1425555' || lpad((n % 10000)::text, 4, '0'), id, n % 50 <> 0 from made;
         insert into crm.contact_keys select '{tenant}', 2, 'tag' || n % 100, id, n % 50 <> 0 from made;
         insert into crm.terms select '{tenant}', 'word' || translate((n % 5000)::text, '0123456789', 'abcdefghij'), id from made;
         insert into crm.words select '{tenant}', 'word' || translate(n::text, '0123456789', 'abcdefghij') from generate_series(0, 4999) as n;
         insert into crm.word_deletes select '{tenant}', n, 'word' || translate(n::text, '0123456789', 'abcdefghij') from generate_series(0, 4999) as n;
         insert into crm.contact_terms select '{tenant}', id, 'Fword' || translate((n % 5000)::text, '0123456789', 'abcdefghij') from made;
         insert into crm.activities
             select '{tenant}', id, id, (array['note', 'call', 'email'])[1 + n % 3], at,
                 case when n % 2 = 0 then '{owner}'::uuid end,
                 json_build_object('id', id, 'contact_id', id, 'kind', (array['note', 'call', 'email'])[1 + n % 3],
                     'occurred_at', '2020-01-01T00:00:00Z', 'user_id', null, 'subject', null,
                     'body', 'text', 'data', json_build_object(), 'created_at', '2020-01-01T00:00:00Z')
             from made;
         insert into crm.telephony_accounts
             select tenant_id, tenant_id, 'twilio', 'AC' || tenant_id, 1, json_build_object(
                 'id', tenant_id, 'provider', 'twilio', 'name', 'AC' || tenant_id, 'numbers', json_build_array(),
                 'options', json_build_object(), 'active', true, 'sealed_secrets', '',
                 'created_at', '2020-01-01T00:00:00Z', 'updated_at', '2020-01-01T00:00:00Z', 'version', 1)
             from crm.tenants;
         insert into crm.calls
             select '{tenant}', made.id, made.id, case when n % 4 = 0 then '{owner}'::uuid end,
                 (array['inbound', 'outbound'])[1 + n % 2], (array['completed', 'busy'])[1 + n % 2],
                 (array['reached', 'call_back'])[1 + n % 2], '{tenant}', 'CA' || n, made.at, 1,
                 calls.doc
             from made, crm.calls;
         insert into crm.consents
             select '{tenant}', made.id, made.id, 'calls', made.at, consents.doc from made, crm.consents;
         insert into crm.schedules
             select tenant_id, md5('schedule' || tenant_id)::uuid, 'nightly', '2030-01-01', 1, json_build_object(
                 'id', tenant_id, 'name', 'nightly', 'cron', '0 0 * * *', 'kind', 'work', 'payload', 1, 'version', 1)
             from crm.tenants;
         insert into crm.jobs (tenant_id, id, kind, state, priority, run_at, max_attempts, request_id,
                               created_at, payload, attempts, lease_until, failure)
             select case when n % 1000 = 0 then md5('tenant' || n / 100)::uuid else '{tenant}' end,
                 made.id, case when n % 3 = 0 then 'play' else 'work' end,
                 (array['ready', 'ready', 'ready', 'ready', 'ready', 'scheduled', 'scheduled', 'running', 'dead', 'dead'])[1 + n / 10 % 10],
                 0, case when n / 10 % 10 between 5 and 6 then '2030-01-01' else at end, 5, 'test', at, '{{}}', 1,
                 case when n / 10 % 10 = 7 then '2030-01-01'::timestamptz end, null
             from made;
         insert into crm.notifications
             select '{tenant}', made.id, users.id, 'broadcast', at, true, true, 1, '{{}}'
             from made cross join (
                 select id from crm.users where tenant_id = '{tenant}' order by id desc limit 1
             ) as users;
         insert into crm.audit
             select '{tenant}', id, at, 'system', 'contact.created', 'contact', id, 'request', '[]' from made;
         insert into crm.events
             select '{tenant}', n, id, 'contact.created.v1', at, 'system', 'request', 'contact', id, '{{}}' from made;
         insert into crm.event_groups select tenant_id, 'letters', 0 from crm.tenants;
         insert into crm.event_horizons select tenant_id, 0 from crm.tenants;
         analyze",
        template = template.id,
    );
    sqlx::raw_sql(AssertSqlSafe(sql)).execute(&mut *admin).await.unwrap();
    sqlx::raw_sql("vacuum").execute(admin).await.unwrap();
}

#[test]
fn every_operation_reads_what_its_indexes_lead_to() {
    let notices = Notices::default();
    tracing::subscriber::set_global_default(notices.clone()).unwrap();
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let database = TestDatabase::create(Some(&stores::migrated().await)).await;
        let mut plans = Plans { notices, faults: Vec::new() };
        explain(&database, &mut plans).await;
        assert!(plans.faults.is_empty(), "{}", plans.faults.join("\n\n"));
    });
}

async fn explain(database: &TestDatabase, plans: &mut Plans) {
    let mut admin = PgConnection::connect(&database.admin_url()).await.unwrap();
    let settings: String = [
        "session_preload_libraries = 'auto_explain'",
        "auto_explain.log_min_duration = 0",
        "auto_explain.log_nested_statements = on",
        "client_min_messages = log",
    ]
    .iter()
    .map(|setting| format!("alter role crm_app in database {} set {setting};", database.name()))
    .collect();
    sqlx::raw_sql(AssertSqlSafe(settings)).execute(&mut admin).await.unwrap();

    let options = Options::default().connections(1);
    let store = PostgresStore::connect_with(&database.url_as("crm_app"), options).await.unwrap();
    let crm = Crm::builder(store.clone()).build().unwrap();
    let system = crm.system("look at plans").unwrap();
    let arriving = || {
        let request_id = crm.new_request_id().unwrap();
        crm.identity(Arrival { request_id, address: None, user_agent: None })
    };
    let new = Registration {
        company_name: "Acme".into(),
        full_name: "Ada Lovelace".into(),
        email: "owner@acme.example".into(),
        password: PASSWORD.into(),
        default_region: None,
        invitation: None,
    };
    let Registered { tenant, user: owner, tokens, .. } = arriving().register(new).await.unwrap();
    let session = system.session(tenant.id).await.unwrap();
    let company = NewCompany { name: "Initech".into(), domain: Some("initech.example".into()) };
    let company = session.companies().create(company).await.unwrap();
    let new = NewApiKey {
        name: "Key".into(),
        role: Role::Viewer,
        scopes: vec!["contacts:read".into()],
        expires_at: None,
    };
    session.api_keys().create(new).await.unwrap();
    let new = NewContact::named("Called", "Person").phone("425 555 0100");
    let called = session.contacts().create(new).await.unwrap();
    let call: LogCall = serde_json::from_value(serde_json::json!({
        "contact_id": called.id, "direction": "outbound",
    }))
    .unwrap();
    session.calls().log(call.clone()).await.unwrap();
    let consent: NewConsent =
        serde_json::from_str(r#"{"purpose": "calls", "granted": true}"#).unwrap();
    session.privacy().record_consent(called.id, consent).await.unwrap();
    fill(&mut admin, &session, owner.id, company.id).await;

    let page = Page::first(50);
    let contacts = session.contacts();
    let some = contacts
        .list(&ContactFilter::default(), ContactSort::CreatedAt, false, &page)
        .await
        .unwrap()
        .items[7]
        .clone();
    let all = ContactFilter::default;
    let at = Timestamp::from_micros(1_583_000_000_000_000).unwrap();
    let later = at.saturating_add_micros(600_000_000);

    plans.of("tenant", &["tenants_slug_key"], May::Seek, system.tenant(&tenant.slug)).await;
    plans.of("tenants", &["tenants_slug_key"], May::Sort, system.tenants(None, 10)).await;
    plans.of("session", &["users_pkey"], May::Seek, crm.session(tenant.principal(&owner))).await;
    let by_name = ["sign_in_names_value"];
    let name = SignInName::of_email(&owner.email);
    plans.of("accounts", &by_name, May::Seek, store.accounts(system.scope(), &name, 10)).await;
    let signing = PasswordSignIn {
        email: "owner@acme.example".into(),
        password: PASSWORD.into(),
        tenant: None,
        code: None,
    };
    let by_id = ["credentials_pkey", "users_pkey"];
    plans.of("refresh", &by_id, May::Filter, arriving().refresh(&tokens.refresh_token)).await;
    let indexes = ["credentials_pkey", "credentials_user", "sign_in_names_value"];
    let signed_in = plans.of("sign in", &indexes, May::Filter, arriving().sign_in(signing)).await;
    let bearer = signed_in.tokens.access_token.reveal();
    let own = plans.of("authenticate", &by_id, May::Seek, arriving().authenticate(bearer)).await;
    plans.of("me", &by_id, May::Seek, own.account().me()).await;
    plans.of("sessions", &["credentials_user"], May::Sort, own.account().sessions()).await;
    plans.of("API keys", &["credentials_kind"], May::Sort, session.api_keys().list(&page)).await;
    let key = "one".parse().unwrap();
    let first =
        plans.of("outcome", &["outcomes_pkey"], May::Filter, session.idempotent(&key, b"")).await;
    let Idempotent::First(first) = first else { panic!("nobody has used the key") };
    let new = NewContact::named("Remembered", "Once");
    plans.of("remember", &["outcomes_until"], May::Filter, first.contacts().create(new)).await;
    plans.of("contact", &["contacts_pkey"], May::Seek, contacts.get(some.id)).await;
    for (sort, index) in [
        (ContactSort::CreatedAt, "contacts_created"),
        (ContactSort::UpdatedAt, "contacts_updated"),
        (ContactSort::LastName, "contacts_name"),
    ] {
        for (direction, descending) in [(index, false), (index, true)] {
            let name = format!("page by {sort:?}, descending {descending}");
            let indexes = if descending { vec![] } else { vec![direction] };
            plans
                .of(&name, &indexes, May::Seek, contacts.list(&all(), sort, descending, &page))
                .await;
        }
    }
    let sort = ContactSort::CreatedAt;
    for (name, filter, indexes, may) in [
        (
            "by e-mail",
            ContactFilter { keys: vec![ContactKey::Email("c777@example.com".into())], ..all() },
            vec!["contact_keys_pkey"],
            May::Sort,
        ),
        (
            "by phone",
            ContactFilter { keys: vec![ContactKey::Phone("+14255550777".into())], ..all() },
            vec!["contact_keys_pkey"],
            May::Sort,
        ),
        (
            "by tag",
            ContactFilter { keys: vec![ContactKey::Tag("tag7".into())], ..all() },
            vec!["contact_keys_pkey"],
            May::Sort,
        ),
        (
            "by owner",
            ContactFilter { owner_id: Some(owner.id), ..all() },
            vec!["contacts_owner"],
            May::Seek,
        ),
        (
            "by company",
            ContactFilter { company_id: Some(company.id), ..all() },
            vec!["contacts_company"],
            May::Seek,
        ),
        (
            "created between",
            ContactFilter { created_after: Some(at), created_before: Some(later), ..all() },
            vec!["contacts_created"],
            May::Seek,
        ),
        (
            "updated between",
            ContactFilter { updated_after: Some(at), updated_before: Some(later), ..all() },
            vec!["contacts_updated"],
            May::Sort,
        ),
        (
            "deleted",
            ContactFilter { deleted: Deleted::Only, ..all() },
            vec!["contacts_created"],
            May::Seek,
        ),
    ] {
        let name = format!("contacts {name}");
        plans.of(&name, &indexes, may, contacts.list(&filter, sort, false, &page)).await;
        plans.of(&format!("count of {name}"), &[], May::Sort, contacts.count(&filter)).await;
    }
    plans.of("company", &["companies_pkey"], May::Seek, session.companies().get(company.id)).await;
    let keys = [CompanyKey::name("Initech")];
    plans
        .of(
            "companies by keys",
            &["company_keys_pkey", "companies_pkey"],
            May::Sort,
            store.companies_by_keys(session.scope(), &keys),
        )
        .await;
    plans
        .of(
            "search",
            &["terms_pkey", "contact_terms_pkey"],
            May::Sort,
            contacts.search("wordhh", &page),
        )
        .await;
    plans.of("search by a part", &["words_pkey"], May::Sort, contacts.search("wor", &page)).await;

    let activities = session.activities();
    plans
        .of("timeline", &["activities_timeline"], May::Seek, activities.timeline(some.id, &page))
        .await;
    let any = ActivityFilter::default;
    for (name, filter, index) in [
        ("all", any(), "activities_time"),
        (
            "of a kind",
            ActivityFilter { kind: Some(ActivityKind::Call), ..any() },
            "activities_kind",
        ),
        ("of a user", ActivityFilter { user_id: Some(owner.id), ..any() }, "activities_user"),
        ("between", ActivityFilter { from: Some(at), to: Some(later), ..any() }, "activities_time"),
        (
            "of a contact and kind",
            ActivityFilter { contact_id: Some(some.id), kind: Some(ActivityKind::Note), ..any() },
            "activities_timeline",
        ),
    ] {
        let may = if name == "of a contact and kind" { May::Filter } else { May::Seek };
        let name = format!("activities {name}");
        plans.of(&name, &[index], may, activities.list(&filter, &page)).await;
    }
    let today = ActivityFilter { from: Some(at), to: Some(later), ..any() };
    for group_by in [StatsGroupBy::Kind, StatsGroupBy::User, StatsGroupBy::Day] {
        let name = format!("stats by {group_by:?}");
        plans.of(&name, &["activities_time"], May::Sort, activities.stats(&today, group_by)).await;
    }
    plans
        .of("events", &["events_pkey"], May::Seek, session.events().after(EventPosition::START, 50))
        .await;
    let indexes = ["events_pkey", "event_horizons_pkey"];
    plans.of("bounds", &indexes, May::Seek, store.event_bounds(session.scope())).await;
    let group = "letters".parse().unwrap();
    let log = session.events();
    let reader = log.group(group, After::Start);
    let mut reader = plans.of("group", &["event_groups_pkey"], May::Seek, reader).await;
    let batch = reader.next().await.unwrap();
    plans.of("move a group", &["event_groups_pkey"], May::Filter, batch.done()).await;
    let forgotten = store.forget_events(session.scope(), at, 1000);
    plans.of("forget events", &indexes[..1], May::Sort, forgotten).await;
    plans.of("audit", &["audit_pkey"], May::Seek, session.audit().list(None, &page)).await;
    let audit = session.audit();
    let of_one = audit.list(Some(some.id.into()), &page);
    plans.of("audit of a contact", &["audit_resource"], May::Seek, of_one).await;
    plans.of("users", &["users_pkey"], May::Sort, session.users().list(&page)).await;

    let new = NewContact::named("Ada", "Lovelace").email("ada@example.com").phone("425 555 0199");
    let ada = plans.of("create", &[], May::Filter, contacts.create(new)).await;
    let patch: ContactPatch = serde_json::from_str(r#"{"last_name": "King"}"#).unwrap();
    plans.of("update", &["contacts_pkey"], May::Filter, contacts.update(ada.id, patch, None)).await;
    plans
        .of("note", &[], May::Filter, activities.create(NewActivity::note(ada.id, "a note")))
        .await;
    plans
        .of(
            "delete",
            &["contacts_pkey", "contact_keys_pkey"],
            May::Filter,
            contacts.delete(ada.id, None),
        )
        .await;
    plans.of("restore", &["contacts_pkey"], May::Filter, contacts.restore(ada.id)).await;
    explain_calls(plans, &store, &session, owner.id, called.id, call).await;
    explain_notifications(plans, &store, &session, owner.id).await;
    explain_jobs(plans, &store, &crm, &session).await;
}

async fn explain_calls(
    plans: &mut Plans,
    store: &PostgresStore,
    session: &Session,
    owner: UserId,
    called: ContactId,
    new: LogCall,
) {
    let (calls, scope) = (session.calls(), session.scope());
    let made = plans.of("log a call", &[], May::Filter, calls.log(new)).await;
    plans.of("call", &["calls_pkey"], May::Seek, calls.get(made.id)).await;
    let patch: CallPatch = serde_json::from_str(r#"{"note": "a note"}"#).unwrap();
    let changed = calls.update(made.id, patch, None);
    plans.of("change a call", &["calls_pkey"], May::Filter, changed).await;
    let account = TelephonyAccountId::from_uuid(scope.tenant().as_uuid());
    let by_name = store.call_of_provider(scope, account, "CA777");
    plans.of("call of a provider", &["calls_provider_key"], May::Seek, by_name).await;
    let at = Timestamp::from_micros(1_583_000_000_000_000).unwrap();
    let later = at.saturating_add_micros(600_000_000);
    let any = CallFilter::default;
    for (name, filter, index) in [
        ("all", any(), "calls_time"),
        ("of a contact", CallFilter { contact_id: Some(called), ..any() }, "calls_contact"),
        ("by a user", CallFilter { user_id: Some(owner), ..any() }, "calls_user"),
        ("in", CallFilter { direction: Some(Direction::Inbound), ..any() }, "calls_direction"),
        ("busy", CallFilter { status: Some(CallStatus::Busy), ..any() }, "calls_status"),
        (
            "with an outcome",
            CallFilter { disposition: Some("call_back".into()), ..any() },
            "calls_disposition",
        ),
        ("between", CallFilter { from: Some(at), to: Some(later), ..any() }, "calls_time"),
    ] {
        let query = CallQuery { filter, limit: 50, ..CallQuery::default() };
        // A contact has few calls, which may as well be sorted.
        let may = if name == "of a contact" { May::Sort } else { May::Seek };
        plans.of(&format!("calls {name}"), &[index], may, store.calls(scope, &query)).await;
    }
    let index = ["consents_contact"];
    let contacts = [called];
    let said = store.consents(scope, &contacts, false);
    plans.of("consents", &index, May::Sort, said).await;
    let accounts = store.telephony_accounts(scope);
    plans.of("telephony accounts", &[], May::Sort, accounts).await;
}

async fn explain_notifications(
    plans: &mut Plans,
    store: &PostgresStore,
    session: &Session,
    user_id: UserId,
) {
    let scope = session.scope();
    for (which, index) in [
        (Which::All, "notifications_user"),
        (Which::Unread, "notifications_unread"),
        (Which::Undelivered, "notifications_pending"),
    ] {
        // Nothing is after the end of time: the plan is asked for, not the rows.
        let after = match which {
            Which::All | Which::Unread => (Timestamp::MIN, NotificationId::from_uuid(Uuid::nil())),
            Which::Undelivered => (Timestamp::MAX, NotificationId::from_uuid(Uuid::max())),
        };
        let query = NotificationQuery {
            user_id,
            which,
            kind: None,
            from: None,
            after: Some(after),
            limit: 5,
        };
        let name = format!("notifications {which:?}");
        plans.of(&name, &[index], May::Seek, store.notifications(scope, &query)).await;
    }
}

async fn explain_jobs(plans: &mut Plans, store: &PostgresStore, crm: &Crm, session: &Session) {
    let (jobs, scope, page) = (session.jobs(), session.scope(), Page::first(50));
    let system = crm.system("look at plans").unwrap();
    let across = system.scope();
    let name = format!("AC{}", scope.tenant());
    let accounts = store.accounts_of_carrier(across, "twilio", &name, 5);
    plans.of("accounts of a carrier", &["telephony_accounts_name"], May::Seek, accounts).await;
    let now = crm.now();
    let until = now.after(std::time::Duration::from_secs(30));
    let kinds = vec!["work".parse().unwrap(), "play".parse().unwrap(), "none".parse().unwrap()];
    let claim = Claim { kinds, limit: 50, after: Some(scope.tenant()), now, until };
    let indexes = ["jobs_ready", "jobs_leases", "jobs_due", "jobs_pkey", "tenants_pkey"];
    let claimed = plans.of("claim", &indexes, May::Filter, store.claim_jobs(across, &claim)).await;
    assert_eq!(claimed.len(), 50);
    let leases: Vec<_> = claimed.iter().map(|job| job.lease).collect();
    let kept = store.keep_jobs(across, &leases, now, until);
    plans.of("keep", &["jobs_pkey"], May::Filter, kept).await;
    let ends = [JobEnd::Done, JobEnd::Snooze(until), JobEnd::Dead("over".into())];
    let ends = leases.iter().zip(ends.into_iter().cycle());
    let ends: Vec<_> = ends.map(|(lease, end)| Settlement { lease: *lease, end }).collect();
    let settled = store.settle_jobs(across, &ends, now);
    plans.of("settle", &["jobs_pkey"], May::Filter, settled).await;
    let due = store.due_schedules(across, now, 5);
    plans.of("due schedules", &["schedules_due"], May::Sort, due).await;
    plans.of("schedules", &["schedules_name_key"], May::Sort, jobs.schedules()).await;
    let one = NewJob::new("work", &()).unwrap().unique("one");
    let one = plans.of("enqueue", &[], May::Filter, jobs.enqueue(one)).await;
    plans.of("job", &["jobs_pkey"], May::Seek, jobs.get(one.id)).await;
    plans.of("jobs", &["jobs_pkey"], May::Seek, jobs.list(None, None, &page)).await;
    let dead = Some(JobState::Dead);
    let dead = plans.of("dead jobs", &["jobs_dead"], May::Seek, jobs.list(dead, None, &page)).await;
    let retried = jobs.retry(dead.items[0].id);
    plans.of("retry", &["jobs_pkey"], May::Filter, retried).await;
}

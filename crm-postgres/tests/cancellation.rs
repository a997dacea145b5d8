//! Callers that go away at any moment: no row of another tenant is seen, nothing is left open or half done.
#![allow(
    missing_docs,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stderr,
    clippy::disallowed_methods,
    reason = "tests"
)]

mod stores;
mod support;
mod tenants;

use std::future::{Future, poll_fn};
use std::pin::{Pin, pin};
use std::sync::{Arc, Mutex};
use std::task::Poll;
use std::time::{Duration, Instant};

use crm_core::activities::{ActivityFilter, ActivityKind, NewActivity, StatsGroupBy};
use crm_core::audit::AuditQuery;
use crm_core::companies::{CompanyKey, CompanyPatch, NewCompany};
use crm_core::contacts::search::{CandidateQuery, WordLookup};
use crm_core::contacts::store::ContactQuery;
use crm_core::contacts::{Contact, ContactFilter, ContactKey, ContactSort, Deleted};
use crm_core::events::{After, EventPosition};
use crm_core::idempotency::Idempotent;
use crm_core::identity::{
    Arrival, Identity, NewApiKey, NewUser, Registration, Secret, SignInName, StandingOf, UserPatch,
};
use crm_core::ports::{
    AuditStore, CompanyStore, ContactStore, EventStore, IdentityStore, SearchStore, Store,
    TenancyStore,
};
use crm_core::tenancy::System;
use crm_core::{
    ActivityId, CompanyId, Crm, EmailAddress, ErrorKind, Page, Patch, Principal, Result, Role,
    Session, Timestamp, UserId,
};
use crm_postgres::{Options, PostgresStore, Protocol};
use sqlx::postgres::PgPoolOptions;
use sqlx::{PgConnection, PgPool};
use support::TestDatabase;
use tenants::{new_tenant, person, tenant, titled, whole};

/// Of each way of connecting.
const DROPS: usize = 1_000;

/// What callers ask for before they go away: a tenant with a record of each kind.
struct World {
    crm: Crm,
    store: PostgresStore,
    system: System,
    session: Session,
    contact: Contact,
    company: CompanyId,
    user: UserId,
    note: ActivityId,
    api_key: Secret,
    refresh_token: Mutex<Secret>,
}

fn arriving(crm: &Crm) -> Identity {
    let request_id = crm.new_request_id().unwrap();
    crm.identity(Arrival { request_id, address: None, user_agent: None })
}

fn new_key(number: usize) -> NewApiKey {
    NewApiKey {
        name: format!("Key {number}"),
        role: Role::Viewer,
        scopes: vec!["contacts:read".to_owned()],
        expires_at: None,
    }
}

type Work = Pin<Box<dyn Future<Output = Result<()>> + Send>>;
type Operation = fn(Arc<World>, usize) -> Work;

/// An operation of its name, whose answer nobody waits for.
macro_rules! operations {
    (|$world:ident, $number:ident| $($name:ident: $work:expr,)*) => {
        [$((
            stringify!($name),
            (|$world, $number| Box::pin(async move { let _ = $number; $work.await.map(drop) })) as Operation,
        )),*]
    };
}

/// Every read and every write that there is, once.
const OPERATIONS: &[(&str, Operation)] = &operations! { |world, number|
    open_session: world.crm.session(Principal::User {
        tenant: world.session.scope().tenant(),
        user: world.user,
    }),
    tenant: world.store.tenant(world.system.scope(), world.session.scope().tenant()),
    tenant_by_slug: world.system.tenant(&"acme".parse()?),
    tenants: world.system.tenants(None, 5),
    create_tenant: world.system.create_tenant(new_tenant(&format!("t{number}"))),
    standing: world.store.standing(
        world.system.scope(),
        world.session.scope().tenant(),
        StandingOf::User(world.user),
    ),
    accounts: async {
        let name = SignInName::of_email(&EmailAddress::parse("eve@acme.example").unwrap());
        world.store.accounts(world.system.scope(), &name, 5).await
    },
    credentials: world.session.api_keys().list(&Page::first(5)),
    create_api_key: world.session.api_keys().create(new_key(number)),
    authenticate: async {
        let session = arriving(&world.crm).authenticate(world.api_key.reveal()).await?;
        session.account().me().await
    },
    refresh: async {
        // As an honest client: once more with the same token where the answer was lost.
        let token = world.refresh_token.lock().unwrap().clone();
        let next = arriving(&world.crm).refresh(&token).await?;
        *world.refresh_token.lock().unwrap() = next.refresh_token;
        Ok(())
    },
    outcome: async {
        match world.session.idempotent(&"one".parse()?, b"").await? {
            Idempotent::First(first) => first.contacts().create(person("once", number)).await.map(drop),
            Idempotent::Again(_) => Ok(()),
        }
    },
    user: world.session.users().get(world.user),
    users: world.session.users().list(&Page::first(5)),
    create_user: world.session.users().create(NewUser {
        email: format!("user{number}@acme.example"),
        full_name: None,
        role: Role::Agent,
    }),
    update_user: world.session.users().update(
        world.user,
        UserPatch { full_name: Patch::Set(format!("Name {number}")), ..UserPatch::default() },
        None,
    ),
    company: world.session.companies().get(world.company),
    companies: world.session.companies().list(&Page::first(5)),
    find_company: world.session.companies().find(&CompanyKey::Name("initech".into())),
    companies_by_keys: world.store.companies_by_keys(
        world.session.scope(),
        &[CompanyKey::Name("initech".into()), CompanyKey::Domain("initech.example".into())],
    ),
    create_company: world.session.companies().create(NewCompany {
        name: format!("Company {number}"),
        domain: Some(format!("c{number}.example")),
    }),
    update_company: world.session.companies().update(
        world.company,
        CompanyPatch { domain: Patch::Set(format!("d{number}.example")), ..CompanyPatch::default() },
        None,
    ),
    contact: world.session.contacts().get(world.contact.id),
    contacts_by_ids: world.store.contacts_by_ids(world.session.scope(), &[world.contact.id]),
    contacts_by_keys: world.store.contacts_by_keys(
        world.session.scope(),
        &[ContactKey::Email("ada0@people.example".into()), ContactKey::Tag("person".into())],
    ),
    contacts_by_name: world.session.contacts().list(
        &ContactFilter::default(), ContactSort::LastName, false, &Page::first(5),
    ),
    contacts_by_creation: world.session.contacts().list(
        &ContactFilter::default(), ContactSort::CreatedAt, true, &Page::first(5),
    ),
    contacts_filtered: world.session.contacts().list(
        &tagged(), ContactSort::UpdatedAt, true, &Page::first(5),
    ),
    contacts_in_any_state: world.store.contacts(world.session.scope(), &ContactQuery {
        filter: ContactFilter { deleted: Deleted::Include, ..ContactFilter::default() },
        limit: 5,
        ..ContactQuery::default()
    }),
    count_contacts: world.session.contacts().count(&tagged()),
    find_words: world.store.find_words(world.session.scope(), &WordLookup {
        word_prefixes: vec!["ad".into()],
        most: 5,
        ..WordLookup::default()
    }),
    find_candidates: world.store.find_candidates(world.session.scope(), &CandidateQuery::default()),
    search: world.session.contacts().search("ada", &Page::first(5)),
    create_contact: world.session.contacts().create(person("lost", number)),
    create_contacts: world.session.contacts().create_all(
        (0..5).map(|each| person("many", number * 5 + each)).collect(),
    ),
    update_contact: world.session.contacts().update(world.contact.id, titled(format!("T{number}")), None),
    delete_and_restore: async {
        let made = world.session.contacts().create(person("gone", number)).await?;
        world.session.contacts().delete(made.id, None).await?;
        world.session.contacts().restore(made.id).await
    },
    note: world.session.activities().get(world.note),
    timeline: world.session.activities().timeline(world.contact.id, &Page::first(5)),
    activities: world.session.activities().list(
        &ActivityFilter { kind: Some(ActivityKind::Note), ..ActivityFilter::default() },
        &Page::first(5),
    ),
    activity_stats: world.session.activities().stats(&ActivityFilter::default(), StatsGroupBy::Day),
    create_note: world.session.activities().create(NewActivity::note(world.contact.id, "written")),
    events: world.session.events().after(EventPosition::START, 5),
    events_of_the_store: world.store.events_after(world.session.scope(), EventPosition::START, 5),
    event_bounds: world.store.event_bounds(world.session.scope()),
    event_group: async {
        let group = format!("group-{number}").parse().unwrap();
        world.session.events().group(group, After::Start).await?.next().await?.done().await
    },
    forget_events: world.store.forget_events(world.session.scope(), Timestamp::MIN, 5),
    audit: world.session.audit().list(None, &Page::first(5)),
    audit_of: world.session.audit().list(Some(world.contact.id.into()), &Page::first(5)),
    audit_of_the_store: world.store.audit_entries(
        world.session.scope(),
        &AuditQuery { resource: None, before: None, limit: 5 },
    ),
    commit: async {
        let (_, changes) = world.session.contacts().plan_create(person("planned", number)).await?;
        world.store.commit(changes).await
    },
    refused: async {
        // The e-mail is taken.
        let refused = world.session.contacts().create(person("ada", 0)).await.unwrap_err();
        assert_eq!(refused.kind(), ErrorKind::AlreadyExists, "{refused:?}");
        Ok(())
    },
};

fn tagged() -> ContactFilter {
    ContactFilter { keys: vec![ContactKey::Tag("person".into())], ..ContactFilter::default() }
}

impl World {
    async fn new(store: &PostgresStore) -> Arc<World> {
        let crm = tenants::crm(store);
        let session = tenant(&crm, "acme").await;
        let contact = session.contacts().create(person("ada", 0)).await.unwrap();
        let new = NewCompany { name: "Initech".into(), domain: Some("initech.example".into()) };
        let company = session.companies().create(new).await.unwrap().id;
        let new = NewUser { email: "eve@acme.example".into(), full_name: None, role: Role::Agent };
        let user = session.users().create(new).await.unwrap().user.id;
        let active = UserPatch {
            status: crm_core::identity::UserStatus::Active.into(),
            ..UserPatch::default()
        };
        session.users().update(user, active, None).await.unwrap();
        let note = NewActivity::note(contact.id, "first");
        let note = session.activities().create(note).await.unwrap().id;
        let system = crm.system("test").unwrap();
        let store = store.clone();
        let api_key = session.api_keys().create(new_key(0)).await.unwrap().secret;
        let registration = Registration {
            company_name: "Engines".into(),
            full_name: "Ada Lovelace".into(),
            email: "ada@engines.example".into(),
            password: "tangerine ledger boat".into(),
            default_region: None,
            invitation: None,
        };
        let registered = arriving(&crm).register(registration).await.unwrap();
        let refresh_token = Mutex::new(registered.tokens.refresh_token);
        Arc::new(World {
            crm,
            store,
            system,
            session,
            contact,
            company,
            user,
            note,
            api_key,
            refresh_token,
        })
    }
}

/// The work's answer; `None` when it was not done at its `k`-th poll, and was dropped there.
async fn until_poll<T>(k: usize, work: impl Future<Output = T>) -> Option<T> {
    let mut work = pin!(work);
    let mut polls = 0;
    poll_fn(move |context| {
        polls += 1;
        match work.as_mut().poll(context) {
            Poll::Ready(answer) => Poll::Ready(Some(answer)),
            Poll::Pending if polls == k => Poll::Ready(None),
            Poll::Pending => Poll::Pending,
        }
    })
    .await
}

/// Makes every function of the schema refuse to begin where somebody has left a tenant behind.
const GUARDS: &str = "
    do $$ declare _function regprocedure; begin
        for _function in
            select oid from pg_proc where pronamespace = 'crm'::regnamespace and prosrc like '%set_config%'
                and proname <> 'protect'
        loop
            execute regexp_replace(pg_get_functiondef(_function), E'\\nbegin\\n', E'\\nbegin\\n
                if coalesce(current_setting(''crm.tenant_id'', true), '''') <> '''' then
                    raise exception ''the connection came with a tenant'';
                end if;
            ');
        end loop;
    end $$";

/// The other tenant's work on the same connection, with a look at what it sees.
struct Other {
    session: Session,
    contacts: Vec<Contact>,
}

impl Other {
    async fn new(crm: &Crm) -> Other {
        let session = tenant(crm, "other").await;
        let mut contacts = Vec::new();
        for number in 0..3 {
            contacts.push(session.contacts().create(person("other", number)).await.unwrap());
        }
        Other { session, contacts }
    }

    async fn works(&mut self, world: &World, turn: usize) {
        let contacts = self.session.contacts();
        let page = Page::first(5);
        match turn % 8 {
            0 => assert_eq!(contacts.get(self.contacts[0].id).await.unwrap(), self.contacts[0]),
            1 => {
                let refused = contacts.get(world.contact.id).await.unwrap_err();
                assert_eq!(refused.kind(), ErrorKind::NotFound, "{refused:?}");
            }
            2 | 3 => {
                let filter = if turn % 8 == 2 { ContactFilter::default() } else { tagged() };
                let found = contacts.list(&filter, ContactSort::CreatedAt, false, &page).await;
                assert_eq!(found.unwrap().items, self.contacts);
            }
            4 => assert_eq!(contacts.count(&ContactFilter::default()).await.unwrap(), 3),
            5 => {
                let users = self.session.users().list(&page).await.unwrap().items;
                assert_eq!(users.len(), 1, "{users:?}");
            }
            6 => {
                let audit = self.session.audit().list(None, &page).await.unwrap().items;
                let own = self.contacts.iter().any(|own| audit[0].resource == own.id.into());
                assert!(own, "{audit:?}");
            }
            _ => {
                let last = self.contacts.last_mut().unwrap();
                *last = contacts.update(last.id, titled(format!("T{turn}")), None).await.unwrap();
            }
        }
    }
}

/// A store on one connection, and the host's own pool beside it or around it.
struct Place {
    store: PostgresStore,
    host: PgPool,
    admin: PgConnection,
    database: TestDatabase,
}

impl Place {
    async fn new(protocol: Protocol, on_the_hosts_pool: bool) -> Place {
        let options = Options::default().connections(1).protocol(protocol);
        let database = TestDatabase::create(Some(&stores::migrated().await)).await;
        let url = database.url_as("crm_app");
        let host = PgPoolOptions::new().max_connections(1).connect(&url).await.unwrap();
        let store = if on_the_hosts_pool {
            PostgresStore::from_pool(host.clone(), options).await.unwrap()
        } else {
            PostgresStore::connect_with(&url, options).await.unwrap()
        };
        let admin = support::connect(&database.admin_url()).await;
        Place { store, host, admin, database }
    }

    /// No connection of the application stays within a transaction: the server may still be rolling back what
    /// it has refused, and ends what is left open only after 10 s.
    async fn assert_nothing_open(&mut self, after: &str) {
        let start = Instant::now();
        loop {
            let open: Vec<String> = sqlx::query_scalar(
                "select format('%s after `%s`', state, query) from pg_stat_activity
                 where datname = $1 and usename = 'crm_app' and state <> 'idle'",
            )
            .bind(self.database.name())
            .fetch_all(&mut self.admin)
            .await
            .unwrap();
            if open.is_empty() {
                return;
            }
            assert!(start.elapsed() < Duration::from_secs(5), "left behind by {after}: {open:#?}");
        }
    }
}

/// Waits until the tasks have ended in which dropped work goes on.
///
/// What it waits for takes as long as the server takes; a unit that never ends is a failure.
async fn settled(at_rest: usize) {
    let ended = async {
        while tasks() > at_rest {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(Duration::from_secs(30), ended).await.expect("a unit of work goes on");
}

/// The tasks that are always there: the host's pool has one of its own. It gives connections back in tasks
/// that end soon, so the least of many looks counts.
async fn tasks_at_rest(host: &PgPool) -> usize {
    let mut least = usize::MAX;
    let mut looks = 0;
    while looks < 10_000 || host.num_idle() < 1 {
        tokio::task::yield_now().await;
        least = least.min(tasks());
        looks += 1;
    }
    least
}

fn tasks() -> usize {
    tokio::runtime::Handle::current().metrics().num_alive_tasks()
}

/// Drops each operation at each of its polls, again and again; each time the other tenant works next.
async fn cancel(protocol: Protocol, on_the_hosts_pool: bool, drops: usize) {
    let mut place = Place::new(protocol, on_the_hosts_pool).await;
    let world = World::new(&place.store).await;
    let mut other = Other::new(&world.crm).await;
    support::run(&mut place.admin, GUARDS.to_owned()).await;
    let at_rest = tasks_at_rest(&place.host).await;
    let mut made = 0;
    let mut number = 0;
    while made < drops {
        for (name, operation) in OPERATIONS {
            for k in 1.. {
                number += 1;
                let answer = until_poll(k, operation(Arc::clone(&world), number)).await;
                other.works(&world, number).await;
                settled(at_rest).await;
                place.assert_nothing_open(name).await;
                match answer {
                    Some(answer) => {
                        answer.unwrap_or_else(|error| panic!("{name}: {error:?}"));
                        break;
                    }
                    None => made += 1,
                }
            }
        }
        made +=
            cancel_within_a_transaction(&mut place, &world, &mut other, &mut number, at_rest).await;
    }
    eprintln!("{made} calls dropped, {number} made");
    whole(&mut place.admin).await;
}

/// The same for a commit within the host's transaction; returns how many were dropped. The host goes on as if
/// nothing was, or gives up.
async fn cancel_within_a_transaction(
    place: &mut Place,
    world: &World,
    other: &mut Other,
    number: &mut usize,
    at_rest: usize,
) -> usize {
    let mut made = 0;
    for goes_on in [true, false] {
        for k in 1.. {
            *number += 1;
            let new = person("within", *number);
            let (contact, changes) = world.session.contacts().plan_create(new).await.unwrap();
            let mut transaction = place.host.begin().await.unwrap();
            let answer = until_poll(k, world.store.commit_in(&mut transaction, changes)).await;
            if goes_on {
                let left: String = sqlx::query_scalar(
                    "select coalesce(current_setting('crm.tenant_id', true), '')",
                )
                .fetch_one(&mut *transaction)
                .await
                .unwrap();
                assert_eq!(left, "", "the host's transaction has a tenant");
                transaction.commit().await.unwrap();
            } else {
                drop(transaction);
            }
            other.works(world, *number).await;
            settled(at_rest).await;
            place.assert_nothing_open("commit_in").await;
            let found = world.session.contacts().get(contact.id).await;
            match answer {
                Some(answer) => {
                    answer.unwrap();
                    assert_eq!(found.is_ok(), goes_on);
                    break;
                }
                None => {
                    assert!(goes_on || found.is_err());
                    made += 1;
                }
            }
        }
    }
    made
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn lost_callers_of_prepared_statements() {
    cancel(Protocol::Prepared, false, DROPS).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn lost_callers_of_the_simple_protocol() {
    cancel(Protocol::Simple, false, DROPS).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn lost_callers_on_the_hosts_pool() {
    cancel(Protocol::Prepared, true, DROPS).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "long: 30,000 lost callers"]
async fn long_lost_callers() {
    for (protocol, on_the_hosts_pool) in
        [(Protocol::Prepared, false), (Protocol::Simple, false), (Protocol::Prepared, true)]
    {
        cancel(protocol, on_the_hosts_pool, 10_000).await;
    }
}

/// The host's own mistakes: a `begin` whose caller went away, and transactions left open by hand.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_written_on_a_pool_with_open_transactions_stays() {
    let mut place = Place::new(Protocol::Prepared, true).await;
    let session = tenant(&tenants::crm(&place.store), "acme").await;
    let mut open = 0;
    let mut number = 0;
    for round in 0..300 {
        match round % 4 {
            // Between the request and its answer the server is within a transaction, sqlx is not.
            0 | 1 => drop(until_poll(1 + round / 4 % 3, place.host.begin()).await),
            way => {
                let mut connection = place.host.acquire().await.unwrap();
                let sql = if way == 2 { "begin" } else { "begin; select 1/0" };
                let _ = sqlx::raw_sql(sql).execute(&mut *connection).await;
            }
        }
        if round % 8 > 3 {
            // A reader comes first.
            session.contacts().count(&ContactFilter::default()).await.unwrap();
        }
        open += tenants::number(
            &mut place.admin,
            "select count(*) from pg_stat_activity where datname = current_database()
             and state like 'idle in transaction%'",
        )
        .await;
        session.contacts().create(person("kept", round)).await.unwrap();
        number += 1;
        assert_eq!(whole(&mut place.admin).await, number, "round {round}");
        place.assert_nothing_open("commit").await;
    }
    eprintln!("{open} of {number} commits met an open transaction");
    assert!(open > 0, "the host never left a transaction open");
}

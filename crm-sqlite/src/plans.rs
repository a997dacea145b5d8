//! How SQLite finds the rows of each operation. The statements are those that the operations run:
//! every connection reports what it runs, and the plan of each is looked at.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "tests"
)]

use std::collections::BTreeSet;
use std::sync::Mutex;

use crm_core::activities::{ActivityFilter, ActivityKind, NewActivity, StatsGroupBy};
use crm_core::companies::{CompanyKey, NewCompany};
use crm_core::contacts::formats::ExportFormat;
use crm_core::contacts::import::{ImportOptions, OnConflict};
use crm_core::contacts::{
    Contact, ContactFilter, ContactKey, ContactPatch, ContactSort, Deleted, NewContact,
};
use crm_core::events::{After, EventPosition};
use crm_core::ports::EventStore as _;
use crm_core::tenancy::NewTenant;
use crm_core::{CompanyId, Crm, Page, Session, Timestamp, UserId};
use rusqlite::Connection;
use rusqlite::trace::{TraceEvent, TraceEventCodes};

use crate::schema::Cache;
use crate::{Options, Place, SqliteStore, schema};

static STATEMENTS: Mutex<BTreeSet<String>> = Mutex::new(BTreeSet::new());

/// Lets the connection report its statements.
pub(crate) fn watch(connection: &Connection) {
    connection.trace_v2(
        TraceEventCodes::SQLITE_TRACE_STMT,
        Some(|event| {
            if let TraceEvent::Stmt(statement, _) = event {
                STATEMENTS.lock().unwrap().insert(statement.sql().into_owned());
            }
        }),
    );
}

/// What an operation may do beside seeking in an index.
#[derive(Clone, Copy, PartialEq)]
enum May {
    Seek,
    /// Sort what one key, owner or company has, which is counted to be few, or the groups of a count.
    Sort,
}

struct Plans {
    explaining: Connection,
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
        STATEMENTS.lock().unwrap().clear();
        let result = operation.await.unwrap();
        let statements = std::mem::take(&mut *STATEMENTS.lock().unwrap());
        let mut used = String::new();
        for sql in statements {
            if !["SELECT", "INSERT", "UPDATE", "DELETE"].iter().any(|verb| sql.starts_with(verb)) {
                continue;
            }
            for step in self.explain(&sql) {
                // A subquery is read whole, after its own rows were found by a step of theirs.
                let scans = step.starts_with("SCAN")
                    && !step.starts_with("SCAN (subquery")
                    && step != "SCAN CONSTANT ROW";
                let other = step.starts_with("SEARCH") && !step.contains("tenant_no=?");
                let over_tenants = step.starts_with("SEARCH tenant ")
                    || step.starts_with("SEARCH event_horizon USING INTEGER PRIMARY KEY")
                    || step.contains("(position") && step.contains("event");
                let sorts = step.contains("TEMP B-TREE") && may != May::Sort;
                // Only the list of all activities has nothing else to seek by.
                let whole_tenant =
                    step.contains("(tenant_no=?)") && !step.contains("INDEX activity_");
                if scans || sorts || whole_tenant || (other && !over_tenants) {
                    self.faults.push(format!("{name}: {step}\n    {sql}"));
                }
                used.push_str(&step);
                used.push('\n');
            }
        }
        for index in indexes {
            // `INDEX contact_name (` is not `INDEX contact_name_old (`.
            if !used.contains(&format!("INDEX {index} ("))
                && !used.contains(&format!("{index} USING PRIMARY KEY"))
            {
                self.faults.push(format!("{name}: `{index}` is not used, but\n{used}"));
            }
        }
        result
    }

    fn explain(&self, sql: &str) -> Vec<String> {
        let mut plan = self.explaining.prepare(&format!("EXPLAIN QUERY PLAN {sql}")).unwrap();
        // Parameters stay unbound: no plan may depend on them.
        plan.raw_query().mapped(|row| row.get("detail")).map(Result::unwrap).collect()
    }
}

/// More than what is read whole and sorted.
const MANY: usize = 1_010;

struct Data {
    session: Session,
    company: CompanyId,
    owner: UserId,
    ada: Contact,
}

async fn data(store: SqliteStore) -> Data {
    let crm = Crm::builder(store).build().unwrap();
    let system = crm.system("test").unwrap();
    let new = NewTenant {
        name: "Acme".into(),
        slug: None,
        default_region: "US".parse().unwrap(),
        owner_email: "owner@acme.example".into(),
        owner_name: None,
    };
    let (tenant, owner) = system.create_tenant(new).await.unwrap();
    let session = system.session(tenant.id).await.unwrap();
    let new = NewCompany { name: "Engines".into(), domain: Some("engines.example".into()) };
    let company = session.companies().create(new).await.unwrap();
    let rows: String = (0..MANY)
        .map(|number| {
            format!(
                "{{\"last_name\":\"Many{number}\",\"tags\":[\"many\"],\"owner_id\":\"{}\",\
                 \"company_id\":\"{}\",\"emails\":[{{\"address\":\"m{number}@x.example\"}}]}}\n",
                owner.id, company.id
            )
        })
        .collect();
    let mut import = session.contacts().import(ImportOptions::default()).unwrap();
    import.push(rows.as_bytes()).await.unwrap();
    assert_eq!(import.finish().await.unwrap().created as usize, MANY);
    drop(import);
    let new = NewContact::named("Ada", "Lovelace").email("ada@x.example").tag("few");
    let ada = session.contacts().create(new.phone("+14255550123")).await.unwrap();
    Data { session, company: company.id, owner: owner.id, ada }
}

#[tokio::test]
async fn every_operation_seeks() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("crm.db");
    let store = SqliteStore::open(&file).await.unwrap();
    let Data { session, company, owner, ada } = data(store.clone()).await;
    let explaining =
        schema::connect(&Place::File(file), &Options::default(), Cache::Small).unwrap();
    let mut plans = Plans { explaining, faults: Vec::new() };
    let page = Page::first(50);

    let contacts = session.contacts();
    const BY_ID: &str = "sqlite_autoindex_contact_1";
    plans.of("get", &[BY_ID], May::Seek, contacts.get(ada.id)).await;

    let all = ContactFilter::default();
    let many = ContactFilter { keys: vec![ContactKey::Tag("many".into())], ..all.clone() };
    let few = ContactFilter { keys: vec![ContactKey::Tag("few".into())], ..all.clone() };
    let email =
        ContactFilter { keys: vec![ContactKey::Email("ada@x.example".into())], ..all.clone() };
    let phone =
        ContactFilter { keys: vec![ContactKey::Phone("+14255550123".into())], ..all.clone() };
    let of_owner = ContactFilter { owner_id: Some(owner), ..all.clone() };
    let of_company = ContactFilter { company_id: Some(company), ..all.clone() };
    let deleted = ContactFilter { deleted: Deleted::Only, ..all.clone() };
    let both = ContactFilter { deleted: Deleted::Include, ..all.clone() };
    let times = ContactFilter {
        created_after: Timestamp::from_micros(0),
        created_before: Some(Timestamp::MAX),
        ..all.clone()
    };
    for (sort, by_sort) in [
        (ContactSort::CreatedAt, "contact_created"),
        (ContactSort::UpdatedAt, "contact_updated"),
        (ContactSort::LastName, "contact_name"),
    ] {
        let by_creation = sort == ContactSort::CreatedAt;
        let own = |index: &'static str| if by_creation { index } else { by_sort };
        for (filter, index, may) in [
            (&all, by_sort, May::Seek),
            (&many, by_sort, May::Seek),
            (&deleted, by_sort, May::Seek),
            (&both, by_sort, May::Seek),
            (&times, by_sort, May::Seek),
            (&of_owner, own("contact_owner"), May::Seek),
            (&of_company, own("contact_company"), May::Seek),
            (&few, "contact_key", May::Sort),
            (&email, "contact_key", May::Sort),
            (&phone, "contact_key", May::Sort),
        ] {
            for descending in [false, true] {
                let name = format!("list {filter:?} by {sort:?}, descending: {descending}");
                let list = contacts.list(filter, sort, descending, &page);
                let first = plans.of(&name, &[index], may, list).await;
                if let Some(cursor) = first.next_cursor {
                    let next = Page::after(cursor, 50);
                    let list = contacts.list(filter, sort, descending, &next);
                    plans.of(&format!("{name}, next page"), &[index], may, list).await;
                }
            }
        }
    }
    for filter in [&all, &of_owner, &of_company, &few] {
        plans.of("count", &[], May::Seek, contacts.count(filter)).await;
    }

    for query in ["ada lovelaec", "many17", "m17@x", "425 555", "ada many17 lovelace x"] {
        let name = format!("search {query}");
        plans.of(&name, &["term"], May::Seek, contacts.search(query, &page)).await;
    }

    let new = || NewContact::named("New", "Comer").email("new@x.example").phone("+14255550124");
    let made = plans.of("create", &[], May::Seek, contacts.create(new())).await;
    let patch: ContactPatch =
        serde_json::from_str("{\"last_name\":\"Changed\",\"emails\":[]}").unwrap();
    let update = contacts.update(made.id, patch, None);
    plans.of("update", &[BY_ID], May::Seek, update).await;
    plans.of("delete", &[BY_ID], May::Seek, contacts.delete(made.id, None)).await;
    plans.of("restore", &[BY_ID], May::Seek, contacts.restore(made.id)).await;
    for on_conflict in [OnConflict::Skip, OnConflict::Update] {
        let import = async {
            let options = ImportOptions { on_conflict, ..ImportOptions::default() };
            let mut import = contacts.import(options)?;
            let file = b"first_name,email,phone,company\nAda,ada@x.example,,Engines\n\
                         Eve,,+14255550123,New Inc\nZoe,zoe@engines.example,,\nPlain,,,\n";
            import.push(file).await?;
            import.finish().await
        };
        plans.of("import", &["contact_key", "company_key"], May::Seek, import).await;
    }
    let export = async {
        let mut export = contacts.export(ExportFormat::Csv, all.clone())?;
        while export.next_bytes().await?.is_some() {}
        Ok(())
    };
    plans.of("export", &["contact_created"], May::Seek, export).await;

    let activities = session.activities();
    let note = activities.create(NewActivity::note(ada.id, "hello"));
    let note = plans.of("log", &[BY_ID], May::Seek, note).await;
    let one = activities.get(note.id);
    plans.of("activity", &["sqlite_autoindex_activity_1"], May::Seek, one).await;
    for limit in [1, 50] {
        let first = Page::first(limit);
        let timeline = activities.timeline(ada.id, &first);
        let timeline = plans.of("timeline", &["activity_timeline"], May::Seek, timeline).await;
        if let Some(cursor) = timeline.next_cursor {
            let next = Page::after(cursor, 1);
            let timeline = activities.timeline(ada.id, &next);
            plans.of("timeline, next page", &["activity_timeline"], May::Seek, timeline).await;
        }
    }
    let any = ActivityFilter::default();
    let kind = ActivityFilter { kind: Some(ActivityKind::Note), ..any.clone() };
    let user = ActivityFilter { user_id: Some(owner), ..any.clone() };
    let contact = ActivityFilter { contact_id: Some(ada.id), ..any.clone() };
    let within =
        ActivityFilter { from: Timestamp::from_micros(0), to: Some(Timestamp::MAX), ..any.clone() };
    for (filter, index) in [
        (&any, "activity_time"),
        (&kind, "activity_kind"),
        (&user, "activity_user"),
        (&contact, "activity_timeline"),
        (&within, "activity_time"),
    ] {
        let name = format!("activities {filter:?}");
        let list = activities.list(filter, &page);
        plans.of(&name, &[index], May::Seek, list).await;
    }
    for (group_by, index, may) in [
        (StatsGroupBy::Kind, "activity_kind", May::Seek),
        (StatsGroupBy::User, "activity_user", May::Seek),
        (StatsGroupBy::Day, "activity_time", May::Sort),
    ] {
        for (filter, covers) in
            [(&any, true), (&within, false), (&kind, false), (&user, false), (&contact, false)]
        {
            let name = format!("stats by {group_by:?} of {filter:?}");
            let (index, may) = match (covers, filter.from) {
                (true, _) => (vec![index], may),
                (false, Some(_)) => (vec!["activity_time"], May::Sort),
                (false, None) => (vec![], May::Sort),
            };
            plans.of(&name, &index, may, activities.stats(filter, group_by)).await;
        }
    }

    let companies = session.companies();
    plans.of("companies", &["company"], May::Seek, companies.list(&page)).await;
    plans.of("company", &["company"], May::Seek, companies.get(company)).await;
    let key = CompanyKey::name("Engines");
    plans.of("find a company", &["company_key", "company"], May::Seek, companies.find(&key)).await;
    plans.of("users", &["user"], May::Seek, session.users().list(&page)).await;
    plans.of("user", &["user"], May::Seek, session.users().get(owner)).await;
    let audit = session.audit();
    plans.of("audit", &["audit"], May::Seek, audit.list(None, &page)).await;
    let of_ada = audit.list(Some(ada.id.into()), &page);
    plans.of("audit of a contact", &["audit_resource"], May::Seek, of_ada).await;
    let events = session.events();
    let later = events.after(EventPosition(5), 100);
    plans.of("events", &["event_tenant"], May::Seek, later).await;
    let bounds = store.event_bounds(session.scope());
    plans.of("bounds of the log", &["event_tenant"], May::Seek, bounds).await;
    let group = "letters".parse().unwrap();
    let mut reader = plans.of("group", &[], May::Seek, events.group(group, After::Start)).await;
    let batch = plans.of("batch", &["event_tenant"], May::Seek, reader.next()).await;
    plans.of("move a group", &[], May::Seek, batch.done()).await;
    let forgotten = store.forget_events(session.scope(), Timestamp::MAX, 10);
    plans.of("forget events", &["event_tenant"], May::Seek, forgotten).await;

    assert!(plans.faults.is_empty(), "{}", plans.faults.join("\n"));
}

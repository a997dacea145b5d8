//! Every table x everything that can be done with it x whose rows they are, from the catalog: a new
//! table is in the matrix without being named here.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "tests"
)]

mod support;

use std::collections::BTreeMap;

use crm_postgres::Installation;
use sqlx::{AssertSqlSafe, Connection, PgConnection, Row as _};
use support::{TestDatabase, connect, run};

const OURS: &str = "019aa0f0-0000-7000-8000-00000000000a";
const THEIRS: &str = "019aa0f0-0000-7000-8000-00000000000b";

/// A row as text by column.
type Row = BTreeMap<String, String>;

struct Table {
    name: String,
    columns: Vec<(String, String)>,
    key: Vec<String>,
    /// Own columns, the other table, its columns.
    references: Vec<(Vec<String>, String, Vec<String>)>,
}

/// What is done with the rows of the target.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Deed {
    Select,
    Insert,
    InsertReturning,
    Update,
    UpdateReturning,
    /// Handing rows over to the other tenant.
    Give,
    Delete,
    DeleteReturning,
    UpsertNothing,
    UpsertUpdate,
    /// A new row that refers to a row of the other tenant.
    Reference,
    /// A new row with the unique values of the other tenant.
    Probe,
}

const DEEDS: [Deed; 12] = [
    Deed::Select,
    Deed::Insert,
    Deed::InsertReturning,
    Deed::Update,
    Deed::UpdateReturning,
    Deed::Give,
    Deed::Delete,
    Deed::DeleteReturning,
    Deed::UpsertNothing,
    Deed::UpsertUpdate,
    Deed::Reference,
    Deed::Probe,
];

/// Whose turn it is, and whose rows are meant.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Case {
    Own,
    Other,
    /// No tenant was ever set.
    Never,
    /// One was set and its transaction is over, which leaves an empty text.
    NoLonger,
    /// Work across tenants, which may read the list of tenants, what users sign in with, accounts with
    /// carriers and schedules, may work on the queue, and nothing else.
    System,
}

const CASES: [Case; 5] = [Case::Own, Case::Other, Case::Never, Case::NoLonger, Case::System];

impl Case {
    fn settings(self) -> Vec<(&'static str, &'static str)> {
        match self {
            Case::Own | Case::Other => vec![("crm.tenant_id", OURS)],
            Case::Never => vec![],
            Case::NoLonger => vec![("crm.tenant_id", ""), ("crm.system", "")],
            Case::System => vec![("crm.system", "to list tenants")],
        }
    }

    /// The tenant whose rows are meant, and the one beside it.
    fn target(self) -> (&'static str, &'static str) {
        match self {
            Case::Own => (OURS, THEIRS),
            Case::Other | Case::Never | Case::NoLonger | Case::System => (THEIRS, OURS),
        }
    }
}

/// What came of it.
#[derive(Debug, PartialEq)]
enum Outcome {
    Rows(u64),
    /// The SQLSTATE and the message.
    Refused(String, String),
}

impl Outcome {
    fn is_refused_with(&self, wanted: &str) -> bool {
        matches!(self, Outcome::Refused(code, _) if code == wanted)
    }
}

/// Insufficient privilege: of the role, or by row security.
const FORBIDDEN: &str = "42501";
const TAKEN: &str = "23505";
const DANGLING: &str = "23503";

struct Matrix {
    tables: Vec<Table>,
    /// The rows that each tenant has, one of each table.
    rows: BTreeMap<(&'static str, String), Row>,
}

impl Matrix {
    /// Reads the catalog and gives each tenant a row of every table.
    async fn build(admin: &mut PgConnection) -> Matrix {
        let mut matrix = Matrix { tables: tables(admin).await, rows: BTreeMap::new() };
        for (tenant, seed) in [(OURS, 1), (THEIRS, 2)] {
            for table in &matrix.tables {
                let row = matrix.new_row(table, tenant, tenant, seed);
                run(admin, insert(table, &row)).await;
                matrix.rows.insert((tenant, table.name.clone()), row);
            }
        }
        matrix
    }

    /// A row of `tenant`, unlike those of another seed, that refers to rows of `whose`.
    fn new_row(&self, table: &Table, tenant: &str, whose: &'static str, seed: usize) -> Row {
        let mut row = Row::new();
        for (number, (column, kind)) in table.columns.iter().enumerate() {
            let value = match kind.as_str() {
                "uuid" => format!("019aa0f0-{:04x}-7000-8000-{seed:012x}", number + 1),
                "text" => format!("{column} {seed}"),
                "smallint" => "0".to_owned(),
                "integer" | "bigint" => seed.to_string(),
                "boolean" => "true".to_owned(),
                "timestamp with time zone" => format!("2026-01-01T00:00:{seed:02}Z"),
                "json" => "{}".to_owned(),
                other => panic!(
                    "the matrix has no value of type {other} for {}.{column}: add one",
                    table.name
                ),
            };
            row.insert(column.clone(), value);
        }
        for (here, other, there) in &table.references {
            for (here, there) in here.iter().zip(there) {
                if let Some(referred) = self.rows.get(&(whose, other.clone())) {
                    row.insert(here.clone(), referred[there].clone());
                }
            }
        }
        row.insert("tenant_id".to_owned(), tenant.to_owned());
        row
    }

    fn statement(&self, table: &Table, deed: Deed, case: Case) -> String {
        let (target, beside) = case.target();
        let name = &table.name;
        let existing = &self.rows[&(target, name.clone())];
        let fresh = self.new_row(table, target, target, 3);
        let last = &table.columns[table.columns.len() - 1].0;
        let key = table.key.join(", ");
        match deed {
            Deed::Select => format!("select * from {name} where tenant_id = '{target}'"),
            Deed::Insert => insert(table, &fresh),
            Deed::InsertReturning => format!("{} returning *", insert(table, &fresh)),
            Deed::Update => {
                format!("update {name} set {last} = {last} where tenant_id = '{target}'")
            }
            Deed::UpdateReturning => {
                format!(
                    "update {name} set {last} = {last} where tenant_id = '{target}' returning *"
                )
            }
            Deed::Give => {
                format!("update {name} set tenant_id = '{beside}' where tenant_id = '{target}'")
            }
            Deed::Delete => format!("delete from {name} where tenant_id = '{target}'"),
            Deed::DeleteReturning => {
                format!("delete from {name} where tenant_id = '{target}' returning *")
            }
            Deed::UpsertNothing => format!("{} on conflict do nothing", insert(table, existing)),
            Deed::UpsertUpdate => {
                let set = format!("{last} = excluded.{last}");
                format!("{} on conflict ({key}) do update set {set}", insert(table, existing))
            }
            Deed::Reference => insert(table, &self.new_row(table, target, beside, 3)),
            Deed::Probe => {
                let seed = if beside == OURS { 1 } else { 2 };
                insert(table, &self.new_row(table, target, target, seed))
            }
        }
    }

    /// Does everything as the application, takes each deed back, and returns what should not have
    /// happened. `granted`: whether the application has all rights to the tables, so that nothing but
    /// the policies is in its way.
    async fn leaks(&self, app: &mut PgConnection, granted: bool) -> Vec<String> {
        let mut leaks = Vec::new();
        let mut cells = 0;
        for table in &self.tables {
            for deed in DEEDS {
                for case in CASES {
                    let sql = self.statement(table, deed, case);
                    let outcome = attempt(app, case, &sql).await;
                    if !is_right(table, deed, case, &outcome, granted) {
                        leaks.push(format!("{} {deed:?} {case:?}: {outcome:?}", table.name));
                    }
                    cells += 1;
                }
            }
            leaks.extend(self.visible_rows_of_others(table, app).await);
            leaks.extend(self.told_by_references(table, app).await);
        }
        assert_eq!(cells, self.tables.len() * DEEDS.len() * CASES.len());
        leaks
    }

    /// A statement that forgets to name its tenant sees its own rows only.
    async fn visible_rows_of_others(
        &self,
        table: &Table,
        app: &mut PgConnection,
    ) -> Option<String> {
        let sql = format!("select * from {} where tenant_id <> '{OURS}'", table.name);
        let outcome = attempt(app, Case::Own, &sql).await;
        (outcome != Outcome::Rows(0)).then(|| format!("{} of others: {outcome:?}", table.name))
    }

    /// A reference to a row of another tenant is refused in the words for one that does not exist.
    async fn told_by_references(&self, table: &Table, app: &mut PgConnection) -> Option<String> {
        let mut row = self.new_row(table, OURS, THEIRS, 3);
        let theirs = attempt(app, Case::Own, &insert(table, &row)).await;
        for (here, ..) in &table.references {
            for column in here.iter().filter(|column| *column != "tenant_id") {
                row.insert(column.clone(), "019aa0f0-ffff-7000-8000-ffffffffffff".to_owned());
            }
        }
        let nobodys = attempt(app, Case::Own, &insert(table, &row)).await;
        (theirs != nobodys)
            .then(|| format!("{} references tell: {theirs:?} {nobodys:?}", table.name))
    }
}

/// Whether this is what isolation and the rights allow.
fn is_right(table: &Table, deed: Deed, case: Case, outcome: &Outcome, granted: bool) -> bool {
    let is_tenants = table.name == "crm.tenants";
    let is_queue = table.name == "crm.jobs";
    let is_looked_up = is_tenants
        || is_queue
        || ["crm.sign_in_names", "crm.telephony_accounts", "crm.schedules"]
            .contains(&table.name.as_str());
    if case == Case::Own {
        // What a tenant has once is there already, as is what one of its records has once; of the tenant's own
        // record its slug, too, which is the one value that is unique among all tenants.
        let once = table.key.iter().all(|column| column == "tenant_id")
            || table.references.iter().any(|(here, ..)| *here == table.key);
        let taken = once && outcome.is_refused_with(TAKEN);
        let not_granted = !granted && outcome.is_refused_with(FORBIDDEN);
        let refers = table.references.iter().any(|(here, ..)| here.len() > 1);
        return match deed {
            Deed::Select => *outcome == Outcome::Rows(1),
            Deed::Insert | Deed::InsertReturning | Deed::Probe => {
                *outcome == Outcome::Rows(1) || taken
            }
            Deed::Update | Deed::UpdateReturning | Deed::UpsertUpdate => {
                *outcome == Outcome::Rows(1) || not_granted
            }
            Deed::Delete | Deed::DeleteReturning => {
                // Others of the same tenant refer to it.
                *outcome == Outcome::Rows(1) || not_granted || outcome.is_refused_with(DANGLING)
            }
            Deed::Give => outcome.is_refused_with(FORBIDDEN),
            Deed::UpsertNothing => *outcome == Outcome::Rows(0),
            Deed::Reference if refers => outcome.is_refused_with(DANGLING),
            Deed::Reference => *outcome == Outcome::Rows(1) || taken,
        };
    }
    match deed {
        Deed::Select if is_looked_up && case == Case::System => *outcome == Outcome::Rows(1),
        Deed::Select => *outcome == Outcome::Rows(0),
        Deed::Update | Deed::UpdateReturning | Deed::Delete | Deed::DeleteReturning
            if is_queue && case == Case::System =>
        {
            *outcome == Outcome::Rows(1)
        }
        // A policy knows the new row alone, so the rights to the columns are what forbids it.
        Deed::Give if is_queue && case == Case::System => {
            granted || outcome.is_refused_with(FORBIDDEN)
        }
        Deed::Update
        | Deed::UpdateReturning
        | Deed::Give
        | Deed::Delete
        | Deed::DeleteReturning => {
            *outcome == Outcome::Rows(0) || (!granted && outcome.is_refused_with(FORBIDDEN))
        }
        // Not by the key: that would tell that the row is there.
        Deed::Insert
        | Deed::InsertReturning
        | Deed::UpsertNothing
        | Deed::UpsertUpdate
        | Deed::Reference
        | Deed::Probe => outcome.is_refused_with(FORBIDDEN),
    }
}

async fn attempt(app: &mut PgConnection, case: Case, sql: &str) -> Outcome {
    let mut transaction = app.begin().await.unwrap();
    for (setting, value) in case.settings() {
        sqlx::query("select set_config($1, $2, true)")
            .bind(setting)
            .bind(value)
            .execute(&mut *transaction)
            .await
            .unwrap();
    }
    let returns = sql.starts_with("select") || sql.ends_with("returning *");
    let statement = sqlx::raw_sql(AssertSqlSafe(sql.to_owned()));
    let result = if returns {
        statement.fetch_all(&mut *transaction).await.map(|rows| rows.len() as u64)
    } else {
        statement.execute(&mut *transaction).await.map(|done| done.rows_affected())
    };
    transaction.rollback().await.unwrap();
    match result {
        Ok(rows) => Outcome::Rows(rows),
        Err(error) => {
            let error = error.as_database_error().unwrap_or_else(|| panic!("`{sql}`: {error}"));
            Outcome::Refused(error.code().unwrap().into_owned(), error.message().to_owned())
        }
    }
}

fn insert(table: &Table, row: &Row) -> String {
    let columns: Vec<&str> = row.keys().map(String::as_str).collect();
    let values: Vec<String> = row.values().map(|value| format!("'{value}'")).collect();
    format!("insert into {} ({}) values ({})", table.name, columns.join(", "), values.join(", "))
}

/// The tables, each after those that it refers to.
async fn tables(admin: &mut PgConnection) -> Vec<Table> {
    let names: Vec<String> = sqlx::query_scalar(
        "select oid::regclass::text from pg_class
        where relnamespace = 'crm'::regnamespace and relkind in ('r', 'p', 'f', 'm', 'v')
            and relname <> 'migrations'",
    )
    .fetch_all(&mut *admin)
    .await
    .unwrap();
    assert!(names.len() > 10, "{names:?}");
    let mut waiting = Vec::new();
    for name in names {
        let columns = sqlx::query_as(
            "select attname::text, format_type(atttypid, null) from pg_attribute
            where attrelid = $1::regclass and attnum > 0 and not attisdropped order by attnum",
        )
        .bind(&name)
        .fetch_all(&mut *admin)
        .await
        .unwrap();
        let constraints = sqlx::query(
            "select contype::text as kind, coalesce(confrelid::regclass::text, '') as other,
                array(select attname::text from unnest(conkey) with ordinality as key (number, place)
                    join pg_attribute on attrelid = conrelid and attnum = number order by place) as here,
                array(select attname::text from unnest(confkey) with ordinality as key (number, place)
                    join pg_attribute on attrelid = confrelid and attnum = number order by place) as there
            from pg_constraint where conrelid = $1::regclass and contype in ('p', 'f')",
        )
        .bind(&name)
        .fetch_all(&mut *admin)
        .await
        .unwrap();
        let mut table = Table { name, columns, key: Vec::new(), references: Vec::new() };
        for constraint in constraints {
            let here = constraint.get("here");
            match constraint.get::<String, _>("kind").as_str() {
                "p" => table.key = here,
                _ => {
                    table.references.push((here, constraint.get("other"), constraint.get("there")))
                }
            }
        }
        waiting.push(table);
    }
    let mut ordered: Vec<Table> = Vec::new();
    while !waiting.is_empty() {
        let is_ready = |table: &Table| {
            table.references.iter().all(|(_, other, _)| {
                *other == table.name || ordered.iter().any(|done| done.name == *other)
            })
        };
        let (ready, rest): (Vec<_>, Vec<_>) = waiting.into_iter().partition(is_ready);
        assert!(!ready.is_empty(), "tables refer to each other in a circle");
        ordered.extend(ready);
        waiting = rest;
    }
    ordered
}

/// The leaks of a database in which `planted` was done by the superuser.
async fn leaks_with(planted: &str, granted: bool) -> Vec<String> {
    let database = TestDatabase::create(None).await;
    Installation::default().run(&database.admin_url()).await.unwrap();
    let mut admin = connect(&database.admin_url()).await;
    let matrix = Matrix::build(&mut admin).await;
    if granted {
        run(&mut admin, "grant all on all tables in schema crm to crm_app".to_owned()).await;
    }
    run(&mut admin, planted.to_owned()).await;
    let mut app = connect(&database.url_as("crm_app")).await;
    matrix.leaks(&mut app, granted).await
}

#[tokio::test]
async fn nothing_leaks_to_the_application() {
    assert_eq!(leaks_with("", false).await, [] as [&str; 0]);
}

/// The policies alone isolate: not the rights that the application happens to lack.
#[tokio::test]
async fn nothing_leaks_where_all_is_granted() {
    assert_eq!(leaks_with("", true).await, [] as [&str; 0]);
}

#[tokio::test]
async fn the_matrix_sees_what_leaks() {
    for (planted, expected) in [
        ("alter table crm.words disable row level security", "crm.words Select Other"),
        ("alter policy own_tenant on crm.users using (true)", "crm.users Delete Never"),
        ("alter policy own_tenant on crm.users with check (true)", "crm.users Insert Other"),
        (
            "alter policy own_tenant_update on crm.tenants using (true) with check (true)",
            "crm.tenants Update System",
        ),
        (
            "alter policy own_tenant_insert on crm.sign_in_names with check (true)",
            "crm.sign_in_names Insert Other",
        ),
        (
            "alter policy own_tenant_or_system on crm.sign_in_names using (true)",
            "crm.sign_in_names Select Never",
        ),
        (
            "alter policy own_tenant on crm.credentials using (true)",
            "crm.credentials Select System",
        ),
        // What may not be seen is not changed either, whatever the policy of changes says.
        (
            "alter policy own_tenant_or_system on crm.jobs using (true);
                alter policy own_tenant_or_system_update on crm.jobs using (true)",
            "crm.jobs Update Never",
        ),
        (
            "alter policy own_tenant_or_system on crm.jobs using (true);
                alter policy own_tenant_or_system_delete on crm.jobs using (true)",
            "crm.jobs Delete Other",
        ),
        ("alter policy own_tenant_insert on crm.jobs with check (true)", "crm.jobs Insert System"),
        (
            "alter policy own_tenant_or_system_delete on crm.jobs using (
                tenant_id = (select nullif(current_setting('crm.tenant_id', true), '')::uuid))",
            "crm.jobs Delete System",
        ),
        ("alter policy own_tenant on crm.outcomes using (true)", "crm.outcomes Update NoLonger"),
        ("create unique index on crm.users (email_key)", "crm.users Probe Own"),
        (
            "alter table crm.activities drop constraint activities_contact_fkey",
            "crm.activities Reference Own",
        ),
        (
            "alter policy own_tenant on crm.audit
                using (coalesce(current_setting('crm.system', true), '') <> '')",
            "crm.audit Select System",
        ),
        (
            "alter policy own_tenant on crm.events
                using (current_setting('crm.tenant_id', true) is distinct from '019aa0f0')",
            "crm.events of others",
        ),
    ] {
        let leaks = leaks_with(planted, true).await;
        assert!(leaks.iter().any(|leak| leak.starts_with(expected)), "{planted}: {leaks:#?}");
    }
}

#[tokio::test]
#[should_panic(expected = "the matrix has no value of type inet for crm.planted.address")]
async fn a_table_that_cannot_be_filled_is_not_passed_over() {
    let database = TestDatabase::create(None).await;
    Installation::default().run(&database.admin_url()).await.unwrap();
    let mut admin = connect(&database.admin_url()).await;
    let planted = "create table crm.planted (tenant_id uuid primary key, address inet)";
    run(&mut admin, planted.to_owned()).await;
    Matrix::build(&mut admin).await;
}

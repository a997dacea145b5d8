//! Every rule of isolation against a database that breaks it.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "tests"
)]

mod support;

use std::collections::BTreeSet;

use crm_core::ErrorKind;
use crm_core::ports::Finding;
use crm_postgres::{Installation, SchemaName, doctor, isolation};
use sqlx::{AssertSqlSafe, Connection, PgConnection};
use support::{TestDatabase, connect, run};

/// What breaks a rule, and that rule alone. `visitor` is a role that may log in and has nothing; who
/// is named `crm_app` logs in as the application. `DATABASE` stands for the name of the database.
const PLANTED: &[(&str, &str, &str)] = &[
    ("superuser", "visitor", "alter role visitor superuser"),
    ("bypassrls", "visitor", "alter role visitor bypassrls"),
    ("role_attributes", "visitor", "alter role visitor createrole"),
    ("role_attributes", "visitor", "alter role visitor createdb"),
    ("role_attributes", "visitor", "alter role visitor replication"),
    ("membership", "visitor", "grant crm_owner to visitor"),
    (
        "membership",
        "visitor",
        "create role between; grant crm_owner to between; grant between to visitor",
    ),
    ("membership", "visitor", "create role chief superuser; grant chief to visitor"),
    ("membership", "visitor", "create role chief bypassrls; grant chief to visitor"),
    ("membership", "visitor", "create role chief createrole; grant chief to visitor"),
    ("membership", "visitor", "grant pg_execute_server_program to visitor"),
    (
        "membership",
        "visitor",
        "create role chief; grant chief to visitor; alter table crm.words owner to chief",
    ),
    ("ownership", "visitor", "alter table crm.words owner to visitor"),
    ("ownership", "visitor", "alter schema crm owner to visitor"),
    ("ownership", "visitor", "alter function crm.tenant_lock(uuid) owner to visitor"),
    ("schema_create", "crm_app", "grant create on schema crm to crm_app"),
    ("temporary_tables", "crm_app", "grant temporary on database DATABASE to crm_app"),
    ("temporary_tables", "crm_app", "grant temporary on database DATABASE to public"),
    ("table_privileges", "crm_app", "grant truncate on crm.words to crm_app"),
    ("table_privileges", "crm_app", "grant trigger on crm.words to crm_app"),
    ("table_privileges", "crm_app", "grant references (tenant_id) on crm.words to crm_app"),
    ("history_privileges", "crm_app", "grant delete on crm.audit to crm_app"),
    ("history_privileges", "crm_app", "grant update (data) on crm.events to crm_app"),
    ("history_privileges", "crm_app", "grant insert on crm.migrations to crm_app"),
    ("public_privileges", "crm_app", "grant usage on schema crm to public"),
    ("public_privileges", "crm_app", "grant select on crm.words to public"),
    ("public_privileges", "crm_app", "grant select (word) on crm.words to public"),
    ("public_execute", "crm_app", "grant execute on function crm.tenant_lock(uuid) to public"),
    (
        "tenant_column",
        "crm_app",
        "create table crm.planted (tenant_id uuid); select crm.protect('crm.planted')",
    ),
    ("row_security", "crm_app", "alter table crm.words disable row level security"),
    ("row_security", "crm_app", "alter table crm.tenants disable row level security"),
    ("row_security_forced", "crm_app", "alter table crm.words no force row level security"),
    ("permissive_policy", "crm_app", "drop policy allowed on crm.words"),
    ("restrictive_policy", "crm_app", "drop policy own_tenant on crm.words"),
    ("restrictive_policy", "crm_app", "alter policy own_tenant on crm.words with check (true)"),
    ("restrictive_policy", "crm_app", "alter policy own_tenant on crm.words using (true)"),
    ("restrictive_policy", "crm_app", "alter policy own_tenant on crm.words to crm_owner"),
    (
        "restrictive_policy",
        "crm_app",
        "alter policy own_tenant on crm.words
            using (tenant_id = (select nullif(current_setting('app.tenant_id', true), '')::uuid))",
    ),
    (
        "restrictive_policy",
        "crm_app",
        "drop policy own_tenant on crm.words;
            create policy own_tenant on crm.words as restrictive for select
            using (tenant_id = (select nullif(current_setting('crm.tenant_id', true), '')::uuid))",
    ),
    (
        "restrictive_policy",
        "crm_app",
        "drop policy own_tenant on crm.words; create policy own_tenant on crm.words
            using (tenant_id = (select nullif(current_setting('crm.tenant_id', true), '')::uuid))",
    ),
    (
        "policies_of_tenants",
        "crm_app",
        "alter policy own_tenant_or_system on crm.tenants using (true)",
    ),
    ("policies_of_tenants", "crm_app", "drop policy own_tenant_or_system on crm.tenants"),
    ("policies_of_tenants", "crm_app", "drop policy own_tenant_insert on crm.tenants"),
    ("policies_of_tenants", "crm_app", "drop policy own_tenant_delete on crm.tenants"),
    (
        "policies_of_tenants",
        "crm_app",
        "alter policy own_tenant_update on crm.tenants with check (true)",
    ),
    (
        "policies_of_tenants",
        "crm_app",
        "alter policy own_tenant_or_system on crm.sign_in_names using (true)",
    ),
    (
        "policies_of_tenants",
        "crm_app",
        "drop policy own_tenant_insert on crm.sign_in_names",
    ),
    (
        "row_security",
        "crm_app",
        "alter table crm.sign_in_names disable row level security",
    ),
    ("row_security", "crm_app", "alter table crm.jobs disable row level security"),
    (
        "policies_of_tenants",
        "crm_app",
        "alter policy own_tenant_or_system on crm.schedules using (true)",
    ),
    (
        "policies_of_tenants",
        "crm_app",
        "drop policy own_tenant_update on crm.telephony_accounts",
    ),
    ("policies_of_tenants", "crm_app", "drop policy own_tenant_insert on crm.jobs"),
    (
        "policies_of_tenants",
        "crm_app",
        "alter policy own_tenant_or_system_update on crm.jobs with check (true)",
    ),
    ("policies_of_tenants", "crm_app", "drop policy own_tenant_or_system_delete on crm.jobs"),
    ("queue_privileges", "crm_app", "grant update on crm.jobs to crm_app"),
    ("queue_privileges", "crm_app", "grant update (tenant_id) on crm.jobs to crm_app"),
    (
        "unprotected_partition",
        "crm_app",
        "create table crm.planted (tenant_id uuid primary key) partition by hash (tenant_id);
            create table crm.leaf partition of crm.planted for values with (modulus 1, remainder 0);
            select crm.protect('crm.planted')",
    ),
    (
        "unprotected_partition",
        "crm_app",
        "create table crm.planted (tenant_id uuid primary key) partition by hash (tenant_id);
            create table public.leaf partition of crm.planted for values with (modulus 1, remainder 0);
            select crm.protect('crm.planted')",
    ),
    ("unprotected_partition", "crm_app", "create table public.child () inherits (crm.words)"),
    ("key_without_tenant", "crm_app", "create unique index on crm.users (email_key)"),
    ("key_without_tenant", "crm_app", "create unique index on crm.users (email_key, tenant_id)"),
    ("key_without_tenant", "crm_app", "alter table crm.words add exclude using btree (word with =)"),
    ("index_without_tenant", "crm_app", "create index on crm.words (word)"),
    // An index that may begin with something else is known by its table and its name.
    ("index_without_tenant", "crm_app", "create index on crm.sign_in_names (user_id)"),
    ("index_without_tenant", "crm_app", "create index sign_in_names_value2 on crm.sign_in_names (value)"),
    ("index_without_tenant", "crm_app", "create index on crm.jobs (kind)"),
    ("index_without_tenant", "crm_app", "create index on crm.schedules (next_at)"),
    (
        "key_without_tenant",
        "crm_app",
        "create unique index on crm.sign_in_names (value, tenant_id)",
    ),
    ("index_without_tenant", "crm_app", "create index on crm.words ((tenant_id::text))"),
    (
        "foreign_key_without_tenant",
        "crm_app",
        "alter table crm.words add foreign key (word) references crm.tenants (slug)",
    ),
    (
        "foreign_key_without_tenant",
        "crm_app",
        "alter table crm.terms add foreign key (contact_id, tenant_id) references crm.contacts (tenant_id, id)",
    ),
    (
        "foreign_key_without_tenant",
        "crm_app",
        "create table public.planted (slug text references crm.tenants (slug))",
    ),
    ("view", "crm_app", "create view crm.planted as select * from crm.words"),
    ("view", "crm_app", "create view public.planted as select * from crm.words"),
    (
        "view",
        "crm_app",
        "create view crm.planted with (security_invoker = off) as select * from crm.words",
    ),
    ("materialized_view", "crm_app", "create materialized view crm.planted as select 1 as one"),
    (
        "materialized_view",
        "crm_app",
        "create materialized view public.planted as select * from crm.words",
    ),
    (
        "foreign_table",
        "crm_app",
        "create foreign data wrapper planted; create server planted foreign data wrapper planted;
            create foreign table crm.planted (tenant_id uuid) server planted",
    ),
    ("sequence", "crm_app", "create sequence crm.planted"),
    (
        "sequence",
        "crm_app",
        "alter table crm.words add number bigint generated always as identity",
    ),
    ("security_definer", "crm_app", "alter function crm.tenant_lock(uuid) security definer"),
    ("leakproof_function", "crm_app", "alter function crm.tenant_lock(uuid) leakproof"),
    ("rule_or_trigger", "crm_app", "create rule planted as on insert to crm.words do also nothing"),
    (
        "rule_or_trigger",
        "crm_app",
        "create trigger planted before update on crm.users for each row
            execute function suppress_redundant_updates_trigger()",
    ),
    ("preset_tenant", "crm_app", "alter role crm_app set crm.system = 'always'"),
    (
        "preset_tenant",
        "crm_app",
        "alter database DATABASE set crm.tenant_id = '019aa0f0-7d3a-7000-8000-000000000001'",
    ),
    ("preset_tenant", "crm_app", "alter function crm.tenant_lock(uuid) set crm.system = 'always'"),
];

/// What looks like a breach and is none.
const ALLOWED: &[&str] = &[
    "create view public.planted with (security_invoker = true) as select * from crm.words",
    "create index on crm.words (tenant_id, hashtext(word))",
    "create policy narrower on crm.words as restrictive using (word <> '')",
    "create table crm.planted (tenant_id uuid primary key) partition by hash (tenant_id);
        create table crm.leaf partition of crm.planted for values with (modulus 1, remainder 0);
        select crm.protect('crm.planted'); select crm.protect('crm.leaf')",
    // The host's own things beside ours.
    "create table public.planted (id serial primary key, contact uuid, tenant_id uuid,
        foreign key (tenant_id, contact) references crm.contacts (tenant_id, id))",
];

async fn installed() -> TestDatabase {
    let database = TestDatabase::create(None).await;
    Installation::default().run(&database.admin_url()).await.unwrap();
    database
}

/// Looks, as `login`, at what `planted` makes of the database, and takes it back.
async fn look(
    admin: &mut PgConnection,
    database: &TestDatabase,
    login: &str,
    planted: &str,
) -> (Vec<Finding>, crm_core::Result<()>) {
    let mut transaction = admin.begin().await.unwrap();
    let planted = planted.replace("DATABASE", database.name());
    let sql = format!(
        "create role visitor login noinherit; {planted}; set local session authorization {login}"
    );
    run(&mut transaction, sql).await;
    let schema = SchemaName::default();
    let findings = isolation::findings(&mut transaction, &schema).await.unwrap();
    let check = isolation::check(&mut transaction, &schema).await;
    transaction.rollback().await.unwrap();
    (findings, check)
}

fn broken(findings: &[Finding]) -> Vec<&'static str> {
    findings.iter().filter(|finding| !finding.good).map(|finding| finding.check).collect()
}

#[tokio::test]
async fn every_rule_catches_what_breaks_it_and_nothing_else() {
    let database = installed().await;
    let mut admin = connect(&database.admin_url()).await;
    let (whole, check) = look(&mut admin, &database, "crm_app", "select 1").await;
    assert_eq!(broken(&whole), [] as [&str; 0], "{whole:?}");
    check.unwrap();

    for (rule, login, planted) in PLANTED {
        let (findings, check) = look(&mut admin, &database, login, planted).await;
        assert_eq!(broken(&findings), [*rule], "{planted}: {findings:?}");
        let error = check.unwrap_err();
        assert_eq!((error.kind(), error.fields().len()), (ErrorKind::Invalid, 1), "{planted}");
        assert_eq!(error.fields()[0].code, *rule);
        assert!(!error.to_string().contains('\n') && !error.to_string().ends_with('.'), "{error}");
    }
    let planted: BTreeSet<&str> = PLANTED.iter().map(|(rule, ..)| *rule).collect();
    let rules: BTreeSet<&str> = whole.iter().map(|finding| finding.check).collect();
    assert_eq!(rules, planted, "a rule has no database that breaks it");

    for allowed in ALLOWED {
        let (findings, _) = look(&mut admin, &database, "crm_app", allowed).await;
        assert_eq!(broken(&findings), [] as [&str; 0], "{allowed}: {findings:?}");
    }
}

#[tokio::test]
async fn all_that_is_wrong_is_named_at_once_with_its_objects() {
    let database = installed().await;
    let mut admin = connect(&database.admin_url()).await;
    let planted = "create table crm.planted (id integer); create index on crm.words (word)";
    let (findings, check) = look(&mut admin, &database, "crm_app", planted).await;
    let expected = [
        "tenant_column",
        "row_security",
        "row_security_forced",
        "permissive_policy",
        "restrictive_policy",
        "index_without_tenant",
    ];
    assert_eq!(broken(&findings), expected);
    let error = check.unwrap_err();
    assert_eq!(error.fields().len(), expected.len());
    let text = error.to_string();
    assert!(text.contains("crm.planted; give the table a column `tenant_id"), "{text}");
    assert!(text.contains("crm.words_word_idx; begin the index with tenant_id"), "{text}");
}

#[tokio::test]
async fn the_doctor_has_a_line_for_each_rule() {
    let database = installed().await;
    let schema = SchemaName::default();
    let findings = doctor(&database.url_as("crm_app"), &schema).await.unwrap();
    assert!(findings.iter().all(|finding| finding.good), "{findings:?}");
    for check in ["server", "encoding", "role", "schema", "lock_timeout", "restrictive_policy"] {
        assert!(findings.iter().any(|finding| finding.check == check), "{check}");
    }
    // The administrator is no role to serve with, and has no timeouts.
    let findings = doctor(&database.admin_url(), &schema).await.unwrap();
    let wrong = broken(&findings);
    assert!(wrong.contains(&"superuser") && wrong.contains(&"statement_timeout"), "{wrong:?}");
}

/// Whether the tables could be laid out over several servers by tenant, asked in other words than the
/// rules ask.
#[tokio::test]
async fn the_schema_is_distributable() {
    let database = installed().await;
    let mut admin = connect(&database.admin_url()).await;
    let keys: Vec<(String, String, Vec<String>, Vec<String>)> = sqlx::query_as(
        "select conname::text, contype::text,
            array(select attname::text from unnest(conkey) with ordinality as key (number, place)
                join pg_attribute on attrelid = conrelid and attnum = number order by place),
            array(select attname::text from unnest(confkey) with ordinality as key (number, place)
                join pg_attribute on attrelid = confrelid and attnum = number order by place)
        from pg_constraint where connamespace = 'crm'::regnamespace
            and contype in ('p', 'u', 'f', 'x') and conname <> 'migrations_pkey'",
    )
    .fetch_all(&mut admin)
    .await
    .unwrap();
    assert!(keys.len() > 20, "{keys:?}");
    for (name, kind, columns, referred) in &keys {
        if name == "tenants_slug_key" {
            continue;
        }
        assert_eq!(columns[0], "tenant_id", "{name}");
        assert!(kind != "f" || referred[0] == "tenant_id", "{name}");
    }
    let definitions: Vec<String> = sqlx::query_scalar(
        "select indexdef from pg_indexes where schemaname = 'crm'
            and indexname not in ('migrations_pkey', 'tenants_slug_key', 'sign_in_names_value',
                'telephony_accounts_name', 'jobs_ready', 'jobs_due', 'jobs_leases', 'schedules_due')",
    )
    .fetch_all(&mut admin)
    .await
    .unwrap();
    for definition in definitions {
        assert!(definition.contains(" USING btree (tenant_id"), "{definition}");
    }
    let without_key: Vec<String> = sqlx::query_scalar(
        "select tables.table_name::text from information_schema.tables
            where table_schema = 'crm' and not exists (
                select from information_schema.table_constraints as key
                where key.table_schema = 'crm' and key.table_name = tables.table_name
                    and constraint_type = 'PRIMARY KEY'
            )
        union all select sequence_name::text from information_schema.sequences where sequence_schema = 'crm'",
    )
    .fetch_all(&mut admin)
    .await
    .unwrap();
    assert_eq!(without_key, [] as [&str; 0]);
}

/// A superuser's connection that has put on another role can take it off again.
#[tokio::test]
async fn a_role_that_was_put_on_does_not_hide_who_logged_in() {
    let database = installed().await;
    let mut admin = connect(&database.admin_url()).await;
    sqlx::query(AssertSqlSafe("set role crm_app")).execute(&mut admin).await.unwrap();
    let findings = isolation::findings(&mut admin, &SchemaName::default()).await.unwrap();
    assert!(broken(&findings).contains(&"superuser"), "{findings:?}");
}

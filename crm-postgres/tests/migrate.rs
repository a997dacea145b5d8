//! Installing: on an empty server and on one that has everything, by a superuser and by less, by the
//! program and by `psql`.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "tests"
)]

mod support;

use std::io::Write;
use std::process::{Command, Stdio};

use crm_core::{Error, ErrorKind};
use crm_postgres::{Installation, SchemaName, doctor};
use sqlx::PgConnection;
use support::server::OwnServer;
use support::{TestDatabase, connect, run};

/// The same server, another database.
fn inside(url: &str, database: &str) -> String {
    let (server, _) = url.rsplit_once('/').unwrap();
    format!("{server}/{database}")
}

async fn install(url: &str) -> Vec<String> {
    Installation::default().run(url).await.unwrap()
}

fn schema(name: &str) -> SchemaName {
    name.parse().unwrap()
}

/// What is wrong for the application.
async fn complaints(url: &str, schema: &SchemaName) -> Vec<String> {
    let findings = doctor(url, schema).await.unwrap();
    assert!(findings.len() > 30, "{findings:?}");
    let wrong = findings.into_iter().filter(|finding| !finding.good);
    wrong.map(|finding| format!("{}: {}", finding.check, finding.found)).collect()
}

#[track_caller]
fn assert_good(complaints: &[String]) {
    assert_eq!(complaints, &[] as &[String]);
}

async fn one<T>(connection: &mut PgConnection, sql: &'static str) -> T
where
    T: Send + Unpin + sqlx::Type<sqlx::Postgres> + for<'r> sqlx::Decode<'r, sqlx::Postgres>,
{
    sqlx::query_scalar(sql).fetch_one(connection).await.unwrap()
}

/// Everything of the schema but when it was made.
fn dump(url: &str) -> String {
    let output = Command::new("pg_dump").args(["--schema-only", "--dbname", url]).output().unwrap();
    assert!(output.status.success(), "{output:?}");
    let text = String::from_utf8(output.stdout).unwrap();
    // Newer servers guard a dump with a word of chance.
    text.lines().filter(|line| !line.starts_with('\\')).collect::<Vec<_>>().join("\n")
}

fn psql(url: &str, script: &str) -> String {
    let mut child = Command::new("psql")
        .args(["--no-psqlrc", "--quiet", "--tuples-only", "--no-align", url])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(script.as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success() && output.stderr.is_empty(), "{output:?}");
    String::from_utf8(output.stdout).unwrap()
}

#[tokio::test]
async fn a_second_run_changes_nothing() {
    let database = TestDatabase::create(None).await;
    let done = install(&database.admin_url()).await;
    assert!(done.contains(&"made the schema crm".to_owned()), "{done:?}");
    assert!(done.contains(&"applied migration 0001_tables".to_owned()), "{done:?}");
    assert_good(&complaints(&database.url_as("crm_app"), &SchemaName::default()).await);

    let before = dump(&database.admin_url());
    assert_eq!(install(&database.admin_url()).await, [] as [String; 0]);
    assert_eq!(dump(&database.admin_url()), before);
}

#[tokio::test]
async fn the_script_does_the_same_in_psql() {
    let [by_program, by_script] =
        [TestDatabase::create(None).await, TestDatabase::create(None).await];
    let done = install(&by_program.admin_url()).await;
    let script = Installation::default().script().unwrap();
    let said = psql(&by_script.admin_url(), &script);
    let said: Vec<String> =
        said.lines().map(|line| line.replace(by_script.name(), by_program.name())).collect();
    let tables = "applied migration 0001_tables".to_owned();
    assert!(said.contains(&tables) && done.contains(&tables), "{said:?}");
    assert_eq!(dump(&by_script.admin_url()), dump(&by_program.admin_url()));
    assert_good(&complaints(&by_script.url_as("crm_app"), &SchemaName::default()).await);
    assert_eq!(psql(&by_script.admin_url(), &script), "");
}

#[tokio::test]
async fn two_schemas_in_one_database_know_nothing_of_each_other() {
    let database = TestDatabase::create(None).await;
    install(&database.admin_url()).await;
    let other = schema("crm_other");
    let installation = Installation::default().schema(other.clone());
    let done = installation.run(&database.admin_url()).await.unwrap();
    assert!(done.contains(&"made the schema crm_other".to_owned()), "{done:?}");
    assert_good(&complaints(&database.url_as("crm_app"), &SchemaName::default()).await);
    assert_good(&complaints(&database.url_as("crm_app"), &other).await);

    // The tenant of one is none of the other.
    let mut app = connect(&database.url_as("crm_app")).await;
    let write = |schema: &str, setting: &str| {
        format!(
            "begin; select set_config('{setting}.tenant_id', '{TENANT}', true); \
             insert into {schema}.tenants (tenant_id, slug, version, doc) values ('{TENANT}', 'acme', 1, '{{}}'); commit"
        )
    };
    run(&mut app, write("crm_other", "crm_other")).await;
    let refused =
        sqlx::raw_sql(sqlx::AssertSqlSafe(write("crm", "crm_other"))).execute(&mut app).await;
    assert!(refused.unwrap_err().to_string().contains("row-level security"));
}

const TENANT: &str = "019aa0f0-7d3a-7000-8000-000000000001";

#[tokio::test]
async fn installations_at_once_wait_for_each_other() {
    let server = OwnServer::start();
    let mut admin = connect(&server.url_as("postgres")).await;
    let mut urls = Vec::new();
    for name in ["one", "two"] {
        run(&mut admin, format!("create database {name} template template0")).await;
        urls.push(inside(&server.url_as("postgres"), name));
    }
    // Several in each database, so that they meet at the schema, and over the roles of the server:
    // first where nothing is, then where only the password is to be set.
    for expected in [2, 0] {
        let installations: Vec<_> = (0..8)
            .map(|number| urls[number % urls.len()].clone())
            .map(|url| {
                let installation = Installation::default().app_password("secret");
                tokio::spawn(async move { installation.run(&url).await })
            })
            .collect();
        let mut applied = 0;
        for installation in installations {
            let done = installation.await.unwrap().unwrap();
            applied += done.iter().filter(|line| *line == "applied migration 0001_tables").count();
        }
        assert_eq!(applied, expected);
    }
    for url in urls {
        let url = url.replace("postgres@", "crm_app@");
        assert_good(&complaints(&url, &SchemaName::default()).await);
    }
}

#[tokio::test]
async fn the_owner_of_a_database_who_makes_roles_can_install() {
    let server = OwnServer::start();
    let mut admin = connect(&server.url_as("postgres")).await;
    run(&mut admin, "create role landlord login createrole".to_owned()).await;
    run(&mut admin, "create database host template template0 owner landlord".to_owned()).await;
    let url = |role: &str| inside(&server.url_as(role), "host");

    let done = install(&url("landlord")).await;
    assert!(done.contains(&"made landlord a member of crm_owner".to_owned()), "{done:?}");
    assert_good(&complaints(&url("crm_app"), &SchemaName::default()).await);
    assert_eq!(install(&url("landlord")).await, [] as [String; 0]);
    let mut inside = connect(&url("postgres")).await;
    let owners: Vec<String> = sqlx::query_scalar(
        "select distinct pg_get_userbyid(relowner)::text from pg_class where relnamespace = 'crm'::regnamespace",
    )
    .fetch_all(&mut inside)
    .await
    .unwrap();
    assert_eq!(owners, ["crm_owner"]);
    // Nobody else's database, nor with less.
    run(&mut admin, "create role guest login".to_owned()).await;
    for role in ["guest", "crm_app"] {
        let error = Installation::default().run(&url(role)).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Forbidden, "{role}: {error}");
    }
}

#[tokio::test]
async fn what_only_the_owner_of_the_database_may_is_left_to_him() {
    let server = OwnServer::start();
    let mut admin = connect(&server.url_as("postgres")).await;
    run(&mut admin, "create role helper login createrole".to_owned()).await;
    run(&mut admin, "grant create on database postgres to helper".to_owned()).await;
    // A role of the name that may too much already.
    run(&mut admin, "create role crm_app login createdb".to_owned()).await;

    let done = install(&server.url_as("helper")).await;
    let left =
        "left to be done by postgres: revoke temporary, create on database postgres from public";
    assert!(done.contains(&left.to_owned()), "{done:?}");
    let mended = "made the role crm_app nocreatedb".to_owned();
    assert!(done.contains(&mended), "{done:?}");
    let wrong = complaints(&server.url_as("crm_app"), &SchemaName::default()).await;
    assert_eq!(wrong.len(), 1, "{wrong:?}");
    assert!(wrong[0].starts_with("temporary_tables: crm_app;"), "{wrong:?}");
    install(&server.url_as("postgres")).await;
    assert_good(&complaints(&server.url_as("crm_app"), &SchemaName::default()).await);
}

#[tokio::test]
async fn the_password_lets_the_application_in() {
    let server = OwnServer::start();
    let mut admin = connect(&server.url_as("postgres")).await;
    let installation = Installation::default().app_password("it's \"secret\" \\ %41");
    installation.run(&server.url_as("postgres")).await.unwrap();
    let file: String = one(&mut admin, "select current_setting('hba_file')").await;
    let rules = "host all postgres 127.0.0.1/32 trust\nhost all all 127.0.0.1/32 scram-sha-256";
    run(
        &mut admin,
        format!("copy (select unnest(string_to_array('{rules}', E'\\n'))) to '{file}'"),
    )
    .await;
    run(&mut admin, "select pg_reload_conf()".to_owned()).await;
    // The file is read by the postmaster, which then tells; a new connection waits for neither.
    while one::<i64>(&mut admin, "select count(*) from pg_hba_file_rules").await != 2 {}

    let with = |password: &str| {
        server.url_as("crm_app").replace("crm_app@", &format!("crm_app:{password}@"))
    };
    let good = with("it%27s%20%22secret%22%20%5C%20%2541");
    assert_good(&complaints(&good, &SchemaName::default()).await);
    let error = doctor(&with("wrong"), &SchemaName::default()).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unavailable, "{error}");
    assert!(!format!("{installation:?}").contains("secret"));
    assert!(!installation.script().unwrap().contains("secret"));
}

#[tokio::test]
async fn positions_of_a_restored_dump_do_not_run_backwards() {
    let database = TestDatabase::create(None).await;
    install(&database.admin_url()).await;
    let mut admin = connect(&database.admin_url()).await;
    // As another server had counted: transaction 10^12, its third event.
    let position = (1_000_000_000_000_i64 << 19) + 3;
    run(
        &mut admin,
        format!(
            "insert into crm.tenants values ('{TENANT}', 'acme', 1, '{{}}');
             insert into crm.events values
                 ('{TENANT}', {position}, gen_random_uuid(), 'e', now(), 'a', 'r', 'c', '{TENANT}', '{{}}'),
                 ('{TENANT}', 7, gen_random_uuid(), 'e', now(), 'a', 'r', 'c', '{TENANT}', '{{}}')"
        ),
    )
    .await;
    let next = "select (pg_current_xact_id()::text::bigint + crm.position_base()) << 19";
    assert!(one::<i64>(&mut admin, next).await < position);

    let done = install(&database.admin_url()).await;
    assert!(done.len() == 1 && done[0].starts_with("raised the base"), "{done:?}");
    assert!(one::<i64>(&mut admin, next).await > position);
    assert_eq!(install(&database.admin_url()).await, [] as [String; 0]);
    // The rights of the function stay, and nothing stays set.
    assert_good(&complaints(&database.url_as("crm_app"), &SchemaName::default()).await);
    let mut app = connect(&database.url_as("crm_app")).await;
    assert!(one::<i64>(&mut app, next).await > position);
}

async fn refused(installed: Result<Vec<String>, Error>, words: &str) {
    let error = installed.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Conflict, "{error}");
    let text = error.to_string();
    assert!(text.contains(words) && !text.contains('\n') && !text.ends_with('.'), "{text}");
}

#[tokio::test]
async fn a_database_that_does_not_fit_is_refused() {
    let database = TestDatabase::create(None).await;
    let (url, app) = (database.admin_url(), database.url_as("crm_app"));
    let name = SchemaName::default();

    // Nothing there.
    let wrong = complaints(&app, &name).await;
    assert!(wrong[0].contains("crm-http migrate --database ADMIN_URL"), "{wrong:?}");

    install(&url).await;
    let mut admin = connect(&url).await;
    for (change, back, words) in [
        (
            "update crm.migrations set checksum = 'x' where version = 2",
            "update crm.migrations set checksum = decode(current_setting('test.checksum'), 'hex')
                where version = 2",
            "migration 0002_commit of the database is not the one of this program",
        ),
        (
            "insert into crm.migrations values (9999, 'new', 'x')",
            "delete from crm.migrations where version = 9999",
            "this program is older than the database",
        ),
    ] {
        let keep = "select set_config('test.checksum', encode(checksum, 'hex'), false)
            from crm.migrations where version = 2";
        run(&mut admin, keep.to_owned()).await;
        run(&mut admin, change.to_owned()).await;
        refused(Installation::default().run(&url).await, words).await;
        let wrong = complaints(&app, &name).await;
        assert!(wrong.len() == 1 && wrong[0].contains(words), "{wrong:?}");
        run(&mut admin, back.to_owned()).await;
        assert_good(&complaints(&app, &name).await);
    }
    run(&mut admin, "delete from crm.migrations where version = 3".to_owned()).await;
    let wrong = complaints(&app, &name).await;
    assert!(wrong.len() == 1 && wrong[0].contains("lacks migration 0003_reads"), "{wrong:?}");

    run(&mut admin, "create schema taken".to_owned()).await;
    let taken = Installation::default().schema(schema("taken"));
    refused(taken.run(&url).await, "belongs to postgres").await;
    let word = Installation::default().schema(schema("select"));
    refused(word.run(&url).await, "word of SQL").await;
    let mut other = connect(&support::admin_url()).await;
    let latin = format!("{}_latin", database.name());
    run(
        &mut other,
        format!("create database {latin} template template0 encoding latin1 locale 'C'"),
    )
    .await;
    let refusal = Installation::default().run(&url.replace(database.name(), &latin)).await;
    run(&mut other, format!("drop database {latin}")).await;
    refused(refusal, "encoding UTF8").await;
}

#[tokio::test]
async fn a_wrong_url_is_told_from_a_server_that_is_away() {
    for (url, kind) in [
        ("mysql://admin:secret@127.0.0.1/crm", ErrorKind::Invalid),
        ("postgres://admin:secret@127.0.0.1:99999/crm", ErrorKind::Invalid),
        ("postgres://admin:secret@127.0.0.1:1/crm", ErrorKind::Unavailable),
    ] {
        let error = Installation::default().run(url).await.unwrap_err();
        assert_eq!(error.kind(), kind, "{url}");
        assert!(!error.to_string().contains("secret"), "{error}");
    }
}

//! The tests' own tools do what the tests rely on.
#![allow(
    missing_docs,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "tests"
)]

mod support;

use std::sync::atomic::{AtomicUsize, Ordering};

use sqlx::{Connection, PgConnection};
use support::proxy::Proxy;
use support::server::OwnServer;
use support::{TestDatabase, admin_url, connect, run, template, template_name};

async fn count(connection: &mut PgConnection, sql: &'static str) -> i64 {
    sqlx::query_scalar(sql).fetch_one(connection).await.unwrap()
}

async fn text(connection: &mut PgConnection, sql: &'static str) -> String {
    sqlx::query_scalar(sql).fetch_one(connection).await.unwrap()
}

async fn databases(name: &str) -> i64 {
    let sql = "SELECT count(*) FROM pg_database WHERE datname = $1";
    let mut admin = connect(&admin_url()).await;
    sqlx::query_scalar(sql).bind(name).fetch_one(&mut admin).await.unwrap()
}

/// A name that no run before has used.
async fn new_template_name() -> String {
    let database = TestDatabase::create(None).await;
    template_name("support_works", &[database.name()])
}

async fn drop_template(name: &str) {
    run(&mut connect(&admin_url()).await, format!("DROP DATABASE {name} WITH (FORCE)")).await;
}

#[tokio::test]
async fn a_test_database_is_alone_and_ends_with_its_test() {
    let (one, other) = (TestDatabase::create(None).await, TestDatabase::create(None).await);
    let mut in_one = connect(&one.admin_url()).await;
    run(&mut in_one, "CREATE TABLE only_here ()".into()).await;
    let mut in_other = connect(&other.admin_url()).await;
    let tables = "SELECT count(*) FROM pg_tables WHERE tablename = 'only_here'";
    assert_eq!(count(&mut in_one, tables).await, 1);
    assert_eq!(count(&mut in_other, tables).await, 0);

    // Connections that are open do not save it.
    let name = one.name().to_owned();
    assert_eq!(databases(&name).await, 1);
    drop(one);
    assert_eq!(databases(&name).await, 0);
    assert_eq!(databases(other.name()).await, 1);
}

#[tokio::test]
async fn a_template_is_made_once_for_all_who_ask_at_once() {
    let name = new_template_name().await;
    let made = AtomicUsize::new(0);
    let ask = || {
        template(&name, async |url: String| {
            made.fetch_add(1, Ordering::SeqCst);
            let mut connection = connect(&url).await;
            run(&mut connection, "CREATE TABLE part (); SELECT pg_sleep(0.2)".into()).await;
            run(&mut connection, "CREATE TABLE whole ()".into()).await;
        })
    };
    tokio::join!(ask(), ask(), ask(), ask(), ask(), ask());
    assert_eq!(made.load(Ordering::SeqCst), 1);

    let (one, other) =
        tokio::join!(TestDatabase::create(Some(&name)), TestDatabase::create(Some(&name)));
    for database in [one, other] {
        let mut connection = connect(&database.admin_url()).await;
        assert_eq!(count(&mut connection, "SELECT count(*) FROM whole").await, 0);
    }
    drop_template(&name).await;
}

#[tokio::test]
async fn a_template_that_failed_half_way_is_made_again() {
    let name = new_template_name().await;
    let failing = tokio::spawn({
        let name = name.clone();
        async move {
            template(&name, async |url: String| {
                run(&mut connect(&url).await, "CREATE TABLE part ()".into()).await;
                panic!("planned");
            })
            .await
        }
    });
    assert!(failing.await.unwrap_err().is_panic());
    assert_eq!(databases(&name).await, 0);

    // Nor does a connection keep it from being whole that is forgotten open.
    let mut open = None;
    template(&name, async |url: String| {
        let connection = open.insert(connect(&url).await);
        run(connection, "CREATE TABLE part ()".into()).await;
    })
    .await;
    assert_eq!(databases(&name).await, 1);
    drop_template(&name).await;
}

#[tokio::test]
async fn grants_and_settings_of_the_database_come_along_from_the_template() {
    let name = new_template_name().await;
    template(&name, async |url: String| {
        run(
            &mut connect(&url).await,
            "DO $$ DECLARE here text := quote_ident(current_database()); BEGIN
                 EXECUTE 'REVOKE TEMPORARY ON DATABASE ' || here || ' FROM PUBLIC';
                 EXECUTE 'GRANT CREATE ON DATABASE ' || here || ' TO pg_monitor';
                 EXECUTE 'ALTER DATABASE ' || here || ' SET search_path = one, \"Two\"';
                 EXECUTE 'ALTER DATABASE ' || here || ' SET crm.mark = ''a=b''';
             END $$"
                .into(),
        )
        .await;
    })
    .await;
    let database = TestDatabase::create(Some(&name)).await;
    let mut connection = connect(&database.admin_url()).await;
    let rights = "SELECT concat_ws(' ',
        has_database_privilege('pg_monitor', current_database(), 'CREATE'),
        has_database_privilege('pg_monitor', current_database(), 'CONNECT'),
        has_database_privilege('pg_monitor', current_database(), 'TEMPORARY'),
        has_database_privilege('pg_read_all_data', current_database(), 'CREATE'))";
    assert_eq!(text(&mut connection, rights).await, "t t f f");
    assert_eq!(text(&mut connection, "SHOW search_path").await, "one, \"Two\"");
    assert_eq!(text(&mut connection, "SHOW crm.mark").await, "a=b");
    drop_template(&name).await;
}

#[tokio::test]
async fn roles_pass_pgbouncer_and_it_gives_a_server_connection_to_a_transaction() {
    let database = TestDatabase::create(None).await;
    let role = format!("{}_role", database.name());
    let mut admin = connect(&admin_url()).await;
    run(&mut admin, format!("CREATE ROLE {role} LOGIN")).await;

    assert_eq!(
        text(&mut connect(&database.url_as(&role)).await, "SELECT current_user::text").await,
        role
    );
    let backend = "SELECT concat_ws(' ', current_user, current_database(), pg_backend_pid())";
    let mut backends = Vec::new();
    let mut clients = Vec::new();
    for _ in 0..2 {
        let mut client = connect(&database.bouncer_url_as(&role)).await;
        // Not prepared: the name of a prepared statement would be the other client's too.
        let query = sqlx::query_scalar(backend).persistent(false);
        backends.push(query.fetch_one(&mut client).await.map(|row: String| row).unwrap());
        clients.push(client);
    }
    assert!(backends[0].starts_with(&format!("{role} {} ", database.name())), "{backends:?}");
    assert_eq!(backends[0], backends[1], "two clients, one server connection");

    drop((clients, database));
    run(&mut admin, format!("DROP ROLE {role}")).await;
}

#[tokio::test]
async fn the_proxy_counts_what_makes_the_server_answer() {
    let database = TestDatabase::create(None).await;
    let proxy = Proxy::start(&database.admin_url()).await;
    let mut connection = connect(&proxy.url(&database.admin_url())).await;
    assert_eq!(proxy.count(), 0, "logging in");

    sqlx::raw_sql("SELECT 1; SELECT 2").execute(&mut connection).await.unwrap();
    assert_eq!(proxy.count(), 1, "one message");

    let sql = "SELECT length($1)";
    let long = "x".repeat(1_000_000);
    for (round_trips, why) in [(2, "prepare and execute"), (1, "execute")] {
        proxy.reset();
        let query = sqlx::query_scalar::<_, i32>(sql).bind(&long);
        assert_eq!(query.fetch_one(&mut connection).await.unwrap(), 1_000_000);
        assert_eq!(proxy.count(), round_trips, "{why}");
    }

    proxy.reset();
    let mut transaction = connection.begin().await.unwrap();
    sqlx::query(sql).bind("short").execute(&mut *transaction).await.unwrap();
    transaction.commit().await.unwrap();
    assert_eq!(proxy.count(), 3, "begin, execute, commit");

    // A long answer, and another client.
    proxy.reset();
    let mut other = connect(&proxy.url(&database.admin_url())).await;
    let sql = "SELECT repeat('y', 1000) FROM generate_series(1, 5000)";
    assert_eq!(sqlx::raw_sql(sql).fetch_all(&mut other).await.unwrap().len(), 5000);
    connection.ping().await.unwrap();
    assert_eq!(proxy.count(), 2, "one of each client");
}

#[tokio::test]
async fn the_proxy_cuts_all_connections_and_serves_new_ones() {
    let database = TestDatabase::create(None).await;
    let proxy = Proxy::start(&database.admin_url()).await;
    let url = proxy.url(&database.admin_url());
    let (mut one, mut other) = (connect(&url).await, connect(&url).await);
    one.ping().await.unwrap();
    other.ping().await.unwrap();

    proxy.cut().await;
    assert!(matches!(one.ping().await, Err(sqlx::Error::Io(_))));
    assert!(matches!(other.ping().await, Err(sqlx::Error::Io(_))));
    connect(&url).await.ping().await.unwrap();
}

#[tokio::test]
async fn a_request_without_its_reply_has_been_carried_out() {
    let database = TestDatabase::create(None).await;
    let proxy = Proxy::start(&database.admin_url()).await;
    let url = proxy.url(&database.admin_url());
    let mut direct = connect(&database.admin_url()).await;
    run(&mut direct, "CREATE TABLE number (number int)".into()).await;
    let insert = "INSERT INTO number VALUES (1)";
    let rows = "SELECT count(*) FROM number";

    let mut client = connect(&url).await;
    let mut bystander = connect(&url).await;
    proxy.cut_before_next_reply();
    assert!(proxy.awaits_cut());
    let error = sqlx::raw_sql(insert).execute(&mut client).await.unwrap_err();
    assert!(matches!(error, sqlx::Error::Io(_)), "{error}");
    // Without waiting: the server was done before the client was cut off.
    assert_eq!(count(&mut direct, rows).await, 1);
    assert!(!proxy.awaits_cut());
    bystander.ping().await.unwrap();

    // More than the server's buffer holds: the reply begins before the request has ended.
    let mut client = connect(&url).await;
    let long =
        "INSERT INTO number SELECT * FROM generate_series(1, 5000) RETURNING repeat('z', 99)";
    proxy.cut_before_reply(2);
    assert!(sqlx::query(long).fetch_all(&mut client).await.is_err());
    assert_eq!(count(&mut direct, rows).await, 5001);

    // The first request prepares, the second would execute, and never comes.
    let mut client = connect(&url).await;
    proxy.cut_before_next_reply();
    assert!(sqlx::query(insert).execute(&mut client).await.is_err());
    assert_eq!(count(&mut direct, rows).await, 5001);
}

#[tokio::test]
async fn an_own_server_keeps_what_was_committed_when_it_is_killed() {
    let server = OwnServer::start();
    let url = server.url_as("postgres");
    let mut connection = connect(&url).await;
    assert_eq!(text(&mut connection, "SHOW fsync").await, "on");
    run(&mut connection, "CREATE TABLE number (number int)".into()).await;

    let ends: [fn(&OwnServer); 2] = [OwnServer::kill_9, OwnServer::stop_immediate];
    for (before, end) in (0..).zip(ends) {
        let mut open = connect(&url).await;
        run(&mut open, "INSERT INTO number VALUES (1)".into()).await;
        run(&mut open, "BEGIN; DELETE FROM number".into()).await;
        end(&server);
        assert!(open.ping().await.is_err());
        assert!(PgConnection::connect(&url).await.is_err());
        server.restart();
        let mut again = connect(&url).await;
        assert_eq!(count(&mut again, "SELECT count(*) FROM number").await, before + 1);
    }

    drop(server);
    assert!(PgConnection::connect(&url).await.is_err());
}

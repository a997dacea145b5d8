//! What tests on a server need: a database of their own, a server of their own, a wire to cut.
#![allow(dead_code, reason = "each test program uses its part")]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests")]
#![allow(clippy::disallowed_methods, reason = "waits for programs")]

pub(crate) mod proxy;
pub(crate) mod server;

mod address;

use std::collections::hash_map::{DefaultHasher, RandomState};
use std::hash::{BuildHasher, Hash, Hasher};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use address::Address;
use sqlx::{AssertSqlSafe, Connection, PgConnection};

/// A superuser's URL of the server that the tests share; its database is for maintenance only.
pub(crate) fn admin_url() -> String {
    from_environment("CRM_TEST_DATABASE_URL")
}

fn from_environment(variable: &str) -> String {
    std::env::var(variable).ok().filter(|url| !url.is_empty()).unwrap_or_else(|| {
        panic!(
            "{variable} is not set: run the tests with `scripts/test`, \
             or start servers for them with `eval \"$(scripts/services start /tmp/crm-services)\"`"
        )
    })
}

/// A database that only one test knows, dropped with it.
///
/// Roles belong to the server and so to all tests on it.
pub(crate) struct TestDatabase {
    name: String,
}

impl TestDatabase {
    /// A copy of the template, or an empty database, of a name that no other test has.
    ///
    /// The template's grants and settings of the database itself come along, which PostgreSQL
    /// would leave behind.
    pub(crate) async fn create(template: Option<&str>) -> TestDatabase {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        // A process id comes again, also while a database of its former bearer is left over.
        let random = RandomState::new().hash_one(number) & 0xffff_ffff;
        let name = format!("crm_test_{}_{number}_{random:08x}", std::process::id());

        let mut admin = connect(&admin_url()).await;
        let source = template.unwrap_or("template0");
        // Owned by a guard before it exists, so that a cancelled test leaves nothing either.
        let database = TestDatabase { name };
        run(&mut admin, format!("CREATE DATABASE {} TEMPLATE {source}", database.name)).await;
        if let Some(template) = template {
            let statements: Vec<String> = sqlx::query_scalar(OF_THE_DATABASE)
                .bind(template)
                .bind(&database.name)
                .fetch_all(&mut admin)
                .await
                .unwrap();
            run(&mut admin, statements.join("; ")).await;
        }
        admin.close().await.unwrap();
        database
    }

    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    /// As the superuser.
    pub(crate) fn admin_url(&self) -> String {
        Address::parse(&admin_url()).database(&self.name).to_string()
    }

    pub(crate) fn url_as(&self, user: &str) -> String {
        Address::parse(&admin_url()).database(&self.name).user(user).to_string()
    }

    /// Through pgbouncer, whose server connections serve one transaction at a time.
    pub(crate) fn bouncer_url_as(&self, user: &str) -> String {
        let bouncer = from_environment("CRM_TEST_PGBOUNCER_URL");
        Address::parse(&bouncer).database(&self.name).user(user).to_string()
    }
}

impl Drop for TestDatabase {
    fn drop(&mut self) {
        let sql = format!("DROP DATABASE IF EXISTS {} WITH (FORCE)", self.name);
        // A thread of its own: this one may be inside a runtime. No failure hides the test's own.
        let _ = std::thread::spawn(move || {
            let drop = async {
                let mut admin = PgConnection::connect(&admin_url()).await?;
                sqlx::raw_sql(AssertSqlSafe(sql)).execute(&mut admin).await
            };
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
            runtime.map(|runtime| {
                runtime
                    .block_on(async { tokio::time::timeout(Duration::from_secs(10), drop).await })
            })
        })
        .join();
    }
}

/// The statements that give database $2 the owner, grants and settings of database $1.
const OF_THE_DATABASE: &str = "
    WITH source AS (
        SELECT oid, datdba, coalesce(datacl, acldefault('d', datdba)) AS acl
        FROM pg_database WHERE datname = $1
    )
    SELECT format('ALTER DATABASE %I OWNER TO %I', $2, pg_get_userbyid(datdba)) FROM source
    UNION ALL
    SELECT format('REVOKE ALL ON DATABASE %I FROM PUBLIC', $2)
    UNION ALL
    SELECT format('GRANT %s ON DATABASE %I TO %s%s', privilege_type, $2,
        CASE grantee WHEN 0 THEN 'PUBLIC' ELSE quote_ident(pg_get_userbyid(grantee)) END,
        CASE WHEN is_grantable THEN ' WITH GRANT OPTION' END)
    FROM source, aclexplode(acl)
    UNION ALL
    SELECT format('SELECT set_config(%L, %L, true); ALTER %s SET %I FROM CURRENT',
        setting[1], setting[2],
        CASE setrole WHEN 0 THEN format('DATABASE %I', $2)
            ELSE format('ROLE %I IN DATABASE %I', pg_get_userbyid(setrole), $2) END,
        setting[1])
    FROM source JOIN pg_db_role_setting ON setdatabase = source.oid, unnest(setconfig) AS entry,
        regexp_match(entry, '^([^=]+)=(.*)$') AS setting
";

/// `prefix` with a hash of what the template is made of: changed migrations make another template.
pub(crate) fn template_name(prefix: &str, made_of: &[&str]) -> String {
    // Not `RandomState`: every process must find the same name.
    let mut hasher = DefaultHasher::new();
    made_of.hash(&mut hasher);
    format!("{prefix}_{:016x}", hasher.finish())
}

/// The name, once a database of that name stands as `make` has filled it, given an administrator's
/// URL of it.
///
/// However many processes ask at once, one makes it and the others wait; what a crash has left half
/// done is made again. Nobody can connect to it, so that it can always be copied.
pub(crate) async fn template(name: &str, make: impl AsyncFnOnce(String)) -> String {
    // PostgreSQL cuts names at 63 bytes, silently.
    assert!(name.len() <= 55, "the template's name `{name}` has more than 55 bytes");
    let mut admin = connect(&admin_url()).await;
    if !exists(&mut admin, name).await {
        // Held by the connection, so that it ends with this process at the latest.
        sqlx::query("SELECT pg_advisory_lock(hashtextextended($1, 0))")
            .bind(name)
            .execute(&mut admin)
            .await
            .unwrap();
        if !exists(&mut admin, name).await {
            let making = format!("{name}_making");
            run(&mut admin, format!("DROP DATABASE IF EXISTS {making} WITH (FORCE)")).await;
            run(&mut admin, format!("CREATE DATABASE {making} TEMPLATE template0")).await;
            make(Address::parse(&admin_url()).database(&making).to_string()).await;
            run(&mut admin, format!("ALTER DATABASE {making} ALLOW_CONNECTIONS false")).await;
            sqlx::query(
                "SELECT pg_terminate_backend(pid, 10000) FROM pg_stat_activity WHERE datname = $1",
            )
            .bind(&making)
            .execute(&mut admin)
            .await
            .unwrap();
            run(&mut admin, format!("ALTER DATABASE {making} RENAME TO {name}")).await;
        }
    }
    admin.close().await.unwrap();
    name.to_owned()
}

async fn exists(admin: &mut PgConnection, database: &str) -> bool {
    sqlx::query_scalar("SELECT EXISTS (SELECT FROM pg_database WHERE datname = $1)")
        .bind(database)
        .fetch_one(admin)
        .await
        .unwrap()
}

pub(crate) async fn connect(url: &str) -> PgConnection {
    let connection = PgConnection::connect(url).await;
    connection.unwrap_or_else(|error| panic!("cannot connect to `{url}`: {error}"))
}

/// Statements without parameters, of which a test has made the text.
pub(crate) async fn run(connection: &mut PgConnection, sql: String) {
    let result = sqlx::raw_sql(AssertSqlSafe(sql.clone())).execute(connection).await;
    result.unwrap_or_else(|error| panic!("`{sql}`: {error}"));
}

//! The server on PostgreSQL.

use crate::database::ServerDatabase;
use crate::http;
use crate::process::Server;
use crate::shell::Shell;

#[test]
fn a_store_that_is_gone_is_not_ready_and_says_so_without_details() {
    let shell = Shell::new();
    let database = ServerDatabase::create();
    shell.ok(&["migrate", "--database", &database.admin_url()]);
    let url = database.url_as("crm_app");
    let server = Server::start(&shell, &["--database", &url]);
    assert!(shell.path("crm.keys.toml").exists());
    assert!(shell.read("stderr").contains("by --keys"), "the keys are for every server");
    assert_eq!(server.get("/health/ready").status, 200);
    assert_eq!(server.get_as(&server.token(), "/auth/me").status, 200);
    let metrics = http::send(&server.metrics, &http::request("GET", "/metrics", &[], "")).body;
    assert!(metrics.contains("crm_postgres_connection_wait_seconds_count"), "{metrics}");

    drop(database);
    let ready = server.get("/health/ready");
    assert_eq!(ready.status, 503, "{ready:?}");
    assert_eq!(ready.json()["status"], "unavailable");
    assert_eq!(ready.json()["checks"][0]["name"], "store");
    assert!(!ready.body.contains("crm_test"), "{ready:?}");
    assert_eq!(server.get("/health/live").status, 200);
}

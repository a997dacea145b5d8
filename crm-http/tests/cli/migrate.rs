//! `migrate`, and `doctor` on what it made.

use crate::server::ServerDatabase;
use crate::shell::Shell;

#[test]
fn a_database_is_made_ready_once() {
    let (shell, database) = (Shell::new(), ServerDatabase::create());
    let (admin, app) = (database.admin_url(), database.url_as("crm_app"));

    // As the administrator: on a new server nobody else is there yet.
    let before = shell.run(&["doctor", "--database", &admin]);
    assert_eq!(before.status, 1, "{before:?}");
    assert!(before.out.contains("crm-http migrate --database"), "{before:?}");

    let first = shell.ok(&["migrate", "--database", &admin]);
    assert!(first.contains("applied migration 0001_tables\n"), "{first}");
    assert_eq!(shell.ok(&["migrate", "--database", &admin]), "nothing was to be done\n");
    let json = shell.json(&["migrate", "--database", &admin]);
    assert_eq!(json["done"], serde_json::json!([]));

    let after = shell.run(&["doctor", "--database", &app]);
    assert_eq!((after.status, after.err.as_str()), (0, ""), "{after:?}");
    assert!(after.out.contains("row_security_forced"), "{after:?}");
    let as_admin = shell.run(&["doctor", "--database", &admin]);
    assert_eq!(as_admin.status, 1);
    assert!(as_admin.err.contains("superuser"), "{as_admin:?}");
}

#[test]
fn another_schema_is_named_by_option_or_environment() {
    let (shell, database) = (Shell::new(), ServerDatabase::create());
    let (admin, app) = (database.admin_url(), database.url_as("crm_app"));
    let made = shell.ok(&["migrate", "--database", &admin, "--schema", "crm_two"]);
    assert!(made.contains("made the schema crm_two"), "{made}");
    let environment = [("CRM_SCHEMA", "crm_two"), ("CRM_DATABASE_URL", app.as_str())];
    assert_eq!(shell.run_with(&["doctor"], &environment).status, 0);
    assert_eq!(shell.run(&["doctor", "--database", &app]).status, 1);
}

#[test]
fn the_script_is_printed_without_a_database_or_a_password() {
    let shell = Shell::new();
    let done = shell.run_with(&["migrate", "--print"], &[("CRM_APP_PASSWORD", "secret")]);
    assert_eq!((done.status, done.err.as_str()), (0, ""));
    assert!(done.out.starts_with("\\set ON_ERROR_STOP on\n"));
    assert!(done.out.contains("alter role crm_app password 'SCRAM-SHA-256$4096:"));
    assert!(!done.out.contains("secret"));
    assert_eq!(shell.files(), [] as [&str; 0]);
}

#[test]
fn what_cannot_be_done_is_one_line() {
    let (shell, database) = (Shell::new(), ServerDatabase::create());
    let admin = database.admin_url();
    shell.ok(&["migrate", "--database", &admin]);
    let app = database.url_as("crm_app");
    let cases = [
        (shell.run(&["migrate", "--database", &app]), 1, "use a superuser"),
        (shell.run(&["migrate", "--database", &admin, "--schema", "select"]), 1, "word of SQL"),
        (shell.run(&["migrate", "--database", "sqlite://crm.db"]), 2, "needs no `migrate`"),
        (
            shell.run_with(&["migrate", "--database", &admin], &[("CRM_APP_PASSWORD", "")]),
            2,
            "CRM_APP_PASSWORD: the password is empty",
        ),
    ];
    for (done, status, words) in cases {
        assert_eq!((done.status, done.out.as_str()), (status, ""), "{done:?}");
        assert!(done.err.contains(words) && done.err.lines().count() == 1, "{done:?}");
    }
}

/// The commands of the README, from a file to a server.
#[test]
fn contacts_move_from_a_file_to_a_server() {
    let (shell, database) = (Shell::with_tenant(), ServerDatabase::create());
    shell
        .write("contacts.csv", "First Name,Last Name,Email\nJane,Smith,jane@example.com\nBo,Li,\n");
    shell.ok(&["import", "--tenant", "acme", "contacts.csv"]);
    shell.ok(&["export", "--tenant", "acme", "--output", "contacts.jsonl"]);

    let (admin, app) = (database.admin_url(), database.url_as("crm_app"));
    shell.ok(&["migrate", "--database", &admin]);
    let on_server = [("CRM_DATABASE_URL", app.as_str()), ("CRM_TENANT", "acme")];
    for (args, words) in [
        (vec!["tenant", "create", "--name", "Acme", "--owner", "o@acme.example"], "acme"),
        (vec!["import", "contacts.jsonl"], "contacts.jsonl  2     2"),
        (vec!["search", "jane smtih"], "Jane Smith"),
        (vec!["search", "--simple-protocol", "jane smtih"], "Jane Smith"),
        (vec!["timeline", "jane smith"], "contact_created"),
        (vec!["export"], "jane@example.com"),
        (vec!["seed", "--contacts", "20", "--activities", "2", "--tenant", "many"], "20"),
    ] {
        let done = shell.run_with(&args, &on_server);
        assert_eq!(done.status, 0, "{args:?}: {done:?}");
        assert!(done.out.contains(words), "{args:?}: {done:?}");
    }
    let refused = shell.run(&["search", "--database", &admin, "--tenant", "acme", "jane"]);
    assert_eq!((refused.status, refused.err.lines().count()), (2, 1), "{refused:?}");
    assert!(refused.err.contains("connect as `crm_app`"), "{refused:?}");
}

//! `doctor`.

use crate::shell::Shell;

#[test]
fn a_good_database_has_no_complaint() {
    let shell = Shell::with_tenant();
    let done = shell.run(&["doctor"]);
    assert_eq!((done.status, done.err.as_str()), (0, ""));
    assert!(done.out.contains("integrity"), "{done:?}");
    let json = shell.json(&["doctor"]);
    assert_eq!(json["good"], true);
    let findings = json["findings"].as_array().unwrap();
    assert!(!findings.is_empty());
    assert!(findings.iter().all(|finding| finding["check"].is_string() && finding["good"] == true));
}

#[test]
fn what_is_no_database_is_said_to_be_none() {
    let shell = Shell::new();
    shell
        .write("crm.db", "this is not a database, and long enough to be seen as none. ".repeat(20));
    let done = shell.run(&["doctor"]);
    assert_eq!(done.status, 1);
    assert!(done.err.contains("crm.db"), "{done:?}");
}

#[test]
fn another_programs_database_is_named_wrong() {
    let shell = Shell::new();
    // An empty file is a database of SQLite without any table.
    shell.write("crm.db", "");
    let done = shell.run(&["doctor"]);
    assert_eq!(done.status, 1, "{done:?}");
    assert!(done.out.contains("WRONG"), "{done:?}");
    assert!(done.err.contains("schema"), "{done:?}");
    assert_eq!(shell.json(&["doctor"])["good"], false);
}

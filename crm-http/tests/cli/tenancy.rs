//! `tenant create`, and naming a tenant.

use crate::shell::Shell;

#[test]
fn a_tenant_and_its_owner_are_made() {
    let shell = Shell::new();
    let made = shell.json(&[
        "tenant",
        "create",
        "--name",
        "Straße & Co",
        "--owner",
        "ada@acme.example",
        "--region",
        "DE",
    ]);
    assert_eq!(made["tenant"]["slug"], "strasse-co");
    assert_eq!(made["tenant"]["default_region"], "DE");
    assert_eq!(made["user"]["email"], "ada@acme.example");
    assert_eq!(made["user"]["role"], "owner");
    assert_eq!(made["tenant"]["id"].as_str().unwrap().len(), 36);

    let password = made["password"].as_str().unwrap();
    assert_eq!((password.len(), password.matches('-').count()), (23, 3));

    let table = shell.ok(&["tenant", "create", "--name", "Other", "--owner", "bob@other.example"]);
    assert!(table.contains("other") && table.contains("bob@other.example"), "{table}");
    assert!(table.contains("the owner's password: "), "{table}");
}

#[test]
fn the_owners_password_can_be_given() {
    let shell = Shell::new();
    let args =
        ["tenant", "create", "--name", "Acme", "--owner", "ada@acme.example", "--password-stdin"];
    let none = shell.run_on(&args, b"");
    assert_eq!((none.status, none.err.contains("--password-stdin")), (2, true), "{none:?}");
    assert!(!shell.path("crm.db").exists());
    let made =
        shell.run_on(&[args.as_slice(), &["--json"]].concat(), b"three green walruses\nmore");
    assert_eq!(made.status, 0, "{made:?}");
    assert_eq!(made.json()["password"], serde_json::Value::Null);
    assert!(!made.out.contains("walruses") && !made.err.contains("walruses"), "{made:?}");

    let weak = shell.run_on(&[args.as_slice(), &["--slug", "weak"]].concat(), b"short\n");
    assert_eq!((weak.status, weak.err.lines().count()), (1, 1), "{weak:?}");
    assert!(weak.err.contains("user reset --tenant weak ada@acme.example"), "{weak:?}");
}

#[test]
fn a_user_is_invited_anew() {
    let shell = Shell::with_tenant();
    let made = shell.json(&["user", "reset", "--tenant", "acme", "O@acme.example"]);
    assert_eq!(made["user"]["email"], "o@acme.example");
    assert!(made["invitation"].as_str().unwrap().len() > 40, "{made}");
    for email in ["nobody@acme.example", "nobody"] {
        let done = shell.run(&["user", "reset", "--tenant", "acme", email]);
        assert_eq!((done.status, done.err.contains("<EMAIL>")), (2, true), "{done:?}");
    }
}

#[test]
fn a_taken_slug_is_refused_with_the_way_out() {
    let shell = Shell::with_tenant();
    let done = shell.run(&["tenant", "create", "--name", "Acme", "--owner", "a@acme.example"]);
    assert_eq!(done.status, 1);
    assert!(done.err.contains("`acme`") && done.err.contains("--slug"), "{done:?}");
}

#[test]
fn an_unknown_tenant_names_the_nearest_and_some_others() {
    let shell = Shell::with_tenant();
    let done = shell.run(&["search", "--tenant", "acmee", "ada"]);
    assert!(done.err.contains("did you mean `acme`?"), "{done:?}");

    for slug in ["beta", "gamma", "delta", "epsilon", "zeta"] {
        shell.create_tenant(slug);
    }
    let done = shell.run(&["search", "--tenant", "unlike-all", "ada"]);
    assert_eq!(done.status, 2);
    assert!(!done.err.contains("did you mean"), "{done:?}");
    assert_eq!(done.err.matches('`').count(), 2 * (1 + 5), "{done:?}");
    assert!(done.err.contains("and more"), "{done:?}");
}

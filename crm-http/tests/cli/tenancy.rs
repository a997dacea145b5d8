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

    let table = shell.ok(&["tenant", "create", "--name", "Other", "--owner", "bob@other.example"]);
    assert!(table.contains("other") && table.contains("bob@other.example"), "{table}");
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

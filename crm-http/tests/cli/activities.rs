//! `timeline`.

use crate::shell::Shell;

fn shell() -> Shell {
    let shell = Shell::with_tenant();
    shell.write(
        "a.csv",
        "name,email,title\nAda Lovelace,ada@acme.example,Countess\nJohn Smith,john@a.example,\nJohn Smith,smith@b.example,\nAda Lovelacey,other@acme.example,\n",
    );
    shell.write("b.csv", "email,title\nada@acme.example,Analyst\n");
    shell.ok(&["import", "--tenant", "acme", "a.csv"]);
    shell.ok(&["import", "--tenant", "acme", "--on-conflict", "update", "b.csv"]);
    shell
}

#[test]
fn the_timeline_of_a_clear_query_and_of_an_id() {
    let shell = shell();
    let by_name = shell.json(&["timeline", "--tenant", "acme", "ada", "lovelace"]);
    assert_eq!(by_name["contact"]["display_name"], "Ada Lovelace");
    let kinds: Vec<_> = by_name["items"].as_array().unwrap().iter().map(|a| &a["kind"]).collect();
    assert_eq!(kinds, ["contact_updated", "contact_created"]);

    let id = by_name["contact"]["id"].as_str().unwrap();
    assert_eq!(shell.json(&["timeline", "--tenant", "acme", id]), by_name);
    let by_email = shell.json(&["timeline", "--tenant", "acme", "ADA@acme.example"]);
    assert_eq!(by_email, by_name);

    let table = shell.run(&["timeline", "--tenant", "acme", "--limit", "1", "ada lovelace"]);
    assert!(table.out.contains("title: `Countess` -> `Analyst`"), "{table:?}");
    assert!(table.err.contains("Ada Lovelace") && table.err.contains("--limit"), "{table:?}");
}

#[test]
fn several_that_could_be_meant_are_listed() {
    let shell = shell();
    let done = shell.run(&["timeline", "--tenant", "acme", "john smith"]);
    assert_eq!(done.status, 1);
    assert!(done.out.contains("john@a.example") && done.out.contains("smith@b.example"));
    assert!(done.err.contains("could mean 2 contacts"), "{done:?}");
    let json = shell.json(&["timeline", "--tenant", "acme", "john smith"]);
    assert_eq!(json["items"].as_array().unwrap().len(), 2);
}

#[test]
fn nobody_is_a_failure() {
    let shell = shell();
    for nobody in ["zzzzqqqq", "019aa0f0-7d3a-7000-8000-000000000000"] {
        let done = shell.run(&["timeline", "--tenant", "acme", nobody]);
        assert_eq!((done.status, done.out.as_str()), (1, ""), "{done:?}");
        assert!(done.err.contains(&format!("`{nobody}`")), "{done:?}");
    }
}

#[test]
fn another_tenants_contact_is_nobody() {
    let shell = shell();
    let ada = shell.json(&["timeline", "--tenant", "acme", "ada lovelace"]);
    shell.create_tenant("other");
    let done =
        shell.run(&["timeline", "--tenant", "other", ada["contact"]["id"].as_str().unwrap()]);
    assert_eq!((done.status, done.out.as_str()), (1, ""));
}

//! Wrong values, help, the environment.

use crate::shell::Shell;

#[test]
fn help_has_examples_and_the_version_is_told() {
    let shell = Shell::new();
    assert!(shell.ok(&["--version"]).starts_with("crm-http 0."));
    assert!(shell.ok(&["--help"]).contains("Examples:"));
    for command in ["import", "export", "search", "timeline", "seed", "migrate"] {
        let help = shell.ok(&[command, "--help"]);
        assert!(help.contains(&format!("crm-http {command} --")), "{help}");
        assert!(help.contains("[env: CRM_"), "{help}");
    }
}

#[test]
fn a_wrong_value_is_one_line_that_names_the_option() {
    let shell = Shell::with_tenant();
    shell.write("a.csv", "email\na@b.example\n");
    let import = |option: &'static str, value: &'static str| {
        (vec!["import", "--tenant", "acme", "a.csv", option, value], option)
    };
    let cases = [
        (vec![], "command"),
        (vec!["tenant"], "command"),
        (vec!["frobnicate"], "frobnicate"),
        (vec!["search", "--tenant", "acme"], "<QUERY>"),
        (vec!["search", "ada"], "--tenant"),
        (vec!["search", "--tenant", "No Slug", "ada"], "--tenant"),
        (vec!["search", "--tenant", "nobody", "ada"], "--tenant"),
        (vec!["search", "--tenant", "acme", "--limit", "0", "ada"], "--limit"),
        (vec!["search", "--tenant", "acme", "--limit", "many", "ada"], "--limit"),
        (vec!["search", "--tenant", "acme", "--nothing", "ada"], "--nothing"),
        (vec!["timeline", "--tenant", "acme", "--limit", "201", "ada"], "--limit"),
        (vec!["export", "--tenant", "acme", "--format", "xlsx"], "--format"),
        (vec!["seed", "--contacts", "-1"], "--contacts"),
        (vec!["seed", "--contacts", "1", "--seed", "x"], "--seed"),
        (vec!["tenant", "create", "--name", "A", "--owner", "nobody"], "--owner"),
        (
            vec!["tenant", "create", "--name", "A", "--owner", "a@b.example", "--region", "X1"],
            "--region",
        ),
        (vec!["doctor", "--database", "crm.db"], "--database"),
        (vec!["doctor", "--database", "sqlite://nothing.db"], "--database"),
        (vec!["doctor", "--schema", "public"], "--schema"),
        (vec!["migrate"], "--database"),
        (vec!["migrate", "--database", "postgres://host:many/crm"], "--database"),
        (vec!["import", "--tenant", "acme", "nothing.csv"], "nothing.csv"),
        (vec!["import", "--tenant", "acme", "."], "`.`"),
        import("--format", "xlsx"),
        import("--map", "Name"),
        import("--map", "Name=nickname"),
        import("--delimiter", "ab"),
        import("--on-conflict", "merge"),
        import("--errors", "no/such/folder.csv"),
    ];
    for (args, named) in cases {
        let done = shell.run(&args);
        assert_eq!(done.status, 2, "{args:?}: {done:?}");
        assert_eq!(done.out, "", "{args:?}");
        assert_eq!(done.err.lines().count(), 1, "{args:?}: {done:?}");
        assert!(
            done.err.starts_with("crm-http: ") && done.err.contains(named),
            "{args:?}: {done:?}"
        );
    }
}

#[test]
fn options_come_from_the_environment_too() {
    let shell = Shell::with_tenant();
    shell.write("a.csv", "email\nada@acme.example\nbob@acme.example\n");
    let environment = [("CRM_TENANT", "acme"), ("CRM_JSON", "true"), ("CRM_DRY_RUN", "yes")];
    let done = shell.run_with(&["import", "a.csv"], &environment);
    assert_eq!(done.json()["created"], 2, "{done:?}");
    assert_eq!(done.json()["dry_run"], true);

    let done = shell.run_with(&["search", "ada"], &[("CRM_TENANT", "acme"), ("CRM_LIMIT", "x")]);
    assert_eq!(done.status, 2);
    assert!(done.err.contains("--limit (from CRM_LIMIT): `x`"), "{done:?}");

    let url = format!("sqlite://{}", shell.path("other.db").display());
    let args = ["tenant", "create", "--name", "Acme", "--owner", "a@acme.example"];
    assert_eq!(shell.run_with(&args, &[("CRM_DATABASE_URL", &url)]).status, 0);
    assert!(shell.path("other.db").exists());
}

#[test]
fn the_password_of_a_server_is_not_repeated() {
    let shell = Shell::new();
    for given in
        ["postgres://crm:secret@127.0.0.1:1/crm", "postgresql://crm:secret@127.0.0.1:1/crm"]
    {
        for args in [vec!["doctor"], vec!["migrate"], vec!["search", "--tenant", "acme", "ada"]] {
            let done = shell.run(&[args.as_slice(), &["--database", given]].concat());
            assert_ne!(done.status, 0);
            assert_eq!((done.out.as_str(), done.err.lines().count()), ("", 1), "{done:?}");
            assert!(!done.err.contains("secret"), "{done:?}");
        }
    }
}

#[test]
fn no_command_makes_a_database_in_passing() {
    let shell = Shell::new();
    shell.write("a.csv", "email\na@b.example\n");
    for args in [
        vec!["import", "--tenant", "acme", "a.csv"],
        vec!["export", "--tenant", "acme"],
        vec!["search", "--tenant", "acme", "ada"],
        vec!["timeline", "--tenant", "acme", "ada"],
        vec!["doctor"],
    ] {
        let done = shell.run(&args);
        assert_eq!(done.status, 2, "{done:?}");
        assert!(done.err.contains("`crm-http tenant create "), "{done:?}");
    }
    assert_eq!(shell.files(), ["a.csv"]);
}

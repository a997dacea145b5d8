//! What the server is told, and by whom.

use crate::process::Server;
use crate::shell::Shell;

#[test]
fn the_command_line_comes_before_the_environment_and_that_before_the_file() {
    let shell = Shell::new();
    shell.write("crm.toml", "registration = \"closed\"\ndatabase = \"sqlite://own.db\"\n");
    let server = Server::start(&shell, &[]);
    assert_eq!(server.register().status, 403);
    assert!(shell.path("own.db").exists() && !shell.path("crm.db").exists());
    server.stop();

    let open = [("CRM_REGISTRATION", "open")];
    let server = Server::start_with(&shell, &[], &open);
    assert_eq!(server.register().status, 201);
    server.stop();

    let server = Server::start_with(&shell, &["--registration", "closed"], &open);
    assert_eq!(server.register().status, 403);
    server.stop();

    shell.write("other.toml", "registration = \"open\"\ncors_origins = [\"https://a.example\"]\n");
    let server = Server::start(&shell, &["--config", "other.toml"]);
    let reply = server.send("GET", "/health/live", &[("origin", "https://a.example")], "");
    assert_eq!(reply.header("access-control-allow-origin"), Some("https://a.example"));
    assert!(shell.path("crm.db").exists(), "the usual file is not read beside a named one");
}

#[test]
fn what_cannot_be_right_is_one_line_that_says_where() {
    let shell = Shell::new();
    let files = [
        ("lisen = \"127.0.0.1:1\"", vec!["crm.toml", "`lisen`", "`listen`"]),
        ("zzz = 1", vec!["crm.toml", "`zzz`", "--help"]),
        ("\n\nlisten = ", vec!["crm.toml", "line 3"]),
        ("listen = \"here\"", vec!["crm.toml: `listen`", "127.0.0.1:8080"]),
        ("listen = 1.5", vec!["crm.toml: `listen`"]),
        ("registration = \"maybe\"", vec!["crm.toml: `registration`", "`invitation`"]),
        ("rate_limit = 600", vec!["crm.toml: `rate_limit`", "600/10s"]),
        ("[rate]\nlimit = 1", vec!["crm.toml", "`rate`"]),
        ("trusted_proxies = [\"10.0.0.0/40\"]", vec!["crm.toml: `trusted_proxies`", "10.0.0.0/8"]),
        ("demo = true", vec!["crm.toml", "`demo`"]),
    ];
    for (content, named) in files {
        shell.write("crm.toml", content);
        let listens = content.contains("listen");
        let free = ["--listen", "127.0.0.1:0", "--metrics-listen", "off"];
        refused(&shell, if listens { &[] } else { &free }, &[], &named);
    }
    std::fs::remove_file(shell.path("crm.toml")).unwrap();
    refused(&shell, &["--config", "nothing.toml"], &[], &["--config", "nothing.toml"]);
    refused(&shell, &[], &[("CRM_LOG_LEVEL", "=,=")], &["--log-level (from CRM_LOG_LEVEL)"]);
    refused(&shell, &[], &[("CRM_BODY_LIMIT", "1MB")], &["(from CRM_BODY_LIMIT)", "1MiB"]);
    for (option, value, named) in [
        ("--listen", "localhost", "127.0.0.1:8080"),
        ("--metrics-listen", "on", "off"),
        ("--public-url", "crm.example", "https://"),
        ("--cors-origins", "https://a.example/", "https://app.example"),
        ("--proxy-header", "via", "forwarded"),
        ("--log-format", "xml", "json"),
        ("--token-algorithm", "HS256", "EdDSA"),
        ("--token-lifetime", "2h", "1h"),
        ("--time-limit", "30", "30s"),
        ("--rate-limit-address", "1/0s", "off"),
        ("--max-connections", "0", "10000"),
        ("--drain-timeout", "soon", "30s"),
        ("--keys", "no/such/folder/keys.toml", "no/such/folder"),
    ] {
        if option == "--keys" {
            let done = shell.run(&["serve", "--listen", "127.0.0.1:0", option, value]);
            assert_eq!(done.err.lines().count(), 1, "{done:?}");
            assert!(done.err.contains(named), "{done:?}");
            continue;
        }
        refused(&shell, &[option, value], &[], &[option, named]);
    }
    refused(&shell, &["--demo", "--listen", "0.0.0.0:0"], &[], &["--demo", "127.0.0.1"]);
}

pub(crate) fn refused(shell: &Shell, args: &[&str], environment: &[(&str, &str)], named: &[&str]) {
    let done = shell.run_with(&[&["serve"], args].concat(), environment);
    assert_eq!((done.status, done.out.as_str()), (2, ""), "{args:?} {named:?}: {done:?}");
    assert_eq!(done.err.lines().count(), 1, "{done:?}");
    for word in named {
        assert!(done.err.contains(word), "{word}: {done:?}");
    }
}

#[test]
fn help_is_there_whatever_the_file_says() {
    let shell = Shell::new();
    shell.write("crm.toml", "zzz = 1");
    assert!(shell.ok(&["serve", "--help"]).contains("--registration"));
}

#[test]
fn a_password_in_the_settings_is_not_logged() {
    let shell = Shell::new();
    let url = "postgres://crm:MARKER@127.0.0.1:1/crm";
    let done = shell.run(&[
        "serve",
        "--database",
        url,
        "--log-level",
        "trace",
        "--listen",
        "127.0.0.1:0",
        "--metrics-listen",
        "off",
    ]);
    assert_ne!(done.status, 0);
    assert!(done.err.contains("starting"), "{done:?}");
    assert!(!done.err.contains("MARKER"), "{done:?}");
}

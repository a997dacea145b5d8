//! From nothing to a server that answers.

use std::process::Command;

use serde_json::Value;

use crate::process::Server;
use crate::shell::Shell;

#[test]
fn nothing_needs_to_be_said() {
    let shell = Shell::new();
    let server = Server::start(&shell, &[]);
    assert_eq!(shell.files(), ["crm.db", "crm.keys.toml", "crm.recordings", "stderr"]);
    let live = server.get("/health/live");
    assert_eq!((live.status, live.json()["status"].as_str()), (200, Some("ok")));
    let ready = server.get("/health/ready");
    assert_eq!(ready.status, 200);
    assert_eq!(ready.json()["checks"][0]["name"], "store");
    assert_eq!(ready.json()["checks"][0]["status"], "ok");
    assert!(ready.json()["checks"][0]["latency_ms"].is_number());
    assert_eq!(ready.json()["checks"][1]["name"], "recordings");
    assert_eq!(ready.json()["checks"][1]["status"], "ok");

    // On a loopback address everybody may register.
    let token = server.token();
    assert_eq!(server.get_as(&token, "/auth/me").json()["user"]["email"], "ada@acme.example");
    server.stop();
}

#[test]
fn the_document_is_the_one_that_is_printed() {
    let shell = Shell::new();
    let server = Server::start(&shell, &[]);
    let printed: Value = serde_json::from_str(&shell.ok(&["openapi"])).unwrap();
    assert_eq!(server.get("/openapi.json").json(), printed);
    assert!(printed["paths"]["/health/ready"].is_object());
}

#[test]
fn a_demo_prints_lines_that_work_and_leaves_nothing() {
    let shell = Shell::new();
    let mut server = Server::start(&shell, &["--demo"]);
    let said = server.prints_until("The rest");
    assert!(said.contains("40 made-up people"), "{said}");
    let lines: String = said
        .lines()
        .filter(|line| line.starts_with("  "))
        .map(|line| format!("{line}\n"))
        .collect();
    let output = Command::new("sh").args(["-euc", &lines]).output().unwrap();
    assert!(output.status.success(), "{lines}: {output:?}");
    let replies: Vec<Value> = serde_json::Deserializer::from_slice(&output.stdout)
        .into_iter()
        .collect::<Result<_, _>>()
        .unwrap();
    assert_eq!(replies[0]["items"].as_array().unwrap().len(), 3);
    assert_eq!(replies[1]["user"]["email"], "owner@demo.example");
    server.stop();
    assert_eq!(shell.files(), ["stderr"], "the data and the keys were in a folder of their own");
}

/// The lines of the README's section on serving, after those that the demo prints.
#[test]
fn the_readme_s_lines_work_as_printed() {
    let shell = Shell::new();
    let mut server = Server::start(&shell, &["--demo"]);
    let said = server.prints_until("The rest");
    let printed = said.lines().filter(|line| line.starts_with("  "));
    let token: Vec<&str> = printed.take_while(|line| !line.contains("$TOKEN")).collect();
    let readme = include_str!("../../../README.md");
    let lines = readme.split("API=http://127.0.0.1:8080\n").nth(1).unwrap();
    let lines = lines.split("```").next().unwrap();
    let script =
        format!("{}\nAPI={}\n{lines}", token.join("\n"), format_args!("http://{}", server.address));
    let output = Command::new("sh").args(["-euc", &script]).output().unwrap();
    assert!(output.status.success(), "{script}: {output:?}");
    let said = String::from_utf8(output.stdout).unwrap();
    let mut replies = serde_json::Deserializer::from_str(&said).into_iter::<Value>();
    let found = replies.next().unwrap().unwrap();
    assert!(!found["items"].as_array().unwrap().is_empty(), "nobody is found: {found}");
    let page = replies.next().unwrap().unwrap();
    assert_eq!(page["items"].as_array().unwrap().len(), 2);
    let made = replies.next().unwrap().unwrap();
    assert_eq!(made["last_name"], "Hopper", "{made}");
    assert!(said.contains("first_name") && said.contains("grace@example.com"));
    server.stop();
}

#[test]
fn a_demo_in_a_named_database_is_found_again_with_a_new_password() {
    let shell = Shell::new();
    let args = ["--demo", "--database", "sqlite://crm.db"];
    let mut passwords = Vec::new();
    for _ in 0..2 {
        let mut server = Server::start(&shell, &args);
        let said = server.prints_until("The rest");
        let password = said.split("owner@demo.example with ").nth(1).unwrap();
        passwords.push(password.lines().next().unwrap().to_owned());
        server.stop();
    }
    assert_ne!(passwords[0], passwords[1]);
    let found = shell.ok(&["export", "--tenant", "demo", "--format", "jsonl"]);
    assert_eq!(found.lines().count(), 40);
}

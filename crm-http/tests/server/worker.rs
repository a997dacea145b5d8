//! The worker, in the server and beside it.

use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};

use serde_json::{Value, json};

use crate::process::Server;
use crate::shell::Shell;

impl Server {
    fn made(&self, token: &str, path: &str, body: &Value) -> Value {
        let bearer = format!("Bearer {token}");
        let reply = self.send("POST", path, &[("authorization", &bearer)], &body.to_string());
        assert_eq!(reply.status, 201, "{reply:?}");
        reply.json()
    }

    /// Begins a call of the simulated carrier's.
    fn call(&self, token: &str) -> String {
        let line = json!({
            "provider": "simulator", "name": "line", "secrets": { "auth_tokens": ["a token"] },
            "numbers": ["+14255550100"],
        });
        self.made(token, "/telephony/accounts", &line);
        let ada = json!({ "first_name": "Ada", "phones": [{ "number": "+14255550123" }] });
        let ada = self.made(token, "/contacts", &ada);
        let call = self.made(token, "/calls", &json!({ "contact_id": ada["id"] }));
        format!("/calls/{}", call["id"].as_str().unwrap())
    }

    /// Looks at the call until the carrier has it.
    fn is_placed(&self, token: &str, call: &str) {
        while self.get_as(token, call).json()["placement"] != "placed" {}
    }
}

const QUIET: [&str; 4] = ["--rate-limit", "off", "--rate-limit-address", "off"];

#[test]
fn a_server_runs_the_jobs() {
    let shell = Shell::new();
    let server = Server::start(&shell, &[&QUIET[..], &["--simulator"]].concat());
    let token = server.token();
    let call = server.call(&token);
    server.is_placed(&token, &call);
    server.stop();
}

#[test]
fn a_worker_runs_the_jobs_of_a_server_without_one() {
    let shell = Shell::new();
    let options = [&QUIET[..], &["--simulator", "--without-worker"]].concat();
    let server = Server::start(&shell, &options);
    let token = server.token();
    let call = server.call(&token);
    assert_eq!(server.get_as(&token, &call).json()["placement"], "waiting");

    let mut command = shell.command(&["worker", "--simulator"]);
    let mut worker = command.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
    let mut line = String::new();
    BufReader::new(worker.stdout.take().unwrap()).read_line(&mut line).unwrap();
    assert_eq!(line, "working\n");
    server.is_placed(&token, &call);
    let kill = format!("kill -TERM {}", worker.id());
    assert!(Command::new("sh").args(["-c", &kill]).status().unwrap().success());
    assert_eq!(worker.wait().unwrap().code(), Some(0));
    server.stop();
}

#[test]
fn a_wrong_place_for_recordings_is_one_clear_line() {
    let shell = Shell::new();
    shell.write("file", "in the way");
    for (place, expected) in [("file", "--recordings"), ("ftp://host/folder", "--recordings")] {
        let refused = shell.run(&["serve", "--listen", "127.0.0.1:0", "--recordings", place]);
        assert_eq!(refused.status, 2, "{}", refused.err);
        assert!(refused.err.lines().any(|line| line.contains(expected)), "{}", refused.err);
    }
}

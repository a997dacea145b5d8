//! A server of one test.

use std::io::{BufRead, BufReader};
use std::process::{Child, ChildStdout, Command, ExitStatus, Stdio};

use serde_json::json;

use crate::http::{self, Reply};
use crate::shell::Shell;

pub(crate) const PASSWORD: &str = "three green walruses";

/// A server that is ready. It is killed with the test.
pub(crate) struct Server {
    child: Child,
    stdout: BufReader<ChildStdout>,
    /// Where it listens.
    pub(crate) address: String,
    /// Where its metrics are.
    pub(crate) metrics: String,
}

impl Server {
    /// `serve` on free ports.
    pub(crate) fn start(shell: &Shell, args: &[&str]) -> Server {
        Server::start_with(shell, args, &[])
    }

    pub(crate) fn start_with(shell: &Shell, args: &[&str], environment: &[(&str, &str)]) -> Server {
        let ports = ["serve", "--listen", "127.0.0.1:0", "--metrics-listen", "127.0.0.1:0"];
        let mut command = shell.command(&[&ports, args].concat());
        command.envs(environment.iter().copied());
        let stderr = std::fs::OpenOptions::new()
            .create(true)
            .append(true)
            .open(shell.path("stderr"))
            .unwrap();
        command.stdout(Stdio::piped()).stderr(stderr);
        let mut child = command.spawn().unwrap();
        let mut stdout = BufReader::new(child.stdout.take().unwrap());
        let mut said = |begin: &str| {
            let mut line = String::new();
            stdout.read_line(&mut line).unwrap();
            let place = line.trim_end().strip_prefix(begin);
            place.unwrap_or_else(|| panic!("{line:?}, {}", shell.read("stderr"))).to_owned()
        };
        let address = said("listening on http://");
        let metrics = said("metrics on http://").trim_end_matches("/metrics").to_owned();
        Server { child, stdout, address, metrics }
    }

    /// The lines that it prints next, up to one that begins so.
    pub(crate) fn prints_until(&mut self, begin: &str) -> String {
        let mut text = String::new();
        loop {
            let before = text.len();
            assert_ne!(self.stdout.read_line(&mut text).unwrap(), 0, "{text}");
            if text[before..].starts_with(begin) {
                return text;
            }
        }
    }

    pub(crate) fn send(
        &self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: &str,
    ) -> Reply {
        http::send(&self.address, &http::request(method, path, headers, body))
    }

    pub(crate) fn get(&self, path: &str) -> Reply {
        self.send("GET", path, &[], "")
    }

    pub(crate) fn get_as(&self, token: &str, path: &str) -> Reply {
        self.send("GET", path, &[("authorization", &format!("Bearer {token}"))], "")
    }

    pub(crate) fn post(&self, path: &str, body: &serde_json::Value) -> Reply {
        self.send("POST", path, &[], &body.to_string())
    }

    /// Registers a tenant, and returns the reply.
    pub(crate) fn register(&self) -> Reply {
        self.post(
            "/auth/register",
            &json!({
                "company_name": "Acme", "full_name": "Ada", "email": "ada@acme.example",
                "password": PASSWORD,
            }),
        )
    }

    /// Registers a tenant, and returns its owner's access token.
    pub(crate) fn token(&self) -> String {
        let reply = self.register();
        assert_eq!(reply.status, 201, "{reply:?}");
        reply.json()["access_token"].as_str().unwrap().to_owned()
    }

    pub(crate) fn signal(&self, name: &str) {
        let kill = format!("kill -{name} {}", self.child.id());
        assert!(Command::new("sh").args(["-c", &kill]).status().unwrap().success());
    }

    pub(crate) fn ended(mut self) -> ExitStatus {
        self.child.wait().unwrap()
    }

    /// Stops it in order.
    pub(crate) fn stop(self) {
        self.signal("TERM");
        assert_eq!(self.ended().code(), Some(0));
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // Where it has ended, there is nothing to kill.
        self.child.kill().ok();
        self.child.wait().ok();
    }
}

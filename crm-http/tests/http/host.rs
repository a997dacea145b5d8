//! A host of another language, whose mounted routes these tests can be run against instead of those in
//! process: `CRM_TEST_HOST_COMMAND='python bindings/python/tests/host.py' cargo nextest run -p crm-http --profile host`.
//!
//! The command is started once for each `Server`, by `sh`, in the folder of the repository, with one more argument:
//! a JSON object with the options of `crm_embed::Opening` (`database`, a file of SQLite that the test opens
//! too; `keys`, `recordings`, `public_url`, `simulator`, `registration`) and in `http` those of
//! `crm_embed::Mounting`. A host
//!
//! - opens this CRM, mounts its routes below a prefix of its own choice and runs the relay, but no worker,
//! - writes the URL of the mounted routes as the first line of its standard output, e.g.
//!   `http://127.0.0.1:4711/crm`, once it can be connected to,
//! - ends by itself when its standard input is closed.

use std::io::{BufRead as _, BufReader};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};

use axum::body::{Body, to_bytes};
use axum::http::header::{DATE, HOST, HeaderValue, LOCATION, SERVER};
use axum::http::{Request, Response, Uri};
use crm_conformance::TestClock;
use crm_core::Crm;
use crm_core::ports::{Clock as _, SystemClock};
use crm_core::telephony::Simulator;
use crm_http::KeysFile;
use crm_sqlite::SqliteStore;
use crm_twilio::{Twilio, TwilioOptions};
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use serde_json::json;
use tempfile::TempDir;
use tokio::net::TcpStream;

use crate::support::PUBLIC_URL;

/// The tests that cannot be run so, which the profile `host` of nextest leaves out, and why.
const IN_PROCESS: [(&str, &str); 2] = [
    ("contacts::a_request_with_a_key_is_done_once", "it moves the clock by a day"),
    ("document::every_path_is_in_the_document_and_the_reverse", "it reads the router"),
];

/// A process that serves the routes.
pub(crate) struct Host {
    process: Child,
    address: String,
    base: String,
    _folder: TempDir,
}

/// The host of the environment.
pub(crate) fn command() -> Option<String> {
    std::env::var("CRM_TEST_HOST_COMMAND").ok().filter(|command| !command.is_empty())
}

impl Host {
    /// Starts it, beside a CRM of this process over the same file.
    pub(crate) async fn start(command: &str) -> (Host, Crm, TestClock) {
        let test = std::thread::current().name().unwrap_or_default().to_owned();
        if let Some((name, reason)) = IN_PROCESS.iter().find(|(name, _)| *name == test) {
            panic!("{name} cannot be run against a host: {reason}; choose the profile `host`");
        }
        let folder = tempfile::tempdir().unwrap();
        let file = |name: &str| folder.path().join(name);
        let (database, keys, recordings) = (file("crm.db"), file("keys.toml"), file("recordings"));
        let made = KeysFile::make(&keys, None).unwrap().keys(&keys).unwrap();
        // The host's clock is the real one; this one waits where it was started until it is moved.
        let clock = TestClock::at(SystemClock.now()).stepping(1);
        let crm = Crm::builder(SqliteStore::open(&database).await.unwrap())
            .clock(clock.clone())
            .token_keys(made.tokens.issuer(PUBLIC_URL))
            .key_ring(made.ring)
            .blobs(crm_blobs::ObjectBlobs::folder(&recordings).unwrap())
            .telephony(Twilio::new(TwilioOptions::default()).unwrap())
            .telephony(Simulator::new(clock.clone()))
            .public_url(PUBLIC_URL)
            .build()
            .unwrap();
        let options = json!({
            "database": format!("sqlite://{}", database.display()),
            "keys": keys,
            "recordings": recordings,
            "public_url": PUBLIC_URL,
            "simulator": true,
            "registration": "open",
            "http": { "per_caller": null, "per_address": null },
        });
        let mut process = Command::new("sh")
            .args(["-c", &format!("exec {command} \"$1\""), "sh", &options.to_string()])
            .current_dir(PathBuf::from(env!("CARGO_MANIFEST_DIR")).join(".."))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("the host starts");
        let said = process.stdout.take().unwrap();
        let line = tokio::task::spawn_blocking(move || {
            let mut line = String::new();
            BufReader::new(said).read_line(&mut line).unwrap();
            line
        });
        let url = line.await.unwrap();
        let url: Uri = url.trim().parse().unwrap_or_else(|_| panic!("the host said {url:?}"));
        let address = url.authority().expect("the host says its URL").to_string();
        let base = url.path().trim_end_matches('/').to_owned();
        (Host { process, address, base, _folder: folder }, crm, clock)
    }

    /// Sends the request below the base, which is taken from what is answered.
    pub(crate) async fn send(&self, mut request: Request<Body>) -> Response<Body> {
        let below = format!("{}{}", self.base, request.uri());
        *request.uri_mut() = below.parse().unwrap();
        request.headers_mut().insert(HOST, HeaderValue::from_str(&self.address).unwrap());
        let stream = TcpStream::connect(&self.address).await.unwrap();
        let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await.unwrap();
        let connection = tokio::spawn(connection);
        let (mut parts, body) = sender.send_request(request).await.unwrap().into_parts();
        let body = to_bytes(Body::new(body), usize::MAX).await.unwrap();
        connection.abort();
        // The server's own.
        parts.headers.remove(DATE);
        parts.headers.remove(SERVER);
        if let Some(location) = parts.headers.get_mut(LOCATION) {
            let whole = location.to_str().unwrap();
            let Some(path) = whole.strip_prefix(&self.base) else {
                panic!("the location {whole} is not below {}", self.base)
            };
            *location = path.parse().unwrap();
        }
        Response::from_parts(parts, body.into())
    }
}

impl Drop for Host {
    /// Ends it, as its standard input is closed, before the files are removed.
    fn drop(&mut self) {
        drop(self.process.stdin.take());
        self.process.wait().unwrap();
    }
}

/// The file of nextest's profiles names what is left out a second time.
#[test]
fn the_profile_leaves_out_what_cannot_be_run() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../.config/nextest.toml");
    let profiles = std::fs::read_to_string(path).unwrap();
    let profile = profiles.split("[profile.host]").nth(1).expect("the profile `host`");
    let left_out: Vec<&str> =
        profile.split("test(=").skip(1).map(|rest| rest.split(')').next().unwrap()).collect();
    assert_eq!(left_out, IN_PROCESS.map(|(name, _)| name));
}

//! A Redis of a test's own, which it may kill, freeze and empty.

use std::io::{BufRead as _, BufReader, Write as _};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use crm_core::ports::News;
use futures::StreamExt as _;
use futures::stream::BoxStream;
use tempfile::TempDir;
use tokio::time;

/// How long a server may take to start, on a machine that is busy.
const PATIENCE: Duration = Duration::from_secs(20);

pub(crate) struct Server {
    pub(crate) port: u16,
    arguments: Vec<String>,
    folder: TempDir,
    process: Option<Child>,
}

impl Server {
    pub(crate) async fn start(arguments: &[&str]) -> Self {
        let mut server = Server::planned(arguments);
        server.run().await;
        server
    }

    /// A server that has its port and does not run yet.
    pub(crate) fn planned(arguments: &[&str]) -> Self {
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let arguments = arguments.iter().map(|argument| (*argument).to_owned()).collect();
        Server { port, arguments, folder: tempfile::tempdir().unwrap(), process: None }
    }

    /// Starts it, or starts it again: with nothing in it.
    pub(crate) async fn run(&mut self) {
        let port = self.port.to_string();
        let own = if self.arguments.iter().any(|argument| argument == "--tls-port") {
            vec![]
        } else {
            vec!["--port", &port]
        };
        let mut command = Command::new(program());
        command.args(own).args(self.arguments.iter().map(|text| text.replace("PORT", &port)));
        command.args(["--bind", "127.0.0.1", "--save", "", "--appendonly", "no"]);
        command.current_dir(self.folder.path()).stdin(Stdio::null()).stdout(Stdio::null());
        self.process = Some(command.spawn().unwrap());
        until("the server listens", PATIENCE, || {
            TcpStream::connect(("127.0.0.1", self.port)).is_ok()
        })
        .await;
    }

    pub(crate) fn url(&self) -> String {
        format!("redis://127.0.0.1:{}", self.port)
    }

    pub(crate) fn kill(&mut self) {
        if let Some(mut process) = self.process.take() {
            process.kill().unwrap();
            process.wait().unwrap();
        }
    }

    pub(crate) fn freeze(&self) {
        self.signal("-STOP");
    }

    pub(crate) fn thaw(&self) {
        self.signal("-CONT");
    }

    fn signal(&self, signal: &str) {
        let process = self.process.as_ref().unwrap().id().to_string();
        assert!(Command::new("kill").args([signal, &process]).status().unwrap().success());
    }

    /// The first line of the answer to a command.
    pub(crate) fn command(&self, command: &str) -> String {
        let mut connection = TcpStream::connect(("127.0.0.1", self.port)).unwrap();
        connection.write_all(format!("{command}\r\n").as_bytes()).unwrap();
        let mut line = String::new();
        BufReader::new(connection).read_line(&mut line).unwrap();
        line.trim_end().to_owned()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.kill();
    }
}

fn program() -> PathBuf {
    let path = std::env::var_os("PATH").unwrap();
    let folders: Vec<PathBuf> = std::env::split_paths(&path).collect();
    let found = ["redis-server", "valkey-server"]
        .iter()
        .flat_map(|name| folders.iter().map(move |folder| folder.join(name)))
        .find(|program| program.is_file());
    found.expect("neither redis-server nor valkey-server is installed")
}

/// Runs openssl in a folder.
pub(crate) fn openssl(folder: &Path, arguments: &str) {
    let output =
        Command::new("openssl").args(arguments.split(' ')).current_dir(folder).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

/// Waits until it is so.
pub(crate) async fn until(what: &str, limit: Duration, mut is_so: impl FnMut() -> bool) {
    let waiting = async {
        while !is_so() {
            time::sleep(Duration::from_millis(5)).await;
        }
    };
    assert!(time::timeout(limit, waiting).await.is_ok(), "not within {limit:?}: {what}");
}

/// Listens until this was heard, and returns what was heard before it.
pub(crate) async fn hears(
    listener: &mut BoxStream<'static, News>,
    news: News,
    limit: Duration,
) -> Vec<News> {
    let mut before = Vec::new();
    let hearing = async {
        loop {
            let heard = listener.next().await.expect("the bus is there");
            if heard == news {
                return;
            }
            before.push(heard);
        }
    };
    let heard = time::timeout(limit, hearing).await;
    assert!(heard.is_ok(), "not heard within {limit:?}: {news}");
    before
}

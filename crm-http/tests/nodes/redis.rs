//! A Redis of one test.

use std::net::TcpListener;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

pub(crate) struct Redis {
    port: u16,
    child: Child,
}

impl Redis {
    pub(crate) fn start() -> Redis {
        // Free a moment ago; who has taken it since makes the test fail loudly.
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        Redis { port, child: run(port) }
    }

    pub(crate) fn url(&self) -> String {
        format!("redis://127.0.0.1:{}", self.port)
    }

    pub(crate) fn kill(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    pub(crate) fn restart(&mut self) {
        self.child = run(self.port);
    }

    /// Stops it as it is, or lets it go on.
    pub(crate) fn signal(&self, name: &str) {
        let kill = format!("kill -{name} {}", self.child.id());
        assert!(Command::new("sh").args(["-c", &kill]).status().unwrap().success());
    }

    pub(crate) fn flush(&self) {
        let port = self.port.to_string();
        let flushed = Command::new("redis-cli").args(["-p", &port, "FLUSHALL"]).output().unwrap();
        assert!(flushed.status.success());
    }
}

fn run(port: u16) -> Child {
    let child = Command::new("redis-server")
        .args(["--port", &port.to_string(), "--bind", "127.0.0.1"])
        .args(["--save", "", "--appendonly", "no", "--loglevel", "warning"])
        .stdout(Stdio::null())
        .spawn()
        .expect("redis-server, which scripts/test installs");
    let until = Instant::now() + Duration::from_secs(20);
    while std::net::TcpStream::connect(("127.0.0.1", port)).is_err() {
        assert!(Instant::now() < until, "Redis does not start");
        std::thread::yield_now();
    }
    child
}

impl Drop for Redis {
    fn drop(&mut self) {
        self.signal("CONT");
        self.child.kill().ok();
        self.child.wait().ok();
    }
}

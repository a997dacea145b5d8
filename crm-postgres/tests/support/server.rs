//! A PostgreSQL cluster of a test's own, to be killed.

use std::ffi::OsStr;
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use tempfile::TempDir;

/// PostgreSQL on a port and in a folder of its own, with fsync as in production; every role may log
/// in without a password. Its end ends the server.
///
/// The methods block: they run programs and wait for them.
pub(crate) struct OwnServer {
    programs: PathBuf,
    folder: TempDir,
    port: u16,
}

impl OwnServer {
    /// A new cluster, which answers.
    pub(crate) fn start() -> OwnServer {
        let folder = tempfile::Builder::new().prefix("crm-own-server-").tempdir().unwrap();
        if is_root() {
            succeed(Command::new("chown").arg("postgres:").arg(folder.path()));
        }
        let mut server = OwnServer { programs: programs(), folder, port: 0 };
        succeed(server.program("initdb").args([
            "--username=postgres",
            "--auth=trust",
            "--no-sync",
            "--encoding=UTF8",
            "--locale=C.UTF-8",
            "--locale-provider=icu",
            "--icu-locale=en-US",
        ]));
        for _ in 0..20 {
            server.port = some_port();
            match server.launch() {
                Ok(()) => return server,
                Err(log) if log.contains("could not create any TCP/IP sockets") => {}
                Err(log) => panic!("PostgreSQL did not start:\n{log}"),
            }
        }
        panic!("PostgreSQL found no free port in 20 attempts");
    }

    /// A URL of the database `postgres`; the superuser is `postgres`.
    pub(crate) fn url_as(&self, user: &str) -> String {
        format!("postgres://{user}@127.0.0.1:{}/postgres", self.port)
    }

    /// Ends it as a crash would, by its own command: without a checkpoint, so that the next start
    /// recovers from the log.
    pub(crate) fn stop_immediate(&self) {
        succeed(self.program("pg_ctl").args(["stop", "--mode=immediate", "--wait", "--silent"]));
    }

    /// Kills every process of the server at once. They are gone when it returns.
    pub(crate) fn kill_9(&self) {
        let file = self.data().join("postmaster.pid");
        let text = fs::read_to_string(&file).expect("the server is not running");
        let postmaster = text.lines().next().unwrap().to_owned();
        // Stopped first, so that it starts no child that the list would lack.
        signal("-STOP", [&postmaster]);
        let mut all = children(&postmaster);
        all.push(postmaster);
        signal("-KILL", &all);

        let patience = Instant::now() + Duration::from_secs(30);
        while all.iter().any(|pid| runs(pid)) {
            assert!(Instant::now() < patience, "processes {all:?} outlive a kill -9");
            std::thread::sleep(Duration::from_millis(5));
        }
        // Where nobody reaps orphans the pid stays taken, and the next start would refuse.
        fs::remove_file(file).unwrap();
        let lock = format!(".s.PGSQL.{}.lock", self.port);
        fs::remove_file(self.folder.path().join(lock)).unwrap();
    }

    /// Starts it again, on the same port and what is on disk.
    pub(crate) fn restart(&self) {
        self.launch().unwrap_or_else(|log| panic!("PostgreSQL did not start again:\n{log}"));
    }

    fn data(&self) -> PathBuf {
        self.folder.path().join("data")
    }

    /// Answers, or the server's log.
    fn launch(&self) -> Result<(), String> {
        let folder = self.folder.path().display();
        let log = self.folder.path().join("log");
        let _ = fs::remove_file(&log);
        let options = format!(
            "-p {} -c listen_addresses=127.0.0.1 -c unix_socket_directories={folder} \
             -c shared_buffers=32MB",
            self.port
        );
        let mut start = self.program("pg_ctl");
        start.args(["start", "--wait", "--timeout=60", "--silent"]);
        start.arg("--log").arg(&log).arg("--options").arg(options);
        // Not through a pipe: the server would inherit it and hold it open.
        let status = start.stdout(Stdio::null()).stderr(Stdio::null()).status().unwrap();
        if status.success() {
            return Ok(());
        }
        Err(fs::read_to_string(&log).unwrap_or_else(|error| format!("no log: {error}")))
    }

    /// A program of PostgreSQL's for this cluster, not as root, which it refuses.
    fn program(&self, name: &str) -> Command {
        let program = self.programs.join(name);
        let mut command = if is_root() {
            let mut command = Command::new("setpriv");
            command.args(["--reuid=postgres", "--regid=postgres", "--init-groups", "--"]);
            command.arg(program);
            command
        } else {
            Command::new(program)
        };
        // Another user may have no way into the folder that the tests run in.
        command.current_dir("/").env("PGDATA", self.data()).env("LC_ALL", "C.UTF-8");
        command.env_remove("PGPORT").env_remove("PGOPTIONS").stdin(Stdio::null());
        command
    }
}

impl Drop for OwnServer {
    fn drop(&mut self) {
        // Fails where the test has ended it already.
        let _ = self.program("pg_ctl").args(["stop", "--mode=immediate", "--silent"]).output();
    }
}

/// The folder of the newest server's programs, which Debian keeps off `PATH`.
fn programs() -> PathBuf {
    let debian = fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten();
    let newest = debian
        .filter_map(|entry| Some((entry.file_name().to_str()?.parse::<u32>().ok()?, entry.path())))
        .map(|(version, path)| (version, path.join("bin")))
        .filter(|(_, path)| path.join("initdb").exists())
        .max();
    if let Some((_, path)) = newest {
        return path;
    }
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path)
        .find(|path| path.join("initdb").exists())
        .expect("`initdb` is missing: run the tests with `scripts/test`, which installs PostgreSQL")
}

fn is_root() -> bool {
    fs::metadata("/proc/self").is_ok_and(|this| this.uid() == 0)
}

/// Below the range that the system gives to outgoing connections, so that none takes the port
/// between the end and a restart.
fn some_port() -> u16 {
    use std::hash::{BuildHasher, RandomState};
    let random = RandomState::new().hash_one("port") % 12_000;
    20_000 + u16::try_from(random).unwrap()
}

fn succeed(command: &mut Command) {
    let output = command.output().unwrap_or_else(|error| panic!("{command:?}: {error}"));
    let text = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{command:?}: {}\n{text}", output.status);
}

fn signal(signal: &str, pids: impl IntoIterator<Item = impl AsRef<OsStr>>) {
    // One that ends by itself meanwhile makes `kill` fail; what is still there is looked at after.
    // The shell's own `kill`: the program is not on every machine.
    let mut kill = Command::new("sh");
    kill.args(["-c", "kill \"$@\"", "kill", signal]).args(pids);
    kill.stderr(Stdio::null()).status().unwrap();
}

fn children(parent: &str) -> Vec<String> {
    let mut found = Vec::new();
    for process in fs::read_dir("/proc").unwrap().flatten() {
        let pid = process.file_name().to_string_lossy().into_owned();
        if pid.parse::<u32>().is_ok() && stat(&process.path()).is_some_and(|s| s.1 == parent) {
            found.push(pid);
        }
    }
    found
}

/// Not a zombie either, which only waits for its parent.
fn runs(pid: &str) -> bool {
    stat(&Path::new("/proc").join(pid)).is_some_and(|(state, _)| state != "Z" && state != "X")
}

/// State and parent of a process; `None` when it is gone.
fn stat(process: &Path) -> Option<(String, String)> {
    let text = fs::read_to_string(process.join("stat")).ok()?;
    // The program's name stands before, in parentheses, and may itself contain some.
    let (_, rest) = text.rsplit_once(") ")?;
    let mut fields = rest.split(' ').map(str::to_owned);
    Some((fields.next()?, fields.next()?))
}

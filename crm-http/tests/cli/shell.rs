//! A folder of its own, and the program run in it.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde_json::Value;
use tempfile::TempDir;

/// An empty folder in which the program runs.
pub(crate) struct Shell {
    folder: TempDir,
}

/// How a command ended.
#[derive(Debug)]
pub(crate) struct Done {
    pub(crate) status: i32,
    pub(crate) out: String,
    pub(crate) err: String,
}

impl Shell {
    pub(crate) fn new() -> Self {
        Shell { folder: tempfile::tempdir().unwrap() }
    }

    /// A folder with a database and the tenant `acme`.
    pub(crate) fn with_tenant() -> Self {
        let shell = Shell::new();
        shell.create_tenant("acme");
        shell
    }

    pub(crate) fn create_tenant(&self, slug: &str) {
        self.ok(&["tenant", "create", "--name", slug, "--slug", slug, "--owner", "o@acme.example"]);
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub(crate) fn write(&self, name: &str, content: impl AsRef<[u8]>) {
        std::fs::write(self.path(name), content).unwrap();
    }

    pub(crate) fn read(&self, name: &str) -> String {
        String::from_utf8(std::fs::read(self.path(name)).unwrap()).unwrap()
    }

    /// The names in the folder, but for the database's own files.
    pub(crate) fn files(&self) -> Vec<String> {
        let names = std::fs::read_dir(self.folder.path()).unwrap();
        let mut names: Vec<String> =
            names.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        names.retain(|name| !name.starts_with("crm.db-"));
        names.sort();
        names
    }

    /// The program, not started yet, with nothing of this machine's environment.
    pub(crate) fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_crm-http"));
        command.args(args).current_dir(self.folder.path()).env_clear().stdin(Stdio::null());
        command
    }

    pub(crate) fn run(&self, args: &[&str]) -> Done {
        finish(self.command(args))
    }

    pub(crate) fn run_with(&self, args: &[&str], environment: &[(&str, &str)]) -> Done {
        let mut command = self.command(args);
        command.envs(environment.iter().copied());
        finish(command)
    }

    pub(crate) fn run_on(&self, args: &[&str], input: &[u8]) -> Done {
        let mut command = self.command(args);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        child.stdin.take().unwrap().write_all(input).unwrap();
        done(child.wait_with_output().unwrap())
    }

    /// What a command prints that must end well.
    pub(crate) fn ok(&self, args: &[&str]) -> String {
        let done = self.run(args);
        assert_eq!(done.status, 0, "{args:?}: {done:?}");
        done.out
    }

    /// The JSON that a command prints, however it ends.
    pub(crate) fn json(&self, args: &[&str]) -> Value {
        self.run(&[args, &["--json"]].concat()).json()
    }
}

impl Done {
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.out).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }
}

fn finish(mut command: Command) -> Done {
    done(command.output().unwrap())
}

pub(crate) fn done(output: std::process::Output) -> Done {
    Done {
        status: output.status.code().expect("not ended by a signal"),
        out: String::from_utf8(output.stdout).unwrap(),
        err: String::from_utf8(output.stderr).unwrap(),
    }
}

/// A file of the folder that `CRM_TEST_DATA` names, or `None`, which is said.
pub(crate) fn test_data() -> Option<PathBuf> {
    let folder = std::env::var_os("CRM_TEST_DATA");
    if folder.is_none() {
        eprintln!("CRM_TEST_DATA is not set: no real files are read");
    }
    folder.map(|folder| Path::new(&folder).to_owned())
}

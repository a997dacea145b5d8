//! Programs of others that the tests meet, as `scripts/tools` pins them.

use std::path::{Path, PathBuf};
use std::process::Stdio;

use tokio::io::AsyncWriteExt as _;
use tokio::process::Command;

/// Where the programs and the data of others are.
pub(crate) struct Tools {
    folder: PathBuf,
    pub(crate) data: PathBuf,
}

impl Tools {
    /// Nothing, which is said, where the tests have no data of others.
    pub(crate) fn find() -> Option<Self> {
        let Some(data) = std::env::var_os("CRM_TEST_DATA") else {
            eprintln!("CRM_TEST_DATA is not set: no program of others was met");
            return None;
        };
        let folder = std::env::var_os("CRM_TEST_TOOLS")
            .expect("CRM_TEST_TOOLS names the folder with node_modules, as scripts/test fills it");
        let folder = PathBuf::from(folder);
        let folder = folder.canonicalize().unwrap_or_else(|error| panic!("{folder:?}: {error}"));
        Some(Tools { folder, data: PathBuf::from(data) })
    }

    /// A program of npm's.
    pub(crate) fn npm(&self, name: &str) -> PathBuf {
        self.there(&format!("node_modules/.bin/{name}"))
    }

    fn there(&self, path: &str) -> PathBuf {
        let path = self.folder.join(path);
        assert!(path.exists(), "{path:?} is missing; scripts/test installs it");
        path
    }

    /// One of the official SDKs, as a program that is told in JSON what to do and answers in JSON.
    pub(crate) async fn sdk(&self, sdk: Sdk, order: &serde_json::Value) -> serde_json::Value {
        let scripts = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/twilio");
        let mut command = match sdk {
            Sdk::Python => {
                let mut command = Command::new(self.there("python/bin/python"));
                command.arg(scripts.join("sdk.py"));
                command
            }
            Sdk::Node => {
                let mut command = Command::new("node");
                let package = self.there("node_modules/twilio/package.json");
                command.arg(scripts.join("sdk.mjs")).arg(package);
                command
            }
        };
        let mut process = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .unwrap_or_else(|error| panic!("{sdk:?}: {error}"));
        let mut input = process.stdin.take().unwrap();
        input.write_all(order.to_string().as_bytes()).await.unwrap();
        drop(input);
        let output = process.wait_with_output().await.unwrap();
        assert!(output.status.success(), "{sdk:?} failed; what it said is above");
        serde_json::from_slice(&output.stdout).unwrap()
    }
}

/// The official SDKs.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Sdk {
    Python,
    Node,
}

impl Sdk {
    pub(crate) const ALL: [Sdk; 2] = [Sdk::Python, Sdk::Node];
}

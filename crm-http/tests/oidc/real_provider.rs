//! npm `oidc-provider` as a process, and somebody who fills in its forms.

use std::io::{BufRead, BufReader};
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use tempfile::TempDir;
use url::Url;

use crate::browser::{Browser, Page};

/// The client with a secret, and the one without.
pub(crate) const CONFIDENTIAL: (&str, &str) = ("crm", "crm-secret-crm-secret-crm-secret-32");
pub(crate) const PUBLIC: &str = "crm-public";

/// The program and what it needs, or nothing where the tests have no data of others.
pub(crate) struct Program {
    script: PathBuf,
    modules: PathBuf,
}

impl Program {
    pub(crate) fn find() -> Option<Self> {
        let Some(data) = std::env::var_os("CRM_TEST_DATA") else {
            eprintln!("CRM_TEST_DATA is not set: no sign-in with a real provider was tested");
            return None;
        };
        let tools = std::env::var_os("CRM_TEST_TOOLS")
            .expect("CRM_TEST_TOOLS names the folder with node_modules, as scripts/test fills it");
        let modules = Path::new(&tools).join("node_modules");
        let modules = modules.canonicalize().unwrap_or_else(|error| panic!("{modules:?}: {error}"));
        assert!(modules.join("oidc-provider").is_dir(), "oidc-provider is not in {modules:?}");
        Some(Program { script: Path::new(&data).join("oidc/oidc_op.mjs"), modules })
    }
}

/// Ends with this value, also when a test panics.
pub(crate) struct RealProvider {
    pub(crate) issuer: String,
    process: Child,
    _folder: TempDir,
}

impl RealProvider {
    /// A provider that sends people back to `redirects` only.
    pub(crate) fn start(program: &Program, redirects: &[String]) -> Self {
        // Its address is part of its name, so the port must be known before it starts; somebody else may
        // take it meanwhile.
        (0..5).find_map(|_| RealProvider::try_start(program, redirects)).expect("a free port")
    }

    fn try_start(program: &Program, redirects: &[String]) -> Option<Self> {
        // ES modules look for others beside the file that asks.
        let folder = tempfile::tempdir().unwrap();
        let script = folder.path().join("oidc_op.mjs");
        std::fs::copy(&program.script, &script).unwrap();
        std::os::unix::fs::symlink(&program.modules, folder.path().join("node_modules")).unwrap();
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let mut process = Command::new("node")
            .arg(&script)
            .env("OIDC_PORT", port.to_string())
            .env("OIDC_REDIRECTS", redirects.join(","))
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()
            .expect("`node` runs the provider");
        let out = BufReader::new(process.stdout.take().unwrap());
        let issuer = format!("http://127.0.0.1:{port}");
        let mut provider = RealProvider { issuer, process, _folder: folder };
        let listens =
            out.lines().map_while(Result::ok).any(|line| line.contains("provider listening"));
        if !listens {
            provider.process.wait().unwrap();
            return None;
        }
        Some(provider)
    }
}

impl Drop for RealProvider {
    fn drop(&mut self) {
        self.process.kill().ok();
        self.process.wait().ok();
    }
}

/// From our page through the provider's forms, as `who`, to the address that the browser comes back to.
pub(crate) async fn way_back(browser: &mut Browser, login: &str, who: &str, back: &str) -> Url {
    let mut page = browser.get(login).await;
    let mut prompts = Vec::new();
    for _ in 0..20 {
        if let Some(to) = page.to.clone() {
            if to.as_str().starts_with(back) {
                assert!(prompts.len() <= 2, "{prompts:?}");
                return to;
            }
            page = browser.get(to).await;
            continue;
        }
        let action = page.url.join(&between(&page, "action=\"")).unwrap();
        let prompt = between(&page, "name=\"prompt\" value=\"");
        let mut fields = vec![("prompt", prompt.as_str())];
        if prompt == "login" {
            fields.extend([("login", who), ("password", "any")]);
        }
        page = browser.post_form(&action, &fields).await;
        prompts.push(prompt);
    }
    panic!("the way back was not found: {page:?}");
}

fn between(page: &Page, before: &str) -> String {
    let (_, rest) = page.body.split_once(before).unwrap_or_else(|| panic!("{before}: {page:?}"));
    rest.split('"').next().unwrap().to_owned()
}

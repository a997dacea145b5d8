//! Writes what is made from the core's operations, or says what is stale.
//!
//! `cargo xtask` writes; `cargo xtask --check` changes nothing and fails where something would change.

mod python;
mod typescript;

use std::path::Path;
use std::process::ExitCode;
use std::{env, fs, io};

/// One file that is made: its path from the workspace's root, and its text.
type Made = (&'static str, String);

fn files() -> Result<Vec<Made>, serde_json::Error> {
    let mut parts = crm_core::operations::surface();
    let opening = crm_core::operations::input_shape::<crm_embed::Opening>();
    parts.insert("opening".to_owned(), opening);
    let mounting = crm_core::operations::input_shape::<crm_embed::Mounting>();
    parts.insert("mounting".to_owned(), mounting);
    let surface = serde_json::Value::Object(parts);
    let text = serde_json::to_string_pretty(&surface)? + "\n";
    Ok(vec![
        ("bindings/surface.json", text),
        ("bindings/python/python/crm_core/_surface.py", python::surface(&surface)),
        ("bindings/node/src-ts/surface.ts", typescript::module(&surface)),
    ])
}

fn main() -> io::Result<ExitCode> {
    let check = env::args().skip(1).any(|argument| argument == "--check");
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let mut stale = false;
    for (path, text) in files()? {
        let place = root.join(path);
        if fs::read_to_string(&place).is_ok_and(|there| there == text) {
            continue;
        }
        if check {
            stale = true;
            say(&format!("{path} is stale: run `cargo xtask`"))?;
        } else {
            fs::write(place, text)?;
            say(&format!("{path} is written"))?;
        }
    }
    Ok(if stale { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}

fn say(line: &str) -> io::Result<()> {
    io::Write::write_all(&mut io::stderr(), format!("{line}\n").as_bytes())
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    #[test]
    fn what_is_made_is_what_is_committed() {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
        for (path, text) in files().unwrap() {
            let there = fs::read_to_string(root.join(path)).unwrap();
            assert!(there == text, "{path} is stale: run `cargo xtask`");
        }
    }
}

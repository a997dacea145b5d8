//! Ctrl-C in the middle of an import.
#![cfg(unix)]

use std::io::Write;
use std::process::{Command, Stdio};

use crate::shell::{Shell, done};

#[test]
fn ctrl_c_reports_what_is_written_and_the_import_goes_on_later() {
    let shell = Shell::with_tenant();
    let rows: Vec<String> = (0..2_000)
        .map(|number| format!("{{\"first_name\":\"P{number}\",\"emails\":[{{\"address\":\"p{number}@acme.example\"}}]}}\n"))
        .collect();
    shell.write("all.jsonl", rows.concat());

    let mut command = shell.command(&["import", "--tenant", "acme", "--json", "-"]);
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    let mut input = child.stdin.take().unwrap();
    // The last row is cut, as a file is that is still being read.
    input.write_all(rows[..1_200].concat().as_bytes()).unwrap();
    input.write_all(b"{\"first_name\":\"Half\"").unwrap();
    // The pipe stays open. Once the first rows are seen from outside, the import is under way.
    while shell.json(&["search", "--tenant", "acme", "p1@acme.example"])["items"]
        == serde_json::json!([])
    {
        assert!(child.try_wait().unwrap().is_none(), "the import ended by itself");
    }
    let interrupt = format!("kill -INT {}", child.id());
    assert!(Command::new("sh").args(["-c", &interrupt]).status().unwrap().success());
    let stopped = done(child.wait_with_output().unwrap());
    drop(input);

    assert_eq!(stopped.status, 130, "{stopped:?}");
    let report = stopped.json();
    assert_eq!(report["interrupted"], true);
    let written = report["created"].as_u64().unwrap();
    assert!((1..=1_200).contains(&written), "{report}");
    assert_eq!(report["failed"], 0, "the row that was cut is not reported as a bad one");
    let there = shell.ok(&["export", "--tenant", "acme", "--format", "jsonl"]);
    assert_eq!(there.lines().count() as u64, written);

    let args = ["import", "--tenant", "acme", "--on-conflict", "skip", "all.jsonl"];
    let rest = shell.json(&args);
    assert_eq!(rest["skipped"], written);
    assert_eq!(rest["created"].as_u64().unwrap() + written, 2_000);
}

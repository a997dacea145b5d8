//! Real files, each of whose rows must be accounted for.

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::shell::{Shell, test_data};

fn import(shell: &Shell, file: &Path) -> Value {
    let done = shell.run(&["import", "--tenant", "acme", "--json", file.to_str().unwrap()]);
    assert!([0, 1].contains(&done.status), "{}: {done:?}", file.display());
    done.json()
}

fn rows(report: &Value) -> u64 {
    ["created", "updated", "skipped", "failed"]
        .map(|name| report[name].as_u64().unwrap())
        .iter()
        .sum()
}

/// Each failed row has at least one reason with a field, a code and a sentence.
fn every_failure_has_its_reason(file: &Path, report: &Value) {
    let errors = report["errors"].as_array().unwrap();
    let mut failed: Vec<u64> = errors.iter().map(|error| error["row"].as_u64().unwrap()).collect();
    failed.sort_unstable();
    failed.dedup();
    assert_eq!(failed.len() as u64, report["failed"].as_u64().unwrap(), "{}", file.display());
    for error in errors {
        for part in ["field", "code", "message"] {
            assert!(!error[part].as_str().unwrap().is_empty(), "{error}");
        }
    }
}

#[test]
fn rows_of_the_csv_files_are_accounted_for() {
    let Some(data) = test_data() else { return };
    for (name, expected) in [("adventureworks_people.csv", 19_026), ("northwind_customers.csv", 91)]
    {
        let shell = Shell::with_tenant();
        let file = data.join("contacts").join(name);
        let report = import(&shell, &file);
        eprintln!(
            "{name}: {} {} {} {}",
            report["created"], report["updated"], report["skipped"], report["failed"]
        );
        assert_eq!(rows(&report), expected, "{name}");
        every_failure_has_its_reason(&file, &report);
        let there = shell.ok(&["export", "--tenant", "acme", "--format", "jsonl"]);
        assert_eq!(there.lines().count() as u64, report["created"].as_u64().unwrap());
    }
}

#[test]
fn cards_of_the_vcard_files_are_accounted_for() {
    let Some(data) = test_data() else { return };
    let shell = Shell::with_tenant();
    let mut files = Vec::new();
    collect(&data.join("vcards"), &mut files);
    assert!(!files.is_empty());
    for file in files {
        let report = import(&shell, &file);
        assert_eq!(rows(&report), cards(&file), "{}", file.display());
        every_failure_has_its_reason(&file, &report);
    }
}

/// The cards of a file, counted without the reader that is tested.
fn cards(file: &Path) -> u64 {
    let bytes = fs::read(file).unwrap();
    let begins = |line: &&[u8]| line.trim_ascii().eq_ignore_ascii_case(b"BEGIN:VCARD");
    bytes.split(|byte| matches!(byte, b'\r' | b'\n')).filter(begins).count() as u64
}

fn collect(folder: &Path, files: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            collect(&path, files);
        } else if path.extension().is_some_and(|ending| ending == "vcf") {
            files.push(path);
        }
    }
    files.sort();
}

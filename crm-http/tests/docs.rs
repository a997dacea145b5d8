//! What docs/asvs.md says of the sources is true of them.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests")]

use std::collections::BTreeSet;
use std::fs::read_to_string;
use std::path::{Path, PathBuf};

/// One row of the tables.
struct Row {
    ids: String,
    level: String,
    how: String,
    proof: String,
    status: String,
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

fn rows() -> Vec<Row> {
    let text = read_to_string(root().join("docs/asvs.md")).unwrap();
    let of_requirement = |line: &&str| {
        line.strip_prefix("| ").is_some_and(|cells| cells.starts_with(|c: char| c.is_ascii_digit()))
    };
    let row = |line: &str| {
        let cells: Vec<&str> = line.trim_matches('|').split('|').map(str::trim).collect();
        let [ids, level, _, how, proof, status] = cells[..] else {
            panic!("not six cells: {line}")
        };
        let [ids, level, how, proof, status] = [ids, level, how, proof, status].map(str::to_owned);
        Row { ids, level, how, proof, status }
    };
    text.lines().filter(of_requirement).map(row).collect()
}

/// The requirements with their levels, in the order of the standard.
fn requirements() -> Vec<(String, String)> {
    let text = read_to_string(root().join("docs/asvs-ids.txt")).unwrap();
    let lines = text.lines().filter(|line| !line.starts_with('#'));
    lines
        .map(|line| {
            let (id, level) = line.split_once(' ').unwrap();
            (id.to_owned(), level.to_owned())
        })
        .collect()
}

#[test]
fn each_requirement_has_one_row() {
    let requirements = requirements();
    let place = |id: &str| {
        let found = requirements.iter().position(|(known, _)| known == id);
        found.unwrap_or_else(|| panic!("{id} is not in docs/asvs-ids.txt"))
    };
    let mut answered = Vec::new();
    for row in rows() {
        // `a to b`: all from the one to the other.
        let (first, last) = row.ids.split_once(" to ").unwrap_or((&row.ids, &row.ids));
        let of_row = requirements.get(place(first)..=place(last)).unwrap();
        let levels: BTreeSet<&str> = of_row.iter().map(|(_, level)| level.as_str()).collect();
        assert_eq!(row.level, Vec::from_iter(levels).join(", "), "the level of {}", row.ids);
        answered.extend(of_row.iter().map(|(id, _)| id.clone()));
    }
    let asked: Vec<String> = requirements.into_iter().map(|(id, _)| id).collect();
    let missing: Vec<&String> = asked.iter().filter(|id| !answered.contains(id)).collect();
    assert!(missing.is_empty(), "without a row: {missing:?}");
    assert_eq!(answered, asked, "each once, in the order of the standard");
}

#[test]
fn each_row_says_how_it_stands() {
    for Row { ids, how, proof, status, .. } in rows() {
        let reason =
            ["not applicable: ", "not met: "].iter().find_map(|way| status.strip_prefix(way));
        match reason {
            Some(reason) => assert!(!reason.is_empty(), "{ids} does not say why"),
            None => {
                assert_eq!(status, "met", "the status of {ids}");
                assert!(
                    !how.is_empty() && !proof.is_empty(),
                    "{ids} does not say how, or has no proof"
                );
            }
        }
    }
}

#[test]
fn each_test_that_is_named_exists() {
    let (mut named, mut missing) = (0, Vec::new());
    for row in rows() {
        // What stands between backticks.
        for proof in row.proof.split('`').skip(1).step_by(2) {
            let Some((binary, test)) = proof.split_once(' ').filter(|_| proof.starts_with("crm-"))
            else {
                continue;
            };
            named += 1;
            if !sources(binary).iter().any(|file| has_test(&read_to_string(file).unwrap(), test)) {
                missing.push(format!("{}: `{proof}`", row.ids));
            }
        }
    }
    assert!(missing.is_empty(), "no such test:\n{}", missing.join("\n"));
    assert!(named > 50, "only {named} tests are named");
}

/// The sources of a test binary, as nextest names it: `crm-core` or `crm-core::import`.
fn sources(binary: &str) -> Vec<PathBuf> {
    let mut files = Vec::new();
    let (package, suite) = binary.split_once("::").unwrap_or((binary, ""));
    let package = root().join(package);
    if suite.is_empty() {
        collect(&package.join("src"), &mut files);
        return files;
    }
    collect(&package.join("tests").join(suite), &mut files);
    files.extend(
        Some(package.join("tests").join(suite).with_extension("rs")).filter(|file| file.is_file()),
    );
    // Every store runs the cases of the suite.
    if suite == "conformance" && !files.is_empty() {
        collect(&root().join("crm-conformance/src"), &mut files);
    }
    files
}

fn collect(folder: &Path, files: &mut Vec<PathBuf>) {
    let Ok(entries) = folder.read_dir() else { return };
    for path in entries.map(|entry| entry.unwrap().path()) {
        if path.is_dir() {
            collect(&path, files);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            files.push(path);
        }
    }
}

/// Whether a source holds a test function of this name, or a case of the conformance suite.
fn has_test(source: &str, name: &str) -> bool {
    let lines: Vec<&str> = source.lines().map(str::trim).collect();
    let is_case = source.contains("cases! {");
    let begins = [format!("fn {name}("), format!("async fn {name}(")];
    lines.iter().enumerate().any(|(place, line)| {
        begins.iter().any(|begin| line.starts_with(begin)) && (is_case || is_marked(&lines, place))
    })
}

/// Whether what stands above a function marks it as a test.
fn is_marked(lines: &[&str], place: usize) -> bool {
    let above = lines.iter().take(place).rev();
    let mut above = above.take_while(|line| line.starts_with("#[") || line.starts_with("//"));
    above.any(|line| ["#[test]", "#[tokio::test"].iter().any(|mark| line.starts_with(mark)))
}

#[test]
fn a_test_is_told_from_another_function() {
    let source = "#[test]\n#[ignore = \"slow\"]\n/// Why.\nfn one() {}\n\nfn two() {}\n";
    assert!(has_test(source, "one") && !has_test(source, "two") && !has_test(source, "on"));
    assert!(has_test("#[tokio::test(flavor = \"multi_thread\")]\nasync fn one() {}", "one"));
    assert!(has_test("cases! {\n    async fn one(env: &Env) {}\n}", "one"));
}

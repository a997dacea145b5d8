//! Every promise in the docs of the ports has a case, and every case a promise.

#![allow(clippy::unwrap_used, reason = "tests")]

use std::collections::BTreeSet;
use std::path::Path;

/// The names in parentheses behind the bullets of every `# Behavior` section, in all `.rs` files.
fn promised(folder: &Path, names: &mut BTreeSet<String>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            promised(&path, names);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            names.extend(names_in(&std::fs::read_to_string(path).unwrap()));
        }
    }
}

fn names_in(source: &str) -> BTreeSet<String> {
    let mut docs = String::new();
    let mut in_behavior = false;
    for line in source.lines().map(str::trim) {
        match line.strip_prefix("///").or_else(|| line.strip_prefix("//!")).map(str::trim) {
            Some(heading) if heading.starts_with('#') => in_behavior = heading == "# Behavior",
            Some(text) if in_behavior => docs = docs + " " + text,
            Some(_) => {}
            None => in_behavior = false,
        }
    }
    let parentheses = docs.split("(`").skip(1).filter_map(|rest| rest.split_once("`)"));
    // Parentheses with other than a case's name are none of ours.
    parentheses
        .flat_map(|(inside, _)| inside.split(',').map(|name| name.trim().trim_matches('`')))
        .filter(|name| name.contains('_') && !name.contains(':'))
        .map(str::to_owned)
        .collect()
}

#[test]
fn every_promise_has_a_case_and_every_case_a_promise() {
    let mut promises = BTreeSet::new();
    promised(&Path::new(env!("CARGO_MANIFEST_DIR")).join("../crm-core/src"), &mut promises);
    let cases: BTreeSet<String> =
        crm_conformance::cases().map(|case| case.name.to_owned()).collect();
    let missing: Vec<_> = promises.difference(&cases).collect();
    assert!(missing.is_empty(), "promised in the docs of a port, without a case: {missing:?}");
    let silent: Vec<_> = cases.difference(&promises).collect();
    assert!(silent.is_empty(), "a case that no bullet of a port names: {silent:?}");
}

#[test]
fn names_of_cases_are_unique() {
    let mut seen = BTreeSet::new();
    for case in crm_conformance::cases() {
        assert!(seen.insert(case.name), "{case:?} has the name of another case");
    }
    assert!(!seen.is_empty());
}

#[test]
fn parentheses_are_read_over_lines_and_links_are_not() {
    let source = "/// Says.\n///\n/// # Behavior\n///\n/// - One (`a_b`)\n/// - Two. (`c_d`,\n///   \
                  `e_f`) see [`Store::commit`]\n///\n/// # Errors\n///\n/// (`g_h`)\nfn f();";
    assert_eq!(names_in(source), ["a_b", "c_d", "e_f"].map(String::from).into());
}

//! `import`, `export` and `search`.

use std::io::Read;
use std::process::Stdio;

use serde_json::{Value, json};

use crate::shell::{Shell, done};

const PEOPLE: &str = "\
first_name,last_name,email,phone,company
Ada,Lovelace,ada@acme.example,+1 425 555 0123,Acme
José,Muñoz,jose@acme.example,,Straßenbau Köln
Bob,Tables,bob@,,
";

fn import<'a>(args: &[&'a str]) -> Vec<&'a str> {
    [&["import", "--tenant", "acme"], args].concat()
}

fn counts(report: &Value) -> [u64; 4] {
    ["created", "updated", "skipped", "failed"].map(|name| report[name].as_u64().unwrap())
}

#[test]
fn every_row_is_accounted_for() {
    let shell = Shell::with_tenant();
    shell.write("people.csv", PEOPLE);
    let done = shell.run(&import(&["people.csv", "--json"]));
    assert_eq!(done.status, 1, "a row was refused: {done:?}");
    let report = done.json();
    assert_eq!(counts(&report), [2, 0, 0, 1]);
    assert_eq!(counts(&report["files"][0]), [2, 0, 0, 1]);
    assert_eq!(report["files"][0]["file"], "people.csv");
    let refused = &report["errors"][0];
    assert_eq!(
        json!([refused["file"], refused["row"], refused["field"], refused["code"]]),
        json!(["people.csv", 4, "emails[0].address", "invalid_email"])
    );
    assert!(refused["message"].as_str().unwrap().contains("`bob@`"));

    let again = shell.run(&import(&["people.csv"]));
    assert_eq!(again.status, 1);
    let row: Vec<&str> = again.out.lines().nth(1).unwrap().split_whitespace().collect();
    assert_eq!(row, ["people.csv", "3", "0", "0", "2", "1"]);
    assert!(again.out.contains("invalid_email"), "{again:?}");
}

#[test]
fn without_a_terminal_there_is_no_bar() {
    let shell = Shell::with_tenant();
    shell.write("people.csv", PEOPLE);
    assert_eq!(shell.run(&import(&["people.csv"])).err, "");
    assert_eq!(shell.run(&["seed", "--contacts", "50", "--activities", "1"]).err, "");
}

#[test]
fn files_of_every_format_and_standard_input_go_in_at_once() {
    let shell = Shell::with_tenant();
    shell.write("a.csv", "email\nada@acme.example\n");
    shell.write("b.vcf", "BEGIN:VCARD\r\nVERSION:3.0\r\nFN:Bob\r\nEND:VCARD\r\n");
    shell.write("c.jsonl", "{\"first_name\":\"Cy\"}\n");
    let args = import(&["a.csv", "b.vcf", "c.jsonl", "-", "--json"]);
    let report = shell.run_on(&args, b"email\ndan@acme.example\nada@acme.example\n").json();
    assert_eq!(counts(&report), [4, 0, 1, 0]);
    let files: Vec<[u64; 4]> = report["files"].as_array().unwrap().iter().map(counts).collect();
    assert_eq!(files, [[1, 0, 0, 0], [1, 0, 0, 0], [1, 0, 0, 0], [1, 0, 1, 0]]);
}

#[test]
fn a_file_that_cannot_be_read_does_not_stop_the_others() {
    let shell = Shell::with_tenant();
    shell.write("bad.csv", "colour,size\nred,9\n");
    shell.write("good.csv", "email\nada@acme.example\n");
    let done = shell.run(&import(&["bad.csv", "good.csv", "--json"]));
    assert_eq!(done.status, 1);
    assert!(done.err.contains("`bad.csv`"), "{done:?}");
    assert_eq!(counts(&done.json()), [1, 0, 0, 0]);
    assert!(done.json()["files"][0]["error"].is_string());
    assert!(done.json()["files"][1]["error"].is_null());
}

#[test]
fn columns_are_mapped_and_the_delimiter_is_given() {
    let shell = Shell::with_tenant();
    // Neither the headers nor the delimiter say by themselves what they are.
    shell.write("kunden.csv", "Wer~A=B~Kd-Nr\nAda Lovelace~ada@acme.example~7\n");
    let map = ["--map", "Wer=name", "--map", "A=B=email", "--delimiter", "~"];
    let report = shell.json(&import(&[&map[..], &["kunden.csv"]].concat()));
    assert_eq!(counts(&report), [1, 0, 0, 0]);
    let found = shell.json(&["search", "--tenant", "acme", "ada@acme.example"]);
    let contact = &found["items"][0]["contact"];
    assert_eq!(contact["last_name"], "Lovelace");
    assert_eq!(contact["custom"]["Kd-Nr"], "7");
}

#[test]
fn a_dry_run_reports_and_writes_nothing() {
    let shell = Shell::with_tenant();
    shell.write("people.csv", PEOPLE);
    let done = shell.run(&import(&["people.csv", "--dry-run"]));
    assert!(done.err.contains("nothing was written"), "{done:?}");
    assert_eq!(counts(&shell.json(&import(&["people.csv", "--dry-run"]))), [2, 0, 0, 1]);
    assert_eq!(shell.ok(&["export", "--tenant", "acme", "--format", "jsonl"]), "");
}

#[test]
fn known_contacts_are_skipped_updated_or_refused() {
    let shell = Shell::with_tenant();
    shell.write("a.csv", "email,title\nada@acme.example,Countess\n");
    shell.write("b.csv", "email,title\nADA@acme.example,Analyst\n");
    assert_eq!(counts(&shell.json(&import(&["a.csv"]))), [1, 0, 0, 0]);
    assert_eq!(counts(&shell.json(&import(&["b.csv"]))), [0, 0, 1, 0]);
    let error = shell.run(&import(&["b.csv", "--on-conflict", "error", "--json"]));
    assert_eq!((error.status, counts(&error.json())), (1, [0, 0, 0, 1]));
    assert_eq!(error.json()["errors"][0]["code"], "already_exists");
    let update = shell.json(&import(&["b.csv", "--on-conflict", "update"]));
    assert_eq!(counts(&update), [0, 1, 0, 0]);
    assert!(shell.ok(&["export", "--tenant", "acme"]).contains("Analyst"));
}

#[test]
fn every_refused_value_is_written_to_the_file_of_errors() {
    let shell = Shell::with_tenant();
    let mut rows = String::from("email\n");
    for number in 0..30 {
        rows.push_str(&format!("bad \"{number}\"@\n"));
    }
    shell.write("bad.csv", rows);
    let without = shell.run(&import(&["bad.csv"]));
    assert!(without.out.contains("and 10 more"), "{without:?}");
    assert!(without.err.contains("--errors"), "{without:?}");

    let with = shell.run(&import(&["bad.csv", "--errors", "errors.csv"]));
    assert_eq!(with.status, 1);
    let lines = shell.read("errors.csv");
    assert_eq!(lines.lines().count(), 31);
    assert!(
        lines.starts_with("\"file\",\"row\",\"field\",\"code\",\"message\"\r\n\"bad.csv\",\"2\",")
    );
    assert!(lines.contains("bad \"\"7\"\"@"), "{lines}");
}

#[test]
fn what_a_file_says_does_nothing_to_the_terminal() {
    let shell = Shell::with_tenant();
    shell.write(
        "evil.csv",
        "email,company\n\"\u{1b}]0;owned\u{7}@\u{202e}x\",a\nb@b.example,\u{202e}cca\n",
    );
    let done = shell.run(&import(&["evil.csv"]));
    assert!(done.out.contains("invalid_email"), "{done:?}");
    let json = shell.run(&import(&["evil.csv", "--json"]));
    let search = shell.run(&["search", "--tenant", "acme", "b@b.example"]);
    assert!(search.out.contains("b@b.example"), "{search:?}");
    for text in [&done.out, &done.err, &json.out, &search.out] {
        let obeyed = |c: char| (c.is_control() && c != '\n') || c == '\u{202e}';
        assert!(!text.contains(obeyed), "{text:?}");
    }
}

/// What an export holds, apart from what a database gives by itself.
fn people(shell: &Shell, tenant: &str) -> Vec<Value> {
    let lines = shell.ok(&["export", "--tenant", tenant, "--format", "jsonl"]);
    let mut people: Vec<Value> = lines
        .lines()
        .map(|line| {
            let mut person: Value = serde_json::from_str(line).unwrap();
            for own in ["id", "company_id", "created_at", "updated_at", "version"] {
                person.as_object_mut().unwrap().remove(own);
            }
            person
        })
        .collect();
    people.sort_by_key(|person| person.to_string());
    people
}

#[test]
fn what_was_exported_imports_again_unchanged() {
    let shell = Shell::with_tenant();
    shell.write("people.csv", PEOPLE);
    shell.run(&import(&["people.csv"]));
    shell.ok(&["seed", "--contacts", "200", "--tenant", "acme"]);
    let before = people(&shell, "acme");
    assert_eq!(before.len(), 202);
    for (ending, tenant, begin) in [
        ("csv", "by-csv", "\u{feff}id,"),
        ("vcf", "by-vcf", "BEGIN:VCARD"),
        ("jsonl", "by-jsonl", "{"),
    ] {
        let file = format!("all.{ending}");
        shell.ok(&["export", "--tenant", "acme", "--output", &file]);
        assert!(shell.read(&file).starts_with(begin), "{file}");
        shell.create_tenant(tenant);
        let report = shell.json(&["import", "--tenant", tenant, &file]);
        assert_eq!(counts(&report), [202, 0, 0, 0], "{ending}");
        assert_eq!(people(&shell, tenant), before, "{ending}");
    }
}

#[test]
fn a_file_appears_whole_or_not_at_all() {
    let shell = Shell::with_tenant();
    shell.write("people.csv", PEOPLE);
    shell.run(&import(&["people.csv"]));
    shell.write("out.csv", "what was there before");
    shell.ok(&["export", "--tenant", "acme", "--output", "out.csv"]);
    assert_eq!(shell.read("out.csv"), shell.ok(&["export", "--tenant", "acme"]));
    assert_eq!(shell.files(), ["crm.db", "out.csv", "people.csv"]);

    let done = shell.run(&["export", "--tenant", "acme", "--output", "no/folder/out.csv"]);
    assert_eq!(done.status, 1);
    assert!(done.err.contains("`no/folder/out.csv`"), "{done:?}");
}

#[cfg(unix)]
#[test]
fn a_link_keeps_leading_to_the_export() {
    let shell = Shell::with_tenant();
    shell.write("real.csv", "");
    std::os::unix::fs::symlink(shell.path("real.csv"), shell.path("link.csv")).unwrap();
    shell.ok(&["export", "--tenant", "acme", "--output", "link.csv"]);
    assert!(shell.path("link.csv").is_symlink());
    assert!(shell.read("real.csv").contains("first_name"));
}

#[test]
fn a_reader_that_has_seen_enough_is_no_failure() {
    let shell = Shell::new();
    shell.ok(&["seed", "--contacts", "1000"]);
    // More than a pipe holds (64 KiB), so that the program is still writing when the pipe closes.
    assert!(shell.ok(&["export", "--tenant", "sample"]).len() > 128 * 1024);
    let mut command = shell.command(&["export", "--tenant", "sample"]);
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let mut first = [0; 100];
    child.stdout.take().unwrap().read_exact(&mut first).unwrap();
    let ended = done(child.wait_with_output().unwrap());
    assert_eq!((ended.status, ended.err.as_str()), (0, ""));
}

#[test]
fn search_forgives_and_tells_when_it_finds_nothing() {
    let shell = Shell::with_tenant();
    shell.write("people.csv", PEOPLE);
    shell.run(&import(&["people.csv"]));
    let found = shell.json(&["search", "--tenant", "acme", "ada", "lovelaec"]);
    assert_eq!(found["items"][0]["contact"]["display_name"], "Ada Lovelace");
    let score = found["items"][0]["score"].as_f64().unwrap();
    assert!((0.0..=1.0).contains(&score));
    assert!(found["next_cursor"].is_null());

    let table = shell.ok(&["search", "--tenant", "acme", "munoz"]);
    let columns: Vec<&str> = table.lines().next().unwrap().split_whitespace().collect();
    assert_eq!(columns, ["score", "name", "company", "e-mail", "phone", "id"]);
    assert!(table.contains("José Muñoz") && table.contains("jose@acme.example"), "{table}");

    let nothing = shell.run(&["search", "--tenant", "acme", "zzzzqqqq"]);
    assert_eq!((nothing.status, nothing.out.as_str()), (0, ""));
    assert!(nothing.err.contains("`zzzzqqqq`"), "{nothing:?}");
    assert_eq!(shell.json(&["search", "--tenant", "acme", "zzzzqqqq"])["items"], json!([]));
}

#[test]
fn a_limited_search_says_that_there_is_more() {
    let shell = Shell::with_tenant();
    shell.write("smiths.csv", "name\nJohn Smith\nJane Smith\nSam Smith\n");
    shell.ok(&import(&["smiths.csv"]));
    let done = shell.run(&["search", "--tenant", "acme", "--limit", "1", "smith"]);
    assert_eq!(done.out.lines().count(), 2, "{done:?}");
    assert!(done.err.contains("--limit"), "{done:?}");
}

#![allow(clippy::disallowed_methods, reason = "tests that read the real files")]

use std::path::{Path, PathBuf};

use super::*;

/// A folder of the real files; they are not part of the project.
fn data(folder: &str) -> Option<PathBuf> {
    match std::env::var_os("CRM_TEST_DATA") {
        Some(root) => Some(Path::new(&root).join(folder)),
        None => {
            eprintln!("CRM_TEST_DATA is not set: the real files in `{folder}` are not read");
            None
        }
    }
}

fn file(folder: &Path, name: &str) -> Vec<u8> {
    std::fs::read(folder.join(name)).unwrap()
}

fn valid(records: &[SourceRecord]) -> Vec<(u64, ContactDetails)> {
    records
        .iter()
        .filter_map(|record| {
            let new = record.outcome.clone().ok()?;
            Some((record.row, new.validate(Region::US).ok()?))
        })
        .collect()
}

#[test]
fn adventureworks() {
    let Some(folder) = data("contacts") else { return };
    let records = read(ImportFormat::Csv, file(&folder, "adventureworks_people.csv"));
    assert_eq!(records.len(), 19_026);
    let valid = valid(&records);
    assert_eq!(valid.len(), 19_026);
    let ken = &records[0];
    assert_eq!(ken.row, 2);
    let ken = ken.outcome.as_ref().unwrap();
    assert_eq!(ken.first_name.as_deref(), Some("Ken"));
    assert_eq!(ken.last_name.as_deref(), Some("Sánchez"));
    assert_eq!(ken.title.as_deref(), Some("Chief Executive Officer"));
    assert_eq!(ken.phones[0].label.as_deref(), Some("mobile"));
    assert_eq!(ken.addresses[0].street.as_deref(), Some("4350 Minute Dr."));
    assert_eq!(ken.addresses[0].region.as_deref(), Some("Washington"));
    assert_eq!(ken.addresses.len(), 1);
    assert_eq!(text(ken, "middle_name").as_deref(), Some("J"));
    assert_eq!(text(ken, "person_id").as_deref(), Some("1"));
    assert_eq!(text(ken, "state_code").as_deref(), Some("WA"));
    let polite = records.iter().filter(|record| {
        record.outcome.as_ref().is_ok_and(|contact| contact.custom.contains_key("honorific"))
    });
    assert_eq!(polite.count(), 17_159);
}

#[test]
fn northwind() {
    let Some(folder) = data("contacts") else { return };
    let records = read(ImportFormat::Csv, file(&folder, "northwind_customers.csv"));
    assert_eq!(records.len(), 91);
    assert_eq!(valid(&records).len(), 91);
    let ana = records[1].outcome.as_ref().unwrap();
    assert_eq!(ana.first_name.as_deref(), Some("Ana"));
    assert_eq!(ana.last_name.as_deref(), Some("Trujillo"));
    assert_eq!(ana.company.as_deref(), Some("Ana Trujillo Emparedados y helados"));
    assert_eq!(ana.title.as_deref(), Some("Owner"));
    assert_eq!(ana.phones[0].raw.as_deref(), Some("(5) 555-4729"));
    assert_eq!(ana.phones[1].label.as_deref(), Some("fax"));
    assert_eq!(ana.addresses[0].street.as_deref(), Some("Avda. de la Constitución 2222"));
    assert_eq!(ana.addresses[0].city.as_deref(), Some("México D.F."));
    assert_eq!(text(ana, "CustomerID").as_deref(), Some("ANATR"));
}

/// A row under a header: the cells named by their header, the others empty.
fn row(header: &[u8], cells: &[(&str, &str)]) -> NewContact {
    let header = String::from_utf8(header.to_vec()).unwrap();
    let names: Vec<&str> =
        header.trim().split(',').map(|name| name.trim().trim_matches('"')).collect();
    for (name, _) in cells {
        assert!(names.contains(name), "no `{name}`");
    }
    let row: Vec<String> = names
        .iter()
        .map(|name| {
            let cell = cells.iter().find(|(other, _)| other == name).map_or("", |(_, cell)| cell);
            format!("\"{}\"", cell.replace('"', "\"\""))
        })
        .collect();
    csv(&format!("{}\r\n{}\r\n", header.trim(), row.join(",")))
}

#[test]
fn google_now_and_before() {
    let Some(folder) = data("csv_headers") else { return };
    let ada = row(
        &file(&folder, "google_current_2024.csv"),
        &[
            ("First Name", "Ada"),
            ("Middle Name", "King"),
            ("Last Name", "Lovelace"),
            ("Name Prefix", "Lady"),
            ("Nickname", "Enchantress"),
            ("File As", "Lovelace, Ada"),
            ("Organization Name", "Analytical Engines"),
            ("Organization Title", "Analyst"),
            ("Organization Department", "Notes"),
            ("Birthday", "1815-12-10"),
            ("Notes", "two\nlines"),
            ("Labels", "* myContacts ::: Friends ::: * starred"),
            ("E-mail 1 - Label", "* Work"),
            ("E-mail 1 - Value", "ada@example.com ::: ada@example.org"),
            ("E-mail 2 - Label", "Den"),
            ("E-mail 2 - Value", "ada@home.example"),
            ("Phone 1 - Label", "Mobile"),
            ("Phone 1 - Value", "+44 20 7946 0958 ::: +44 20 7946 0959"),
            ("Phone 2 - Label", "Work Fax"),
            ("Phone 2 - Value", "+44 20 7946 0960"),
            ("Address 1 - Label", "Home"),
            ("Address 1 - Formatted", "12 St James's Sq\nLondon\nUK"),
            ("Address 1 - Street", "12 St James's Sq"),
            ("Address 1 - City", "London"),
            ("Address 1 - PO Box", "PO 7"),
            ("Address 1 - Postal Code", "SW1Y"),
            ("Address 1 - Country", "UK"),
            ("Website 1 - Value", "https://ada.example"),
        ],
    );
    assert_eq!(
        (ada.first_name.as_deref(), ada.last_name.as_deref()),
        (Some("Ada"), Some("Lovelace"))
    );
    assert_eq!(ada.company.as_deref(), Some("Analytical Engines"));
    assert_eq!(ada.title.as_deref(), Some("Analyst"));
    let emails: Vec<(&str, Option<&str>)> =
        ada.emails.iter().map(|email| (email.address.as_str(), email.label.as_deref())).collect();
    assert_eq!(
        emails,
        [
            ("ada@example.com", Some("work")),
            ("ada@example.org", Some("work")),
            ("ada@home.example", Some("Den"))
        ]
    );
    let phones: Vec<(&str, Option<&str>)> = ada
        .phones
        .iter()
        .map(|phone| (phone.raw.as_deref().unwrap(), phone.label.as_deref()))
        .collect();
    assert_eq!(
        phones,
        [
            ("+44 20 7946 0958", Some("mobile")),
            ("+44 20 7946 0959", Some("mobile")),
            ("+44 20 7946 0960", Some("work fax"))
        ]
    );
    assert_eq!(ada.addresses.len(), 1);
    assert_eq!(ada.addresses[0].street.as_deref(), Some("12 St James's Sq\nPO 7"));
    assert_eq!(ada.addresses[0].label.as_deref(), Some("home"));
    assert_eq!(ada.tags, ["Friends", "starred"]);
    for (key, value) in [
        ("middle_name", "King"),
        ("honorific", "Lady"),
        ("nickname", "Enchantress"),
        ("department", "Notes"),
        ("birthday", "1815-12-10"),
        ("notes", "two\nlines"),
        ("website", "https://ada.example"),
        ("File As", "Lovelace, Ada"),
    ] {
        assert_eq!(text(&ada, key).as_deref(), Some(value), "{key}");
    }
    assert_eq!(ada.custom.len(), 8);

    let before = file(&folder, "google_legacy_2010_2023.csv");
    let ada = row(
        &before,
        &[
            ("Name", "Ada Lovelace"),
            ("Given Name", "Ada"),
            ("Family Name", "Lovelace"),
            ("Group Membership", "* My Contacts ::: Family"),
            ("E-mail 1 - Type", "* Home"),
            ("E-mail 1 - Value", "ada@example.com"),
            ("Address 1 - Formatted", "12 St James's Sq, London"),
            ("Occupation", "Analyst"),
        ],
    );
    assert_eq!((ada.first_name.as_deref(), ada.display_name.as_deref()), (Some("Ada"), None));
    assert_eq!(ada.tags, ["Family"]);
    assert_eq!(ada.emails[0].label.as_deref(), Some("home"));
    assert_eq!(ada.addresses[0].street.as_deref(), Some("12 St James's Sq, London"));
    assert_eq!(text(&ada, "Occupation").as_deref(), Some("Analyst"));
    let grace = row(&before, &[("Name", "Grace Hopper")]);
    assert_eq!(grace.last_name.as_deref(), Some("Hopper"));
}

#[test]
fn outlook() {
    let Some(folder) = data("csv_headers") else { return };
    let ada = row(
        &file(&folder, "outlook_desktop.csv"),
        &[
            ("First Name", "Ada"),
            ("Last Name", "Lovelace"),
            ("Title", "Lady"),
            ("Suffix", "II"),
            ("Company", "Analytical Engines"),
            ("Job Title", "Analyst"),
            ("E-mail Address", "ada@example.com"),
            ("E-mail 2 Address", "ada@example.org"),
            ("Primary Phone", "1"),
            ("Home Phone", "2"),
            ("Home Phone 2", "3"),
            ("Mobile Phone", "4"),
            ("Business Fax", "5"),
            ("Company Main Phone", "6"),
            ("Assistant's Phone", "7"),
            ("Pager", "8"),
            ("TTY/TDD Phone", "9"),
            ("Business Street", "1 Work St"),
            ("Business Street 2", "Floor 2"),
            ("Business City", "London"),
            ("Business Address PO Box", "PO 1"),
            ("Home Street", "2 Home St"),
            ("Home Country", "UK"),
            ("Other Address", "somewhere"),
            ("Categories", "Blue Category;Red, too"),
            ("Web Page", "https://ada.example"),
            ("Spouse", "William"),
            ("Notes", "n"),
            ("Telex", "77"),
        ],
    );
    assert_eq!(ada.title.as_deref(), Some("Analyst"));
    assert_eq!(text(&ada, "honorific").as_deref(), Some("Lady"));
    assert_eq!(ada.emails.len(), 2);
    let phones: Vec<(&str, &str)> = ada
        .phones
        .iter()
        .map(|phone| (phone.raw.as_deref().unwrap(), phone.label.as_deref().unwrap_or("-")))
        .collect();
    assert_eq!(
        phones,
        [
            ("1", "-"),
            ("2", "home"),
            ("3", "home"),
            ("4", "mobile"),
            ("8", "pager"),
            ("6", "company main"),
            ("5", "work fax"),
            ("7", "assistant"),
            ("9", "tty"),
        ]
    );
    let addresses: Vec<(&str, &str)> = ada
        .addresses
        .iter()
        .map(|address| (address.label.as_deref().unwrap(), address.street.as_deref().unwrap()))
        .collect();
    assert_eq!(
        addresses,
        [("home", "2 Home St"), ("work", "1 Work St\nFloor 2\nPO 1"), ("other", "somewhere")]
    );
    assert_eq!(ada.tags, ["Blue Category", "Red, too"]);
    for (key, value) in [
        ("suffix", "II"),
        ("website", "https://ada.example"),
        ("Spouse", "William"),
        ("Telex", "77"),
    ] {
        assert_eq!(text(&ada, key).as_deref(), Some(value), "{key}");
    }
}

#[test]
fn hubspot() {
    let Some(folder) = data("csv_headers") else { return };
    let ada = row(
        &file(&folder, "hubspot_contacts_short.csv"),
        &[
            ("Record ID", "7"),
            ("First Name", "Ada"),
            ("Last Name", "Lovelace"),
            ("Email", "ada@example.com"),
            ("Phone Number", "+44 20 7946 0958"),
            ("Contact owner", "Grace"),
            ("Associated Company", "Analytical Engines"),
        ],
    );
    assert_eq!(ada.emails[0].address, "ada@example.com");
    assert_eq!(ada.phones.len(), 1);
    assert_eq!(ada.company.as_deref(), Some("Analytical Engines"));
    assert_eq!(text(&ada, "Record ID").as_deref(), Some("7"));
    assert_eq!(text(&ada, "Contact owner").as_deref(), Some("Grace"));
}

/// Every card of every file: `file card outcome`, with what was left out.
#[test]
fn vcards() {
    let Some(folder) = data("vcards") else { return };
    let mut report = Vec::new();
    for maker in ["calcard", "ez-vcard", "vobject"] {
        let mut names: Vec<String> = std::fs::read_dir(folder.join(maker))
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .filter(|name| name.ends_with(".vcf"))
            .collect();
        names.sort();
        for name in names {
            let records = match read_with(
                ImportFormat::VCard,
                ReadOptions::default(),
                &file(&folder.join(maker), &name),
            ) {
                Ok(records) => records,
                Err(error) => {
                    report.push(format!("{maker}/{name}: {error}"));
                    continue;
                }
            };
            for record in records {
                let warnings: Vec<&str> =
                    record.warnings.iter().map(|warning| warning.field.as_str()).collect();
                let outcome = match record.outcome.and_then(|new| new.validate(Region::US)) {
                    Ok(details) => details.display_name,
                    Err(errors) => {
                        let errors: Vec<String> = errors
                            .iter()
                            .map(|error| format!("{} {}", error.field, error.code))
                            .collect();
                        format!("! {}", errors.join(", "))
                    }
                };
                report.push(format!("{maker}/{name} {}: {outcome} {warnings:?}", record.row));
            }
        }
    }
    insta::assert_snapshot!(report.join("\n"));
}

use proptest::collection::{btree_map, vec};
use proptest::option;
use proptest::prelude::*;

use super::*;
use crate::contacts::model::{NewEmail, NewPhone, PostalAddress};

/// Characters that a format could trip over are as frequent as all others together.
fn awkward(lines: bool) -> impl Strategy<Value = char> {
    let special: Vec<char> =
        "=+-@'\"\\,;:|^<>&{}[]%#*/ ÄßéñŁ字😀\u{feff}\u{2028}\u{a0}＝＋ntrN0a".chars().collect();
    let ends: Vec<char> = if lines { vec!['\n', '\r', '\t'] } else { vec!['x'] };
    prop_oneof![
        4 => prop::sample::select(special),
        1 => prop::sample::select(ends),
        4 => any::<char>().prop_map(|c| if c.is_control() { '=' } else { c }),
    ]
}

fn line() -> impl Strategy<Value = String> {
    prop_oneof![
        vec(awkward(false), 0..12).prop_map(|chars| chars.into_iter().collect::<String>()),
        Just("END:VCARD".to_owned()),
        Just("=HYPERLINK(\"http://x\")".to_owned()),
        Just("'=1+1".to_owned()),
        Just("{\"a\":1}".to_owned()),
        vec(awkward(false), 60..100).prop_map(|chars| chars.into_iter().collect::<String>()),
    ]
}

fn street() -> impl Strategy<Value = String> {
    vec(awkward(true), 0..30).prop_map(|chars| chars.into_iter().collect())
}

fn email() -> impl Strategy<Value = NewEmail> {
    ("[a-z+=-]{1,8}", "[a-z]{1,8}\\.com", option::of(line()))
        .prop_map(|(local, domain, label)| NewEmail { address: format!("{local}@{domain}"), label })
}

fn phone() -> impl Strategy<Value = NewPhone> {
    let number = option::of("\\+1425555[0-9]{4}");
    let raw = prop_oneof![
        line().prop_map(|text| format!("x{text}")),
        Just("tel:abc".to_owned()),
        "\\+1 \\(425\\) 555-[0-9]{4}",
        "555[0-9]{4}",
        "\\+1425555[0-9]{4}",
    ];
    (number, raw, option::of(line())).prop_map(|(number, raw, label)| NewPhone {
        number,
        raw: Some(raw),
        label,
    })
}

fn address() -> impl Strategy<Value = PostalAddress> {
    (option::of(street()), vec(option::of(line()), 5)).prop_map(|(street, mut parts)| {
        let mut part = || parts.pop().flatten();
        PostalAddress {
            street,
            city: part(),
            region: part(),
            postal_code: part(),
            country: part(),
            label: part(),
        }
    })
}

fn value() -> impl Strategy<Value = CustomValue> {
    prop_oneof![
        any::<bool>().prop_map(CustomValue::Bool),
        any::<i64>().prop_map(|number| CustomValue::Number(number.into())),
        any::<f64>().prop_filter_map("finite", |number| {
            serde_json::Number::from_f64(number).map(CustomValue::Number)
        }),
        vec(any::<char>(), 0..200).prop_map(|chars| CustomValue::Text(chars.into_iter().collect())),
        street().prop_map(CustomValue::Text),
    ]
}

fn key() -> impl Strategy<Value = String> {
    prop_oneof![
        prop::sample::select(vec!["notes", "birthday", "nickname", "website", "middle_name"])
            .prop_map(str::to_owned),
        line().prop_filter("a name", |key| !key.trim().is_empty()),
    ]
}

prop_compose! {
    fn new_contact()(
        lines in vec(option::of(line()), 6),
        emails in vec(email(), 0..6),
        phones in vec(phone(), 0..6),
        addresses in vec(address(), 0..4),
        tags in vec(line(), 0..5),
        custom in btree_map(key(), value(), 0..5),
        ids in option::of((any::<u128>(), any::<u128>())),
    ) -> NewContact {
        let mut lines = lines.into_iter();
        let mut next = || lines.next().flatten();
        let id = |of: fn((u128, u128)) -> u128| ids.map(|ids| uuid::Uuid::from_u128(of(ids)));
        NewContact {
            first_name: next(),
            last_name: next(),
            display_name: next(),
            company: next(),
            title: next(),
            source: next(),
            emails, phones, addresses, tags, custom,
            owner_id: id(|ids| ids.0).map(crate::UserId::from_uuid),
            company_id: id(|ids| ids.1).map(crate::CompanyId::from_uuid),
        }
    }
}

fn import_format(format: ExportFormat) -> ImportFormat {
    match format {
        ExportFormat::Csv => ImportFormat::Csv,
        ExportFormat::VCard => ImportFormat::VCard,
        ExportFormat::JsonLines => ImportFormat::JsonLines,
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn what_was_exported_imports_again_unchanged(new in vec(new_contact(), 1..4)) {
        let contacts: Vec<Contact> = new
            .into_iter()
            .filter_map(|new| new.validate(Region::US).ok())
            .map(stored)
            .collect();
        for format in ExportFormat::ALL.iter().copied() {
            let bytes = export(format, &contacts);
            let import = import_format(format);
            if !contacts.is_empty() {
                prop_assert_eq!(ImportFormat::detect(&bytes), import);
            }
            let records = read(import, &bytes);
            prop_assert_eq!(records.len(), contacts.len(), "{}", String::from_utf8_lossy(&bytes));
            for (record, contact) in records.into_iter().zip(&contacts) {
                let read = record.outcome.unwrap().validate(Region::US).unwrap();
                prop_assert_eq!(&stored(read), contact, "{}", String::from_utf8_lossy(&bytes));
                prop_assert!(record.warnings.is_empty());
            }
        }
    }

    #[test]
    fn another_reader_of_vcards_reads_the_same_names_and_addresses(new in new_contact()) {
        let Ok(details) = new.validate(Region::US) else { return Ok(()) };
        let contact = stored(details);
        let bytes = export(ExportFormat::VCard, std::slice::from_ref(&contact));
        let text = String::from_utf8(bytes).unwrap();
        for line in text.split("\r\n") {
            prop_assert!(line.len() <= 75, "{}", line);
        }
        let card = calcard::vcard::VCard::parse(&text).unwrap();
        let values = |property: calcard::vcard::VCardProperty| -> Vec<String> {
            card.properties(&property)
                .filter_map(|entry| entry.values.first()?.as_text().map(str::to_owned))
                .collect()
        };
        // That reader takes a backslash in a parameter for an escape; RFC 6350 has none there.
        let labels = contact.emails.iter().filter_map(|email| email.label.as_ref());
        prop_assume!(!labels.into_iter().any(|label| label.contains('\\')));
        let emails: Vec<&str> = contact.emails.iter().map(|email| email.address.as_str()).collect();
        prop_assert_eq!(values(calcard::vcard::VCardProperty::Email), emails);
        let names = values(calcard::vcard::VCardProperty::Fn);
        prop_assert_eq!(names.len(), 1);
        prop_assert_eq!(&names[0], &contact.display_name);
    }
}

#[test]
fn csv_is_for_people() {
    let ada = contact(NewContact {
        company: Some("=cmd|' /C calc'!A0".into()),
        tags: vec!["vip".into(), "math".into()],
        addresses: vec![PostalAddress {
            street: Some("12 St James's Sq\nFlat \"2\"".into()),
            city: Some("London".into()),
            ..PostalAddress::default()
        }],
        ..NewContact::named("Ada", "Lovelace").email("ada@example.com").phone("(425) 555-0123")
    });
    let text = String::from_utf8(export(ExportFormat::Csv, &[ada])).unwrap();
    let (header, row) = text.strip_prefix('\u{feff}').unwrap().split_once("\r\n").unwrap();
    assert!(
        header.starts_with("id,first_name,last_name,display_name,company,title,email,email_label")
    );
    assert!(
        row.contains("Ada,Lovelace,Ada Lovelace,'=cmd|' /C calc'!A0,,ada@example.com,")
            || row.contains("\"'=cmd|' /C calc'!A0\""),
        "{row}"
    );
    assert!(row.contains(",'+14255550123,,(425) 555-0123,"), "{row}");
    assert!(row.contains("\"12 St James's Sq\nFlat \"\"2\"\"\",London"), "{row}");
    assert!(row.contains("math; vip"), "{row}");
}

#[test]
fn an_export_survives_columns_moved_and_removed() {
    let ada = contact(NewContact::named("Ada", "Lovelace").phone("+14255550123"));
    let text = String::from_utf8(export(ExportFormat::Csv, &[ada])).unwrap();
    assert!(text.contains("'+14255550123"));
    let moved = "more_json,phone,first_name\r\n,'+14255550123,'=Ada\r\n";
    let read = csv(moved);
    assert_eq!(read.first_name.as_deref(), Some("=Ada"));
    assert_eq!(read.phones[0].raw.as_deref(), Some("+14255550123"));
}

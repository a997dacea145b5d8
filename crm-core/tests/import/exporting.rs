use crm_core::contacts::formats::{ExportFormat, ImportFormat};
use crm_core::contacts::{CustomValue, NewContact, NewEmail, NewPhone, PostalAddress};
use proptest::prelude::*;

use super::*;

async fn export(session: &Session, format: ExportFormat) -> Vec<u8> {
    let mut export = session.contacts().export(format, ContactFilter::default()).unwrap();
    let mut file = Vec::new();
    while let Some(bytes) = export.next_bytes().await.unwrap() {
        file.extend(bytes);
    }
    file
}

fn line() -> impl Strategy<Value = String> {
    prop_oneof![
        "[A-Za-zäßéñŁ字 ,;:'\"\\\\=+@|-]{0,14}",
        Just("=HYPERLINK(\"http://x\")".to_owned()),
        Just("END:VCARD".to_owned()),
        Just("-5".to_owned()),
    ]
}

prop_compose! {
    fn new_contact()(
        lines in prop::collection::vec(prop::option::of(line()), 5),
        emails in prop::collection::vec(prop::option::of(line()), 0..3),
        phones in prop::collection::vec((any::<bool>(), prop::option::of(line())), 0..3),
        addresses in prop::collection::vec((prop::option::of(line()), prop::option::of(line())), 0..2),
        tags in prop::collection::vec(line(), 0..3),
        custom in prop::collection::btree_map("[a-z]{1,8}", prop_oneof![
            line().prop_map(CustomValue::Text),
            any::<bool>().prop_map(CustomValue::Bool),
            any::<i32>().prop_map(|n| CustomValue::Number(n.into())),
        ], 0..3),
    ) -> NewContact {
        let mut lines = lines.into_iter();
        let mut next = || lines.next().flatten();
        NewContact {
            first_name: next(),
            display_name: next(),
            company: next(),
            title: next(),
            source: next(),
            emails: emails.into_iter()
                .map(|label| NewEmail { address: "@x.example".to_owned(), label })
                .collect(),
            phones: phones.into_iter()
                .map(|(real, label)| {
                    let raw = if real { "(425) 555-" } else { "ext " };
                    NewPhone { number: None, raw: Some(raw.to_owned()), label }
                })
                .collect(),
            addresses: addresses.into_iter()
                .map(|(street, label)| PostalAddress { street, label, ..PostalAddress::default() })
                .collect(),
            tags,
            custom,
            ..NewContact::default()
        }
    }
}

/// The contact with its own number in all that tells it from others.
fn numbered(mut new: NewContact, number: usize) -> NewContact {
    new.last_name = Some(format!("L{number}"));
    for (at, email) in new.emails.iter_mut().enumerate() {
        email.address.insert_str(0, &format!("p{number}.{at}"));
    }
    for (at, phone) in new.phones.iter_mut().enumerate() {
        phone.raw.as_mut().unwrap().push_str(&format!("{number:02}{at:02}"));
    }
    new
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 60, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn an_export_makes_the_same_contacts_elsewhere(new in prop::collection::vec(new_contact(), 1..8)) {
        tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(async {
            let here = session().await;
            for (number, new) in new.iter().enumerate() {
                here.contacts().create(numbered(new.clone(), number)).await.unwrap();
            }
            for format in ExportFormat::ALL.iter().copied() {
                let file = export(&here, format).await;
                let there = session().await;
                let report = import(&there, &file, refuse()).await;
                prop_assert_eq!(numbers(&report), [new.len() as u64, 0, 0, 0], "{:?}", report);
                prop_assert!(report.warnings.is_empty(), "{:?}", report.warnings);
                let mut expected = state(&here).await;
                for contact in &mut expected {
                    let mut value: Value = serde_json::from_str(contact).unwrap();
                    if value["source"].is_null() {
                        value["source"] = "import".into();
                    }
                    *contact = value.to_string();
                }
                expected.sort();
                prop_assert_eq!(state(&there).await, expected);
                // And here it is nothing new.
                let report = import(&here, &file, skip()).await;
                prop_assert_eq!(numbers(&report), [0, 0, new.len() as u64, 0]);
                let report = import(&here, &file, dry(update())).await;
                prop_assert_eq!(report.failed + report.created, 0);
            }
            Ok(())
        })?;
    }
}

#[tokio::test]
async fn an_empty_export_is_a_file_of_its_format() {
    let session = session().await;
    let csv = export(&session, ExportFormat::Csv).await;
    assert!(csv.starts_with("\u{feff}id,first_name".as_bytes()));
    assert_eq!(numbers(&import(&session, &csv, skip()).await), [0; 4]);
    for format in [ExportFormat::VCard, ExportFormat::JsonLines] {
        assert!(export(&session, format).await.is_empty());
    }
}

#[tokio::test]
async fn an_export_of_the_filtered() {
    let session = session().await;
    let rows = [
        serde_json::json!({ "first_name": "Ada", "tags": ["vip"] }),
        serde_json::json!({ "first_name": "Bob" }),
    ];
    import(&session, lines(&rows), skip()).await;
    let filter = ContactFilter {
        keys: vec![crm_core::contacts::ContactKey::Tag("vip".into())],
        ..ContactFilter::default()
    };
    let mut export = session.contacts().export(ExportFormat::JsonLines, filter).unwrap();
    let bytes = export.next_bytes().await.unwrap().unwrap();
    assert_eq!(String::from_utf8(bytes).unwrap().lines().count(), 1);
    assert_eq!(export.next_bytes().await.unwrap(), None);
    assert_eq!(export.next_bytes().await.unwrap(), None);
}

#[tokio::test]
async fn an_export_under_changes_has_every_contact_that_stayed_once() {
    let session = session().await;
    import(&session, lines(&others(0, 1300)), skip()).await;
    let all = contacts(&session).await;
    let mut export =
        session.contacts().export(ExportFormat::JsonLines, ContactFilter::default()).unwrap();
    let mut file = export.next_bytes().await.unwrap().unwrap();
    // One that is out already, one that is still to come; changed, deleted, made.
    for at in [3, 900] {
        let patch = serde_json::from_value(serde_json::json!({ "title": "Dr" })).unwrap();
        session.contacts().update(all[at].id, patch, None).await.unwrap();
    }
    for at in [4, 901] {
        session.contacts().delete(all[at].id, None).await.unwrap();
    }
    let new = session.contacts().create(NewContact::named("New", "Comer")).await.unwrap();
    while let Some(bytes) = export.next_bytes().await.unwrap() {
        file.extend(bytes);
    }
    let ids: Vec<String> = String::from_utf8(file)
        .unwrap()
        .lines()
        .map(|line| serde_json::from_str::<Value>(line).unwrap()["id"].as_str().unwrap().to_owned())
        .collect();
    let mut expected: Vec<String> = all.iter().map(|contact| contact.id.to_string()).collect();
    expected.remove(901);
    expected.push(new.id.to_string());
    assert_eq!(ids, expected);
}

#[test]
fn each_export_format_can_be_imported() {
    for format in ExportFormat::ALL {
        assert!(ImportFormat::ALL.iter().any(|import| import.name() == format.name()));
    }
}

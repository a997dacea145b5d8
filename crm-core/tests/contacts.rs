//! What a session refuses and keeps of contacts and activities.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]

use std::collections::BTreeMap;

use crm_core::activities::{ActivityKind, NewActivity};
use crm_core::contacts::import::ImportOptions;
use crm_core::contacts::{ContactPatch, CustomValue, NewContact, NewPhone};
use crm_core::memory::session_for_docs;
use crm_core::{ErrorKind, Role, Session};

async fn session() -> Session {
    session_for_docs().await.unwrap()
}

#[tokio::test]
async fn a_contact_shown_by_its_company_alone_can_be_changed() {
    let session = session().await;
    let company = NewContact {
        company: Some("Acme".into()),
        display_name: Some("Acme".into()),
        ..NewContact::default()
    };
    let acme = session.contacts().create(company).await.unwrap();
    let patch =
        ContactPatch { tags: vec!["supplier".to_owned()].into(), ..ContactPatch::default() };
    let tagged = session.contacts().update(acme.id, patch, None).await.unwrap();
    assert_eq!((tagged.display_name.as_str(), tagged.tags.len()), ("Acme", 1));
}

#[tokio::test]
async fn two_extensions_of_one_switchboard_are_two_phones_and_two_people() {
    let session = session().await;
    let phone = |raw: &str| NewPhone { raw: Some(raw.into()), ..NewPhone::default() };
    let both = NewContact {
        phones: vec![phone("+1 425 555 0100 x12"), phone("+1 425 555 0100 ext. 34")],
        ..NewContact::named("Front", "Desk")
    };
    assert_eq!(session.contacts().create(both).await.unwrap().phones.len(), 2);

    let file = "first_name,last_name,phone\nAda,Byron,+1 425 555 0199 x1\n\
                Max,Born,+1 425 555 0199 x2\nEve,Ng,+1 425 555 0198\nEva,Ng,+1 425 555 0198\n";
    for (created, skipped) in [(3, 1), (0, 4)] {
        let mut import = session.contacts().import(ImportOptions::default()).unwrap();
        import.push(file.as_bytes()).await.unwrap();
        let report = import.finish().await.unwrap();
        assert_eq!((report.created, report.skipped), (created, skipped), "{report:?}");
        let warned = report
            .warnings
            .iter()
            .any(|warning| warning.row == 5 && warning.error.code == "known_by_phone");
        assert!(warned, "Eva shares a phone with Eve, and is not to vanish silently: {report:?}");
    }
}

#[tokio::test]
async fn a_custom_field_given_twice_is_refused() {
    let custom: BTreeMap<String, CustomValue> = [("size", "L"), (" size", "M")]
        .map(|(key, value)| (key.to_owned(), CustomValue::Text(value.to_owned())))
        .into();
    let contact = NewContact { custom, ..NewContact::named("Ada", "Byron") };
    let error = session().await.contacts().create(contact).await.unwrap_err();
    assert_eq!(&*error.fields()[0].code, "duplicate");
}

#[tokio::test]
async fn a_list_of_contacts_names_the_place_of_what_it_refuses() {
    let session = session().await;
    let held = session.contacts().create(NewContact::named("A", "B").email("a@b.example")).await;
    let list = |address: &str| {
        vec![NewContact::named("C", "D"), NewContact::named("E", "F").email(address)]
    };
    let error = session.contacts().create_all(list("A@b.example")).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::AlreadyExists);
    assert_eq!(error.existing_id(), Some(held.unwrap().id.as_uuid()));
    assert_eq!(error.fields()[0].field, "[1].emails[0].address");

    let error = session.contacts().create_all(list("a@")).await.unwrap_err();
    assert_eq!(error.fields()[0].field, "[1].emails[0].address");

    let twice = [list("c@d.example"), list("C@d.example")].concat();
    let error = session.contacts().create_all(twice).await.unwrap_err();
    assert_eq!(error.fields()[0].field, "[3].emails[0].address");
}

#[tokio::test]
async fn an_activity_has_bounds() {
    let session = session().await;
    let ada = session.contacts().create(NewContact::named("Ada", "Byron")).await.unwrap();
    let data = serde_json::json!({ "location": "x".repeat(20_000) });
    let long = NewActivity { data, ..NewActivity::of(ada.id, ActivityKind::Meeting) };
    let error = session.activities().create(long).await.unwrap_err();
    assert_eq!((&*error.fields()[0].field, &*error.fields()[0].code), ("data", "too_long"));
    let system = NewActivity::of(ada.id, ActivityKind::ContactCreated);
    let error = session.activities().create(system).await.unwrap_err();
    assert_eq!(&*error.fields()[0].code, "read_only_kind");
}

#[test]
fn each_role_includes_itself_and_those_below() {
    for (rank, role) in Role::ALL.iter().enumerate() {
        for (other_rank, other) in Role::ALL.iter().enumerate() {
            assert_eq!(role.includes(*other), rank <= other_rank);
        }
    }
}

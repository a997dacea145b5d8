use crm_core::contacts::formats::ExportFormat;
use crm_core::contacts::import::MAX_ERRORS;
use crm_core::events::EventPosition;
use crm_core::identity::{NewUser, UserPatch, UserStatus};
use crm_core::{Crm, Principal, Role};

use super::*;

#[tokio::test]
async fn a_bad_row_says_where_and_why_and_loses_no_good_one() {
    let session = session().await;
    let long = "x".repeat(300);
    let file = format!(
        "first_name,email,phone,title\n\
         Ada,ada@example.com,425-555-0123,\n\
         Bob,bob@,,\n\
         {long},bad@@,,{long}\n\
         ,,,Nobody\n\
         Eve,,call me,\n\
         Zoe,zoe@example.com,,\n"
    );
    let report = import(&session, file, skip()).await;
    assert_eq!(numbers(&report), [3, 0, 0, 3]);
    let errors: Vec<(u64, &str, &str)> = report
        .errors
        .iter()
        .map(|error| (error.row, &*error.error.field, &*error.error.code))
        .collect();
    assert_eq!(
        errors,
        [
            (3, "emails[0].address", "invalid_email"),
            (4, "first_name", "too_long"),
            (4, "title", "too_long"),
            (4, "emails[0].address", "invalid_email"),
            (5, "first_name", "required"),
        ]
    );
    for error in &report.errors {
        let message = &error.error.message;
        assert!(!message.is_empty() && !message.ends_with('.'), "{message}");
    }
    let names: Vec<_> = contacts(&session).await.into_iter().map(|c| c.display_name).collect();
    assert_eq!(names, ["Ada", "Eve", "Zoe"]);
}

#[tokio::test]
async fn the_report_is_bounded() {
    let session = session().await;
    let bad = "bad@\n".repeat(MAX_ERRORS + 2_000);
    let file = format!("email\n{bad}ada@example.com\n");
    let report = import(&session, &file, skip()).await;
    assert_eq!(numbers(&report), [1, 0, 0, MAX_ERRORS as u64 + 2_000]);
    assert_eq!((report.errors.len(), report.errors_omitted), (MAX_ERRORS, 2_000));

    // Who takes them out on the way sees all of them.
    let mut going = session.contacts().import(skip()).unwrap();
    let mut taken = 0;
    for piece in file.as_bytes().chunks(1000) {
        going.push(piece).await.unwrap();
        taken += going.take_errors().len();
    }
    let report = going.finish().await.unwrap();
    assert_eq!((taken + report.errors.len(), report.errors_omitted), (MAX_ERRORS + 2_000, 0));
}

#[tokio::test]
async fn rows_of_a_report_are_in_order() {
    let session = session().await;
    import(&session, lines(&others(0, 1)), skip()).await;
    // Known by the store, so refused only when its batch is planned; the bad ones are refused before.
    let file = lines(&others(0, 1)) + &"{}\n".repeat(3) + &lines(&others(1, 700));
    let report = import(&session, file, refuse()).await;
    let rows: Vec<u64> = report.errors.iter().map(|error| error.row).collect();
    assert_eq!(rows, [1, 2, 3, 4]);
}

#[tokio::test]
async fn every_imported_contact_has_its_timeline_audit_and_event() {
    let session = session().await;
    let file = lines(&others(0, 620));
    import(&session, file, ImportOptions { source: Some("fair".into()), ..skip() }).await;
    let all = contacts(&session).await;
    assert_eq!(all.len(), 620);
    let events = session.events().after(EventPosition::START, 1000).await.unwrap();
    for contact in &all {
        assert_eq!(contact.source.as_deref(), Some("fair"));
        let timeline = session.activities().timeline(contact.id, &Page::first(9)).await.unwrap();
        assert_eq!(timeline.items.len(), 1);
        assert_eq!(timeline.items[0].kind().as_str(), "contact_created");
        let subject = crm_core::EntityRef::from(contact.id);
        let audit = session.audit().list(Some(subject), &Page::first(9)).await.unwrap();
        let actions: Vec<_> = audit.items.iter().map(|entry| entry.action.action()).collect();
        assert_eq!(actions, ["contact.created"]);
        let of_contact = events.iter().filter(|event| event.event.subject == subject);
        assert_eq!(of_contact.count(), 1);
    }
}

#[tokio::test]
async fn agents_and_viewers_neither_import_nor_export() {
    let crm = Crm::builder(crm_core::memory::MemoryStore::default()).build().unwrap();
    let system = crm.system("test").unwrap();
    let new = NewTenant {
        name: "Acme".into(),
        slug: None,
        default_region: "US".parse().unwrap(),
        owner_email: "owner@acme.example".into(),
        owner_name: None,
    };
    let (tenant, _) = system.create_tenant(new).await.unwrap();
    let operator = system.session(tenant.id).await.unwrap();
    for role in Role::ALL.iter().copied() {
        let user = NewUser { email: format!("{role}2@acme.example"), full_name: None, role };
        let user = operator.users().create(user).await.unwrap().user;
        let active = UserPatch { status: UserStatus::Active.into(), ..UserPatch::default() };
        operator.users().update(user.id, active, None).await.unwrap();
        let session =
            crm.session(Principal::User { tenant: tenant.id, user: user.id }).await.unwrap();
        let import = session.contacts().import(skip()).map(|_| ());
        let export =
            session.contacts().export(ExportFormat::Csv, ContactFilter::default()).map(|_| ());
        for (result, operation) in [(import, "contacts.import"), (export, "contacts.export")] {
            match role {
                Role::Owner | Role::Admin => assert!(result.is_ok()),
                Role::Agent | Role::Viewer => {
                    let error = result.unwrap_err();
                    assert_eq!((error.code(), error.operation()), ("forbidden", operation));
                }
            }
        }
    }
}

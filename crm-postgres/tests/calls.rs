//! Calls and what belongs to them, as the database keeps them.
#![allow(
    missing_docs,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "tests"
)]

mod stores;
mod support;
mod tenants;

use crm_conformance::TestClock;
use crm_core::calls::{CallFilter, CallQuery, CallStatus, StartCall};
use crm_core::contacts::NewContact;
use crm_core::ports::{CallStore as _, PrivacyStore as _, TelephonyStore as _};
use crm_core::privacy::NewConsent;
use crm_core::telephony::{NewTelephonyAccount, Simulator};
use crm_core::{Crm, ErrorKind, Page, PhoneNumber};
use crm_postgres::Options;
use sqlx::Connection as _;
use support::connect;

fn account(name: &str) -> NewTelephonyAccount {
    serde_json::from_value(serde_json::json!({
        "provider": "simulator", "name": name, "secrets": { "auth_tokens": ["token"] },
        "numbers": ["+14255550100"],
    }))
    .unwrap()
}

#[tokio::test]
async fn a_call_and_its_entry_go_on_together() {
    let (store, database) = stores::fresh(Options::default()).await;
    let clock = TestClock::default();
    let crm = Crm::builder(store.clone())
        .clock(clock.clone())
        .telephony(Simulator::new(clock.clone()))
        .build()
        .unwrap();
    let session = tenants::tenant(&crm, "acme").await;
    let other = tenants::tenant(&crm, "other").await;

    let kept = session.telephony().create(account("AC1")).await.unwrap();
    let refused = session.telephony().create(account("AC1")).await.unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::AlreadyExists);
    assert_eq!(refused.fields()[0].field, "name");
    other.telephony().create(account("AC1")).await.unwrap();
    other.telephony().create(account("AC2")).await.unwrap();
    assert_eq!(
        store.telephony_accounts(session.scope()).await.unwrap(),
        std::slice::from_ref(&kept)
    );
    let system = crm.system("test").unwrap();
    let of_carrier =
        store.accounts_of_carrier(system.scope(), "simulator", "AC1", 9).await.unwrap();
    let mut tenants = vec![session.scope().tenant(), other.scope().tenant()];
    tenants.sort();
    assert_eq!(of_carrier.iter().map(|(tenant, _)| *tenant).collect::<Vec<_>>(), tenants);

    let number: PhoneNumber = PhoneNumber::parse("+14255550199", "US".parse().unwrap()).unwrap();
    let new = NewContact::named("Ada", "Lovelace").phone(number.as_str());
    let ada = session.contacts().create(new).await.unwrap();
    let call = session.calls().start(StartCall::to(ada.id)).await.unwrap();
    let worker = crm.worker();
    for _ in 0..200 {
        worker.run_due().await.unwrap();
        clock.advance_micros(1_000_000);
    }
    let call = session.calls().get(call.id).await.unwrap();
    assert_eq!(call.status(), CallStatus::Completed);
    let timeline = session.activities().timeline(ada.id, &Page::first(50)).await.unwrap().items;
    assert_eq!(timeline.iter().filter(|entry| entry.id == call.activity_id).count(), 1);
    let entry = serde_json::to_value(&timeline[0]).unwrap();
    assert_eq!(entry["data"]["status"], "completed", "{entry}");
    let name = call.provider_call_id.clone().unwrap();
    let found = store.call_of_provider(session.scope(), kept.id, &name).await.unwrap();
    assert_eq!(found, Some(call.clone()));
    assert_eq!(store.call_of_provider(other.scope(), kept.id, &name).await.unwrap(), None);

    let any = CallFilter::default;
    for (filter, is_meant) in [
        (CallFilter { contact_id: Some(ada.id), ..any() }, true),
        (CallFilter { direction: Some(call.direction), ..any() }, true),
        (CallFilter { status: Some(CallStatus::Completed), ..any() }, true),
        (CallFilter { status: Some(CallStatus::Queued), ..any() }, false),
        (CallFilter { disposition: Some("reached".into()), ..any() }, false),
        (CallFilter { disposition: Some("\0".into()), ..any() }, false),
        (CallFilter { from: Some(call.started_at), ..any() }, true),
        (CallFilter { to: Some(call.started_at), ..any() }, false),
    ] {
        let query = CallQuery { filter: filter.clone(), limit: 9, ..CallQuery::default() };
        let calls = store.calls(session.scope(), &query).await.unwrap();
        assert_eq!(calls.len(), usize::from(is_meant), "{filter:?}");
    }
    let after =
        CallQuery { after: Some((call.started_at, call.id)), limit: 9, ..CallQuery::default() };
    assert_eq!(store.calls(session.scope(), &after).await.unwrap(), []);

    // A second call under the carrier's name, new or changed; no carrier tells of one.
    let mut app = connect(&database.url_as("crm_app")).await;
    for (id, expected) in
        [("019aa0f0-0000-7000-8000-00000000000a", 0), (&call.id.to_string(), call.version)]
    {
        let mut transaction = app.begin().await.unwrap();
        let sql = format!(
            "select set_config('crm.tenant_id', '{tenant}', true);
             insert into crm.calls select tenant_id, '019aa0f0-0000-7000-8000-00000000000b', contact_id, user_id,
                 direction, status, disposition, null, 'CA2', started_at, version, doc from crm.calls",
            tenant = session.scope().tenant()
        );
        support::run(&mut transaction, sql).await;
        let put = serde_json::json!([{
            "id": id, "expected": expected, "version": expected + 1, "direction": "inbound",
            "status": "queued", "provider_call_id": "CA2", "started_at": call.started_at, "doc": "{}",
        }]);
        let error = sqlx::query("select crm.put_calls($1, $2::json)")
            .bind(session.scope().tenant().as_uuid())
            .bind(put.to_string())
            .execute(&mut *transaction)
            .await
            .unwrap_err();
        let error = error.as_database_error().unwrap();
        assert_eq!(error.code().as_deref(), Some("UX001"), "{error}");
        transaction.rollback().await.unwrap();
    }
}

#[tokio::test]
async fn what_was_said_last_holds() {
    let (store, _database) = stores::fresh(Options::default()).await;
    let clock = TestClock::default();
    let crm = Crm::builder(store.clone()).clock(clock.clone()).build().unwrap();
    let session = tenants::tenant(&crm, "acme").await;
    let mut contacts = Vec::new();
    for number in 0..2 {
        contacts.push(session.contacts().create(tenants::person("ada", number)).await.unwrap().id);
    }
    for (contact, purpose, granted) in
        [(0, "calls", true), (0, "recording", true), (1, "calls", true), (0, "calls", false)]
    {
        clock.advance_micros(1);
        let new = serde_json::json!({ "purpose": purpose, "granted": granted });
        let new: NewConsent = serde_json::from_value(new).unwrap();
        session.privacy().record_consent(contacts[contact], new).await.unwrap();
    }
    let told = async |history| {
        let asked = [contacts[1], contacts[0], contacts[1]];
        let said = store.consents(session.scope(), &asked, history).await.unwrap();
        let place = |id| contacts.iter().position(|contact| *contact == id).unwrap();
        said.iter()
            .map(|said| format!("{} {:?} {}", place(said.contact_id), said.purpose, said.granted))
            .collect::<Vec<_>>()
    };
    assert_eq!(told(false).await, ["0 Calls false", "0 Recording true", "1 Calls true"]);
    let all = ["0 Calls false", "0 Recording true", "0 Calls true", "1 Calls true"];
    assert_eq!(told(true).await, all);
}

/// An empty list is a choice: read back as the lack of one it would be the default.
#[tokio::test]
async fn a_tenant_without_dispositions_and_with_endless_recordings_stays_so() {
    let (store, _database) = stores::fresh(Options::default()).await;
    let crm = tenants::crm(&store);
    let session = tenants::tenant(&crm, "acme").await;
    let before = session.tenant().get().await.unwrap();
    assert!(!before.dispositions.is_empty() && before.recording_days.is_some());
    let patch = serde_json::from_str(r#"{"dispositions": [], "recording_days": null}"#).unwrap();
    session.tenant().update(patch, None).await.unwrap();
    let after = session.tenant().get().await.unwrap();
    assert_eq!((after.dispositions.len(), after.recording_days), (0, None));
}

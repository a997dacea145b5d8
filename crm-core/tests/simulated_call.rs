//! A call from its beginning to its recording, over the simulated carrier.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]

use std::time::Duration;

use crm_core::calls::{CallStatus, Placement, StartCall};
use crm_core::contacts::NewContact;
use crm_core::memory::MemoryStore;
use crm_core::privacy::{NewConsent, Purpose};
use crm_core::telephony::{CarrierSecrets, NewTelephonyAccount, Simulator};
use crm_core::tenancy::NewTenant;
use crm_core::{Crm, ErrorKind, Page, Region};
use futures::TryStreamExt as _;

#[path = "common/clock.rs"]
mod clock;
use clock::TestClock;

#[tokio::test]
async fn a_call_rings_is_answered_and_its_recording_is_heard() {
    let clock = TestClock::default();
    let crm = Crm::builder(MemoryStore::default())
        .clock(clock.clone())
        .telephony(Simulator::new(clock.clone()))
        .public_url("https://crm.example")
        .build()
        .unwrap();
    let system = crm.system("a test").unwrap();
    let new = NewTenant::new("Acme", "owner@acme.example", Region::US);
    let (tenant, owner) = system.create_tenant(new).await.unwrap();
    let session = crm.session(tenant.principal(&owner)).await.unwrap();
    session
        .telephony()
        .create(NewTelephonyAccount {
            provider: "simulator".into(),
            name: "demo".into(),
            secrets: CarrierSecrets { auth_tokens: vec!["secret".into()], api_key: None },
            numbers: vec!["+14255550100".into()],
            connect_to: None,
            greeting: None,
            options: Default::default(),
        })
        .await
        .unwrap();
    let ada = NewContact::named("Ada", "Lovelace").phone("+14255550123");
    let ada = session.contacts().create(ada).await.unwrap();
    let recorded = StartCall::to(ada.id).recorded();
    let refused = session.calls().start(recorded.clone()).await.unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::Conflict);
    let consent = NewConsent { purpose: Purpose::Recording, granted: true, source: None };
    session.privacy().record_consent(ada.id, consent).await.unwrap();

    let call = session.calls().start(recorded).await.unwrap();
    assert_eq!((call.status(), call.placement), (CallStatus::Queued, Placement::Waiting));
    let worker = crm.worker();
    assert_eq!(worker.run_due().await.unwrap(), 1);
    let mut seen = Vec::new();
    for _ in 0..40 {
        clock.advance(Duration::from_secs(1));
        worker.run_due().await.unwrap();
        let status = session.calls().get(call.id).await.unwrap().status();
        if seen.last() != Some(&status) {
            seen.push(status);
        }
    }
    let ended = session.calls().get(call.id).await.unwrap();
    assert_eq!(
        seen,
        [CallStatus::Initiated, CallStatus::Ringing, CallStatus::InProgress, CallStatus::Completed],
        "{ended:#?}"
    );
    let file = session.calls().recording(call.id).await.unwrap();
    let audio = session.calls().hear(&file, 0..file.bytes).await.unwrap();
    let pieces: Vec<_> = audio.try_collect().await.unwrap();
    let whole = pieces.concat();
    assert_eq!((&whole[..4], whole.len() as u64), (b"RIFF".as_slice(), file.bytes));
    let audio = session.calls().hear(&file, 8..12).await.unwrap();
    let pieces: Vec<_> = audio.try_collect().await.unwrap();
    assert_eq!(pieces.concat(), b"WAVE");
    let timeline = session.activities().timeline(ada.id, &Page::default()).await.unwrap();
    assert_eq!(timeline.items.len(), 2);
    // The price and the recordings are asked for once more, and then all is done.
    clock.advance(Duration::from_secs(10 * 60));
    worker.run_due().await.unwrap();
    let jobs = session.jobs().list(None, None, &Page::default()).await.unwrap();
    let kinds: Vec<_> = jobs.items.iter().map(|job| job.kind.as_str()).collect();
    assert_eq!(kinds, ["crm.recording.expire"]);
    clock.advance(Duration::from_secs(91 * 24 * 60 * 60));
    worker.run_due().await.unwrap();
    worker.run_due().await.unwrap();
    let gone = session.calls().recording(call.id).await.unwrap_err();
    assert_eq!(gone.kind(), ErrorKind::NotFound);
}

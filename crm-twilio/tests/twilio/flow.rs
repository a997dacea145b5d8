//! A call from its beginning to its end: Prism is the carrier's API, its SDKs sign what it tells.

use std::collections::BTreeMap;

use crm_core::calls::{CallStatus, Placement, StartCall};
use crm_core::contacts::NewContact;
use crm_core::memory::MemoryStore;
use crm_core::privacy::{NewConsent, Purpose};
use crm_core::telephony::{NewTelephonyAccount, WebhookReply, WebhookRequest};
use crm_core::tenancy::NewTenant;
use crm_core::{Crm, Page, Region, Session};
use serde_json::json;

use crate::prism::Prism;
use crate::scene::{self, ACCOUNT, RECORDING, TOKEN, account, unsigned};
use crate::tools::{Sdk, Tools};

type Pairs = Vec<(&'static str, String)>;

/// What this SDK has signed.
async fn signed(tools: &Tools, sdk: Sdk, url: &str, pairs: &Pairs) -> WebhookRequest {
    let order = json!({ "do": "sign", "token": TOKEN, "webhooks": [(url, pairs)] });
    let signatures: Vec<String> = serde_json::from_value(tools.sdk(sdk, &order).await).unwrap();
    let form = form_urlencoded::Serializer::new(String::new()).extend_pairs(pairs).finish();
    let mut request = unsigned(url, form.as_bytes());
    request.headers.push(("x-twilio-signature".into(), signatures[0].clone()));
    request
}

async fn prepared(crm: &Crm) -> Session {
    let system = crm.system("a test").unwrap();
    let new = NewTenant::new("Acme", "owner@acme.example", Region::US);
    let (tenant, owner) = system.create_tenant(new).await.unwrap();
    let session = crm.session(tenant.principal(&owner)).await.unwrap();
    let new = NewTelephonyAccount {
        provider: "twilio".into(),
        name: ACCOUNT.into(),
        secrets: account().secrets,
        numbers: vec!["+14155550199".into()],
        connect_to: None,
        greeting: Some("Hello".into()),
        options: BTreeMap::default(),
    };
    session.telephony().create(new).await.unwrap();
    session
}

#[tokio::test]
async fn a_call_is_made_through_the_api_and_ends_on_the_timeline() {
    let Some(tools) = Tools::find() else { return };
    let prism = Prism::start(&tools).await;
    let crm = Crm::builder(MemoryStore::default())
        .telephony(scene::twilio(&prism.url))
        .public_url("https://crm.example")
        .build()
        .unwrap();
    let session = prepared(&crm).await;
    let ada = NewContact::named("Ada", "Lovelace").phone("+14155550100");
    let ada = session.contacts().create(ada).await.unwrap();
    let consent = NewConsent { purpose: Purpose::Recording, granted: true, source: None };
    session.privacy().record_consent(ada.id, consent).await.unwrap();
    let call = session.calls().start(StartCall::to(ada.id).recorded()).await.unwrap();
    crm.worker().run_due().await.unwrap();
    let placed = session.calls().get(call.id).await.unwrap();
    assert_eq!(placed.placement, Placement::Placed, "{placed:?}");
    let sid = placed.provider_call_id.clone().unwrap();

    let tenant = session.scope().tenant();
    let url = format!("https://crm.example/webhooks/twilio?tenant={tenant}&call={}", call.id);
    let told = |status: &str, sequence: u32| -> Pairs {
        vec![
            ("AccountSid", ACCOUNT.to_owned()),
            ("CallSid", sid.clone()),
            ("CallStatus", status.to_owned()),
            ("SequenceNumber", sequence.to_string()),
            ("Timestamp", format!("Sun, 01 Mar 2026 10:00:3{sequence} +0000")),
            ("From", "+14155550199".to_owned()),
            ("To", "+14155550100".to_owned()),
        ]
    };
    let mut completed = told("completed", 3);
    completed.push(("CallDuration", "42".to_owned()));
    let recording: Pairs = vec![
        ("AccountSid", ACCOUNT.to_owned()),
        ("CallSid", sid.clone()),
        ("RecordingSid", RECORDING.to_owned()),
        ("RecordingStatus", "completed".to_owned()),
        ("RecordingDuration", "40".to_owned()),
    ];
    // Out of order, and each signed by the two SDKs, so told twice.
    for pairs in [completed, told("ringing", 1), recording, told("in-progress", 2)] {
        for sdk in Sdk::ALL {
            let request = signed(&tools, sdk, &url, &pairs).await;
            let reply = crm.webhook("twilio", request).await.unwrap();
            assert_eq!(reply, WebhookReply::RECEIVED);
        }
    }
    let over = session.calls().get(call.id).await.unwrap();
    assert_eq!(over.status(), CallStatus::Completed);
    assert_eq!(over.progress.duration_seconds, Some(42));
    assert_eq!(over.recordings.len(), 1, "{over:?}");
    let timeline = session.activities().timeline(ada.id, &Page::default()).await.unwrap();
    assert!(timeline.items.iter().any(|entry| entry.id == over.activity_id));
    let jobs = session.jobs().list(None, None, &Page::default()).await.unwrap().items;
    let fetches = jobs.iter().filter(|job| job.kind.as_str() == "crm.recording.fetch");
    assert_eq!(fetches.count(), 1, "the recording is fetched once");
}

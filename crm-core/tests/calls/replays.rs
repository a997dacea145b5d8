//! Requests that come again, and such as are not the carrier's.

use crm_core::ErrorKind;
use crm_core::calls::{Placement, RecordingStatus};
use crm_core::telephony::WebhookReply;

use super::*;

/// All that the tenant has: calls with their versions, events and jobs.
async fn everything(session: &Session) -> String {
    let calls = session.calls().list(&Default::default(), &Page::default()).await.unwrap().items;
    let jobs = session.jobs().list(None, None, &Page::default()).await.unwrap().items;
    format!("{calls:?} {:?} {jobs:?}", all_events(session).await)
}

#[tokio::test]
async fn a_request_that_comes_again_changes_nothing() {
    let world = World::new().await;
    let call = world.placed().await;
    let told = Progress { duration_seconds: Some(9), ..step(CallStatus::Completed, 4) };
    let recorded = json!({
        "news": "recording", "call": "CA1", "recording": "RE1",
        "status": RecordingStatus::Completed,
    });
    for (number, token) in [Some("one"), None].into_iter().enumerate() {
        let told = Progress { duration_seconds: Some(9 + number as u32), ..told.clone() };
        let requests = [
            world.news(&call, "CA1", token, &told),
            request(&world.url(&call), token.map(|_| "two"), recorded.clone()),
        ];
        for request in &requests {
            world.tell(request.clone()).await;
        }
        let known = everything(&world.session).await;
        let other = crm_over(&world.store, &world.clock, &world.carrier);
        for pause in [1, 24 * 60 * 60 + 1] {
            world.clock.advance(Duration::from_secs(pause));
            for crm in [&world.crm, &other] {
                for request in &requests {
                    let reply = crm.webhook("scripted", request.clone()).await.unwrap();
                    assert_eq!(reply, WebhookReply::RECEIVED);
                }
                assert_eq!(everything(&world.session).await, known, "{token:?} after {pause} s");
            }
        }
    }
    let fetches = world.jobs().await;
    let fetches = fetches.iter().filter(|job| job.kind.as_str() == "crm.recording.fetch");
    assert_eq!(fetches.count(), 1);
}

#[tokio::test]
async fn one_token_is_taken_once_even_where_it_says_something_else() {
    let world = World::new().await;
    let call = world.placed().await;
    world.tell(world.news(&call, "CA1", Some("one"), &step(CallStatus::Ringing, 2))).await;
    let known = everything(&world.session).await;
    world.tell(world.news(&call, "CA1", Some("one"), &step(CallStatus::Busy, 3))).await;
    assert_eq!(everything(&world.session).await, known);
}

#[tokio::test]
async fn a_forged_request_is_forbidden_and_leaves_nothing() {
    let world = World::new().await;
    let call = world.placed().await;
    let known = everything(&world.session).await;
    let honest = world.news(&call, "CA1", Some("one"), &step(CallStatus::Completed, 4));
    let mut other_word = honest.clone();
    other_word.headers = vec![("x-word".into(), "abracadabra".into())];
    let mut no_word = honest.clone();
    no_word.headers.clear();
    let mut other_account = honest.clone();
    other_account.body =
        String::from_utf8(honest.body.to_vec()).unwrap().replace("AC1", "AC2").into();
    let mut no_account = honest.clone();
    no_account.body = "[]".into();
    for forged in [other_word, no_word, other_account, no_account] {
        let refused = world.crm.webhook("scripted", forged).await.unwrap_err();
        assert_eq!(refused.kind(), ErrorKind::Forbidden);
        assert_eq!(everything(&world.session).await, known);
    }
    let nobody = world.crm.webhook("another", honest.clone()).await.unwrap_err();
    assert_eq!(nobody.kind(), ErrorKind::NotFound);
    assert_eq!(everything(&world.session).await, known);
    // What was refused did not use the token up.
    world.tell(honest).await;
    assert_eq!(world.call(call.id).await.status(), CallStatus::Completed);
}

#[tokio::test]
async fn of_two_tenants_with_one_account_only_the_one_meant_is_told() {
    let world = World::new().await;
    let (other, theirs) = new_tenant(&world.crm, "other").await;
    theirs.telephony().create(account("open sesame", "+14255550200")).await.unwrap();
    let bob = NewContact::named("Bob", "Lovelace").phone(ADA);
    let bob = theirs.contacts().create(bob).await.unwrap();
    let call = world.placed().await;
    let their_call = theirs.calls().start(StartCall::to(bob.id)).await.unwrap();
    world.work().await;
    let their_call = theirs.calls().get(their_call.id).await.unwrap();
    assert_eq!(their_call.provider_call_id.as_deref(), Some("CA2"));

    let told = step(CallStatus::Ringing, 2);
    let (ours_before, theirs_before) =
        (everything(&world.session).await, everything(&theirs).await);
    // Our address with the name of their call, their call under our tenant, and ours under theirs.
    let url = |tenant, call| format!("https://crm.example/w?tenant={tenant}&call={call}");
    let mixed = [
        (url(world.tenant.id, call.id), "CA2"),
        (url(world.tenant.id, their_call.id), "CA2"),
        (url(other.id, call.id), "CA1"),
        (url(other.id, their_call.id), "CA1"),
    ];
    for (url, id) in mixed {
        let body = json!({ "news": "call", "call": id, "progress": told });
        world.tell(request(&url, None, body)).await;
        assert_eq!(everything(&world.session).await, ours_before, "{url}");
        assert_eq!(everything(&theirs).await, theirs_before, "{url}");
    }
    let body = json!({ "news": "call", "call": "CA2", "progress": told });
    // Without a name in the address, the carrier's name decides.
    world.tell(request("https://crm.example/w", None, body)).await;
    assert_eq!(everything(&world.session).await, ours_before);
    let known = theirs.calls().get(their_call.id).await.unwrap();
    assert_eq!((known.status(), known.placement), (CallStatus::Ringing, Placement::Placed));

    // With words of their own, who knows one word does not speak for the other.
    let third = crm_over(&world.store, &world.clock, &world.carrier);
    let (third_tenant, thirds) = new_tenant(&third, "third").await;
    thirds.telephony().create(account("a third word", "+14255550300")).await.unwrap();
    let carol = NewContact::named("Carol", "Lovelace").phone(ADA);
    let carol = thirds.contacts().create(carol).await.unwrap();
    let thirds_call = thirds.calls().start(StartCall::to(carol.id)).await.unwrap();
    let before = everything(&thirds).await;
    let body = json!({ "news": "call", "call": "CA3", "progress": told });
    world.tell(request(&url(third_tenant.id, thirds_call.id), None, body)).await;
    assert_eq!(everything(&thirds).await, before);
}

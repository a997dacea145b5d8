//! A call on its way to the carrier, and what is made of a carrier that answers badly.

use crm_core::calls::Placement;
use crm_core::privacy::{NewConsent, Purpose};
use crm_core::telephony::{ScriptStep, Started};
use crm_core::{ContactId, Error, ErrorKind};

use super::carrier::carrier_call;
use super::*;

async fn says(world: &World, contact: ContactId, purpose: Purpose, granted: bool) {
    let consent = NewConsent { purpose, granted, source: None };
    world.session.privacy().record_consent(contact, consent).await.unwrap();
}

fn lost() -> Started {
    Started::Unknown(Error::unavailable("no answer came", "timeout"))
}

fn failure(call: &Call) -> &str {
    assert_eq!(call.status(), CallStatus::Failed);
    &call.progress.failure.as_ref().unwrap().code
}

fn asked(world: &World) -> usize {
    world.carrier.desk().started.len()
}

#[tokio::test]
async fn news_that_come_before_the_answer_are_kept() {
    let world = World::new().await;
    let crm = world.crm.clone();
    world.carrier.answer(move |call| async move {
        let body =
            json!({ "news": "call", "call": "CA7", "progress": step(CallStatus::Ringing, 2) });
        crm.webhook("scripted", request(&call.callback.unwrap(), Some("t"), body)).await?;
        Ok(Started::Placed(carrier_call("CA7", step(CallStatus::Queued, 0))))
    });
    let call = world.placed().await;
    assert_eq!((call.status(), call.placement), (CallStatus::Ringing, Placement::Placed));
    assert_eq!(call.provider_call_id.as_deref(), Some("CA7"));
    assert_eq!(call.progress.steps.len(), 2);
    assert_eq!(asked(&world), 1);
}

#[tokio::test]
async fn a_call_whose_answer_was_lost_is_found_and_never_asked_for_again() {
    let world = World::new().await;
    let other = world.placed().await;
    world.carrier.answer(|_| async { Ok(lost()) });
    let call = world.placed().await;
    assert_eq!((call.placement, call.provider_call_id.as_deref()), (Placement::Unknown, None));
    world.carrier.desk().listed = vec![
        carrier_call("CA1", step(CallStatus::Completed, 4)),
        carrier_call("CA9", step(CallStatus::InProgress, 3)),
    ];
    world.work_after(90).await;
    let call = world.call(call.id).await;
    assert_eq!((call.status(), call.placement), (CallStatus::InProgress, Placement::Placed));
    assert_eq!(call.provider_call_id.as_deref(), Some("CA9"));
    assert_eq!(world.call(other.id).await.status(), CallStatus::Queued);
    let sought = world.carrier.desk().sought.clone();
    assert_eq!(sought.len(), 1);
    assert_eq!((sought[0].to.as_str(), sought[0].from.as_str()), (ADA, LINE));
    assert!(sought[0].since <= call.created_at && call.created_at < sought[0].until);
    assert_eq!(asked(&world), 2);
}

#[tokio::test]
async fn a_call_that_is_not_found_for_ten_minutes_is_lost() {
    let world = World::new().await;
    world.carrier.answer(|_| async { Ok(lost()) });
    let call = world.placed().await;
    for _ in 0..20 {
        world.work_after(30).await;
        assert_eq!(world.call(call.id).await.placement, Placement::Unknown);
    }
    world.work_after(30).await;
    let call = world.call(call.id).await;
    assert_eq!((failure(&call), call.placement), ("lost", Placement::None));
    assert_eq!(asked(&world), 1);
    assert!(world.carrier.desk().sought.len() > 10);
    let events = world.events(call.id).await;
    assert_eq!(events.iter().filter(|name| **name == "call.ended").count(), 1);
    assert!(world.jobs().await.is_empty());
    // If the carrier had it after all, its news are still taken, and the end stays.
    world.tell(world.news(&call, "CA1", None, &step(CallStatus::Ringing, 2))).await;
    let call = world.call(call.id).await;
    assert_eq!((call.status(), call.placement), (CallStatus::Failed, Placement::Placed));
}

#[tokio::test]
async fn a_handler_that_breaks_off_before_the_answer_does_not_ask_again() {
    let world = World::new().await;
    world.carrier.answer(|_| async { panic!("the process ends here") });
    let call = world.placed().await;
    assert_eq!(call.placement, Placement::Unknown);
    world.work_after(60).await;
    world.carrier.desk().listed = vec![carrier_call("CA1", step(CallStatus::Completed, 4))];
    world.work_after(30).await;
    assert_eq!(world.call(call.id).await.status(), CallStatus::Completed);
    assert_eq!(asked(&world), 1);
}

#[tokio::test]
async fn a_carrier_that_has_no_room_is_asked_again_when_it_says() {
    let world = World::new().await;
    let full = || async { Err(Error::rate_limited("the carrier", Duration::from_secs(20))) };
    world.carrier.answer(move |_| full());
    world.carrier.answer(|_| async { Err(Error::unavailable("out of order", "503")) });
    let call = world.placed().await;
    assert_eq!((call.status(), call.placement), (CallStatus::Queued, Placement::Waiting));
    world.work_after(19).await;
    assert_eq!(asked(&world), 1);
    world.work_after(1).await;
    assert_eq!(asked(&world), 2);
    assert_eq!(world.call(call.id).await.placement, Placement::Waiting);
    world.work_after(2).await;
    assert_eq!(asked(&world), 3);
    assert_eq!(world.call(call.id).await.placement, Placement::Placed);
}

#[tokio::test]
async fn a_refusal_by_the_carrier_is_the_end() {
    let world = World::new().await;
    world.carrier.answer(|_| async {
        Err(Error::invalid_field("to", "21217", "the number cannot be called"))
    });
    let call = world.placed().await;
    assert_eq!((failure(&call), call.placement), ("invalid", Placement::None));
    assert_eq!(world.events(call.id).await.last(), Some(&"call.ended"));
    world.work_after(600).await;
    assert_eq!(asked(&world), 1);
    assert!(world.jobs().await.is_empty());
}

#[tokio::test]
async fn a_call_that_could_not_be_placed_in_time_is_given_up() {
    let world = World::new().await;
    let call = world.start().await;
    world.work_after(121).await;
    let call = world.call(call.id).await;
    assert_eq!((failure(&call), call.placement), ("too_late", Placement::None));
    assert_eq!(asked(&world), 0);

    let call = world.start().await;
    let full = || async { Err(Error::rate_limited("the carrier", Duration::from_secs(121))) };
    world.carrier.answer(move |_| full());
    world.work().await;
    world.work_after(121).await;
    assert_eq!(failure(&world.call(call.id).await), "too_late");
    assert_eq!(asked(&world), 1);
}

#[tokio::test]
async fn who_refused_calls_is_not_called() {
    let world = World::new().await;
    let refused = async || {
        let refused = world.session.calls().start(StartCall::to(world.ada.id)).await.unwrap_err();
        assert_eq!(refused.kind(), ErrorKind::Conflict);
        let calls = world.session.calls().list(&Default::default(), &Page::default()).await;
        assert!(calls.unwrap().items.is_empty());
    };
    says(&world, world.ada.id, Purpose::Calls, false).await;
    refused().await;
    says(&world, world.ada.id, Purpose::Calls, true).await;
    // Somebody else with the number, even where they are deleted since.
    let bob = NewContact::named("Bob", "Lovelace").phone("(425) 555-0123");
    let bob = world.session.contacts().create(bob).await.unwrap();
    says(&world, bob.id, Purpose::Calls, false).await;
    refused().await;
    world.session.contacts().delete(bob.id, None).await.unwrap();
    refused().await;
    assert_eq!(asked(&world), 0);
}

#[tokio::test]
async fn nobody_is_called_while_it_cannot_be_looked_up_who_refused() {
    let world = World::new().await;
    let away = |away| world.store.away.store(away, std::sync::atomic::Ordering::SeqCst);
    away(true);
    let failed = world.session.calls().start(StartCall::to(world.ada.id)).await.unwrap_err();
    assert_eq!(failed.kind(), ErrorKind::Unavailable);
    away(false);
    assert!(world.jobs().await.is_empty());
    assert!(calls_of(&world.session).await.is_empty());
}

#[tokio::test]
async fn a_refusal_after_the_call_was_asked_for_still_counts() {
    let world = World::new().await;
    let call = world.start().await;
    says(&world, world.ada.id, Purpose::Calls, false).await;
    world.work().await;
    let call = world.call(call.id).await;
    assert_eq!((failure(&call), call.placement), ("do_not_call", Placement::None));
    assert_eq!(asked(&world), 0);
    says(&world, world.ada.id, Purpose::Calls, true).await;

    let call = world.start().await;
    let bob = NewContact::named("Bob", "Lovelace").phone(ADA);
    let bob = world.session.contacts().create(bob).await.unwrap();
    says(&world, bob.id, Purpose::Calls, false).await;
    world.work().await;
    assert_eq!(failure(&world.call(call.id).await), "do_not_call");
    assert_eq!(asked(&world), 0);
}

#[tokio::test]
async fn a_call_keeps_what_the_contact_said_to_recording() {
    let world = World::new().await;
    let call = world.start().await;
    let unasked = call.consent.unwrap();
    assert_eq!((unasked.granted, unasked.consent_id, unasked.at), (None, None, world.crm.now()));
    says(&world, world.ada.id, Purpose::Recording, true).await;
    world.clock.advance(Duration::from_secs(5));
    let calls = world.session.calls();
    let start = || calls.start(StartCall::to(world.ada.id).recorded());
    let call = start().await.unwrap();
    let agreed = call.consent.unwrap();
    assert_eq!((agreed.granted, agreed.at), (Some(true), world.crm.now()));
    assert!(agreed.consent_id.is_some());
    says(&world, world.ada.id, Purpose::Recording, false).await;
    assert_eq!(world.call(call.id).await.consent, Some(agreed));
    assert_eq!(start().await.unwrap_err().kind(), ErrorKind::Conflict);
}

#[tokio::test]
async fn a_call_that_is_hung_up_before_it_is_placed_never_is() {
    let world = World::new().await;
    let call = world.start().await;
    let hung_up = world.session.calls().hang_up(call.id).await.unwrap();
    assert_eq!((hung_up.status(), hung_up.placement), (CallStatus::Canceled, Placement::None));
    world.work_after(600).await;
    assert_eq!(world.call(call.id).await, hung_up);
    assert_eq!(asked(&world), 0);
    assert!(world.carrier.desk().hung_up.is_empty());
}

#[tokio::test]
async fn a_call_that_is_hung_up_while_it_is_placed_is_ended_there() {
    let world = World::new().await;
    let call = world.start().await;
    let (session, desk) = (world.session.clone(), world.carrier.clone());
    world.carrier.answer(move |_| async move {
        session.calls().hang_up(call.id).await?;
        desk.desk().calls.insert("CA1".into(), Progress::default());
        Ok(Started::Placed(carrier_call("CA1", Progress::default())))
    });
    world.work().await;
    world.work_after(2).await;
    assert_eq!(world.carrier.desk().hung_up, ["CA1"]);
    assert_eq!(world.call(call.id).await.status(), CallStatus::Canceled);
}

#[tokio::test]
async fn a_call_that_is_hung_up_while_the_carrier_has_no_room_is_not_asked_for_again() {
    let world = World::new().await;
    let call = world.start().await;
    let session = world.session.clone();
    world.carrier.answer(move |_| async move {
        session.calls().hang_up(call.id).await?;
        Err(Error::rate_limited("the carrier", Duration::from_secs(1)))
    });
    world.work().await;
    let known = world.call(call.id).await;
    assert_eq!((known.status(), known.placement), (CallStatus::Canceled, Placement::None));
    world.work_after(600).await;
    assert_eq!(asked(&world), 1);
    assert_eq!(world.call(call.id).await, known);
    assert!(world.jobs().await.is_empty());
}

#[tokio::test]
async fn a_call_that_is_hung_up_while_it_is_lost_is_ended_when_it_is_found() {
    let world = World::new().await;
    world.carrier.answer(|_| async { Ok(lost()) });
    let call = world.placed().await;
    world.session.calls().hang_up(call.id).await.unwrap();
    world.work_after(10).await;
    world.carrier.desk().calls.insert("CA5".into(), step(CallStatus::Ringing, 2));
    world.carrier.desk().listed = vec![carrier_call("CA5", step(CallStatus::Ringing, 2))];
    world.work_after(80).await;
    world.work_after(2).await;
    assert_eq!(world.carrier.desk().hung_up, ["CA5"]);
    assert_eq!(world.call(call.id).await.status(), CallStatus::Canceled);
}

#[tokio::test]
async fn a_call_is_hung_up_once() {
    let world = World::new().await;
    let call = world.placed().await;
    world.session.calls().hang_up(call.id).await.unwrap();
    world.session.calls().hang_up(call.id).await.unwrap();
    world.work().await;
    world.session.calls().hang_up(call.id).await.unwrap();
    world.work_after(2).await;
    assert_eq!(world.carrier.desk().hung_up, ["CA1"]);
    assert_eq!(world.call(call.id).await.status(), CallStatus::Canceled);
}

#[tokio::test]
async fn a_call_that_nobody_tells_of_is_asked_for() {
    let world = World::new().await;
    let call = world.placed().await;
    let end = Progress { duration_seconds: Some(30), ..step(CallStatus::Completed, 4) };
    world.carrier.desk().calls.insert("CA1".into(), end.clone());
    world.work_after(89).await;
    assert_eq!(world.call(call.id).await.status(), CallStatus::Queued);
    world.work_after(1).await;
    assert_eq!(world.call(call.id).await.progress, end);
    // Once more for what is known only later, and then never.
    let price = crm_core::calls::Price { amount: "-0.0140".into(), currency: "USD".into() };
    let settled = Progress { price: Some(price.clone()), ..end };
    world.carrier.desk().calls.insert("CA1".into(), settled);
    world.work_after(400).await;
    assert_eq!(world.call(call.id).await.progress.price, Some(price));
    assert_eq!(world.carrier.desk().fetched, 2);
    assert!(world.jobs().await.is_empty());
}

#[tokio::test]
async fn a_carrier_that_is_out_of_order_for_long_is_asked_until_it_answers() {
    for kind in [ErrorKind::Unavailable, ErrorKind::Forbidden, ErrorKind::RateLimited] {
        let world = World::new().await;
        let call = world.placed().await;
        world.carrier.desk().fails_with = Some(kind);
        for _ in 0..20 {
            world.work_after(60 * 60).await;
            assert_eq!(world.call(call.id).await.status(), CallStatus::Queued, "{kind}");
        }
        let fetched = world.carrier.desk().fetched;
        assert!(fetched <= 40, "{fetched} questions in 20 h are too many");
        world.carrier.desk().fails_with = None;
        world.carrier.desk().calls.insert("CA1".into(), step(CallStatus::NoAnswer, 4));
        world.work_after(60 * 60).await;
        assert_eq!(world.call(call.id).await.status(), CallStatus::NoAnswer, "{kind}");
    }
}

#[tokio::test]
async fn a_call_is_not_lost_because_the_carrier_cannot_list_it() {
    let world = World::new().await;
    world.carrier.answer(|_| async { Ok(lost()) });
    let call = world.placed().await;
    world.carrier.desk().fails_with = Some(ErrorKind::Unavailable);
    for _ in 0..10 {
        world.work_after(60 * 60).await;
        assert_eq!(world.call(call.id).await.placement, Placement::Unknown);
    }
    world.carrier.desk().fails_with = None;
    world.carrier.desk().listed = vec![carrier_call("CA1", step(CallStatus::Busy, 4))];
    world.work_after(60 * 60).await;
    assert_eq!(world.call(call.id).await.status(), CallStatus::Busy);
    assert_eq!(asked(&world), 1);
}

#[tokio::test]
async fn a_call_that_nothing_is_heard_of_for_a_day_is_lost() {
    let world = World::new().await;
    let call = world.placed().await;
    world.carrier.desk().fails_with = Some(ErrorKind::Unavailable);
    for _ in 0..27 {
        world.work_after(60 * 60).await;
    }
    assert_eq!(failure(&world.call(call.id).await), "lost");

    let call = world.placed().await;
    world.carrier.desk().fails_with = Some(ErrorKind::NotFound);
    world.work_after(90).await;
    assert_eq!(failure(&world.call(call.id).await), "lost");
}

/// The carrier's question what to do with a call that comes in.
async fn comes_in(world: &World, id: &str, from: Option<&str>, to: &str) -> String {
    let body = json!({ "news": "incoming", "call": id, "from": from, "to": to });
    let voice = request("https://crm.example/webhooks/scripted/voice", None, body);
    world.crm.webhook("scripted", voice).await.unwrap().body
}

async fn calls_of(session: &Session) -> Vec<Call> {
    session.calls().list(&Default::default(), &Page::default()).await.unwrap().items
}

#[tokio::test]
async fn a_call_that_comes_in_is_the_contacts() {
    let world = World::new().await;
    let script = comes_in(&world, "CA70", Some(ADA), LINE).await;
    let greeting = ScriptStep::Say { text: "Hello".into(), language: None };
    assert_eq!(script, format!("{:?}", [greeting]));
    let calls = calls_of(&world.session).await;
    assert_eq!((calls.len(), calls[0].contact_id), (1, Some(world.ada.id)));
    assert_eq!(calls[0].placement, Placement::Placed);
    for _ in 0..2 {
        world.clock.advance(Duration::from_secs(5));
        assert_eq!(comes_in(&world, "CA70", Some(ADA), LINE).await, script);
    }
    assert_eq!(calls_of(&world.session).await, calls);
    // Its way is told without our name of it.
    let body =
        json!({ "news": "call", "call": "CA70", "progress": step(CallStatus::Completed, 4) });
    world.tell(request("https://crm.example/webhooks/scripted", None, body)).await;
    assert_eq!(world.call(calls[0].id).await.status(), CallStatus::Completed);
    let timeline = world.session.activities().timeline(world.ada.id, &Page::default()).await;
    // Her first entry tells that she was written down.
    assert_eq!(timeline.unwrap().items.len(), 2);

    for (id, from) in [("CA71", None), ("CA72", Some("+14255550199"))] {
        comes_in(&world, id, from, LINE).await;
        let calls = calls_of(&world.session).await;
        let call = calls.iter().find(|call| call.provider_call_id.as_deref() == Some(id));
        assert_eq!(call.unwrap().contact_id, None);
    }
}

#[tokio::test]
async fn a_call_that_comes_in_is_the_tenants_whose_number_is_called() {
    let world = World::new().await;
    let (_, theirs) = new_tenant(&world.crm, "other").await;
    let account = account("open sesame", "+14255550200");
    let account = theirs.telephony().create(account).await.unwrap();
    let bob = NewContact::named("Bob", "Lovelace").phone(ADA);
    let bob = theirs.contacts().create(bob).await.unwrap();
    comes_in(&world, "CA70", Some(ADA), "+14255550200").await;
    comes_in(&world, "CA71", Some(ADA), LINE).await;
    let (ours, others) = (calls_of(&world.session).await, calls_of(&theirs).await);
    assert_eq!((ours.len(), ours[0].contact_id), (1, Some(world.ada.id)));
    assert_eq!((others.len(), others[0].contact_id), (1, Some(bob.id)));
    // Nobody's number, and that of an account that is not used.
    let rejected = format!("{:?}", [ScriptStep::Reject]);
    assert_eq!(comes_in(&world, "CA72", Some(ADA), "+14255550300").await, rejected);
    let off = serde_json::from_value(json!({ "active": false })).unwrap();
    theirs.telephony().update(account.id, off, None).await.unwrap();
    assert_eq!(comes_in(&world, "CA73", Some(ADA), "+14255550200").await, rejected);
    assert_eq!((calls_of(&world.session).await, calls_of(&theirs).await), (ours, others));
}

#[tokio::test]
async fn a_carrier_that_cannot_look_at_an_account_has_not_agreed_to_it() {
    let world = World::new().await;
    world.carrier.desk().fails_with = Some(ErrorKind::Unavailable);
    let accounts = world.session.telephony();
    let new = NewTelephonyAccount { name: "AC2".into(), ..account("a word", "+14255550200") };
    assert_eq!(accounts.create(new).await.unwrap_err().kind(), ErrorKind::Unavailable);
    let known = accounts.list().await.unwrap();
    assert_eq!(known.len(), 1);
    let patch = serde_json::from_value(json!({ "greeting": "Good morning" })).unwrap();
    let refused = accounts.update(known[0].id, patch, None).await.unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::Unavailable);
}

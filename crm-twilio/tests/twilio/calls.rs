//! What is asked for calls and recordings, and how answers are read.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use crm_core::ErrorKind;
use crm_core::calls::{AnsweredBy, CallStatus, RecordingStatus};
use crm_core::telephony::{CarrierApiKey, ScriptStep, Started, Telephony as _};

use crate::peer::{Answer, Peer};
use crate::scene::{ACCOUNT, CALL, RECORDING, TOKEN, account, outgoing, sought, twilio, wire};

const CREATED: &str = "Sun, 01 Mar 2026 10:00:30 +0000";

fn sid(n: u8) -> String {
    format!("CA{n:032}")
}

#[tokio::test]
async fn a_call_is_asked_for_with_every_field() {
    let peer = Peer::saying(vec![Answer::json(201, wire(CALL, "queued", CREATED))]).await;
    let started = twilio(&peer.url).start(&account(), &outgoing()).await.unwrap();
    let Started::Placed(call) = started else { panic!("{started:?}") };
    assert_eq!((call.id.as_str(), call.progress.status()), (CALL, CallStatus::Queued));
    assert_eq!(call.progress.duration_seconds, None);

    let [came] = peer.came().try_into().unwrap();
    assert_eq!(came.method, "POST");
    assert_eq!(came.target, format!("/2010-04-01/Accounts/{ACCOUNT}/Calls.json"));
    let basic = format!("Basic {}", STANDARD.encode(format!("{ACCOUNT}:{TOKEN}")));
    assert_eq!(came.header("authorization"), Some(basic.as_str()));
    assert_eq!(came.header("content-type"), Some("application/x-www-form-urlencoded"));
    let form = came.form();
    let values = |name: &str| -> Vec<&str> {
        form.iter().filter(|(own, _)| own == name).map(|(_, value)| value.as_str()).collect()
    };
    assert_eq!(values("To"), ["+14155550100"]);
    assert_eq!(values("Timeout"), ["25"]);
    assert_eq!(values("StatusCallbackEvent"), ["answered", "completed", "initiated", "ringing"]);
    assert_eq!(values("RecordingStatusCallbackEvent"), ["absent", "completed", "in-progress"]);
    assert_eq!(values("Record"), ["true"]);
    assert_eq!(values("MachineDetection"), ["Enable"]);
    assert!(values("Twiml")[0].contains("R&amp;D &lt;calls&gt;"), "{form:?}");
}

#[tokio::test]
async fn what_is_not_wanted_is_not_said() {
    let peer = Peer::saying(vec![Answer::json(201, wire(CALL, "queued", CREATED))]).await;
    let mut call = outgoing();
    (call.record, call.detect_machine, call.callback) = (false, false, None);
    twilio(&peer.url).start(&account(), &call).await.unwrap();
    let came = &peer.came()[0];
    let names: Vec<_> = came.form().into_iter().map(|(name, _)| name).collect();
    assert_eq!(names, ["From", "Timeout", "To", "Twiml"]);
}

#[tokio::test]
async fn an_api_key_signs_in_instead_of_the_token() {
    let peer = Peer::saying(vec![Answer::json(200, wire(CALL, "ringing", CREATED))]).await;
    let mut account = account();
    let id = format!("SK{}", "0".repeat(32));
    account.secrets.api_key = Some(CarrierApiKey { id: id.clone(), secret: "secret".into() });
    twilio(&peer.url).fetch(&account, CALL).await.unwrap();
    let came = &peer.came()[0];
    let basic = format!("Basic {}", STANDARD.encode(format!("{id}:secret")));
    assert_eq!(came.header("authorization"), Some(basic.as_str()));
    assert!(came.target.starts_with(&format!("/2010-04-01/Accounts/{ACCOUNT}/")));
}

#[tokio::test]
async fn a_script_that_is_too_long_is_refused_here() {
    let peer = Peer::saying(vec![Answer::HangsUp]).await;
    let mut call = outgoing();
    call.script = vec![ScriptStep::Say { text: "é".repeat(3_900), language: None }];
    let started = twilio(&peer.url).start(&account(), &call).await;
    assert!(matches!(started, Ok(Started::Unknown(_))), "3,900 characters are not too many");
    call.script = vec![ScriptStep::Say { text: "&".repeat(1_000), language: None }];
    let error = twilio(&peer.url).start(&account(), &call).await.unwrap_err();
    assert_eq!((error.kind(), error.fields()[0].field.as_str()), (ErrorKind::Invalid, "script"));
    assert_eq!(peer.came().len(), 1);
}

#[tokio::test]
async fn a_finished_call_is_read_whole() {
    let peer = Peer::saying(vec![Answer::json(200, wire(CALL, "completed", CREATED))]).await;
    let call = twilio(&peer.url).fetch(&account(), CALL).await.unwrap();
    let progress = call.progress;
    assert_eq!(progress.status(), CallStatus::Completed);
    assert_eq!(progress.ended_at.unwrap().to_string(), "2026-03-01T10:02:00Z");
    assert_eq!(progress.duration_seconds, Some(42));
    assert_eq!(progress.answered_by, Some(AnsweredBy::Machine));
    assert_eq!(progress.price.unwrap().amount, "-0.0140");
}

#[tokio::test]
async fn names_that_twilio_does_not_give_are_not_asked_for() {
    let peer = Peer::saying(vec![Answer::HangsUp]).await;
    let (twilio, account) = (twilio(&peer.url), account());
    for name in ["", "CA1", "CA0123456789abcdef0123456789abcde/", "../Messages"] {
        for kind in [
            twilio.fetch(&account, name).await.unwrap_err().kind(),
            twilio.hang_up(&account, name).await.unwrap_err().kind(),
            twilio.recordings(&account, name).await.unwrap_err().kind(),
            twilio.audio(&account, name).await.unwrap_err().kind(),
        ] {
            assert_eq!(kind, ErrorKind::NotFound);
        }
        twilio.delete_recording(&account, name).await.unwrap();
    }
    assert_eq!(peer.came().len(), 0);
}

#[tokio::test]
async fn a_call_is_ended_by_completed() {
    let peer = Peer::saying(vec![Answer::json(200, wire(CALL, "completed", CREATED))]).await;
    let call = twilio(&peer.url).hang_up(&account(), CALL).await.unwrap();
    assert_eq!(call.progress.status(), CallStatus::Completed);
    let came = &peer.came()[0];
    assert_eq!((came.method.as_str(), came.body.as_str()), ("POST", "Status=completed"));
}

#[tokio::test]
async fn a_call_that_is_over_is_left_as_it_is() {
    let over = Answer::json(400, r#"{"code":21220,"message":"Call is not in-progress"}"#);
    let peer =
        Peer::saying(vec![over.clone(), Answer::json(200, wire(CALL, "busy", CREATED))]).await;
    let call = twilio(&peer.url).hang_up(&account(), CALL).await.unwrap();
    assert_eq!(call.progress.status(), CallStatus::Busy);

    let peer = Peer::saying(vec![over, Answer::json(200, wire(CALL, "ringing", CREATED))]).await;
    let error = twilio(&peer.url).hang_up(&account(), CALL).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Conflict);
    assert!(error.message().contains("21220"), "{error}");
}

#[tokio::test]
async fn a_lost_call_is_found_by_its_numbers_and_time() {
    let day = "Sun, 01 Mar 2026";
    let child = wire(&sid(9), "queued", CREATED).replace("outbound-api", "outbound-dial");
    let first = format!(
        r#"{{"calls":[{},{},{child}],"next_page_uri":"/2010-04-01/Accounts/{ACCOUNT}/Calls.json?Page=1&PageToken=x"}}"#,
        wire(&sid(3), "in-progress", &format!("{day} 10:00:59 +0000")),
        wire(&sid(4), "completed", &format!("{day} 10:05:00 +0000")),
    );
    let second = format!(
        r#"{{"calls":[{},{}],"next_page_uri":null}}"#,
        wire(&sid(2), "queued", &format!("{day} 10:00:01 +0000")),
        wire(&sid(1), "completed", &format!("{day} 09:59:00 +0000")),
    );
    let peer = Peer::saying(vec![Answer::json(200, first), Answer::json(200, second)]).await;
    let found = twilio(&peer.url).find(&account(), &sought()).await.unwrap();
    let ids: Vec<_> = found.into_iter().map(|call| call.id).collect();
    assert_eq!(ids, [sid(2), sid(3)]);
    let came = peer.came();
    assert_eq!(
        came[0].target,
        format!(
            "/2010-04-01/Accounts/{ACCOUNT}/Calls.json?To=%2B14155550100&From=%2B14155550199&PageSize=1000"
        )
    );
    assert!(came[1].target.ends_with("?Page=1&PageToken=x"), "{}", came[1].target);
}

#[tokio::test]
async fn a_next_page_elsewhere_is_not_read() {
    let thief = Peer::saying(vec![Answer::json(200, r#"{"calls":[]}"#)]).await;
    for uri in [format!("{}/2010-04-01/x", thief.url), thief.url.replace("http:", "")] {
        let page = format!(r#"{{"calls":[],"next_page_uri":"{uri}"}}"#);
        let peer = Peer::saying(vec![Answer::json(200, page)]).await;
        let error = twilio(&peer.url).find(&account(), &sought()).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Unavailable);
    }
    assert_eq!(thief.came().len(), 0);
}

#[tokio::test]
async fn a_list_without_end_is_left() {
    let page = format!(
        r#"{{"calls":[],"next_page_uri":"/2010-04-01/Accounts/{ACCOUNT}/Calls.json?Page=1"}}"#
    );
    let peer = Peer::saying(vec![Answer::json(200, page)]).await;
    assert!(twilio(&peer.url).find(&account(), &sought()).await.unwrap().is_empty());
    assert_eq!(peer.came().len(), 20);
}

#[tokio::test]
async fn recordings_are_listed_and_deleted() {
    let list = format!(
        r#"{{"recordings":[
            {{"sid":"{RECORDING}","status":"completed","duration":"12","channels":2}},
            {{"sid":"{}","status":"processing","duration":"-1","channels":1}},
            {{"sid":"{}","status":"deleted"}}],"next_page_uri":null}}"#,
        RECORDING.replace('f', "e"),
        RECORDING.replace('f', "d"),
    );
    let gone = Answer::json(404, r#"{"code":20404,"message":"not there"}"#);
    let peer = Peer::saying(vec![
        Answer::json(200, list),
        Answer::Says(204, vec![], String::new()),
        gone,
        Answer::json(401, r#"{"code":20003,"message":"Authenticate"}"#),
    ])
    .await;
    let (twilio, account) = (twilio(&peer.url), account());
    let recordings = twilio.recordings(&account, CALL).await.unwrap();
    assert_eq!(recordings.len(), 2);
    assert_eq!(
        (recordings[0].status, recordings[0].duration_seconds, recordings[0].channels),
        (RecordingStatus::Completed, Some(12), Some(2))
    );
    assert_eq!(
        (recordings[1].status, recordings[1].duration_seconds),
        (RecordingStatus::InProgress, None)
    );
    twilio.delete_recording(&account, RECORDING).await.unwrap();
    twilio.delete_recording(&account, RECORDING).await.unwrap();
    let error = twilio.delete_recording(&account, RECORDING).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Forbidden);
    let came = peer.came();
    assert!(came[0].target.ends_with(&format!("/Calls/{CALL}/Recordings.json")));
    assert_eq!(came[1].method, "DELETE");
    assert!(came[1].target.ends_with(&format!("/Recordings/{RECORDING}.json")));
}

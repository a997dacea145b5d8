//! What is sent again, and what never is.

use std::time::Duration;

use crm_core::telephony::{Started, Telephony as _};
use crm_core::{Error, ErrorKind};
use crm_twilio::Twilio;

use crate::peer::{Answer, Peer};
use crate::scene::{CALL, RECORDING, account, hasty, options, outgoing, sought, twilio, wire};

const CREATED: &str = "Sun, 01 Mar 2026 10:00:30 +0000";

fn fine() -> Answer {
    Answer::json(200, wire(CALL, "queued", CREATED))
}

fn limited(seconds: &str) -> Answer {
    Answer::json(429, r#"{"code":20429,"message":"Too many"}"#).with("retry-after", seconds)
}

async fn start(peer: &Peer) -> Result<Started, Error> {
    twilio(&peer.url).start(&account(), &outgoing()).await
}

#[tokio::test]
async fn a_call_that_may_have_been_made_is_not_asked_for_again() {
    for answer in [
        Answer::HangsUp,
        Answer::json(500, ""),
        Answer::json(503, "{}"),
        Answer::json(408, ""),
        Answer::redirect("/elsewhere"),
        Answer::json(201, "{\"sid\": \"CA"),
        Answer::json(201, "{}"),
        Answer::json(201, wire("CA1", "queued", CREATED)),
        Answer::json(201, wire(CALL, "dreaming", CREATED)),
        Answer::BreaksOff(500, "{"),
    ] {
        let peer = Peer::saying(vec![answer.clone(), fine()]).await;
        let started = start(&peer).await;
        assert!(
            matches!(&started, Ok(Started::Unknown(error)) if error.kind() == ErrorKind::Unavailable),
            "{answer:?}: {started:?}"
        );
        assert_eq!(peer.came().len(), 1, "{answer:?}");
    }
}

#[tokio::test]
async fn a_call_without_an_answer_is_not_asked_for_again() {
    let peer = Peer::saying(vec![Answer::IsSilent, fine()]).await;
    let started = hasty(&peer.url).start(&account(), &outgoing()).await;
    let Ok(Started::Unknown(error)) = started else { panic!("{started:?}") };
    assert_eq!(error.message(), "the carrier did not answer in time");
    assert_eq!(peer.came().len(), 1);
}

#[tokio::test]
async fn a_call_that_was_turned_away_is_asked_for_again() {
    let peer = Peer::saying(vec![limited("0"), limited("0"), fine()]).await;
    assert!(matches!(start(&peer).await, Ok(Started::Placed(_))));
    assert_eq!(peer.came().len(), 3);
}

#[tokio::test]
async fn a_call_that_was_refused_is_an_error() {
    let refusal = r#"{"code":21211,"message":"Invalid 'To' Phone Number","status":400}"#;
    let peer = Peer::saying(vec![Answer::json(400, refusal)]).await;
    let error = start(&peer).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Invalid);
    assert_eq!(error.message(), "the carrier refused: 21211 Invalid 'To' Phone Number");
    assert_eq!(peer.came().len(), 1);
}

#[tokio::test]
async fn who_cannot_be_reached_has_no_call() {
    // Nobody listens where somebody did.
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let twilio = twilio(&format!("http://127.0.0.1:{port}"));
    let error = twilio.start(&account(), &outgoing()).await.unwrap_err();
    assert_eq!((error.kind(), error.is_retryable()), (ErrorKind::Unavailable, true));
    assert_eq!(error.message(), "the carrier cannot be reached");
}

#[tokio::test]
async fn a_look_is_taken_again() {
    for answer in [Answer::HangsUp, Answer::json(502, "<html>"), limited("0")] {
        let peer = Peer::saying(vec![answer.clone(), answer.clone(), fine()]).await;
        twilio(&peer.url).fetch(&account(), CALL).await.unwrap();
        assert_eq!(peer.came().len(), 3, "{answer:?}");
    }
    let peer = Peer::saying(vec![Answer::IsSilent, fine()]).await;
    hasty(&peer.url).fetch(&account(), CALL).await.unwrap();
    let peer = Peer::saying(vec![Answer::json(500, ""), Answer::json(204, "")]).await;
    twilio(&peer.url).delete_recording(&account(), RECORDING).await.unwrap();
    let peer = Peer::saying(vec![Answer::HangsUp, fine()]).await;
    twilio(&peer.url).hang_up(&account(), CALL).await.unwrap();
    assert_eq!(peer.came().len(), 2);
}

#[tokio::test]
async fn patience_ends() {
    let peer = Peer::saying(vec![Answer::json(500, "")]).await;
    let error = twilio(&peer.url).fetch(&account(), CALL).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unavailable);
    assert_eq!(peer.came().len(), 4);

    let peer = Peer::saying(vec![limited("0")]).await;
    let error = twilio(&peer.url).find(&account(), &sought()).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::RateLimited);
    assert_eq!(peer.came().len(), 4);
}

#[tokio::test]
async fn a_delay_beyond_patience_is_the_callers() {
    let peer = Peer::saying(vec![limited("3600"), fine()]).await;
    let error = start(&peer).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::RateLimited);
    assert_eq!(error.retry_after(), Some(Duration::from_secs(3600)));
    assert_eq!(peer.came().len(), 1);
}

#[tokio::test]
async fn the_delay_is_kept() {
    let peer = Peer::saying(vec![limited("1"), fine()]).await;
    let patient = Twilio::new(options(&peer.url).longest_wait(Duration::from_secs(1))).unwrap();
    let began = tokio::time::Instant::now();
    patient.fetch(&account(), CALL).await.unwrap();
    assert!(began.elapsed() >= Duration::from_secs(1));
}

#[tokio::test]
async fn an_answer_without_end_is_left() {
    let peer = Peer::saying(vec![Answer::Streams(100 << 20)]).await;
    let slow =
        options(&peer.url).retries(0, Duration::ZERO).request_timeout(Duration::from_secs(60));
    let error = Twilio::new(slow).unwrap().fetch(&account(), CALL).await.unwrap_err();
    assert_eq!(error.message(), "the carrier's answer is too long");
}

#[tokio::test]
async fn an_error_says_nothing_of_the_secrets_or_the_numbers() {
    let peer = Peer::saying(vec![Answer::HangsUp]).await;
    let error = twilio(&peer.url).find(&account(), &sought()).await.unwrap_err();
    let text = format!("{error:?}");
    assert!(!text.contains("14155550100") && !text.contains(crate::scene::TOKEN), "{text}");
}

//! Recordings, wherever they are and however they come.

use crm_core::telephony::{CarrierAudio, Telephony as _};
use crm_core::{Error, ErrorKind};
use futures::StreamExt as _;

use crate::peer::{Answer, Peer};
use crate::scene::{RECORDING, account, hasty, twilio};

fn wav(body: &str) -> Answer {
    Answer::Says(200, vec![("content-type", "audio/x-wav".to_owned())], body.to_owned())
}

async fn audio(peer: &Peer) -> Result<CarrierAudio, Error> {
    twilio(&peer.url).audio(&account(), RECORDING).await
}

async fn read(mut audio: CarrierAudio) -> Result<Vec<u8>, Error> {
    let mut whole = Vec::new();
    while let Some(piece) = audio.stream.next().await {
        whole.extend_from_slice(&piece?);
    }
    Ok(whole)
}

#[tokio::test]
async fn a_recording_is_fetched() {
    let peer = Peer::saying(vec![wav("RIFF....")]).await;
    let audio = audio(&peer).await.unwrap();
    assert_eq!((audio.content_type.as_str(), audio.bytes), ("audio/x-wav", Some(8)));
    assert_eq!(read(audio).await.unwrap(), b"RIFF....");
    let came = &peer.came()[0];
    assert!(came.target.ends_with(&format!("/Recordings/{RECORDING}.wav")), "{}", came.target);
    assert!(came.header("authorization").is_some());
}

#[tokio::test]
async fn the_secrets_stay_with_the_configured_host() {
    let storage = Peer::saying(vec![wav("RIFF")]).await;
    let other = storage.url.clone();
    let peer = Peer::start(move |n, _| match n {
        0 => Answer::redirect("/media/1.wav"),
        _ => Answer::redirect(format!("{other}/bucket/1.wav?signed=1")),
    })
    .await;
    assert_eq!(read(audio(&peer).await.unwrap()).await.unwrap(), b"RIFF");
    let came = peer.came();
    assert_eq!(came[1].target, "/media/1.wav");
    assert!(came.iter().all(|came| came.header("authorization").is_some()));
    let stored = &storage.came()[0];
    assert_eq!(stored.target, "/bucket/1.wav?signed=1");
    assert_eq!(stored.header("authorization"), None);
}

#[tokio::test]
async fn who_was_sent_away_comes_back_without_secrets() {
    let back = std::sync::Arc::new(std::sync::OnceLock::new());
    let home = std::sync::Arc::clone(&back);
    let storage = Peer::start(move |_, _| {
        let home: &String = home.get().unwrap();
        Answer::redirect(format!("{home}/anything"))
    })
    .await;
    let away = storage.url.clone();
    let peer = Peer::start(move |n, _| match n {
        0 => Answer::redirect(away.clone()),
        _ => wav("RIFF"),
    })
    .await;
    back.set(peer.url.clone()).unwrap();
    read(audio(&peer).await.unwrap()).await.unwrap();
    let secrets: Vec<_> =
        peer.came().iter().map(|came| came.header("authorization").is_some()).collect();
    assert_eq!(secrets, [true, false]);
}

#[tokio::test]
async fn redirections_end() {
    let peer = Peer::saying(vec![Answer::redirect("/again")]).await;
    assert_eq!(audio(&peer).await.unwrap_err().kind(), ErrorKind::Unavailable);
    assert_eq!(peer.came().len(), 6);
    for place in ["ftp://127.0.0.1/x", "file:///etc/passwd", "http://["] {
        let peer = Peer::saying(vec![Answer::redirect(place)]).await;
        assert_eq!(audio(&peer).await.unwrap_err().kind(), ErrorKind::Unavailable, "{place}");
        assert_eq!(peer.came().len(), 1, "{place}");
    }
}

#[tokio::test]
async fn a_refusal_of_the_storage_is_not_one_of_the_carrier() {
    for (status, kind) in [(403, ErrorKind::Unavailable), (404, ErrorKind::NotFound)] {
        let storage = Peer::saying(vec![Answer::Says(status, vec![], String::new())]).await;
        let peer = Peer::saying(vec![Answer::redirect(storage.url.clone())]).await;
        assert_eq!(audio(&peer).await.unwrap_err().kind(), kind, "{status}");
    }
    let peer = Peer::saying(vec![Answer::json(403, "{}")]).await;
    assert_eq!(audio(&peer).await.unwrap_err().kind(), ErrorKind::Forbidden);
}

#[tokio::test]
async fn one_that_is_not_there_yet_is_not_found_and_then_is_there() {
    let absent = Answer::json(404, r#"{"code":20404,"message":"not there"}"#);
    let peer = Peer::saying(vec![absent, wav("RIFF")]).await;
    assert_eq!(audio(&peer).await.unwrap_err().kind(), ErrorKind::NotFound);
    assert_eq!(read(audio(&peer).await.unwrap()).await.unwrap(), b"RIFF");
}

#[tokio::test]
async fn a_start_that_breaks_is_tried_again() {
    let peer =
        Peer::saying(vec![Answer::HangsUp, Answer::json(503, ""), Answer::IsSilent, wav("RIFF")]);
    let peer = peer.await;
    let audio = hasty(&peer.url).audio(&account(), RECORDING).await.unwrap();
    assert_eq!(read(audio).await.unwrap(), b"RIFF");
    assert_eq!(peer.came().len(), 4);
}

#[tokio::test]
async fn one_that_ends_early_ends_with_an_error() {
    for answer in [Answer::BreaksOff(1_000, "RIFF"), Answer::StandsStill] {
        let peer = Peer::saying(vec![answer.clone()]).await;
        let audio = hasty(&peer.url).audio(&account(), RECORDING).await.unwrap();
        assert!(audio.bytes.is_some());
        let error = read(audio).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Unavailable, "{answer:?}");
    }
}

#[tokio::test]
async fn only_audio_is_taken() {
    let says = |kind: &str| {
        Answer::Says(200, vec![("content-type", kind.to_owned())], "<script>".to_owned())
    };
    for kind in ["text/html", "application/json", "image/svg+xml"] {
        let peer = Peer::saying(vec![says(kind)]).await;
        assert_eq!(audio(&peer).await.unwrap_err().kind(), ErrorKind::Unavailable, "{kind}");
    }
    for (kind, read) in [
        ("Audio/MPEG; q=1", "audio/mpeg"),
        ("binary/octet-stream", "audio/x-wav"),
        ("application/octet-stream", "audio/x-wav"),
    ] {
        let peer = Peer::saying(vec![says(kind)]).await;
        assert_eq!(audio(&peer).await.unwrap().content_type, read);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_hundred_megabytes_are_never_held() {
    const BYTES: usize = 200 << 20;
    let peer = Peer::saying(vec![Answer::Streams(BYTES)]).await;
    let mut audio = audio(&peer).await.unwrap();
    assert_eq!(audio.bytes, Some(BYTES as u64));
    let before = peak();
    let mut read = 0;
    while let Some(piece) = audio.stream.next().await {
        read += piece.unwrap().len();
    }
    assert_eq!(read, BYTES);
    let grown = peak().saturating_sub(before);
    assert!(grown < 32 << 10, "{grown} KiB more for a stream of 200 MiB");
}

/// The most memory that this process ever had, in KiB.
fn peak() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
    line.trim().trim_end_matches(" kB").parse().unwrap()
}

//! Recordings, from the carrier to the ear, and their end.

use std::ops::Range;
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use bytes::Bytes;
use crm_core::calls::{Recording, RecordingStatus};
use crm_core::events::EventName;
use crm_core::identity::NewUser;
use crm_core::jobs::JobState;
use crm_core::ports::{BlobKey, Blobs, ByteStream, MemoryBlobs};
use crm_core::privacy::{NewConsent, Purpose};
use crm_core::telephony::CarrierRecording;
use crm_core::{ErrorKind, Principal, Result, Role, UserId};
use futures::channel::oneshot;
use futures::{TryStreamExt as _, stream};

use super::carrier::Audio;
use super::*;

/// More than two of the pieces that are sealed.
static AUDIO: [u8; 200_000] = audio();

const fn audio() -> [u8; 200_000] {
    let mut bytes = [0; 200_000];
    let mut place = 0;
    while place < bytes.len() {
        bytes[place] = (place % 251) as u8;
        place += 1;
    }
    bytes
}

/// Blobs that can be tampered with.
#[derive(Clone, Default)]
struct Shelf(Arc<MemoryBlobs>, Arc<Mutex<Tampering>>);

#[derive(Default)]
struct Tampering {
    keys: Vec<BlobKey>,
    /// This byte of every blob comes altered.
    altered: Option<u64>,
    /// The next blob is kept when this comes.
    held_up: Option<oneshot::Receiver<()>>,
}

#[async_trait]
impl Blobs for Shelf {
    async fn put(&self, key: &BlobKey, bytes: ByteStream) -> Result<()> {
        let held_up = self.1.lock().unwrap().held_up.take();
        if let Some(held_up) = held_up {
            held_up.await.unwrap();
        }
        self.0.put(key, bytes).await?;
        self.1.lock().unwrap().keys.push(key.clone());
        Ok(())
    }

    async fn get(&self, key: &BlobKey, range: Range<u64>) -> Result<ByteStream> {
        let whole: Vec<Bytes> = self.0.get(key, range.clone()).await?.try_collect().await?;
        let mut whole = whole.concat();
        if let Some(place) = self.1.lock().unwrap().altered
            && let Some(byte) =
                place.checked_sub(range.start).and_then(|p| whole.get_mut(p as usize))
        {
            *byte ^= 1;
        }
        Ok(Box::pin(stream::iter([Ok(Bytes::from(whole))])))
    }

    async fn delete(&self, key: &BlobKey) -> Result<()> {
        self.0.delete(key).await
    }

    async fn check(&self) -> Result<()> {
        self.0.check().await
    }
}

async fn session_of(world: &World, user: UserId) -> Session {
    world.crm.session(Principal::User { tenant: world.tenant.id, user }).await.unwrap()
}

/// A world whose contact has agreed to be recorded, with a call that is over.
async fn recorded_world() -> (World, Shelf, Call) {
    let mut world = World::new().await;
    let shelf = Shelf::default();
    let (store, clock, carrier) = (&world.store, &world.clock, &world.carrier);
    world.crm = builder_over(store, clock, carrier).blobs(shelf.clone()).build().unwrap();
    world.session = session_of(&world, world.session.scope().actor().user().unwrap()).await;
    let consent = NewConsent { purpose: Purpose::Recording, granted: true, source: None };
    world.session.privacy().record_consent(world.ada.id, consent).await.unwrap();
    let start = StartCall::to(world.ada.id).recorded();
    let call = world.session.calls().start(start).await.unwrap();
    world.work().await;
    assert!(world.carrier.desk().started[0].record);
    world.tell(world.news(&call, "CA1", None, &step(CallStatus::Completed, 4))).await;
    (world, shelf, call)
}

async fn told_of_recording(world: &World, call: &Call, status: RecordingStatus) {
    let told = json!({ "news": "recording", "call": "CA1", "recording": "RE1", "status": status });
    world.tell(request(&world.url(call), None, told)).await;
}

/// A world with a recording that can be heard.
async fn kept_world() -> (World, Shelf, Call) {
    let (world, shelf, call) = recorded_world().await;
    world.carrier.desk().audio.push_back(Audio::Whole(&AUDIO));
    told_of_recording(&world, &call, RecordingStatus::Completed).await;
    world.work().await;
    (world, shelf, call)
}

async fn heard(world: &World, call: &Call, range: Range<u64>) -> Result<Vec<u8>> {
    let calls = world.session.calls();
    let file = calls.recording(call.id).await?;
    let pieces: Vec<Bytes> = calls.hear(&file, range).await?.try_collect().await?;
    Ok(pieces.concat())
}

fn is_not_found<T: std::fmt::Debug>(result: Result<T>) {
    assert_eq!(result.unwrap_err().kind(), ErrorKind::NotFound);
}

async fn nothing_is_left(shelf: &Shelf) {
    let keys = shelf.1.lock().unwrap().keys.clone();
    assert!(!keys.is_empty());
    for key in keys {
        is_not_found(shelf.0.get(&key, 0..1).await.map(drop));
    }
}

#[tokio::test]
async fn a_recording_is_fetched_once() {
    let (world, _, call) = recorded_world().await;
    world.carrier.desk().audio.push_back(Audio::Whole(&AUDIO));
    told_of_recording(&world, &call, RecordingStatus::InProgress).await;
    world.work().await;
    assert_eq!(world.carrier.desk().audio_asked, 0);
    is_not_found(world.session.calls().recording(call.id).await);
    for _ in 0..2 {
        told_of_recording(&world, &call, RecordingStatus::Completed).await;
        world.work().await;
    }
    // Listing it later finds nothing new.
    world.carrier.desk().calls.insert("CA1".into(), step(CallStatus::Completed, 4));
    world.carrier.desk().recordings = vec![CarrierRecording {
        id: "RE1".into(),
        status: RecordingStatus::Completed,
        duration_seconds: Some(7),
        channels: Some(2),
    }];
    world.work_after(600).await;
    assert_eq!(world.carrier.desk().audio_asked, 1);
    let known = world.call(call.id).await;
    assert_eq!(known.recordings.len(), 1);
    let kept = known.recordings[0].heard().unwrap();
    assert_eq!((kept.bytes, kept.content_type.as_str()), (200_000, "audio/x-wav"));
    let events = world.events(call.id).await;
    assert_eq!(events.iter().filter(|name| **name == "call.recorded").count(), 1);
}

#[tokio::test]
async fn a_recording_that_nobody_tells_of_is_found_by_listing() {
    let (world, _, call) = recorded_world().await;
    world.carrier.desk().calls.insert("CA1".into(), step(CallStatus::Completed, 4));
    world.carrier.desk().recordings = vec![CarrierRecording {
        id: "RE1".into(),
        status: RecordingStatus::Completed,
        duration_seconds: None,
        channels: None,
    }];
    world.carrier.desk().audio.push_back(Audio::Whole(&AUDIO));
    world.work_after(600).await;
    assert_eq!(heard(&world, &call, 0..u64::MAX).await.unwrap(), AUDIO);
}

#[tokio::test]
async fn what_comes_late_or_in_pieces_is_fetched_again() {
    for bad in [Audio::NotThere, Audio::CutOff(&AUDIO[..150_000]), Audio::Breaks(&AUDIO[..70_000])]
    {
        let (world, shelf, call) = recorded_world().await;
        world.carrier.desk().audio.extend([bad, Audio::Whole(&AUDIO)]);
        told_of_recording(&world, &call, RecordingStatus::Completed).await;
        world.work().await;
        is_not_found(world.session.calls().recording(call.id).await);
        assert!(shelf.1.lock().unwrap().keys.is_empty());
        world.work_after(2).await;
        assert_eq!(world.carrier.desk().audio_asked, 2);
        assert_eq!(heard(&world, &call, 0..u64::MAX).await.unwrap(), AUDIO);
    }
}

#[tokio::test]
async fn a_fetch_that_has_lost_its_lease_spoils_nothing() {
    let (world, shelf, call) = recorded_world().await;
    world.carrier.desk().audio.extend([Audio::Whole(&AUDIO), Audio::Whole(&AUDIO)]);
    told_of_recording(&world, &call, RecordingStatus::Completed).await;
    let (go_on, held_up) = oneshot::channel();
    shelf.1.lock().unwrap().held_up = Some(held_up);
    // For it, every lease has run out.
    let ahead = TestClock::default();
    ahead.advance(Duration::from_secs(60 * 60));
    let other = builder_over(&world.store, &ahead, &world.carrier).blobs(shelf.clone());
    let other = other.build().unwrap().worker();
    let overtaken = async {
        other.run_due().await.unwrap();
        go_on.send(()).unwrap();
    };
    futures::join!(world.work(), overtaken);
    assert_eq!(world.carrier.desk().audio_asked, 2);
    assert_eq!(heard(&world, &call, 0..u64::MAX).await.unwrap(), AUDIO);
    assert_eq!(shelf.1.lock().unwrap().keys.len(), 2);
    world.session.calls().delete_recording(call.id).await.unwrap();
    world.work().await;
    nothing_is_left(&shelf).await;
}

#[tokio::test]
async fn a_recording_that_never_comes_is_left_to_people() {
    let (world, _, call) = recorded_world().await;
    told_of_recording(&world, &call, RecordingStatus::Completed).await;
    for _ in 0..20 {
        world.work_after(60 * 60).await;
    }
    let jobs = world.jobs().await;
    let job = jobs.iter().find(|job| job.kind.as_str() == "crm.recording.fetch").unwrap();
    assert_eq!(job.state, JobState::Dead);
    world.carrier.desk().audio.push_back(Audio::Whole(&AUDIO));
    world.session.jobs().retry(job.id).await.unwrap();
    world.work().await;
    assert_eq!(heard(&world, &call, 0..4).await.unwrap(), AUDIO[..4]);
}

#[tokio::test]
async fn a_recording_is_heard_whole_and_in_part_and_each_time_is_written_down() {
    let (world, _, call) = kept_world().await;
    let ranges = [0..200_000, 0..1, 199_999..200_000, 65_535..131_073, 5..5, 0..u64::MAX];
    for range in &ranges {
        let end = range.end.min(200_000) as usize;
        let part = heard(&world, &call, range.clone()).await.unwrap();
        assert_eq!(part, AUDIO[range.start as usize..end], "{range:?}");
    }
    assert_eq!(heard(&world, &call, 300_000..400_000).await.unwrap(), b"");
    let events = world.events(call.id).await;
    let heard = events.iter().filter(|name| **name == "recording.heard").count();
    assert_eq!(heard, ranges.len() + 1);
    let entries = world.session.audit().list(None, &Page::default()).await.unwrap();
    let own = entries.items.iter().filter(|entry| entry.action == EventName::RecordingHeard);
    assert_eq!(own.count(), ranges.len() + 1);
}

#[tokio::test]
async fn an_altered_recording_is_an_error() {
    let (world, shelf, call) = kept_world().await;
    for place in [0, 1000, 70_000, 199_999] {
        shelf.1.lock().unwrap().altered = Some(place);
        let refused = heard(&world, &call, 0..200_000).await.unwrap_err();
        assert_eq!(refused.kind(), ErrorKind::Internal, "{place}");
    }
    shelf.1.lock().unwrap().altered = None;
    let key = shelf.1.lock().unwrap().keys[0].clone();
    let whole: Vec<Bytes> =
        shelf.0.get(&key, 0..u64::MAX).await.unwrap().try_collect().await.unwrap();
    let whole = Bytes::from(whole.concat());
    assert!(!whole.windows(64).any(|part| AUDIO.starts_with(part)), "it is kept sealed");
    let shorter = whole.slice(..whole.len() - 100);
    shelf.0.put(&key, Box::pin(stream::iter([Ok(shorter)]))).await.unwrap();
    let refused = heard(&world, &call, 0..200_000).await.unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::Internal);
}

#[tokio::test]
async fn a_deleted_recording_is_gone_here_and_at_the_carrier() {
    let (world, shelf, call) = kept_world().await;
    let file = world.session.calls().recording(call.id).await.unwrap();
    let after = world.session.calls().delete_recording(call.id).await.unwrap();
    assert!(after.recordings.iter().all(|recording| recording.heard().is_none()));
    is_not_found(world.session.calls().recording(call.id).await);
    is_not_found(world.session.calls().hear(&file, 0..1).await.map(drop));
    is_not_found(world.session.calls().delete_recording(call.id).await);
    world.work().await;
    assert_eq!(world.carrier.desk().deleted, ["RE1"]);
    nothing_is_left(&shelf).await;
    assert_eq!(world.events(call.id).await.last(), Some(&"recording.deleted"));
    // Being told of it again does not bring it back.
    world.carrier.desk().audio.push_back(Audio::Whole(&AUDIO));
    told_of_recording(&world, &call, RecordingStatus::Completed).await;
    world.work_after(91 * 24 * 60 * 60).await;
    is_not_found(world.session.calls().recording(call.id).await);
    assert_eq!(world.carrier.desk().audio_asked, 1);
}

#[tokio::test]
async fn a_recording_whose_time_is_over_is_deleted_everywhere() {
    let (world, shelf, call) = kept_world().await;
    let expires = world.call(call.id).await.recordings[0].heard().unwrap().expires_at.unwrap();
    let days = expires.since(world.crm.now()).as_secs() / (24 * 60 * 60);
    assert_eq!(days, 90);
    world.work_after(90 * 24 * 60 * 60 - 1).await;
    world.session.calls().recording(call.id).await.unwrap();
    world.work_after(1).await;
    is_not_found(world.session.calls().recording(call.id).await);
    assert_eq!(world.carrier.desk().deleted, ["RE1"]);
    nothing_is_left(&shelf).await;
    assert!(world.jobs().await.is_empty());
}

#[tokio::test]
async fn only_who_may_hears_and_deletes() {
    let (world, _, call) = kept_world().await;
    let file = world.session.calls().recording(call.id).await.unwrap();
    let new = NewUser { email: "v@acme.example".into(), full_name: None, role: Role::Viewer };
    let viewer = world.session.users().create(new).await.unwrap().user.id;
    let active = serde_json::from_value(json!({ "status": "active" })).unwrap();
    world.session.users().update(viewer, active, None).await.unwrap();
    let viewer = session_of(&world, viewer).await;
    let forbidden = |kind| assert_eq!(kind, ErrorKind::Forbidden);
    forbidden(viewer.calls().recording(call.id).await.unwrap_err().kind());
    forbidden(viewer.calls().hear(&file, 0..1).await.map(drop).unwrap_err().kind());
    forbidden(viewer.calls().delete_recording(call.id).await.unwrap_err().kind());
    let (_, theirs) = new_tenant(&world.crm, "other").await;
    is_not_found(theirs.calls().recording(call.id).await);
    is_not_found(theirs.calls().delete_recording(call.id).await);
    is_not_found(theirs.calls().hear(&file, 0..1).await.map(drop));
    assert!(!all_events(&theirs).await.iter().any(|it| it.event.name == EventName::RecordingHeard));
    assert_eq!(world.events(call.id).await.last(), Some(&"call.recorded"));
    assert_eq!(heard(&world, &call, 0..1).await.unwrap(), [0]);
}

#[tokio::test]
async fn nothing_secret_is_shown() {
    let (world, _, call) = kept_world().await;
    let file = world.session.calls().recording(call.id).await.unwrap();
    let known: Recording = world.call(call.id).await.recordings[0].clone();
    let accounts = world.session.telephony().list().await.unwrap();
    let jobs = world.jobs().await;
    let events = all_events(&world.session).await;
    let new = account("open sesame", LINE);
    let secrets = &new.secrets;
    let carrier = crm_core::telephony::CarrierAccount::new("AC1", secrets.clone());
    for shown in [
        format!("{file:?} {known:?} {accounts:?} {jobs:?} {events:?}"),
        format!("{new:?} {secrets:?} {carrier:?} {:?} {:?}", world.crm, world.worker()),
    ] {
        assert!(!shown.contains("sesame"), "{shown}");
    }
}

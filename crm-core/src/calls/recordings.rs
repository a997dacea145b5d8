//! Recordings: fetched, kept, heard, deleted.

use std::ops::Range;
use std::time::Duration;

use super::commands::{CallNews, update_call};
use super::handlers::{
    EXPIRE_RECORDING, NamedRecording, REMOVE_RECORDING, carrier_of, change, load,
};
use super::model::{Call, KeptRecording, RecordingStatus};
use super::service::Calls;
use crate::access::{DeleteRecordings, HearRecordings};
use crate::blobs::{BlobKey, ByteStream};
use crate::changes::{Changes, Write};
use crate::error::{Error, ErrorKind, Result};
use crate::events::payload::RecordingHeard;
use crate::id::CallId;
use crate::identity::Digest;
use crate::jobs::NewJob;
use crate::jobs::worker::{AtWork, Next};
use crate::sealed_blob::{SealedBy, measured, open, seal, sealed_range};
use crate::session::Session;

/// A recording that can be heard.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RecordingFile {
    /// The call.
    pub call_id: CallId,
    /// What it is, e.g. `audio/x-wav`.
    pub content_type: String,
    /// Bytes of the audio.
    pub bytes: u64,
    /// SHA-256 of the audio, in hexadecimal digits.
    pub sha256: String,
    kept: KeptRecording,
}

impl Calls<'_> {
    /// The recording of a call, for [`Calls::hear`].
    ///
    /// # Errors
    ///
    /// `forbidden`; `not_found` when there is no such call, or no recording of it that can be heard;
    /// `unavailable` or `internal` from the store.
    pub async fn recording(&self, id: CallId) -> Result<RecordingFile> {
        self.session
            .run("calls.recording", async {
                let look = self.session.store().call(self.session.scope(), id);
                let (_permit, call) =
                    self.session.authorize_on::<HearRecordings, _>("call", look).await?;
                let recording = call.recording().ok_or_else(|| Error::not_found("recording"))?;
                let kept = recording.heard().ok_or_else(|| Error::not_found("recording"))?;
                Ok(RecordingFile {
                    call_id: id,
                    content_type: kept.content_type.clone(),
                    bytes: kept.bytes,
                    sha256: kept.sha256.clone(),
                    kept: kept.clone(),
                })
            })
            .await
    }

    /// The bytes of a recording in `range`, held to what there is. That they were given is written in the
    /// audit log before they are.
    ///
    /// # Errors
    ///
    /// `forbidden`; `not_found` when it was deleted since; `unavailable` or `internal` from the store or the blobs. The
    /// stream ends with `internal` where the file was altered.
    pub async fn hear(&self, file: &RecordingFile, range: Range<u64>) -> Result<ByteStream> {
        self.session
            .run("calls.hear", async {
                // The file was looked up before: it may be deleted since, or handed to somebody else.
                let look = self.session.store().call(self.session.scope(), file.call_id);
                let (_permit, call) =
                    self.session.authorize_on::<HearRecordings, _>("call", look).await?;
                if !call.recordings.iter().any(|own| own.heard() == Some(&file.kept)) {
                    return Err(Error::not_found("recording"));
                }
                let range = range.start.min(file.bytes)..range.end.min(file.bytes);
                let core = self.session.core();
                let mut changes = self.session.new_changes();
                let data = RecordingHeard {
                    contact_id: call.contact_id,
                    bytes: file.bytes,
                    from: range.start,
                    to: range.end,
                };
                changes.record(&core.env, Write::Nothing, file.call_id, Vec::new(), &data)?;
                self.session.commit(changes).await?;
                let kept = &file.kept;
                let SealedBy { key, salt } = kept.sealed_by.parse()?;
                let tenant = self.session.scope().tenant();
                let key = core.key_ring.stream_key_named(&key, tenant, PURPOSE, &salt)?;
                let part = sealed_range(range.clone(), kept.bytes);
                let sealed = core.blobs.get(&BlobKey::from_stored(&kept.blob)?, part).await?;
                Ok(open(sealed, key, kept.bytes, range))
            })
            .await
    }

    /// Deletes the recordings of a call, also those that are not fetched yet. They cannot be heard from then
    /// on; the files, here and at the carrier, are deleted by jobs.
    ///
    /// # Errors
    ///
    /// `forbidden`; `not_found` when there is no such call, or no recording of it that is not deleted;
    /// `unavailable` or `internal` from the store.
    pub async fn delete_recording(&self, id: CallId) -> Result<Call> {
        let attempt = || async {
            let look = self.session.store().call(self.session.scope(), id);
            let (_permit, before) =
                self.session.authorize_on::<DeleteRecordings, _>("call", look).await?;
            let mut changes = self.session.new_changes();
            let after = without_recordings(self.session, &before, &mut changes, |_| true)?
                .ok_or_else(|| Error::not_found("recording"))?;
            let env = self.session.env();
            let after = update_call(env, &mut changes, &before, after, CallNews::RecordingDeleted)?;
            self.session.commit(changes).await?;
            Ok(after)
        };
        let attempts = self.session.retry_contended(false, attempt);
        self.session.run("calls.delete_recording", attempts).await
    }
}

/// What the keys of recordings are derived for.
const PURPOSE: &str = "recording";

/// The call after those of its recordings that are `meant` were deleted, also one that is not fetched yet;
/// `None` where there is none.
fn without_recordings(
    session: &Session,
    before: &Call,
    changes: &mut Changes,
    meant: impl Fn(&str) -> bool,
) -> Result<Option<Call>> {
    let mut after = before.clone();
    let at = changes.at();
    for recording in &mut after.recordings {
        if recording.deleted_at.is_none() && meant(&recording.provider_recording_id) {
            recording.deleted_at = Some(at);
            let recording = recording.provider_recording_id.clone();
            let named = NamedRecording { call_id: before.id, recording };
            changes.enqueue(session.env(), NewJob::new(REMOVE_RECORDING, &named)?)?;
        }
    }
    Ok((after != *before).then_some(after))
}

/// Where a recording is kept that was fetched under this claim of its job. Each claim has a place of its own:
/// a fetch that has lost its lease may still write, and must not write over what was kept since.
fn blob_of(session: &Session, named: &NamedRecording, claim: i64) -> Result<BlobKey> {
    let tenant = session.scope().tenant().to_string();
    let digest = Digest::of(named.recording.as_bytes());
    let name: String = digest.as_bytes().iter().take(16).map(|b| format!("{b:02x}")).collect();
    let name = format!("{name}-{claim}");
    BlobKey::new(&["recordings", &tenant, &named.call_id.to_string(), &name])
}

/// The claim under which the file was fetched.
fn claim_of(kept: &KeptRecording) -> i64 {
    kept.blob.rsplit_once('-').and_then(|(_, claim)| claim.parse().ok()).unwrap_or(1)
}

/// Fetches a recording from the carrier, piece by piece, and keeps it sealed.
pub(crate) async fn fetch(job: AtWork) -> Result<Next> {
    let named: NamedRecording = job.payload()?;
    let session = job.session();
    let core = session.core();
    let call = load(&session, named.call_id).await?;
    let known = |call: &Call| {
        let own = |own: &&super::model::Recording| own.provider_recording_id == named.recording;
        call.recordings.iter().find(own).cloned()
    };
    match known(&call) {
        Some(recording) if recording.kept.is_none() && recording.deleted_at.is_none() => {}
        Some(_) | None => return Ok(Next::Done),
    }
    let Some(carrier) = carrier_of(&session, &call).await? else {
        return Err(Error::new(ErrorKind::Conflict, "the telephony account is gone"));
    };
    let audio = carrier.telephony.audio(&carrier.opened, &named.recording).await;
    // It is told of before the file is there.
    let audio = audio.map_err(|error| {
        if error.kind() == ErrorKind::NotFound {
            return Error::unavailable("the recording is not there yet", error);
        }
        error
    })?;
    let tenant = session.scope().tenant();
    let mut salt = [0; 32];
    core.env.fill(&mut salt)?;
    let (name, key) = core.key_ring.stream_key(tenant, PURPOSE, &salt)?;
    let sealed_by = SealedBy { key: name.to_owned(), salt };
    let (stream, result) = measured(audio.stream, audio.bytes);
    let blob = blob_of(&session, &named, job.claim())?;
    core.blobs.put(&blob, seal(stream, key)).await?;
    let (bytes, digest) =
        result.result().ok_or_else(|| Error::internal("the blobs took a part of the stream"))?;
    let days = session.tenant().load().await?.recording_days;
    let content_type = audio.content_type;
    change(&session, named.call_id, CallNews::Recorded, |before, changes| {
        let mut after = before.clone();
        let own = after
            .recordings
            .iter_mut()
            .find(|own| own.provider_recording_id == named.recording && own.kept.is_none());
        let Some(own) = own else { return Ok(None) };
        let stored_at = changes.at();
        let expires_at =
            days.map(|days| stored_at.after(Duration::from_secs(u64::from(days) * 24 * 60 * 60)));
        if let Some(at) = expires_at {
            changes.enqueue(session.env(), NewJob::new(EXPIRE_RECORDING, &named)?.at(at))?;
        }
        own.status = own.status.max(RecordingStatus::Completed);
        own.kept = Some(KeptRecording {
            blob: blob.as_str().to_owned(),
            bytes,
            sha256: digest.to_hex(),
            content_type: content_type.clone(),
            sealed_by: sealed_by.to_string(),
            stored_at,
            expires_at,
        });
        Ok(Some(after))
    })
    .await?;
    Ok(Next::Done)
}

/// Deletes a recording whose time is over.
pub(crate) async fn expire(job: AtWork) -> Result<Next> {
    let named: NamedRecording = job.payload()?;
    let session = job.session();
    change(&session, named.call_id, CallNews::RecordingDeleted, |before, changes| {
        without_recordings(&session, before, changes, |id| id == named.recording)
    })
    .await?;
    Ok(Next::Done)
}

/// Deletes the file of a recording, here and at the carrier.
pub(crate) async fn remove(job: AtWork) -> Result<Next> {
    let named: NamedRecording = job.payload()?;
    let session = job.session();
    let call = load(&session, named.call_id).await?;
    let own = call.recordings.iter().find(|own| own.provider_recording_id == named.recording);
    // Claims before it may have left a file behind.
    for claim in 1..=own.and_then(|own| own.kept.as_ref()).map_or(0, claim_of) {
        session.core().blobs.delete(&blob_of(&session, &named, claim)?).await?;
    }
    match carrier_of(&session, &call).await? {
        Some(carrier) => {
            carrier.telephony.delete_recording(&carrier.opened, &named.recording).await?;
        }
        None => tracing::warn!(call = %call.id, "a recording stays at a carrier that is gone"),
    }
    Ok(Next::Done)
}

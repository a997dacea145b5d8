//! The jobs of calls: they ask the carrier for what a commit has decided.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use futures::FutureExt as _;
use futures::future::BoxFuture;
use serde::{Deserialize, Serialize};

use super::commands::{CallNews, update_call};
use super::model::{Call, CallFailure, CallStatus, Placement, Progress, RecordingStatus};
use super::service::may_be_called;
use super::webhooks::{callback, joined, script, with_recording};
use crate::changes::Changes;
use crate::env::Env;
use crate::error::{Error, ErrorKind, Result};
use crate::id::CallId;
use crate::jobs::worker::{AtWork, Next};
use crate::jobs::{JobKind, NewJob};
use crate::session::Session;
use crate::telephony::{
    CarrierAccount, CarrierCall, CarrierRecording, OutgoingCall, SoughtCall, Started, Telephony,
    TelephonyAccount,
};
use crate::time::Timestamp;

/// Asks the carrier for a call.
pub(crate) const PLACE: &str = "crm.call.place";
/// Asks the carrier to end a call.
pub(crate) const HANG_UP: &str = "crm.call.hang_up";
/// Asks the carrier what became of a call.
pub(crate) const RECONCILE: &str = "crm.call.reconcile";
/// Fetches a recording.
pub(crate) const FETCH_RECORDING: &str = "crm.recording.fetch";
/// Deletes a recording whose time is over.
pub(crate) const EXPIRE_RECORDING: &str = "crm.recording.expire";
/// Deletes a recording's file, here and at the carrier.
pub(crate) const REMOVE_RECORDING: &str = "crm.recording.remove";

/// When the carrier is asked for the first time what became of a call.
pub(crate) const RECONCILE_AFTER: Duration = Duration::from_secs(90);
/// A call that could not be placed for so long is not placed any more: nobody waits for it.
const PLACE_WITHIN: Duration = Duration::from_secs(2 * 60);
/// How long a call is looked for whose answer was lost.
const SEEK_FOR: Duration = Duration::from_secs(10 * 60);
/// How long after its end a call's price and recordings are asked for.
const SETTLED_AFTER: Duration = Duration::from_secs(5 * 60);
/// A call that the carrier says nothing of for so long is over.
const LONGEST: Duration = Duration::from_secs(25 * 60 * 60);
/// How long a carrier lets a call ring.
const RING_FOR: Duration = Duration::from_secs(60);

/// A call by its id, as jobs name it.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub(crate) struct Named {
    pub(crate) call_id: CallId,
}

/// A recording, as jobs name it.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct NamedRecording {
    pub(crate) call_id: CallId,
    pub(crate) recording: String,
}

type Handle = Box<dyn Fn(AtWork) -> BoxFuture<'static, Result<Next>> + Send + Sync>;

/// The handlers of the CRM's own jobs, each with how many run at once.
pub(crate) fn handlers() -> Vec<(JobKind, Option<usize>, Handle)> {
    macro_rules! handlers {
        ($($kind:ident, $at_once:expr, $handle:path;)*) => {
            vec![$((
                JobKind::own($kind),
                $at_once,
                Box::new(|job: AtWork| $handle(job).boxed()) as Handle,
            ),)*]
        };
    }
    handlers! {
        PLACE, None, place;
        HANG_UP, None, hang_up;
        RECONCILE, Some(10), reconcile;
        FETCH_RECORDING, Some(4), super::recordings::fetch;
        EXPIRE_RECORDING, Some(4), super::recordings::expire;
        REMOVE_RECORDING, Some(4), super::recordings::remove;
    }
}

/// The carrier of a call, with the account's secrets opened.
pub(crate) struct Carrier {
    pub(crate) telephony: Arc<dyn Telephony>,
    pub(crate) account: TelephonyAccount,
    pub(crate) opened: CarrierAccount,
}

/// `None` where the call has no carrier here any more.
pub(crate) async fn carrier_of(session: &Session, call: &Call) -> Result<Option<Carrier>> {
    let (Some(provider), Some(id)) = (&call.provider, call.account_id) else { return Ok(None) };
    let core = session.core();
    let account = core.telephony_account(session.scope(), id).await?;
    let (Some(telephony), Some(account)) = (core.telephony.get(provider), account) else {
        return Ok(None);
    };
    let opened = core.open_account(session.scope().tenant(), &account)?;
    Ok(Some(Carrier { telephony: Arc::clone(telephony), account, opened }))
}

pub(crate) async fn load(session: &Session, id: CallId) -> Result<Call> {
    let call = session.store().call(session.scope(), id).await?;
    call.ok_or_else(|| Error::not_found("call"))
}

/// Changes a call in `session` by what `change` makes of it, again where somebody else was faster; `None`
/// leaves it as it is.
pub(crate) async fn change(
    session: &Session,
    id: CallId,
    news: CallNews,
    change: impl Fn(&Call, &mut Changes) -> Result<Option<Call>> + Sync,
) -> Result<Call> {
    let change = &change;
    let attempt = || async {
        let before = load(session, id).await?;
        let mut changes = session.new_changes();
        let Some(after) = change(&before, &mut changes)? else { return Ok(before) };
        let after = update_call(session.env(), &mut changes, &before, after, news)?;
        session.commit(changes).await?;
        Ok(after)
    };
    session.retry_contended(false, attempt).await
}

/// Enqueues the question what became of the call.
pub(crate) fn reconcile_later(env: &Env, changes: &mut Changes, call: &Call) -> Result<()> {
    let at = changes.at().after(RECONCILE_AFTER);
    let job = NewJob::new(RECONCILE, &Named { call_id: call.id })?;
    changes.enqueue(env, job.at(at).unique(call.id.to_string()))
}

fn failed(call: &Call, session: &Session, code: &str, message: &str) -> Call {
    let mut after = call.clone();
    let step = Progress::step(CallStatus::Failed, None, Some(session.env().now()));
    let failure = CallFailure { code: code.to_owned(), message: message.to_owned() };
    after.progress = after.progress.join(Progress { failure: Some(failure), ..step });
    if after.placement != Placement::Placed {
        after.placement = Placement::None;
    }
    after
}

async fn place(job: AtWork) -> Result<Next> {
    let Named { call_id } = job.payload()?;
    let step = job.step();
    let call = load(&step, call_id).await?;
    if call.placement != Placement::Waiting || call.status().is_end() {
        // Where a try has ended between the request and its answer, the call is looked for.
        return Ok(Next::Done);
    }
    if step.env().now().since(call.created_at) > PLACE_WITHIN {
        let message = "the carrier could not be reached in time";
        return give_up(&job, call_id, "too_late", message).await;
    }
    let (Some(contact), Some(to), Some(from)) =
        (call.contact_id, call.to.clone(), call.from.clone())
    else {
        return Err(Error::internal("a call to be made has a contact and two numbers"));
    };
    match may_be_called(step.core(), step.scope(), contact, &to).await {
        Err(error) if error.kind() == ErrorKind::Conflict => {
            return give_up(&job, call_id, "do_not_call", error.message()).await;
        }
        asked => asked?,
    }
    let Some(carrier) = carrier_of(&step, &call).await? else {
        return give_up(&job, call_id, "no_account", "the telephony account is gone").await;
    };
    // From here on a crash leaves a call that the carrier may have, and that is not asked for again.
    // Only who has written that asks: it may have been another worker, where this one's lease is lost.
    let handed_over = AtomicBool::new(false);
    change(&step, call_id, CallNews::Changed, |before, _| {
        let waits = before.placement == Placement::Waiting && !before.status().is_end();
        handed_over.store(waits, Ordering::Relaxed);
        Ok(waits.then(|| Call { placement: Placement::Unknown, ..before.clone() }))
    })
    .await?;
    if !handed_over.into_inner() {
        return Ok(Next::Done);
    }
    let callback = callback(&step.core().public_url, step.scope().tenant(), &call);
    let outgoing = OutgoingCall {
        to,
        from,
        record: call.record,
        detect_machine: true,
        ring_for: RING_FOR,
        script: script(&carrier.account, &call, callback.clone()),
        callback,
    };
    match carrier.telephony.start(&carrier.opened, &outgoing).await {
        Ok(Started::Placed(placed)) => {
            // Not a part of the job: even if its lease is lost by now, the carrier's name is learnt.
            let known = step.at_large();
            let call =
                change(&known, call_id, CallNews::Changed, |before, _| Ok(joined(before, &placed)))
                    .await?;
            hang_up_if_wanted(&known, &call).await?;
            Ok(Next::Done)
        }
        Ok(Started::Unknown(error)) => {
            tracing::warn!(%call_id, ?error, "the carrier may have the call; it is looked for");
            Ok(Next::Done)
        }
        Err(error) if error.is_retryable() => {
            let call = change(&step, call_id, CallNews::Changed, |before, changes| {
                let unplaced = before.placement == Placement::Unknown;
                Ok(unplaced.then(|| taken_back(before, changes.at())))
            })
            .await?;
            if call.placement == Placement::None { Ok(Next::Done) } else { Err(error) }
        }
        Err(error) => {
            let session = job.session();
            change(&session, call_id, CallNews::Changed, |before, _| {
                Ok(Some(failed(before, &session, error.code(), error.message())))
            })
            .await?;
            Ok(Next::Done)
        }
    }
}

/// A call that the carrier did not take: it waits again, or is over where somebody has hung up meanwhile.
fn taken_back(before: &Call, at: Timestamp) -> Call {
    let mut after = Call { placement: Placement::Waiting, ..before.clone() };
    if after.hang_up_at.is_some() {
        after.placement = Placement::None;
        let canceled = Progress::step(CallStatus::Canceled, None, Some(at));
        after.progress = after.progress.join(canceled);
    }
    after
}

/// Somebody has hung up while the carrier was asked for the call.
async fn hang_up_if_wanted(session: &Session, call: &Call) -> Result<()> {
    if call.hang_up_at.is_none() || call.status().is_end() {
        return Ok(());
    }
    let mut changes = session.new_changes();
    let job = NewJob::new(HANG_UP, &Named { call_id: call.id })?.urgent();
    changes.enqueue(session.env(), job.unique(call.id.to_string()))?;
    session.commit(changes).await
}

async fn hang_up(job: AtWork) -> Result<Next> {
    let Named { call_id } = job.payload()?;
    let session = job.session();
    let call = load(&session, call_id).await?;
    if call.status().is_end() {
        return Ok(Next::Done);
    }
    let Some(carrier) = carrier_of(&session, &call).await? else { return Ok(Next::Done) };
    let Some(carrier_id) = &call.provider_call_id else {
        // It is not known yet what it is called there, nor whether it is there.
        return Ok(Next::Later(Duration::from_secs(2)));
    };
    let told = carrier.telephony.hang_up(&carrier.opened, carrier_id).await?;
    change(&session, call_id, CallNews::Changed, |before, _| Ok(joined(before, &told))).await?;
    Ok(Next::Done)
}

async fn reconcile(job: AtWork) -> Result<Next> {
    let Named { call_id } = job.payload()?;
    let step = job.step();
    let call = load(&step, call_id).await?;
    let age = step.env().now().since(call.created_at);
    let Some(carrier) = carrier_of(&step, &call).await? else { return Ok(Next::Done) };
    match (call.placement, &call.provider_call_id) {
        (Placement::None, _) => Ok(Next::Done),
        // The job that places it gives it up in time.
        (Placement::Waiting, _) if age <= PLACE_WITHIN * 2 => Ok(Next::Later(PLACE_WITHIN)),
        (Placement::Waiting, _) => {
            let message = "the carrier could not be reached in time";
            give_up(&job, call_id, "too_late", message).await
        }
        (Placement::Unknown, None) | (Placement::Placed, None) => {
            seek(&job, &step, &carrier, &call, age).await
        }
        (Placement::Unknown | Placement::Placed, Some(carrier_id)) => {
            let ended = call.progress.ended_at.unwrap_or(call.updated_at);
            if call.status().is_end() {
                let since = step.env().now().since(ended);
                if since < SETTLED_AFTER {
                    return Ok(Next::Later(SETTLED_AFTER - since));
                }
            }
            match ask(&carrier, &call, carrier_id).await {
                Ok((told, recordings)) => {
                    follow(&step, call_id, &told, &recordings).await?;
                    if call.status().is_end() {
                        return Ok(Next::Done);
                    }
                    Ok(Next::Later(pause_at(age)))
                }
                Err(error) if error.kind() == ErrorKind::NotFound => {
                    if call.status().is_end() {
                        return Ok(Next::Done);
                    }
                    give_up(&job, call_id, "lost", "the carrier has no such call").await
                }
                Err(error) => no_answer(&job, call_id, age, &error).await,
            }
        }
    }
}

/// How long a call of this age is left before the carrier is asked for it again.
fn pause_at(age: Duration) -> Duration {
    (age / 4).clamp(RECONCILE_AFTER / 3, RECONCILE_AFTER * 10)
}

/// The carrier cannot say what became of the call. It is asked again for as long as a call can last, however
/// many tries that takes: those of a job are over sooner.
async fn no_answer(job: &AtWork, id: CallId, age: Duration, error: &Error) -> Result<Next> {
    if age > LONGEST {
        tracing::error!(call_id = %id, ?error, "nothing is heard of a call for a day");
        return give_up(job, id, "lost", "the carrier says nothing of the call").await;
    }
    tracing::warn!(call_id = %id, ?error, "the carrier does not say what became of a call");
    Ok(Next::Later(pause_at(age).max(error.retry_after().unwrap_or_default())))
}

/// What the carrier says of the call, and of its recordings once they are due.
async fn ask(
    carrier: &Carrier,
    call: &Call,
    carrier_id: &str,
) -> Result<(CarrierCall, Vec<CarrierRecording>)> {
    let told = carrier.telephony.fetch(&carrier.opened, carrier_id).await?;
    let open = |status: RecordingStatus| status == RecordingStatus::InProgress;
    let wanted = call.record
        && (call.recordings.is_empty() || call.recordings.iter().any(|own| open(own.status)));
    let over = call.status().is_end() || told.progress.status().is_end();
    if !over || !wanted {
        return Ok((told, Vec::new()));
    }
    match carrier.telephony.recordings(&carrier.opened, carrier_id).await {
        Err(error) if error.kind() == ErrorKind::NotFound => Ok((told, Vec::new())),
        recordings => Ok((told, recordings?)),
    }
}

/// Merges what the carrier says of the call and its recordings.
async fn follow(
    step: &Session,
    id: CallId,
    told: &CarrierCall,
    recordings: &[CarrierRecording],
) -> Result<()> {
    change(step, id, CallNews::Changed, |before, _| Ok(joined(before, told))).await?;
    for told in recordings {
        change(step, id, CallNews::Changed, |before, changes| {
            with_recording(before, told, step.env(), changes)
        })
        .await?;
    }
    Ok(())
}

/// Looks for a call whose answer was lost.
async fn seek(
    job: &AtWork,
    step: &Session,
    carrier: &Carrier,
    call: &Call,
    age: Duration,
) -> Result<Next> {
    let (Some(to), Some(from)) = (call.to.clone(), call.from.clone()) else {
        return Ok(Next::Done);
    };
    let until = call.created_at.after(PLACE_WITHIN + Duration::from_secs(60));
    let sought = SoughtCall { to, from, since: call.created_at, until };
    let found = match carrier.telephony.find(&carrier.opened, &sought).await {
        Ok(found) => found,
        Err(error) => return no_answer(job, call.id, age, &error).await,
    };
    for found in found {
        let store = step.store();
        let known = store.call_of_provider(step.scope(), carrier.account.id, &found.id).await?;
        if known.is_none() {
            let adopted =
                change(step, call.id, CallNews::Changed, |before, _| Ok(joined(before, &found)));
            match adopted.await {
                // Another call that was lost has taken it meanwhile.
                Err(error) if error.kind() == ErrorKind::AlreadyExists => continue,
                adopted => hang_up_if_wanted(step, &adopted?).await?,
            }
            return Ok(Next::Later(RECONCILE_AFTER / 3));
        }
    }
    if age > SEEK_FOR {
        return give_up(job, call.id, "lost", "the carrier has no such call").await;
    }
    Ok(Next::Later(RECONCILE_AFTER / 3))
}

async fn give_up(job: &AtWork, id: CallId, code: &str, message: &str) -> Result<Next> {
    let session = job.session();
    change(&session, id, CallNews::Changed, |before, _| {
        Ok((!before.status().is_end()).then(|| failed(before, &session, code, message)))
    })
    .await?;
    Ok(Next::Done)
}

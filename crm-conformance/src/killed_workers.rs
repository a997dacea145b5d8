//! Workers that are killed at any moment: no job is lost, each effect is there once.
//!
//! An adapter's test starts [`work`] in a child of its own, kills it with signal 9, and begins again, as
//! often as it likes; [`finish`] then does what is left and looks at all of it.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use crm_core::activities::{ActivityFilter, ActivityKind, NewActivity};
use crm_core::contacts::NewContact;
use crm_core::jobs::{AtWork, NewJob, Next, Worker};
use crm_core::ports::{Clock, SystemClock};
use crm_core::{ContactId, Crm, Page, Result, Session, Timestamp};
use serde_json::json;

const KIND: &str = "test.note";

/// The system's clock, moved into the future: so that the leases of a worker that was killed a moment ago
/// have run out for the next one.
#[derive(Debug, Clone, Copy)]
pub struct LaterClock(pub Duration);

impl Clock for LaterClock {
    fn now(&self) -> Timestamp {
        SystemClock.now().after(self.0)
    }
}

/// Enqueues so many jobs, each of which is to write one note.
///
/// # Errors
///
/// Those of the store.
pub async fn enqueue(session: &Session, jobs: u64) -> Result<ContactId> {
    let contact = session.contacts().create(NewContact::named("Kill", "Me")).await?.id;
    let new = (0..jobs)
        .map(|number| NewJob::new(KIND, &json!({ "contact": contact, "number": number })))
        .collect::<Result<Vec<_>>>()?;
    session.jobs().enqueue_all(new).await?;
    Ok(contact)
}

async fn write_note(job: AtWork) -> Result<Next> {
    #[derive(serde::Deserialize)]
    struct Note {
        contact: ContactId,
        number: u64,
    }
    let Note { contact, number } = job.payload()?;
    let note = NewActivity::note(contact, number.to_string());
    job.session().activities().create(note).await?;
    Ok(Next::Done)
}

fn worker(crm: &Crm) -> Worker {
    crm.worker().at_once(20)
}

/// Runs jobs until the process is killed, tells of each that is done, and takes up no more than `most`:
/// however late it is killed, there is work left for the next.
pub async fn work<F>(
    crm: &Crm,
    most: u64,
    tell: impl Fn() + Send + Sync + 'static,
    sleep: impl Fn(Duration) -> F + Sync,
) where
    F: Future<Output = ()> + Send,
{
    let (begun, tell) = (AtomicU64::new(0), Arc::new(tell));
    let write = move |job| {
        let (late, tell) = (begun.fetch_add(1, Ordering::Relaxed) >= most, Arc::clone(&tell));
        async move {
            if late {
                std::future::pending::<()>().await;
            }
            let next = write_note(job).await?;
            tell();
            Ok(next)
        }
    };
    worker(crm).handle(KIND, write).run(sleep, std::future::pending()).await;
}

/// Does what is left, and panics where a job is lost, dead or was done twice. Returns how many there were.
///
/// # Errors
///
/// Those of the store.
pub async fn finish(crm: &Crm, session: &Session, contact: ContactId, jobs: u64) -> Result<u64> {
    let left = worker(crm).handle(KIND, write_note).run_due().await? as u64;
    let filter = ActivityFilter {
        contact_id: Some(contact),
        kind: Some(ActivityKind::Note),
        ..ActivityFilter::default()
    };
    let mut done: Vec<u64> = Vec::new();
    let mut page = Page::first(Page::MAX_LIMIT);
    loop {
        let notes = session.activities().list(&filter, &page).await?;
        done.extend(
            notes.items.iter().filter_map(|note| note.body.as_deref()?.parse::<u64>().ok()),
        );
        match notes.next_cursor {
            Some(cursor) => page = Page::after(cursor, Page::MAX_LIMIT),
            None => break,
        }
    }
    done.sort_unstable();
    assert_eq!(done, (0..jobs).collect::<Vec<_>>(), "each job has its effect once");
    let waiting = session.jobs().list(None, None, &Page::default()).await?;
    assert!(waiting.items.is_empty(), "{waiting:?}");
    Ok(left)
}

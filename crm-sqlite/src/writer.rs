//! The one thread that writes, and its group commit.

use std::sync::mpsc;
use std::thread::JoinHandle;

use crm_core::changes::{Change, Write};
use crm_core::{Changes, Error, Result};
use futures::channel::oneshot;
use rusqlite::Connection;

use crate::error::{Refused, copy, failed, is_locked};
use crate::readers::tenant_number;
use crate::schema::Cache;
use crate::{
    Options, Place, activities, audit, companies, contacts, events, idempotency, identity, schema,
    tenancy,
};

/// Units of work that share one transaction at most: enough to make the disk's part small, few
/// enough that the first caller does not wait long for the last.
const MAX_GROUP: usize = 64;

/// The queue to the writing thread.
pub(crate) struct Writer {
    queue: Option<mpsc::Sender<Job>>,
    thread: Option<JoinHandle<()>>,
}

struct Job {
    changes: Changes,
    answer: oneshot::Sender<Result<()>>,
}

impl Writer {
    /// Opens and migrates the database on the thread that will write to it.
    pub(crate) async fn start(place: Place, options: Options) -> Result<Self> {
        let (queue, jobs) = mpsc::channel::<Job>();
        let (opened, open) = oneshot::channel();
        let thread = std::thread::Builder::new()
            .name("crm-sqlite-write".to_owned())
            .spawn(move || {
                let connection =
                    schema::connect(&place, &options, Cache::Small).and_then(|mut connection| {
                        schema::migrate(&mut connection, &place).map(|()| connection)
                    });
                match connection {
                    Ok(connection) => {
                        // Dropping the store at once is the caller's right.
                        let _ = opened.send(Ok(()));
                        write_until_closed(connection, &place, &options, &jobs);
                    }
                    Err(error) => {
                        let _ = opened.send(Err(error));
                    }
                }
            })
            .map_err(|error| Error::unavailable("no thread can be started", error))?;
        let writer = Writer { queue: Some(queue), thread: Some(thread) };
        open.await.map_err(Error::internal)??;
        Ok(writer)
    }

    pub(crate) async fn commit(&self, changes: Changes) -> Result<()> {
        let (answer, done) = oneshot::channel();
        let sent =
            self.queue.as_ref().map(|queue| queue.send(Job { changes, answer }).map_err(drop));
        match sent {
            Some(Ok(())) => done.await.map_err(Error::internal)?,
            Some(Err(())) | None => Err(Error::internal("the store is closed")),
        }
    }
}

impl Drop for Writer {
    /// Lets the thread finish what it was given and close the file.
    fn drop(&mut self) {
        drop(self.queue.take());
        if let Some(thread) = self.thread.take()
            && thread.join().is_err()
        {
            tracing::error!("the writing thread has panicked");
        }
    }
}

fn write_until_closed(
    connection: Connection,
    place: &Place,
    options: &Options,
    jobs: &mpsc::Receiver<Job>,
) {
    let most = if options.group_commit { MAX_GROUP } else { 1 };
    let checkpoints = Checkpoints::start(place, options);
    while let Ok(first) = jobs.recv() {
        let mut group = vec![first];
        group.extend(jobs.try_iter().take(most - 1));
        write_group(&connection, group);
        checkpoints.consider();
    }
}

/// Applies each job behind its own savepoint, commits them together and then answers.
fn write_group(connection: &Connection, group: Vec<Job>) {
    let error = match try_group(connection, &group) {
        Ok(results) => {
            for (job, result) in group.into_iter().zip(results) {
                let _ = job.answer.send(result);
            }
            return;
        }
        Err(error) => error,
    };
    // Each has waited for the other program as long as a caller may; one by one they would wait
    // again and again.
    if is_locked(&error) {
        for job in group {
            let _ = job.answer.send(Err(failed(copy(&error))));
        }
        return;
    }
    let mut jobs = group.into_iter();
    match (jobs.next(), jobs.len()) {
        (Some(job), 0) => {
            let _ = job.answer.send(Err(failed(error)));
        }
        // A full disk or a lost file ends the whole transaction, whoever caused it: each job has a
        // second try by itself, so that a small one is not refused for the sake of a large one.
        (first, _) => {
            for job in first.into_iter().chain(jobs) {
                write_group(connection, vec![job]);
            }
        }
    }
}

/// The outer error is one of the transaction, which is rolled back; the inner ones are the jobs' own.
fn try_group(connection: &Connection, group: &[Job]) -> Result<Vec<Result<()>>, rusqlite::Error> {
    let work = || {
        connection.prepare_cached("BEGIN IMMEDIATE")?.execute([])?;
        // For a savepoint SQLite keeps a copy of each page that changes, in memory: a large unit of
        // work, which mostly comes alone, does without.
        if let [job] = group {
            return match apply(connection, &job.changes) {
                Ok(()) => {
                    connection.prepare_cached("COMMIT")?.execute([])?;
                    Ok(vec![Ok(())])
                }
                Err(refused) => {
                    let refused = refused.into_job()?;
                    connection.prepare_cached("ROLLBACK")?.execute([])?;
                    Ok(vec![refused])
                }
            };
        }
        let mut results = Vec::with_capacity(group.len());
        for job in group {
            connection.prepare_cached("SAVEPOINT job")?.execute([])?;
            match apply(connection, &job.changes) {
                Ok(()) => results.push(Ok(())),
                Err(refused) => {
                    results.push(refused.into_job()?);
                    connection.prepare_cached("ROLLBACK TO job")?.execute([])?;
                }
            }
            connection.prepare_cached("RELEASE job")?.execute([])?;
        }
        connection.prepare_cached("COMMIT")?.execute([])?;
        Ok(results)
    };
    work().inspect_err(|_| {
        if !connection.is_autocommit()
            && let Err(error) = connection.execute_batch("ROLLBACK")
        {
            tracing::error!(%error, "a failed transaction cannot be rolled back");
        }
    })
}

fn apply(connection: &Connection, changes: &Changes) -> Result<(), Refused> {
    let mut number = tenant_number(connection, changes.tenant())?;
    for change in changes {
        if let Write::InsertTenant(tenant) = change.write() {
            number = Some(tenancy::insert(connection, tenant)?);
        }
        let Some(number) = number else {
            return Err(Error::not_found("tenant").into());
        };
        apply_change(connection, number, change)?;
    }
    if let Some(outcome) = changes.outcome() {
        let number = number.ok_or_else(|| Error::not_found("tenant"))?;
        idempotency::insert(connection, number, outcome, changes)?;
    }
    Ok(())
}

fn apply_change(connection: &Connection, tenant: i64, change: &Change) -> Result<(), Refused> {
    match change.write() {
        // Inserted before, because it gives the number that all else is kept under.
        Write::InsertTenant(_) => {}
        Write::UpdateTenant { tenant: settings, expected_version } => {
            tenancy::update(connection, tenant, settings, *expected_version)?;
        }
        Write::PutCredential { credential, expected_version } => {
            identity::put(connection, tenant, credential, *expected_version, change.audit().at)?;
        }
        Write::InsertUser(user) => identity::insert(connection, tenant, user)?,
        Write::UpdateUser { user, expected_version } => {
            identity::update(connection, tenant, user, *expected_version)?;
        }
        Write::InsertCompany(company) => companies::insert(connection, tenant, company)?,
        Write::UpdateCompany { company, expected_version, removed, added } => {
            companies::update(connection, tenant, company, *expected_version, removed, added)?;
        }
        Write::InsertContact { contact, added } => {
            contacts::insert(connection, tenant, contact, added)?;
        }
        Write::UpdateContact { contact, expected_version, removed, added } => {
            contacts::update(connection, tenant, contact, *expected_version, removed, added)?;
        }
        Write::InsertActivity(activity) => activities::insert(connection, tenant, activity)?,
    }
    if let Some(activity) = change.timeline() {
        activities::insert(connection, tenant, activity)?;
    }
    audit::insert(connection, tenant, change.audit())?;
    events::insert(connection, tenant, change.event())?;
    Ok(())
}

/// Folds the write-ahead log into the file on a thread of its own, so that no commit waits for it.
struct Checkpoints {
    wal: Option<std::path::PathBuf>,
    wake: Option<mpsc::SyncSender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Checkpoints {
    fn start(place: &Place, options: &Options) -> Self {
        let none = Checkpoints { wal: None, wake: None, thread: None };
        let Place::File(path) = place else {
            return none;
        };
        let mut wal = path.clone().into_os_string();
        wal.push("-wal");
        let (wake, woken) = mpsc::sync_channel::<()>(1);
        let (place, options) = (place.clone(), options.clone());
        let spawned =
            std::thread::Builder::new().name("crm-sqlite-checkpoint".to_owned()).spawn(move || {
                let connection = match schema::connect(&place, &options, Cache::Small) {
                    Ok(connection) => connection,
                    Err(error) => {
                        tracing::warn!(%error, "no background checkpoints: the writer makes them");
                        return;
                    }
                };
                while woken.recv().is_ok() {
                    let done =
                        connection.query_row("PRAGMA wal_checkpoint(PASSIVE)", [], |_| Ok(()));
                    if let Err(error) = done {
                        tracing::warn!(%error, "a background checkpoint has failed");
                    }
                }
            });
        match spawned {
            Ok(thread) => {
                Checkpoints { wal: Some(wal.into()), wake: Some(wake), thread: Some(thread) }
            }
            Err(error) => {
                tracing::warn!(%error, "no background checkpoints: the writer makes them");
                none
            }
        }
    }

    fn consider(&self) {
        if let (Some(wal), Some(wake)) = (&self.wal, &self.wake)
            && std::fs::metadata(wal).is_ok_and(|file| file.len() > schema::CHECKPOINT_BYTES)
        {
            // A checkpoint that is due already serves this commit, too.
            let _ = wake.try_send(());
        }
    }
}

impl Drop for Checkpoints {
    fn drop(&mut self) {
        drop(self.wake.take());
        if let Some(thread) = self.thread.take()
            && thread.join().is_err()
        {
            tracing::error!("the checkpoint thread has panicked");
        }
    }
}

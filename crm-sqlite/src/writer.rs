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
    Options, Place, activities, audit, calls, companies, contacts, events, idempotency, identity,
    jobs, notifications, privacy, schema, telephony, tenancy,
};

/// Units of work that share one transaction at most: enough to make the disk's part small, few
/// enough that the first caller does not wait long for the last.
const MAX_GROUP: usize = 64;

/// The queue to the writing thread.
pub(crate) struct Writer {
    queue: Option<mpsc::Sender<Box<dyn Task>>>,
    thread: Option<JoinHandle<()>>,
}

/// Something to be written, and who waits for it.
trait Task: Send {
    /// Writes, perhaps again: what was written before was taken back.
    fn apply(&mut self, connection: &Connection) -> Result<(), Refused>;
    /// Tells who waits what came of it.
    fn answer(self: Box<Self>, result: Result<()>);
}

/// A [`Task`] that makes a `T`.
struct Work<T, F> {
    work: F,
    made: Option<T>,
    answer: oneshot::Sender<Result<T>>,
}

impl<T: Send, F: FnMut(&Connection) -> Result<T, Refused> + Send> Task for Work<T, F> {
    fn apply(&mut self, connection: &Connection) -> Result<(), Refused> {
        self.made = Some((self.work)(connection)?);
        Ok(())
    }

    fn answer(self: Box<Self>, result: Result<()>) {
        let Work { made, answer, .. } = *self;
        let made = made.ok_or_else(|| Error::internal("the writer has made nothing"));
        // Who has gone has given up the answer, not the work.
        let _ = answer.send(result.and(made));
    }
}

impl Writer {
    /// Opens and migrates the database on the thread that will write to it.
    pub(crate) async fn start(place: Place, options: Options) -> Result<Self> {
        let (queue, tasks) = mpsc::channel::<Box<dyn Task>>();
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
                        write_until_closed(connection, &place, &options, &tasks);
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
        self.run(move |connection| apply(connection, &changes)).await
    }

    /// Runs `work` in a transaction of the writing thread; again, from the start, where a group that it was
    /// in has failed.
    pub(crate) async fn run<T: Send + 'static>(
        &self,
        work: impl FnMut(&Connection) -> Result<T, Refused> + Send + 'static,
    ) -> Result<T> {
        let (answer, done) = oneshot::channel();
        let task: Box<dyn Task> = Box::new(Work { work, made: None, answer });
        let sent = self.queue.as_ref().map(|queue| queue.send(task).map_err(drop));
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
    tasks: &mpsc::Receiver<Box<dyn Task>>,
) {
    let most = if options.group_commit { MAX_GROUP } else { 1 };
    let checkpoints = Checkpoints::start(place, options);
    while let Ok(first) = tasks.recv() {
        let mut group = vec![first];
        group.extend(tasks.try_iter().take(most - 1));
        write_group(&connection, group);
        checkpoints.consider();
    }
}

/// Applies each task behind its own savepoint, commits them together and then answers.
fn write_group(connection: &Connection, mut group: Vec<Box<dyn Task>>) {
    let error = match try_group(connection, &mut group) {
        Ok(results) => {
            for (task, result) in group.into_iter().zip(results) {
                task.answer(result);
            }
            return;
        }
        Err(error) => error,
    };
    // Each has waited for the other program as long as a caller may; one by one they would wait
    // again and again.
    if is_locked(&error) {
        for task in group {
            task.answer(Err(failed(copy(&error))));
        }
        return;
    }
    let mut tasks = group.into_iter();
    match (tasks.next(), tasks.len()) {
        (Some(task), 0) => task.answer(Err(failed(error))),
        // A full disk or a lost file ends the whole transaction, whoever caused it: each task has a
        // second try by itself, so that a small one is not refused for the sake of a large one.
        (first, _) => {
            for task in first.into_iter().chain(tasks) {
                write_group(connection, vec![task]);
            }
        }
    }
}

/// The outer error is one of the transaction, which is rolled back; the inner ones are the tasks' own.
fn try_group(
    connection: &Connection,
    group: &mut [Box<dyn Task>],
) -> Result<Vec<Result<()>>, rusqlite::Error> {
    let mut work = || {
        connection.prepare_cached("BEGIN IMMEDIATE")?.execute([])?;
        // For a savepoint SQLite keeps a copy of each page that changes, in memory: a large unit of
        // work, which mostly comes alone, does without.
        if let [task] = group {
            return match task.apply(connection) {
                Ok(()) => {
                    connection.prepare_cached("COMMIT")?.execute([])?;
                    Ok(vec![Ok(())])
                }
                Err(refused) => {
                    let refused = refused.into_job()?;
                    connection.prepare_cached("ROLLBACK")?.execute([])?;
                    Ok(vec![Err(refused)])
                }
            };
        }
        let mut results = Vec::with_capacity(group.len());
        for task in group.iter_mut() {
            connection.prepare_cached("SAVEPOINT task")?.execute([])?;
            match task.apply(connection) {
                Ok(()) => results.push(Ok(())),
                Err(refused) => {
                    results.push(Err(refused.into_job()?));
                    connection.prepare_cached("ROLLBACK TO task")?.execute([])?;
                }
            }
            connection.prepare_cached("RELEASE task")?.execute([])?;
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
    if let Some(used) = changes.lease() {
        let number = number.ok_or_else(|| Error::not_found("tenant"))?;
        jobs::use_lease(connection, number, used, changes.at())?;
    }
    if let Some(progress) = changes.progress() {
        let number = number.ok_or_else(|| Error::not_found("tenant"))?;
        events::move_group(connection, number, progress)?;
    }
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
    for job in changes.jobs() {
        let number = number.ok_or_else(|| Error::not_found("tenant"))?;
        jobs::enqueue(connection, number, job)?;
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
        Write::InsertConsent(consent) => privacy::insert(connection, tenant, consent)?,
        Write::PutTelephonyAccount { account, expected_version } => {
            telephony::put(connection, tenant, account, *expected_version)?;
        }
        Write::PutCall { call, expected_version } => {
            calls::put(connection, tenant, call, *expected_version)?;
        }
        Write::PutSchedule { schedule, expected_version } => {
            jobs::put_schedule(connection, tenant, schedule, *expected_version)?;
        }
        Write::PutNotification { notification, expected_version } => {
            notifications::put(connection, tenant, notification, *expected_version)?;
        }
        Write::PutNotificationPreferences { preferences, expected_version } => {
            notifications::put_preferences(connection, tenant, preferences, *expected_version)?;
        }
        Write::RetryJob(id) => jobs::retry(connection, tenant, *id, change.audit().at)?,
        Write::DiscardJob(id) => jobs::discard(connection, tenant, *id)?,
        Write::Nothing => {}
    }
    if let Some(activity) = change.timeline() {
        activities::put(connection, tenant, activity)?;
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

//! Jobs in the hands of workers.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use crm_core::jobs::{JobState, NewJob, Next};
use crm_core::{Error, ErrorKind, Result};
use futures::channel::oneshot;

use super::time::Time;
use super::*;

const SECOND: Duration = Duration::from_secs(1);

fn job(kind: &str, about: impl serde::Serialize) -> NewJob {
    NewJob::new(kind, &about).unwrap()
}

/// Runs the workers while `script` goes on, and a little longer; then all stop.
async fn run<T>(time: &Time, workers: &[&Worker], script: impl Future<Output = T>) -> T {
    let (stops, stopped): (Vec<_>, Vec<_>) = workers.iter().map(|_| oneshot::channel()).unzip();
    let running = workers.iter().zip(stopped).map(|(worker, stopped)| async {
        let stopped = async { stopped.await.unwrap() };
        worker.run(|pause| time.sleep(pause), stopped).await;
    });
    let script = async {
        let made = script.await;
        stops.into_iter().for_each(|stop| stop.send(()).unwrap());
        time.pass(30 * SECOND).await;
        made
    };
    futures::join!(futures::future::join_all(running), script).1
}

/// What handlers write down.
struct Notes<T>(Arc<Mutex<Vec<T>>>);

impl<T> Clone for Notes<T> {
    fn clone(&self) -> Self {
        Notes(Arc::clone(&self.0))
    }
}

impl<T: Clone> Notes<T> {
    fn new() -> Self {
        Notes(Arc::default())
    }

    fn add(&self, note: T) {
        self.0.lock().unwrap().push(note);
    }

    fn all(&self) -> Vec<T> {
        self.0.lock().unwrap().clone()
    }
}

/// A worker that writes down when it tries jobs of the kind `test`, which end in `end`.
fn trying(
    world: &World,
    end: impl Fn() -> Result<Next> + Copy + Send + Sync + 'static,
) -> (Worker, Notes<Timestamp>) {
    let tries = Notes::new();
    let notes = tries.clone();
    let worker = world.worker().handle("test", move |job| {
        notes.add(job.crm().now());
        async move { end() }
    });
    (worker, tries)
}

async fn only_job(world: &World) -> Job {
    let mut jobs = world.jobs().await;
    assert_eq!(jobs.len(), 1, "{jobs:?}");
    jobs.remove(0)
}

#[tokio::test]
async fn a_failed_job_is_tried_again_after_growing_pauses_and_then_dead() {
    let world = World::new().await;
    let time = Time::of(&world.clock);
    let (worker, tries) = trying(&world, || Err(Error::unavailable("not now", "reset")));
    run(&time, &[&worker], async {
        let made = world.session.jobs().enqueue(job("test", 1).attempts(6)).await.unwrap();
        time.pass(40 * SECOND).await;
        let at = tries.all();
        assert_eq!(at.len(), 6);
        for (number, pair) in at.windows(2).enumerate() {
            let pause = pair[1].since(pair[0]);
            let whole = SECOND * (1 << number);
            // At most a second goes by before an idle worker looks again.
            assert!(pause >= whole * 3 / 4 && pause <= whole + SECOND, "{number}: {pause:?}");
        }
        let dead = only_job(&world).await;
        assert_eq!((dead.state, dead.attempts), (JobState::Dead, 6));
        assert_eq!(dead.failure.as_deref(), Some("unavailable: not now"));
        // It gets all its tries once more, and is given up for good.
        world.session.jobs().retry(made.id).await.unwrap();
        let again = world.session.jobs().retry(made.id).await.unwrap_err();
        assert_eq!(again.kind(), ErrorKind::Conflict);
        time.pass(40 * SECOND).await;
        assert_eq!(tries.all().len(), 12);
        world.session.jobs().discard(made.id).await.unwrap();
        assert!(world.jobs().await.is_empty());
        let gone = world.session.jobs().retry(made.id).await.unwrap_err();
        assert_eq!(gone.kind(), ErrorKind::NotFound);
    })
    .await;
}

#[tokio::test]
async fn a_mistake_is_not_tried_again_and_a_busy_peer_when_it_says() {
    let world = World::new().await;
    let time = Time::of(&world.clock);
    let (worker, tries) = trying(&world, || Err(Error::new(ErrorKind::Forbidden, "never")));
    run(&time, &[&worker], async {
        world.session.jobs().enqueue(job("test", 1)).await.unwrap();
        time.pass(10 * SECOND).await;
    })
    .await;
    let dead = only_job(&world).await;
    assert_eq!((tries.all().len(), dead.state), (1, JobState::Dead));
    world.session.jobs().discard(dead.id).await.unwrap();

    let (worker, tries) = trying(&world, || Err(Error::rate_limited("the peer", 20 * SECOND)));
    run(&time, &[&worker], async {
        world.session.jobs().enqueue(job("test", 1).attempts(2)).await.unwrap();
        time.pass(25 * SECOND).await;
    })
    .await;
    let at = tries.all();
    assert_eq!(at.len(), 2);
    assert!(at[1].since(at[0]) >= 20 * SECOND);
}

#[tokio::test]
async fn a_handler_that_panics_has_made_a_try() {
    let world = World::new().await;
    let time = Time::of(&world.clock);
    let (worker, tries) = trying(&world, || panic!("a handler's mistake"));
    run(&time, &[&worker], async {
        world.session.jobs().enqueue(job("test", 1).attempts(2)).await.unwrap();
        time.pass(10 * SECOND).await;
    })
    .await;
    let dead = only_job(&world).await;
    assert_eq!((tries.all().len(), dead.state, dead.attempts), (2, JobState::Dead, 2));
}

#[tokio::test]
async fn a_job_that_is_put_off_uses_up_no_try() {
    let world = World::new().await;
    let time = Time::of(&world.clock);
    let (worker, tries) = trying(&world, || Ok(Next::Later(10 * SECOND)));
    run(&time, &[&worker], async {
        world.session.jobs().enqueue(job("test", 1).attempts(1)).await.unwrap();
        time.pass(45 * SECOND).await;
        let at = tries.all();
        assert_eq!(at.len(), 5);
        assert!(at.windows(2).all(|pair| pair[1].since(pair[0]) >= 10 * SECOND));
        let waiting = only_job(&world).await;
        assert_eq!((waiting.state, waiting.attempts), (JobState::Scheduled, 0));
    })
    .await;
}

#[tokio::test]
async fn a_unique_job_waits_once_and_may_wait_while_it_runs() {
    let world = World::new().await;
    let time = Time::of(&world.clock);
    let (runs, pause) = (Arc::new(AtomicUsize::new(0)), time.clone());
    let count = Arc::clone(&runs);
    let worker = world.worker().handle("test", move |_| {
        count.fetch_add(1, Ordering::SeqCst);
        let slept = pause.sleep(5 * SECOND);
        async move {
            slept.await;
            Ok(Next::Done)
        }
    });
    let enqueue = async || {
        for _ in 0..3 {
            world.session.jobs().enqueue(job("test", 1).unique("one")).await.unwrap();
        }
    };
    enqueue().await;
    assert_eq!(world.jobs().await.len(), 1);
    run(&time, &[&worker], async {
        time.pass(SECOND).await;
        enqueue().await;
        let mut states: Vec<_> = world.jobs().await.iter().map(|job| job.state).collect();
        states.sort_by_key(|state| state.as_str());
        assert_eq!(states, [JobState::Ready, JobState::Running]);
        world.session.jobs().enqueue(job("test", 1).unique("two")).await.unwrap();
        time.pass(15 * SECOND).await;
    })
    .await;
    assert_eq!(runs.load(Ordering::SeqCst), 3);
    assert!(world.jobs().await.is_empty());
}

#[tokio::test]
async fn a_schedule_fires_once_for_all_workers() {
    let world = World::new().await;
    let time = Time::of(&world.clock);
    let other = crm_over(&world.store, &world.clock, &world.carrier);
    let fired = Notes::new();
    let handled = |worker: Worker| {
        let notes = fired.clone();
        worker.handle("test", move |job| {
            notes.add((job.crm().now(), job.payload::<u8>().unwrap()));
            async { Ok(Next::Done) }
        })
    };
    let (one, two) = (handled(world.worker()), handled(other.worker()));
    world.session.jobs().schedule("each minute", "* * * * *", "test", &7).await.unwrap();
    run(&time, &[&one, &two], async { time.pass(SECOND * 299).await }).await;
    let fired = fired.all();
    assert_eq!(fired.len(), 4, "at each whole minute of 299 s");
    assert!(fired.iter().all(|(_, about)| *about == 7));
    let apart = |pair: &[(Timestamp, u8)]| pair[1].0.since(pair[0].0) >= 55 * SECOND;
    assert!(fired.windows(2).all(apart), "{fired:?}");
}

#[tokio::test]
async fn what_is_urgent_goes_first() {
    let world = World::new().await;
    let order = Notes::new();
    let notes = order.clone();
    let worker = world.worker().at_once(1).handle("test", move |job| {
        notes.add(job.payload::<u8>().unwrap());
        async { Ok(Next::Done) }
    });
    let jobs = vec![
        job("test", 3),
        job("test", 5).priority(5),
        job("test", 1).urgent(),
        job("test", 2).priority(-1),
        job("test", 4),
    ];
    world.session.jobs().enqueue_all(jobs).await.unwrap();
    let time = Time::of(&world.clock);
    run(&time, &[&worker], time.pass(5 * SECOND)).await;
    assert_eq!(order.all(), [1, 2, 3, 4, 5]);
}

/// A handler that takes a second, and counts how many do so at once.
fn busy(
    worker: Worker,
    kind: &str,
    time: &Time,
    most: &Arc<AtomicUsize>,
    done: &Notes<u8>,
) -> Worker {
    let (time, most, done) = (time.clone(), Arc::clone(most), done.clone());
    let now = Arc::new(AtomicUsize::new(0));
    worker.handle(kind, move |job| {
        let (most, done, now) = (Arc::clone(&most), done.clone(), Arc::clone(&now));
        let slept = time.sleep(SECOND);
        async move {
            most.fetch_max(now.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
            slept.await;
            now.fetch_sub(1, Ordering::SeqCst);
            done.add(job.payload()?);
            Ok(Next::Done)
        }
    })
}

#[tokio::test]
async fn only_so_many_of_a_kind_run_at_once() {
    let world = World::new().await;
    let time = Time::of(&world.clock);
    let (few, many, done) = (Arc::default(), Arc::default(), Notes::new());
    let worker = busy(world.worker(), "few", &time, &few, &done).at_once_of("few", 3);
    let worker = busy(worker, "many", &time, &many, &done).at_once(8);
    let jobs = (0..20).map(|number| job(if number % 2 == 0 { "few" } else { "many" }, number));
    world.session.jobs().enqueue_all(jobs.collect()).await.unwrap();
    run(&time, &[&worker], async { time.pass(20 * SECOND).await }).await;
    let mut done = done.all();
    done.sort_unstable();
    assert_eq!(done, (0..20).collect::<Vec<u8>>());
    assert_eq!(few.load(Ordering::SeqCst), 3);
    assert!((4..=8).contains(&many.load(Ordering::SeqCst)), "{many:?}");
}

#[tokio::test]
async fn at_a_shutdown_what_runs_is_finished_and_what_waits_is_left_to_others() {
    let world = World::new().await;
    let time = Time::of(&world.clock);
    let (most, done) = (Arc::default(), Notes::new());
    let worker = busy(world.worker(), "test", &time, &most, &done).at_once_of("test", 1);
    world.session.jobs().enqueue_all((0..3).map(|n| job("test", n)).collect()).await.unwrap();
    let (stop, stopped) = oneshot::channel();
    let ended = AtomicBool::new(false);
    let running = async {
        worker.run(|pause| time.sleep(pause), async { stopped.await.unwrap() }).await;
        ended.store(true, Ordering::SeqCst);
    };
    let script = async {
        time.pass(SECOND / 2).await;
        let running = |job: &Job| job.state == JobState::Running;
        assert_eq!(world.jobs().await.iter().filter(|job| running(job)).count(), 3, "claimed");
        stop.send(()).unwrap();
        time.pass(SECOND / 10).await;
        let jobs = world.jobs().await;
        let free: Vec<_> = jobs.iter().filter(|job| !running(job)).collect();
        assert_eq!(free.len(), 2);
        assert!(free.iter().all(|job| (job.state, job.attempts) == (JobState::Ready, 0)));
        // Enqueued meanwhile, it is not for this worker.
        world.session.jobs().enqueue(job("test", 9)).await.unwrap();
        assert!(!ended.load(Ordering::SeqCst));
        time.pass(SECOND).await;
        assert!(ended.load(Ordering::SeqCst));
    };
    futures::join!(running, script);
    assert_eq!(done.all(), [0]);
    assert_eq!(world.jobs().await.len(), 3);
}

#[tokio::test]
async fn what_does_not_end_is_stopped_and_free_for_others() {
    let world = World::new().await;
    let time = Time::of(&world.clock);
    let worker =
        world.worker().handle("test", |_| futures::future::pending()).drain_for(10 * SECOND);
    world.session.jobs().enqueue(job("test", 1)).await.unwrap();
    let (stop, stopped) = oneshot::channel();
    let ended = AtomicBool::new(false);
    let running = async {
        worker.run(|pause| time.sleep(pause), async { stopped.await.unwrap() }).await;
        ended.store(true, Ordering::SeqCst);
    };
    let script = async {
        // Its lease is kept for as long as it takes.
        time.pass(100 * SECOND).await;
        assert_eq!(only_job(&world).await.state, JobState::Running);
        stop.send(()).unwrap();
        time.pass(9 * SECOND).await;
        assert!(!ended.load(Ordering::SeqCst));
        time.pass(SECOND).await;
        assert!(ended.load(Ordering::SeqCst));
    };
    futures::join!(running, script);
    let left = only_job(&world).await;
    assert_eq!((left.state, left.attempts), (JobState::Ready, 0));
    let (other, tries) = trying(&world, || Ok(Next::Done));
    other.run_due().await.unwrap();
    assert_eq!(tries.all().len(), 1);
}

/// Says when it is dropped.
struct Dropped(Arc<AtomicBool>);

impl Drop for Dropped {
    fn drop(&mut self) {
        self.0.store(true, Ordering::SeqCst);
    }
}

/// A worker whose clock is an hour ahead, so that every lease has run out for it.
fn ahead(world: &World) -> Worker {
    let clock = TestClock::default();
    clock.advance(Duration::from_secs(60 * 60));
    let crm = crm_over(&world.store, &clock, &world.carrier);
    crm.worker().handle("test", |_| async { Ok(Next::Done) })
}

#[tokio::test]
async fn who_has_lost_the_lease_is_stopped_and_commits_nothing() {
    let world = World::new().await;
    let time = Time::of(&world.clock);
    let (dropped, refused) = (Arc::new(AtomicBool::new(false)), Notes::new());
    let (flag, notes, pause) = (Arc::clone(&dropped), refused.clone(), time.clone());
    let worker = world.worker().handle("test", move |job| {
        let (dropped, notes) = (Dropped(Arc::clone(&flag)), notes.clone());
        let slept = pause.sleep(3 * SECOND);
        async move {
            slept.await;
            let eve = || NewContact::named("Eve", "Lovelace");
            for session in [job.session(), job.step()] {
                notes.add(session.contacts().create(eve()).await.unwrap_err().kind());
            }
            futures::future::pending::<()>().await;
            drop(dropped);
            Ok(Next::Done)
        }
    });
    world.session.jobs().enqueue(job("test", 1)).await.unwrap();
    run(&time, &[&worker], async {
        time.pass(SECOND).await;
        assert_eq!(ahead(&world).run_due().await.unwrap(), 1);
        time.pass(3 * SECOND).await;
        assert_eq!(refused.all(), [ErrorKind::Conflict; 2]);
        assert!(!dropped.load(Ordering::SeqCst));
        // It is stopped when the lease cannot be prolonged.
        time.pass(7 * SECOND).await;
        assert!(dropped.load(Ordering::SeqCst));
    })
    .await;
    assert!(world.jobs().await.is_empty());
    let contacts = world.session.contacts().count(&Default::default()).await.unwrap();
    assert_eq!(contacts, 1);
}

#[tokio::test]
async fn a_job_that_was_held_up_beyond_its_lease_is_tried_again() {
    let world = World::new().await;
    let (clock, tries) = (world.clock.clone(), Arc::new(AtomicUsize::new(0)));
    let count = Arc::clone(&tries);
    let worker = world.worker().handle("test", move |job| {
        // The first try is as if the process had been put to sleep.
        if count.fetch_add(1, Ordering::SeqCst) == 0 {
            clock.advance(40 * SECOND);
        }
        async move {
            let eve = NewContact::named("Eve", "Lovelace");
            job.session().contacts().create(eve).await?;
            Ok(Next::Done)
        }
    });
    world.session.jobs().enqueue(job("test", 1)).await.unwrap();
    worker.run_due().await.unwrap();
    assert_eq!(only_job(&world).await.state, JobState::Scheduled);
    world.clock.advance(SECOND);
    worker.run_due().await.unwrap();
    assert_eq!(tries.load(Ordering::SeqCst), 2);
    assert!(world.jobs().await.is_empty());
}

#[tokio::test]
async fn while_the_store_is_away_it_is_asked_now_and_then() {
    let world = World::new().await;
    let time = Time::of(&world.clock);
    let (store, runs) = (world.store.clone(), Arc::new(AtomicUsize::new(0)));
    let count = Arc::clone(&runs);
    let worker = world.worker().drain_for(10 * SECOND).handle("test", move |_| {
        store.away.store(true, Ordering::SeqCst);
        count.fetch_add(1, Ordering::SeqCst);
        async { Ok(Next::Done) }
    });
    world.session.jobs().enqueue(job("test", 1)).await.unwrap();
    run(&time, &[&worker], async {
        time.pass(10 * SECOND).await;
        // Settlements, looks and schedules: each a little more than ten times.
        let asked = world.store.asked.load(Ordering::SeqCst);
        assert!((20..=45).contains(&asked), "asked {asked} times in 10 s");
        world.store.away.store(false, Ordering::SeqCst);
        time.pass(2 * SECOND).await;
        assert!(world.jobs().await.is_empty());
        assert_eq!(runs.load(Ordering::SeqCst), 1);
        // A worker that shall stop does not wait for it for ever.
        world.session.jobs().enqueue(job("test", 2)).await.unwrap();
        time.pass(SECOND).await;
    })
    .await;
    world.store.away.store(false, Ordering::SeqCst);
    assert_eq!(only_job(&world).await.state, JobState::Running);
    world.clock.advance(30 * SECOND);
    assert_eq!(worker.run_due().await.map_err(|error| error.kind()), Err(ErrorKind::Unavailable));
    assert_eq!(runs.load(Ordering::SeqCst), 3);
}

//! The queue.

use std::time::Duration;

use crm_core::activities::NewActivity;
use crm_core::calls::StartCall;
use crm_core::contacts::NewContact;
use crm_core::idempotency::Idempotent;
use crm_core::jobs::{
    Claim, ClaimedJob, Job, JobEnd, JobQuery, JobState, Lease, NewJob, Next, Settlement,
};
use crm_core::ports::Clock;
use crm_core::{ErrorKind, JobId, Page, Session, Timestamp};

use crate::case::cases;
use crate::env::{ALL, Env, refused};
use crate::snapshot::snapshot;
use crate::telephony::account;

const KIND: &str = "case.work";
const LEASE: Duration = Duration::from_secs(30);

fn job(number: u32) -> NewJob {
    NewJob::new(KIND, &number).unwrap()
}

fn numbers(claimed: &[ClaimedJob]) -> Vec<u64> {
    claimed.iter().map(|claimed| claimed.job.payload.as_u64().unwrap()).collect()
}

impl Env {
    async fn claim(&self, limit: usize) -> Vec<ClaimedJob> {
        let now = self.clock.now();
        let kinds = vec![KIND.parse().unwrap(), "case.other".parse().unwrap()];
        let claim = Claim { kinds, limit, after: None, now, until: now.after(LEASE) };
        let claimed = self.store.claim_jobs(self.system().scope(), &claim).await.unwrap();
        assert!(claimed.len() <= limit);
        claimed
    }

    async fn settle(&self, lease: Lease, end: JobEnd) {
        let now = self.clock.now();
        let settlements = [Settlement { lease, end }];
        self.store.settle_jobs(self.system().scope(), &settlements, now).await.unwrap();
    }

    fn wait(&self, time: Duration) {
        self.clock.advance_micros(i64::try_from(time.as_micros()).unwrap());
    }

    fn later(&self, seconds: u64) -> Timestamp {
        self.clock.now().after(Duration::from_secs(seconds))
    }
}

async fn kept(env: &Env, session: &Session, id: JobId) -> Option<Job> {
    env.store.job(session.scope(), id).await.unwrap()
}

cases! {
    async fn jobs_are_enqueued_with_their_cause(env: &Env) {
        let session = env.tenant("acme").await;
        let written = session.jobs().enqueue(job(7).priority(3).attempts(5)).await.unwrap();
        assert_eq!(kept(env, &session, written.id).await, Some(written.clone()));
        let claimed = env.claim(10).await;
        assert_eq!(numbers(&claimed), [7]);
        assert_eq!(claimed[0].lease.tenant, session.scope().tenant());
        assert_eq!(claimed[0].region, session.scope().region());
        let running = Job::clone(&claimed[0].job);
        assert_eq!((running.state, running.attempts), (JobState::Running, 1));
        assert_eq!((running.priority, running.max_attempts), (3, 5));
        assert_eq!((running.id, running.request_id), (written.id, written.request_id));

        // A unit that is refused when it is committed leaves none of its jobs.
        session.telephony().create(account("one")).await.unwrap();
        let ada = NewContact::named("Ada", "Called").phone("+14255550123");
        let ada = session.contacts().create(ada).await.unwrap();
        let elsewhere = env.another_node();
        let elsewhere = elsewhere.system("prove what the store does").unwrap();
        let elsewhere = elsewhere.session(session.scope().tenant()).await.unwrap();
        let key = "one".parse().unwrap();
        let first = session.idempotent(&key, b"POST /calls").await.unwrap();
        let second = elsewhere.idempotent(&key, b"POST /calls").await.unwrap();
        let (Idempotent::First(first), Idempotent::First(second)) = (first, second) else {
            panic!("nobody has used it");
        };
        first.calls().start(StartCall::to(ada.id)).await.unwrap();
        let all = JobQuery { limit: ALL, ..JobQuery::default() };
        let before = env.store.jobs(session.scope(), &all).await.unwrap();
        assert_eq!(before.len(), 3, "to place the call, and to ask what became of it");
        let again = second.calls().start(StartCall::to(ada.id)).await;
        refused(again, ErrorKind::IdempotencyInProgress);
        assert_eq!(env.store.jobs(session.scope(), &all).await.unwrap(), before);
    }

    async fn unique_jobs_wait_once(env: &Env) {
        let (acme, other) = (env.tenant("acme").await, env.tenant("other").await);
        for number in 0..3 {
            acme.jobs().enqueue(job(number).unique("key")).await.unwrap();
        }
        let two = vec![job(10).unique("both"), job(11).unique("both")];
        other.jobs().enqueue_all(two).await.unwrap();
        other.jobs().enqueue(job(12).unique("key")).await.unwrap();
        let mut claimed = env.claim(10).await;
        claimed.sort_by_key(|claimed| claimed.job.payload.as_u64());
        assert_eq!(numbers(&claimed), [0, 10, 12]);

        // While it runs one more may wait, which then stands for both.
        acme.jobs().enqueue(job(4).unique("key")).await.unwrap();
        acme.jobs().enqueue(job(5).unique("key")).await.unwrap();
        env.settle(claimed[0].lease, JobEnd::Snooze(env.clock.now())).await;
        assert_eq!(numbers(&env.claim(10).await), [4]);
    }

    async fn a_lost_lease_commits_nothing(env: &Env) {
        let session = env.tenant("acme").await;
        let ada = session.contacts().create(NewContact::named("Ada", "Lovelace")).await.unwrap();
        session.jobs().enqueue(job(1)).await.unwrap();
        let before = snapshot(&*env.store, session.scope()).await.unwrap();
        let (clock, (tell, told)) = (env.clock.clone(), std::sync::mpsc::channel());
        let worker = env.crm.worker().handle(KIND, move |job| {
            let (clock, tell) = (clock.clone(), tell.clone());
            async move {
                if job.job().attempts == 1 {
                    // Stopped for longer than the lease; nobody else has come yet.
                    clock.advance_micros(30_000_000);
                    let late = || NewActivity::note(ada.id, "late");
                    let step = job.step().activities().create(late()).await.map(drop);
                    let done = job.session().activities().create(late()).await.map(drop);
                    tell.send([step, done]).unwrap();
                }
                Ok(Next::Later(Duration::from_secs(3600)))
            }
        });
        worker.run_due().await.unwrap();
        for answer in told.recv().expect("the job was run") {
            refused(answer, ErrorKind::Conflict);
        }
        let after = snapshot(&*env.store, session.scope()).await.unwrap();
        assert_eq!(after, before, "a unit under a lost lease left something behind");
    }

    async fn a_job_ends_with_its_effect(env: &Env) {
        let session = env.tenant("acme").await;
        let ada = session.contacts().create(NewContact::named("Ada", "Lovelace")).await.unwrap();
        let written = session.jobs().enqueue(job(1)).await.unwrap();
        let (tell, told) = std::sync::mpsc::channel();
        let worker = env.crm.worker().handle(KIND, move |job| {
            let tell = tell.clone();
            async move {
                let note = |text: &str| NewActivity::note(ada.id, text);
                job.step().activities().create(note("on the way")).await?;
                // A refused effect leaves the job as it is.
                let nobody = NewContact::named("No", "Address").email("nowhere");
                let refused = job.session().contacts().create(nobody).await.map(drop);
                job.session().activities().create(note("done")).await?;
                let again = job.session().activities().create(note("again")).await.map(drop);
                tell.send((refused, again)).unwrap();
                Ok(Next::Done)
            }
        });
        assert_eq!(worker.run_due().await.unwrap(), 1);
        let (invalid, again) = told.recv().expect("the job was run");
        refused(invalid, ErrorKind::Invalid);
        refused(again, ErrorKind::Conflict);
        assert_eq!(kept(env, &session, written.id).await, None);
        let timeline = session.activities().timeline(ada.id, &Page::default()).await.unwrap();
        let texts: Vec<_> = timeline.items.iter().filter_map(|one| one.body.as_deref()).collect();
        assert_eq!(texts, ["done", "on the way"]);
    }

    async fn a_job_is_claimed_once(env: &Env) {
        let session = env.tenant("acme").await;
        session.jobs().enqueue_all((0..20).map(job).collect()).await.unwrap();
        let claims = (0..8).map(|_| env.claim(5));
        let claimed = futures::future::join_all(claims).await.concat();
        let mut seen = numbers(&claimed);
        seen.extend(numbers(&env.claim(20).await));
        seen.sort_unstable();
        assert_eq!(seen, (0..20).collect::<Vec<_>>());
        assert_eq!(env.claim(20).await, []);
    }

    async fn a_lapsed_lease_is_rescued(env: &Env) {
        let session = env.tenant("acme").await;
        session.jobs().enqueue(job(1)).await.unwrap();
        let first = env.claim(1).await;
        env.wait(LEASE - Duration::from_micros(1));
        assert_eq!(env.claim(1).await, []);
        env.wait(Duration::from_micros(1));
        let second = env.claim(1).await;
        assert_eq!(numbers(&second), [1]);
        assert!(second[0].lease.token > first[0].lease.token);
        assert_eq!(second[0].job.attempts, 2);
    }

    async fn a_job_that_kills_its_workers_is_given_up(env: &Env) {
        let session = env.tenant("acme").await;
        let id = session.jobs().enqueue(job(1).attempts(2)).await.unwrap().id;
        for _ in 0..2 {
            assert_eq!(env.claim(1).await.len(), 1);
            env.wait(LEASE);
        }
        assert_eq!(env.claim(1).await, []);
        let dead = kept(env, &session, id).await.unwrap();
        assert_eq!((dead.state, dead.attempts), (JobState::Dead, 2));
        assert!(dead.failure.is_some());
        session.jobs().retry(id).await.unwrap();
        let again = env.claim(1).await;
        assert_eq!((numbers(&again), again[0].job.attempts), (vec![1], 1));
        refused(session.jobs().retry(id).await, ErrorKind::Conflict);
    }

    async fn scheduled_jobs_wait(env: &Env) {
        let session = env.tenant("acme").await;
        let at = env.later(60);
        let written = session.jobs().enqueue(job(1).at(at)).await.unwrap();
        assert_eq!(written.state, JobState::Scheduled);
        assert_eq!(env.claim(1).await, []);
        env.wait(Duration::from_secs(60) - Duration::from_micros(1));
        assert_eq!(env.claim(1).await, []);
        env.wait(Duration::from_micros(1));
        assert_eq!(numbers(&env.claim(1).await), [1]);
    }

    async fn tenants_take_turns(env: &Env) {
        let busy = env.tenant("busy").await;
        let quiet = env.tenant("quiet").await;
        busy.jobs().enqueue_all((0..200).map(job).collect()).await.unwrap();
        let other = NewJob::new("case.other", &2000).unwrap();
        busy.jobs().enqueue(other).await.unwrap();
        quiet.jobs().enqueue(job(1000)).await.unwrap();
        let mut seen = numbers(&env.claim(6).await);
        seen.sort_unstable();
        assert_eq!(seen, [0, 1, 2, 3, 1000, 2000], "each kind and tenant has its turn");
    }

    async fn priority_decides_within_a_tenant(env: &Env) {
        let session = env.tenant("acme").await;
        let new = [(1, 0), (2, 5), (3, -5), (4, 0), (5, -5)]
            .map(|(number, priority)| job(number).priority(priority));
        for new in new {
            session.jobs().enqueue(new).await.unwrap();
            env.wait(Duration::from_secs(1));
        }
        assert_eq!(numbers(&env.claim(2).await), [3, 5]);
        assert_eq!(numbers(&env.claim(10).await), [1, 4, 2]);
    }

    async fn a_lease_is_kept(env: &Env) {
        let session = env.tenant("acme").await;
        session.jobs().enqueue_all(vec![job(1), job(2)]).await.unwrap();
        let leases: Vec<Lease> = env.claim(2).await.iter().map(|claimed| claimed.lease).collect();
        env.wait(LEASE / 2);
        let keep = async |leases: &[Lease]| {
            let now = env.clock.now();
            let until = now.after(LEASE);
            env.store.keep_jobs(env.system().scope(), leases, now, until).await.unwrap()
        };
        assert_eq!(keep(&leases[..1]).await, leases[..1]);
        env.wait(LEASE / 2);
        assert_eq!(numbers(&env.claim(2).await), [2], "only the lease that was kept holds");
        assert_eq!(keep(&leases).await, leases[..1], "a lost one is not given back");
    }

    async fn jobs_end_as_told(env: &Env) {
        let session = env.tenant("acme").await;
        session.jobs().enqueue_all((0..4).map(job).collect()).await.unwrap();
        let claimed = env.claim(4).await;
        let at = env.later(60);
        let ends = [
            JobEnd::Done,
            JobEnd::Snooze(at),
            JobEnd::Retry(at, "it failed\u{1f980}".to_owned()),
            JobEnd::Dead("it cannot be".to_owned()),
        ];
        let now = env.clock.now();
        let settlements: Vec<Settlement> = claimed
            .iter()
            .zip(ends)
            .map(|(claimed, end)| Settlement { lease: claimed.lease, end })
            .collect();
        env.store.settle_jobs(env.system().scope(), &settlements, now).await.unwrap();
        let mut left = Vec::new();
        for claimed in &claimed {
            left.push(kept(env, &session, claimed.job.id).await);
        }
        let of = |number: usize| left[number].as_ref().unwrap();
        assert_eq!(left[0], None);
        assert_eq!((of(1).state, of(1).attempts, of(1).run_at), (JobState::Scheduled, 0, at));
        assert_eq!((of(2).state, of(2).attempts, of(2).run_at), (JobState::Scheduled, 1, at));
        assert_eq!(of(2).failure.as_deref(), Some("it failed\u{1f980}"));
        assert_eq!((of(3).state, of(3).failure.as_deref()), (JobState::Dead, Some("it cannot be")));
        env.wait(Duration::from_secs(60));
        let mut seen = numbers(&env.claim(4).await);
        seen.sort_unstable();
        assert_eq!(seen, [1, 2]);
        session.jobs().discard(of(3).id).await.unwrap();
        assert_eq!(kept(env, &session, of(3).id).await, None);
    }

    async fn a_lost_lease_settles_nothing(env: &Env) {
        let session = env.tenant("acme").await;
        session.jobs().enqueue(job(1)).await.unwrap();
        let first = env.claim(1).await[0].lease;
        env.wait(LEASE);
        let second = env.claim(1).await[0].clone();
        for end in [JobEnd::Done, JobEnd::Dead("late".to_owned()), JobEnd::Snooze(env.later(9))] {
            env.settle(first, end).await;
            assert_eq!(kept(env, &session, second.job.id).await, Some(second.job.clone()));
        }
        env.settle(second.lease, JobEnd::Done).await;
        assert_eq!(kept(env, &session, second.job.id).await, None);
    }

    async fn a_schedule_fires_once(env: &Env) {
        let session = env.tenant("acme").await;
        let schedule = session.jobs().schedule("nightly", "30 2 * * *", KIND, &7).await.unwrap();
        assert_eq!(session.jobs().schedules().await.unwrap(), std::slice::from_ref(&schedule));
        let next_at = schedule.next_at.expect("every day has such a time");
        let due = async |now| {
            let due = env.store.due_schedules(env.system().scope(), now, 10).await.unwrap();
            due.into_iter().map(|due| due.schedule).collect::<Vec<_>>()
        };
        assert_eq!(due(next_at.saturating_add_micros(-1)).await, []);
        assert_eq!(due(next_at).await, [schedule]);
        env.clock.set(next_at);
        let ran = || env.crm.worker().handle(KIND, |_| async { Ok(Next::Done) });
        let (one, other) = (ran(), ran());
        let (one, other) = futures::join!(one.run_due(), other.run_due());
        assert_eq!(one.unwrap() + other.unwrap(), 1);
        assert_eq!(due(next_at).await, []);
        let next = session.jobs().schedules().await.unwrap()[0].next_at;
        assert_eq!(next, Some(next_at.after(Duration::from_secs(24 * 60 * 60))));
    }

    async fn jobs_are_listed(env: &Env) {
        let (acme, other) = (env.tenant("acme").await, env.tenant("other").await);
        other.jobs().enqueue(job(100)).await.unwrap();
        let mut made = acme.jobs().enqueue_all((0..5).map(job).collect()).await.unwrap();
        made.extend(acme.jobs().enqueue(NewJob::new("case.third", &5).unwrap()).await);
        made.reverse();
        let mut walked = Vec::new();
        let mut page = Page::first(2);
        loop {
            let list = acme.jobs().list(None, None, &page).await.unwrap();
            walked.extend(list.items);
            match list.next_cursor {
                Some(cursor) => page = Page::after(cursor, 2),
                None => break,
            }
        }
        assert_eq!(walked, made);
        assert_eq!(env.claim(10).await.len(), 6);
        let list = async |state, kind: Option<&str>| {
            let kind = kind.map(|kind| kind.parse().unwrap());
            acme.jobs().list(state, kind, &Page::default()).await.unwrap().items.len()
        };
        assert_eq!(list(Some(JobState::Running), None).await, 5);
        assert_eq!(list(Some(JobState::Ready), None).await, 1);
        assert_eq!(list(Some(JobState::Dead), None).await, 0);
        assert_eq!(list(None, Some("case.third")).await, 1);
        assert_eq!(list(Some(JobState::Running), Some("case.third")).await, 0);
    }
}

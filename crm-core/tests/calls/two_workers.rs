//! Two workers at one call, and names of schedules.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use crm_core::jobs::JobState;
use crm_core::ports::Clock;
use crm_core::telephony::Started;
use crm_core::{Crm, Error, ErrorKind, KeyRing, Page, Timestamp};

use crate::clock::TestClock;
use crate::{World, crm_over};

type Act = Box<dyn FnMut() -> bool + Send>;

/// Lets `meanwhile` happen when the time is read, until it says that it has.
#[derive(Clone)]
struct Pausing {
    clock: TestClock,
    meanwhile: Arc<Mutex<Option<Act>>>,
}

impl Clock for Pausing {
    fn now(&self) -> Timestamp {
        let now = self.clock.now();
        let mut meanwhile = self.meanwhile.lock().unwrap();
        if meanwhile.as_mut().is_some_and(|act| act()) {
            *meanwhile = None;
        }
        now
    }
}

#[tokio::test]
async fn a_worker_that_was_paused_does_not_ask_again() {
    let world = World::new().await;
    let call = world.start().await;
    let (store, clock, carrier) = (world.store.clone(), world.clock.clone(), world.carrier.clone());
    world.carrier.answer(|_| async { Ok(Started::Unknown(Error::unavailable("lost", "x"))) });
    let session = world.session.clone();
    let act = move || {
        let (store, clock, carrier, session) =
            (store.clone(), clock.clone(), carrier.clone(), session.clone());
        std::thread::spawn(move || {
            futures::executor::block_on(async {
                let running = Some(JobState::Running);
                let jobs = session.jobs().list(running, None, &Page::default()).await.unwrap();
                if jobs.items.is_empty() {
                    return false;
                }
                clock.advance(Duration::from_secs(31));
                crm_over(&store, &clock, &carrier).worker().run_due().await.unwrap();
                true
            })
        })
        .join()
        .unwrap()
    };
    let pausing = Pausing {
        clock: world.clock.clone(),
        meanwhile: Arc::new(Mutex::new(Some(Box::new(act)))),
    };
    let slow = Crm::builder(world.store.clone())
        .clock(pausing)
        .telephony(world.carrier.clone())
        .key_ring(KeyRing::new([("test".to_owned(), [7; 32])]).unwrap())
        .public_url("https://crm.example")
        .build()
        .unwrap();
    slow.worker().run_due().await.unwrap();
    let placement = world.call(call.id).await.placement;
    assert_eq!(world.carrier.desk().started.len(), 1, "{placement:?}");
}

#[tokio::test]
async fn a_schedule_has_a_name_of_one_line() {
    let world = World::new().await;
    for name in ["", " ", "a\0b", "a\nb", &"a".repeat(101)] {
        let refused = world.session.jobs().schedule(name, "* * * * *", "tidy", &0).await;
        assert_eq!(refused.unwrap_err().kind(), ErrorKind::Invalid, "{name:?}");
    }
}

//! Old events are forgotten by the worker.

use std::time::Duration;

use crm_core::Session;
use crm_core::contacts::NewContact;
use crm_core::events::EventPosition;
use futures::future;

use crate::{Boxed as _, World, contact, new_tenant, settle};

const HOUR: Duration = Duration::from_secs(3600);
const MINUTE: Duration = Duration::from_secs(60);

async fn events(session: &Session) -> usize {
    session.events().after(EventPosition::START, 1000).await.unwrap().len()
}

#[tokio::test]
async fn a_tenants_log_is_shortened_once_an_hour() {
    let world = World::new().await;
    let crm = world.node().events_kept(2 * HOUR).build().unwrap();
    world.clock.advance(HOUR);
    world.contact("Ada").await;
    world.clock.advance(HOUR + MINUTE);
    crm.worker().run_due().await.unwrap();
    assert_eq!(events(&world.session).await, 1, "of the contact alone, which is an hour old");
    world.clock.advance(59 * MINUTE);
    crm.worker().run_due().await.unwrap();
    assert_eq!(events(&world.session).await, 1, "it is not yet two hours old");
    world.clock.advance(30 * MINUTE);
    crm.worker().run_due().await.unwrap();
    assert_eq!(events(&world.session).await, 0);

    let eve = contact(&world.session, "Eve").await;
    world.clock.advance(20 * MINUTE);
    crm.worker().run_due().await.unwrap();
    assert_eq!(events(&world.session).await, 1, "{:?}", eve.id);
}

#[tokio::test]
async fn every_tenant_has_its_turn_however_many_events_there_are() {
    let world = World::new().await;
    let mut sessions = vec![world.session.clone()];
    for number in 0..230 {
        let tenant = new_tenant(&world.crm, &format!("tenant-{number}")).await;
        sessions.push(world.crm.system("a test").unwrap().session(tenant.id).await.unwrap());
    }
    for number in 0..25 {
        let new = (0..100).map(|each| NewContact::named(format!("N{number}"), each.to_string()));
        world.session.contacts().create_all(new.collect()).await.unwrap();
    }
    world.clock.advance(31 * 24 * HOUR);
    for session in [&sessions[0], &sessions[230]] {
        contact(session, "New").await;
    }
    let worker = world.node().build().unwrap().worker();
    let sleep = |pause: Duration| {
        if pause.is_zero() {
            future::ready(()).boxed_future()
        } else {
            future::pending().boxed_future()
        }
    };
    tokio::spawn(async move { worker.run(sleep, future::pending()).await });
    settle().await;
    for (number, session) in sessions.iter().enumerate() {
        let kept = usize::from([0, 230].contains(&number));
        assert_eq!(events(session).await, kept, "tenant {number}");
    }
}

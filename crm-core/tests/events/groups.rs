//! Readers whose place is kept.

use std::time::Duration;

use crm_core::contacts::NewContact;
use crm_core::events::{After, Batch, EventPosition, GroupName};
use crm_core::{EntityRef, ErrorKind};

use crate::{World, contact};

fn letters() -> GroupName {
    "letters".parse().unwrap()
}

fn subjects(batch: &Batch) -> Vec<EntityRef> {
    batch.events().iter().map(|recorded| recorded.event.subject).collect()
}

#[tokio::test]
async fn what_is_not_done_comes_again() {
    let world = World::new().await;
    let mut reader = world.session.events().group(letters(), After::Now).await.unwrap();
    let ada = world.contact("Ada").await;
    assert_eq!(subjects(&reader.next().await.unwrap()), [ada.id.into()]);
    let eve = world.contact("Eve").await;
    let batch = reader.next().await.unwrap();
    assert_eq!(subjects(&batch), [ada.id.into(), eve.id.into()]);
    batch.done().await.unwrap();
    let mia = world.contact("Mia").await;
    assert_eq!(subjects(&reader.next().await.unwrap()), [mia.id.into()]);
}

#[tokio::test]
async fn another_node_reads_on_from_where_the_group_is() {
    let world = World::new().await;
    // A group is where it began, though nothing was done.
    drop(world.session.events().group(letters(), After::Now).await.unwrap());
    let ada = world.contact("Ada").await;
    for done in [false, true] {
        let there = world.session_on(&world.node().build().unwrap()).await;
        let mut reader = there.events().group(letters(), After::Start).await.unwrap();
        let batch = reader.next().await.unwrap();
        assert_eq!(subjects(&batch), [ada.id.into()]);
        if done {
            batch.done().await.unwrap();
        }
    }
    let eve = world.contact("Eve").await;
    let mut reader = world.session.events().group(letters(), After::Start).await.unwrap();
    assert_eq!(subjects(&reader.next().await.unwrap()), [eve.id.into()]);
}

#[tokio::test]
async fn of_two_readers_one_has_the_effect_and_the_other_reads_on() {
    let world = World::new().await;
    let there = world.session_on(&world.node().build().unwrap()).await;
    let mut here = world.session.events().group(letters(), After::Now).await.unwrap();
    let mut there = there.events().group(letters(), After::Now).await.unwrap();
    world.contact("Ada").await;
    let (one, two) = (here.next().await.unwrap(), there.next().await.unwrap());
    let effect = contact(one.session(), "Effect").await;
    let again = NewContact::named("Effect", "Again");
    let lost = two.session().contacts().create(again.clone()).await.unwrap_err();
    assert_eq!(lost.kind(), ErrorKind::Conflict);
    let twice = one.session().contacts().create(again).await.unwrap_err();
    assert_eq!(twice.kind(), ErrorKind::Conflict, "a batch has one effect");
    for reader in [&mut here, &mut there] {
        assert_eq!(subjects(&reader.next().await.unwrap()), [effect.id.into()]);
    }
    assert_eq!(world.session.contacts().count(&Default::default()).await.unwrap(), 2);
}

#[tokio::test]
async fn a_group_that_was_away_for_too_long_gets_what_is_kept_and_is_told() {
    let world = World::new().await;
    let mut reader = world.session.events().group(letters(), After::Start).await.unwrap();
    world.clock.advance(Duration::from_secs(1));
    world.forget().await;
    let ada = world.contact("Ada").await;
    let eve = world.contact("Eve").await;
    let batch = reader.next().await.unwrap();
    assert!(batch.is_incomplete());
    assert_eq!(subjects(&batch), [ada.id.into(), eve.id.into()]);
    batch.done().await.unwrap();
    let mia = world.contact("Mia").await;
    let batch = reader.next().await.unwrap();
    assert!(!batch.is_incomplete());
    assert_eq!(subjects(&batch), [mia.id.into()]);
    batch.done().await.unwrap();

    // A place that no log has had.
    let far = After::Position(EventPosition(u64::MAX));
    let mut reader = world.session.events().group("far".parse().unwrap(), far).await.unwrap();
    let batch = reader.next().await.unwrap();
    assert!(batch.is_incomplete());
    assert_eq!(batch.events().len(), 3);
    batch.done().await.unwrap();
}

#[tokio::test]
async fn groups_have_names_and_are_for_those_who_may_read_all_events() {
    for name in ["a", "letters.v2", &"x".repeat(64), "a_b-c"] {
        assert_eq!(name.parse::<GroupName>().unwrap().as_str(), name);
    }
    for name in ["", "A", "ä", "a b", "crm.own", &"x".repeat(65)] {
        let error = name.parse::<GroupName>().unwrap_err();
        assert_eq!(error.fields()[0].code, "invalid_group", "{name:?}");
    }
}

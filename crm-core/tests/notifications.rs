//! What people are told, how much of it, and through what.
#![allow(
    missing_docs,
    clippy::unwrap_used,
    clippy::disallowed_methods,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "tests"
)]

#[path = "common/clock.rs"]
mod clock;

use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use clock::TestClock;
use crm_core::activities::{Direction, NewActivity};
use crm_core::calls::{CallStatus, LogCall};
use crm_core::contacts::import::ImportOptions;
use crm_core::contacts::{ContactPatch, NewContact};
use crm_core::events::{After, Delivery, EventName, EventPosition};
use crm_core::identity::{NewUser, User, UserPatch, UserStatus};
use crm_core::memory::MemoryStore;
use crm_core::notifications::{
    Audience, NewBroadcast, Notification, NotificationChannel, NotificationKind, QuietHours,
    SetNotificationPreferences,
};
use crm_core::tenancy::NewTenant;
use crm_core::{Crm, Error, ErrorKind, Page, Principal, Result, Role, Session, UserId};

/// Keeps what it is given, and fails as often as it is told to.
#[derive(Clone, Default)]
struct Letters {
    sent: Arc<Mutex<Vec<(String, UserId)>>>,
    failures: Arc<Mutex<u32>>,
}

#[async_trait]
impl NotificationChannel for Letters {
    fn name(&self) -> &str {
        "letters"
    }

    async fn send(&self, notification: &Notification, user: &User) -> Result<()> {
        let mut failures = self.failures.lock().unwrap();
        if *failures > 0 {
            *failures -= 1;
            return Err(Error::unavailable("the post is on strike", "for today"));
        }
        self.sent.lock().unwrap().push((notification.title.clone(), user.id));
        Ok(())
    }
}

/// An owner and a colleague in one tenant.
struct World {
    clock: TestClock,
    crm: Crm,
    letters: Letters,
    owner: Session,
    bob: Session,
}

fn id_of(session: &Session) -> UserId {
    session.scope().actor().user().unwrap()
}

impl World {
    async fn new() -> World {
        let (clock, letters) = (TestClock::default(), Letters::default());
        let builder = Crm::builder(MemoryStore::default()).clock(clock.clone());
        let crm = builder.notification_channel(letters.clone()).build().unwrap();
        let new = NewTenant {
            name: "Acme".into(),
            slug: None,
            default_region: "US".parse().unwrap(),
            owner_email: "owner@acme.example".into(),
            owner_name: None,
        };
        let (tenant, owner) = crm.system("test").unwrap().create_tenant(new).await.unwrap();
        let principal = |user| Principal::User { tenant: tenant.id, user };
        let owner = crm.session(principal(owner.id)).await.unwrap();
        let new = NewUser { email: "bob@acme.example".into(), full_name: None, role: Role::Agent };
        let bob = owner.users().create(new).await.unwrap();
        let active = UserPatch { status: UserStatus::Active.into(), ..UserPatch::default() };
        owner.users().update(bob.user.id, active, None).await.unwrap();
        let bob = crm.session(principal(bob.user.id)).await.unwrap();
        World { clock, crm, letters, owner, bob }
    }

    async fn run(&self) {
        self.crm.worker().run_due().await.unwrap();
    }

    fn for_bob(&self, name: &str) -> NewContact {
        NewContact { owner_id: Some(id_of(&self.bob)), ..NewContact::named(name, "Owned") }
    }

    async fn assign(&self, count: usize) {
        for number in 0..count {
            let new = self.for_bob(&format!("N{number}"));
            self.owner.contacts().create(new).await.unwrap();
        }
        self.run().await;
    }
}

async fn list(session: &Session) -> Vec<Notification> {
    session.notifications().list(false, &Page::first(200)).await.unwrap().items
}

async fn kinds(session: &Session) -> Vec<NotificationKind> {
    list(session).await.iter().map(|known| known.kind).collect()
}

fn wish(kind: NotificationKind, channel: &str, wanted: bool) -> SetNotificationPreferences {
    let of = [(channel.to_owned(), wanted)].into();
    SetNotificationPreferences { channels: [(kind, of)].into(), quiet_hours: None }
}

fn announcement(to: Audience) -> NewBroadcast {
    NewBroadcast { title: "Closed on Friday".into(), body: None, to }
}

#[tokio::test]
async fn who_is_given_a_contact_is_told_and_who_takes_one_is_not() {
    let world = World::new().await;
    let new = world.for_bob("Ada");
    let ada = world.owner.contacts().create(new).await.unwrap();
    let own = NewContact { owner_id: Some(id_of(&world.owner)), ..NewContact::named("Eve", "Own") };
    let eve = world.owner.contacts().create(own).await.unwrap();
    world.run().await;
    let told = list(&world.bob).await;
    assert_eq!(told.len(), 1);
    assert_eq!(
        (told[0].kind, told[0].body.as_deref()),
        (NotificationKind::Assigned, Some("Ada Owned"))
    );
    assert_eq!(told[0].data["contact_id"], ada.id.to_string());
    assert_eq!(list(&world.owner).await, []);

    let patch = ContactPatch { owner_id: id_of(&world.bob).into(), ..ContactPatch::default() };
    world.owner.contacts().update(eve.id, patch, None).await.unwrap();
    let other = ContactPatch { tags: vec!["vip".to_owned()].into(), ..ContactPatch::default() };
    world.owner.contacts().update(eve.id, other, None).await.unwrap();
    world.run().await;
    world.run().await;
    assert_eq!(list(&world.bob).await.len(), 2, "each event once, and only those of the owner");
}

#[tokio::test]
async fn who_is_named_is_told() {
    let world = World::new().await;
    let ada = world.owner.contacts().create(NewContact::named("Ada", "L")).await.unwrap();
    let body = format!("ask <@{0}> and <@{0}>, not <@nobody>", id_of(&world.bob));
    let note = NewActivity::note(ada.id, body);
    world.owner.activities().create(note.clone()).await.unwrap();
    world.bob.activities().create(note).await.unwrap();
    world.run().await;
    assert_eq!(kinds(&world.bob).await, [NotificationKind::Mention]);
}

#[tokio::test]
async fn an_import_tells_who_began_it() {
    let world = World::new().await;
    let mut import = world.owner.contacts().import(ImportOptions::default()).unwrap();
    import.push(b"first_name,email\nAda,ada@x.example\n").await.unwrap();
    import.finish().await.unwrap();
    let dry = ImportOptions { dry_run: true, ..ImportOptions::default() };
    let mut import = world.owner.contacts().import(dry).unwrap();
    import.push(b"first_name,email\nEve,eve@x.example\n").await.unwrap();
    import.finish().await.unwrap();
    world.run().await;
    let told = list(&world.owner).await;
    assert_eq!(told.len(), 1, "a dry run is none");
    assert_eq!(told[0].body.as_deref(), Some("1 created, 0 updated, 0 skipped, 0 failed"));
    assert_eq!(list(&world.bob).await, []);
}

#[tokio::test]
async fn more_than_ten_in_ten_minutes_are_one_summary() {
    let world = World::new().await;
    world.assign(4).await;
    world.assign(1200).await;
    let told = list(&world.bob).await;
    assert_eq!(told.len(), 11);
    let summary = told.iter().find(|known| known.is_summary()).unwrap().clone();
    assert_eq!((summary.count, &*summary.title), (1194, "1194 more contacts were assigned to you"));
    world.bob.notifications().mark_read(summary.id).await.unwrap();
    world.assign(1).await;
    let again = world.bob.notifications().list(true, &Page::first(200)).await.unwrap().items;
    let again = again.iter().find(|known| known.id == summary.id).unwrap();
    assert_eq!((again.count, again.read_at), (1195, None), "a read one is news again");

    world.clock.advance(Duration::from_secs(601));
    world.assign(1).await;
    let told = list(&world.bob).await;
    assert_eq!(told.len(), 12);
    assert!(!told[0].is_summary());
}

#[tokio::test]
async fn nobody_sees_what_another_is_told() {
    let world = World::new().await;
    let mut bobs = world.bob.events().subscribe(After::Now).await.unwrap();
    let mut owners = world.owner.events().subscribe(After::Now).await.unwrap();
    world.assign(1).await;
    let told = list(&world.bob).await;
    let mut mine = Vec::new();
    for delivery in [bobs.next().await.unwrap(), bobs.next().await.unwrap()] {
        let Delivery::Event(recorded) = delivery else { panic!("a reset") };
        mine.push(recorded.event.name);
    }
    assert_eq!(mine, [EventName::ContactCreated, EventName::NotificationCreated]);
    let Delivery::Event(first) = owners.next().await.unwrap() else { panic!("a reset") };
    assert_eq!(first.event.name, EventName::ContactCreated);
    world.owner.contacts().create(NewContact::named("Next", "One")).await.unwrap();
    let Delivery::Event(second) = owners.next().await.unwrap() else { panic!("a reset") };
    assert_eq!(second.event.name, EventName::ContactCreated, "and not bob's notification");
    let log = world.owner.events().after(EventPosition::START, 1000).await.unwrap();
    assert!(log.iter().all(|known| known.event.name != EventName::NotificationCreated));

    let refused = world.owner.notifications().mark_read(told[0].id).await.unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::NotFound);
    world.owner.notifications().mark_delivered(&[told[0].id]).await.unwrap();
    assert_eq!(world.bob.notifications().undelivered(10).await.unwrap(), told);
    let system = world.crm.system("test").unwrap();
    let system = system.session(world.owner.scope().tenant()).await.unwrap();
    let refused = system.notifications().list(false, &Page::default()).await.unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::Forbidden);
}

#[tokio::test]
async fn delivered_in_order_and_marked_once() {
    let world = World::new().await;
    world.assign(3).await;
    let waiting = world.bob.notifications().undelivered(2).await.unwrap();
    assert_eq!(waiting.len(), 2);
    assert!(waiting[0].id < waiting[1].id, "the oldest first");
    let ids: Vec<_> = waiting.iter().map(|known| known.id).collect();
    world.bob.notifications().mark_delivered(&ids).await.unwrap();
    world.clock.advance(Duration::from_secs(1));
    world.bob.notifications().mark_delivered(&ids).await.unwrap();
    let rest = world.bob.notifications().undelivered(10).await.unwrap();
    assert_eq!(rest.len(), 1);
    assert!(list(&world.bob).await.iter().filter(|known| known.version == 2).count() == 2);
    assert_eq!(world.bob.notifications().read_all().await.unwrap().read, 3);
    assert_eq!(world.bob.notifications().read_all().await.unwrap().read, 0);
    assert_eq!(world.bob.notifications().undelivered(10).await.unwrap(), []);
}

#[tokio::test]
async fn a_channel_is_asked_as_the_person_wants_when_it_is_sent() {
    let world = World::new().await;
    world.assign(1).await;
    assert_eq!(world.letters.sent.lock().unwrap().len(), 1);

    let quiet =
        QuietHours { from: "22:00".into(), to: "07:00".into(), zone: "Europe/Berlin".into() };
    let wishes = SetNotificationPreferences { quiet_hours: Some(quiet), ..Default::default() };
    world.bob.notifications().set_preferences(wishes, None).await.unwrap();
    // 2027-01-15T08:00Z is nine in Berlin; fourteen hours later it is 23:00.
    world.clock.advance(Duration::from_secs(14 * 3600));
    world.assign(1).await;
    assert_eq!(list(&world.bob).await.len(), 2, "the list knows no quiet hours");
    assert_eq!(world.letters.sent.lock().unwrap().len(), 1);
    world.clock.advance(Duration::from_secs(8 * 3600 - 1));
    world.run().await;
    assert_eq!(world.letters.sent.lock().unwrap().len(), 1, "one second before seven");
    world.clock.advance(Duration::from_secs(1));
    world.run().await;
    assert_eq!(world.letters.sent.lock().unwrap().len(), 2);

    *world.letters.failures.lock().unwrap() = 1;
    world.assign(1).await;
    assert_eq!(world.letters.sent.lock().unwrap().len(), 2);
    let off = wish(NotificationKind::Assigned, "letters", false);
    world.bob.notifications().set_preferences(off, None).await.unwrap();
    world.clock.advance(Duration::from_secs(3600));
    world.run().await;
    assert_eq!(world.letters.sent.lock().unwrap().len(), 2, "switched off before the second try");
}

#[tokio::test]
async fn what_is_not_wanted_is_not_kept() {
    let world = World::new().await;
    let off = [("in_app".to_owned(), false), ("letters".to_owned(), false)].into();
    let none = SetNotificationPreferences {
        channels: [(NotificationKind::Assigned, off)].into(),
        quiet_hours: None,
    };
    world.bob.notifications().set_preferences(none, None).await.unwrap();
    world.assign(1).await;
    assert_eq!(list(&world.bob).await, []);
    let letters = wish(NotificationKind::Assigned, "in_app", false);
    world.bob.notifications().set_preferences(letters, Some(1)).await.unwrap();
    world.assign(1).await;
    assert_eq!(world.letters.sent.lock().unwrap().len(), 1);
    assert_eq!(world.bob.notifications().undelivered(10).await.unwrap(), []);
    let bad = SetNotificationPreferences {
        quiet_hours: Some(QuietHours { from: "7".into(), to: "24:00".into(), zone: "Mars".into() }),
        ..Default::default()
    };
    let refused = world.bob.notifications().set_preferences(bad, None).await.unwrap_err();
    assert_eq!(refused.fields().len(), 3, "{refused:?}");
}

#[tokio::test]
async fn a_broadcast_reaches_a_role_or_everybody() {
    let world = World::new().await;
    let told = world.owner.notifications().broadcast(announcement(Audience::Agent)).await.unwrap();
    assert_eq!(told.recipients, 1);
    let told = world.owner.notifications().broadcast(announcement(Audience::default())).await;
    assert_eq!(told.unwrap().recipients, 2);
    assert_eq!(list(&world.bob).await.len(), 2);
    assert_eq!(list(&world.owner).await.len(), 1);
    let refused = world.bob.notifications().broadcast(announcement(Audience::Agent)).await;
    assert_eq!(refused.unwrap_err().kind(), ErrorKind::Forbidden);
}

#[tokio::test]
async fn who_is_disabled_is_told_nothing() {
    let world = World::new().await;
    let new = world.for_bob("Ada");
    world.owner.contacts().create(new).await.unwrap();
    let disabled = UserPatch { status: UserStatus::Disabled.into(), ..UserPatch::default() };
    world.owner.users().update(id_of(&world.bob), disabled, None).await.unwrap();
    world.run().await;
    assert_eq!(list(&world.bob).await, []);
}

#[tokio::test]
async fn a_logged_call_tells_nobody() {
    let world = World::new().await;
    let new = world.for_bob("Ada").phone("+14255550123");
    let ada = world.bob.contacts().create(new).await.unwrap();
    let call = LogCall {
        contact_id: ada.id,
        direction: Direction::Inbound,
        number: None,
        started_at: None,
        status: Some(CallStatus::NoAnswer),
        duration_seconds: None,
        disposition: None,
        note: None,
    };
    world.owner.calls().log(call).await.unwrap();
    world.run().await;
    assert_eq!(list(&world.bob).await, []);
}

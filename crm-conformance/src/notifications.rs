//! Notifications.

use crm_core::notifications::{
    Notification, NotificationKind, NotificationQuery, QuietHours, SetNotificationPreferences, Which,
};
use crm_core::{ErrorKind, Role, Session, UserId};
use serde_json::json;

use crate::case::cases;
use crate::env::{ALL, Env, refused};

fn id_of(session: &Session) -> UserId {
    session.scope().actor().user().unwrap()
}

/// Tells all who work there.
async fn tell(session: &Session, title: &str) {
    let new = serde_json::from_value(json!({ "title": title, "body": "nul \0 and \u{1f980}" }));
    session.notifications().broadcast(new.unwrap()).await.unwrap();
}

fn query(user_id: UserId, which: Which) -> NotificationQuery {
    NotificationQuery { user_id, which, kind: None, from: None, after: None, limit: ALL }
}

async fn found(env: &Env, session: &Session, query: &NotificationQuery) -> Vec<Notification> {
    env.store.notifications(session.scope(), query).await.unwrap()
}

fn titles(found: &[Notification]) -> Vec<&str> {
    found.iter().map(|known| known.title.as_str()).collect()
}

cases! {
    async fn a_notification_is_read_as_written(env: &Env) {
        let acme = env.tenant("acme").await;
        let bob = env.colleague(&acme, "bob", Role::Viewer).await;
        tell(&acme, "one").await;
        let told = found(env, &bob, &query(id_of(&bob), Which::All)).await;
        assert_eq!((titles(&told), told[0].body.as_deref()), (vec!["one"], Some("nul \0 and \u{1f980}")));
        env.clock.advance_micros(1);
        let read = bob.notifications().mark_read(told[0].id).await.unwrap();
        assert_eq!((read.version, read.read_at), (2, Some(env.crm.now())));
        assert_eq!(found(env, &bob, &query(id_of(&bob), Which::All)).await, std::slice::from_ref(&read));
        let ids = [read.id];
        let by_id = env.store.notifications_by_id(bob.scope(), id_of(&bob), &ids).await.unwrap();
        assert_eq!(by_id, [read]);
    }

    async fn notifications_are_ones_own(env: &Env) {
        let (acme, other) = (env.tenant("acme").await, env.tenant("other").await);
        let bob = env.colleague(&acme, "bob", Role::Viewer).await;
        let eve = env.colleague(&acme, "eve", Role::Viewer).await;
        tell(&acme, "one").await;
        let bobs = found(env, &bob, &query(id_of(&bob), Which::All)).await;
        assert_eq!(bobs.len(), 1);
        let eves = found(env, &eve, &query(id_of(&eve), Which::All)).await;
        assert!(eves.len() == 1 && eves[0].id != bobs[0].id);
        assert_eq!(found(env, &other, &query(id_of(&bob), Which::All)).await, []);
        let ids = [bobs[0].id, eves[0].id];
        let by_id = env.store.notifications_by_id(bob.scope(), id_of(&bob), &ids).await.unwrap();
        assert_eq!(by_id, bobs);
        let by_id = env.store.notifications_by_id(other.scope(), id_of(&bob), &ids).await.unwrap();
        assert_eq!(by_id, []);
        refused(eve.notifications().mark_read(bobs[0].id).await, ErrorKind::NotFound);
    }

    async fn notifications_are_found_until_marked(env: &Env) {
        let acme = env.tenant("acme").await;
        let bob = env.colleague(&acme, "bob", Role::Viewer).await;
        for title in ["one", "two", "three"] {
            tell(&acme, title).await;
            env.clock.advance_micros(1);
        }
        let (unread, waiting) =
            (query(id_of(&bob), Which::Unread), query(id_of(&bob), Which::Undelivered));
        let told = found(env, &bob, &waiting).await;
        assert_eq!(titles(&told), ["one", "two", "three"]);
        assert_eq!(titles(&found(env, &bob, &unread).await), ["three", "two", "one"]);
        bob.notifications().mark_delivered(&[told[1].id, told[0].id]).await.unwrap();
        assert_eq!(titles(&found(env, &bob, &waiting).await), ["three"]);
        assert_eq!(titles(&found(env, &bob, &unread).await), ["three", "two", "one"]);
        bob.notifications().mark_read(told[1].id).await.unwrap();
        assert_eq!(titles(&found(env, &bob, &unread).await), ["three", "one"]);
        assert_eq!(bob.notifications().read_all().await.unwrap().read, 2);
        assert_eq!(found(env, &bob, &unread).await, []);
        assert_eq!(found(env, &bob, &waiting).await, []);
        assert_eq!(found(env, &bob, &query(id_of(&bob), Which::All)).await.len(), 3);
    }

    async fn notification_pages_are_whole(env: &Env) {
        let acme = env.tenant("acme").await;
        let bob = env.colleague(&acme, "bob", Role::Viewer).await;
        let begin = env.crm.now();
        for number in 0..9 {
            tell(&acme, &number.to_string()).await;
            // Three of one moment each.
            env.clock.advance_micros(i64::from(number % 3 == 2));
        }
        for which in [Which::All, Which::Unread, Which::Undelivered] {
            let all = query(id_of(&bob), which);
            let whole = found(env, &bob, &all).await;
            assert_eq!(whole.len(), 9);
            let mut pages = Vec::new();
            let mut page = NotificationQuery { limit: 2, ..all.clone() };
            loop {
                let some = found(env, &bob, &page).await;
                let Some(last) = some.last() else { break };
                page.after = Some((last.created_at, last.id));
                pages.extend(some);
            }
            assert_eq!(pages, whole);
            let from = Some(begin.saturating_add_micros(1));
            let later = NotificationQuery { from, ..all.clone() };
            assert_eq!(found(env, &bob, &later).await.len(), 6);
            let other = Some(NotificationKind::Mention);
            assert_eq!(found(env, &bob, &NotificationQuery { kind: other, ..all }).await, []);
            let own = NotificationQuery { kind: Some(NotificationKind::Broadcast), ..later };
            assert_eq!(found(env, &bob, &own).await.len(), 6);
        }
    }

    async fn notification_preferences_are_ones_own(env: &Env) {
        let (acme, other) = (env.tenant("acme").await, env.tenant("other").await);
        let bob = env.colleague(&acme, "bob", Role::Viewer).await;
        let eve = env.colleague(&acme, "eve", Role::Viewer).await;
        let kept = async |session: &Session, user| {
            env.store.notification_preferences(session.scope(), user).await.unwrap()
        };
        assert_eq!(kept(&bob, id_of(&bob)).await, None);
        let zone = "Europe/Berlin".to_owned();
        let quiet = QuietHours { from: "22:00".into(), to: "07:00".into(), zone };
        let wishes = SetNotificationPreferences {
            channels: [(NotificationKind::Mention, [("in_app".to_owned(), false)].into())].into(),
            quiet_hours: Some(quiet),
        };
        let chosen = bob.notifications().set_preferences(wishes.clone(), Some(0)).await.unwrap();
        assert_eq!(kept(&bob, id_of(&bob)).await, Some(chosen));
        assert_eq!(kept(&eve, id_of(&eve)).await, None);
        assert_eq!(kept(&other, id_of(&bob)).await, None);
        let none = SetNotificationPreferences { quiet_hours: None, ..wishes };
        let chosen = bob.notifications().set_preferences(none, Some(1)).await.unwrap();
        assert_eq!(kept(&bob, id_of(&bob)).await, Some(chosen));
    }
}

//! Activities.

use std::collections::BTreeMap;

use crm_core::activities::store::ActivityQuery;
use crm_core::activities::{
    Activity, ActivityData, ActivityFilter, ActivityKind, NewActivity, StatsGroupBy,
};
use crm_core::contacts::{ContactPatch, NewContact};
use crm_core::{ActivityId, ErrorKind, Page, Patch, Role, Session, Timestamp};
use serde_json::json;

use crate::case::cases;
use crate::env::{ALL, Env, refused};

fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

async fn list(env: &Env, session: &Session, filter: ActivityFilter) -> Vec<Activity> {
    let query = ActivityQuery { filter, after: None, limit: ALL };
    env.store.activities(session.scope(), &query).await.unwrap()
}

fn ids(activities: &[Activity]) -> Vec<ActivityId> {
    activities.iter().map(|activity| activity.id).collect()
}

/// Two contacts with activities of every kind by three actors over three days, several at one time.
async fn many(env: &Env, session: &Session) -> Vec<Activity> {
    let sessions = [
        session.clone(),
        env.colleague(session, "agent", Role::Agent).await,
        env.colleague(session, "admin", Role::Admin).await,
    ];
    let mut people = Vec::new();
    for name in ["Ada", "Bob"] {
        let new = NewContact::named(name, "Test");
        people.push(session.contacts().create(new).await.unwrap().id);
    }
    let kinds: Vec<ActivityKind> =
        ActivityKind::ALL.iter().copied().filter(|kind| kind.is_by_people()).collect();
    let times = ["2026-01-05T00:00:00Z", "2026-01-05T23:59:59.999999Z", "2026-01-06T00:00:00Z",
        "1969-12-31T23:59:59.999999Z"];
    for number in 0..36 {
        let new = NewActivity {
            occurred_at: Some(at(times[number / 2 % times.len()])),
            ..NewActivity::of(people[number % 2], kinds[number / 3 % kinds.len()])
        };
        sessions[number % 3].activities().create(new).await.unwrap();
    }
    list(env, session, ActivityFilter::default()).await
}

fn filters(all: &[Activity]) -> Vec<ActivityFilter> {
    let contacts = [None, Some(all[0].contact_id), Some(all[1].contact_id)];
    let users = [None, all.iter().find_map(|activity| activity.user_id)];
    let kinds = [None, Some(ActivityKind::Call), Some(ActivityKind::ContactCreated)];
    let middle = at("2026-01-05T23:59:59.999999Z");
    let ranges = [
        (None, None), (Some(middle), None), (None, Some(middle)),
        (Some(at("1969-12-31T23:59:59.999999Z")), Some(middle)), (Some(middle), Some(middle)),
    ];
    let mut filters = Vec::new();
    for contact_id in contacts {
        for user_id in users {
            for kind in kinds {
                for (from, to) in ranges {
                    filters.push(ActivityFilter { contact_id, kind, user_id, from, to });
                }
            }
        }
    }
    filters
}

fn means(filter: &ActivityFilter, activity: &Activity) -> bool {
    !(filter.contact_id.is_some_and(|id| id != activity.contact_id)
        || filter.kind.is_some_and(|kind| kind != activity.kind())
        || filter.user_id.is_some() && filter.user_id != activity.user_id
        || filter.from.is_some_and(|from| activity.occurred_at < from)
        || filter.to.is_some_and(|to| to <= activity.occurred_at))
}

cases! {
    async fn activities_are_per_tenant(env: &Env) {
        let (acme, other) = (env.tenant("acme").await, env.tenant("other").await);
        let ada = acme.contacts().create(NewContact::named("Ada", "L")).await.unwrap();
        let bob = other.contacts().create(NewContact::named("Bob", "B")).await.unwrap();
        let note = acme.activities().create(NewActivity::note(ada.id, "secret")).await.unwrap();
        let own = list(env, &other, ActivityFilter::default()).await;
        assert_eq!(own.len(), 1, "the making of the other's contact: {own:?}");
        assert_eq!(own[0].contact_id, bob.id);
        let found = env.store.activity(acme.scope(), note.id).await.unwrap();
        assert_eq!(found, Some(note.clone()));
        assert_eq!(env.store.activity(other.scope(), note.id).await.unwrap(), None);
        let filter = ActivityFilter { contact_id: Some(ada.id), ..ActivityFilter::default() };
        assert_eq!(list(env, &other, filter.clone()).await, []);
        let by_kind = StatsGroupBy::Kind;
        let stats = env.store.activity_stats(other.scope(), &filter, by_kind).await.unwrap();
        assert_eq!(stats, []);
        let all = ActivityFilter::default();
        let stats = env.store.activity_stats(other.scope(), &all, by_kind).await.unwrap();
        assert_eq!((stats.len(), stats[0].count), (1, 1), "{stats:?}");
        let foreign = other.activities().create(NewActivity::note(ada.id, "x")).await;
        refused(foreign, ErrorKind::NotFound);
        let timeline = other.activities().timeline(ada.id, &Page::default()).await;
        refused(timeline, ErrorKind::NotFound);
    }

    async fn an_activity_is_read_as_written(env: &Env) {
        let session = env.tenant("acme").await;
        let agent = env.colleague(&session, "agent", Role::Agent).await;
        let ada = agent.contacts().create(NewContact::named("Ada", "L")).await.unwrap().id;
        let of = |kind, data| NewActivity { data, ..NewActivity::of(ada, kind) };
        let news = [
            NewActivity {
                subject: Some("Zoë 🦀 'quoted' \"twice\"".into()),
                body: Some("line\r\nline\0nul \u{FFFD}\u{202e}".into()),
                occurred_at: Some(Timestamp::MIN),
                ..of(ActivityKind::Note, json!(null))
            },
            NewActivity {
                body: Some("é".repeat(32 * 1024)),
                occurred_at: Some(Timestamp::MAX),
                ..of(ActivityKind::Note, json!({}))
            },
            of(ActivityKind::Email, json!({
                "direction": "outbound", "from": "a@b.example", "to": ["ç@d.example", "e@f.example"],
            })),
            of(ActivityKind::Sms, json!({ "direction": "inbound", "number": "+14255550123" })),
            of(ActivityKind::Meeting, json!({
                "ends_at": "2026-03-01T10:00:00.000001Z", "location": "Łódź", "attendees": ["Ada"],
            })),
            of(ActivityKind::Call, json!({
                "direction": "outbound", "duration_seconds": u32::MAX, "disposition": "no answer",
            })),
            of(ActivityKind::Task, json!({ "due_at": "0001-01-01T00:00:00Z", "done": true })),
        ];
        let mut logged = Vec::new();
        for new in news.clone() {
            env.clock.advance_micros(1);
            logged.push(agent.activities().create(new).await.unwrap());
        }
        logged.extend(agent.activities().create_all(news.to_vec()).await.unwrap());
        for activity in &logged {
            let found = env.store.activity(session.scope(), activity.id).await.unwrap();
            assert_eq!(found.as_ref(), Some(activity));
            assert_eq!(activity.user_id, agent.scope().actor().user());
        }
        let listed = list(env, &session, ActivityFilter::default()).await;
        assert!(logged.iter().all(|activity| listed.contains(activity)));
        let unknown = ActivityId::from_uuid(uuid::Uuid::from_u128(1));
        assert_eq!(env.store.activity(session.scope(), unknown).await.unwrap(), None);
    }

    async fn contact_changes_are_on_the_timeline(env: &Env) {
        let session = env.tenant("acme").await;
        let agent = env.colleague(&session, "agent", Role::Agent).await;
        let new = NewContact { source: Some("import".into()), ..NewContact::named("Ada", "L") };
        let ada = agent.contacts().create(new).await.unwrap().id;
        env.clock.advance_micros(1);
        let patch = ContactPatch {
            title: Patch::Set("Countess 🦀".into()),
            tags: Patch::Set(vec!["vip".into()]),
            ..ContactPatch::default()
        };
        agent.contacts().update(ada, patch, None).await.unwrap();
        env.clock.advance_micros(1);
        session.contacts().delete(ada, None).await.unwrap();
        env.clock.advance_micros(1);
        session.contacts().restore(ada).await.unwrap();

        let filter = ActivityFilter { contact_id: Some(ada), ..ActivityFilter::default() };
        let timeline = list(env, &session, filter).await;
        let kinds: Vec<&str> = timeline.iter().map(|entry| entry.kind().as_str()).collect();
        let expected = ["contact_restored", "contact_deleted", "contact_updated", "contact_created"];
        assert_eq!(kinds, expected, "newest first");
        let user = agent.scope().actor().user();
        let users: Vec<_> = timeline.iter().map(|entry| entry.user_id).collect();
        assert_eq!(users, [None, None, user, user]);
        assert_eq!(
            json!(timeline[2].data),
            json!({ "changes": [
                { "field": "title", "old": null, "new": "Countess 🦀" },
                { "field": "tags", "old": [], "new": ["vip"] },
            ] })
        );
        let created = ActivityData::ContactCreated { source: Some("import".into()) };
        assert_eq!(timeline[3].data, created);
        for entry in &timeline {
            let found = env.store.activity(session.scope(), entry.id).await.unwrap();
            assert_eq!(found.as_ref(), Some(entry));
        }
    }

    async fn activities_are_filtered(env: &Env) {
        let session = env.tenant("acme").await;
        let all = many(env, &session).await;
        assert_eq!(all.len(), 38);
        assert!(all.is_sorted_by(|a, b| (a.occurred_at, a.id) > (b.occurred_at, b.id)));
        for filter in filters(&all) {
            let expected: Vec<Activity> =
                all.iter().filter(|one| means(&filter, one)).cloned().collect();
            assert_eq!(list(env, &session, filter.clone()).await, expected, "{filter:?}");
        }
    }

    async fn timeline_pages_are_whole(env: &Env) {
        let session = env.tenant("acme").await;
        let all = many(env, &session).await;
        for filter in filters(&all) {
            let expected: Vec<Activity> =
                all.iter().filter(|one| means(&filter, one)).cloned().collect();
            for limit in [1, 4, expected.len().max(1)] {
                let mut walked: Vec<Activity> = Vec::new();
                loop {
                    let after = walked.last().map(|last| (last.occurred_at, last.id));
                    let query = ActivityQuery { filter: filter.clone(), after, limit };
                    let page = env.store.activities(session.scope(), &query).await.unwrap();
                    assert!(page.len() <= limit, "{} on a page of {limit}", page.len());
                    if page.is_empty() {
                        break;
                    }
                    walked.extend(page);
                    assert!(walked.len() < ALL, "the pages have no end");
                }
                assert_eq!(ids(&walked), ids(&expected), "pages of {limit}: {filter:?}");
            }
        }
    }

    async fn stats_agree_with_the_list(env: &Env) {
        let session = env.tenant("acme").await;
        let all = many(env, &session).await;
        for filter in filters(&all) {
            for group_by in [StatsGroupBy::Kind, StatsGroupBy::User, StatsGroupBy::Day] {
                let mut expected: BTreeMap<String, u64> = BTreeMap::new();
                for activity in all.iter().filter(|one| means(&filter, one)) {
                    let key = match group_by {
                        StatsGroupBy::Kind => activity.kind().as_str().to_owned(),
                        StatsGroupBy::User => activity
                            .user_id
                            .map_or_else(|| "system".to_owned(), |user| user.to_string()),
                        StatsGroupBy::Day => {
                            let at = activity.occurred_at.to_string();
                            at.split('T').next().unwrap().to_owned()
                        },
                    };
                    *expected.entry(key).or_default() += 1;
                }
                let found =
                    env.store.activity_stats(session.scope(), &filter, group_by).await.unwrap();
                let found: Vec<_> =
                    found.into_iter().map(|group| (group.key, group.count)).collect();
                let expected: Vec<_> = expected.into_iter().collect();
                assert_eq!(found, expected, "{group_by:?} {filter:?}");
            }
        }
    }
}

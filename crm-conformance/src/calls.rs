//! Calls.

use crm_core::activities::{ActivityData, Direction};
use crm_core::calls::store::{CallFilter, CallQuery};
use crm_core::calls::{Call, CallPatch, CallStatus, LogCall, StartCall};
use crm_core::contacts::{Contact, NewContact};
use crm_core::{ErrorKind, Page, Role, Session};

use crate::case::cases;
use crate::env::{ALL, Env, refused};
use crate::telephony::account;

async fn contact(session: &Session, name: &str) -> Contact {
    let new = NewContact::named(name, "Called").phone("+14255550123");
    session.contacts().create(new).await.unwrap()
}

fn logged(contact: &Contact, direction: Direction) -> LogCall {
    LogCall {
        contact_id: contact.id,
        direction,
        number: None,
        started_at: None,
        status: None,
        duration_seconds: Some(60),
        disposition: None,
        note: Some("nul \0 and \u{1f980}".to_owned()),
    }
}

async fn listed(env: &Env, session: &Session, filter: CallFilter) -> Vec<Call> {
    let query = CallQuery { filter, limit: ALL, ..CallQuery::default() };
    env.store.calls(session.scope(), &query).await.unwrap()
}

cases! {
    async fn a_call_is_read_as_written(env: &Env) {
        let session = env.tenant("acme").await;
        let ada = contact(&session, "Ada").await;
        let call = session.calls().log(logged(&ada, Direction::Inbound)).await.unwrap();
        assert_eq!(session.calls().get(call.id).await.unwrap(), call);
        env.clock.advance_micros(1);
        let patch = CallPatch { disposition: "reached".to_owned().into(), ..CallPatch::default() };
        let changed = session.calls().update(call.id, patch.clone(), Some(1)).await.unwrap();
        assert_eq!(session.calls().get(call.id).await.unwrap(), changed);
        assert_eq!(listed(env, &session, CallFilter::default()).await, [changed]);
        refused(session.calls().update(call.id, patch, Some(1)).await, ErrorKind::VersionConflict);
    }

    async fn calls_are_per_tenant(env: &Env) {
        let (acme, other) = (env.tenant("acme").await, env.tenant("other").await);
        let ada = contact(&acme, "Ada").await;
        let call = acme.calls().log(logged(&ada, Direction::Inbound)).await.unwrap();
        refused(other.calls().get(call.id).await, ErrorKind::NotFound);
        assert_eq!(listed(env, &other, CallFilter::default()).await, []);
        refused(other.calls().log(logged(&ada, Direction::Inbound)).await, ErrorKind::NotFound);
    }

    async fn a_call_has_one_entry_that_follows_it(env: &Env) {
        let session = env.tenant("acme").await;
        let ada = contact(&session, "Ada").await;
        let call = session.calls().log(logged(&ada, Direction::Outbound)).await.unwrap();
        let patch = CallPatch {
            disposition: "reached".to_owned().into(),
            note: "wants an offer".to_owned().into(),
        };
        session.calls().update(call.id, patch, None).await.unwrap();
        let timeline = session.activities().timeline(ada.id, &Page::default()).await.unwrap();
        assert_eq!(timeline.items.len(), 2, "the contact's making, and the call");
        let entry = &timeline.items.iter().find(|entry| entry.id == call.activity_id).unwrap();
        assert_eq!(entry.body.as_deref(), Some("wants an offer"));
        let ActivityData::Call { disposition, call_id, status, .. } = &entry.data else {
            panic!("{entry:?}");
        };
        assert_eq!(disposition.as_deref(), Some("reached"));
        assert_eq!((*call_id, *status), (Some(call.id), Some(CallStatus::Completed)));
    }

    async fn a_providers_call_is_kept_once(env: &Env) {
        let session = env.tenant("acme").await;
        let ada = contact(&session, "Ada").await;
        session.telephony().create(account("one")).await.unwrap();
        let first = session.calls().start(StartCall::to(ada.id)).await.unwrap();
        let second = session.calls().start(StartCall::to(ada.id)).await.unwrap();
        // The carrier gives both one name.
        env.crm.worker().run_due().await.unwrap();
        let account = first.account_id.unwrap();
        let found = env.store.call_of_provider(session.scope(), account, "ONE").await.unwrap();
        let found = found.expect("one of them has the name");
        assert!([first.id, second.id].contains(&found.id));
        let named = listed(env, &session, CallFilter::default()).await;
        let named = named.iter().filter(|call| call.provider_call_id.is_some());
        assert_eq!(named.count(), 1);
        let none = env.store.call_of_provider(session.scope(), account, "one").await.unwrap();
        assert_eq!(none, None);
    }

    async fn calls_are_filtered(env: &Env) {
        let session = env.tenant("acme").await;
        let bob = env.colleague(&session, "bob", Role::Agent).await;
        let (ada, eve) = (contact(&session, "Ada").await, contact(&session, "Eve").await);
        let mut all = Vec::new();
        for (by, who, direction, status, disposition) in [
            (&session, &ada, Direction::Inbound, CallStatus::Completed, Some("reached")),
            (&session, &eve, Direction::Outbound, CallStatus::Busy, None),
            (&bob, &ada, Direction::Outbound, CallStatus::Completed, Some("reached")),
            (&bob, &ada, Direction::Outbound, CallStatus::NoAnswer, Some("call_back")),
        ] {
            env.clock.advance_micros(1_000_000);
            let new = LogCall {
                status: Some(status),
                disposition: disposition.map(str::to_owned),
                duration_seconds: None,
                ..logged(who, direction)
            };
            all.push(by.calls().log(new).await.unwrap());
        }
        let none = CallFilter::default;
        let filters = [
            (none(), vec![3, 2, 1, 0]),
            (CallFilter { contact_id: Some(ada.id), ..none() }, vec![3, 2, 0]),
            (CallFilter { user_id: bob.scope().actor().user(), ..none() }, vec![3, 2]),
            (CallFilter { direction: Some(Direction::Outbound), ..none() }, vec![3, 2, 1]),
            (CallFilter { status: Some(CallStatus::Completed), ..none() }, vec![2, 0]),
            (CallFilter { disposition: Some("reached".to_owned()), ..none() }, vec![2, 0]),
            (CallFilter { from: Some(all[1].started_at), ..none() }, vec![3, 2, 1]),
            (CallFilter { to: Some(all[1].started_at), ..none() }, vec![0]),
            (
                CallFilter {
                    contact_id: Some(ada.id),
                    user_id: bob.scope().actor().user(),
                    direction: Some(Direction::Outbound),
                    status: Some(CallStatus::Completed),
                    disposition: Some("reached".to_owned()),
                    from: Some(all[0].started_at),
                    to: Some(all[3].started_at),
                },
                vec![2],
            ),
        ];
        for (filter, expected) in filters {
            let expected: Vec<Call> = expected.into_iter().map(|at: usize| all[at].clone()).collect();
            assert_eq!(listed(env, &session, filter.clone()).await, expected, "{filter:?}");
        }
    }

    async fn call_pages_are_whole(env: &Env) {
        let session = env.tenant("acme").await;
        let ada = contact(&session, "Ada").await;
        for number in 0..7 {
            if number == 4 {
                env.clock.advance_micros(1);
            }
            let mut new = logged(&ada, Direction::Inbound);
            new.duration_seconds = None;
            session.calls().log(new).await.unwrap();
        }
        let all = listed(env, &session, CallFilter::default()).await;
        assert!(all.is_sorted_by_key(|call| std::cmp::Reverse((call.started_at, call.id))));
        for limit in [1, 3, 7] {
            let mut walked = Vec::new();
            let mut page = Page::first(limit);
            loop {
                let list = session.calls().list(&CallFilter::default(), &page).await.unwrap();
                walked.extend(list.items);
                match list.next_cursor {
                    Some(cursor) => page = Page::after(cursor, limit),
                    None => break,
                }
                assert!(walked.len() < ALL);
            }
            assert_eq!(walked, all, "pages of {limit}");
        }
    }
}

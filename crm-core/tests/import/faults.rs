use std::pin::pin;
use std::task::Poll;

use crm_core::ErrorKind;
use crm_core::contacts::import::Import;
use proptest::prelude::*;
use serde_json::json;

use super::store::Faulty;
use super::*;

/// A file whose rows meet each other now and then, with some that are refused.
fn mixed(rows: usize) -> String {
    let rows: Vec<Value> = (0..rows)
        .map(|number| match number % 10 {
            3 => json!({ "first_name": format!("No {number}"), "last_name": "Mail" }),
            5 => json!({ "first_name": "Phone", "phones": [{ "raw": format!("+1425555{number:04}") }] }),
            7 => person("Again", "Person", &format!("p{}@x.example", number / 2 / 10 * 10)),
            8 => json!({ "emails": [{ "address": "nobody" }] }),
            _ => person("Some", "Person", &format!("p{number}@x.example")),
        })
        .collect();
    lines(&rows)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 5, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn interrupted_anywhere_and_run_again_it_is_as_if_run_once(at in 0.0..1.0f64) {
        tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(async {
            let file = mixed(1300);
            let whole = session().await;
            let once = import(&whole, &file, skip()).await;
            let broken = session().await;
            let cut = (file.len() as f64 * at) as usize;
            let mut import_ = broken.contacts().import(skip()).unwrap();
            for piece in file.as_bytes()[..cut].chunks(1000) {
                import_.push(piece).await.unwrap();
            }
            drop(import_);
            let again = import(&broken, &file, skip()).await;
            prop_assert_eq!(again.rows(), once.rows());
            prop_assert_eq!(again.failed, once.failed);
            prop_assert_eq!(state(&broken).await, state(&whole).await);
            Ok(())
        })?;
    }
}

#[tokio::test]
async fn a_stopped_import_keeps_what_was_read() {
    let session = session().await;
    let file = lines(&others(0, 40));
    let mut import = session.contacts().import(skip()).unwrap();
    // In the middle of row 31.
    let cut = file.match_indices('\n').nth(29).unwrap().0 + 10;
    import.push(&file.as_bytes()[..cut]).await.unwrap();
    let report = import.stop().await.unwrap();
    assert_eq!(numbers(&report), [30, 0, 0, 0]);
    assert_eq!(contacts(&session).await.len(), 30);
}

/// Drops the future of `work` when it waits for the `polls`-th time.
async fn give_up_after<T>(polls: usize, work: impl Future<Output = T>) -> Option<T> {
    let mut work = pin!(work);
    for _ in 0..polls {
        if let Poll::Ready(done) = futures::poll!(&mut work) {
            return Some(done);
        }
    }
    None
}

#[tokio::test]
async fn a_caller_who_stops_waiting_loses_no_row() {
    let file = mixed(1700);
    let whole = session().await;
    let once = import(&whole, &file, skip()).await;
    for polls in 0..6 {
        let session = session_on(Faulty::slow()).await;
        let mut import = session.contacts().import(skip()).unwrap();
        for piece in file.as_bytes().chunks(20_000) {
            // An unpolled future took no bytes; one that was polled took them all.
            match polls {
                0 => import.push(piece).await.unwrap(),
                polls => {
                    if let Some(pushed) = give_up_after(polls, import.push(piece)).await {
                        pushed.unwrap();
                    }
                }
            }
        }
        // Each time with more patience: a look-up that is given up begins anew.
        let mut report = None;
        for patience in 1.. {
            report = give_up_after(patience, import.finish()).await;
            if report.is_some() {
                break;
            }
        }
        let report = report.unwrap().unwrap();
        assert_eq!(numbers(&report), numbers(&once), "given up at poll {polls}");
        assert_eq!(state(&session).await, state(&whole).await);
    }
}

#[tokio::test]
async fn a_store_that_fails_is_an_error_and_the_report_is_the_truth() {
    let file = mixed(1700);
    let whole = session().await;
    let once = import(&whole, &file, skip()).await;
    for good in 0..4 {
        let store = Faulty::default();
        let session = session_on(store.clone()).await;
        store.fail_after(good);
        let mut import = session.contacts().import(skip()).unwrap();
        let mut failures = 0;
        let mut check = async |import: &Import<'_>, error: crm_core::Error| {
            failures += 1;
            assert_eq!(
                (error.kind(), error.operation()),
                (ErrorKind::Unavailable, "contacts.import")
            );
            assert_eq!(import.report().created, contacts(&session).await.len() as u64);
            assert_eq!(import.report().created, good as u64 * 500 - import.report().skipped);
        };
        for piece in file.as_bytes().chunks(5000) {
            if let Err(error) = import.push(piece).await {
                check(&import, error).await;
            }
        }
        let report = match import.finish().await {
            Ok(report) => report,
            Err(error) => {
                check(&import, error).await;
                import.finish().await.unwrap()
            }
        };
        assert_eq!(failures, 1);
        assert_eq!(numbers(&report), numbers(&once), "after {good} commits");
        assert_eq!(state(&session).await, state(&whole).await);
    }
}

#[tokio::test]
async fn two_imports_of_overlapping_files_at_once() {
    for options in [skip(), update(), refuse()] {
        let session = session_on(Faulty::slow()).await;
        // Rows 400 to 1100 are in both; each names a company that both make.
        let rows = |range: std::ops::Range<usize>, title: &str| -> String {
            let rows: Vec<Value> = range
                .map(|n| {
                    json!({ "first_name": "P", "last_name": n.to_string(), "title": title,
                    "company": format!("Company {}", n % 7),
                    "emails": [{ "address": format!("p{n}@x.example") }] })
                })
                .collect();
            lines(&rows)
        };
        let (first, second) = (rows(0..1100, "one"), rows(400..1500, "two"));
        let (first, second) = futures::join!(
            import(&session, &first, options.clone()),
            import(&session, &second, options.clone())
        );
        let (first, second) = (numbers(&first), numbers(&second));
        assert_eq!(first.iter().sum::<u64>(), 1100);
        assert_eq!(second.iter().sum::<u64>(), 1100);
        assert_eq!(first[0] + second[0], 1500, "{options:?}: {first:?} {second:?}");
        let again = match options.on_conflict {
            OnConflict::Skip => 2,
            OnConflict::Update => 1,
            OnConflict::Error => 3,
        };
        assert_eq!(first[again] + second[again], 700, "{options:?}: {first:?} {second:?}");
        let all = contacts(&session).await;
        let mut emails: Vec<_> = all.iter().map(|c| c.emails[0].address.key()).collect();
        emails.sort();
        emails.dedup();
        assert_eq!((all.len(), emails.len()), (1500, 1500));
        let companies = session.companies().list(&Page::first(100)).await.unwrap();
        assert_eq!(companies.items.len(), 7);
    }
}

#[tokio::test]
async fn an_import_goes_on_while_its_contacts_are_changed_and_deleted() {
    let session = session_on(Faulty::slow()).await;
    let file = lines(&others(0, 1200));
    import(&session, &file, skip()).await;
    let all = contacts(&session).await;
    let changed = lines(
        &(0..1200)
            .map(|n| json!({ "title": "Dr", "emails": [{ "address": format!("other{n}@example.net") }] }))
            .collect::<Vec<_>>(),
    );
    let meddle = async {
        for contact in all.iter().step_by(5) {
            session.contacts().delete(contact.id, None).await.unwrap();
        }
    };
    let (report, ()) = futures::join!(import(&session, changed, update()), meddle);
    assert_eq!((report.rows(), report.failed), (1200, 0), "{:?}", report.errors);
    // Whoever was deleted before its row came was made anew.
    assert_eq!(report.created + report.updated, 1200);
    let live = contacts(&session).await;
    let mut emails: Vec<_> = live.iter().map(|c| c.emails[0].address.key()).collect();
    emails.sort();
    emails.dedup();
    assert_eq!(emails.len(), live.len());
    assert!(live.iter().all(|contact| contact.title.as_deref() == Some("Dr")));
}

#[test]
fn an_import_can_be_spawned() {
    fn is_send(_: &impl Send) {}
    let _never_run = async {
        let session = session().await;
        let work = async {
            let mut import = session.contacts().import(skip()).unwrap();
            import.push(b"email\n").await.unwrap();
            import.finish().await.unwrap();
            let mut export = session
                .contacts()
                .export(crm_core::contacts::formats::ExportFormat::Csv, ContactFilter::default())
                .unwrap();
            export.next_bytes().await.unwrap();
        };
        is_send(&work);
        work.await;
    };
}

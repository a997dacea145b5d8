use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;

fn phone(first: &str, number: &str) -> Value {
    json!({ "first_name": first, "phones": [{ "raw": number }] })
}

#[tokio::test]
async fn a_known_email_is_one_contact_in_any_case() {
    let session = session().await;
    let ada = lines(&[person("Ada", "Lovelace", "ada@example.com")]);
    assert_eq!(numbers(&import(&session, &ada, skip()).await), [1, 0, 0, 0]);
    let again = lines(&[person("Augusta", "King", "ADA@Example.com")]);
    assert_eq!(numbers(&import(&session, &again, skip()).await), [0, 0, 1, 0]);
    let refused = import(&session, &again, refuse()).await;
    assert_eq!(numbers(&refused), [0, 0, 0, 1]);
    let error = &refused.errors[0].error;
    assert_eq!(
        (refused.errors[0].row, &*error.field, &*error.code),
        (1, "emails", "already_exists")
    );
    let holder = contacts(&session).await[0].id;
    assert_eq!(error.message, format!("the contact `{holder}` has `ada@example.com` already"));
    assert_eq!(numbers(&import(&session, &again, update()).await), [0, 1, 0, 0]);
    let all = contacts(&session).await;
    assert_eq!((all.len(), &*all[0].display_name), (1, "Augusta King"));
}

#[tokio::test]
async fn the_refused_email_is_the_one_that_is_taken() {
    let session = session().await;
    import(&session, lines(&[person("Ada", "L", "ada@example.com")]), skip()).await;
    let row =
        json!({ "emails": [{ "address": "new@example.com" }, { "address": "ada@example.com" }] });
    let report = import(&session, lines(&[row]), refuse()).await;
    assert!(report.errors[0].error.message.contains("`ada@example.com`"), "{report:?}");
}

#[tokio::test]
async fn phones_tell_only_for_rows_without_email() {
    let session = session().await;
    let both = json!({ "first_name": "Ada", "emails": [{ "address": "ada@example.com" }],
        "phones": [{ "raw": "(425) 555-0123" }] });
    let file = lines(&[
        both,
        phone("Ada", "+1 425 555 0123"),
        json!({ "first_name": "Charles", "emails": [{ "address": "charles@example.com" }],
            "phones": [{ "raw": "425-555-0123" }] }),
    ]);
    assert_eq!(numbers(&import(&session, &file, skip()).await), [2, 0, 1, 0]);
    // The same when the store knows them.
    assert_eq!(numbers(&import(&session, &file, skip()).await), [0, 0, 3, 0]);
}

#[tokio::test]
async fn without_email_and_phone_all_that_a_row_holds_tells() {
    let session = session().await;
    let file = lines(&[
        json!({ "first_name": "Ada", "last_name": "Lovelace" }),
        json!({ "first_name": "ÁDA", "last_name": "lovelace", "tags": ["vip"] }),
        json!({ "first_name": "Ada", "last_name": "Lovelace", "company": "Engines" }),
        json!({ "first_name": "Ada", "last_name": "Lovelace", "custom": { "birthday": "1815-12-10" } }),
        json!({ "first_name": "Ada", "last_name": "Lovelace", "custom": { "birthday": "1990-01-01" } }),
        json!({ "first_name": "Ada", "phones": [{ "raw": "ask at the desk" }] }),
        json!({ "first_name": "Ada", "phones": [{ "raw": "ask at the desk" }] }),
    ]);
    assert_eq!(numbers(&import(&session, &file, skip()).await), [5, 0, 2, 0]);
    assert_eq!(numbers(&import(&session, &file, skip()).await), [0, 0, 7, 0]);
}

#[tokio::test]
async fn a_deleted_contact_is_nobodys_duplicate() {
    let session = session().await;
    let file = lines(&[person("Ada", "Lovelace", "ada@example.com")]);
    import(&session, &file, skip()).await;
    let ada = contacts(&session).await[0].id;
    session.contacts().delete(ada, None).await.unwrap();
    for options in [dry(skip()), dry(update()), update()] {
        assert_eq!(numbers(&import(&session, &file, options).await), [1, 0, 0, 0]);
    }
    assert_eq!(contacts(&session).await.len(), 1);
}

#[tokio::test]
async fn a_row_with_the_emails_of_two_contacts_changes_neither() {
    let session = session().await;
    let (ada, bob) = (person("Ada", "L", "ada@x.example"), person("Bob", "M", "bob@x.example"));
    let both = json!({ "first_name": "Who", "emails": [
        { "address": "bob@x.example" }, { "address": "ada@x.example" }] });
    // All three in one batch; and each in its own.
    for files in
        [vec![vec![ada.clone(), bob.clone(), both.clone()]], vec![vec![ada], vec![bob], vec![both]]]
    {
        let session = session_on(crm_core::memory::MemoryStore::default()).await;
        let mut report = ImportReport::default();
        for file in &files {
            report = import(&session, lines(file), update()).await;
        }
        assert_eq!(report.failed, 1);
        let error = &report.errors[0].error;
        assert_eq!((&*error.field, &*error.code), ("emails", "already_exists"));
        assert!(error.message.contains("`ada@x.example`"), "{error:?}");
        let names: Vec<_> =
            contacts(&session).await.into_iter().map(|contact| contact.display_name).collect();
        assert_eq!(names, ["Ada L", "Bob M"]);
    }
    drop(session);
}

#[tokio::test]
async fn duplicates_are_found_within_a_batch_and_across_batches() {
    for between in [0, BATCH] {
        for (options, expected) in
            [(skip(), [2, 0, 2, 0]), (update(), [2, 1, 1, 0]), (refuse(), [2, 0, 0, 2])]
        {
            let mut rows = vec![
                person("Ada", "Lovelace", "ada@example.com"),
                phone("Charles", "+14255550123"),
            ];
            rows.extend(others(0, between));
            rows.push(person("Augusta", "Lovelace", "ada@example.com"));
            rows.push(phone("Charles", "(425) 555-0123"));
            let created = between as u64;
            let expected = [expected[0] + created, expected[1], expected[2], expected[3]];
            let session = session().await;
            let rehearsed = import(&session, lines(&rows), dry(options.clone())).await;
            assert_eq!(numbers(&rehearsed), expected, "{options:?} after {between}");
            assert!(contacts(&session).await.is_empty());
            let report = import(&session, lines(&rows), options.clone()).await;
            assert_eq!(numbers(&report), expected, "{options:?} after {between}");
            let rows: Vec<u64> = report.errors.iter().map(|error| error.row).collect();
            assert_eq!(rows, rehearsed.errors.iter().map(|error| error.row).collect::<Vec<_>>());
        }
    }
}

#[tokio::test]
async fn importing_again_skips_every_row() {
    let session = session().await;
    let mut rows = others(0, 700);
    rows.extend(
        (0..700).map(|number| json!({ "first_name": format!("No {number}"), "last_name": "Mail" })),
    );
    rows.extend((0..100).map(|number| phone("Phone", &format!("+1425555{number:04}"))));
    assert_eq!(numbers(&import(&session, lines(&rows), skip()).await), [1500, 0, 0, 0]);
    let before = state(&session).await;
    assert_eq!(numbers(&import(&session, lines(&rows), skip()).await), [0, 0, 1500, 0]);
    assert_eq!(numbers(&import(&session, lines(&rows), update()).await), [0, 0, 1500, 0]);
    assert_eq!(numbers(&import(&session, lines(&rows), refuse()).await), [0, 0, 0, 1500]);
    assert_eq!(state(&session).await, before);
}

/// Rows of so few values that most of them meet.
fn row() -> impl Strategy<Value = Value> {
    let emails = prop::collection::vec(0..5u8, 0..3);
    let phones = prop::collection::vec(0..4u8, 0..2);
    let name = prop::sample::select(vec!["", "Ada", "ada", "Bob", "Ádá"]);
    let company = prop::sample::select(vec!["", "", "Acme", "ACME Inc", "acmé"]);
    let address = prop::sample::select(vec!["", "", "Main St", "MAIN ST", "Elm St"]);
    let display = prop::sample::select(vec!["", "", "", "Boss"]);
    let extra = prop::sample::select(vec!["", "", "", "x", "y"]);
    (emails, phones, name, company, address, display, extra, any::<bool>()).prop_map(
        |(emails, phones, name, company, address, display, extra, bad)| {
            let text = |text: &str| match text {
                "" => Value::Null,
                text => json!(text),
            };
            let domains = ["one.example", "two.example"];
            let mut emails: Vec<Value> = emails
                .into_iter()
                .map(|email| {
                    let domain = domains[usize::from(email % 2)];
                    json!({ "address": format!("p{email}@{domain}") })
                })
                .collect();
            if bad && emails.len() == 2 && extra == "x" {
                emails.push(json!({ "address": "nobody" }));
            }
            let label = if bad { "home" } else { "work" };
            json!({
                "first_name": text(name), "company": text(company), "display_name": text(display),
                "emails": emails,
                "phones": phones.into_iter()
                    .map(|phone| json!({ "raw": format!("+1425555010{phone}") }))
                    .collect::<Vec<_>>(),
                "addresses": match address {
                    "" => json!([]),
                    street => json!([{ "street": street, "label": label }]),
                },
                "custom": match extra { "" => json!({}), extra => json!({ "extra": extra }) },
            })
        },
    )
}

fn options() -> impl Strategy<Value = ImportOptions> {
    prop::sample::select(vec![skip(), update(), refuse()])
}

fn run<T>(work: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(work)
}

async fn with_companies() -> Session {
    let session = session().await;
    let new =
        crm_core::companies::NewCompany { name: "One".into(), domain: Some("one.example".into()) };
    session.companies().create(new).await.unwrap();
    session
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, failure_persistence: None, ..ProptestConfig::default() })]

    /// However the rows fall into batches, the outcome is that of one row after the other.
    #[test]
    fn batches_do_not_show(rows in prop::collection::vec(row(), 1..14), options in options()) {
        run(async {
            let (whole, single) = (with_companies().await, with_companies().await);
            let report = import(&whole, lines(&rows), options.clone()).await;
            let mut sum = [0; 4];
            for row in &rows {
                let report = import(&single, lines(std::slice::from_ref(row)), options.clone()).await;
                for (sum, number) in sum.iter_mut().zip(numbers(&report)) {
                    *sum += number;
                }
            }
            prop_assert_eq!(numbers(&report), sum);
            prop_assert_eq!(sum.iter().sum::<u64>(), rows.len() as u64);
            prop_assert_eq!(state(&whole).await, state(&single).await);
            let names = async |session: &Session| -> Vec<String> {
                let page = session.companies().list(&Page::first(200)).await.unwrap();
                page.items.into_iter().map(|company| company.name).collect()
            };
            prop_assert_eq!(names(&whole).await, names(&single).await);
            Ok(())
        })?;
    }

    #[test]
    fn a_dry_run_tells_what_the_run_does(
        before in prop::collection::vec(row(), 1..6),
        rows in prop::collection::vec(row(), 1..14),
        options in options(),
    ) {
        run(async {
            let session = with_companies().await;
            import(&session, lines(&before), skip()).await;
            let untouched = state(&session).await;
            let rehearsed = import(&session, lines(&rows), dry(options.clone())).await;
            prop_assert_eq!(state(&session).await, untouched);
            let report = import(&session, lines(&rows), options).await;
            prop_assert_eq!(numbers(&rehearsed), numbers(&report));
            let place = |report: &ImportReport| -> Vec<(u64, String)> {
                report.errors.iter().map(|error| (error.row, error.error.code.to_string())).collect()
            };
            prop_assert_eq!(place(&rehearsed), place(&report));
            Ok(())
        })?;
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 6, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_dry_run_remembers_earlier_batches(
        mut rows in prop::collection::vec(row(), 6),
        options in options(),
    ) {
        let late = rows.split_off(3);
        rows.extend(others(0, BATCH));
        rows.extend(late);
        run(async {
            let session = with_companies().await;
            let rehearsed = import(&session, lines(&rows), dry(options.clone())).await;
            let report = import(&session, lines(&rows), options).await;
            prop_assert_eq!(numbers(&rehearsed), numbers(&report));
            Ok(())
        })?;
    }
}

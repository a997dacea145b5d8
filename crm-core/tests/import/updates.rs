use crm_core::contacts::ContactPatch;
use serde_json::json;

use super::*;

#[tokio::test]
async fn values_replace_and_lists_join() {
    let session = session().await;
    let before = json!({
        "first_name": "Ada", "last_name": "Byron", "company": "Engines", "title": "Analyst",
        "emails": [{ "address": "ada@example.com", "label": "work" }],
        "phones": [{ "raw": "(425) 555-0123", "label": "mobile" }],
        "addresses": [{ "city": "London" }],
        "tags": ["math", "vip"], "custom": { "birthday": "1815-12-10", "score": 3 },
        "source": "fair",
    });
    import(&session, lines(&[before]), skip()).await;
    let row = json!({
        "last_name": "Lovelace", "title": "Countess",
        "emails": [{ "address": "ADA@example.com", "label": "home" }, { "address": "ada@home.example" }],
        "phones": [{ "raw": "+14255550123" }, { "raw": "+14255550199" }],
        "addresses": [{ "city": "LONDON" }, { "city": "Paris" }],
        "tags": ["poet", "vip"], "custom": { "score": 4 }, "source": "list",
    });
    assert_eq!(numbers(&import(&session, lines(&[row]), update()).await), [0, 1, 0, 0]);
    let ada = &contacts(&session).await[0];
    assert_eq!(
        decided(ada),
        json!({
            "id": null, "created_at": null, "updated_at": null, "version": null,
            "company_id": null, "deleted_at": null, "owner_id": null,
            "first_name": "Ada", "last_name": "Lovelace", "display_name": "Ada Lovelace",
            "company": "Engines", "title": "Countess",
            "emails": [
                { "address": "ada@example.com", "label": "work" },
                { "address": "ada@home.example", "label": null },
            ],
            "phones": [
                { "number": "+14255550123", "raw": "(425) 555-0123", "label": "mobile" },
                { "number": "+14255550199", "raw": "+14255550199", "label": null },
            ],
            "addresses": [
                { "street": null, "city": "London", "region": null, "postal_code": null, "country": null, "label": null },
                { "street": null, "city": "Paris", "region": null, "postal_code": null, "country": null, "label": null },
            ],
            "tags": ["math", "poet", "vip"],
            "custom": { "birthday": "1815-12-10", "score": 4 },
            "source": "fair",
        })
    );
    assert_eq!(ada.version, 2);
    let timeline = session.activities().timeline(ada.id, &Page::first(10)).await.unwrap();
    let kinds: Vec<_> = timeline.items.iter().map(|entry| entry.kind().as_str()).collect();
    assert_eq!(kinds, ["contact_updated", "contact_created"]);
}

#[tokio::test]
async fn a_name_that_was_given_stays_and_one_that_follows_follows() {
    let session = session().await;
    let rows = [
        json!({ "first_name": "Ada", "emails": [{ "address": "ada@x.example" }] }),
        json!({ "first_name": "Bob", "display_name": "Bobby", "emails": [{ "address": "bob@x.example" }] }),
        json!({ "emails": [{ "address": "cy@x.example" }] }),
    ];
    import(&session, lines(&rows), skip()).await;
    let rows = [
        person("Ada", "Lovelace", "ada@x.example"),
        person("Bob", "Martin", "bob@x.example"),
        json!({ "display_name": "The Switchboard", "emails": [{ "address": "cy@x.example" }] }),
    ];
    import(&session, lines(&rows), update()).await;
    let names: Vec<_> = contacts(&session).await.into_iter().map(|c| c.display_name).collect();
    assert_eq!(names, ["Ada Lovelace", "Bobby", "The Switchboard"]);
}

#[tokio::test]
async fn a_row_that_brings_nothing_new_writes_nothing() {
    let session = session().await;
    let file = lines(&[person("Ada", "Lovelace", "ada@x.example")]);
    import(&session, &file, skip()).await;
    let ada = contacts(&session).await.remove(0);
    assert_eq!(numbers(&import(&session, &file, update()).await), [0, 0, 1, 0]);
    assert_eq!(session.contacts().get(ada.id).await.unwrap(), ada);
}

#[tokio::test]
async fn a_contact_that_would_hold_too_much_is_refused_and_unchanged() {
    let session = session().await;
    let mails = |from: usize, count: usize| -> Vec<Value> {
        (from..from + count).map(|n| json!({ "address": format!("a{n}@x.example") })).collect()
    };
    import(&session, lines(&[json!({ "emails": mails(0, 40) })]), skip()).await;
    let mut all = mails(30, 25);
    all.swap(0, 5);
    let row = json!({ "emails": all, "company": "A Company Of Nobody" });
    let report = import(&session, lines(&[row]), update()).await;
    assert_eq!(numbers(&report), [0, 0, 0, 1]);
    let error = &report.errors[0].error;
    assert_eq!((&*error.field, &*error.code), ("emails", "too_many"));
    assert_eq!(contacts(&session).await[0].emails.len(), 40);
    let companies = session.companies().list(&Page::first(10)).await.unwrap();
    assert!(companies.items.is_empty(), "a refused row left a company behind");
}

#[tokio::test]
async fn one_row_after_another_changes_the_contact_that_the_file_made() {
    let session = session().await;
    let rows = [
        person("Ada", "Byron", "ada@x.example"),
        person("Ada", "Lovelace", "ada@x.example"),
        json!({ "title": "Countess", "emails": [{ "address": "ada@x.example" }, { "address": "ada@y.example" }] }),
        json!({ "tags": ["vip"], "emails": [{ "address": "ada@y.example" }] }),
    ];
    assert_eq!(numbers(&import(&session, lines(&rows), update()).await), [1, 3, 0, 0]);
    let all = contacts(&session).await;
    assert_eq!((all.len(), all[0].version, &*all[0].display_name), (1, 4, "Ada Lovelace"));
    assert_eq!(all[0].tags, ["vip"]);
    // What was written in one commit can be changed and found as anything else.
    let patch: ContactPatch = serde_json::from_value(json!({ "title": null })).unwrap();
    session.contacts().update(all[0].id, patch, Some(4)).await.unwrap();
    let hits = session.contacts().search("lovelace", &Page::first(10)).await.unwrap();
    assert_eq!(hits.items.len(), 1);
    let hits = session.contacts().search("byron", &Page::first(10)).await.unwrap();
    assert!(hits.items.is_empty());
}

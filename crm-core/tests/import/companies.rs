use crm_core::companies::NewCompany;
use serde_json::json;

use super::*;

fn at(email: &str, company: &str) -> Value {
    json!({ "emails": [{ "address": email }], "company": company })
}

async fn names(session: &Session) -> Vec<String> {
    let page = session.companies().list(&Page::first(200)).await.unwrap();
    page.items.into_iter().map(|company| company.name).collect()
}

#[tokio::test]
async fn one_company_whatever_case_and_accents() {
    let session = session().await;
    let mut rows = vec![at("a@x.example", "Café Müller"), at("b@x.example", "CAFE MULLER")];
    rows.extend(others(0, BATCH));
    rows.push(at("c@x.example", "cafe  muller."));
    import(&session, lines(&rows), skip()).await;
    assert_eq!(names(&session).await, ["Café Müller"]);
    let all = contacts(&session).await;
    let linked: Vec<_> = all.iter().filter(|contact| contact.company.is_some()).collect();
    assert_eq!(linked.len(), 3);
    assert!(linked.iter().all(|contact| contact.company_id == linked[0].company_id));
    assert!(linked[0].company_id.is_some());
    assert_eq!(linked[1].company.as_deref(), Some("CAFE MULLER"), "the contact says it as its row");
}

#[tokio::test]
async fn the_domain_of_a_known_company_links() {
    let session = session().await;
    let acme = NewCompany { name: "Acme GmbH".into(), domain: Some("acme.example".into()) };
    let acme = session.companies().create(acme).await.unwrap();
    let rows = [
        person("Ada", "Lovelace", "ada@ACME.example"),
        json!({ "emails": [{ "address": "info@acme.example" }] }),
        person("Bob", "Martin", "bob@sub.acme.example"),
    ];
    import(&session, lines(&rows), skip()).await;
    let all = contacts(&session).await;
    assert_eq!((all[0].company_id, all[0].company.as_deref()), (Some(acme.id), Some("Acme GmbH")));
    assert_eq!(all[0].display_name, "Ada Lovelace");
    assert_eq!(all[1].display_name, "Acme GmbH", "a name that follows still does");
    assert_eq!(all[2].company_id, None);
    assert_eq!(names(&session).await.len(), 1);
}

#[tokio::test]
async fn a_domain_is_a_guess_that_replaces_nothing() {
    let session = session().await;
    let rows = [
        json!({ "first_name": "Ada", "company": "Engines", "emails": [{ "address": "ada@acme.example" }] }),
        json!({ "first_name": "Bob", "emails": [{ "address": "bob@acme.example" }] }),
    ];
    import(&session, lines(&rows), skip()).await;
    let acme = NewCompany { name: "Acme".into(), domain: Some("acme.example".into()) };
    let acme = session.companies().create(acme).await.unwrap();
    let rows = [
        json!({ "title": "Analyst", "emails": [{ "address": "ada@acme.example" }] }),
        json!({ "title": "Builder", "emails": [{ "address": "bob@acme.example" }] }),
    ];
    assert_eq!(numbers(&import(&session, lines(&rows), update()).await), [0, 2, 0, 0]);
    let all = contacts(&session).await;
    assert_eq!((all[0].company.as_deref(), &*all[0].display_name), (Some("Engines"), "Ada"));
    assert_eq!((all[1].company_id, &*all[1].display_name), (Some(acme.id), "Bob"));
}

#[tokio::test]
async fn a_reference_to_what_another_tenant_has_is_left_out() {
    let session = session().await;
    let row = json!({ "first_name": "Ada",
        "company_id": "01956a3c-7f00-7000-8000-000000000001",
        "owner_id": "01956a3c-7f00-7000-8000-000000000002" });
    assert_eq!(numbers(&import(&session, lines(&[row]), skip()).await), [1, 0, 0, 0]);
    let ada = &contacts(&session).await[0];
    assert_eq!((ada.company_id, ada.owner_id), (None, None));
}

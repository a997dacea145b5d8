//! Activities.

use serde_json::json;

use crate::support::Server;

#[tokio::test]
async fn what_happened_is_logged_and_listed() {
    let server = Server::new().await;
    let acme = server.acme().await;
    let contact = acme.contact("ada").await.id;
    let call = json!({
        "contact_id": contact, "kind": "call", "occurred_at": "2026-02-01T10:00:00Z",
        "data": { "direction": "inbound" },
    });
    let headers = [("idempotency-key", "one")];
    let first = server.with("POST", "/activities", &acme.owner, &headers, &call).await;
    let logged = first.is(201);
    let again = server.with("POST", "/activities", &acme.owner, &headers, &call).await;
    assert_eq!((again.is(201), again.header("idempotency-replayed")), (logged.clone(), "true"));
    assert_eq!(server.get(first.header("location"), &acme.owner).await.is(200), logged);

    let get = async |path: &str| server.get(path, &acme.owner).await;
    let timeline = get(&format!("/contacts/{contact}/activities")).await.is(200);
    let kinds: Vec<_> = timeline["items"].as_array().unwrap().iter().map(|a| &a["kind"]).collect();
    assert_eq!(kinds, ["contact_created", "call"]);
    for (query, count) in [
        (format!("contact_id={contact}"), 2),
        ("kind=call".to_owned(), 1),
        (format!("user_id={}", logged["user_id"].as_str().unwrap()), 1),
        ("to=2026-02-02".to_owned(), 1),
        ("from=2026-02-01T10:00:00Z&to=2026-02-01T10:00:00Z".to_owned(), 0),
    ] {
        let page = get(&format!("/activities?{query}")).await.is(200);
        assert_eq!(page["items"].as_array().unwrap().len(), count, "{query}");
    }
    let stats = get("/activities/stats?group_by=kind").await.is(200);
    let expected = json!([{ "key": "call", "count": 1 }, { "key": "contact_created", "count": 1 }]);
    assert_eq!((&stats["groups"], &stats["total"]), (&expected, &json!(2)));
    let days = get("/activities/stats?group_by=day&kind=call").await.is(200);
    assert_eq!(days["groups"], json!([{ "key": "2026-02-01", "count": 1 }]));
    for path in [
        "/activities?from=2026-02-02&to=2026-02-01",
        "/activities?kind=dance",
        "/activities/stats",
        "/activities/stats?group_by=week",
    ] {
        get(path).await.problem(400, "malformed");
    }
}

#[tokio::test]
async fn what_people_cannot_log_is_refused() {
    let server = Server::new().await;
    let acme = server.acme().await;
    let contact = acme.contact("ada").await.id;
    for (field, wrong) in [
        ("kind", json!({ "contact_id": contact, "kind": "contact_created" })),
        ("data", json!({ "contact_id": contact, "kind": "note", "data": { "colour": "red" } })),
        ("kind", json!({ "contact_id": contact, "kind": "dance" })),
    ] {
        let problem = server.post("/activities", &acme.owner, &wrong).await.problem(422, "invalid");
        assert_eq!(problem["errors"][0]["field"], field);
    }
    acme.session.contacts().delete(contact, None).await.unwrap();
    let note = json!({ "contact_id": contact, "kind": "note" });
    server.post("/activities", &acme.owner, &note).await.problem(404, "not_found");
}

//! Companies.

use serde_json::json;

use crate::support::Server;

#[tokio::test]
async fn a_company_is_made_listed_and_changed() {
    let server = Server::new().await;
    let acme = server.acme().await;
    let new = json!({ "name": "Engines Ltd", "domain": "engines.example" });
    let headers = [("idempotency-key", "one")];
    let first = server.with("POST", "/companies", &acme.owner, &headers, &new).await;
    let company = first.is(201);
    let again = server.with("POST", "/companies", &acme.owner, &headers, &new).await;
    assert_eq!((again.is(201), again.header("idempotency-replayed")), (company.clone(), "true"));
    let taken = server.post("/companies", &acme.owner, &new).await.problem(409, "already_exists");
    assert_eq!(taken["existing_id"], company["id"]);

    let path = first.header("location").to_owned();
    assert_eq!(server.get(&path, &acme.owner).await.is(200), company);
    let list = server.get("/companies?limit=1", &acme.owner).await.is(200);
    assert_eq!(list, json!({ "items": [company], "next_cursor": null }));
    let stale = [("if-match", "\"7\"")];
    let patch = json!({ "domain": null });
    let reply = server.with("PATCH", &path, &acme.owner, &stale, &patch).await;
    reply.problem(412, "version_conflict");
    let changed = server.patch(&path, &acme.owner, &patch).await;
    assert_eq!((&changed.is(200)["domain"], changed.header("etag")), (&json!(null), "\"2\""));
    let nameless = server.patch(&path, &acme.owner, &json!({ "name": null })).await;
    nameless.problem(422, "invalid");
}

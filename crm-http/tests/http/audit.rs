//! The audit log, and the tenant that it is of.

use serde_json::json;

use crate::support::Server;

#[tokio::test]
async fn what_was_done_to_a_record_is_listed() {
    let server = Server::new().await;
    let acme = server.acme().await;
    let contact = acme.contact("ada").await.id;
    let headers = [("x-request-id", "the-change")];
    let path = format!("/contacts/{contact}");
    server
        .with("PATCH", &path, &acme.owner, &headers, &json!({ "title": "Analyst" }))
        .await
        .is(200);
    let get = async |query: &str| server.get(&format!("/audit?{query}"), &acme.owner).await;
    let page = get(&format!("resource=contact:{contact}&limit=1")).await.is(200);
    let entry = &page["items"][0];
    assert_eq!(
        (&entry["action"], &entry["request_id"]),
        (&json!("contact.updated"), &json!("the-change"))
    );
    assert_eq!((&entry["fields"], &entry["resource"]["id"]), (&json!(["title"]), &json!(contact)));
    let cursor = page["next_cursor"].as_str().unwrap();
    let next = get(&format!("resource=contact:{contact}&cursor={cursor}")).await.is(200);
    assert_eq!(next["items"][0]["action"], "contact.created");
    get(&format!("cursor={cursor}")).await.problem(400, "invalid_cursor");
    for resource in ["ada", "contact", "contact:1", "tree:018f4c2e-7b1a-7c3d-9e4f-5a6b7c8d9e0f"] {
        get(&format!("resource={resource}")).await.problem(400, "malformed");
    }
}

#[tokio::test]
async fn the_tenant_is_read_and_changed() {
    let server = Server::new().await;
    let acme = server.acme().await;
    let tenant = server.get("/tenant", &acme.owner).await;
    assert_eq!(tenant.is(200)["slug"], "acme");
    let known = [("if-none-match", tenant.header("etag"))];
    let reply = server.send("GET", "/tenant", &acme.owner, &known, axum::body::Body::empty()).await;
    reply.is(304);
    let patch = json!({ "default_region": "FR", "join_role": null });
    let stale = [("if-match", "\"7\"")];
    let reply = server.with("PATCH", "/tenant", &acme.owner, &stale, &patch).await;
    reply.problem(412, "version_conflict");
    assert_eq!(server.patch("/tenant", &acme.owner, &patch).await.is(200)["default_region"], "FR");
    let nameless = server.patch("/tenant", &acme.owner, &json!({ "name": null })).await;
    nameless.problem(422, "invalid");
}

//! API keys.

use serde_json::json;

use crate::support::Server;

#[tokio::test]
async fn a_key_is_shown_once_and_works_until_it_is_revoked() {
    let server = Server::new().await;
    let acme = server.acme().await;
    let new = json!({ "name": "export", "role": "agent", "scopes": ["contacts:read"] });
    let headers = [("idempotency-key", "one")];
    let first = server.with("POST", "/api-keys", &acme.owner, &headers, &new).await;
    let made = first.is(201);
    let again = server.with("POST", "/api-keys", &acme.owner, &headers, &new).await;
    assert_eq!((again.is(201), again.header("idempotency-replayed")), (made.clone(), "true"));
    let secret = made["secret"].as_str().unwrap();
    server.get("/contacts", secret).await.is(200);
    server.get("/companies", secret).await.problem(403, "forbidden");
    let list = server.get("/api-keys", &acme.owner).await;
    assert!(list.is(200)["items"][0]["last_used_at"].is_string());
    assert!(!list.text().contains(secret));

    server.delete(first.header("location"), &acme.owner).await.is(204);
    server.delete(first.header("location"), &acme.owner).await.is(204);
    server.get("/contacts", secret).await.problem(401, "unauthenticated");
    let list = server.get("/api-keys", &acme.owner).await.is(200);
    assert!(list["items"][0]["revoked_at"].is_string());
}

#[tokio::test]
async fn a_key_that_cannot_be_is_refused() {
    let server = Server::new().await;
    let acme = server.acme().await;
    for (field, wrong) in [
        ("scopes", json!({ "name": "k", "role": "agent", "scopes": [] })),
        ("scopes[0]", json!({ "name": "k", "role": "agent", "scopes": ["all"] })),
        ("name", json!({ "name": " ", "role": "agent", "scopes": ["contacts:read"] })),
        (
            "expires_at",
            json!({ "name": "k", "role": "agent", "scopes": ["contacts:read"], "expires_at": "2020-01-01T00:00:00Z" }),
        ),
    ] {
        let problem = server.post("/api-keys", &acme.owner, &wrong).await.problem(422, "invalid");
        assert_eq!(problem["errors"][0]["field"], field);
    }
}

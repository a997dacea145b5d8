//! Users.

use axum::body::Body;
use crm_core::Role;
use serde_json::json;

use crate::support::{PASSWORD, Server};

#[tokio::test]
async fn a_user_is_invited_comes_in_and_is_changed() {
    let server = Server::new().await;
    let acme = server.acme().await;
    let new = json!({ "email": "grace@example.com", "role": "agent" });
    let headers = [("idempotency-key", "one")];
    let first = server.with("POST", "/users", &acme.owner, &headers, &new).await;
    let made = first.is(201);
    assert_eq!((&made["status"], first.header("etag")), (&json!("invited"), "\"1\""));
    let again = server.with("POST", "/users", &acme.owner, &headers, &new).await;
    assert_eq!((again.is(201), again.header("idempotency-replayed")), (made.clone(), "true"));
    server.post("/users", &acme.owner, &new).await.problem(409, "already_exists");

    let path = first.header("location").to_owned();
    let invitation = format!("{path}/invitation");
    let newer = server.send("POST", &invitation, &acme.owner, &[], Body::empty()).await.is(200);
    let accept = |user: &serde_json::Value| json!({ "invitation": user["invitation"], "password": PASSWORD });
    let old = server.post("/auth/invitations/accept", "", &accept(&made)).await;
    old.problem(401, "unauthenticated");
    let signed_in = server.post("/auth/invitations/accept", "", &accept(&newer)).await.is(200);
    assert_eq!(signed_in["user"]["status"], "active");

    let version = signed_in["user"]["version"].as_i64().unwrap();
    let stale = [("if-match", "\"1\"")];
    let patch = json!({ "role": "viewer" });
    server.with("PATCH", &path, &acme.owner, &stale, &patch).await.problem(412, "version_conflict");
    let changed = server.patch(&path, &acme.owner, &patch).await;
    assert_eq!(changed.is(200)["role"], "viewer");
    assert_eq!(changed.header("etag"), format!("\"{}\"", version + 1));
    assert_eq!(server.get(&path, &acme.owner).await.is(200), changed.json());
    let list = server.get("/users?limit=200", &acme.owner).await.is(200);
    assert!(list["items"].as_array().unwrap().contains(&changed.json()));
    server.patch(&path, &acme.owner, &json!({ "role": null })).await.problem(422, "invalid");
    server.patch(&path, &acme.owner, &json!({ "role": "king" })).await.problem(422, "invalid");

    let admin = server.person(&acme, Role::Admin).await;
    let owner = json!({ "email": "mary@example.com", "role": "owner" });
    server.post("/users", &admin, &owner).await.problem(403, "forbidden");
}

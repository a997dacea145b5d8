//! Signing up, in and out.

use axum::body::Body;
use serde_json::json;

use crate::support::{PASSWORD, Server};

#[tokio::test]
async fn somebody_registers_and_goes_in_and_out() {
    let server = Server::new().await;
    let new = json!({
        "company_name": "Acme GmbH", "full_name": "Grace Hopper", "email": "grace@example.com",
        "password": PASSWORD,
    });
    let registered = server.post("/auth/register", "", &new).await.is(201);
    assert_eq!(
        (&registered["token_type"], &registered["user"]["role"]),
        (&json!("Bearer"), &json!("owner"))
    );
    let weak = json!({ "company_name": "A", "full_name": "B", "email": "b@example.com", "password": "short" });
    server.post("/auth/register", "", &weak).await.problem(422, "invalid");

    let login = json!({ "email": "grace@example.com", "password": PASSWORD });
    let first = server.post("/auth/login", "", &login).await.is(200);
    let wrong = json!({ "email": "grace@example.com", "password": "another password altogether" });
    server.post("/auth/login", "", &wrong).await.problem(401, "unauthenticated");
    let refresh = json!({ "refresh_token": first["refresh_token"] });
    let tokens = server.post("/auth/refresh", "", &refresh).await.is(200);
    let token = tokens["access_token"].as_str().unwrap();
    let me = server.get("/auth/me", token).await.is(200);
    assert_eq!(me["user"]["email"], "grace@example.com");
    let sessions = server.get("/auth/sessions", token).await.is(200);
    assert_eq!(sessions["items"].as_array().unwrap().len(), 2);
    server.post("/auth/step-up", token, &json!({ "password": PASSWORD })).await.is(204);
    let begun = server.send("POST", "/auth/totp", token, &[], Body::empty()).await.is(200);
    assert!(begun["uri"].as_str().unwrap().starts_with("otpauth://"));
    let wrong = server.post("/auth/totp/confirm", token, &json!({ "code": "000000" })).await;
    assert!(matches!(wrong.status.as_u16(), 401 | 422), "{}", wrong.text());
    server.post("/auth/logout", token, &json!({})).await.is(204);
    server.get("/auth/me", token).await.problem(401, "unauthenticated");
}

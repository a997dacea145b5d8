//! The shop on a database of its own.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, reason = "tests")]

use axum::body::Body;
use axum::http::{Request, StatusCode};
use crm_core::Page;
use http_body_util::BodyExt;
use rust_service::{Shop, greet, install};
use serde_json::{Value, json};
use sqlx::{AssertSqlSafe, Connection, PgConnection};
use tower::ServiceExt;

/// The URL of the test's own database, as this user.
fn url(user: Option<&str>, database: &str) -> String {
    let server = std::env::var("CRM_TEST_DATABASE_URL")
        .expect("CRM_TEST_DATABASE_URL is not set: run the tests with `scripts/test`");
    let (scheme, rest) = server.split_once("://").unwrap();
    let (login, place) = rest.split_once('@').unwrap();
    let host = place.split('/').next().unwrap();
    format!("{scheme}://{}@{host}/{database}", user.unwrap_or(login))
}

async fn as_admin(sql: &str) {
    let server = std::env::var("CRM_TEST_DATABASE_URL").unwrap();
    let mut admin = PgConnection::connect(&server).await.unwrap();
    sqlx::raw_sql(AssertSqlSafe(sql.to_owned())).execute(&mut admin).await.unwrap();
}

async fn ask(shop: &Shop, method: &str, path: &str, body: Option<Value>) -> (StatusCode, Value) {
    let body = body.map_or_else(Body::empty, |body| Body::from(body.to_string()));
    let request = Request::builder().method(method).uri(path);
    let request = request.header("content-type", "application/json").body(body).unwrap();
    let reply = shop.routes().oneshot(request).await.unwrap();
    let status = reply.status();
    let bytes = reply.into_body().collect().await.unwrap().to_bytes();
    (status, serde_json::from_slice(&bytes).unwrap_or(Value::Null))
}

#[tokio::test]
async fn an_order_and_its_customer_are_written_together() {
    let database = format!("rust_service_{}", std::process::id());
    as_admin(&format!("create database {database} template template0")).await;
    install(&url(None, &database)).await.unwrap();
    let shop = Shop::open(&url(Some("crm_app"), &database)).await.unwrap();

    let order = |email: &str, item: &str| {
        Some(json!({ "first_name": "Ada", "last_name": "King", "email": email, "item": item }))
    };
    let (status, placed) = ask(&shop, "POST", "/orders", order("ada@example.com", "lamp")).await;
    assert_eq!(status, StatusCode::CREATED);
    let customer = placed["contact_id"].as_str().unwrap().parse().unwrap();
    assert_eq!(shop.session.contacts().get(customer).await.unwrap().display_name, "Ada King");

    // What the CRM refuses leaves no order; what the shop refuses leaves no contact.
    let (status, problem) = ask(&shop, "POST", "/orders", order("ada@example.com", "chair")).await;
    assert_eq!((status, &problem["code"]), (StatusCode::CONFLICT, &json!("already_exists")));
    let (status, _) = ask(&shop, "POST", "/orders", order("eve@example.com", "")).await;
    assert_eq!(status, StatusCode::UNPROCESSABLE_ENTITY);
    let (_, orders) = ask(&shop, "GET", "/orders", None).await;
    assert_eq!(orders, json!([placed]));
    let everybody = shop.session.contacts().count(&Default::default()).await.unwrap();
    assert_eq!(everybody, 1);

    // The CRM's routes are there, and greetings follow its events.
    let (status, _) = ask(&shop, "GET", "/crm/health/live", None).await;
    assert_eq!(status, StatusCode::OK);
    let (status, _) = ask(&shop, "GET", "/crm/contacts", None).await;
    assert_eq!(status, StatusCode::UNAUTHORIZED);
    let greeting = tokio::spawn(greet(shop.clone()));
    let mut host = PgConnection::connect(&url(None, &database)).await.unwrap();
    loop {
        let greeted = sqlx::query_scalar::<_, i64>("select count(*) from shop.greetings");
        if greeted.fetch_one(&mut host).await.unwrap() == 1 {
            break;
        }
        assert!(!greeting.is_finished(), "{:?}", greeting.await);
        tokio::task::yield_now().await;
    }
    greeting.abort();
    let timeline = shop.session.activities().timeline(customer, &Page::first(9)).await.unwrap();
    assert_eq!(timeline.items.len(), 1);
    as_admin(&format!("drop database {database} with (force)")).await;
}

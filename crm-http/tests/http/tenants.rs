//! What another tenant has is as if it were not there.

use axum::body::Body;
use crm_core::Role;
use crm_core::activities::NewActivity;
use crm_core::calls::LogCall;
use crm_core::companies::NewCompany;
use crm_core::identity::NewApiKey;
use crm_core::jobs::NewJob;
use serde_json::json;

use crate::support::{Acme, Reply, Server, operations};

const MISSING: &str = "018f4c2e-7b1a-7c3d-9e4f-5a6b7c8d9e0f";

/// The ids of a tenant's records, by the first part of their path.
async fn records(acme: &Acme) -> Vec<(&'static str, String)> {
    let contact = acme.contact("grace").await.id;
    acme.contact("mary").await;
    let mut company = String::new();
    for name in ["Navy", "Fleet"] {
        let new = NewCompany { name: name.to_owned(), domain: None };
        company = acme.session.companies().create(new).await.unwrap().id.to_string();
    }
    let note = NewActivity::note(contact, "a note of theirs");
    let activity = acme.session.activities().create(note).await.unwrap().id;
    let mut key = String::new();
    for name in ["one", "two"] {
        let new = NewApiKey {
            name: name.to_owned(),
            role: Role::Viewer,
            scopes: vec!["contacts:read".to_owned()],
            expires_at: None,
        };
        key = acme.session.api_keys().create(new).await.unwrap().api_key.id.to_string();
    }
    let line = acme.line().await;
    let mut call = String::new();
    let mut job = String::new();
    for _ in 0..2 {
        let new: LogCall =
            serde_json::from_value(json!({ "contact_id": contact, "direction": "outbound" }))
                .unwrap();
        call = acme.session.calls().log(new).await.unwrap().id.to_string();
        let new = NewJob::new("test.work", &()).unwrap();
        job = acme.session.jobs().enqueue(new).await.unwrap().id.to_string();
    }
    let users = acme.session.users().list(&crm_core::Page::default()).await.unwrap();
    vec![
        ("contacts", contact.to_string()),
        ("companies", company),
        ("activities", activity.to_string()),
        ("users", users.items[0].id.to_string()),
        ("api-keys", key),
        ("telephony", line.to_string()),
        ("calls", call),
        ("jobs", job),
    ]
}

#[track_caller]
fn alike(foreign: &Reply, missing: &Reply, what: &str) {
    assert_eq!(foreign.status, missing.status, "{what}: {} {}", foreign.text(), missing.text());
    assert_eq!(foreign.text(), missing.text(), "{what}");
    assert_eq!(foreign.headers, missing.headers, "{what}");
}

struct Two {
    server: Server,
    own: Acme,
    other: Acme,
    records: Vec<(&'static str, String)>,
}

impl Two {
    async fn new() -> Self {
        let server = Server::new().await;
        let own = server.tenant("Own").await;
        let other = server.tenant("Other").await;
        let mut records = records(&other).await;
        for title in ["one", "two"] {
            let new = serde_json::from_value(json!({ "title": title })).unwrap();
            other.session.notifications().broadcast(new).await.unwrap();
        }
        let told = server.get("/notifications", &other.owner).await.is(200);
        let told = told["items"][0]["id"].as_str().unwrap().to_owned();
        records.push(("notifications", told));
        Two { server, own, other, records }
    }

    async fn ask(&self, method: &str, path: &str, media: &str, body: String) -> Reply {
        let headers = [("x-request-id", "same"), ("content-type", media)];
        let body = Body::from(body);
        self.server.send(&method.to_uppercase(), path, &self.own.owner, &headers, body).await
    }
}

#[tokio::test]
async fn in_the_path() {
    let two = Two::new().await;
    let session = two.server.get("/auth/me", &two.other.owner).await.json();
    let session = session["session"]["id"].as_str().unwrap().to_owned();
    let mut asked = 0;
    for operation in operations().into_iter().filter(|of| of.path.contains("{id}")) {
        let first = operation.path.split('/').nth(1).unwrap();
        let known = two.records.iter().find(|(kind, _)| *kind == first);
        let id = known.map_or(&session, |(_, id)| id);
        let none = json!(null);
        let (media, example) = operation.body().unwrap_or(("application/json", &none));
        let path = |id: &str| operation.path.replace("{id}", id);
        let foreign = two.ask(operation.method, &path(id), media, example.to_string()).await;
        let missing = two.ask(operation.method, &path(MISSING), media, example.to_string()).await;
        foreign.problem(404, "not_found");
        alike(&foreign, &missing, operation.id());
        let none = two.ask(operation.method, &path("ada"), media, example.to_string()).await;
        alike(&none, &missing, operation.id());
        asked += 1;
    }
    assert!(asked >= 24, "{asked}");
}

#[tokio::test]
async fn in_a_filter() {
    let two = Two::new().await;
    let of = |kind: &str| two.records.iter().find(|(of, _)| *of == kind).unwrap().1.clone();
    let mut asked = 0;
    for operation in operations() {
        for parameter in operation.parameters("query") {
            let name = parameter["name"].as_str().unwrap();
            let (foreign, missing) = match name {
                "resource" => (format!("contact:{}", of("contacts")), format!("contact:{MISSING}")),
                "contact_id" => (of("contacts"), MISSING.to_owned()),
                "company_id" => (of("companies"), MISSING.to_owned()),
                "owner_id" | "user_id" => (of("users"), MISSING.to_owned()),
                _ => {
                    assert_ne!(parameter["schema"]["format"], "uuid", "{name}");
                    continue;
                }
            };
            let needed = if operation.id() == "count_activities" { "group_by=kind&" } else { "" };
            let path = |id: &str| format!("{}?{needed}{name}={id}", operation.path);
            let none = || "null".to_owned();
            let foreign = two.ask("get", &path(&foreign), "application/json", none()).await;
            let missing = two.ask("get", &path(&missing), "application/json", none()).await;
            foreign.is(200);
            alike(&foreign, &missing, &format!("{} {name}", operation.id()));
            asked += 1;
        }
    }
    assert_eq!(asked, 9);
}

#[tokio::test]
async fn in_the_body() {
    let two = Two::new().await;
    let of = |kind: &str| two.records.iter().find(|(of, _)| *of == kind).unwrap().1.clone();
    let own = two.own.contact("ada").await.id;
    let contact = format!("/contacts/{own}");
    for (method, path, field, kind) in [
        ("post", "/contacts", "company_id", "companies"),
        ("post", "/contacts", "owner_id", "users"),
        ("post", "/contacts?on_conflict=update", "company_id", "companies"),
        ("patch", contact.as_str(), "company_id", "companies"),
        ("patch", contact.as_str(), "owner_id", "users"),
        ("post", "/activities", "contact_id", "contacts"),
        ("post", "/calls", "contact_id", "contacts"),
        ("post", "/calls/log", "contact_id", "contacts"),
    ] {
        let body = |id: &str| {
            let mut body = match path {
                "/activities" => json!({ "kind": "note" }),
                "/calls" => json!({}),
                "/calls/log" => json!({ "direction": "inbound" }),
                _ => json!({ "first_name": "Ada" }),
            };
            body[field] = json!(id);
            body.to_string()
        };
        let foreign = two.ask(method, path, "application/json", body(&of(kind))).await;
        let missing = two.ask(method, path, "application/json", body(MISSING)).await;
        assert!(matches!(foreign.status.as_u16(), 404 | 422), "{}", foreign.text());
        alike(&foreign, &missing, &format!("{method} {path} {field}"));
    }
}

#[tokio::test]
async fn in_a_cursor() {
    let two = Two::new().await;
    two.own.contact("ada").await;
    let mut asked = 0;
    for operation in operations() {
        let listed = operation.parameters("query").iter().any(|of| of["name"] == "cursor");
        if !listed || operation.path.contains("{id}") {
            continue;
        }
        let query = if operation.id() == "search_contacts" { "q=example&" } else { "" };
        let path = format!("{}?{query}limit=1", operation.path);
        let page = two.server.get(&path, &two.other.owner).await.is(200);
        let Some(cursor) = page["next_cursor"].as_str() else { panic!("{path}: {page}") };
        let path = format!("{path}&cursor={cursor}");
        let reply = two.server.get(&path, &two.own.owner).await;
        assert!(matches!(reply.status.as_u16(), 200 | 400), "{}", reply.text());
        let theirs = two.records.iter().find(|(_, id)| reply.text().contains(id));
        assert_eq!(theirs, None, "{}", operation.id());
        asked += 1;
    }
    assert_eq!(asked, 10);
}

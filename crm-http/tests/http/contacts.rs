//! Contacts.

use axum::body::Body;
use serde_json::{Value, json};

use crate::support::{Acme, Server};

async fn started() -> (Server, Acme) {
    let server = Server::new().await;
    let acme = server.acme().await;
    (server, acme)
}

fn ada() -> Value {
    json!({ "first_name": "Ada", "last_name": "Lovelace", "emails": [{ "address": "ada@example.com" }] })
}

fn names(page: &Value) -> Vec<&str> {
    let items = page["items"].as_array().unwrap().iter();
    items.map(|item| item["display_name"].as_str().unwrap()).collect()
}

#[tokio::test]
async fn a_contact_is_made_once() {
    let (server, acme) = started().await;
    let made = server.post("/contacts", &acme.owner, &ada()).await;
    let contact = made.is(201);
    let at = format!("/contacts/{}", contact["id"].as_str().unwrap());
    assert_eq!((made.header("location"), made.header("etag")), (at.as_str(), "\"1\""));
    assert_eq!(server.get(&at, &acme.owner).await.is(200), contact);

    let taken = server.post("/contacts", &acme.owner, &ada()).await;
    let problem = taken.problem(409, "already_exists");
    assert_eq!(problem["existing_id"], contact["id"]);
    assert_eq!(problem["errors"][0]["field"], "emails[0].address");
}

#[tokio::test]
async fn a_contact_that_is_there_is_changed_where_that_is_wanted() {
    let (server, acme) = started().await;
    let path = "/contacts?on_conflict=update";
    let headers = [("idempotency-key", "one")];
    let first = server.with("POST", path, &acme.owner, &headers, &ada()).await;
    let made = first.is(201);
    let again = server.with("POST", path, &acme.owner, &headers, &ada()).await;
    assert_eq!(again.is(201), made);
    assert_eq!(again.header("idempotency-replayed"), "true");

    let more = json!({ "title": "Analyst", "emails": [{ "address": "ADA@example.com" }, { "address": "a@b.example" }] });
    let headers = [("idempotency-key", "two")];
    let reply = server.with("POST", path, &acme.owner, &headers, &more).await;
    let changed = reply.is(200);
    assert_eq!(reply.header("etag"), "\"2\"");
    assert_eq!((&changed["id"], &changed["first_name"]), (&made["id"], &json!("Ada")));
    assert_eq!(
        (&changed["title"], changed["emails"].as_array().unwrap().len()),
        (&json!("Analyst"), 2)
    );
    let again = server.with("POST", path, &acme.owner, &headers, &more).await;
    assert_eq!((again.header("idempotency-replayed"), again.is(200)), ("true", changed));
    server.post("/contacts?on_conflict=skip", &acme.owner, &ada()).await.problem(400, "malformed");
}

#[tokio::test]
async fn a_request_with_a_key_is_done_once() {
    let (server, acme) = started().await;
    let headers = [("idempotency-key", "one")];
    let post =
        async |body: &Value| server.with("POST", "/contacts", &acme.owner, &headers, body).await;
    let first = post(&ada()).await;
    let again = post(&ada()).await;
    assert_eq!((first.is(201), again.header("idempotency-replayed")), (again.is(201), "true"));
    assert_eq!(again.header("location"), first.header("location"));
    post(&json!({ "first_name": "Grace" })).await.problem(422, "idempotency_key_reused");
    server.clock.advance_micros((24 * 60 * 60 + 1) * 1_000_000);
    // The access token is over, too.
    post(&ada()).await.problem(401, "unauthenticated");
}

#[tokio::test]
async fn what_is_wrong_is_said_field_by_field() {
    let (server, acme) = started().await;
    let bad =
        json!({ "emails": [{ "address": "ada@" }], "phones": [{}], "first_name": "a".repeat(256) });
    let problem = server.post("/contacts", &acme.owner, &bad).await.problem(422, "invalid");
    let fields = problem["errors"].as_array().unwrap().iter();
    let fields: Vec<&str> = fields.map(|error| error["field"].as_str().unwrap()).collect();
    assert_eq!(fields, ["first_name", "emails[0].address", "phones[0].raw"]);
    let unknown = server.post("/contacts", &acme.owner, &json!({ "colour": "red" })).await;
    assert_eq!(unknown.problem(422, "invalid")["errors"][0]["code"], "unknown_field");
    let of_text = [("content-type", "text/plain")];
    let text = server.with("POST", "/contacts", &acme.owner, &of_text, &ada()).await;
    text.problem(415, "unsupported_media_type");
    let json = [("content-type", "application/json")];
    let broken = server.send("POST", "/contacts", &acme.owner, &json, Body::from("{")).await;
    broken.problem(400, "malformed");
    let large = format!("\"{}\"", "a".repeat(1024 * 1024));
    let large = server.send("POST", "/contacts", &acme.owner, &json, large.into()).await;
    large.problem(413, "payload_too_large");
}

#[tokio::test]
async fn a_version_that_is_known_is_not_sent_again() {
    let (server, acme) = started().await;
    let path = format!("/contacts/{}", acme.contact("ada").await.id);
    for (tag, status) in [
        ("\"1\"", 304),
        ("W/\"1\"", 304),
        ("\"7\", \"1\"", 304),
        ("*", 304),
        ("\"2\"", 200),
        ("1", 200),
    ] {
        let headers = [("if-none-match", tag)];
        let reply = server.send("GET", &path, &acme.owner, &headers, Body::empty()).await;
        assert_eq!((reply.status.as_u16(), reply.header("etag")), (status, "\"1\""), "{tag}");
    }
}

#[tokio::test]
async fn a_patch_merges_from_the_version_that_is_named() {
    let (server, acme) = started().await;
    let path = format!("/contacts/{}", acme.contact("ada").await.id);
    let patch = json!({ "title": "Analyst", "last_name": null });
    let merge = [("if-match", "\"1\""), ("content-type", "application/merge-patch+json")];
    let reply = server.with("PATCH", &path, &acme.owner, &merge, &patch).await;
    let contact = reply.is(200);
    assert_eq!(reply.header("etag"), "\"2\"");
    assert_eq!(
        (&contact["title"], &contact["last_name"], &contact["first_name"]),
        (&json!("Analyst"), &json!(null), &json!("ada"))
    );
    let stale = server.with("PATCH", &path, &acme.owner, &merge, &json!({ "title": "x" })).await;
    stale.problem(412, "version_conflict");
    for tag in ["W/\"2\"", "2", "\"ada\""] {
        let headers = [("if-match", tag)];
        let reply = server.with("PATCH", &path, &acme.owner, &headers, &patch).await;
        reply.problem(412, "version_conflict");
    }
    let any = [("if-match", "*")];
    server.with("PATCH", &path, &acme.owner, &any, &json!({ "title": "x" })).await.is(200);
    let other = acme.contact("grace").await;
    let taken = json!({ "emails": [{ "address": other.emails[0].address }] });
    server.patch(&path, &acme.owner, &taken).await.problem(409, "already_exists");
}

#[tokio::test]
async fn a_deleted_contact_comes_back() {
    let (server, acme) = started().await;
    let path = format!("/contacts/{}", acme.contact("ada").await.id);
    let restore = format!("{path}/restore");
    let stale = [("if-match", "\"7\"")];
    let reply = server.send("DELETE", &path, &acme.owner, &stale, Body::empty()).await;
    reply.problem(412, "version_conflict");
    server.delete(&path, &acme.owner).await.is(204);
    server.delete(&path, &acme.owner).await.problem(409, "conflict");
    assert!(server.get(&path, &acme.owner).await.is(200)["deleted_at"].is_string());
    let other = acme.contact("ada").await;
    let send = async |path: &str| server.send("POST", path, &acme.owner, &[], Body::empty()).await;
    let problem = send(&restore).await.problem(409, "already_exists");
    assert_eq!(problem["existing_id"], json!(other.id));
    server.delete(&format!("/contacts/{}", other.id), &acme.owner).await.is(204);
    assert!(send(&restore).await.is(200)["deleted_at"].is_null());
    send(&restore).await.problem(409, "conflict");
}

#[tokio::test]
async fn lists_are_filtered_sorted_and_paged() {
    let (server, acme) = started().await;
    for name in ["ada", "grace", "mary"] {
        acme.contact(name).await;
    }
    let tagged =
        json!({ "first_name": "Tag", "tags": ["vip"], "phones": [{ "raw": "030 901820" }] });
    server.post("/contacts", &acme.owner, &tagged).await.is(201);
    let get = async |query: &str| server.get(&format!("/contacts?{query}"), &acme.owner).await;
    for (query, expected) in [
        ("", "ada Test,grace Test,mary Test,Tag"),
        ("sort=-created_at", "Tag,mary Test,grace Test,ada Test"),
        ("email=GRACE@example.com", "grace Test"),
        ("phone=%2B49%2030%20901820", "Tag"),
        ("phone=030901820", "Tag"),
        ("tag=vip", "Tag"),
        ("tag=VIP", ""),
        ("created_before=2026-03-01", ""),
        ("created_after=2026-03-01T09:30:00Z&email=ada@example.com", "ada Test"),
        ("updated_after=2027-01-01T00:00:00%2B01:00", ""),
        ("deleted=only", ""),
    ] {
        let page = get(query).await.is(200);
        assert_eq!(names(&page).join(","), expected, "{query}");
        assert!(page.get("total").is_none());
    }
    assert_eq!(get("include_total=true&limit=1").await.is(200)["total"], 4);
    let (mut all, mut query) = (Vec::new(), "limit=3&sort=-updated_at".to_owned());
    loop {
        let page = get(&query).await.is(200);
        all.extend(names(&page).into_iter().map(str::to_owned));
        let Some(cursor) = page["next_cursor"].as_str() else { break };
        query = format!("limit=3&sort=-updated_at&cursor={cursor}");
        get(&format!("sort=last_name&cursor={cursor}")).await.problem(400, "invalid_cursor");
    }
    assert_eq!(all, ["Tag", "mary Test", "grace Test", "ada Test"]);
    for (query, code) in [
        ("limit=0", "malformed"),
        ("limit=201", "malformed"),
        ("limit=ten", "malformed"),
        ("limit=1&limit=2", "malformed"),
        ("include_total=yes", "malformed"),
        ("owner_id=ada", "malformed"),
        ("email=ada", "malformed"),
        ("phone=ada", "malformed"),
        ("created_after=yesterday", "malformed"),
        ("deleted=all", "malformed"),
        ("sort=colour", "unknown_parameter"),
        ("colour=red", "unknown_parameter"),
        ("cursor=00ff", "invalid_cursor"),
        ("cursor=", "invalid_cursor"),
    ] {
        let problem = get(query).await.problem(400, code);
        assert!(problem["detail"].as_str().unwrap().len() > 10, "{problem}");
    }
}

#[tokio::test]
async fn searches_forgive() {
    let (server, acme) = started().await;
    for name in ["lovelace", "hopper", "somerville"] {
        acme.contact(name).await;
    }
    let get =
        async |query: &str| server.get(&format!("/contacts/search?{query}"), &acme.owner).await;
    let page = get("q=lovelase").await.is(200);
    assert_eq!(page["items"][0]["contact"]["first_name"], "lovelace");
    let score = page["items"][0]["score"].as_f64().unwrap();
    assert!(score > 0.0 && score <= 1.0);
    let latest = get("q=test&sort=updated_at&limit=1").await.is(200);
    assert_eq!(latest["items"][0]["contact"]["first_name"], "somerville");
    let cursor = latest["next_cursor"].as_str().unwrap();
    let next = get(&format!("q=test&sort=updated_at&limit=1&cursor={cursor}")).await.is(200);
    assert_eq!(next["items"][0]["contact"]["first_name"], "hopper");
    assert_eq!(get("q=").await.is(200)["items"], json!([]));
    get(&format!("q=other&sort=updated_at&cursor={cursor}")).await.problem(400, "invalid_cursor");
    get("").await.problem(400, "malformed");
    get("q=a&sort=name").await.problem(400, "unknown_parameter");
}

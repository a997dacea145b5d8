//! Calls through the door: made, ended, heard; and what a carrier tells.

use axum::body::Body;
use crm_core::Role;
use serde_json::{Value, json};

use crate::support::{Acme, PUBLIC_URL, Reply, Server};

const TOKEN: &str = "0123456789abcdef0123456789abcdef";
const ACCOUNT: &str = "AC00000000000000000000000000000000";
const FORM: &str = "application/x-www-form-urlencoded";

/// A tenant with a line, and a contact who has agreed to be recorded.
async fn prepared() -> (Server, Acme, String) {
    let server = Server::new().await;
    let acme = server.acme().await;
    acme.line().await;
    let ada = json!({ "first_name": "Ada", "phones": [{ "raw": "+1 425 555 0123" }] });
    let ada = server.post("/contacts", &acme.owner, &ada).await.is(201);
    let id = ada["id"].as_str().unwrap().to_owned();
    let agreed = json!({ "purpose": "recording", "granted": true });
    server.post(&format!("/contacts/{id}/consents"), &acme.owner, &agreed).await.is(201);
    (server, acme, id)
}

fn id_of(call: &Value) -> String {
    call["id"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn a_call_is_made_and_heard() {
    let (server, acme, ada) = prepared().await;
    let agent = server.person(&acme, Role::Agent).await;
    let body = json!({ "contact_id": ada, "record": true });
    let made = server.post("/calls", &agent, &body).await;
    let call = made.is(201);
    assert_eq!((&call["status"], &call["placement"]), (&json!("queued"), &json!("waiting")));
    let path = format!("/calls/{}", id_of(&call));
    assert_eq!(made.header("location"), path);
    server.pass(30).await;
    let over = server.get(&path, &agent).await.is(200);
    assert_eq!((&over["status"], &over["duration_seconds"]), (&json!("completed"), &json!(10)));
    assert_eq!(over["has_recording"], true);
    assert!(over["recording_expires_at"].is_string());
    let patch = json!({ "disposition": "reached", "note": "wants an offer" });
    let noted = server.patch(&path, &agent, &patch).await.is(200);
    assert_eq!(noted["disposition"], "reached");
    let refused = server.patch(&path, &agent, &json!({ "disposition": "bored" })).await;
    assert_eq!(refused.problem(422, "invalid")["errors"][0]["field"], "disposition");
    let entries = server.get(&format!("/contacts/{ada}/activities?limit=1"), &agent).await.is(200);
    let entry = &entries["items"][0];
    assert_eq!((&entry["id"], &entry["body"]), (&over["activity_id"], &json!("wants an offer")));
    assert_eq!(entry["data"]["disposition"], "reached");

    let recording = format!("{path}/recording");
    let whole = server.get(&recording, &agent).await;
    assert_eq!((whole.status.as_u16(), whole.header("content-type")), (200, "audio/x-wav"));
    assert!(whole.bytes.starts_with(b"RIFF"));
    let part = |range: &'static str| {
        let headers = [("range", range)];
        let (server, recording, agent) = (&server, &recording, &agent);
        async move { server.send("GET", recording, agent, &headers, Body::empty()).await }
    };
    let reply = part("bytes=8-11").await;
    assert_eq!((reply.status.as_u16(), reply.text().as_str()), (206, "WAVE"));
    assert_eq!(reply.header("content-range"), format!("bytes 8-11/{}", whole.bytes.len()));
    let last = part("bytes=-4").await;
    assert_eq!(last.bytes, whole.bytes[whole.bytes.len() - 4..]);
    part("bytes=99999999-").await.problem(416, "range_not_satisfiable");
    for ignored in ["bytes=0-1,4-5", "pages=1-2", "bytes=oops"] {
        assert_eq!(part(ignored).await.status.as_u16(), 200, "{ignored}");
    }
    let stale = [("range", "bytes=0-3"), ("if-range", "\"another\"")];
    let reply = server.send("GET", &recording, &agent, &stale, Body::empty()).await;
    assert_eq!(reply.status.as_u16(), 200);
    let audit = server.get("/audit?limit=200", &acme.owner).await.is(200);
    let heard = |entry: &&Value| entry["action"] == "recording.heard";
    assert_eq!(audit["items"].as_array().unwrap().iter().filter(heard).count(), 7);

    let viewer = server.person(&acme, Role::Viewer).await;
    server.get(&recording, &viewer).await.problem(403, "forbidden");
    server.delete(&recording, &agent).await.problem(403, "forbidden");
    server.delete(&recording, &acme.owner).await.is(204);
    server.get(&recording, &agent).await.problem(404, "not_found");
    assert_eq!(server.get(&path, &agent).await.is(200)["has_recording"], false);
}

#[tokio::test]
async fn who_refused_is_not_called_and_who_did_not_agree_is_not_recorded() {
    let (server, acme, ada) = prepared().await;
    let consents = format!("/contacts/{ada}/consents");
    let say = |purpose: &'static str, granted: bool| {
        let body = json!({ "purpose": purpose, "granted": granted });
        let (server, consents, owner) = (&server, &consents, &acme.owner);
        async move { server.post(consents, owner, &body).await.is(201) }
    };
    let call = json!({ "contact_id": ada, "record": true });
    say("recording", false).await;
    server.post("/calls", &acme.owner, &call).await.problem(409, "conflict");
    say("calls", false).await;
    let quiet = json!({ "contact_id": ada });
    server.post("/calls", &acme.owner, &quiet).await.problem(409, "conflict");
    say("calls", true).await;
    let made = server.post("/calls", &acme.owner, &quiet).await.is(201);
    assert_eq!(made["recording_consent"]["granted"], false);
    let said = server.get(&consents, &acme.owner).await.is(200);
    assert_eq!(said["items"].as_array().unwrap().len(), 4);
}

#[tokio::test]
async fn a_call_is_hung_up_and_one_is_logged() {
    let (server, acme, ada) = prepared().await;
    let body = json!({ "contact_id": ada });
    let call = id_of(&server.post("/calls", &acme.owner, &body).await.is(201));
    server.pass(3).await;
    let path = format!("/calls/{call}/hangup");
    let end = || server.post_empty(&path, &acme.owner);
    end().await.is(200);
    server.pass(3).await;
    let over = server.get(&format!("/calls/{call}"), &acme.owner).await.is(200);
    assert_eq!(over["status"], "canceled");
    assert_eq!(end().await.is(200)["version"], over["version"]);

    let body = json!({
        "contact_id": ada, "direction": "inbound", "duration_seconds": 60, "disposition": "reached",
    });
    let headers = [("idempotency-key", "one")];
    let log = || server.with("POST", "/calls/log", &acme.owner, &headers, &body);
    let logged = log().await;
    assert_eq!(logged.header("location"), format!("/calls/{}", id_of(&logged.is(201))));
    assert_eq!(log().await.header("idempotency-replayed"), "true");
    let calls = server.get("/calls?direction=inbound", &acme.owner).await.is(200);
    assert_eq!(calls["items"].as_array().unwrap().len(), 1);
    let wrong = json!({ "contact_id": ada, "direction": "inbound", "status": "ringing" });
    let refused = server.post("/calls/log", &acme.owner, &wrong).await.problem(422, "invalid");
    assert_eq!(refused["errors"][0]["field"], "status");
}

/// What Twilio sends to this path, signed with this token.
async fn told(server: &Server, path: &str, token: &str, fields: &[(&str, &str)]) -> Reply {
    let form: Vec<String> =
        fields.iter().map(|(key, value)| format!("{key}={}", value.replace('+', "%2B"))).collect();
    let form = form.join("&");
    let url = format!("{PUBLIC_URL}{path}");
    let signature = crm_twilio::sign(&token.into(), &url, form.as_bytes());
    let headers = [("content-type", FORM), ("x-twilio-signature", signature.as_str())];
    server.send("POST", path, "", &headers, form.into()).await
}

#[tokio::test]
async fn twilio_calls_in_and_tells_what_became_of_it() {
    let (server, acme, ada) = prepared().await;
    let account = json!({
        "provider": "twilio", "name": ACCOUNT, "secrets": { "auth_tokens": [TOKEN] },
        "numbers": ["+14255550111"], "greeting": "Hello <you> & all",
    });
    server.post("/telephony/accounts", &acme.owner, &account).await.is(201);
    server.post("/telephony/accounts", &acme.owner, &account).await.problem(409, "already_exists");
    let listed = server.get("/telephony/accounts", &acme.owner).await;
    assert!(!listed.text().contains(TOKEN));
    let mut fields = vec![
        ("AccountSid", ACCOUNT),
        ("CallSid", "CA00000000000000000000000000000001"),
        ("From", "+14255550123"),
        ("To", "+14255550111"),
        ("Direction", "inbound"),
        ("CallStatus", "ringing"),
    ];
    let voice = "/webhooks/twilio/voice";
    told(&server, voice, "another token", &fields).await.problem(403, "forbidden");
    for _ in 0..2 {
        let reply = told(&server, voice, TOKEN, &fields).await;
        assert_eq!(reply.status.as_u16(), 200, "{}", reply.text());
        assert_eq!(reply.header("content-type").split(';').next(), Some("text/xml"));
        assert!(reply.text().contains("Hello &lt;you&gt; &amp; all"), "{}", reply.text());
    }
    let calls = server.get("/calls?direction=inbound", &acme.owner).await.is(200);
    assert_eq!(calls["items"].as_array().unwrap().len(), 1, "{calls}");
    assert_eq!(calls["items"][0]["contact_id"], ada.as_str());
    fields[5].1 = "completed";
    fields.extend([("CallDuration", "42"), ("SequenceNumber", "3")]);
    for _ in 0..2 {
        assert_eq!(told(&server, "/webhooks/twilio", TOKEN, &fields).await.status.as_u16(), 204);
    }
    let call = server.get("/calls?status=completed", &acme.owner).await.is(200);
    assert_eq!(call["items"][0]["duration_seconds"], 42);
    assert_eq!(call["items"][0]["version"], 2);
}

#[tokio::test]
async fn a_dead_job_is_listed_retried_and_discarded() {
    let (server, acme, ada) = prepared().await;
    let new = crm_core::jobs::NewJob::new("test.fails", &json!({ "about": ada })).unwrap();
    acme.session.jobs().enqueue(new.attempts(1)).await.unwrap();
    let fails =
        |_| async { Err(crm_core::Error::unavailable("the printer is out of paper", "no paper")) };
    let worker = server.crm.worker().handle("test.fails", fails);
    worker.run_due().await.unwrap();
    let dead = server.get("/jobs?state=dead", &acme.owner).await.is(200);
    let job = &dead["items"][0];
    assert_eq!(job["failure"], "unavailable: the printer is out of paper");
    let path = format!("/jobs/{}", id_of(job));
    let retried = server.post_empty(&format!("{path}/retry"), &acme.owner).await.is(200);
    assert_eq!((&retried["state"], &retried["attempts"]), (&json!("ready"), &json!(0)));
    server.delete(&path, &acme.owner).await.problem(409, "conflict");
    worker.run_due().await.unwrap();
    server.delete(&path, &acme.owner).await.is(204);
    server.get(&path, &acme.owner).await.problem(404, "not_found");
}

//! Log lines.

use serde_json::{Value, json};

use crate::process::Server;
use crate::shell::Shell;

#[test]
fn a_line_tells_who_did_what_and_no_secret() {
    let shell = Shell::new();
    let server = Server::start(&shell, &["--log-format", "json", "--log-level", "debug"]);
    let reply = server.register();
    let (body, token) = (reply.json(), reply.json()["access_token"].as_str().unwrap().to_owned());
    let refresh = body["refresh_token"].as_str().unwrap().to_owned();
    let named = [("x-request-id", "own-id.1"), ("authorization", &*format!("Bearer {token}"))];
    assert_eq!(server.send("GET", "/contacts?tag=MARKER", &named, "").status, 200);
    server.get_as("MARKER", "/auth/me");
    server.get("/MARKER");
    server
        .post("/auth/login", &json!({ "email": "ada@acme.example", "password": "MARKER MARKER" }));
    server.post("/auth/login", &json!({ "MARKER": "MARKER" }));
    server.post("/auth/refresh", &json!({ "refresh_token": refresh }));
    server.send("POST", "/contacts", &named[1..], "{\"first_name\":\"MARKER\"}");
    server.stop();

    let written = shell.read("stderr");
    for secret in ["MARKER", &token, &refresh, crate::process::PASSWORD] {
        assert!(!written.contains(secret), "{secret}: {written}");
    }
    let lines: Vec<Value> =
        written.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let of_access =
        |line: &&Value| line["target"] == "crm_http::access" && line["request_id"] == "own-id.1";
    let line = lines.iter().find(of_access).unwrap();
    assert_eq!(line["tenant"], body["tenant"]["id"]);
    assert_eq!(line["user"], format!("user:{}", body["user"]["id"].as_str().unwrap()));
    assert_eq!((&line["method"], &line["route"]), (&json!("GET"), &json!("/contacts")));
    assert_eq!((&line["status"], &line["address"]), (&json!(200), &json!("127.0.0.1")));
    assert!(line["duration_ms"].as_f64().unwrap() > 0.0);
    assert_eq!(line.get("code"), None);
    let refused = lines.iter().filter(|line| line["target"] == "crm_http::access");
    let refused: Vec<_> = refused.filter_map(|line| line["code"].as_str()).collect();
    assert_eq!(refused, ["unauthenticated", "not_found", "unauthenticated", "invalid"]);
}

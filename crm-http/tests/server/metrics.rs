//! Metrics, on a listener of their own.

use serde_json::json;

use crate::http;
use crate::process::Server;
use crate::shell::Shell;

#[test]
fn metrics_are_for_the_operator_alone() {
    let shell = Shell::new();
    let server = Server::start(&shell, &[]);
    server.token();
    server.post("/auth/login", &json!({ "email": "ada@acme.example", "password": "not the one" }));
    assert_eq!(server.get("/metrics").status, 404);
    let there = http::send(&server.metrics, &http::request("GET", "/health/live", &[], ""));
    assert_eq!(there.status, 404, "the listener of the metrics has nothing else");

    let metrics = http::send(&server.metrics, &http::request("GET", "/metrics", &[], "")).body;
    for line in [
        "crm_build_info{version=\"0.1.0\"} 1",
        "crm_http_requests_total{method=\"POST\",route=\"/auth/register\",status=\"2xx\"} 1",
        "crm_http_requests_total{method=\"GET\",route=\"none\",status=\"4xx\"} 1",
        "crm_http_request_duration_seconds_count{method=\"POST\",route=\"/auth/login\",status=\"4xx\"} 1",
        "crm_http_requests_in_flight 0",
        "crm_sign_ins_total{result=\"unauthenticated\"} 1",
        "crm_password_hashes_waiting 0",
    ] {
        assert!(metrics.contains(line), "{line}: {metrics}");
    }
    assert!(metrics.contains("crm_password_hash_wait_seconds_bucket"), "{metrics}");
}

#[test]
fn metrics_can_be_off() {
    let shell = Shell::new();
    let mut command = shell.command(&[
        "serve",
        "--listen",
        "127.0.0.1:0",
        "--metrics-listen",
        "off",
        "--drain-timeout",
        "1ms",
    ]);
    command.stdout(std::process::Stdio::piped());
    let mut child = command.spawn().unwrap();
    let mut stdout = std::io::BufReader::new(child.stdout.take().unwrap());
    let mut line = String::new();
    std::io::BufRead::read_line(&mut stdout, &mut line).unwrap();
    assert!(line.starts_with("listening on"), "{line}");
    child.kill().unwrap();
    child.wait().unwrap();
    let mut rest = String::new();
    std::io::Read::read_to_string(&mut stdout, &mut rest).unwrap();
    assert_eq!(rest, "");
}

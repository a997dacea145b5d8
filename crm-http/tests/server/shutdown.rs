//! Told to stop.

use std::io::Write;
use std::net::TcpStream;

use crate::http;
use crate::process::Server;
use crate::shell::Shell;

/// The half of a request, which the server has begun to serve.
fn half_sent(server: &Server) -> (TcpStream, String) {
    let body = r#"{"email":"nobody@acme.example","password":"whatever it may be"}"#;
    let text = http::request("POST", "/auth/login", &[], body);
    let (first, rest) = text.split_at(text.len() - 10);
    let mut stream = TcpStream::connect(&server.address).unwrap();
    stream.write_all(first.as_bytes()).unwrap();
    // The metrics tell when it is in flight.
    loop {
        let metrics = http::send(&server.metrics, &http::request("GET", "/metrics", &[], ""));
        if metrics.body.contains("crm_http_requests_in_flight 1") {
            return (stream, rest.to_owned());
        }
    }
}

#[test]
fn what_is_in_flight_is_finished_and_nothing_else_begins() {
    let shell = Shell::new();
    let server = Server::start(&shell, &[]);
    let mut idle = TcpStream::connect(&server.address).unwrap();
    idle.write_all(http::request("GET", "/health/live", &[], "").as_bytes()).unwrap();
    assert_eq!(http::read(&mut idle).status, 200);
    let silent = TcpStream::connect(&server.address).unwrap();
    let (mut stream, rest) = half_sent(&server);

    server.signal("TERM");
    while TcpStream::connect(&server.address).is_ok() {}
    stream.write_all(rest.as_bytes()).unwrap();
    let reply = http::read(&mut stream);
    assert_eq!(reply.status, 401, "{reply:?}");
    assert_eq!(server.ended().code(), Some(0));
    drop((idle, silent));
}

#[test]
fn a_second_signal_ends_at_once() {
    let shell = Shell::new();
    let server = Server::start(&shell, &[]);
    let stream = half_sent(&server);
    server.signal("TERM");
    while TcpStream::connect(&server.address).is_ok() {}
    server.signal("INT");
    assert_eq!(server.ended().code(), Some(130));
    drop(stream);
}

#[test]
fn what_takes_longer_than_the_limit_is_cut_off() {
    let shell = Shell::new();
    let server = Server::start(&shell, &["--drain-timeout", "50ms"]);
    let stream = half_sent(&server);
    server.stop();
    assert!(shell.read("stderr").contains("cut off"), "{}", shell.read("stderr"));
    drop(stream);
}

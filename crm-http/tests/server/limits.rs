//! What is too much.

use std::io::{Read, Write};
use std::net::TcpStream;

use crate::http;
use crate::process::Server;
use crate::shell::Shell;

#[test]
fn strangers_are_counted_by_their_address() {
    let shell = Shell::new();
    let server = Server::start(&shell, &["--rate-limit-address", "3/3h"]);
    for left in ["2", "1", "0"] {
        let reply = server.send("GET", "/openapi.json", &[("x-forwarded-for", left)], "");
        assert_eq!(reply.status, 200);
        assert_eq!(reply.header("ratelimit-policy"), Some("\"address\";q=3;w=10800"));
        let told = reply.header("ratelimit").unwrap();
        assert!(told.starts_with(&format!("\"address\";r={left};t=")), "{told}");
    }
    // What a stranger says of the address is of no use, nor is a token that is none.
    let forged = server.send("GET", "/openapi.json", &[("x-forwarded-for", "203.0.113.7")], "");
    let unknown = server.get_as("none", "/auth/me");
    for reply in [forged, unknown] {
        assert_eq!(reply.status, 429, "{reply:?}");
        assert_eq!(reply.json()["code"], "rate_limited");
        let wait: u64 = reply.header("retry-after").unwrap().parse().unwrap();
        assert!((1..=3600).contains(&wait), "{wait}");
        assert!(reply.header("ratelimit").unwrap().starts_with("\"address\";r=0;t="), "{reply:?}");
    }
    assert_eq!(server.get("/health/live").status, 200, "probes are no callers");
}

#[test]
fn a_trusted_proxy_tells_addresses_apart() {
    let shell = Shell::new();
    let args = ["--rate-limit-address", "1/1h", "--trusted-proxies", "127.0.0.0/8,::1"];
    let server = Server::start(&shell, &args);
    let from = |told: &str| server.send("GET", "/openapi.json", &[("x-forwarded-for", told)], "");
    assert_eq!(from("203.0.113.7").status, 200);
    assert_eq!(from("203.0.113.8").status, 200);
    assert_eq!(from("198.51.100.1, 203.0.113.7").status, 429, "only the proxy's own entry counts");
}

#[test]
fn callers_are_counted_wherever_they_come_from() {
    let shell = Shell::new();
    let server = Server::start(&shell, &["--rate-limit", "2/1h"]);
    let token = server.token();
    assert!(server.get_as(&token, "/auth/me").header("ratelimit").unwrap().contains("r=1"));
    assert_eq!(server.get_as(&token, "/auth/me").status, 200);
    let refused = server.get_as(&token, "/auth/me");
    assert_eq!(refused.status, 429);
    assert_eq!(refused.header("ratelimit-policy"), Some("\"caller\";q=2;w=3600"));
    assert_eq!(server.get("/openapi.json").status, 200);
}

#[test]
fn a_head_without_end_is_refused() {
    let shell = Shell::new();
    let server = Server::start(&shell, &[]);
    let long = "x".repeat(64 * 1024);
    let mut stream = TcpStream::connect(&server.address).unwrap();
    let text = http::request("GET", "/health/live", &[("x-long", &long)], "");
    // The server may close before all of it is sent.
    stream.write_all(text.as_bytes()).ok();
    let mut reply = [0; 12];
    stream.read_exact(&mut reply).unwrap();
    assert_eq!(&reply, b"HTTP/1.1 431");
}

#[test]
fn only_so_many_connections_are_served_at_once() {
    let shell = Shell::new();
    let server = Server::start(&shell, &["--max-connections", "1"]);
    let mut first = TcpStream::connect(&server.address).unwrap();
    first.write_all(http::request("GET", "/health/live", &[], "").as_bytes()).unwrap();
    assert_eq!(http::read(&mut first).status, 200);
    let mut second = TcpStream::connect(&server.address).unwrap();
    second.write_all(http::request("GET", "/health/live", &[], "").as_bytes()).unwrap();
    second.set_read_timeout(Some(std::time::Duration::from_millis(100))).unwrap();
    assert!(second.read(&mut [0; 1]).is_err(), "it waits for the first one to end");
    second.set_read_timeout(None).unwrap();
    drop(first);
    assert_eq!(http::read(&mut second).status, 200);
}

#[test]
fn who_says_nothing_or_half_a_head_is_not_waited_for() {
    let shell = Shell::new();
    let server = Server::start(&shell, &["--head-limit", "100ms"]);
    // The beginning of a request of either version of HTTP, and one whose first was whole.
    for said in ["", "PRI * HT", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", "GET / HTTP/1.1\r\nx: "] {
        let mut stream = TcpStream::connect(&server.address).unwrap();
        stream.write_all(said.as_bytes()).unwrap();
        stream.read_to_end(&mut Vec::new()).ok();
    }
    let mut stream = TcpStream::connect(&server.address).unwrap();
    stream.write_all(http::request("GET", "/health/live", &[], "").as_bytes()).unwrap();
    assert_eq!(http::read(&mut stream).status, 200);
    assert_eq!(stream.read(&mut [0; 1]).unwrap(), 0);
}

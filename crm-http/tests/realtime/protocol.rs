//! Clients that break RFC 6455, or the API, byte by byte.

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use crm_core::Role;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use crate::scene::{Client, SOON, Scene};

/// A socket after its handshake, and the bytes that were read.
struct Raw(TcpStream);

impl Raw {
    async fn of(scene: &Scene, token: &str) -> Raw {
        let mut stream = TcpStream::connect(scene.node.address).await.unwrap();
        let key = STANDARD.encode([7; 16]);
        let request = format!(
            "GET /ws HTTP/1.1\r\nHost: {}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
             Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: {key}\r\n\
             Authorization: Bearer {token}\r\n\r\n",
            scene.node.address
        );
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            head.push(stream.read_u8().await.unwrap());
        }
        assert!(head.starts_with(b"HTTP/1.1 101"), "{}", String::from_utf8_lossy(&head));
        let mut raw = Raw(stream);
        let (opcode, hello) = raw.frame().await.unwrap();
        assert_eq!(opcode, 1);
        let hello: Value = serde_json::from_slice(&hello).unwrap();
        assert_eq!(hello["type"], "hello");
        raw
    }

    /// The next frame: its opcode and what it holds.
    async fn frame(&mut self) -> Option<(u8, Vec<u8>)> {
        let read = async {
            let first = self.0.read_u8().await.ok()?;
            let length = match self.0.read_u8().await.ok()? {
                126 => usize::from(self.0.read_u16().await.ok()?),
                127 => usize::try_from(self.0.read_u64().await.ok()?).ok()?,
                short => usize::from(short),
            };
            let mut payload = vec![0; length];
            self.0.read_exact(&mut payload).await.ok()?;
            Some((first & 15, payload))
        };
        tokio::time::timeout(SOON, read).await.expect("an answer in time")
    }

    /// The code of the server's close frame; `None` where it has just gone.
    async fn end(&mut self) -> Option<u16> {
        loop {
            let (opcode, payload) = self.frame().await?;
            if opcode == 8 {
                return Some(u16::from_be_bytes([payload[0], payload[1]]));
            }
        }
    }
}

/// A frame as a client sends it: masked.
fn frame(first: u8, payload: &[u8]) -> Vec<u8> {
    let mask = [1, 2, 3, 4];
    let mut bytes = vec![first];
    match payload.len() {
        short @ 0..126 => bytes.push(0x80 | short as u8),
        medium @ 126..65_536 => {
            bytes.push(0x80 | 126);
            bytes.extend((medium as u16).to_be_bytes());
        }
        long => {
            bytes.push(0x80 | 127);
            bytes.extend((long as u64).to_be_bytes());
        }
    }
    bytes.extend(mask);
    bytes.extend(payload.iter().zip(mask.iter().cycle()).map(|(byte, mask)| byte ^ mask));
    bytes
}

#[tokio::test]
async fn who_breaks_the_protocol_is_sent_away() {
    let scene = Scene::new().await;
    let viewer = scene.person(Role::Viewer).await;
    let ping = br#"{"type":"ping"}"#;
    let mut unmasked = vec![0x81, ping.len() as u8];
    unmasked.extend(ping);
    let huge = {
        let mut bytes = vec![0x81, 0x80 | 127];
        bytes.extend(u64::MAX.to_be_bytes());
        bytes.extend([0; 4]);
        bytes
    };
    let after_fragment = [frame(0x01, b"{"), frame(0x81, ping)].concat();
    let fragments_too_large =
        [frame(0x01, &[b' '; 10_000]), frame(0x00, &[b' '; 10_000]), frame(0x80, ping)].concat();
    let cases: Vec<(&str, Vec<u8>, &[u16])> = vec![
        ("not masked", unmasked, &[1002]),
        ("a reserved bit", frame(0xc1, ping), &[1002]),
        ("another reserved bit", frame(0x91, ping), &[1002]),
        ("a reserved opcode", frame(0x83, ping), &[1002]),
        ("a reserved control opcode", frame(0x8b, b""), &[1002]),
        ("a ping in fragments", frame(0x09, b""), &[1002]),
        ("a ping of 126 bytes", frame(0x89, &[0; 126]), &[1002]),
        ("a continuation of nothing", frame(0x80, ping), &[1002]),
        ("a message within a message", after_fragment, &[1002]),
        ("no UTF-8", frame(0x81, &[0xff, 0xfe]), &[1007]),
        ("half a letter", frame(0x81, &[0xc3]), &[1007]),
        ("binary", frame(0x82, ping), &[1003]),
        ("larger than may be", frame(0x81, &[b' '; 16_385]), &[1009]),
        ("larger than there is", huge, &[1009, 1002]),
        ("larger in all than may be", fragments_too_large, &[1009]),
        ("a close of one byte", frame(0x88, &[3]), &[1002]),
        ("a close code that none may send", frame(0x88, &1005u16.to_be_bytes()), &[1002]),
        ("a close code that is none", frame(0x88, &77u16.to_be_bytes()), &[1002]),
    ];
    for (name, bytes, expected) in cases {
        let mut raw = Raw::of(&scene, viewer.access_token.reveal()).await;
        raw.0.write_all(&bytes).await.unwrap();
        let code = raw.end().await;
        assert!(code.is_some_and(|code| expected.contains(&code)), "{name}: {code:?}");
    }
}

#[tokio::test]
async fn what_is_no_message_is_answered_and_forgiven() {
    let scene = Scene::new().await;
    let viewer = scene.person(Role::Viewer).await;
    let mut client = Client::of(&scene.node, viewer.access_token.reveal()).await;
    let many: Vec<String> = (0..101).map(|_| "tenant".to_owned()).collect();
    for message in [
        json!({}),
        json!("ping"),
        json!({ "type": "shout" }),
        json!({ "type": "subscribe" }),
        json!({ "type": "subscribe", "topics": ["tenant:1"] }),
        json!({ "type": "subscribe", "topics": ["contact:1"] }),
        json!({ "type": "subscribe", "topics": ["tenant"], "since": 1 }),
        json!({ "type": "subscribe", "topics": ["tenant"], "after": 1 }),
        json!({ "type": "subscribe", "topics": many }),
        json!({ "type": "ack" }),
    ] {
        client.say(&message).await;
        assert_eq!(client.next().await["type"], "error", "{message}");
    }
    client.say(&json!({ "type": "ping" })).await;
    assert_eq!(client.next().await["type"], "pong");
}

#[tokio::test]
async fn who_says_too_much_is_sent_away() {
    let scene = Scene::new().await;
    let viewer = scene.person(Role::Viewer).await;
    let mut client = Client::of(&scene.node, viewer.access_token.reveal()).await;
    for _ in 0..200 {
        client.say(&json!({ "type": "ping" })).await;
    }
    assert_eq!(client.end().await, Some((4429, "too_many_messages".to_owned())));
}

#[tokio::test]
async fn who_is_silent_is_asked_and_sent_away() {
    let heartbeat = Duration::from_millis(50);
    let scene = Scene::with(|config| config.heartbeat = heartbeat).await;
    let viewer = scene.person(Role::Viewer).await;
    let mut raw = Raw::of(&scene, viewer.access_token.reveal()).await;
    let (asked, _) = raw.frame().await.unwrap();
    assert_eq!(asked, 9, "a ping");
    // Who answers stays.
    raw.0.write_all(&frame(0x8a, b"")).await.unwrap();
    assert_eq!(raw.frame().await.unwrap().0, 9, "a ping");
    assert_eq!(raw.end().await, Some(4408));
}

//! Clients as light as can be: bytes are read and counted, nothing is kept.

use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::task::JoinHandle;

use crate::server::{Peer, Server};

/// Microseconds since 1970, the same for every process.
pub(crate) fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_micros() as u64
}

/// How long each delivery took.
#[derive(Clone, Default)]
pub(crate) struct Told(Arc<Mutex<Vec<Duration>>>);

impl Told {
    pub(crate) fn take(&self) -> Vec<Duration> {
        std::mem::take(&mut self.0.lock().unwrap())
    }

    /// All deliveries, sorted, once there are so many or the time is over.
    pub(crate) async fn wait_for(&self, count: usize, longest: Duration) -> Vec<Duration> {
        let until = std::time::Instant::now() + longest;
        while self.0.lock().unwrap().len() < count && std::time::Instant::now() < until {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        let mut all = self.take();
        all.sort_unstable();
        all
    }
}

/// One that is connected, and read from in the background.
pub(crate) struct Client(JoinHandle<()>);

impl Drop for Client {
    fn drop(&mut self) {
        self.0.abort();
    }
}

impl Client {
    /// One client for each tenant that is named by its number.
    pub(crate) async fn connect_all(server: &Server, of: &[usize], told: &Told) -> Vec<Client> {
        let mut clients = Vec::new();
        for some in of.chunks(100) {
            let connecting = some.iter().map(|tenant| Client::connect(server, *tenant, told));
            clients.extend(futures::future::join_all(connecting).await);
        }
        clients
    }

    async fn connect(server: &Server, tenant: usize, told: &Told) -> Client {
        let bearer = format!("Authorization: Bearer {}\r\n", server.token(tenant));
        let mut stream = open(server, &format!("/ws?tenant={tenant}"), &bearer).await;
        if server.peer == Peer::Crm {
            text(&mut stream, r#"{"type":"subscribe","topics":["tenant"]}"#).await;
        }
        let told = told.clone();
        Client(tokio::spawn(async move { read(stream, told).await }))
    }

    /// The position that a new client is told.
    pub(crate) async fn position(server: &Server) -> String {
        let bearer = format!("Authorization: Bearer {}\r\n", server.token(0));
        let mut stream = open(server, "/ws", &bearer).await;
        let hello = frame(&mut stream).await;
        let hello: serde_json::Value = serde_json::from_slice(&hello).unwrap();
        hello["position"].as_str().unwrap().to_owned()
    }

    /// Gets a ticket, connects with it, and reads the first of what was missed.
    pub(crate) async fn come_back(server: &Server, position: &str) {
        let ticket = server.ticket().await;
        let mut stream = open(server, &format!("/ws?ticket={ticket}"), "").await;
        let subscribe =
            format!(r#"{{"type":"subscribe","topics":["tenant"],"after":"{position}"}}"#);
        text(&mut stream, &subscribe).await;
        frame(&mut stream).await;
        let missed = frame(&mut stream).await;
        assert!(missed.starts_with(br#"{"type":"event""#), "{}", String::from_utf8_lossy(&missed));
    }
}

/// A socket after its handshake.
async fn open(server: &Server, path: &str, headers: &str) -> TcpStream {
    let path = if server.peer == Peer::Crm { path.split("?tenant").next().unwrap() } else { path };
    let mut stream = TcpStream::connect(server.address).await.unwrap();
    stream.set_nodelay(true).unwrap();
    let request = format!(
        "GET {path} HTTP/1.1\r\nHost: bench\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
         Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n{headers}\r\n"
    );
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(stream.read_u8().await.unwrap());
    }
    assert!(head.starts_with(b"HTTP/1.1 101"), "{}", String::from_utf8_lossy(&head));
    stream
}

/// Sends a short text, masked with zeros.
async fn text(stream: &mut TcpStream, text: &str) {
    let mut bytes = vec![0x81, 0x80 | u8::try_from(text.len()).unwrap(), 0, 0, 0, 0];
    bytes.extend(text.as_bytes());
    stream.write_all(&bytes).await.unwrap();
}

/// The next frame.
async fn frame(stream: &mut TcpStream) -> Vec<u8> {
    stream.read_u8().await.unwrap();
    let length = match stream.read_u8().await.unwrap() {
        126 => usize::from(stream.read_u16().await.unwrap()),
        127 => usize::try_from(stream.read_u64().await.unwrap()).unwrap(),
        short => usize::from(short),
    };
    let mut payload = vec![0; length];
    stream.read_exact(&mut payload).await.unwrap();
    payload
}

/// Reads frames and notes how old each event is: its body is the time at which its commit began.
async fn read(mut stream: TcpStream, told: Told) {
    const BODY: &[u8] = b"\"body\":\"";
    let mut buffer = Vec::new();
    loop {
        // Small where nothing comes: clients are many.
        buffer.reserve(1024);
        match stream.read_buf(&mut buffer).await {
            Ok(0) | Err(_) => return,
            Ok(_) => {}
        }
        let (now, mut at, mut ages) = (now(), 0, Vec::new());
        while let Some((head, length)) = measured(&buffer[at..]) {
            let Some(payload) = buffer.get(at + head..at + head + length) else { break };
            if let Some(body) = payload.windows(BODY.len()).position(|part| part == BODY) {
                let digits = &payload[body + BODY.len()..];
                let end = digits.iter().position(|byte| *byte == b'"').unwrap();
                let sent: u64 = std::str::from_utf8(&digits[..end]).unwrap().parse().unwrap();
                ages.push(Duration::from_micros(now.saturating_sub(sent)));
            }
            at += head + length;
        }
        buffer.drain(..at);
        if !ages.is_empty() {
            told.0.lock().unwrap().extend(ages);
        }
    }
}

/// Bytes of a frame's head and of what it holds.
fn measured(bytes: &[u8]) -> Option<(usize, usize)> {
    match bytes.get(1)? {
        126 => {
            let length = bytes.get(2..4)?;
            Some((4, usize::from(u16::from_be_bytes([length[0], length[1]]))))
        }
        127 => {
            let length: [u8; 8] = bytes.get(2..10)?.try_into().ok()?;
            Some((10, usize::try_from(u64::from_be_bytes(length)).ok()?))
        }
        short => Some((2, usize::from(*short))),
    }
}

//! A wire to a server that counts what goes over it, and can be cut.

use std::io;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use tokio::io::{AsyncReadExt, AsyncWriteExt, BufReader, BufWriter};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;

use super::address::Address;

// What a client may say before its startup message; PostgreSQL's page on message formats has them.
const SSL_REQUEST: u32 = 80_877_103;
const GSS_ENCRYPTION_REQUEST: u32 = 80_877_104;

/// Passes PostgreSQL's messages between clients and a server, unencrypted.
///
/// A round trip is what makes the server answer: a `Query` or a `Sync`. A pool's check of a
/// connection before it is lent is one too; `test_before_acquire(false)` turns it off.
pub(crate) struct Proxy {
    address: String,
    shared: Arc<Shared>,
    accepting: JoinHandle<()>,
}

#[derive(Default)]
struct Shared {
    round_trips: AtomicUsize,
    /// How many more requests begin before one is left without its reply; 0: none is.
    until_cut: AtomicUsize,
    connections: Mutex<Vec<JoinHandle<()>>>,
}

impl Proxy {
    /// In front of the server that the URL names.
    pub(crate) async fn start(url: &str) -> Proxy {
        let server = Address::parse(url).host_and_port;
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let shared = Arc::new(Shared::default());
        let accepting = tokio::spawn({
            let shared = Arc::clone(&shared);
            async move {
                while let Ok((client, _)) = listener.accept().await {
                    let connection = serve(client, server.clone(), Arc::clone(&shared));
                    let mut connections = shared.connections.lock().unwrap();
                    connections.retain(|connection| !connection.is_finished());
                    connections.push(tokio::spawn(async {
                        // However it ends, both sides see their connection closed.
                        let _ = connection.await;
                    }));
                }
            }
        });
        Proxy { address, shared, accepting }
    }

    /// The same URL, through the proxy.
    pub(crate) fn url(&self, url: &str) -> String {
        Address::parse(url).at(&self.address).to_string()
    }

    pub(crate) fn reset(&self) {
        self.shared.round_trips.store(0, Ordering::SeqCst);
    }

    /// Round trips of all clients since the start or `reset`.
    pub(crate) fn count(&self) -> usize {
        self.shared.round_trips.load(Ordering::SeqCst)
    }

    /// Closes every connection; new ones are served. All are closed when it returns.
    pub(crate) async fn cut(&self) {
        let connections = std::mem::take(&mut *self.shared.connections.lock().unwrap());
        for connection in &connections {
            connection.abort();
        }
        for connection in connections {
            let _ = connection.await;
        }
    }

    /// The next request of any client is carried out by the server, whose whole reply is lost: the
    /// client only sees its connection closed.
    pub(crate) fn cut_before_next_reply(&self) {
        self.cut_before_reply(1);
    }

    /// The same for the n-th request from now on, counted from 1. A statement that a connection
    /// sees for the first time may take a request of its own to be prepared.
    pub(crate) fn cut_before_reply(&self, nth: usize) {
        assert!(nth > 0, "requests are counted from 1");
        self.shared.until_cut.store(nth, Ordering::SeqCst);
    }

    /// Whether a cut that was asked for is still to come.
    pub(crate) fn awaits_cut(&self) -> bool {
        self.shared.until_cut.load(Ordering::SeqCst) > 0
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.accepting.abort();
        for connection in self.shared.connections.lock().unwrap().iter() {
            connection.abort();
        }
    }
}

/// One client's connection, as both directions see it.
#[derive(Default)]
struct Connection {
    /// Replies are swallowed, and the connection ends when the server owes none.
    doomed: AtomicBool,
    /// `ReadyForQuery` messages that the server owes.
    owed: AtomicUsize,
}

async fn serve(client: TcpStream, server: String, shared: Arc<Shared>) -> io::Result<()> {
    let server = TcpStream::connect(server).await?;
    client.set_nodelay(true)?;
    server.set_nodelay(true)?;
    let (client_reader, mut client_writer) = client.into_split();
    let (server_reader, server_writer) = server.into_split();
    let mut client_reader = BufReader::new(client_reader);
    let mut server_writer = BufWriter::new(server_writer);

    start_up(&mut client_reader, &mut client_writer, &mut server_writer).await?;
    let connection = Connection { owed: AtomicUsize::new(1), ..Connection::default() };
    tokio::select! {
        end = requests(client_reader, server_writer, &shared, &connection) => end,
        end = replies(BufReader::new(server_reader), BufWriter::new(client_writer), &connection) => end,
    }
}

/// Up to the startup message, or the request to cancel in its place: so far no type byte is sent.
async fn start_up(
    from: &mut BufReader<OwnedReadHalf>,
    back: &mut OwnedWriteHalf,
    to: &mut BufWriter<OwnedWriteHalf>,
) -> io::Result<()> {
    loop {
        let length = from.read_u32().await?;
        let code = from.read_u32().await?;
        if code == SSL_REQUEST || code == GSS_ENCRYPTION_REQUEST {
            // Refused here: encrypted messages could not be read.
            back.write_all(b"N").await?;
            continue;
        }
        to.write_u32(length).await?;
        to.write_u32(code).await?;
        pass(from, to, length, 8).await?;
        return to.flush().await;
    }
}

async fn requests(
    mut from: BufReader<OwnedReadHalf>,
    mut to: BufWriter<OwnedWriteHalf>,
    shared: &Shared,
    connection: &Connection,
) -> io::Result<()> {
    let mut within_request = false;
    loop {
        let kind = from.read_u8().await?;
        let length = from.read_u32().await?;
        // A farewell, a password and the data of a COPY are no requests.
        let asks = !matches!(kind, b'X' | b'p' | b'd' | b'c' | b'f');
        if asks && !within_request {
            within_request = true;
            // Owed from the first message on: the reply before it must not count as its own.
            connection.owed.fetch_add(1, Ordering::SeqCst);
            let left = |left: usize| left.checked_sub(1);
            if shared.until_cut.fetch_update(Ordering::SeqCst, Ordering::SeqCst, left) == Ok(1) {
                connection.doomed.store(true, Ordering::SeqCst);
            }
        }
        if kind == b'Q' || kind == b'S' {
            within_request = false;
            shared.round_trips.fetch_add(1, Ordering::SeqCst);
        }
        to.write_u8(kind).await?;
        to.write_u32(length).await?;
        pass(&mut from, &mut to, length, 4).await?;
        if from.buffer().is_empty() {
            to.flush().await?;
        }
    }
}

async fn replies(
    mut from: BufReader<OwnedReadHalf>,
    mut to: BufWriter<OwnedWriteHalf>,
    connection: &Connection,
) -> io::Result<()> {
    loop {
        let kind = from.read_u8().await?;
        let length = from.read_u32().await?;
        let ready = kind == b'Z';
        let last = ready && connection.owed.fetch_sub(1, Ordering::SeqCst) == 1;
        if connection.doomed.load(Ordering::SeqCst) {
            pass(&mut from, &mut tokio::io::sink(), length, 4).await?;
            if last {
                return Ok(());
            }
            continue;
        }
        to.write_u8(kind).await?;
        to.write_u32(length).await?;
        pass(&mut from, &mut to, length, 4).await?;
        if from.buffer().is_empty() {
            to.flush().await?;
        }
    }
}

/// The rest of a message of `length`, of which `passed` bytes have been read.
async fn pass(
    from: &mut BufReader<OwnedReadHalf>,
    to: &mut (impl AsyncWriteExt + Unpin),
    length: u32,
    passed: u32,
) -> io::Result<()> {
    let rest = length.checked_sub(passed).ok_or(io::ErrorKind::InvalidData)?;
    let mut rest = from.take(rest.into());
    tokio::io::copy_buf(&mut rest, to).await?;
    match rest.limit() {
        0 => Ok(()),
        _ => Err(io::ErrorKind::UnexpectedEof.into()),
    }
}

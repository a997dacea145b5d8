//! A way to a server that can be cut.

use std::net::SocketAddr;
use std::sync::Arc;

use async_trait::async_trait;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::AbortHandle;

use crate::nodes::Outage;

/// A port of 127.0.0.1 that leads to a server, as long as there is no [`Outage`]. Clones share it; it ends
/// with the last.
#[derive(Debug, Clone)]
pub struct Proxy {
    /// Where it listens.
    pub address: SocketAddr,
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    is_open: watch::Sender<bool>,
    accepting: AbortHandle,
}

impl Proxy {
    /// A way to the server at `HOST:PORT`.
    ///
    /// # Errors
    ///
    /// When no port can be listened on.
    pub async fn to(server: impl Into<String>) -> std::io::Result<Self> {
        let server: Arc<str> = server.into().into();
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let address = listener.local_addr()?;
        let is_open = watch::Sender::new(true);
        let opened = is_open.clone();
        let accepting = tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                tokio::spawn(lead(client, Arc::clone(&server), opened.subscribe()));
            }
        });
        let shared = Shared { is_open, accepting: accepting.abort_handle() };
        Ok(Proxy { address, shared: Arc::new(shared) })
    }
}

async fn lead(mut client: TcpStream, server: Arc<str>, mut is_open: watch::Receiver<bool>) {
    if !*is_open.borrow() {
        return;
    }
    let lead = async {
        let mut server = TcpStream::connect(&*server).await?;
        tokio::io::copy_bidirectional(&mut client, &mut server).await
    };
    tokio::select! {
        _ = lead => {}
        _ = is_open.wait_for(|is_open| !is_open) => {}
    }
}

#[async_trait]
impl Outage for Proxy {
    async fn begin(&self) {
        self.shared.is_open.send_replace(false);
    }

    async fn end(&self) {
        self.shared.is_open.send_replace(true);
    }
}

impl Drop for Shared {
    fn drop(&mut self) {
        self.accepting.abort();
        self.is_open.send_replace(false);
    }
}

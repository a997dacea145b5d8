//! A server that answers as it is told, also as none should: it breaks off, stands still, goes away.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

/// A request that came.
#[derive(Debug, Clone)]
pub(crate) struct Came {
    pub(crate) method: String,
    pub(crate) target: String,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: String,
}

impl Came {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(own, _)| own == name).map(|(_, value)| value.as_str())
    }

    /// The fields of the form, sorted.
    pub(crate) fn form(&self) -> Vec<(String, String)> {
        let mut form: Vec<_> = form_urlencoded::parse(self.body.as_bytes()).into_owned().collect();
        form.sort();
        form
    }
}

/// How a request is answered.
#[derive(Debug, Clone)]
pub(crate) enum Answer {
    /// With this status, these headers and this body.
    Says(u16, Vec<(&'static str, String)>, String),
    /// With the head of a body of this many bytes, and this one only.
    BreaksOff(usize, &'static str),
    /// With as many bytes, piece by piece.
    Streams(usize),
    /// With a first byte and nothing more, and the line stays open.
    StandsStill,
    /// Not at all, and the line stays open.
    IsSilent,
    /// Not at all, and the line is cut.
    HangsUp,
}

impl Answer {
    pub(crate) fn json(status: u16, body: impl Into<String>) -> Self {
        Answer::Says(status, vec![("content-type", "application/json".to_owned())], body.into())
    }

    pub(crate) fn redirect(to: impl Into<String>) -> Self {
        Answer::Says(302, vec![("location", to.into())], String::new())
    }

    pub(crate) fn with(self, name: &'static str, value: &str) -> Self {
        let Answer::Says(status, mut headers, body) = self else { panic!("{self:?} says nothing") };
        headers.push((name, value.to_owned()));
        Answer::Says(status, headers, body)
    }
}

type Script = dyn Fn(usize, &Came) -> Answer + Send + Sync;

/// The server; it ends with the test's runtime.
pub(crate) struct Peer {
    pub(crate) url: String,
    came: Arc<Mutex<Vec<Came>>>,
}

impl Peer {
    /// Answers the n-th request, from 0, as `script` says.
    pub(crate) async fn start(
        script: impl Fn(usize, &Came) -> Answer + Send + Sync + 'static,
    ) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let came = Arc::new(Mutex::new(Vec::new()));
        let script: Arc<Script> = Arc::new(script);
        let log = Arc::clone(&came);
        tokio::spawn(async move {
            while let Ok((line, _)) = listener.accept().await {
                tokio::spawn(serve(line, Arc::clone(&script), Arc::clone(&log)));
            }
        });
        Peer { url, came }
    }

    /// Answers the requests one after the other; the last answer is given again.
    pub(crate) async fn saying(answers: Vec<Answer>) -> Self {
        Peer::start(move |n, _| answers[n.min(answers.len() - 1)].clone()).await
    }

    pub(crate) fn came(&self) -> Vec<Came> {
        self.came.lock().unwrap().clone()
    }
}

async fn serve(mut line: TcpStream, script: Arc<Script>, log: Arc<Mutex<Vec<Came>>>) {
    let mut buffer = Vec::new();
    while let Some(came) = request(&mut line, &mut buffer).await {
        let n = {
            let mut log = log.lock().unwrap();
            log.push(came.clone());
            log.len() - 1
        };
        if answer(&mut line, script(n, &came)).await.is_none() {
            return;
        }
    }
}

/// The next request of the line.
async fn request(line: &mut TcpStream, buffer: &mut Vec<u8>) -> Option<Came> {
    let end = loop {
        if let Some(end) = buffer.windows(4).position(|bytes| bytes == b"\r\n\r\n") {
            break end;
        }
        if line.read_buf(buffer).await.ok()? == 0 {
            return None;
        }
    };
    let head = String::from_utf8(buffer.drain(..end + 4).collect()).unwrap();
    let mut lines = head.split("\r\n");
    let mut first = lines.next().unwrap().split(' ');
    let headers: Vec<_> = lines
        .filter_map(|line| line.split_once(": "))
        .map(|(name, value)| (name.to_lowercase(), value.to_owned()))
        .collect();
    let length = headers.iter().find(|(name, _)| name == "content-length");
    let length: usize = length.map_or(0, |(_, length)| length.parse().unwrap());
    while buffer.len() < length {
        if line.read_buf(buffer).await.ok()? == 0 {
            return None;
        }
    }
    let body = String::from_utf8(buffer.drain(..length).collect()).unwrap();
    let (method, target) = (first.next().unwrap().to_owned(), first.next().unwrap().to_owned());
    Some(Came { method, target, headers, body })
}

/// `None` where the line is of no further use.
async fn answer(line: &mut TcpStream, answer: Answer) -> Option<()> {
    match answer {
        Answer::Says(status, headers, body) => {
            let mut head = format!("HTTP/1.1 {status} Said\r\n");
            for (name, value) in headers {
                head.push_str(&format!("{name}: {value}\r\n"));
            }
            let said = match status {
                204 => format!("{head}\r\n"),
                _ => format!("{head}content-length: {}\r\n\r\n{body}", body.len()),
            };
            line.write_all(said.as_bytes()).await.ok()
        }
        Answer::BreaksOff(length, body) => {
            let head = format!(
                "HTTP/1.1 200 OK\r\ncontent-type: audio/x-wav\r\ncontent-length: {length}\r\n\r\n{body}"
            );
            line.write_all(head.as_bytes()).await.ok();
            None
        }
        Answer::Streams(length) => {
            let head = format!(
                "HTTP/1.1 200 OK\r\ncontent-type: audio/x-wav\r\ncontent-length: {length}\r\n\r\n"
            );
            line.write_all(head.as_bytes()).await.ok()?;
            let piece = vec![7; 64 * 1024];
            let mut left = length;
            while left > 0 {
                let now = left.min(piece.len());
                line.write_all(&piece[..now]).await.ok()?;
                left -= now;
            }
            Some(())
        }
        Answer::StandsStill => {
            let head = "HTTP/1.1 200 OK\r\ncontent-type: audio/x-wav\r\ncontent-length: 9\r\n\r\nx";
            line.write_all(head.as_bytes()).await.ok()?;
            tokio::time::sleep(Duration::from_secs(600)).await;
            None
        }
        Answer::IsSilent => {
            tokio::time::sleep(Duration::from_secs(600)).await;
            None
        }
        Answer::HangsUp => None,
    }
}

//! The bytes of a file, piece by piece, and the wish to stop.

use std::fs::File;
use std::future::pending;
use std::io::{self, Read};
use std::path::Path;
use std::thread;

use tokio::sync::{mpsc, watch};

use crate::program::failure::Failure;

/// Bytes that are read at a time.
const PIECE: usize = 64 * 1024;
/// Pieces that are read ahead.
const AHEAD: usize = 2;

/// A file that can be opened, or standard input.
pub(super) struct Source {
    /// Its name, as it was given.
    pub(super) name: String,
    /// How long it is, where that is known.
    pub(super) bytes: Option<u64>,
    input: Input,
}

enum Input {
    Stdin,
    File(File),
}

impl Source {
    /// Opens a file; `-` is standard input.
    pub(super) fn open(path: &Path) -> Result<Self, Failure> {
        let name = path.display().to_string();
        if name == "-" {
            return Ok(Source { name, bytes: None, input: Input::Stdin });
        }
        let refused = |error: io::Error| Failure::Usage(format!("cannot read `{name}`: {error}"));
        let file = File::open(path).map_err(refused)?;
        let known = file.metadata().map_err(refused)?;
        if known.is_dir() {
            return Err(Failure::Usage(format!("cannot read `{name}`: it is a folder")));
        }
        let bytes = known.is_file().then_some(known.len());
        Ok(Source { name, bytes, input: Input::File(file) })
    }

    /// The pieces in their order, read on a thread of their own: a pipe may keep it waiting, and
    /// ctrl-C shall be heard meanwhile.
    pub(super) fn into_pieces(self) -> mpsc::Receiver<io::Result<Vec<u8>>> {
        let (send, receive) = mpsc::channel(AHEAD);
        thread::spawn(move || match self.input {
            Input::Stdin => read(io::stdin(), &send),
            Input::File(file) => read(file, &send),
        });
        receive
    }
}

fn read(mut input: impl Read, send: &mpsc::Sender<io::Result<Vec<u8>>>) {
    loop {
        let mut piece = vec![0; PIECE];
        let sent = match input.read(&mut piece) {
            Ok(0) => return,
            Ok(read) => {
                piece.truncate(read);
                send.blocking_send(Ok(piece))
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => {
                // Nobody waits for it once the import has stopped.
                send.blocking_send(Err(error)).ok();
                return;
            }
        };
        if sent.is_err() {
            return;
        }
    }
}

/// Hears ctrl-C, so that what is being written is finished first.
pub(super) struct Interrupt {
    pressed: watch::Receiver<bool>,
}

impl Interrupt {
    /// Listens from now on.
    pub(super) fn listen() -> Self {
        let (press, pressed) = watch::channel(false);
        tokio::spawn(async move {
            // Where the system has no such signal, nothing is heard.
            if tokio::signal::ctrl_c().await.is_ok() {
                press.send_replace(true);
            }
            pending::<()>().await;
        });
        Interrupt { pressed }
    }

    /// Returns once ctrl-C was pressed.
    pub(super) async fn wait(&mut self) {
        if self.pressed.wait_for(|pressed| *pressed).await.is_err() {
            pending::<()>().await;
        }
    }
}

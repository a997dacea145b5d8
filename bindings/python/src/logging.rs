//! What the core writes to its log, told to Python's `logging`.

use std::fmt::{self, Write as _};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU8, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread;

use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Level, Metadata, Subscriber};

use crate::guard::generation;

/// Lines that wait for Python; more are dropped, for whoever logs must never wait for the interpreter.
const WAITING: usize = 10_000;
/// How often a process that logs can have been forked, each time from its child before.
const FORKS: usize = 64;

struct Line {
    level: Level,
    target: &'static str,
    text: String,
}

/// A queue for each process: the thread that empties one is missing in a child.
static QUEUES: [OnceLock<SyncSender<Line>>; FORKS] = [const { OnceLock::new() }; FORKS];
/// How severe a line has to be: 0 for none, up to 5 for all.
static WANTED: AtomicU8 = AtomicU8::new(0);

fn queue() -> Option<&'static OnceLock<SyncSender<Line>>> {
    usize::try_from(generation()).ok().and_then(|own| QUEUES.get(own))
}

fn number(level: Level) -> u8 {
    match level {
        Level::ERROR => 1,
        Level::WARN => 2,
        Level::INFO => 3,
        Level::DEBUG => 4,
        Level::TRACE => 5,
    }
}

/// Lines go to `logging.getLogger("crm_core.…")` from now on, those of `level` (a number of `logging`) and more
/// severe ones.
#[pyfunction]
pub(crate) fn log_to_python(level: u32) -> PyResult<()> {
    let wanted = match level {
        0..=9 => 5,
        10..=19 => 4,
        20..=29 => 3,
        30..=39 => 2,
        40.. => 1,
    };
    let queue = queue().ok_or_else(|| PyValueError::new_err("the process was forked too often"))?;
    queue.get_or_init(|| {
        let (sender, lines) = sync_channel(WAITING);
        // Without it lines are dropped, and the program goes on.
        let _ = thread::Builder::new().name("crm-log".to_owned()).spawn(move || tell(&lines));
        sender
    });
    WANTED.store(wanted, Ordering::Relaxed);
    // Only the first call sets it; a host that has a subscriber of its own keeps that.
    let _ = tracing::subscriber::set_global_default(ToPython);
    tracing::callsite::rebuild_interest_cache();
    Ok(())
}

fn tell(lines: &Receiver<Line>) {
    while let Ok(line) = lines.recv() {
        let told = Python::try_attach(|py| {
            let name = format!("crm_core.{}", line.target.replace("::", "."));
            let logger = py.import("logging")?.call_method1("getLogger", (name,))?;
            let level = match number(line.level) {
                1 => 40,
                2 => 30,
                3 => 20,
                4 => 10,
                _ => 5,
            };
            logger.call_method1("log", (level, "%s", line.text)).map(drop)
        });
        match told {
            Some(Ok(())) => {}
            // A handler of the host's failed; `logging` itself has its own way to say so.
            Some(Err(_)) => {}
            None => return,
        }
    }
}

struct ToPython;

impl Subscriber for ToPython {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        number(*metadata.level()) <= WANTED.load(Ordering::Relaxed)
    }

    fn register_callsite(&self, _: &'static Metadata<'static>) -> tracing::subscriber::Interest {
        tracing::subscriber::Interest::sometimes()
    }

    fn new_span(&self, _: &Attributes<'_>) -> Id {
        Id::from_u64(1)
    }

    fn record(&self, _: &Id, _: &Record<'_>) {}

    fn record_follows_from(&self, _: &Id, _: &Id) {}

    fn event(&self, event: &Event<'_>) {
        let Some(sender) = queue().and_then(OnceLock::get) else { return };
        let mut text = Text::default();
        event.record(&mut text);
        let Text { mut message, fields } = text;
        message.push_str(&fields);
        let metadata = event.metadata();
        let line = Line { level: *metadata.level(), target: metadata.target(), text: message };
        // A full queue drops the line.
        let _ = sender.try_send(line);
    }

    fn enter(&self, _: &Id) {}

    fn exit(&self, _: &Id) {}
}

#[derive(Default)]
struct Text {
    message: String,
    fields: String,
}

impl Visit for Text {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        // Writing to text cannot fail.
        let _ = if field.name() == "message" {
            write!(self.message, "{value:?}")
        } else {
            write!(self.fields, " {}={value:?}", field.name())
        };
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.record_debug(field, &format_args!("{value}"));
    }
}

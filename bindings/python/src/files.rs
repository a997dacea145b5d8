//! Files: contacts in and out, and recordings.

use std::sync::{Arc, Mutex as StdMutex, OnceLock, PoisonError};

use crm_core::calls::RecordingFile as File;
use crm_core::contacts::ContactFilter;
use crm_core::contacts::formats::{ExportFormat, ReadOptions};
use crm_core::contacts::import::{ImportOptions, ImportReport};
use crm_core::operations::Reply;
use crm_core::{Error, ErrorKind, Result};
use futures::StreamExt;
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyDict};
use serde_json::Value;
use tokio::sync::{Mutex, mpsc};
use tokio::task::JoinHandle;

use crate::arguments;
use crate::crm::{Session, id};
use crate::errors;
use crate::guard::Guarded;
use crate::record;
use crate::shape::{self, Shape};
use crate::waiting::Waiting;

/// Pieces of a file that wait to be taken.
const AHEAD: usize = 2;

/// How far an import is.
#[derive(Debug, Clone, Copy, Default)]
struct Counts {
    created: u64,
    updated: u64,
    skipped: u64,
    failed: u64,
}

impl From<&ImportReport> for Counts {
    fn from(report: &ImportReport) -> Self {
        let ImportReport { created, updated, skipped, failed, .. } = *report;
        Counts { created, updated, skipped, failed }
    }
}

struct Importing {
    pieces: StdMutex<Option<mpsc::Sender<Vec<u8>>>>,
    counts: Arc<StdMutex<Counts>>,
    /// The import at work; dropped, it ends after the batch that it writes.
    running: Mutex<Option<JoinHandle<Result<Option<ImportReport>>>>>,
}

/// An import that is going on.
#[pyclass(frozen)]
pub(crate) struct Import(Guarded<Arc<Importing>>);

/// A file that is read piece by piece.
#[pyclass(frozen)]
pub(crate) struct Pieces(Guarded<Arc<Mutex<Receiver>>>);

type Receiver = mpsc::Receiver<Result<Vec<u8>>>;

/// A recording that can be heard.
#[pyclass(frozen)]
pub(crate) struct RecordingFile {
    session: Session,
    file: File,
}

fn options(given: &Bound<'_, PyDict>, operation: &'static str) -> PyResult<ImportOptions> {
    let py = given.py();
    let given = arguments::read(given, false).map_err(|refused| refused.raised(py, operation))?;
    let read = || {
        let mut options = ImportOptions::default();
        for (name, value) in &given {
            let text = value.as_str();
            match (&**name, text, value) {
                ("format", Some(format), _) => options.format = Some(format.parse()?),
                ("on_conflict", Some(rule), _) => options.on_conflict = rule.parse()?,
                ("source", Some(source), _) => options.source = Some(source.to_owned()),
                ("dry_run", _, Value::Bool(dry)) => options.dry_run = *dry,
                ("delimiter", Some(delimiter), _) => match delimiter.as_bytes() {
                    [byte] if byte.is_ascii() => options.read.delimiter = Some(*byte),
                    _ => return Err(wrong("delimiter", "is one ASCII character")),
                },
                ("columns", _, Value::Object(columns)) => {
                    options.read = ReadOptions { map: pairs(columns)?, ..options.read };
                }
                (name, ..) => return Err(wrong(name, "is of another type than it has to be")),
            }
        }
        Ok(options)
    };
    read().map_err(|error: Error| errors::raised(py, &error.in_operation(operation)))
}

fn wrong(name: &str, rule: &str) -> Error {
    errors::refused(name, "invalid_value", format!("`{name}` {rule}"))
}

fn pairs(columns: &serde_json::Map<String, Value>) -> Result<Vec<(String, String)>> {
    columns
        .iter()
        .map(|(column, field)| match field.as_str() {
            Some(field) => Ok((column.clone(), field.to_owned())),
            None => Err(wrong("columns", "maps headers to the names of fields")),
        })
        .collect()
}

/// Begins an import.
#[pyfunction]
pub(crate) fn import_from(of: &Session, given: &Bound<'_, PyDict>) -> PyResult<Import> {
    let session = of.core(given.py())?;
    let options = options(given, "contacts.import_from")?;
    let (sender, mut pieces) = mpsc::channel::<Vec<u8>>(AHEAD);
    let counts = Arc::<StdMutex<Counts>>::default();
    let told = Arc::clone(&counts);
    let running = of.handle().spawn(async move {
        let contacts = session.contacts();
        let mut import = contacts.import(options)?;
        while let Some(piece) = pieces.recv().await {
            // An empty piece is the end; a sender that is gone has given up.
            if piece.is_empty() {
                return import.finish().await.map(Some);
            }
            import.push(&piece).await?;
            *told.lock().unwrap_or_else(PoisonError::into_inner) = import.report().into();
        }
        Ok(None)
    });
    let running = Mutex::new(Some(running));
    let pieces = StdMutex::new(Some(sender));
    let importing = Arc::new(Importing { pieces, counts, running });
    Ok(Import(Guarded::new(importing, of.handle().clone())))
}

/// Begins an export.
#[pyfunction]
pub(crate) fn export_to(py: Python<'_>, of: &Session, format: &str) -> PyResult<Pieces> {
    let session = of.core(py)?;
    let format: ExportFormat = format
        .parse()
        .map_err(|error: Error| errors::raised(py, &error.in_operation("contacts.export_to")))?;
    let (sender, receiver) = mpsc::channel(AHEAD);
    of.handle().spawn(async move {
        let written = async {
            let contacts = session.contacts();
            let mut export = contacts.export(format, ContactFilter::default())?;
            while let Some(piece) = export.next_bytes().await? {
                if sender.send(Ok(piece)).await.is_err() {
                    break;
                }
            }
            Ok(())
        };
        if let Err(error) = written.await {
            // Who does not listen any more does not need to know.
            let _ = sender.send(Err(error)).await;
        }
    });
    Ok(Pieces(Guarded::new(Arc::new(Mutex::new(receiver)), of.handle().clone())))
}

/// Looks a call's recording up.
#[pyfunction]
pub(crate) fn recording(of: &Session, given: &Bound<'_, PyDict>) -> PyResult<Waiting> {
    let session = of.core(given.py())?;
    let mut given = arguments::read(given, false)
        .map_err(|refused| refused.raised(given.py(), "calls.recording"))?;
    let handle = of.handle().clone();
    let heard = session.clone();
    let work = async move { session.calls().recording(id(&mut given, "id")?).await };
    Ok(Waiting::on(of.handle(), work, move |py, file| {
        let session = Session(Guarded::new(heard, handle));
        Ok(Bound::new(py, RecordingFile { session, file })?.into_any())
    }))
}

#[pymethods]
impl Import {
    /// Takes the next bytes; false where the import has ended already, which `finish` explains. No bytes are the
    /// end of the file.
    fn push(&self, py: Python<'_>, piece: Vec<u8>) -> PyResult<Waiting> {
        let importing = self.0.get().map_err(|error| errors::raised(py, &error))?;
        let sender = importing.pieces.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let work = async move {
            match sender {
                Some(sender) => Ok(sender.send(piece).await.is_ok()),
                None => Ok(false),
            }
        };
        Ok(Waiting::on(self.0.handle(), work, |py, taken: bool| {
            Ok(pyo3::types::PyBool::new(py, taken).to_owned().into_any())
        }))
    }

    /// Waits for the end and gives the report.
    fn finish(&self, py: Python<'_>) -> PyResult<Waiting> {
        static SHAPE: OnceLock<Shape> = OnceLock::new();
        let importing = Arc::clone(self.0.get().map_err(|error| errors::raised(py, &error))?);
        let work = async move {
            let running = importing.running.lock().await.take();
            let over = || Error::new(ErrorKind::Conflict, "the import is over");
            running.ok_or_else(over)?.await.map_err(Error::internal)??.ok_or_else(over)
        };
        Ok(Waiting::on(self.0.handle(), work, |py, report| {
            let reply: Box<dyn Reply> = Box::new(report);
            if let Some(shape) = SHAPE.get() {
                return record::of_reply(py, reply, shape);
            }
            let shape = shape::read(py, &crm_core::operations::shape_of::<ImportReport>())?;
            record::of_reply(py, reply, SHAPE.get_or_init(|| shape))
        }))
    }

    /// Gives up: what is written stays, the rest of the file is left.
    fn close(&self, py: Python<'_>) -> PyResult<()> {
        let importing = self.0.get().map_err(|error| errors::raised(py, &error))?;
        drop(importing.pieces.lock().unwrap_or_else(PoisonError::into_inner).take());
        Ok(())
    }

    /// Rows that made a contact, changed one, were left, were refused.
    fn counts(&self, py: Python<'_>) -> PyResult<(u64, u64, u64, u64)> {
        let importing = self.0.get().map_err(|error| errors::raised(py, &error))?;
        let counts = *importing.counts.lock().unwrap_or_else(PoisonError::into_inner);
        Ok((counts.created, counts.updated, counts.skipped, counts.failed))
    }
}

#[pymethods]
impl Pieces {
    /// The next bytes; None at the end.
    fn next(&self, py: Python<'_>) -> PyResult<Waiting> {
        let pieces = Arc::clone(self.0.get().map_err(|error| errors::raised(py, &error))?);
        let work = async move { pieces.lock().await.recv().await.transpose() };
        Ok(Waiting::on(self.0.handle(), work, |py, piece: Option<Vec<u8>>| match piece {
            Some(piece) => Ok(PyBytes::new(py, &piece).into_any()),
            None => Ok(py.None().into_bound(py)),
        }))
    }
}

#[pymethods]
impl RecordingFile {
    #[getter]
    fn content_type(&self) -> &str {
        &self.file.content_type
    }

    #[getter]
    fn bytes(&self) -> u64 {
        self.file.bytes
    }

    #[getter]
    fn sha256(&self) -> &str {
        &self.file.sha256
    }

    /// The bytes in the range. That they were given is written in the audit log before they are.
    fn hear(&self, py: Python<'_>, start: u64, end: u64) -> PyResult<Waiting> {
        let session = self.session.core(py)?;
        let file = self.file.clone();
        let handle = self.session.handle().clone();
        let within = handle.clone();
        let work = async move {
            let mut bytes = session.calls().hear(&file, start..end).await?;
            let (sender, receiver) = mpsc::channel(AHEAD);
            within.spawn(async move {
                while let Some(piece) = bytes.next().await {
                    if sender.send(piece.map(|piece| piece.to_vec())).await.is_err() {
                        break;
                    }
                }
            });
            Ok(receiver)
        };
        Ok(Waiting::on(self.session.handle(), work, move |py, receiver| {
            let pieces = Pieces(Guarded::new(Arc::new(Mutex::new(receiver)), handle));
            Ok(Bound::new(py, pieces)?.into_any())
        }))
    }
}

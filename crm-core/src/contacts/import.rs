//! Import: contacts from a file, in batches, each row accounted for.

mod plan;

use std::collections::VecDeque;
use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::str::FromStr;
use std::task::Poll;

use serde::{Deserialize, Serialize};

use self::plan::{Known, Plan, Unwritten};
use super::Contacts;
use super::formats::{ImportFormat, ReadOptions, RecordReader};
use super::model::{ContactDetails, NewContact};
use crate::access::{CreateContacts, ImportContacts, Permit, UpdateContacts, WriteCompanies};
use crate::changes::Write;
use crate::email::shorten;
use crate::entity::EntityRef;
use crate::error::{Error, ErrorKind, FieldError, Result};
use crate::events::payload::ContactsImported;
use crate::session::Session;

/// Contacts in one commit: enough to make its cost small, few enough to keep memory small.
const BATCH: usize = 500;
/// Rejected rows that a report holds; [`Import::take_errors`] empties it on the way.
pub const MAX_ERRORS: usize = 10_000;
/// Long text of the contacts in one commit: a batch is smaller where contacts are large.
const BATCH_BYTES: usize = 2 * 1024 * 1024;
/// How often a row is planned again because others wrote the same contact meanwhile.
const CONTENDED_TRIES: usize = 5;
/// Bytes by which the format is told, where it is not given.
const DETECT_BYTES: usize = 512;

/// What to do with a row that is a known contact: one with one of its e-mails; for a row without
/// e-mail, with one of its phones (an extension of a switchboard does not count); for a row without
/// either, with all that the row holds.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum OnConflict {
    /// Leave the contact as it is and count the row as skipped.
    #[default]
    Skip,
    /// Let the row's values replace the contact's; its e-mails, phones, addresses and tags join
    /// them.
    Update,
    /// Report the row as failed.
    Error,
}

impl FromStr for OnConflict {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        match text {
            "skip" => Ok(OnConflict::Skip),
            "update" => Ok(OnConflict::Update),
            "error" => Ok(OnConflict::Error),
            _ => Err(Error::invalid_field(
                "on_conflict",
                "invalid_on_conflict",
                format!(
                    "`{}` is no rule for known contacts; choose skip, update or error",
                    shorten(text)
                ),
            )),
        }
    }
}

/// How a file is imported.
#[derive(Debug, Clone, Default)]
pub struct ImportOptions {
    /// The format; told by the first bytes where it is absent.
    pub format: Option<ImportFormat>,
    /// How to read the file, where it does not say so itself.
    pub read: ReadOptions,
    /// What to do with known contacts.
    pub on_conflict: OnConflict,
    /// Whether to report what would happen and write nothing. With [`OnConflict::Update`] all
    /// contacts of the file are then kept in memory, otherwise some bytes of each.
    pub dry_run: bool,
    /// The source of contacts whose row names none; `import` where it is absent.
    pub source: Option<String>,
}

/// What became of the rows: `created + updated + skipped + failed` is their number.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct ImportReport {
    /// Rows that made a contact.
    pub created: u64,
    /// Rows that changed a contact.
    pub updated: u64,
    /// Rows that are a known contact, which was left as it is, or which they changed in nothing.
    pub skipped: u64,
    /// Rows that were refused.
    pub failed: u64,
    /// Why, one entry for each refused value, at most [`MAX_ERRORS`].
    pub errors: Vec<RowError>,
    /// Entries that found no room in `errors`.
    pub errors_omitted: u64,
    /// What rows held that their contacts do not, e.g. pictures, and rows that were skipped for a
    /// shared phone alone; at most [`MAX_ERRORS`].
    pub warnings: Vec<RowError>,
}

impl ImportReport {
    /// All rows.
    pub fn rows(&self) -> u64 {
        self.created + self.updated + self.skipped + self.failed
    }
}

/// A refused value of a row.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct RowError {
    /// The row as a spreadsheet numbers it, with the header in row 1; the card's number; the line.
    pub row: u64,
    /// The value, its code and what would be right.
    #[serde(flatten)]
    pub error: FieldError,
}

/// An import that is going on.
///
/// Rows are committed in batches while the next ones are read. A batch is whole or absent: after a
/// crash, the same file with [`OnConflict::Skip`] completes the import without doubling anyone.
///
/// ```
/// # use crm_core::contacts::{import::ImportOptions};
/// # tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(async {
/// # let session = crm_core::memory::session_for_docs().await?;
/// let mut import = session.contacts().import(ImportOptions::default())?;
/// import.push(b"first_name,last_name,email\nAda,Lovelace,ada@example.com\n").await?;
/// import.push(b"Charles,Babbage,charles@\n").await?;
/// let report = import.finish().await?;
/// assert_eq!((report.created, report.failed), (1, 1));
/// assert_eq!((report.errors[0].row, &*report.errors[0].error.code), (3, "invalid_email"));
/// # Ok::<(), crm_core::Error>(()) }).unwrap();
/// ```
pub struct Import<'s> {
    session: &'s Session,
    permits: Permits,
    options: ImportOptions,
    input: Reading,
    report: ImportReport,
    waiting: VecDeque<Row>,
    /// About how many bytes of custom text and addresses wait.
    unsent_bytes: usize,
    in_flight: Option<InFlight<'s>>,
    /// What a dry run would have written.
    rehearsed: Unwritten,
}

struct Permits {
    create: Permit<CreateContacts>,
    update: Permit<UpdateContacts>,
    companies: Permit<WriteCompanies>,
}

enum Reading {
    /// Not enough bytes to tell the format.
    Undecided(Vec<u8>),
    Records(RecordReader),
}

/// A row that is valid by itself.
struct Row {
    number: u64,
    details: ContactDetails,
    /// How often it met other writers.
    tries: usize,
}

/// A batch on its way to the store.
struct InFlight<'s> {
    rows: Vec<Row>,
    outcome: Outcome,
    commit: CommitFuture<'s>,
}

type CommitFuture<'s> = Pin<Box<dyn Future<Output = Result<()>> + Send + 's>>;

/// What a batch adds to the report once it is committed.
#[derive(Default)]
struct Outcome {
    created: u64,
    updated: u64,
    skipped: u64,
    errors: Vec<(u64, Vec<FieldError>)>,
    warnings: Vec<(u64, FieldError)>,
}

impl<'s> Contacts<'s> {
    /// Begins an import.
    ///
    /// # Errors
    ///
    /// `forbidden`; `invalid` when the options name an unknown field or do not fit the format.
    pub fn import(&self, options: ImportOptions) -> Result<Import<'s>> {
        Import::begin(self.session, options).map_err(|error| error.in_operation("contacts.import"))
    }
}

impl<'s> Import<'s> {
    fn begin(session: &'s Session, options: ImportOptions) -> Result<Self> {
        let permit = session.authorize::<ImportContacts>()?;
        let permits = Permits {
            create: permit.within(),
            update: permit.within(),
            companies: permit.within(),
        };
        let input = match options.format {
            Some(format) => Reading::Records(RecordReader::new(format, options.read.clone())?),
            None => Reading::Undecided(Vec::new()),
        };
        Ok(Import {
            session,
            permits,
            options,
            input,
            report: ImportReport::default(),
            waiting: VecDeque::new(),
            unsent_bytes: 0,
            in_flight: None,
            rehearsed: Unwritten::default(),
        })
    }

    /// Takes the next bytes of the file and commits what they complete.
    ///
    /// The bytes are taken also where this fails, and where the future is dropped: go on with the
    /// next ones, or end the file; what could not be written is tried again.
    ///
    /// # Errors
    ///
    /// `invalid` when the file as a whole cannot be read; `unavailable` or `internal` from the
    /// store. What [`Import::report`] counts is written all the same.
    pub async fn push(&mut self, bytes: &[u8]) -> Result<()> {
        let session = self.session;
        session.run("contacts.import", self.take(bytes)).await
    }

    /// Ends the file, commits what is left and hands out the report. After a failure it can be asked
    /// again, and [`Import::report`] still says what is written.
    ///
    /// # Errors
    ///
    /// Those of [`Import::push`].
    pub async fn finish(&mut self) -> Result<ImportReport> {
        let session = self.session;
        session
            .run("contacts.import", async {
                self.end().await?;
                self.record_end().await
            })
            .await?;
        Ok(self.hand_out())
    }

    /// Commits the rows that are read and hands out the report, leaving the rest of the file.
    ///
    /// # Errors
    ///
    /// Those of [`Import::push`].
    pub async fn stop(&mut self) -> Result<ImportReport> {
        let session = self.session;
        session.run("contacts.import", self.flush()).await?;
        Ok(self.hand_out())
    }

    /// Leaves the event that the import is over, where it came to something.
    async fn record_end(&mut self) -> Result<()> {
        let ImportReport { created, updated, skipped, failed, .. } = self.report;
        if self.options.dry_run || created + updated + skipped + failed == 0 {
            return Ok(());
        }
        let mut changes = self.session.new_changes();
        let scope = self.session.scope();
        let subject: EntityRef = match scope.actor().user() {
            Some(user) => user.into(),
            None => scope.tenant().into(),
        };
        let data = ContactsImported { created, updated, skipped, failed };
        changes.record(self.session.env(), Write::Nothing, subject, Vec::new(), &data)?;
        self.session.commit(changes).await
    }

    fn hand_out(&mut self) -> ImportReport {
        // Rows are refused as they are read, others when their batch is written.
        self.report.errors.sort_by_key(|error| error.row);
        std::mem::take(&mut self.report)
    }

    /// What is written so far.
    pub fn report(&self) -> &ImportReport {
        &self.report
    }

    /// Takes the refused values out of the report, to make room for more.
    pub fn take_errors(&mut self) -> Vec<RowError> {
        std::mem::take(&mut self.report.errors)
    }

    async fn take(&mut self, bytes: &[u8]) -> Result<()> {
        match &mut self.input {
            Reading::Records(reader) => reader.push(bytes),
            Reading::Undecided(first) => {
                first.extend_from_slice(bytes);
                if first.len() < DETECT_BYTES {
                    return Ok(());
                }
                self.decide()?;
            }
        }
        self.drain().await
    }

    async fn end(&mut self) -> Result<()> {
        if matches!(self.input, Reading::Undecided(_)) {
            self.decide()?;
        }
        if let Reading::Records(reader) = &mut self.input {
            reader.finish();
        }
        self.drain().await?;
        self.flush().await
    }

    fn decide(&mut self) -> Result<()> {
        if let Reading::Undecided(first) = &self.input {
            let format = ImportFormat::detect(first);
            let mut reader = RecordReader::new(format, self.options.read.clone())?;
            reader.push(first);
            self.input = Reading::Records(reader);
        }
        Ok(())
    }

    /// Validates the records that are complete and commits every full batch.
    async fn drain(&mut self) -> Result<()> {
        loop {
            while self.waiting.len() >= BATCH || self.unsent_bytes >= BATCH_BYTES {
                self.settle().await?;
                self.launch().await?;
            }
            let Reading::Records(reader) = &mut self.input else { return Ok(()) };
            let Some(record) = reader.next_record()? else { return Ok(()) };
            let row = record.row;
            for error in record.warnings {
                self.warn(row, error);
            }
            match record.outcome.and_then(|new| self.validate(new)) {
                Ok(details) => {
                    self.unsent_bytes += details.long_text();
                    self.waiting.push_back(Row { number: row, details, tries: 0 });
                }
                Err(errors) => self.refuse(row, errors),
            }
        }
    }

    /// Commits all that waits.
    async fn flush(&mut self) -> Result<()> {
        loop {
            self.settle().await?;
            if self.waiting.is_empty() {
                return Ok(());
            }
            self.launch().await?;
        }
    }

    fn validate(&self, mut new: NewContact) -> Result<ContactDetails, Vec<FieldError>> {
        if new.source.is_none() {
            new.source = Some(self.options.source.clone().unwrap_or_else(|| "import".to_owned()));
        }
        new.validate(self.session.scope().region())
    }

    fn refuse(&mut self, row: u64, errors: Vec<FieldError>) {
        self.report.failed += 1;
        for error in errors {
            if self.report.errors.len() < MAX_ERRORS {
                self.report.errors.push(RowError { row, error });
            } else {
                self.report.errors_omitted += 1;
            }
        }
    }

    /// Plans the next batch and sends it off; the store works on it while more rows are read. A row
    /// that met other writers goes alone, so that a conflict is its own.
    async fn launch(&mut self) -> Result<()> {
        let first_tries = self.waiting.iter().take_while(|row| row.tries == 0).take(BATCH).count();
        let count = first_tries.max(1).min(self.waiting.len());
        let on_conflict = self.options.on_conflict;
        let rows = self.waiting.make_contiguous().get(..count).unwrap_or_default();
        let known = Known::of(self.session, rows, on_conflict).await?;

        // From here on nothing waits, so the rows are always in one place.
        let rows: Vec<Row> = self.waiting.drain(..count).collect();
        self.unsent_bytes = self.waiting.iter().map(|row| row.details.long_text()).sum();
        let mut of_batch = Unwritten::default();
        let unwritten = if self.options.dry_run { &mut self.rehearsed } else { &mut of_batch };
        let decided =
            plan::decide(self.session, &self.permits, on_conflict, &known, unwritten, &rows);
        let Plan { changes, outcome } = match decided {
            Ok(plan) => plan,
            Err(error) => {
                self.put_back(rows);
                return Err(error);
            }
        };
        if changes.is_empty() || self.options.dry_run {
            self.rehearsed.keep_for_next(on_conflict);
            self.account(outcome);
            return Ok(());
        }
        let session = self.session;
        let mut commit: CommitFuture<'_> = Box::pin(session.commit(changes));
        // The first poll hands the batch to the store.
        match futures::poll!(&mut commit) {
            Poll::Ready(result) => commit = Box::pin(std::future::ready(result)),
            Poll::Pending => {}
        }
        self.in_flight = Some(InFlight { rows, outcome, commit });
        Ok(())
    }

    /// Waits for the batch on its way.
    async fn settle(&mut self) -> Result<()> {
        let Some(in_flight) = &mut self.in_flight else { return Ok(()) };
        // It stays in its place while this waits: who drops the future loses no row.
        let committed = in_flight.commit.as_mut().await;
        let Some(InFlight { rows, outcome, .. }) = self.in_flight.take() else { return Ok(()) };
        match committed {
            Ok(()) => self.account(outcome),
            Err(error) if is_contended(&error) => self.try_again(rows, &error),
            Err(error) => {
                self.put_back(rows);
                return Err(error);
            }
        }
        Ok(())
    }

    /// Lets each row of a batch that met other writers try again, as often as it may.
    fn try_again(&mut self, mut rows: Vec<Row>, error: &Error) {
        for row in &mut rows {
            row.tries += 1;
        }
        match rows.as_slice() {
            [row] if row.tries > CONTENDED_TRIES => {
                let reason = FieldError::new("row", error.code(), error.message());
                self.refuse(row.number, vec![reason]);
            }
            _ => self.put_back(rows),
        }
    }

    fn put_back(&mut self, rows: Vec<Row>) {
        for row in rows.into_iter().rev() {
            self.waiting.push_front(row);
        }
    }

    fn account(&mut self, outcome: Outcome) {
        self.report.created += outcome.created;
        self.report.updated += outcome.updated;
        self.report.skipped += outcome.skipped;
        for (row, errors) in outcome.errors {
            self.refuse(row, errors);
        }
        for (row, error) in outcome.warnings {
            self.warn(row, error);
        }
    }

    fn warn(&mut self, row: u64, error: FieldError) {
        if self.report.warnings.len() < MAX_ERRORS {
            self.report.warnings.push(RowError { row, error });
        }
    }
}

fn is_contended(error: &Error) -> bool {
    match error.kind() {
        ErrorKind::AlreadyExists | ErrorKind::VersionConflict | ErrorKind::NotFound => true,
        ErrorKind::Invalid
        | ErrorKind::Malformed
        | ErrorKind::UnknownParameter
        | ErrorKind::InvalidCursor
        | ErrorKind::Unauthenticated
        | ErrorKind::TokenReused
        | ErrorKind::SecondFactorRequired
        | ErrorKind::StepUpRequired
        | ErrorKind::Forbidden
        | ErrorKind::Conflict
        | ErrorKind::IdempotencyKeyReused
        | ErrorKind::IdempotencyInProgress
        | ErrorKind::RateLimited
        | ErrorKind::PayloadTooLarge
        | ErrorKind::UnsupportedMediaType
        | ErrorKind::Unavailable
        | ErrorKind::Internal => false,
    }
}

impl fmt::Debug for Import<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Import").field("report", &self.report).finish_non_exhaustive()
    }
}

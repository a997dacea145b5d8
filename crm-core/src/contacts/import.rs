//! Import: contacts from a file, in batches, each row accounted for.

use std::collections::{HashMap, HashSet};
use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::Contacts;
use super::commands;
use super::formats::{ImportFormat, ReadOptions, RecordReader};
use super::model::{ContactDetails, NewContact};
use super::store::ContactKey;
use crate::access::{CreateContacts, ImportContacts, Permit, UpdateContacts, WriteCompanies};
use crate::changes::Changes;
use crate::companies::{self, Company, CompanyKey, NewCompany};
use crate::email::shorten;
use crate::error::{Error, ErrorKind, FieldError, Result};
use crate::hash::fnv64;
use crate::id::{CompanyId, ContactId, UserId};
use crate::session::Session;

/// Contacts in one commit: enough to make its cost small, few enough to keep memory small.
const BATCH: usize = 500;
/// Rejected rows that a report holds; [`Import::take_errors`] empties it on the way.
pub const MAX_ERRORS: usize = 10_000;
/// How often a row is planned again because others wrote the same contact meanwhile.
const CONTENDED_TRIES: usize = 5;
/// Bytes by which the format is told, where it is not given.
const DETECT_BYTES: usize = 512;

/// What to do with a row that is a known contact: one with one of its e-mails; for a row without
/// e-mail, with one of its phones; for a row without either, with all that the row holds.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
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
                format!("`{}` is no way to go on; choose skip, update or error", shorten(text)),
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
    /// Whether to report what would happen and write nothing.
    pub dry_run: bool,
    /// The source of contacts whose row names none; `import` where it is absent.
    pub source: Option<String>,
}

/// What became of the rows: `created + updated + skipped + failed` is their number.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct ImportReport {
    /// Rows that made a contact.
    pub created: u64,
    /// Rows that changed a contact.
    pub updated: u64,
    /// Rows that are a known contact, and brought nothing new.
    pub skipped: u64,
    /// Rows that were refused.
    pub failed: u64,
    /// Why, one entry for each refused value, at most [`MAX_ERRORS`].
    pub errors: Vec<RowError>,
    /// Entries that found no room in `errors`.
    pub errors_omitted: u64,
    /// What rows held that their contacts do not, e.g. pictures; at most [`MAX_ERRORS`].
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
    waiting: Vec<Row>,
    in_flight: Option<InFlight<'s>>,
    // In a dry run nothing is written, so the file's own keys are remembered, as hashes.
    seen: HashSet<u64>,
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
#[derive(Clone)]
struct Row {
    number: u64,
    details: ContactDetails,
}

/// A batch on its way to the store.
struct InFlight<'s> {
    rows: Vec<Row>,
    outcome: Outcome,
    commit: Pin<Box<dyn Future<Output = Result<()>> + Send + 's>>,
}

/// What a batch adds to the report once it is committed.
#[derive(Default)]
struct Outcome {
    created: u64,
    updated: u64,
    skipped: u64,
    errors: Vec<(u64, Vec<FieldError>)>,
}

/// A batch that is decided: what it writes, what it reports, and the rows that must wait for it.
struct Plan {
    changes: Changes,
    outcome: Outcome,
    rest: Vec<Row>,
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
        session.authorize::<ImportContacts>()?;
        let permits = Permits {
            create: session.authorize()?,
            update: session.authorize()?,
            companies: session.authorize()?,
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
            waiting: Vec::new(),
            in_flight: None,
            seen: HashSet::new(),
        })
    }

    /// Takes the next bytes of the file and commits what they complete.
    ///
    /// # Errors
    ///
    /// `invalid` when the file as a whole cannot be read; `unavailable` or `internal` from the
    /// store. What [`Import::report`] counts is written all the same.
    pub async fn push(&mut self, bytes: &[u8]) -> Result<()> {
        let session = self.session;
        session.run("contacts.import", self.take(bytes)).await
    }

    /// Ends the file, commits what is left and reports.
    ///
    /// # Errors
    ///
    /// Those of [`Import::push`].
    pub async fn finish(mut self) -> Result<ImportReport> {
        let session = self.session;
        session.run("contacts.import", self.end()).await?;
        Ok(self.report)
    }

    /// Commits the rows that are read and reports, leaving the rest of the file.
    ///
    /// # Errors
    ///
    /// Those of [`Import::push`].
    pub async fn stop(mut self) -> Result<ImportReport> {
        let session = self.session;
        session.run("contacts.import", self.flush()).await?;
        Ok(self.report)
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
            let Reading::Records(reader) = &mut self.input else { return Ok(()) };
            let Some(record) = reader.next_record()? else { return Ok(()) };
            let row = record.row;
            for error in record.warnings {
                if self.report.warnings.len() < MAX_ERRORS {
                    self.report.warnings.push(RowError { row, error });
                }
            }
            match record.outcome.and_then(|new| self.validate(new)) {
                Ok(details) => self.waiting.push(Row { number: row, details }),
                Err(errors) => self.refuse(row, errors),
            }
            if self.waiting.len() >= BATCH {
                let rows = std::mem::take(&mut self.waiting);
                self.settle().await?;
                let rest = self.launch(rows).await?;
                self.waiting = rest;
            }
        }
    }

    /// Commits all that waits.
    async fn flush(&mut self) -> Result<()> {
        self.settle().await?;
        while !self.waiting.is_empty() {
            let rows = std::mem::take(&mut self.waiting);
            self.waiting = self.launch(rows).await?;
            self.settle().await?;
        }
        Ok(())
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

    /// Plans a batch and sends it off; the store works on it while the next rows are read. Returns
    /// the rows that must wait until it is written.
    async fn launch(&mut self, rows: Vec<Row>) -> Result<Vec<Row>> {
        let plan = self.plan(rows.clone()).await?;
        if plan.changes.is_empty() || self.options.dry_run {
            self.account(plan.outcome);
            return Ok(plan.rest);
        }
        let mut commit = self.session.store().commit(plan.changes);
        let planned = rows.len() - plan.rest.len();
        let mut rows = rows;
        rows.truncate(planned);
        // The first poll hands the batch to the store.
        match futures::poll!(&mut commit) {
            std::task::Poll::Ready(result) => commit = Box::pin(std::future::ready(result)),
            std::task::Poll::Pending => {}
        }
        self.in_flight = Some(InFlight { rows, outcome: plan.outcome, commit });
        Ok(plan.rest)
    }

    /// Waits for the batch on its way.
    async fn settle(&mut self) -> Result<()> {
        let Some(InFlight { rows, outcome, commit }) = self.in_flight.take() else {
            return Ok(());
        };
        match commit.await {
            Ok(()) => self.account(outcome),
            Err(error) if is_contended(&error) => {
                for row in rows {
                    self.settle_alone(row).await?;
                }
            }
            Err(error) => return Err(error),
        }
        Ok(())
    }

    /// Commits one row of a batch that met other writers, so that a conflict is that row's own.
    async fn settle_alone(&mut self, row: Row) -> Result<()> {
        let mut tries = 0;
        loop {
            let plan = self.plan(vec![row.clone()]).await?;
            let committed = match plan.changes.is_empty() {
                true => Ok(()),
                false => self.session.store().commit(plan.changes).await,
            };
            match committed {
                Ok(()) => {
                    self.account(plan.outcome);
                    return Ok(());
                }
                Err(error) if is_contended(&error) && tries < CONTENDED_TRIES => tries += 1,
                Err(error) if is_contended(&error) => {
                    let reason = FieldError::new("row", error.code(), error.message());
                    self.refuse(row.number, vec![reason]);
                    return Ok(());
                }
                Err(error) => return Err(error),
            }
        }
    }

    fn account(&mut self, outcome: Outcome) {
        self.report.created += outcome.created;
        self.report.updated += outcome.updated;
        self.report.skipped += outcome.skipped;
        for (row, errors) in outcome.errors {
            self.refuse(row, errors);
        }
    }

    /// Decides what each row does. Stops before a row that changes a contact which an earlier row of
    /// the batch makes or changes.
    async fn plan(&mut self, rows: Vec<Row>) -> Result<Plan> {
        let session = self.session;
        let (store, scope, env) = (session.store(), session.scope(), session.env());
        let keys: Vec<Vec<ContactKey>> =
            rows.iter().map(|row| row.details.duplicate_keys()).collect();
        let known: HashMap<ContactKey, ContactId> =
            store.contacts_by_keys(scope, &keys.concat()).await?.into_iter().collect();
        let employers = self.employers(&rows).await?;
        let references = self.references(&rows).await?;

        let mut plan =
            Plan { changes: session.new_changes(), outcome: Outcome::default(), rest: Vec::new() };
        let mut companies = Employers { known: employers, made: HashMap::new() };
        let mut touched: HashSet<ContactId> = HashSet::new();
        let mut made: HashMap<ContactKey, ContactId> = HashMap::new();
        let mut rows = rows.into_iter().zip(keys);
        while let Some((row, keys)) = rows.next() {
            let existing = keys.iter().find_map(|key| known.get(key)).copied();
            let in_batch = keys.iter().find_map(|key| made.get(key)).copied();
            let in_file = self.options.dry_run && self.remember(&keys);
            if let Some(holder) = existing.or(in_batch) {
                match self.options.on_conflict {
                    OnConflict::Skip => plan.outcome.skipped += 1,
                    OnConflict::Error => {
                        plan.outcome
                            .errors
                            .push((row.number, vec![duplicate(&keys, Some(holder))]));
                    }
                    OnConflict::Update if self.options.dry_run && in_batch.is_some() => {
                        plan.outcome.updated += 1;
                    }
                    OnConflict::Update if in_batch.is_some() || !touched.insert(holder) => {
                        plan.rest.push(row);
                        plan.rest.extend(rows.map(|(row, _)| row));
                        return Ok(plan);
                    }
                    OnConflict::Update => {
                        let of_another = |key: &&ContactKey| {
                            matches!(key, ContactKey::Email(_))
                                && known.get(*key).is_some_and(|id| *id != holder)
                        };
                        if let Some(key) = keys.iter().find(of_another) {
                            let other = known.get(key).copied();
                            let reason = duplicate(std::slice::from_ref(key), other);
                            plan.outcome.errors.push((row.number, vec![reason]));
                            continue;
                        }
                        let Some(before) = store.contact(scope, holder).await? else {
                            let reason = Error::not_found("contact");
                            let reason = FieldError::new("row", reason.code(), reason.message());
                            plan.outcome.errors.push((row.number, vec![reason]));
                            continue;
                        };
                        let mut details = row.details;
                        references.keep(&mut details);
                        companies.link(
                            &mut plan.changes,
                            &self.permits.companies,
                            env,
                            &mut details,
                        )?;
                        let permit = &self.permits.update;
                        match commands::merge(&mut plan.changes, permit, env, &before, details) {
                            Ok(Some(_)) => {
                                plan.outcome.updated += 1;
                                made.extend(keys.into_iter().map(|key| (key, holder)));
                            }
                            Ok(None) => plan.outcome.skipped += 1,
                            Err(error) if error.kind() == ErrorKind::Invalid => {
                                plan.outcome.errors.push((row.number, error.fields().to_vec()));
                            }
                            Err(error) => return Err(error),
                        }
                    }
                }
                continue;
            }
            if in_file {
                match self.options.on_conflict {
                    OnConflict::Skip => plan.outcome.skipped += 1,
                    OnConflict::Update => plan.outcome.updated += 1,
                    OnConflict::Error => {
                        plan.outcome.errors.push((row.number, vec![duplicate(&keys, None)]));
                    }
                }
                continue;
            }
            let mut details = row.details;
            references.keep(&mut details);
            companies.link(&mut plan.changes, &self.permits.companies, env, &mut details)?;
            let contact = commands::create(&mut plan.changes, &self.permits.create, env, details)?;
            made.extend(keys.into_iter().map(|key| (key, contact.id)));
            plan.outcome.created += 1;
        }
        Ok(plan)
    }

    /// Whether the file had one of these keys before.
    fn remember(&mut self, keys: &[ContactKey]) -> bool {
        let mut seen = false;
        for key in keys {
            let hash = fnv64(&[key.kind().as_bytes(), key.value().as_bytes()]);
            seen |= !self.seen.insert(hash);
        }
        seen
    }

    /// The companies that the rows name, or whose domain their e-mails have.
    async fn employers(&self, rows: &[Row]) -> Result<HashMap<CompanyKey, Company>> {
        let keys: HashSet<CompanyKey> =
            rows.iter().filter_map(|row| employer_key(&row.details)).collect();
        let keys: Vec<CompanyKey> = keys.into_iter().collect();
        let found = self.session.store().companies_by_keys(self.session.scope(), &keys).await?;
        Ok(found
            .into_iter()
            .flat_map(|company| company.keys().into_iter().map(move |key| (key, company.clone())))
            .collect())
    }

    /// The companies and owners that the rows refer to by id and that exist here.
    async fn references(&self, rows: &[Row]) -> Result<References> {
        let (store, scope) = (self.session.store(), self.session.scope());
        let mut references = References::default();
        let companies: HashSet<CompanyId> =
            rows.iter().filter_map(|row| row.details.company_id).collect();
        for id in companies {
            if store.company(scope, id).await?.is_some() {
                references.companies.insert(id);
            }
        }
        let owners: HashSet<UserId> = rows.iter().filter_map(|row| row.details.owner_id).collect();
        for id in owners {
            if store.user(scope, id).await?.is_some() {
                references.owners.insert(id);
            }
        }
        Ok(references)
    }
}

/// What an export of another tenant refers to does not exist here: the contact is kept, the reference
/// is not.
#[derive(Default)]
struct References {
    companies: HashSet<CompanyId>,
    owners: HashSet<UserId>,
}

impl References {
    fn keep(&self, details: &mut ContactDetails) {
        details.owner_id = details.owner_id.filter(|id| self.owners.contains(id));
        details.company_id = details.company_id.filter(|id| self.companies.contains(id));
    }
}

/// The companies of a batch: those that exist and those that it makes.
struct Employers {
    known: HashMap<CompanyKey, Company>,
    made: HashMap<CompanyKey, CompanyId>,
}

impl Employers {
    /// Gives the contact the record of its company: by name, which makes the company where there is
    /// none; without a name, by the domain of its e-mail where a company has that domain.
    fn link(
        &mut self,
        changes: &mut Changes,
        permit: &Permit<WriteCompanies>,
        env: &crate::env::Env,
        details: &mut ContactDetails,
    ) -> Result<()> {
        if details.company_id.is_some() {
            return Ok(());
        }
        let Some(key) = employer_key(details) else { return Ok(()) };
        if let Some(company) = self.known.get(&key) {
            details.company_id = Some(company.id);
            details.company.get_or_insert_with(|| company.name.clone());
        } else if let Some(id) = self.made.get(&key) {
            details.company_id = Some(*id);
        } else if let Some(name) = details.company.clone() {
            let company = companies::service::create(
                changes,
                permit,
                env,
                NewCompany { name, domain: None },
            )?;
            details.company_id = Some(company.id);
            self.made.insert(key, company.id);
        }
        Ok(())
    }
}

fn employer_key(details: &ContactDetails) -> Option<CompanyKey> {
    match &details.company {
        Some(name) => Some(CompanyKey::name(name)),
        None => details.emails.first().map(|email| CompanyKey::domain(&email.address.domain())),
    }
}

fn duplicate(keys: &[ContactKey], holder: Option<ContactId>) -> FieldError {
    let (field, value) = match keys.first() {
        Some(ContactKey::Email(value)) => ("emails", value.as_str()),
        Some(ContactKey::Phone(value)) => ("phones", value.as_str()),
        Some(ContactKey::Tag(_) | ContactKey::Fingerprint(_)) | None => ("row", "the same values"),
    };
    let message = match holder {
        Some(id) => format!("the contact `{id}` has `{value}` already"),
        None => format!("an earlier row has `{value}` already"),
    };
    FieldError::new(field, "already_exists", message)
}

fn is_contended(error: &Error) -> bool {
    match error.kind() {
        ErrorKind::AlreadyExists | ErrorKind::VersionConflict | ErrorKind::NotFound => true,
        ErrorKind::Invalid
        | ErrorKind::UnknownParameter
        | ErrorKind::InvalidCursor
        | ErrorKind::Unauthenticated
        | ErrorKind::Forbidden
        | ErrorKind::Conflict
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

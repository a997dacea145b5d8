//! `import`: contacts from files, each row accounted for.

mod pieces;
mod report;

use std::path::Path;

use crm_core::contacts::formats::{ImportFormat, ReadOptions, RecordReader};
use crm_core::contacts::import::ImportOptions;
use crm_core::{ErrorKind, Session};

use crate::program::cli::ImportArgs;
use crate::program::database::Database;
use crate::program::failure::Failure;
use crate::program::output::note;
use crate::program::progress::Progress;
use crate::program::tenancy;

use pieces::{Interrupt, Source};
use report::{FileReport, Report};

/// Imports the files, one after the other, and reports.
pub(crate) async fn run(database: &Database, args: ImportArgs) -> Result<(), Failure> {
    let options = options(&args)?;
    let sources =
        args.files.iter().map(|path| Source::open(path)).collect::<Result<Vec<_>, _>>()?;
    let crm = database.open().await?;
    let session = tenancy::session(&crm, &args.tenant.slug, "import on the command line").await?;
    let mut report = Report::new(args.dry_run, args.errors.as_deref())?;
    let mut interrupt = Interrupt::listen();

    let mut ended = Ok(());
    for source in sources {
        let file = FileImport { session: &session, options: &options, report: &mut report };
        ended = file.run(source, &mut interrupt).await;
        if ended.is_err() {
            break;
        }
    }
    if matches!(ended, Err(Failure::Interrupted)) {
        report.interrupt();
    }
    report.print(args.output.format())?;
    ended?;
    if report.is_good() { Ok(()) } else { Err(Failure::Negative) }
}

fn options(args: &ImportArgs) -> Result<ImportOptions, Failure> {
    let read = ReadOptions { map: args.map.clone(), delimiter: args.delimiter };
    // A wrong option is said before the first file is read, whatever format that turns out to be.
    RecordReader::new(args.format.unwrap_or(ImportFormat::Csv), read.clone()).map_err(|error| {
        Failure::of_option(error, |field| match field {
            "delimiter" => "--delimiter",
            _ => "--map",
        })
    })?;
    Ok(ImportOptions {
        format: args.format,
        read,
        on_conflict: args.on_conflict,
        dry_run: args.dry_run,
        source: None,
    })
}

/// One file on its way in.
struct FileImport<'a> {
    session: &'a Session,
    options: &'a ImportOptions,
    report: &'a mut Report,
}

impl FileImport<'_> {
    /// Imports the file and adds it to the report, whatever becomes of it. A file that cannot be
    /// read is the file's own failure; the others follow.
    async fn run(mut self, source: Source, interrupt: &mut Interrupt) -> Result<(), Failure> {
        let name = source.name.clone();
        let mut file = FileReport::new(&name);
        let progress = Progress::of_bytes(&short(&name), source.bytes);
        let ended = self.feed(source, interrupt, &mut file, &progress).await;
        progress.done();
        let ended = match ended {
            Ok(()) => Ok(()),
            Err(Stop::File(message)) => {
                note(&format!("crm-http: `{name}`: {message}"));
                file.fail(message);
                Ok(())
            }
            Err(Stop::All(failure)) => Err(failure),
        };
        self.report.add(file);
        ended
    }

    async fn feed(
        &mut self,
        source: Source,
        interrupt: &mut Interrupt,
        file: &mut FileReport,
        progress: &Progress,
    ) -> Result<(), Stop> {
        let name = source.name.clone();
        let mut import = self.session.contacts().import(self.options.clone())?;
        let mut pieces = source.into_pieces();
        let ended = loop {
            let piece = tokio::select! {
                biased;
                () = interrupt.wait() => break Err(Stop::All(Failure::Interrupted)),
                piece = pieces.recv() => piece,
            };
            match piece {
                Some(Ok(piece)) => {
                    let pushed = import.push(&piece).await;
                    file.count(import.report());
                    self.report.refuse(&name, import.take_errors())?;
                    pushed?;
                    progress.advance(piece.len() as u64);
                    progress.rows(import.report().rows());
                }
                Some(Err(error)) => {
                    break Err(Stop::File(format!("cannot be read any further: {error}")));
                }
                None => break Ok(()),
            }
        };
        // A file that broke off ends in the middle of a row, which is not taken for a whole one.
        let last = if ended.is_ok() { import.finish().await } else { import.stop().await }?;
        file.count(&last);
        self.report.refuse(&name, last.errors)?;
        self.report.warn(&name, last.warnings);
        ended
    }
}

/// What ends a file before its end.
enum Stop {
    File(String),
    All(Failure),
}

impl From<Failure> for Stop {
    fn from(failure: Failure) -> Self {
        Stop::All(failure)
    }
}

impl From<crm_core::Error> for Stop {
    fn from(error: crm_core::Error) -> Self {
        if error.kind() == ErrorKind::Invalid {
            Stop::File(error.message().to_owned())
        } else {
            Stop::All(error.into())
        }
    }
}

/// A file's name without its folder.
fn short(name: &str) -> String {
    Path::new(name).file_name().map_or(name.into(), |name| name.to_string_lossy().into_owned())
}

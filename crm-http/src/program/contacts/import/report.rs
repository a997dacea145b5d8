//! What became of each row.

use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

use crm_core::contacts::import::{ImportReport, MAX_ERRORS, RowError};
use serde::Serialize;

use crate::program::failure::Failure;
use crate::program::output::{self, Format, count, note};

/// Refused values that the table for people shows.
const SHOWN: usize = 20;

/// What became of the rows of all files.
#[derive(Serialize)]
pub(super) struct Report {
    created: u64,
    updated: u64,
    skipped: u64,
    failed: u64,
    errors: Vec<Refused>,
    errors_omitted: u64,
    warnings: Vec<Refused>,
    dry_run: bool,
    interrupted: bool,
    files: Vec<FileReport>,
    #[serde(skip)]
    all_errors: Option<ErrorFile>,
}

/// What became of the rows of one file.
#[derive(Default, Serialize)]
pub(super) struct FileReport {
    file: String,
    created: u64,
    updated: u64,
    skipped: u64,
    failed: u64,
    /// Why the file could not be read to its end.
    error: Option<String>,
}

/// A value that was refused, or one that was not kept.
#[derive(Serialize)]
struct Refused {
    file: String,
    #[serde(flatten)]
    error: RowError,
}

impl FileReport {
    /// Nothing has happened yet.
    pub(super) fn new(file: &str) -> Self {
        FileReport { file: file.to_owned(), ..FileReport::default() }
    }

    /// Takes over what the core has counted so far.
    pub(super) fn count(&mut self, report: &ImportReport) {
        self.created = report.created;
        self.updated = report.updated;
        self.skipped = report.skipped;
        self.failed = report.failed;
    }

    /// The file could not be read to its end.
    pub(super) fn fail(&mut self, reason: String) {
        self.error = Some(reason);
    }

    fn row(&self) -> [String; 6] {
        let rows = self.created + self.updated + self.skipped + self.failed;
        let [rows, created, updated, skipped, failed] =
            [rows, self.created, self.updated, self.skipped, self.failed].map(count);
        [self.file.clone(), rows, created, updated, skipped, failed]
    }
}

impl Report {
    /// An empty report. With `errors`, every refused value is written to that file as well.
    pub(super) fn new(dry_run: bool, errors: Option<&Path>) -> Result<Self, Failure> {
        Ok(Report {
            created: 0,
            updated: 0,
            skipped: 0,
            failed: 0,
            errors: Vec::new(),
            errors_omitted: 0,
            warnings: Vec::new(),
            dry_run,
            interrupted: false,
            files: Vec::new(),
            all_errors: errors.map(ErrorFile::create).transpose()?,
        })
    }

    /// Takes over the refused values of a file.
    pub(super) fn refuse(&mut self, file: &str, errors: Vec<RowError>) -> Result<(), Failure> {
        for error in errors {
            if let Some(all) = &mut self.all_errors {
                all.write(file, &error)?;
            }
            if self.errors.len() < MAX_ERRORS {
                self.errors.push(Refused { file: file.to_owned(), error });
            } else {
                self.errors_omitted += 1;
            }
        }
        Ok(())
    }

    /// Takes over what the rows of a file held and their contacts do not.
    pub(super) fn warn(&mut self, file: &str, warnings: Vec<RowError>) {
        let room = MAX_ERRORS.saturating_sub(self.warnings.len());
        let warnings = warnings.into_iter().take(room);
        self.warnings.extend(warnings.map(|error| Refused { file: file.to_owned(), error }));
    }

    /// Adds a file that has ended, well or not.
    pub(super) fn add(&mut self, file: FileReport) {
        self.created += file.created;
        self.updated += file.updated;
        self.skipped += file.skipped;
        self.failed += file.failed;
        self.files.push(file);
    }

    /// Ctrl-C was pressed before the last file ended.
    pub(super) fn interrupt(&mut self) {
        self.interrupted = true;
    }

    /// Whether every row of every file is good.
    pub(super) fn is_good(&self) -> bool {
        self.failed == 0 && self.files.iter().all(|file| file.error.is_none())
    }

    /// Prints the report, and completes the file of refused values.
    pub(super) fn print(&mut self, format: Format) -> Result<(), Failure> {
        if let Some(all) = &mut self.all_errors {
            all.finish()?;
        }
        match format {
            Format::Json => output::json(self),
            Format::Table => self.print_tables(),
        }
    }

    fn print_tables(&self) -> Result<(), Failure> {
        let mut rows: Vec<[String; 6]> = self.files.iter().map(FileReport::row).collect();
        if rows.len() > 1 {
            let total = FileReport {
                file: "all files".to_owned(),
                created: self.created,
                updated: self.updated,
                skipped: self.skipped,
                failed: self.failed,
                error: None,
            };
            rows.push(total.row());
        }
        output::table(["file", "rows", "created", "updated", "skipped", "failed"], rows)?;
        print_refused("refused", &self.errors, self.errors_omitted)?;
        print_refused("not kept", &self.warnings, 0)?;
        if (self.errors.len() > SHOWN || self.errors_omitted > 0) && self.all_errors.is_none() {
            note("`--errors FILE.csv` writes every refused value to a file");
        }
        if self.interrupted {
            note(&format!(
                "stopped by ctrl-C; what is counted {}; run the same command with \
                 `--on-conflict skip` to go on",
                if self.dry_run { "would be written" } else { "is written" },
            ));
        }
        if self.dry_run {
            note("a dry run: nothing was written");
        }
        Ok(())
    }
}

fn print_refused(what: &str, values: &[Refused], omitted: u64) -> Result<(), Failure> {
    if values.is_empty() {
        return Ok(());
    }
    output::text_lines("")?;
    output::table(
        ["file", "row", "field", "code", what],
        values.iter().take(SHOWN).map(|Refused { file, error }| {
            let RowError { row, error } = error;
            let code = error.code.to_string();
            [file.clone(), row.to_string(), error.field.clone(), code, error.message.clone()]
        }),
    )?;
    let more = values.len().saturating_sub(SHOWN) as u64 + omitted;
    if more > 0 { output::text_lines(&format!("and {} more", count(more))) } else { Ok(()) }
}

/// A CSV file of every refused value.
struct ErrorFile {
    path: PathBuf,
    file: BufWriter<File>,
}

impl ErrorFile {
    fn create(path: &Path) -> Result<Self, Failure> {
        let file = File::create(path).map_err(|error| {
            Failure::Usage(format!("--errors: cannot write `{}`: {error}", path.display()))
        })?;
        let mut errors = ErrorFile { path: path.to_owned(), file: BufWriter::new(file) };
        errors.line(&["file", "row", "field", "code", "message"])?;
        Ok(errors)
    }

    fn write(&mut self, file: &str, RowError { row, error }: &RowError) -> Result<(), Failure> {
        self.line(&[file, &row.to_string(), &error.field, &error.code, &error.message])
    }

    fn line(&mut self, cells: &[&str]) -> Result<(), Failure> {
        let line: Vec<String> = cells.iter().map(|cell| quoted(cell)).collect();
        let written = self.file.write_all(format!("{}\r\n", line.join(",")).as_bytes());
        self.or_failed(written)
    }

    fn finish(&mut self) -> Result<(), Failure> {
        let flushed = self.file.flush();
        self.or_failed(flushed)
    }

    fn or_failed(&self, result: io::Result<()>) -> Result<(), Failure> {
        result.map_err(|error| Failure::of_file("write", &self.path, &error))
    }
}

/// A cell of a CSV file (RFC 4180, 2). One that a spreadsheet would run as a formula gets an
/// apostrophe before it (OWASP, CSV Injection).
fn quoted(cell: &str) -> String {
    let formula = cell.starts_with(['=', '+', '-', '@', '\t', '\r']) && cell != "-";
    format!("\"{}{}\"", if formula { "'" } else { "" }, cell.replace('"', "\"\""))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cells_are_quoted_and_do_not_run() {
        assert_eq!(quoted("plain"), "\"plain\"");
        assert_eq!(quoted("say \"hi\", all"), "\"say \"\"hi\"\", all\"");
        assert_eq!(quoted("=1+1"), "\"'=1+1\"");
        assert_eq!(quoted("-"), "\"-\"");
    }
}

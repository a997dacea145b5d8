//! `export`: all contacts as a file.

use std::fs::File;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use crm_core::contacts::ContactFilter;
use crm_core::contacts::export::Export;
use crm_core::contacts::formats::ExportFormat;
use tempfile::NamedTempFile;

use crate::program::cli::ExportArgs;
use crate::program::database::Database;
use crate::program::failure::Failure;
use crate::program::output::of_stdout;
use crate::program::tenancy;

/// Writes all contacts.
pub(crate) async fn run(database: &Database, args: ExportArgs) -> Result<(), Failure> {
    let crm = database.open().await?;
    let session = tenancy::session(&crm, &args.tenant.slug, "export on the command line").await?;
    let format = args
        .format
        .or_else(|| args.output.as_deref().and_then(format_of))
        .unwrap_or(ExportFormat::Csv);
    let mut export = session.contacts().export(format, ContactFilter::default())?;
    match &args.output {
        None => {
            let mut out = io::stdout().lock();
            copy(&mut export, &mut out, |error| of_stdout(&error)).await
        }
        Some(path) => to_file(&mut export, path).await,
    }
}

fn format_of(path: &Path) -> Option<ExportFormat> {
    let ending = path.extension()?.to_str()?.to_ascii_lowercase();
    ExportFormat::ALL.iter().copied().find(|format| format.extension() == ending)
}

async fn copy(
    export: &mut Export<'_>,
    out: &mut impl Write,
    failed: impl Fn(io::Error) -> Failure,
) -> Result<(), Failure> {
    while let Some(bytes) = export.next_bytes().await? {
        out.write_all(&bytes).map_err(&failed)?;
    }
    out.flush().map_err(failed)
}

/// Writes beside the file and renames, so that half an export never has the file's name.
async fn to_file(export: &mut Export<'_>, path: &Path) -> Result<(), Failure> {
    let failed = |error: io::Error| Failure::of_file("write", path, &error);
    // A link stays a link, and leads to the new content.
    let target = path.canonicalize().unwrap_or_else(|_| path.to_owned());
    if target.metadata().is_ok_and(|known| !known.is_file()) {
        // A pipe or a device cannot be replaced.
        let mut file = File::options().write(true).open(&target).map_err(failed)?;
        return copy(export, &mut file, failed).await;
    }
    let mut file = beside(&target).map_err(failed)?;
    copy(export, &mut file, failed).await?;
    file.as_file().sync_all().map_err(failed)?;
    file.persist(&target).map_err(|error| failed(error.error))?;
    Ok(())
}

fn beside(target: &Path) -> io::Result<NamedTempFile> {
    let folder = match target.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder.to_owned(),
        Some(_) | None => PathBuf::from("."),
    };
    let mut builder = tempfile::Builder::new();
    builder.prefix(".crm-export-");
    // As a file that a shell makes, within the umask.
    #[cfg(unix)]
    builder.permissions(std::os::unix::fs::PermissionsExt::from_mode(0o666));
    builder.tempfile_in(folder)
}

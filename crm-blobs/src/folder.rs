//! The folder that blobs are files of: who may enter it, and what is on its disk.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use crm_core::{Error, Result};
use object_store::local::LocalFileSystem;
use object_store::path::Path as ObjectPath;

use crate::{failed, unreachable};

#[derive(Debug, Clone)]
pub(crate) struct Folder(PathBuf);

impl Folder {
    /// The folder, which is made where it is missing and is its owner's alone.
    pub(crate) fn open(path: &Path) -> Result<Self> {
        let open = || {
            make(path)?;
            restrict(path, 0o700)?;
            // The store compares with the real path.
            path.canonicalize()
        };
        let told = || format!("the folder `{}` cannot be made", path.display());
        open().map(Folder).map_err(|error| Error::unavailable(told(), error))
    }

    pub(crate) fn store(&self) -> Result<LocalFileSystem> {
        let store = LocalFileSystem::new_with_prefix(&self.0).map_err(failed)?;
        Ok(store.with_fsync(true).with_automatic_cleanup(true))
    }

    /// Makes the folders above a file, so that they are the owner's alone.
    pub(crate) async fn prepare(&self, path: &ObjectPath) -> Result<()> {
        let file = self.file(path);
        blocking(move || file.parent().map_or(Ok(()), make)).await
    }

    /// Makes a file the owner's alone. Until then the folder keeps the others out.
    pub(crate) async fn protect(&self, path: &ObjectPath) -> Result<()> {
        let file = self.file(path);
        blocking(move || match restrict(&file, 0o600) {
            // Somebody has deleted it since.
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
            result => result,
        })
        .await
    }

    pub(crate) async fn check(&self) -> Result<()> {
        let folder = self.0.clone();
        blocking(move || {
            let found = fs::metadata(&folder)?;
            if !found.is_dir() || found.permissions().readonly() {
                return Err(io::Error::other("it is no folder that can be written to"));
            }
            Ok(())
        })
        .await
    }

    fn file(&self, path: &ObjectPath) -> PathBuf {
        path.parts().fold(self.0.clone(), |folder, part| folder.join(part.as_ref()))
    }
}

async fn blocking(work: impl FnOnce() -> io::Result<()> + Send + 'static) -> Result<()> {
    let done = tokio::task::spawn_blocking(work).await;
    done.map_err(Error::internal)?.map_err(unreachable)
}

#[cfg(unix)]
fn make(folder: &Path) -> io::Result<()> {
    use std::os::unix::fs::DirBuilderExt as _;
    fs::DirBuilder::new().recursive(true).mode(0o700).create(folder)
}

#[cfg(not(unix))]
fn make(folder: &Path) -> io::Result<()> {
    fs::create_dir_all(folder)
}

#[cfg(unix)]
fn restrict(path: &Path, mode: u32) -> io::Result<()> {
    use std::os::unix::fs::PermissionsExt as _;
    fs::set_permissions(path, fs::Permissions::from_mode(mode))
}

#[cfg(not(unix))]
fn restrict(_: &Path, _: u32) -> io::Result<()> {
    Ok(())
}

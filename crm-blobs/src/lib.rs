//! [`Blobs`] of [`crm_core`] in a folder, or in an object store: Amazon S3 and what speaks its protocol
//! (feature `s3`), Google Cloud Storage (`gcs`), Azure Blob Storage (`azure`).
//!
//! ```
//! use crm_blobs::ObjectBlobs;
//! # fn main() -> crm_core::Result<()> {
//! # let folder = std::env::temp_dir().join(format!("crm-blobs-{}", std::process::id()));
//! let blobs = ObjectBlobs::folder(&folder)?;
//! let same = ObjectBlobs::from_url(&format!("file://{}", folder.display()))?;
//! assert!(ObjectBlobs::from_url("ftp://example.com/blobs").is_err());
//! # std::fs::remove_dir(folder).map_err(crm_core::Error::internal)
//! # }
//! ```

mod folder;
mod place;
mod put;

use std::fmt;
use std::ops::Range;
use std::path::Path;
use std::sync::Arc;

use async_trait::async_trait;
use crm_core::blobs::{BlobKey, Blobs, ByteStream};
use crm_core::{Error, Result};
use futures::{StreamExt as _, TryStreamExt as _, stream};
use object_store::path::Path as ObjectPath;
use object_store::{GetOptions, GetRange, ObjectStore, ObjectStoreExt as _};

use crate::folder::Folder;

/// Blobs in a folder or an object store. Clones share it.
///
/// A blob appears whole or not at all. What is written when the process dies is left: in a folder a file
/// whose name ends in `#` and a number; in an object store an unfinished multipart upload, which a
/// lifecycle rule of the bucket should abort after a day.
#[derive(Clone)]
pub struct ObjectBlobs {
    store: Arc<dyn ObjectStore>,
    /// Before each key; empty or ending in `/`.
    prefix: String,
    /// Where the store is a folder.
    folder: Option<Folder>,
}

impl ObjectBlobs {
    /// Blobs as files in this folder, which is made where it is missing. Only its owner may enter it (0700),
    /// and read and write the files (0600), on systems that know such permissions. A key that is the beginning
    /// of another, such as `a` and `a/b`, cannot be kept beside it.
    ///
    /// # Errors
    ///
    /// `unavailable` when the folder cannot be made or is not the process's own.
    pub fn folder(path: impl AsRef<Path>) -> Result<Self> {
        let folder = Folder::open(path.as_ref())?;
        let store = Arc::new(folder.store()?);
        Ok(ObjectBlobs { store, prefix: String::new(), folder: Some(folder) })
    }

    /// Blobs at this address: `file:///folder`, `s3://bucket/prefix`, `gs://bucket/prefix`,
    /// `az://container/prefix`. Credentials, regions and endpoints come from the environment, in the
    /// variables of the provider's own tools (`AWS_..`, `GOOGLE_..`, `AZURE_..`), and from the machine's role.
    ///
    /// # Errors
    ///
    /// `invalid` under `blobs` for another address, for one whose feature this program was built without, and for
    /// settings that do not suffice; `unavailable` for a folder that cannot be made.
    pub fn from_url(url: &str) -> Result<Self> {
        place::open(url)
    }

    fn path(&self, key: &BlobKey) -> Result<ObjectPath> {
        ObjectPath::parse(format!("{}{key}", self.prefix)).map_err(Error::internal)
    }
}

#[async_trait]
impl Blobs for ObjectBlobs {
    async fn put(&self, key: &BlobKey, bytes: ByteStream) -> Result<()> {
        let path = self.path(key)?;
        if let Some(folder) = &self.folder {
            folder.prepare(&path).await?;
        }
        put::put(&*self.store, &path, bytes).await?;
        match &self.folder {
            Some(folder) => folder.protect(&path).await,
            None => Ok(()),
        }
    }

    async fn get(&self, key: &BlobKey, range: Range<u64>) -> Result<ByteStream> {
        let path = self.path(key)?;
        let wanted = match range.end {
            u64::MAX => GetRange::Offset(range.start),
            _ => GetRange::Bounded(range.clone()),
        };
        let options = GetOptions { range: Some(wanted), ..GetOptions::default() };
        match self.store.get_opts(&path, options).await {
            Ok(found) => Ok(found.into_stream().map_err(failed).boxed()),
            Err(error @ object_store::Error::NotFound { .. }) => Err(failed(error)),
            Err(error) => {
                // A range without bytes is an error there.
                let size = self.store.head(&path).await.map_err(failed)?.size;
                if range.is_empty() || range.start >= size {
                    return Ok(stream::empty().boxed());
                }
                Err(failed(error))
            }
        }
    }

    async fn delete(&self, key: &BlobKey) -> Result<()> {
        match self.store.delete(&self.path(key)?).await {
            Ok(()) | Err(object_store::Error::NotFound { .. }) => Ok(()),
            Err(error) => Err(failed(error)),
        }
    }

    async fn check(&self) -> Result<()> {
        if let Some(folder) = &self.folder {
            return folder.check().await;
        }
        // Nothing is there, and to hear so the place must be reached.
        let nowhere = ObjectPath::from(format!("{}check", self.prefix));
        match self.store.list(Some(&nowhere)).next().await {
            Some(Err(error)) => Err(unreachable(error)),
            Some(Ok(_)) | None => Ok(()),
        }
    }
}

/// What has failed, as the port says it.
fn failed(error: object_store::Error) -> Error {
    if matches!(error, object_store::Error::NotFound { .. }) {
        return Error::not_found("blob").with_source(error);
    }
    unreachable(error)
}

fn unreachable(error: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Error {
    Error::unavailable("the place of the blobs cannot be reached", error)
}

impl fmt::Debug for ObjectBlobs {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // The store's own `Debug` may know credentials.
        write!(f, "ObjectBlobs({})", self.store)
    }
}

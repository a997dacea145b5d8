//! A folder proves what every place for blobs must.

use async_trait::async_trait;
use crm_blobs::ObjectBlobs;
use crm_conformance::{BlobsFactory, Configuration, FreshBlobs};
use crm_core::{Error, Result};

struct Folder;

#[async_trait]
impl BlobsFactory for Folder {
    async fn fresh(&self) -> Result<FreshBlobs> {
        let folder = tempfile::tempdir().map_err(Error::internal)?;
        Ok(FreshBlobs::new(ObjectBlobs::folder(folder.path())?).keeping(folder))
    }
}

fn main() -> std::process::ExitCode {
    crm_conformance::main([Configuration::blobs("folder", Folder)])
}

//! A place for blobs.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use crm_core::blobs::{BlobKey, Blobs, MemoryBlobs};
use crm_core::{Error, ErrorKind};
use crm_embed::ports::{Arguments, Host, HostError, HostValue};
use futures::{StreamExt as _, stream};

use super::{Given, no_method, raise};

/// Keeps in memory.
#[derive(Default)]
pub struct HostedBlobs(Arc<MemoryBlobs>);

#[async_trait]
impl Host for HostedBlobs {
    async fn call(
        &self,
        method: &'static str,
        arguments: Arguments,
    ) -> Result<HostValue, HostError> {
        let mut given = Given::new(arguments);
        if method == "check" {
            return Ok(HostValue::Null);
        }
        let key = BlobKey::from_stored(&given.text("key")).unwrap();
        match method {
            "put" => {
                let HostValue::Stream(chunks) = given.take("chunks") else { panic!("no chunks") };
                given.done();
                let bytes = chunks.map(|chunk| match chunk {
                    Ok(HostValue::Bytes(bytes)) => Ok(bytes),
                    Ok(other) => panic!("{other:?} among the chunks"),
                    // What a host makes of an iterator that raises.
                    Err(error) => {
                        Err(Error::new(ErrorKind::Internal, "no whole").with_source(error))
                    }
                });
                self.0.put(&key, bytes.boxed()).await.map_err(raise)?;
                Ok(HostValue::Null)
            }
            "get" => {
                let start = given.integer("start").unwrap();
                let end = given.integer("end").unwrap_or(u64::MAX);
                given.done();
                // An asynchronous generator: what it raises is raised by its first step.
                let blobs = Arc::clone(&self.0);
                let chunks =
                    stream::once(async move { blobs.get(&key, start..end).await.map_err(raise) });
                let chunks = chunks.flat_map(|bytes| match bytes {
                    Ok(bytes) => {
                        bytes.map(|chunk| chunk.map(HostValue::Bytes).map_err(raise)).boxed()
                    }
                    Err(error) => stream::iter([Err(error)]).boxed(),
                });
                Ok(HostValue::Stream(chunks.boxed()))
            }
            "delete" => {
                given.done();
                self.0.delete(&key).await.map_err(raise)?;
                Ok(HostValue::Null)
            }
            other => Err(no_method(other)),
        }
    }

    fn call_now(
        &self,
        method: &'static str,
        _: Arguments,
        _: Duration,
    ) -> Result<HostValue, HostError> {
        Err(no_method(method))
    }

    fn has(&self, method: &str) -> bool {
        ["put", "get", "delete", "check"].contains(&method)
    }
}

//! Which place an address means.

use std::sync::Arc;

use crm_core::{Error, Result};
use object_store::ObjectStore;
use url::Url;

use crate::ObjectBlobs;

pub(crate) fn open(text: &str) -> Result<ObjectBlobs> {
    let url = Url::parse(text)
        .map_err(|error| refused("invalid_url", ADDRESSES.to_owned()).with_source(error))?;
    if !url.username().is_empty()
        || url.password().is_some()
        || url.query().is_some()
        || url.fragment().is_some()
    {
        let message = "the address of the blobs has no credentials, query or fragment; settings come \
                       from the environment";
        return Err(refused("invalid_url", message.to_owned()));
    }
    let store = match url.scheme() {
        "file" => {
            let path = url.to_file_path().map_err(|()| {
                refused("invalid_url", "the address of a folder is `file:///folder`".to_owned())
            })?;
            return ObjectBlobs::folder(path);
        }
        "s3" => s3(&url)?,
        "gs" => gcs(&url)?,
        "az" => azure(&url)?,
        _ => return Err(refused("invalid_url", ADDRESSES.to_owned())),
    };
    let prefix = url.path().trim_matches('/');
    let prefix = if prefix.is_empty() { String::new() } else { format!("{prefix}/") };
    Ok(ObjectBlobs { store, prefix, folder: None })
}

const ADDRESSES: &str = "the address of the blobs is `file:///folder`, `s3://bucket/prefix`, \
                         `gs://bucket/prefix` or `az://container/prefix`";

fn refused(code: &'static str, message: String) -> Error {
    Error::invalid_field("blobs", code, message)
}

/// Defines how a place is opened, or refused by a program that was built without it.
macro_rules! places {
    ($($name:ident: $feature:literal, $builder:path;)*) => {$(
        #[cfg(feature = $feature)]
        fn $name(url: &Url) -> Result<Arc<dyn ObjectStore>> {
            // The bucket alone: the rest of the address is the prefix.
            let bucket = format!("{}://{}", url.scheme(), url.host_str().unwrap_or_default());
            let store = <$builder>::from_env().with_url(bucket).build().map_err(|error| {
                let message = concat!("the settings for `", $feature, "` do not suffice");
                refused("invalid_settings", message.to_owned()).with_source(error)
            })?;
            Ok(Arc::new(store))
        }

        #[cfg(not(feature = $feature))]
        fn $name(_: &Url) -> Result<Arc<dyn ObjectStore>> {
            let message = concat!(
                "this program was built without the feature `", $feature, "` of crm-blobs, which this address needs"
            );
            Err(refused("unsupported", message.to_owned()))
        }
    )*};
}

places! {
    s3: "s3", object_store::aws::AmazonS3Builder;
    gcs: "gcs", object_store::gcp::GoogleCloudStorageBuilder;
    azure: "azure", object_store::azure::MicrosoftAzureBuilder;
}

//! The bucket that `models publish` writes to: the same objects as those of a plan, without the marks of a stack.

use std::collections::{BTreeMap, HashMap};

use akidb_edge_delivery::publish::{ExistingObject, ModelPublishFault, Upload, UploadContent, UploadStore};
use async_trait::async_trait;
use aws_sdk_s3::Client;

use super::fault::optional;
use super::object::{ExistingKeyPolicy, SHA256, STACK, UploadTarget};
use super::{Clients, fault_of};
use crate::resource::object::ObjectSpec;
use crate::resource::{ArtifactSource, Fault, FaultClass};

/// Objects of a list: what a server that syncs from the bucket takes, too.
const MOST_OBJECTS: usize = 100_000;

/// A bucket and a prefix.
pub struct ModelBucket {
    client: Client,
    bucket: String,
    region: String,
    /// With a slash at its end, unless it is empty.
    prefix: String,
}

impl ModelBucket {
    /// A bucket in a region; `prefix` has no slash at its ends. No service is called.
    ///
    /// # Errors
    /// The region is not the name of one.
    pub fn open(clients: &Clients, region: &str, bucket: &str, prefix: &str) -> Result<Self, Fault> {
        let prefix = if prefix.is_empty() { String::new() } else { format!("{prefix}/") };
        let (bucket, region) = (bucket.to_owned(), region.to_owned());
        Ok(Self { client: clients.s3(&region)?, bucket, region, prefix })
    }

    fn key(&self, key: &str) -> String {
        format!("{}{key}", self.prefix)
    }

    /// Reports a missing bucket by its name and region. The list that comes before the first upload finds it.
    fn named(&self, fault: Fault) -> Fault {
        if fault.code == "NoSuchBucket" {
            let words =
                format!("the bucket {} does not exist, as far as this account can see in {}", self.bucket, self.region);
            return Fault::new(fault.class, "s3", "ListObjectsV2", "NoSuchBucket", words).next(
                "correct the name after s3://, the account or --region; akidb-edge deploy creates the bucket of a plan",
            );
        }
        fault
    }
}

#[async_trait]
impl UploadStore for ModelBucket {
    async fn list(&self, begin: &str) -> Result<Vec<ExistingObject>, ModelPublishFault> {
        let list = self.client.list_objects_v2().bucket(&self.bucket).prefix(self.key(begin));
        let (mut pages, mut found, mut asked) = (list.into_paginator().send(), Vec::new(), 0);
        while let Some(page) = pages.next().await {
            asked += 1;
            let page =
                page.map_err(|bad| ModelPublishFault::store(self.named(fault_of("s3", "ListObjectsV2", bad))))?;
            for object in page.contents() {
                let Some(key) = object.key().and_then(|key| key.strip_prefix(&self.prefix)) else { continue };
                let size = object.size().and_then(|size| u64::try_from(size).ok()).unwrap_or_default();
                let written = object.last_modified().map(|at| at.secs()).unwrap_or_default();
                found.push(ExistingObject { key: key.to_owned(), size, written });
            }
            // Pages without objects are too many, too.
            if found.len() > MOST_OBJECTS || asked > MOST_OBJECTS {
                let words = format!("there are more than {MOST_OBJECTS} objects below {}", self.key(begin));
                let fault = Fault::new(FaultClass::Refused, "s3", "ListObjectsV2", "TooManyObjects", words);
                return Err(ModelPublishFault::store(fault.next("publish to a prefix that contains only models")));
            }
        }
        Ok(found)
    }

    async fn stack_of(&self, key: &str) -> Result<Option<String>, ModelPublishFault> {
        let call = self.client.head_object().bucket(&self.bucket).key(self.key(key));
        let held = optional(call.send().await.map_err(|bad| fault_of("s3", "HeadObject", bad)));
        let held = held.map_err(ModelPublishFault::store)?;
        Ok(held.and_then(|held| held.metadata?.remove(STACK)))
    }

    async fn read(&self, key: &str) -> Result<Option<Vec<u8>>, ModelPublishFault> {
        let call = self.client.get_object().bucket(&self.bucket).key(self.key(key));
        let held = optional(call.send().await.map_err(|bad| fault_of("s3", "GetObject", bad)));
        let Some(held) = held.map_err(ModelPublishFault::store)? else { return Ok(None) };
        let bytes = held.body.collect().await.map_err(ModelPublishFault::store)?;
        Ok(Some(bytes.to_vec()))
    }

    async fn put(&self, upload: &Upload) -> Result<(), ModelPublishFault> {
        let spec = ObjectSpec {
            bucket: self.bucket.clone(),
            region: self.region.clone(),
            key: self.key(&upload.key),
            sha256: upload.sha256.clone(),
            bytes: upload.size,
            content_type: upload.content_type.to_owned(),
            cache_control: Some(upload.cache_control.to_owned()),
            metadata: BTreeMap::new(),
        };
        let source = match &upload.content {
            UploadContent::File(path) => ArtifactSource::File(path.clone()),
            UploadContent::Bytes(bytes) => ArtifactSource::Memory(bytes.clone().into()),
        };
        let metadata = HashMap::from([(SHA256.to_owned(), upload.sha256.clone())]);
        let target = UploadTarget { client: &self.client, spec: &spec, metadata };
        target.put(&source, ExistingKeyPolicy::Replace).await.map_err(ModelPublishFault::store)
    }

    async fn delete(&self, key: &str) -> Result<(), ModelPublishFault> {
        let call = self.client.delete_object().bucket(&self.bucket).key(self.key(key));
        let gone = optional(call.send().await.map_err(|bad| fault_of("s3", "DeleteObject", bad)));
        gone.map(drop).map_err(ModelPublishFault::store)
    }
}

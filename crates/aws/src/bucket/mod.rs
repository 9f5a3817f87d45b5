//! S3 buckets: one call for the bucket, one for each setting that the plan or an earlier run states.

mod calls;
mod cors;
mod data;
mod encryption;
mod lifecycle;
mod listing;
mod read;
mod unmanaged;
mod write;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use async_trait::async_trait;
use aws_sdk_s3::Client;
use aws_sdk_s3::types as s3;
use futures::future::BoxFuture;
use futures::{FutureExt, future};

pub use self::calls::{CODES, GRANTS};
use super::fault::{optional, unbuilt};
use super::{Clients, fault_of, tags};
use crate::provider::{Applied, DeleteOutcome, OwnedQuery, Provider, ResourceContext};
use crate::resource::bucket::{BucketSpec, CorsRule, LifecycleRule};
use crate::resource::{
    Attributes, Fault, FaultClass, FieldChange, ObservedResource, OwnedResource, Owner, STACK_TAG, UnmanagedField,
};

/// Buckets of the account.
pub struct Buckets {
    clients: Arc<Clients>,
}

impl Buckets {
    /// Buckets reached by `clients`.
    pub fn new(clients: &Arc<Clients>) -> Self {
        Self { clients: Arc::clone(clients) }
    }
}

fn attributes(spec: &BucketSpec) -> Attributes {
    let name = &spec.name;
    let domain = if spec.region == super::GLOBAL {
        format!("{name}.s3.amazonaws.com")
    } else {
        format!("{name}.s3.{}.amazonaws.com", spec.region)
    };
    Attributes::from([
        ("name".into(), name.clone().into()),
        ("arn".into(), format!("arn:aws:s3:::{name}").into()),
        ("region".into(), spec.region.clone().into()),
        ("domain".into(), domain.into()),
    ])
}

/// The region in which an earlier run made it (or its bucket), as long as `field` names the same one.
pub(super) fn home(subject: &ResourceContext<'_>, field: &str, region: String) -> String {
    let text = |value: Option<&serde_json::Value>| value.and_then(serde_json::Value::as_str).map(str::to_owned);
    let same = |before: &&serde_json::Value| before.get(field) == subject.spec.get(field);
    subject.before.filter(same).and_then(|before| text(before.get("region"))).unwrap_or(region)
}

/// What an earlier run asked for, as far as this version can read it.
fn before(subject: &ResourceContext<'_>) -> Option<BucketSpec> {
    subject.before.and_then(|before| serde_json::from_value(before.clone()).ok())
}

/// Whether tags name this stack and this address, or the address that the plan has moved it from.
fn is_ours(subject: &ResourceContext<'_>, found: &BTreeMap<String, String>) -> bool {
    let at = |address| tags::read(&ResourceContext { address, ..*subject }, found.clone()).0 == Owner::Ours;
    at(subject.address) || subject.former.is_some_and(at)
}

#[async_trait]
impl Provider for Buckets {
    async fn read(&self, subject: &ResourceContext<'_>) -> Result<Option<ObservedResource>, Fault> {
        let mut wanted: BucketSpec = subject.typed()?;
        // A plan that names another region speaks of the bucket that is there: no region but its own would answer.
        wanted.region = home(subject, "name", wanted.region);
        let client = self.clients.s3(&wanted.region)?;
        let tags = match read::tagging(&client, &wanted.name).await {
            Err(fault) if fault.code == "NoSuchBucket" => return Ok(None),
            // There, without tags.
            Err(fault) if fault.code == "NoSuchTagSet" => BTreeMap::new(),
            // Missing in other words: is there a bucket at all?
            Err(fault) if fault.class == FaultClass::Missing => {
                if !read::exists(&client, &wanted.name).await? {
                    return Ok(None);
                }
                BTreeMap::new()
            }
            other => other?,
        };
        let (owner, tags) = tags::read(subject, tags);
        let before = before(subject);
        let look =
            read::ReadPlan { client: &client, wanted: &wanted, before: before.as_ref(), thorough: subject.thorough };
        let (spec, extras) = look.settings(tags).await?;
        let attributes = attributes(&wanted);
        let spec = serde_json::to_value(spec).map_err(|bad| Fault::unexpected("s3", "read", bad.to_string()))?;
        Ok(Some(ObservedResource { id: wanted.name, spec, attributes, owner, extras }))
    }

    async fn create(&self, subject: &ResourceContext<'_>) -> Result<Applied, Fault> {
        let spec: BucketSpec = subject.typed()?;
        let client = self.clients.s3(&spec.region)?;
        let place = (spec.region != super::GLOBAL).then(|| {
            let region = s3::BucketLocationConstraint::from(spec.region.as_str());
            s3::CreateBucketConfiguration::builder().location_constraint(region).build()
        });
        let call = client.create_bucket().bucket(&spec.name).set_create_bucket_configuration(place);
        let mut fresh = subject.seen_absent;
        // Tags that are on it already: S3 takes all of them at once, so those of others are written again.
        let mut held = BTreeMap::new();
        // There alone a bucket of the account that exists already is answered as if it were new.
        if spec.region == super::GLOBAL && !fresh {
            let tags = self.tags_if_free(subject, &client, &spec.name).await?;
            held = tags.ok_or_else(|| occupied(&spec.name))?;
        }
        if let Err(bad) = call.send().await {
            fresh = false;
            let fault = fault_of("s3", "CreateBucket", bad);
            let ours = fault.class == FaultClass::Exists && fault.code == "BucketAlreadyOwnedByYou";
            let tags = if ours { self.tags_if_ours(subject, &client, &spec.name).await? } else { None };
            held = tags.ok_or(fault)?;
        }
        held.extend(tags::wanted(subject, &spec.tags));
        let writing = write::BucketUpdate { client: &client, spec: &spec, before: None, tags: held, fresh };
        writing.settings(&["*"]).await?;
        Ok(Applied { id: spec.name.clone(), attributes: attributes(&spec) })
    }

    async fn update(
        &self,
        subject: &ResourceContext<'_>,
        found: &ObservedResource,
        fields: &[FieldChange],
    ) -> Result<Applied, Fault> {
        let spec: BucketSpec = subject.typed()?;
        let client = self.clients.s3(&spec.region)?;
        let changed: Vec<&str> = fields.iter().filter_map(|field| field.path.split('.').next()).collect();
        let tags = tags::merged(subject, &spec.tags, found, fields);
        let before = before(subject);
        let writing = write::BucketUpdate { client: &client, spec: &spec, before: before.as_ref(), tags, fresh: false };
        writing.settings(&changed).await?;
        Ok(Applied { id: spec.name.clone(), attributes: attributes(&spec) })
    }

    async fn delete(&self, subject: &ResourceContext<'_>) -> Result<DeleteOutcome, Fault> {
        let spec: BucketSpec = subject.typed()?;
        let answer = self.clients.s3(&spec.region)?.delete_bucket().bucket(&spec.name).send().await;
        match answer.map_err(|bad| fault_of("s3", "DeleteBucket", bad)) {
            Ok(_) => Ok(DeleteOutcome::Deleted),
            Err(fault) if fault.class == FaultClass::Missing => Ok(DeleteOutcome::Deleted),
            Err(fault) if fault.code == "BucketNotEmpty" => {
                Err(fault.next("it still contains objects or old versions: add --empty-buckets to delete them"))
            }
            Err(fault) => Err(fault),
        }
    }

    async fn list_owned(&self, search: &OwnedQuery<'_>) -> Result<Vec<OwnedResource>, Fault> {
        listing::listing(&self.clients, search).await
    }

    async fn data(&self, subject: &ResourceContext<'_>, going: &BTreeSet<String>) -> Result<Option<String>, Fault> {
        let spec: BucketSpec = subject.typed()?;
        let key = data::staying(&self.clients.s3(&spec.region)?, &spec.name, going).await?;
        Ok(key.map(|key| format!("for example {key}")))
    }

    async fn empty(&self, subject: &ResourceContext<'_>) -> Result<(), Fault> {
        let spec: BucketSpec = subject.typed()?;
        write::empty(&self.clients.s3(&spec.region)?, &spec.name).await
    }
}

/// A bucket of the account that is not to be adopted.
fn occupied(name: &str) -> Fault {
    let problem = format!("the bucket {name} already exists and is not tagged as this stack's");
    let fault = Fault::new(FaultClass::Exists, "s3", "CreateBucket", "BucketAlreadyOwnedByYou", problem);
    fault.next("choose another name, or import the bucket with state import")
}

impl Buckets {
    /// The tags of the bucket that has the name, none of them when the name is free; nothing when the bucket may not be adopted.
    async fn tags_if_free(
        &self,
        subject: &ResourceContext<'_>,
        client: &Client,
        name: &str,
    ) -> Result<Option<BTreeMap<String, String>>, Fault> {
        match self.tags_if_ours(subject, client, name).await {
            Err(fault) if fault.class == FaultClass::Missing => Ok(Some(BTreeMap::new())),
            answer => answer,
        }
    }

    /// The tags of a bucket that we own already and that may be adopted: it carries our mark, or none and nothing in it (the
    /// answer to its creation was lost before it could be tagged). What a journal goes back to that imported it may carry none.
    async fn tags_if_ours(
        &self,
        subject: &ResourceContext<'_>,
        client: &Client,
        name: &str,
    ) -> Result<Option<BTreeMap<String, String>>, Fault> {
        match optional(read::tagging(client, name).await)? {
            Some(found) => {
                let unmarked = subject.is_imported() && !found.contains_key(STACK_TAG);
                Ok(Some(found).filter(|found| unmarked || is_ours(subject, found)))
            }
            None if subject.is_imported() => Ok(Some(BTreeMap::new())),
            None => {
                let listed = client.list_object_versions().bucket(name).max_keys(1).send().await;
                let listed = listed.map_err(|bad| fault_of("s3", "ListObjectVersions", bad))?;
                let empty = listed.versions().is_empty() && listed.delete_markers().is_empty();
                Ok(empty.then(BTreeMap::new))
            }
        }
    }
}

//! Writing a bucket's settings.

use super::encryption::Encryption;
use super::*;

type Call<'a> = BoxFuture<'a, Result<(), Fault>>;

/// What is to be written.
pub struct BucketUpdate<'a> {
    pub client: &'a Client,
    pub spec: &'a BucketSpec,
    /// What an earlier run asked for: what it states and `spec` does not goes back to the default of S3.
    pub before: Option<&'a BucketSpec>,
    /// Everybody's tags.
    pub tags: BTreeMap<String, String>,
    /// The bucket was just made: there is nothing of others to keep.
    pub fresh: bool,
}

impl BucketUpdate<'_> {
    /// Writes the settings that are named in `changed` (`*` for every one that the plan states), all at once.
    pub async fn settings(self, changed: &[&str]) -> Result<(), Fault> {
        let (client, spec, before, fresh) = (self.client, self.spec, self.before, self.fresh);
        let name = &spec.name;
        let every = changed.contains(&"*");
        let due = |path: &str, stated: bool| changed.contains(&path) || (every && stated);
        let (now, then) = (Encryption::of(spec), before.map(Encryption::of).unwrap_or_default());
        let mut calls: Vec<Call<'_>> = Vec::new();
        if due("tags", true) {
            calls.push(tagging(client, name, self.tags).boxed());
        }
        if due("versioning", spec.versioning.is_some()) {
            calls.push(versioning(client, spec).boxed());
        }
        if due("encryption", now.is_stated()) || due("kms_key", false) || due("bucket_key", false) {
            calls.push(encryption::write(client, name, &now, &then, fresh).boxed());
        }
        if due("block_public_access", spec.block_public_access.is_some()) {
            calls.push(public_access(client, spec).boxed());
        }
        if due("ownership", spec.ownership.is_some()) {
            calls.push(ownership(client, spec).boxed());
        }
        let stated = |empty: Option<bool>| empty.is_some_and(|empty| !empty || !fresh);
        if due("cors", stated(spec.cors.as_ref().map(Vec::is_empty))) {
            calls.push(cors::write(client, name, cors::StatedCors::of(spec, before), fresh).boxed());
        }
        if due("lifecycle", stated(spec.lifecycle.as_ref().map(Vec::is_empty))) {
            calls.push(lifecycle::write(client, name, lifecycle::StatedLifecycle::of(spec, before), fresh).boxed());
        }
        future::try_join_all(calls).await.map(drop)
    }
}

fn bad(operation: &'static str) -> impl Fn(aws_smithy_types::error::operation::BuildError) -> Fault {
    unbuilt("s3", operation)
}

async fn tagging(client: &Client, name: &str, all: BTreeMap<String, String>) -> Result<(), Fault> {
    let tags = all.into_iter().map(|(key, value)| s3::Tag::builder().key(key).value(value).build());
    let tags = tags.collect::<Result<Vec<_>, _>>().map_err(bad("PutBucketTagging"))?;
    let tagging = s3::Tagging::builder().set_tag_set(Some(tags)).build().map_err(bad("PutBucketTagging"))?;
    let answer = client.put_bucket_tagging().bucket(name).tagging(tagging).send().await;
    answer.map(drop).map_err(|bad| fault_of("s3", "PutBucketTagging", bad))
}

async fn versioning(client: &Client, spec: &BucketSpec) -> Result<(), Fault> {
    let status = match spec.versioning {
        Some(true) => s3::BucketVersioningStatus::Enabled,
        _ => s3::BucketVersioningStatus::Suspended,
    };
    let config = s3::VersioningConfiguration::builder().status(status).build();
    let answer = client.put_bucket_versioning().bucket(&spec.name).versioning_configuration(config).send().await;
    answer.map(drop).map_err(|bad| fault_of("s3", "PutBucketVersioning", bad))
}

async fn public_access(client: &Client, spec: &BucketSpec) -> Result<(), Fault> {
    // New buckets have all four.
    let on = spec.block_public_access.unwrap_or(true);
    let block = s3::PublicAccessBlockConfiguration::builder()
        .block_public_acls(on)
        .ignore_public_acls(on)
        .block_public_policy(on)
        .restrict_public_buckets(on)
        .build();
    let call = client.put_public_access_block().bucket(&spec.name).public_access_block_configuration(block);
    call.send().await.map(drop).map_err(|bad| fault_of("s3", "PutPublicAccessBlock", bad))
}

/// Without the plan's word: what new buckets have.
async fn ownership(client: &Client, spec: &BucketSpec) -> Result<(), Fault> {
    let who = spec.ownership.as_deref().unwrap_or("BucketOwnerEnforced");
    let rule = s3::OwnershipControlsRule::builder()
        .object_ownership(s3::ObjectOwnership::from(who))
        .build()
        .map_err(bad("PutBucketOwnershipControls"))?;
    let controls = s3::OwnershipControls::builder().rules(rule).build().map_err(bad("PutBucketOwnershipControls"))?;
    let answer = client.put_bucket_ownership_controls().bucket(&spec.name).ownership_controls(controls).send().await;
    answer.map(drop).map_err(|bad| fault_of("s3", "PutBucketOwnershipControls", bad))
}

/// Deletes every object, old version and marker, page by page. What is listed again after it was deleted ends it.
pub async fn empty(client: &Client, name: &str) -> Result<(), Fault> {
    let mut deleted = None;
    loop {
        let listed = client.list_object_versions().bucket(name).send().await;
        let listed = match listed.map_err(|bad| fault_of("s3", "ListObjectVersions", bad)) {
            Err(fault) if fault.class == FaultClass::Missing => return Ok(()),
            other => other?,
        };
        let versions = listed.versions().iter().map(|version| (version.key(), version.version_id()));
        let markers = listed.delete_markers().iter().map(|marker| (marker.key(), marker.version_id()));
        let to_delete = versions.chain(markers).filter_map(|(key, version)| {
            s3::ObjectIdentifier::builder().key(key?).set_version_id(version.map(str::to_owned)).build().ok()
        });
        let to_delete: Vec<_> = to_delete.collect();
        let Some(first) = to_delete.first().cloned() else { return Ok(()) };
        if deleted.as_ref() == Some(&first) {
            let words = format!("{} was deleted and is listed again", first.key());
            return Err(Fault::new(FaultClass::Refused, "s3", "DeleteObjects", "StillListed", words)
                .next("another process writes to it, or the endpoint does not delete: find out what writes to the bucket, then run the same command again"));
        }
        deleted = Some(first);
        let batch =
            s3::Delete::builder().set_objects(Some(to_delete)).quiet(true).build().map_err(bad("DeleteObjects"))?;
        let answer = client.delete_objects().bucket(name).delete(batch).send().await;
        let answer = answer.map_err(|bad| fault_of("s3", "DeleteObjects", bad))?;
        if let Some(first) = answer.errors().first() {
            let code = first.code().unwrap_or("Unknown").to_owned();
            return Err(Fault::new(FaultClass::Refused, "s3", "DeleteObjects", code, first.message().unwrap_or("")));
        }
    }
}

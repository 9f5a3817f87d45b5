//! S3 objects with known content. Their metadata contains the hash of the content and the ownership tags.

mod upload;

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use async_trait::async_trait;
use aws_sdk_s3::Client;
use aws_sdk_s3::operation::head_object::HeadObjectOutput;
use aws_sdk_s3::types::MetadataDirective;

pub use self::upload::{ExistingKeyPolicy, UploadTarget};
use super::bucket::home;
use super::fault::{not_at_hand, optional, taken};
use super::{Clients, fault_of};
use crate::permissions::{Grant, context};
use crate::provider::{Applied, DeleteOutcome, Provider, ResourceContext};
use crate::resource::object::ObjectSpec;
use crate::resource::{
    Address, Artifacts, Attributes, Fault, FaultClass, FieldChange, IMPORTED, IMPORTED_METADATA, ObservedResource,
    Owner, UnmanagedField,
};

/// What its calls need.
pub const GRANTS: &[Grant] = &[
    Grant {
        sid: "Objects",
        on: context::objects_of,
        actions: &[
            "s3:AbortMultipartUpload",
            "s3:DeleteObject",
            "s3:GetObject",
            "s3:GetObjectTagging",
            "s3:GetObjectVersion",
            "s3:GetObjectVersionTagging",
            "s3:PutObject",
            "s3:PutObjectTagging",
        ],
    },
    // Objects under a key of the user's own are written and copied with it.
    Grant { sid: "BucketKeys", on: context::object_key, actions: &["kms:Decrypt", "kms:GenerateDataKey"] },
];

/// The largest object that S3 copies in one call (5 GB).
const MOST_COPIED: u64 = 5_000_000_000;
/// Metadata key of the content's hash.
pub const SHA256: &str = "sha256";
/// Metadata key of the stack that an object belongs to.
pub const STACK: &str = "akidb-stack";
/// Metadata key of its address there.
const ADDRESS: &str = "akidb-address";

/// Objects of the account.
pub struct Objects {
    clients: Arc<Clients>,
    artifacts: Arc<Artifacts>,
}

impl Objects {
    /// Objects reached by `clients`, with content from `artifacts`.
    pub fn new(clients: &Arc<Clients>, artifacts: &Arc<Artifacts>) -> Self {
        Self { clients: Arc::clone(clients), artifacts: Arc::clone(artifacts) }
    }
}

#[async_trait]
impl Provider for Objects {
    async fn read(&self, subject: &ResourceContext<'_>) -> Result<Option<ObservedResource>, Fault> {
        let wanted: ObjectSpec = subject.typed()?;
        let client = self.clients.s3(&home(subject, "bucket", wanted.region.clone()))?;
        let held = head(&client, &wanted, None).await?;
        held.map(|held| found(subject, &wanted, held)).transpose()
    }

    async fn create(&self, subject: &ResourceContext<'_>) -> Result<Applied, Fault> {
        let spec: ObjectSpec = subject.typed()?;
        let client = self.clients.s3(&spec.region)?;
        let Some(source) = self.artifacts.get(&spec.sha256) else {
            return match self.read(subject).await? {
                Some(found) if was_moved(subject, &found) && holds(&found, &spec) => {
                    copy(subject, &client, &spec, Keep::Everything).await
                }
                Some(found) if holds(&found, &spec) => answer_existing(subject, &spec, found),
                Some(ObservedResource { owner: Owner::Foreign(whose), .. }) => Err(foreign(subject, &spec, &whose)),
                _ => restore(subject, &client, &spec).await,
            };
        };
        let target = upload::UploadTarget { client: &client, spec: &spec, metadata: metadata(subject, &spec) };
        let when_taken = if subject.seen_absent { ExistingKeyPolicy::Refuse } else { ExistingKeyPolicy::LookAndRefuse };
        match target.put(source, when_taken).await {
            Err(fault) if fault.class == FaultClass::Stale => match self.read(subject).await? {
                Some(found) if was_moved(subject, &found) => target.put(source, ExistingKeyPolicy::Replace).await?,
                Some(ObservedResource { owner: Owner::Foreign(whose), .. }) => {
                    return Err(foreign(subject, &spec, &whose));
                }
                Some(found) if holds(&found, &spec) => return answer_existing(subject, &spec, found),
                // Ours with other content, or gone between two calls.
                _ => target.put(source, ExistingKeyPolicy::Replace).await?,
            },
            other => other?,
        }
        Ok(made(&spec))
    }

    async fn update(
        &self,
        subject: &ResourceContext<'_>,
        found: &ObservedResource,
        fields: &[FieldChange],
    ) -> Result<Applied, Fault> {
        if fields.is_empty() {
            return Ok(Applied { id: found.id.clone(), attributes: found.attributes.clone() });
        }
        let spec: ObjectSpec = subject.typed()?;
        let client = self.clients.s3(&spec.region)?;
        let content = fields.iter().any(|field| field.path == "sha256" || field.path == "bytes");
        let source = self.artifacts.get(&spec.sha256);
        // Only headers or marks changed: S3 copies the object onto itself, up to 5 GB.
        if !content && (spec.bytes <= MOST_COPIED || source.is_none()) {
            return copy(subject, &client, &spec, Keep::Everything).await;
        }
        match source {
            Some(source) => {
                let mut metadata = metadata(subject, &spec);
                metadata.extend(others_metadata(found));
                let target = upload::UploadTarget { client: &client, spec: &spec, metadata };
                target.put(source, ExistingKeyPolicy::Replace).await?;
                Ok(made(&spec))
            }
            None => restore(subject, &client, &spec).await,
        }
    }

    async fn delete(&self, subject: &ResourceContext<'_>) -> Result<DeleteOutcome, Fault> {
        let spec: ObjectSpec = subject.typed()?;
        let answer = self.clients.s3(&spec.region)?.delete_object().bucket(&spec.bucket).key(&spec.key).send().await;
        optional(answer.map_err(|bad| fault_of("s3", "DeleteObject", bad)))?;
        Ok(DeleteOutcome::Deleted)
    }
}

fn id(spec: &ObjectSpec) -> String {
    format!("{}/{}", spec.bucket, spec.key)
}

fn made(spec: &ObjectSpec) -> Applied {
    Applied { id: id(spec), attributes: attributes(spec, &spec.sha256) }
}

fn attributes(spec: &ObjectSpec, sha256: &str) -> Attributes {
    Attributes::from([
        ("bucket".into(), spec.bucket.clone().into()),
        ("key".into(), spec.key.clone().into()),
        ("sha256".into(), sha256.into()),
    ])
}

/// The plan's metadata with the tool's own.
fn metadata(subject: &ResourceContext<'_>, spec: &ObjectSpec) -> HashMap<String, String> {
    let mut all: HashMap<String, String> = spec.metadata.clone().into_iter().collect();
    all.insert(SHA256.to_owned(), spec.sha256.clone());
    all.insert(STACK.to_owned(), subject.stack.to_owned());
    all.insert(ADDRESS.to_owned(), subject.address.to_string());
    if subject.is_imported() {
        all.insert(IMPORTED_METADATA.to_owned(), IMPORTED.to_owned());
    }
    all
}

async fn head(client: &Client, spec: &ObjectSpec, version: Option<&str>) -> Result<Option<HeadObjectOutput>, Fault> {
    let call = client.head_object().bucket(&spec.bucket).key(&spec.key).set_version_id(version.map(str::to_owned));
    optional(call.send().await.map_err(|bad| fault_of("s3", "HeadObject", bad)))
}

fn found(
    subject: &ResourceContext<'_>,
    wanted: &ObjectSpec,
    held: HeadObjectOutput,
) -> Result<ObservedResource, Fault> {
    let mut metadata: BTreeMap<String, String> = held.metadata.unwrap_or_default().into_iter().collect();
    let sha256 = metadata.remove(SHA256).unwrap_or_default();
    let marks = (metadata.remove(STACK), metadata.remove(ADDRESS));
    let owner = match marks {
        (Some(stack), Some(address)) if stack == subject.stack && address == subject.address.as_str() => Owner::Ours,
        (Some(stack), Some(address)) if stack != subject.stack && subject.id.is_some() => {
            Owner::Contested(format!("marked as {address} of stack {stack}"))
        }
        (Some(stack), Some(address)) => Owner::Foreign(format!("marked as {address} of stack {stack}")),
        _ => Owner::Foreign("not marked by this tool".to_owned()),
    };
    let attributes = attributes(wanted, &sha256);
    let before = before(subject);
    let stated = wanted.cache_control.is_some() || before.as_ref().is_some_and(|before| before.cache_control.is_some());
    let others = kept_metadata(wanted, before.as_ref(), metadata.iter());
    metadata.retain(|key, _| !others.iter().any(|(other, _)| other == key));
    let extra = |path: String, value: serde_json::Value, theirs: bool| UnmanagedField { path, value, theirs };
    let mut extras: Vec<UnmanagedField> =
        others.into_iter().map(|(key, value)| extra(format!("metadata.{key}"), value.into(), true)).collect();
    let cache_control = held.cache_control.clone().filter(|_| stated);
    let unasked = [
        ("cache_control", held.cache_control.filter(|_| !stated)),
        ("content_encoding", held.content_encoding),
        ("content_disposition", held.content_disposition),
        ("content_language", held.content_language),
        ("website_redirect", held.website_redirect_location),
        (
            "storage_class",
            held.storage_class.map(|class| class.as_str().to_owned()).filter(|class| class != "STANDARD"),
        ),
    ];
    let unasked = unasked.into_iter().filter_map(|(path, value)| Some((path, value?)));
    extras.extend(unasked.map(|(path, value)| extra(path.to_owned(), value.into(), false)));
    let spec = ObjectSpec {
        bucket: wanted.bucket.clone(),
        region: wanted.region.clone(),
        key: wanted.key.clone(),
        sha256,
        bytes: held.content_length.and_then(|bytes| u64::try_from(bytes).ok()).unwrap_or_default(),
        content_type: held.content_type.unwrap_or_default(),
        cache_control,
        metadata,
    };
    let spec = serde_json::to_value(spec).map_err(|bad| Fault::unexpected("s3", "HeadObject", bad.to_string()))?;
    Ok(ObservedResource { id: id(wanted), spec, attributes, owner, extras })
}

/// Whether it still carries the address from which the plan has moved it.
fn was_moved(subject: &ResourceContext<'_>, found: &ObservedResource) -> bool {
    let marked = |former: &Address| format!("marked as {former} of stack {}", subject.stack);
    matches!(&found.owner, Owner::Foreign(why) if subject.former.is_some_and(|former| *why == marked(former)))
}

/// Whether what is there is what is wanted, content and headers.
fn holds(found: &ObservedResource, spec: &ObjectSpec) -> bool {
    serde_json::from_value::<ObjectSpec>(found.spec.clone()).is_ok_and(|held| held == *spec)
}

fn answer_existing(
    subject: &ResourceContext<'_>,
    spec: &ObjectSpec,
    found: ObservedResource,
) -> Result<Applied, Fault> {
    match found.owner {
        Owner::Ours => Ok(Applied { id: found.id, attributes: found.attributes }),
        Owner::Foreign(whose) | Owner::Contested(whose) => Err(foreign(subject, spec, &whose)),
    }
}

fn foreign(subject: &ResourceContext<'_>, spec: &ObjectSpec, whose: &str) -> Fault {
    taken("s3", "PutObject", "ObjectExists", &format!("object {}", id(spec)), whose, subject.address)
}

/// Brings back an older version of the same content: a rollback has the bucket's memory, but not the file.
async fn restore(subject: &ResourceContext<'_>, client: &Client, spec: &ObjectSpec) -> Result<Applied, Fault> {
    let call = client.list_object_versions().bucket(&spec.bucket).prefix(&spec.key);
    let listed = call.send().await.map_err(|bad| fault_of("s3", "ListObjectVersions", bad))?;
    // Newest first, as S3 lists them. One page: 1,000 versions of one key are more than a stack makes.
    let older = listed.versions().iter().filter(|version| version.key() == Some(spec.key.as_str()));
    for version in older.filter_map(|version| version.version_id()) {
        let held = head(client, spec, Some(version)).await?.and_then(|held| held.metadata).unwrap_or_default();
        if held.get(SHA256) == Some(&spec.sha256) {
            return copy(subject, client, spec, Keep::Version(version)).await;
        }
    }
    Err(not_at_hand("s3", "PutObject", &format!("object {}", id(spec)), &spec.sha256))
}

/// What a copy is made of.
#[derive(Clone, Copy)]
enum Keep<'a> {
    /// The object as it is, with what others set on it.
    Everything,
    /// The content of an older version.
    Version(&'a str),
}

/// Copies the object, or a version of it, onto itself. What is not said again would be lost, so everything is.
async fn copy(
    subject: &ResourceContext<'_>,
    client: &Client,
    spec: &ObjectSpec,
    keep: Keep<'_>,
) -> Result<Applied, Fault> {
    let version = match keep {
        Keep::Everything => None,
        Keep::Version(version) => Some(version),
    };
    let held = head(client, spec, version).await?;
    let mut metadata = metadata(subject, spec);
    if let (Keep::Everything, Some(held)) = (keep, &held) {
        metadata.extend(kept_metadata(spec, before(subject).as_ref(), held.metadata.iter().flatten()));
    }
    let held = held.filter(|_| matches!(keep, Keep::Everything));
    // Never set by a plan, it stays.
    let given_up = before(subject).is_some_and(|before| before.cache_control.is_some());
    let theirs = held.as_ref().and_then(|held| held.cache_control.clone()).filter(|_| !given_up);
    let version = version.map(|version| format!("?versionId={}", percent_encoded(version))).unwrap_or_default();
    let mut call = client
        .copy_object()
        .copy_source(format!("{}/{}{version}", spec.bucket, percent_encoded(&spec.key)))
        .bucket(&spec.bucket)
        .key(&spec.key)
        .metadata_directive(MetadataDirective::Replace)
        .set_metadata(Some(metadata))
        .content_type(&spec.content_type)
        .set_cache_control(spec.cache_control.clone().or(theirs));
    if let Some(held) = held {
        // The service's own word for "none" is AES256, which the bucket's default gives anyway.
        let kms = held.server_side_encryption.filter(|by| by.as_str() != "AES256");
        call = call
            .set_content_encoding(held.content_encoding)
            .set_content_disposition(held.content_disposition)
            .set_content_language(held.content_language)
            .set_website_redirect_location(held.website_redirect_location)
            .set_storage_class(held.storage_class)
            .set_ssekms_key_id(kms.as_ref().and(held.ssekms_key_id))
            .set_server_side_encryption(kms);
    }
    call.send().await.map_err(|bad| fault_of("s3", "CopyObject", bad))?;
    Ok(made(spec))
}

/// What an earlier run asked for, as far as this version can read it.
fn before(subject: &ResourceContext<'_>) -> Option<ObjectSpec> {
    subject.before.and_then(|before| serde_json::from_value(before.clone()).ok())
}

/// Metadata that neither the plan nor an earlier run states, nor the tool.
fn kept_metadata<'a>(
    spec: &ObjectSpec,
    before: Option<&ObjectSpec>,
    held: impl Iterator<Item = (&'a String, &'a String)>,
) -> Vec<(String, String)> {
    let ours = |key: &str| {
        [SHA256, STACK, ADDRESS].contains(&key)
            || spec.metadata.contains_key(key)
            || before.is_some_and(|before| before.metadata.contains_key(key))
    };
    held.filter(|(key, _)| !ours(key)).map(|(key, value)| (key.clone(), value.clone())).collect()
}

/// The same, of what was found before.
fn others_metadata(found: &ObservedResource) -> impl Iterator<Item = (String, String)> {
    let named = found.extras.iter().filter_map(|extra| Some((extra.path.strip_prefix("metadata.")?, &extra.value)));
    named.filter_map(|(key, value)| Some((key.to_owned(), value.as_str()?.to_owned())))
}

/// A key as the copy-source header takes it: everything but letters, digits and `-._~/` by its UTF-8 bytes.
fn percent_encoded(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~/".contains(&byte) {
            out.push(char::from(byte));
        } else {
            out.push_str(&format!("%{byte:02X}"));
        }
    }
    out
}

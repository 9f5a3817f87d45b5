//! Writing a bucket's settings.

use super::*;

type Call<'a> = BoxFuture<'a, Result<(), Fault>>;

/// Writes the settings that are named in `changed` (`*` for every one that the plan states), all at once.
pub async fn settings(
    client: &Client,
    spec: &BucketSpec,
    all_tags: BTreeMap<String, String>,
    changed: &[&str],
) -> Result<(), Fault> {
    let every = changed.contains(&"*");
    let named = |path: &str| changed.contains(&path);
    let mut calls: Vec<Call<'_>> = Vec::new();
    if every || named("tags") {
        calls.push(tagging(client, &spec.name, all_tags).boxed());
    }
    if spec.versioning.is_some() && (every || named("versioning")) {
        calls.push(versioning(client, spec).boxed());
    }
    if let Some(algorithm) = spec.encryption.as_deref().filter(|_| every || named("encryption")) {
        calls.push(encryption(client, &spec.name, algorithm).boxed());
    }
    if spec.block_public_access.is_some() && (every || named("block_public_access")) {
        calls.push(public_access(client, spec).boxed());
    }
    if let Some(ownership) = spec.ownership.as_deref().filter(|_| every || named("ownership")) {
        calls.push(self::ownership(client, &spec.name, ownership).boxed());
    }
    if named("cors") || (every && !spec.cors.is_empty()) {
        calls.push(cors(client, spec).boxed());
    }
    if named("lifecycle") || (every && !spec.lifecycle.is_empty()) {
        calls.push(lifecycle(client, spec).boxed());
    }
    future::try_join_all(calls).await.map(drop)
}

fn bad(operation: &'static str) -> impl Fn(aws_smithy_types::error::operation::BuildError) -> Fault {
    move |bad| Fault::unexpected("s3", operation, bad.to_string())
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

async fn encryption(client: &Client, name: &str, algorithm: &str) -> Result<(), Fault> {
    let by = s3::ServerSideEncryptionByDefault::builder()
        .sse_algorithm(s3::ServerSideEncryption::from(algorithm))
        .build()
        .map_err(bad("PutBucketEncryption"))?;
    let rule = s3::ServerSideEncryptionRule::builder().apply_server_side_encryption_by_default(by).build();
    let config =
        s3::ServerSideEncryptionConfiguration::builder().rules(rule).build().map_err(bad("PutBucketEncryption"))?;
    let call = client.put_bucket_encryption().bucket(name).server_side_encryption_configuration(config);
    call.send().await.map(drop).map_err(|bad| fault_of("s3", "PutBucketEncryption", bad))
}

async fn public_access(client: &Client, spec: &BucketSpec) -> Result<(), Fault> {
    let on = spec.block_public_access.unwrap_or_default();
    let block = s3::PublicAccessBlockConfiguration::builder()
        .block_public_acls(on)
        .ignore_public_acls(on)
        .block_public_policy(on)
        .restrict_public_buckets(on)
        .build();
    let call = client.put_public_access_block().bucket(&spec.name).public_access_block_configuration(block);
    call.send().await.map(drop).map_err(|bad| fault_of("s3", "PutPublicAccessBlock", bad))
}

async fn ownership(client: &Client, name: &str, ownership: &str) -> Result<(), Fault> {
    let rule = s3::OwnershipControlsRule::builder()
        .object_ownership(s3::ObjectOwnership::from(ownership))
        .build()
        .map_err(bad("PutBucketOwnershipControls"))?;
    let controls = s3::OwnershipControls::builder().rules(rule).build().map_err(bad("PutBucketOwnershipControls"))?;
    let answer = client.put_bucket_ownership_controls().bucket(name).ownership_controls(controls).send().await;
    answer.map(drop).map_err(|bad| fault_of("s3", "PutBucketOwnershipControls", bad))
}

async fn cors(client: &Client, spec: &BucketSpec) -> Result<(), Fault> {
    if spec.cors.is_empty() {
        let answer = client.delete_bucket_cors().bucket(&spec.name).send().await;
        return answer.map(drop).map_err(|bad| fault_of("s3", "DeleteBucketCors", bad));
    }
    let rules = spec.cors.iter().map(|rule| {
        s3::CorsRule::builder()
            .set_allowed_origins(Some(rule.origins.clone()))
            .set_allowed_methods(Some(rule.methods.clone()))
            .set_allowed_headers(Some(rule.headers.clone()))
            .set_expose_headers(Some(rule.expose.clone()))
            .set_max_age_seconds(rule.max_age_seconds)
            .build()
    });
    let rules = rules.collect::<Result<Vec<_>, _>>().map_err(bad("PutBucketCors"))?;
    let config = s3::CorsConfiguration::builder().set_cors_rules(Some(rules)).build().map_err(bad("PutBucketCors"))?;
    let answer = client.put_bucket_cors().bucket(&spec.name).cors_configuration(config).send().await;
    answer.map(drop).map_err(|bad| fault_of("s3", "PutBucketCors", bad))
}

async fn lifecycle(client: &Client, spec: &BucketSpec) -> Result<(), Fault> {
    if spec.lifecycle.is_empty() {
        let answer = client.delete_bucket_lifecycle().bucket(&spec.name).send().await;
        return answer.map(drop).map_err(|bad| fault_of("s3", "DeleteBucketLifecycle", bad));
    }
    let rules = spec.lifecycle.iter().map(lifecycle_rule).collect::<Result<Vec<_>, _>>()?;
    let config = s3::BucketLifecycleConfiguration::builder()
        .set_rules(Some(rules))
        .build()
        .map_err(bad("PutBucketLifecycleConfiguration"))?;
    let call = client.put_bucket_lifecycle_configuration().bucket(&spec.name).lifecycle_configuration(config);
    call.send().await.map(drop).map_err(|bad| fault_of("s3", "PutBucketLifecycleConfiguration", bad))
}

fn lifecycle_rule(rule: &LifecycleRule) -> Result<s3::LifecycleRule, Fault> {
    let expiry = rule.expire_days.map(|days| s3::LifecycleExpiration::builder().days(days).build());
    let old = rule
        .expire_old_versions_days
        .map(|days| s3::NoncurrentVersionExpiration::builder().noncurrent_days(days).build());
    let abort = rule
        .abort_uploads_days
        .map(|days| s3::AbortIncompleteMultipartUpload::builder().days_after_initiation(days).build());
    s3::LifecycleRule::builder()
        .id(&rule.id)
        .status(s3::ExpirationStatus::Enabled)
        .filter(s3::LifecycleRuleFilter::builder().prefix(&rule.prefix).build())
        .set_expiration(expiry)
        .set_noncurrent_version_expiration(old)
        .set_abort_incomplete_multipart_upload(abort)
        .build()
        .map_err(bad("PutBucketLifecycleConfiguration"))
}

/// Deletes every object, old version and marker, page by page.
pub async fn empty(client: &Client, name: &str) -> Result<(), Fault> {
    loop {
        let listed = client.list_object_versions().bucket(name).send().await;
        let listed = match listed.map_err(|bad| fault_of("s3", "ListObjectVersions", bad)) {
            Err(fault) if fault.class == Class::Missing => return Ok(()),
            other => other?,
        };
        let versions = listed.versions().iter().map(|version| (version.key(), version.version_id()));
        let markers = listed.delete_markers().iter().map(|marker| (marker.key(), marker.version_id()));
        let doomed = versions.chain(markers).filter_map(|(key, version)| {
            s3::ObjectIdentifier::builder().key(key?).set_version_id(version.map(str::to_owned)).build().ok()
        });
        let doomed: Vec<_> = doomed.collect();
        if doomed.is_empty() {
            return Ok(());
        }
        let batch =
            s3::Delete::builder().set_objects(Some(doomed)).quiet(true).build().map_err(bad("DeleteObjects"))?;
        let answer = client.delete_objects().bucket(name).delete(batch).send().await;
        let answer = answer.map_err(|bad| fault_of("s3", "DeleteObjects", bad))?;
        if let Some(first) = answer.errors().first() {
            let code = first.code().unwrap_or("Unknown").to_owned();
            return Err(Fault::new(Class::Refused, "s3", "DeleteObjects", code, first.message().unwrap_or("")));
        }
    }
}

//! Reading a bucket's settings.

use super::*;

pub async fn exists(client: &Client, name: &str) -> Result<bool, Fault> {
    let answer = client.head_bucket().bucket(name).send().await;
    Ok(optional(answer.map_err(|bad| fault_of("s3", "HeadBucket", bad)))?.is_some())
}

pub async fn tagging(client: &Client, name: &str) -> Result<BTreeMap<String, String>, Fault> {
    let answer = client.get_bucket_tagging().bucket(name).send().await;
    let answer = answer.map_err(|bad| fault_of("s3", "GetBucketTagging", bad))?;
    Ok(answer.tag_set.into_iter().map(|tag| (tag.key, tag.value)).collect())
}

/// Reads just the settings that the plan states: each one costs a call.
pub async fn settings(
    client: &Client,
    wanted: &BucketSpec,
    tags: BTreeMap<String, String>,
) -> Result<BucketSpec, Fault> {
    let name = &wanted.name;
    let (versioning, encryption, block, ownership, cors, lifecycle) = future::try_join5(
        asked(wanted.versioning.is_some(), versioning(client, name)),
        asked(wanted.encryption.is_some(), encryption(client, name)),
        asked(wanted.block_public_access.is_some(), public_access(client, name)),
        asked(wanted.ownership.is_some(), ownership(client, name)),
        future::try_join(
            asked(!wanted.cors.is_empty(), cors(client, name)),
            asked(!wanted.lifecycle.is_empty(), lifecycle(client, name)),
        ),
    )
    .await
    .map(|(a, b, c, d, (e, f))| (a, b, c, d, e, f))?;
    Ok(BucketSpec {
        name: name.clone(),
        region: wanted.region.clone(),
        versioning,
        encryption,
        block_public_access: block,
        ownership,
        cors: cors.unwrap_or_default(),
        lifecycle: lifecycle.unwrap_or_default(),
        tags,
    })
}

async fn asked<T>(ask: bool, call: impl Future<Output = Result<Option<T>, Fault>>) -> Result<Option<T>, Fault> {
    if ask { call.await } else { Ok(None) }
}

async fn versioning(client: &Client, name: &str) -> Result<Option<bool>, Fault> {
    let answer = client.get_bucket_versioning().bucket(name).send().await;
    let answer = answer.map_err(|bad| fault_of("s3", "GetBucketVersioning", bad))?;
    Ok(Some(answer.status == Some(s3::BucketVersioningStatus::Enabled)))
}

async fn encryption(client: &Client, name: &str) -> Result<Option<String>, Fault> {
    let answer = client.get_bucket_encryption().bucket(name).send().await;
    let answer = optional(answer.map_err(|bad| fault_of("s3", "GetBucketEncryption", bad)))?;
    let rules = answer.and_then(|answer| answer.server_side_encryption_configuration).map(|config| config.rules);
    let first = rules.into_iter().flatten().next();
    Ok(first
        .and_then(|rule| rule.apply_server_side_encryption_by_default)
        .map(|by| by.sse_algorithm.as_str().to_owned()))
}

async fn public_access(client: &Client, name: &str) -> Result<Option<bool>, Fault> {
    let answer = client.get_public_access_block().bucket(name).send().await;
    let answer = optional(answer.map_err(|bad| fault_of("s3", "GetPublicAccessBlock", bad)))?;
    let block = answer.and_then(|answer| answer.public_access_block_configuration);
    Ok(Some(block.is_some_and(|block| {
        [block.block_public_acls, block.ignore_public_acls, block.block_public_policy, block.restrict_public_buckets]
            .iter()
            .all(|on| *on == Some(true))
    })))
}

async fn ownership(client: &Client, name: &str) -> Result<Option<String>, Fault> {
    let answer = client.get_bucket_ownership_controls().bucket(name).send().await;
    let answer = optional(answer.map_err(|bad| fault_of("s3", "GetBucketOwnershipControls", bad)))?;
    let rules = answer.and_then(|answer| answer.ownership_controls).map(|controls| controls.rules);
    Ok(rules.into_iter().flatten().next().map(|rule| rule.object_ownership.as_str().to_owned()))
}

async fn cors(client: &Client, name: &str) -> Result<Option<Vec<CorsRule>>, Fault> {
    let answer = client.get_bucket_cors().bucket(name).send().await;
    let answer = optional(answer.map_err(|bad| fault_of("s3", "GetBucketCors", bad)))?;
    let rules = answer.and_then(|answer| answer.cors_rules).unwrap_or_default();
    let rules = rules.into_iter().map(|rule| CorsRule {
        origins: rule.allowed_origins,
        methods: rule.allowed_methods,
        headers: rule.allowed_headers.unwrap_or_default(),
        expose: rule.expose_headers.unwrap_or_default(),
        max_age_seconds: rule.max_age_seconds,
    });
    Ok(Some(rules.collect()))
}

async fn lifecycle(client: &Client, name: &str) -> Result<Option<Vec<LifecycleRule>>, Fault> {
    let answer = client.get_bucket_lifecycle_configuration().bucket(name).send().await;
    let answer = optional(answer.map_err(|bad| fault_of("s3", "GetBucketLifecycleConfiguration", bad)))?;
    let rules = answer.and_then(|answer| answer.rules).unwrap_or_default();
    let rules = rules.into_iter().map(|rule| LifecycleRule {
        id: rule.id.unwrap_or_default(),
        prefix: rule.filter.and_then(|filter| filter.prefix).unwrap_or_default(),
        expire_days: rule.expiration.and_then(|expiry| expiry.days),
        expire_old_versions_days: rule.noncurrent_version_expiration.and_then(|expiry| expiry.noncurrent_days),
        abort_uploads_days: rule.abort_incomplete_multipart_upload.and_then(|abort| abort.days_after_initiation),
    });
    Ok(Some(rules.collect()))
}

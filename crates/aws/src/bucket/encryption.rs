//! Default encryption: algorithm, key and bucket key are one setting of S3 and three of the plan.

use super::*;

/// What S3 does when nobody says anything.
const DEFAULT: &str = "AES256";

/// The three settings.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Encryption {
    pub algorithm: Option<String>,
    pub key: Option<String>,
    pub bucket_key: Option<bool>,
}

impl Encryption {
    pub fn of(spec: &BucketSpec) -> Self {
        Self { algorithm: spec.encryption.clone(), key: spec.kms_key.clone(), bucket_key: spec.bucket_key }
    }

    pub fn is_stated(&self) -> bool {
        *self != Self::default()
    }
}

pub async fn held(client: &Client, name: &str) -> Result<Option<s3::ServerSideEncryptionRule>, Fault> {
    let answer = client.get_bucket_encryption().bucket(name).send().await;
    let answer = optional(answer.map_err(|bad| fault_of("s3", "GetBucketEncryption", bad)))?;
    let rules = answer.and_then(|answer| answer.server_side_encryption_configuration).map(|config| config.rules);
    Ok(rules.into_iter().flatten().next())
}

/// What is stated, or was and is not at its default; the rest that is not at its default are extras.
pub fn seen(
    held: Option<&s3::ServerSideEncryptionRule>,
    now: &Encryption,
    before: &Encryption,
    extras: &mut Vec<UnmanagedField>,
) -> Encryption {
    let by = held.and_then(|rule| rule.apply_server_side_encryption_by_default.as_ref());
    let algorithm = by.map_or(DEFAULT, |by| by.sse_algorithm.as_str()).to_owned();
    // The console writes the key that AWS manages out; it is the default.
    let key = by.and_then(|by| by.kms_master_key_id.clone());
    let key = key.filter(|key| now.key.is_some() || !key.ends_with("alias/aws/s3"));
    let on = held.and_then(|rule| rule.bucket_key_enabled).unwrap_or_default();
    let other = algorithm != DEFAULT;
    let mut extra = |path: &str, there: bool, value: serde_json::Value| {
        if there {
            extras.push(UnmanagedField { path: path.to_owned(), value, theirs: false });
        }
    };
    extra("encryption", other && now.algorithm.is_none() && before.algorithm.is_none(), algorithm.clone().into());
    extra("kms_key", key.is_some() && now.key.is_none() && before.key.is_none(), key.clone().into());
    // Without KMS it means nothing.
    extra("bucket_key", on && other && now.bucket_key.is_none() && before.bucket_key.is_none(), on.into());
    Encryption {
        algorithm: Some(algorithm).filter(|_| now.algorithm.is_some() || (before.algorithm.is_some() && other)),
        key: key.filter(|_| now.key.is_some() || before.key.is_some()),
        bucket_key: Some(on).filter(|on| now.bucket_key.is_some() || (before.bucket_key.is_some() && *on && other)),
    }
}

/// Writes what is stated over what is there; what was given up goes back to the default.
pub async fn write(
    client: &Client,
    name: &str,
    now: &Encryption,
    before: &Encryption,
    fresh: bool,
) -> Result<(), Fault> {
    let held = if fresh { None } else { held(client, name).await? };
    let blocked = held.as_ref().and_then(|rule| rule.blocked_encryption_types.clone());
    if !now.is_stated() && blocked.is_none() {
        let answer = client.delete_bucket_encryption().bucket(name).send().await;
        return answer.map(drop).map_err(|bad| fault_of("s3", "DeleteBucketEncryption", bad));
    }
    let by = held.as_ref().and_then(|rule| rule.apply_server_side_encryption_by_default.as_ref());
    let there = by.map(|by| by.sse_algorithm.as_str().to_owned()).filter(|_| before.algorithm.is_none());
    let implied = now.key.as_ref().map(|_| "aws:kms".to_owned());
    let algorithm = now.algorithm.clone().or(implied).or(there).unwrap_or_else(|| DEFAULT.to_owned());
    let key = by.and_then(|by| by.kms_master_key_id.clone()).filter(|_| before.key.is_none());
    let key = now.key.clone().or(key).filter(|_| algorithm != DEFAULT);
    let bucket_key = held.as_ref().and_then(|rule| rule.bucket_key_enabled).filter(|_| before.bucket_key.is_none());
    let by = s3::ServerSideEncryptionByDefault::builder()
        .sse_algorithm(s3::ServerSideEncryption::from(algorithm.as_str()))
        .set_kms_master_key_id(key)
        .build()
        .map_err(unbuilt("s3", "PutBucketEncryption"))?;
    let rule = s3::ServerSideEncryptionRule::builder()
        .apply_server_side_encryption_by_default(by)
        .set_bucket_key_enabled(now.bucket_key.or(bucket_key))
        .set_blocked_encryption_types(blocked)
        .build();
    let config = s3::ServerSideEncryptionConfiguration::builder().rules(rule).build();
    let config = config.map_err(unbuilt("s3", "PutBucketEncryption"))?;
    let call = client.put_bucket_encryption().bucket(name).server_side_encryption_configuration(config);
    call.send().await.map(drop).map_err(|bad| fault_of("s3", "PutBucketEncryption", bad))
}

//! Reading a bucket's settings: what the plan or an earlier run states, or everything.

use super::encryption::Encryption;
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

/// What is to be read.
pub struct ReadPlan<'a> {
    pub client: &'a Client,
    pub wanted: &'a BucketSpec,
    pub before: Option<&'a BucketSpec>,
    pub thorough: bool,
}

impl ReadPlan<'_> {
    /// Whether a setting is worth a call: somebody states it, or everything is to be seen.
    fn asks<T>(&self, setting: impl Fn(&BucketSpec) -> &Option<T>) -> bool {
        self.thorough || setting(self.wanted).is_some() || self.dropped(setting)
    }

    fn dropped<T>(&self, setting: impl Fn(&BucketSpec) -> &Option<T>) -> bool {
        self.before.is_some_and(|before| setting(before).is_some()) && setting(self.wanted).is_none()
    }

    /// A setting with a default: told when it is stated, or was and is otherwise; an extra when nobody asked for it and
    /// it is otherwise.
    fn settle<T: Clone + PartialEq + Into<serde_json::Value>>(
        &self,
        path: &str,
        setting: impl Fn(&BucketSpec) -> &Option<T>,
        held: Option<T>,
        default: &T,
        extras: &mut Vec<UnmanagedField>,
    ) -> Option<T> {
        let held = held?;
        if setting(self.wanted).is_some() {
            return Some(held);
        }
        if held == *default {
            return None;
        }
        if self.dropped(setting) {
            return Some(held);
        }
        extras.push(UnmanagedField { path: path.to_owned(), value: held.into(), theirs: false });
        None
    }

    /// The settings: each one costs a call.
    pub async fn settings(&self, tags: BTreeMap<String, String>) -> Result<(BucketSpec, Vec<UnmanagedField>), Fault> {
        let (client, name) = (self.client, &self.wanted.name);
        let encrypts =
            self.asks(|spec| &spec.encryption) || self.asks(|spec| &spec.kms_key) || self.asks(|spec| &spec.bucket_key);
        let ((versioning, encryption, block, ownership), (cors, lifecycle, others)) = future::try_join(
            future::try_join4(
                asked(self.asks(|spec| &spec.versioning), versioning(client, name)),
                asked(encrypts, encryption::held(client, name)),
                asked(self.asks(|spec| &spec.block_public_access), public_access(client, name)),
                asked(self.asks(|spec| &spec.ownership), ownership(client, name)),
            ),
            future::try_join3(
                asked(self.asks(|spec| &spec.cors), cors::held(client, name)),
                asked(self.asks(|spec| &spec.lifecycle), lifecycle::held(client, name)),
                asked(self.thorough, unmanaged::extras(client, name)),
            ),
        )
        .await?;
        let mut extras = others.unwrap_or_default();
        let (now, before) = (Encryption::of(self.wanted), self.before.map(Encryption::of).unwrap_or_default());
        let encryption =
            encryption.map(|held| encryption::seen(held.as_ref(), &now, &before, &mut extras)).unwrap_or_default();
        let by_default = "BucketOwnerEnforced".to_owned();
        let ownership = self.settle("ownership", |spec| &spec.ownership, ownership.flatten(), &by_default, &mut extras);
        let spec = BucketSpec {
            name: name.clone(),
            region: self.wanted.region.clone(),
            versioning: self.settle("versioning", |spec| &spec.versioning, versioning, &false, &mut extras),
            encryption: encryption.algorithm,
            kms_key: encryption.key,
            bucket_key: encryption.bucket_key,
            block_public_access: self.blocks(block, &mut extras),
            ownership,
            cors: cors.and_then(|held| cors::seen(&held, cors::StatedCors::of(self.wanted, self.before), &mut extras)),
            lifecycle: lifecycle.and_then(|held| {
                lifecycle::seen(&held, lifecycle::StatedLifecycle::of(self.wanted, self.before), &mut extras)
            }),
            tags,
        };
        Ok((spec, extras))
    }

    /// All four blocks as one setting.
    fn blocks(&self, held: Option<Blocks>, extras: &mut Vec<UnmanagedField>) -> Option<bool> {
        let held = held?;
        let all = held.values().all(|on| on);
        match (self.wanted.block_public_access, self.dropped(|spec| &spec.block_public_access)) {
            (Some(true), _) => Some(all),
            // One that is left on is still to be turned off.
            (Some(false), _) => Some(held.values().any(|on| on)),
            (None, true) => (!all).then_some(false),
            (None, false) => {
                // A bucket that was made before 2023 has none; so has every bucket of the local AWS.
                if !all {
                    let path = "block_public_access".to_owned();
                    extras.push(UnmanagedField { path, value: false.into(), theirs: held.never });
                }
                None
            }
        }
    }
}

/// The four blocks of public access.
struct Blocks {
    on: [bool; 4],
    /// There is no configuration at all.
    never: bool,
}

impl Blocks {
    fn values(&self) -> impl Iterator<Item = bool> {
        self.on.iter().copied()
    }
}

async fn asked<T>(ask: bool, call: impl Future<Output = Result<T, Fault>>) -> Result<Option<T>, Fault> {
    if ask { call.await.map(Some) } else { Ok(None) }
}

pub async fn versioning(client: &Client, name: &str) -> Result<bool, Fault> {
    let answer = client.get_bucket_versioning().bucket(name).send().await;
    let answer = answer.map_err(|bad| fault_of("s3", "GetBucketVersioning", bad))?;
    Ok(answer.status == Some(s3::BucketVersioningStatus::Enabled))
}

async fn public_access(client: &Client, name: &str) -> Result<Blocks, Fault> {
    let answer = client.get_public_access_block().bucket(name).send().await;
    let answer = optional(answer.map_err(|bad| fault_of("s3", "GetPublicAccessBlock", bad)))?;
    let block = answer.and_then(|answer| answer.public_access_block_configuration);
    let on = |value: fn(&s3::PublicAccessBlockConfiguration) -> Option<bool>| {
        block.as_ref().and_then(value).unwrap_or_default()
    };
    let all = [
        on(|block| block.block_public_acls),
        on(|block| block.ignore_public_acls),
        on(|block| block.block_public_policy),
        on(|block| block.restrict_public_buckets),
    ];
    Ok(Blocks { on: all, never: block.is_none() })
}

async fn ownership(client: &Client, name: &str) -> Result<Option<String>, Fault> {
    let answer = client.get_bucket_ownership_controls().bucket(name).send().await;
    let answer = optional(answer.map_err(|bad| fault_of("s3", "GetBucketOwnershipControls", bad)))?;
    let rules = answer.and_then(|answer| answer.ownership_controls).map(|controls| controls.rules);
    Ok(rules.into_iter().flatten().next().map(|rule| rule.object_ownership.as_str().to_owned()))
}

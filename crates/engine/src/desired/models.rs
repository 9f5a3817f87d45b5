//! Buckets, models, pages, replication.

use std::collections::BTreeMap;

use serde_json::json;

use super::content::{self, Target};
use super::{Builder, as_name, boundary, distribution, trust_for_this_account};
use crate::plan::models::{ModelPlan, ModelsStep, PageStep, ReplicationPlan};
use crate::plan::{Step, Work};
use crate::resource::bucket::BucketSpec;
use crate::resource::bucket_policy::BucketPolicySpec;
use crate::resource::model_layout::{
    self, CURRENT, KEEP, MANIFEST, MOST_KEPT, Manifest, ModelFile, POINTER, PREFIX, VERSIONS,
};
use crate::resource::object::ObjectSpec;
use crate::resource::replication::{ReplicationRule, ReplicationSpec};
use crate::resource::role::RoleSpec;
use crate::resource::{Address, Kind, Level, Resource, link};
use crate::template::ModelLink;

/// Buckets with their models and replication.
pub fn models(builder: &mut Builder<'_>, step: &Step, plan: &ModelsStep) {
    for (name, bucket) in &plan.buckets {
        let address = Address::new("models", Kind::Bucket, &as_name(name));
        builder.add(step, &format!("buckets.{name}"), Resource::new(address, Kind::Bucket, bucket));
    }
    let sources = replication(builder, step, plan);
    for (name, model) in &plan.models {
        let Some(bucket) = plan.buckets.get(&model.bucket) else {
            let known: Vec<&str> = plan.buckets.keys().map(String::as_str).collect();
            let problem = format!("model {name} goes to bucket {:?}, which is not in this step", model.bucket);
            builder.complain(
                step,
                &format!("models.{name}.bucket"),
                problem,
                format!("use one of: {}", known.join(", ")),
            );
            continue;
        };
        let replication = sources.get(&model.bucket);
        put_model(builder, step, name, model, bucket, replication);
    }
    own_files(builder, step, plan, &sources);
}

fn put_model(
    builder: &mut Builder<'_>,
    step: &Step,
    name: &str,
    model: &ModelPlan,
    bucket: &BucketSpec,
    replication: Option<&Address>,
) {
    let below = format!("models.{name}");
    if !is_sound(builder, step, &below, model) {
        return;
    }
    let put = |object: &Object<'_>| after(object.spec(bucket, model).at(address(name, object.part)), replication);
    let (mut files, mut objects) = (Vec::new(), Vec::new());
    for (path, facts) in &model.files {
        let at = format!("{below}.files.{path}");
        let Some((sha256, size)) = at_hand(builder, step, &at, &facts.path) else { continue };
        let file = ModelFile { path: path.clone(), size, sha256: sha256.clone() };
        let part = format!("{path}-{}", &sha256[..IN_NAMES]);
        let object = Object {
            part: &part,
            key: &file.key(),
            content: (&sha256, size),
            headers: (&facts.content_type, &model.cache_control),
            metadata: BTreeMap::new(),
        };
        objects.push(builder.add(step, &at, put(&object)));
        files.push(file);
    }
    if files.len() < model.files.len() {
        return;
    }
    let manifest = Manifest::new(&model.name, files);
    let pointer = manifest.pointer();
    let sha256 = builder.built.artefacts.add_bytes(manifest.bytes());
    let object = Object {
        part: &format!("{MANIFEST}{}", manifest.version),
        key: &manifest.key(),
        content: (&sha256, pointer.manifest.size),
        headers: (JSON, &model.cache_control),
        metadata: BTreeMap::new(),
    };
    // The manifest comes after its files and the pointer after the manifest: whoever reads one finds what it names.
    let listed = objects.iter().fold(put(&object), |listed, file| listed.needing(file.clone(), Level::Usable));
    objects.push(builder.add(step, &below, listed));
    let bytes = pointer.bytes();
    let size = bytes.len() as u64;
    let sha256 = builder.built.artefacts.add_bytes(bytes);
    let object = Object {
        part: CURRENT,
        key: POINTER,
        content: (&sha256, size),
        headers: (JSON, &model.pointer_cache_control),
        metadata: BTreeMap::from([
            (VERSIONS.to_owned(), manifest.version.clone()),
            (KEEP.to_owned(), model.keep.to_string()),
        ]),
    };
    let pointer = objects.into_iter().fold(put(&object), |pointer, file| pointer.needing(file, Level::Usable));
    builder.add(step, &below, pointer);
}

/// Digits of a hash in the name of an address.
const IN_NAMES: usize = 8;
const JSON: &str = "application/json";

/// The address of an object of a model. Those of files and manifests carry a hash: another content is another resource, so that
/// the version before can stay.
fn address(model: &str, part: &str) -> Address {
    Address::new("models", Kind::Object, &as_name(&format!("{model}-{part}")))
}

/// Names that become keys and folders, and the number of versions.
fn is_sound(builder: &mut Builder<'_>, step: &Step, below: &str, model: &ModelPlan) -> bool {
    let before = builder.problems.len();
    if !model_layout::is_model_name(&model.name) {
        let problem = format!("{:?} cannot be the name of a model", model.name);
        let next = "write letters, digits, '.', '_' and '-', a letter or digit first";
        builder.complain(step, &format!("{below}.name"), problem, next);
    }
    for path in model.files.keys().filter(|path| !model_layout::is_file_path(path)) {
        let problem = format!("{path:?} cannot be the path of a file of a model");
        let next = "write names with / between them, none of which begins with a dot";
        builder.complain(step, &format!("{below}.files"), problem, next);
    }
    if model.keep > MOST_KEPT {
        let problem = format!("{} versions before the current one are more than {MOST_KEPT}", model.keep);
        builder.complain(step, &format!("{below}.keep"), problem, format!("write at most {MOST_KEPT}"));
    }
    builder.problems.len() == before
}

/// The hash and size of a file of this machine; one that cannot be read is told of.
fn at_hand(builder: &mut Builder<'_>, step: &Step, at: &str, path: &str) -> Option<(String, u64)> {
    match builder.plan.files.get(path).map(|known| known.content.clone())? {
        Ok((sha256, bytes)) => {
            builder.built.artefacts.add_file(&sha256, path.into(), bytes);
            Some((sha256, bytes))
        }
        Err(why) => {
            builder.built.missing.push((path.to_owned(), format!("{}.with.{at}", step.path), why));
            None
        }
    }
}

/// An object of a model.
struct Object<'a> {
    /// What its address ends with.
    part: &'a str,
    /// Its key below the model's name.
    key: &'a str,
    /// Hash and size.
    content: (&'a str, u64),
    /// Media type and `Cache-Control`.
    headers: (&'a str, &'a str),
    metadata: BTreeMap<String, String>,
}

impl Object<'_> {
    fn spec(&self, bucket: &BucketSpec, model: &ModelPlan) -> Unplaced {
        let address = Address::new("models", Kind::Bucket, &as_name(&model.bucket));
        Unplaced(ObjectSpec {
            bucket: link(&address, "name"),
            region: bucket.region.clone(),
            key: format!("{PREFIX}/{}/{}", model.name, self.key),
            sha256: self.content.0.to_owned(),
            bytes: self.content.1,
            content_type: self.headers.0.to_owned(),
            cache_control: Some(self.headers.1.to_owned()),
            metadata: self.metadata.clone(),
        })
    }
}

/// Own files in the buckets of the step.
fn own_files(builder: &mut Builder<'_>, step: &Step, plan: &ModelsStep, sources: &BTreeMap<String, Address>) {
    for (name, files) in &plan.files {
        let Some(bucket) = plan.buckets.get(name) else {
            let known: Vec<&str> = plan.buckets.keys().map(String::as_str).collect();
            let problem = format!("files go to bucket {name:?}, which is not in this step");
            builder.complain(step, &format!("files.{name}"), problem, format!("use one of: {}", known.join(", ")));
            continue;
        };
        let address = Address::new("models", Kind::Bucket, &as_name(name));
        let stem = as_name(name);
        let target = Target { address: &address, spec: bucket, stem: &stem, after: sources.get(name) };
        for (key, file) in files {
            content::add(builder, step, &format!("files.{name}.{key}"), &target, key, file);
        }
    }
}

/// An object before it has an address.
struct Unplaced(ObjectSpec);

impl Unplaced {
    fn at(self, address: Address) -> Resource {
        Resource::new(address, Kind::Object, &self.0)
    }
}

/// Only what is written after the rule is copied by it.
fn after(resource: Resource, replication: Option<&Address>) -> Resource {
    match replication {
        Some(rule) => resource.needing(rule.clone(), Level::Usable),
        None => resource,
    }
}

/// The rules of each source bucket; both ways makes a rule on the other side, too.
fn replication(builder: &mut Builder<'_>, step: &Step, plan: &ModelsStep) -> BTreeMap<String, Address> {
    let mut by_source: BTreeMap<String, Vec<(String, String, &ReplicationPlan)>> = BTreeMap::new();
    for (name, rule) in &plan.replication {
        for (side, bucket) in [("from", &rule.from), ("to", &rule.to)] {
            if !plan.buckets.contains_key(bucket) {
                let problem = format!("replication {name} names bucket {bucket:?}, which is not in this step");
                let next =
                    format!("declare it under buckets: S3 answers \"Destination bucket must exist\" else ({side})");
                builder.complain(step, &format!("replication.{name}.{side}"), problem, next);
                return BTreeMap::new();
            }
        }
        by_source.entry(rule.from.clone()).or_default().push((name.clone(), rule.to.clone(), rule));
        if rule.both_ways {
            by_source.entry(rule.to.clone()).or_default().push((format!("{name}-back"), rule.from.clone(), rule));
        }
    }
    let mut made = BTreeMap::new();
    let boundary = role_boundary(builder, step, plan);
    for (source, rules) in by_source {
        let address = replicate(builder, step, plan, &source, &rules, &boundary);
        made.insert(source, address);
    }
    made
}

fn replicate(
    builder: &mut Builder<'_>,
    step: &Step,
    plan: &ModelsStep,
    source: &str,
    rules: &[(String, String, &ReplicationPlan)],
    boundary: &str,
) -> Address {
    let bucket_of = |key: &str| Address::new("models", Kind::Bucket, &as_name(key));
    let below = format!("replication.{}", rules[0].0.trim_end_matches("-back"));
    let role = Address::new("models", Kind::Role, &as_name(&format!("replication-{source}")));
    let destinations: Vec<&str> = rules.iter().map(|(_, to, _)| plan.buckets[to].name.as_str()).collect();
    let mut policy = replication_policy(&plan.buckets[source].name, &destinations);
    let keys = kms_statements(plan, source, rules);
    if let Some(statements) = policy["Statement"].as_array_mut() {
        statements.extend(keys);
    }
    let spec = RoleSpec {
        name: format!("{}-replication-{}", builder.plan.stack, as_name(source)),
        description: format!("S3 replication out of {}", plan.buckets[source].name),
        trust: trust_for_this_account(&["s3.amazonaws.com"]),
        inline: BTreeMap::from([("replicate".to_owned(), policy)]),
        managed: Vec::new(),
        boundary: Some(boundary.to_owned()),
        tags: BTreeMap::new(),
    };
    builder.add(step, &below, Resource::new(role.clone(), Kind::Role, &spec));
    let rules = rules.iter().map(|(name, to, rule)| ReplicationRule {
        id: name.clone(),
        priority: rule.priority,
        prefix: rule.prefix.clone(),
        destination: link(&bucket_of(to), "name"),
        enabled: rule.enabled,
        delete_markers: rule.delete_markers,
        replica_modifications: rule.replica_modifications.unwrap_or(false),
        time_control_minutes: rule.time_control_minutes,
        encrypted_objects: rule.encrypted_objects,
        replica_key: replica_key(plan, to, rule),
    });
    let spec = ReplicationSpec {
        source: link(&bucket_of(source), "name"),
        region: plan.buckets[source].region.clone(),
        role_arn: link(&role, "arn"),
        rules: rules.collect(),
    };
    let address = Address::new("models", Kind::Replication, &as_name(source));
    builder.add(step, &below, Resource::new(address, Kind::Replication, &spec))
}

/// What the replication roles cannot go beyond. AWS has no managed policy for objects and keys alone: the next larger one would let
/// whoever writes the role's policies change other functions, and with them become an administrator.
fn role_boundary(builder: &mut Builder<'_>, step: &Step, plan: &ModelsStep) -> String {
    let with_keys = plan.replication.values().any(|rule| rule.encrypted_objects == Some(true));
    match &plan.role_boundary {
        Some(name) if boundary::is_name(name) => return boundary::own(name),
        Some(name) => {
            let problem = format!("{name:?} is not the name of a managed policy");
            builder.complain(step, "role_boundary", problem, "write up to 128 letters, digits and +=,.@_-");
        }
        None if with_keys => {
            let problem =
                "encrypted_objects: true needs role_boundary: AWS has no managed policy for objects and keys alone";
            let next = "write role_boundary: NAME beside it, and let an administrator make that managed policy once \
                        from what akidb-edge deploy --print-iam-boundary prints";
            builder.complain(step, "replication", problem, next);
        }
        None => {}
    }
    boundary::OBJECTS.to_owned()
}

/// What S3 needs to copy objects, and no more (S3 User Guide, "Setting up permissions for replication").
fn replication_policy(source: &str, destinations: &[&str]) -> serde_json::Value {
    let copies: Vec<String> = destinations.iter().map(|name| format!("arn:aws:s3:::{name}/*")).collect();
    json!({
        "Version": "2012-10-17",
        "Statement": [
            {"Sid": "ReadRules", "Effect": "Allow",
             "Action": ["s3:GetReplicationConfiguration", "s3:ListBucket"], "Resource": [format!("arn:aws:s3:::{source}")]},
            {"Sid": "ReadVersions", "Effect": "Allow",
             "Action": ["s3:GetObjectVersionForReplication", "s3:GetObjectVersionAcl", "s3:GetObjectVersionTagging"],
             "Resource": [format!("arn:aws:s3:::{source}/*")]},
            {"Sid": "WriteCopies", "Effect": "Allow",
             "Action": ["s3:ReplicateObject", "s3:ReplicateDelete", "s3:ReplicateTags"], "Resource": copies},
        ],
    })
}

/// The key of replicas in a bucket: the rule's own word is about its destination, not about the way back.
fn replica_key(plan: &ModelsStep, to: &str, rule: &ReplicationPlan) -> Option<String> {
    let stated = rule.replica_key.clone().filter(|_| rule.to == to);
    stated.or_else(|| plan.buckets[to].kms_key.clone()).filter(|_| rule.encrypted_objects == Some(true))
}

/// What S3 needs of KMS (S3 User Guide, "Replicating encrypted objects"): only through S3, only for these buckets.
fn kms_statements(
    plan: &ModelsStep,
    source: &str,
    rules: &[(String, String, &ReplicationPlan)],
) -> Vec<serde_json::Value> {
    let encrypted: Vec<_> = rules.iter().filter(|(_, _, rule)| rule.encrypted_objects == Some(true)).collect();
    let Some(from) = plan.buckets.get(source).filter(|_| !encrypted.is_empty()) else { return Vec::new() };
    let statement = |sid: &str, actions: &[&str], bucket: &BucketSpec, key: Option<&str>| {
        // With a bucket key, the context is the bucket itself.
        let objects = [format!("arn:aws:s3:::{}", bucket.name), format!("arn:aws:s3:::{}/*", bucket.name)];
        json!({
            "Sid": sid, "Effect": "Allow", "Action": actions, "Resource": [key_resource(key, &bucket.region)],
            "Condition": {"StringLike": {
                "kms:ViaService": format!("s3.{}.amazonaws.com", bucket.region),
                "kms:EncryptionContext:aws:s3:arn": objects,
            }},
        })
    };
    let mut all = vec![statement("ReadUnderKey", &["kms:Decrypt"], from, from.kms_key.as_deref())];
    for (at, (_, to, rule)) in encrypted.into_iter().enumerate() {
        let (bucket, key) = (&plan.buckets[to], replica_key(plan, to, rule));
        // A bucket key is proven by reading it back.
        let actions: &[&str] =
            if bucket.bucket_key == Some(true) { &["kms:Decrypt", "kms:Encrypt"] } else { &["kms:Encrypt"] };
        all.push(statement(&format!("WriteUnderKey{}", at + 1), actions, bucket, key.as_deref()));
    }
    all
}

/// The key in a policy, which takes no alias: then any key of the region, bound by the conditions.
fn key_resource(key: Option<&str>, region: &str) -> String {
    match key {
        Some(arn) if arn.starts_with("arn:") && arn.contains(":key/") => arn.to_owned(),
        Some(id) if !id.contains(':') && !id.starts_with("alias/") => {
            format!("arn:aws:kms:{region}:{}:key/{id}", crate::resource::ACCOUNT)
        }
        _ => format!("arn:aws:kms:{region}:{}:key/*", crate::resource::ACCOUNT),
    }
}

/// A page in a bucket of its own.
pub fn page(builder: &mut Builder<'_>, step: &Step, plan: &PageStep) {
    let bucket = Address::new("page", Kind::Bucket, "site");
    builder.add(step, "bucket", Resource::new(bucket.clone(), Kind::Bucket, &plan.bucket));
    let target = Target { address: &bucket, spec: &plan.bucket, stem: "", after: None };
    for (key, file) in &plan.files {
        content::add(builder, step, &format!("files.{key}"), &target, key, file);
    }
}

/// The models of the plan, for a page.
pub fn links(builder: &Builder<'_>) -> Vec<ModelLink> {
    let steps = builder.plan.in_force(builder.requested);
    let models =
        steps.filter_map(|step| if let Work::Models(models) = &step.work { Some(&models.models) } else { None });
    let all = models.flat_map(BTreeMap::values);
    all.map(|model| ModelLink { name: model.name.clone(), pointer: format!("/{PREFIX}/{}/{POINTER}", model.name) })
        .collect()
}

/// Lets the distribution of the plan, and nobody else, read a bucket.
pub fn readable_by_distribution(
    builder: &mut Builder<'_>,
    step: &Step,
    below: &str,
    bucket: &Address,
    spec: &BucketSpec,
) {
    let policy = json!({
        "Version": "2012-10-17",
        "Statement": [{
            "Sid": "AkidbEdgeRead",
            "Effect": "Allow",
            "Principal": {"Service": "cloudfront.amazonaws.com"},
            "Action": "s3:GetObject",
            "Resource": format!("arn:aws:s3:::{}/*", spec.name),
            "Condition": {"StringEquals": {"AWS:SourceArn": distribution("arn")}},
        }],
    });
    let spec = BucketPolicySpec { bucket: link(bucket, "name"), region: spec.region.clone(), policy };
    let address = Address::new(bucket.area(), Kind::BucketPolicy, bucket.name());
    builder.add(step, below, Resource::new(address, Kind::BucketPolicy, &spec));
}

//! Buckets, models, pages.

use std::collections::BTreeMap;

use serde_json::json;

use super::content::{self, ContentTarget};
use super::replication::replication;
use super::{Builder, as_name, distribution};
use crate::plan::models::{FilePlan, ModelPlan, ModelsStep, PageStep};
use crate::plan::{Step, StepConfig, suggest};
use crate::resource::bucket::BucketSpec;
use crate::resource::bucket_policy::BucketPolicySpec;
use crate::resource::model_layout::{
    self, CURRENT, KEEP, MANIFEST, MOST_KEPT, POINTER, PREFIX, VERSIONS, VersionFile, VersionManifest, version_of,
};
use crate::resource::object::ObjectSpec;
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
            let next = suggest::instead(&model.bucket, &known, "declare it under buckets");
            builder.unknown(step, &format!("models.{name}.bucket"), problem, next);
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
        let file = VersionFile { path: path.clone(), size, sha256: sha256.clone() };
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
    let manifest = VersionManifest::new(&model.name, files);
    let pointer = manifest.pointer();
    let sha256 = builder.built.artifacts.add_bytes(manifest.bytes());
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
    let sha256 = builder.built.artifacts.add_bytes(bytes);
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
        let problem = format!("invalid model name {:?}", model.name);
        let next = "write letters, digits, '.', '_' and '-', a letter or digit first";
        builder.complain(step, &format!("{below}.name"), problem, next);
    }
    for path in model.files.keys().filter(|path| !model_layout::is_file_path(path)) {
        let problem = format!("invalid path {path:?} of a model file");
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
            builder.built.artifacts.add_file(&sha256, path.into(), bytes);
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
            let next = suggest::instead(name, &known, "declare it under buckets");
            builder.unknown(step, &format!("files.{name}"), problem, next);
            continue;
        };
        let address = Address::new("models", Kind::Bucket, &as_name(name));
        let stem = as_name(name);
        let target = ContentTarget { address: &address, spec: bucket, stem: &stem, after: sources.get(name) };
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

/// A page in a bucket of its own.
pub fn page(builder: &mut Builder<'_>, step: &Step, plan: &PageStep) {
    let bucket = Address::new("page", Kind::Bucket, "site");
    builder.add(step, "bucket", Resource::new(bucket.clone(), Kind::Bucket, &plan.bucket));
    let target = ContentTarget { address: &bucket, spec: &plan.bucket, stem: "", after: None };
    for (key, file) in &plan.files {
        content::add(builder, step, &format!("files.{key}"), &target, key, file);
    }
}

/// The models of the plan, for a page.
pub fn links(builder: &Builder<'_>) -> Vec<ModelLink> {
    let steps = builder.plan.in_force(builder.requested);
    let models =
        steps.filter_map(|step| if let StepConfig::Models(models) = &step.work { Some(&models.models) } else { None });
    let all = models.flat_map(BTreeMap::values);
    all.map(|model| ModelLink { name: model.name.clone(), pointer: format!("/{PREFIX}/{}/{POINTER}", model.name) })
        .collect()
}

/// The version of a model of the plan, and the object that makes it the current one.
pub struct KnownVersion {
    /// What the version is called.
    pub version: String,
    /// The address of its pointer.
    pub pointer: Address,
}

/// The version of the named model in a step of kind `models`; `None` when the step has no such model or a file cannot be read.
pub fn version(builder: &Builder<'_>, wanted: &str) -> Option<KnownVersion> {
    let mut steps = builder.plan.in_force(builder.requested);
    let (name, model) = steps.find_map(|step| match &step.work {
        StepConfig::Models(models) => models.models.iter().find(|(_, model)| model.name == wanted),
        _ => None,
    })?;
    let file = |(path, facts): (&String, &FilePlan)| {
        let (sha256, size) = builder.plan.files.get(&facts.path)?.content.as_ref().ok()?.clone();
        Some(VersionFile { path: path.clone(), size, sha256 })
    };
    let files = model.files.iter().map(file).collect::<Option<Vec<_>>>()?;
    Some(KnownVersion { version: version_of(&files), pointer: address(name, CURRENT) })
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

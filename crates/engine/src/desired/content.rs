//! Files of the user in buckets.

use std::collections::BTreeMap;

use super::{Builder, as_name};
use crate::plan::Step;
use crate::plan::content::{ContentPlan, ContentRule, fits, media_type};
use crate::resource::bucket::BucketSpec;
use crate::resource::object::ObjectSpec;
use crate::resource::{Address, Kind, Level, Resource, link, sha256_hex};
use crate::template::{self, Page};

/// Digits of the content's hash in a key.
pub const HASH: usize = 16;
const FOR_EVER: &str = "public, max-age=31536000, immutable";
const A_MINUTE: &str = "public, max-age=60";

/// The bucket that the files go to.
pub struct ContentTarget<'a> {
    pub address: &'a Address,
    pub spec: &'a BucketSpec,
    /// In front of the names of addresses.
    pub stem: &'a str,
    /// What copies the bucket: only what is written after it is copied.
    pub after: Option<&'a Address>,
}

/// Content that is at hand.
struct Content {
    /// Path below the folder; the key for a single file.
    path: String,
    sha256: String,
    bytes: u64,
}

/// The objects of one entry. `below` is where it is in the step.
pub fn add(
    builder: &mut Builder<'_>,
    step: &Step,
    below: &str,
    target: &ContentTarget<'_>,
    key: &str,
    plan: &ContentPlan,
) {
    let sources = [&plan.template, &plan.file, &plan.folder];
    if sources.iter().filter(|source| source.is_some()).count() != 1 {
        let problem = format!("files {key:?} needs one of template, file, folder");
        builder.complain(step, below, problem, "write file: PATH, folder: PATH or template: NAME");
        return;
    }
    let all = match (&plan.template, &plan.file, &plan.folder) {
        (Some(name), ..) => rendered(builder, step, below, key, name),
        (_, Some(path), _) => at_hand(builder, step, below, path, key.to_owned()).into_iter().collect(),
        (_, _, Some(folder)) => below_folder(builder, step, below, folder, plan),
        _ => Vec::new(),
    };
    let prefix = plan.folder.as_ref().map_or_else(String::new, |_| prefix(key));
    let mut keys = BTreeMap::new();
    let mut made = Vec::new();
    for content in all {
        let rule = plan.rules.iter().find(|rule| fits(&rule.r#match, &content.path));
        let name = match plan.folder {
            // Names of files hold more letters than addresses do.
            Some(_) => format!("{}-{}", as_name(&format!("{prefix}{}", content.path)), &digest(&content.path)[..8]),
            None => as_name(key),
        };
        let spec = object(target, &prefix, &content, plan, rule);
        keys.insert(content.path, spec.key.clone());
        made.push(place(builder, step, below, target, &name, &spec));
    }
    if let Some(manifest) = &plan.manifest {
        write_manifest(builder, step, below, target, manifest, &keys, made);
    }
}

fn digest(text: &str) -> String {
    sha256_hex(text.as_bytes())
}

/// What is in front of the paths of a folder.
fn prefix(key: &str) -> String {
    let bare = key.trim_matches('/');
    if bare.is_empty() || bare == "." { String::new() } else { format!("{bare}/") }
}

fn rendered(builder: &mut Builder<'_>, step: &Step, below: &str, key: &str, name: &str) -> Vec<Content> {
    let (title, stack) = (builder.plan.metadata.title.clone(), builder.plan.stack.clone());
    let context = Page { title, stack, models: super::models::links(builder) };
    match template::render(name, &context) {
        Ok(text) => {
            let bytes = text.len() as u64;
            let sha256 = builder.built.artifacts.add_bytes(text.into_bytes());
            vec![Content { path: key.to_owned(), sha256, bytes }]
        }
        Err(bad) => {
            builder.complain(step, below, bad.to_string(), "use a built-in template");
            Vec::new()
        }
    }
}

/// A file that was hashed when the plan was read; one that cannot be read is told of.
fn at_hand(builder: &mut Builder<'_>, step: &Step, below: &str, file: &str, path: String) -> Option<Content> {
    match builder.plan.files.get(file).map(|known| known.content.clone())? {
        Ok((sha256, bytes)) => {
            builder.built.artifacts.add_file(&sha256, file.into(), bytes);
            Some(Content { path, sha256, bytes })
        }
        Err(why) => {
            builder.built.missing.push((file.to_owned(), format!("{}.with.{below}", step.path), why));
            None
        }
    }
}

fn below_folder(builder: &mut Builder<'_>, step: &Step, below: &str, folder: &str, plan: &ContentPlan) -> Vec<Content> {
    let Some(listed) = builder.plan.folders.get(folder).cloned() else { return Vec::new() };
    let paths = match listed {
        Ok(paths) => paths,
        Err(why) => {
            builder.built.missing.push((folder.to_owned(), format!("{}.with.{below}", step.path), why));
            return Vec::new();
        }
    };
    let kept = paths.into_iter().filter(|path| !plan.exclude.iter().any(|pattern| fits(pattern, path)));
    kept.filter_map(|path| at_hand(builder, step, below, &format!("{folder}/{path}"), path)).collect()
}

fn object(
    target: &ContentTarget<'_>,
    prefix: &str,
    content: &Content,
    plan: &ContentPlan,
    rule: Option<&ContentRule>,
) -> ObjectSpec {
    let hashed = rule.and_then(|rule| rule.hashed).unwrap_or(plan.hashed);
    let key = if hashed { with_hash(&content.path, &content.sha256) } else { content.path.clone() };
    let stated = |from_rule: fn(&ContentRule) -> &Option<String>, own: &Option<String>| {
        rule.and_then(|rule| from_rule(rule).clone()).or_else(|| own.clone())
    };
    let content_type = stated(|rule| &rule.content_type, &plan.content_type);
    let cache_control = stated(|rule| &rule.cache_control, &plan.cache_control);
    ObjectSpec {
        bucket: link(target.address, "name"),
        region: target.spec.region.clone(),
        key: format!("{prefix}{key}"),
        sha256: content.sha256.clone(),
        bytes: content.bytes,
        content_type: content_type.unwrap_or_else(|| media_type(&content.path)),
        cache_control: Some(cache_control.unwrap_or_else(|| if hashed { FOR_EVER } else { A_MINUTE }.to_owned())),
        metadata: BTreeMap::new(),
    }
}

/// The hash in front of the last ending: `app.js` becomes `app.1a2b….js`.
fn with_hash(path: &str, sha256: &str) -> String {
    let hash = &sha256[..HASH];
    let (folder, name) = path.rsplit_once('/').map_or(("", path), |(folder, name)| (folder, name));
    let named = match name.rsplit_once('.').filter(|(stem, _)| !stem.is_empty()) {
        Some((stem, ending)) => format!("{stem}.{hash}.{ending}"),
        None => format!("{name}.{hash}"),
    };
    if folder.is_empty() { named } else { format!("{folder}/{named}") }
}

fn place(
    builder: &mut Builder<'_>,
    step: &Step,
    below: &str,
    target: &ContentTarget<'_>,
    name: &str,
    spec: &ObjectSpec,
) -> Address {
    let name = if target.stem.is_empty() { name.to_owned() } else { format!("{}-{name}", target.stem) };
    let address = Address::new(target.address.area(), Kind::Object, &name);
    let resource = Resource::new(address, Kind::Object, spec);
    let resource = match target.after {
        Some(rule) => resource.needing(rule.clone(), Level::Usable),
        None => resource,
    };
    builder.add(step, below, resource)
}

/// The manifest comes last: whoever reads it finds what it names.
fn write_manifest(
    builder: &mut Builder<'_>,
    step: &Step,
    below: &str,
    target: &ContentTarget<'_>,
    key: &str,
    keys: &BTreeMap<String, String>,
    made: Vec<Address>,
) {
    let text = serde_json::to_vec(keys).unwrap_or_default();
    let bytes = text.len() as u64;
    let sha256 = builder.built.artifacts.add_bytes(text);
    let content = Content { path: key.to_owned(), sha256, bytes };
    let spec = object(target, "", &content, &ContentPlan::default(), None);
    let address = place(builder, step, below, target, &as_name(key), &spec);
    if let Some(manifest) = builder.built.desired.resources.get_mut(&address) {
        manifest.needs.extend(made.into_iter().map(|need| (need, Level::Usable)));
    }
}

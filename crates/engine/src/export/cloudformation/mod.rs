//! CloudFormation: for each region a template to import with, the list of what is imported, and a template of what
//! CloudFormation can only make anew.
//!
//! IDs stand as values, and everything is retained: an import must not depend on the order of stacks, and taking a
//! resource out of a stack must not delete it.

mod cdn;
mod compute;
mod routing;
mod storage;

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use super::bundle::{Export, File, Item, Note, UNSAID, items};
use crate::resource::replication::ReplicationSpec;
use crate::resource::{Address, Kind, Remembered};

/// Where everything without a region is described.
const GLOBAL: &str = "us-east-1";

/// One resource of CloudFormation.
struct Resource {
    kind: &'static str,
    properties: Value,
    /// The property that identifies it and its value; none when CloudFormation cannot import the kind.
    identifier: Option<(&'static str, String)>,
    region: String,
    parameters: Vec<(&'static str, String)>,
    /// It existed before the stack took it in.
    imported: bool,
}

/// What one of ours becomes.
type Said = Result<(Resource, Vec<Note>), Note>;

fn resource(kind: &'static str, identifier: (&'static str, &str), properties: Value) -> Resource {
    let identifier = Some((identifier.0, identifier.1.to_owned()));
    let properties = stated(properties);
    Resource { kind, properties, identifier, region: GLOBAL.to_owned(), parameters: Vec::new(), imported: false }
}

/// One that CloudFormation makes, but does not take up.
fn only_made(kind: &'static str, properties: Value) -> Resource {
    Resource { identifier: None, ..resource(kind, ("", ""), properties) }
}

impl Resource {
    fn at(mut self, region: &str) -> Self {
        region.clone_into(&mut self.region);
        self
    }
}

/// Without what is null or an empty list: not stated.
fn stated(value: Value) -> Value {
    let empty = |value: &Value| value.is_null() || value.as_array().is_some_and(Vec::is_empty);
    match value {
        Value::Object(fields) => Value::Object(
            fields.into_iter().filter(|(_, value)| !empty(value)).map(|(key, value)| (key, stated(value))).collect(),
        ),
        Value::Array(items) => Value::Array(items.into_iter().map(stated).collect()),
        other => other,
    }
}

/// Tags as a list.
fn tags(item: &Item<'_>, tags: &BTreeMap<String, String>) -> Vec<Value> {
    item.tags(tags).into_iter().map(|(key, value)| json!({"Key": key, "Value": value})).collect()
}

/// The name of an address in a template: letters and digits.
fn logical(address: &Address) -> String {
    let capital = |word: &str| {
        let mut letters = word.chars();
        let first = letters.next().map(|first| first.to_ascii_uppercase());
        first.into_iter().chain(letters).collect::<String>()
    };
    address.as_str().split(['.', '-']).map(capital).collect()
}

#[derive(Default)]
struct Region {
    imported: BTreeMap<String, (String, Resource)>,
    made: BTreeMap<String, (String, Resource)>,
}

/// The templates of a state.
pub fn export(state: &Remembered) -> Export {
    let (items, mut notes) = items(state, &|_, _, _| None);
    let mut regions: BTreeMap<String, Region> = BTreeMap::new();
    for item in &items {
        match said(item, &items) {
            Ok(None) => {}
            Ok(Some((mut made, more))) => {
                made.imported = item.imported;
                notes.extend(more);
                let region = regions.entry(made.region.clone()).or_default();
                let list = if made.identifier.is_some() { &mut region.imported } else { &mut region.made };
                let mut name = logical(item.address);
                while list.contains_key(&name) {
                    name.push('X');
                }
                list.insert(name, (item.address.to_string(), made));
            }
            Err(note) => notes.push(note),
        }
    }
    notes.sort();
    let mut files = Vec::new();
    for (region, lists) in &regions {
        let what = format!("Stack {} in {region}, to be imported", state.stack);
        if !lists.imported.is_empty() {
            files.push(file(format!("{region}.template.json"), &template(&what, &lists.imported, &notes)));
            files.push(file(format!("{region}.resources-to-import.json"), &to_import(&lists.imported)));
        }
        let what = format!("Stack {} in {region}: what CloudFormation cannot import, only make anew", state.stack);
        if !lists.made.is_empty() {
            files.push(file(format!("{region}.new.template.json"), &template(&what, &lists.made, &[])));
        }
    }
    Export { files, notes }
}

fn file(name: String, body: &Value) -> File {
    File { name, text: serde_json::to_string_pretty(body).unwrap_or_default() + "\n" }
}

fn said(item: &Item<'_>, all: &[Item<'_>]) -> Result<Option<(Resource, Vec<Note>)>, Note> {
    let made = match item.kind {
        kind if kind.on_a_machine() => return Err(item.note("left out: it lives on a device, not in AWS")),
        Kind::LoadBalancer => return Err(item.note("only looked up: its DNS name and zone stand as values")),
        Kind::Object => return Err(item.note("left out: CloudFormation has no resource for an object")),
        // A part of its bucket.
        Kind::Replication => {
            let spec: ReplicationSpec = item.typed()?;
            let held = |other: &&Item<'_>| other.kind == Kind::Bucket && other.id == spec.source;
            let missing = || item.note("left out: it is a part of its bucket, which is not in the state");
            return all.iter().find(held).map(|_| None).ok_or_else(missing);
        }
        Kind::Role => compute::role(item),
        Kind::Function => compute::function(item),
        Kind::FunctionVersion => compute::version(item),
        Kind::Bucket => storage::bucket(item, all),
        Kind::BucketPolicy => storage::policy(item),
        Kind::OriginAccess => cdn::origin_access(item),
        Kind::CachePolicy => cdn::cache_policy(item),
        Kind::OriginRequestPolicy => cdn::origin_request_policy(item),
        Kind::ResponseHeadersPolicy => cdn::response_headers_policy(item),
        Kind::Distribution => cdn::distribution(item),
        Kind::Monitoring => cdn::monitoring(item),
        Kind::Certificate => routing::certificate(item),
        Kind::Zone => routing::zone(item),
        Kind::HealthCheck => routing::health_check(item),
        Kind::Records => routing::records(item),
        _ => return Err(item.note(UNSAID)),
    };
    made.map(Some)
}

fn template(what: &str, resources: &BTreeMap<String, (String, Resource)>, notes: &[Note]) -> Value {
    let (mut all, mut parameters) = (Map::new(), Map::new());
    for (name, (address, resource)) in resources {
        let mut properties = resource.properties.clone();
        for (parameter, description) in &resource.parameters {
            let whole = format!("{name}{parameter}");
            parameters.insert(whole.clone(), json!({"Type": "String", "Description": description}));
            let key = if *parameter == "CodeBucket" { "S3Bucket" } else { "S3Key" };
            properties["Code"][key] = json!({"Ref": whole});
        }
        let mut said = json!({
            "Type": resource.kind, "DeletionPolicy": "Retain", "UpdateReplacePolicy": "Retain",
            "Metadata": {"akidb-edge": address}, "Properties": properties,
        });
        if resource.imported {
            said["Metadata"]["Origin"] = "imported into the stack, not made by it".into();
        }
        all.insert(name.clone(), said);
    }
    let mut template = json!({"AWSTemplateFormatVersion": "2010-09-09", "Description": what, "Resources": all});
    if !parameters.is_empty() {
        template["Parameters"] = Value::Object(parameters);
    }
    if !notes.is_empty() {
        let notes: Vec<String> = notes.iter().map(|note| format!("{}: {}", note.address, note.text)).collect();
        template["Metadata"] = json!({"akidb-edge": {"NotSaid": notes}});
    }
    template
}

/// What `create-change-set --change-set-type IMPORT --resources-to-import` takes.
fn to_import(resources: &BTreeMap<String, (String, Resource)>) -> Value {
    let one = |(name, (_, resource)): (&String, &(String, Resource))| {
        let (property, value) = resource.identifier.as_ref()?;
        let identifier = Map::from_iter([((*property).to_owned(), Value::from(value.clone()))]);
        Some(json!({"ResourceType": resource.kind, "LogicalResourceId": name, "ResourceIdentifier": identifier}))
    };
    Value::Array(resources.iter().filter_map(one).collect())
}

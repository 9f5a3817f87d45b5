//! CloudFormation: for each region a template to import with, the list of what is imported, and a template of what
//! CloudFormation can only make anew.
//!
//! IDs stand as values, and everything is retained: an import must not depend on the order of stacks, and taking a
//! resource out of a stack must not delete it.

pub(super) mod cdn;
pub(super) mod compute;
pub(super) mod queue;
pub(super) mod routing;
pub(super) mod storage;

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use super::bundle::{Export, ExportFile, ExportItem, ExportNote, UNSAID, items};
use super::names;
use crate::resource::{Address, StackState};

/// Where everything without a region is described.
const GLOBAL: &str = "us-east-1";

/// One resource of CloudFormation.
pub(super) struct CloudFormationResource {
    kind: &'static str,
    properties: Value,
    /// The property that identifies it and its value; none when CloudFormation cannot import the kind.
    identifier: Option<(&'static str, String)>,
    region: String,
    parameters: Vec<(&'static str, String)>,
    /// It existed before the stack took it in.
    imported: bool,
}

/// A resource, with what it does not say.
pub(super) type ExportedResource = (CloudFormationResource, Vec<ExportNote>);

/// What one of ours becomes.
type ResourceExport = Result<ExportedResource, ExportNote>;

fn resource(kind: &'static str, identifier: (&'static str, &str), properties: Value) -> CloudFormationResource {
    let identifier = Some((identifier.0, identifier.1.to_owned()));
    let properties = stated(properties);
    CloudFormationResource {
        kind,
        properties,
        identifier,
        region: GLOBAL.to_owned(),
        parameters: Vec::new(),
        imported: false,
    }
}

/// One that CloudFormation makes, but does not adopt.
fn only_made(kind: &'static str, properties: Value) -> CloudFormationResource {
    CloudFormationResource { identifier: None, ..resource(kind, ("", ""), properties) }
}

impl CloudFormationResource {
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
fn tags(item: &ExportItem<'_>, tags: &BTreeMap<String, String>) -> Vec<Value> {
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
    imported: BTreeMap<String, (String, CloudFormationResource)>,
    made: BTreeMap<String, (String, CloudFormationResource)>,
}

/// The templates of a state.
pub fn export(state: &StackState) -> Export {
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
        let what = format!("Stack {} in {region}: what CloudFormation cannot import, only create again", state.stack);
        if !lists.made.is_empty() {
            files.push(file(format!("{region}.new.template.json"), &template(&what, &lists.made, &[])));
        }
    }
    Export { files, notes }
}

fn file(name: String, body: &Value) -> ExportFile {
    ExportFile { name, text: serde_json::to_string_pretty(body).unwrap_or_default() + "\n" }
}

fn said(item: &ExportItem<'_>, all: &[ExportItem<'_>]) -> Result<Option<ExportedResource>, ExportNote> {
    match names::of(item.kind) {
        _ if !item.kind.in_aws() => Err(item.outside_of_aws()),
        Some(words) => (words.cloudformation)(item, all),
        None => Err(item.note(UNSAID)),
    }
}

fn template(what: &str, resources: &BTreeMap<String, (String, CloudFormationResource)>, notes: &[ExportNote]) -> Value {
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
            said["Metadata"]["Origin"] = "imported into the stack, not created by it".into();
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
fn to_import(resources: &BTreeMap<String, (String, CloudFormationResource)>) -> Value {
    let one = |(name, (_, resource)): (&String, &(String, CloudFormationResource))| {
        let (property, value) = resource.identifier.as_ref()?;
        let identifier = Map::from_iter([((*property).to_owned(), Value::from(value.clone()))]);
        Some(json!({"ResourceType": resource.kind, "LogicalResourceId": name, "ResourceIdentifier": identifier}))
    };
    Value::Array(resources.iter().filter_map(one).collect())
}

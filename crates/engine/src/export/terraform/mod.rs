//! Terraform: HCL with an `import` block for each resource, so that a first plan imports and keeps what the state holds.

pub(super) mod cdn;
pub(super) mod cloudfront_policies;
pub(super) mod compute;
mod hcl;
pub(super) mod queue;
pub(super) mod routing;
pub(super) mod storage;

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use self::hcl::{Body, expression};
use super::bundle::{Export, ExportFile, ExportItem, ExportNote, OTHERS, UNSAID, items};
use super::names;
use crate::resource::{Address, ResourceRecord, ResourceStatus, StackState, sensitive};

/// The region of services that are everywhere, and of the provider that is meant when none is named.
const GLOBAL: &str = "us-east-1";

/// Versions that the configuration is written for.
const TERRAFORM: &str = ">= 1.5.0";
const PROVIDER: &str = ">= 5.100.0, < 7.0.0";

/// One resource of Terraform.
pub(super) struct TerraformBlock {
    kind: &'static str,
    label: String,
    /// What `import` takes.
    id: String,
    /// Region, for kinds that have one.
    region: Option<String>,
    /// Settings that cannot be read back: their values in the configuration are not compared.
    unread: &'static [&'static str],
    /// It existed before the stack took it in.
    imported: bool,
    body: Body,
}

/// What one of ours becomes.
pub(super) type TerraformResource = Result<(Vec<TerraformBlock>, Vec<ExportNote>), ExportNote>;

/// A resource that is named as its address.
fn resource(kind: &'static str, item: &ExportItem<'_>, id: impl Into<String>, body: Body) -> TerraformBlock {
    TerraformBlock {
        kind,
        label: label(item.address),
        id: id.into(),
        region: None,
        unread: &[],
        imported: item.imported,
        body,
    }
}

impl TerraformBlock {
    /// With a region of its own.
    fn at(mut self, region: &str) -> Self {
        self.region = Some(region.to_owned());
        self
    }

    fn unread(mut self, settings: &'static [&'static str]) -> Self {
        self.unread = settings;
        self
    }

    /// With a longer label: more than one comes of the same address.
    fn also(mut self, more: &str) -> Self {
        self.label = format!("{}_{more}", self.label);
        self
    }
}

/// Area and name. Names hold dashes and no underscores, so two addresses of a kind never share a label.
fn label(address: &Address) -> String {
    format!("{}_{}", address.area(), address.name())
}

/// Any text as a part of a label.
fn part(text: &str) -> String {
    let plain = |c: char| if c.is_ascii_alphanumeric() || c == '-' { c } else { '_' };
    text.replace('*', "wildcard").chars().map(plain).collect()
}

/// How Terraform refers to what our specs refer to; none where only the value itself will do.
fn say(address: &Address, record: &ResourceRecord, attribute: &str) -> Option<Value> {
    // What is not in the files is referred to by its value.
    if record.id.is_none() || record.standing != ResourceStatus::Present || sensitive::is_in(&record.spec) {
        return None;
    }
    let (kind, name) = (names::of(record.kind)?.named)(record, attribute)?;
    Some(expression(&format!("{kind}.{}.{name}", label(address))))
}

/// The configuration of a state: providers, resources by area, imports.
pub fn export(state: &StackState) -> Export {
    let (items, mut notes) = items(state, &say);
    let mut areas: BTreeMap<&str, Vec<TerraformBlock>> = BTreeMap::new();
    for item in &items {
        match said(item) {
            Ok((resources, more)) => {
                areas.entry(item.address.area()).or_default().extend(resources);
                notes.extend(more);
            }
            Err(note) => notes.push(note),
        }
    }
    notes.sort();
    areas.retain(|_, resources| !resources.is_empty());
    areas.values_mut().for_each(|resources| tell_apart(resources));
    let mut files = vec![ExportFile { name: "providers.tf".to_owned(), text: providers(state, &areas, &notes) }];
    for (area, resources) in &areas {
        let body = resources.iter().fold(Body::new(), |body, resource| body.block(&head(resource), whole(resource)));
        files.push(ExportFile { name: format!("{area}.tf"), text: body.text() });
    }
    let imports = areas.values().flatten().fold(Body::new(), |body, resource| body.block("import", import(resource)));
    files.push(ExportFile { name: "imports.tf".to_owned(), text: imports.text() });
    Export { files, notes }
}

fn said(item: &ExportItem<'_>) -> TerraformResource {
    match names::of(item.kind) {
        _ if !item.kind.in_aws() => Err(item.outside_of_aws()),
        Some(words) => (words.terraform)(item),
        None => Err(item.note(UNSAID)),
    }
}

/// Labels that came out equal are numbered.
fn tell_apart(resources: &mut [TerraformBlock]) {
    let mut seen: BTreeSet<(&str, String)> = BTreeSet::new();
    for resource in resources {
        let plain = resource.label.clone();
        let mut number = 2;
        while !seen.insert((resource.kind, resource.label.clone())) {
            resource.label = format!("{plain}_{number}");
            number += 1;
        }
    }
}

fn head(resource: &TerraformBlock) -> String {
    format!("resource \"{}\" \"{}\"", resource.kind, resource.label)
}

fn whole(resource: &TerraformBlock) -> Body {
    let mut body = resource.body.clone();
    if let Some(region) = resource.region.as_deref().filter(|region| *region != GLOBAL) {
        body = Body::new().code("provider", &format!("aws.{}", part(region))).then(body);
    }
    let mut settings = Body::new();
    if resource.imported {
        body = Body::new().remark("Imported into the stack, not created by it.").then(body);
        settings = settings.code("prevent_destroy", "true");
    }
    if !resource.unread.is_empty() {
        settings = settings.code("ignore_changes", &format!("[{}]", resource.unread.join(", ")));
    }
    if resource.imported || !resource.unread.is_empty() {
        body = body.block("lifecycle", settings);
    }
    body
}

fn import(resource: &TerraformBlock) -> Body {
    let mut body = Body::new();
    if let Some(region) = resource.region.as_deref().filter(|region| *region != GLOBAL) {
        body = body.code("provider", &format!("aws.{}", part(region)));
    }
    body.code("to", &format!("{}.{}", resource.kind, resource.label)).set("id", resource.id.clone())
}

fn providers(state: &StackState, areas: &BTreeMap<&str, Vec<TerraformBlock>>, notes: &[ExportNote]) -> String {
    let mut file = Body::new()
        .remark(&format!("Stack {} at revision {}, written by akidb-edge.", state.stack, state.revision()))
        .remark("terraform plan imports everything and keeps what the state holds. After terraform apply, imports.tf can go.")
        .remark("From then on change the stack with only one of the tools.")
        .remark(&format!("But {OTHERS}."))
        .remark("Keep them by ignore_changes in a lifecycle block (of policy, tags, tags_all), or write them into these files.");
    if !notes.is_empty() {
        file = notes
            .iter()
            .fold(file.remark("").remark("What Terraform cannot express, or expresses differently:"), |file, note| {
                file.remark(&format!("- {}: {}", note.address, note.text))
            });
    }
    let aws = serde_json::json!({"source": "hashicorp/aws", "version": PROVIDER});
    let aws = Body::new().set("aws", aws);
    let terraform = Body::new().set("required_version", TERRAFORM).block("required_providers", aws);
    let regions: BTreeSet<&str> = areas.values().flatten().filter_map(|resource| resource.region.as_deref()).collect();
    let others = regions.into_iter().filter(|region| *region != GLOBAL);
    let provider = |region: &str| {
        let body = Body::new().set_some("alias", (region != GLOBAL).then(|| part(region))).set("region", region);
        // Another account's credentials would import another account's things.
        body.set_some("allowed_account_ids", state.account.clone().map(|account| vec![account]))
    };
    let file = file.gap().block("terraform", terraform).block("provider \"aws\"", provider(GLOBAL));
    file.blocks("provider \"aws\"", others.map(provider)).text()
}

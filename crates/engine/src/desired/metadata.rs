//! The buckets of the metadata database, and the registry in the bucket of the primary region.

use std::collections::BTreeMap;

use akidb_edge_registry::{FILE, PREFIX, Registry, RegistryCollection, RegistryModel, RegistryTenant};

use super::{Builder, as_name, models};
use crate::plan::metadata::{MetadataStep, RegistryCollectionPlan, RegistryModelPlan};
use crate::plan::{Step, suggest};
use crate::resource::bucket::BucketSpec;
use crate::resource::model_layout::is_model_name;
use crate::resource::object::ObjectSpec;
use crate::resource::{Address, Kind, Level, Resource, link};

const AREA: &str = "metadata";
/// The most numbers that a vector may have: what `serve` loads.
const MOST_NUMBERS: u32 = 65_536;

/// The buckets, the roles and the registry of a step.
pub fn metadata(builder: &mut Builder<'_>, step: &Step, plan: &MetadataStep) {
    for (name, bucket) in &plan.buckets {
        builder.add(step, &format!("buckets.{name}"), Resource::new(address(name), Kind::Bucket, bucket));
    }
    super::metadata_roles::roles(builder, step, plan, AREA);
    if let Some((name, bucket)) = primary(builder, step, plan) {
        registry(builder, step, plan, name, bucket);
    }
}

fn address(bucket: &str) -> Address {
    Address::new(AREA, Kind::Bucket, &as_name(bucket))
}

/// The bucket in the region of the primary. Two buckets in one region would be one region with two replicas.
fn primary<'m>(builder: &mut Builder<'_>, step: &Step, plan: &'m MetadataStep) -> Option<(&'m String, &'m BucketSpec)> {
    let mut regions = BTreeMap::new();
    for (name, bucket) in &plan.buckets {
        if let Some(other) = regions.insert(&bucket.region, name) {
            let problem = format!("buckets {other} and {name} are both in region {}", bucket.region);
            builder.complain(step, &format!("buckets.{name}.region"), problem, "write one bucket for each region");
        }
    }
    let found = plan.buckets.iter().find(|(_, bucket)| bucket.region == plan.primary);
    if found.is_none() {
        let known: Vec<&str> = regions.keys().map(|region| region.as_str()).collect();
        let problem = format!("the primary is in region {:?}, which has no bucket in this step", plan.primary);
        let next = suggest::instead(&plan.primary, &known, "declare a bucket of that region under buckets");
        builder.unknown(step, "primary", problem, next);
    }
    found
}

/// The registry as an object, written after the models that it names.
fn registry(builder: &mut Builder<'_>, step: &Step, plan: &MetadataStep, name: &str, bucket: &BucketSpec) {
    let before = builder.problems.len();
    let mut pointers = Vec::new();
    let mut models = Vec::new();
    for (model, row) in &plan.models {
        let below = format!("models.{model}");
        check_model(builder, step, &below, model, row);
        let of_plan = models::version(builder, model);
        pointers.extend(of_plan.as_ref().map(|known| known.pointer.clone()));
        let version = row.version.clone().or(of_plan.map(|known| known.version));
        let RegistryModelPlan { path, dimension, enabled, .. } = row.clone();
        models.push(RegistryModel { name: model.clone(), version, path, dimension, enabled });
    }
    let tenant = |(name, row): (&String, &crate::plan::metadata::RegistryTenantPlan)| RegistryTenant {
        name: name.clone(),
        enabled: row.enabled,
    };
    let tenants = plan.tenants.iter().map(tenant).collect();
    let collections = collections(builder, step, plan);
    if builder.problems.len() > before {
        return;
    }
    let mut registry = Registry::new(models);
    (registry.tenants, registry.collections) = (tenants, collections);
    let bytes = registry.text().into_bytes();
    let size = bytes.len() as u64;
    let spec = ObjectSpec {
        bucket: link(&address(name), "name"),
        region: bucket.region.clone(),
        key: format!("{PREFIX}/{FILE}"),
        sha256: builder.built.artifacts.add_bytes(bytes),
        bytes: size,
        content_type: "application/json".to_owned(),
        cache_control: Some("no-cache".to_owned()),
        metadata: BTreeMap::new(),
    };
    let object = Resource::new(Address::new(AREA, Kind::Object, "registry"), Kind::Object, &spec);
    // Whoever reads the registry finds the versions that it names. A bucket of another stack has no pointer here.
    let object = pointers.into_iter().fold(object, |object, pointer| object.needing(pointer, Level::Usable));
    builder.add(step, "", object);
}

fn check_model(builder: &mut Builder<'_>, step: &Step, below: &str, name: &str, row: &RegistryModelPlan) {
    if !is_model_name(name) {
        let next = "write letters, digits, '.', '_' and '-', a letter or digit first";
        builder.complain(step, below, format!("invalid model name {name:?}"), next);
    }
    check_dimension(builder, step, below, row.dimension);
    if let Some(path) = row.path.as_ref().filter(|path| !crate::resource::model_layout::is_file_path(path)) {
        let problem = format!("invalid path {path:?} of a model");
        let next = "write a folder below --models: names with / between them, none of which begins with a dot";
        builder.complain(step, &format!("{below}.path"), problem, next);
    }
}

fn check_dimension(builder: &mut Builder<'_>, step: &Step, below: &str, dimension: Option<u32>) {
    if let Some(dimension) = dimension.filter(|dimension| !(1..=MOST_NUMBERS).contains(dimension)) {
        let problem = format!("a vector cannot have {dimension} numbers");
        builder.complain(step, &format!("{below}.dimension"), problem, format!("write 1 to {MOST_NUMBERS}"));
    }
}

fn collections(builder: &mut Builder<'_>, step: &Step, plan: &MetadataStep) -> Vec<RegistryCollection> {
    let mut rows = Vec::new();
    for (tenant, collections) in &plan.collections {
        if !plan.tenants.contains_key(tenant) {
            let known: Vec<&str> = plan.tenants.keys().map(String::as_str).collect();
            let problem = format!("collections of tenant {tenant:?}, which is not in this step");
            let next = suggest::instead(tenant, &known, "declare it under tenants");
            builder.unknown(step, &format!("collections.{tenant}"), problem, next);
        }
        for (name, row) in collections {
            let below = format!("collections.{tenant}.{name}");
            let RegistryCollectionPlan { model, dimension } = row;
            if !plan.models.contains_key(model) {
                let known: Vec<&str> = plan.models.keys().map(String::as_str).collect();
                let problem = format!("collection {name} uses model {model:?}, which is not in this step");
                let next = suggest::instead(model, &known, "declare it under models");
                builder.unknown(step, &format!("{below}.model"), problem, next);
            }
            check_dimension(builder, step, &below, *dimension);
            let dimension = dimension.or_else(|| plan.models.get(model)?.dimension);
            rows.push(RegistryCollection {
                tenant: tenant.clone(),
                name: name.clone(),
                model: model.clone(),
                dimension,
            });
        }
    }
    rows
}

#[cfg(test)]
#[path = "metadata_tests.rs"]
mod tests;

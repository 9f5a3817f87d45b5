//! Objects of Kubernetes clusters as users write them, to resources: checked, told apart, in order. Whatever names them (a step of
//! kind `kubernetes`, the devices' cluster), the rules are the same.

mod allowed;
mod read;
mod scope;
mod written;

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use self::read::{ManifestObject, expanded, read};
use self::scope::Scopes;
use super::{Builder, as_name};
use crate::plan::{Document, PlanError, Step, rules};
use crate::resource::manifest::{ManifestSpec, Readiness, api_group};
use crate::resource::{Address, Kind, Level, Resource, has_references, sha256_hex};
pub use written::Written;

/// Where objects go.
pub struct ObjectTarget<'a> {
    /// The area of their addresses.
    pub area: &'static str,
    /// What is in front of their names in addresses; empty for nothing.
    pub stem: &'a str,
    /// The cluster, as its objects name it.
    pub cluster: &'a str,
    /// Namespace of those that name none.
    pub namespace: Option<&'a str>,
    /// Whether rollouts are waited for.
    pub wait: bool,
    /// What comes before all of them.
    pub before: Vec<Address>,
    /// Those whose fields are taken over from other field managers, as the plan names them.
    pub force_conflicts: &'a [String],
    /// Those with data that may be deleted and made again, as the plan names them.
    pub recreate: &'a [String],
}

/// Where an object is written.
#[derive(Clone)]
pub struct ManifestPlace<'p> {
    step: &'p Step,
    /// Where it, or the file with it, is below the step's settings.
    below: String,
    /// The document of a file, and its number in that; none: it is written in the plan.
    document: Option<(&'p Document, usize)>,
    /// Where it is in the document, or below `below`: a member of a list.
    within: String,
}

impl<'p> ManifestPlace<'p> {
    /// The place of an item of a list at this place.
    fn item(&self, at: usize) -> Self {
        Self { within: self.path(&format!("items.{at}")), ..self.clone() }
    }

    fn path(&self, path: &str) -> String {
        [self.within.as_str(), path].into_iter().filter(|part| !part.is_empty()).collect::<Vec<_>>().join(".")
    }

    /// Says what is wrong at a dotted path of the object.
    fn complain(&self, builder: &mut Builder<'_>, path: &str, problem: String, next: &str) {
        let path = self.path(path);
        match self.document {
            Some((document, _)) => builder.problems.push(PlanError {
                rule: rules::OBJECT,
                file: document.file.clone(),
                place: document.place(&path),
                problem,
                next_step: next.to_owned(),
            }),
            None => {
                let below = [self.below.as_str(), path.as_str()].into_iter().filter(|part| !part.is_empty());
                let below = below.collect::<Vec<_>>().join(".");
                builder.complain_of(rules::OBJECT, self.step, &below, problem, next);
            }
        }
    }

    /// The place in a file, as it is found again without this graph.
    fn written(&self) -> Option<Written> {
        let (document, number) = self.document?;
        Some(Written { file: document.file.clone(), document: number, within: self.within.clone() })
    }

    /// `FILE:LINE`, for a message about another place.
    fn words(&self, builder: &Builder<'_>) -> String {
        match self.document {
            Some((document, _)) => format!("{}:{}", document.file, document.place(&self.within).line),
            None => {
                let path = format!("{}.with.{}", self.step.path, self.below);
                format!("{}:{}", builder.plan.file_of(&path), builder.plan.place(&path).line)
            }
        }
    }
}

/// The objects in files of a step; `field` is the setting that names them.
pub fn in_files<'p>(
    builder: &mut Builder<'p>,
    step: &'p Step,
    field: &str,
    entries: &'p [String],
) -> Vec<(&'p Value, ManifestPlace<'p>)> {
    let plan = builder.plan;
    let mut all = Vec::new();
    for (at, entry) in entries.iter().enumerate() {
        let below = format!("{field}.{at}");
        if plan.object_files(entry).next().is_none() {
            // Files are read with the plan; without this, the objects of the former ones would be deleted.
            let problem = format!("{entry} was not read: a fallback cannot bring files that the plan does not name");
            builder.complain(step, &below, problem, "name it in a step on request, or let the fallback set objects");
        }
        for file in plan.object_files(entry) {
            match &plan.objects[file] {
                Ok(documents) => all.extend(documents.iter().enumerate().map(|(number, document)| {
                    let within = String::new();
                    (
                        document.value(),
                        ManifestPlace { step, below: below.clone(), document: Some((document, number)), within },
                    )
                })),
                Err(why) => {
                    let origin = format!("{}.with.{below}", step.path);
                    builder.built.missing.push((file.to_owned(), origin, why.clone()));
                }
            }
        }
    }
    all
}

/// The place of an object that a plan writes out.
pub fn in_plan(step: &Step, below: String) -> ManifestPlace<'_> {
    ManifestPlace { step, below, document: None, within: String::new() }
}

/// Adds objects: each comes after what the target says, its namespace and the definition of its kind, where those are among them.
pub fn add<'p>(
    builder: &mut Builder<'p>,
    step: &'p Step,
    target: &ObjectTarget<'_>,
    sources: Vec<(&'p Value, ManifestPlace<'p>)>,
) -> Vec<Address> {
    let mut objects = Vec::new();
    for (value, place) in sources {
        for (value, place) in expanded(builder, value, place) {
            objects.extend(read(builder, target.cluster, value, place));
        }
    }
    let scopes = Scopes::of(&objects);
    for object in &mut objects {
        scopes.settle(&mut object.spec, target.namespace);
        object.spec.ready = ready(&object.spec, target.wait);
        allowed::allow(&mut object.spec, target);
    }
    allowed::complain(builder, step, target, &objects);
    let objects = without_doubles(builder, objects);
    let addresses = addresses(target, &objects);
    let order = Order::of(&objects, &addresses);
    let mut made = Vec::new();
    for (object, address) in objects.iter().zip(&addresses) {
        let mut resource = Resource::new(address.clone(), Kind::Manifest, &object.spec);
        resource.sources.extend(object.place.document.map(|(document, _)| document.file.clone()));
        builder.built.written.extend(object.place.written().map(|written| (address.clone(), written)));
        for wrong in (resource.kind.facts().wrong)(&resource.spec) {
            let problem = format!("{}: {}", wrong.field, wrong.problem);
            object.place.complain(builder, field(&wrong.field), problem, wrong.next_step);
        }
        let before = order.before(&object.spec).filter(|before| *before != address).chain(&target.before);
        let resource = before.fold(resource, |resource, need| resource.needing(need.clone(), Level::Usable));
        made.push(builder.add(step, &object.place.below, resource));
    }
    made
}

/// What comes before others: namespaces by their name, and definitions by the group and the kind that they define.
struct Order<'a> {
    namespaces: BTreeMap<&'a str, &'a Address>,
    definitions: BTreeMap<(&'a str, &'a str), &'a Address>,
}

impl<'a> Order<'a> {
    fn of(objects: &'a [ManifestObject<'_>], addresses: &'a [Address]) -> Self {
        let mut order = Self { namespaces: BTreeMap::new(), definitions: BTreeMap::new() };
        for (object, at) in objects.iter().zip(addresses) {
            let spec = &object.spec;
            if spec.kind == "Namespace" && api_group(&spec.api_version).is_empty() {
                order.namespaces.insert(&spec.name, at);
            }
            if let Some(kind) = &object.defines {
                order.definitions.insert((kind.group.as_str(), kind.kind.as_str()), at);
            }
        }
        order
    }

    /// What an object needs: its namespace, and the definition of its kind.
    fn before(&self, spec: &ManifestSpec) -> impl Iterator<Item = &'a Address> + use<'a> {
        let namespace = spec.namespace.as_deref().and_then(|name| self.namespaces.get(name).copied());
        let definition = self.definitions.get(&(api_group(&spec.api_version), spec.kind.as_str())).copied();
        namespace.into_iter().chain(definition)
    }
}

/// Where the field of a spec is in an object.
fn field(of_spec: &str) -> &str {
    match of_spec {
        "api_version" => "apiVersion",
        "kind" => "kind",
        "name" => "metadata.name",
        "namespace" => "metadata.namespace",
        _ => "",
    }
}

/// When an object counts as usable. Objects of a kind are refused until the definition of the kind is established.
pub fn ready(spec: &ManifestSpec, wait: bool) -> Readiness {
    match (api_group(&spec.api_version), spec.kind.as_str()) {
        ("apiextensions.k8s.io", "CustomResourceDefinition") => Readiness::RolledOut,
        ("apps", "Deployment" | "DaemonSet" | "StatefulSet") if wait => Readiness::RolledOut,
        _ => Readiness::Taken,
    }
}

/// What an object is, whatever version of its API it is written in.
fn identity(spec: &ManifestSpec) -> (&str, &str, Option<&str>, &str) {
    (api_group(&spec.api_version), spec.kind.as_str(), spec.namespace.as_deref(), spec.name.as_str())
}

/// Complains of objects that stand twice, and keeps the first of them.
fn without_doubles<'p>(builder: &mut Builder<'p>, objects: Vec<ManifestObject<'p>>) -> Vec<ManifestObject<'p>> {
    let mut kept: Vec<ManifestObject<'p>> = Vec::new();
    let mut known: BTreeMap<(String, String, Option<String>, String), usize> = BTreeMap::new();
    for object in objects {
        let (group, kind, namespace, name) = identity(&object.spec);
        let key = (group.to_owned(), kind.to_owned(), namespace.map(str::to_owned), name.to_owned());
        match known.get(&key) {
            Some(first) => {
                let first = kept[*first].place.words(builder);
                let problem = format!("duplicate object {}: it is also in {first}", object.words());
                object.place.complain(builder, "", problem, "remove one of the two");
            }
            None => {
                known.insert(key, kept.len());
                kept.push(object);
            }
        }
    }
    kept
}

/// The address of each object. Names hold more letters than addresses do: where two become one, a hash tells them apart.
fn addresses(target: &ObjectTarget<'_>, objects: &[ManifestObject<'_>]) -> Vec<Address> {
    let names: Vec<String> = objects.iter().map(|object| name(target.stem, &object.spec)).collect();
    let mut count: BTreeMap<&str, usize> = BTreeMap::new();
    for name in &names {
        *count.entry(name).or_default() += 1;
    }
    let one = |(name, object): (&String, &ManifestObject<'_>)| {
        let whole = if count[name.as_str()] == 1 {
            name.clone()
        } else {
            format!("{name}-{}", &sha256_hex(format!("{:?}", identity(&object.spec)).as_bytes())[..8])
        };
        Address::new(target.area, Kind::Manifest, &whole)
    };
    names.iter().zip(objects).map(one).collect()
}

/// What an object is called in an address: kind, group (unless it is one of Kubernetes' own), namespace, name.
fn name(stem: &str, spec: &ManifestSpec) -> String {
    let group = api_group(&spec.api_version);
    let group = if scope::is_own(group) { "" } else { group };
    let namespace = spec.namespace.as_deref().unwrap_or_default();
    let parts = [stem, spec.kind.as_str(), group, namespace, spec.name.as_str()];
    as_name(&parts.into_iter().filter(|part| !part.is_empty()).collect::<Vec<_>>().join("-"))
}

/// Whether anything in it refers to what is known only during a run.
fn is_open(fields: &Map<String, Value>) -> bool {
    fields.values().any(has_references)
}

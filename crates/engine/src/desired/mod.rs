//! [2] Plan to desired graph: one file for each area. Pure: no call, no clock, no file.

mod boundary;
mod cdn;
mod content;
mod draft;
mod edge;
mod fallbacks;
mod grouping;
mod handler;
pub mod jetson;
mod kubernetes;
mod manifests;
mod metadata;
mod metadata_roles;
mod models;
mod observability;
pub mod probes;
mod queues;
mod record_groups;
mod replication;
mod routing;

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use serde_json::Value;

use crate::plan::{Plan, PlanError, PlanErrors, Step, StepConfig, key_of, rules};
use crate::resource::records::RecordsSpec;
use crate::resource::sensitive::{found_in, is_altered};
use crate::resource::{Address, ArtifactSource, Artifacts, Desired, Kind, Resource, link};

pub use draft::Draft;
pub use fallbacks::check_fallbacks;
pub use grouping::together;
pub use manifests::Written;

/// What a plan wants, with the bytes that it carries and what it cannot have yet.
#[derive(Clone, Debug, Default)]
pub struct DesiredStack {
    /// The graph.
    pub desired: Desired,
    /// The bytes.
    pub artifacts: Artifacts,
    /// The addresses of each step.
    pub by_step: BTreeMap<String, BTreeSet<Address>>,
    /// Files of this machine that the plan names and that cannot be read: path, where the plan names it, why.
    pub missing: Vec<(String, String, String)>,
    /// Where the plan names each record set: by group and key, one place for each time that it is there.
    pub record_places: BTreeMap<Address, BTreeMap<String, Vec<String>>>,
    /// Steps that later verbs do: step, verb.
    pub later: Vec<(String, String)>,
    /// Steps that are on request only.
    pub waiting: Vec<String>,
    /// What a step comes after in the plan's other graph (the cloud's or the devices'): its addresses there, by step.
    pub beyond: BTreeMap<String, BTreeSet<Address>>,
    /// Where the objects of clusters stand that are written in files of their own.
    pub written: BTreeMap<Address, Written>,
}

impl DesiredStack {
    /// Where in the plan a setting of a resource stands: a dotted path of the plan.
    pub fn origin(&self, address: &Address, path: &str) -> String {
        let Some(resource) = self.desired.resources.get(address) else { return String::new() };
        // In a plan, an object of a cluster is written as a whole.
        let path = if resource.kind == Kind::Manifest { path.strip_prefix("object.").unwrap_or(path) } else { path };
        self.record_origin(resource, path).unwrap_or_else(|| format!("{}.{}", resource.origin, key_of(path)))
    }

    /// The sets of a group are sorted: their place in it does not tell their place in the plan.
    fn record_origin(&self, resource: &Resource, path: &str) -> Option<String> {
        let (at, below) = path.strip_prefix("sets.")?.split_once('.').unwrap_or((path.strip_prefix("sets.")?, ""));
        let at: usize = at.parse().ok()?;
        let spec: RecordsSpec = resource.typed()?;
        let key = spec.sets.get(at)?.owned_key();
        let before = spec.sets.iter().take(at).filter(|set| set.owned_key() == key).count();
        let place = self.record_places.get(&resource.address)?.get(&key)?.get(before)?;
        // Values are sorted, too.
        let below = below.split('.').next().unwrap_or_default();
        Some(format!("{place}.{}", if below == "health_check_id" { "health_check" } else { below }))
    }
}

/// Builds the graph of a plan with the steps that were asked for.
///
/// # Errors
/// Every name in the plan that nothing answers to.
pub fn build(plan: &Plan, requested: &BTreeSet<String>) -> Result<DesiredStack, PlanErrors> {
    draft(plan, requested).whole()
}

/// Builds the graph of a plan with the steps that were asked for, as far as it goes.
pub fn draft(plan: &Plan, requested: &BTreeSet<String>) -> Draft {
    let mut builder = Builder::new(plan, requested, &plan.stack);
    for step in plan.in_force(requested) {
        match &step.work {
            StepConfig::Models(models) => models::models(&mut builder, step, models),
            StepConfig::Page(page) => models::page(&mut builder, step, page),
            StepConfig::EdgeFunction(edge) => edge::functions(&mut builder, step, edge),
            StepConfig::Routing(routing) => routing::routing(&mut builder, step, routing),
            StepConfig::Certificates(certificates) => routing::certificates(&mut builder, step, certificates),
            StepConfig::Cdn(cdn) => cdn::distribution(&mut builder, step, cdn),
            StepConfig::Queues(queues) => queues::queues(&mut builder, step, queues),
            StepConfig::Metadata(metadata) => metadata::metadata(&mut builder, step, metadata),
            StepConfig::Kubernetes(kubernetes) => kubernetes::objects(&mut builder, step, kubernetes),
            StepConfig::Observability(plan) => observability::objects(&mut builder, step, plan),
            // A cutover comes last. Devices have a graph of their own, and the rest makes nothing.
            StepConfig::Cutover(_)
            | StepConfig::Jetson(_)
            | StepConfig::JetsonApp(_)
            | StepConfig::Validate(_)
            | StepConfig::JetsonShutdown(_)
            | StepConfig::Report(_) => {}
        }
    }
    builder.name_sources();
    routing::cutovers(&mut builder);
    record_groups::order_groups(&mut builder);
    builder.order_steps(|_| true);
    builder.moved(false);
    let asked: BTreeSet<&str> = plan.in_force(requested).map(|step| step.id.as_str()).collect();
    // A step that another verb does is done by that, whether it is on request or not.
    for step in &plan.steps {
        match step.work.own_verb() {
            Some(verb) => builder.built.later.push((step.id.clone(), verb)),
            None if !asked.contains(step.id.as_str()) => builder.built.waiting.push(step.id.clone()),
            None => {}
        }
    }
    builder.refuse_altered();
    builder.done()
}

/// What the areas build with.
struct Builder<'p> {
    plan: &'p Plan,
    requested: &'p BTreeSet<String>,
    built: DesiredStack,
    problems: Vec<PlanError>,
    /// Domains that a certificate proves already.
    proven: BTreeSet<String>,
    /// Where in the plan something cannot be built.
    unsound: BTreeSet<String>,
}

impl<'p> Builder<'p> {
    fn new(plan: &'p Plan, requested: &'p BTreeSet<String>, stack: &str) -> Self {
        let built = DesiredStack { desired: Desired::new(stack), ..DesiredStack::default() };
        Self { plan, requested, built, problems: Vec::new(), proven: BTreeSet::new(), unsound: BTreeSet::new() }
    }

    fn done(self) -> Draft {
        let Self { built, mut problems, unsound, .. } = self;
        problems.sort_by(|one, other| one.order().cmp(&other.order()));
        // A name that is used at several places of the graph may stand at one of the plan.
        problems.dedup();
        Draft { built, problems, unsound }
    }
}

impl Builder<'_> {
    /// A sensitive value that is not itself any more could be kept apart from nothing that is written down.
    fn refuse_altered(&mut self) {
        let names = |resource: &Resource| {
            ["name", "bucket", "key"].iter().any(|field| {
                resource.spec.get(field).and_then(Value::as_str).is_some_and(|name| !found_in(name).is_empty())
            })
        };
        // Names become ids, which are in the journal and in logs of AWS.
        let altered = self.built.desired.resources.values();
        let altered = altered.filter(|resource| is_altered(&resource.spec) || names(resource));
        let problems = altered.map(|resource| PlanError {
            rule: rules::SENSITIVE,
            file: self.plan.file_of("variables").to_owned(),
            place: self.plan.place("variables"),
            problem: format!(
                "the value of a sensitive variable is divided, escaped, in other letters or part of a name in {}, so that it could \
                 not be kept out of the journal",
                resource.address
            ),
            next_step: "use a value of letters, digits and signs without quotes that is short enough to stay whole there (255 bytes \
                        in a text of DNS), and not in a name"
                .to_owned(),
        });
        self.problems.extend(problems.collect::<Vec<_>>());
    }

    /// Adds a resource of a step; `below` is where its settings are below the step's `with`.
    fn add(&mut self, step: &Step, below: &str, resource: Resource) -> Address {
        let origin =
            if below.is_empty() { format!("{}.with", step.path) } else { format!("{}.with.{below}", step.path) };
        if self.built.desired.resources.contains_key(&resource.address) {
            // Keys that differ only in dots and dashes become one address.
            let problem = format!("two parts of the plan have the address {}", resource.address);
            self.complain_of(rules::SAME_ADDRESS, step, below, problem, "give one of them another name");
            return resource.address;
        }
        let address = self.built.desired.add(resource.from_step(&step.id, origin));
        self.built.by_step.entry(step.id.clone()).or_default().insert(address.clone());
        address
    }

    /// Says of each resource which files of this machine its hashes stand for. Of what goes into a bucket, those are left out
    /// that the user named by a variable.
    fn name_sources(&mut self) {
        let DesiredStack { desired, artifacts, .. } = &mut self.built;
        for resource in desired.resources.values_mut() {
            let mut texts = Vec::new();
            texts_of(&resource.spec, &mut texts);
            let known = |path: &Path| resource.kind.in_aws() && self.plan.is_named_by_the_user(path);
            let files = texts.into_iter().filter_map(|text| match artifacts.get(text)? {
                ArtifactSource::File(path) if !known(path) => Some(path.display().to_string()),
                _ => None,
            });
            resource.sources.extend(files);
        }
    }

    /// A setting cannot be used as it is.
    fn complain(&mut self, step: &Step, below: &str, problem: impl Into<String>, next_step: impl Into<String>) {
        self.complain_of(rules::SETTING, step, below, problem, next_step);
    }

    /// A name refers to nothing. While a step of the plan cannot be read, it may be declared there.
    fn unknown(&mut self, step: &Step, below: &str, problem: impl Into<String>, next_step: impl Into<String>) {
        if self.plan.knows_its_names() {
            self.complain_of(rules::UNKNOWN_NAME, step, below, problem, next_step);
        }
    }

    /// Notes a problem, unless something is known to be wrong there already.
    fn complain_of(
        &mut self,
        rule: &'static str,
        step: &Step,
        below: &str,
        problem: impl Into<String>,
        next_step: impl Into<String>,
    ) {
        let path = format!("{}.with.{below}", step.path);
        self.unsound.insert(path.trim_end_matches('.').to_owned());
        if !self.plan.is_sound(&path) {
            return;
        }
        self.problems.push(PlanError {
            rule,
            file: self.plan.file_of(&path).to_owned(),
            place: self.plan.place(&path),
            problem: problem.into(),
            next_step: next_step.into(),
        });
    }

    /// What the plan says has moved in this graph: the devices', or the cloud's.
    fn moved(&mut self, devices: bool) {
        if !self.plan.is_sound("moved") {
            return;
        }
        for (at, moved) in self.plan.moved.iter().enumerate().filter(|(_, moved)| moved.to.is_of_devices() == devices) {
            let resources = &self.built.desired.resources;
            let problem = if !resources.contains_key(&moved.to) {
                Some(("to", format!("nothing in this plan is called {}", moved.to)))
            } else if resources.contains_key(&moved.from) {
                Some(("from", format!("{} is still in this plan, so it cannot have moved to {}", moved.from, moved.to)))
            } else if moved.from.kind_name() != moved.to.kind_name() {
                Some(("from", format!("{} cannot become {}: they are of different kinds", moved.from, moved.to)))
            } else {
                None
            };
            match problem {
                None => drop(self.built.desired.moved.insert(moved.from.clone(), moved.to.clone())),
                Some((field, problem)) => self.problems.push(PlanError {
                    rule: rules::MOVED,
                    file: self.plan.file_of(&format!("moved.{at}.{field}")).to_owned(),
                    place: self.plan.place(&format!("moved.{at}.{field}")),
                    problem,
                    next_step:
                        "write from: the address that akidb-edge status lists, to: the one that this plan gives it"
                            .to_owned(),
                }),
            }
        }
    }

    /// A step's own word for what comes after what: everything in it comes after everything in the steps that it needs, as far
    /// as `counts` accepts those.
    fn order_steps(&mut self, counts: impl Fn(&Step) -> bool) {
        let steps = &self.plan.steps;
        let direct: BTreeMap<&str, &BTreeSet<String>> =
            steps.iter().map(|step| (step.id.as_str(), &step.needs)).collect();
        let counting: BTreeSet<&str> = steps.iter().filter(|step| counts(step)).map(|step| step.id.as_str()).collect();
        let mut before: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
        for resource in self.built.desired.resources.values_mut() {
            let steps = before.entry(resource.step.clone()).or_insert_with_key(|step| {
                let all = steps_before(step, &direct).into_iter();
                all.filter(|step| counting.contains(step.as_str())).collect()
            });
            resource.after.clone_from(steps);
        }
    }

    /// Devices come after steps of the plan's other graph where the plan says so. Among themselves they go by what refers to what: one
    /// device that is away holds up no other.
    fn order_after_cloud(&mut self) {
        self.order_steps(|step| step.work.is_of_devices() == Some(false));
    }
}

/// The steps that a step comes after, directly or through others; itself among them, when they form a circle.
fn steps_before(step: &str, direct: &BTreeMap<&str, &BTreeSet<String>>) -> BTreeSet<String> {
    let needs = |step: &str| direct.get(step).copied().into_iter().flatten();
    let mut open: Vec<&String> = needs(step).collect();
    let mut met = BTreeSet::new();
    while let Some(step) = open.pop() {
        if met.insert(step.clone()) {
            open.extend(needs(step));
        }
    }
    met
}

/// All texts of a tree of data.
fn texts_of<'v>(value: &'v Value, texts: &mut Vec<&'v str>) {
    match value {
        Value::String(text) => texts.push(text),
        Value::Array(items) => items.iter().for_each(|item| texts_of(item, texts)),
        Value::Object(fields) => fields.values().for_each(|field| texts_of(field, texts)),
        _ => {}
    }
}

/// A reference to the distribution of the plan.
fn distribution(attribute: &str) -> String {
    link(&Address::new("cdn", Kind::Distribution, "main"), attribute)
}

/// Text as a part of an address: lower case, dashes for everything else.
fn as_name(text: &str) -> String {
    let dashed: String =
        text.chars().map(|c| if c.is_ascii_alphanumeric() { c.to_ascii_lowercase() } else { '-' }).collect();
    let parts: Vec<&str> = dashed.split('-').filter(|part| !part.is_empty()).collect();
    if parts.is_empty() { "unnamed".to_owned() } else { parts.join("-") }
}

/// The same, for what these services do for this account alone: nobody else can make them use the role.
fn trust_for_this_account(services: &[&str]) -> serde_json::Value {
    let mut document = trust(services);
    document["Statement"][0]["Condition"] =
        serde_json::json!({"StringEquals": {"aws:SourceAccount": crate::resource::ACCOUNT}});
    document
}

/// A document in which services say who may take a role on.
fn trust(services: &[&str]) -> serde_json::Value {
    serde_json::json!({
        "Version": "2012-10-17",
        "Statement": [{"Effect": "Allow", "Principal": {"Service": services}, "Action": "sts:AssumeRole"}],
    })
}

//! The desired graph: what a plan declares, as data.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::needs::{GraphPlace, Needs};
use super::{Address, Kind, references};

/// How far a resource must have come before something that needs it may start.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Level {
    /// The service took the call.
    Accepted,
    /// Others can refer to it (a function is active, a certificate knows its validation records).
    Usable,
    /// It works everywhere (distribution deployed, records in sync, certificate issued).
    Propagated,
}

/// One wanted resource.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Resource {
    /// Its name in the stack.
    pub address: Address,
    /// Its kind.
    pub kind: Kind,
    /// Its settings; may hold references.
    pub spec: Value,
    /// What must be there first, and how far.
    pub needs: BTreeMap<Address, Level>,
    /// The plan step that asks for it.
    pub step: String,
    /// Steps of which everything must be usable first, directly or through other steps.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub after: BTreeSet<String>,
    /// Path in the plan file, for messages (`days.0.steps.1.with.buckets.primary`).
    pub origin: String,
    /// Files of this machine that its content comes from, as the plan names them: for whoever looks at what will be done.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub sources: Vec<String>,
}

impl Resource {
    /// A resource from its typed spec; every reference in the spec is a need at level usable.
    ///
    /// # Panics
    /// When the spec cannot be written as JSON, which a spec of plain data always can.
    pub fn new<S: Serialize>(address: Address, kind: Kind, spec: &S) -> Self {
        let spec = serde_json::to_value(spec).expect("a spec is plain data");
        let needs = references(&spec).into_iter().map(|need| (need, Level::Usable)).collect();
        let (step, after) = (String::new(), BTreeSet::new());
        Self { address, kind, spec, needs, step, after, origin: String::new(), sources: Vec::new() }
    }

    /// Says which step asked and where it is in the plan.
    #[must_use]
    pub fn from_step(mut self, step: &str, origin: impl Into<String>) -> Self {
        step.clone_into(&mut self.step);
        self.origin = origin.into();
        self
    }

    /// Adds a need.
    #[must_use]
    pub fn needing(mut self, address: Address, level: Level) -> Self {
        let held = self.needs.entry(address).or_insert(level);
        *held = (*held).max(level);
        self
    }

    /// The typed spec, when no reference stands where another type is wanted.
    pub fn typed<S: serde::de::DeserializeOwned>(&self) -> Option<S> {
        S::deserialize(&self.spec).ok()
    }
}

/// Everything that a plan wants of one stack.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Desired {
    /// Name of the stack.
    pub stack: String,
    /// The stack of the devices in it, when that is another one than `stack`: the graph spans both.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub devices: Option<String>,
    /// The resources by address.
    pub resources: BTreeMap<Address, Resource>,
    /// What the plan says has moved: former address to new one, for what cannot be recognized.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub moved: BTreeMap<Address, Address>,
}

impl Desired {
    /// An empty graph.
    pub fn new(stack: &str) -> Self {
        Self { stack: stack.to_owned(), ..Self::default() }
    }

    /// The stack that an address belongs to: its journal knows it, and its marks name it.
    pub fn stack_of(&self, address: &Address) -> &str {
        owning_stack(&self.stack, self.devices.as_deref(), address)
    }

    /// Adds a resource and returns its address.
    ///
    /// # Panics
    /// When two parts of the builder want the same address: an error in the program, not in the plan.
    pub fn add(&mut self, resource: Resource) -> Address {
        let address = resource.address.clone();
        let before = self.resources.insert(address.clone(), resource);
        assert!(before.is_none(), "two resources at {address}");
        address
    }

    /// The addresses that `wanted` accepts, with all that they need (transitively).
    pub fn with_needs(&self, wanted: impl Fn(&Address) -> bool) -> BTreeSet<Address> {
        let start = self.resources.keys().filter(|address| wanted(address)).map(GraphPlace::Resource);
        resources(Needs::of(self).closure(start))
    }

    /// The addresses that `wanted` accepts, with all that need them (transitively).
    pub fn with_users(&self, wanted: impl Fn(&Address) -> bool) -> BTreeSet<Address> {
        let start = self.resources.keys().filter(|address| wanted(address)).map(GraphPlace::Resource);
        resources(Needs::of(self).users(start))
    }

    /// A text of the whole graph, one line a resource and one a need: for golden tests and `-v`.
    pub fn text(&self) -> String {
        let mut out = String::new();
        for (address, resource) in &self.resources {
            out.push_str(&format!("{address}  [{}]  {}\n", resource.step, resource.spec));
            for (need, level) in &resource.needs {
                out.push_str(&format!("    needs {need} ({level:?})\n"));
            }
            for step in &resource.after {
                out.push_str(&format!("    after everything of step {step}\n"));
            }
        }
        out
    }
}

/// Of a stack, and that of its devices when it is another one: the one that an address belongs to.
pub(super) fn owning_stack<'s>(stack: &'s str, devices: Option<&'s str>, address: &Address) -> &'s str {
    devices.filter(|_| address.is_of_devices()).unwrap_or(stack)
}

/// The resources among places.
fn resources(places: BTreeSet<GraphPlace<'_>>) -> BTreeSet<Address> {
    let resources = places.into_iter().filter_map(|place| match place {
        GraphPlace::Resource(address) => Some(address.clone()),
        GraphPlace::EndOf(_) => None,
    });
    resources.collect()
}

//! A partial graph: what can be checked of a plan with mistakes.

use std::collections::BTreeSet;

use super::DesiredStack;
use crate::plan::{Plan, PlanError, PlanErrors};
use crate::resource::{Address, Resource};

/// A graph as far as it can be built, and what is wrong with the plan.
#[derive(Debug)]
pub struct Draft {
    /// The graph.
    pub built: DesiredStack,
    /// What cannot be built, in the order of the file.
    pub problems: Vec<PlanError>,
    /// Where in the plan that is: dotted paths.
    pub(super) unsound: BTreeSet<String>,
}

impl Draft {
    /// The graph, when nothing is wrong.
    ///
    /// # Errors
    /// Everything that is wrong.
    pub fn whole(self) -> Result<DesiredStack, PlanErrors> {
        if self.problems.is_empty() { Ok(self.built) } else { Err(PlanErrors(self.problems)) }
    }

    /// Whether a resource is as the plan wants it: nothing is known to be wrong with it, nor with what it needs. Only of such
    /// resources more can be said.
    pub fn is_sound(&self, plan: &Plan, address: &Address) -> bool {
        let resources = &self.built.desired.resources;
        let is_sound = |resource: &Resource| plan.is_sound(&resource.origin) && !self.is_wrong(&resource.origin);
        let Some(resource) = resources.get(address).filter(|resource| is_sound(resource)) else { return false };
        let is_partial = !plan.is_sound("") || !self.unsound.is_empty();
        resource.needs.keys().all(|need| match resources.get(need) {
            Some(needed) => is_sound(needed),
            // It may be what could not be built.
            None => !is_partial,
        })
    }

    /// Whether something below a dotted path, at it or above it cannot be built.
    fn is_wrong(&self, path: &str) -> bool {
        let within = |inner: &str, outer: &str| {
            inner.strip_prefix(outer).is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
        };
        self.unsound.iter().any(|wrong| within(wrong, path) || within(path, wrong))
    }
}

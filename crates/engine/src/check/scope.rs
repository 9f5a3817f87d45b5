//! The graph around a resource: what a reference or a literal name refers to.

use std::cell::OnceCell;

use jiff::civil::Date;
use serde::de::DeserializeOwned;

use super::identity::Holders;
use crate::resource::bucket::BucketSpec;
use crate::resource::function::FunctionSpec;
use crate::resource::needs::{GraphPlace, Needs};
use crate::resource::role::RoleSpec;
use crate::resource::{Address, Desired, Kind, Resource};

/// What all rules may look at.
pub(super) struct CheckScope<'a> {
    /// The desired graph.
    pub desired: &'a Desired,
    /// The day of the check, for rules with dates.
    pub today: Date,
    /// Who stands for what, worked out when first asked for.
    pub holders: OnceCell<Holders>,
    /// The circle of needs, looked for when first asked for.
    cycle: OnceCell<Option<NeedsCycle>>,
}

/// A circle of needs.
#[derive(Debug)]
pub(super) struct NeedsCycle {
    /// The first resource in it.
    pub at: Address,
    /// All of it, in order.
    pub places: Vec<String>,
}

impl NeedsCycle {
    fn of(places: &[GraphPlace<'_>]) -> Option<Self> {
        let at = places.iter().find_map(|place| match place {
            GraphPlace::Resource(address) => Some((*address).clone()),
            GraphPlace::EndOf(_) => None,
        })?;
        let word = |place: &GraphPlace<'_>| match place {
            GraphPlace::Resource(address) => address.to_string(),
            GraphPlace::EndOf(step) => format!("everything of step {step}"),
        };
        Some(Self { at, places: places.iter().map(word).collect() })
    }
}

impl<'a> CheckScope<'a> {
    /// Around a graph.
    pub fn new(desired: &'a Desired, today: Date) -> Self {
        Self { desired, today, holders: OnceCell::new(), cycle: OnceCell::new() }
    }

    /// A circle of needs, if there is one.
    pub fn cycle(&self) -> Option<&NeedsCycle> {
        self.cycle.get_or_init(|| NeedsCycle::of(&Needs::of(self.desired).cycle()?)).as_ref()
    }
}

/// One reference in a text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Reference<'t> {
    /// The address part; empty for facts of the run.
    pub address: &'t str,
    /// The attribute part.
    pub attribute: &'t str,
}

/// All references in a text, in order.
pub(super) fn references(text: &str) -> Vec<Reference<'_>> {
    let mut found = Vec::new();
    let mut rest = text;
    while let Some((_, after)) = rest.split_once("${") {
        let Some((body, tail)) = after.split_once('}') else { break };
        found.extend(body.split_once('#').map(|(address, attribute)| Reference { address, attribute }));
        rest = tail;
    }
    found
}

/// Whether a reference is in the text: then it will be right, and nothing more is known of it.
pub(super) fn is_open(text: &str) -> bool {
    !references(text).is_empty()
}

/// The reference, when the text is nothing else.
pub(super) fn whole(text: &str) -> Option<Reference<'_>> {
    let body = text.strip_prefix("${")?.strip_suffix('}')?;
    let (address, attribute) = body.split_once('#')?;
    (!body.contains('}')).then_some(Reference { address, attribute })
}

impl<'a> CheckScope<'a> {
    /// The resources of a kind whose specs fit their type.
    pub fn each<S: DeserializeOwned>(&self, kind: Kind) -> impl Iterator<Item = (&'a Address, S)> + use<'a, S> {
        let of_kind = self.desired.resources.iter().filter(move |(_, resource)| resource.kind == kind);
        of_kind.filter_map(|(address, resource)| resource.typed::<S>().map(|spec| (address, spec)))
    }

    /// The resource at an address text.
    pub fn at(&self, address: &str) -> Option<(&'a Address, &'a Resource)> {
        self.desired.resources.get_key_value(&address.parse::<Address>().ok()?)
    }

    /// The resource that a text refers to, when it is of this kind.
    pub fn behind<S: DeserializeOwned>(&self, kind: Kind, text: &str) -> Option<(&'a Address, S)> {
        let (address, resource) = self.at(whole(text)?.address)?;
        (resource.kind == kind).then(|| resource.typed().map(|spec| (address, spec))).flatten()
    }

    /// The bucket of the graph that a name or a reference means.
    pub fn bucket(&self, text: &str) -> Option<(&'a Address, BucketSpec)> {
        let named = || self.each::<BucketSpec>(Kind::Bucket).find(|(_, spec)| spec.name == text);
        self.behind(Kind::Bucket, text).or_else(named)
    }

    /// The role of the graph that an ARN or a reference means.
    pub fn role(&self, text: &str) -> Option<(&'a Address, RoleSpec)> {
        let name = text.rsplit_once(":role/").map(|(_, name)| name);
        let named = || self.each::<RoleSpec>(Kind::Role).find(|(_, spec)| Some(spec.name.as_str()) == name);
        self.behind(Kind::Role, text).or_else(named)
    }

    /// The function of the graph that a version, an ARN, a name or a reference to any of them means.
    pub fn function(&self, text: &str) -> Option<(&'a Address, FunctionSpec)> {
        if let Some((_, resource)) = whole(text).and_then(|to| self.at(to.address))
            && resource.kind == Kind::FunctionVersion
        {
            return self.function(resource.spec.get("function")?.as_str()?);
        }
        let name = match text.split_once(":function:") {
            Some((_, rest)) => rest.split(':').next().unwrap_or_default(),
            None => text,
        };
        let named = || self.each::<FunctionSpec>(Kind::Function).find(|(_, spec)| spec.name == name);
        self.behind(Kind::Function, text).or_else(named)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn references_are_found_whole_and_in_part() {
        let names: Vec<&str> = references("x ${a.role.b#arn}/${#account}${HOME}").iter().map(|r| r.attribute).collect();
        assert_eq!(names, ["arn", "account"]);
        assert_eq!(whole("${a.role.b#arn}"), Some(Reference { address: "a.role.b", attribute: "arn" }));
        assert_eq!(whole("${a.role.b#arn}/x${a.role.b#arn}"), None);
        assert!(!is_open("${HOME} ${broken"));
    }
}

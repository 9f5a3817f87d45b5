//! Why nothing can be planned, and the next step.

use serde_json::Value;

use crate::resource::{
    Address, Attributes, Change, Fault, FieldChange, ObservedResource, Resource, ResourceRecord, Untrusted,
};

/// Why nothing can be planned: all of it at once.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PlanningRefusal {
    /// The address.
    pub address: Address,
    /// What is wrong.
    pub problem: String,
    /// What to do.
    pub next_step: String,
    /// Nothing is wrong with it as far as is known: it could not be read.
    pub unread: bool,
}

pub(super) fn unreadable((address, fault): (&Address, &Fault)) -> PlanningRefusal {
    PlanningRefusal {
        unread: true,
        address: address.clone(),
        problem: format!("it could not be read: {fault}"),
        next_step: fault.next_step.as_ref().map_or_else(|| "run the command again".to_owned(), Untrusted::line),
    }
}

pub(super) fn same_name(resource: &Resource, fields: &[FieldChange]) -> PlanningRefusal {
    let changed: Vec<&str> = fields.iter().map(|field| field.path.as_str()).collect();
    PlanningRefusal {
        unread: false,
        address: resource.address.clone(),
        problem: format!("{} cannot change under the same name, and it holds data", changed.join(", ")),
        next_step: "give the new one another name: it is created first, the old one is deleted after".to_owned(),
    }
}

pub(super) fn not_there(resource: &Resource) -> PlanningRefusal {
    PlanningRefusal {
        unread: false,
        address: resource.address.clone(),
        problem: format!("no {} answers to {}", resource.kind.facts().title, resource.spec),
        next_step: "make it, or correct its name or tags in the plan; with the local AWS: localstack/up seeds it"
            .to_owned(),
    }
}

/// What is looked up is another thing than the journal knows: whatever was made in the former one is not in it.
pub(super) fn another(address: &Address, record: &ResourceRecord, found: &ObservedResource) -> Option<PlanningRefusal> {
    let facts = record.kind.facts();
    let told = |attributes: &Attributes| attributes.get(facts.told_by?).and_then(Value::as_str).map(str::to_owned);
    let (then, now) = (told(&record.attributes)?, told(&found.attributes)?);
    (then != now).then(|| PlanningRefusal {
        unread: false,
        address: address.clone(),
        problem: format!(
            "{} {} is not the one in the journal ({} {now}, before {then}): it does not contain what this stack \
             created",
            facts.title,
            found.id,
            facts.told_by.unwrap_or_default()
        ),
        next_step: format!(
            "correct how it is reached; give a new one another name in the plan; or, when the former one is gone for good, \
             akidb-edge state forget {address} with the objects in it, and deploy again"
        ),
    })
}

pub(super) fn foreign(resource: &Resource, found: &ObservedResource, why: &str) -> PlanningRefusal {
    PlanningRefusal {
        unread: false,
        address: resource.address.clone(),
        problem: format!("{} {} exists and is not owned by this stack: {why}", resource.kind.facts().title, found.id),
        next_step: format!("choose another name, or adopt it with --adopt {}", resource.address),
    }
}

pub(super) fn contested(resource: &Resource, found: &ObservedResource, why: &str) -> PlanningRefusal {
    let title = resource.kind.facts().title;
    PlanningRefusal {
        unread: false,
        address: resource.address.clone(),
        problem: format!("{title} {} is contested: {why}", found.id),
        next_step: format!("find out who owns it; if it is yours, adopt it with --adopt {}", resource.address),
    }
}

/// What was imported once and is to come back carries the mark of another stack, or of another address that has it.
pub(super) fn marked_by_others(change: &Change, found: &ObservedResource, why: &str) -> PlanningRefusal {
    let title = change.kind.facts().title;
    PlanningRefusal {
        unread: false,
        address: change.address.clone(),
        problem: format!(
            "{title} {} existed before this stack and would be adopted again, but it now belongs to another stack or \
             address: {why}",
            found.id
        ),
        next_step:
            "roll back to another revision; or remove it from that stack (state forget), remove its tag and run the \
             command again"
                .to_owned(),
    }
}

/// A replacement would delete what is not this stack's.
pub(super) fn would_replace(resource: &Resource, found: &ObservedResource, fields: &[FieldChange]) -> PlanningRefusal {
    let changed: Vec<&str> = fields.iter().map(|field| field.path.as_str()).collect();
    let title = resource.kind.facts().title;
    PlanningRefusal {
        unread: false,
        address: resource.address.clone(),
        problem: format!(
            "{title} {} was not created by this stack, and {} cannot change in place: it would have to be replaced",
            found.id,
            changed.join(", ")
        ),
        next_step: "change the plan to match what exists, or give the new one another name".to_owned(),
    }
}

/// The service says beforehand that it would refuse the update.
pub(super) fn refused_beforehand(address: &Address, fault: &Fault) -> PlanningRefusal {
    let next = fault.next_step.as_ref().map(Untrusted::line);
    PlanningRefusal {
        unread: false,
        address: address.clone(),
        problem: fault.message.line(),
        next_step: next.unwrap_or_else(|| "correct what is named above in the plan".to_owned()),
    }
}

/// It would have to be deleted, and it is not this stack's.
pub(super) fn cannot_recreate(address: &Address, why: &Untrusted) -> PlanningRefusal {
    PlanningRefusal {
        unread: false,
        address: address.clone(),
        problem: format!(
            "it was not created by this stack and would have to be deleted and created again, since {}",
            why.line()
        ),
        next_step: "set the real value in the plan; or delete it yourself and run the same command again".to_owned(),
    }
}

pub(super) fn wanted_twice(resource: &Resource, key: &str, other: &Address) -> PlanningRefusal {
    PlanningRefusal {
        unread: false,
        address: resource.address.clone(),
        problem: format!("{other} also contains the record set {key} in the same zone: each run would overwrite it"),
        next_step: format!("remove it from one of the two groups: {other} or {}", resource.address),
    }
}

pub(super) fn divided(resource: &Resource, key: &str, other: &str) -> PlanningRefusal {
    let name = key.split(' ').next().unwrap_or_default();
    PlanningRefusal {
        unread: false,
        address: resource.address.clone(),
        problem: format!(
            "the record sets of {name} are split between this group and {other} ({key}), and change their type or \
             routing together: Route 53 requires one change batch for that, but each group has its own"
        ),
        next_step: format!(
            "put all record sets of {name} into one group and deploy; after that they can be split again"
        ),
    }
}

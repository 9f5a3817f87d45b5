//! A change that is larger than Route 53 takes at once, as several batches one after the other. All changes of a name
//! stay in one batch, so that no name is without an answer for a moment. Pure: no call.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;

use super::batch::{BatchChange, SetAction, size};
use super::{CHANGE, Fault, RecordSet, domain};
use crate::resource::FaultClass;

/// Most record elements of one batch (R53 "Quotas": requests to ChangeResourceRecordSets; an alias is one element).
const MOST_ELEMENTS: usize = 1_000;
/// Most characters of all values of one batch (same place).
const MOST_CHARACTERS: usize = 32_000;

/// What must stay together: the changes of some names.
#[derive(Clone, Debug, Default)]
struct IndivisibleChange {
    names: BTreeSet<String>,
    size: (usize, usize),
}

impl IndivisibleChange {
    fn take(&mut self, other: Self) {
        self.size = self.size_with(&other);
        self.names.extend(other.names);
    }

    const fn size_with(&self, other: &Self) -> (usize, usize) {
        (self.size.0 + other.size.0, self.size.1 + other.size.1)
    }
}

const fn fits((elements, characters): (usize, usize)) -> bool {
    elements <= MOST_ELEMENTS && characters <= MOST_CHARACTERS
}

/// The batches, each as places in `steps` in their order there.
///
/// # Errors
/// When the changes of one name alone are more than the service takes at once.
pub fn batches(steps: &[BatchChange<'_>]) -> Result<Vec<Vec<usize>>, Fault> {
    let mut batches: Vec<IndivisibleChange> = Vec::new();
    for unit in units(steps) {
        if !fits(unit.size) {
            return Err(too_large(&unit));
        }
        match batches.last_mut() {
            Some(last) if fits(last.size_with(&unit)) => last.take(unit),
            _ => batches.push(unit),
        }
    }
    let of = |unit: IndivisibleChange| -> Vec<usize> {
        let places: Range<usize> = 0..steps.len();
        places.filter(|at| unit.names.contains(&domain(&steps[*at].set.name))).collect()
    };
    Ok(batches.into_iter().map(of).collect())
}

fn too_large(unit: &IndivisibleChange) -> Fault {
    let (elements, characters) = unit.size;
    let names: Vec<&str> = unit.names.iter().take(3).map(String::as_str).collect();
    let words = format!(
        "the change of {} has {elements} record elements and {characters} characters (a changed set counts twice); \
         Route 53 takes at most 1,000 elements and 32,000 characters at once, and the sets of a name are changed together",
        names.join(", ")
    );
    Fault::new(FaultClass::Refused, "route53", CHANGE, "BatchTooLarge", words)
        .next("change fewer sets of the name in one run, or give it fewer values")
}

/// The units in an order that can be carried out: aliases with their targets where they fit into one batch; else new
/// targets before their aliases, and aliases that go before their targets.
fn units(steps: &[BatchChange<'_>]) -> Vec<IndivisibleChange> {
    let mut names: BTreeMap<String, Vec<BatchChange<'_>>> = BTreeMap::new();
    for step in steps {
        names.entry(domain(&step.set.name)).or_default().push(*step);
    }
    let whole = together(&names, names.keys());
    if fits(whole.size) {
        return vec![whole];
    }
    let before = before(&names);
    let mut units = Vec::new();
    for family in families(&names) {
        let whole = together(&names, &family);
        if fits(whole.size) {
            units.push(whole);
        } else {
            units.extend(in_order(&names, &before, family));
        }
    }
    units
}

fn together<'n>(
    names: &BTreeMap<String, Vec<BatchChange<'_>>>,
    some: impl IntoIterator<Item = &'n String>,
) -> IndivisibleChange {
    let one = |name: &String| IndivisibleChange { names: [name.clone()].into(), size: size(&names[name]) };
    let mut all = IndivisibleChange::default();
    some.into_iter().map(one).for_each(|one| all.take(one));
    all
}

/// The names that a set leads to.
fn targets(set: &RecordSet) -> Vec<String> {
    let cname = set.values.iter().filter(|_| set.record_type == "CNAME").map(|value| domain(value));
    set.alias.iter().map(|alias| domain(&alias.dns_name)).chain(cname).collect()
}

/// Every pair of changed names of which one leads to the other.
fn links(names: &BTreeMap<String, Vec<BatchChange<'_>>>) -> Vec<(String, SetAction, String)> {
    let mut links = Vec::new();
    for (name, steps) in names {
        for step in steps {
            let others = targets(step.set).into_iter().filter(|to| to != name && names.contains_key(to));
            links.extend(others.map(|to| (name.clone(), step.act, to)));
        }
    }
    links
}

/// For each name those that must be changed before it.
fn before(names: &BTreeMap<String, Vec<BatchChange<'_>>>) -> BTreeMap<String, BTreeSet<String>> {
    let only = |name: &str, act: SetAction| names[name].iter().all(|step| step.act == act);
    let mut before: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for (from, act, to) in links(names) {
        if act == SetAction::Delete && only(&to, SetAction::Delete) {
            before.entry(to).or_default().insert(from);
        } else if act != SetAction::Delete && only(&to, SetAction::Create) {
            before.entry(from).or_default().insert(to);
        }
    }
    before
}

/// The names in sets of which none leads to another.
fn families(names: &BTreeMap<String, Vec<BatchChange<'_>>>) -> Vec<BTreeSet<String>> {
    let mut neighbors: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for (from, _, to) in links(names) {
        neighbors.entry(from.clone()).or_default().insert(to.clone());
        neighbors.entry(to).or_default().insert(from);
    }
    let mut left: BTreeSet<&String> = names.keys().collect();
    let mut families = Vec::new();
    while let Some(first) = left.pop_first() {
        let (mut family, mut open) = (BTreeSet::from([first.clone()]), vec![first.clone()]);
        while let Some(name) = open.pop() {
            for next in neighbors.get(&name).into_iter().flatten().filter(|next| left.remove(next)) {
                family.insert(next.clone());
                open.push(next.clone());
            }
        }
        families.push(family);
    }
    families
}

/// The names of a family one by one; those that lead to each other in a ring stay together.
fn in_order(
    names: &BTreeMap<String, Vec<BatchChange<'_>>>,
    before: &BTreeMap<String, BTreeSet<String>>,
    mut left: BTreeSet<String>,
) -> Vec<IndivisibleChange> {
    let mut units = Vec::new();
    while !left.is_empty() {
        let waits =
            |name: &&String| before.get(*name).is_some_and(|others| others.iter().any(|one| left.contains(one)));
        let ready: BTreeSet<String> = left.iter().filter(|name| !waits(name)).cloned().collect();
        if ready.is_empty() {
            units.push(together(names, &left));
            break;
        }
        units.extend(ready.iter().map(|name| together(names, [name])));
        left.retain(|name| !ready.contains(name));
    }
    units
}

#[cfg(test)]
mod tests {
    use super::super::batch::steps;
    use super::*;
    use crate::resource::records::Alias;

    fn plain(name: &str, value: &str) -> RecordSet {
        let values = vec![value.to_owned()];
        RecordSet { name: name.into(), record_type: "A".into(), ttl: Some(60), values, ..RecordSet::default() }
    }

    fn alias(name: &str, to: &str) -> RecordSet {
        let alias = Alias { zone_id: "Z1".into(), dns_name: to.into(), evaluate_target_health: false };
        RecordSet { name: name.into(), record_type: "A".into(), alias: Some(alias), ..RecordSet::default() }
    }

    fn many(count: usize, make: impl Fn(&str) -> RecordSet) -> Vec<RecordSet> {
        (0..count).map(|at| make(&format!("n{at:04}.example.com"))).collect()
    }

    /// The batches as sets of names, with the checks that hold for all of them.
    fn divided(found: &[RecordSet], wanted: &[RecordSet]) -> Vec<BTreeSet<String>> {
        let steps = steps(found, wanted);
        let batches = batches(&steps).expect("it can be divided");
        let mut all: Vec<usize> = batches.concat();
        assert!(batches.iter().all(|batch| batch.is_sorted()));
        all.sort_unstable();
        assert!(all.into_iter().eq(0..steps.len()), "each step once");
        let names: Vec<BTreeSet<String>> = batches
            .iter()
            .map(|batch| {
                let part: Vec<BatchChange<'_>> = batch.iter().map(|at| steps[*at]).collect();
                let (elements, characters) = size(&part);
                assert!(elements <= MOST_ELEMENTS && characters <= MOST_CHARACTERS);
                part.iter().map(|step| step.set.name.clone()).collect()
            })
            .collect();
        for (at, batch) in names.iter().enumerate() {
            assert!(names[at + 1..].iter().all(|other| other.is_disjoint(batch)), "a name in one batch");
        }
        names
    }

    #[test]
    fn what_fits_is_one_batch_and_what_does_not_is_divided_between_names() {
        let counts = |batches: Vec<BTreeSet<String>>| batches.iter().map(BTreeSet::len).collect::<Vec<_>>();
        let old = many(1_100, |name| plain(name, "192.0.2.1"));
        let new = many(1_100, |name| plain(name, "192.0.2.2"));
        assert_eq!(counts(divided(&[], &old[..1_000])), [1_000]);
        assert_eq!(counts(divided(&[], &old)), [1_000, 100]);
        // An UPSERT counts twice.
        assert_eq!(counts(divided(&old, &new)), [500, 500, 100]);
        let long = many(10, |name| plain(name, &"x".repeat(4_000)));
        assert_eq!(counts(divided(&[], &long)), [8, 2]);
    }

    #[test]
    fn targets_come_before_their_aliases_and_go_after_them() {
        // More than one batch of aliases to one new name that sorts last.
        let mut chain = many(1_100, |name| alias(name, "zz.example.com."));
        chain.push(plain("zz.example.com", "192.0.2.1"));
        let coming = divided(&[], &chain);
        assert!(coming.len() == 2 && coming[0].contains("zz.example.com"), "{coming:?}");
        let going = divided(&chain, &[]);
        assert!(going.len() == 2 && going[1].contains("zz.example.com"), "{going:?}");
        // Aliases stay with their target where they fit.
        let mut families = many(999, |name| plain(name, "192.0.2.1"));
        families.extend([alias("a.example.com", "z.example.com"), plain("z.example.com", "192.0.2.1")]);
        let batches = divided(&[], &families);
        assert!(batches.iter().all(|batch| batch.contains("a.example.com") == batch.contains("z.example.com")));
    }

    #[test]
    fn one_name_that_is_too_large_is_refused_in_words() {
        let one = |at: usize| RecordSet {
            set_identifier: Some(format!("s{at}")),
            weight: Some(1),
            ..plain("big.example.com", "192.0.2.1")
        };
        let sets: Vec<RecordSet> = (0..1_001).map(one).collect();
        let fault = batches(&steps(&[], &sets)).expect_err("one name, 1,001 elements");
        assert!(fault.message.starts_with("the change of big.example.com has 1001 record elements"), "{fault}");
        assert!(fault.next_step.is_some());
    }
}

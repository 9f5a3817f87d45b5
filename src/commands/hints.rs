//! Hints for a stack without a journal at this place: which other stacks and resources exist.

use std::collections::BTreeSet;
use std::fs;

use super::Context;
use super::workflow::{self, AccountConnection};
use crate::desired::jetson::SUFFIX;
use crate::exit::{Failure, codes};
use crate::ledger::Ledger;
use crate::observe;
use crate::report;
use crate::resource::{Artifacts, Desired, OwnedResource, SafeText, StackState, shown};

/// What the journal knows of a stack; its sequence is 0 when there is none.
///
/// # Errors
/// When the journal cannot be read.
pub async fn known(stack: &str, context: &Context, connection: &AccountConnection) -> Result<StackState, Failure> {
    let store = workflow::store(&context.global, &context.session, stack, Some(connection)).await?;
    Ok(Ledger::read(store, stack).await?.recorded())
}

/// The stacks that have a journal at the place of the state, as far as that can be listed.
pub fn stacks(context: &Context) -> Vec<String> {
    stacks_at(&context.global.state)
}

/// The stacks that have a journal at a place.
pub fn stacks_at(state: &str) -> Vec<String> {
    let Some(directory) = workflow::root(state) else { return Vec::new() };
    let all = fs::read_dir(directory).into_iter().flatten().flatten();
    let with_journal = all.filter(|entry| entry.path().join("journal.jsonl").is_file());
    let mut names: Vec<String> = with_journal.filter_map(|entry| entry.file_name().into_string().ok()).collect();
    names.sort();
    names
}

/// What is said of a stack without a journal: where it was looked for, and which stacks are there.
pub fn words(stack: &str, context: &Context) -> SafeText {
    let place = workflow::root(&context.global.state).map(|directory| {
        let whole = std::path::absolute(&directory).unwrap_or(directory);
        format!("file:{}", whole.display())
    });
    let place = place.unwrap_or_else(|| context.global.state.clone());
    let there = stacks(context);
    let there = if there.is_empty() {
        SafeText::default()
    } else {
        shown!("; stacks with a state there: {}", there.join(", "))
    };
    shown!("no state of the stack {} was found at {}{}", stack, place, there)
}

/// The refusal, with what is tagged as the stack's in the account.
pub fn refusal(stack: &str, marked: Option<&[OwnedResource]>, context: &Context) -> Failure {
    let mut problem = shown!("{}; nothing was done", words(stack, context));
    let there = stacks(context);
    let mut next = nearest(stack, &there).map_or_else(
        || SafeText::from("name the location of its state with --state"),
        |name| shown!("did you mean --stack {}? Or name the location of its state with --state", name),
    );
    match marked {
        Some([]) => problem.push("\nno resource in the account is tagged as this stack's, as far as could be checked"),
        Some(all) => {
            problem.push(shown!("\n{}", report::unmanaged_text(all).trimmed()));
            next.push(
                "; if it is lost, akidb-edge deploy --plan PLAN adopts the resources that are tagged as this stack's",
            );
        }
        None => {}
    }
    codes::UNKNOWN_STACK.refused(problem, next)
}

/// What carries the mark of a stack in the account, in the regions of its plan and in our own.
pub async fn marked(
    stack: &str,
    wanted: Option<&Desired>,
    connection: &AccountConnection,
) -> Result<Vec<OwnedResource>, Failure> {
    // Whoever we are not is told first.
    connection.identity().await?;
    let specs = wanted.into_iter().flat_map(|desired| desired.resources.values()).map(|resource| &resource.spec);
    let regions: BTreeSet<String> = specs
        .filter_map(|spec| spec.get("region")?.as_str().map(str::to_owned))
        .filter(|region| !region.contains("${"))
        .chain([connection.region.clone()])
        .collect();
    let providers = workflow::with_artifacts(connection, Artifacts::default());
    let (all, unlisted) = observe::unmanaged(&StackState::empty(stack), &regions, &providers).await;
    match unlisted.into_iter().next() {
        Some((_, fault)) if all.is_empty() => Err(fault.into()),
        _ => Ok(all),
    }
}

/// The name that is nearest to one that was typed, if one may be a misspelling of it. The hint follows verbs that delete: a name
/// that is merely similar is another stack, so short names and names that differ in their digits alone (`shop-1`, `shop-2`)
/// are left out.
fn nearest<'n>(typed: &str, names: &'n [String]) -> Option<&'n String> {
    let stem = stem_of(typed);
    let far = (stem.chars().count() / 3).min(2);
    let alike = names.iter().filter(|name| {
        let same_end = name.ends_with(SUFFIX) == typed.ends_with(SUFFIX);
        same_end && letters(stem_of(name)) != letters(stem)
    });
    let near = alike.map(|name| (distance(stem, stem_of(name)), name)).filter(|(apart, _)| *apart <= far);
    near.min().map(|(_, name)| name)
}

/// The name without what marks the stack of a plan's devices.
fn stem_of(name: &str) -> &str {
    name.strip_suffix(SUFFIX).unwrap_or(name)
}

/// A name without its digits.
fn letters(name: &str) -> String {
    name.chars().filter(|letter| !letter.is_ascii_digit()).collect()
}

/// How many letters are to be added, taken away or changed.
fn distance(one: &str, other: &str) -> usize {
    let other: Vec<char> = other.chars().collect();
    let mut row: Vec<usize> = (0..=other.len()).collect();
    for (at, letter) in one.chars().enumerate() {
        let mut diagonal = std::mem::replace(&mut row[0], at + 1);
        for column in 0..other.len() {
            let changed = diagonal + usize::from(letter != other[column]);
            diagonal = row[column + 1];
            row[column + 1] = changed.min(diagonal + 1).min(row[column] + 1);
        }
    }
    row[other.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_that_was_misspelt_is_found() {
        let names = ["akidb-week13".to_owned(), "other".to_owned()];
        assert_eq!(nearest("akidb-wek13", &names).map(String::as_str), Some("akidb-week13"));
        assert_eq!(nearest("shop", &names), None);
        let mistyped = nearest("akidb-wek13-devices", &["akidb-week13-devices".to_owned()]).cloned();
        assert_eq!(mistyped.as_deref(), Some("akidb-week13-devices"));
        assert_eq!((distance("", "abc"), distance("abc", "abc"), distance("kitten", "sitting")), (3, 0, 3));
    }

    #[test]
    fn another_stack_is_not_taken_for_a_misspelling() {
        for (typed, there) in [
            ("d6", "dd"),
            ("d6-devices", "dd-devices"),
            ("shop-1", "shop-2"),
            ("akidb-week12", "akidb-week13"),
            ("shop-dev", "shop-prod"),
            ("akidb-week13", "akidb-week13-devices"),
        ] {
            assert_eq!(nearest(typed, &[there.to_owned()]), None, "{typed} {there}");
        }
    }
}

//! Plans that extend others: `extends` names an earlier plan, and the later one adds to it, overrides and removes parts of it.
//! The files of a chain are read one by one (`chain`), put together as trees that know where each value stands (`tree`, `merge`,
//! `remove`), and the result is one text like that of a single file, with the file that each value came from (`lineage`).

mod chain;
mod lineage;
mod merge;
mod remove;
mod shape;
#[cfg(test)]
mod tests;
mod tree;

use self::chain::ChainFile;
use self::tree::TreeNode;
use super::find::reach;
use super::source::SourceText;
use super::{PlanErrors, PlanSettings};

pub use lineage::{LayeredChange, Lineage};
pub use shape::with_later_plans;

/// The text of a plan with those that it extends, and where its values come from. A plan that extends none stays as it is.
///
/// # Errors
/// What cannot be read, a circle, and what the later plans say wrongly of the earlier ones.
pub fn resolve(
    file: &str,
    source: &str,
    text: SourceText,
    settings: &PlanSettings,
) -> Result<(SourceText, Lineage), PlanErrors> {
    if text.value.get("extends").is_none() {
        return Ok((text, Lineage::default()));
    }
    let first = ChainFile { file: file.to_owned(), source: source.to_owned(), text };
    let chain = chain::read(first, settings.outside)?;
    let (whole, changes) = merged(&chain)?;
    let mut flat = whole.flat();
    let former = chain.iter().flat_map(|link| link.text.former.iter().cloned()).collect();
    let text = SourceText::of(whole.value(), std::mem::take(&mut flat.places), former);
    let sources = chain.iter().map(|link| link.facts(reach(&link.file, &link.source, settings))).collect();
    let given = settings.variables.keys().chain(settings.environment.keys()).cloned().collect();
    Ok((text, Lineage::new(sources, changes, given, flat)))
}

/// All files of a chain as one tree, from the earliest to the first that was named.
fn merged(chain: &[ChainFile]) -> Result<(TreeNode, Vec<LayeredChange>), PlanErrors> {
    let names: Vec<String> = chain.iter().map(|link| link.file.clone()).collect();
    let mut whole: Option<TreeNode> = None;
    let mut changes = Vec::new();
    for (number, link) in chain.iter().enumerate().rev() {
        let node = TreeNode::of(&link.text, number);
        whole = Some(match whole {
            None => node,
            Some(mut earlier) => {
                changes.extend(merge::over(&mut earlier, node, &names)?);
                earlier
            }
        });
    }
    // A chain has at least the file that it begins with.
    Ok((whole.unwrap_or_else(|| TreeNode::of(&SourceText::default(), 0)), changes))
}

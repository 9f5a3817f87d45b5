//! Plain data to types, with every mistake at once. A type stops at the first thing that does not fit; so that thing gets a
//! placeholder (or is left out), and the type is read again, until it fits.

mod mismatch;
mod node;

use serde::de::DeserializeOwned;
use serde_json::Value;

pub use mismatch::{Misfit, MismatchReason};
pub use node::Node;

use super::placeholders::Placeholders;
use super::source::join;

/// How often one part of a plan is read again at most: each time finds a mistake, or removes what a placeholder cannot fill.
const MOST: usize = 500;

/// Reads something of a type from the value at the dotted path `base`: see [`read`].
pub fn read_as<T: DeserializeOwned>(value: &Value, base: &str, places: &mut Placeholders) -> (Option<T>, Vec<Misfit>) {
    read(value, base, places, |node| T::deserialize(node))
}

/// Reads something from the value at the dotted path `base`. Gives it as far as it can be read, and everything that does
/// not fit. What was known to be wrong before is not told again.
pub fn read<T>(
    value: &Value,
    base: &str,
    places: &mut Placeholders,
    of: impl Fn(Node<'_>) -> Result<T, Misfit>,
) -> (Option<T>, Vec<Misfit>) {
    let mut found = Vec::new();
    for _ in 0..MOST {
        match of(Node::new(value, base, places)) {
            Ok(read) => return (Some(read), found),
            Err(mismatch) => {
                let mismatch = mismatch.at(base);
                let is_new = !places.touches(&place(&mismatch));
                let goes_on = step_over(&mismatch, base, places);
                if is_new {
                    found.push(mismatch);
                }
                if !goes_on {
                    break;
                }
            }
        }
    }
    (None, found)
}

/// The place that a misfit is about: of a missing member, that member.
fn place(mismatch: &Misfit) -> String {
    match mismatch.why {
        MismatchReason::MissingField(field) => join(mismatch.path(), field),
        _ => mismatch.path().to_owned(),
    }
}

/// Lets the next reading pass the place of a misfit; false when nothing of the whole is left.
fn step_over(mismatch: &Misfit, base: &str, places: &mut Placeholders) -> bool {
    let path = mismatch.path();
    match mismatch.why {
        MismatchReason::UnknownField { .. } => places.leave_out(path),
        MismatchReason::MissingField(field) if !places.is_left_out(&join(path, field)) => places.add(path, field),
        // A placeholder does not do for this member either, so the mapping gets one.
        MismatchReason::MissingField(_) if !places.is_at(path) => places.note(path),
        _ => match places.nearest(path).map(str::to_owned) {
            None => places.note(path),
            Some(nearest) if nearest.len() <= base.len() => return false,
            Some(nearest) => places.leave_out(&nearest),
        },
    }
    true
}

#[cfg(test)]
mod tests;

//! [5] The changes between the real resources and the plan. Pure: no call, no clock.

mod by_journal;
mod dependents;
mod diff;
mod drift;
mod fields;
mod fixed;
mod moves;
mod order;
mod origin;
mod previewed;
mod recreated;
mod refusal;
mod unmanaged;
mod unwanted;
mod versions;

pub use by_journal::OutsideResources;
pub use dependents::{dependents, needs_by_name};
pub use diff::{DiffScope, diff, diff_around};
pub use drift::{drift, says_otherwise};
pub use fields::{at_path, compare, differing, mark, touches, without};
pub use fixed::fixed;
pub use moves::moves;
pub use order::{Barrier, ChangePart, OrderNode, PartKey, RunOrder, leans_on, order};
pub use origin::found_origin;
pub use previewed::previewed;
pub use recreated::{coming_back, is_the_former, take_up_again};
pub use refusal::PlanningRefusal;

#[cfg(test)]
#[path = "diff_tests.rs"]
mod diff_tests;
#[cfg(test)]
#[path = "drift_tests.rs"]
mod drift_tests;
#[cfg(test)]
mod tests;

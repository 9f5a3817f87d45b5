//! [5] What stands between the world and the plan. Pure: no call, no clock.

mod diff;
mod fields;
mod order;

pub use diff::{Refusal, Scope, diff};
pub use fields::{compare, touches};
pub use order::{Node, Part, nodes};

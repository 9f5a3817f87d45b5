//! [5] What stands between the world and the plan. Pure: no call, no clock.

mod fields;

pub use fields::{compare, touches};

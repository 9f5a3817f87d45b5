//! What the tests of `tests/` share: the binary in an account of its own, a proxy that does harm, a fake world, a hub, devices.
//! For tests alone: nothing of it is in the program.
#![expect(
    clippy::new_without_default,
    reason = "what `new` makes here are processes and folders, which nothing makes by default"
)]

pub mod battery;
pub mod cli;
pub mod control_plane;
// It lies with the tests of the engine, which need no more than this of what is here.
#[path = "../../engine/tests/engine/fake_world.rs"]
pub mod fake_world;
pub mod hub;
pub mod kill;
pub mod lab;
pub mod load;
pub mod local_aws;
pub mod matrix;
pub mod model_user;
pub mod moves;
pub mod proxy;
pub mod serve;
pub mod turns;

use std::path::Path;

/// The folder of the repository.
pub fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).ancestors().nth(2).expect("crates/testkit lies in the repository")
}

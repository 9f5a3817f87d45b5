//! What tests share. Each test binary uses a part of it.
#![allow(dead_code, reason = "each test binary uses a part of the support code")]

pub mod battery;
pub mod cli;
pub mod fake_world;
#[cfg(feature = "serve")]
pub mod hub;
pub mod kill;
pub mod lab;
#[cfg(feature = "serve")]
pub mod load;
pub mod local_aws;
pub mod matrix;
#[cfg(feature = "serve")]
pub mod model_user;
pub mod moves;
pub mod proxy;
#[cfg(feature = "serve")]
pub mod serve;

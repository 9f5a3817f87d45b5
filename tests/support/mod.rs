//! What tests share. Each test binary uses a part of it.
#![allow(dead_code, reason = "each test binary uses a part of the support code")]

pub mod battery;
pub mod fake_world;
pub mod local_aws;

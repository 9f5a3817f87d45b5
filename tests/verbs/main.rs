//! Options that go together or are refused, one JSON document for every verb, and next steps that do what they say.

#[path = "../support/mod.rs"]
mod support;

#[path = "../operators/stack.rs"]
#[expect(dead_code, reason = "these tests use a part of it")]
mod stack;

mod advice;
mod apart;
mod devices;
mod document;
mod next_steps;
mod pairs;

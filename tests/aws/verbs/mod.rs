//! Options that go together or are refused, one JSON document for every verb, and next steps that do what they say.

mod advice;
mod apart;
mod devices;
mod document;
mod next_steps;
mod pairs;

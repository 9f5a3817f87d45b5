//! Everyday moves of operators: rename, unset, foreign data beside ours, other spellings of the same thing. Nothing that a
//! plan wants is ever lost.

mod advice;
mod cloudfront;
mod converge;
mod interrupted;
mod moves;
mod order;
mod queues;
mod rewrite;
mod round_trip;
mod route53;
pub(crate) mod stack;
mod state_verbs;
mod storage;
mod taken_back;
mod taken_in;
mod xml;

//! The whole way on real SQLite: publish, follow, restore, verify. What `make replica` runs besides is ignored here, with the reason.

mod bench;
mod continuous;
mod follow;
mod judges;
mod once;

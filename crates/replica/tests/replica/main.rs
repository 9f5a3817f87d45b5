//! The whole way on real SQLite: publish, follow, restore, verify. What `make replica` runs besides is ignored here, with the reason.

mod bench;
mod clock;
mod continuous;
mod disk;
mod faults;
mod faulty;
mod follow;
mod judges;
mod kill;
mod once;
mod tampered;
mod workload;

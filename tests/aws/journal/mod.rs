//! The journal in a bucket and in a directory: how it grows, who may write, what is said when it cannot be read, and how it
//! moves from one place to another.

mod archive;
mod conditions;
mod fencing;
mod ground;
mod growth;
mod kills;
mod leases;
mod moving;
mod older;
mod places;
mod refused;

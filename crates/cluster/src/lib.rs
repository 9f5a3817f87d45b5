//! Kubernetes clusters: how each is reached, and the objects in them. The only crate with a Kubernetes client.

#![deny(clippy::print_stdout, clippy::print_stderr)]

//! The configuration of the AWS CLI, row by row of `docs/accounts.md`: the binary runs with a home directory of its own, against
//! small stand-ins of what gives credentials (STS, IAM Identity Center, container agent, instance metadata), a proxy that keeps
//! a log, and TLS with an authority of its own. The local AWS answers the calls themselves.

mod agents;
mod certificates;
mod endpoints;
#[cfg(feature = "serve")]
mod hub;
mod login;
mod mistakes;
mod network;
mod process;
mod proxies;
mod refused;
mod regional;
mod roles;
mod sso;
mod stand_in;
mod table;
mod user;
mod web_identity;

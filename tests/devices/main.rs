//! Devices over real SSH: needs root and OpenSSH (`tests/lab/install`); skipped with a message otherwise. A run over devices and
//! AWS needs the local AWS besides.

mod jetson_ssh;
mod ssh_latency;

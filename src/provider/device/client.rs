//! The user's own OpenSSH client: its options, the pinned key, and what its refusals mean.

use std::os::unix::process::CommandExt;
use std::process::Command;

use super::connection::Access;
use super::host_key;
use crate::resource::host::HostSpec;
use crate::resource::{Class, Fault};

/// A device that does not answer within this is not there.
pub const CONNECT_SECONDS: u64 = 10;

/// The client with its options, short of the host's name. The pin must live as long as the client.
///
/// # Errors
/// When the plan's host key is no key.
pub fn command(host: &HostSpec, access: &Access) -> Result<(Command, Pin), Fault> {
    let pin = pinned(host)?;
    let mut command = bare(host, access);
    keep(&mut command, access);
    pin.say(&mut command);
    Ok((command, pin))
}

/// The client with the options that hold for every use.
fn bare(host: &HostSpec, access: &Access) -> Command {
    let mut command = Command::new("ssh");
    // Ctrl-C goes to the whole process group of the terminal: what is under way on a device is to be finished.
    command.process_group(0);
    let strict = if access.accept_new { "StrictHostKeyChecking=accept-new" } else { "StrictHostKeyChecking=yes" };
    let every = (access.alive.as_secs() / 3).max(1);
    command.args(["-T", "-o", "BatchMode=yes", "-o", strict, "-o", "LogLevel=ERROR", "-o", "ServerAliveCountMax=3"]);
    command.args(["-o", &format!("ServerAliveInterval={every}"), "-o", &format!("ConnectTimeout={CONNECT_SECONDS}")]);
    if let Some(config) = &access.config {
        command.arg("-F").arg(config);
    }
    if let Some(user) = &host.user {
        command.args(["-l", user]);
    }
    if let Some(port) = host.port {
        command.args(["-p", &port.to_string()]);
    }
    if let Some(jump) = &host.jump {
        command.args(["-J", jump]);
    }
    command
}

/// Kept connections: the next command finds them open.
fn keep(command: &mut Command, access: &Access) {
    if let (Some(sockets), false) = (&access.sockets, access.keep.is_zero()) {
        command.args(["-o", "ControlMaster=auto", "-o", &format!("ControlPersist={}", access.keep.as_secs())]);
        command.args(["-o", &format!("ControlPath={}/%C", sockets.display())]);
    }
}

/// What the plan says of a host's key, in the form that OpenSSH takes.
pub enum Pin {
    /// Nothing: known_hosts decides.
    None,
    /// Our own program answers for the fingerprint.
    Fingerprint(String),
    /// A file with the one key.
    File(tempfile::NamedTempFile),
}

fn pinned(host: &HostSpec) -> Result<Pin, Fault> {
    let Some(text) = host.host_key.as_deref().map(str::trim) else { return Ok(Pin::None) };
    let bad = |why: String| {
        Fault::new(Class::Refused, "ssh", "connect", "HostKeyMalformed", why)
            .next("write a fingerprint (SHA256:…) or a public key (ssh-ed25519 AAAA…)")
    };
    if text.starts_with("SHA256:") {
        return Ok(Pin::Fingerprint(text.to_owned()));
    }
    if text.split_whitespace().count() < 2 {
        return Err(bad(format!("the host key of {} is neither a fingerprint nor a public key: {text}", host.name)));
    }
    let file = tempfile::NamedTempFile::new().map_err(|why| bad(why.to_string()))?;
    std::fs::write(file.path(), format!("* {text}\n")).map_err(|why| bad(why.to_string()))?;
    Ok(Pin::File(file))
}

impl Pin {
    fn say(&self, command: &mut Command) {
        let file = match self {
            Self::None => return,
            Self::Fingerprint(pin) => {
                let program = std::env::current_exe().unwrap_or_else(|_| "akidb-edge".into());
                let ask = format!("KnownHostsCommand={} known-host --pin {pin} %I %H %t %f %K", program.display());
                command.args(["-o", &ask]);
                "none".to_owned()
            }
            Self::File(file) => file.path().display().to_string(),
        };
        command.args(["-o", &format!("UserKnownHostsFile={file}"), "-o", "GlobalKnownHostsFile=none"]);
    }
}

/// What a refusal means.
pub fn explain(host: &HostSpec, access: &Access, said: &str) -> Fault {
    let at = if host.name == host.address { host.name.clone() } else { format!("{} ({})", host.name, host.address) };
    let changed = said.contains("IDENTIFICATION HAS CHANGED") || said.contains("HOST KEY") && said.contains("CHANGED");
    if changed || said.contains("Host key verification failed") || said.contains("host key is known for") {
        return host_key::refused(host, changed, host_key::shown(host, &mut bare(host, access)).as_ref());
    }
    let last = said.lines().rev().find(|line| !line.trim().is_empty()).unwrap_or("the connection ended").trim();
    if said.contains("Permission denied") {
        return Fault::new(Class::Refused, "ssh", "connect", "LoginRefused", format!("{at}: {last}"))
            .next("add your key to the agent (ssh-add) and to the device (ssh-copy-id), or name it in ~/.ssh/config");
    }
    Fault::new(Class::Away, "ssh", "connect", "Unreachable", format!("{at} cannot be reached: {last}")).next(
        "is it switched on, on this network, with sshd? The other devices go on; run the same command again later",
    )
}

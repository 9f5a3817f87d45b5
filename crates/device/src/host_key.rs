//! Host keys are checked strictly; for a rejected key, the message contains the key and the next step.

use std::process::{Command, Stdio};

use super::client::option_word;
use crate::resource::host::HostSpec;
use crate::resource::{Fault, FaultClass};

/// What OpenSSH asks a `KnownHostsCommand` about a key that a server showed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HostKeyQuery {
    /// `HOSTNAME`, `ADDRESS` or `ORDER` (no key was shown yet).
    pub reason: String,
    /// The name that a line of known_hosts has.
    pub host: String,
    /// Key type, such as `ssh-ed25519`.
    pub kind: String,
    /// Fingerprint, `SHA256:…`.
    pub fingerprint: String,
    /// The key in base64.
    pub key: String,
}

/// The line of known_hosts that accepts what was shown, when `pin` says so.
pub fn answer(shown: &HostKeyQuery, pin: &str) -> Option<String> {
    let same = shown.reason != "ORDER" && shown.fingerprint == pin.trim();
    same.then(|| line(shown))
}

fn line(shown: &HostKeyQuery) -> String {
    format!("{} {} {}", shown.host, shown.kind, shown.key)
}

/// What a server showed, by asking again and writing down instead of accepting. `None` when it did not get that far.
pub fn shown(host: &HostSpec, connect: &mut Command) -> Option<HostKeyQuery> {
    let file = tempfile::NamedTempFile::new().ok()?;
    let program = std::env::current_exe().ok()?;
    let word = |path: &std::path::Path| option_word(&path.display().to_string());
    let record =
        format!("KnownHostsCommand={} known-host --record {} %I %H %t %f %K", word(&program), word(file.path()));
    connect.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    // The answer is always no: the connection ends where it ended before.
    drop(connect.args(["-o", &record, "--", &host.address, "true"]).status());
    let text = std::fs::read_to_string(file.path()).ok()?;
    text.lines().rev().find_map(read)
}

/// A line that `known-host --record` wrote.
fn read(line: &str) -> Option<HostKeyQuery> {
    let mut words = line.split_whitespace().map(str::to_owned);
    let mut next = || words.next();
    let shown = HostKeyQuery { reason: next()?, host: next()?, kind: next()?, fingerprint: next()?, key: next()? };
    (shown.reason != "ORDER" && shown.key != "NONE").then_some(shown)
}

/// The fault that says so.
pub fn refused(host: &HostSpec, changed: bool, shown: Option<&HostKeyQuery>) -> Fault {
    let name = if host.name == host.address { host.name.clone() } else { format!("{} ({})", host.name, host.address) };
    let key = shown.map_or_else(|| "a key".to_owned(), |shown| format!("{} {}", shown.kind, shown.fingerprint));
    let add = shown.map_or_else(String::new, |shown| {
        format!(
            "; then write `host_key: {}` into the plan, or add this line to ~/.ssh/known_hosts: {}",
            shown.fingerprint,
            line(shown)
        )
    });
    let check = "compare it on the device itself: ssh-keygen -lf /etc/ssh/ssh_host_ed25519_key.pub";
    if changed || host.host_key.is_some() {
        let wanted = host
            .host_key
            .as_ref()
            .map_or_else(|| "another key is in known_hosts".to_owned(), |pin| format!("the plan has {pin}"));
        let words = format!(
            "THE HOST KEY OF {name} HAS CHANGED: it showed {key}, {wanted}. Someone may be intercepting the \
             connection, or the device was reflashed. Nothing was sent to it"
        );
        return Fault::new(FaultClass::Refused, "ssh", "connect", "HostKeyChanged", words).next(format!(
            "{check}; if it is the device's own key, remove the old one (ssh-keygen -R {}){add}",
            host.address
        ));
    }
    let words = format!("the host key of {name} is unknown: it presented {key}. Nothing was sent to it");
    Fault::new(FaultClass::Refused, "ssh", "connect", "HostKeyUnknown", words).next(format!("{check}{add}"))
}

/// The fault of a host on the way whose key is refused. A plan pins keys of devices alone: known_hosts decides here.
pub fn refused_hop(host: &HostSpec, hop: &HostSpec, changed: bool, shown: Option<&HostKeyQuery>) -> Fault {
    let key = shown.map_or_else(|| "a key".to_owned(), |shown| format!("{} {}", shown.kind, shown.fingerprint));
    let add = shown.map_or_else(String::new, |shown| format!("add this line to ~/.ssh/known_hosts: {}", line(shown)));
    let check = "compare it on the jump host itself: ssh-keygen -lf /etc/ssh/ssh_host_ed25519_key.pub";
    let (jump, name) = (&hop.name, &host.name);
    if changed {
        let words = format!(
            "THE HOST KEY OF the jump host {jump}, on the way to {name}, HAS CHANGED: it showed {key}, another key is \
             in known_hosts. Someone may be intercepting the connection. Nothing was sent to it"
        );
        let next =
            format!("{check}; if it is its own key, remove the old one (ssh-keygen -R {}), then {add}", hop.address);
        return Fault::new(FaultClass::Refused, "ssh", "connect", "HostKeyChanged", words).next(next);
    }
    let words = format!(
        "the host key of the jump host {jump}, on the way to {name}, is unknown: it presented {key}. Nothing was sent \
         to it"
    );
    let next = format!("{check}; then {add}; or accept it with --accept-new");
    Fault::new(FaultClass::Refused, "ssh", "connect", "HostKeyUnknown", words).next(next)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn some() -> HostKeyQuery {
        HostKeyQuery {
            reason: "HOSTNAME".into(),
            host: "10.0.0.1".into(),
            kind: "ssh-ed25519".into(),
            fingerprint: "SHA256:abc".into(),
            key: "AAAA".into(),
        }
    }

    #[test]
    fn only_the_pinned_key_is_answered() {
        assert_eq!(answer(&some(), "SHA256:abc"), Some("10.0.0.1 ssh-ed25519 AAAA".into()));
        assert_eq!(answer(&some(), "SHA256:abd"), None);
        assert_eq!(answer(&HostKeyQuery { reason: "ORDER".into(), ..some() }, "SHA256:abc"), None);
    }

    #[test]
    fn a_recorded_line_is_read_back() {
        assert_eq!(read("HOSTNAME 10.0.0.1 ssh-ed25519 SHA256:abc AAAA"), Some(some()));
        assert_eq!(read("ORDER 10.0.0.1 NONE NONE NONE"), None);
    }
}

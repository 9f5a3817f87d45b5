//! The user's OpenSSH client: its options, the pinned key, and the meaning of its errors.

use std::os::unix::process::CommandExt;
use std::process::Command;
use std::sync::PoisonError;

use super::connection::DeviceAccess;
use super::script::last_words;
use super::{host_key, jump, refusal};
use crate::resource::host::{HostKey, HostSpec};
use crate::resource::{CheckedSettings, Fault, FaultClass, sha256_hex};

/// A device that does not answer within this is not there.
pub const CONNECT_SECONDS: u64 = 10;

/// The client with its options, short of the host's name. The pin must live as long as the client.
///
/// # Errors
/// When ssh would take a part of how the host is reached for something else, such as an option.
pub fn command(host: &HostSpec, access: &DeviceAccess) -> Result<(Command, PinnedKey), Fault> {
    // The name of a plan is nothing that ssh sees.
    if let Some(wrong) = host.wrong().into_iter().find(|wrong| wrong.field != "name") {
        let words = format!("{:?}: {}: {}", host.name, wrong.field, wrong.problem);
        return Err(Fault::new(FaultClass::Refused, "ssh", "connect", "Unsound", words).next(wrong.next_step));
    }
    let pin = pinned(host)?;
    let mut command = bare(host, access);
    keep(&mut command, host, access);
    pin.say(&mut command, access);
    Ok((command, pin))
}

/// The client that joins its standard streams to a port of the host's loopback (`ssh -W`). The pin must live as long as the client.
///
/// # Errors
/// As [`command`].
pub fn forward(host: &HostSpec, access: &DeviceAccess, port: u16) -> Result<(Command, PinnedKey), Fault> {
    let (mut command, pin) = self::command(host, access)?;
    command.args(["-W", &format!("127.0.0.1:{port}"), "--", &host.address]);
    Ok((command, pin))
}

/// There is no client on this machine, or it cannot be started.
pub fn not_started(bad: &std::io::Error) -> Fault {
    let words = format!("the program ssh cannot be started: {bad}");
    Fault::new(FaultClass::Refused, "ssh", "connect", "NoClient", words)
        .next("install OpenSSH's client (Debian: apt-get install openssh-client)")
}

/// The client with the options that hold for every use.
fn bare(host: &HostSpec, access: &DeviceAccess) -> Command {
    let mut command = Command::new("ssh");
    // Ctrl-C goes to the whole process group of the terminal: what is under way on a device is to be finished.
    command.process_group(0);
    let strict = if access.accept_new { "StrictHostKeyChecking=accept-new" } else { "StrictHostKeyChecking=yes" };
    let every = (access.alive.as_secs() / 3).max(1);
    command.args(["-T", "-o", "BatchMode=yes", "-o", strict, "-o", "LogLevel=ERROR", "-o", "ServerAliveCountMax=3"]);
    command.args(["-o", &format!("ServerAliveInterval={every}"), "-o", &format!("ConnectTimeout={CONNECT_SECONDS}")]);
    // What the user's configuration wants of a session of theirs: another command, ports of this machine.
    command.args(["-o", "RemoteCommand=none", "-o", "ClearAllForwardings=yes"]);
    if let Some(config) = &access.config {
        command.arg("-F").arg(config);
    }
    if let Some(user) = &host.user {
        command.args(["-l", user]);
    }
    if let Some(port) = host.port {
        command.args(["-p", &port.to_string()]);
    }
    if let Some(hop) = jump::hops(host).last() {
        command.args(["-o", &format!("ProxyCommand={}", jump::through(&bare(hop, access), hop))]);
    }
    command
}

/// Kept connections: the next command finds them open.
fn keep(command: &mut Command, host: &HostSpec, access: &DeviceAccess) {
    if let (Some(sockets), false) = (&access.sockets, access.keep.is_zero()) {
        command.args(["-o", "ControlMaster=auto", "-o", &format!("ControlPersist={}", access.keep.as_secs())]);
        // The same address behind another host is another device: ssh's own hash knows nothing of a ProxyCommand.
        let way = host.jump.as_deref().map(|jump| sha256_hex(jump.as_bytes())[..8].to_owned()).unwrap_or_default();
        let socket = option_word(&sockets.join("HASH").display().to_string()).replace("HASH\"", &format!("{way}%C\""));
        command.args(["-o", &format!("ControlPath={socket}")]);
    }
}

/// All algorithms but those of certificates: a server that has one shows it first, and a pin is of the plain key in it.
const NO_CERTIFICATES: &str = "-*-cert-v01@openssh.com";

/// The algorithms of each kind of key that a server may have.
const KINDS: [&str; 3] =
    ["ssh-ed25519", "ecdsa-sha2-nistp256,ecdsa-sha2-nistp384,ecdsa-sha2-nistp521", "rsa-sha2-512,rsa-sha2-256"];

/// Whether one of the server's other keys has the pinned fingerprint; it is asked for from then on.
pub fn finds_pinned(host: &HostSpec, access: &DeviceAccess) -> bool {
    let Some(HostKey::Fingerprint(pin)) = host.host_key.as_deref().and_then(HostKey::read) else { return false };
    let found = KINDS.into_iter().find(|kind| {
        let mut ssh = asking(host, access);
        ssh.args(["-o", &format!("HostKeyAlgorithms={kind}")]);
        host_key::shown(host, &mut ssh).is_some_and(|shown| shown.fingerprint == pin)
    });
    let mut kinds = access.pinned_kinds.lock().unwrap_or_else(PoisonError::into_inner);
    found.is_some_and(|kind| kinds.insert(pin, kind) != Some(kind))
}

/// The client for a look at a key alone: nothing is accepted, whatever else was asked for.
fn asking(host: &HostSpec, access: &DeviceAccess) -> Command {
    bare(host, &DeviceAccess { accept_new: false, ..access.clone() })
}

/// What the plan says of a host's key, in the form that OpenSSH takes.
pub enum PinnedKey {
    /// Nothing: known_hosts decides.
    None,
    /// Our own program answers for the fingerprint.
    Fingerprint(String),
    /// A file with the one key.
    File(tempfile::NamedTempFile),
}

fn pinned(host: &HostSpec) -> Result<PinnedKey, Fault> {
    let key = match host.host_key.as_deref().and_then(HostKey::read) {
        None => return Ok(PinnedKey::None),
        Some(HostKey::Fingerprint(pin)) => return Ok(PinnedKey::Fingerprint(pin)),
        Some(HostKey::Public(key)) => key,
    };
    let bad = |why: std::io::Error| {
        Fault::new(FaultClass::Refused, "ssh", "connect", "NoPlace", format!("the host key of {}: {why}", host.name))
            .next("check the free space of $TMPDIR")
    };
    let file = tempfile::NamedTempFile::new().map_err(bad)?;
    std::fs::write(file.path(), format!("* {key}\n")).map_err(bad)?;
    Ok(PinnedKey::File(file))
}

/// A word of an option that ssh splits into words and in which `%` means something.
pub fn option_word(text: &str) -> String {
    format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\"").replace('%', "%%"))
}

impl PinnedKey {
    fn say(&self, command: &mut Command, access: &DeviceAccess) {
        let file = match self {
            Self::None => return,
            Self::Fingerprint(pin) => {
                let program = std::env::current_exe().unwrap_or_else(|_| "akidb-edge".into());
                let program = option_word(&program.display().to_string());
                let ask = format!("KnownHostsCommand={program} known-host --pin {pin} %I %H %t %f %K");
                let kinds = access.pinned_kinds.lock().unwrap_or_else(PoisonError::into_inner);
                let kind = kinds.get(pin).copied().unwrap_or(NO_CERTIFICATES);
                command.args(["-o", &ask, "-o", &format!("HostKeyAlgorithms={kind}")]);
                "none".to_owned()
            }
            Self::File(file) => option_word(&file.path().display().to_string()),
        };
        command.args(["-o", &format!("UserKnownHostsFile={file}"), "-o", "GlobalKnownHostsFile=none"]);
    }
}

/// What a refusal means.
pub fn explain(host: &HostSpec, access: &DeviceAccess, said: &str) -> Fault {
    let at = if host.name == host.address { host.name.clone() } else { format!("{} ({})", host.name, host.address) };
    let changed = said.contains("IDENTIFICATION HAS CHANGED") || said.contains("HOST KEY") && said.contains("CHANGED");
    if changed || said.contains("Host key verification failed") || said.contains("host key is known for") {
        if let Some((hop, changed)) = jump::refused(host, |hop| bare(hop, access)) {
            return host_key::refused_hop(
                host,
                &hop,
                changed,
                host_key::shown(&hop, &mut asking(&hop, access)).as_ref(),
            );
        }
        return host_key::refused(host, changed, host_key::shown(host, &mut asking(host, access)).as_ref());
    }
    // A banner of the device may be among it.
    let last = Some(last_words(said, 1)).filter(|last| !last.is_empty());
    let last = last.unwrap_or_else(|| "the connection ended".to_owned());
    // What a jump host says of itself is told with the way below.
    let on_the_way = |cause: &refusal::LoginRefusal| cause.passes && host.jump.is_some();
    if let Some(cause) = refusal::login(said).filter(|cause| !on_the_way(cause)) {
        return refusal::fault(cause, &at, &last);
    }
    if let Some(jump) = &host.jump {
        let problem = format!("{at} cannot be reached through the jump host {jump}: {last}");
        return Fault::new(FaultClass::Away, "ssh", "connect", "Unreachable", problem).next(format!(
            "check that {jump} and the device are powered on, on this network, and run sshd; `ssh {jump}` tests the \
             first hop. The other devices continue; run the same command again later"
        ));
    }
    Fault::new(FaultClass::Away, "ssh", "connect", "Unreachable", format!("{at} cannot be reached: {last}")).next(
        "check that it is powered on, on this network, and runs sshd. The other devices continue; run the same \
         command again later",
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn host() -> HostSpec {
        let text = r#"{"name": "one", "address": "10.0.0.1"}"#;
        serde_json::from_str(text).expect("a host")
    }

    #[test]
    fn a_jump_host_on_the_way_is_named() {
        let behind = HostSpec { jump: Some("gate".to_owned()), ..host() };
        let fault = explain(&behind, &DeviceAccess::default(), "Connection closed by remote host");
        assert!(fault.class == FaultClass::Away && fault.code == "Unreachable", "{fault}");
        assert!(fault.to_string().contains("cannot be reached through the jump host gate"), "{fault}");
    }

    #[test]
    fn a_pin_is_of_any_key_of_the_server_and_of_no_certificate() {
        let pin = format!("SHA256:{}", "a".repeat(43));
        let pinned = HostSpec { host_key: Some(format!("256 {pin} root@one (RSA)")), ..host() };
        let access = DeviceAccess::default();
        let asked = |access: &DeviceAccess| -> String {
            let (ssh, _pin) = command(&pinned, access).expect("a command");
            let words = ssh.get_args().map(|word| word.to_string_lossy().into_owned());
            words.filter_map(|word| word.strip_prefix("HostKeyAlgorithms=").map(str::to_owned)).collect()
        };
        assert_eq!(asked(&access), NO_CERTIFICATES);
        access.pinned_kinds.lock().expect("whole").insert(pin.clone(), KINDS[2]);
        assert_eq!(asked(&access), KINDS[2]);
        let (ssh, _pin) = command(&pinned, &access).expect("a command");
        let ask = format!("known-host --pin {pin} ");
        assert!(ssh.get_args().any(|word| word.to_string_lossy().contains(&ask)), "the fingerprint alone is passed on");
    }

    #[test]
    fn a_look_at_a_key_accepts_nothing() {
        let access = DeviceAccess { accept_new: true, ..DeviceAccess::default() };
        let words: Vec<_> =
            asking(&host(), &access).get_args().map(|word| word.to_string_lossy().into_owned()).collect();
        assert!(words.contains(&"StrictHostKeyChecking=yes".to_owned()), "{words:?}");
    }

    #[test]
    fn a_cause_that_is_known_is_named() {
        let fault =
            explain(&host(), &DeviceAccess::default(), "WARNING: Your password has expired.\nPassword change required");
        assert!(fault.class == FaultClass::Refused && fault.code == "PasswordExpired", "{fault}");
        assert!(fault.next_step.as_ref().is_none_or(|next| !next.contains("powered on")), "{fault}");
        let fault = explain(&host(), &DeviceAccess::default(), "Connection timed out");
        assert!(fault.class == FaultClass::Away, "{fault}");
        assert!(fault.next_step.is_some_and(|next| next.contains("powered on")));
    }

    #[test]
    fn the_users_own_configuration_starts_no_other_session() {
        let (ssh, _pin) = command(&host(), &DeviceAccess::default()).expect("a command");
        let words: Vec<_> = ssh.get_args().map(|word| word.to_string_lossy().into_owned()).collect();
        for option in ["RemoteCommand=none", "ClearAllForwardings=yes", "BatchMode=yes"] {
            assert!(words.windows(2).any(|pair| pair == ["-o", option]), "{option}: {words:?}");
        }
    }

    #[test]
    fn nothing_of_a_host_becomes_an_option() {
        let option = "-oProxyCommand=touch /tmp/x".to_owned();
        let hosts = [
            HostSpec { address: option.clone(), ..host() },
            HostSpec { user: Some(option.clone()), ..host() },
            HostSpec { jump: Some(format!("a,{option}")), ..host() },
            HostSpec { jump: Some("%h;id".to_owned()), ..host() },
            HostSpec { host_key: Some("SHA256:abc --record /tmp/x".to_owned()), ..host() },
            HostSpec { host_key: Some(format!("ssh-ed25519 {}\n* x y", "A".repeat(64))), ..host() },
        ];
        for odd in hosts {
            let fault = command(&odd, &DeviceAccess::default()).err().unwrap_or_else(|| panic!("taken: {odd:?}"));
            assert!(fault.class == FaultClass::Refused && fault.code == "Unsound", "{fault}");
        }
        // A device of an earlier version's journal keeps its name.
        for name in ["one", "Jetson_01"] {
            assert!(command(&HostSpec { name: name.to_owned(), ..host() }, &DeviceAccess::default()).is_ok());
        }
    }

    #[test]
    fn a_tunnel_has_the_options_of_every_connection() {
        let behind = HostSpec { user: Some("edge".to_owned()), jump: Some("gate".to_owned()), ..host() };
        let (ssh, _pin) = forward(&behind, &DeviceAccess::default(), 6443).expect("a command");
        let words: Vec<_> = ssh.get_args().map(|word| word.to_string_lossy().into_owned()).collect();
        assert_eq!(words[words.len() - 4..], ["-W", "127.0.0.1:6443", "--", "10.0.0.1"]);
        for pair in [["-l", "edge"], ["-o", "BatchMode=yes"]] {
            assert!(words.windows(2).any(|there| there == pair), "{words:?}");
        }
        assert!(words.iter().any(|word| word.starts_with("ProxyCommand=") && word.contains("gate")), "{words:?}");
    }

    #[test]
    fn a_path_with_blanks_is_one_word_of_an_option() {
        assert_eq!(option_word(r#"/a b/100%/"x"\"#), r#""/a b/100%%/\"x\"\\""#);
    }
}

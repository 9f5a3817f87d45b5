//! An existing machine that is reached over SSH: looked up, never created.

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::kind_facts::{KindFacts, on_device};
use super::syntax_check::{self, CheckedSettings, InvalidSetting, SettingsCheck};

/// How a machine is reached. What is left out comes from the user's own SSH configuration.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct HostSpec {
    /// Its name in the plan; its node name, too.
    pub name: String,
    /// Host name, address, or a `Host` of the SSH configuration.
    pub address: String,
    /// User; an ordinary one with sudo, or root.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user: Option<String>,
    /// Port.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub port: Option<u16>,
    /// Its key: a fingerprint (`SHA256:…`) or a public key (`ssh-ed25519 AAAA…`). None: as known_hosts says.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub host_key: Option<String>,
    /// Hosts on the way (`user@host:port`, several with commas), as for `ssh -J`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub jump: Option<String>,
    /// JetPack that it must have; none: it need not be a Jetson.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub jetpack: Option<String>,
}

impl HostSpec {
    /// Where it is reached.
    pub fn endpoint(&self) -> HostEndpoint {
        HostEndpoint::of(&self.address, self.port, self.jump.as_deref())
    }
}

/// Where a machine is reached. Two names with the same endpoint are one machine.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct HostEndpoint {
    address: String,
    port: u16,
    jump: Option<String>,
}

impl HostEndpoint {
    /// Of an address, a port (none: 22, the port of SSH) and the hosts on the way. An address behind another jump host is in
    /// another network.
    pub fn of(address: &str, port: Option<u16>, jump: Option<&str>) -> Self {
        let address = address.trim_end_matches('.').to_ascii_lowercase();
        Self { address, port: port.unwrap_or(22), jump: jump.map(str::to_owned) }
    }
}

impl fmt::Display for HostEndpoint {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{} port {}", self.address, self.port)?;
        self.jump.as_ref().map_or(Ok(()), |jump| write!(out, " through {jump}"))
    }
}

/// A host key as a plan writes it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum HostKey {
    /// A fingerprint: `SHA256:` and 43 letters of base64.
    Fingerprint(String),
    /// A public key: type and base64, without a comment.
    Public(String),
}

impl HostKey {
    /// Reads one; none when it is neither.
    pub fn read(text: &str) -> Option<Self> {
        let text = text.trim_matches(' ');
        // The whole line of ssh-keygen -lf: `256 SHA256:… root@jetson-01 (ED25519)`.
        let words: Vec<&str> = text.split(' ').collect();
        let text = match words.as_slice() {
            [bits, hash, .., kind] if is_bits(bits) && kind.starts_with('(') && kind.ends_with(')') => *hash,
            _ => text,
        };
        if let Some(hash) = text.strip_prefix("SHA256:") {
            // Some programs write the padding, too.
            let hash = hash.strip_suffix('=').unwrap_or(hash);
            return (hash.len() == 43 && base64(hash)).then(|| Self::Fingerprint(format!("SHA256:{hash}")));
        }
        let mut parts = text.splitn(3, ' ');
        let (kind, key, comment) = (parts.next()?, parts.next()?, parts.next().unwrap_or_default());
        let known = KEY_TYPES.contains(&kind) && key.len() >= 32 && base64(key.trim_end_matches('='));
        (known && syntax_check::line(comment)).then(|| Self::Public(format!("{kind} {key}")))
    }
}

/// Types of keys that OpenSSH's servers show. Certificates are other things: nobody pins one.
const KEY_TYPES: [&str; 7] = [
    "ssh-ed25519",
    "ssh-rsa",
    "ecdsa-sha2-nistp256",
    "ecdsa-sha2-nistp384",
    "ecdsa-sha2-nistp521",
    "sk-ssh-ed25519@openssh.com",
    "sk-ecdsa-sha2-nistp256@openssh.com",
];

fn is_bits(text: &str) -> bool {
    text.len() <= 5 && !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit())
}

fn base64(text: &str) -> bool {
    text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'+' || byte == b'/')
}

/// The next step for a host key that does not fit.
const HOST_KEY: &str =
    "write a fingerprint (SHA256: and 43 letters, as ssh-keygen -lf prints it) or a public key (ssh-ed25519 AAAA…)";

impl CheckedSettings for HostSpec {
    fn wrong(&self) -> Vec<InvalidSetting> {
        let mut look = SettingsCheck::default();
        look.must("name", &self.name, syntax_check::node(&self.name), syntax_check::NODE);
        look.must("address", &self.address, syntax_check::address(&self.address), syntax_check::ADDRESS);
        if let Some(user) = &self.user {
            look.must("user", user, syntax_check::login(user), syntax_check::LOGIN);
        }
        if let Some(jump) = &self.jump {
            look.must("jump", jump, syntax_check::jump(jump), syntax_check::JUMP);
        }
        if let Some(key) = &self.host_key {
            look.must("host_key", key, HostKey::read(key).is_some(), HOST_KEY);
        }
        let mut all = look.done();
        if let (Some(wrong), Some(name)) = (all.iter_mut().find(|wrong| wrong.field == "name"), node_like(&self.name)) {
            wrong.problem = format!("{}; {name} could", wrong.problem);
        }
        all
    }
}

/// A name of a node that is like this one; none when nothing of it could be in one.
fn node_like(name: &str) -> Option<String> {
    let letter = |c: char| if c.is_ascii_lowercase() || c.is_ascii_digit() { c } else { '-' };
    let text: String = name.to_ascii_lowercase().chars().map(letter).take(63).collect();
    let text = text.trim_matches('-').to_owned();
    syntax_check::node(&text).then_some(text)
}

pub(super) const FACTS: KindFacts = KindFacts { lookup: true, ..on_device::<HostSpec>("host", "machine") };

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_endpoint_is_one_machine() {
        let one = HostEndpoint::of("Edge-1.example.", None, None);
        assert_eq!(one, HostEndpoint::of("edge-1.example", Some(22), None));
        assert_ne!(one, HostEndpoint::of("edge-1.example", Some(2222), None));
        let behind = HostEndpoint::of("edge-1.example", None, Some("gate"));
        assert_ne!(one, behind);
        assert_eq!(behind.to_string(), "edge-1.example port 22 through gate");
    }

    #[test]
    fn a_name_that_no_node_can_have_is_refused_with_one_that_it_can() {
        let wrong = |name: &str| {
            let host = serde_json::json!({"name": name, "address": "10.0.0.1"});
            serde_json::from_value::<HostSpec>(host).expect("a host").wrong()
        };
        for (name, better) in [("Jetson_01", "jetson-01 could"), ("EDGE", "edge could"), ("a b.", "a-b could")] {
            let found = wrong(name);
            assert!(found.len() == 1 && found[0].problem.ends_with(better), "{name}: {found:?}");
        }
        assert!(wrong("___")[0].problem.ends_with("is not allowed here"));
        assert!(wrong("jetson-01").is_empty());
    }

    #[test]
    fn a_pin_is_a_fingerprint_or_a_key_and_nothing_else() {
        let hash = "A1b+/".repeat(8) + "xyz";
        let pin = HostKey::Fingerprint(format!("SHA256:{hash}"));
        assert_eq!(HostKey::read(&format!("SHA256:{hash}")), Some(pin.clone()));
        assert_eq!(HostKey::read(&format!("SHA256:{hash}=")), Some(pin.clone()));
        for line in ["256 PIN root@jetson-01 (ED25519)", "3072 PIN no comment (RSA)", "256 PIN= (ECDSA)"] {
            let line = line.replace("PIN", &format!("SHA256:{hash}"));
            assert_eq!(HostKey::read(&line), Some(pin.clone()), "{line}");
        }
        let key = format!("ssh-ed25519 {}", "AAAAC3Nz".repeat(8));
        assert_eq!(HostKey::read(&format!("{key} me@here")), Some(HostKey::Public(key.clone())));
        for odd in [
            "SHA256:abc".to_owned(),
            "256 SHA256:abc root@a (ED25519)".to_owned(),
            format!("x SHA256:{hash} root@a (ED25519)"),
            format!("256 SHA256:{hash} --record /home/me/.bashrc"),
            format!("SHA256:{hash} --record /home/me/.bashrc"),
            format!("SHA256:{hash}\n"),
            format!("SHA256:{}", "-".repeat(43)),
            format!("{key}\n* ssh-rsa {}", "A".repeat(64)),
            format!("@cert-authority {key}"),
            "ssh-ed25519 --record".to_owned(),
            "MD5:aa".to_owned(),
            String::new(),
        ] {
            assert_eq!(HostKey::read(&odd), None, "{odd:?}");
        }
    }
}

//! A machine that is reached over SSH. Somebody else made it: it is looked up, never made.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::kind::{Facts, plain};

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

pub(super) const FACTS: Facts = Facts { lookup: true, mark: None, ..plain("host", "machine") };

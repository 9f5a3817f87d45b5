//! The platforms that a run uses, for its header and the first entry of its revision.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

/// One platform of a run, with the identity that was reached.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "world", rename_all = "kebab-case")]
pub enum PlatformIdentity {
    /// An AWS account.
    Aws {
        /// Its number, twelve digits.
        account: String,
        /// ARN of the caller.
        caller: String,
    },
    /// Machines that are reached over SSH.
    Devices {
        /// Their names in the plan.
        hosts: BTreeSet<String>,
    },
    /// A Kubernetes cluster.
    Cluster {
        /// Its name; of a k3s cluster of devices, the machine that runs its server. Until format 4 of the journal only such
        /// clusters had a line, as `server`.
        #[serde(alias = "server")]
        name: String,
    },
    /// A world that only a newer version knows.
    #[serde(other)]
    Other,
}

impl PlatformIdentity {
    /// The number of the account; none in other platforms.
    pub fn account(&self) -> Option<&str> {
        match self {
            Self::Aws { account, .. } => Some(account),
            Self::Devices { .. } | Self::Cluster { .. } | Self::Other => None,
        }
    }

    /// The names of the machines; none in other platforms.
    pub const fn hosts(&self) -> Option<&BTreeSet<String>> {
        match self {
            Self::Devices { hosts } => Some(hosts),
            Self::Aws { .. } | Self::Cluster { .. } | Self::Other => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_a_newer_version_writes_is_read() {
        let devices = json!({"world": "devices", "hosts": ["a", "b"]});
        let read = |value: serde_json::Value| serde_json::from_value::<PlatformIdentity>(value).ok();
        let hosts = BTreeSet::from(["a".to_owned(), "b".to_owned()]);
        assert_eq!(read(devices.clone()), Some(PlatformIdentity::Devices { hosts: hosts.clone() }));
        assert_eq!(serde_json::to_value(PlatformIdentity::Devices { hosts }).ok(), Some(devices));
        assert_eq!(read(json!({"world": "moon", "base": 1})), Some(PlatformIdentity::Other));
        let cluster = json!({"world": "cluster", "name": "a"});
        let name = "a".to_owned();
        assert_eq!(
            read(json!({"world": "cluster", "server": "a"})),
            Some(PlatformIdentity::Cluster { name: name.clone() })
        );
        assert_eq!(serde_json::to_value(PlatformIdentity::Cluster { name }).ok(), Some(cluster));
    }
}

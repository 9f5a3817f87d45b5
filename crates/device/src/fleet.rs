//! All machines of a run: each is connected once, at its first use.

use std::collections::BTreeMap;
use std::sync::{Arc, OnceLock};

use tokio::sync::OnceCell;

use super::channel::{Channel, FileUpload, ScriptOutput};
use super::connection::DeviceAccess;
use super::k3s_access::K3sAccess;
use super::script::Script;
use crate::provider::SendPermission;
use crate::provider::cluster::ClusterAccess;
use crate::resource::host::HostSpec;
use crate::resource::{Fault, FaultClass};

/// A machine and the way to it.
struct FleetMember {
    spec: HostSpec,
    /// The first try is the only one of a run: a device that is away costs its time once.
    channel: OnceCell<Result<Channel, Fault>>,
}

/// The machines that a run may talk to.
pub struct Fleet {
    access: DeviceAccess,
    members: BTreeMap<String, FleetMember>,
    permission: OnceLock<SendPermission>,
}

impl Fleet {
    /// These machines, reached in this way. Nothing is connected yet.
    pub fn new(access: DeviceAccess, hosts: impl IntoIterator<Item = HostSpec>) -> Arc<Self> {
        let member = |spec: HostSpec| (spec.name.clone(), FleetMember { spec, channel: OnceCell::new() });
        Arc::new(Self { access, members: hosts.into_iter().map(member).collect(), permission: OnceLock::new() })
    }

    /// From now on this is asked before anything is sent to a machine. The first one stays: a run has one lease.
    pub fn ask_first(&self, permission: SendPermission) {
        drop(self.permission.set(permission));
    }

    /// The same machines, none connected yet: what was away is tried again.
    pub fn anew(&self) -> Arc<Self> {
        Self::new(self.access.clone(), self.members.values().map(|member| member.spec.clone()))
    }

    /// The names of the machines.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.members.keys().map(String::as_str)
    }

    /// How a machine is reached.
    pub fn host(&self, name: &str) -> Option<&HostSpec> {
        self.members.get(name).map(|member| &member.spec)
    }

    /// The way to the k3s cluster whose server is a machine; none when there is no machine of that name. Nothing is connected yet.
    pub fn k3s(self: &Arc<Self>, host: &str) -> Option<Arc<dyn ClusterAccess>> {
        self.members.contains_key(host).then(|| Arc::new(K3sAccess::new(self, host)) as Arc<dyn ClusterAccess>)
    }

    /// How a machine is reached, and what the user said of all.
    ///
    /// # Errors
    /// When there is no such machine.
    pub(super) fn reach(&self, host: &str) -> Result<(&HostSpec, &DeviceAccess), Fault> {
        Ok((&self.member(host)?.spec, &self.access))
    }

    /// Runs a script on a machine, as root.
    ///
    /// # Errors
    /// When there is no such machine, or it cannot be reached.
    pub async fn run(&self, host: &str, script: impl Into<Script> + Send) -> Result<ScriptOutput, Fault> {
        self.channel(host).await?.run(script.into()).await
    }

    /// Brings a file to a machine.
    ///
    /// # Errors
    /// When there is no such machine, it cannot be reached, or the file cannot be written there.
    pub async fn upload(&self, host: &str, upload: FileUpload) -> Result<(), Fault> {
        self.channel(host).await?.upload(upload).await
    }

    fn member(&self, host: &str) -> Result<&FleetMember, Fault> {
        self.members.get(host).ok_or_else(|| {
            let words = format!("the plan has no machine {host:?}");
            Fault::new(FaultClass::Internal, "ssh", "connect", "UnknownHost", words)
        })
    }

    async fn channel(&self, host: &str) -> Result<&Channel, Fault> {
        let member = self.member(host)?;
        if let Some(Err(why)) = self.permission.get().map(|permission| permission()) {
            return Err(Fault::new(FaultClass::Refused, "akidb-edge", "send", "LeaseLost", why)
                .next("akidb-edge status --stack STACK shows what was done"));
        }
        let open = || Channel::open(member.spec.clone(), self.access.clone());
        member.channel.get_or_init(open).await.as_ref().map_err(Clone::clone)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn nothing_is_sent_once_the_lease_is_lost() {
        let host = serde_json::from_value(serde_json::json!({"name": "a", "address": "192.0.2.1"})).expect("a host");
        let fleet = Fleet::new(DeviceAccess::default(), [host]);
        fleet.ask_first(Box::new(|| Err("it was taken away".to_owned())));
        let refused = fleet.run("a", "true").await.expect_err("nothing is sent");
        assert!(refused.class == FaultClass::Refused && refused.code == "LeaseLost", "{refused}");
        fleet.ask_first(Box::new(|| Ok(())));
        assert!(fleet.run("a", "true").await.is_err(), "the first one stays");
    }
}

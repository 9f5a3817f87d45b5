//! Devices over SSH, a k3s cluster on them, and what runs in it.

use std::collections::{BTreeMap, BTreeSet};

use schemars::JsonSchema;
use serde::Deserialize;

pub use super::jetson_app::{Amount, JetsonAppStep, ServiceType};
use crate::resource::host::HostEndpoint;

/// What the name of a stack of devices ends in; the name of a plan's own stack does not.
pub const SUFFIX: &str = "-devices";

/// Devices, what is to be on each of them, and the cluster that they form.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct JetsonStep {
    /// The devices by name; the name becomes host name of the node.
    #[serde(default)]
    pub hosts: BTreeMap<String, HostPlan>,
    /// A YAML file of the same shape as `hosts`, whose devices take the place of those; with `k3s`, one of them has
    /// `role: server`. `--inventory` takes its place.
    #[serde(default)]
    pub inventory: Option<String>,
    /// SSH user of devices without one.
    #[serde(default)]
    pub user: Option<String>,
    /// JetPack that the devices must have (`6.2`, `7.2`): packages, proof and images depend on it; none: they need not
    /// be Jetsons.
    #[serde(default)]
    pub jetpack: Option<String>,
    /// Directory with everything that the devices would fetch otherwise, and `SHA256SUMS`; see `--artifacts`.
    #[serde(default)]
    pub artifacts: Option<String>,
    /// Power mode by name; `auto` follows the load of the GPU, see `adaptive_power`.
    #[serde(default)]
    pub power_mode: Option<String>,
    /// How `power_mode: auto` follows the load.
    #[serde(default)]
    pub adaptive_power: AdaptivePlan,
    /// Debian packages: name to version, an empty text for any.
    #[serde(default)]
    pub packages: BTreeMap<String, String>,
    /// Groups.
    #[serde(default)]
    pub groups: BTreeSet<String>,
    /// Users.
    #[serde(default)]
    pub users: BTreeMap<String, UserPlan>,
    /// Files, directories and links, by path.
    #[serde(default)]
    pub files: BTreeMap<String, PathPlan>,
    /// Lines that must be in files: path to lines.
    #[serde(default)]
    pub lines: BTreeMap<String, Vec<String>>,
    /// The NVIDIA container toolkit.
    #[serde(default)]
    pub toolkit: Option<ToolkitPlan>,
    /// The cluster.
    #[serde(default)]
    pub k3s: Option<K3sPlan>,
    /// The GPU in the cluster.
    #[serde(default)]
    pub gpu: Option<GpuPlan>,
    /// YAML or JSON files with objects of the cluster, or folders of them, as in a step of kind `kubernetes`.
    #[serde(default)]
    pub manifests: Vec<String>,
}

impl JetsonStep {
    /// Where a file lies: in the directory of artifacts, when there is one and the name is not a path.
    pub fn at_hand(&self, name: &str) -> String {
        match &self.artifacts {
            Some(directory) if !name.contains('/') => format!("{}/{name}", directory.trim_end_matches('/')),
            _ => name.to_owned(),
        }
    }
}

/// How the power mode follows the load.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct AdaptivePlan {
    /// Modes by name, from the smallest to the largest; those that a device does not have are left out.
    pub modes: Vec<String>,
    /// GPU load in percent from which the largest mode is set at once.
    pub busy_percent: u32,
    /// Minutes below that load after which the next smaller mode is set.
    pub idle_minutes: u32,
}

impl Default for AdaptivePlan {
    fn default() -> Self {
        Self { modes: vec!["15W".to_owned(), "25W".to_owned()], busy_percent: 30, idle_minutes: 10 }
    }
}

/// A device.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct HostPlan {
    /// Host name, address, or a `Host` of the SSH configuration.
    pub address: String,
    /// User.
    #[serde(default)]
    pub user: Option<String>,
    /// Port.
    #[serde(default)]
    pub port: Option<u16>,
    /// Its key: a fingerprint (`SHA256:…`) or a public key. None: as known_hosts says.
    #[serde(default)]
    pub host_key: Option<String>,
    /// Jump hosts, as for `ssh -J`.
    #[serde(default)]
    pub jump: Option<String>,
    /// Address (IP) by which the other devices reach it, when `address` is not that: a `Host` of the SSH configuration, a name or an
    /// address in front of a NAT, another interface. k3s takes it as the address of the node.
    #[serde(default)]
    pub node_ip: Option<String>,
    /// `server` or `agent`. One device is the server: when the plan names none, the first; an inventory names it.
    #[serde(default)]
    pub role: Option<RolePlan>,
    /// Labels of its node, besides those of all.
    #[serde(default)]
    pub labels: BTreeMap<String, String>,
    /// Power mode, when it is another than that of all.
    #[serde(default)]
    pub power_mode: Option<String>,
}

impl HostPlan {
    /// Where it is reached.
    pub fn endpoint(&self) -> HostEndpoint {
        HostEndpoint::of(&self.address, self.port, self.jump.as_deref())
    }
}

/// What a device is in the cluster.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum RolePlan {
    /// Runs the control plane.
    Server,
    /// Runs pods only.
    Agent,
}

/// A system user.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct UserPlan {
    /// Groups that it is in.
    #[serde(default)]
    pub groups: BTreeSet<String>,
    /// Login shell.
    #[serde(default)]
    pub shell: Option<String>,
}

/// A path: exactly one of `text`, `file`, `link`, `directory`.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct PathPlan {
    /// A file with this text.
    #[serde(default)]
    pub text: Option<String>,
    /// A local file that is copied.
    #[serde(default)]
    pub file: Option<String>,
    /// A link to this target.
    #[serde(default)]
    pub link: Option<String>,
    /// A directory.
    #[serde(default)]
    pub directory: bool,
    /// Mode in octal digits.
    #[serde(default)]
    pub mode: Option<String>,
    /// Owning user.
    #[serde(default)]
    pub owner: Option<String>,
    /// Owning group.
    #[serde(default)]
    pub group: Option<String>,
}

/// The NVIDIA container toolkit: it must be there before k3s, which looks for it once when it starts.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ToolkitPlan {
    /// Version of the packages; an empty text takes any.
    #[serde(default)]
    pub version: String,
    /// The repository's line for apt.
    #[serde(default = "toolkit_repository")]
    pub repository: String,
    /// Where the repository's key is fetched when there are no artifacts.
    #[serde(default = "toolkit_key")]
    pub key_url: String,
    /// SHA-256 (hex) of that key; required with `key_url`. A key with another hash is rejected.
    #[serde(default)]
    pub key_sha256: Option<String>,
}

/// A k3s cluster on the devices.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct K3sPlan {
    /// Version, such as `v1.36.3+k3s1`.
    pub version: String,
    /// SHA-256 (hex) of the k3s program of this version and of the devices' architecture; without it, the program is held
    /// against the list of its release, which comes from the same place.
    #[serde(default)]
    pub sha256: Option<String>,
    /// Labels of every node, agents too.
    #[serde(default)]
    pub labels: BTreeMap<String, String>,
    /// Components of k3s that are disabled.
    #[serde(default)]
    pub disable: Vec<String>,
    /// A registry on the server that every node can pull from.
    #[serde(default)]
    pub registry: Option<RegistryPlan>,
    /// Images that are loaded on every node: reference to archive (a file of this machine or of the artifacts).
    #[serde(default)]
    pub images: BTreeMap<String, String>,
}

/// A container registry in the cluster.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RegistryPlan {
    /// Its image.
    #[serde(default = "registry_image")]
    pub image: String,
    /// Port on the server.
    #[serde(default = "registry_port")]
    pub port: u16,
}

/// The GPU in the cluster.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct GpuPlan {
    /// Name of the runtime class.
    #[serde(default = "nvidia")]
    pub runtime_class: String,
    /// Image of NVIDIA's device plugin.
    #[serde(default = "device_plugin")]
    pub device_plugin: String,
    /// Image whose main program runs a CUDA kernel and says so; none: the one of the JetPack, and without a JetPack
    /// nothing is proven.
    #[serde(default)]
    pub cuda_test_image: Option<String>,
    /// Text in its log that shows that the kernel ran.
    #[serde(default = "passed")]
    pub cuda_test_output: String,
}

/// Names of files in a directory of artifacts.
pub mod artifact {
    /// The k3s program.
    pub const K3S: &str = "k3s";
    /// Its installer (`https://get.k3s.io`).
    pub const INSTALLER: &str = "k3s-install.sh";
    /// The key of the toolkit's repository as NVIDIA serves it: armoured, which apt wants to see in the name.
    pub const TOOLKIT_KEY: &str = "nvidia-container-toolkit-keyring.asc";
    /// Hashes of all of them, as `sha256sum` writes them.
    pub const SUMS: &str = "SHA256SUMS";
}

fn toolkit_repository() -> String {
    "deb [signed-by=/usr/share/keyrings/nvidia-container-toolkit-keyring.asc] https://nvidia.github.io/libnvidia-container/stable/deb/$(ARCH) /".to_owned()
}

/// Where NVIDIA serves the key of the toolkit's repository.
pub const TOOLKIT_KEY_URL: &str = "https://nvidia.github.io/libnvidia-container/gpgkey";
/// Its SHA-256: the key C95B 321B 61E8 8C18 09C4 F759 DDCA E044 F796 ECB0, armoured.
pub const TOOLKIT_KEY_SHA256: &str = "c880576d6cf75a48e5027a871bac70fd0421ab07d2b55f30877b21f1c87959c9";

fn toolkit_key() -> String {
    TOOLKIT_KEY_URL.to_owned()
}

fn registry_image() -> String {
    "docker.io/library/registry:2.8.3@sha256:a3d8aaa63ed8681a604f1dea0aa03f100d5895b6a58ace528858a7b332415373"
        .to_owned()
}

fn registry_port() -> u16 {
    5000
}

fn nvidia() -> String {
    "nvidia".to_owned()
}

fn device_plugin() -> String {
    "nvcr.io/nvidia/k8s-device-plugin:v0.20.0@sha256:a61ba9fd8efb82f3a79f877f7580e02c1e8e7593f62473644bc9c79e315c3312"
        .to_owned()
}

fn passed() -> String {
    "PASSED".to_owned()
}

//! What a device is and has, read in one script that installs nothing.

use std::collections::BTreeMap;

use serde::Serialize;

use super::script::lines;

/// Prints facts as `key=value` lines. Everything in it may be missing on a device.
pub const SCRIPT: &str = r#"
have() { command -v "$1" >/dev/null 2>&1; }
echo "hostname=$(hostname 2>/dev/null || cat /etc/hostname)"
echo "architecture=$(uname -m)"
echo "kernel=$(uname -r)"
. /etc/os-release 2>/dev/null && echo "os=$PRETTY_NAME"
echo "l4t_line=$(head -n 1 /etc/nv_tegra_release 2>/dev/null)"
echo "model=$(tr -d '\0' 2>/dev/null </etc/nv_boot_model || tr -d '\0' 2>/dev/null </proc/device-tree/model)"
awk '/^MemTotal/ {print "memory_kib=" $2} /^MemAvailable/ {print "memory_free_kib=" $2}' /proc/meminfo
df -Pk / | awk 'NR == 2 {print "disk_kib=" $2; print "disk_free_kib=" $4}'
echo "root_device=$(findmnt -n -o SOURCE / 2>/dev/null)"
for m in br_netfilter overlay nf_conntrack ip_tables iptable_nat nf_tables xt_comment xt_multiport vxlan; do
  if test -d "/sys/module/$m" || grep -qw "$m" /proc/modules 2>/dev/null || grep -q "/$m\.ko" "/lib/modules/$(uname -r)/modules.builtin" "/lib/modules/$(uname -r)/modules.dep" 2>/dev/null || modprobe -n -q "$m" 2>/dev/null; then echo "module_$m=1"; else echo "module_$m=0"; fi
done
echo "iptables=$(iptables --version 2>/dev/null)"
echo "rules_legacy=$(iptables-legacy-save 2>/dev/null | grep -c '^-A')"
echo "rules_nft=$(iptables-nft-save 2>/dev/null | grep -c '^-A')"
echo "nvpmodel=$(nvpmodel -q 2>/dev/null | sed -n 's/^NV Power Mode: *//p')"
echo "power_modes=$(sed -n 's/^< *POWER_MODEL .*NAME=\([^ >]*\).*/\1/p' /etc/nvpmodel.conf 2>/dev/null | tr '\n' ' ')"
for z in /sys/class/thermal/thermal_zone*; do test -r "$z/temp" && echo "thermal_$(cat "$z/type")=$(cat "$z/temp" 2>/dev/null)"; done
echo "cuda=$(sed -n 's/.*"version" *: *"\([^"]*\)".*/\1/p' /usr/local/cuda/version.json 2>/dev/null | head -n 1)"
if have dpkg-query; then dpkg-query -W -f='package_${Package}=${Version} ${db:Status-Abbrev}\n' nvidia-container-toolkit containerd docker.io nvidia-l4t-core nvidia-jetpack 2>/dev/null | sed -n 's/ ii *$//p'; fi
have k3s && echo "k3s=$(k3s --version 2>/dev/null | awk 'NR == 1 {print $3}')"
for u in k3s k3s-agent docker akidb-adaptive-power; do echo "unit_$u=$(systemctl is-active "$u" 2>/dev/null)"; done
grep -q nvidia /var/lib/rancher/k3s/agent/etc/containerd/config.toml 2>/dev/null && echo "k3s_nvidia=1"
test -b /dev/nvme0n1 && echo "nvme=1"
echo "swap_kib=$(awk '/^SwapTotal/ {print $2}' /proc/meminfo)"
echo "clock=$(date +%s)"
:
"#;

/// The releases of NVIDIA's Linux for Tegra that are known, and the JetPack that each belongs to.
/// Source: NVIDIA's JetPack archive, as collected in the project's facts about k3s and Jetson.
const RELEASES: &[(&str, &str)] = &[
    ("36.3", "6.0"),
    ("36.4.0", "6.1"),
    ("36.4.3", "6.2"),
    ("36.4.4", "6.2.1"),
    ("36.4.7", "6.2.1"),
    ("36.5", "6.2.2"),
    ("38.2", "7.0"),
    ("38.4", "7.1"),
    ("39.2", "7.2"),
];

/// What is known of a device. Empty texts and zeros where the device does not say.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Facts {
    /// Host name.
    pub hostname: String,
    /// Such as `aarch64`.
    pub architecture: String,
    /// Kernel release.
    pub kernel: String,
    /// Distribution.
    pub os: String,
    /// Board.
    pub model: String,
    /// Release of Linux for Tegra, such as `36.4.3`; empty on other machines.
    pub l4t: String,
    /// Memory in KiB.
    pub memory_kib: u64,
    /// Memory that can be had, in KiB.
    pub memory_free_kib: u64,
    /// Swap in KiB.
    pub swap_kib: u64,
    /// Size of the root file system in KiB.
    pub disk_kib: u64,
    /// Free space on the root file system in KiB.
    pub disk_free_kib: u64,
    /// Where the root file system lies.
    pub root_device: String,
    /// Whether there is an NVMe.
    pub nvme: bool,
    /// Kernel modules that k3s needs, and whether each can be had.
    pub modules: BTreeMap<String, bool>,
    /// `nf_tables`, `legacy`, or empty when there are no iptables.
    pub iptables: String,
    /// Rules in the legacy tables and in those of nftables.
    pub rules: (u64, u64),
    /// Power mode.
    pub power_mode: String,
    /// Power modes that the device has.
    pub power_modes: Vec<String>,
    /// Temperatures in °C by zone.
    pub temperatures: BTreeMap<String, i64>,
    /// Version of CUDA.
    pub cuda: String,
    /// Packages that matter, with their versions.
    pub packages: BTreeMap<String, String>,
    /// Version of k3s.
    pub k3s: String,
    /// Whether k3s found NVIDIA's runtime when it started.
    pub k3s_nvidia: bool,
    /// Units that matter and how they are.
    pub units: BTreeMap<String, String>,
    /// Seconds since 1970 by the device's clock.
    pub clock: i64,
}

impl Facts {
    /// From what [`SCRIPT`] printed.
    pub fn read(printed: &str) -> Self {
        let seen = lines(printed);
        let text = |key: &str| seen.get(key).copied().unwrap_or_default().trim().to_owned();
        let number = |key: &str| text(key).parse().unwrap_or(0);
        let group = |prefix: &str| -> BTreeMap<String, String> {
            let named = seen.iter().filter_map(|(key, value)| Some((key.strip_prefix(prefix)?, *value)));
            named.map(|(key, value)| (key.to_owned(), value.trim().to_owned())).collect()
        };
        let iptables = text("iptables");
        Self {
            hostname: text("hostname"),
            architecture: text("architecture"),
            kernel: text("kernel"),
            os: text("os"),
            model: text("model"),
            l4t: l4t(&text("l4t_line")).unwrap_or_default(),
            memory_kib: number("memory_kib"),
            memory_free_kib: number("memory_free_kib"),
            swap_kib: number("swap_kib"),
            disk_kib: number("disk_kib"),
            disk_free_kib: number("disk_free_kib"),
            root_device: text("root_device"),
            nvme: text("nvme") == "1",
            modules: group("module_").into_iter().map(|(name, there)| (name, there == "1")).collect(),
            iptables: iptables.split(['(', ')']).nth(1).unwrap_or_default().to_owned(),
            rules: (number("rules_legacy"), number("rules_nft")),
            power_mode: text("nvpmodel"),
            power_modes: text("power_modes").split_whitespace().map(str::to_owned).collect(),
            temperatures: group("thermal_")
                .into_iter()
                .filter_map(|(zone, milli)| Some((zone, milli.parse::<i64>().ok()? / 1000)))
                .collect(),
            cuda: text("cuda"),
            packages: group("package_"),
            k3s: text("k3s"),
            k3s_nvidia: text("k3s_nvidia") == "1",
            units: group("unit_"),
            clock: text("clock").parse().unwrap_or(0),
        }
    }

    /// The JetPack of this release; none when it is no Jetson or not known.
    pub fn jetpack(&self) -> Option<&'static str> {
        let found = RELEASES.iter().rev().find(|(release, _)| {
            self.l4t == *release || self.l4t.strip_prefix(release).is_some_and(|rest| rest.starts_with('.'))
        });
        found.map(|(_, jetpack)| *jetpack)
    }
}

/// The releases that are known, for messages.
pub fn known_releases() -> String {
    RELEASES.iter().map(|(l4t, jetpack)| format!("L4T {l4t} (JetPack {jetpack})")).collect::<Vec<_>>().join(", ")
}

/// `# R36 (release), REVISION: 4.3, GCID: …` as `36.4.3`.
fn l4t(line: &str) -> Option<String> {
    let major = line.trim_start_matches(['#', ' ']).strip_prefix('R')?.split_whitespace().next()?;
    let revision = line.split("REVISION:").nth(1)?.split(',').next()?.trim();
    Some(format!("{major}.{revision}"))
}

/// The mode in what `nvpmodel -q` printed.
pub fn power_mode(printed: &str) -> Option<&str> {
    printed.lines().find_map(|line| line.strip_prefix("NV Power Mode:")).map(str::trim)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn releases_are_read_and_known() {
        let line = "# R36 (release), REVISION: 4.3, GCID: 38968081, BOARD: generic, EABI: aarch64";
        assert_eq!(l4t(line).as_deref(), Some("36.4.3"));
        let facts = |l4t: &str| Facts { l4t: l4t.to_owned(), ..Facts::default() };
        assert_eq!(facts("36.4.3").jetpack(), Some("6.2"));
        assert_eq!(facts("36.5.1").jetpack(), Some("6.2.2"));
        assert_eq!(facts("39.2.0").jetpack(), Some("7.2"));
        assert_eq!(facts("40.1").jetpack(), None);
    }

    #[test]
    fn facts_stand_in_lines() {
        let facts = Facts::read(
            "architecture=aarch64\nmodule_vxlan=0\nmodule_overlay=1\niptables=iptables v1.8.7 (nf_tables)\nthermal_gpu-thermal=48500\npackage_nvidia-container-toolkit=1.17.4-1\npower_modes=15W 25W \n",
        );
        assert_eq!(facts.architecture, "aarch64");
        assert_eq!(facts.modules.get("vxlan"), Some(&false));
        assert_eq!(facts.iptables, "nf_tables");
        assert_eq!(facts.temperatures.get("gpu-thermal"), Some(&48));
        assert_eq!(facts.power_modes, ["15W", "25W"]);
        assert_eq!(facts.packages.get("nvidia-container-toolkit").map(String::as_str), Some("1.17.4-1"));
    }
}

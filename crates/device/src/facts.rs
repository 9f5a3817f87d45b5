//! The facts of a device, read by one script that installs nothing.

use std::collections::BTreeMap;

use serde::Serialize;

use super::channel::ScriptOutput;
use super::script::lines;
use crate::resource::{Untrusted, syntax_check};

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
root=$(findmnt -n -o SOURCE / 2>/dev/null); echo "root_device=$root"
case $root in /dev/mmcblk*) root=${root#/dev/}; echo "root_media=$(cat "/sys/block/${root%%p[0-9]*}/device/type" 2>/dev/null)";; esac
echo "default_route=$({ awk '$2 == "00000000" && $1 != "*" {print "yes"}' /proc/net/route; awk '$1 ~ /^0+$/ && $2 == "00" && $10 != "lo" {print "yes"}' /proc/net/ipv6_route; } 2>/dev/null | head -n 1)"
for f in /etc/apt/sources.list /etc/apt/sources.list.d/*.list /etc/apt/sources.list.d/*.sources; do
  case $f in */nvidia-container-toolkit.list) continue;; esac
  if grep -q '^[^#]*nvidia.github.io/libnvidia-container' "$f" 2>/dev/null && ! grep -qF /usr/share/keyrings/nvidia-container-toolkit-keyring.asc "$f"; then echo "toolkit_source=$f"; fi
done
for m in br_netfilter overlay nf_conntrack ip_tables iptable_nat nf_tables nft_compat xt_comment xt_conntrack xt_mark xt_MASQUERADE xt_multiport xt_statistic vxlan; do
  if test -d "/sys/module/$m" || grep -qw "$m" /proc/modules 2>/dev/null || grep -q "/$m\.ko" "/lib/modules/$(uname -r)/modules.builtin" "/lib/modules/$(uname -r)/modules.dep" 2>/dev/null || modprobe -n -q "$m" 2>/dev/null; then echo "module_$m=1"; else echo "module_$m=0"; fi
done
echo "iptables=$(iptables --version 2>/dev/null)"
echo "rules_legacy=$(iptables-legacy-save 2>/dev/null | grep -c '^-A')"
echo "rules_nft=$(iptables-nft-save 2>/dev/null | grep -c '^-A')"
echo "nvpmodel=$(nvpmodel -q 2>/dev/null | sed -n 's/^NV Power Mode: *//p')"
echo "power_modes=$(sed -n 's/^< *POWER_MODEL .*NAME=\([^ >]*\).*/\1/p' /etc/nvpmodel.conf 2>/dev/null | tr '\n' ' ')"
for z in /sys/class/thermal/thermal_zone*; do test -r "$z/temp" && echo "thermal_$(cat "$z/type")=$(cat "$z/temp" 2>/dev/null)"; done
echo "cuda=$(sed -n 's/.*"version" *: *"\([^"]*\)".*/\1/p' /usr/local/cuda/version.json 2>/dev/null | head -n 1)"
if have dpkg-query; then dpkg-query -W -f='package_${Package}=${Version} ${db:Status-Abbrev}\n' nvidia-container-toolkit containerd docker.io nvidia-l4t-core nvidia-jetpack 2>/dev/null | sed -n 's/ [a-z]i *$//p'; fi
have k3s && echo "k3s=$(k3s --version 2>/dev/null | awk 'NR == 1 {print $3}')"
for u in k3s k3s-agent docker akidb-adaptive-power; do echo "unit_$u=$(systemctl is-active "$u" 2>/dev/null)"; done
grep -q nvidia /var/lib/rancher/k3s/agent/etc/containerd/config.toml 2>/dev/null && echo "k3s_nvidia=1"
test -b /dev/nvme0n1 && echo "nvme=1"
echo "swap_kib=$(awk '/^SwapTotal/ {print $2}' /proc/meminfo)"
echo "clock=$(date +%s)"
:
"#;

/// Prints what a plan is held against, and no more: it runs on every device at every run.
pub const KEY_FACTS: &str = r#"
echo "architecture=$(uname -m)"
l4t=; { read -r l4t </etc/nv_tegra_release; } 2>/dev/null || :
echo "l4t_line=$l4t"
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

/// What k3s needs of a kernel. With iptables in its nf_tables mode the extensions (`xt_comment` …) are reached through `nft_compat`.
/// `xt_statistic` spreads the connections of a service over its pods.
const MODULES: &str = "br_netfilter overlay nf_conntrack ip_tables iptable_nat nf_tables nft_compat xt_comment xt_conntrack xt_mark \
                       xt_MASQUERADE xt_multiport xt_statistic vxlan";
/// Packages and units that a rule asks about.
const PACKAGES: &str = "nvidia-container-toolkit containerd docker.io nvidia-l4t-core nvidia-jetpack";
const UNITS: &str = "k3s k3s-agent docker akidb-adaptive-power";
/// More sensors than any board has.
const MOST_SENSORS: usize = 64;

/// What is known of a device, as it says itself. Empty texts and zeros where it does not say. Names are our own words.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct DeviceFacts {
    /// Host name.
    pub hostname: Untrusted,
    /// Such as `aarch64`.
    pub architecture: Untrusted,
    /// Kernel release.
    pub kernel: Untrusted,
    /// Distribution.
    pub os: Untrusted,
    /// Board.
    pub model: Untrusted,
    /// Release of Linux for Tegra, such as `36.4.3`; empty on other machines.
    pub l4t: Untrusted,
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
    pub root_device: Untrusted,
    /// What the kernel calls the medium of a root on `/dev/mmcblk…`: `SD` for a card, `MMC` for eMMC; empty elsewhere.
    pub root_media: &'static str,
    /// Whether there is a default route, over IPv4 or IPv6; none when the device does not say.
    pub default_route: Option<bool>,
    /// Another list of apt with the container toolkit's repository under another key than ours.
    pub toolkit_source: Untrusted,
    /// Whether there is an NVMe.
    pub nvme: bool,
    /// Kernel modules that k3s needs, and whether each can be had.
    pub modules: BTreeMap<String, bool>,
    /// `nf_tables`, `legacy`, or empty when there are no iptables.
    pub iptables: &'static str,
    /// Rules in the legacy tables and in those of nftables.
    pub rules: (u64, u64),
    /// Power mode.
    pub power_mode: Untrusted,
    /// Power modes that the device has.
    pub power_modes: Vec<Untrusted>,
    /// Temperatures in °C by zone; a zone's name is letters, digits, `-` and `_`.
    pub temperatures: BTreeMap<String, i64>,
    /// Version of CUDA.
    pub cuda: Untrusted,
    /// Packages that matter, with their versions.
    pub packages: BTreeMap<String, Untrusted>,
    /// Version of k3s.
    pub k3s: Untrusted,
    /// Whether k3s found NVIDIA's runtime when it started.
    pub k3s_nvidia: bool,
    /// Units that matter and how they are.
    pub units: BTreeMap<String, Untrusted>,
    /// Seconds since 1970 by the device's clock.
    pub clock: i64,
}

impl DeviceFacts {
    /// From what a device answered to [`SCRIPT`].
    pub fn of(reply: &ScriptOutput) -> Self {
        Self::read(&reply.output)
    }

    /// From what [`SCRIPT`] printed.
    pub fn read(printed: &str) -> Self {
        let seen = lines(printed);
        let raw = |key: &str| short(seen.get(key).copied().unwrap_or_default().trim());
        let text = |key: &str| Untrusted::from(raw(key));
        let number = |key: &str| raw(key).parse().unwrap_or(0);
        // Names are asked for one by one: what else a device names is nothing that we know.
        let group = |prefix: &str, names: &'static str| {
            let said =
                names.split(' ').filter_map(|name| Some((name.to_owned(), *seen.get(&*format!("{prefix}{name}"))?)));
            said.collect::<Vec<(String, &str)>>()
        };
        let texts =
            |all: Vec<(String, &str)>| all.into_iter().map(|(name, value)| (name, value.trim().into())).collect();
        let iptables = raw("iptables").split(['(', ')']).nth(1).unwrap_or_default();
        Self {
            hostname: text("hostname"),
            architecture: text("architecture"),
            kernel: text("kernel"),
            os: text("os"),
            model: text("model"),
            l4t: l4t(raw("l4t_line")).unwrap_or_default().into(),
            memory_kib: number("memory_kib"),
            memory_free_kib: number("memory_free_kib"),
            swap_kib: number("swap_kib"),
            disk_kib: number("disk_kib"),
            disk_free_kib: number("disk_free_kib"),
            root_device: text("root_device"),
            root_media: ["SD", "MMC"].into_iter().find(|known| *known == raw("root_media")).unwrap_or_default(),
            default_route: seen.get("default_route").map(|said| said.trim() == "yes"),
            toolkit_source: text("toolkit_source"),
            nvme: raw("nvme") == "1",
            modules: group("module_", MODULES).into_iter().map(|(name, there)| (name, there.trim() == "1")).collect(),
            iptables: ["nf_tables", "legacy"].into_iter().find(|known| *known == iptables).unwrap_or_default(),
            rules: (number("rules_legacy"), number("rules_nft")),
            power_mode: text("nvpmodel"),
            power_modes: raw("power_modes").split_whitespace().take(MOST_SENSORS).map(Untrusted::from).collect(),
            temperatures: temperatures(&seen),
            cuda: text("cuda"),
            packages: texts(group("package_", PACKAGES)),
            k3s: text("k3s"),
            k3s_nvidia: raw("k3s_nvidia") == "1",
            units: texts(group("unit_", UNITS)),
            clock: raw("clock").parse().unwrap_or(0),
        }
    }

    /// The JetPack of this release; of one that is not listed, that of the nearest listed one of its line. None: it is not a Jetson, or
    /// nothing is known of the line.
    pub fn jetpack(&self) -> Option<&'static str> {
        self.listed().or_else(|| {
            let own = numbers(&self.l4t.line());
            let line = self.line();
            // The list rises: the last one before it, else the first one after it.
            let before = line.iter().rev().find(|(release, _)| numbers(release) <= own);
            before.or_else(|| line.first()).map(|(_, jetpack)| *jetpack)
        })
    }

    /// Whether it has this JetPack: `6.2` means 6.2.1, too. A release that is not listed counts for each JetPack of its line: NVIDIA
    /// keeps drivers and CUDA within one.
    pub fn has_jetpack(&self, wanted: &str) -> bool {
        let fits =
            |there: &str| there == wanted || there.strip_prefix(wanted).is_some_and(|rest| rest.starts_with('.'));
        match self.listed() {
            Some(there) => fits(there),
            None => self.line().iter().any(|(_, there)| fits(there)),
        }
    }

    /// Whether this very release is in the list.
    pub fn is_listed(&self) -> bool {
        self.listed().is_some()
    }

    fn listed(&self) -> Option<&'static str> {
        let is = |release: &str| self.l4t == *release || self.l4t.starts_with(&format!("{release}."));
        // `39.2` is listed for 39.2.0, too; 36.4 has its patch releases one by one.
        RELEASES.iter().rev().find(|(release, _)| is(release)).map(|(_, jetpack)| *jetpack)
    }

    /// The listed releases of the same line: with the same minor release (36.4), else with the same major one (39).
    fn line(&self) -> Vec<(&'static str, &'static str)> {
        let own = numbers(&self.l4t.line());
        let same = |parts: usize| -> Vec<(&'static str, &'static str)> {
            let begins = |release: &str| own.len() >= parts && numbers(release).get(..parts) == own.get(..parts);
            RELEASES.iter().filter(|(release, _)| begins(release)).copied().collect()
        };
        let minor = same(2);
        if minor.is_empty() { same(1) } else { minor }
    }
}

/// `36.4.3` as numbers.
fn numbers(release: &str) -> Vec<u32> {
    release.split('.').map_while(|part| part.parse().ok()).collect()
}

/// The beginning of a fact: it is recorded.
fn short(text: &str) -> &str {
    const LONGEST: usize = 256;
    text.char_indices().nth(LONGEST).map_or(text, |(end, _)| &text[..end])
}

/// Degrees by zone.
fn temperatures(seen: &BTreeMap<&str, &str>) -> BTreeMap<String, i64> {
    let zone =
        |key: &str| key.strip_prefix("thermal_").filter(|zone| syntax_check::power_mode(zone)).map(str::to_owned);
    let all = seen.iter().filter_map(|(key, milli)| Some((zone(key)?, milli.trim().parse::<i64>().ok()? / 1000)));
    all.take(MOST_SENSORS).collect()
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
        let facts = |l4t: &str| DeviceFacts { l4t: l4t.into(), ..DeviceFacts::default() };
        assert_eq!(facts("36.4.3").jetpack(), Some("6.2"));
        assert_eq!(facts("36.5.1").jetpack(), Some("6.2.2"));
        assert_eq!(facts("39.2.0").jetpack(), Some("7.2"));
        assert_eq!(facts("40.1").jetpack(), None);
        assert_eq!(facts("").jetpack(), None);
        assert!(!facts("").has_jetpack("6.2") && !facts("40.1").has_jetpack("6.2"));
    }

    #[test]
    fn a_patch_release_that_is_not_listed_is_one_of_its_line() {
        let facts = |l4t: &str| DeviceFacts { l4t: l4t.into(), ..DeviceFacts::default() };
        for (l4t, nearest, also, not) in
            [("36.4.2", "6.1", "6.2", "6.0"), ("36.4.8", "6.2.1", "6.2", "7.2"), ("39.1", "7.2", "7.2", "7.0")]
        {
            let facts = facts(l4t);
            assert_eq!((facts.jetpack(), facts.is_listed()), (Some(nearest), false), "{l4t}");
            assert!(facts.has_jetpack(also) && !facts.has_jetpack(not), "{l4t}");
        }
        assert!(
            facts("36.4.3").is_listed() && facts("36.4.3").has_jetpack("6.2") && !facts("36.4.3").has_jetpack("6.1")
        );
        assert!(facts("39.2.0").is_listed() && facts("36.3.1").is_listed());
    }

    /// The script as a device runs it, with programs of this test in front of the others.
    fn said(programs: &[(&str, &str)]) -> DeviceFacts {
        use std::os::unix::fs::PermissionsExt;
        let folder = tempfile::tempdir().expect("a directory");
        for (name, text) in programs {
            let path = folder.path().join(name);
            std::fs::write(&path, format!("#!/bin/sh\n{text}\n")).expect("a file");
            std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).expect("a file of ours");
        }
        let path = format!("{}:{}", folder.path().display(), std::env::var("PATH").unwrap_or_default());
        let ran = std::process::Command::new("sh").args(["-c", SCRIPT]).env("PATH", path).output().expect("sh runs");
        DeviceFacts::read(&String::from_utf8_lossy(&ran.stdout))
    }

    #[test]
    fn a_held_package_is_an_installed_one() {
        let lines =
            "package_nvidia-container-toolkit=1.17.4-1 hi \npackage_docker.io=27 rc \npackage_containerd=1.7 ii \n";
        let facts = said(&[("dpkg-query", &format!("printf '{lines}'"))]);
        let names: Vec<&str> = facts.packages.keys().map(String::as_str).collect();
        assert_eq!(names, ["containerd", "nvidia-container-toolkit"]);
        assert_eq!(facts.packages["nvidia-container-toolkit"], "1.17.4-1");
        assert!(facts.default_route.is_some(), "a machine says whether it has a default route");
    }

    #[test]
    fn the_medium_of_the_root_is_what_the_kernel_says() {
        let read = |text: &str| DeviceFacts::read(text);
        assert_eq!(read("root_device=/dev/mmcblk0p1\nroot_media=MMC\n").root_media, "MMC");
        assert_eq!(read("root_media=SD\n").root_media, "SD");
        assert_eq!(read("root_media=\u{1b}[2J\n").root_media, "");
        assert_eq!((read("default_route=\n").default_route, read("").default_route), (Some(false), None));
    }

    #[test]
    fn facts_stand_in_lines() {
        let facts = DeviceFacts::read(
            "architecture=aarch64\nmodule_vxlan=0\nmodule_overlay=1\niptables=iptables v1.8.7 (nf_tables)\nthermal_gpu-thermal=48500\npackage_nvidia-container-toolkit=1.17.4-1\npower_modes=15W 25W \n",
        );
        assert_eq!(facts.architecture, "aarch64");
        assert_eq!(facts.modules.get("vxlan"), Some(&false));
        assert_eq!(facts.iptables, "nf_tables");
        assert_eq!(facts.temperatures.get("gpu-thermal"), Some(&48));
        assert_eq!(facts.power_modes, ["15W", "25W"]);
        assert_eq!(facts.packages.get("nvidia-container-toolkit"), Some(&"1.17.4-1".into()));
    }

    #[test]
    fn a_device_names_nothing_that_we_do_not_know() {
        let facts = DeviceFacts::read(
            "module_\u{1b}[2J=0\npackage_x\u{202e}=1\nunit_\u{7}=active\nthermal_\u{1b}]0;x=99000\nthermal_gpu=50000\niptables=x (\u{1b}[2J)\nclock=-9223372036854775808\nmodel=a\u{9b}2J\n",
        );
        assert!(facts.modules.is_empty() && facts.packages.is_empty() && facts.units.is_empty(), "{facts:?}");
        assert_eq!(facts.temperatures, BTreeMap::from([("gpu".to_owned(), 50)]));
        assert_eq!((facts.iptables, facts.model.line().as_str()), ("", "a\\u{9b}2J"));
        let many: String = (0..10_000).map(|at| format!("thermal_z{at}=1000\n")).collect();
        assert_eq!(DeviceFacts::read(&many).temperatures.len(), MOST_SENSORS);
        assert!(DeviceFacts::read(&format!("kernel={}", "é".repeat(1 << 20))).kernel.len() < 1000);
    }
}

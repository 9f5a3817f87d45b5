//! The rules: each problem with its remedy.

use super::{DeviceRequirements, FindingSeverity};
use crate::facts::{DeviceFacts, known_releases};
use crate::resource::{Untrusted, jetpack};

/// What a rule says: problem and remedy.
pub type ProblemAndRemedy = Option<(String, String)>;
/// A rule: name, weight, what it says of a device.
pub type DiagnosisRule = (&'static str, FindingSeverity, fn(&DeviceFacts, &DeviceRequirements) -> ProblemAndRemedy);

/// All of them.
pub const RULES: &[DiagnosisRule] = &[
    ("jetpack", FindingSeverity::Blocks, release),
    ("jetpack-patch", FindingSeverity::Warning, patch_release),
    ("no-default-route", FindingSeverity::Blocks, no_default_route),
    ("apt-source-twice", FindingSeverity::Blocks, apt_source_twice),
    ("kernel-modules", FindingSeverity::Blocks, modules),
    ("iptables-backend", FindingSeverity::Blocks, iptables_backend),
    ("iptables-both", FindingSeverity::Warning, iptables_both),
    ("disk-full", FindingSeverity::Blocks, |facts, _| disk(facts, 0, 4)),
    ("disk-low", FindingSeverity::Warning, |facts, _| disk(facts, 4, 10)),
    ("root-on-sd", FindingSeverity::Warning, root_on_sd),
    ("memory", FindingSeverity::Warning, memory),
    ("clock-wrong", FindingSeverity::Blocks, |facts, wanted| clock(facts, wanted, 300, i64::MAX)),
    ("clock-skew", FindingSeverity::Warning, |facts, wanted| clock(facts, wanted, 5, 300)),
    ("hot", FindingSeverity::Warning, hot),
    ("power-mode-unknown", FindingSeverity::Blocks, power_mode_unknown),
    ("adaptive-power-modes", FindingSeverity::Blocks, adaptive_modes_unknown),
    ("power-mode", FindingSeverity::Warning, power_mode),
    ("adaptive-power", FindingSeverity::Warning, adaptive_power),
    ("k3s-version", FindingSeverity::Warning, k3s_version),
    ("k3s-down", FindingSeverity::Warning, k3s_down),
    ("toolkit-missing", FindingSeverity::Warning, toolkit_missing),
    ("toolkit-after-k3s", FindingSeverity::Warning, toolkit_after_k3s),
    ("docker", FindingSeverity::Note, docker),
    ("swap", FindingSeverity::Note, swap),
];

fn say(problem: impl Into<String>, remedy: impl Into<String>) -> ProblemAndRemedy {
    Some((problem.into(), remedy.into()))
}

fn release(facts: &DeviceFacts, wanted: &DeviceRequirements) -> ProblemAndRemedy {
    let plan = wanted.jetpack.as_deref()?;
    match facts.jetpack() {
        _ if facts.l4t.is_empty() => say(
            "it is not a Jetson: /etc/nv_tegra_release does not exist",
            "remove `jetpack` from the plan for other machines, or flash the device (NVIDIA SDK Manager)",
        ),
        None => say(
            format!("L4T {} is not known", facts.l4t.line()),
            format!("flash a release that is: {}", known_releases()),
        ),
        Some(_) if facts.has_jetpack(plan) => None,
        Some(there) => say(
            format!("JetPack {there} (L4T {}), the plan is for {plan}", facts.l4t.line()),
            match jetpack::target(there) {
                Some(_) => {
                    format!("flash JetPack {plan} (NVIDIA SDK Manager), or write jetpack: \"{there}\" in the plan")
                }
                None => format!("flash JetPack {plan} (NVIDIA SDK Manager)"),
            },
        ),
    }
}

fn patch_release(facts: &DeviceFacts, wanted: &DeviceRequirements) -> ProblemAndRemedy {
    let plan = wanted.jetpack.as_deref().filter(|plan| facts.has_jetpack(plan))?;
    (!facts.is_listed()).then_some(())?;
    say(
        format!(
            "L4T {} is not known to this version: it is treated as JetPack {plan}, of the same line",
            facts.l4t.line()
        ),
        format!("no action needed if the GPU test passes; known releases: {}", known_releases()),
    )
}

/// k3s takes its own address and the interface of the overlay network from the default route, and ends without one.
fn no_default_route(facts: &DeviceFacts, wanted: &DeviceRequirements) -> ProblemAndRemedy {
    wanted.k3s.as_ref()?;
    (facts.default_route == Some(false)).then_some(())?;
    say(
        "there is no default route, which k3s needs to start",
        "give the device its gateway (nmcli connection modify NAME ipv4.gateway ADDRESS); in a network without one, a route that leads \
         nowhere is enough (k3s guide, Air-Gap Install): sudo ip link add dummy0 type dummy; sudo ip link set dummy0 up; sudo ip addr \
         add 203.0.113.254/31 dev dummy0; sudo ip route add default via 203.0.113.255 dev dummy0 metric 1000, again at each start of the device",
    )
}

/// Two lists with one repository and two keys stop apt altogether: `Conflicting values set for option Signed-By`.
fn apt_source_twice(facts: &DeviceFacts, wanted: &DeviceRequirements) -> ProblemAndRemedy {
    (wanted.toolkit && !facts.toolkit_source.is_empty()).then_some(())?;
    let file = facts.toolkit_source.line();
    say(
        format!("{file} has the container toolkit's repository, too, under another key: apt refuses both lists"),
        format!("rename it, the plan installs its own: sudo mv {file} {file}.disabled"),
    )
}

/// The kernel setting behind each module.
fn setting(module: &str) -> &'static str {
    match module {
        "br_netfilter" => "CONFIG_BRIDGE_NETFILTER",
        "overlay" => "CONFIG_OVERLAY_FS",
        "nf_conntrack" => "CONFIG_NF_CONNTRACK",
        "xt_comment" => "CONFIG_NETFILTER_XT_MATCH_COMMENT",
        "xt_conntrack" => "CONFIG_NETFILTER_XT_MATCH_CONNTRACK",
        "xt_mark" => "CONFIG_NETFILTER_XT_MARK",
        "xt_MASQUERADE" => "CONFIG_NETFILTER_XT_TARGET_MASQUERADE",
        "xt_statistic" => "CONFIG_NETFILTER_XT_MATCH_STATISTIC",
        "xt_multiport" => "CONFIG_NETFILTER_XT_MATCH_MULTIPORT",
        "vxlan" => "CONFIG_VXLAN",
        "ip_tables" => "CONFIG_IP_NF_IPTABLES",
        "iptable_nat" => "CONFIG_IP_NF_NAT",
        _ => "the setting of its name",
    }
}

fn modules(facts: &DeviceFacts, wanted: &DeviceRequirements) -> ProblemAndRemedy {
    wanted.k3s.as_ref()?;
    // Which tables are needed depends on iptables: a rule of its own.
    let legacy = facts.iptables == "legacy";
    let needed = |name: &str| match name {
        "ip_tables" | "iptable_nat" => legacy,
        "nf_tables" | "nft_compat" => false,
        _ => true,
    };
    let missing: Vec<&str> =
        facts.modules.iter().filter(|(name, there)| !**there && needed(name)).map(|(name, _)| name.as_str()).collect();
    if missing.is_empty() {
        return None;
    }
    let settings: Vec<String> = missing.iter().map(|name| format!("{}=m", setting(name))).collect();
    say(
        format!("the kernel {} cannot load {}, which k3s requires", facts.kernel.line(), missing.join(", ")),
        format!(
            "sudo apt-get install --reinstall nvidia-l4t-kernel; if they are still missing, build the kernel of this release with {} (NVIDIA's guide, Kernel Customization)",
            settings.join(" ")
        ),
    )
}

fn iptables_backend(facts: &DeviceFacts, wanted: &DeviceRequirements) -> ProblemAndRemedy {
    wanted.k3s.as_ref()?;
    let without: Vec<&str> =
        ["nf_tables", "nft_compat"].into_iter().filter(|name| facts.modules.get(*name) == Some(&false)).collect();
    (facts.iptables == "nf_tables" && !without.is_empty()).then_some(())?;
    say(
        format!(
            "iptables is set to nftables, and this kernel has no {}: rules of k3s will be refused",
            without.join(" and no ")
        ),
        "sudo update-alternatives --set iptables /usr/sbin/iptables-legacy; sudo update-alternatives --set ip6tables /usr/sbin/ip6tables-legacy",
    )
}

fn iptables_both(facts: &DeviceFacts, wanted: &DeviceRequirements) -> ProblemAndRemedy {
    wanted.k3s.as_ref()?;
    let (legacy, nft) = facts.rules;
    (legacy > 0 && nft > 0).then_some(())?;
    let (other, idle) = if facts.iptables == "legacy" { ("nft", nft) } else { ("legacy", legacy) };
    say(
        format!("both iptables backends have rules ({legacy} legacy, {nft} nftables): packets may be dropped twice"),
        format!(
            "clear the {idle} that are not in use: sudo iptables-{other} -F; sudo iptables-{other} -t nat -F; then restart the device"
        ),
    )
}

/// Gibibytes for people.
fn gib(kib: u64) -> String {
    format!("{:.1} GiB", kib as f64 / 1_048_576.0)
}

fn disk(facts: &DeviceFacts, from_gib: u64, below_gib: u64) -> ProblemAndRemedy {
    let free = facts.disk_free_kib;
    let within = facts.disk_kib > 0 && free >= from_gib << 20 && free < below_gib << 20;
    within.then_some(())?;
    say(
        format!("{} free of {} on /: images and logs need {below_gib} GiB", gib(free), gib(facts.disk_kib)),
        "sudo journalctl --vacuum-size=100M; sudo apt-get clean; sudo k3s crictl rmi --prune; then check sudo du -xh \
         / | sort -h | tail",
    )
}

fn root_on_sd(facts: &DeviceFacts, _wanted: &DeviceRequirements) -> ProblemAndRemedy {
    // eMMC has the same names, and is soldered in.
    (facts.root_device.starts_with("/dev/mmcblk") && facts.root_media != "MMC").then_some(())?;
    let problem = format!("the system runs from an SD card ({}): slow, and it wears out", facts.root_device.line());
    if facts.nvme {
        return say(
            problem,
            "an NVMe is installed: flash the device to it (l4t_initrd_flash.sh --external-device nvme0n1p1)",
        );
    }
    say(problem, "install an NVMe and flash the device to it (l4t_initrd_flash.sh --external-device nvme0n1p1)")
}

fn memory(facts: &DeviceFacts, _wanted: &DeviceRequirements) -> ProblemAndRemedy {
    const NEEDED_KIB: u64 = 1 << 20;
    (facts.memory_kib > 0 && facts.memory_free_kib < NEEDED_KIB).then_some(())?;
    say(
        format!("{} of {} memory is available", gib(facts.memory_free_kib), gib(facts.memory_kib)),
        "disable the desktop: sudo systemctl set-default multi-user.target, then restart the device",
    )
}

fn clock(facts: &DeviceFacts, wanted: &DeviceRequirements, from: i64, below: i64) -> ProblemAndRemedy {
    let skew = facts.clock.saturating_sub(wanted.now);
    let within = facts.clock > 0 && skew.saturating_abs() >= from && skew.saturating_abs() < below;
    within.then_some(())?;
    let way = if skew < 0 { "behind" } else { "ahead of" };
    say(
        format!("its clock is {} s {way} this machine's: certificates and tokens are refused", skew.saturating_abs()),
        "sudo timedatectl set-ntp true; without a network: sudo date -u -s @$(date +%s), with the seconds of this machine",
    )
}

/// From here on a Jetson is near the point where it slows down.
const HOT: i64 = 85;

fn hot(facts: &DeviceFacts, wanted: &DeviceRequirements) -> ProblemAndRemedy {
    let (zone, degrees) = facts.temperatures.iter().max_by_key(|(_, degrees)| **degrees)?;
    (*degrees >= HOT).then_some(())?;
    say(
        format!("{zone} is at {degrees} °C: the device throttles, then shuts down"),
        format!(
            "check the fan and dust; until then use a lower mode: akidb-edge jetson power --mode 15W --host {}",
            wanted.host
        ),
    )
}

/// `auto` needs one of its modes; a board may call 15W `MODE_15W`, and the service knows that.
fn adaptive_modes_unknown(facts: &DeviceFacts, wanted: &DeviceRequirements) -> ProblemAndRemedy {
    (wanted.power_mode.as_deref() == Some("auto") && !facts.power_modes.is_empty()).then_some(())?;
    let is =
        |mode: &String| facts.power_modes.iter().any(|known| *known == **mode || *known == *format!("MODE_{mode}"));
    (!wanted.adaptive_modes.iter().any(is)).then_some(())?;
    let there: Vec<String> = facts.power_modes.iter().map(Untrusted::line).collect();
    say(
        format!("power_mode auto uses {}, and this device has none of them", wanted.adaptive_modes.join(", ")),
        format!(
            "write adaptive_power: {{modes: [...]}} in the plan, from the smallest to the largest of: {}",
            there.join(", ")
        ),
    )
}

fn power_mode_unknown(facts: &DeviceFacts, wanted: &DeviceRequirements) -> ProblemAndRemedy {
    let mode = wanted.power_mode.as_deref().filter(|mode| *mode != "auto")?;
    (!facts.power_modes.iter().any(|known| *known == *mode)).then_some(())?;
    say(
        format!("the plan wants power mode {mode}, which this device does not have"),
        format!("write one of: {}", facts.power_modes.iter().map(Untrusted::line).collect::<Vec<_>>().join(", ")),
    )
}

fn power_mode(facts: &DeviceFacts, wanted: &DeviceRequirements) -> ProblemAndRemedy {
    let mode = wanted.power_mode.as_deref().filter(|mode| *mode != "auto")?;
    (facts.power_mode != mode && facts.power_modes.iter().any(|known| *known == *mode)).then_some(())?;
    say(
        format!("power mode {}, the plan wants {mode}", facts.power_mode.line()),
        format!("akidb-edge jetson power --mode {mode} --host {}", wanted.host),
    )
}

fn adaptive_power(facts: &DeviceFacts, wanted: &DeviceRequirements) -> ProblemAndRemedy {
    let follows = facts.units.get("akidb-adaptive-power").is_some_and(|state| *state == "active");
    (wanted.power_mode.as_deref() == Some("auto") && !follows).then_some(())?;
    say(
        format!(
            "the plan wants power mode auto, but no service follows the load: mode {} stays",
            facts.power_mode.line()
        ),
        format!("akidb-edge jetson power --mode auto --host {}", wanted.host),
    )
}

fn k3s_version(facts: &DeviceFacts, wanted: &DeviceRequirements) -> ProblemAndRemedy {
    let version = wanted.k3s.as_deref()?;
    (!facts.k3s.is_empty() && facts.k3s != version).then_some(())?;
    say(
        format!("k3s {}, the plan wants {version}", facts.k3s.line()),
        "akidb-edge jetson provision brings the plan's version",
    )
}

fn running(facts: &DeviceFacts) -> bool {
    ["k3s", "k3s-agent"].iter().any(|unit| facts.units.get(*unit).is_some_and(|state| *state == "active"))
}

fn k3s_down(facts: &DeviceFacts, wanted: &DeviceRequirements) -> ProblemAndRemedy {
    wanted.k3s.as_ref()?;
    (!facts.k3s.is_empty() && !running(facts)).then_some(())?;
    say(
        "k3s is installed and does not run",
        "sudo journalctl -xeu k3s -u k3s-agent says why; akidb-edge jetson provision starts it",
    )
}

/// The package of the container toolkit.
pub const TOOLKIT: &str = "nvidia-container-toolkit";

fn toolkit_missing(facts: &DeviceFacts, wanted: &DeviceRequirements) -> ProblemAndRemedy {
    // Before the first provision it does not exist yet, and that is as it should be.
    (wanted.toolkit && !facts.k3s.is_empty() && !facts.packages.contains_key(TOOLKIT)).then_some(())?;
    say("NVIDIA's container toolkit is not installed: pods get no GPU", "akidb-edge jetson provision installs it")
}

fn toolkit_after_k3s(facts: &DeviceFacts, _wanted: &DeviceRequirements) -> ProblemAndRemedy {
    (running(facts) && !facts.k3s_nvidia && facts.packages.contains_key(TOOLKIT)).then_some(())?;
    say(
        "k3s started before the container toolkit was installed and has not detected the runtime: pods get no GPU",
        "sudo systemctl restart k3s on the server, k3s-agent on agents",
    )
}

fn docker(facts: &DeviceFacts, wanted: &DeviceRequirements) -> ProblemAndRemedy {
    wanted.k3s.as_ref()?;
    let there = facts.packages.contains_key("docker.io") || facts.units.get("docker").is_some_and(|is| *is == "active");
    there.then_some(())?;
    say(
        "Docker is installed; k3s uses its own containerd",
        "no action needed; to win memory: sudo systemctl disable --now docker",
    )
}

fn swap(facts: &DeviceFacts, wanted: &DeviceRequirements) -> ProblemAndRemedy {
    wanted.k3s.as_ref()?;
    (facts.swap_kib > 0).then_some(())?;
    say(
        format!("{} of swap: pods may be slow before they are ended for memory", gib(facts.swap_kib)),
        "no action needed; to be strict: sudo systemctl disable --now nvzramconfig",
    )
}

use super::rules::TOOLKIT;
use super::*;

/// A device with nothing to say about.
fn sound() -> DeviceFacts {
    DeviceFacts {
        l4t: "36.4.3".into(),
        kernel: "5.15.148-tegra".into(),
        memory_kib: 7_800_000,
        memory_free_kib: 6_000_000,
        disk_kib: 400 << 20,
        disk_free_kib: 300 << 20,
        root_device: "/dev/nvme0n1p1".into(),
        nvme: true,
        modules: ["br_netfilter", "overlay", "ip_tables", "nf_tables", "vxlan", "xt_comment"]
            .map(|name| (name.to_owned(), true))
            .into(),
        iptables: "nf_tables",
        power_mode: "15W".into(),
        power_modes: vec!["15W".into(), "25W".into()],
        temperatures: [("gpu-thermal".to_owned(), 48)].into(),
        packages: [(TOOLKIT.to_owned(), "1.17.4-1".into())].into(),
        k3s: "v1.36.3+k3s1".into(),
        k3s_nvidia: true,
        units: [("k3s".to_owned(), "active".into())].into(),
        clock: 1_000_000,
        ..DeviceFacts::default()
    }
}

fn wanted() -> DeviceRequirements {
    DeviceRequirements {
        host: "jetson-01".to_owned(),
        jetpack: Some("6.2".to_owned()),
        power_mode: Some("15W".to_owned()),
        adaptive_modes: vec!["15W".to_owned(), "25W".to_owned()],
        k3s: Some("v1.36.3+k3s1".to_owned()),
        toolkit: true,
        now: 1_000_001,
    }
}

/// The rules that speak when one thing is changed.
fn rules(change: impl FnOnce(&mut DeviceFacts)) -> Vec<&'static str> {
    let mut facts = sound();
    change(&mut facts);
    diagnose(&facts, &wanted()).into_iter().map(|finding| finding.rule).collect()
}

#[test]
fn a_sound_device_has_no_finding() {
    assert_eq!(rules(|_| ()), Vec::<&str>::new());
    // A machine that is to be nothing of all this.
    assert_eq!(diagnose(&DeviceFacts::default(), &DeviceRequirements::default()), Vec::new());
}

#[test]
fn each_rule_speaks_for_itself() {
    assert_eq!(rules(|facts| facts.l4t = "35.4.1".into()), ["jetpack"]);
    assert_eq!(rules(|facts| facts.l4t = "".into()), ["jetpack"]);
    assert_eq!(rules(|facts| facts.l4t = "39.2.0".into()), ["jetpack"]);
    assert_eq!(
        rules(|facts| {
            facts.modules.insert("vxlan".to_owned(), false);
        }),
        ["kernel-modules"]
    );
    assert_eq!(
        rules(|facts| {
            facts.modules.insert("nf_tables".to_owned(), false);
        }),
        ["iptables-backend"]
    );
    assert_eq!(rules(|facts| facts.rules = (3, 40)), ["iptables-both"]);
    assert_eq!(rules(|facts| facts.disk_free_kib = 1 << 20), ["disk-full"]);
    assert_eq!(rules(|facts| facts.disk_free_kib = 9 << 20), ["disk-low"]);
    let on_mmc = |facts: &mut DeviceFacts, media: &'static str| {
        (facts.root_device, facts.root_media) = ("/dev/mmcblk0p1".into(), media);
    };
    assert_eq!(rules(|facts| on_mmc(facts, "SD")), ["root-on-sd"]);
    assert_eq!(rules(|facts| on_mmc(facts, "MMC")), Vec::<&str>::new(), "eMMC is not a card");
    assert_eq!(
        rules(|facts| {
            facts.modules.insert("nft_compat".to_owned(), false);
        }),
        ["iptables-backend"]
    );
    assert_eq!(
        rules(|facts| {
            facts.modules.insert("br_netfilter".to_owned(), false);
        }),
        ["kernel-modules"]
    );
    // NVIDIA's own kernels have come without these.
    for module in ["xt_conntrack", "xt_mark", "xt_MASQUERADE", "xt_statistic"] {
        assert_eq!(rules(|facts| drop(facts.modules.insert(module.to_owned(), false))), ["kernel-modules"], "{module}");
    }
    assert_eq!(rules(|facts| facts.default_route = Some(false)), ["no-default-route"]);
    assert_eq!(rules(|facts| facts.default_route = Some(true)), Vec::<&str>::new());
    assert_eq!(
        rules(|facts| facts.toolkit_source = "/etc/apt/sources.list.d/nvidia.list".into()),
        ["apt-source-twice"]
    );
    for l4t in ["36.4.2", "36.4.8"] {
        assert_eq!(rules(|facts| facts.l4t = l4t.into()), ["jetpack-patch"], "{l4t}");
    }
    assert_eq!(rules(|facts| facts.memory_free_kib = 500_000), ["memory"]);
    assert_eq!(rules(|facts| facts.clock -= 400), ["clock-wrong"]);
    assert_eq!(rules(|facts| facts.clock += 20), ["clock-skew"]);
    assert_eq!(
        rules(|facts| {
            facts.temperatures.insert("tj-thermal".to_owned(), 97);
        }),
        ["hot"]
    );
    assert_eq!(rules(|facts| facts.power_modes = vec!["10W".into()]), ["power-mode-unknown"]);
    assert_eq!(rules(|facts| facts.power_mode = "25W".into()), ["power-mode"]);
    assert_eq!(rules(|facts| facts.k3s = "v1.30.0+k3s1".into()), ["k3s-version"]);
    assert_eq!(rules(|facts| facts.units = Default::default()), ["k3s-down"]);
    assert_eq!(rules(|facts| facts.packages = Default::default()), ["toolkit-missing"]);
    assert_eq!(rules(|facts| facts.k3s_nvidia = false), ["toolkit-after-k3s"]);
    assert_eq!(rules(|facts| drop(facts.packages.insert("docker.io".to_owned(), "27".into()))), ["docker"]);
    assert_eq!(rules(|facts| facts.swap_kib = 3_900_000), ["swap"]);
}

#[test]
fn a_clock_beyond_all_bounds_is_a_wrong_clock() {
    assert_eq!(rules(|facts| facts.clock = i64::MAX), ["clock-wrong"]);
    assert_eq!(rules(|facts| facts.clock = i64::MIN), Vec::<&str>::new());
}

#[test]
fn auto_needs_somebody_who_follows() {
    let auto = DeviceRequirements { power_mode: Some("auto".to_owned()), ..wanted() };
    assert_eq!(diagnose(&sound(), &auto)[0].rule, "adaptive-power");
    let mut facts = sound();
    facts.units.insert("akidb-adaptive-power".to_owned(), "active".into());
    assert_eq!(diagnose(&facts, &auto), Vec::new());
    // AGX boards call their modes otherwise.
    facts.power_modes = vec!["MAXN".into(), "MODE_15W".into(), "MODE_30W".into(), "MODE_50W".into()];
    assert_eq!(diagnose(&facts, &auto), Vec::new());
    facts.power_modes = vec!["MAXN".into(), "MODE_30W".into()];
    let found = diagnose(&facts, &auto);
    assert_eq!(found.iter().map(|finding| finding.rule).collect::<Vec<_>>(), ["adaptive-power-modes"]);
    assert!(found[0].remedy.ends_with("of: MAXN, MODE_30W"), "{}", found[0].remedy);
}

#[test]
fn the_worst_comes_first_and_legacy_needs_its_own_modules() {
    let mut facts = sound();
    (facts.swap_kib, facts.clock) = (1_000, facts.clock + 20);
    facts.iptables = "legacy";
    facts.modules.insert("ip_tables".to_owned(), false);
    let found = diagnose(&facts, &wanted());
    let rules: Vec<&str> = found.iter().map(|finding| finding.rule).collect();
    assert_eq!(rules, ["kernel-modules", "clock-skew", "swap"]);
    assert!(found[0].remedy.contains("CONFIG_IP_NF_IPTABLES=m"), "{}", found[0].remedy);
}

//! Debian packages.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::on_host::{MEMORY, ShellKind};
use super::script::{Script, quoted, script};
use crate::resource::packages::PackagesSpec;

/// Packages of a machine, by apt and dpkg.
pub struct DebianPackages;

impl DebianPackages {
    /// Lines that note which packages are not there: those go when we go.
    fn note_missing(spec: &PackagesSpec) -> Script {
        script!(
            "for p in {names}; do dpkg-query -W -f='${{db:Status-Abbrev}}' -- \"$p\" 2>/dev/null | grep -q '^.i' || : >{MEMORY}/package.$p; done",
            names = Self::names(spec),
            MEMORY
        )
    }

    fn names(spec: &PackagesSpec) -> Script {
        Script::words(spec.packages.keys().map(|name| quoted(name)))
    }
}

impl ShellKind for DebianPackages {
    type Spec = PackagesSpec;
    const SERVICE: &'static str = "apt";
    const ASKED_ALWAYS: bool = true;

    fn host(spec: &PackagesSpec) -> &str {
        &spec.host
    }

    fn id(spec: &PackagesSpec) -> String {
        let names: Vec<&str> = spec.packages.keys().map(String::as_str).collect();
        format!("{}:{}", spec.host, names.join(","))
    }

    fn look(spec: &PackagesSpec) -> Script {
        // dpkg-query fails for names that it never heard of, and still prints the others.
        script!(
            "dpkg-query -W -f='${{db:Status-Abbrev}} ${{Package}} ${{Version}}\\n' -- {names} 2>/dev/null || :",
            names = Self::names(spec)
        )
    }

    fn found(spec: &PackagesSpec, printed: &str) -> Option<Value> {
        let mut held: BTreeMap<&str, &str> = BTreeMap::new();
        for line in printed.lines() {
            let mut words = line.split_whitespace();
            // The second letter says how it is; the first what somebody wants (`hi`: held by the user, and installed).
            if let (Some(state), Some(name), Some(version)) = (words.next(), words.next(), words.next())
                && state.chars().nth(1) == Some('i')
                && let Some(wanted) = spec.packages.get(name)
            {
                held.insert(name, if wanted.is_empty() { "" } else { version });
            }
        }
        if held.is_empty() && !spec.packages.is_empty() {
            return None;
        }
        let mut found = json!({"host": spec.host, "packages": held});
        // Where they came from is not recorded by the machine.
        if !spec.files.is_empty() {
            found["files"] = json!(spec.files);
        }
        Some(found)
    }

    fn put(spec: &PackagesSpec) -> Script {
        let apt = "DEBIAN_FRONTEND=noninteractive apt-get -q -y -o DPkg::Lock::Timeout=120";
        let note = Self::note_missing(spec);
        if !spec.files.is_empty() {
            let files = Script::words(spec.files.iter().map(|file| quoted(file)));
            return script!("{note}\n{apt} --no-download install -- {files}", note, apt, files);
        }
        let wanted = spec.packages.iter().map(|(name, version)| {
            quoted(&if version.is_empty() { name.clone() } else { format!("{name}={version}") })
        });
        let install = script!("{apt} --allow-downgrades install -- {wanted}", apt, wanted = Script::words(wanted));
        // The lists of a new device are empty or old: ask for them only when the packages are not known. One list of
        // several that cannot be had need not be the one that counts: what counts is whether they are installed then. apt ends
        // well (0) when lists cannot be fetched, and says so in warnings: its own reason is told with what failed in the end.
        script!(
            r#"{note}
log="$akidb_edge_run/apt"
if ! {install} >"$log" 2>&1; then
  {apt} update >"$log" 2>&1 || :
  why=$(grep -aE '^(E:|W: (Failed to fetch|Some index|GPG error|The repository))' "$log" | grep -av 'Some index files' | tail -n 1)
  {install} >"$log" 2>&1 || {{
    code=$?
    test -z "$why" || printf 'apt-get update said: %s\n' "$why"
    if grep -qa '^E:' "$log"; then grep -aE '^E:| (Pre-)?Depends: ' "$log" | tail -n 2; else tail -n 2 "$log"; fi
    exit $code
  }}
fi"#,
            note,
            install,
            apt
        )
    }

    fn remove(spec: &PackagesSpec) -> Script {
        script!(
            "gone=; for p in {names}; do if test -e {MEMORY}/package.$p; then gone=\"$gone $p\"; fi; done\nif test -n \"$gone\"; then DEBIAN_FRONTEND=noninteractive apt-get -q -y -o DPkg::Lock::Timeout=120 remove -- $gone; for p in $gone; do rm -f {MEMORY}/package.$p; done; fi",
            names = Self::names(spec),
            MEMORY
        )
    }

    fn remedy(words: &str) -> Option<String> {
        let said = |all: &[&str]| all.iter().any(|one| words.contains(one));
        REMEDIES.iter().find(|(known, _)| said(known)).map(|(_, next)| (*next).to_owned())
    }
}

/// What apt and dpkg say (apt 2.0 to 3.0 in English), and what helps. The first that fits counts: a cause before what follows from it.
const REMEDIES: &[(&[&str], &str)] = &[
    (
        &["Could not get lock", "lock-frontend"],
        "another apt runs on the device (unattended-upgrades?): wait for it, then run the same command again",
    ),
    (
        &["No space left on device", "have enough free space"],
        "the device's disk is full: free some space (sudo apt-get clean; df -h), then run the same command again",
    ),
    (
        &["dpkg was interrupted", "dpkg --configure -a"],
        "an earlier installation on the device was interrupted: sudo dpkg --configure -a there, then run the same command again",
    ),
    (
        &["Conflicting values set for option"],
        "another list of apt on the device names the same repository with another key: akidb-edge jetson doctor names the file; remove it \
         there, then run the same command again",
    ),
    (
        &["Held packages were changed"],
        "a package is held at another version (apt-mark showhold): set that version in the plan, or release it there (apt-mark unhold NAME)",
    ),
    (
        &["is not valid yet", "is expired (invalid since"],
        "the clock of the device is wrong, so apt does not trust the lists: set it (akidb-edge jetson doctor shows the difference), then \
         run the same command again",
    ),
    (
        &["Temporary failure resolving", "Could not resolve"],
        "the device cannot resolve names: set its DNS server (nmcli connection modify NAME ipv4.dns ADDRESS), or provide the packages with \
         --artifacts",
    ),
    (
        &["NO_PUBKEY", "EXPKEYSIG", "is not signed"],
        "apt does not have the current key of that repository: install its publisher's new key on the device, or remove its list from \
         /etc/apt/sources.list.d",
    ),
    (
        &["apt-get update said"],
        "apt cannot update its lists: check that line, the device's network and /etc/apt/sources.list.d there, or provide the packages with \
         --artifacts",
    ),
    (
        &["unmet dependencies", "held broken packages", "Unmet dependencies", "Depends:"],
        "what the package needs cannot be installed with what is there: sudo apt-get --fix-broken install on the device repairs an \
         interrupted upgrade; a version in the plan must fit those of the packages that it needs",
    ),
    (
        &["was not found"],
        "the device's repositories do not have that version: apt-cache policy NAME there shows which they have; correct it in the plan, or \
         leave it out for any",
    ),
    (
        &["Unable to locate package", "has no installation candidate"],
        "the device's repositories do not have it: check /etc/apt/sources.list.d and the network, or provide the packages with --artifacts",
    ),
    (
        &["Sub-process /usr/bin/dpkg returned an error code"],
        "dpkg failed while it set up the package: sudo dpkg --configure -a on the device shows why",
    ),
];

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;
    use std::process::Command;

    use super::*;

    fn spec() -> PackagesSpec {
        let spec = json!({"host": "a", "packages": {"jq": ""}});
        serde_json::from_value(spec).expect("packages")
    }

    /// Runs the lines that install, with this in place of apt-get: exit status and what was said.
    fn installed(apt: &str) -> (i32, String) {
        let folder = tempfile::tempdir().expect("a directory");
        for (name, text) in [("apt-get", apt), ("dpkg-query", "exit 1")] {
            let path = folder.path().join(name);
            std::fs::write(&path, format!("#!/bin/sh\n{text}\n")).expect("a file");
            std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).expect("a file of ours");
        }
        let here = folder.path().display().to_string();
        let lines = DebianPackages::put(&spec()).as_str().replace(MEMORY, &here);
        let path = format!("{here}:{}", std::env::var("PATH").unwrap_or_default());
        let ran = Command::new("sh")
            .args(["-c", &format!("set -eu\nexec 2>&1\nakidb_edge_run={here}\n{lines}")])
            .env("PATH", path)
            .output()
            .expect("sh runs");
        (ran.status.code().unwrap_or(-1), String::from_utf8_lossy(&ran.stdout).into_owned())
    }

    #[test]
    fn apts_own_reason_is_told_although_it_ends_well() {
        for (update, reason, helps) in [
            (
                "W: Failed to fetch http://x/InRelease  Temporary failure resolving 'x'",
                "Temporary failure resolving",
                "DNS server",
            ),
            (
                "E: Conflicting values set for option Signed-By regarding source https://x/ /: a.gpg != b.asc",
                "Conflicting values",
                "jetson doctor",
            ),
            ("W: Failed to fetch https://third.example/  404  Not Found", "third.example", "sources.list.d"),
        ] {
            let apt = format!(
                "case \"$*\" in *' update') echo \"{update}\"; echo 'W: Some index files failed to download.'; exit 0;; *) echo 'Reading package lists...'; echo 'E: Unable to locate package jq' >&2; exit 100;; esac"
            );
            let (code, said) = installed(&apt);
            assert_eq!(code, 100, "{said}");
            let lines: Vec<&str> = said.lines().collect();
            assert_eq!(lines.len(), 2, "{said}");
            assert!(lines[0].contains(reason) && lines[1] == "E: Unable to locate package jq", "{said}");
            assert!(DebianPackages::remedy(&said).is_some_and(|next| next.contains(helps)), "{said}");
        }
    }

    #[test]
    fn what_dpkg_and_apt_say_has_its_own_remedy() {
        for (said, helps) in [
            (
                "E: dpkg was interrupted, you must manually run 'sudo dpkg --configure -a' to correct the problem.",
                "dpkg --configure",
            ),
            ("E: Release file for http://x/InRelease is not valid yet (invalid for another 5h 3min).", "clock"),
            (
                "apt-get update said: W: GPG error: https://x InRelease: EXPKEYSIG A4B469963BF863CC",
                "key of that repository",
            ),
            ("E: Version '1.18.9-1' for 'nvidia-container-toolkit' was not found", "apt-cache policy"),
            ("E: You don't have enough free space in /var/cache/apt/archives/.", "disk is full"),
            ("E: Unable to correct problems, you have held broken packages.", "--fix-broken"),
            ("E: Sub-process /usr/bin/dpkg returned an error code (1)", "dpkg --configure -a on the device shows why"),
        ] {
            assert!(DebianPackages::remedy(said).is_some_and(|next| next.contains(helps)), "{said}");
        }
    }

    #[test]
    fn what_a_package_needs_is_named() {
        let apt = "echo 'The following packages have unmet dependencies:'; echo ' jq : Depends: libjq1 (= 1.6) but 1.7 is to be installed'; \
                   echo 'E: Unable to correct problems, you have held broken packages.' >&2; exit 100";
        let (code, said) = installed(apt);
        assert_eq!(code, 100, "{said}");
        assert!(said.contains("jq : Depends: libjq1 (= 1.6) but 1.7 is to be installed"), "{said}");
    }

    #[test]
    fn a_broken_list_that_does_not_count_is_no_failure() {
        let apt = "case \"$*\" in *' update') echo 'W: Failed to fetch http://x'; : >\"$akidb\"; exit 0;; *) test -e \"$akidb\";; esac";
        let (code, said) = installed(&format!("akidb=$(dirname \"$0\")/fetched\n{apt}"));
        assert_eq!((code, said.as_str()), (0, ""));
    }

    #[test]
    fn a_held_package_counts_as_installed_and_is_not_ours() {
        let found = DebianPackages::found(&spec(), "hi  jq 1.6-2.1\n").expect("it is installed");
        assert_eq!(found["packages"], json!({"jq": ""}));
        assert_eq!(DebianPackages::found(&spec(), "rc  jq 1.6-2.1\n"), None, "removed, and its settings are left");
        // Only what was not there before is noted as ours.
        let note = DebianPackages::note_missing(&spec());
        assert!(note.contains("grep -q '^.i' || :"), "{note}");
        let held = "E: Held packages were changed and -y was used without --allow-change-held-packages.";
        assert!(DebianPackages::remedy(held).is_some_and(|next| next.contains("apt-mark showhold")));
    }
}

//! Debian packages.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::on_host::{MEMORY, Shell};
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

impl Shell for DebianPackages {
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
        // Where they came from is not remembered by the machine.
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
        // several that cannot be had need not be the one that counts: what counts is whether they are installed then.
        script!(
            "{note}\nlog=\"$akidb_edge_run/apt\"\nif ! {install} >\"$log\" 2>&1; then\n  {apt} update >\"$log\" 2>&1 || {{ echo 'apt-get update failed:'; grep -a '^[EW]:' \"$log\" | tail -n 3 || :; }}\n  {install}\nfi",
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
        let text = if words.contains("Could not get lock") || words.contains("lock-frontend") {
            "another apt runs on the device (unattended-upgrades?): wait for it, then run the same command again"
        } else if words.contains("apt-get update failed") {
            "apt cannot fetch its lists: look at the device's network and at what apt-get update says there, or bring the packages with --artifacts"
        } else if words.contains("Unable to locate package") || words.contains("has no installation candidate") {
            "the device's repositories do not have it: look at /etc/apt/sources.list.d and the network, or bring the packages with --artifacts"
        } else {
            return None;
        };
        Some(text.to_owned())
    }
}

//! Power modes by name.

use serde_json::{Value, json};

use super::facts;
use super::on_host::{MEMORY, ShellKind};
use super::script::{Script, quoted, script};
use crate::resource::power_mode::{ADAPTIVE_SERVICE, AUTO, PowerModeSpec};

/// Where the machine records the mode that it had before us.
const BEFORE: &str = "/var/lib/akidb-edge/power-mode.before";

/// It is there while a service follows the load.
const FOLLOWS: &str = "/var/lib/akidb-edge/power-mode.auto";

/// Sets the mode `$wanted`. Ids differ per board and release: the device's own table says which one has this name. Some
/// changes ask for a restart of the device; the answer is no, and the mode stays as it was.
const SET: &str = r#"if ! nvpmodel -q | grep -qxF -- "NV Power Mode: $wanted"; then
modes=$(sed -n 's/^< *POWER_MODEL  *ID=\([0-9]*\)  *NAME=\([^ >]*\).*/\1 \2/p' /etc/nvpmodel.conf)
id=$(printf '%s\n' "$modes" | while read -r id name; do if test "$name" = "$wanted"; then echo "$id"; fi; done | head -n 1)
if test -z "$id"; then echo "no power mode $wanted in /etc/nvpmodel.conf; known: $(printf '%s\n' "$modes" | cut -d' ' -f2 | tr '\n' ' ')"; exit 1; fi
said=$(echo no | nvpmodel -m "$id" 2>&1) || :
if ! nvpmodel -q | grep -qxF -- "NV Power Mode: $wanted"; then
  case "$said" in *[Rr]eboot*) echo "mode $wanted (nvpmodel -m $id): reboot required";; *) echo "nvpmodel -m $id: $said";; esac
  exit 1
fi
fi"#;

/// Ends when the device has none of the modes `$wanted`, before a service is left there that cannot follow anything.
const ANY: &str = r#"there=$(sed -n 's/^< *POWER_MODEL .*NAME=\([^ >]*\).*/\1/p' /etc/nvpmodel.conf | tr '\n' ' ')
any=; for mode in $wanted; do case " $there" in *" $mode "*|*" MODE_$mode "*) any=1;; esac; done
if test -z "$any"; then echo "no power mode of those that auto goes through ($wanted) in /etc/nvpmodel.conf; known: $there"; exit 1; fi"#;

/// Power modes of Jetsons.
pub struct PowerModes;

impl ShellKind for PowerModes {
    type Spec = PowerModeSpec;
    const SERVICE: &'static str = "nvpmodel";

    fn host(spec: &PowerModeSpec) -> &str {
        &spec.host
    }

    fn id(spec: &PowerModeSpec) -> String {
        format!("{}:power-mode", spec.host)
    }

    fn look(_spec: &PowerModeSpec) -> Script {
        script!(
            "if test -e {FOLLOWS}; then echo 'NV Power Mode: {AUTO}'; else nvpmodel -q 2>/dev/null || :; fi",
            FOLLOWS,
            AUTO
        )
    }

    fn found(spec: &PowerModeSpec, printed: &str) -> Option<Value> {
        let mode = facts::power_mode(printed)?;
        let mut found = json!({"host": spec.host, "mode": mode});
        // What the service goes through is in its own file.
        if mode == AUTO && !spec.modes.is_empty() {
            found["modes"] = json!(spec.modes);
        }
        Some(found)
    }

    /// A device has always some mode: what it had before us comes back when we go.
    const ASKED_ALWAYS: bool = true;

    fn put(spec: &PowerModeSpec) -> Script {
        let keep = script!("test -e {BEFORE} || nvpmodel -q | sed -n 's/^NV Power Mode: *//p' >{BEFORE}", BEFORE);
        if spec.mode == AUTO {
            let wanted = quoted(&spec.modes.join(" "));
            let any = if spec.modes.is_empty() { "" } else { ANY };
            return script!("wanted={wanted}\n{any}\n{keep}\n: >{FOLLOWS}", wanted, any, keep, FOLLOWS);
        }
        // Whoever follows the load would change the mode again before it is taken away.
        script!(
            "{keep}\nif test -e {FOLLOWS}; then systemctl stop -- {ADAPTIVE_SERVICE} 2>/dev/null || :; fi\nwanted={mode}\n{SET}\nrm -f {FOLLOWS}",
            keep,
            FOLLOWS,
            ADAPTIVE_SERVICE,
            mode = quoted(&spec.mode),
            SET
        )
    }

    fn remove(_spec: &PowerModeSpec) -> Script {
        script!(
            "wanted=$(cat {BEFORE} 2>/dev/null || :)\nif test -n \"$wanted\"; then\n{SET}\nfi\nrm -f {BEFORE} {FOLLOWS}; rmdir {MEMORY} 2>/dev/null || :",
            BEFORE,
            SET,
            FOLLOWS,
            MEMORY
        )
    }

    fn remedy(words: &str) -> Option<String> {
        if words.contains("reboot required") {
            return Some(
                "this change of the power mode needs a reboot of the device: drain it (akidb-edge jetson \
                         drain), run that nvpmodel on it as root and answer YES; once it is back, run the same \
                         command again"
                    .to_owned(),
            );
        }
        if words.contains("those that auto goes through") {
            return Some("write adaptive_power: {modes: [...]} in the plan, from the smallest to the largest of those that this device has".to_owned());
        }
        words.contains("no power mode").then(|| "choose one of the modes that this device has".to_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Runs the lines that make `auto`, on a device with these modes: exit status and what was said.
    fn follows(modes: &[&str], there: &[&str]) -> (i32, String) {
        let folder = tempfile::tempdir().expect("a directory");
        let here = |name: &str| folder.path().join(name).display().to_string();
        let table: String =
            there.iter().enumerate().map(|(at, mode)| format!("< POWER_MODEL ID={at} NAME={mode} >\n")).collect();
        std::fs::write(here("nvpmodel.conf"), table).expect("a file");
        let spec = PowerModeSpec {
            host: "a".to_owned(),
            mode: AUTO.to_owned(),
            modes: modes.iter().map(|mode| (*mode).to_owned()).collect(),
        };
        let lines = PowerModes::put(&spec)
            .as_str()
            .replace(MEMORY, &here(""))
            .replace("/etc/nvpmodel.conf", &here("nvpmodel.conf"));
        let ran =
            std::process::Command::new("sh").args(["-c", &format!("set -eu\n{lines}")]).output().expect("sh runs");
        let follows = std::path::Path::new(&here("power-mode.auto")).exists();
        assert_eq!(follows, ran.status.success(), "a service follows only where it can");
        (ran.status.code().unwrap_or(-1), String::from_utf8_lossy(&ran.stdout).into_owned())
    }

    #[test]
    fn auto_is_refused_where_the_board_has_none_of_its_modes() {
        assert_eq!(follows(&["15W", "25W"], &["15W", "25W", "MAXN_SUPER"]).0, 0);
        assert_eq!(follows(&["15W", "25W"], &["MAXN", "MODE_15W", "MODE_30W", "MODE_50W"]).0, 0);
        let (code, said) = follows(&["15W", "25W"], &["MAXN", "MODE_30W", "MODE_50W"]);
        assert_eq!(code, 1);
        assert!(said.contains("(15W 25W)") && said.contains("known: MAXN MODE_30W MODE_50W"), "{said}");
        assert!(PowerModes::remedy(&said).is_some_and(|next| next.contains("adaptive_power")));
    }

    #[test]
    fn what_follows_is_found_as_it_was_asked_for() {
        let spec: PowerModeSpec =
            serde_json::from_value(json!({"host": "a", "mode": "auto", "modes": ["15W"]})).expect("a mode");
        let found = PowerModes::found(&spec, "NV Power Mode: auto\n").expect("a mode");
        assert_eq!(found, serde_json::to_value(&spec).expect("plain data"));
    }
}

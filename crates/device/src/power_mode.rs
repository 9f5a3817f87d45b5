//! Power modes by name.

use serde_json::{Value, json};

use super::facts;
use super::on_host::{MEMORY, Shell};
use super::script::{Script, quoted, script};
use crate::resource::power_mode::{ADAPTIVE_SERVICE, AUTO, PowerModeSpec};

/// Where the machine remembers the mode that it had before us.
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

/// Power modes of Jetsons.
pub struct PowerModes;

impl Shell for PowerModes {
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
        Some(json!({"host": spec.host, "mode": mode}))
    }

    /// A device has always some mode: what it had before us comes back when we go.
    const ASKED_ALWAYS: bool = true;

    fn put(spec: &PowerModeSpec) -> Script {
        let keep = script!("test -e {BEFORE} || nvpmodel -q | sed -n 's/^NV Power Mode: *//p' >{BEFORE}", BEFORE);
        if spec.mode == AUTO {
            return script!("{keep}\n: >{FOLLOWS}", keep, FOLLOWS);
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
            return Some("this change of mode needs a restart of the device: drain it (akidb-edge jetson drain), run that nvpmodel on it as root and answer YES; once it is back, run the same command again".to_owned());
        }
        words.contains("no power mode").then(|| "choose one of the modes that this device has".to_owned())
    }
}

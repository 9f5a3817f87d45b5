//! Power modes by name.

use serde_json::{Value, json};

use super::facts;
use super::on_host::Shell;
use super::script::quoted;
use crate::resource::power_mode::PowerModeSpec;

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

    fn look(_spec: &PowerModeSpec) -> String {
        "nvpmodel -q 2>/dev/null || :".to_owned()
    }

    fn found(spec: &PowerModeSpec, printed: &str) -> Option<Value> {
        let mode = facts::power_mode(printed)?;
        Some(json!({"host": spec.host, "mode": mode}))
    }

    fn put(spec: &PowerModeSpec) -> String {
        let name = quoted(&spec.mode);
        // Ids differ per board and release: the device's own table says which one has this name. Some changes ask for a
        // restart of the device; the answer is no, and the mode stays as it was.
        format!(
            "id=$(sed -n 's/^< *POWER_MODEL  *ID=\\([0-9]*\\)  *NAME=\\([^ >]*\\).*/\\1 \\2/p' /etc/nvpmodel.conf | while read -r id name; do if test \"$name\" = {name}; then echo \"$id\"; fi; done | head -n 1)\nif test -z \"$id\"; then echo \"no power mode {} in /etc/nvpmodel.conf; known: $(sed -n 's/^< *POWER_MODEL .*NAME=\\([^ >]*\\).*/\\1/p' /etc/nvpmodel.conf | tr '\\n' ' ')\"; exit 1; fi\necho no | nvpmodel -m \"$id\"\nnvpmodel -q | grep -qx \"NV Power Mode: \"{name} || {{ echo reboot required; exit 1; }}",
            spec.mode.replace(['"', '$', '`', '\\'], "")
        )
    }

    /// A device has always some mode: it stays in this one.
    fn remove(_spec: &PowerModeSpec) -> String {
        ":".to_owned()
    }

    fn remedy(words: &str) -> Option<String> {
        if words.contains("reboot required") {
            return Some("this change of mode needs a restart of the device: drain it (jetson drain), restart it, run the same command again".to_owned());
        }
        words.contains("no power mode").then(|| "choose one of the modes that this device has".to_owned())
    }
}

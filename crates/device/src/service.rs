//! systemd units.

use serde_json::{Value, json};

use super::on_host::{MEMORY, ShellKind};
use super::script::{Script, lines, quoted, script};
use crate::resource::service::ServiceSpec;

/// Units of a machine.
pub struct Services;

impl Services {
    /// Where the machine records for what the unit was started last.
    fn started_for(spec: &ServiceSpec) -> Script {
        quoted(&format!("{MEMORY}/started.{}", spec.unit))
    }
}

impl ShellKind for Services {
    type Spec = ServiceSpec;
    const SERVICE: &'static str = "systemd";

    fn host(spec: &ServiceSpec) -> &str {
        &spec.host
    }

    fn id(spec: &ServiceSpec) -> String {
        format!("{}:{}", spec.host, spec.unit)
    }

    fn look(spec: &ServiceSpec) -> Script {
        let unit = quoted(&spec.unit);
        script!(
            "echo enabled=$(systemctl is-enabled -- {unit} 2>/dev/null || :)\necho active=$(systemctl is-active -- {unit} 2>/dev/null || :)\necho started=$(cat {started_for} 2>/dev/null || :)",
            unit,
            started_for = Self::started_for(spec)
        )
    }

    fn found(spec: &ServiceSpec, printed: &str) -> Option<Value> {
        let seen = lines(printed);
        let enabled = *seen.get("enabled")?;
        let active = *seen.get("active")? == "active";
        if enabled != "enabled" && !active {
            return None;
        }
        Some(json!({
            "host": spec.host, "unit": spec.unit, "enabled": enabled == "enabled", "active": active,
            "restart_on": seen.get("started").copied().unwrap_or_default(),
        }))
    }

    fn put(spec: &ServiceSpec) -> Script {
        let unit = quoted(&spec.unit);
        let started = Self::started_for(spec);
        let enable = if spec.enabled { "enable" } else { "disable" };
        let restart = quoted(&spec.restart_on);
        let run = if spec.active {
            script!(
                "if systemctl is-active --quiet -- {unit} && test \"$(cat {started} 2>/dev/null || :)\" = {restart}; then :; else systemctl restart -- {unit}; fi",
                unit,
                started,
                restart
            )
        } else {
            script!("systemctl stop -- {unit}", unit)
        };
        script!(
            "systemctl daemon-reload\nsystemctl {enable} -- {unit}\n{run}\nprintf %s {restart} >{started}",
            enable,
            unit,
            run,
            restart,
            started
        )
    }

    fn remove(spec: &ServiceSpec) -> Script {
        let unit = quoted(&spec.unit);
        script!(
            "systemctl disable -- {unit} || :\nsystemctl stop -- {unit} || :\nrm -f {started_for}",
            unit,
            started_for = Self::started_for(spec)
        )
    }

    fn remedy(words: &str) -> Option<String> {
        words
            .contains("Job for ")
            .then(|| "check journalctl -xeu of that unit on the device, then run the same command again".to_owned())
    }
}

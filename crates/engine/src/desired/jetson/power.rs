//! The power mode of a device: fixed, or set by a small service that follows the load.

use serde_json::json;

use super::super::Builder;
use super::devices::put;
use super::on;
use crate::plan::Step;
use crate::plan::jetson::{HostPlan, JetsonStep};
use crate::resource::file::{Content, FileSpec};
use crate::resource::power_mode::{ADAPTIVE_SERVICE, AUTO, PowerModeSpec};
use crate::resource::service::ServiceSpec;
use crate::resource::{Address, Kind, Level, Resource, sha256_hex};
use crate::template;

/// Ends of the addresses of the service and its files.
const SERVICE: &str = "adaptive-power";
const PROGRAM: &str = "adaptive-power-program";
const UNIT: &str = "adaptive-power-unit";
/// Where they are on a device.
const PROGRAM_PATH: &str = "/usr/local/sbin/akidb-adaptive-power";

/// Whether an address is about the power of a device.
pub fn is_power(address: &Address) -> bool {
    let ends = |end: &str| address.name().ends_with(end);
    let kind = address.as_str().split('.').nth(1).unwrap_or_default();
    kind == Kind::PowerMode.name()
        || kind == Kind::Service.name() && ends(SERVICE)
        || kind == Kind::File.name() && (ends(PROGRAM) || ends(UNIT))
}

/// What the plan says of a device's power.
pub fn power(builder: &mut Builder<'_>, step: &Step, plan: &JetsonStep, name: &str, host: &HostPlan) {
    let Some(mode) = host.power_mode.as_ref().or(plan.power_mode.as_ref()) else { return };
    let modes = if mode == AUTO { plan.adaptive_power.modes.clone() } else { Vec::new() };
    let spec = PowerModeSpec { host: name.to_owned(), mode: mode.clone(), modes };
    let resource = Resource::new(on(name, Kind::PowerMode, ""), Kind::PowerMode, &spec);
    let said_at = if host.power_mode.is_some() { format!("hosts.{name}.power_mode") } else { "power_mode".to_owned() };
    let mode = put(builder, step, &said_at, name, resource);
    if spec.mode == AUTO {
        adaptive(builder, step, plan, name, &mode);
    }
}

fn adaptive(builder: &mut Builder<'_>, step: &Step, plan: &JetsonStep, name: &str, mode: &Address) {
    let wanted = &plan.adaptive_power;
    let odd = |mode: &String| mode.is_empty() || !mode.chars().all(|c| c.is_ascii_alphanumeric() || "_-.".contains(c));
    if wanted.modes.is_empty() || wanted.modes.iter().any(odd) {
        let problem = "the modes of adaptive_power are not names of power modes";
        return builder.complain(step, "adaptive_power", problem, "write modes: [15W, 25W]");
    }
    let context = json!({
        "modes": wanted.modes.join(" "), "busy": wanted.busy_percent, "idle_seconds": u64::from(wanted.idle_minutes) * 60,
        "program": PROGRAM_PATH,
    });
    let text = |builder: &mut Builder<'_>, template: &str| match template::render(template, &context) {
        Ok(text) => Some(text),
        Err(bad) => {
            builder.complain(step, "adaptive_power", bad.to_string(), "this is a bug: please report it");
            None
        }
    };
    let program = text(builder, "jetson/adaptive-power.sh");
    let unit = text(builder, "jetson/adaptive-power.service");
    let (Some(program), Some(unit)) = (program, unit) else { return };
    let restart_on = sha256_hex(format!("{program}{unit}").as_bytes())[..16].to_owned();
    let file = |what: &str, path: &str, mode: &str, text: String| {
        let spec = FileSpec {
            host: name.to_owned(),
            path: path.to_owned(),
            content: Content::Text(text),
            mode: Some(mode.to_owned()),
            owner: None,
            group: None,
        };
        Resource::new(on(name, Kind::File, what), Kind::File, &spec)
    };
    let program = put(builder, step, "adaptive_power", name, file(PROGRAM, PROGRAM_PATH, "0755", program));
    let path = format!("/etc/systemd/system/{ADAPTIVE_SERVICE}");
    let unit = put(builder, step, "adaptive_power", name, file(UNIT, &path, "0644", unit));
    let spec = ServiceSpec {
        host: name.to_owned(),
        unit: ADAPTIVE_SERVICE.to_owned(),
        enabled: true,
        active: true,
        restart_on,
    };
    let service = Resource::new(on(name, Kind::Service, SERVICE), Kind::Service, &spec);
    put(
        builder,
        step,
        "adaptive_power",
        name,
        [program, unit, mode.clone()].into_iter().fold(service, |service, need| service.needing(need, Level::Usable)),
    );
}

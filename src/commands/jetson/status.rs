//! `jetson status`: nodes, load, temperatures, power, versions. Changes nothing.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::Serialize;
use serde_json::json;

use super::devices::{DeviceAnswer, DevicesArgs, VerbDevices};
use crate::commands::Context;
use crate::exit::{self, Failure};
use crate::provider::device::{DeviceFacts, DeviceLoad, FACTS_SCRIPT, LOAD_SCRIPT, Script, node_states};
use crate::report;
use crate::resource::{Fault, shown};

/// Show live device status: nodes, load, temperatures, power, versions.
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(flatten)]
    devices: DevicesArgs,
    /// Limit to these devices
    #[arg(long, value_name = "NAME")]
    host: Vec<String>,
    /// Refresh every SECONDS until Ctrl-C; with --json, one document per line
    #[arg(long, value_name = "SECONDS", num_args = 0..=1, default_missing_value = "5")]
    watch: Option<u64>,
}

/// A device as it is now.
#[derive(Debug, Serialize)]
struct Row {
    name: String,
    role: &'static str,
    /// What the API says of its node: ready, not ready, cordoned; none when it is not a node.
    node: Option<&'static str>,
    facts: Option<DeviceFacts>,
    load: Option<DeviceLoad>,
    fault: Option<Fault>,
}

/// The API server's list of nodes is waited for so long, the way to it included.
const NODES_WITHIN: Duration = Duration::from_secs(20);

/// Shows.
///
/// # Errors
/// What failed, why, and the next step.
pub async fn run(args: Args, context: &Context) -> Result<u8, Failure> {
    let mut devices = args.devices.load(&args.host, context)?;
    let Some(seconds) = args.watch else {
        let rows = look(&devices).await;
        let code = code(&rows);
        if context.printer.json {
            context.printer.json("devices", &json!({"exit": code, "devices": rows}));
        } else {
            show(&rows, context);
            devices.say_who_is_away(rows.iter().filter_map(|row| row.fault.as_ref()), context);
        }
        return Ok(code);
    };
    let mut every = tokio::time::interval(Duration::from_secs(seconds.max(1)));
    loop {
        every.tick().await;
        let rows = look(&devices).await;
        if context.printer.json {
            report::put_json_line(
                &json!({"schema": "akidb-edge/devices/v1", "at": now(), "exit": code(&rows), "devices": rows}),
            );
        } else {
            if context.session.terminal {
                // Home, and everything below is cleared.
                report::clear();
            }
            report::put(shown!("{}  every {} s, Ctrl-C ends it", now(), seconds.max(1)));
            show(&rows, context);
        }
        // A device that was away is tried anew; connections that stand are kept.
        if rows.iter().any(|row| row.fault.is_some()) {
            devices.try_again();
        }
    }
}

fn now() -> String {
    jiff::Zoned::now().strftime("%Y-%m-%d %H:%M:%S").to_string()
}

async fn look(devices: &VerbDevices) -> Vec<Row> {
    let script = Script::from(FACTS_SCRIPT).and("\n").and(LOAD_SCRIPT);
    let (answers, nodes) = tokio::join!(devices.ask(script), nodes(devices));
    let row = |(name, answer): (String, DeviceAnswer)| {
        let (role, node) = (devices.role(&name), nodes.get(&name).copied());
        match answer.reply {
            Err(fault) => Row { name, role, node, facts: None, load: None, fault: Some(fault) },
            Ok(reply) => Row {
                name,
                role,
                node,
                facts: Some(DeviceFacts::of(&reply)),
                load: DeviceLoad::of(&reply),
                fault: None,
            },
        }
    };
    answers.into_iter().map(row).collect()
}

/// What the API says of each node; nothing when there is no cluster or it cannot be asked.
async fn nodes(devices: &VerbDevices) -> BTreeMap<String, &'static str> {
    let Ok(server) = devices.server() else { return BTreeMap::new() };
    match tokio::time::timeout(NODES_WITHIN, devices.api.nodes(server)).await {
        Ok(Ok(Some(nodes))) => node_states(&nodes),
        _ => BTreeMap::new(),
    }
}

/// 1: a device did not answer; 2: a node is not ready.
fn code(rows: &[Row]) -> u8 {
    if rows.iter().any(|row| row.fault.is_some()) {
        return exit::ERROR;
    }
    let well = |row: &Row| row.role.is_empty() || row.node == Some("ready");
    if rows.iter().all(well) { exit::DONE } else { exit::PENDING }
}

fn show(rows: &[Row], context: &Context) {
    let header = ["device", "role", "node", "k3s", "JetPack", "mode", "GPU", "CPU", "°C", "RAM GiB", "W"];
    let cells: Vec<Vec<String>> = rows.iter().map(cells).collect();
    let first_to_go = ["JetPack", "mode", "RAM GiB", "CPU", "°C", "k3s", "W"];
    context.printer.data(report::rows_table(&header, &cells, &first_to_go, context.screen()));
}

fn cells(row: &Row) -> Vec<String> {
    let or_dash = |text: Option<String>| text.filter(|text| !text.is_empty()).unwrap_or_else(|| "-".to_owned());
    let (facts, load) = (row.facts.as_ref(), row.load.as_ref());
    let percent = |value: Option<u8>| or_dash(value.map(|value| format!("{value} %")));
    let k3s = facts.map_or_else(|| "no answer".to_owned(), |facts| facts.k3s.line());
    let zone = facts.and_then(|facts| facts.temperatures.values().max().map(|degrees| *degrees as f64));
    let ram = load.and_then(|load| Some((load.ram_used_mib? as f64 / 1024.0, load.ram_mib? as f64 / 1024.0)));
    vec![
        row.name.clone(),
        or_dash(Some(row.role.to_owned())),
        or_dash(row.node.map(str::to_owned)),
        or_dash(Some(k3s)),
        or_dash(facts.and_then(|facts| facts.jetpack().map(str::to_owned))),
        or_dash(facts.map(|facts| facts.power_mode.line())),
        percent(load.and_then(|load| load.gpu_percent)),
        percent(load.and_then(|load| load.cpu_percent)),
        or_dash(load.and_then(DeviceLoad::hottest).or(zone).map(|degrees| format!("{degrees:.0}"))),
        or_dash(ram.map(|(used, all)| format!("{used:.1} of {all:.1}"))),
        or_dash(load.and_then(|load| load.power_mw).map(|power| format!("{:.1}", power as f64 / 1000.0))),
    ]
}

/// A device of a plan as the cluster and it itself say.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NodeSeen {
    /// What the API says of its node: ready, not ready, cordoned; none when it is not a node or the API did not answer.
    pub node: Option<&'static str>,
    /// Whether it runs the major release of JetPack that the plan says; true where the plan says none.
    pub has_jetpack_of_plan: bool,
    /// The use of its GPU now, in percent; none where tegrastats does not say it.
    pub gpu_percent: Option<u8>,
}

/// The devices of a plan, for a report.
pub async fn seen_nodes(devices: &VerbDevices) -> Vec<NodeSeen> {
    let major = |release: &str| release.split('.').next().map(str::to_owned);
    let seen = |row: Row| {
        let wanted = devices.wanted(&row.name).jetpack;
        let there = row.facts.as_ref().and_then(DeviceFacts::jetpack);
        let same = wanted.is_none_or(|wanted| there.is_some_and(|there| major(there) == major(&wanted)));
        let gpu_percent = row.load.as_ref().and_then(|load| load.gpu_percent);
        NodeSeen { node: row.node, has_jetpack_of_plan: row.facts.is_some() && same, gpu_percent }
    };
    look(devices).await.into_iter().map(seen).collect()
}

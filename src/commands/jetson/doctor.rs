//! `jetson doctor`: the facts of each device, and each problem with its exact remedy. Changes nothing.

use std::collections::BTreeMap;

use serde_json::json;

use super::devices::{DevicesArgs, VerbDevices};
use crate::commands::Context;
use crate::exit::{self, Failure};
use crate::provider::device::{
    DeviceFacts, DeviceFinding, DeviceRequirements, FACTS_SCRIPT, FindingSeverity, ScriptOutput, diagnose,
};
use crate::report;
use crate::resource::{Fault, SafeText, ToSafeText, Untrusted, shown};

/// Diagnose devices and print how to fix each problem. Exit code 1: provisioning cannot succeed, 2: warnings.
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(flatten)]
    devices: DevicesArgs,
    /// Limit to these devices
    #[arg(long, value_name = "NAME")]
    host: Vec<String>,
}

/// What is known of one device.
type Seen = Result<(DeviceFacts, Vec<DeviceFinding>), Fault>;

/// Looks.
///
/// # Errors
/// What failed, why, and the next step.
pub async fn run(args: Args, context: &Context) -> Result<u8, Failure> {
    let devices = args.devices.load(&args.host, context)?;
    let mut seen: BTreeMap<String, Seen> = BTreeMap::new();
    for (name, answer) in devices.ask(FACTS_SCRIPT).await {
        let wanted = DeviceRequirements { now: answer.at, ..devices.wanted(&name) };
        seen.insert(name, answer.reply.map(|reply| examined(&wanted, &reply)));
    }
    let code = code(&seen);
    if context.printer.json {
        context.printer.json("doctor", &document(&seen, code));
        return Ok(code);
    }
    context.printer.data(table(&devices, &seen, context.screen()));
    context.printer.data(findings(&seen));
    context.printer.data(verdict(&seen));
    Ok(code)
}

fn examined(wanted: &DeviceRequirements, reply: &ScriptOutput) -> (DeviceFacts, Vec<DeviceFinding>) {
    let facts = DeviceFacts::of(reply);
    let found = diagnose(&facts, wanted);
    (facts, found)
}

fn code(seen: &BTreeMap<String, Seen>) -> u8 {
    let worst = seen.values().map(|one| match one {
        Err(_) => Some(FindingSeverity::Blocks),
        Ok((_, found)) => found.iter().map(|finding| finding.severity).max(),
    });
    match worst.max().flatten() {
        Some(FindingSeverity::Blocks) => exit::ERROR,
        Some(FindingSeverity::Warning) => exit::PENDING,
        _ => exit::DONE,
    }
}

fn table(devices: &VerbDevices, seen: &BTreeMap<String, Seen>, screen: report::Screen) -> SafeText {
    let header = ["device", "role", "JetPack", "kernel", "mode", "°C", "disk free", "k3s", "problems"];
    let dash = |text: &str| if text.is_empty() { "-".to_owned() } else { text.to_owned() };
    let said = |text: &Untrusted| dash(&text.line());
    let rows = seen.iter().map(|(name, one)| {
        let Ok((facts, found)) = one else {
            let mut row = vec![name.clone(), dash(devices.role(name))];
            row.resize(header.len() - 1, "-".to_owned());
            row.push("no answer".to_owned());
            return row;
        };
        let hottest = facts.temperatures.values().max().map_or_else(|| "-".to_owned(), ToString::to_string);
        let count = found.iter().filter(|finding| finding.severity > FindingSeverity::Note).count();
        vec![
            name.clone(),
            dash(devices.role(name)),
            facts.jetpack().unwrap_or("-").to_owned(),
            said(&facts.kernel),
            said(&facts.power_mode),
            hottest,
            format!("{} GiB", facts.disk_free_kib >> 20),
            said(&facts.k3s),
            if count == 0 { "none".to_owned() } else { count.to_string() },
        ]
    });
    let rows: Vec<Vec<String>> = rows.collect();
    report::rows_table(&header, &rows, &["kernel", "mode", "°C", "k3s", "JetPack", "disk free"], screen)
}

/// What was found, the worst first; what several devices have in common once.
fn findings(seen: &BTreeMap<String, Seen>) -> SafeText {
    let mut said: BTreeMap<(u8, SafeText, SafeText), Vec<String>> = BTreeMap::new();
    for (name, one) in seen {
        let mut add = |word: u8, problem: SafeText, remedy: SafeText| {
            said.entry((word, problem, remedy)).or_default().push(name.clone());
        };
        match one {
            Err(fault) => {
                let again = || SafeText::from("run the same command again");
                add(0, fault.message.block(), fault.next_step.as_ref().map_or_else(again, SafeText::from))
            }
            Ok((_, found)) => {
                found.iter().for_each(|one| add(weight(one.severity), one.problem.to_shown(), one.remedy.to_shown()))
            }
        }
    }
    let line = |((word, problem, remedy), names): (&(u8, SafeText, SafeText), &Vec<String>)| {
        // Why there is no answer names the device itself.
        let names = if *word == 0 { SafeText::default() } else { shown!("{}: ", report::names(names)) };
        shown!("\n{:<11} {}{}\n  remedy: {}\n", WORDS[usize::from(*word)], names, problem, remedy)
    };
    SafeText::join(said.iter().map(line), "")
}

/// The words of findings, the worst first.
const WORDS: [&str; 4] = ["unreachable", "blocking", "warning", "note"];

const fn weight(severity: FindingSeverity) -> u8 {
    match severity {
        FindingSeverity::Blocks => 1,
        FindingSeverity::Warning => 2,
        FindingSeverity::Note => 3,
    }
}

fn verdict(seen: &BTreeMap<String, Seen>) -> SafeText {
    let away = seen.values().filter(|one| one.is_err()).count();
    let all = || seen.values().flatten().flat_map(|(_, found)| found);
    let count = |severity| all().filter(|finding| finding.severity == severity).count();
    let (blocks, warnings) = (count(FindingSeverity::Blocks), count(FindingSeverity::Warning));
    let devices = report::counted(seen.len(), "device");
    if away + blocks + warnings == 0 {
        return shown!("\n{}: no problem found", devices);
    }
    shown!("\n{}: {} without an answer, {} blocking, {}", devices, away, blocks, report::counted(warnings, "warning"))
}

fn document(seen: &BTreeMap<String, Seen>, code: u8) -> serde_json::Value {
    let one = |(name, one): (&String, &Seen)| match one {
        Ok((facts, found)) => {
            json!({"name": name, "reachable": true, "jetpack": facts.jetpack(), "facts": facts, "findings": found})
        }
        Err(fault) => json!({"name": name, "reachable": false, "fault": fault}),
    };
    json!({"exit": code, "devices": seen.iter().map(one).collect::<Vec<_>>()})
}

//! Settings of a function that no plan can set.

use serde_json::{Value, json};

use super::*;
use crate::resource::UnmanagedField;

/// In front of the name of a variable that others set.
const VARIABLE: &str = "environment.";

fn extra(path: impl Into<String>, value: Value) -> UnmanagedField {
    UnmanagedField { path: path.into(), value, theirs: false }
}

/// Settings that plans cannot state, where they differ from Lambda's default.
pub fn extras(held: &FunctionConfiguration, reserved: Option<i32>) -> Vec<UnmanagedField> {
    let dead = held.dead_letter_config.as_ref().and_then(|to| to.target_arn.clone()).filter(|to| !to.is_empty());
    let tracing = held.tracing_config.as_ref().and_then(|tracing| tracing.mode.as_ref());
    let tracing = tracing.filter(|mode| mode.as_str() == "Active");
    let disk = held.ephemeral_storage.as_ref().map(|disk| disk.size).filter(|megabytes| *megabytes != 512);
    let snap = held.snap_start.as_ref().and_then(|snap| snap.apply_on.as_ref());
    let snap = snap.filter(|on| on.as_str() != "None");
    let files = held.file_system_configs.iter().flatten();
    let files: Vec<String> = files.map(|one| one.arn.clone()).collect();
    let logs = held.logging_config.as_ref();
    let format = logs.and_then(|logs| logs.log_format.as_ref()).filter(|format| format.as_str() != "Text");
    let usual = format!("/aws/lambda/{}", held.function_name.as_deref().unwrap_or_default());
    let group = logs.and_then(|logs| logs.log_group.clone()).filter(|group| *group != usual);
    let groups = held.vpc_config.as_ref().and_then(|vpc| vpc.security_group_ids.clone()).unwrap_or_default();
    let all = [
        ("reserved_concurrency", reserved.map(Value::from)),
        ("dead_letter", dead.map(Value::from)),
        ("tracing", tracing.map(|mode| mode.as_str().into())),
        ("ephemeral_storage_mb", disk.map(Value::from)),
        ("snap_start", snap.map(|on| on.as_str().into())),
        ("file_systems", (!files.is_empty()).then(|| files.into())),
        ("kms_key", held.kms_key_arn.clone().filter(|key| !key.is_empty()).map(Value::from)),
        ("log_format", format.map(|format| format.as_str().into())),
        ("log_group", group.map(Value::from)),
        ("security_groups", (!groups.is_empty()).then(|| json!(groups))),
    ];
    all.into_iter().filter_map(|(path, value)| Some(extra(path, value?))).collect()
}

/// Takes out of `seen` what neither the plan nor an earlier run states: variables, layers and subnets of others.
pub fn set_apart(
    seen: &mut FunctionSpec,
    wanted: &FunctionSpec,
    before: Option<&FunctionSpec>,
    extras: &mut Vec<UnmanagedField>,
) {
    let asked = |holds: &dyn Fn(&FunctionSpec) -> bool| holds(wanted) || before.is_some_and(holds);
    let (ours, others) = std::mem::take(&mut seen.environment)
        .into_iter()
        .partition(|(name, _)| asked(&|spec| spec.environment.contains_key(name)));
    seen.environment = ours;
    let others: BTreeMap<String, String> = others;
    extras.extend(others.into_iter().map(|(name, value)| extra(format!("{VARIABLE}{name}"), value.into())));
    if !asked(&|spec| !spec.layers.is_empty()) && !seen.layers.is_empty() {
        extras.push(extra("layers", std::mem::take(&mut seen.layers).into()));
    }
    if !asked(&|spec| !spec.subnets.is_empty()) && !seen.subnets.is_empty() {
        extras.push(extra("subnets", std::mem::take(&mut seen.subnets).into()));
    }
}

/// The variables that others set.
pub fn variables(found: &ObservedResource) -> impl Iterator<Item = (String, String)> {
    let named = found.extras.iter().filter_map(|extra| Some((extra.path.strip_prefix(VARIABLE)?, &extra.value)));
    named.filter_map(|(name, value)| Some((name.to_owned(), value.as_str()?.to_owned())))
}

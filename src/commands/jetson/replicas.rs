//! What runs the models of the replicas on the devices.

use super::devices::VerbDevices;
use crate::plan::StepConfig;
use crate::provider::device::{ReplicaSeen, replica_script};

/// The replicas of the app of a plan, for a report.
///
/// # Errors
/// Why nothing is known of them.
pub async fn seen_replicas(devices: &VerbDevices) -> Result<Vec<ReplicaSeen>, String> {
    let app = devices.plan.steps.iter().find_map(|step| match &step.work {
        StepConfig::JetsonApp(app) => Some(app),
        _ => None,
    });
    let app = app.ok_or_else(|| "the plan has no step of kind jetson-app".to_owned())?;
    let server = devices.server().map_err(|bad| bad.problem.as_str().to_owned())?;
    let script = replica_script(&app.namespace, &app.name, app.port);
    let answer = devices.fleet.run(server, script).await.map_err(|fault| fault.to_string())?;
    if answer.code != 0 {
        let (why, code) = (answer.last_words(2), answer.code);
        return Err(format!("the pods of {} cannot be listed on {server} (code {code}): {}", app.name, why.line()));
    }
    let all = ReplicaSeen::all(&answer);
    match all.iter().filter(|replica| replica.providers.is_none()).count() {
        0 => Ok(all),
        silent => Err(format!(
            "{silent} of {} replicas show no metrics: with API keys they need AKIDB_PUBLIC_METRICS: \"true\" in the environment of the step",
            all.len()
        )),
    }
}

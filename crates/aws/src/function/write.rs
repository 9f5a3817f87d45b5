//! Writing a function: its code, its configuration, its tags.

use std::collections::HashMap;

use aws_sdk_lambda::primitives::Blob;
use aws_sdk_lambda::types::{Environment, FunctionCode, Runtime};

use super::super::fault::not_at_hand;
use super::*;
use crate::resource::ArtifactSource;

/// How long an update of code may take before its configuration can follow: 60 s.
const PATIENCE: Duration = Duration::from_mins(1);

/// The spec knows settings that only a check uses: what this provider does not write is refused, not dropped.
fn supported(spec: &FunctionSpec, operation: &str) -> Result<(), Fault> {
    let named = [
        ("image", spec.image.is_some()),
        ("subnets", !spec.subnets.is_empty()),
        ("provisioned_concurrency", spec.provisioned_concurrency.is_some()),
    ];
    match named.iter().find(|(_, stated)| *stated) {
        None => Ok(()),
        Some((what, _)) => {
            let words = format!("function {} sets {what}, which this version does not support", spec.name);
            Err(Fault::new(FaultClass::Refused, "lambda", operation, "Unsupported", words)
                .next(format!("remove {what} from the function's settings")))
        }
    }
}

/// The plan's variables beside those that others set. An empty set clears them.
pub fn environment(spec: &FunctionSpec, found: &ObservedResource) -> Environment {
    let mut variables: HashMap<String, String> = unmanaged::variables(found).collect();
    variables.extend(spec.environment.clone());
    Environment::builder().set_variables(Some(variables)).build()
}

/// Those of a new function.
fn new_environment(spec: &FunctionSpec) -> Option<Environment> {
    let variables: HashMap<String, String> = spec.environment.clone().into_iter().collect();
    (!variables.is_empty()).then(|| Environment::builder().set_variables(Some(variables)).build())
}

/// The zip, in memory: Lambda takes 50 MB at most in a request.
async fn zip(artifacts: &Artifacts, spec: &FunctionSpec, operation: &str) -> Result<Blob, Fault> {
    let what = format!("the code of function {}", spec.name);
    match artifacts.get(&spec.code_sha256) {
        Some(ArtifactSource::Memory(bytes)) => Ok(Blob::new(bytes.to_vec())),
        Some(ArtifactSource::File(path)) => tokio::fs::read(path).await.map(Blob::new).map_err(|bad| {
            let words = format!("{what} cannot be read from {}: {bad}", path.display());
            Fault::new(FaultClass::Refused, "lambda", operation, "BytesNotAtHand", words)
                .next("make the file readable, then run the same command again")
        }),
        None => Err(not_at_hand("lambda", operation, &what, &spec.code_sha256)),
    }
}

/// Makes the function; gives its ARN.
pub async fn create(
    client: &Client,
    artifacts: &Artifacts,
    spec: &FunctionSpec,
    tags: BTreeMap<String, String>,
) -> Result<Option<String>, Fault> {
    supported(spec, "CreateFunction")?;
    let code = FunctionCode::builder().zip_file(zip(artifacts, spec, "CreateFunction").await?).build();
    let call = client
        .create_function()
        .function_name(&spec.name)
        .description(&spec.description)
        .runtime(Runtime::from(spec.runtime.as_str()))
        .handler(&spec.handler)
        .memory_size(spec.memory_mb)
        .timeout(spec.timeout_seconds)
        .role(&spec.role_arn)
        .architectures(Architecture::from(spec.architecture.as_str()))
        .code(code)
        .publish(false)
        .set_environment(new_environment(spec))
        .set_layers((!spec.layers.is_empty()).then(|| spec.layers.clone()))
        .set_tags(Some(tags.into_iter().collect()));
    let answer = call.send().await.map_err(|bad| fault_of("lambda", "CreateFunction", bad))?;
    Ok(answer.function_arn)
}

/// Sends other code: from this machine, else from a published version that has it.
pub async fn code(client: &Client, artifacts: &Artifacts, spec: &FunctionSpec) -> Result<(), Fault> {
    let former = match artifacts.get(&spec.code_sha256) {
        Some(_) => None,
        None => previous::zip(client, spec).await?,
    };
    let zip = match former {
        Some(bytes) => Blob::new(bytes),
        None => zip(artifacts, spec, "UpdateFunctionCode").await?,
    };
    let call = client
        .update_function_code()
        .function_name(&spec.name)
        .zip_file(zip)
        .architectures(Architecture::from(spec.architecture.as_str()))
        .publish(false);
    call.send().await.map(drop).map_err(|bad| fault_of("lambda", "UpdateFunctionCode", bad))
}

/// Sets the configuration; without environment or layers, those that are there stay.
pub async fn configuration(
    client: &Client,
    spec: &FunctionSpec,
    environment: Option<Environment>,
    layers: Option<Vec<String>>,
) -> Result<(), Fault> {
    supported(spec, "UpdateFunctionConfiguration")?;
    let call = client
        .update_function_configuration()
        .function_name(&spec.name)
        .description(&spec.description)
        .runtime(Runtime::from(spec.runtime.as_str()))
        .handler(&spec.handler)
        .memory_size(spec.memory_mb)
        .timeout(spec.timeout_seconds)
        .role(&spec.role_arn)
        .set_environment(environment)
        .set_layers(layers);
    call.send().await.map(drop).map_err(|bad| fault_of("lambda", "UpdateFunctionConfiguration", bad))
}

/// Waits until an update of the code is through: Lambda refuses the next update before that.
pub async fn code_settled(client: &Client, spec: &FunctionSpec) -> Result<(), Fault> {
    let begun = tokio::time::Instant::now();
    let mut pause = Duration::from_millis(100);
    loop {
        let answer = client.get_function_configuration().function_name(&spec.name).send().await;
        let answer = answer.map_err(|bad| fault_of("lambda", "GetFunctionConfiguration", bad))?;
        let reason = answer.last_update_status_reason().unwrap_or("no reason given");
        match standing(&spec.name, answer.state(), answer.last_update_status(), reason)? {
            Progress::Ready(_) => return Ok(()),
            Progress::NotYet(..) if begun.elapsed() < PATIENCE => tokio::time::sleep(pause).await,
            Progress::NotYet(word, _) => {
                let words = format!("the code update of {} is still {} after 60 s", spec.name, word.line());
                return Err(Fault::new(FaultClass::Retry, "lambda", "UpdateFunctionCode", "StillInProgress", words));
            }
        }
        pause = (pause * 2).min(Duration::from_secs(1));
    }
}

/// Writes and takes away tags.
pub async fn retag(client: &Client, found: &ObservedResource, changes: tag_changes::TagChanges) -> Result<(), Fault> {
    let arn = found.attributes.get("arn").and_then(serde_json::Value::as_str).unwrap_or_default();
    if !changes.set.is_empty() {
        let call = client.tag_resource().resource(arn).set_tags(Some(changes.set.into_iter().collect()));
        call.send().await.map_err(|bad| fault_of("lambda", "TagResource", bad))?;
    }
    if !changes.drop.is_empty() {
        let call = client.untag_resource().resource(arn).set_tag_keys(Some(changes.drop));
        call.send().await.map_err(|bad| fault_of("lambda", "UntagResource", bad))?;
    }
    Ok(())
}

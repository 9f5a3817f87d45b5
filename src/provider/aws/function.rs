//! Lambda functions: code by its hash from the run's artefacts, and their configuration.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use aws_sdk_lambda::Client;
use aws_sdk_lambda::primitives::Blob;
use aws_sdk_lambda::types::{
    Architecture, Environment, FunctionCode, FunctionConfiguration, LastUpdateStatus, Runtime,
};
use aws_sdk_lambda::types::{PackageType, State};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use super::fault::{not_at_hand, optional, taken};
use super::{Clients, fault_of, tag_changes, tags};
use crate::provider::{Gone, Made, Provider, Settled, Subject};
use crate::resource::function::FunctionSpec;
use crate::resource::{Artefacts, Attributes, Class, Fault, FieldChange, Found, Level, Owner, Source};

/// How long an update of code may take before its configuration can follow: 60 s.
const PATIENCE: Duration = Duration::from_mins(1);

/// Paths whose change is a change of the code package.
const CODE: &[&str] = &["code_sha256", "code_bytes", "code_unpacked_bytes", "architecture"];

/// Functions of the account.
pub struct Functions {
    clients: Arc<Clients>,
    artefacts: Arc<Artefacts>,
}

impl Functions {
    /// Functions reached by `clients`, with code from `artefacts`.
    pub fn new(clients: &Arc<Clients>, artefacts: &Arc<Artefacts>) -> Self {
        Self { clients: Arc::clone(clients), artefacts: Arc::clone(artefacts) }
    }
}

#[async_trait]
impl Provider for Functions {
    async fn read(&self, subject: &Subject<'_>) -> Result<Option<Found>, Fault> {
        let wanted: FunctionSpec = subject.typed()?;
        look(&self.clients.lambda(&wanted.region), subject, &wanted).await
    }

    async fn create(&self, subject: &Subject<'_>) -> Result<Made, Fault> {
        let spec: FunctionSpec = subject.typed()?;
        supported(&spec, "CreateFunction")?;
        let client = self.clients.lambda(&spec.region);
        let code = FunctionCode::builder().zip_file(self.zip(&spec, "CreateFunction").await?).build();
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
            .set_environment(environment(&spec, false))
            .set_layers((!spec.layers.is_empty()).then(|| spec.layers.clone()))
            .set_tags(Some(tags::wanted(subject, &spec.tags).into_iter().collect()));
        match call.send().await.map_err(|bad| fault_of("lambda", "CreateFunction", bad)) {
            Ok(answer) => {
                let attributes = attributes(&spec.name, answer.function_arn());
                Ok(Made { id: spec.name, attributes })
            }
            Err(fault) if fault.class == Class::Exists => ours(&client, subject, &spec, fault).await,
            Err(fault) => Err(fault),
        }
    }

    async fn update(&self, subject: &Subject<'_>, found: &Found, fields: &[FieldChange]) -> Result<Made, Fault> {
        let spec: FunctionSpec = subject.typed()?;
        supported(&spec, "UpdateFunctionConfiguration")?;
        let client = self.clients.lambda(&spec.region);
        let tops = || fields.iter().filter_map(|field| field.path.split('.').next());
        let code = tops().any(|top| CODE.contains(&top));
        let configuration = tops().any(|top| !CODE.contains(&top) && top != "tags");
        let changes = tag_changes::of(subject, &spec.tags, fields);
        retag(&client, found, changes).await?;
        if code {
            self.update_code(&client, &spec).await?;
        }
        if code && configuration {
            code_settled(&client, &spec).await?;
        }
        if configuration {
            configure(&client, &spec).await?;
        }
        Ok(Made { id: found.id.clone(), attributes: found.attributes.clone() })
    }

    async fn delete(&self, subject: &Subject<'_>) -> Result<Gone, Fault> {
        let spec: FunctionSpec = subject.typed()?;
        let answer = self.clients.lambda(&spec.region).delete_function().function_name(&spec.name).send().await;
        gone(answer.map(drop).map_err(|bad| fault_of("lambda", "DeleteFunction", bad)))
    }

    async fn settled(&self, subject: &Subject<'_>, level: Level) -> Result<Settled, Fault> {
        let spec: FunctionSpec = subject.typed()?;
        if level == Level::Accepted {
            return Ok(Settled::Ready(Attributes::new()));
        }
        let client = self.clients.lambda(&spec.region);
        let answer = client.get_function_configuration().function_name(&spec.name).send().await;
        let answer = answer.map_err(|bad| fault_of("lambda", "GetFunctionConfiguration", bad))?;
        let reason = answer.state_reason().or(answer.last_update_status_reason()).unwrap_or("no reason given");
        standing(&spec.name, answer.state(), answer.last_update_status(), reason)
    }
}

/// How far a function, or a version, has come. `reason` is the service's word for a failure.
///
/// # Errors
/// Of class refused, when the service gave it up.
pub fn standing(
    name: &str,
    state: Option<&State>,
    update: Option<&LastUpdateStatus>,
    reason: &str,
) -> Result<Settled, Fault> {
    let later = |word: &str| Ok(Settled::NotYet(word.to_owned(), Duration::from_millis(100)));
    match (state, update) {
        (Some(State::Failed), _) | (_, Some(LastUpdateStatus::Failed)) => {
            let words = format!("{name} failed: {reason}");
            Err(Fault::new(Class::Refused, "lambda", "GetFunctionConfiguration", "Failed", words))
        }
        (Some(State::Pending), _) => later("Pending"),
        (_, Some(LastUpdateStatus::InProgress)) => later("InProgress"),
        // Inactive is idle: the next call wakes it up.
        _ => Ok(Settled::Ready(Attributes::new())),
    }
}

/// What a deletion's answer means: gone already is gone, a replicated function goes later.
///
/// # Errors
/// Every other fault.
pub fn gone(answer: Result<(), Fault>) -> Result<Gone, Fault> {
    match answer {
        Err(fault) if fault.class == Class::Deferred => Ok(Gone::Deferred(fault.message)),
        other => optional(other).map(|_| Gone::Gone),
    }
}

/// Lambda's base64 digest as 64 hex digits; empty when it is none.
pub fn hex_digest(base64: Option<&str>) -> String {
    STANDARD.decode(base64.unwrap_or_default()).map(hex::encode).unwrap_or_default()
}

/// The 64 hex digits as Lambda writes them. What is no hex cannot match and is passed on as it is.
pub fn base64_digest(sha256: &str) -> String {
    hex::decode(sha256).map_or_else(|_| sha256.to_owned(), |bytes| STANDARD.encode(bytes))
}

impl Functions {
    async fn zip(&self, spec: &FunctionSpec, operation: &str) -> Result<Blob, Fault> {
        let what = format!("the code of function {}", spec.name);
        match self.artefacts.get(&spec.code_sha256) {
            Some(Source::Memory(bytes)) => Ok(Blob::new(bytes.to_vec())),
            Some(Source::File(path)) => match tokio::fs::read(path).await {
                Ok(bytes) => Ok(Blob::new(bytes)),
                Err(bad) => {
                    let words = format!("{what} cannot be read from {}: {bad}", path.display());
                    Err(Fault::new(Class::Refused, "lambda", operation, "BytesNotAtHand", words)
                        .next("make the file readable, then run again"))
                }
            },
            None => Err(not_at_hand("lambda", operation, &what, &spec.code_sha256)),
        }
    }

    async fn update_code(&self, client: &Client, spec: &FunctionSpec) -> Result<(), Fault> {
        let call = client
            .update_function_code()
            .function_name(&spec.name)
            .zip_file(self.zip(spec, "UpdateFunctionCode").await?)
            .architectures(Architecture::from(spec.architecture.as_str()))
            .publish(false);
        call.send().await.map(drop).map_err(|bad| fault_of("lambda", "UpdateFunctionCode", bad))
    }
}

/// The ARN without a version.
fn attributes(name: &str, arn: Option<&str>) -> Attributes {
    let arn = arn.unwrap_or_default().trim_end_matches(":$LATEST").to_owned();
    Attributes::from([("arn".into(), arn.into()), ("name".into(), name.into())])
}

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
            let words = format!("function {} states {what}, which is not written by this version", spec.name);
            Err(Fault::new(Class::Refused, "lambda", operation, "Unsupported", words)
                .next(format!("take {what} out of the function's settings")))
        }
    }
}

/// None keeps what is there; `all` sends an empty set, too, which clears it.
fn environment(spec: &FunctionSpec, all: bool) -> Option<Environment> {
    let variables: HashMap<String, String> = spec.environment.clone().into_iter().collect();
    (all || !variables.is_empty()).then(|| Environment::builder().set_variables(Some(variables)).build())
}

async fn ours(client: &Client, subject: &Subject<'_>, spec: &FunctionSpec, fault: Fault) -> Result<Made, Fault> {
    match look(client, subject, spec).await? {
        Some(Found { owner: Owner::Ours, id, attributes, .. }) => Ok(Made { id, attributes }),
        Some(Found { owner: Owner::Foreign(whose), .. }) => {
            let what = format!("function {}", spec.name);
            Err(taken("lambda", "CreateFunction", &fault.code, &what, &whose, subject.address))
        }
        // Gone between two calls: the next try makes it.
        None => Err(Fault { class: Class::Retry, ..fault }),
    }
}

async fn look(client: &Client, subject: &Subject<'_>, wanted: &FunctionSpec) -> Result<Option<Found>, Fault> {
    let answer = client.get_function().function_name(&wanted.name).send().await;
    let Some(answer) = optional(answer.map_err(|bad| fault_of("lambda", "GetFunction", bad)))? else {
        return Ok(None);
    };
    let Some(held) = answer.configuration else {
        return Err(Fault::unexpected("lambda", "GetFunction", "the answer has no configuration"));
    };
    let (owner, tags) = tags::read(subject, answer.tags.unwrap_or_default().into_iter().collect());
    let attributes = attributes(&wanted.name, held.function_arn());
    let spec = seen(wanted, held, tags);
    let spec = serde_json::to_value(spec).map_err(|bad| Fault::unexpected("lambda", "GetFunction", bad.to_string()))?;
    Ok(Some(Found { id: wanted.name.clone(), spec, attributes, owner }))
}

fn seen(wanted: &FunctionSpec, held: FunctionConfiguration, tags: BTreeMap<String, String>) -> FunctionSpec {
    let architecture = held.architectures.unwrap_or_default().into_iter().next().unwrap_or(Architecture::X8664);
    let variables = held.environment.and_then(|environment| environment.variables).unwrap_or_default();
    FunctionSpec {
        name: wanted.name.clone(),
        region: wanted.region.clone(),
        description: held.description.unwrap_or_default(),
        runtime: held.runtime.map(|runtime| runtime.as_str().to_owned()).unwrap_or_default(),
        handler: held.handler.unwrap_or_default(),
        memory_mb: held.memory_size.unwrap_or_default(),
        timeout_seconds: held.timeout.unwrap_or_default(),
        role_arn: held.role.unwrap_or_default(),
        architecture: architecture.as_str().to_owned(),
        code_sha256: hex_digest(held.code_sha256.as_deref()),
        code_bytes: u64::try_from(held.code_size).unwrap_or_default(),
        environment: variables.into_iter().collect(),
        layers: held.layers.unwrap_or_default().into_iter().filter_map(|layer| layer.arn).collect(),
        // Lambda does not tell; the hash vouches for it.
        code_unpacked_bytes: wanted.code_unpacked_bytes,
        provisioned_concurrency: None,
        subnets: held.vpc_config.and_then(|vpc| vpc.subnet_ids).unwrap_or_default(),
        image: held.package_type.filter(|packed| *packed == PackageType::Image).map(|_| "image".to_owned()),
        tags,
    }
}

async fn configure(client: &Client, spec: &FunctionSpec) -> Result<(), Fault> {
    let call = client
        .update_function_configuration()
        .function_name(&spec.name)
        .description(&spec.description)
        .runtime(Runtime::from(spec.runtime.as_str()))
        .handler(&spec.handler)
        .memory_size(spec.memory_mb)
        .timeout(spec.timeout_seconds)
        .role(&spec.role_arn)
        .set_environment(environment(spec, true))
        .set_layers(Some(spec.layers.clone()));
    call.send().await.map(drop).map_err(|bad| fault_of("lambda", "UpdateFunctionConfiguration", bad))
}

/// Waits until an update of the code is through: Lambda refuses the next update before that.
async fn code_settled(client: &Client, spec: &FunctionSpec) -> Result<(), Fault> {
    let begun = tokio::time::Instant::now();
    let mut pause = Duration::from_millis(100);
    loop {
        let answer = client.get_function_configuration().function_name(&spec.name).send().await;
        let answer = answer.map_err(|bad| fault_of("lambda", "GetFunctionConfiguration", bad))?;
        let reason = answer.last_update_status_reason().unwrap_or("no reason given");
        match standing(&spec.name, answer.state(), answer.last_update_status(), reason)? {
            Settled::Ready(_) => return Ok(()),
            Settled::NotYet(..) if begun.elapsed() < PATIENCE => tokio::time::sleep(pause).await,
            Settled::NotYet(word, _) => {
                let words = format!("the code update of {} is still {word} after 60 s", spec.name);
                return Err(Fault::new(Class::Retry, "lambda", "UpdateFunctionCode", "StillInProgress", words));
            }
        }
        pause = (pause * 2).min(Duration::from_secs(1));
    }
}

async fn retag(client: &Client, found: &Found, changes: tag_changes::TagChanges) -> Result<(), Fault> {
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

//! Lambda functions: code by its hash from the run's artifacts, and their configuration.

mod calls;
mod invoke;
mod listing;
mod previous;
mod unmanaged;
mod versions;
mod write;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use aws_sdk_lambda::Client;
use aws_sdk_lambda::types::{Architecture, FunctionConfiguration, LastUpdateStatus, PackageType, State};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;

pub use self::calls::{CODES, GRANTS};
pub use self::invoke::invoke;
pub use self::versions::versions;
use super::fault::{optional, taken};
use super::{Clients, fault_of, tag_changes, tags};
use crate::provider::{Applied, DeleteOutcome, OwnedQuery, Progress, Provider, ResourceContext};
use crate::resource::function::FunctionSpec;
use crate::resource::{
    Artifacts, Attributes, Fault, FaultClass, FieldChange, Level, ObservedResource, OwnedResource, Owner,
};

/// Paths whose change is a change of the code package.
const CODE: &[&str] = &["code_sha256", "code_bytes", "code_unpacked_bytes", "architecture"];

/// Functions of the account.
pub struct Functions {
    clients: Arc<Clients>,
    artifacts: Arc<Artifacts>,
}

impl Functions {
    /// Functions reached by `clients`, with code from `artifacts`.
    pub fn new(clients: &Arc<Clients>, artifacts: &Arc<Artifacts>) -> Self {
        Self { clients: Arc::clone(clients), artifacts: Arc::clone(artifacts) }
    }
}

#[async_trait]
impl Provider for Functions {
    async fn read(&self, subject: &ResourceContext<'_>) -> Result<Option<ObservedResource>, Fault> {
        let wanted: FunctionSpec = subject.typed()?;
        look(&self.clients.lambda(&wanted.region)?, subject, &wanted).await
    }

    async fn create(&self, subject: &ResourceContext<'_>) -> Result<Applied, Fault> {
        let spec: FunctionSpec = subject.typed()?;
        let client = self.clients.lambda(&spec.region)?;
        match write::create(&client, &self.artifacts, &spec, tags::wanted(subject, &spec.tags)).await {
            Ok(arn) => Ok(Applied { attributes: attributes(&spec.name, arn.as_deref()), id: spec.name }),
            Err(fault) if fault.class == FaultClass::Exists => ours(&client, subject, &spec, fault).await,
            Err(fault) => Err(fault),
        }
    }

    async fn update(
        &self,
        subject: &ResourceContext<'_>,
        found: &ObservedResource,
        fields: &[FieldChange],
    ) -> Result<Applied, Fault> {
        let spec: FunctionSpec = subject.typed()?;
        let client = self.clients.lambda(&spec.region)?;
        let tops = || fields.iter().filter_map(|field| field.path.split('.').next());
        let code = tops().any(|top| CODE.contains(&top));
        let configuration = tops().any(|top| !CODE.contains(&top) && top != "tags");
        write::retag(&client, found, tag_changes::of(subject, &spec.tags, fields)).await?;
        if code {
            write::code(&client, &self.artifacts, &spec).await?;
        }
        if code && configuration {
            write::code_settled(&client, &spec).await?;
        }
        if configuration {
            let named = |top: &str| tops().any(|named| named == top);
            let environment = named("environment").then(|| write::environment(&spec, found));
            let layers = named("layers").then(|| spec.layers.clone());
            write::configuration(&client, &spec, environment, layers).await?;
        }
        Ok(Applied { id: found.id.clone(), attributes: found.attributes.clone() })
    }

    async fn delete(&self, subject: &ResourceContext<'_>) -> Result<DeleteOutcome, Fault> {
        let spec: FunctionSpec = subject.typed()?;
        let answer = self.clients.lambda(&spec.region)?.delete_function().function_name(&spec.name).send().await;
        gone(answer.map(drop).map_err(|bad| fault_of("lambda", "DeleteFunction", bad)))
    }

    async fn list_owned(&self, search: &OwnedQuery<'_>) -> Result<Vec<OwnedResource>, Fault> {
        listing::listing(&self.clients, search).await
    }

    async fn settled(&self, subject: &ResourceContext<'_>, level: Level) -> Result<Progress, Fault> {
        let spec: FunctionSpec = subject.typed()?;
        if level == Level::Accepted {
            return Ok(Progress::Ready(Attributes::new()));
        }
        let client = self.clients.lambda(&spec.region)?;
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
) -> Result<Progress, Fault> {
    let later = |word: &str| Ok(Progress::NotYet(word.into(), Duration::from_millis(100)));
    match (state, update) {
        (Some(State::Failed), _) | (_, Some(LastUpdateStatus::Failed)) => {
            let words = format!("{name} failed: {reason}");
            Err(Fault::new(FaultClass::Refused, "lambda", "GetFunctionConfiguration", "Failed", words))
        }
        (Some(State::Pending), _) => later("Pending"),
        (_, Some(LastUpdateStatus::InProgress)) => later("InProgress"),
        // Inactive is idle: the next call wakes it up.
        _ => Ok(Progress::Ready(Attributes::new())),
    }
}

/// What a deletion's answer means: gone already is gone, a replicated function goes later.
///
/// # Errors
/// Every other fault.
pub fn gone(answer: Result<(), Fault>) -> Result<DeleteOutcome, Fault> {
    match answer {
        Err(fault) if fault.class == FaultClass::Deferred => Ok(DeleteOutcome::Deferred(fault.message)),
        other => optional(other).map(|_| DeleteOutcome::Deleted),
    }
}

/// Lambda's base64 digest as 64 hex digits; empty when it is none.
pub fn hex_digest(base64: Option<&str>) -> String {
    STANDARD.decode(base64.unwrap_or_default()).map(hex::encode).unwrap_or_default()
}

/// The 64 hex digits as Lambda writes them. What is not hex cannot match and is passed on as it is.
pub fn base64_digest(sha256: &str) -> String {
    hex::decode(sha256).map_or_else(|_| sha256.to_owned(), |bytes| STANDARD.encode(bytes))
}

/// The ARN without a version.
fn attributes(name: &str, arn: Option<&str>) -> Attributes {
    let arn = arn.unwrap_or_default().trim_end_matches(":$LATEST").to_owned();
    Attributes::from([("arn".into(), arn.into()), ("name".into(), name.into())])
}

async fn ours(
    client: &Client,
    subject: &ResourceContext<'_>,
    spec: &FunctionSpec,
    fault: Fault,
) -> Result<Applied, Fault> {
    let mut found = look(client, subject, spec).await?;
    if let (Some(address), Some(Owner::Foreign(_))) = (subject.former, found.as_ref().map(|found| &found.owner)) {
        found = look(client, &ResourceContext { address, former: None, ..*subject }, spec).await?;
    }
    match found {
        Some(ObservedResource { owner: Owner::Ours, id, attributes, .. }) => Ok(Applied { id, attributes }),
        Some(ObservedResource { owner: Owner::Foreign(whose) | Owner::Contested(whose), .. }) => {
            let what = format!("function {}", spec.name);
            Err(taken("lambda", "CreateFunction", fault.code, &what, &whose, subject.address))
        }
        // Gone between two calls: the next try makes it.
        None => Err(Fault { class: FaultClass::Retry, ..fault }),
    }
}

async fn look(
    client: &Client,
    subject: &ResourceContext<'_>,
    wanted: &FunctionSpec,
) -> Result<Option<ObservedResource>, Fault> {
    let answer = client.get_function().function_name(&wanted.name).send().await;
    let Some(answer) = optional(answer.map_err(|bad| fault_of("lambda", "GetFunction", bad)))? else {
        return Ok(None);
    };
    let Some(held) = answer.configuration else {
        return Err(Fault::unexpected("lambda", "GetFunction", "the answer has no configuration"));
    };
    // Without its tags a function of ours would look like somebody else's.
    if let Some(bad) = answer.tags_error {
        return Err(Fault::new(FaultClass::Denied, "lambda", "ListTags", bad.error_code, bad.message)
            .next("give the caller lambda:ListTags on the function"));
    }
    let (owner, tags) = tags::read(subject, answer.tags.unwrap_or_default().into_iter().collect());
    let attributes = attributes(&wanted.name, held.function_arn());
    let before = subject.before.and_then(|before| serde_json::from_value::<FunctionSpec>(before.clone()).ok());
    let reserved = answer.concurrency.and_then(|concurrency| concurrency.reserved_concurrent_executions);
    let mut extras = unmanaged::extras(&held, reserved);
    let mut spec = seen(wanted, held, tags);
    unmanaged::set_apart(&mut spec, wanted, before.as_ref(), &mut extras);
    let spec = serde_json::to_value(spec).map_err(|bad| Fault::unexpected("lambda", "GetFunction", bad.to_string()))?;
    Ok(Some(ObservedResource { id: wanted.name.clone(), spec, attributes, owner, extras }))
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

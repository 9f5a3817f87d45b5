//! Published versions of Lambda functions. A version carries the digest of its settings in its description.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use aws_sdk_lambda::Client;

use super::fault::{optional, taken};
use super::function::{base64_digest, gone, hex_digest, standing, versions};
use super::{Clients, fault_of};
use crate::permissions::{Grant, context};
use crate::provider::{Applied, DeleteOutcome, Progress, Provider, ResourceContext};
use crate::resource::function_version::FunctionVersionSpec;
use crate::resource::{Attributes, Fault, FaultClass, FieldChange, Level, ObservedResource, Owner};

/// What its calls need.
pub const GRANTS: &[Grant] = &[
    // CloudFront copies a version to its edge locations, and takes the copies away, with the caller's permissions; the stars are
    // letters of these names (CloudFront Developer Guide, "Set up IAM permissions and roles for Lambda@Edge").
    Grant {
        sid: "EdgeCopies",
        on: context::versions,
        actions: &["lambda:DisableReplication*", "lambda:EnableReplication*"],
    },
];

/// Code of the fault when the function's code is not the one to freeze.
const CHANGED: &str = "CodeChanged";
/// In front of the settings digest in a version's description.
const MARK: &str = "akidb-edge ";

/// Versions of the account's functions.
pub struct FunctionVersions {
    clients: Arc<Clients>,
    /// ARNs of versions that were ready when they were published: nobody need look at them again.
    ready: Mutex<BTreeSet<String>>,
}

impl FunctionVersions {
    /// Versions reached by `clients`.
    pub fn new(clients: &Arc<Clients>) -> Self {
        Self { clients: Arc::clone(clients), ready: Mutex::default() }
    }
}

#[async_trait]
impl Provider for FunctionVersions {
    async fn read(&self, subject: &ResourceContext<'_>) -> Result<Option<ObservedResource>, Fault> {
        let wanted: FunctionVersionSpec = subject.typed()?;
        let client = self.clients.lambda(&wanted.region)?;
        let seen = match subject.id.and_then(number) {
            Some(version) => by_number(&client, &wanted.function, version).await?,
            None => newest(&client, &wanted).await?,
        };
        seen.map(|seen| seen.found(&wanted)).transpose()
    }

    /// A version with this code and these settings may stand from before (a rollback): then it is that one, and the
    /// distribution goes back to an ARN whose code is at the edge already. Nothing is listed when this run just looked.
    async fn create(&self, subject: &ResourceContext<'_>) -> Result<Applied, Fault> {
        let spec: FunctionVersionSpec = subject.typed()?;
        let client = self.clients.lambda(&spec.region)?;
        if !subject.seen_absent
            && let Some(seen) = newest(&client, &spec).await?
        {
            return Ok(Applied { attributes: seen.attributes(&spec.function), id: seen.arn });
        }
        let call = client
            .publish_version()
            .function_name(&spec.function)
            .code_sha256(base64_digest(&spec.code_sha256))
            .description(description(&spec));
        let answer = call.send().await.map_err(|bad| fault_of("lambda", "PublishVersion", bad));
        let answer = answer.map_err(function_changed)?;
        let arn = numbered(answer.function_arn(), answer.version());
        // What is pending or failed is told by the look that comes after.
        let reason = answer.state_reason().unwrap_or_default();
        if let Ok(Progress::Ready(_)) = standing(&arn, answer.state(), None, reason) {
            self.ready.lock().unwrap_or_else(PoisonError::into_inner).insert(arn.clone());
        }
        let seen = LambdaVersion {
            arn,
            version: answer.version.unwrap_or_default(),
            description: answer.description.unwrap_or_default(),
            code_sha256: hex_digest(answer.code_sha256.as_deref()),
        };
        // AWS keeps the guard itself; this is for endpoints that do not.
        if seen.code_sha256 != spec.code_sha256 {
            let words = format!("version {} of {} has different code than requested", seen.version, spec.function);
            return Err(function_changed(Fault::new(FaultClass::Stale, "lambda", "PublishVersion", CHANGED, words)));
        }
        if seen.description == description(&spec) {
            return Ok(Applied { attributes: seen.attributes(&spec.function), id: seen.arn });
        }
        // The version that is there was published by somebody else, or with other settings than its code now has.
        let whose = format!("its description is {:?}", seen.description);
        let what = format!("version {} of {} with the same code and settings", seen.version, spec.function);
        Err(taken("lambda", "PublishVersion", "VersionExists", &what, &whose, subject.address)
            .next("delete that version, or change the function's description, so that a new version can be published"))
    }

    /// A version is frozen: every change is another version.
    async fn update(
        &self,
        _: &ResourceContext<'_>,
        found: &ObservedResource,
        _: &[FieldChange],
    ) -> Result<Applied, Fault> {
        Ok(Applied { id: found.id.clone(), attributes: found.attributes.clone() })
    }

    async fn delete(&self, subject: &ResourceContext<'_>) -> Result<DeleteOutcome, Fault> {
        let spec: FunctionVersionSpec = subject.typed()?;
        let client = self.clients.lambda(&spec.region)?;
        let version = match subject.id.and_then(number) {
            Some(version) => version.to_owned(),
            None => match newest(&client, &spec).await? {
                Some(seen) => seen.version,
                None => return Ok(DeleteOutcome::Deleted),
            },
        };
        let call = client.delete_function().function_name(&spec.function).qualifier(version);
        gone(call.send().await.map(drop).map_err(|bad| fault_of("lambda", "DeleteFunction", bad)))
    }

    async fn settled(&self, subject: &ResourceContext<'_>, level: Level) -> Result<Progress, Fault> {
        let spec: FunctionVersionSpec = subject.typed()?;
        let known = subject.id.is_some_and(|id| self.is_ready(id)) || level == Level::Accepted;
        let Some(version) = subject.id.and_then(number).filter(|_| !known) else {
            return Ok(Progress::Ready(Attributes::new()));
        };
        let client = self.clients.lambda(&spec.region)?;
        let call = client.get_function_configuration().function_name(&spec.function).qualifier(version);
        let answer = call.send().await.map_err(|bad| fault_of("lambda", "GetFunctionConfiguration", bad))?;
        let reason = answer.state_reason().unwrap_or("no reason given");
        standing(&format!("version {version} of {}", spec.function), answer.state(), None, reason)
    }
}

impl FunctionVersions {
    /// Whether it was ready when it was published.
    fn is_ready(&self, arn: &str) -> bool {
        self.ready.lock().unwrap_or_else(PoisonError::into_inner).contains(arn)
    }
}

/// A version as Lambda tells it.
struct LambdaVersion {
    arn: String,
    version: String,
    description: String,
    code_sha256: String,
}

impl LambdaVersion {
    fn attributes(&self, function: &str) -> Attributes {
        Attributes::from([
            ("arn".into(), self.arn.clone().into()),
            ("version".into(), self.version.clone().into()),
            ("function_name".into(), function.into()),
        ])
    }

    fn found(self, wanted: &FunctionVersionSpec) -> Result<ObservedResource, Fault> {
        let settings = self.description.strip_prefix(MARK);
        let owner = match settings {
            Some(_) => Owner::Ours,
            None => Owner::Foreign(format!("its description is {:?}", self.description)),
        };
        let spec = FunctionVersionSpec {
            function: wanted.function.clone(),
            region: wanted.region.clone(),
            code_sha256: self.code_sha256.clone(),
            settings: settings.unwrap_or_default().to_owned(),
        };
        let spec = serde_json::to_value(spec)
            .map_err(|bad| Fault::unexpected("lambda", "GetFunctionConfiguration", bad.to_string()))?;
        Ok(ObservedResource {
            attributes: self.attributes(&wanted.function),
            id: self.arn,
            spec,
            owner,
            extras: Vec::new(),
        })
    }
}

fn description(spec: &FunctionVersionSpec) -> String {
    format!("{MARK}{}", spec.settings)
}

/// The version number at the end of a numbered ARN.
fn number(arn: &str) -> Option<&str> {
    arn.rsplit(':').next().filter(|last| !last.is_empty() && last.bytes().all(|byte| byte.is_ascii_digit()))
}

/// The ARN with its version: `arn:aws:lambda:REGION:ACCOUNT:function:NAME:N`. Some lists leave the number out, and a
/// distribution refuses an ARN without it.
fn numbered(arn: Option<&str>, version: Option<&str>) -> String {
    let arn = arn.unwrap_or_default();
    let plain: Vec<&str> = arn.splitn(8, ':').take(7).collect();
    format!("{}:{}", plain.join(":"), version.unwrap_or_default())
}

/// The hash guard tells that the function's code is not the one to freeze.
fn function_changed(fault: Fault) -> Fault {
    if fault.code == CHANGED || fault.message.contains("CodeSHA256") || fault.message.contains("CodeSha256") {
        return Fault { class: FaultClass::Stale, ..fault }
            .next("the function's code was changed meanwhile: deploy again");
    }
    fault
}

async fn by_number(client: &Client, function: &str, version: &str) -> Result<Option<LambdaVersion>, Fault> {
    let call = client.get_function_configuration().function_name(function).qualifier(version);
    let answer = call.send().await.map_err(|bad| fault_of("lambda", "GetFunctionConfiguration", bad));
    Ok(optional(answer)?.map(|answer| LambdaVersion {
        arn: numbered(answer.function_arn(), Some(version)),
        version: version.to_owned(),
        description: answer.description.unwrap_or_default(),
        code_sha256: hex_digest(answer.code_sha256.as_deref()),
    }))
}

/// The newest version with the wanted code and settings.
async fn newest(client: &Client, wanted: &FunctionVersionSpec) -> Result<Option<LambdaVersion>, Fault> {
    let all = versions(client, &wanted.function).await?.into_iter().map(|held| LambdaVersion {
        arn: numbered(held.function_arn(), held.version()),
        version: held.version.unwrap_or_default(),
        description: held.description.unwrap_or_default(),
        code_sha256: hex_digest(held.code_sha256.as_deref()),
    });
    let same = |seen: &LambdaVersion| seen.description == description(wanted) && seen.code_sha256 == wanted.code_sha256;
    Ok(all.filter(|seen| number(&seen.arn).is_some() && same(seen)).max_by_key(|seen| seen.version.parse::<u64>().ok()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_arn_gets_its_number_once() {
        let plain = "arn:aws:lambda:us-east-1:123456789012:function:f";
        let whole = format!("{plain}:7");
        for arn in [plain, &whole, &format!("{plain}:$LATEST")] {
            assert_eq!(numbered(Some(arn), Some("7")), whole);
        }
        assert_eq!((number(&whole), number(plain)), (Some("7"), None));
    }
}

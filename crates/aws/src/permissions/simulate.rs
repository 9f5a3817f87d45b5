//! What a caller may not do of what a plan needs: asked of IAM's policy simulator, which changes nothing.

use aws_sdk_iam::types::{ContextEntry, ContextKeyTypeEnum, EvaluationResult, PolicyEvaluationDecisionType};
use futures::{StreamExt, TryStreamExt, stream};
use serde::Serialize;
use serde_json::Value;

use crate::clients::{CallerIdentity, Clients};
use crate::fault;
use crate::pages::Pages;
use crate::resource::Fault;

/// Simulations at the same time: IAM throttles early.
const AT_ONCE: usize = 4;

/// One action that the caller may not take.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct MissingAction {
    /// The action, e.g. `s3:PutBucketPolicy`.
    pub action: String,
    /// On which resource: an ARN, or `*`.
    pub resource: String,
    /// A policy denies it; else no policy allows it.
    pub denied: bool,
    /// A policy of the organization does not allow it.
    pub by_organization: bool,
}

/// What the simulator said.
#[derive(Clone, Debug, Serialize)]
pub struct Simulation {
    /// The user or role whose policies were looked at.
    pub principal: String,
    /// Actions that were asked about.
    pub actions: usize,
    /// What of them is not allowed.
    pub missing: Vec<MissingAction>,
}

/// Whose policies decide about a caller.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Principal {
    /// A user, by its ARN.
    User(String),
    /// A role, by its name: the ARN of a session leaves out its path.
    Role(String),
    /// The account's root user, or a session that the simulator does not know.
    Other,
}

/// Asks whether the caller may do all that `policy` lists. None when the caller is one that the simulator does not know (the root
/// user, a federated user).
///
/// # Errors
/// When the caller may not simulate, or IAM does not answer.
pub async fn simulate(
    clients: &Clients,
    identity: &CallerIdentity,
    policy: &Value,
) -> Result<Option<Simulation>, Fault> {
    let principal = match principal(&identity.arn) {
        Principal::User(arn) => arn,
        Principal::Role(name) => role(clients, identity, &name).await,
        Principal::Other => return Ok(None),
    };
    let questions = questions(policy);
    let actions = questions.iter().map(|question| question.actions.len()).sum();
    let asked = questions.iter().map(|question| ask(clients, &principal, question));
    let answers: Vec<Vec<MissingAction>> = stream::iter(asked).buffer_unordered(AT_ONCE).try_collect().await?;
    let mut missing: Vec<MissingAction> = answers.into_iter().flatten().collect();
    missing.sort();
    missing.dedup();
    Ok(Some(Simulation { principal, actions, missing }))
}

fn principal(arn: &str) -> Principal {
    let resource = arn.splitn(6, ':').nth(5).unwrap_or_default();
    match resource.split_once('/') {
        Some(("user", _)) => Principal::User(arn.to_owned()),
        Some(("assumed-role", rest)) => Principal::Role(rest.split('/').next().unwrap_or_default().to_owned()),
        _ => Principal::Other,
    }
}

/// The ARN of a role with its path; when the role may not be read, as it is without one.
async fn role(clients: &Clients, identity: &CallerIdentity, name: &str) -> String {
    let answer = clients.iam.get_role().role_name(name).send().await.ok();
    let arn = answer.and_then(|answer| answer.role).map(|role| role.arn);
    let partition = identity.arn.split(':').nth(1).unwrap_or("aws");
    arn.unwrap_or_else(|| format!("arn:{partition}:iam::{}:role/{name}", identity.account))
}

/// Actions that are asked about together, on the same resources.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct SimulationRequest {
    actions: Vec<String>,
    resources: Vec<String>,
    /// What the call carries.
    context: Vec<ConditionKey>,
}

/// A condition key with its values: one, or a list where a call carries several at once.
#[derive(Clone, Debug, PartialEq, Eq)]
struct ConditionKey {
    name: String,
    values: Vec<String>,
    list: bool,
}

/// The questions for the statements of a policy.
fn questions(policy: &Value) -> Vec<SimulationRequest> {
    let statements = policy.get("Statement").and_then(Value::as_array);
    let of_statement = |statement: &Value| {
        // The simulator takes no wildcard in an action: `lambda:EnableReplication*` is the name of one, star and all.
        let actions = texts(&statement["Action"]).into_iter().map(|action| action.trim_end_matches('*').to_owned());
        let resources = texts(&statement["Resource"]);
        let (of_objects, others): (Vec<String>, Vec<String>) = actions.partition(|action| is_of_objects(action));
        let inside: Vec<String> = resources.iter().filter(|arn| !is_bucket(arn)).cloned().collect();
        let contexts = contexts(statement);
        let pairs = [(of_objects, inside), (others, resources)];
        pairs.into_iter().flat_map(move |(actions, resources)| {
            let question = SimulationRequest { actions, resources, context: Vec::new() };
            contexts.clone().into_iter().map(move |context| SimulationRequest { context, ..question.clone() })
        })
    };
    // What is denied is not needed.
    let allowed = statements.into_iter().flatten().filter(|statement| statement["Effect"] != "Deny");
    let all = allowed.flat_map(of_statement);
    all.filter(|question| !question.actions.is_empty() && !question.resources.is_empty()).collect()
}

/// What a call carries that a statement's condition lets through: one call for each value of a key that has one value a call, all
/// values together of a key that has many.
fn contexts(statement: &Value) -> Vec<Vec<ConditionKey>> {
    let condition = statement["Condition"].as_object().into_iter().flatten();
    let asked = condition.filter(|(operator, _)| !operator.contains("Not"));
    let keys = asked.flat_map(|(operator, keys)| {
        let list = operator.starts_with("ForAllValues:");
        keys.as_object().into_iter().flatten().map(move |(name, values)| (list, name.clone(), texts(values)))
    });
    keys.fold(vec![Vec::new()], |calls: Vec<Vec<ConditionKey>>, (list, name, values)| {
        let each: Vec<Vec<String>> =
            if list { vec![values] } else { values.into_iter().map(|one| vec![one]).collect() };
        let mut all = Vec::new();
        for call in &calls {
            for values in &each {
                let mut more = call.clone();
                more.push(ConditionKey { name: name.clone(), values: values.clone(), list });
                all.push(more);
            }
        }
        all
    })
}

/// One text or a list of them.
fn texts(value: &Value) -> Vec<String> {
    match value {
        Value::String(text) => vec![text.clone()],
        Value::Array(all) => all.iter().filter_map(|one| one.as_str().map(str::to_owned)).collect(),
        _ => Vec::new(),
    }
}

/// Whether an action of S3 is about objects, so that a bucket's own ARN is none of its resources (Service Authorization
/// Reference, "Resource types defined by Amazon S3").
fn is_of_objects(action: &str) -> bool {
    let name = action.strip_prefix("s3:").unwrap_or_default();
    let about_bucket = name.contains("Bucket");
    !about_bucket && (name.contains("Object") || name.ends_with("MultipartUpload") || name.ends_with("UploadParts"))
}

fn is_bucket(arn: &str) -> bool {
    arn.starts_with("arn:aws:s3:::") && !arn.contains('/') && !arn.ends_with('*')
}

async fn ask(clients: &Clients, principal: &str, question: &SimulationRequest) -> Result<Vec<MissingAction>, Fault> {
    let mut call = clients.iam.simulate_principal_policy().policy_source_arn(principal);
    for action in &question.actions {
        call = call.action_names(action);
    }
    for resource in &question.resources {
        call = call.resource_arns(resource);
    }
    for key in &question.context {
        let kind = if key.list { ContextKeyTypeEnum::StringList } else { ContextKeyTypeEnum::String };
        let entry = ContextEntry::builder().context_key_name(&key.name).context_key_type(kind);
        call = call.context_entries(entry.set_context_key_values(Some(key.values.clone())).build());
    }
    let mut listed = call.into_paginator().send();
    let (mut missing, mut pages) = (Vec::new(), Pages::of("iam", "SimulatePrincipalPolicy"));
    while let Some(page) = listed.next().await {
        pages.next()?;
        let page = page.map_err(|bad| fault::of("iam", "SimulatePrincipalPolicy", bad))?;
        missing.extend(page.evaluation_results.unwrap_or_default().iter().flat_map(refused));
    }
    Ok(missing)
}

/// What one result refuses: resource by resource where it says so, else as a whole.
fn refused(result: &EvaluationResult) -> Vec<MissingAction> {
    let by_organization =
        result.organizations_decision_detail().is_some_and(|detail| !detail.allowed_by_organizations());
    let one = |resource: &str, decision: &PolicyEvaluationDecisionType| {
        (*decision != PolicyEvaluationDecisionType::Allowed).then(|| MissingAction {
            action: result.eval_action_name().to_owned(),
            resource: resource.to_owned(),
            denied: *decision == PolicyEvaluationDecisionType::ExplicitDeny,
            by_organization,
        })
    };
    let each = result.resource_specific_results();
    if each.is_empty() {
        return one(result.eval_resource_name().unwrap_or("*"), result.eval_decision()).into_iter().collect();
    }
    each.iter().filter_map(|part| one(part.eval_resource_name(), part.eval_resource_decision())).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn the_policies_of_a_session_are_those_of_its_role() {
        let of = |arn: &str| principal(arn);
        assert_eq!(
            of("arn:aws:iam::123456789012:user/ops/ann"),
            Principal::User("arn:aws:iam::123456789012:user/ops/ann".to_owned())
        );
        assert_eq!(of("arn:aws:sts::123456789012:assumed-role/deployer/ci-7"), Principal::Role("deployer".to_owned()));
        assert_eq!(of("arn:aws:iam::123456789012:root"), Principal::Other);
        assert_eq!(of("arn:aws:sts::123456789012:federated-user/bob"), Principal::Other);
    }

    #[test]
    fn objects_are_not_asked_about_on_the_bucket_itself() {
        let policy = json!({"Statement": [
            {"Action": ["s3:PutObject", "s3:ListBucket", "s3:ListBucketMultipartUploads", "s3:AbortMultipartUpload"],
             "Resource": ["arn:aws:s3:::b", "arn:aws:s3:::b/*"]},
            {"Action": ["lambda:EnableReplication*"], "Resource": ["*"]},
            {"Action": "iam:PassRole", "Resource": ["r"], "Condition": {"StringEquals": {"iam:PassedToService": ["a.amazonaws.com", "b.amazonaws.com"]}}},
        ]});
        let all = questions(&policy);
        let told: Vec<(String, String)> =
            all.iter().map(|question| (question.actions.join(" "), question.resources.join(" "))).collect();
        let wanted = [
            ("s3:PutObject s3:AbortMultipartUpload", "arn:aws:s3:::b/*"),
            ("s3:ListBucket s3:ListBucketMultipartUploads", "arn:aws:s3:::b arn:aws:s3:::b/*"),
            ("lambda:EnableReplication", "*"),
            ("iam:PassRole", "r"),
            ("iam:PassRole", "r"),
        ];
        assert_eq!(told, wanted.map(|(actions, resources)| (actions.to_owned(), resources.to_owned())));
        let key = |name: &str, values: &[&str], list| ConditionKey {
            name: name.to_owned(),
            values: values.iter().map(|value| (*value).to_owned()).collect(),
            list,
        };
        let context = |service: &str| vec![key("iam:PassedToService", &[service], false)];
        assert_eq!((&all[3].context, &all[4].context), (&context("a.amazonaws.com"), &context("b.amazonaws.com")));
        // A call carries every key of a condition at once, and all names of a list. What is denied to others is not asked.
        let several = json!({"Statement": [
            {"Action": "acm:RequestCertificate", "Resource": "*",
             "Condition": {"ForAllValues:StringEquals": {"acm:DomainNames": ["a", "b"]}, "StringEquals": {"aws:RequestTag/t": "s"}}},
            {"Effect": "Deny", "Action": "acm:AddTagsToCertificate", "Resource": "*",
             "Condition": {"StringNotEquals": {"aws:ResourceTag/t": "s"}}},
        ]});
        let all = questions(&several);
        let wanted = vec![key("acm:DomainNames", &["a", "b"], true), key("aws:RequestTag/t", &["s"], false)];
        assert_eq!(all.iter().map(|question| &question.context).collect::<Vec<_>>(), [&wanted]);
    }
}

//! IAM roles for the publisher and the followers of the metadata database, as service accounts of clusters take them on.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::{Builder, as_name, boundary};
use crate::plan::metadata::{MetadataRolePlan, MetadataStep, MetadataTask};
use crate::plan::{Step, suggest};
use crate::resource::bucket::BucketSpec;
use crate::resource::role::RoleSpec;
use crate::resource::{Address, Kind, Resource};

/// The roles of a step.
pub fn roles(builder: &mut Builder<'_>, step: &Step, plan: &MetadataStep, area: &'static str) {
    for (name, role) in &plan.roles {
        let below = format!("roles.{name}");
        let Some(buckets) = buckets(builder, step, plan, &below, role) else { continue };
        let Some(trust) = trust(builder, step, &below, role) else { continue };
        let spec = RoleSpec {
            name: role.name.clone(),
            description: match role.task {
                MetadataTask::Publish => "Publishes the metadata database".to_owned(),
                MetadataTask::Follow => format!("Reads the metadata snapshots of {}", buckets[0].name),
            },
            trust,
            inline: BTreeMap::from([("snapshots".to_owned(), policy(plan, role.task, &buckets))]),
            managed: Vec::new(),
            boundary: Some(boundary::OBJECTS.to_owned()),
            tags: BTreeMap::new(),
        };
        builder.add(step, &below, Resource::new(Address::new(area, Kind::Role, &as_name(name)), Kind::Role, &spec));
    }
}

/// The buckets that a role is about.
fn buckets<'p>(
    builder: &mut Builder<'_>,
    step: &Step,
    plan: &'p MetadataStep,
    below: &str,
    role: &MetadataRolePlan,
) -> Option<Vec<&'p BucketSpec>> {
    let at = format!("{below}.bucket");
    let found: Vec<&BucketSpec> = match (role.task, &role.bucket) {
        (MetadataTask::Publish, None) => plan.buckets.values().collect(),
        (MetadataTask::Publish, Some(_)) => {
            builder.complain(step, &at, "a publisher writes to all buckets of the step", "remove this setting");
            return None;
        }
        (MetadataTask::Follow, Some(name)) => match plan.buckets.get(name) {
            Some(bucket) => vec![bucket],
            None => {
                let known: Vec<&str> = plan.buckets.keys().map(String::as_str).collect();
                let problem = format!("the role reads bucket {name:?}, which is not in this step");
                let next = suggest::instead(name, &known, "declare it under buckets");
                builder.unknown(step, &at, problem, next);
                return None;
            }
        },
        (MetadataTask::Follow, None) => {
            let problem = "it does not say which bucket the follower reads";
            builder.complain(step, below, problem, "add bucket: the name of a bucket of this step");
            return None;
        }
    };
    if let Some(keyed) = found.iter().find(|bucket| bucket.kms_key.is_some()) {
        let problem =
            format!("bucket {} has a kms_key, and the permissions boundary allows no use of keys", keyed.name);
        builder.complain(
            step,
            below,
            problem,
            "create the role with kms:Decrypt and kms:GenerateDataKey outside of the plan",
        );
        return None;
    }
    Some(found)
}

/// Who may take the role on: one service account of one cluster (IAM User Guide, "Create a role for OpenID Connect federation").
fn trust(builder: &mut Builder<'_>, step: &Step, below: &str, role: &MetadataRolePlan) -> Option<Value> {
    let issuer = role.oidc_provider.split_once(":oidc-provider/").map(|(_, issuer)| issuer);
    // A reference to a resource of the plan has no provider yet.
    let Some(issuer) = issuer.filter(|issuer| role.oidc_provider.starts_with("arn:") && !issuer.is_empty()) else {
        let problem = format!("{:?} is not the ARN of an OIDC provider", role.oidc_provider);
        let next =
            "write arn:aws:iam::ACCOUNT:oidc-provider/ISSUER, as aws iam list-open-id-connect-providers shows it";
        builder.complain(step, &format!("{below}.oidc_provider"), problem, next);
        return None;
    };
    for (setting, value) in [("namespace", &role.namespace), ("service_account", &role.service_account)] {
        // IAM compares the text as it is: a pattern would match nothing, or, with StringLike, everybody.
        let plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-' || byte == b'.';
        if value.is_empty() || !value.bytes().all(plain) {
            let problem = format!("{value:?} is not a name of Kubernetes");
            builder.complain(
                step,
                &format!("{below}.{setting}"),
                problem,
                "write lower case letters, digits, '-' and '.'",
            );
            return None;
        }
    }
    let account = format!("system:serviceaccount:{}:{}", role.namespace, role.service_account);
    Some(json!({
        "Version": "2012-10-17",
        "Statement": [{
            "Effect": "Allow",
            "Principal": {"Federated": role.oidc_provider},
            "Action": "sts:AssumeRoleWithWebIdentity",
            "Condition": {"StringEquals": {format!("{issuer}:sub"): account, format!("{issuer}:aud"): "sts.amazonaws.com"}},
        }],
    }))
}

/// What `docs/guides/replicate.md` lists under Permissions. `s3:ListBucket` has no condition on the prefix: S3 answers 404 instead of
/// 403 for an object that is not there only if listing is allowed without one.
fn policy(plan: &MetadataStep, task: MetadataTask, buckets: &[&BucketSpec]) -> Value {
    let arns: Vec<String> = buckets.iter().map(|bucket| format!("arn:aws:s3:::{}", bucket.name)).collect();
    let snapshots: Vec<String> = arns.iter().map(|arn| format!("{arn}/{}/*", plan.prefix.trim_matches('/'))).collect();
    let mut statements = vec![json!({"Sid": "List", "Effect": "Allow", "Action": ["s3:ListBucket"], "Resource": arns})];
    match task {
        MetadataTask::Follow => statements
            .push(json!({"Sid": "Read", "Effect": "Allow", "Action": ["s3:GetObject"], "Resource": snapshots})),
        MetadataTask::Publish => {
            let actions = ["s3:GetObject", "s3:PutObject", "s3:DeleteObject"];
            statements.push(json!({"Sid": "Publish", "Effect": "Allow", "Action": actions, "Resource": snapshots}));
            let primary = buckets.iter().filter(|bucket| bucket.region == plan.primary);
            let registry: Vec<String> = primary
                .map(|bucket| format!("arn:aws:s3:::{}/{}/*", bucket.name, akidb_edge_registry::PREFIX))
                .collect();
            statements
                .push(json!({"Sid": "Registry", "Effect": "Allow", "Action": ["s3:GetObject"], "Resource": registry}));
        }
    }
    json!({"Version": "2012-10-17", "Statement": statements})
}

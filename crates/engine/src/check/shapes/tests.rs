//! The table holds every operation, every pattern can be read, and every setting leads to a member.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use super::super::testing::{Case, TODAY, case};
use super::{table, validate};
use crate::resource::{Kind, NO_MEMBER};

pub(in super::super) fn cases() -> Vec<Case> {
    const FUNCTION: &str = "edge.function.regional";
    let subnets: Vec<String> = (0..17).map(|at| format!("subnet-{at}")).collect();
    vec![
        case("SH001-missing").set("cdn.response-headers-policy.api", "/cors/origins", json!([])),
        case("SH002-length").set("routing.zone.spare", "/comment", json!("x".repeat(257))),
        case("SH003-size").set(FUNCTION, "/subnets", json!(subnets)),
        case("SH004-word").set("cdn.distribution.main", "/http_version", json!("http4")),
        case("SH004-word").set("cdn.distribution.main", "/certificate/ssl_support_method", json!("sni")),
        case("SH004-word").set("cdn.response-headers-policy.api", "/cors/methods", json!(["get"])),
        case("SH005-pattern").set(FUNCTION, "/environment", json!({"1A": "x"})),
        case("SH006-region").set("routing.load-balancer.us", "/region", json!("us-east-9")),
    ]
}

fn models() -> Value {
    serde_json::from_str(include_str!("models.json")).expect("the table can be read")
}

/// Operations in lower case without dashes, as the methods of a client are named.
fn operations() -> BTreeSet<String> {
    let models = models();
    let services = models["operations"].as_object().expect("services").values();
    services.flat_map(|all| all.as_array().expect("a list")).filter_map(Value::as_str).map(str::to_lowercase).collect()
}

#[test]
fn a_verdict_says_where_what_and_what_instead() {
    let case = case("SH004-word").set("cdn.distribution.main", "/certificate/minimum_protocol", json!("TLSv1.2_2020"));
    let found = super::super::all(&case.desired, TODAY);
    assert_eq!(found[0].path, "certificate.minimum_protocol");
    assert_eq!(found[0].problem, "`TLSv1.2_2020` is not known");
    assert!(found[0].aws_says.contains("cloudfront.ViewerCertificate.MinimumProtocolVersion: one of SSLv3"));
    assert!(found[0].instead.starts_with("write TLSv1.2_20"), "{}", found[0].instead);
}

#[test]
fn every_pattern_can_be_read() {
    fn visit(value: &Value, count: &mut usize) {
        for (key, field) in value.as_object().into_iter().flatten() {
            match field.as_str().filter(|_| key == "pattern") {
                Some(text) => {
                    validate::compile(text).unwrap_or_else(|bad| panic!("{text}: {bad}"));
                    *count += 1;
                }
                None => visit(field, count),
            }
        }
    }
    let mut count = 0;
    visit(&models()["structures"], &mut count);
    assert!(count > 50, "only {count} patterns");
}

/// Every method of a client that the providers and the ledger call.
fn called() -> BTreeSet<String> {
    let verbs = [
        "create_",
        "put_",
        "delete_",
        "update_",
        "list_",
        "describe_",
        "change_",
        "tag_",
        "untag_",
        "attach_",
        "detach_",
        "publish_",
        "request_",
        "upload_",
        "head_",
        "copy_",
        "abort_",
        "complete_",
        "add_",
        "remove_",
        "get_",
    ];
    let mut found = BTreeSet::new();
    for text in sources(&["../aws/src", "src/ledger"]) {
        for (before, _) in text.match_indices("()").map(|(at, _)| text.split_at(at)) {
            let name = before
                .rsplit(|letter: char| !letter.is_ascii_lowercase() && letter != '_' && !letter.is_ascii_digit())
                .next();
            let name = name.unwrap_or_default();
            let of_client = before.strip_suffix(name).is_some_and(|rest| rest.ends_with('.'));
            if of_client && verbs.iter().any(|verb| name.starts_with(verb)) {
                found.insert(name.to_owned());
            }
        }
    }
    found
}

/// The sources below these folders, without their tests.
fn sources(folders: &[&str]) -> Vec<String> {
    let mut open: Vec<PathBuf> =
        folders.iter().map(|folder| Path::new(env!("CARGO_MANIFEST_DIR")).join(folder)).collect();
    let mut texts = Vec::new();
    while let Some(path) = open.pop() {
        if path.is_dir() {
            open.extend(path.read_dir().unwrap().map(|entry| entry.unwrap().path()));
            continue;
        }
        let text = std::fs::read_to_string(&path).unwrap();
        texts.push(text.split("#[cfg(test)]").next().unwrap_or_default().to_owned());
    }
    texts
}

/// Every action that a provider's grants name.
fn granted() -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    for text in sources(&["../aws/src"]) {
        for list in text.split("actions: &[").skip(1) {
            let list = list.split(']').next().unwrap_or_default();
            found.extend(list.split('"').skip(1).step_by(2).map(str::to_owned));
        }
    }
    found
}

#[test]
fn every_operation_that_is_called_is_in_the_table() {
    // Methods of ours and of the standard library, and the one call of IAM Identity Center's portal.
    let others = [
        "get_or_insert_default",
        "get_role_credentials",
        "head_key",
        "remove_lease",
        "delete_markers",
        "request_checksum_calculation",
        "request_mut",
    ];
    let known = operations();
    let missing: Vec<String> = called()
        .into_iter()
        .filter(|name| !others.contains(&name.as_str()) && !known.contains(&name.replace('_', "")))
        .collect();
    assert!(missing.is_empty(), "run crates/engine/src/check/shapes/generate.py again, for {missing:?}");
}

#[test]
fn every_granted_action_is_in_the_table() {
    // Actions whose operations are named otherwise, and those that no call of ours has by its own name.
    let named = |action: &str| match action {
        "s3:ListAllMyBuckets" => "listbuckets".to_owned(),
        "s3:ListBucket" => "listobjectsv2".to_owned(),
        "s3:ListBucketVersions" => "listobjectversions".to_owned(),
        "s3:GetEncryptionConfiguration" => "getbucketencryption".to_owned(),
        "s3:PutEncryptionConfiguration" => "putbucketencryption".to_owned(),
        "s3:GetLifecycleConfiguration" => "getbucketlifecycleconfiguration".to_owned(),
        "s3:PutLifecycleConfiguration" => "putbucketlifecycleconfiguration".to_owned(),
        "s3:GetReplicationConfiguration" => "getbucketreplication".to_owned(),
        "s3:PutReplicationConfiguration" => "putbucketreplication".to_owned(),
        "s3:GetBucketPublicAccessBlock" => "getpublicaccessblock".to_owned(),
        "s3:GetAccelerateConfiguration" => "getbucketaccelerateconfiguration".to_owned(),
        "s3:GetBucketNotification" => "getbucketnotificationconfiguration".to_owned(),
        "s3:PutBucketPublicAccessBlock" => "putpublicaccessblock".to_owned(),
        "s3:DeleteObjectVersion" => "deleteobject".to_owned(),
        "s3:GetObjectVersion" => "getobject".to_owned(),
        // What a copy of an object carries along.
        "s3:GetObjectTagging" | "s3:GetObjectVersionTagging" | "s3:PutObjectTagging" => "copyobject".to_owned(),
        "cloudfront:CreateDistribution" => "createdistributionwithtags".to_owned(),
        // What CloudFront does with the caller's permissions.
        "lambda:DisableReplication*" | "lambda:EnableReplication*" => "getfunction".to_owned(),
        "s3:GetBucketAcl" | "s3:PutBucketAcl" => "createdistributionwithtags".to_owned(),
        action => action.rsplit(':').next().unwrap_or_default().to_lowercase(),
    };
    let known = operations();
    // What providers need of other services is not called by the tool.
    let of_others = ["kms", "wafv2"];
    let is_called = |action: &String| action.split(':').next().is_some_and(|service| !of_others.contains(&service));
    let actions: Vec<String> = granted().into_iter().filter(is_called).collect();
    assert!(actions.len() > 80, "only {} actions", actions.len());
    let missing: Vec<String> = actions.into_iter().filter(|action| !known.contains(&named(action))).collect();
    assert!(missing.is_empty(), "run crates/engine/src/check/shapes/generate.py again, for {missing:?}");
}

/// Every path of a kind's settings that holds a value, in the words of `ApiRow`.
fn wanted(kind: Kind) -> BTreeSet<String> {
    fn visit(schema: &Value, whole: &Value, path: &str, found: &mut BTreeSet<String>) {
        let join = |part: &str| if path.is_empty() { part.to_owned() } else { format!("{path}.{part}") };
        if let Some(name) = schema.get("$ref").and_then(Value::as_str) {
            let target = whole.pointer(name.trim_start_matches('#')).expect("a definition");
            return visit(target, whole, path, found);
        }
        if let Some(choices) = schema.get("oneOf").or_else(|| schema.get("anyOf")).and_then(Value::as_array) {
            let choices = choices.iter().filter(|choice| choice.get("type") != Some(&json!("null")));
            return choices.for_each(|choice| visit(choice, whole, path, found));
        }
        if let Some(fields) = schema.get("properties").and_then(Value::as_object) {
            return fields.iter().for_each(|(name, field)| visit(field, whole, &join(name), found));
        }
        if let Some(items) = schema.get("items") {
            found.insert(path.to_owned());
            return visit(items, whole, &join("*"), found);
        }
        if let Some(values) = schema.get("additionalProperties").filter(|values| **values != json!(false)) {
            found.insert(join("~"));
            return visit(values, whole, &join("*"), found);
        }
        found.insert(path.to_owned());
    }
    let whole = (kind.facts().schema)();
    let mut found = BTreeSet::new();
    visit(&whole, &whole, "", &mut found);
    found
}

fn mapped(kind: Kind) -> Vec<(String, &'static str)> {
    let join =
        |at: &str, path: &str| [at, path].into_iter().filter(|part| !part.is_empty()).collect::<Vec<_>>().join(".");
    kind.facts().api.iter().flat_map(|(at, rows)| rows.iter().map(|(path, member)| (join(at, path), *member))).collect()
}

#[test]
fn every_setting_leads_to_a_member_or_says_that_none_is_there() {
    let mut missing = Vec::new();
    for kind in Kind::ALL.into_iter().filter(|kind| kind.in_aws()) {
        let known: BTreeSet<String> = mapped(kind).into_iter().map(|(path, _)| path).collect();
        missing.extend(wanted(kind).difference(&known).map(|path| format!("{}: {path}", kind.name())));
    }
    assert!(missing.is_empty(), "write a row of api in the facts of the kind for\n{}", missing.join("\n"));
}

#[test]
fn every_member_of_the_map_is_in_the_table() {
    let mut missing = Vec::new();
    for kind in Kind::ALL {
        for (path, member) in mapped(kind).into_iter().filter(|(_, member)| *member != NO_MEMBER) {
            let asked = member.ends_with('!');
            match table::demand(member.trim_end_matches('!')) {
                Some(demand) if !asked || demand.required => {}
                _ => missing.push(format!("{} {path}: {member}", kind.name())),
            }
        }
    }
    assert!(missing.is_empty(), "{}", missing.join("\n"));
}

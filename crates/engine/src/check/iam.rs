//! Rules on roles and their policy documents.

use serde_json::Value;

use super::policy::{placeholder, statements, texts, walk};
use super::rule::{CheckRule, CheckedResource, RuleFindings, error, warning};
use super::scope::is_open;
use crate::resource::role::RoleSpec;

type Spec<'a> = CheckedResource<'a, RoleSpec>;

pub(super) const RULES: &[CheckRule<RoleSpec>] = &[
    error(
        "IA001-role-name",
        "role names are legal",
        "ValidationError: The specified value for roleName is invalid. It must contain only alphanumeric characters and/or the following: +=,.@_-",
        "write up to 64 such characters",
        name,
    ),
    error(
        "IA002-policy-version",
        "policy documents have the version 2012-10-17",
        "MalformedPolicyDocument, or accepted with the rules of 2008, which read no policy variables",
        "write \"Version\": \"2012-10-17\"",
        version,
    ),
    error(
        "IA003-statement",
        "statements have Effect and Action, and Resource (trust documents: Principal)",
        "MalformedPolicyDocument: Syntax errors in policy.",
        "write Effect (Allow or Deny), Action, and Resource; in a trust document Principal and no Resource",
        statement,
    ),
    error(
        "IA004-placeholder",
        "a policy document has no unfilled placeholder",
        "MalformedPolicyDocument: Invalid principal in policy (or a resource that never matches)",
        "write ${#account} for the account, and references for the rest",
        placeholders,
    ),
    warning(
        "IA005-wildcard-action",
        "no statement allows every action",
        "accepted; the role may do everything",
        "name the actions",
        wildcard,
    ),
    error(
        "IA006-managed-arn",
        "attached policies are named by ARN, at most ten",
        "NoSuchEntity: Policy does not exist or is not attachable, or InvalidInput for a text that is not an ARN",
        "write for example arn:aws:iam::aws:policy/service-role/AWSLambdaBasicExecutionRole",
        managed,
    ),
    error(
        "IA007-inline-size",
        "inline policies have at most 10,240 characters together, the trust document 2,048",
        "LimitExceeded: Maximum policy size of 10240 bytes exceeded",
        "join statements, or use a managed policy",
        size,
    ),
    error(
        "IA008-description",
        "a description has at most 1,000 characters",
        "ValidationError: Value at 'description' failed to satisfy constraint: Member must have length less than or equal to 1000",
        "shorten the description",
        description,
    ),
];

/// Every document with its path; the first is the trust document.
fn documents(spec: &RoleSpec) -> Vec<(String, &Value)> {
    let inline = spec.inline.iter().map(|(name, document)| (format!("inline.{name}"), document));
    [("trust".to_owned(), &spec.trust)].into_iter().chain(inline).collect()
}

fn name(seen: &Spec<'_>, notes: &mut RuleFindings<'_>) {
    let name = seen.spec.name.as_str();
    let legal = name.bytes().all(|b| b.is_ascii_alphanumeric() || b"+=,.@_-".contains(&b));
    let wrong = !is_open(name) && (!(1..=64).contains(&name.len()) || !legal);
    notes.add_if(wrong, "name", || {
        format!("the name is `{name}` ({})", crate::resource::counted(name.len(), "character"))
    });
}

fn version(seen: &Spec<'_>, notes: &mut RuleFindings<'_>) {
    for (path, document) in documents(&seen.spec) {
        let version = document.get("Version").and_then(Value::as_str).unwrap_or("none");
        notes.add_if(version != "2012-10-17", format!("{path}.Version"), || format!("the version is {version}"));
    }
}

fn statement(seen: &Spec<'_>, notes: &mut RuleFindings<'_>) {
    for (path, document) in documents(&seen.spec) {
        let all = statements(document);
        notes.add_if(all.is_empty(), format!("{path}.Statement"), || "there is no statement".to_owned());
        for (at, one) in all.into_iter().enumerate() {
            let has = |field: &str| one.get(field).is_some();
            let effect = one.get("Effect").and_then(Value::as_str).unwrap_or("none");
            let trust = path == "trust";
            let wrong = [
                (!["Allow", "Deny"].contains(&effect), format!("Effect is {effect}")),
                (!has("Action") && !has("NotAction"), "there is no Action".to_owned()),
                (trust && !has("Principal"), "there is no Principal".to_owned()),
                (trust && has("Resource"), "a trust document has no Resource".to_owned()),
                (!trust && !has("Resource") && !has("NotResource"), "there is no Resource".to_owned()),
                (!trust && has("Principal"), "an inline policy has no Principal".to_owned()),
            ];
            for (_, problem) in wrong.into_iter().filter(|(wrong, _)| *wrong) {
                notes.add(format!("{path}.Statement.{at}"), problem);
            }
        }
    }
}

fn placeholders(seen: &Spec<'_>, notes: &mut RuleFindings<'_>) {
    for (path, document) in documents(&seen.spec) {
        walk(document, &path, &mut |at, text| {
            if let Some(word) = placeholder(text) {
                notes.add(at, format!("`{text}` still holds the placeholder {word}"));
            }
        });
    }
}

fn wildcard(seen: &Spec<'_>, notes: &mut RuleFindings<'_>) {
    for (path, document) in documents(&seen.spec) {
        for (at, one) in statements(document).into_iter().enumerate() {
            let allow = one.get("Effect").and_then(Value::as_str) == Some("Allow");
            let every = allow && texts(one, "Action").contains(&"*");
            notes.add_if(every, format!("{path}.Statement.{at}.Action"), || "the action is `*`".to_owned());
        }
    }
}

fn managed(seen: &Spec<'_>, notes: &mut RuleFindings<'_>) {
    let count = seen.spec.managed.len();
    notes.add_if(count > 10, "managed", || format!("there are {count} policies"));
    for (at, arn) in seen.spec.managed.iter().enumerate() {
        let parts: Vec<&str> = arn.splitn(6, ':').collect();
        let formed = matches!(parts[..], ["arn", "aws" | "aws-cn" | "aws-us-gov", "iam", "", account, policy]
            if policy.starts_with("policy/") && policy.len() > 7
            && (account == "aws" || account.len() == 12 && account.bytes().all(|b| b.is_ascii_digit())));
        notes.add_if(!formed && !is_open(arn), format!("managed.{at}"), || {
            format!(
                "`{arn}` is not the ARN of a \
             policy"
            )
        });
    }
}

/// Characters that IAM counts: blanks are left out.
fn counted(document: &Value) -> usize {
    document.to_string().chars().filter(|letter| !letter.is_whitespace()).count()
}

fn size(seen: &Spec<'_>, notes: &mut RuleFindings<'_>) {
    let inline: usize = seen.spec.inline.values().map(counted).sum();
    notes.add_if(inline > 10_240, "inline", || format!("the inline policies have {inline} characters"));
    let trust = counted(&seen.spec.trust);
    notes.add_if(trust > 2_048, "trust", || format!("the trust document has {trust} characters"));
}

fn description(seen: &Spec<'_>, notes: &mut RuleFindings<'_>) {
    let long = seen.spec.description.chars().count();
    notes.add_if(long > 1_000, "description", || format!("the description has {long} characters"));
}

#[cfg(test)]
pub(super) mod tests {
    use serde_json::json;

    use super::super::testing::{Case, case};

    pub(in super::super) fn cases() -> Vec<Case> {
        const ROLE: &str = "edge.role.regional";
        let big = json!({"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "s3:GetObject", "Resource": "x".repeat(10_240)}]});
        let web = json!({"Version": "2012-10-17", "Statement": [
            {"Effect": "Allow", "Principal": {"Service": "lambda.amazonaws.com"}, "Action": "sts:AssumeRole"},
            {"Effect": "Allow", "Principal": {"Federated": "arn:aws:iam::ACCOUNT_ID:oidc-provider/x"}, "Action": "sts:AssumeRoleWithWebIdentity"}]});
        vec![
            case("IA001-role-name").set(ROLE, "/name", json!("x".repeat(65))),
            case("IA002-policy-version").set(ROLE, "/trust/Version", json!("2008-10-17")),
            case("IA003-statement").remove(ROLE, "/inline/logs/Statement/0/Resource"),
            case("IA003-statement").set(ROLE, "/trust/Statement/0/Resource", json!("*")),
            case("IA004-placeholder").set(ROLE, "/trust", web),
            case("IA005-wildcard-action").set(ROLE, "/inline/logs/Statement/0/Action", json!("*")),
            case("IA006-managed-arn").set(ROLE, "/managed", json!(["AWSLambdaBasicExecutionRole"])),
            case("IA007-inline-size").set(ROLE, "/inline/logs", big),
            case("IA008-description").set(ROLE, "/description", json!("x".repeat(1001))),
        ]
    }
}

//! The policy that `deploy --print-iam-policy` asks for: no more than a deploy needs.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};

use serde_json::Value;

use testkit::cli::{bare, finish, own_files, write_model};
use testkit::local_aws;

/// What parliament (an IAM policy linter) finds, as `SEVERITY ISSUE DETAIL`. None where it is not installed.
fn parliament(policy: &str, more: &[&str]) -> Option<BTreeSet<String>> {
    let program = Path::new(env!("CARGO_MANIFEST_DIR")).join("localstack/.venv/bin/parliament");
    let mut linter =
        Command::new(program).arg("--json").args(more).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().ok()?;
    std::io::Write::write_all(&mut linter.stdin.take()?, policy.as_bytes()).expect("it reads");
    let output = linter.wait_with_output().expect("it ends");
    let failed = !output.status.success() && output.stdout.is_empty();
    assert!(!failed, "parliament: {}", String::from_utf8_lossy(&output.stderr));
    let said = String::from_utf8(output.stdout).expect("text");
    let findings = said.lines().filter(|line| !line.trim().is_empty()).map(|line| {
        let finding: Value = serde_json::from_str(line).unwrap_or_else(|bad| panic!("{bad}: {line}"));
        let word = |field: &str| finding[field].as_str().unwrap_or_default().to_owned();
        format!("{} {} {}", word("severity"), word("issue"), word("detail")).trim_end().to_owned()
    });
    Some(findings.collect())
}

#[test]
fn the_policy_that_is_asked_for_passes_the_linter() {
    local_aws::endpoint();
    let models = tempfile::tempdir().expect("a directory");
    write_model(models.path());
    let words = ["deploy", "--print-iam-policy", "--plan", "week13"];
    let policy = finish(bare().args(words).args(own_files(models.path()))).exits(0);
    let Some(mut findings) = parliament(&policy.stdout, &[]) else {
        panic!("parliament is not installed: localstack/up --install brings it");
    };
    // CloudFront opens the bucket of its logs to the log delivery with the caller's permissions: AWS asks for this one.
    findings.retain(|finding| !finding.ends_with("but does allow s3:PutBucketAcl"));
    assert!(findings.is_empty(), "{findings:?}");
    // Two findings of the auditors that look for what an attacker could make of it remain, because it is the tool's work: it makes
    // the roles of a stack, hands them to Lambda and S3, and writes the policies of buckets. Each is held to the names of
    // the plan's own roles and buckets, and `iam:PassRole` to their services.
    let known =
        BTreeSet::from(["HIGH PRIVILEGE_ESCALATION".to_owned(), "MEDIUM PERMISSIONS_MANAGEMENT_ACTIONS".to_owned()]);
    let mut more = parliament(&policy.stdout, &["--include-community-auditors"]).expect("as before");
    more.retain(|finding| !finding.ends_with("but does allow s3:PutBucketAcl"));
    assert_eq!(more, known);
    let document: Value = serde_json::from_str(&policy.stdout).expect("a policy");
    // To find what carries the stack's tags, names and tags of all may be read.
    let only_looks = ["iam:ListRoles", "iam:ListRoleTags"];
    let risky =
        |action: &&str| *action == "s3:PutBucketPolicy" || (action.starts_with("iam:") && !only_looks.contains(action));
    for statement in document["Statement"].as_array().expect("statements") {
        if texts(&statement["Action"]).iter().any(risky) {
            let on = statement["Resource"].to_string();
            assert!(!on.contains("\"*\"") && !on.contains("role/*") && !on.contains("s3:::*"), "{statement}");
        }
    }
    // The linter does look: without the grant on objects, whoever writes the bucket's policy gains it.
    let mut without: Value = document.clone();
    without["Statement"].as_array_mut().expect("statements").retain(|statement| statement["Sid"] != "Objects");
    let found = parliament(&without.to_string(), &[]).expect("as before");
    let gains = |finding: &String| finding.ends_with("but does allow s3:PutBucketPolicy");
    assert!(found.iter().any(gains), "{found:?}");
}

/// The policy for week 13, as it is printed.
fn printed_policy() -> Value {
    let models = tempfile::tempdir().expect("a directory");
    write_model(models.path());
    let words = ["deploy", "--print-iam-policy", "--plan", "week13"];
    let printed = finish(bare().args(words).args(own_files(models.path()))).exits(0);
    serde_json::from_str(&printed.stdout).expect("a policy")
}

/// One text or a list of them.
fn texts(value: &Value) -> Vec<&str> {
    value
        .as_str()
        .map_or_else(|| value.as_array().into_iter().flatten().filter_map(Value::as_str).collect(), |one| vec![one])
}

/// Whether a pattern with stars takes a text.
fn takes(pattern: &str, text: &str) -> bool {
    match pattern.split_once('*') {
        None => pattern == text,
        Some((head, rest)) => text.strip_prefix(head).is_some_and(|left| {
            (0..=left.len()).filter(|at| left.is_char_boundary(*at)).any(|at| takes(rest, &left[at..]))
        }),
    }
}

/// Whether a statement's condition holds for a request with these keys (IAM User Guide, "Policy evaluation logic": a key that is
/// not there fails an operator, but for those that negate, and ForAllValues).
fn holds_for(condition: &Value, keys: &[(&str, &str)]) -> bool {
    condition.as_object().into_iter().flatten().all(|(operator, wanted)| {
        wanted.as_object().into_iter().flatten().all(|(key, values)| {
            let given = keys.iter().find(|(known, _)| known == key).map(|(_, value)| *value);
            let equal = |given: &str| texts(values).iter().any(|pattern| takes(pattern, given));
            match operator.as_str() {
                "StringEquals" | "ArnEquals" => given.is_some_and(equal),
                "ForAllValues:StringLike" | "ForAllValues:StringEqualsIgnoreCase" => given.is_none_or(equal),
                "StringNotEquals" => !given.is_some_and(equal),
                other => panic!("the test does not know the operator {other}"),
            }
        })
    })
}

/// Whether a policy lets somebody do something: allowed by a statement, and denied by none.
fn may(policy: &Value, action: &str, resource: &str, keys: &[(&str, &str)]) -> bool {
    let meant = |effect: &str| {
        policy["Statement"].as_array().expect("statements").iter().any(|statement| {
            statement["Effect"] == effect
                && texts(&statement["Action"]).iter().any(|pattern| takes(pattern, action))
                && texts(&statement["Resource"]).iter().any(|pattern| takes(pattern, resource))
                && holds_for(&statement["Condition"], keys)
        })
    };
    meant("Allow") && !meant("Deny")
}

const ADMINISTRATOR: &str = "arn:aws:iam::aws:policy/AdministratorAccess";
const LOGS: &str = "arn:aws:iam::aws:policy/service-role/AWSLambdaBasicExecutionRole";

#[test]
fn the_policy_that_is_asked_for_leads_to_no_administrator() {
    let policy = printed_policy();
    let role = "arn:aws:iam::000000000000:role/akidb-week13-gateway".to_owned();
    let other = "arn:aws:iam::000000000000:role/admin".to_owned();
    let function = "arn:aws:lambda:us-east-1:000000000000:function:others".to_owned();
    let boundary = |arn| ("iam:PermissionsBoundary", arn);
    // What the plan needs is there.
    let giving =
        ["iam:CreateRole", "iam:PutRolePolicy", "iam:PutRolePermissionsBoundary", "iam:UpdateAssumeRolePolicy"];
    for action in giving {
        assert!(may(&policy, action, &role, &[boundary(LOGS)]), "{action}\n{policy:#}");
        // Without the boundary, or with another one, it is not.
        assert!(!may(&policy, action, &role, &[]), "{action} without a boundary");
        assert!(!may(&policy, action, &role, &[boundary(ADMINISTRATOR)]), "{action} beyond the boundary");
        assert!(!may(&policy, action, &other, &[boundary(LOGS)]), "{action} for a role of others");
    }
    let passed = |service| [("iam:PassedToService", service)];
    assert!(may(&policy, "iam:PassRole", &role, &passed("lambda.amazonaws.com")));
    assert!(!may(&policy, "iam:PassRole", &role, &passed("ec2.amazonaws.com")));
    assert!(!may(&policy, "iam:PassRole", &other, &passed("lambda.amazonaws.com")));
    for (action, on) in [
        ("iam:AttachRolePolicy", &role),
        ("iam:DeleteRolePermissionsBoundary", &role),
        ("iam:UpdateAssumeRolePolicy", &other),
        ("iam:CreatePolicyVersion", &other),
        ("iam:SetDefaultPolicyVersion", &other),
        ("iam:CreateUser", &other),
        ("iam:CreateAccessKey", &other),
        ("iam:CreateLoginProfile", &other),
        ("iam:AttachUserPolicy", &other),
        ("iam:PutUserPolicy", &other),
        ("iam:AddUserToGroup", &other),
        ("sts:AssumeRole", &role),
        ("lambda:InvokeFunction", &role),
        ("lambda:UpdateFunctionCode", &function),
    ] {
        assert!(!may(&policy, action, on, &[("iam:PolicyARN", ADMINISTRATOR), boundary(LOGS)]), "{action} on {on}");
    }
}

#[test]
fn the_policy_that_is_asked_for_reaches_nothing_of_others() {
    let policy = printed_policy();
    let tag = |stack| [("aws:ResourceTag/akidb:stack", stack)];
    let any = |kind: &str| {
        let found = policy["Statement"].as_array().expect("statements").iter().flat_map(|one| texts(&one["Resource"]));
        let pattern =
            found.into_iter().find(|arn| arn.contains(kind)).unwrap_or_else(|| panic!("no {kind}")).to_owned();
        pattern.replace(":*", ":1").replace("/*", "/x")
    };
    for (action, on) in [
        ("cloudfront:DeleteDistribution", any(":distribution/")),
        ("cloudfront:UpdateDistribution", any(":distribution/")),
        ("acm:DeleteCertificate", any(":certificate/")),
    ] {
        let on = on.as_str();
        assert!(may(&policy, action, on, &tag("akidb-week13")), "{action} on {on}");
        assert!(!may(&policy, action, on, &tag("other")) && !may(&policy, action, on, &[]), "{action} on {on}");
    }
    // A new thing has no ID yet; what has one, and not the stack's tag, cannot be given it.
    let marked = ("aws:RequestTag/akidb:stack", "akidb-week13");
    for (action, new, theirs) in [
        ("cloudfront:TagResource", any(":distribution/"), any(":distribution/").replace("/x", "/E1ABC")),
        ("acm:AddTagsToCertificate", any(":certificate/"), any(":certificate/").replace("/x", "/1ab-2cd-3ef")),
    ] {
        assert!(may(&policy, action, &new, &[marked]) && !may(&policy, action, &new, &[]), "{action} on {new}");
        let other = tag("other")[0];
        for keys in [vec![marked], vec![marked, other], vec![other]] {
            assert!(!may(&policy, action, &theirs, &keys), "{action} on {theirs}: {keys:?}");
        }
        assert!(may(&policy, action, &theirs, &tag("akidb-week13")), "{action} on {theirs}");
    }
    assert!(may(&policy, "cloudfront:CreateDistribution", "*", &[marked]));
    assert!(!may(&policy, "cloudfront:CreateDistribution", "*", &[]));
    let asks = |name| may(&policy, "acm:RequestCertificate", "*", &[marked, ("acm:DomainNames", name)]);
    assert!(asks("api.akidb.com") && !asks("bank.example"));
    let change = |name| {
        let keys = [("route53:ChangeResourceRecordSetsNormalizedRecordNames", name)];
        may(&policy, "route53:ChangeResourceRecordSets", "arn:aws:route53:::hostedzone/x", &keys)
    };
    assert!(change("api.akidb.com") && change("_abc.cdn.akidb.com") && !change("www.example.com"));
}

#[test]
fn services_use_the_roles_of_the_plan_for_this_account_alone() {
    let graph = fs::read_to_string(concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/crates/engine/tests/engine/snapshots/engine__plan_week13__the_same_plan_wants_the_same.snap"
    ));
    let graph = graph.expect("the graph of week 13");
    let roles: Vec<&str> = graph.lines().filter(|line| line.contains("sts:AssumeRole")).collect();
    assert!(roles.len() >= 2, "{roles:?}");
    for role in roles {
        let spec: Value = serde_json::from_str(&role[role.find('{').expect("a spec")..]).expect("JSON");
        let services = spec.pointer("/trust/Statement/0/Principal/Service").expect("services").to_string();
        // A function's role is handed over by its own account alone: Lambda takes none of another one.
        if !services.contains("lambda") {
            let condition = &spec["trust"]["Statement"][0]["Condition"]["StringEquals"]["aws:SourceAccount"];
            assert_eq!(condition, "${#account}", "{spec:#}");
        }
        assert!(spec["boundary"].as_str().is_some_and(|arn| arn.starts_with("arn:aws:iam::aws:policy/")), "{spec:#}");
    }
}

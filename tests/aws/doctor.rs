//! `doctor`: who, through what, to where, which state, which permissions. It changes nothing.

use serde_json::{Value, json};
use testkit::cli::{TestAccount, bare, finish};
use testkit::local_aws;
use testkit::proxy::{CallSelector, FaultProxy, ProxyAction, ProxyCall, wait};

fn proxy() -> FaultProxy {
    FaultProxy::start(&local_aws::endpoint())
}

/// The check of that name.
#[track_caller]
fn check<'d>(document: &'d Value, name: &str) -> &'d Value {
    let checks = document["checks"].as_array().expect("checks");
    checks.iter().find(|check| check["name"] == name).unwrap_or_else(|| panic!("no {name}: {document:#}"))
}

fn asks_who(call: &ProxyCall) -> bool {
    call.operation == "GetCallerIdentity"
}

/// The local AWS knows everybody as the root user: the answer becomes that of a user of the account.
fn as_user(answer: &str) -> String {
    answer.replace(":root<", ":user/ann<")
}

fn as_session_of_a_role(answer: &str) -> String {
    answer.replace("arn:aws:iam::", "arn:aws:sts::").replace(":root<", ":assumed-role/deployer/ci<")
}

fn iam(account: &TestAccount) -> aws_sdk_iam::Client {
    aws_sdk_iam::Client::new(&account.sdk)
}

fn policy(statements: &Value) -> String {
    json!({"Version": "2012-10-17", "Statement": statements}).to_string()
}

/// Lets the user do what these statements say.
fn user(account: &TestAccount, statements: &Value) {
    let iam = iam(account);
    // The second time the user is there already.
    let _ = wait(iam.create_user().user_name("ann").send());
    let put = iam.put_user_policy().user_name("ann").policy_name("p").policy_document(policy(statements));
    wait(put.send()).expect("a policy");
}

/// `doctor --json` with the plan, through the proxy.
fn doctor(account: &TestAccount, proxy: &FaultProxy, code: i32) -> Value {
    let mut command = account.planned("doctor --json");
    command.env("AWS_ENDPOINT_URL", proxy.url());
    let document = finish(&mut command).exits(code).json();
    assert_eq!((&document["schema"], &document["exit"]), (&json!("akidb-edge/doctor-account/v1"), &json!(code)));
    document
}

#[test]
fn it_names_the_caller_the_way_and_the_state() {
    let (account, proxy) = (TestAccount::new(), proxy());
    let before = doctor(&account, &proxy, 0);
    assert_eq!(before["caller"]["account"], account.number.as_str());
    assert_eq!(before["connection"]["region"], json!({"name": "us-east-1", "setting": "AWS_REGION"}));
    let endpoint = check(&before, "endpoint")["found"].as_str().expect("text");
    assert!(endpoint.contains(proxy.url()), "{endpoint}");
    let state = check(&before, "state")["found"].as_str().expect("text");
    assert!(state.contains("does not exist yet"), "{state}");
    account.run("deploy --yes").exits(0);
    let after = doctor(&account, &proxy, 0);
    assert_eq!(after["state"]["revision"], 1);
    assert_eq!(check(&after, "lease")["found"], "free");
    assert!(proxy.take_mutating().is_empty(), "it changes nothing");
    let text = account.run("doctor").exits(0).stdout;
    assert!(text.contains("✓ state") && text.contains("revision 1"), "{text}");
}

#[test]
fn a_journal_that_knows_nothing_of_what_carries_the_mark_is_told() {
    let (account, proxy) = (TestAccount::new(), proxy());
    account.run("deploy --yes").exits(0);
    let elsewhere = format!("--state file:{}", account.path("elsewhere").display());
    let document = account.run(&format!("doctor --json {elsewhere}")).exits(2).json();
    let mark = check(&document, "mark");
    assert_eq!(mark["verdict"], "warning");
    assert!(mark["next_step"].as_str().is_some_and(|next| next.contains("--state")), "{mark}");
    // The next step that takes it in again does so.
    account.run(&format!("deploy --yes {elsewhere}")).exits(0);
    let document = account.run(&format!("doctor --json {elsewhere}")).exits(0).json();
    assert!(document["state"]["resources"].as_u64().is_some_and(|count| count > 20), "{document:#}");
    // Another account's credentials are told, too.
    let other = TestAccount::new();
    let mut command = other.planned(&format!("doctor --json {elsewhere}"));
    let document = finish(command.env("AWS_ENDPOINT_URL", proxy.url())).exits(1).json();
    let state = check(&document, "state");
    assert_eq!(state["verdict"], "failed");
    assert!(state["found"].as_str().is_some_and(|found| found.contains(&account.number)), "{state}");
}

/// The actions of the statements of a policy that have a condition.
fn under_conditions(policy: &str) -> Vec<String> {
    let policy: Value = serde_json::from_str(policy).expect("a policy");
    let statements = policy["Statement"].as_array().expect("statements").iter();
    let held = statements.filter(|one| one["Effect"] == "Allow" && !one["Condition"].is_null());
    let actions = held.flat_map(|one| match &one["Action"] {
        Value::Array(all) => all.clone(),
        one => vec![one.clone()],
    });
    actions.map(|action| action.as_str().expect("a name").to_owned()).collect()
}

#[test]
fn missing_permissions_are_named_and_gone_once_they_are_given() {
    let (account, proxy) = (TestAccount::new(), proxy());
    proxy.on(asks_who, CallSelector::Each, ProxyAction::Rewrite(as_user));
    user(
        &account,
        &json!([{"Effect": "Allow", "Action": ["s3:*", "iam:*", "cloudfront:*", "lambda:*"], "Resource": "*"},
                           {"Effect": "Deny", "Action": "s3:PutBucketPolicy", "Resource": "*"}]),
    );
    let document = doctor(&account, &proxy, 1);
    let missing = document["permissions"]["missing"].as_array().expect("a list");
    let names = |denied: bool| {
        let those = missing.iter().filter(|one| one["denied"] == denied);
        those.map(|one| one["action"].as_str().expect("a name")).collect::<std::collections::BTreeSet<_>>()
    };
    assert_eq!(names(true), ["s3:PutBucketPolicy"].into());
    assert!(names(false).contains("route53:ChangeResourceRecordSets"), "{missing:#?}");
    assert!(
        !names(false).iter().any(|name| name.starts_with("lambda:")),
        "what is allowed is not missing: {missing:#?}"
    );
    // The policy that it names as the next step is enough.
    let policy = account.run("deploy --print-iam-policy").exits(0).stdout;
    let conditional = under_conditions(&policy);
    let put = iam(&account).put_user_policy().user_name("ann").policy_name("p").policy_document(policy);
    wait(put.send()).expect("a policy");
    // But for what a condition holds: the local AWS simulates none (what is asked there has a unit test).
    let document = doctor(&account, &proxy, 1);
    let missing = document["permissions"]["missing"].as_array().expect("a list");
    let held: std::collections::BTreeSet<&str> = conditional.iter().map(String::as_str).collect();
    let names = missing.iter().map(|one| one["action"].as_str().expect("a name"));
    assert!(names.clone().all(|name| held.contains(name)) && names.count() > 0, "{missing:#?}");
    user(&account, &json!([{"Effect": "Allow", "Action": "*", "Resource": "*"}]));
    let document = doctor(&account, &proxy, 0);
    assert_eq!(document["permissions"]["missing"], json!([]));
    assert!(document["permissions"]["actions"].as_u64().is_some_and(|count| count > 50), "{document:#}");
}

#[test]
fn the_role_of_a_session_is_found_with_its_path() {
    let (account, proxy) = (TestAccount::new(), proxy());
    proxy.on(asks_who, CallSelector::Each, ProxyAction::Rewrite(as_session_of_a_role));
    let iam = iam(&account);
    let trust = policy(&json!([{"Effect": "Allow", "Action": "sts:AssumeRole", "Principal": {"AWS": "*"}}]));
    wait(iam.create_role().role_name("deployer").path("/ci/").assume_role_policy_document(trust).send())
        .expect("a role");
    let document = doctor(&account, &proxy, 1);
    let principal = document["permissions"]["principal"].as_str().expect("a role");
    assert!(principal.ends_with(":role/ci/deployer"), "{principal}");
}

#[test]
fn who_may_not_simulate_is_told_what_to_compare() {
    let (account, proxy) = (TestAccount::new(), proxy());
    proxy.on(asks_who, CallSelector::Each, ProxyAction::Rewrite(as_user));
    let body = "<ErrorResponse xmlns=\"https://iam.amazonaws.com/doc/2010-05-08/\"><Error><Type>Sender</Type><Code>AccessDenied</Code>\
                <Message>User is not authorized to perform: iam:SimulatePrincipalPolicy</Message></Error></ErrorResponse>";
    proxy.on(
        |call| call.operation == "SimulatePrincipalPolicy",
        CallSelector::Each,
        ProxyAction::Answer(403, body.to_owned()),
    );
    let document = doctor(&account, &proxy, 2);
    let next = check(&document, "permissions")["next_step"].as_str().expect("a step").to_owned();
    assert!(next.contains("iam:SimulatePrincipalPolicy") && next.contains("--print-iam-policy"), "{next}");
}

#[test]
fn without_credentials_the_state_is_looked_at_all_the_same() {
    let mut command = bare();
    let home = tempfile::tempdir().expect("a folder");
    command.current_dir(home.path()).env("AWS_REGION", "us-east-1").env("HOME", home.path());
    command.args(["doctor", "--stack", "prod", "--json"]);
    let document = finish(&mut command).exits(1).json();
    assert_eq!(check(&document, "caller")["verdict"], "failed");
    assert_eq!(check(&document, "state")["verdict"], "good");
    assert_eq!(document["caller"], Value::Null);
}

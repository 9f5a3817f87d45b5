//! The battery for IAM roles, Lambda functions and their versions, and the edge function run for real.

use std::collections::HashMap;
use std::io::Write;

use akidb_edge::change::compare;
use akidb_edge::provider::{Applied, DeleteOutcome};
use akidb_edge::resource::{Address, Artifacts, FaultClass, Kind, Level, sha256_hex};
use aws_sdk_iam::Client as Iam;
use aws_sdk_lambda::Client as Lambda;
use aws_sdk_lambda::primitives::Blob;
use serde_json::{Value, json};
use testkit::battery::{BatteryCase, TestAccountWorld};

const GATEWAY: &str = include_str!("../../templates/lambda/gateway/index.mjs");

fn trust(services: &[&str]) -> Value {
    json!({"Version": "2012-10-17", "Statement": [
        {"Effect": "Allow", "Principal": {"Service": services}, "Action": "sts:AssumeRole"}]})
}

fn policy(action: &str) -> Value {
    json!({"Version": "2012-10-17", "Statement": [
        {"Sid": "Some thing+%", "Effect": "Allow", "Action": [action], "Resource": "arn:aws:s3:::x/*"}]})
}

const BASIC: &str = "arn:aws:iam::aws:policy/service-role/AWSLambdaBasicExecutionRole";
const READ: &str = "arn:aws:iam::aws:policy/AmazonS3ReadOnlyAccess";

fn role_case<'w>(world: &'w TestAccountWorld, name: &str) -> BatteryCase<'w> {
    let spec = json!({
        "name": format!("akidb-{name}"), "description": "what the edge function runs as",
        "trust": trust(&["lambda.amazonaws.com", "edgelambda.amazonaws.com"]),
        "inline": {"logs": policy("logs:PutLogEvents"), "models": policy("s3:GetObject")},
        "managed": [BASIC], "tags": {"team": "edge", "old": "x"},
    });
    BatteryCase { world, kind: Kind::Role, address: Address::new("edge", Kind::Role, name), spec }
}

#[tokio::test]
async fn role_battery() {
    let world = TestAccountWorld::new(Artifacts::default()).await;
    let case = role_case(&world, "exec");
    let mut changed = case.spec.clone();
    changed["description"] = json!("another word");
    changed["trust"] = trust(&["lambda.amazonaws.com"]);
    changed["inline"] = json!({"logs": policy("logs:CreateLogStream"), "more": policy("s3:ListBucket")});
    changed["managed"] = json!([READ]);
    changed["tags"] = json!({"team": "core"});
    case.run(Some(changed)).await;
}

#[tokio::test]
async fn role_of_somebody_else_is_refused() {
    let world = TestAccountWorld::new(Artifacts::default()).await;
    let case = role_case(&world, "taken");
    let name = case.spec["name"].as_str().expect("a name");
    let call = Iam::new(&world.sdk).create_role().role_name(name);
    call.assume_role_policy_document(trust(&["ec2.amazonaws.com"]).to_string()).send().await.expect("create");
    case.refuses_foreign().await;
}

#[tokio::test]
async fn role_heals_and_keeps_foreign_tags_and_policies() {
    let world = TestAccountWorld::new(Artifacts::default()).await;
    let iam = Iam::new(&world.sdk);
    let case = role_case(&world, "healed");
    let name = case.spec["name"].as_str().expect("a name").to_owned();
    case.create().await.expect("create");
    // The answer was lost half way: one policy is missing.
    iam.delete_role_policy().role_name(&name).policy_name("models").send().await.expect("delete");
    case.create().await.expect("create again");
    // Somebody else adds a tag and a policy.
    let tag = aws_sdk_iam::types::Tag::builder().key("theirs").value("1").build().expect("a tag");
    iam.tag_role().role_name(&name).tags(tag).send().await.expect("tag");
    let put = iam.put_role_policy().role_name(&name).policy_name("theirs");
    put.policy_document(policy("s3:DeleteObject").to_string()).send().await.expect("put");
    let found = case.read(None).await.expect("read").expect("found");
    let mut to = case.spec.clone();
    to["tags"] = json!({"team": "core"});
    let fields = compare(Kind::Role, &to, Some(&case.spec), &found.spec);
    let paths: Vec<&str> = fields.iter().map(|field| field.path.as_str()).collect();
    assert_eq!(paths, ["tags.team", "tags.old"], "the policy is healed");
    let seen: Vec<(&str, bool)> = found.extras.iter().map(|extra| (extra.path.as_str(), extra.theirs)).collect();
    assert_eq!(seen, [("inline.theirs", false)], "a policy of others changes what the role may do");
    case.update(&to, &found, &fields).await.expect("update");
    let found = case.read(None).await.expect("read").expect("found");
    assert_eq!(found.spec["tags"], json!({"team": "core", "theirs": "1"}));
    assert_eq!(found.spec["inline"], case.spec["inline"]);
    let own = iam.list_role_policies().role_name(&name).send().await.expect("list").policy_names;
    assert!(own.contains(&"theirs".to_owned()), "{own:?}");
    // It does not go while others hang on it.
    let fault = case.delete(&name).await.expect_err("held by others");
    assert!(fault.message.contains("theirs") && fault.next_step.is_some(), "{fault:?}");
    let held = iam.list_role_policies().role_name(&name).send().await.expect("list").policy_names;
    assert_eq!(held.len(), own.len(), "nothing of it was touched");
}

fn zip(files: &[(&str, &str)]) -> Vec<u8> {
    let mut zip = zip::ZipWriter::new(std::io::Cursor::new(Vec::new()));
    for (name, text) in files {
        zip.start_file(*name, zip::write::SimpleFileOptions::default()).expect("start");
        zip.write_all(text.as_bytes()).expect("write");
    }
    zip.finish().expect("a zip").into_inner()
}

fn gateway(more: &str) -> Vec<u8> {
    zip(&[("index.mjs", &format!("{GATEWAY}{more}"))])
}

/// The artifacts of these tests: two builds of the gateway.
fn builds() -> (Artifacts, Vec<u8>, Vec<u8>) {
    let (first, second) = (gateway(""), gateway("\n// another build\n"));
    let mut artifacts = Artifacts::default();
    artifacts.add_bytes(first.clone());
    artifacts.add_bytes(second.clone());
    (artifacts, first, second)
}

async fn exec_role(world: &TestAccountWorld) -> String {
    let call = Iam::new(&world.sdk).create_role().role_name("exec");
    let made = call.assume_role_policy_document(trust(&["lambda.amazonaws.com"]).to_string()).send().await;
    made.expect("create").role.expect("a role").arn
}

fn function_case<'w>(world: &'w TestAccountWorld, name: &str, role_arn: &str, code: &[u8]) -> BatteryCase<'w> {
    let spec = json!({
        "name": format!("akidb-{name}"), "region": "us-east-1", "description": "edge gateway",
        "runtime": "nodejs24.x", "handler": "index.handler", "memory_mb": 256, "timeout_seconds": 10,
        "role_arn": role_arn, "architecture": "x86_64", "code_sha256": sha256_hex(code), "code_bytes": code.len(),
        "code_unpacked_bytes": 5_000, "tags": {"team": "edge"},
    });
    BatteryCase { world, kind: Kind::Function, address: Address::new("edge", Kind::Function, name), spec }
}

fn with_code(spec: &Value, code: &[u8]) -> Value {
    let mut to = spec.clone();
    to["code_sha256"] = json!(sha256_hex(code));
    to["code_bytes"] = json!(code.len());
    to
}

#[tokio::test]
async fn function_battery() {
    let (artifacts, first, second) = builds();
    let world = TestAccountWorld::new(artifacts).await;
    let case = function_case(&world, "gateway", &exec_role(&world).await, &first);
    let mut changed = with_code(&case.spec, &second);
    changed["memory_mb"] = json!(512);
    changed["description"] = json!("edge gateway, larger");
    changed["environment"] = json!({"MODE": "test"});
    changed["tags"] = json!({"team": "core"});
    case.run(Some(changed)).await;
}

#[tokio::test]
async fn a_function_gives_up_its_variables_and_keeps_what_others_set() {
    let (artifacts, first, _) = builds();
    let world = TestAccountWorld::new(artifacts).await;
    let mut case = function_case(&world, "gateway", &exec_role(&world).await, &first);
    case.spec["environment"] = json!({"OURS": "1", "MODE": "a"});
    usable(&case).await;
    let lambda = Lambda::new(&world.sdk);
    let name = case.spec["name"].as_str().expect("a name").to_owned();
    let variables =
        [("OURS", "1"), ("MODE", "a"), ("THEIRS", "2")].map(|(key, value)| (key.to_owned(), value.to_owned()));
    let environment = aws_sdk_lambda::types::Environment::builder().set_variables(Some(variables.into())).build();
    let disk = aws_sdk_lambda::types::EphemeralStorage::builder().size(1024).build().expect("a size");
    let call = lambda.update_function_configuration().function_name(&name).environment(environment);
    call.ephemeral_storage(disk).send().await.expect("update");
    let found = case.read(None).await.expect("read").expect("found");
    let seen: Vec<(&str, bool)> = found.extras.iter().map(|extra| (extra.path.as_str(), extra.theirs)).collect();
    assert_eq!(seen, [("ephemeral_storage_mb", false), ("environment.THEIRS", false)]);
    assert!(compare(Kind::Function, &case.spec, Some(&case.spec), &found.spec).is_empty(), "{found:#?}");
    for (environment, left) in [(Some(json!({"MODE": "b"})), 2), (None, 1)] {
        let found = case.read(None).await.expect("read").expect("found");
        let mut to = case.spec.clone();
        match environment {
            Some(environment) => to["environment"] = environment,
            None => drop(to.as_object_mut().expect("a spec").remove("environment")),
        }
        let fields = compare(Kind::Function, &to, Some(&case.spec), &found.spec);
        assert!(!fields.is_empty(), "{to}");
        case.update(&to, &found, &fields).await.expect("update");
        let now = lambda.get_function_configuration().function_name(&name).send().await.expect("the function");
        let held = now.environment.and_then(|environment| environment.variables).unwrap_or_default();
        assert!(held.len() == left && held.contains_key("THEIRS") && !held.contains_key("OURS"), "{held:?}");
        assert_eq!(now.ephemeral_storage.map(|disk| disk.size), Some(1024));
    }
}

#[tokio::test]
async fn function_of_somebody_else_is_refused() {
    let (artifacts, first, _) = builds();
    let world = TestAccountWorld::new(artifacts).await;
    let role = exec_role(&world).await;
    let case = function_case(&world, "taken", &role, &first);
    let code = aws_sdk_lambda::types::FunctionCode::builder().zip_file(Blob::new(first)).build();
    let call = Lambda::new(&world.sdk).create_function().function_name("akidb-taken").role(role).code(code);
    let call = call.runtime("nodejs22.x".into()).handler("index.handler");
    call.send().await.expect("create");
    case.refuses_foreign().await;
}

#[tokio::test]
async fn function_without_its_code_is_refused_with_a_next_step() {
    let world = TestAccountWorld::new(Artifacts::default()).await;
    let fault = function_case(&world, "empty", "arn:aws:iam::1:role/x", b"x").create().await.expect_err("no bytes");
    assert_eq!(fault.class, FaultClass::Refused);
    assert!(fault.message.contains("is not available") && fault.next_step.is_some(), "{fault:?}");
}

fn version_case<'w>(world: &'w TestAccountWorld, function: &Value, settings: &str) -> BatteryCase<'w> {
    let spec = json!({
        "function": function["name"], "region": "us-east-1",
        "code_sha256": function["code_sha256"], "settings": settings,
    });
    BatteryCase {
        world,
        kind: Kind::FunctionVersion,
        address: Address::new("edge", Kind::FunctionVersion, "live"),
        spec,
    }
}

async fn usable(case: &BatteryCase<'_>) -> Applied {
    let made = case.create().await.expect("create");
    case.settle(&made.id, Level::Usable).await;
    made
}

#[tokio::test]
async fn version_battery() {
    let (artifacts, first, _) = builds();
    let world = TestAccountWorld::new(artifacts).await;
    let function = function_case(&world, "gateway", &exec_role(&world).await, &first);
    usable(&function).await;
    version_case(&world, &function.spec, "5e77").run(None).await;
}

#[tokio::test]
async fn version_follows_the_code() {
    let (artifacts, first, second) = builds();
    let world = TestAccountWorld::new(artifacts).await;
    let function = function_case(&world, "gateway", &exec_role(&world).await, &first);
    usable(&function).await;
    let one = usable(&version_case(&world, &function.spec, "aa")).await;
    let found = function.read(None).await.expect("read").expect("found");
    let to = with_code(&function.spec, &second);
    let fields = compare(Kind::Function, &to, Some(&function.spec), &found.spec);
    let made = function.update(&to, &found, &fields).await.expect("update");
    function.settle(&made.id, Level::Usable).await;
    let two = usable(&version_case(&world, &to, "bb")).await;
    assert_eq!((&one.attributes["version"], &two.attributes["version"]), (&json!("1"), &json!("2")));
    assert_ne!(one.id, two.id);
    assert!(two.id.ends_with(":2"), "{}", two.id);
    let old = version_case(&world, &function.spec, "aa");
    // Wanted again, it is the one that is there, whatever code the function has now.
    assert_eq!(old.create().await.expect("create").id, one.id);
    assert_eq!(old.read(None).await.expect("read").expect("the old one, too").id, one.id);
    assert_eq!(old.delete(&one.id).await.expect("delete"), DeleteOutcome::Deleted);
    let new = version_case(&world, &to, "bb");
    assert_eq!(new.read(None).await.expect("read").expect("the new one stays").id, two.id);
}

#[tokio::test]
async fn version_of_other_code_than_the_function_has_is_stale() {
    let (artifacts, first, second) = builds();
    let world = TestAccountWorld::new(artifacts).await;
    let function = function_case(&world, "gateway", &exec_role(&world).await, &first);
    usable(&function).await;
    let fault = version_case(&world, &with_code(&function.spec, &second), "aa").create().await.expect_err("guarded");
    assert_eq!(fault.class, FaultClass::Stale, "{fault:?}");
}

async fn invoke(world: &TestAccountWorld, arn: &str, request: Value) -> Value {
    let event = json!({"Records": [{"cf": {
        "config": {"eventType": "origin-request", "requestId": "r-1", "distributionId": "E1"}, "request": request}}]});
    let call = Lambda::new(&world.sdk).invoke().function_name(arn).payload(Blob::new(event.to_string()));
    let answer = call.send().await.expect("invoke");
    assert_eq!(answer.function_error(), None);
    serde_json::from_slice(answer.payload.expect("an answer").as_ref()).expect("JSON")
}

#[tokio::test]
async fn the_published_gateway_answers() {
    let (artifacts, first, _) = builds();
    let world = TestAccountWorld::new(artifacts).await;
    let function = function_case(&world, "gateway", &exec_role(&world).await, &first);
    usable(&function).await;
    let version = usable(&version_case(&world, &function.spec, "aa")).await;
    let health = json!({"method": "GET", "uri": "/edge/health", "querystring": "", "headers": {}});
    let answer = invoke(&world, &version.id, health).await;
    assert_eq!(answer["status"], "200", "{answer}");
    let body: HashMap<String, Value> = serde_json::from_str(answer["body"].as_str().expect("a body")).expect("JSON");
    assert_eq!(body["status"], "ok");
    let embed = json!({
        "method": "POST", "uri": "/api/v1/embed", "querystring": "",
        "headers": {"content-type": [{"key": "Content-Type", "value": "application/json"}]},
        "body": {"inputTruncated": false, "action": "read-only", "encoding": "base64", "data": "eyJpbnB1dHMiOltdfQ=="},
    });
    let answer = invoke(&world, &version.id, embed.clone()).await;
    assert_eq!(answer["status"], "400", "{answer}");
    let mut good = embed;
    good["body"]["data"] = json!("eyJpbnB1dHMiOlsiYSJdfQ==");
    assert_eq!(invoke(&world, &version.id, good.clone()).await, good, "a valid request is passed on unchanged");
}

/// An address changes, the thing stays: only the mark is written, and a create whose answer was lost takes it up.
#[tokio::test]
async fn a_moved_role_and_function_get_their_new_mark() {
    let (artifacts, first, _) = builds();
    let world = TestAccountWorld::new(artifacts).await;
    testkit::moves::moved(role_case(&world, "moved"), "tags.akidb:stack").await;
    let function = function_case(&world, "moved", &exec_role(&world).await, &first);
    testkit::moves::moved(function, "tags.akidb:stack").await;
}

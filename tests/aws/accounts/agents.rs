//! Agents of a machine: container credentials and instance metadata.

use std::time::{Duration, Instant};

use crate::accounts::stand_in::{Reply, Request, StandIn, agent_keys, json_reply};
use crate::accounts::user::User;

fn container(account: &str) -> StandIn {
    let account = account.to_owned();
    StandIn::start(move |request| match request.headers.get("authorization").map(String::as_str) {
        Some("secret-token") => json_reply(200, &agent_keys(&account)),
        _ => json_reply(401, &serde_json::json!({"message": "no"})),
    })
}

#[test]
fn the_agent_of_a_container() {
    let user = User::new();
    let agent = container(&user.account);
    let user = user.with("AWS_CONTAINER_CREDENTIALS_FULL_URI", &format!("{}/v1/credentials", agent.url));
    let user = user.with("AWS_CONTAINER_AUTHORIZATION_TOKEN", "secret-token");
    user.is_known();
    assert_eq!(agent.take()[0].target, "/v1/credentials");

    // EKS Pod Identity gives the token in a file.
    let file = user.file("token", "secret-token");
    let user = user.without("AWS_CONTAINER_AUTHORIZATION_TOKEN");
    let user = user.with("AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE", &file.to_string_lossy());
    user.is_known();
    // The agent is on this machine: a proxy cannot reach it.
    user.with("HTTP_PROXY", "http://127.0.0.1:9").with("NO_PROXY", "nothing.test").without("AWS_ENDPOINT_URL");
    assert!(agent.take().iter().all(|request| request.headers["authorization"] == "secret-token"));
}

#[test]
fn an_agent_that_gives_nothing() {
    let user = User::new();
    let agent = container(&user.account);
    let user = user.with("AWS_CONTAINER_CREDENTIALS_FULL_URI", &agent.url);
    user.is_refused(&["the container's credentials agent provided no credentials", "role of the task or pod"]);
    let file = user.file("token", "secret-token\n");
    let user = user.with("AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE", &file.to_string_lossy());
    user.is_refused(&["AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE has a line break"]);
    let user = user.with("AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE", "/nonexistent/token");
    user.is_refused(&["names /nonexistent/token, which cannot be read"]);
    // Keys would go to whoever listens there.
    let user = User::new().with("AWS_CONTAINER_CREDENTIALS_FULL_URI", "http://192.0.2.1/credentials");
    user.is_refused(&["192.0.2.1", "the container's credentials agent"]);
}

fn metadata_reply(request: &Request, account: &str) -> Reply {
    let text = |body: &str| (200, "x-aws-ec2-metadata-token-ttl-seconds: 21600\r\n".to_owned(), body.to_owned());
    match (request.method.as_str(), request.target.as_str()) {
        ("PUT", "/latest/api/token") => text("token"),
        _ if request.headers.get("x-aws-ec2-metadata-token").map(String::as_str) != Some("token") => {
            (401, String::new(), String::new())
        }
        (_, "/latest/meta-data/iam/security-credentials/") => text("deployer"),
        (_, "/latest/meta-data/iam/security-credentials/deployer") => json_reply(200, &agent_keys(account)),
        (_, "/latest/meta-data/placement/region") => text("eu-central-1"),
        _ => (404, String::new(), String::new()),
    }
}

fn instance(user: User) -> (User, StandIn) {
    let account = user.account.clone();
    let service = StandIn::start(move |request| metadata_reply(request, &account));
    (user.with("AWS_EC2_METADATA_DISABLED", "false").with("AWS_EC2_METADATA_SERVICE_ENDPOINT", &service.url), service)
}

#[test]
fn the_metadata_of_an_instance() {
    let (user, _) = instance(User::new());
    user.is_known();
    let (user, _) = instance(User::new().without("AWS_REGION"));
    assert!(user.is_known().stderr.contains("region eu-central-1"), "the region of the instance");
}

#[test]
fn the_container_goes_before_the_instance_and_a_profile_before_both() {
    let (user, service) = instance(User::new());
    let agent = container(&user.account);
    let user = user
        .with("AWS_CONTAINER_CREDENTIALS_FULL_URI", &agent.url)
        .with("AWS_CONTAINER_AUTHORIZATION_TOKEN", "secret-token");
    user.is_known();
    assert!(service.take().is_empty());
    agent.take();
    user.credentials("[default]\naws_access_key_id = ACCOUNT\naws_secret_access_key = test\n").is_known();
    assert!(agent.take().is_empty());
}

#[test]
fn a_role_is_assumed_with_the_metadata_of_an_instance() {
    let (user, service) = instance(User::new());
    let sts = crate::accounts::stand_in::sts(&user.account);
    let text = "[profile dev]\nrole_arn = arn:aws:iam::ACCOUNT:role/x\ncredential_source = Ec2InstanceMetadata\n";
    user.config(text).with("AWS_PROFILE", "dev").with("AWS_ENDPOINT_URL_STS", &sts.url).is_known();
    assert!(!service.take().is_empty());
}

/// Elsewhere than on an instance, nobody listens at its address: that must not take long.
#[test]
fn where_there_is_nothing_it_is_said_soon() {
    let user = User::new().with("AWS_EC2_METADATA_DISABLED", "false");
    let user = user.with("AWS_EC2_METADATA_SERVICE_ENDPOINT", "http://192.0.2.1");
    let begun = Instant::now();
    user.is_refused(&["no AWS credentials were found", "aws sso login"]);
    assert!(begun.elapsed() < Duration::from_secs(5), "{:?}", begun.elapsed());
}

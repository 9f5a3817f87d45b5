//! IAM Identity Center.

use std::time::Duration;

use serde_json::{Value, json};
use sha1::{Digest, Sha1};

use crate::accounts::stand_in::{HOUR, Reply, Request, StandIn, after, json_reply};
use crate::accounts::user::User;

const PROFILE: &str = "[profile dev]\nsso_session = corp\nsso_account_id = 111122223333\nsso_role_name = Deploy\n[sso-session corp]\nsso_region = us-east-1\nsso_start_url = https://corp.example.com/start\n";
const OLD_PROFILE: &str = "[profile dev]\nsso_account_id = 111122223333\nsso_role_name = Deploy\nsso_region = us-east-1\nsso_start_url = https://corp.example.com/start\n";

fn portal_reply(request: &Request, account: &str) -> Reply {
    if request.headers.get("x-amz-sso_bearer_token").map(String::as_str) != Some("good") {
        let head = "x-amzn-ErrorType: UnauthorizedException\r\nContent-Type: application/json\r\n".to_owned();
        return (401, head, json!({"message": "Session token not found or invalid"}).to_string());
    }
    if !request.target.contains("account_id=111122223333") || !request.target.contains("role_name=Deploy") {
        let head = "x-amzn-ErrorType: ForbiddenException\r\nContent-Type: application/json\r\n".to_owned();
        return (403, head, json!({"message": "No access"}).to_string());
    }
    let expiration = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).expect("a clock").as_millis()
        as u64
        + 3_600_000;
    json_reply(
        200,
        &json!({"roleCredentials": {"accessKeyId": account, "secretAccessKey": "test", "sessionToken": "t", "expiration": expiration}}),
    )
}

/// Somebody with a portal, and its record.
fn user(config: &str) -> (User, StandIn) {
    let user = User::new();
    let account = user.account.clone();
    let portal = StandIn::start(move |request| portal_reply(request, &account));
    (user.config(config).with("AWS_PROFILE", "dev").with("AWS_ENDPOINT_URL_SSO", &portal.url), portal)
}

fn token(access: &str, lasting: Duration, more: &Value) -> String {
    let mut token = json!({"accessToken": access, "expiresAt": after(lasting), "region": "us-east-1", "startUrl": "https://corp.example.com/start"});
    let more = more.as_object().cloned().unwrap_or_default();
    token.as_object_mut().expect("an object").extend(more);
    token.to_string()
}

fn place(identifier: &str) -> String {
    format!(".aws/sso/cache/{}.json", hex::encode(Sha1::digest(identifier)))
}

#[test]
fn the_token_of_a_session_gives_the_keys_of_a_role() {
    let (user, portal) = user(PROFILE);
    user.file(&place("corp"), &token("good", HOUR, &json!({})));
    user.is_known();
    let calls = portal.take();
    assert_eq!(calls.len(), 1, "{calls:#?}");
    assert!(calls[0].target.starts_with("/federation/credentials?"), "{}", calls[0].target);
}

#[test]
fn a_profile_of_the_old_form() {
    let (user, _) = user(OLD_PROFILE);
    user.file(&place("https://corp.example.com/start"), &token("good", HOUR, &json!({})));
    user.is_known();
}

#[test]
fn a_session_is_a_source_for_roles() {
    let (user, _) =
        user(&format!("{PROFILE}[profile over]\nrole_arn = arn:aws:iam::ACCOUNT:role/x\nsource_profile = dev\n"));
    let sts = crate::accounts::stand_in::sts(&user.account);
    user.file(&place("corp"), &token("good", HOUR, &json!({})));
    let user = user.with("AWS_PROFILE", "over").with("AWS_ENDPOINT_URL_STS", &sts.url);
    user.is_known();
    std::fs::remove_file(user.home.path().join(place("corp"))).expect("a file");
    user.is_refused(&["aws sso login --profile dev"]);
}

#[test]
fn who_is_not_logged_in_is_told_the_command() {
    let (user, portal) = user(PROFILE);
    user.is_refused(&["not logged in to the SSO session corp of profile dev", "next: aws sso login --profile dev\n"]);
    user.file(&place("corp"), &token("good", Duration::ZERO, &json!({})));
    user.is_refused(&["SSO session corp of profile dev", "has ended", "next: aws sso login --profile dev\n"]);
    assert!(portal.take().is_empty());
    // The portal knows better than the file.
    user.file(&place("corp"), &token("revoked", HOUR, &json!({})));
    user.is_refused(&[
        "SSO session corp of profile dev",
        "UnauthorizedException",
        "next: aws sso login --profile dev\n",
    ]);
}

#[test]
fn a_token_is_renewed_without_a_person() {
    let (user, portal) = user(PROFILE);
    let oidc = StandIn::start(|request| {
        assert!(request.body.contains("refresh-1"), "{}", request.body);
        json_reply(
            200,
            &json!({"accessToken": "good", "tokenType": "Bearer", "expiresIn": 3600, "refreshToken": "refresh-2"}),
        )
    });
    let user = user.with("AWS_ENDPOINT_URL_SSO_OIDC", &oidc.url);
    let more = json!({"refreshToken": "refresh-1", "clientId": "c", "clientSecret": "s", "registrationExpiresAt": after(HOUR)});
    user.file(&place("corp"), &token("old", Duration::ZERO, &more));
    user.is_known();
    assert_eq!(oidc.take().len(), 1);
    assert_eq!(portal.take()[0].headers["x-amz-sso_bearer_token"], "good");
    let kept = std::fs::read_to_string(user.home.path().join(place("corp"))).expect("the token");
    assert!(kept.contains("refresh-2"), "the AWS CLI finds the new token");

    let refuses = StandIn::start(|_| json_reply(400, &json!({"error": "invalid_grant"})));
    let user = user.with("AWS_ENDPOINT_URL_SSO_OIDC", &refuses.url);
    user.file(&place("corp"), &token("old", Duration::ZERO, &more));
    user.is_refused(&["could not be renewed", "next: aws sso login --profile dev\n"]);
}

#[test]
fn a_role_that_is_not_given() {
    let (user, _) = user(&PROFILE.replace("Deploy", "Admin"));
    user.file(&place("corp"), &token("good", HOUR, &json!({})));
    user.is_refused(&["No access", "sso_account_id and sso_role_name of profile dev"]);
}

#[test]
fn what_a_profile_lacks_is_named() {
    for (key, says) in [
        ("sso_role_name", "profile dev has no sso_role_name"),
        ("sso_account_id", "profile dev has no sso_account_id"),
        ("sso_region", "the section [sso-session corp] of profile dev has no sso_region"),
    ] {
        let text: String =
            PROFILE.lines().filter(|line| !line.starts_with(key)).map(|line| format!("{line}\n")).collect();
        let (user, _) = user(&text);
        user.is_refused(&[says, "aws configure sso"]);
    }
}

//! Tokens of an identity provider, as EKS and CI systems give them.

use crate::accounts::stand_in::{StandIn, sts, sts_refusal};
use crate::accounts::user::User;

#[test]
fn a_token_gives_a_role() {
    let user = User::new();
    let sts = sts(&user.account);
    let file = user.file("token", "header.claims.sign\n");
    let user = user
        .with("AWS_WEB_IDENTITY_TOKEN_FILE", &file.to_string_lossy())
        .with("AWS_ROLE_ARN", "arn:aws:iam::1:role/ci");
    let user = user.with("AWS_ROLE_SESSION_NAME", "build-7").with("AWS_ENDPOINT_URL_STS", &sts.url);
    user.is_known();
    let calls = sts.take();
    let call = calls
        .iter()
        .find(|call| call.field("Action").as_deref() == Some("AssumeRoleWithWebIdentity"))
        .expect("the call");
    assert_eq!(call.field("WebIdentityToken").as_deref(), Some("header.claims.sign"));
    assert_eq!((call.field("RoleSessionName").as_deref(), call.key()), (Some("build-7"), ""), "it is not signed");
}

#[test]
fn the_same_from_a_profile() {
    let user = User::new();
    let sts = sts(&user.account);
    let file = user.file("token", "header.claims.sign");
    let text =
        format!("[profile ci]\nrole_arn = arn:aws:iam::1:role/ci\nweb_identity_token_file = {}\n", file.display());
    user.config(&text).with("AWS_PROFILE", "ci").with("AWS_ENDPOINT_URL_STS", &sts.url).is_known();
}

#[test]
fn a_token_that_is_not_there_or_not_taken() {
    let sts =
        StandIn::start(|_| sts_refusal(400, "InvalidIdentityToken", "No OpenIDConnect provider found in your account"));
    let user = User::new().with("AWS_ENDPOINT_URL_STS", &sts.url).with("AWS_ROLE_ARN", "arn:aws:iam::1:role/ci");
    let user = user.with("AWS_WEB_IDENTITY_TOKEN_FILE", "/nonexistent/token");
    user.is_refused(&["the web identity token /nonexistent/token cannot be read", "write a new token to"]);
    let file = user.file("token", "x");
    let user = user.with("AWS_WEB_IDENTITY_TOKEN_FILE", &file.to_string_lossy());
    user.is_refused(&["No OpenIDConnect provider found", "role arn:aws:iam::1:role/ci", "trusts its issuer"]);
    user.without("AWS_ROLE_ARN").is_refused(&["AWS_WEB_IDENTITY_TOKEN_FILE is set and AWS_ROLE_ARN is not"]);
}

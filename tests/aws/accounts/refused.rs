//! Credentials that a service does not accept: what is said depends on where they came from.

use crate::accounts::stand_in::{StandIn, sts_refusal};
use crate::accounts::user::User;

fn refusing(code: &'static str) -> StandIn {
    StandIn::start(move |_| sts_refusal(403, code, "The security token included in the request is invalid"))
}

#[test]
fn keys_of_the_environment() {
    let sts = refusing("InvalidClientTokenId");
    let user = User::new().with_keys().with("AWS_ENDPOINT_URL_STS", &sts.url);
    user.is_refused(&[
        "InvalidClientTokenId",
        "set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY to a valid key",
        "enable this one",
    ]);
    let sts = refusing("ExpiredToken");
    let user = user.with("AWS_SESSION_TOKEN", "t").with("AWS_ENDPOINT_URL_STS", &sts.url);
    user.is_refused(&["ExpiredToken", "set AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY and AWS_SESSION_TOKEN again"]);
}

#[test]
fn keys_of_a_profile() {
    let sts = refusing("InvalidClientTokenId");
    let user = User::new().credentials("[dev]\naws_access_key_id = ACCOUNT\naws_secret_access_key = x\n");
    user.with("AWS_PROFILE", "dev").with("AWS_ENDPOINT_URL_STS", &sts.url).is_refused(&["aws configure --profile dev"]);
}

#[test]
fn keys_of_a_program() {
    let sts = refusing("ExpiredToken");
    let user = User::new();
    user.program(
        "login",
        "echo '{\"Version\": 1, \"AccessKeyId\": \"a\", \"SecretAccessKey\": \"b\", \"SessionToken\": \"c\"}'\n",
    );
    let user = user.config("[profile dev]\ncredential_process = ./login\n").with("AWS_PROFILE", "dev");
    user.with("AWS_ENDPOINT_URL_STS", &sts.url)
        .is_refused(&["log in with the program that credential_process of profile dev runs"]);
}

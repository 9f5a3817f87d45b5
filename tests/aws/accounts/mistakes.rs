//! Settings that cannot be used: each is named for what it is, before the first call.

use crate::accounts::user::User;

#[test]
fn keys_of_the_environment() {
    let user = User::new().with_keys();
    user.is_known();
    let broken = format!("{}\n", user.account);
    let user = user.with("AWS_ACCESS_KEY_ID", &broken);
    user.is_refused(&["AWS_ACCESS_KEY_ID ends with a line break", "set AWS_ACCESS_KEY_ID again"]);
    let user = user.with_keys().with("AWS_SECRET_ACCESS_KEY", "te st");
    user.is_refused(&["AWS_SECRET_ACCESS_KEY contains a space"]);
    let user = user.with_keys().with("AWS_SESSION_TOKEN", "t\r\n");
    user.is_refused(&["AWS_SESSION_TOKEN ends with a line break"]);
    let user = user.without("AWS_SESSION_TOKEN").without("AWS_SECRET_ACCESS_KEY");
    user.is_refused(&["AWS_ACCESS_KEY_ID is set and AWS_SECRET_ACCESS_KEY is not"]);
}

/// The AWS CLI trims what it reads from files.
#[test]
fn keys_of_a_file_are_trimmed() {
    let user =
        User::new().credentials("[default]\r\naws_access_key_id =   ACCOUNT  \r\naws_secret_access_key = test\t\r\n");
    user.without("AWS_REGION").config("[default]\nregion =  eu-central-1   \n").is_known();
}

#[test]
fn keys_of_a_profile_that_are_not_whole() {
    let user = User::new().credentials("[dev]\naws_access_key_id = ACCOUNT\n").with("AWS_PROFILE", "dev");
    user.is_refused(&["profile dev has aws_access_key_id and no aws_secret_access_key"]);
}

#[test]
fn regions() {
    let user = User::new().with_keys();
    for bad in ["us east-1", " us-east-1", "us-east-1\n", "us_east_1", "EU-WEST-1"] {
        let user = User::new().with_keys().with("AWS_REGION", bad);
        user.is_refused(&["AWS_REGION is", "not the name of an AWS region"]);
    }
    let user = user.without("AWS_REGION");
    user.is_refused(&["no AWS region is configured", "AWS_REGION"]);
    let user = user.with("AWS_DEFAULT_REGION", "eu-central-1");
    assert!(user.is_known().stderr.contains("region eu-central-1"));
    let user = user.with("AWS_REGION", "ap-northeast-1");
    assert!(user.is_known().stderr.contains("region ap-northeast-1"), "AWS_REGION goes first");
    let user = User::new().with_keys().without("AWS_REGION").config("[default]\nregion = us west\n");
    user.is_refused(&["region of profile default is \"us west\""]);
}

#[test]
fn endpoints() {
    for bad in ["localhost:4566", "localhost", "ftp://localhost", "http://", "http://local host"] {
        User::new().with_keys().with("AWS_ENDPOINT_URL", bad).is_refused(&[
            "AWS_ENDPOINT_URL is",
            bad,
            "set AWS_ENDPOINT_URL to a URL",
        ]);
    }
    let user = User::new().with_keys().with("AWS_ENDPOINT_URL_S3", "localhost:9000");
    user.is_refused(&["AWS_ENDPOINT_URL_S3 is \"localhost:9000\"", "http://localhost:9000"]);
    let user = User::new().with_keys().without("AWS_ENDPOINT_URL").config("[default]\nendpoint_url = localhost:9000\n");
    user.is_refused(&["endpoint_url of profile default is \"localhost:9000\""]);
}

#[test]
fn profiles() {
    let user = User::new().with_keys().config("[profile dev]\nregion = us-east-1\n[staging]\nregion = x\n");
    let user = user.with("AWS_PROFILE", "prod");
    user.is_refused(&["AWS_PROFILE names the profile \"prod\"", "have only dev", "[profile prod]"]);
    // Without the word "profile", a section of the configuration is none.
    user.with("AWS_PROFILE", "staging").is_refused(&["AWS_PROFILE names the profile \"staging\""]);
    let user = User::new().with_keys().with("AWS_DEFAULT_PROFILE", "prod");
    user.is_refused(&["AWS_DEFAULT_PROFILE names the profile \"prod\""]);
    let user = user.config("[profile prod]\nregion = eu-central-1\n").without("AWS_REGION");
    assert!(user.is_known().stderr.contains("region eu-central-1"), "AWS_DEFAULT_PROFILE names the profile");
}

#[test]
fn files() {
    let user = User::new().config("[default\nregion = us-east-1\n").with_keys();
    user.is_refused(&["the AWS configuration is malformed", ".aws/config on line 1"]);
    let user = User::new().credentials("[default]\naws_access_key_id ACCOUNT\n");
    let output = user.is_refused(&["the AWS configuration is malformed", ".aws/credentials on line 2"]);
    assert!(!output.all().contains(&format!("id {}", user.account)), "the line may hold a secret");
    let user = User::new().with_keys();
    std::fs::write(user.home.path().join(".aws/config"), [0x5b, 0xff, 0xfe]).expect("a file");
    user.is_refused(&[".aws/config cannot be read", "UTF-8"]);
}

#[test]
fn switches() {
    let user = User::new().with_keys().with("AWS_USE_FIPS_ENDPOINT", "yes");
    user.is_refused(&["AWS_USE_FIPS_ENDPOINT is \"yes\""]);
    // AWS has no FIPS variant of an endpoint that somebody else names.
    let user = user.with("AWS_USE_FIPS_ENDPOINT", "true");
    user.is_refused(&["AWS_USE_FIPS_ENDPOINT", "AWS_ENDPOINT_URL names the endpoint"]);
    let user = User::new().with_keys().with("AWS_STS_REGIONAL_ENDPOINTS", "nearby");
    user.is_refused(&["AWS_STS_REGIONAL_ENDPOINTS is \"nearby\""]);
    let user = User::new().with_keys().with("HTTPS_PROXY", "socks5://localhost:1");
    user.is_refused(&["HTTPS_PROXY does not name a proxy"]);
    let user = User::new().with_keys().with("AWS_CA_BUNDLE", "/nonexistent/ca.pem");
    user.is_refused(&["AWS_CA_BUNDLE names /nonexistent/ca.pem, which cannot be read"]);
    let user = User::new().with_keys();
    let empty = user.file("ca.pem", "nothing\n");
    user.with("AWS_CA_BUNDLE", &empty.to_string_lossy()).is_refused(&["which has no certificate in it"]);
}

/// How often a single call is tried is said as for the AWS CLI. The mode is always adaptive: the word for it does not disturb.
#[test]
fn tries_of_a_single_call() {
    for wrong in ["many", "0", "-1", "1.5"] {
        let user = User::new().with_keys().with("AWS_MAX_ATTEMPTS", wrong);
        user.is_refused(&["AWS_MAX_ATTEMPTS is", "which is not a whole number of at least 1"]);
    }
    let user = User::new().config("[default]\nmax_attempts = often\n").with_keys();
    user.is_refused(&["max_attempts of profile default is \"often\""]);
    User::new().with_keys().with("AWS_MAX_ATTEMPTS", "1").with("AWS_RETRY_MODE", "never").is_known();
}

#[test]
fn other_files() {
    let user = User::new();
    let config = user.file("elsewhere/config", "[profile dev]\nregion = eu-central-1\n");
    user.file("keys", "[dev]\naws_access_key_id = ACCOUNT\naws_secret_access_key = test\n");
    let user = user.without("AWS_REGION").with("AWS_PROFILE", "dev").with("AWS_CONFIG_FILE", &config.to_string_lossy());
    let user = user.with("AWS_SHARED_CREDENTIALS_FILE", "~/keys");
    assert!(user.is_known().stderr.contains("region eu-central-1"));
    User::new().with_keys().with("AWS_CONFIG_FILE", "/nonexistent/config").is_known();
}

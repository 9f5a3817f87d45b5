//! Which of AWS's own addresses are called: regional, global, FIPS and dual stack. A proxy writes down where a run wanted to go.

use crate::accounts::network::{Authority, Proxy, tls};
use crate::accounts::user::User;
use testkit::local_aws;

/// The hosts that a look goes to, with these settings.
fn hosts(settings: &[(&str, &str)]) -> Vec<String> {
    let authority = Authority::new();
    let names = [
        "*.amazonaws.com",
        "*.us-east-1.amazonaws.com",
        "*.eu-central-1.amazonaws.com",
        "*.s3.us-east-1.amazonaws.com",
        "*.s3-fips.us-east-1.amazonaws.com",
        "*.s3.dualstack.us-east-1.amazonaws.com",
        "*.s3-fips.dualstack.us-east-1.amazonaws.com",
        "*.us-east-1.api.aws",
        "*.eu-central-1.api.aws",
    ];
    let proxy = Proxy::to(tls(&authority, &names, &local_aws::endpoint()));
    let user = User::new().with_keys().without("AWS_ENDPOINT_URL").with("HTTPS_PROXY", &proxy.url);
    let bundle = authority.file(user.home.path());
    let mut user = user.with("AWS_CA_BUNDLE", &bundle.to_string_lossy());
    for (key, value) in settings {
        user = user.with(key, value);
    }
    let output = user.look();
    let mut hosts: Vec<String> = proxy
        .take()
        .iter()
        .map(|line| line.replace("CONNECT ", "").replace(":443", "").replace(&user.account, "N"))
        .collect();
    hosts.sort();
    hosts.dedup();
    assert!(!hosts.is_empty(), "{}", output.all());
    hosts
}

#[test]
fn sts_is_asked_in_the_region() {
    assert_eq!(hosts(&[]), ["accounts-N.s3.us-east-1.amazonaws.com", "sts.us-east-1.amazonaws.com"]);
    let hosts = hosts(&[("AWS_REGION", "eu-central-1")]);
    assert!(hosts.contains(&"sts.eu-central-1.amazonaws.com".to_owned()), "{hosts:?}");
}

#[test]
fn sts_is_asked_globally_where_that_is_wanted() {
    let hosts = hosts(&[("AWS_REGION", "eu-central-1"), ("AWS_STS_REGIONAL_ENDPOINTS", "legacy")]);
    assert!(hosts.contains(&"sts.amazonaws.com".to_owned()), "{hosts:?}");
}

#[test]
fn fips() {
    let hosts = hosts(&[("AWS_USE_FIPS_ENDPOINT", "true")]);
    assert_eq!(hosts, ["accounts-N.s3-fips.us-east-1.amazonaws.com", "sts-fips.us-east-1.amazonaws.com"]);
}

#[test]
fn dual_stack() {
    let hosts = hosts(&[("AWS_USE_DUALSTACK_ENDPOINT", "true")]);
    assert_eq!(hosts, ["accounts-N.s3.dualstack.us-east-1.amazonaws.com", "sts.us-east-1.api.aws"]);
}

//! Proxies: what goes through them is in their log, and what is excepted is not.

use crate::accounts::network::{Authority, Proxy, tls};
use crate::accounts::user::User;
use testkit::local_aws;

fn local() -> String {
    local_aws::endpoint().trim_start_matches("http://").to_owned()
}

#[test]
fn plain_http_goes_through_http_proxy() {
    for name in ["HTTP_PROXY", "http_proxy"] {
        let proxy = Proxy::start();
        User::new().with_keys().with(name, &proxy.url).is_known();
        let log = proxy.take();
        let start = format!("POST http://{}/", local());
        assert!(log.iter().any(|line| line.starts_with(&start)), "{name} {log:?}");
    }
    let proxy = Proxy::start();
    User::new().with_keys().with("HTTPS_PROXY", &proxy.url).is_known();
    assert!(proxy.take().is_empty(), "HTTPS_PROXY is not for http");
}

#[test]
fn what_is_excepted_does_not() {
    let port = local().rsplit(':').next().expect("a port").to_owned();
    for (name, value) in [
        ("NO_PROXY", "127.0.0.1"),
        ("no_proxy", "127.0.0.0/8"),
        ("NO_PROXY", &format!("example.com,127.0.0.1:{port}")),
        ("NO_PROXY", "*"),
    ] {
        let proxy = Proxy::start();
        User::new().with_keys().with("HTTP_PROXY", &proxy.url).with(name, value).is_known();
        assert_eq!(proxy.take(), Vec::<String>::new(), "{name}={value}");
    }
    let proxy = Proxy::start();
    User::new().with_keys().with("HTTP_PROXY", &proxy.url).with("NO_PROXY", "127.0.0.1:1,example.com").is_known();
    assert!(!proxy.take().is_empty());
}

/// Everything goes through one tunnel or another: no address of AWS is asked for directly.
#[test]
fn aws_itself_is_reached_through_https_proxy() {
    let authority = Authority::new();
    let names = ["sts.us-east-1.amazonaws.com", "*.s3.us-east-1.amazonaws.com", "s3.us-east-1.amazonaws.com"];
    let proxy = Proxy::to(tls(&authority, &names, &local_aws::endpoint()));
    for name in ["HTTPS_PROXY", "https_proxy"] {
        let user = User::new().with_keys().without("AWS_ENDPOINT_URL");
        let bundle = authority.file(user.home.path());
        let user = user.with(name, &proxy.url).with("AWS_CA_BUNDLE", &bundle.to_string_lossy());
        user.is_known();
        let log = proxy.take();
        assert!(log.contains(&"CONNECT sts.us-east-1.amazonaws.com:443".to_owned()), "{log:?}");
        let bucket = format!("CONNECT accounts-{}.s3.us-east-1.amazonaws.com:443", user.account);
        assert!(log.contains(&bucket), "{log:?}");
    }
}

/// Whoever gives credentials is reached the same way.
#[test]
fn credentials_come_through_the_proxy() {
    let proxy = Proxy::start();
    let user = User::new();
    let sts = crate::accounts::stand_in::sts(&user.account);
    let text = "[profile dev]\nrole_arn = arn:aws:iam::ACCOUNT:role/x\nsource_profile = base\n[profile base]\naws_access_key_id = 1\naws_secret_access_key = x\n";
    let user = user.config(text).with("AWS_PROFILE", "dev").with("AWS_ENDPOINT_URL_STS", &sts.url);
    user.with("HTTP_PROXY", &proxy.url).with("NO_PROXY", &local()).is_known();
    let log = proxy.take();
    assert_eq!(log, vec![format!("POST {}/", sts.url); 2], "AssumeRole and GetCallerIdentity");
}

#[test]
fn a_proxy_that_wants_a_password() {
    let proxy = Proxy::asking("me", "p@ss w");
    let named = proxy.url.replace("http://", "http://me:p%40ss%20w@");
    User::new().with_keys().with("HTTP_PROXY", &named).is_known();
    assert!(!proxy.take().is_empty());
    let authority = Authority::new();
    let secure = tls(&authority, &["127.0.0.1"], &local_aws::endpoint());
    let user = User::new().with_keys().with("AWS_ENDPOINT_URL", &format!("https://{secure}"));
    let bundle = authority.file(user.home.path());
    let user = user.with("AWS_CA_BUNDLE", &bundle.to_string_lossy());
    let user = user.with("HTTPS_PROXY", &named);
    user.is_known();
    let wrong = proxy.url.replace("http://", "http://me:s3cret@");
    let output = user.with("HTTPS_PROXY", &wrong).is_refused(&["through the proxy", &proxy.url, "HTTPS_PROXY"]);
    assert!(!output.all().contains("s3cret"), "{}", output.all());
}

#[test]
fn a_proxy_that_is_not_there() {
    let user = User::new().with_keys().with("HTTP_PROXY", "127.0.0.1:9");
    user.is_refused(&[
        "through the proxy http://127.0.0.1:9 (HTTP_PROXY)",
        "check HTTP_PROXY and the proxy",
        "NO_PROXY",
    ]);
}

#[test]
fn a_proxy_that_speaks_tls_itself() {
    let (proxy, authority) = (Proxy::start(), Authority::new());
    let secure = format!("https://{}", tls(&authority, &["127.0.0.1"], &proxy.url));
    let inside = tls(&authority, &["127.0.0.1"], &local_aws::endpoint());
    for endpoint in [local_aws::endpoint(), format!("https://{inside}")] {
        let user = User::new().with_keys().with("AWS_ENDPOINT_URL", &endpoint);
        let bundle = authority.file(user.home.path());
        let user = user.with("AWS_CA_BUNDLE", &bundle.to_string_lossy());
        user.with("HTTP_PROXY", &secure).with("HTTPS_PROXY", &secure).is_known();
        assert!(!proxy.take().is_empty(), "{endpoint}");
    }
}

//! The model hub: the same network.

use crate::accounts::network::{Authority, Proxy, tls};
use crate::accounts::user::User;
use testkit::hub::{REPO, TestHub};

fn pull(user: &User, hub: &str) -> testkit::cli::CommandOutput {
    user.run(&["models", "pull", REPO, "--endpoint", hub])
}

#[test]
fn models_come_through_the_proxy() {
    let hub = TestHub::start();
    for name in ["HTTP_PROXY", "http_proxy", "ALL_PROXY"] {
        let proxy = Proxy::start();
        pull(&User::new().with(name, &proxy.url), &hub.url).exits(0);
        let log = proxy.take();
        assert!(log.iter().any(|line| line.starts_with(&format!("GET {}/", hub.url))), "{name} {log:?}");
    }
    let proxy = Proxy::start();
    pull(&User::new().with("HTTP_PROXY", &proxy.url).with("NO_PROXY", "127.0.0.1"), &hub.url).exits(0);
    assert_eq!(proxy.take(), Vec::<String>::new());
    let proxy = Proxy::asking("me", "p@ss");
    pull(&User::new().with("HTTP_PROXY", &proxy.url.replace("http://", "http://me:p%40ss@")), &hub.url).exits(0);
}

#[test]
fn a_hub_with_a_certificate_of_the_company() {
    let (hub, authority) = (TestHub::start(), Authority::new());
    let address = tls(&authority, &["127.0.0.1", "hub.test"], &hub.url);
    let user = User::new();
    let bundle = authority.file(user.home.path()).to_string_lossy().into_owned();
    let url = format!("https://{address}");
    let output = pull(&user, &url).exits(1);
    assert!(output.stderr.contains("AWS_CA_BUNDLE"), "{}", output.stderr);
    for name in ["AWS_CA_BUNDLE", "REQUESTS_CA_BUNDLE", "SSL_CERT_FILE"] {
        let user = User::new().with(name, &bundle);
        pull(&user, &url).exits(0);
    }
    let proxy = Proxy::to(address);
    let user = User::new().with("AWS_CA_BUNDLE", &bundle).with("HTTPS_PROXY", &proxy.url);
    pull(&user, "https://hub.test").exits(0);
    assert!(proxy.take().contains(&"CONNECT hub.test:443".to_owned()));
}

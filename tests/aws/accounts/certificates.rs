//! Certificate authorities of a company.

use crate::accounts::network::{Authority, tls};
use crate::accounts::user::User;
use testkit::local_aws;

/// Somebody whose endpoint has a certificate of an authority of its own, and the file of that.
fn behind_tls() -> (User, String, Authority) {
    let authority = Authority::new();
    let address = tls(&authority, &["127.0.0.1"], &local_aws::endpoint());
    let user = User::new().with_keys().with("AWS_ENDPOINT_URL", &format!("https://{address}"));
    let bundle = authority.file(user.home.path()).to_string_lossy().into_owned();
    (user, bundle, authority)
}

#[test]
fn without_the_bundle_it_is_not_trusted() {
    let (user, bundle, _) = behind_tls();
    user.is_refused(&["UntrustedCertificate", "its certificate is not accepted", "AWS_CA_BUNDLE"]);
    user.with("AWS_CA_BUNDLE", &bundle).is_known();
}

#[test]
fn a_bundle_of_a_profile_or_of_the_system() {
    let (user, bundle, _) = behind_tls();
    user.config(&format!("[default]\nca_bundle = {bundle}\n")).is_known();
    let (user, bundle, _) = behind_tls();
    user.with("SSL_CERT_FILE", &bundle).is_known();
    let (user, bundle, _) = behind_tls();
    user.with("REQUESTS_CA_BUNDLE", &bundle).is_known();
}

/// A bundle is all that is trusted: another authority's does not help.
#[test]
fn another_bundle() {
    let (user, _, _) = behind_tls();
    let other = user.file("other.pem", &Authority::new().pem);
    user.with("AWS_CA_BUNDLE", &other.to_string_lossy()).is_refused(&["UntrustedCertificate"]);
}

#[test]
fn a_certificate_for_another_name() {
    let authority = Authority::new();
    let address = tls(&authority, &["elsewhere.test"], &local_aws::endpoint());
    let user = User::new().with_keys().with("AWS_ENDPOINT_URL", &format!("https://{address}"));
    let bundle = authority.file(user.home.path());
    user.with("AWS_CA_BUNDLE", &bundle.to_string_lossy()).is_refused(&["UntrustedCertificate", "elsewhere.test"]);
}

#[test]
fn a_machine_without_authorities() {
    let (user, _, _) = behind_tls();
    let empty = user.file("empty.pem", "");
    let nowhere = user.home.path().join("nowhere");
    let user = user.with("SSL_CERT_FILE", &empty.to_string_lossy()).with("SSL_CERT_DIR", &nowhere.to_string_lossy());
    user.is_refused(&["no usable certificate authorities", "ca-certificates"]);
}

/// One client for both: the same run speaks with and without TLS.
#[test]
fn services_with_and_without_tls_in_one_run() {
    let authority = Authority::new();
    let address = tls(&authority, &["127.0.0.1"], &local_aws::endpoint());
    let user = User::new().with_keys().with("AWS_ENDPOINT_URL_S3", &format!("https://{address}"));
    let bundle = authority.file(user.home.path());
    let user = user.with("AWS_CA_BUNDLE", &bundle.to_string_lossy());
    user.run(&["deploy", "--plan", "plan.yaml", "--yes"]).exits(0);
}

/// Reading the authorities of the system takes tens of milliseconds: without TLS it is not done.
#[test]
fn plain_http_reads_no_authorities() {
    let user = User::new().with_keys();
    let empty = user.file("empty.pem", "").to_string_lossy().into_owned();
    user.with("SSL_CERT_FILE", &empty).with("SSL_CERT_DIR", "/nonexistent").is_known();
}

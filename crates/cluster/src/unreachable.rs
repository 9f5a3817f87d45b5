//! Converts errors of the HTTP client that come without a response to a [`Fault`].

use std::error::Error;
use std::io;

use super::status::SERVICE;
use crate::provider::retry::NO_ANSWER;
use crate::resource::{Fault, FaultClass};

/// The fault of a request that got no answer. `server` is where it went; `tunneled` says that the way there is open.
pub(crate) fn fault(operation: &str, server: &str, tunneled: bool, error: &kube::Error) -> Fault {
    if let Some(fault) = find(error, &|error| error.downcast_ref::<Fault>()) {
        return fault.clone();
    }
    if let kube::Error::Auth(error) = error {
        return Fault::new(FaultClass::Credentials, SERVICE, operation, "LoginFailed", chain(error))
            .next("the login of the kubeconfig failed: kubectl get namespaces with the same context must work");
    }
    if let Some(error) = find(error, &|error| error.downcast_ref::<rustls::Error>()) {
        return tls(operation, server, error);
    }
    let words = format!("{server}: {}", chain(error));
    let connect = find(error, &|error| error.downcast_ref::<hyper_util::client::legacy::Error>());
    if connect.is_some_and(hyper_util::client::legacy::Error::is_connect) && !tunneled {
        return Fault::new(FaultClass::Unreachable, SERVICE, operation, "NotReachable", words).next(
            "check the server's address in the kubeconfig, and that it can be reached from here (VPN, proxy, firewall)",
        );
    }
    no_answer(operation, words)
}

/// The fault of a connection that ended, or of an answer that did not come in time.
pub(crate) fn no_answer(operation: &str, words: String) -> Fault {
    Fault::new(FaultClass::Retry, SERVICE, operation, NO_ANSWER, words)
        .next("check the API server (k3s: systemctl status k3s, journalctl -u k3s), then run the same command again")
}

fn tls(operation: &str, server: &str, error: &rustls::Error) -> Fault {
    let words = format!("{server}: TLS: {error}");
    let (class, code, next) = match error {
        rustls::Error::AlertReceived(_) => (
            FaultClass::Credentials,
            "TlsRefused",
            "the server refuses the client's certificate: log in to the cluster again",
        ),
        rustls::Error::InvalidCertificate(_) => (
            FaultClass::Refused,
            "CertificateNotTrusted",
            "the server's certificate is not signed by the cluster's authority, or for another name: check the server's \
             address and certificate-authority",
        ),
        _ => return no_answer(operation, words),
    };
    Fault::new(class, SERVICE, operation, code, words).next(next)
}

/// The first error in the chain that `wanted` finds; an I/O error does not name what it wraps as its source.
fn find<'e, T>(
    error: &'e (dyn Error + 'static),
    wanted: &impl Fn(&'e (dyn Error + 'static)) -> Option<&'e T>,
) -> Option<&'e T> {
    let mut next = Some(error);
    // Nobody wraps as often.
    for _ in 0..24 {
        let error = next?;
        if let Some(found) = wanted(error) {
            return Some(found);
        }
        let inner = error.downcast_ref::<io::Error>().and_then(io::Error::get_ref);
        next = match inner {
            Some(inner) => Some(inner),
            None => error.source(),
        };
    }
    None
}

/// What the error and its sources say, each once.
pub(crate) fn chain(error: &dyn Error) -> String {
    let mut words = error.to_string();
    let mut next = error.source();
    while let Some(source) = next {
        let said = source.to_string();
        if !words.contains(&said) {
            words = format!("{words}: {said}");
        }
        next = source.source();
    }
    words
}

#[cfg(test)]
mod tests {
    use super::*;

    fn service(error: impl Into<tower::BoxError>) -> kube::Error {
        kube::Error::Service(error.into())
    }

    #[test]
    fn a_fault_of_the_tunnel_comes_through() {
        let away = Fault::new(FaultClass::Away, "ssh", "connect", "Unreachable", "a cannot be reached");
        let error = service(io::Error::other(io::Error::new(io::ErrorKind::UnexpectedEof, away.clone())));
        assert_eq!(fault("get", "https://a", true, &error), away);
    }

    #[test]
    fn a_certificate_of_another_is_not_tried_again() {
        let wrong = rustls::Error::InvalidCertificate(rustls::CertificateError::UnknownIssuer);
        let refused = fault("get", "https://a", false, &service(io::Error::other(wrong)));
        assert_eq!((refused.class, refused.code.line().as_str()), (FaultClass::Refused, "CertificateNotTrusted"));
        let ended = fault("get", "https://a", true, &service(io::Error::from(io::ErrorKind::UnexpectedEof)));
        assert_eq!((ended.class, ended.code.line().as_str()), (FaultClass::Retry, NO_ANSWER));
    }
}

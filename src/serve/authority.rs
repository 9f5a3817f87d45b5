//! The server that a request means: said once, as the standard wants it (RFC 9110, 7.2; RFC 9112, 3.2; RFC 9113, 8.3.1). Whoever
//! is between may read another one of two.

use http::request::Parts;
use http::uri::Authority;
use http::{StatusCode, Version, header};

use super::log::{LogLevel, LogWriter};
use super::problem::ApiProblem;
use crate::inference::fault::beginning;

/// Headers `host` of a request that its line in the log shows.
const SHOWN: usize = 2;

/// Whether a request says exactly once which server it means.
///
/// # Errors
/// Status 400: it says so twice, not at all, or with something else than a host.
pub fn check(request: &Parts) -> Result<(), ApiProblem> {
    let mut hosts = request.headers.get_all(header::HOST).iter();
    let (host, other) = (hosts.next(), hosts.next());
    if other.is_some() {
        return Err(invalid("the header host appears twice: send it once"));
    }
    let named = match host {
        Some(host) => Some(host.to_str().ok().and_then(plain).ok_or_else(|| {
            invalid("the header host has to name a host and at most a port, such as example.com:8080")
        })?),
        None => None,
    };
    let meant = request.uri.authority();
    match (request.version, named, meant) {
        (Version::HTTP_2, Some(named), Some(meant)) if !named.eq_ignore_ascii_case(meant.as_str()) => {
            Err(invalid("the header host and the pseudo-header :authority name different servers: send one of them"))
        }
        (Version::HTTP_2, None, Some(meant)) if plain(meant.as_str()).is_none() => {
            Err(invalid("the pseudo-header :authority has to name a host and at most a port"))
        }
        (Version::HTTP_2, None, None) => Err(invalid("the pseudo-header :authority is missing")),
        // HTTP/1.0 had none.
        (Version::HTTP_11, None, _) => Err(invalid("the header host is missing: send it once")),
        _ => Ok(()),
    }
}

/// A line about a request that was refused here: it comes to no route, which would write one. The log writes out what is hidden.
pub fn tell(log: &LogWriter, problem: &ApiProblem, request: &Parts, id: &str) {
    let hosts = request.headers.get_all(header::HOST).iter().take(SHOWN);
    let hosts: Vec<String> =
        hosts.map(|host| beginning(&String::from_utf8_lossy(host.as_bytes())).into_owned()).collect();
    let mut fields = vec![
        ("request_id", id.into()),
        ("method", beginning(request.method.as_str()).into()),
        ("status", problem.status.as_u16().into()),
        ("code", problem.code.into()),
        ("hosts", hosts.into()),
    ];
    if let Some(meant) = request.uri.authority() {
        fields.push(("authority", beginning(meant.as_str()).into()));
    }
    log.say(LogLevel::Info, &format!("request refused: {}", problem.message), &fields);
}

/// A text that is a host and at most a port.
fn plain(text: &str) -> Option<&str> {
    let authority: Authority = text.parse().ok()?;
    (!authority.host().is_empty() && !text.contains('@')).then_some(text)
}

fn invalid(message: &'static str) -> ApiProblem {
    ApiProblem::new(StatusCode::BAD_REQUEST, "INVALID_REQUEST", message)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(version: Version, uri: &str, hosts: &[&str]) -> bool {
        let mut request = http::Request::get(uri).version(version);
        for host in hosts {
            request = request.header(header::HOST, *host);
        }
        let answer = check(&request.body(()).unwrap().into_parts().0);
        if let Err(problem) = &answer {
            assert_eq!((problem.status.as_u16(), problem.code), (400, "INVALID_REQUEST"));
        }
        answer.is_ok()
    }

    #[test]
    fn http1_names_its_server_once() {
        for good in ["a", "a.example:8080", "[::1]:80", "127.0.0.1"] {
            assert!(of(Version::HTTP_11, "/health", &[good]), "{good}");
        }
        for bad in [&[][..], &["a", "a"], &["a", "b"], &[""], &["a b"], &["a, b"], &["a/b"], &["u@a"], &["a:b:c"]] {
            assert!(!of(Version::HTTP_11, "/health", bad), "{bad:?}");
        }
        assert!(of(Version::HTTP_10, "/health", &[]) && !of(Version::HTTP_10, "/health", &["a", "b"]));
        assert!(of(Version::HTTP_11, "http://a/health", &["b"]), "the address goes before the header");
        assert!(!of(Version::HTTP_11, "http://a/health", &[]));
    }

    #[test]
    fn http2_names_its_server_once() {
        assert!(of(Version::HTTP_2, "http://a:1/health", &[]));
        assert!(of(Version::HTTP_2, "http://a:1/health", &["A:1"]));
        assert!(of(Version::HTTP_2, "/health", &["a"]), "some clients send the header alone");
        for (uri, hosts) in [
            ("http://a:1/health", &["b:1"][..]),
            ("http://a:1/health", &["a"]),
            ("http://a:1/health", &["a:1", "a:1"]),
            ("http://u@a/health", &[]),
            ("/health", &[]),
        ] {
            assert!(!of(Version::HTTP_2, uri, hosts), "{uri} {hosts:?}");
        }
    }
}

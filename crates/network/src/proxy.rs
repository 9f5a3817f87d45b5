//! Which requests go through a proxy: `HTTPS_PROXY`, `HTTP_PROXY` and `NO_PROXY` as the AWS CLI reads them, and the forms of
//! `NO_PROXY` that Go and curl know besides (address ranges, ports).

use std::fmt;
use std::net::IpAddr;

use http::Uri;
use serde::Serialize;

use super::environment::Environment;
use super::wrong;
use akidb_edge_engine::resource::Fault;

/// A proxy.
#[derive(Clone, Eq, PartialEq, Serialize)]
pub struct Proxy {
    /// Its URL, without the password.
    pub url: String,
    /// The variable that names it.
    pub variable: String,
    /// Its URL as it is used.
    #[serde(skip)]
    full: String,
}

impl Proxy {
    /// The URL with name and password, for the client that connects.
    pub fn with_password(&self) -> &str {
        &self.full
    }
}

// The password is never shown.
impl fmt::Debug for Proxy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Proxy").field("url", &self.url).field("variable", &self.variable).finish_non_exhaustive()
    }
}

/// The proxies of an environment.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Proxies {
    /// For `https://` addresses.
    pub https: Option<Proxy>,
    /// For `http://` addresses.
    pub http: Option<Proxy>,
    /// The hosts that are reached without a proxy, as written.
    pub no_proxy: Option<String>,
    #[serde(skip)]
    exceptions: Vec<Exception>,
}

impl Proxies {
    /// Reads the environment. The lower-case name wins, and an empty one switches the proxy off, as in Python and curl.
    ///
    /// # Errors
    /// When a proxy is not a URL.
    pub fn of(environment: &Environment) -> Result<Self, Fault> {
        let https = proxy(environment, "https_proxy")?;
        let mut http = proxy(environment, "http_proxy")?;
        // A server may set HTTP_PROXY for a CGI program from a header of the request.
        if environment.get("REQUEST_METHOD").is_some()
            && http.as_ref().is_some_and(|proxy| proxy.variable == "HTTP_PROXY")
        {
            http = None;
        }
        let no_proxy = either_case(environment, "no_proxy").map(|(_, value)| value.to_owned());
        let exceptions = no_proxy.as_deref().map(exceptions).unwrap_or_default();
        Ok(Self { https, http, no_proxy, exceptions })
    }

    /// The same, with `ALL_PROXY` where nothing else is named: the AWS CLI does not know it, the hub's own tools do.
    ///
    /// # Errors
    /// When a proxy is not a URL.
    pub fn with_all_proxy(environment: &Environment) -> Result<Self, Fault> {
        let mut proxies = Self::of(environment)?;
        if either_case(environment, "all_proxy").is_some_and(|(_, url)| !url.starts_with("socks")) {
            let all = proxy(environment, "all_proxy")?;
            proxies.https = proxies.https.or_else(|| all.clone());
            proxies.http = proxies.http.or(all);
        }
        Ok(proxies)
    }

    /// The proxy for an address; none when it is reached directly.
    pub fn for_address(&self, scheme: &str, host: &str, port: Option<u16>) -> Option<&Proxy> {
        let proxy = if scheme == "https" { self.https.as_ref() } else { self.http.as_ref() }?;
        let host = host.trim_matches(['[', ']']).trim_end_matches('.').to_ascii_lowercase();
        let port = port.unwrap_or(if scheme == "https" { 443 } else { 80 });
        let direct = is_link_local(&host) || self.exceptions.iter().any(|exception| exception.covers(&host, port));
        (!direct).then_some(proxy)
    }
}

/// The instance metadata service and container agents answer on this machine only: a proxy cannot reach them.
fn is_link_local(host: &str) -> bool {
    match host.parse() {
        Ok(IpAddr::V4(address)) => address.is_link_local(),
        Ok(IpAddr::V6(address)) => address.segments()[..2] == [0xfd00, 0x0ec2],
        Err(_) => false,
    }
}

fn either_case<'e>(environment: &'e Environment, lower: &str) -> Option<(String, &'e str)> {
    let upper = lower.to_ascii_uppercase();
    match environment.even_empty(lower) {
        Some(value) => Some((lower.to_owned(), value)),
        None => Some((upper.clone(), environment.even_empty(&upper)?)),
    }
    .filter(|(_, value)| !value.trim().is_empty())
}

fn proxy(environment: &Environment, lower: &str) -> Result<Option<Proxy>, Fault> {
    let Some((variable, written)) = either_case(environment, lower) else { return Ok(None) };
    let written = written.trim();
    let full = match written.split_once("://") {
        Some(_) => written.to_owned(),
        // The AWS CLI takes HOST:PORT for http.
        None => format!("http://{}", written.trim_start_matches('/')),
    };
    let refused = |why: &str| {
        let example = "http://proxy.example.com:3128";
        wrong(
            "InvalidProxy",
            format!("{variable} does not name a proxy: {why}"),
            format!("set {variable}={example}, or unset it"),
        )
    };
    let uri: Uri = full.parse().map_err(|_| refused("it is not a URL"))?;
    if !matches!(uri.scheme_str(), Some("http" | "https")) {
        return Err(refused("it must begin with http:// or https://"));
    }
    let Some(host) = uri.host().filter(|host| !host.is_empty()) else { return Err(refused("it has no host")) };
    let port = uri.port_u16().map_or_else(String::new, |port| format!(":{port}"));
    let url = format!("{}://{host}{port}", uri.scheme_str().unwrap_or("http"));
    Ok(Some(Proxy { url, variable, full }))
}

/// One entry of `NO_PROXY`.
#[derive(Clone, Debug, Eq, PartialEq)]
enum Exception {
    Everything,
    /// A host and those below it, with a port when one is written.
    Host(String, Option<u16>),
    /// Addresses that begin with these bits.
    Range(IpAddr, u8, Option<u16>),
}

fn exceptions(text: &str) -> Vec<Exception> {
    text.split([',', ' ']).map(str::trim).filter(|entry| !entry.is_empty()).map(exception).collect()
}

fn exception(entry: &str) -> Exception {
    if entry == "*" {
        return Exception::Everything;
    }
    if let Some((address, bits)) = entry.split_once('/')
        && let Ok(address) = address.trim_matches(['[', ']']).parse::<IpAddr>()
        && let Ok(bits) = bits.parse::<u8>()
    {
        return Exception::Range(address, bits, None);
    }
    let (host, port) = host_and_port(entry);
    if let Ok(address) = host.trim_matches(['[', ']']).parse::<IpAddr>() {
        return Exception::Range(address, 128, port);
    }
    let host = host.strip_prefix("*.").unwrap_or(host).trim_matches('.');
    Exception::Host(host.to_ascii_lowercase(), port)
}

fn host_and_port(entry: &str) -> (&str, Option<u16>) {
    if entry.parse::<IpAddr>().is_ok() {
        return (entry, None);
    }
    match entry.rsplit_once(':') {
        Some((host, port)) => port.parse().map_or((entry, None), |port| (host, Some(port))),
        None => (entry, None),
    }
}

impl Exception {
    fn covers(&self, host: &str, port: u16) -> bool {
        match self {
            Self::Everything => true,
            Self::Host(name, only) => {
                only.is_none_or(|only| only == port)
                    && (host == name || host.strip_suffix(name.as_str()).is_some_and(|before| before.ends_with('.')))
            }
            Self::Range(start, bits, only) => {
                only.is_none_or(|only| only == port) && host.parse().is_ok_and(|address| shares(*start, address, *bits))
            }
        }
    }
}

/// Whether two addresses are of one family and begin with the same bits.
fn shares(one: IpAddr, other: IpAddr, bits: u8) -> bool {
    let number = |address: IpAddr| match address {
        IpAddr::V4(address) => (u128::from(address.to_bits()), 32),
        IpAddr::V6(address) => (address.to_bits(), 128),
    };
    let ((one, width), (other, other_width)) = (number(one), number(other));
    width == other_width && (bits == 0 || (one ^ other) >> (width - u32::from(bits).min(width)) == 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn proxies(pairs: &[(&str, &str)]) -> Proxies {
        let pairs = pairs.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned()));
        Proxies::of(&pairs.collect()).expect("proxies")
    }

    fn direct(no_proxy: &str, url: &str) -> bool {
        let all = proxies(&[("HTTPS_PROXY", "http://p:1"), ("HTTP_PROXY", "http://p:1"), ("NO_PROXY", no_proxy)]);
        let uri: Uri = url.parse().expect("a URL");
        all.for_address(uri.scheme_str().expect("a scheme"), uri.host().expect("a host"), uri.port_u16()).is_none()
    }

    #[test]
    fn hosts_are_left_out_as_other_tools_do() {
        for (no_proxy, url) in [
            ("*", "https://s3.amazonaws.com"),
            ("amazonaws.com", "https://amazonaws.com"),
            ("amazonaws.com", "https://s3.amazonaws.com"),
            (".amazonaws.com", "https://s3.amazonaws.com"),
            ("*.amazonaws.com", "https://s3.amazonaws.com"),
            ("a.test, AMAZONAWS.com", "https://S3.amazonaws.com."),
            ("localhost:4566", "http://localhost:4566/x"),
            ("s3.test:443", "https://s3.test"),
            ("10.0.0.0/8", "http://10.2.3.4:9000"),
            ("127.0.0.1", "http://127.0.0.1:4566"),
            ("127.0.0.1:4566", "http://127.0.0.1:4566"),
            ("::1", "http://[::1]:4566"),
            ("[::1]", "http://[::1]:4566"),
            ("[::1]:4566", "http://[::1]:4566"),
            ("fd00::/8", "http://[fd12::1]"),
            ("", "http://169.254.169.254/latest"),
            ("", "http://169.254.170.2/v2"),
            ("", "http://[fd00:ec2::23]/v1"),
        ] {
            assert!(direct(no_proxy, url), "{no_proxy:?} {url}");
        }
        for (no_proxy, url) in [
            ("", "http://127.0.0.1:4566"),
            ("amazonaws.com", "https://notamazonaws.com"),
            ("s3.amazonaws.com", "https://amazonaws.com"),
            ("localhost:4566", "http://localhost:4567"),
            ("10.0.0.0/8", "http://11.0.0.1"),
            ("10.0.0.0/8", "http://ten.test"),
            ("127.0.0.1", "http://127.0.0.11"),
            ("10.0.0.0/99", "http://[::1]"),
        ] {
            assert!(!direct(no_proxy, url), "{no_proxy:?} {url}");
        }
    }

    #[test]
    fn the_lower_case_name_wins_and_an_empty_one_switches_off() {
        let both = proxies(&[("https_proxy", "http://low:1"), ("HTTPS_PROXY", "http://up:1")]);
        assert_eq!(both.https.as_ref().map(|proxy| proxy.url.as_str()), Some("http://low:1"));
        assert_eq!(both.https.map(|proxy| proxy.variable).as_deref(), Some("https_proxy"));
        assert!(proxies(&[("https_proxy", ""), ("HTTPS_PROXY", "http://up:1")]).https.is_none());
        assert!(proxies(&[("HTTPS_PROXY", "http://up:1")]).http.is_none());
        assert!(proxies(&[("HTTP_PROXY", "http://up:1"), ("REQUEST_METHOD", "GET")]).http.is_none());
    }

    #[test]
    fn a_password_is_used_and_never_shown() {
        let all = proxies(&[("HTTPS_PROXY", "user:s3cret@proxy.test:3128")]);
        let proxy = all.https.as_ref().expect("a proxy");
        assert_eq!(proxy.url, "http://proxy.test:3128");
        assert_eq!(proxy.with_password(), "http://user:s3cret@proxy.test:3128");
        assert!(!format!("{all:?}{}", serde_json::to_string(&all).expect("JSON")).contains("s3cret"));
    }

    #[test]
    fn what_is_no_proxy_is_named() {
        for bad in ["socks5://p:1", "http://", "http://a b"] {
            let pairs = [("HTTPS_PROXY".to_owned(), bad.to_owned())];
            let fault = Proxies::of(&pairs.into_iter().collect()).expect_err(bad);
            assert!(fault.message.contains("HTTPS_PROXY"), "{fault}");
        }
    }
}

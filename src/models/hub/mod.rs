//! The client of a Hugging Face hub, or of a mirror that speaks like one. It asks for what is in a repository, and for files.

mod fetch;
mod listing;
mod refusal;
mod retry;
mod token;

use std::time::Duration;

use reqwest::header::{AUTHORIZATION, HeaderValue};
use reqwest::redirect::{Attempt, Policy};
use reqwest::{Certificate, Client, ClientBuilder, Proxy, RequestBuilder, Url};

use super::fault::ModelsFault;
pub use fetch::{FetchRequest, FetchedFile};
pub use listing::{RemoteFile, RepoListing};
pub use retry::HubRetryPolicy;
pub use token::HubToken;

/// The hub when nobody named one.
pub const ENDPOINT: &str = "https://huggingface.co";

/// So long nothing may come before a connection counts as broken.
const STALLED: Duration = Duration::from_secs(30);

/// Chooses the proxy of an address, from its scheme, host and port; none when it is reached directly.
pub type ProxyOf = dyn Fn(&str, &str, Option<u16>) -> Option<String> + Send + Sync;

/// How the network is reached.
#[derive(Default)]
pub struct Network {
    /// The proxy of each address. Without it there is no proxy.
    pub proxy: Option<Box<ProxyOf>>,
    /// Authorities that are trusted besides those of the system, PEM.
    pub authorities: Option<Vec<u8>>,
}

/// A hub.
pub struct Hub {
    client: Client,
    endpoint: Url,
    token: Option<HeaderValue>,
    retry_policy: HubRetryPolicy,
    /// A token was given, but not for such an endpoint.
    pub token_kept_back: bool,
}

impl Hub {
    /// A client; nothing is sent.
    ///
    /// # Errors
    /// When the endpoint is not address, or this machine has no certificates.
    pub fn new(
        endpoint: &str,
        token: Option<HubToken>,
        retry_policy: HubRetryPolicy,
        network: Network,
    ) -> Result<Self, ModelsFault> {
        let endpoint = address(endpoint)?;
        // There may be one already: the same one.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let settings = Client::builder()
            .user_agent(concat!("akidb-edge/", env!("CARGO_PKG_VERSION")))
            .connect_timeout(Duration::from_secs(10))
            .read_timeout(STALLED)
            .redirect(Policy::custom(follow));
        let client = within(network, settings).and_then(ClientBuilder::build).map_err(|bad| ModelsFault::Refused {
            problem: format!("cannot set up a connection: {}", retry::words(&bad)),
            next_step: "install the certificates of the system (ca-certificates), or name a file of authorities with \
                        AWS_CA_BUNDLE or SSL_CERT_FILE"
                .to_owned(),
        })?;
        let safe = endpoint.scheme() == "https" || is_loopback(&endpoint);
        let token_kept_back = token.is_some() && !safe;
        let token = token.filter(|_| safe).map(|token| token.header());
        Ok(Self { client, endpoint, token, retry_policy, token_kept_back })
    }

    /// The host, for messages.
    pub fn host(&self) -> String {
        let port = self.endpoint.port().map_or_else(String::new, |port| format!(":{port}"));
        format!("{}{port}", self.endpoint.host_str().unwrap_or_default())
    }

    /// An address of the hub.
    fn url(&self, parts: &[&str]) -> Url {
        let mut url = self.endpoint.clone();
        if let Ok(mut path) = url.path_segments_mut() {
            path.pop_if_empty().extend(parts);
        }
        url
    }

    /// A request. Where it is redirected to another host, the token does not go along.
    fn get(&self, url: Url) -> RequestBuilder {
        let request = self.client.get(url);
        match &self.token {
            Some(token) => request.header(AUTHORIZATION, token.clone()),
            None => request,
        }
    }
}

/// Proxies and authorities of this network.
fn within(network: Network, mut builder: ClientBuilder) -> reqwest::Result<ClientBuilder> {
    builder = match network.proxy {
        Some(proxy) => builder.proxy(Proxy::custom(move |url| {
            let chosen = proxy(url.scheme(), url.host_str().unwrap_or_default(), url.port())?;
            Url::parse(&chosen).ok()
        })),
        None => builder.no_proxy(),
    };
    match network.authorities {
        Some(pem) => Ok(builder.tls_certs_merge(Certificate::from_pem_bundle(&pem)?)),
        None => Ok(builder),
    }
}

fn address(text: &str) -> Result<Url, ModelsFault> {
    let refused = |why: &str| ModelsFault::Refused {
        problem: format!("HF_ENDPOINT is not the address of a hub: {why}"),
        next_step: format!("HF_ENDPOINT={ENDPOINT}"),
    };
    let url = Url::parse(text).map_err(|bad| refused(&bad.to_string()))?;
    if !matches!(url.scheme(), "http" | "https") || url.host_str().is_none() {
        return Err(refused("it must begin with https:// or http://"));
    }
    if url.query().is_some() || url.fragment().is_some() {
        return Err(refused("it must end with its path"));
    }
    Ok(url)
}

fn is_loopback(url: &Url) -> bool {
    let host = url.host_str().unwrap_or_default().trim_matches(['[', ']']);
    host == "localhost" || host.parse::<std::net::IpAddr>().is_ok_and(|address| address.is_loopback())
}

/// Ten times at most, and never from a safe connection to an open one.
fn follow(attempt: Attempt<'_>) -> reqwest::redirect::Action {
    if attempt.previous().len() > 10 {
        return attempt.error("it was redirected more than ten times");
    }
    let was_safe = attempt.previous().last().is_some_and(|before| before.scheme() == "https");
    if was_safe && attempt.url().scheme() != "https" {
        return attempt.error("it was redirected from https to http");
    }
    attempt.follow()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hub(endpoint: &str) -> Hub {
        Hub::new(endpoint, HubToken::parse("hf_x").ok().flatten(), HubRetryPolicy::default(), Network::default())
            .expect("a hub")
    }

    #[test]
    fn addresses_are_put_together_safely() {
        let url = hub("https://mirror.test/hub/").url(&["api", "models", "a", "b", "revision", "refs/pr/1"]);
        assert_eq!(url.as_str(), "https://mirror.test/hub/api/models/a/b/revision/refs%2Fpr%2F1");
        for bad in ["", "huggingface.co", "ftp://x", "https://", "https://x?y=1"] {
            assert!(address(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_token_goes_over_safe_connections_only() {
        assert!(hub("https://huggingface.co").token.is_some());
        assert!(hub("http://127.0.0.1:1").token.is_some() && hub("http://[::1]:1").token.is_some());
        let open = hub("http://mirror.test");
        assert!(open.token.is_none() && open.token_kept_back);
    }
}

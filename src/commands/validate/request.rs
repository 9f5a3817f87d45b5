//! Which request is sent, and whom the server's certificate is held to.

use std::net::SocketAddr;
use std::path::PathBuf;

use futures::future::try_join_all;
use serde_json::json;

use crate::commands::Context;
use crate::exit::{Failure, codes};
use crate::measure::load::{self, Control, Extent, Load, Model};
use crate::measure::{Recording, Target, TrustedRoots};
use crate::plan::validation::RequestPlan;
use crate::provider::network::{self, Bundle};
use crate::resource::shown;

/// How requests reach the server.
#[derive(Clone, Debug, clap::Args)]
pub struct ConnectionArgs {
    /// Connect to this address instead of the one that the host's name has; certificate and Host stay those of the name
    #[arg(long, value_name = "IP:PORT")]
    connect_to: Option<SocketAddr>,
    /// Send plain HTTP: for a server on this machine
    #[arg(long)]
    plain_http: bool,
    /// File with the certificate authorities (PEM) that servers are held to, instead of the system's
    #[arg(long, value_name = "FILE", env = "AWS_CA_BUNDLE")]
    ca_bundle: Option<PathBuf>,
    /// File whose first line is the API key that is sent; it is not shown and not kept
    #[arg(long, value_name = "FILE")]
    key_file: Option<PathBuf>,
}

/// Longest key that is read.
const LONGEST_KEY: u64 = 4096;

impl ConnectionArgs {
    /// The same, by the scheme of an address that was typed.
    #[must_use]
    pub fn of_url(mut self, url: &str) -> Self {
        self.plain_http |= url.starts_with("http:");
        self
    }

    /// Whether an address to connect to was named.
    pub const fn has_address(&self) -> bool {
        self.connect_to.is_some()
    }

    /// The authorities that servers are held to; none when nothing is encrypted.
    ///
    /// # Errors
    /// A bundle that cannot be used.
    pub fn trust(&self, target: &Target) -> Result<TrustedRoots, Failure> {
        if !target.url.starts_with("https:") {
            return Ok(TrustedRoots::none());
        }
        self.authorities()
    }

    /// The authorities, whatever the scheme.
    ///
    /// # Errors
    /// A bundle that cannot be used.
    pub fn authorities(&self) -> Result<TrustedRoots, Failure> {
        let pem = match &self.ca_bundle {
            Some(file) => Bundle::read(file.clone(), "--ca-bundle")?.pem.to_vec(),
            None => network::system()?,
        };
        let text = String::from_utf8_lossy(&pem);
        TrustedRoots::pem(&text).map_err(|bad| {
            codes::ARGUMENT
                .refused(shown!("the certificate authorities cannot be used: {}", bad), "name others with --ca-bundle")
        })
    }

    /// A GET of each text, or of the path alone: what a cache may answer.
    ///
    /// # Errors
    /// A key file that cannot be read, or an address that is not one.
    pub fn gets(&self, request: &RequestPlan) -> Result<Vec<Target>, Failure> {
        if request.texts.is_empty() {
            return Ok(vec![self.ready(Target::get(&self.url(request, "")?))?]);
        }
        let target = |text: &String| {
            let mut query = url::form_urlencoded::Serializer::new(String::new());
            request.model.iter().for_each(|model| {
                query.append_pair("model", model);
            });
            let query = query.append_pair("input", text).finish();
            self.ready(Target::get(&self.url(request, &format!("?{query}"))?))
        };
        request.texts.iter().map(target).collect()
    }

    /// A POST of each text: never from a cache.
    ///
    /// # Errors
    /// A key file that cannot be read, or an address that is not one.
    pub fn posts(&self, request: &RequestPlan) -> Result<Vec<Target>, Failure> {
        let target = |text: &String| {
            let mut body = json!({"inputs": [text]});
            if let Some(model) = &request.model {
                body["model"] = json!(model);
            }
            let body = body.to_string().into_bytes();
            self.ready(Target::post(&self.url(request, "")?, "application/json", body))
        };
        request.texts.iter().map(target).collect()
    }

    fn url(&self, request: &RequestPlan, query: &str) -> Result<String, Failure> {
        let scheme = if self.plain_http { "http" } else { "https" };
        let bad = |why: &str| {
            codes::ARGUMENT.refused(
                shown!("{}{} is not an address that can be measured: {}", request.host, request.path, why),
                "write host: api.example.com and path: /api/v1/embed, or --url https://HOST/PATH",
            )
        };
        let whole = format!("{scheme}://{}{}{query}", request.host, request.path);
        let read = url::Url::parse(&whole).map_err(|why| bad(&why.to_string()))?;
        if !request.path.starts_with('/') || read.host_str().is_none() || !read.username().is_empty() {
            return Err(bad("the path has to begin with /, and the host has to be a name alone"));
        }
        Ok(whole)
    }

    /// A target with the address and the key that were named.
    ///
    /// # Errors
    /// A key file that cannot be read, or a target that cannot be asked for.
    pub fn ready(&self, mut target: Target) -> Result<Target, Failure> {
        target.connect_to = self.connect_to;
        if let Some(file) = &self.key_file {
            let unread =
                |why: String| codes::ARGUMENT.refused(shown!("{}: {}", file.display(), why), "name a file with a key");
            let bytes = crate::files::read(file, LONGEST_KEY).map_err(|bad| unread(bad.to_string()))?;
            let text = String::from_utf8(bytes).map_err(|_| unread("is not text".to_owned()))?;
            let key = text.lines().next().unwrap_or_default().trim().to_owned();
            target.headers.push(("authorization".to_owned(), format!("Bearer {key}")));
        }
        target.check().map_err(|bad| codes::ARGUMENT.refused(shown!("{}", bad), "correct the address"))?;
        Ok(target)
    }
}

/// Sends one load to several targets at the same time, each its share, and joins what came of it.
///
/// # Errors
/// When nothing can be sent at all, or the run is interrupted.
pub async fn send(
    targets: &[Target],
    whole: &Load,
    trust: &TrustedRoots,
    context: &Context,
) -> Result<Recording, Failure> {
    let shares = shares(whole, targets.len());
    let control = Control::default();
    let runs = targets.iter().zip(&shares).map(|(target, share)| load::run(target, share, trust, &control));
    let all = try_join_all(runs);
    tokio::pin!(all);
    let recordings = tokio::select! {
        ended = &mut all => ended,
        () = context.session.interrupts.asked() => {
            control.stop();
            all.await
        }
    };
    let recordings =
        recordings.map_err(|bad| codes::MEASUREMENT.error(shown!("{}", bad), "correct the load or the address"))?;
    let mut recordings = recordings.into_iter();
    let mut first =
        recordings.next().ok_or_else(|| codes::ARGUMENT.refused("there is nothing to send", "name texts"))?;
    for other in recordings {
        first.merge(&other).map_err(|bad| codes::MEASUREMENT.error(shown!("{}", bad), "measure again"))?;
    }
    Ok(first)
}

/// The shares of a load that several targets get: none is larger than the others by more than one. Targets for which nothing is left
/// get none.
fn shares(whole: &Load, among: usize) -> Vec<Load> {
    let requests = match whole.extent {
        Extent::Requests(requests) => requests,
        Extent::For(_) => u64::MAX,
    };
    let count = (among as u64).min(requests).min(whole.connections.into()).max(1);
    let part = |total: u64, number: u64| total / count + u64::from(number < total % count);
    let share = |number: u64| {
        let mut share = whole.clone();
        share.connections = u32::try_from(part(whole.connections.into(), number)).unwrap_or(u32::MAX);
        if let Model::Open { rate } = whole.model {
            share.model = Model::Open { rate: rate / count as f64 };
        }
        if let Model::Bursts { size, every } = whole.model {
            let size = u32::try_from(part(size.into(), number)).unwrap_or(u32::MAX).max(1);
            share.model = Model::Bursts { size, every };
        }
        if let Extent::Requests(requests) = whole.extent {
            share.extent = Extent::Requests(part(requests, number));
        }
        share
    };
    (0..count).map(share).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_are_the_whole_load() {
        let connections =
            |load: &Load, among| shares(load, among).iter().map(|share| share.connections).collect::<Vec<_>>();
        let closed = Load::closed(20, Extent::For(std::time::Duration::from_secs(1)));
        assert_eq!(connections(&closed, 3), [7, 7, 6]);
        assert_eq!(connections(&Load { connections: 2, ..closed }, 3), [1, 1]);
        let open = shares(&Load::open(90.0, Extent::Requests(1000)), 3);
        let extents: Vec<Extent> = open.iter().map(|share| share.extent).collect();
        assert_eq!(extents, [Extent::Requests(334), Extent::Requests(333), Extent::Requests(333)]);
        assert!(open.iter().all(|share| share.model == Model::Open { rate: 30.0 }), "{open:?}");
        assert_eq!(shares(&Load::open(1.0, Extent::Requests(1)), 3).len(), 1);
    }
}

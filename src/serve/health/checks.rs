//! The checks beside the model.

use std::path::Path;
use std::str::FromStr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use futures::future::join_all;

use super::fault::{NoAnswer, NotPeer, PeerFault};
use super::{Check, Kind, Outcome};
use crate::serve::App;
use crate::serve::model_sync::origin::Origin;
use crate::serve::replica::{Mark, Replica, ReplicaFault};

/// Time for one of them.
const TIME: Duration = Duration::from_secs(10);
/// Time for the answer of a server in another region.
const PEER: Duration = Duration::from_secs(3);

/// A server of another region.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Peer {
    /// How it is called in the answer.
    pub name: String,
    /// Its address, without `/health`.
    pub url: String,
}

impl FromStr for Peer {
    type Err = NotPeer;

    fn from_str(text: &str) -> Result<Self, NotPeer> {
        let (name, url) = text.split_once('=').ok_or(NotPeer)?;
        if name.is_empty() || !(url.starts_with("http://") || url.starts_with("https://")) {
            return Err(NotPeer);
        }
        Ok(Self { name: name.to_owned(), url: url.trim_end_matches('/').to_owned() })
    }
}

async fn pause(app: &App) {
    tokio::time::sleep(app.config.health_interval).await;
}

/// The metadata replica opens and answers; a new one is looked through.
pub async fn database(app: Arc<App>) {
    let Some(replica) = app.catalogue.replica.clone() else {
        return app.health.put(Kind::Database, Check::new(Outcome::NotConfigured, "no metadata replica is given"));
    };
    let mut known: Option<Mark> = None;
    loop {
        let mark = replica.mark();
        let check = match (look_at(&replica, mark.is_none() || mark != known).await, app.catalogue.replica_fault()) {
            // It can be read, and lacks what it had before: what is served is not what it says.
            (check, Some(why)) if check.outcome == Outcome::Ok => Check::failed(why),
            (check, _) => check,
        };
        known = mark.filter(|_| check.outcome == Outcome::Ok);
        app.health.put(Kind::Database, check);
        pause(&app).await;
    }
}

async fn look_at(replica: &Replica, thorough: bool) -> Check {
    let (replica, began) = (replica.clone(), Instant::now());
    let asked = tokio::task::spawn_blocking(move || seen(&replica, thorough));
    let check = match tokio::time::timeout(TIME, asked).await {
        Ok(Ok(Ok(detail))) => Check::new(Outcome::Ok, detail),
        Ok(Ok(Err(why))) => Check::failed(why),
        Ok(Err(why)) => Check::failed(why),
        Err(_) => Check::failed(NoAnswer { time: TIME }),
    };
    check.since(began)
}

/// What is in a replica.
fn seen(replica: &Replica, thorough: bool) -> Result<String, ReplicaFault> {
    let tables = replica.check(thorough)?;
    Ok(match replica.models()? {
        Some(rows) => format!("{tables} tables; models names {}", rows.len()),
        None => format!("{tables} tables, none of them models: the folders of the store are served"),
    })
}

/// The bucket of model sync answers, and its last listing was not refused.
pub async fn bucket(app: Arc<App>) {
    let Some(sync) = &app.sync else {
        return app.health.put(Kind::S3, Check::new(Outcome::NotConfigured, "no bucket is given to sync models from"));
    };
    loop {
        let began = Instant::now();
        let answer = tokio::time::timeout(TIME, sync.origin().alive()).await;
        let check = match (answer, sync.looked()) {
            (Ok(Err(why)), _) => Check::failed(why),
            (Err(_), _) => Check::failed(NoAnswer { time: TIME }),
            (Ok(Ok(())), Some(Err(why))) => Check::failed(format!("models cannot be listed: {why}")),
            (Ok(Ok(())), _) => match sync.origin() {
                Origin::Folder(_) => Check::new(Outcome::NotConfigured, "models are synced from a folder"),
                Origin::Bucket(_) => Check::new(Outcome::Ok, "the bucket answers"),
            },
        };
        app.health.put(Kind::S3, check.since(began));
        pause(&app).await;
    }
}

/// What was asked for runs, and the driver is there.
pub async fn gpu(app: Arc<App>) {
    let device = app.config.device;
    if !device.is_gpu() {
        return app.health.put(Kind::Gpu, Check::new(Outcome::NotConfigured, format!("{device} runs the graphs")));
    }
    loop {
        let registry = app.embedder.registry();
        let engine = registry.look(registry.default_model()).and_then(|listed| listed.engine);
        let check = match (driver(Path::new("/")), engine) {
            (None, _) => Check::new(Outcome::Failed, format!("{device} was asked for, but there is no NVIDIA driver")),
            (Some(_), None) => Check::new(Outcome::Loading, "the default model is not loaded yet"),
            (Some(driver), Some(engine)) if engine.runs_on.starts_with(device.name()) => {
                Check::new(Outcome::Ok, format!("{} on {driver}", engine.runs_on))
            }
            (Some(_), Some(engine)) => {
                Check::new(Outcome::Failed, format!("{device} was asked for, but {} runs the graphs", engine.runs_on))
            }
        };
        let soon = check.outcome == Outcome::Loading;
        app.health.put(Kind::Gpu, check);
        if soon { tokio::time::sleep(Duration::from_millis(200)).await } else { pause(&app).await }
    }
}

/// The GPU, as the driver's files name it: of a card, else of a Jetson.
fn driver(root: &Path) -> Option<String> {
    let cards = std::fs::read_dir(root.join("proc/driver/nvidia/gpus")).into_iter().flatten().flatten();
    let model = |text: String| text.lines().find_map(|line| Some(line.strip_prefix("Model:")?.trim().to_owned()));
    let named = cards.filter_map(|card| model(std::fs::read_to_string(card.path().join("information")).ok()?)).next();
    named.or_else(|| {
        let nodes = ["dev/nvhost-gpu", "dev/nvgpu/igpu0", "sys/devices/gpu.0"];
        nodes.iter().any(|node| root.join(node).exists()).then(|| "the GPU of a Jetson".to_owned())
    })
}

/// The servers of other regions answer.
pub async fn peers(app: Arc<App>) {
    let kind = Kind::CrossRegion;
    if app.config.peers.is_empty() {
        return app.health.put(kind, Check::new(Outcome::NotConfigured, "no server of another region is given"));
    }
    // Another part of the program may have chosen one already.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let client = match reqwest::Client::builder().timeout(PEER).connect_timeout(PEER).build() {
        Ok(client) => client,
        Err(why) => return app.health.put(kind, Check::new(Outcome::Failed, format!("no client can be made: {why}"))),
    };
    loop {
        let began = Instant::now();
        let asked = join_all(app.config.peers.iter().map(|peer| ask(&client, peer))).await;
        let bad: Vec<String> = asked.iter().filter_map(|one| Some(one.as_ref().err()?.to_string())).collect();
        let good: Vec<&str> = asked.iter().filter_map(|one| one.as_deref().ok()).collect();
        let check =
            if bad.is_empty() { Check::new(Outcome::Ok, good.join("; ")) } else { Check::failed(bad.join("; ")) };
        app.health.put(kind, check.since(began));
        pause(&app).await;
    }
}

/// What one says. Its address may hold a password: only its name is told.
async fn ask(client: &reqwest::Client, peer: &Peer) -> Result<String, PeerFault> {
    let (name, url) = (peer.name.clone(), &peer.url);
    let began = Instant::now();
    match client.get(format!("{url}/health")).send().await {
        Ok(answer) if answer.status().is_success() => {
            Ok(format!("{name} answers in {} ms", began.elapsed().as_millis()))
        }
        Ok(answer) => Err(PeerFault::Status { name, status: answer.status() }),
        Err(why) if why.is_timeout() => Err(PeerFault::Late { name, time: PEER }),
        Err(why) if why.is_connect() => Err(PeerFault::Unreachable { name, source: why.without_url() }),
        Err(why) => Err(PeerFault::Broken { name, source: why.without_url() }),
    }
}

#[cfg(test)]
mod tests {
    use super::{NotPeer, Peer, driver};

    #[test]
    fn a_peer_is_a_name_and_an_address() {
        let peer: Peer = "eu=https://eu.example:8080/".parse().unwrap();
        assert_eq!(peer, Peer { name: "eu".into(), url: "https://eu.example:8080".into() });
        for text in ["eu", "=http://x", "eu=ftp://x"] {
            assert_eq!(text.parse::<Peer>(), Err(NotPeer), "{text}");
        }
    }

    #[test]
    fn the_driver_names_the_card() {
        let root = tempfile::tempdir().unwrap();
        assert_eq!(driver(root.path()), None);
        let card = root.path().join("proc/driver/nvidia/gpus/0000:01:00.0");
        std::fs::create_dir_all(&card).unwrap();
        std::fs::write(card.join("information"), "Model: \t\t NVIDIA H100\nIRQ: 1\n").unwrap();
        assert_eq!(driver(root.path()).as_deref(), Some("NVIDIA H100"));
    }
}

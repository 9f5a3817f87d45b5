//! The checks besides the model.

use std::path::Path;
use std::str::FromStr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use futures::future::join_all;

use super::fault::{CheckTimeout, InvalidPeer, PeerFault};
use super::{CheckKind, CheckOutcome, HealthCheck};
use crate::serve::App;
use crate::serve::model_sync::origin::OpenedSource;
use crate::serve::replica::{FileMark, Replica, ReplicaFault};

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
    type Err = InvalidPeer;

    fn from_str(text: &str) -> Result<Self, InvalidPeer> {
        let (name, url) = text.split_once('=').ok_or(InvalidPeer)?;
        if name.is_empty() || !(url.starts_with("http://") || url.starts_with("https://")) {
            return Err(InvalidPeer);
        }
        Ok(Self { name: name.to_owned(), url: url.trim_end_matches('/').to_owned() })
    }
}

async fn pause(app: &App) {
    tokio::time::sleep(app.config.health_interval).await;
}

/// The metadata replica opens and answers; a new one is looked through.
pub async fn database(app: Arc<App>) {
    let Some(replica) = app.catalog.replica.clone() else {
        return app
            .health
            .put(CheckKind::Database, HealthCheck::new(CheckOutcome::NotConfigured, "no metadata replica configured"));
    };
    let mut known: Option<FileMark> = None;
    loop {
        let mark = replica.mark();
        let check = match (look_at(&replica, mark.is_none() || mark != known).await, app.catalog.replica_fault()) {
            // It can be read, and lacks what it had before: what is served is not what it says.
            (check, Some(why)) if check.outcome == CheckOutcome::Ok => HealthCheck::failed(why),
            (check, _) => check,
        };
        known = mark.filter(|_| check.outcome == CheckOutcome::Ok);
        app.health.put(CheckKind::Database, check);
        pause(&app).await;
    }
}

async fn look_at(replica: &Replica, thorough: bool) -> HealthCheck {
    let (replica, began) = (replica.clone(), Instant::now());
    let asked = tokio::task::spawn_blocking(move || seen(&replica, thorough));
    let check = match tokio::time::timeout(TIME, asked).await {
        Ok(Ok(Ok(detail))) => HealthCheck::new(CheckOutcome::Ok, detail),
        Ok(Ok(Err(why))) => HealthCheck::failed(why),
        Ok(Err(why)) => HealthCheck::failed(why),
        Err(_) => HealthCheck::failed(CheckTimeout { time: TIME }),
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
        return app
            .health
            .put(CheckKind::S3, HealthCheck::new(CheckOutcome::NotConfigured, "no bucket configured for model sync"));
    };
    loop {
        let began = Instant::now();
        let answer = tokio::time::timeout(TIME, sync.origin().alive()).await;
        let check = match (answer, sync.looked()) {
            (Ok(Err(why)), _) => HealthCheck::failed(why),
            (Err(_), _) => HealthCheck::failed(CheckTimeout { time: TIME }),
            (Ok(Ok(())), Some(Err(why))) => HealthCheck::failed(format!("models cannot be listed: {why}")),
            (Ok(Ok(())), _) => match sync.origin() {
                OpenedSource::Folder(_) => {
                    HealthCheck::new(CheckOutcome::NotConfigured, "models are synced from a folder")
                }
                OpenedSource::Bucket(_) => HealthCheck::new(CheckOutcome::Ok, "the bucket responds"),
            },
        };
        app.health.put(CheckKind::S3, check.since(began));
        pause(&app).await;
    }
}

/// What was asked for runs, and the driver is there.
pub async fn gpu(app: Arc<App>) {
    let device = app.config.device;
    if !device.is_gpu() {
        return app
            .health
            .put(CheckKind::Gpu, HealthCheck::new(CheckOutcome::NotConfigured, format!("{device} runs the graphs")));
    }
    loop {
        let registry = app.embedder.registry();
        let engine = registry.look(registry.default_model()).and_then(|listed| listed.engine);
        let check = match (driver(Path::new("/")), engine) {
            (None, _) => HealthCheck::new(
                CheckOutcome::Failed,
                format!(
                    "{device} was requested, but no NVIDIA driver was \
                     found"
                ),
            ),
            (Some(_), None) => HealthCheck::new(CheckOutcome::Loading, "the default model is not loaded yet"),
            (Some(driver), Some(engine)) if engine.runs_on.starts_with(device.name()) => {
                HealthCheck::new(CheckOutcome::Ok, format!("{} on {driver}", engine.runs_on))
            }
            (Some(_), Some(engine)) => HealthCheck::new(
                CheckOutcome::Failed,
                format!("{device} was requested, but {} runs the graphs", engine.runs_on),
            ),
        };
        let soon = check.outcome == CheckOutcome::Loading;
        app.health.put(CheckKind::Gpu, check);
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
    let kind = CheckKind::CrossRegion;
    if app.config.peers.is_empty() {
        return app
            .health
            .put(kind, HealthCheck::new(CheckOutcome::NotConfigured, "no server of another region configured"));
    }
    // Another part of the program may have chosen one already.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let client = match reqwest::Client::builder().timeout(PEER).connect_timeout(PEER).build() {
        Ok(client) => client,
        Err(why) => {
            return app
                .health
                .put(kind, HealthCheck::new(CheckOutcome::Failed, format!("cannot create a client: {why}")));
        }
    };
    loop {
        let began = Instant::now();
        let asked = join_all(app.config.peers.iter().map(|peer| ask(&client, peer))).await;
        let bad: Vec<String> = asked.iter().filter_map(|one| Some(one.as_ref().err()?.to_string())).collect();
        let good: Vec<&str> = asked.iter().filter_map(|one| one.as_deref().ok()).collect();
        let check = if bad.is_empty() {
            HealthCheck::new(CheckOutcome::Ok, good.join("; "))
        } else {
            HealthCheck::failed(bad.join("; "))
        };
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
    use super::{InvalidPeer, Peer, driver};

    #[test]
    fn a_peer_is_a_name_and_an_address() {
        let peer: Peer = "eu=https://eu.example:8080/".parse().unwrap();
        assert_eq!(peer, Peer { name: "eu".into(), url: "https://eu.example:8080".into() });
        for text in ["eu", "=http://x", "eu=ftp://x"] {
            assert_eq!(text.parse::<Peer>(), Err(InvalidPeer), "{text}");
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

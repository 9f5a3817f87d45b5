//! All clusters of a run: each is connected once, at its first use.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

use super::connection::ApiConnection;
use super::discovery::unknown_kind;
use super::objects::{ClusterObject, text};
use super::route::ClusterRoute;
use super::status::SERVICE;
use crate::provider::SendPermission;
use crate::provider::cluster::ClusterAccess;
use crate::resource::manifest::ManifestSpec;
use crate::resource::{Fault, FaultClass};

/// What was answered a moment ago is answered again: many resources ask at the same time.
const MOMENT: Duration = Duration::from_millis(500);

/// How far the connection to a cluster has come.
enum ConnectionState {
    /// Nobody has asked yet.
    New,
    /// It is open.
    Open(Arc<ApiConnection>),
    /// No cluster was there then.
    Absent(Instant),
    /// It failed then.
    Failed(Instant, Fault),
}

/// A cluster and the way to it.
struct ClusterEntry {
    way: ClusterRoute,
    state: tokio::sync::Mutex<ConnectionState>,
}

/// Who a cluster is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClusterIdentity {
    /// UID of its namespace `kube-system`: no two clusters have the same, and it stays while the cluster exists. None when
    /// the caller may not read it.
    pub uid: Option<String>,
    /// The API server's version, such as `v1.36.3+k3s1`.
    pub version: String,
}

/// The clusters that a run may talk to, by name.
pub struct Clusters {
    members: Mutex<BTreeMap<String, Arc<ClusterEntry>>>,
    permission: Arc<OnceLock<SendPermission>>,
}

/// An object of a plan, where it would be.
pub(crate) enum ObjectPlace {
    /// No cluster runs there yet.
    NoCluster,
    /// The cluster does not serve its kind (yet).
    UnknownKind,
    /// Here.
    At(ClusterObject),
}

impl Clusters {
    /// These clusters. Nothing is connected yet.
    pub fn new(ways: BTreeMap<String, Arc<dyn ClusterAccess>>) -> Arc<Self> {
        let members = ways.into_iter().map(|(name, access)| (name, member(ClusterRoute::Given(access)))).collect();
        Arc::new(Self { members: Mutex::new(members), permission: Arc::default() })
    }

    /// The same with a cluster that a context of a kubeconfig leads to. `file` none: `$KUBECONFIG`, else `~/.kube/config`.
    #[must_use]
    pub fn with_kubeconfig(self: Arc<Self>, name: &str, context: &str, file: Option<&str>) -> Arc<Self> {
        let way = ClusterRoute::Kubeconfig { context: context.to_owned(), file: file.map(str::to_owned) };
        self.members().insert(name.to_owned(), member(way));
        self
    }

    /// The same with a cluster that another world leads to.
    #[must_use]
    pub fn with(self: Arc<Self>, name: &str, access: Arc<dyn ClusterAccess>) -> Arc<Self> {
        self.members().insert(name.to_owned(), member(ClusterRoute::Given(access)));
        self
    }

    /// From now on this is asked before each request that changes something. The first one stays: a run has one lease.
    pub fn ask_first(&self, permission: SendPermission) {
        drop(self.permission.set(permission));
    }

    /// The names of the clusters.
    pub fn names(&self) -> Vec<String> {
        self.members().keys().cloned().collect()
    }

    /// Who a cluster is; none when no cluster is there (yet).
    ///
    /// # Errors
    /// When it cannot be reached or refuses the caller.
    pub async fn identity(&self, name: &str) -> Result<Option<ClusterIdentity>, Fault> {
        let Some(connection) = self.connection(name).await? else { return Ok(None) };
        let version = connection.version().await?;
        let Some(served) = connection.served("v1", "Namespace").await? else {
            return Err(unknown_kind("get", name, "v1", "Namespace"));
        };
        let system =
            ClusterObject::new(&connection, &served, None, "kube-system", format!("{name}:Namespace/kube-system"))?;
        let uid = match system.get().await {
            Ok(system) => system.map(|system| text(&system, "/metadata/uid").to_owned()),
            Err(fault) if fault.class == FaultClass::Denied => None,
            Err(fault) => return Err(fault),
        };
        Ok(Some(ClusterIdentity { uid, version }))
    }

    /// The connection to a cluster; none when no cluster is there (yet).
    pub(crate) async fn connection(&self, name: &str) -> Result<Option<Arc<ApiConnection>>, Fault> {
        let member = self.members().get(name).cloned();
        let Some(member) = member else {
            let words = format!("no connection is configured for cluster {name:?}");
            return Err(Fault::new(FaultClass::Internal, SERVICE, "connect", "UnknownCluster", words)
                .next("describe it in the plan with a step of kind kubernetes, or name the host of its server"));
        };
        let mut state = member.state.lock().await;
        match &*state {
            ConnectionState::Open(connection) if !connection.is_stale() => return Ok(Some(Arc::clone(connection))),
            ConnectionState::Absent(at) if at.elapsed() < MOMENT => return Ok(None),
            ConnectionState::Failed(at, fault) if !may_pass(fault) || at.elapsed() < MOMENT => {
                return Err(fault.clone());
            }
            _ => {}
        }
        let connected = member.way.connect(&self.permission).await;
        let (next, answer) = match connected {
            Ok(Some(connection)) => {
                let connection = Arc::new(connection);
                (ConnectionState::Open(Arc::clone(&connection)), Ok(Some(connection)))
            }
            Ok(None) => (ConnectionState::Absent(Instant::now()), Ok(None)),
            Err(fault) => (ConnectionState::Failed(Instant::now(), fault.clone()), Err(fault)),
        };
        *state = next;
        answer
    }

    /// Where an object of a plan is.
    pub(crate) async fn place(&self, spec: &ManifestSpec, about: String) -> Result<ObjectPlace, Fault> {
        let Some(connection) = self.connection(&spec.cluster).await? else { return Ok(ObjectPlace::NoCluster) };
        let Some(served) = connection.served(&spec.api_version, &spec.kind).await? else {
            return Ok(ObjectPlace::UnknownKind);
        };
        ClusterObject::new(&connection, &served, spec.namespace.as_deref(), &spec.name, about).map(ObjectPlace::At)
    }

    fn members(&self) -> std::sync::MutexGuard<'_, BTreeMap<String, Arc<ClusterEntry>>> {
        // Nothing can fail while it is held: what a poisoned map holds is whole.
        self.members.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn member(way: ClusterRoute) -> Arc<ClusterEntry> {
    Arc::new(ClusterEntry { way, state: tokio::sync::Mutex::new(ConnectionState::New) })
}

/// Whether another try may help in this run: a machine that is away stays away, a login that fails fails again.
fn may_pass(fault: &Fault) -> bool {
    matches!(fault.class, FaultClass::Retry | FaultClass::Unreachable | FaultClass::Internal)
}

#[cfg(test)]
#[path = "clusters_tests.rs"]
mod tests;

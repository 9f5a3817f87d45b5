//! Responses by route and status, and by tenant.

use std::sync::{PoisonError, RwLock};

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::registry::Registry;

use super::keyed::Keyed;
use super::names;
use super::request_outcome::RequestOutcome;

/// A status of gRPC is this number and its own.
pub const GRPC: u16 = 1000;
/// Tenants with a name of their own.
const TENANTS: usize = 100;
/// What the others share.
const OTHER: &str = "other";

#[derive(Clone, Debug, Eq, Hash, PartialEq, EncodeLabelSet)]
struct ByRoute {
    route: String,
    status: String,
}

/// Responses by route and status.
pub struct RouteCounts {
    family: Family<ByRoute, Counter>,
    known: Keyed<RwLock<Vec<(u16, Counter)>>>,
}

impl RouteCounts {
    /// None so far.
    pub fn new(registry: &mut Registry) -> Self {
        let family = Family::default();
        names::HTTP.register(registry, family.clone());
        Self { family, known: Keyed::new() }
    }

    /// One more. Routes come from the router, never from clients.
    pub fn count(&self, route: &str, status: u16) {
        let known = self.known.get_or(route, RwLock::default);
        let find = |all: &[(u16, Counter)]| {
            all.iter().find(|(known, _)| *known == status).is_some_and(|(_, counter)| counter.inc() < u64::MAX)
        };
        if find(&known.read().unwrap_or_else(PoisonError::into_inner)) {
            return;
        }
        let mut all = known.write().unwrap_or_else(PoisonError::into_inner);
        if !find(&all) {
            let text = if status < GRPC { status.to_string() } else { format!("grpc-{}", status - GRPC) };
            let counter = self.family.get_or_create_owned(&ByRoute { route: route.to_owned(), status: text });
            counter.inc();
            all.push((status, counter));
        }
    }
}

#[derive(Clone, Debug, Eq, Hash, PartialEq, EncodeLabelSet)]
struct ByTenant {
    tenant: String,
    status: &'static str,
}

/// Requests by tenant.
pub struct TenantCounts {
    family: Family<ByTenant, Counter>,
    known: Keyed<[Counter; 5]>,
}

impl TenantCounts {
    /// None so far.
    pub fn new() -> Self {
        Self { family: Family::default(), known: Keyed::new() }
    }

    /// One more.
    pub fn count(&self, tenant: &str, ending: RequestOutcome) {
        let named = self.known.get(tenant).is_some() || self.known.count() < TENANTS;
        let tenant = if named { tenant } else { OTHER };
        let series = self.known.get_or(tenant, || {
            let label = |ending: RequestOutcome| ByTenant { tenant: tenant.to_owned(), status: ending.name() };
            RequestOutcome::ALL.map(|ending| self.family.get_or_create_owned(&label(ending)))
        });
        series[ending as usize].inc();
    }

    /// Shown once there is one.
    pub fn register(&self, registry: &mut Registry) {
        if self.known.count() > 0 {
            names::TENANT.register(registry, self.family.clone());
        }
    }
}

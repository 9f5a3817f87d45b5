//! The tenant of a request, as a label with few values.

use std::collections::BTreeMap;
use std::sync::Arc;

use arc_swap::ArcSwap;

/// Distinct tenants that are told apart.
pub const TENANTS: usize = 50;

/// The tenant of a request, as an extension of it: one of the first 50 that came, `other`, or `none`.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Tenant(pub Arc<str>);

impl Tenant {
    /// The label of whoever is nobody's tenant.
    const NONE: &'static str = "none";

    /// Whether it is nobody's.
    pub fn is_none(&self) -> bool {
        &*self.0 == Self::NONE
    }
}

/// The tenants that came so far.
#[derive(Debug)]
pub struct KnownTenants {
    known: ArcSwap<BTreeMap<Arc<str>, Tenant>>,
    other: Tenant,
    none: Tenant,
}

impl KnownTenants {
    /// None so far.
    pub fn new() -> Self {
        let tenant = |name: &str| Tenant(name.into());
        Self { known: ArcSwap::default(), other: tenant("other"), none: tenant(Tenant::NONE) }
    }

    /// The label of a name.
    pub fn of(&self, name: Option<&str>) -> Tenant {
        let Some(name) = name else { return self.none.clone() };
        let known = self.known.load();
        match known.get(name) {
            Some(tenant) => tenant.clone(),
            None if known.len() >= TENANTS => self.other.clone(),
            None => self.learn(name),
        }
    }

    fn learn(&self, name: &str) -> Tenant {
        let name: Arc<str> = name.into();
        self.known.rcu(|known| {
            let mut known = BTreeMap::clone(known);
            if known.len() < TENANTS {
                known.entry(name.clone()).or_insert_with(|| Tenant(name.clone()));
            }
            known
        });
        self.known.load().get(&name).unwrap_or(&self.other).clone()
    }
}

impl Default for KnownTenants {
    fn default() -> Self {
        Self::new()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_fifty_have_names() {
        let tenants = KnownTenants::new();
        for number in 0..TENANTS {
            assert_eq!(&*tenants.of(Some(&format!("t{number}"))).0, format!("t{number}"));
        }
        assert_eq!(&*tenants.of(Some("late")).0, "other");
        assert_eq!(&*tenants.of(Some("t0")).0, "t0");
        assert_eq!(&*tenants.of(None).0, "none");
        assert_eq!(tenants.known.load().len(), TENANTS);
    }
}

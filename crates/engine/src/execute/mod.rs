//! [6] Doing it: every step as soon as what it needs is there, as many at once as allowed, each one announced in the
//! journal before its call and answered after.

mod dependency_tracker;
mod schedule;
mod step;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use serde_json::Value;
use tokio::sync::watch;

use crate::ledger::{Fence, Ledger};
use crate::provider::Providers;
use crate::resource::{Address, Attributes, Changes, Event, EventListener, Kind, Level, resolve};

pub use schedule::run;

/// How a run is to go.
#[derive(Clone, Copy, Debug)]
pub struct RunOptions {
    /// Maximum number of concurrent steps.
    pub at_once: usize,
    /// How far everything must have come before the run ends.
    pub wait: Level,
    /// Whether data may be deleted with what holds it.
    pub empty_buckets: bool,
}

/// Everything a run works with.
pub struct RunContext<'a> {
    /// What is to be done.
    pub changes: &'a Changes,
    /// Who does it.
    pub providers: &'a Providers,
    /// Where it is written down.
    ledger: &'a Ledger,
    /// The journals of other stacks that the run spans.
    others: Vec<&'a Ledger>,
    /// Who is told.
    pub listener: &'a dyn EventListener,
    /// How.
    pub options: RunOptions,
    /// Becomes true when nothing new is to be begun.
    pub stop: watch::Receiver<bool>,
    /// The account, for references to it; empty when the run talks to none.
    pub account: &'a str,
    known: KnownAttributes,
    /// What was known when the run began: what goes is named by it, whatever takes its place meanwhile.
    before: BTreeMap<Address, Attributes>,
    usual: BTreeMap<Kind, u64>,
}

impl<'a> RunContext<'a> {
    /// A run over `changes`.
    pub fn new(
        changes: &'a Changes,
        providers: &'a Providers,
        ledger: &'a Ledger,
        listener: &'a dyn EventListener,
        options: RunOptions,
        stop: watch::Receiver<bool>,
        account: &'a str,
    ) -> Self {
        let before = known_at_first(changes, ledger);
        let known = KnownAttributes(Mutex::new(before.clone()));
        let (others, usual) = (Vec::new(), ledger.usual_ms());
        Self { changes, providers, ledger, others, listener, options, stop, account, known, before, usual }
    }

    /// The same run over another stack, too: what is done to its resources is written into its own journal.
    #[must_use]
    pub fn beside(mut self, other: &'a Ledger) -> Self {
        for (address, record) in other.recorded().resources {
            self.before.entry(address).or_insert(record.attributes);
        }
        self.known = KnownAttributes(Mutex::new(self.before.clone()));
        for (kind, ms) in other.usual_ms() {
            self.usual.entry(kind).or_insert(ms);
        }
        self.others.push(other);
        self
    }

    /// The stack that an address belongs to.
    fn stack_of(&self, address: &Address) -> &'a str {
        self.changes.stack_of(address)
    }

    /// The journal of the stack that an address belongs to.
    fn journal(&self, address: &Address) -> &'a Ledger {
        let stack = self.stack_of(address);
        self.others.iter().copied().find(|other| other.stack() == stack).unwrap_or(self.ledger)
    }

    /// Whether the leases are still ours: one for each journal.
    fn fences(&self) -> Vec<Arc<Fence>> {
        std::iter::once(&self.ledger).chain(&self.others).map(|ledger| ledger.fence()).collect()
    }

    /// The account, for references to it; none while the run talks to none.
    fn account(&self) -> Option<Value> {
        (!self.account.is_empty()).then(|| self.account.into())
    }

    fn resolved(&self, spec: &Value) -> Value {
        resolve(spec, &|address, attribute| match address {
            "" => self.account().filter(|_| attribute == "account"),
            _ => self.known.attribute(address, attribute),
        })
    }

    /// The settings as they were meant when the run began.
    fn resolved_before(&self, spec: &Value) -> Value {
        resolve(spec, &|address, attribute| match address {
            "" => self.account().filter(|_| attribute == "account"),
            _ => self.before.get(&address.parse::<Address>().ok()?)?.get(attribute).cloned(),
        })
    }

    fn tell(&self, event: Event) {
        self.listener.tell(&event);
    }

    fn usual_seconds(&self, kind: Kind) -> u32 {
        let learnt = self.usual.get(&kind).map(|ms| u32::try_from(ms.div_ceil(1_000)).unwrap_or(u32::MAX));
        learnt.unwrap_or(kind.facts().usual_seconds.0)
    }
}

/// What the resources have made known so far.
struct KnownAttributes(Mutex<BTreeMap<Address, Attributes>>);

/// What the journal and the look at the real resources know, and what resources beyond this run make known.
fn known_at_first(changes: &Changes, ledger: &Ledger) -> BTreeMap<Address, Attributes> {
    let mut all = changes.outside.clone();
    all.extend(ledger.recorded().resources.into_iter().map(|(address, record)| (address, record.attributes)));
    for change in changes.items.values() {
        if let Some(found) = &change.found {
            all.insert(change.address.clone(), found.attributes.clone());
        }
    }
    all
}

impl KnownAttributes {
    fn attribute(&self, address: &str, attribute: &str) -> Option<Value> {
        let address: Address = address.parse().ok()?;
        self.0.lock().unwrap_or_else(PoisonError::into_inner).get(&address)?.get(attribute).cloned()
    }

    fn of(&self, address: &Address) -> Attributes {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).get(address).cloned().unwrap_or_default()
    }

    fn learn(&self, address: &Address, attributes: Attributes) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).insert(address.clone(), attributes);
    }
}

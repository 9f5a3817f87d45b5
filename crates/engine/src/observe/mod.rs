//! [4] The only reading of the real resources before a change: every address at once, bounded.

mod previews;

use std::collections::{BTreeMap, BTreeSet};

use futures::{StreamExt, future, stream};
use serde_json::Value;

use crate::provider::{OwnedQuery, Providers, ResourceContext};
use crate::resource::moves::{OWNED_SETS, owned};
use crate::resource::{
    Address, Attributes, Desired, Fault, Kind, Observed, ObservedResource, OwnedResource, ResourceRecord, StackState,
    known, resolve,
};

pub use previews::previews;

/// Reads at the same time at most.
pub const AT_ONCE: usize = 24;

/// One address to read.
struct Question {
    address: Address,
    kind: Kind,
    spec: Value,
    /// The settings under which it was made, when it was: if the plan names it otherwise now, the old one is still
    /// what is at this address.
    former: Option<Value>,
    /// All settings that earlier runs may have asked for.
    before: Option<Value>,
    id: Option<String>,
    token: String,
    /// The address at which it was made, when it has moved since.
    made_at: Option<Address>,
    attributes: Attributes,
}

impl Question {
    /// Fills in what is known by now.
    fn resolve(&mut self, answers: &Observed, recorded: &StackState) {
        let lookup = |address: &str, attribute: &str| known(answers, recorded, address, attribute);
        self.spec = resolve(&self.spec, &lookup);
        self.former = self.former.as_ref().map(|former| resolve(former, &lookup));
        self.before = self.before.as_ref().map(|before| resolve(before, &lookup));
    }
}

/// Reads every address that is wanted or recorded and that `wanted` accepts. What depends on something that does not
/// exist yet is not asked for: it cannot exist either.
pub async fn read(
    desired: &Desired,
    recorded: &StackState,
    providers: &Providers,
    wanted: impl Fn(&Address) -> bool,
) -> Observed {
    look(desired, recorded, providers, wanted, false).await
}

/// The same, with everything that the services show of each resource: more calls, for `status --drift`.
pub async fn read_thoroughly(desired: &Desired, recorded: &StackState, providers: &Providers) -> Observed {
    look(desired, recorded, providers, |_| true, true).await
}

async fn look(
    desired: &Desired,
    recorded: &StackState,
    providers: &Providers,
    wanted: impl Fn(&Address) -> bool,
    thorough: bool,
) -> Observed {
    let mut seen = BTreeMap::new();
    let mut open = questions(desired, recorded);
    open.retain(|question| wanted(&question.address));
    // Most is known from the journal and read in the first wave; what refers to a thing that is only being looked up
    // (a zone, a load balancer) is read in the next one.
    loop {
        let answers = Observed { seen, account: String::new() };
        for question in &mut open {
            question.resolve(&answers, recorded);
        }
        seen = answers.seen;
        let (ready, later): (Vec<_>, Vec<_>) = open.into_iter().partition(can_be_asked);
        if ready.is_empty() {
            seen.extend(later.into_iter().map(|question| (question.address, Ok(None))));
            break;
        }
        open = later;
        let answers = stream::iter(ready)
            .map(|question| {
                let stack = desired.stack_of(&question.address);
                ask(question, stack, providers, thorough)
            })
            .buffer_unordered(AT_ONCE);
        seen.extend(answers.collect::<Vec<_>>().await);
    }
    Observed { seen, account: String::new() }
}

fn questions(desired: &Desired, recorded: &StackState) -> Vec<Question> {
    let mut all = Vec::new();
    for resource in desired.resources.values() {
        let record = recorded.resources.get(&resource.address);
        all.push(Question {
            address: resource.address.clone(),
            kind: resource.kind,
            spec: resource.spec.clone(),
            former: record.filter(|record| record.id.is_some()).map(|record| record.spec.clone()),
            // A group of record sets that was never finished may have written some of them.
            before: record
                .filter(|record| record.id.is_some() || record.kind == Kind::Records)
                .map(|record| record.without_imported(record.stated(), &resource.spec)),
            id: record.and_then(|record| record.id.clone()),
            token: recorded.token(&resource.address),
            made_at: record.and_then(|record| record.made_at.as_ref()).map(|made| made.address.clone()),
            attributes: record.map(|record| known_of(record, recorded)).unwrap_or_default(),
        });
    }
    for (address, record) in recorded.resources.iter().filter(|(address, _)| !desired.resources.contains_key(address)) {
        all.push(Question {
            address: address.clone(),
            kind: record.kind,
            spec: record.spec.clone(),
            former: None,
            before: Some(record.stated()),
            id: record.id.clone(),
            token: recorded.token(address),
            made_at: record.made_at.as_ref().map(|made| made.address.clone()),
            attributes: known_of(record, recorded),
        });
    }
    all
}

/// What a resource made known; a group of record sets owns what it may have written, too.
fn known_of(record: &ResourceRecord, recorded: &StackState) -> Attributes {
    let mut attributes = record.attributes.clone();
    if record.kind == Kind::Records && record.pending.is_some() {
        let resolved = |spec: &Value| resolve(spec, &|address, attribute| recorded.attribute(address, attribute));
        attributes.insert(OWNED_SETS.to_owned(), serde_json::json!(owned(record, &resolved)));
    }
    attributes
}

/// Whether what identifies it is known: the fields that make its name.
fn can_be_asked(question: &Question) -> bool {
    let open = |path: &str| spec_to_ask_by(question).get(path).is_some_and(crate::resource::has_references);
    !question.kind.facts().identity.iter().any(|path| open(path))
}

/// The settings to look for it by: the former ones, when the plan gives it another name now.
fn spec_to_ask_by(question: &Question) -> &Value {
    let identity = question.kind.facts().identity;
    // A bucket is asked for where it is, not where the plan wants it now.
    let renamed =
        |former: &&Value| identity.iter().chain(&["region"]).any(|path| former.get(path) != question.spec.get(path));
    question.former.as_ref().filter(renamed).unwrap_or(&question.spec)
}

async fn ask(
    question: Question,
    stack: &str,
    providers: &Providers,
    thorough: bool,
) -> (Address, Result<Option<ObservedResource>, Fault>) {
    let subject = ResourceContext {
        stack,
        address: &question.address,
        token: &question.token,
        spec: spec_to_ask_by(&question),
        id: question.id.as_deref(),
        attributes: &question.attributes,
        before: question.before.as_ref(),
        former: question.made_at.as_ref(),
        thorough,
        seen_absent: false,
    };
    let answer = match providers.of(question.kind) {
        Ok(provider) => {
            let retry_policy = providers.retry_policy_of(question.kind);
            retry_policy.first_reading(async || provider.read(&subject).await).await
        }
        Err(fault) => Err(fault),
    };
    (question.address, answer)
}

/// What is tagged as the stack's in reality and is not in the journal, and the kinds that could not be listed.
pub async fn unmanaged(
    recorded: &StackState,
    regions: &BTreeSet<String>,
    providers: &Providers,
) -> (Vec<OwnedResource>, Vec<(Kind, Fault)>) {
    let asking = providers.all().map(async |(kind, provider)| {
        let known = known_ids(recorded, kind);
        let search = OwnedQuery { stack: &recorded.stack, regions, known: &known };
        let retry_policy = providers.retry_policy_of(kind);
        (kind, retry_policy.first_reading(async || provider.list_owned(&search).await).await)
    });
    let (mut all, mut faults) = (Vec::new(), Vec::new());
    for (kind, answer) in future::join_all(asking).await {
        match answer {
            Ok(owned) => all.extend(owned),
            Err(fault) => faults.push((kind, fault)),
        }
    }
    all.sort();
    (all, faults)
}

/// What the journal knows of a kind, what is still to go included.
fn known_ids(recorded: &StackState, kind: Kind) -> BTreeSet<String> {
    let held = recorded.resources.values().filter(|record| record.kind == kind).filter_map(|record| record.id.clone());
    let left = recorded.pending_deletions.iter().filter(|left| left.kind == kind).map(|left| left.id.clone());
    held.chain(left).collect()
}

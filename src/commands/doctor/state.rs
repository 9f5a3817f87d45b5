//! The state that a deploy would continue from, and other writers.

use std::sync::Arc;

use serde_json::{Value, json};

use super::check::DoctorCheck;
use crate::commands::Context;
use crate::commands::workflow::{self, AccountConnection};
use crate::exit::{Failure, codes};
use crate::ledger::{Lease, Ledger, Store};
use crate::observe;
use crate::provider::aws::{CallerIdentity, GLOBAL};
use crate::report;
use crate::resource::{Artifacts, OwnedResource, SafeText, StackState, shown};

/// What was found.
pub struct JournalCheck {
    /// One or two checks.
    pub checks: Vec<DoctorCheck>,
    /// The same for programs.
    pub data: Value,
}

/// Looks at the journal of a stack, at its lease, and, when the journal knows nothing, at what is tagged as the stack's all the
/// same.
pub async fn look(
    stack: &str,
    connection: Option<&AccountConnection>,
    identity: Option<&CallerIdentity>,
    context: &Context,
) -> JournalCheck {
    match read(stack, connection, context).await {
        Ok(read) => found(stack, &read, connection, identity, context).await,
        Err(failure) => {
            let data = json!({"stack": stack, "place": context.global.state, "problem": failure.problem});
            JournalCheck { checks: vec![DoctorCheck::failed("state", &failure)], data }
        }
    }
}

/// What is in the store.
struct JournalRead {
    store: Arc<dyn Store>,
    place: String,
    state: StackState,
    lease: Option<Lease>,
}

async fn read(stack: &str, connection: Option<&AccountConnection>, context: &Context) -> Result<JournalRead, Failure> {
    let store = workflow::store(&context.global, &context.session, stack, connection).await?;
    let lease = store.lease().await?.filter(|lease| !lease.is_cut_off());
    let ledger = Ledger::read(Arc::clone(&store), stack).await?;
    Ok(JournalRead { store, place: ledger.place(), state: ledger.recorded(), lease })
}

async fn found(
    stack: &str,
    read: &JournalRead,
    connection: Option<&AccountConnection>,
    identity: Option<&CallerIdentity>,
    context: &Context,
) -> JournalCheck {
    let JournalRead { store, place, state, lease } = read;
    let mut checks = vec![standing(stack, place, state, identity)];
    // Nothing is written beside the journal of another account.
    let in_a_bucket = workflow::root(&context.global.state).is_none();
    if in_a_bucket && !checks.iter().any(DoctorCheck::is_failed) {
        checks.push(match store.probe().await {
            Ok(()) => DoctorCheck::good("writes", "the bucket refuses a write whose condition does not hold"),
            Err(bad) => DoctorCheck::failed("writes", &Failure::from(bad)),
        });
    }
    let live = lease.as_ref().filter(|lease| !lease.is_stale(&context.session.host));
    checks.push(match (live, lease) {
        (Some(lease), _) => DoctorCheck::warning(
            "lease",
            shown!(
                "{} is being changed by {}@{} (`{}`) since {}",
                stack,
                lease.user,
                lease.host,
                lease.command,
                format!("{:.0}", lease.since)
            ),
            "wait until it ends",
        ),
        (None, Some(lease)) => DoctorCheck::good(
            "lease",
            shown!("left by {}@{}, and stale: the next run takes it over", lease.user, lease.host),
        ),
        (None, None) => DoctorCheck::good("lease", "free"),
    });
    let mut data = json!({"stack": stack, "place": place, "revision": state.revision(), "resources": state.resources.len(),
                          "account": state.account, "lease": lease.as_ref().map(|lease| json!({
                              "user": lease.user, "host": lease.host, "command": lease.command, "since": lease.since,
                              "expires": lease.expires, "stale": lease.is_stale(&context.session.host)}))});
    if state.resources.is_empty()
        && let (Some(connection), Some(_)) = (connection, identity)
    {
        let marked = marked(state, connection).await;
        data["marked"] = json!(marked);
        checks.extend(lost(stack, place, &marked));
    }
    JournalCheck { checks, data }
}

fn standing(stack: &str, place: &str, state: &StackState, identity: Option<&CallerIdentity>) -> DoctorCheck {
    if state.revision() == 0 {
        return DoctorCheck::good(
            "state",
            shown!("{}: {} does not exist yet: the first deploy creates it", place, stack),
        );
    }
    let resources = report::counted(state.resources.len(), "resource");
    let last = state
        .runs
        .last()
        .map_or_else(SafeText::default, |run| shown!(", last `{}` at {} by {}", run.command, run.at, run.by));
    let found = shown!("{}: revision {}, {}{}", place, state.revision(), resources, last);
    match (&state.account, identity) {
        (Some(known), Some(identity)) if *known != identity.account && !known.is_empty() => {
            let problem =
                shown!("{}\nit belongs to account {}, these credentials are of {}", found, known, identity.account);
            DoctorCheck::failed(
                "state",
                &codes::OTHER_ACCOUNT.refused(problem, "use the credentials of that account (AWS_PROFILE)"),
            )
        }
        _ => DoctorCheck::good("state", found),
    }
}

/// What is tagged as the stack's and is not in its journal, in the regions that are known without a plan.
async fn marked(state: &StackState, connection: &AccountConnection) -> Vec<OwnedResource> {
    let providers = workflow::with_artifacts(connection, Artifacts::default());
    let regions = [connection.region.clone(), GLOBAL.to_owned()].into();
    observe::unmanaged(state, &regions, &providers).await.0
}

/// A journal that knows nothing while the account does: it lies elsewhere, or it is lost.
fn lost(stack: &str, place: &str, marked: &[OwnedResource]) -> Option<DoctorCheck> {
    let first: Vec<String> = marked.iter().take(3).map(|one| format!("{} {}", one.kind.name(), one.id)).collect();
    let more = marked.len().saturating_sub(first.len());
    let more = if more == 0 { String::new() } else { format!(" and {more} more") };
    (!marked.is_empty()).then(|| {
        DoctorCheck::warning(
            "mark",
            shown!(
                "{} of {} in this account, but {} does not know about it: {}{}",
                report::counted(marked.len(), "resource"),
                stack,
                place,
                first.join(", "),
                more
            ),
            "name the location of its journal with --state; if the journal is lost, a deploy of its plan adopts the \
             resources tagged as its own",
        )
    })
}

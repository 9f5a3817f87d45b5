//! Where a stack's journal is, and how it is opened and closed.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use super::{AccountConnection, connect, write};
use crate::cli::Global;
use crate::commands::Context;
use crate::desired::jetson::SUFFIX;
use crate::exit::{Failure, codes};
use crate::ledger::{FORMAT, FileStore, Lease, Ledger, LedgerError, ObjectApi, Store};
use crate::provider::aws::{bucket_objects, journal_store};
use crate::resource::{RunPurpose, is_name, shown, syntax_check};
use crate::session::Session;

/// A stack's name is part of file names, keys and names in AWS: longer ones leave no room for the rest.
const LONGEST: usize = 100;

/// Where journals are kept.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Place {
    Directory(PathBuf),
    Bucket { name: String, prefix: String, region: Option<String> },
}

impl Place {
    /// Reads `--state`.
    fn of(state: &str) -> Result<Self, Failure> {
        if let Some(directory) = state.strip_prefix("file:") {
            return Self::directory(state, directory);
        }
        let bad = |why: &str| {
            let problem = shown!("--state {:?} cannot be used: {}", state, why);
            codes::STATE_PLACE.refused(problem, "write file:DIRECTORY or s3://BUCKET/PREFIX[?region=REGION]")
        };
        let place = state.strip_prefix("s3://").ok_or_else(|| bad("it begins with neither file: nor s3://"))?;
        let (place, query) = place.split_once('?').unwrap_or((place, ""));
        let (name, prefix) = place.split_once('/').unwrap_or((place, ""));
        if name.is_empty() {
            return Err(bad("it has no bucket name"));
        }
        let mut region = None;
        for pair in query.split('&').filter(|pair| !pair.is_empty()) {
            match pair.split_once('=') {
                Some(("region", value)) if is_name(value) && syntax_check::region(value) => {
                    region = Some(value.to_owned())
                }
                Some(("region", value)) => {
                    return Err(bad(&format!("{value:?} is not a region such as us-east-1, in lower case")));
                }
                _ => return Err(bad(&format!("unknown option {pair:?}; the only option is region=REGION"))),
            }
        }
        Ok(Self::Bucket { name: name.to_owned(), prefix: prefix.trim_matches('/').to_owned(), region })
    }

    fn directory(state: &str, directory: &str) -> Result<Self, Failure> {
        let bad = |why: &str, next: &'static str| {
            codes::STATE_PLACE.refused(shown!("--state {:?} cannot be used: {}", state, why), next)
        };
        if directory.is_empty() {
            return Err(bad("it has no directory", "write file:DIRECTORY; file:. is the current directory"));
        }
        let Some(rest) = directory.strip_prefix('~') else { return Ok(Self::Directory(directory.into())) };
        if !(rest.is_empty() || rest.starts_with('/')) {
            return Err(bad(
                "the home directory of another user is not looked up",
                "write its path; file:./~NAME is a directory of that name",
            ));
        }
        let home = std::env::home_dir().filter(|home| !home.as_os_str().is_empty());
        let home = home.ok_or_else(|| bad("this user has no home directory (HOME is not set)", "write the path"))?;
        Ok(Self::Directory(home.join(rest.trim_start_matches('/'))))
    }
}

/// The directory that journals are kept in, when `state` is one.
pub fn root(state: &str) -> Option<PathBuf> {
    match Place::of(state) {
        Ok(Place::Directory(directory)) => Some(directory),
        _ => None,
    }
}

/// The directory of a stack, when its journal is in one.
pub fn directory(global: &Global, stack: &str) -> Option<PathBuf> {
    Some(root(&global.state)?.join(stack))
}

/// Refuses a name that cannot be a stack's. It becomes part of paths and keys.
///
/// # Errors
/// When it cannot be used as a name.
fn stack_name(stack: &str) -> Result<(), Failure> {
    if is_name(stack) && !stack.starts_with('-') && stack.len() <= LONGEST {
        return Ok(());
    }
    Err(codes::ARGUMENT.refused(
        shown!("invalid stack name {:?}", stack),
        shown!(
            "use lower-case letters, digits and dashes, {} at most and no dash at first: the plan's `stack:` says the name",
            LONGEST
        ),
    ))
}

/// The store of a stack's journal.
///
/// # Errors
/// When the place or the stack's name is malformed.
pub async fn store(
    global: &Global,
    session: &Session,
    stack: &str,
    connection: Option<&AccountConnection>,
) -> Result<Arc<dyn Store>, Failure> {
    stack_name(stack)?;
    let (name, prefix, region) = match Place::of(&global.state)? {
        Place::Directory(directory) => return Ok(Arc::new(FileStore::new(&directory, stack, &session.host))),
        Place::Bucket { name, prefix, region } => (name, prefix, region),
    };
    let own;
    let connection = match connection {
        Some(connection) => connection,
        None => {
            own = connect(session).await?;
            &own
        }
    };
    let client = connection.clients.state_s3(region.as_deref().unwrap_or(&connection.region))?;
    let endpoint = connection.description().and_then(|described| Some(described.endpoints.get("s3")?.url.clone()));
    let store = journal_store(&client, &name, &prefix, stack, &session.host);
    let store = store.through(endpoint.as_deref().unwrap_or("AWS"));
    Ok(Arc::new(store.keeping(Duration::from_secs(global.journal_retention))))
}

/// The bucket that a stack's journal is in, and the prefix of what is kept beside it.
///
/// # Errors
/// When the place is malformed or is not a bucket, or the account cannot be reached.
pub async fn objects(global: &Global, session: &Session, stack: &str) -> Result<(Arc<dyn ObjectApi>, String), Failure> {
    stack_name(stack)?;
    let Place::Bucket { name, prefix, region } = Place::of(&global.state)? else {
        return Err(codes::STATE_PLACE
            .refused(shown!("--state {:?} names no bucket", global.state), "write s3://BUCKET/PREFIX"));
    };
    let connection = connect(session).await?;
    let client = connection.clients.state_s3(region.as_deref().unwrap_or(&connection.region))?;
    let prefix = if prefix.is_empty() { stack.to_owned() } else { format!("{prefix}/{stack}") };
    Ok((bucket_objects(&client, &name), prefix))
}

/// The journal of a stack: under a lease for a run that changes something, else for reading. What is sent to the account from
/// then on is sent only while the lease is ours.
///
/// # Errors
/// When somebody else holds the lease, or the journal cannot be read.
pub async fn open(
    context: &Context,
    connection: Option<&AccountConnection>,
    stack: &str,
    command: &str,
    purpose: RunPurpose,
    only_looks: bool,
) -> Result<Ledger, Failure> {
    let ledger = ledger(context, connection, stack, command, purpose, only_looks, &[stack]).await?;
    if let Some(connection) = connection.filter(|_| !only_looks) {
        let fence = ledger.fence();
        connection.clients.ask_first(Box::new(move || fence.check()));
    }
    Ok(ledger)
}

/// The same, without a word about who may send what. `stacks` are all that the run writes.
///
/// # Errors
/// When somebody else holds the lease, or the journal cannot be read.
pub async fn ledger(
    context: &Context,
    connection: Option<&AccountConnection>,
    stack: &str,
    command: &str,
    purpose: RunPurpose,
    only_looks: bool,
    stacks: &[&str],
) -> Result<Ledger, Failure> {
    let store = store(&context.global, &context.session, stack, connection).await?;
    if only_looks {
        return Ok(Ledger::read(store, stack).await?);
    }
    let ledger = match write(context, store, stack, command, purpose).await {
        Ok(ledger) => ledger,
        Err(LedgerError::Locked(holder)) => {
            let held = held_by(&holder, context, connection, stack, stacks).await;
            return Err(of_stacks(LedgerError::Locked(holder), &held, context.session.can_ask));
        }
        Err(bad) => return Err(of_stacks(bad, &[stack], context.session.can_ask)),
    };
    if let Some((format, backup)) = ledger.older() {
        let remark = shown!(
            "the journal is upgraded from format {} to format {}; the previous one is kept at {}",
            format,
            FORMAT,
            backup
        );
        context.printer.remark(remark);
    }
    Ok(ledger)
}

/// Those of a run's stacks whose lease the same process holds: `stack`, and others.
async fn held_by<'s>(
    holder: &Lease,
    context: &Context,
    connection: Option<&AccountConnection>,
    stack: &'s str,
    stacks: &[&'s str],
) -> Vec<&'s str> {
    let mut held = Vec::new();
    for one in stacks {
        let same = *one == stack || lease(one, context, connection).await.is_some_and(|other| same_run(&other, holder));
        held.extend(same.then_some(*one));
    }
    held
}

/// The lease that lies there; none when it cannot be read, since it only adds to what is said.
async fn lease(stack: &str, context: &Context, connection: Option<&AccountConnection>) -> Option<Lease> {
    let store = store(&context.global, &context.session, stack, connection).await.ok()?;
    store.lease().await.ok()?
}

fn same_run(one: &Lease, other: &Lease) -> bool {
    (&one.user, &one.host, one.pid) == (&other.user, &other.host, other.pid)
}

/// What is wrong with a journal or its lease; the next step names these stacks. Without a terminal (`can_ask`) a lease is taken
/// away with --yes.
fn of_stacks(bad: LedgerError, stacks: &[&str], can_ask: bool) -> Failure {
    let yes = if can_ask || !matches!(bad, LedgerError::Locked(_)) { "" } else { " --yes" };
    let each = |verb: fn(&str) -> &'static str| {
        let commands = stacks.iter().map(|stack| format!("akidb-edge {} --stack {stack}{yes}", verb(stack)));
        commands.collect::<Vec<_>>().join(" and ")
    };
    let next_step = match &bad {
        LedgerError::Locked(_) => {
            shown!("wait until that run ends; if its process no longer exists: {}", each(|_| "state unlock"))
        }
        // `status` asks the account, and devices are not in it.
        LedgerError::LeaseLost(_) => {
            let verb = |stack: &str| if stack.ends_with(SUFFIX) { "state list" } else { "status" };
            shown!("to see what was done: {}", each(verb))
        }
        _ => return bad.into(),
    };
    Failure { next_step, ..bad.into() }
}

/// Gives the lease back, whatever came out; what came out counts first. What failed after the lease was lost failed
/// because of that.
///
/// # Errors
/// What came out, or why the lease could not be given back.
pub async fn close(ledger: Ledger, answer: Result<u8, Failure>) -> Result<u8, Failure> {
    let stack = ledger.stack().to_owned();
    close_one(ledger, answer, &[stack.as_str()]).await
}

/// The same for one of the journals of a run that writes these stacks.
///
/// # Errors
/// What came out, or why the lease could not be given back.
pub async fn close_one(ledger: Ledger, answer: Result<u8, Failure>, stacks: &[&str]) -> Result<u8, Failure> {
    let loss = if answer.is_err() { ledger.loss().await } else { None };
    let answer = loss.map_or(answer, |lost| Err(of_stacks(lost, stacks, true)));
    let closed = ledger.close().await;
    let code = answer?;
    closed.map_err(|bad| of_stacks(bad, stacks, true))?;
    Ok(code)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bucket(name: &str, prefix: &str, region: Option<&str>) -> Place {
        Place::Bucket { name: name.to_owned(), prefix: prefix.to_owned(), region: region.map(str::to_owned) }
    }

    #[test]
    fn the_stacks_of_a_lost_lease_are_named() {
        let next = |bad: LedgerError| of_stacks(bad, &["kk", "kk-devices"], true).next_step.to_string();
        let lost = next(LedgerError::LeaseLost("it ended".to_owned()));
        assert_eq!(
            lost,
            "to see what was done: akidb-edge status --stack kk and akidb-edge state list --stack kk-devices"
        );
        let held = next(LedgerError::Locked(Box::new(Lease::new("me", "here", "deploy"))));
        assert!(held.ends_with(": akidb-edge state unlock --stack kk and akidb-edge state unlock --stack kk-devices"));
    }

    #[test]
    fn places_are_read_or_refused() {
        let read = |state: &str| Place::of(state).map_err(|bad| bad.problem);
        assert_eq!(read("file:a/b"), Ok(Place::Directory("a/b".into())));
        assert_eq!(read("s3://b"), Ok(bucket("b", "", None)));
        assert_eq!(read("s3://b/p/q/"), Ok(bucket("b", "p/q", None)));
        assert_eq!(read("s3://b/p?region=eu-central-1"), Ok(bucket("b", "p", Some("eu-central-1"))));
        assert_eq!(read("s3://b?region=eu-central-1"), Ok(bucket("b", "", Some("eu-central-1"))));
        let wrong = [
            "file:",
            "",
            "b/p",
            "s3://",
            "s3:///p",
            "s3://b?regin=x",
            "s3://b?region=",
            "s3://b?region=-",
            "s3://b?region=us-east-1\u{1}",
            "s3://b?region",
            "file:~root/x",
        ];
        for state in wrong {
            assert!(read(state).is_err_and(|problem| problem.contains("cannot be used")), "{state}");
        }
    }

    #[test]
    fn a_tilde_is_the_home_directory() {
        let home = std::env::home_dir().expect("whoever runs the tests has one");
        assert_eq!(Place::of("file:~/x/y").ok(), Some(Place::Directory(home.join("x/y"))));
        assert_eq!(Place::of("file:~").ok(), Some(Place::Directory(home)));
        assert_eq!(Place::of("file:./~").ok(), Some(Place::Directory("./~".into())));
    }

    #[test]
    fn the_default_time_is_the_one_that_is_documented() {
        let cli = <crate::cli::Cli as clap::Parser>::try_parse_from(["akidb-edge", "status", "--stack", "x"]);
        assert_eq!(cli.expect("a command line").global.journal_retention, crate::ledger::RETENTION.as_secs());
    }

    #[test]
    fn what_could_lead_elsewhere_is_no_name() {
        for name in
            ["", ".", "..", "../x", "a/b", "a\\b", "a b", "a\n", "\u{7}", "A", "a.b", "-devices", &"a".repeat(101)]
        {
            assert!(stack_name(name).is_err(), "{name:?}");
        }
        assert!(stack_name("akidb-week13").is_ok());
    }
}

//! `state push`: replaces the journal by a file that continues it.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use serde_json::json;

use super::Which;
use super::pull::entries;
use crate::commands::workflow::AccountConnection;
use crate::commands::{Context, workflow};
use crate::exit::{self, Failure, codes};
use crate::ledger::{JournalCopy, JournalRelation, Lease, Ledger, LedgerError, Store};
use crate::provider::aws::CallerIdentity;
use crate::resource::{RunPurpose, SafeText, shown};

/// Which file, and whose journal it becomes.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// A journal, as `state pull` writes it
    #[arg(value_name = "FILE")]
    file: PathBuf,
    #[command(flatten)]
    which: Which,
    /// Also when entries of the present journal are missing in the file, or differ; the present one is kept beside it
    #[arg(long)]
    force: bool,
}

/// What became of it.
#[derive(Default)]
struct Pushed {
    added: usize,
    kept: Option<String>,
}

/// Puts the file in the place of the journal.
pub async fn run(args: &Args, context: &Context) -> Result<u8, Failure> {
    let stack = args.which.stack(context)?;
    let whole = read(args, &stack)?;
    let in_bucket = workflow::root(&context.global.state).is_none();
    let connection = if in_bucket { Some(workflow::connect(&context.session).await?) } else { None };
    let store = workflow::store(&context.global, &context.session, &stack, connection.as_ref()).await?;
    if let Some(account) = whole.state.account.as_ref().filter(|account| !account.is_empty()) {
        need_account(account, connection.as_ref(), context).await?;
    }
    let place = store.place();
    let command = format!("state push --stack {stack}");
    let pushed = match workflow::write(context, Arc::clone(&store), &stack, &command, RunPurpose::Other).await {
        Ok(ledger) => {
            let mut pushed = Pushed::default();
            let answer = put(&ledger, &whole, args, &stack).await.map(|done| {
                pushed = done;
                exit::DONE
            });
            workflow::close(ledger, answer).await?;
            pushed
        }
        Err(LedgerError::Corrupt { .. } | LedgerError::Contradicts { .. } | LedgerError::Missing { .. })
            if args.force =>
        {
            over_a_damaged_one(store, &whole, context, &command).await?
        }
        Err(bad) => return Err(workflow::not_written(bad, &stack, context.session.can_ask)),
    };
    tell(&pushed, &whole, &place, &stack, context);
    Ok(exit::DONE)
}

/// Refuses a journal of another account than that of the credentials. A directory can be written without any: then that is said.
async fn need_account(account: &str, connection: Option<&AccountConnection>, context: &Context) -> Result<(), Failure> {
    let identity = match connection {
        Some(connection) => connection.identity().await?,
        None => match caller(context).await {
            Ok(identity) => identity,
            Err(unknown) => {
                context.printer.remark(shown!(
                    "the file is a journal of account {}, which was not compared with credentials: {}",
                    account,
                    unknown.problem
                ));
                return Ok(());
            }
        },
    };
    if identity.account == account {
        return Ok(());
    }
    Err(codes::OTHER_ACCOUNT.refused(
        shown!("the file is a journal of account {}, these credentials are of {}", account, identity.account),
        "use the credentials of that account; nothing was changed",
    ))
}

async fn caller(context: &Context) -> Result<CallerIdentity, Failure> {
    workflow::connect(&context.session).await?.identity().await
}

/// The file, checked from its first line to its last.
fn read(args: &Args, stack: &str) -> Result<JournalCopy, Failure> {
    let file = args.file.display().to_string();
    let next = "name a file that state pull wrote, or the journal.jsonl of a directory; nothing was changed";
    let bytes = crate::commands::read_bounded(&args.file)
        .map_err(|bad| codes::INPUT_FILE.refused(shown!("{}: {}", file, bad), next))?;
    let whole = JournalCopy::read(&file, stack, &bytes).map_err(|bad| match bad {
        LedgerError::Newer { .. } => codes::NEWER.refused(shown!("{}", bad), "update akidb-edge; nothing was changed"),
        bad => codes::INPUT_FILE.refused(shown!("the file is not a whole journal: {}", bad), next),
    })?;
    if whole.entries.is_empty() {
        return Err(codes::INPUT_FILE.refused(shown!("{} has no entries", file), next));
    }
    match whole.stack() {
        Some(other) if other != stack => Err(codes::INPUT_FILE.refused(
            shown!("{} is the journal of the stack {}, not of {}", file, other, stack),
            shown!("name the stack: --stack {}; nothing was changed", other),
        )),
        _ => Ok(whole),
    }
}

async fn put(ledger: &Ledger, whole: &JournalCopy, args: &Args, stack: &str) -> Result<Pushed, Failure> {
    let present = ledger.text().await?;
    let (file, place) = (args.file.display(), ledger.place());
    let refused = |why: SafeText| {
        codes::INPUT_FILE.refused(
            shown!("{}; nothing was changed", why),
            shown!(
                "akidb-edge state pull --stack {} --out FILE shows the current journal; --force replaces it, and \
                 keeps a copy next to it",
                stack
            ),
        )
    };
    let now = ledger.recorded();
    if let (Some(here), Some(other)) = (&now.account, &whole.state.account)
        && here != other
    {
        return Err(codes::OTHER_ACCOUNT.refused(
            shown!("the journal {} belongs to account {}, {} is of {}; nothing was changed", place, here, file, other),
            "name the stack and the place that the file is of (--stack, --state)",
        ));
    }
    let lineage = whole.follows(&present);
    let added = match lineage {
        JournalRelation::Same => return Ok(Pushed { added: 0, kept: None }),
        JournalRelation::Ahead { by } => by,
        JournalRelation::Behind { by } if !args.force => {
            let by = entries(by);
            return Err(refused(shown!("{} lacks the last {} of the journal {}", file, by, place)));
        }
        JournalRelation::Differs { line } if !args.force => {
            return Err(refused(shown!("{} is another journal than {}: line {} differs", file, place, line)));
        }
        JournalRelation::Behind { .. } | JournalRelation::Differs { .. } => 0,
    };
    let kept = if added > 0 { None } else { Some(ledger.keep_aside().await?) };
    ledger.replace(whole).await?;
    Ok(Pushed { added, kept })
}

/// The present journal cannot be read: it is kept as it is, and the file replaces it.
async fn over_a_damaged_one(
    store: Arc<dyn Store>,
    whole: &JournalCopy,
    context: &Context,
    command: &str,
) -> Result<Pushed, Failure> {
    let lease = Lease::new(&context.session.user, &context.session.host, command);
    let lease = lease.lasting(Duration::from_secs(context.global.lease_ttl));
    store.acquire(&lease).await?;
    let answer = async {
        let kept = store.keep_aside().await?;
        store.replace(whole, &lease).await?;
        Ok::<_, LedgerError>(Pushed { added: 0, kept: Some(kept) })
    };
    let answer = answer.await;
    store.release(&lease).await?;
    Ok(answer?)
}

fn tell(pushed: &Pushed, whole: &JournalCopy, place: &str, stack: &str, context: &Context) {
    let (count, revision) = (whole.entries.len(), whole.state.revision());
    if context.global.json {
        let document = json!({"stack": stack, "exit": exit::DONE, "to": place, "entries": count, "added": pushed.added,
                              "revision": revision, "kept": pushed.kept});
        context.printer.json("state-push", &document);
        return;
    }
    let what = match (&pushed.kept, pushed.added) {
        (Some(kept), _) => shown!("replaced the former one, which is kept at {}", kept),
        (None, 0) => SafeText::from("was already there"),
        (None, added) => shown!("was extended by {}", entries(added)),
    };
    context.printer.data(shown!("{}: the journal up to revision {} {} ({})", stack, revision, what, place));
}

//! The walk that the verbs share: plan, graph, ledger, look, difference, ask, do. Each verb takes the part that it needs.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;

use crate::change::{self, Refusal, Scope};
use crate::check::{self, Severity};
use crate::cli::Global;
use crate::desired::{self, Built};
use crate::execute::{self, Options, Work};
use crate::exit::Failure;
use crate::ledger::{Fact, FileStore, Lease, Ledger, S3Store, Store, Subject};
use crate::observe;
use crate::plan::{self, Plan, Settings};
use crate::provider::Providers;
use crate::provider::aws::{Clients, Identity, providers};
use crate::report::{self, Header, Located, Voice};
use crate::resource::{Address, Artefacts, Changes, Desired, Ending, Level, Listener, Observed, Outcome, Remembered};
use crate::session::Session;

/// Missing credentials end within this: the SDK's default chain asks an instance metadata address that may never answer.
const IDENTITY_WITHIN: Duration = Duration::from_millis(2_700);

/// Which plan, with which values.
#[derive(Clone, Debug, clap::Args)]
pub struct PlanArgs {
    /// Plan: a name that the tool carries (week13), or a YAML file
    #[arg(long, value_name = "NAME|FILE", env = "AKIDB_EDGE_PLAN")]
    pub plan: Option<String>,
    /// Set a variable of the plan
    #[arg(long = "var", value_name = "NAME=VALUE")]
    pub var: Vec<String>,
    /// Set variables from a file of NAME: VALUE lines
    #[arg(long, value_name = "FILE")]
    pub var_file: Vec<PathBuf>,
}

impl PlanArgs {
    /// Loads the plan.
    ///
    /// # Errors
    /// When none is named, a variable is malformed, or the plan has problems.
    pub fn load(&self, session: &Session) -> Result<Plan, Failure> {
        let Some(name) = &self.plan else {
            return Err(Failure::refused("no plan is named", "add --plan week13, or --plan FILE"));
        };
        let settings = Settings { variables: self.variables()?, environment: session.variables.clone() };
        Ok(plan::load(name, &settings)?)
    }

    fn variables(&self) -> Result<BTreeMap<String, String>, Failure> {
        let mut all = BTreeMap::new();
        for file in &self.var_file {
            let text = std::fs::read_to_string(file).map_err(|bad| {
                Failure::refused(format!("{}: {bad}", file.display()), "name a file that can be read")
            })?;
            for (at, line) in text
                .lines()
                .enumerate()
                .filter(|(_, line)| !line.trim().is_empty() && !line.trim_start().starts_with('#'))
            {
                let Some((name, value)) = line.split_once([':', '=']) else {
                    let problem = format!("{}:{}: {line:?} is no NAME: VALUE", file.display(), at + 1);
                    return Err(Failure::refused(problem, "write one variable on each line"));
                };
                all.insert(name.trim().to_owned(), value.trim().trim_matches('"').to_owned());
            }
        }
        for pair in &self.var {
            let Some((name, value)) = pair.split_once('=') else {
                return Err(Failure::refused(
                    format!("--var {pair:?} is no NAME=VALUE"),
                    "write --var domain=example.com",
                ));
            };
            all.insert(name.to_owned(), value.to_owned());
        }
        Ok(all)
    }
}

/// How a run is to go.
#[derive(Clone, Debug, clap::Args)]
pub struct RunArgs {
    /// Do not ask
    #[arg(short, long)]
    pub yes: bool,
    /// Show what would be done, do nothing; exit code 2 when there is something to do
    #[arg(long)]
    pub dry_run: bool,
    /// When a run counts as done: every call accepted, everything usable, or everything everywhere
    #[arg(long, value_name = "LEVEL", default_value = "usable", value_parser = level)]
    pub wait: Level,
    /// Also delete the data in buckets that go: every object and old version
    #[arg(long)]
    pub empty_buckets: bool,
    /// Steps at the same time at most
    #[arg(long, value_name = "N", default_value_t = 24)]
    pub at_once: usize,
}

impl RunArgs {
    /// How the engine is to go.
    pub fn options(&self) -> Options {
        Options { at_once: self.at_once.max(1), wait: self.wait, empty_buckets: self.empty_buckets }
    }
}

fn level(text: &str) -> Result<Level, String> {
    match text {
        "accepted" => Ok(Level::Accepted),
        "usable" => Ok(Level::Usable),
        "propagated" => Ok(Level::Propagated),
        _ => Err("write accepted, usable or propagated".to_owned()),
    }
}

/// The graph of a plan, as asked for.
///
/// # Errors
/// When the plan names what is not there, or a check says no.
pub fn build(plan: &Plan, requested: &BTreeSet<String>, voice: &Voice) -> Result<Built, Failure> {
    let built = desired::build(plan, requested)?;
    let findings = findings(plan, &built);
    let errors = findings.iter().filter(|finding| finding.is_error()).count();
    if errors > 0 {
        voice.data(&report::findings_text(&findings));
        let things = if errors == 1 { "1 setting".to_owned() } else { format!("{errors} settings") };
        return Err(Failure::refused(
            format!("AWS would refuse {things} of this plan; nothing was done"),
            "correct what is named above",
        ));
    }
    for finding in &findings {
        voice.remark(&finding.line());
    }
    Ok(built)
}

/// What the checks say of a graph, each with its place in the plan.
pub fn findings(plan: &Plan, built: &Built) -> Vec<Located> {
    let place = |path: &str| {
        let place = plan.place(path);
        format!("{}:{}:{}", plan.file, place.line, place.column)
    };
    let today = jiff::Zoned::now().date();
    let mut all: Vec<Located> = check::all(&built.desired, today)
        .into_iter()
        .map(|finding| {
            let origin = built.desired.resources.get(&finding.address).map_or("", |resource| &resource.origin);
            Located {
                rule: finding.rule.to_owned(),
                severity: if finding.severity == Severity::Error { "error" } else { "warning" },
                at: place(&format!("{origin}.{}", finding.path)),
                address: Some(finding.address),
                path: finding.path,
                problem: finding.problem,
                aws_says: finding.aws_says,
                instead: finding.instead,
            }
        })
        .collect();
    all.extend(built.missing.iter().map(|(path, origin, why)| Located {
        rule: "FI001-missing-file".to_owned(),
        severity: "warning",
        address: None,
        at: place(origin),
        path: String::new(),
        problem: format!("{path} cannot be read: {why}"),
        aws_says: "nothing: deploy stops before the first call".to_owned(),
        instead: "make model fetches the models of week 13; or set the variable to where yours lie".to_owned(),
    }));
    all
}

/// Refuses a run whose files are not there.
///
/// # Errors
/// When the plan names files that cannot be read.
pub fn need_files(built: &Built) -> Result<(), Failure> {
    let Some((path, _, why)) = built.missing.first() else { return Ok(()) };
    let more = built.missing.len() - 1;
    let more = if more == 0 { String::new() } else { format!(" (and {more} more)") };
    Err(Failure::refused(
        format!("the plan carries {path}, which cannot be read: {why}{more}"),
        "make model fetches the models of week 13; or set the plan's variable to where yours lie",
    ))
}

/// A connection to the account.
pub struct Connection {
    /// The clients.
    pub clients: Arc<Clients>,
    /// Region and endpoint, for people.
    pub region: String,
    /// Endpoint, when it is not AWS's own.
    pub endpoint: Option<String>,
}

/// Reads the SDK's configuration.
///
/// # Errors
/// When no region is configured.
pub async fn connect(session: &Session) -> Result<Connection, Failure> {
    let connecting = Clients::connect(&session.access);
    let clients = tokio::time::timeout(IDENTITY_WITHIN, connecting).await.map_err(|_| no_region())?;
    let region = clients.region().map(str::to_owned).ok_or_else(no_region)?;
    Ok(Connection { clients: Arc::new(clients), region, endpoint: session.access.endpoint.clone() })
}

fn no_region() -> Failure {
    Failure::error(
        "no AWS region is configured",
        "set AWS_REGION, or region in ~/.aws/config; with the local AWS: eval \"$(localstack/up)\"",
    )
}

impl Connection {
    /// Who we are.
    ///
    /// # Errors
    /// Credentials missing, wrong or expired; endpoint unreachable.
    pub async fn identity(&self) -> Result<Identity, Failure> {
        match tokio::time::timeout(IDENTITY_WITHIN, self.clients.identity()).await {
            Ok(answer) => Ok(answer?),
            Err(_) => Err(Failure::error(
                "no AWS credentials were found, or the endpoint does not answer",
                "log in (aws sso login), or set AWS_PROFILE or AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY; with the local AWS: eval \"$(localstack/up)\"",
            )),
        }
    }

    /// Looks at the world and at who we are, at once.
    ///
    /// # Errors
    /// When we are nobody.
    pub async fn look(
        &self,
        desired: &Desired,
        remembered: &Remembered,
        providers: &Providers,
        wanted: impl Fn(&Address) -> bool,
    ) -> Result<(Identity, Observed), Failure> {
        let reading = observe::read(desired, remembered, providers, wanted);
        tokio::pin!(reading);
        let identity = self.identity();
        tokio::pin!(identity);
        // Nothing that is read counts before we know who we are; a refusal must not wait for the reads.
        let (identity, observed) = tokio::select! {
            identity = &mut identity => (identity?, None),
            observed = &mut reading => (identity.await?, Some(observed)),
        };
        let mut observed = match observed {
            Some(observed) => observed,
            None => reading.await,
        };
        observed.account.clone_from(&identity.account);
        if let Some(known) = remembered.account.as_ref().filter(|known| **known != identity.account) {
            return Err(Failure::refused(
                format!(
                    "the journal of {} belongs to account {known}, these credentials are of {}",
                    desired.stack, identity.account
                ),
                "use the credentials of that account, or another --state",
            ));
        }
        Ok((identity, observed))
    }
}

/// The store of a stack's journal.
///
/// # Errors
/// When the place is malformed.
pub async fn store(
    global: &Global,
    session: &Session,
    stack: &str,
    connection: Option<&Connection>,
) -> Result<Arc<dyn Store>, Failure> {
    let bad = || {
        Failure::refused(
            format!("--state {:?} is no place", global.state),
            "write file:DIRECTORY or s3://BUCKET/PREFIX",
        )
    };
    if let Some(directory) = global.state.strip_prefix("file:") {
        return Ok(Arc::new(FileStore::new(Path::new(directory), stack, &session.host)));
    }
    let place = global.state.strip_prefix("s3://").ok_or_else(bad)?;
    let (bucket, prefix) = place.split_once('/').unwrap_or((place, ""));
    if bucket.is_empty() {
        return Err(bad());
    }
    let client = match connection {
        Some(connection) => connection.clients.s3(&connection.region),
        None => {
            let connection = connect(session).await?;
            connection.clients.s3(&connection.region)
        }
    };
    Ok(Arc::new(S3Store::new(client, bucket, prefix, stack, &session.host)))
}

/// A lease for this process.
pub fn lease(session: &Session, command: &str) -> Lease {
    Lease::new(&session.user, &session.host, command)
}

/// The difference, or every reason why there is none.
///
/// # Errors
/// When something stands in the way.
pub fn difference(
    desired: &Desired,
    remembered: &Remembered,
    observed: &Observed,
    scope: &Scope,
) -> Result<Changes, Failure> {
    change::diff(desired, remembered, observed, scope).map_err(|refusals| refused(&refusals))
}

fn refused(refusals: &[Refusal]) -> Failure {
    let lines: Vec<String> = refusals
        .iter()
        .map(|refusal| format!("{}: {}\n  next: {}", refusal.address, refusal.problem, refusal.next_step))
        .collect();
    let reading = refusals.iter().all(|refusal| refusal.problem.starts_with("it could not be read"));
    let problem = format!("the difference cannot be made\n{}", lines.join("\n"));
    if reading { Failure::error(problem, "") } else { Failure::refused(problem, "") }
}

/// What a run is called in the journal, and what it puts in force.
#[derive(Clone, Debug, Default)]
pub struct Purpose {
    /// The verb with its main arguments.
    pub command: String,
    /// Steps that are asked for by name, all of them.
    pub requested: BTreeSet<String>,
    /// The fallback in force.
    pub fallback: Option<String>,
}

/// Everything that a run needs.
pub struct Run<'a> {
    /// The journal, open for writing.
    pub ledger: &'a Ledger,
    /// Who makes the changes.
    pub providers: &'a Providers,
    /// Who is told.
    pub listener: &'a dyn Listener,
    /// Who we are.
    pub identity: &'a Identity,
    /// Surroundings.
    pub session: &'a Session,
    /// How.
    pub options: Options,
}

impl Run<'_> {
    /// Does it, between the first and the last line of a revision.
    ///
    /// # Errors
    /// When the journal cannot be written.
    pub async fn go(&self, changes: &Changes, purpose: &Purpose) -> Result<Outcome, Failure> {
        let before = self.ledger.remembered();
        let began = Fact::RunBegan {
            revision: before.revision() + 1,
            command: purpose.command.clone(),
            by: format!("{}@{}", self.session.user, self.session.host),
            account: self.identity.account.clone(),
            tool: env!("CARGO_PKG_VERSION").to_owned(),
            requested: purpose.requested.clone(),
            fallback: purpose.fallback.clone(),
        };
        self.ledger.record(began).await?;
        for learned in learned(changes, &before) {
            self.ledger.record(learned).await?;
        }
        let stop = interrupts();
        let work =
            Work::new(changes, self.providers, self.ledger, self.listener, self.options, stop, &self.identity.account);
        let outcome = execute::run(&work).await?;
        let ending = if outcome.is_complete() { Ending::Done } else { Ending::Partial };
        self.ledger.record(Fact::RunEnded { ending, changes: outcome.done.len() as u64 }).await?;
        Ok(outcome)
    }
}

/// What was looked up and is not known so yet: an emergency must not depend on asking again.
fn learned(changes: &Changes, before: &Remembered) -> Vec<Fact> {
    let looked_up = changes.items.values().filter(|change| change.kind.facts().lookup);
    let news = looked_up.filter_map(|change| {
        let (found, resource) = (change.found.as_ref()?, change.after.as_ref()?);
        let known = before.resources.get(&change.address).is_some_and(|record| record.attributes == found.attributes);
        let subject = Subject {
            address: change.address.clone(),
            kind: change.kind,
            generation: 0,
            spec: resource.spec.clone(),
            needs: resource.needs.clone(),
            step: resource.step.clone(),
        };
        (!known).then(|| Fact::Learned { subject, id: found.id.clone(), attributes: found.attributes.clone() })
    });
    news.collect()
}

/// Becomes true at the first Ctrl-C or SIGTERM. A second one ends the process at once, as if it was killed: the journal
/// knows what was under way.
fn interrupts() -> watch::Receiver<bool> {
    let (send, receive) = watch::channel(false);
    tokio::spawn(async move {
        interrupted().await;
        // The receiver is gone when the run has ended: then there is nobody to tell.
        let _ = send.send(true);
        interrupted().await;
        eprintln!("ended at once: the same command goes on from here");
        end_at_once();
    });
    receive
}

#[expect(clippy::disallowed_methods, reason = "the user asked twice: nothing may hold the process up")]
fn end_at_once() {
    std::process::exit(130);
}

async fn interrupted() {
    use tokio::signal::unix::{SignalKind, signal};
    let Ok(mut terminate) = signal(SignalKind::terminate()) else { return std::future::pending().await };
    tokio::select! {
        asked = tokio::signal::ctrl_c() => if asked.is_err() { std::future::pending::<()>().await },
        _ = terminate.recv() => {}
    }
}

/// The providers, with the bytes that the run carries.
pub fn with_artefacts(connection: &Connection, artefacts: Artefacts) -> Providers {
    providers(&connection.clients, &Arc::new(artefacts))
}

/// What a person reads first: whom the tool talks to.
pub fn header(
    connection: &Connection,
    identity: &Identity,
    stack: &str,
    plan: Option<&Plan>,
    global: &Global,
) -> Header {
    Header {
        stack: stack.to_owned(),
        plan: plan.map(|plan| plan.file.clone()),
        account: identity.account.clone(),
        caller: identity.arn.clone(),
        region: connection.region.clone(),
        endpoint: connection.endpoint.clone().unwrap_or_else(|| "AWS".to_owned()),
        state: global.state.clone(),
    }
}

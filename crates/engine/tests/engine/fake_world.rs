//! A world in memory that fails on purpose. It outlives the "process" under test, as a real one would.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use akidb_edge_engine::change::{DiffScope, diff};
use akidb_edge_engine::execute::{self, RunContext, RunOptions};
use akidb_edge_engine::ledger::{
    Entry, Fact, FileStore, JournalCopy, Lease, Ledger, LedgerError, LoadedJournal, Store,
};
use akidb_edge_engine::observe;
use akidb_edge_engine::provider::{Applied, DeleteOutcome, Progress, Provider, Providers, ResourceContext};
use akidb_edge_engine::resource::{
    Address, Attributes, Changes, Desired, Event, EventListener, Fault, FaultClass, FieldChange, Kind, Level, Observed,
    ObservedResource, Owner, RunOutcome, RunStatus, SilentListener, StackState,
};
use async_trait::async_trait;
use serde_json::{Value, json};
use tokio::sync::{Notify, watch};

pub const STACK: &str = "fake";
pub const HOST: &str = "here";

/// A call that a hook can meet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Op {
    Read,
    Create,
    Update,
    Delete,
    Settle,
}

/// What goes wrong.
#[derive(Clone, Debug)]
pub enum Hook {
    /// It answers with a fault and does nothing.
    Fail(FaultClass),
    /// It takes effect and the answer is lost.
    LoseAnswer,
    /// The process dies before the call arrives.
    KillBefore,
    /// The process dies after the call took effect.
    KillAfter,
    /// It takes effect late: so many looks say "not yet".
    Late(u32),
    /// So many deletions are put off.
    Defer(u32),
    /// The test is told, and the call goes on when the test says so.
    Hold,
}

#[derive(Clone, Debug)]
pub struct Thing {
    pub id: String,
    pub kind: Kind,
    pub address: Address,
    pub stack: String,
    token: String,
    pub spec: Value,
    looks: u32,
    defers: u32,
}

#[derive(Clone, Debug)]
pub struct Call {
    pub op: Op,
    pub address: Address,
    pub fields: Vec<String>,
}

#[derive(Default)]
struct Inner {
    things: Vec<Thing>,
    used: BTreeSet<String>,
    made: u64,
    calls: Vec<Call>,
    hooks: Vec<(Op, String, u32, Hook)>,
    defaults: BTreeMap<Kind, Value>,
    running: usize,
    most: usize,
}

/// The world. Clones are the same world.
#[derive(Clone, Default)]
pub struct World {
    inner: Arc<Mutex<Inner>>,
    /// Told when the process under test is to die.
    pub killed: Arc<Notify>,
    /// Told when a held call has begun; tell `go_on` to let it go on.
    pub held: Arc<Notify>,
    pub go_on: Arc<Notify>,
}

impl World {
    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().expect("no test panics while it holds the world")
    }

    /// The call number `nth` (from 0) of `op` at an address that `pattern` matches meets `hook`.
    pub fn hook(&self, op: Op, pattern: &str, nth: u32, hook: Hook) {
        self.inner().hooks.push((op, pattern.to_owned(), nth, hook));
    }

    pub fn clear_hooks(&self) {
        self.inner().hooks.clear();
    }

    /// What the service adds to everything of a kind that is read.
    pub fn defaults(&self, kind: Kind, spec: Value) {
        self.inner().defaults.insert(kind, spec);
    }

    pub fn things(&self) -> Vec<Thing> {
        self.inner().things.clone()
    }

    /// Somebody else changes the world.
    pub fn meddle(&self, change: impl FnOnce(&mut Vec<Thing>)) {
        change(&mut self.inner().things);
    }

    /// The calls so far that changed something, and forgets them.
    pub fn take_changes(&self) -> Vec<Call> {
        let calls = std::mem::take(&mut self.inner().calls);
        calls.into_iter().filter(|call| matches!(call.op, Op::Create | Op::Update | Op::Delete)).collect()
    }

    /// The calls so far, and forgets them.
    pub fn take_calls(&self) -> Vec<Call> {
        std::mem::take(&mut self.inner().calls)
    }

    /// The greatest number of changing calls at the same time.
    pub fn most_at_once(&self) -> usize {
        self.inner().most
    }

    /// A provider for every kind.
    pub fn providers(&self) -> Providers {
        Kind::ALL.into_iter().fold(Providers::default(), |all, kind| {
            all.with(kind, Arc::new(FakeProvider { kind, world: self.clone() }))
        })
    }

    fn met(&self, op: Op, address: &Address, fields: &[FieldChange]) -> Option<Hook> {
        let mut inner = self.inner();
        let fields = fields.iter().map(|field| field.path.clone()).collect();
        inner.calls.push(Call { op, address: address.clone(), fields });
        let at = inner.hooks.iter_mut().position(|(on, pattern, left, _)| {
            let meets = *on == op && address.matches(pattern);
            if meets && *left > 0 {
                *left -= 1;
                return false;
            }
            meets
        })?;
        Some(inner.hooks.remove(at).3)
    }

    async fn die<T>(&self) -> T {
        self.killed.notify_one();
        std::future::pending().await
    }

    /// Runs a change with what a hook does before and after.
    async fn change<T>(
        &self,
        op: Op,
        subject: &ResourceContext<'_>,
        fields: &[FieldChange],
        effect: impl FnOnce(&mut Inner, Option<Hook>) -> Result<T, Fault>,
    ) -> Result<T, Fault> {
        let hook = self.met(op, subject.address, fields);
        {
            let mut inner = self.inner();
            inner.running += 1;
            inner.most = inner.most.max(inner.running);
        }
        // Others get their turn while this call is under way.
        tokio::task::yield_now().await;
        match hook {
            Some(Hook::Fail(class)) => {
                self.inner().running -= 1;
                return Err(fault(class, op));
            }
            Some(Hook::KillBefore) => return self.die().await,
            Some(Hook::Hold) => {
                self.held.notify_one();
                self.go_on.notified().await;
            }
            _ => {}
        }
        let answer = {
            let mut inner = self.inner();
            inner.running -= 1;
            effect(&mut inner, hook.clone())
        };
        match hook {
            Some(Hook::LoseAnswer) => Err(fault(FaultClass::Retry, op)),
            Some(Hook::KillAfter) => self.die().await,
            _ => answer,
        }
    }
}

pub fn fault(class: FaultClass, op: Op) -> Fault {
    Fault::new(class, "fake", &format!("{op:?}"), "Injected", "on purpose")
}

struct FakeProvider {
    kind: Kind,
    world: World,
}

/// Kinds that the service knows again by the token of their creation only.
fn by_token(kind: Kind) -> bool {
    matches!(kind, Kind::HealthCheck | Kind::Zone)
}

impl Inner {
    fn of(&self, kind: Kind, subject: &ResourceContext<'_>) -> Option<&Thing> {
        let all = || self.things.iter().filter(|thing| thing.kind == kind && thing.stack == subject.stack).rev();
        match subject.id {
            Some(id) => all().find(|thing| thing.id == id),
            None if by_token(kind) => all().find(|thing| thing.token == subject.token),
            None if kind == Kind::FunctionVersion => {
                all().find(|thing| thing.address == *subject.address && thing.spec == *subject.spec)
            }
            None => all().find(|thing| thing.address == *subject.address),
        }
    }

    fn attributes(&self, thing: &Thing) -> Attributes {
        let mut known = Attributes::from([
            ("id".into(), json!(thing.id)),
            ("arn".into(), json!(format!("arn:{}", thing.id))),
            ("domain_name".into(), json!(format!("{}.example", thing.id))),
        ]);
        if thing.looks == 0 {
            known.insert("validation".into(), json!(format!("validates {}", thing.id)));
        }
        known
    }

    /// Everything that a spec names must be there.
    fn nothing_missing(&self, spec: &Value) -> Result<(), Fault> {
        let text = spec.to_string();
        let mut at = 0;
        while let Some(found) = text[at..].find("thing-") {
            let start = at + found;
            let end = text[start + 6..].find(|c: char| !c.is_ascii_digit()).map_or(text.len(), |n| start + 6 + n);
            let id = &text[start..end];
            if !self.things.iter().any(|thing| thing.id == id) {
                return Err(Fault::new(
                    FaultClass::Refused,
                    "fake",
                    "check",
                    "NoSuchThing",
                    format!("{id} does not exist"),
                ));
            }
            at = end;
        }
        Ok(())
    }

    fn in_use(&self, thing: &Thing) -> Option<String> {
        let named = |spec: &Value| {
            let text = spec.to_string();
            text.match_indices(&thing.id)
                .any(|(at, id)| !text[at + id.len()..].starts_with(|c: char| c.is_ascii_digit()))
        };
        let user = self.things.iter().find(|other| other.id != thing.id && named(&other.spec))?;
        Some(user.address.to_string())
    }

    fn validated(&self, thing: &Thing) -> bool {
        let wanted = format!("validates {}\"", thing.id);
        self.things.iter().any(|other| other.kind == Kind::Records && other.spec.to_string().contains(&wanted))
    }
}

#[async_trait]
impl Provider for FakeProvider {
    async fn read(&self, subject: &ResourceContext<'_>) -> Result<Option<ObservedResource>, Fault> {
        match self.world.met(Op::Read, subject.address, &[]) {
            Some(Hook::Fail(class)) => return Err(fault(class, Op::Read)),
            Some(_) => return self.world.die().await,
            None => {}
        }
        let mut inner = self.world.inner();
        let Some(thing) = inner.of(self.kind, subject).cloned() else { return Ok(None) };
        if let Some(held) = inner.things.iter_mut().find(|held| held.id == thing.id) {
            held.looks = held.looks.saturating_sub(1);
        }
        let mut spec = thing.spec.clone();
        if let Some(defaults) = inner.defaults.get(&self.kind) {
            fill_in(&mut spec, defaults);
        }
        let ours = thing.address == *subject.address;
        let owner = if ours { Owner::Ours } else { Owner::Foreign(thing.address.to_string()) };
        Ok(Some(ObservedResource {
            id: thing.id.clone(),
            spec,
            attributes: inner.attributes(&thing),
            owner,
            extras: Vec::new(),
        }))
    }

    async fn create(&self, subject: &ResourceContext<'_>) -> Result<Applied, Fault> {
        let kind = self.kind;
        let effect = |inner: &mut Inner, hook: Option<Hook>| {
            inner.nothing_missing(subject.spec)?;
            if let Some(held) = inner.of(kind, &ResourceContext { id: None, ..*subject }) {
                if held.spec == *subject.spec {
                    return Ok(Applied { id: held.id.clone(), attributes: inner.attributes(held) });
                }
                if by_token(kind) {
                    return Err(Fault::new(FaultClass::Exists, "fake", "Create", "Exists", "with other settings"));
                }
            }
            if by_token(kind) && !inner.used.insert(subject.token.to_owned()) {
                return Err(Fault::new(
                    FaultClass::Exists,
                    "fake",
                    "Create",
                    "TokenUsed",
                    "its reference was used before",
                ));
            }
            inner.made += 1;
            let looks = match hook {
                Some(Hook::Late(looks)) => looks,
                _ if kind == Kind::Certificate => 2,
                _ => 0,
            };
            let thing = Thing {
                id: format!("thing-{}", inner.made),
                kind,
                address: subject.address.clone(),
                stack: subject.stack.to_owned(),
                token: subject.token.to_owned(),
                spec: subject.spec.clone(),
                looks,
                defers: 0,
            };
            let made = Applied { id: thing.id.clone(), attributes: inner.attributes(&thing) };
            inner.things.push(thing);
            Ok(made)
        };
        self.world.change(Op::Create, subject, &[], effect).await
    }

    async fn update(
        &self,
        subject: &ResourceContext<'_>,
        found: &ObservedResource,
        fields: &[FieldChange],
    ) -> Result<Applied, Fault> {
        if fields.is_empty() {
            return Ok(Applied { id: found.id.clone(), attributes: found.attributes.clone() });
        }
        let mark = self.kind.facts().mark;
        let effect = |inner: &mut Inner, _| {
            inner.nothing_missing(subject.spec)?;
            let Some(at) = inner.things.iter().position(|thing| thing.id == found.id) else {
                return Err(fault(FaultClass::Missing, Op::Update));
            };
            // Marks are not part of what this world keeps.
            for field in fields.iter().filter(|field| Some(field.path.as_str()) != mark) {
                put_at(&mut inner.things[at].spec, &field.path, value_at(subject.spec, &field.path).cloned());
            }
            let thing = &inner.things[at];
            Ok(Applied { id: thing.id.clone(), attributes: inner.attributes(thing) })
        };
        self.world.change(Op::Update, subject, fields, effect).await
    }

    async fn delete(&self, subject: &ResourceContext<'_>) -> Result<DeleteOutcome, Fault> {
        let effect = |inner: &mut Inner, hook: Option<Hook>| {
            let Some(at) = inner.things.iter().position(|thing| Some(thing.id.as_str()) == subject.id) else {
                return Ok(DeleteOutcome::Deleted);
            };
            if let Some(user) = inner.in_use(&inner.things[at]) {
                return Err(Fault::new(FaultClass::Refused, "fake", "Delete", "InUse", format!("{user} uses it")));
            }
            if let Some(Hook::Defer(times)) = hook {
                inner.things[at].defers = times;
            }
            if inner.things[at].defers > 0 {
                inner.things[at].defers -= 1;
                return Ok(DeleteOutcome::Deferred("its copies are still there".into()));
            }
            inner.things.remove(at);
            Ok(DeleteOutcome::Deleted)
        };
        self.world.change(Op::Delete, subject, &[], effect).await
    }

    async fn settled(&self, subject: &ResourceContext<'_>, level: Level) -> Result<Progress, Fault> {
        match self.world.met(Op::Settle, subject.address, &[]) {
            Some(Hook::Fail(class)) => return Err(fault(class, Op::Settle)),
            Some(_) => return self.world.die().await,
            None => {}
        }
        let mut inner = self.world.inner();
        let Some(at) = inner.things.iter().position(|thing| Some(thing.id.as_str()) == subject.id) else {
            return Err(fault(FaultClass::Missing, Op::Settle));
        };
        let not_yet = Ok(Progress::NotYet("in progress".into(), Duration::from_secs(5)));
        if inner.things[at].looks > 0 {
            inner.things[at].looks -= 1;
            return not_yet;
        }
        if self.kind == Kind::Certificate && level == Level::Propagated && !inner.validated(&inner.things[at]) {
            return not_yet;
        }
        Ok(Progress::Ready(inner.attributes(&inner.things[at])))
    }
}

/// Adds what is not stated, all the way down.
pub fn fill_in(spec: &mut Value, defaults: &Value) {
    match (spec, defaults) {
        (Value::Object(spec), Value::Object(defaults)) => {
            for (key, default) in defaults {
                match spec.get_mut(key) {
                    Some(held) => fill_in(held, default),
                    None => drop(spec.insert(key.clone(), default.clone())),
                }
            }
        }
        // One pattern for every member of a list.
        (Value::Array(items), Value::Array(pattern)) => {
            if let Some(pattern) = pattern.first() {
                items.iter_mut().for_each(|item| fill_in(item, pattern));
            }
        }
        _ => {}
    }
}

fn value_at<'v>(value: &'v Value, path: &str) -> Option<&'v Value> {
    value.pointer(&format!("/{}", path.replace('.', "/")))
}

fn put_at(value: &mut Value, path: &str, new: Option<Value>) {
    let (above, last) = path.rsplit_once('.').unwrap_or(("", path));
    let above = if above.is_empty() { String::new() } else { format!("/{}", above.replace('.', "/")) };
    match (value.pointer_mut(&above), new) {
        (Some(Value::Object(fields)), Some(new)) => drop(fields.insert(last.to_owned(), new)),
        (Some(Value::Object(fields)), None) => drop(fields.remove(last)),
        (Some(Value::Array(items)), Some(new)) => items[last.parse::<usize>().expect("a position")] = new,
        _ => panic!("no {path}"),
    }
}

/// A store whose process dies at one of its writes.
pub struct MortalStore {
    inner: Arc<FileStore>,
    /// The write to die at, and whether it gets on disk.
    left: AtomicUsize,
    after: bool,
    killed: Arc<Notify>,
    /// Held while bytes are on their way to the disk: a write that was begun must not outlive its process here.
    writing: Arc<tokio::sync::Mutex<()>>,
}

#[async_trait]
impl Store for MortalStore {
    fn place(&self) -> String {
        self.inner.place()
    }
    async fn load(&self) -> Result<LoadedJournal, LedgerError> {
        self.inner.load().await
    }
    async fn claim(&self, lease: &Lease) -> Result<LoadedJournal, LedgerError> {
        self.inner.claim(lease).await
    }
    async fn text(&self) -> Result<String, LedgerError> {
        self.inner.text().await
    }
    async fn keep_aside(&self) -> Result<String, LedgerError> {
        self.inner.keep_aside().await
    }
    async fn replace(&self, whole: &JournalCopy, lease: &Lease) -> Result<(), LedgerError> {
        self.inner.replace(whole, lease).await
    }
    async fn append(&self, entries: &[Entry], lease: &Lease) -> Result<(), LedgerError> {
        let dies = self.left.fetch_sub(1, Ordering::Relaxed) == 0;
        if !dies || self.after {
            let turn = Arc::clone(&self.writing).lock_owned().await;
            let (inner, entries, lease) = (Arc::clone(&self.inner), entries.to_vec(), lease.clone());
            let write = tokio::spawn(async move {
                let written = inner.append(&entries, &lease).await;
                drop(turn);
                written
            });
            write.await.expect("a write does not panic")?;
        }
        if dies {
            self.killed.notify_one();
            std::future::pending::<()>().await;
        }
        Ok(())
    }
    async fn lease(&self) -> Result<Option<Lease>, LedgerError> {
        self.inner.lease().await
    }
    async fn acquire(&self, lease: &Lease) -> Result<(), LedgerError> {
        self.inner.acquire(lease).await
    }
    async fn renew(&self, lease: &Lease) -> Result<(), LedgerError> {
        self.inner.renew(lease).await
    }
    async fn release(&self, lease: &Lease) -> Result<(), LedgerError> {
        self.inner.release(lease).await
    }
    async fn break_lease(&self) -> Result<(), LedgerError> {
        self.inner.break_lease().await
    }
}

/// A lease of a process that is dead by the time that anybody else looks.
pub fn mortal_lease() -> Lease {
    let mine = Lease::new("somebody", HOST, "test");
    Lease { process_start: mine.process_start.map(|ticks| ticks + 1).or(Some(1)), ..mine }
}

pub fn options(at_once: usize) -> RunOptions {
    RunOptions { at_once, wait: Level::Usable, empty_buckets: false }
}

/// How a process ended.
#[derive(Debug)]
pub enum End {
    Ran(RunOutcome, Changes),
    Killed,
    Broken(LedgerError),
}

impl End {
    #[track_caller]
    pub fn complete(self, note: &str) -> Changes {
        match self {
            Self::Ran(outcome, changes) => {
                assert!(outcome.is_complete(), "{note}: {outcome:#?}");
                changes
            }
            other => panic!("{note}: {other:?}"),
        }
    }

    #[track_caller]
    pub fn outcome(self) -> RunOutcome {
        match self {
            Self::Ran(outcome, _) => outcome,
            other => panic!("it did not come to its end: {other:?}"),
        }
    }
}

/// One process: opens the journal, looks, makes the difference, does it.
pub struct Process<'a> {
    pub directory: &'a Path,
    pub world: &'a World,
    pub options: RunOptions,
    pub listener: &'a dyn EventListener,
    pub stop: Option<watch::Receiver<bool>>,
    /// Dies at this write of the journal; before it is on disk, or after.
    pub dies_at: Option<(usize, bool)>,
}

impl<'a> Process<'a> {
    pub fn new(directory: &'a Path, world: &'a World) -> Self {
        Self { directory, world, options: options(8), listener: &SilentListener, stop: None, dies_at: None }
    }

    pub fn file_store(&self) -> FileStore {
        FileStore::new(self.directory, STACK, HOST)
    }

    pub async fn recorded(&self) -> StackState {
        let store: Arc<dyn Store> = Arc::new(self.file_store());
        Ledger::read(store, STACK).await.expect("the journal folds").recorded()
    }

    /// The difference as it is now; nothing is done.
    pub async fn difference(&self, desired: &Desired) -> Changes {
        let recorded = self.recorded().await;
        let observed = look(desired, &recorded, self.world).await;
        diff(desired, &recorded, &observed, &DiffScope::default()).expect("a difference")
    }

    pub async fn run(&self, desired: &Desired) -> End {
        let killed = Arc::clone(&self.world.killed);
        let writing = Arc::default();
        let end = tokio::select! {
            biased;
            () = killed.notified() => End::Killed,
            end = self.live(desired, &writing) => end,
        };
        drop(writing.lock().await);
        end
    }

    async fn live(&self, desired: &Desired, writing: &Arc<tokio::sync::Mutex<()>>) -> End {
        let (left, after) = self.dies_at.unwrap_or((usize::MAX, false));
        let store = Arc::new(MortalStore {
            inner: Arc::new(self.file_store()),
            left: AtomicUsize::new(left),
            after,
            killed: Arc::clone(&self.world.killed),
            writing: Arc::clone(writing),
        });
        let ledger = Ledger::write(store, STACK, mortal_lease()).await.expect("the lease of a dead process is taken");
        let answer = self.with(&ledger, desired).await;
        ledger.close().await.expect("the lease is given back");
        match answer {
            Ok((outcome, changes)) => End::Ran(outcome, changes),
            Err(broken) => End::Broken(broken),
        }
    }

    async fn with(&self, ledger: &Ledger, desired: &Desired) -> Result<(RunOutcome, Changes), LedgerError> {
        let providers = self.world.providers();
        let recorded = ledger.recorded();
        let observed = look(desired, &recorded, self.world).await;
        let changes = diff(desired, &recorded, &observed, &DiffScope::default()).expect("a difference");
        ledger.record(began(recorded.revision() + 1)).await?;
        let (_keep, never) = watch::channel(false);
        let stop = self.stop.clone().unwrap_or(never);
        let work = RunContext::new(&changes, &providers, ledger, self.listener, self.options, stop, "123456789012");
        let outcome = execute::run(&work).await?;
        drop(work);
        let ending = if outcome.is_complete() { RunStatus::Done } else { RunStatus::Partial };
        ledger.record(Fact::RunEnded { ending, changes: outcome.done.len() as u64 }).await?;
        Ok((outcome, changes))
    }
}

pub async fn look(desired: &Desired, recorded: &StackState, world: &World) -> Observed {
    let mut observed = observe::read(desired, recorded, &world.providers(), |_| true).await;
    observed.account = "123456789012".into();
    observed
}

pub fn began(revision: u64) -> Fact {
    Fact::RunBegan {
        revision,
        command: "deploy".into(),
        by: "somebody@here".into(),
        account: "123456789012".into(),
        stack: String::new(),
        tool: "0".into(),
        requested: BTreeSet::new(),
        fallback: None,
        purpose: None,
        platforms: Vec::new(),
    }
}

/// Keeps what it is told.
#[derive(Default)]
pub struct Recorder(pub Mutex<Vec<Event>>);

impl EventListener for Recorder {
    fn tell(&self, event: &Event) {
        self.0.lock().expect("no test panics while it listens").push(event.clone());
    }
}

//! A command that is killed at one of its calls, and what must be true once the same command ran again.

use std::collections::BTreeMap;
use std::fmt;
use std::time::{Duration, Instant};

use super::cli::{CommandOutput, TestAccount, nothing, whole};
use super::local_aws;
use super::proxy::{CallSelector, FaultProxy, ProxyAction, ProxyCall, wait};

/// More than enough for a call to come.
const SOON: Duration = Duration::from_secs(60);

/// The commands that change the world.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum KilledVerb {
    Create,
    Change,
    Rollback,
    Destroy,
}

impl KilledVerb {
    /// In an order in which each begins where the one before ended.
    pub const ALL: [Self; 4] = [Self::Create, Self::Change, Self::Rollback, Self::Destroy];

    pub fn title(self) -> &'static str {
        match self {
            Self::Create => "deploy (create)",
            Self::Change => "deploy (change)",
            Self::Rollback => "rollback",
            Self::Destroy => "destroy",
        }
    }

    /// The command that leads to where this one begins.
    pub fn inverse(self) -> Self {
        match self {
            Self::Create => Self::Destroy,
            Self::Change => Self::Rollback,
            Self::Rollback => Self::Change,
            Self::Destroy => Self::Create,
        }
    }

    fn words(self) -> &'static str {
        match self {
            Self::Create => "deploy --yes",
            Self::Change => CHANGED,
            Self::Rollback => "rollback --yes",
            Self::Destroy => "destroy --empty-buckets --yes",
        }
    }

    /// The command that has nothing to do once this one is done. A second `rollback` would undo the first.
    fn idle(self) -> &'static str {
        match self {
            Self::Rollback => "deploy --yes",
            _ => self.words(),
        }
    }
}

/// The changed plan: a price class, and health checks that are replaced, with the records that lead to them.
const CHANGED: &str = "deploy --plan changed.yaml --var price_class=PriceClass_All --yes";

/// When the process dies.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Moment {
    /// The call was sent and does not take effect.
    Before,
    /// The call took effect, its answer never came.
    After,
    /// A read is under way: before and after are the same to the world.
    Reading,
}

/// A call as it comes again in every run, and the moment of the kill.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Point {
    pub call: String,
    /// Which of the calls that look the same, from 1.
    pub occurrence: usize,
    pub moment: Moment,
}

impl fmt::Display for Point {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?} {} (occurrence {})", self.moment, self.call, self.occurrence)
    }
}

impl Point {
    /// The points of a run: two for each call that changes something, one for each read.
    pub fn all(calls: &[ProxyCall], account: &str) -> Vec<Self> {
        let mut seen = BTreeMap::<String, usize>::new();
        let mut points = Vec::new();
        for call in calls {
            let name = key(call, account);
            let occurrence = seen.entry(name.clone()).or_default();
            *occurrence += 1;
            let moments: &[Moment] = if call.mutates() { &[Moment::Before, Moment::After] } else { &[Moment::Reading] };
            let point = |moment: &Moment| Self { call: name.clone(), occurrence: *occurrence, moment: *moment };
            points.extend(moments.iter().map(point));
        }
        points
    }

    fn act(&self) -> ProxyAction {
        if self.moment == Moment::After { ProxyAction::HoldAfter } else { ProxyAction::HoldBefore }
    }
}

/// A call without what differs from run to run: the account's number and the names that services give.
fn key(call: &ProxyCall, account: &str) -> String {
    let path = call.path.replace("%2F", "/").replace("%3A", ":").replace(account, "N");
    let given = |part: &str| {
        let plain = |letter: char| letter.is_ascii_uppercase() || letter.is_ascii_digit();
        let hex = |letter: char| letter.is_ascii_hexdigit() || letter == '-';
        (part.len() >= 12 && part.chars().all(plain)) || (part.len() >= 32 && part.chars().all(hex))
    };
    // Identifiers stand between slashes, after `=`, or behind a colon of an ARN.
    let mut out = String::new();
    let mut part = String::new();
    for letter in path.chars().chain(['\n']) {
        if letter.is_ascii_alphanumeric() || letter == '-' {
            part.push(letter);
            continue;
        }
        out.push_str(if given(&part) { "ID" } else { &part });
        part.clear();
        out.push(letter);
    }
    format!("{} {} {} {}", call.service, call.operation, call.method, out.trim_end())
}

/// What became of a point.
#[derive(Clone, Debug, Default)]
pub struct Struck {
    /// The call came and the process was killed while it was held.
    pub reached: bool,
    /// What was wrong afterwards; none when everything was as it must be.
    pub wrong: Option<String>,
    /// Something is there that should not be, or twice.
    pub orphan: bool,
}

/// An account of its own behind a proxy of its own.
pub struct KillBed {
    pub account: TestAccount,
    pub proxy: FaultProxy,
    /// Record sets and function versions, once deployed cleanly.
    whole: Option<Details>,
}

/// What [`TestAccount::inventory`] does not count.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Details {
    record_sets: usize,
    versions: usize,
}

impl KillBed {
    pub fn new() -> Self {
        let proxy = FaultProxy::start(&local_aws::endpoint());
        let account = TestAccount::new().through(proxy.url());
        account.changed_plan("interval_seconds: 30, failure", "interval_seconds: 10, failure");
        Self { account, proxy, whole: None }
    }

    /// Runs a command to its end.
    pub fn run(&self, verb: KilledVerb) -> CommandOutput {
        self.proxy.reset();
        self.account.run(verb.words())
    }

    /// The points of a command, which runs to its end here.
    #[track_caller]
    pub fn points(&self, verb: KilledVerb) -> Vec<Point> {
        self.run(verb).exits(0);
        Point::all(&self.proxy.take_calls(), &self.account.number)
    }

    /// Starts a command and kills it at the point; whether the point came.
    pub fn kill(&self, verb: KilledVerb, point: &Point) -> bool {
        let (account, wanted) = (self.account.number.clone(), point.call.clone());
        let matches = move |call: &ProxyCall| key(call, &account) == wanted;
        self.kill_at(verb, matches, point.occurrence, point.act())
    }

    /// Starts a command and kills it at its n-th call that changes something.
    pub fn kill_at_change(&self, verb: KilledVerb, number: usize, act: ProxyAction) -> bool {
        self.kill_at(verb, ProxyCall::mutates, number, act)
    }

    fn kill_at(
        &self,
        verb: KilledVerb,
        matches: impl Fn(&ProxyCall) -> bool + Send + 'static,
        number: usize,
        act: ProxyAction,
    ) -> bool {
        self.proxy.reset();
        self.proxy.on(matches, CallSelector::Nth(number), act);
        let mut child = self.account.start(verb.words());
        let begun = Instant::now();
        let held = loop {
            if self.proxy.held_within(Duration::from_millis(50)) {
                break true;
            }
            let ended = child.try_wait().expect("a child of ours").is_some();
            if ended || begun.elapsed() > SOON {
                break self.proxy.held_within(Duration::ZERO);
            }
        };
        child.kill().expect("SIGKILL");
        child.wait().expect("it is gone");
        self.proxy.reset();
        held
    }

    /// Runs the command again and looks at everything that must be true then.
    pub fn heal(&mut self, verb: KilledVerb) -> Struck {
        let mut struck = Struck { reached: true, ..Struck::default() };
        let again = self.run(verb);
        if again.code != 0 {
            struck.wrong = Some(format!("the same command again ends with {}\n{}", again.code, again.all()));
            return struck;
        }
        if let Err(orphan) = self.is_exact(verb) {
            struck.orphan = true;
            struck.wrong = Some(orphan);
            return struck;
        }
        struck.wrong = self.is_quiet(verb).and_then(|()| self.journal_is_clean()).err();
        struck
    }

    /// Makes the world as it is before a command.
    pub fn prepare(&self, verb: KilledVerb) -> CommandOutput {
        self.run(verb.inverse())
    }

    /// Kills at the point, heals, looks.
    pub fn strike(&mut self, verb: KilledVerb, point: &Point) -> Struck {
        let reached = self.kill(verb, point);
        Struck { reached, ..self.heal(verb) }
    }

    /// Exactly one of each resource, or none.
    fn is_exact(&mut self, verb: KilledVerb) -> Result<(), String> {
        let wanted = if verb == KilledVerb::Destroy { nothing() } else { whole() };
        let there = self.account.inventory();
        if there != wanted {
            return Err(format!("there is {there:?}\nwanted {wanted:?}"));
        }
        if verb == KilledVerb::Destroy {
            return Ok(());
        }
        let there = wait(details(&self.account));
        // $LATEST and one number.
        if there.versions != 2 {
            return Err(format!("{} versions of the function", there.versions));
        }
        match &self.whole {
            Some(wanted) if *wanted != there => Err(format!("there is {there:?}, wanted {wanted:?}")),
            _ => {
                self.whole = Some(there);
                Ok(())
            }
        }
    }

    fn is_quiet(&self, verb: KilledVerb) -> Result<(), String> {
        self.proxy.reset();
        let third = self.account.run(verb.idle());
        let calls = self.proxy.take_mutating();
        if third.code == 0 && calls.is_empty() {
            return Ok(());
        }
        Err(format!("a third run ends with {} and makes {calls:?}\n{}", third.code, third.all()))
    }

    /// It folds, nothing is unanswered, nothing is left over, and the last run came to its end.
    fn journal_is_clean(&self) -> Result<(), String> {
        let status = self.account.run("status --json");
        if status.code != 0 {
            return Err(format!("status ends with {}\n{}", status.code, status.all()));
        }
        let state = &status.json()["state"];
        let resources = state["resources"].as_object().ok_or("no resources")?;
        let unanswered = resources.iter().filter(|(_, record)| record["standing"] != "present");
        let unanswered: Vec<&String> = unanswered.map(|(address, _)| address).collect();
        let pending_deletions = state["leftovers"].as_array().map_or(0, Vec::len);
        let ending = state["runs"].as_array().and_then(|runs| runs.last()).map(|run| run["ending"].clone());
        if unanswered.is_empty() && pending_deletions == 0 && ending.as_ref().is_some_and(|ending| ending == "done") {
            return Ok(());
        }
        Err(format!("unanswered {unanswered:?}, {pending_deletions} leftovers, the last run ended {ending:?}"))
    }
}

async fn details(account: &TestAccount) -> Details {
    let names = aws_sdk_route53::Client::new(&account.sdk);
    let zones = names.list_hosted_zones().send().await.expect("zones");
    let mut record_sets = 0;
    for zone in zones.hosted_zones() {
        let listed = names.list_resource_record_sets().hosted_zone_id(zone.id()).send().await.expect("record sets");
        record_sets += listed.resource_record_sets().len();
    }
    let lambda = aws_sdk_lambda::Client::new(&account.sdk);
    let function = format!("t{}-edge-gateway", account.number);
    let versions = lambda.list_versions_by_function().function_name(function).send().await.expect("versions");
    Details { record_sets, versions: versions.versions().len() }
}

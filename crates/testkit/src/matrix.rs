//! The whole matrix of kills: every point of every command, several accounts at once, and the table of what came out.

use std::collections::{BTreeMap, VecDeque};
use std::fmt::Write;
use std::path::Path;
use std::process::Command;
use std::sync::Mutex;
use std::time::Instant;

use super::kill::{KillBed, KilledVerb, Moment, Point, Struck};
use super::proxy::ProxyAction;

/// The generated part of the document stands between these.
const BEGIN: &str = "<!-- kills: begin (written by make prove) -->";
const END: &str = "<!-- kills: end -->";
/// Pairs of kills in one account, one after the other, each from a state that was looked at.
const IN_ONE_ACCOUNT: usize = 8;

/// One kill, or two: the second in the run that heals, at its n-th call that changes something.
#[derive(Clone)]
struct Task {
    point: Point,
    again: Option<usize>,
}

/// A command and the one that takes it back, each with its kill. Without one it runs to its end.
struct Pair {
    there: (KilledVerb, Option<Task>),
    back: (KilledVerb, Option<Task>),
}

/// What came of a task.
struct Came {
    verb: KilledVerb,
    task: Task,
    struck: Struck,
    /// The second kill came, too.
    twice: bool,
}

/// Everything that was tried.
pub struct Matrix {
    calls: BTreeMap<KilledVerb, (usize, usize)>,
    came: Vec<Came>,
    seconds: u64,
    at_once: usize,
}

impl Matrix {
    /// Runs all of it; progress goes to standard error.
    pub fn run() -> Self {
        let begun = Instant::now();
        let points: BTreeMap<KilledVerb, Vec<Point>> = {
            let ground = KillBed::new();
            KilledVerb::ALL.into_iter().map(|verb| (verb, ground.points(verb))).collect()
        };
        let count =
            |verb: &KilledVerb, moment: Moment| points[verb].iter().filter(|point| point.moment == moment).count();
        let calls = points.keys().map(|verb| (*verb, (count(verb, Moment::After), count(verb, Moment::Reading))));
        let calls = calls.collect();
        let mut groups = VecDeque::new();
        for (there, back) in [(KilledVerb::Create, KilledVerb::Destroy), (KilledVerb::Change, KilledVerb::Rollback)] {
            let mut pairs = paired(there, tasks(&points[&there]), back, tasks(&points[&back])).into_iter().peekable();
            // A first deploy needs an account that has never seen one.
            let size = if there == KilledVerb::Create { 1 } else { IN_ONE_ACCOUNT };
            while pairs.peek().is_some() {
                groups.push_back(pairs.by_ref().take(size).collect::<Vec<_>>());
            }
        }
        let total: usize = points.values().map(|points| tasks(points).len()).sum();
        let at_once = std::env::var("AKIDB_EDGE_PROVE_AT_ONCE").ok().and_then(|text| text.parse().ok());
        let at_once = at_once.unwrap_or_else(|| std::thread::available_parallelism().map_or(2, usize::from));
        let (queue, came) = (Mutex::new(groups), Mutex::new(Vec::new()));
        std::thread::scope(|scope| {
            for _ in 0..at_once {
                scope.spawn(|| work(&queue, &came, total));
            }
        });
        let came = came.into_inner().expect("no worker broke it");
        Self { calls, came, seconds: begun.elapsed().as_secs(), at_once }
    }

    /// What did not heal, and calls that change something and were never reached.
    pub fn wrong(&self) -> Vec<String> {
        let line = |came: &Came| {
            let problem = match &came.struck.wrong {
                Some(wrong) => wrong.clone(),
                None if !came.struck.reached && came.task.point.moment != Moment::Reading => {
                    "the call did not come".to_owned()
                }
                None => return None,
            };
            let again = came.task.again.map_or(String::new(), |number| format!(", again at change {number}"));
            Some(format!("{}: {}{again}: {problem}", came.verb.title(), came.task.point))
        };
        self.came.iter().filter_map(line).collect()
    }

    /// Writes the table into the document, between its marks.
    pub fn write(&self, document: &Path) {
        let text = std::fs::read_to_string(document).expect("the document");
        let (before, rest) = text.split_once(BEGIN).expect("the mark where the table begins");
        let (_, after) = rest.split_once(END).expect("the mark where the table ends");
        std::fs::write(document, format!("{before}{BEGIN}\n{}{END}{after}", self.table())).expect("written");
    }

    fn table(&self) -> String {
        let mut text = String::from(
            "\n| command | calls that change, that read | killed before, after, reading | killed again while healing | \
             healed | orphans |\n|---|---|---|---|---|---|\n",
        );
        for (verb, (changing, reading)) in &self.calls {
            let all: Vec<&Came> = self.came.iter().filter(|came| came.verb == *verb && came.struck.reached).collect();
            let once = |moment| {
                all.iter().filter(|came| came.task.again.is_none() && came.task.point.moment == moment).count()
            };
            let twice = all.iter().filter(|came| came.twice).count();
            let healed = all.iter().filter(|came| came.struck.wrong.is_none()).count();
            let orphans = all.iter().filter(|came| came.struck.orphan).count();
            let (before, after, reads) = (once(Moment::Before), once(Moment::After), once(Moment::Reading));
            writeln!(
                text,
                "| {} | {changing}, {reading} | {before}, {after}, {reads} | {twice} | {healed} of {} | {orphans} |",
                verb.title(),
                all.len()
            )
            .expect("a text takes everything");
        }
        let missed = self.came.iter().filter(|came| !came.struck.reached).count();
        let reached = self.came.len() - missed;
        writeln!(
            text,
            "\n{reached} killed runs in {} min {} s, {} at once, on {}, commit {}. {missed} more were planned for a call \
             that did not come that time; those that were to change something are listed.\n",
            self.seconds / 60,
            self.seconds % 60,
            if self.at_once == 1 { "one".to_owned() } else { self.at_once.to_string() },
            jiff::Zoned::now().date(),
            commit()
        )
        .expect("a text takes everything");
        for wrong in self.wrong() {
            writeln!(text, "- {}", wrong.lines().next().unwrap_or_default()).expect("a text takes everything");
        }
        text
    }
}

/// One kill for each point, and for each call that took effect one more, with a second kill while it heals.
fn tasks(points: &[Point]) -> Vec<Task> {
    let mut all: Vec<Task> = points.iter().map(|point| Task { point: point.clone(), again: None }).collect();
    let after: Vec<&Point> = points.iter().filter(|point| point.moment == Moment::After).collect();
    for (at, point) in after.iter().enumerate() {
        // Somewhere in what is left to do: at its beginning, in its middle, near its end.
        let left = after.len() - at;
        let again = 1 + at % 4 * left.saturating_sub(1) / 4;
        all.push(Task { point: (*point).clone(), again: Some(again) });
    }
    all
}

fn paired(there: KilledVerb, forth: Vec<Task>, back: KilledVerb, aback: Vec<Task>) -> Vec<Pair> {
    let count = forth.len().max(aback.len());
    let (mut forth, mut aback) = (forth.into_iter(), aback.into_iter());
    (0..count).map(|_| Pair { there: (there, forth.next()), back: (back, aback.next()) }).collect()
}

fn work(queue: &Mutex<VecDeque<Vec<Pair>>>, came: &Mutex<Vec<Came>>, total: usize) {
    loop {
        let Some(pairs) = queue.lock().expect("no worker broke it").pop_front() else { return };
        let mut ground = None;
        for (verb, task) in pairs.into_iter().flat_map(|pair| [pair.there, pair.back]) {
            let here = ground.get_or_insert_with(|| fresh(verb));
            let Some(task) = task else {
                here.run(verb).exits(0);
                continue;
            };
            let one = strike(here, verb, task);
            // What went wrong here must not be blamed on the next.
            if one.struck.wrong.is_some() {
                ground = None;
            }
            let mut came = came.lock().expect("no worker broke it");
            came.push(one);
            if came.len().is_multiple_of(25) || came.len() == total {
                let wrong = came.iter().filter(|came| came.struck.wrong.is_some()).count();
                eprintln!("{} of {total} killed runs, {wrong} did not heal", came.len());
            }
        }
    }
}

/// An account in the state in which a command begins.
fn fresh(verb: KilledVerb) -> KillBed {
    let ground = KillBed::new();
    if verb != KilledVerb::Create {
        ground.run(KilledVerb::Create).exits(0);
    }
    if verb == KilledVerb::Rollback {
        ground.run(KilledVerb::Change).exits(0);
    }
    ground
}

fn strike(ground: &mut KillBed, verb: KilledVerb, task: Task) -> Came {
    let reached = ground.kill(verb, &task.point);
    let act = |number: usize| if number.is_multiple_of(2) { ProxyAction::HoldBefore } else { ProxyAction::HoldAfter };
    let twice = task.again.is_some_and(|number| ground.kill_at_change(verb, number, act(number)));
    let struck = Struck { reached, ..ground.heal(verb) };
    if let Some(wrong) = &struck.wrong {
        eprintln!("{}: {}, again {:?}: {wrong}", verb.title(), task.point, task.again);
    }
    Came { verb, task, struck, twice }
}

/// The commit that was proven; whether something else than the document differs from it is said, too.
fn commit() -> String {
    let git = |words: &[&str]| {
        let answer = Command::new("git").current_dir(crate::root()).args(words).output();
        answer.ok().filter(|answer| answer.status.success()).and_then(|answer| String::from_utf8(answer.stdout).ok())
    };
    let Some(hash) = git(&["rev-parse", "--short=9", "HEAD"]) else { return "unknown".to_owned() };
    let changed = git(&["status", "--porcelain", "--", ".", ":!docs/reliability.md"]).unwrap_or_default();
    let more = if changed.trim().is_empty() { "" } else { " with changes" };
    format!("{}{more}", hash.trim())
}

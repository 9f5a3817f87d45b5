//! Cases in a process of their own, under limits: what ends it or never ends is found, and the rest goes on.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Write};
use std::process::{Command, Stdio};
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::time::{Duration, Instant};

use super::dice::Dice;
use super::faulty;
use super::files::{self, Ended, Files};
use super::parsers::Parsers;

/// Says to the test binary what it is to run: `KIND SEED FROM TO`.
const ORDER: &str = "AKIDB_EDGE_FUZZ_CHILD";
/// Address space of a child, in KiB: a library maps a lot that it never touches.
const SPACE_KB: u64 = 12 << 20;
/// A child with fewer cases says nothing about growth: caches are still being filled.
const WARM: usize = 400;

/// What a case and a child may take.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Time of a case, on a machine that does other things, too.
    pub hang: Duration,
    /// Memory of a case, in KiB.
    pub memory_kb: u64,
    /// Memory that the cases of a child may leave behind, in KiB.
    pub growth_kb: u64,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Kind {
    Tokenizer,
    Folder,
    Graph,
    Plan,
    Inventory,
    Journal,
    Device,
    Kubeconfig,
    Listing,
    Pointer,
    Saved,
    /// Cases that panic, end the process, hang, or take memory: whether these are found.
    Faulty,
}

impl Kind {
    pub const ALL: [Self; 12] = [
        Self::Tokenizer,
        Self::Folder,
        Self::Graph,
        Self::Plan,
        Self::Inventory,
        Self::Journal,
        Self::Device,
        Self::Kubeconfig,
        Self::Listing,
        Self::Pointer,
        Self::Saved,
        Self::Faulty,
    ];

    pub fn name(self) -> &'static str {
        let names = [
            "tokenizer",
            "folder",
            "graph",
            "plan",
            "inventory",
            "journal",
            "device",
            "kubeconfig",
            "listing",
            "pointer",
            "saved",
            "faulty",
        ];
        names[self as usize]
    }

    /// Whether libraries of others read it, with caches of their own.
    pub fn is_of_a_model(self) -> bool {
        matches!(self, Self::Tokenizer | Self::Folder | Self::Graph)
    }

    pub fn limits(self) -> Limits {
        let hang = Duration::from_secs(30);
        match self.is_of_a_model() {
            true => Limits { hang, memory_kb: 1536 << 10, growth_kb: 384 << 10 },
            false => Limits { hang, memory_kb: 512 << 10, growth_kb: 32 << 10 },
        }
    }
}

/// What came of many cases.
#[derive(Debug, Default)]
pub struct Counts {
    pub cases: u64,
    pub good: u64,
    pub refused: u64,
    pub panicked: u64,
    /// The end of a process, a hang, or memory without end: which case, and what.
    pub found: Vec<String>,
    /// Where panics were.
    pub panics: BTreeMap<String, u64>,
    /// The most memory of a child.
    pub peak_kb: u64,
    /// The most that the cases of a child left behind.
    pub growth_kb: u64,
    /// The longest case, and its number.
    pub slowest: (u64, u64),
}

impl Counts {
    pub fn add(&mut self, other: Self) {
        self.cases += other.cases;
        self.good += other.good;
        self.refused += other.refused;
        self.panicked += other.panicked;
        self.found.extend(other.found);
        for (place, count) in other.panics {
            *self.panics.entry(place).or_default() += count;
        }
        self.peak_kb = self.peak_kb.max(other.peak_kb);
        self.growth_kb = self.growth_kb.max(other.growth_kb);
        self.slowest = self.slowest.max(other.slowest);
    }
}

/// The part of a child: runs what it was told and says after each case how it ended.
pub fn child() {
    let Ok(order) = std::env::var(ORDER) else { return };
    let mut words = order.split(' ');
    let mut next = || words.next().and_then(|word| word.parse::<u64>().ok()).expect("four numbers");
    let (kind, seed, from, to) = (next() as usize, next(), next(), next());
    let kind = Kind::ALL[kind];
    let mut files = kind.is_of_a_model().then(Files::new);
    let parsers = (!kind.is_of_a_model()).then(Parsers::new);
    files::count_panics();
    let mut out = std::io::stdout();
    for number in from..to {
        // Where a hang or the end of the process began.
        let _ = write!(out, "@{number}").and_then(|()| out.flush());
        let mut dice = Dice::of(seed, kind as usize, number);
        let began = Instant::now();
        let ended = match (kind, &mut files, &parsers) {
            (Kind::Tokenizer, Some(files), _) => files.tokenizer(&mut dice),
            (Kind::Folder, Some(files), _) => files.folder(&mut dice),
            (Kind::Graph, Some(files), _) => files.graph(&mut dice),
            (Kind::Plan, _, Some(parsers)) => parsers.plan(&mut dice),
            (Kind::Inventory, _, Some(parsers)) => parsers.inventory(&mut dice),
            (Kind::Journal, _, Some(parsers)) => parsers.journal(&mut dice),
            (Kind::Device, _, Some(parsers)) => parsers.device(&mut dice),
            (Kind::Kubeconfig, _, Some(parsers)) => parsers.kubeconfig(&mut dice),
            (Kind::Listing, _, Some(parsers)) => parsers.listing(&mut dice),
            (Kind::Pointer, _, Some(parsers)) => parsers.pointer(&mut dice),
            (Kind::Saved, _, Some(parsers)) => parsers.saved(&mut dice),
            (Kind::Faulty, ..) => faulty::case(seed, number),
            _ => unreachable!("each kind has its files"),
        };
        let letter = match ended {
            Ended::Good => 'g',
            Ended::Refused => 'r',
            Ended::Panicked => 'p',
        };
        let took = began.elapsed().as_millis();
        let (peak, resident) = memory_kb();
        let _ = writeln!(out, " {letter} {peak} {resident} {took}");
        // The next case has a peak of its own.
        let _ = std::fs::write("/proc/self/clear_refs", "5");
    }
    for (place, count) in &*files::PANICS.lock().expect("a count") {
        let _ = writeln!(out, "!{count} {place}");
    }
    let _ = writeln!(out, "@end");
}

/// The most memory since the last case, and what is held now.
fn memory_kb() -> (u64, u64) {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let value = |name: &str| {
        let line = status.lines().find(|line| line.starts_with(name)).unwrap_or_default();
        line.split_whitespace().nth(1).and_then(|kb| kb.parse().ok()).unwrap_or(0)
    };
    (value("VmHWM:"), value("VmRSS:"))
}

/// Runs cases in children, one after another; each goes on behind the case that ended the one before it.
pub fn run(kind: Kind, seed: u64, from: u64, to: u64, limits: &Limits) -> Counts {
    let mut counts = Counts::default();
    let mut at = from;
    while at < to {
        at = one(kind, seed, at, to, limits, &mut counts);
    }
    counts
}

/// One child; the case to go on with.
fn one(kind: Kind, seed: u64, from: u64, to: u64, limits: &Limits, counts: &mut Counts) -> u64 {
    let program = std::env::current_exe().expect("the test binary");
    let limited = format!("ulimit -v {SPACE_KB}; ulimit -c 0; exec \"$0\" \"$@\"");
    let mut child = Command::new("bash")
        .args(["-c", &limited])
        .arg(program)
        .args(["--exact", "serve_fuzz::child_of_the_fuzz", "--ignored", "--nocapture", "--test-threads", "1"])
        .env(ORDER, format!("{} {seed} {from} {to}", kind as usize))
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .expect("a child");
    let (sender, receiver) = channel();
    let out = child.stdout.take().expect("its output");
    std::thread::spawn(move || {
        for piece in BufReader::new(out).split(b'\n').map_while(Result::ok) {
            let _ = sender.send(String::from_utf8_lossy(&piece).into_owned());
        }
    });
    let (mut next, mut whole, mut hangs, mut began) = (from, false, false, false);
    let mut held = Vec::new();
    loop {
        match receiver.recv_timeout(limits.hang) {
            Ok(line) if line.contains("@end") => whole = true,
            Ok(line) if line.starts_with('!') => {
                let (count, place) = line[1..].split_once(' ').unwrap_or(("1", &line));
                *counts.panics.entry(place.to_owned()).or_default() += count.parse::<u64>().unwrap_or(1);
            }
            Ok(line) => {
                began |= line.contains('@');
                if let Some(case) = Told::read(&line) {
                    next = case.number + 1;
                    held.push(case.resident_kb);
                    case.count(kind, seed, limits, counts);
                }
            }
            Err(RecvTimeoutError::Timeout) => {
                hangs = true;
                break;
            }
            Err(RecvTimeoutError::Disconnected) => break,
        }
    }
    if hangs {
        let _ = child.kill();
    }
    let status = child.wait().expect("its end");
    if whole && status.success() {
        let left = left_behind(&held);
        counts.growth_kb = counts.growth_kb.max(left);
        if left > limits.growth_kb {
            let name = kind.name();
            counts.found.push(format!("{name} seed {seed} cases {from} to {to}: they left {left} KiB behind"));
        }
        return to;
    }
    let what = if hangs { format!("no end after {:?}", limits.hang) } else { format!("the process ended: {status}") };
    assert!(began, "no case was tried: {what}");
    counts.cases += 1;
    counts.found.push(format!("{} seed {seed} case {next}: {what}", kind.name()));
    println!("FOUND {} seed {seed} case {next}: {what}", kind.name());
    next + 1
}

/// How much more is held in the last quarter of the cases than in the second one, each at its lowest: one large case does not count,
/// what each case leaves does.
fn left_behind(held: &[u64]) -> u64 {
    let quarter = held.len() / 4;
    let lowest = |part: &[u64]| part.iter().copied().min().unwrap_or(0);
    if held.len() < WARM { 0 } else { lowest(&held[3 * quarter..]).saturating_sub(lowest(&held[quarter..2 * quarter])) }
}

/// What a child says of a case: `@17 g 20480 18432 3`.
struct Told<'a> {
    number: u64,
    letter: &'a str,
    peak_kb: u64,
    resident_kb: u64,
    took_ms: u64,
}

impl<'a> Told<'a> {
    fn read(line: &'a str) -> Option<Self> {
        let mut words = line.rsplit_once('@')?.1.split(' ');
        let (number, letter) = (words.next()?.parse().ok()?, words.next()?);
        let mut next = || words.next()?.parse::<u64>().ok();
        Some(Self { number, letter, peak_kb: next()?, resident_kb: next()?, took_ms: next()? })
    }

    fn count(&self, kind: Kind, seed: u64, limits: &Limits, counts: &mut Counts) {
        counts.cases += 1;
        match self.letter {
            "g" => counts.good += 1,
            "r" => counts.refused += 1,
            _ => counts.panicked += 1,
        }
        counts.peak_kb = counts.peak_kb.max(self.peak_kb);
        counts.slowest = counts.slowest.max((self.took_ms, self.number));
        if self.peak_kb > limits.memory_kb {
            let (name, number, peak) = (kind.name(), self.number, self.peak_kb);
            counts.found.push(format!("{name} seed {seed} case {number}: it took {peak} KiB"));
        }
    }
}

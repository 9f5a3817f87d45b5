//! Cases in a process of their own, under limits: what ends it or never ends is found, and the rest goes on.

use std::io::{BufRead, BufReader, Write};
use std::process::{Command, Stdio};
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::time::Duration;

use super::dice::Dice;
use super::files::{self, Ended, Files};
use super::parsers::Parsers;

/// Says to the test binary what it is to run: `KIND SEED FROM TO`.
const ORDER: &str = "AKIDB_EDGE_FUZZ_CHILD";
/// A case may take so long, on a machine that does other things, too.
const HANGS: Duration = Duration::from_secs(30);
/// Address space of a child, in KiB: a library maps a lot that it never touches.
const SPACE_KB: u64 = 12 << 20;
/// Memory that a case may really take, in KiB.
const MEMORY_KB: u64 = 1536 << 10;

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
}

impl Kind {
    pub const ALL: [Self; 10] = [
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
        ];
        names[self as usize]
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
    pub panics: std::collections::BTreeMap<String, u64>,
    /// The most memory of a child.
    pub peak_kb: u64,
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
    }
}

/// The part of a child: runs what it was told and says after each case how it ended.
pub fn child() {
    let Ok(order) = std::env::var(ORDER) else { return };
    let mut words = order.split(' ');
    let mut next = || words.next().and_then(|word| word.parse::<u64>().ok()).expect("four numbers");
    let (kind, seed, from, to) = (next() as usize, next(), next(), next());
    let kind = Kind::ALL[kind];
    let reads_models = matches!(kind, Kind::Tokenizer | Kind::Folder | Kind::Graph);
    let mut files = reads_models.then(Files::new);
    let parsers = (!reads_models).then(Parsers::new);
    files::count_panics();
    let mut out = std::io::stdout();
    for number in from..to {
        // Where a hang or the end of the process began.
        let _ = write!(out, "@{number}").and_then(|()| out.flush());
        let mut dice = Dice::of(seed, kind as usize, number);
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
            _ => unreachable!("each kind has its files"),
        };
        let letter = match ended {
            Ended::Good => 'g',
            Ended::Refused => 'r',
            Ended::Panicked => 'p',
        };
        let peak = peak_kb();
        let _ = writeln!(out, " {letter} {peak}");
        // The next case has a peak of its own.
        let _ = std::fs::write("/proc/self/clear_refs", "5");
    }
    for (place, count) in &*files::PANICS.lock().expect("a count") {
        let _ = writeln!(out, "!{count} {place}");
    }
    let _ = writeln!(out, "@end");
}

fn peak_kb() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find(|line| line.starts_with("VmHWM:")).unwrap_or_default();
    line.split_whitespace().nth(1).and_then(|kb| kb.parse().ok()).unwrap_or(0)
}

/// Runs cases in children, one after another; each goes on behind the case that ended the one before it.
pub fn run(kind: Kind, seed: u64, from: u64, to: u64) -> Counts {
    let mut counts = Counts::default();
    let mut at = from;
    while at < to {
        at = one(kind, seed, at, to, &mut counts);
    }
    counts
}

/// One child; the case to go on with.
fn one(kind: Kind, seed: u64, from: u64, to: u64, counts: &mut Counts) -> u64 {
    let program = std::env::current_exe().expect("the test binary");
    let limited = format!("ulimit -v {SPACE_KB}; ulimit -c 0; exec \"$0\" \"$@\"");
    let mut child = Command::new("bash")
        .args(["-c", &limited])
        .arg(program)
        .args(["--exact", "child_of_the_fuzz", "--ignored", "--nocapture", "--test-threads", "1"])
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
    loop {
        match receiver.recv_timeout(HANGS) {
            Ok(line) if line.contains("@end") => whole = true,
            Ok(line) if line.starts_with('!') => {
                let (count, place) = line[1..].split_once(' ').unwrap_or(("1", &line));
                *counts.panics.entry(place.to_owned()).or_default() += count.parse::<u64>().unwrap_or(1);
            }
            Ok(line) => {
                began |= line.contains('@');
                next = told(kind, seed, &line, counts).unwrap_or(next);
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
        return to;
    }
    let what = if hangs { format!("no end after {HANGS:?}") } else { format!("the process ended: {status}") };
    assert!(began, "no case was tried: {what}");
    counts.cases += 1;
    counts.found.push(format!("{} seed {seed} case {next}: {what}", kind.name()));
    println!("FOUND {} seed {seed} case {next}: {what}", kind.name());
    next + 1
}

/// A line of a child, such as `@17 g 20480`; the next case.
fn told(kind: Kind, seed: u64, line: &str, counts: &mut Counts) -> Option<u64> {
    let mut words = line.rsplit_once('@')?.1.split(' ');
    let (number, letter) = (words.next()?.parse::<u64>().ok()?, words.next()?);
    let peak: u64 = words.next()?.parse().ok()?;
    counts.cases += 1;
    match letter {
        "g" => counts.good += 1,
        "r" => counts.refused += 1,
        _ => counts.panicked += 1,
    }
    counts.peak_kb = counts.peak_kb.max(peak);
    if peak > MEMORY_KB {
        counts.found.push(format!("{} seed {seed} case {number}: it took {peak} KiB", kind.name()));
    }
    Some(number + 1)
}

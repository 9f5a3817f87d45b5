//! No request and no file of a model ends the process: bodies of REST and gRPC against a server that runs; tokenizers, folders and
//! graphs in processes of their own; so plans, saved plans, inventories, journals, what devices print, kubeconfigs, listings of a hub and
//! pointers of model sync. Each case is made of a seed, its kind and its number, so that it can be made again.
//!
//! `make fuzz` runs the long part and prints a table. From the environment: `AKIDB_EDGE_FUZZ_CASES` of each kind (1,000,000; graphs, which
//! are loaded and run, a two hundredth of it), `AKIDB_EDGE_FUZZ_SECONDS` for each kind at most, `AKIDB_EDGE_FUZZ_KIND` the names of the
//! kinds to run, `AKIDB_EDGE_FUZZ_SEED`.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use crate::fuzz::bodies::{self, Bodies, Seen};
use crate::fuzz::child::{self, Counts, Kind, Limits};
use crate::fuzz::table::{self, Row};
use crate::fuzz::{calls, faulty};
use testkit::serve::{Server, tiny};

/// The seed of the part that runs with all other tests.
const SEED: u64 = 0x5eed;
/// What may stay in memory after all requests: caches of the allocator, of each thread, and of vectors.
const GROWTH_KB: u64 = 128 << 10;
/// Parsers of text that others wrote, besides those of models.
const PARSERS: [Kind; 8] = [
    Kind::Plan,
    Kind::Saved,
    Kind::Inventory,
    Kind::Journal,
    Kind::Device,
    Kind::Kubeconfig,
    Kind::Listing,
    Kind::Pointer,
];
/// Connections that send at the same time.
const CONNECTIONS: u64 = 6;

/// What is to be run of a kind.
#[derive(Clone, Copy)]
struct Order {
    seed: u64,
    cases: u64,
    /// No case begins after so long.
    time: Option<Duration>,
}

impl Order {
    const fn of(cases: u64) -> Self {
        Self { seed: SEED, cases, time: None }
    }

    fn end(&self) -> Option<Instant> {
        self.time.map(|time| Instant::now() + time)
    }
}

fn resident_kb(server: &Server) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{}/status", server.pid())).unwrap();
    let line = status.lines().find(|line| line.starts_with("VmRSS:")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse().unwrap()
}

fn is_over(end: Option<Instant>) -> bool {
    end.is_some_and(|end| Instant::now() >= end)
}

/// Sends so many bodies; says how fast that was when it takes long.
fn send(server: &Server, order: Order) -> Seen {
    const PART: u64 = 500;
    let Order { seed, cases, .. } = order;
    let (bodies, next, began, end) = (Bodies::new(), AtomicU64::new(0), Instant::now(), order.end());
    let one = || {
        let mut seen = Seen::new();
        loop {
            let from = next.fetch_add(PART, Ordering::Relaxed);
            if from >= cases || is_over(end) {
                return seen;
            }
            for (what, count) in bodies::volley(server, &bodies, seed, from, cases.min(from + PART)) {
                *seen.entry(what).or_default() += count;
            }
            if from % 50_000 == 0 && from > 0 {
                let rate = from as f64 / began.elapsed().as_secs_f64();
                println!("bodies: {from} of {cases}, {rate:.0} a second, RSS {} KiB", resident_kb(server));
            }
        }
    };
    std::thread::scope(|scope| {
        let threads: Vec<_> = (0..CONNECTIONS).map(|_| scope.spawn(one)).collect();
        threads.into_iter().fold(Seen::new(), |mut all, thread| {
            for (what, count) in thread.join().unwrap() {
                *all.entry(what).or_default() += count;
            }
            all
        })
    })
}

/// Requests against one server, and what it holds before and after them. `sent` sends them, `good` says which answers are those of a
/// request that was taken.
fn served(name: &'static str, order: Order, sent: impl Fn(&Server, Order) -> Seen, good: impl Fn(&str) -> bool) -> Row {
    let mut server = Server::start(&mut tiny());
    // What fills caches comes first.
    sent(
        &server,
        Order { seed: order.seed ^ 1, cases: (order.cases / 10).max(500), time: order.time.map(|time| time / 10) },
    );
    let (before, began) = (resident_kb(&server), Instant::now());
    let seen = sent(&server, order);
    let (after, seconds) = (resident_kb(&server), began.elapsed().as_secs_f64());
    let cases = seen.values().sum::<u64>();
    println!("{name}: {cases} cases with seed {}, RSS {before} KiB before, {after} KiB after: {seen:?}", order.seed);
    assert!(cases == order.cases || order.time.is_some(), "an answer for each");
    assert!(after < before + GROWTH_KB, "{before} KiB before, {after} KiB after");
    assert_eq!(server.get("/ready").0, 200);
    let said = server.said();
    assert!(!said.contains("a thread panicked"), "{said}");
    server.signal("TERM");
    assert_eq!(server.wait(), 0, "it ends as always");
    let accepted = seen.iter().filter(|(answer, _)| good(answer)).map(|(_, count)| count).sum();
    Row { name, cases, seconds, accepted, peak_kb: after, growth_kb: after.saturating_sub(before), slowest_ms: None }
}

fn bodies(order: Order) -> Row {
    served("bodies", order, send, |answer| answer.starts_with("200 "))
}

fn calls(order: Order) -> Row {
    let sent = |server: &Server, order: Order| {
        calls::send(server.grpc.as_deref().unwrap(), order.seed, order.cases, order.end())
    };
    served("calls", order, sent, |answer| answer.starts_with("0 "))
}

/// Cases of files, in as many children as there are cores, each with its part.
fn files(kind: Kind, order: Order) -> Row {
    let Order { seed, cases, .. } = order;
    // Long enough to see what cases leave behind, short enough to end in time.
    let (part, next, began, end) = ((cases / 4).clamp(1, 10_000), AtomicU64::new(0), Instant::now(), order.end());
    let (limits, name) = (kind.limits(), kind.name());
    let one = || {
        let mut counts = Counts::default();
        loop {
            let from = next.fetch_add(part, Ordering::Relaxed);
            if from >= cases || is_over(end) {
                return counts;
            }
            counts.add(child::run(kind, seed, from, cases.min(from + part), &limits));
            if from % 50_000 < part && from > 0 {
                println!("{name}: {from} of {cases}, {:.0} a second", from as f64 / began.elapsed().as_secs_f64());
            }
        }
    };
    let cores = std::thread::available_parallelism().map_or(2, usize::from).min(8);
    let mut all = Counts::default();
    std::thread::scope(|scope| {
        let threads: Vec<_> = (0..cores).map(|_| scope.spawn(one)).collect();
        threads.into_iter().for_each(|thread| all.add(thread.join().unwrap()));
    });
    let seconds = began.elapsed().as_secs_f64();
    println!(
        "{name}: {} cases with seed {seed}, {:.0} a second, {} worked, {} were refused, {} panicked within bounds: {:?}; \
         at most {} KiB, {} KiB left behind, the slowest is case {} with {} ms",
        all.cases,
        all.cases as f64 / seconds,
        all.good,
        all.refused,
        all.panicked,
        all.panics,
        all.peak_kb,
        all.growth_kb,
        all.slowest.1,
        all.slowest.0
    );
    assert!(all.cases == cases || order.time.is_some(), "{} of {cases} cases were run", all.cases);
    assert!(all.found.is_empty(), "{}", all.found.join("\n"));
    // A library that reads tokenizers may panic, and is caught; our own parsers may not.
    assert!(all.panicked == 0 || !PARSERS.contains(&kind), "{:?}", all.panics);
    assert!(all.good > 0 && all.refused > 0, "{all:?}");
    Row::of(kind, &all, seconds)
}

#[test]
fn some_thousand_bodies_get_an_answer_each() {
    let _turn = crate::turn();
    bodies(Order::of(3000));
}

#[test]
fn some_damaged_calls_get_a_status_each() {
    let _turn = crate::turn();
    calls(Order::of(2000));
}

#[test]
fn some_damaged_tokenizers_end_nothing() {
    let _turn = crate::turn();
    files(Kind::Tokenizer, Order::of(600));
}

#[test]
fn some_damaged_folders_end_nothing() {
    let _turn = crate::turn();
    files(Kind::Folder, Order::of(600));
}

#[test]
fn some_damaged_graphs_end_nothing() {
    let _turn = crate::turn();
    files(Kind::Graph, Order::of(60));
}

#[test]
fn some_damaged_plans_journals_and_answers_of_devices_end_nothing() {
    let _turn = crate::turn();
    for kind in PARSERS {
        files(kind, Order::of(if kind == Kind::Plan { 200 } else { 600 }));
    }
}

#[test]
fn a_panic_an_end_a_hang_and_memory_are_found() {
    let _turn = crate::turn();
    let limits = Limits { hang: Duration::from_secs(5), memory_kb: 384 << 10, growth_kb: 8 << 10 };
    let seen = child::run(Kind::Faulty, 0, 0, 10, &limits);
    assert_eq!((seen.cases, seen.panicked, seen.good, seen.refused), (10, 1, 1, 6), "{seen:?}");
    let found = seen.found.join("\n");
    for (case, words) in [(4, "the process ended"), (6, "no end after"), (8, "it took")] {
        assert!(found.contains(&format!("case {case}: {words}")), "{found}");
    }
    assert_eq!(seen.found.len(), 3, "{found}");
    let seen = child::run(Kind::Faulty, faulty::LEAKS, 0, 600, &limits);
    assert!(seen.growth_kb > limits.growth_kb && seen.found.len() == 1, "{seen:?}");
    assert!(seen.found[0].contains("KiB behind"), "{:?}", seen.found);
}

/// What a child of the others runs; by itself it does nothing.
#[test]
#[ignore = "a part of the others"]
fn child_of_the_fuzz() {
    let _turn = crate::turn();
    let thread = std::thread::Builder::new().stack_size(2 << 20);
    thread.spawn(child::child).unwrap().join().unwrap();
}

/// The long part: as many cases of each kind as the environment says, one kind after another.
#[test]
#[ignore = "takes long: make fuzz"]
fn a_million_cases_of_each_kind_end_nothing() {
    let _turn = crate::turn();
    let number = |name: &str| std::env::var(name).ok().and_then(|text| text.parse::<u64>().ok());
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_secs();
    let seed = number("AKIDB_EDGE_FUZZ_SEED").unwrap_or(now);
    println!("seed {seed}: AKIDB_EDGE_FUZZ_SEED={seed} makes the same cases again");
    let cases = number("AKIDB_EDGE_FUZZ_CASES").unwrap_or(1_000_000);
    let order = Order { seed, cases, time: number("AKIDB_EDGE_FUZZ_SECONDS").map(Duration::from_secs) };
    let only = std::env::var("AKIDB_EDGE_FUZZ_KIND").ok();
    let wants = |name: &str| only.as_deref().is_none_or(|only| only.split([' ', ',']).any(|one| one == name));
    let mut rows = Vec::new();
    for kind in PARSERS.into_iter().chain([Kind::Tokenizer, Kind::Folder, Kind::Graph]) {
        let cases = if kind == Kind::Graph { (cases / 200).max(1) } else { cases };
        if wants(kind.name()) {
            rows.push(files(kind, Order { cases, ..order }));
        }
    }
    if wants("bodies") {
        rows.push(bodies(order));
    }
    if wants("calls") {
        rows.push(calls(order));
    }
    assert!(!rows.is_empty(), "AKIDB_EDGE_FUZZ_KIND names no kind: {only:?}");
    table::print(&rows);
}

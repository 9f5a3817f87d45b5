//! No request and no file of a model ends the process: bodies against a server that runs; tokenizers, folders and graphs in
//! processes of their own; so plans, inventories, journals, what devices print,
//! kubeconfigs, listings of a hub and pointers of model sync. Each case is made of a seed, its kind and its number, so that it can be made again.
//!
//! `make fuzz` runs the long part: `AKIDB_EDGE_FUZZ_CASES` cases (1,000,000), from `AKIDB_EDGE_FUZZ_SEED` when it is set.
#![cfg(feature = "serve")]

mod fuzz;
mod support;

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use fuzz::bodies::{self, Bodies, Seen};
use fuzz::child::{self, Counts, Kind};
use support::serve::{Server, tiny};

/// The seed of the part that runs with all other tests.
const SEED: u64 = 0x5eed;
/// What may stay in memory after all requests: caches of the allocator, of each thread, and of vectors.
const GROWTH_KB: u64 = 128 << 10;
/// Parsers of text that others wrote, besides those of models.
const PARSERS: [Kind; 7] =
    [Kind::Plan, Kind::Inventory, Kind::Journal, Kind::Device, Kind::Kubeconfig, Kind::Listing, Kind::Pointer];
/// Connections that send at the same time.
const CONNECTIONS: u64 = 6;

fn resident_kb(server: &Server) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{}/status", server.pid())).unwrap();
    let line = status.lines().find(|line| line.starts_with("VmRSS:")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse().unwrap()
}

/// Sends so many bodies; says how fast that was when it takes long.
fn send(server: &Server, seed: u64, cases: u64) -> Seen {
    const PART: u64 = 500;
    let (bodies, next, began) = (Bodies::new(), AtomicU64::new(0), Instant::now());
    let one = || {
        let mut seen = Seen::new();
        loop {
            let from = next.fetch_add(PART, Ordering::Relaxed);
            if from >= cases {
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

/// Bodies, and what the server holds before and after them.
fn bodies(seed: u64, cases: u64) {
    let mut server = Server::start(&mut tiny());
    // What fills caches comes first.
    send(&server, seed ^ 1, (cases / 10).max(500));
    let (before, began) = (resident_kb(&server), Instant::now());
    let seen = send(&server, seed, cases);
    let (after, took) = (resident_kb(&server), began.elapsed().as_secs_f64());
    println!(
        "bodies: {cases} cases with seed {seed}, {:.0} a second, RSS {before} KiB before, {after} KiB after",
        cases as f64 / took
    );
    println!("bodies: {seen:?}");
    assert_eq!(seen.values().sum::<u64>(), cases, "an answer for each");
    assert!(after < before + GROWTH_KB, "{before} KiB before, {after} KiB after");
    assert_eq!(server.get("/ready").0, 200);
    let said = server.said();
    assert!(!said.contains("a thread panicked"), "{said}");
    server.signal("TERM");
    assert_eq!(server.wait(), 0, "it ends as always");
}

/// Cases of files, in as many children as there are cores, each with its part.
fn files(kind: Kind, seed: u64, cases: u64) {
    let (part, next, began) = ((cases / 4).clamp(1, 2000), AtomicU64::new(0), Instant::now());
    let one = || {
        let mut counts = Counts::default();
        loop {
            let from = next.fetch_add(part, Ordering::Relaxed);
            if from >= cases {
                return counts;
            }
            counts.add(child::run(kind, seed, from, cases.min(from + part)));
            if from % 20_000 < part && from > 0 {
                let rate = from as f64 / began.elapsed().as_secs_f64();
                println!("{}: {from} of {cases}, {rate:.0} a second", kind.name());
            }
        }
    };
    let cores = std::thread::available_parallelism().map_or(2, usize::from).min(8);
    let mut all = Counts::default();
    std::thread::scope(|scope| {
        let threads: Vec<_> = (0..cores).map(|_| scope.spawn(one)).collect();
        threads.into_iter().for_each(|thread| all.add(thread.join().unwrap()));
    });
    let (rate, name) = (cases as f64 / began.elapsed().as_secs_f64(), kind.name());
    println!("{name}: {cases} cases with seed {seed}, {rate:.0} a second, at most {} KiB", all.peak_kb);
    println!(
        "{name}: {} worked, {} were refused, {} panicked within bounds: {:?}",
        all.good, all.refused, all.panicked, all.panics
    );
    assert_eq!(all.cases, cases);
    assert!(all.found.is_empty(), "{}", all.found.join("\n"));
    // A library that reads tokenizers may panic, and is caught; our own parsers may not.
    assert!(all.panicked == 0 || !PARSERS.contains(&kind), "{:?}", all.panics);
    assert!(all.good > 0 && all.refused > 0, "{all:?}");
}

#[test]
fn some_thousand_bodies_get_an_answer_each() {
    bodies(SEED, 3000);
}

#[test]
fn some_damaged_tokenizers_end_nothing() {
    files(Kind::Tokenizer, SEED, 600);
}

#[test]
fn some_damaged_folders_end_nothing() {
    files(Kind::Folder, SEED, 600);
}

#[test]
fn some_damaged_graphs_end_nothing() {
    files(Kind::Graph, SEED, 60);
}

#[test]
fn some_damaged_plans_journals_and_answers_of_devices_end_nothing() {
    for kind in PARSERS {
        files(kind, SEED, if kind == Kind::Plan { 200 } else { 600 });
    }
}

/// What a child of the others runs; by itself it does nothing.
#[test]
#[ignore = "a part of the others"]
fn child_of_the_fuzz() {
    let thread = std::thread::Builder::new().stack_size(2 << 20);
    thread.spawn(child::child).unwrap().join().unwrap();
}

/// As many cases for each parser of what an operator's colleagues and devices write.
#[test]
#[ignore = "takes many minutes: make fuzz"]
fn a_million_cases_for_each_parser() {
    let (cases, seed) = ordered();
    for kind in PARSERS {
        files(kind, seed, cases);
    }
}

/// How many cases, and of which seed: as the environment says.
fn ordered() -> (u64, u64) {
    let number = |name: &str| std::env::var(name).ok().and_then(|text| text.parse::<u64>().ok());
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_secs();
    let seed = number("AKIDB_EDGE_FUZZ_SEED").unwrap_or(now);
    println!("seed {seed}: AKIDB_EDGE_FUZZ_SEED={seed} makes the same cases again");
    (number("AKIDB_EDGE_FUZZ_CASES").unwrap_or(1_000_000), seed)
}

/// The long part: of ten cases seven are bodies, two folders, one a tokenizer; of two hundred one is a graph.
#[test]
#[ignore = "takes many minutes: make fuzz"]
fn a_million_cases_end_nothing() {
    let (cases, seed) = ordered();
    let only = std::env::var("AKIDB_EDGE_FUZZ_KIND").ok();
    let wants = |name: &str| only.as_deref().is_none_or(|only| only == name);
    let graphs = cases / 200;
    let (tokenizers, folders) = (cases / 10, cases / 5);
    for (kind, cases) in [(Kind::Tokenizer, tokenizers), (Kind::Folder, folders), (Kind::Graph, graphs)] {
        if wants(kind.name()) {
            files(kind, seed, cases.max(1));
        }
    }
    if wants("bodies") {
        bodies(seed, cases - tokenizers - folders - graphs);
    }
}

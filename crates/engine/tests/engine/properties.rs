//! What must hold for whatever graphs, journals and settings.

use std::collections::{BTreeMap, BTreeSet};

use crate::fake_world::{End, Process, World, began};
use akidb_edge_engine::change::compare;
use akidb_edge_engine::ledger::{Entry, FORMAT, Fact, ResourceSnapshot, apply, fold, fold_until};
use akidb_edge_engine::resource::{
    Action, Address, Attributes, Desired, Fault, FaultClass, Kind, Level, PendingDeletion, Resource, RunStatus,
    StackState, has_references, link, references, resolve,
};
use proptest::prelude::*;
use serde_json::{Value, json};

/// The kinds that random graphs are made of: old first, new first, in place, known by token, known by name.
const KINDS: [Kind; 6] =
    [Kind::Bucket, Kind::Role, Kind::Function, Kind::FunctionVersion, Kind::HealthCheck, Kind::Distribution];

fn address(number: usize) -> Address {
    Address::new("a", KINDS[number % KINDS.len()], &format!("n{number}"))
}

/// One node: whether it is wanted, a setting that cannot be changed, one that can, and what it leans on.
type Node = (bool, u8, u8, u8);

fn graph(nodes: &[Node]) -> Desired {
    let mut all = Desired::new("fake");
    for (number, (wanted, fixed, free, leans)) in nodes.iter().enumerate() {
        if !wanted {
            continue;
        }
        let address = address(number);
        let needs = (0..number).filter(|need| leans & (1 << (need % 8)) != 0 && nodes[*need].0);
        let uses: Vec<String> = needs.map(|need| link(&self::address(need), "arn")).collect();
        let spec = json!({
            "name": format!("{address}-{fixed}"), "function": "f", "code_sha256": fixed.to_string(),
            "interval_seconds": fixed, "comment": free, "uses": uses,
        });
        all.add(Resource::new(address, KINDS[number % KINDS.len()], &spec));
    }
    all
}

fn nodes() -> impl Strategy<Value = Vec<Node>> {
    prop::collection::vec((prop::bool::weighted(0.8), 0..3u8, 0..3u8, any::<u8>()), 6..9)
}

/// How many cases a property is tried with: `usual`, or what `PROPTEST_CASES` says when that is less (`tests/mutants/run`).
fn cases(usual: u32) -> u32 {
    let said = std::env::var("PROPTEST_CASES").ok().and_then(|text| text.parse::<u32>().ok());
    said.map_or(usual, |fewer| fewer.min(usual))
}

fn paused<T>(future: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().start_paused(true).build();
    runtime.expect("a runtime").block_on(future)
}

/// Runs until all is done. A run that does nothing says which call was refused: nothing waits in a circle.
async fn until_done(process: &Process<'_>, desired: &Desired) {
    let mut last = String::new();
    for _ in 0..4 {
        match process.run(desired).await {
            End::Ran(outcome, _) if outcome.is_complete() => return,
            End::Ran(outcome, _) => {
                assert!(!outcome.failed.is_empty(), "a circle: {outcome:#?}");
                last = format!("{:#?}", outcome.failed);
            }
            other => panic!("{other:?}"),
        }
    }
    panic!("four runs were not enough: {last}");
}

fn text() -> impl Strategy<Value = String> {
    "[a-z${}# ]{0,12}"
}

fn value() -> impl Strategy<Value = Value> {
    let reference = (0..6usize, prop::sample::select(vec!["arn", "id"])).prop_map(|(n, what)| link(&address(n), what));
    let string = prop_oneof![text(), reference.clone(), (text(), reference).prop_map(|(a, b)| format!("{a}{b}"))];
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        string.prop_map(Value::from)
    ];
    leaf.prop_recursive(3, 24, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::btree_map("[a-z]{1,4}", inner, 0..4).prop_map(|fields| json!(fields)),
        ]
    })
}

/// A journal: runs of facts about a few addresses.
fn journal() -> impl Strategy<Value = Vec<Entry>> {
    prop::collection::vec((0..12u8, 0..4usize, 0..3u8, value()), 0..40).prop_map(|steps| {
        let run = uuid::Uuid::nil();
        let mut revision = 1;
        let mut facts = vec![began(1)];
        for (what, number, id, spec) in steps {
            let address = address(number);
            let id = format!("id-{id}");
            let attributes = Attributes::from([("id".to_owned(), json!(id))]);
            let subject = ResourceSnapshot {
                address: address.clone(),
                kind: KINDS[number],
                generation: 0,
                spec: spec.clone(),
                needs: BTreeMap::from([(self::address(0), Level::Usable)]),
                step: "s".into(),
                after: std::collections::BTreeSet::new(),
                origin: None,
                seen: Attributes::new(),
            };
            let action = [Action::Create, Action::Update, Action::Delete, Action::Adopt][number];
            facts.push(match what {
                0 => {
                    revision += 1;
                    began(revision)
                }
                1 => Fact::Learned { subject, id, attributes },
                2 => Fact::Removed { address, id },
                3 => Fact::SetAside(PendingDeletion {
                    address,
                    kind: KINDS[number],
                    id,
                    spec,
                    attributes,
                    reason: "later".into(),
                    held_by: Default::default(),
                }),
                4 => Fact::Cleared { address, id },
                5 => Fact::Forgotten { address },
                6 => Fact::Failed {
                    action,
                    address,
                    fault: Fault::new(FaultClass::Refused, "s3", "Put", "No", "no").next("go"),
                },
                7 => Fact::RunEnded { ending: RunStatus::Partial, changes: 3 },
                8 | 9 => Fact::Intended { action, subject, id: Some(id) },
                _ => Fact::Succeeded { action, subject, id, attributes, took_ms: 5 },
            });
        }
        let at = jiff::Timestamp::UNIX_EPOCH;
        facts.into_iter().zip(1..).map(|(fact, seq)| Entry { v: FORMAT, seq, run, at, fact }).collect()
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: cases(128), failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_fold_goes_on_where_its_prefix_ended(entries in journal(), cut in any::<prop::sample::Index>()) {
        let whole = fold("fake", &entries).expect("a legal journal");
        let (before, after) = entries.split_at(cut.index(entries.len()));
        let mut state = fold("fake", before).expect("a legal prefix");
        for entry in after {
            apply(&mut state, entry).expect("a legal entry");
        }
        prop_assert_eq!(&state, &whole);
        prop_assert_eq!(&fold_until(StackState::empty("fake"), &entries, whole.revision()).expect("a legal journal"), &whole);
        prop_assert_eq!(fold_until(StackState::empty("fake"), &entries, 0).expect("a legal journal").runs.len(), 0);
    }

    #[test]
    fn an_entry_survives_its_own_text(entries in journal()) {
        for entry in entries {
            let text = serde_json::to_string(&entry).expect("plain data");
            prop_assert!(!text.contains('\n'));
            prop_assert_eq!(serde_json::from_str::<Entry>(&text).expect(&text), entry);
        }
    }

    #[test]
    fn nothing_differs_from_itself(value in value()) {
        for kind in Kind::ALL {
            prop_assert_eq!(compare(kind, &value, Some(&value), &value), vec![]);
            prop_assert_eq!(compare(kind, &value, None, &value), vec![]);
        }
    }

    #[test]
    fn what_is_known_is_filled_in_and_the_rest_stays(value in value()) {
        let nothing = resolve(&value, &|_, _| None);
        prop_assert_eq!(&nothing, &value);
        let named = references(&value);
        let asked = std::sync::Mutex::new(BTreeSet::new());
        let all = resolve(&value, &|address, _| {
            asked.lock().expect("asked").extend(address.parse::<Address>());
            Some(json!("x"))
        });
        prop_assert_eq!(asked.into_inner().expect("asked"), named);
        prop_assert!(!has_references(&all) || value.to_string().matches("${").count() > 1, "{all}");
        if !has_references(&value) {
            prop_assert_eq!(&all, &value);
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: cases(24), failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn what_was_done_leaves_nothing_to_do(first in nodes(), second in nodes(), gone in any::<u8>()) {
        paused(async {
            let (directory, world) = (tempfile::TempDir::new().expect("a directory"), World::default());
            let process = Process::new(directory.path(), &world);
            let (first, second) = (graph(&first), graph(&second));
            until_done(&process, &first).await;
            // Somebody else deletes something.
            world.meddle(|things| {
                let mut at = 0;
                things.retain(|_| { at += 1; gone & (1 << (at % 8)) == 0 || at > 2 });
            });
            until_done(&process, &second).await;
            let changes = process.difference(&second).await;
            assert!(changes.is_empty(), "{:#?}", changes.acting().collect::<Vec<_>>());
            assert_eq!(world.things().len(), second.resources.len());
        });
    }

    #[test]
    fn a_rollback_gives_the_former_state(first in nodes(), second in nodes()) {
        paused(async {
            let (directory, world) = (tempfile::TempDir::new().expect("a directory"), World::default());
            let process = Process::new(directory.path(), &world);
            let (first, second) = (graph(&first), graph(&second));
            until_done(&process, &first).await;
            let aim = process.recorded().await;
            until_done(&process, &second).await;
            until_done(&process, &aim.as_desired()).await;
            let now = process.recorded().await;
            let specs = |state: &akidb_edge_engine::resource::StackState| {
                let all = state.resources.iter();
                all.map(|(address, record)| (address.clone(), (record.spec.clone(), record.needs.clone()))).collect::<BTreeMap<_, _>>()
            };
            assert_eq!(specs(&now), specs(&aim));
            assert_eq!(world.things().len(), first.resources.len());
        });
    }
}

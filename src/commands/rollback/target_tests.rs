use std::collections::BTreeSet;

use super::*;

fn run(revision: u64, command: &str, purpose: Option<RunPurpose>, ending: Option<RunStatus>) -> RunSummary {
    let (by, at) = ("me@here".to_owned(), "2026-11-21T06:00:00Z".to_owned());
    let unanswered = BTreeSet::new();
    RunSummary { revision, command: command.to_owned(), purpose, by, at, ending, changes: 1, unanswered }
}

#[test]
fn a_run_that_changed_nothing_may_have_a_revision() {
    let unchanged = RunSummary { changes: 0, ..run(3, "rollback --fallback slow", None, Some(RunStatus::Done)) };
    let said = goes_back_to(Some(&unchanged));
    assert!(said.starts_with("returns to the state after revision 3: rollback --fallback slow"), "{said:?}");
    assert!(said.ends_with("; a command that left no revision is not undone"), "{said:?}");
}

#[test]
fn an_undoing_that_was_cut_short_goes_on_to_where_it_was_going() {
    let undo = Some(RunPurpose::Rollback { to: None });
    let before_last = |command: &str, purpose: Option<RunPurpose>, ending: Option<RunStatus>| {
        let deploy = |revision| run(revision, "deploy", Some(RunPurpose::Deploy), Some(RunStatus::Done));
        before_the_last(&[deploy(1), deploy(2), run(3, command, purpose, ending)])
    };
    for ending in [None, Some(RunStatus::Partial)] {
        assert_eq!(before_last("of any text", undo, ending), 1);
        assert_eq!(before_last("rollback --stack s", None, ending), 1, "an older version wrote it");
        assert_eq!(before_last("rollback --stack s", Some(RunPurpose::Deploy), ending), 2, "the text decides nothing");
        assert_eq!(before_last("any", Some(RunPurpose::Rollback { to: Some(1) }), ending), 2);
    }
    assert_eq!(before_last("rollback --stack s", undo, Some(RunStatus::Done)), 2, "it can be undone");
}

/// The first entry of a run, `seconds` after 1970.
fn began(run: u128, seconds: i64) -> Entry {
    let fact = Fact::RunBegan {
        revision: 1,
        command: "deploy".to_owned(),
        by: "me@here".to_owned(),
        account: String::new(),
        stack: "s".to_owned(),
        tool: "0".to_owned(),
        requested: BTreeSet::new(),
        fallback: None,
        purpose: None,
        platforms: Vec::new(),
    };
    let at = jiff::Timestamp::from_second(seconds).expect("a time");
    Entry { v: 4, seq: 1, run: uuid::Uuid::from_u128(run), at, fact }
}

#[test]
fn the_last_run_over_either_stack_is_undone_and_in_both_when_it_was_one() {
    let no = [false, false];
    let (first, later, other) = (began(1, 10), began(1, 11), began(2, 12));
    assert_eq!(undone(Some(&first), Some(&later), no), [true, true], "one run over both");
    assert_eq!(undone(Some(&first), Some(&other), no), [false, true], "the devices were changed after that");
    assert_eq!(undone(Some(&other), Some(&first), no), [true, false]);
    assert_eq!(undone(Some(&first), None, no), [true, false]);
    // The cloud was undone to its end, the devices were not: only they go on.
    assert_eq!(undone(Some(&first), Some(&later), [false, true]), [false, true]);
    assert_eq!(undone(Some(&first), Some(&later), [true, true]), [true, true]);
}

#[test]
fn a_revision_of_the_cloud_stands_for_its_time() {
    let devices = Began(BTreeMap::from([(1, began(1, 10)), (2, began(2, 20)), (3, began(3, 30))]));
    let of = |seconds: i64| devices.last_before(Some(&began(9, seconds)));
    assert_eq!([of(5), of(20), of(25), devices.last_before(None)], [0, 1, 2, 3]);
}

#[test]
fn revisions_that_are_none_or_undo_nothing_are_refused() {
    let state = |stack: &str, last: u64| {
        let mut state = StackState::empty(stack);
        state.runs = (1..=last).map(|revision| run(revision, "deploy", None, Some(RunStatus::Done))).collect();
        state
    };
    let now = [state("s", 3), state("s-devices", 2)];
    assert_eq!(earlier([3, 1], &now).expect("the devices go back"), [3, 1]);
    assert_eq!(earlier([0, 2], &now).expect("the cloud goes back"), [0, 2]);
    assert!(earlier([3, 2], &now).expect_err("nothing").problem.contains("nothing is undone"));
    assert!(
        earlier([1, 3], &now)
            .expect_err("none")
            .problem
            .contains("revision 3 of s-devices does not exist: its latest is 2")
    );
}

#[test]
fn each_stack_of_two_is_named() {
    let mut now = StackState::empty("s");
    now.runs = vec![run(1, "deploy", None, Some(RunStatus::Done)), run(2, "deploy", None, Some(RunStatus::Done))];
    let mut target = now.clone();
    assert_eq!(words(&now, &target, true), ["s: nothing of it is undone"]);
    target.runs.pop();
    let said = words(&now, &target, true);
    assert!(said.len() == 2 && said[0].starts_with("s: undoes revision 2: deploy"), "{said:?}");
    assert!(words(&now, &target, false)[0].starts_with("undoes revision 2: deploy"));
}

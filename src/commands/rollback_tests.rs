use super::*;

fn run(revision: u64, command: &str, purpose: Option<RunPurpose>, ending: Option<Ending>) -> RunSummary {
    let (by, at) = ("me@here".to_owned(), "2026-11-21T06:00:00Z".to_owned());
    let unanswered = BTreeSet::new();
    RunSummary { revision, command: command.to_owned(), purpose, by, at, ending, changes: 1, unanswered }
}

#[test]
fn a_run_that_changed_nothing_may_have_a_revision() {
    let unchanged = RunSummary { changes: 0, ..run(3, "rollback --fallback slow", None, Some(Ending::Done)) };
    let said = goes_back_to(Some(&unchanged));
    assert!(said.starts_with("goes back to the state after revision 3: rollback --fallback slow"), "{said:?}");
    assert!(said.ends_with("; a command that left no revision is not undone"), "{said:?}");
}

#[test]
fn an_undoing_that_was_cut_short_goes_on_to_where_it_was_going() {
    let undo = Some(RunPurpose::Rollback { to: None });
    let before_last = |command: &str, purpose: Option<RunPurpose>, ending: Option<Ending>| {
        let deploy = |revision| run(revision, "deploy", Some(RunPurpose::Deploy), Some(Ending::Done));
        before_the_last(&[deploy(1), deploy(2), run(3, command, purpose, ending)])
    };
    for ending in [None, Some(Ending::Partial)] {
        assert_eq!(before_last("of any text", undo, ending), 1);
        assert_eq!(before_last("rollback --stack s", None, ending), 1, "an older version wrote it");
        assert_eq!(before_last("rollback --stack s", Some(RunPurpose::Deploy), ending), 2, "the text decides nothing");
        assert_eq!(before_last("any", Some(RunPurpose::Rollback { to: Some(1) }), ending), 2);
    }
    assert_eq!(before_last("rollback --stack s", undo, Some(Ending::Done)), 2, "it can be undone");
}

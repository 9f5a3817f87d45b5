//! The purpose of a run, in journals of every version.

use crate::resource::RunPurpose;

/// What a run, or the holder of a lease, is for: as it says, and where it is empty, as its command tells.
pub fn purpose_of(said: Option<RunPurpose>, command: &str) -> RunPurpose {
    said.unwrap_or_else(|| told_by(command))
}

/// Versions before the purpose was written down are known by the beginnings of their commands, in this one place.
/// A rollback of a stack to a revision that was named was never told apart from other runs; one of devices was not told
/// apart from undoing the last run.
fn told_by(command: &str) -> RunPurpose {
    if command.starts_with("rollback --stack ") || command.starts_with("jetson rollback") {
        RunPurpose::Rollback { to: None }
    } else if command.starts_with("state forget ") {
        RunPurpose::Forget
    } else {
        RunPurpose::Other
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::ledger::{Entry, fold};
    use crate::resource::RunSummary;

    /// The first line of a run, without its purpose.
    fn line(command: &str) -> Value {
        json!({"v": 4, "seq": 1, "run": "00000000-0000-0000-0000-000000000000", "at": "2026-11-21T06:00:00Z",
               "fact": "run-began", "revision": 1, "command": command, "by": "me@here", "account": "1", "stack": "s",
               "tool": "0.1.0", "requested": [], "fallback": null})
    }

    fn folded(line: Value) -> RunSummary {
        let entry: Entry = serde_json::from_value(line).expect("an entry");
        let mut state = fold("s", &[entry]).expect("it folds");
        state.runs.remove(0)
    }

    fn purpose(run: &RunSummary) -> RunPurpose {
        purpose_of(run.purpose, &run.command)
    }

    #[test]
    fn lines_of_older_versions_are_known_by_their_commands() {
        for (command, expected) in [
            ("rollback --stack s", RunPurpose::Rollback { to: None }),
            ("jetson rollback --to 2 --stack s-devices", RunPurpose::Rollback { to: None }),
            ("state forget models.bucket.a", RunPurpose::Forget),
            ("rollback --to 2 --stack s", RunPurpose::Other),
            ("deploy --plan week13", RunPurpose::Other),
        ] {
            let run = folded(line(command));
            assert_eq!((run.purpose, purpose(&run)), (None, expected), "{command}");
        }
    }

    #[test]
    fn a_line_with_a_purpose_is_not_known_by_its_command() {
        for (said, expected) in [
            (json!({"verb": "rollback", "to": 2}), RunPurpose::Rollback { to: Some(2) }),
            (json!({"verb": "rollback"}), RunPurpose::Rollback { to: None }),
            (json!({"verb": "deploy"}), RunPurpose::Deploy),
            (json!({"verb": "of-a-newer-version", "more": [1]}), RunPurpose::Other),
        ] {
            let mut line = line("rollback --stack s");
            line["purpose"] = said;
            let run = folded(line);
            assert_eq!((run.purpose, purpose(&run)), (Some(expected), expected));
            let again: RunSummary = serde_json::from_value(json!(run)).expect("a summary");
            assert_eq!(again.purpose, Some(expected), "a checkpoint keeps it");
        }
    }
}

//! Combinations of options: each pair works together or is rejected before anything is done.
//! `tests/aws/verbs` holds the table of all pairs.

use clap::ArgMatches;
use clap::parser::ValueSource;

use crate::exit::{Failure, codes};
use crate::resource::shown;

/// Options of a verb that do not go with others of it. Only what was typed counts: what the environment says is a default.
struct ConflictRule {
    /// The verb; empty for every verb.
    verb: &'static str,
    these: &'static [&'static str],
    those: &'static [&'static str],
    why: &'static str,
    next: &'static str,
}

const fn apart(
    verb: &'static str,
    these: &'static [&'static str],
    those: &'static [&'static str],
    why: &'static str,
    next: &'static str,
) -> ConflictRule {
    ConflictRule { verb, these, those, why, next }
}

/// A saved plan as the argument of `deploy`: not an option of its own.
const SAVED: &str = "FILE.plan.json";
/// `--out -`: standard output.
const STDOUT: &str = "--out -";
/// A format of `report` that is not JSON.
const TEXT: &str = "--format";

const BY_NAME: (&str, &str) = (
    "--stack names a stack without its plan, so the plan and its variables are not read",
    "leave --stack out, or name only the stack",
);

const PLAN: &[&str] = &["plan", "var", "var_file", "allow_files_outside"];

#[rustfmt::skip]
const TABLE: &[ConflictRule] = &[
    apart("", &["quiet"], &["verbose"], "they contradict each other", "use only one of them"),
    apart("deploy", &[SAVED], &["plan"], "a saved plan contains its plan", "leave --plan out"),
    apart("deploy", &[SAVED],
        &["var", "var_file", "allow_files_outside", "target", "exclude", "adopt", "request", "empty_buckets", "artifacts",
          "inventory"],
        "a saved plan is applied exactly as it was saved",
        "remove {that}, or save the plan again with it: akidb-edge deploy --plan PLAN {that} … --out FILE.plan.json"),
    apart("deploy", &[SAVED], &["out"], "the plan is saved already", "leave --out out, or copy the file"),
    apart("deploy", &[SAVED], &["print_iam_policy", "print_iam_boundary"],
        "the policy is generated from a plan, not from a saved one", "akidb-edge deploy --plan PLAN {that}"),
    apart("deploy", &["print_iam_policy"], &["print_iam_boundary"], "each prints one policy", "use only one of them"),
    apart("deploy", &["print_iam_policy", "print_iam_boundary"],
        &["what", "yes", "dry_run", "wait", "empty_buckets", "parallelism", "out", "target", "exclude", "adopt", "request",
          "devices"],
        "the policy is that of the whole plan, and nothing is done", "use only one of them"),
    apart("deploy", &["out"], &["yes", "wait", "parallelism"],
        "--out saves the plan and does nothing else",
        "pass {that} when you apply the saved plan: akidb-edge deploy FILE.plan.json {that}"),
    apart("rollback", &["stack"], PLAN, BY_NAME.0, BY_NAME.1),
    apart("rollback", &["fallback"], &["devices"], "a fallback changes only cloud settings",
        "leave --devices out"),
    apart("rollback", &["stack"], &["fallback"], "a fallback is part of a plan, which --stack does not name",
        "name the plan: akidb-edge rollback --fallback NAME --plan PLAN"),
    apart("status", &["stack"], PLAN, BY_NAME.0, BY_NAME.1),
    apart("doctor", &["stack"], PLAN, BY_NAME.0, BY_NAME.1),
    apart("destroy", &["stack"], PLAN, BY_NAME.0, BY_NAME.1),
    apart("doctor", &["stack"], PLAN, BY_NAME.0, BY_NAME.1),
    apart("state", &["stack"], PLAN, BY_NAME.0, BY_NAME.1),
    apart("jetson rollback", &["stack"], PLAN, BY_NAME.0, BY_NAME.1),
    apart("jetson uninstall", &["stack"], PLAN, BY_NAME.0, BY_NAME.1),
    apart("jetson kubeconfig", &[STDOUT], &["json", "merge"], "stdout is used for the kubeconfig",
        "name a file with --out, or leave the other option out"),
    apart("validate plan", &["file"], &["plan"], "both name the plan", "name it once"),
    apart("validate latency", &["url"], &["plan", "var", "var_file", "allow_files_outside", "step"],
        "--url measures an address, not the steps of a plan", "use only one of them"),
    apart("validate latency", &["regions"], &["connect_to", "ca_bundle"],
        "probe functions in regions are not reached by what this machine has", "use only one of them"),
    apart("validate clean", &["stack"], PLAN, BY_NAME.0, BY_NAME.1),
    apart("bench url", &["requests"], &["seconds"], "both set the duration of a level", "use only one of them"),
    apart("bench serve", &["requests"], &["seconds"], "both set the duration of a level", "use only one of them"),
    apart("bench serve", &["address"], &["flags", "starts"], "no server is started when a running one is named",
        "use only one of them"),
    apart("report", &["format"], &["out", "force"], "--format writes to standard output", "use only one of them"),
    apart("report", &[TEXT], &["json"], "--json is one JSON document on standard output",
        "akidb-edge report --format json"),
    apart("models pull", &["offline"], &["endpoint"], "without network access no hub is asked", "use only one of \
         them"),
    apart("serve", &["check"], &["print-openapi", "print-proto", "new-api-key"], ONE_THING.0, ONE_THING.1),
    apart("serve", &["print-openapi"], &["print-proto", "new-api-key"], ONE_THING.0, ONE_THING.1),
    apart("serve", &["print-proto"], &["new-api-key"], ONE_THING.0, ONE_THING.1),
    apart("serve", &["print-openapi", "print-proto", "new-api-key"], &[SETTING],
        "nothing is served, so no setting is read", "use only one of them"),
];

/// Options of a verb that need one of some others.
struct RequirementRule {
    verb: &'static str,
    these: &'static [&'static str],
    with: &'static [&'static str],
    why: &'static str,
    next: &'static str,
}

/// How devices are reached.
const ACCESS: &[&str] =
    &["ssh_config", "accept_new", "ask_sudo_password", "sudo_password_fd", "keep_connections", "ssh_keepalive_timeout"];

/// Options about devices, of a verb that works on the cloud alone without --devices.
const fn of_devices(verb: &'static str) -> RequirementRule {
    RequirementRule {
        verb,
        these: ACCESS,
        with: &["devices"],
        why: "it applies to devices, and this run works only on the cloud",
        next: "add --devices to include the plan's devices in the same run, or remove it",
    }
}

const ONLY: &[RequirementRule] = &[
    of_devices("rollback"),
    of_devices("destroy"),
    RequirementRule {
        verb: "validate latency",
        these: &["requests", "rate", "p95_ms", "p99_ms"],
        with: &["url"],
        why: "a step of a plan has its own",
        next: "add --url, or change the step",
    },
    RequirementRule {
        verb: "validate latency",
        these: &["yes"],
        with: &["regions"],
        why: "nothing is asked when this machine measures",
        next: "add --regions, or leave it out",
    },
    RequirementRule {
        verb: "route cutover",
        these: &["steps", "requests", "rate", "path", "connect_to", "plain_http", "ca_bundle", "key_file"],
        with: &["gate"],
        why: "it is about a cutover that is measured at each step",
        next: "add --gate 'p95<25ms@all', or leave it out",
    },
    RequirementRule {
        verb: "deploy",
        these: &[
            "ssh_config",
            "accept_new",
            "ask_sudo_password",
            "sudo_password_fd",
            "keep_connections",
            "ssh_keepalive_timeout",
            "artifacts",
            "inventory",
        ],
        with: &["devices", SAVED],
        why: "it applies to devices, and this run deploys only the cloud",
        next: "add --devices to deploy the plan's devices in the same run, or remove it",
    },
];

/// Every setting of the server, and the file of settings.
const SETTING: &str = "a setting";
const ONE_THING: (&str, &str) = ("they cannot be combined", "use only one of them");

/// The verb that was typed, word by word.
pub fn verb(typed: &ArgMatches) -> Vec<&str> {
    let mut words = Vec::new();
    let mut at = typed;
    while let Some((word, below)) = at.subcommand() {
        words.push(word);
        at = below;
    }
    words
}

/// Refuses options that do not go together, and options without another one that they need.
///
/// # Errors
/// The first that do not, why, and what to do.
pub fn refuse(typed: &ArgMatches) -> Result<(), Failure> {
    let words = verb(typed).join(" ");
    let mut levels = vec![typed];
    while let Some((_, below)) = levels[levels.len() - 1].subcommand() {
        levels.push(below);
    }
    let given = |id: &str| levels.iter().find_map(|matches| shown(matches, id, &words));
    let of_verb =
        |row: &&ConflictRule| row.verb.is_empty() || words == row.verb || words.starts_with(&format!("{} ", row.verb));
    for row in TABLE.iter().filter(of_verb) {
        let pairs = row.these.iter().flat_map(|this| row.those.iter().map(move |that| (*this, *that)));
        for (this, that) in pairs {
            if let (Some(this), Some(that)) = (given(this), given(that)) {
                return Err(codes::OPTIONS.refused(
                    shown!("{} and {} cannot be combined: {}; nothing was done", this, that, row.why),
                    shown!("{}", row.next.replace("{that}", &that)),
                ));
            }
        }
    }
    for row in ONLY.iter().filter(|row| words == row.verb) {
        let alone = !row.with.iter().copied().any(|id| given(id).is_some());
        if let Some(this) = row.these.iter().copied().find_map(&given).filter(|_| alone) {
            return Err(codes::OPTIONS.refused(shown!("{}: {}; nothing was done", this, row.why), row.next));
        }
    }
    Ok(())
}

/// How an option reads when it was typed; none when it was not.
fn shown(matches: &ArgMatches, id: &str, verb: &str) -> Option<String> {
    let is_typed = |id: &str| {
        matches.ids().any(|one| one.as_str() == id) && matches.value_source(id) == Some(ValueSource::CommandLine)
    };
    let raw = |id: &str| {
        let first = matches.get_raw(id).and_then(|mut values| values.next());
        first.map(|value| value.to_string_lossy().into_owned()).unwrap_or_default()
    };
    match id {
        SAVED => (is_typed("what") && raw("what").ends_with(".json")).then(|| raw("what")),
        STDOUT => (is_typed("out") && raw("out") == "-").then(|| STDOUT.to_owned()),
        TEXT => (is_typed("format") && raw("format") != "json").then(|| format!("--format {}", raw("format"))),
        SETTING => {
            let modes = ["check", "print-openapi", "print-proto", "new-api-key"];
            let of_server = |one: &&clap::Id| {
                !modes.contains(&one.as_str()) && !crate::cli::GLOBAL.contains(&one.as_str()) && is_typed(one.as_str())
            };
            let setting = matches.ids().find(of_server)?;
            (verb == "serve").then(|| format!("--{setting}"))
        }
        "what" | "file" => is_typed(id).then(|| raw(id)),
        "flags" => is_typed(id).then(|| "flags after --".to_owned()),
        _ => is_typed(id).then(|| format!("--{}", id.replace('_', "-"))),
    }
}

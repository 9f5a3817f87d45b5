//! The dependencies between modules in the source, compared with a table.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use akidb_edge::resource::Kind;

/// A module, the modules that it may use, and the external crates that it may use.
struct Room {
    name: &'static str,
    rooms: &'static [&'static str],
    crates: &'static [&'static str],
}

const fn room(name: &'static str, rooms: &'static [&'static str], crates: &'static [&'static str]) -> Room {
    Room { name, rooms, crates }
}

/// Every module. `aws` means all crates of the SDK.
const TABLE: &[Room] = &[
    room("resource", &[], &[]),
    room("plan", &["resource", "files"], &[]),
    room("template", &["resource"], &[]),
    room("desired", &["resource", "plan", "template", "registry"], &[]),
    room("check", &["resource"], &[]),
    room("change", &["resource"], &[]),
    room("export", &["resource"], &[]),
    room("ledger", &["resource"], &["tokio"]),
    room("observe", &["resource", "ledger", "provider"], &["tokio"]),
    room("execute", &["resource", "ledger", "provider"], &["tokio"]),
    room("provider", &["resource"], &["aws", "tokio"]),
    room("report", &["resource"], &["comfy_table", "console"]),
    room("interrupts", &[], &["tokio"]),
    room("files", &[], &[]),
    room("delivery", &["resource", "files"], &["tokio"]),
    room("edge", &["resource", "template", "files"], &[]),
    room("measure", &[], &["tokio"]),
    room("registry", &[], &[]),
    room("replica", &["registry"], &["tokio"]),
    room("inference", &["files", "delivery"], &["tokio"]),
    room("serve", &["inference", "files", "delivery"], &["reqwest", "tokio"]),
    room("models", &["inference", "files", "delivery"], &["reqwest", "tokio"]),
    room(
        "commands",
        &[
            "resource",
            "plan",
            "template",
            "desired",
            "check",
            "ledger",
            "observe",
            "change",
            "execute",
            "provider",
            "report",
            "export",
            "session",
            "cli",
            "exit",
            "inference",
            "models",
            "serve",
            "files",
            "delivery",
            "edge",
            "measure",
            "replica",
        ],
        &["clap", "tokio"],
    ),
    room("session", &["resource", "interrupts"], &["console"]),
    room("cli", &["commands", "renames"], &["clap"]),
    room("renames", &["plan", "report", "serve", "commands"], &["clap"]),
    room("exit", &["resource"], &[]),
    room("main", &["cli", "commands", "exit", "report", "session"], &["clap", "tokio"]),
];

/// What single files may use in addition, and why.
const EXCEPTIONS: &[(&str, &str, &str)] = &[
    ("provider/aws/replica_bucket.rs", "replica", "the bucket that a database is published to"),
    ("execute/schedule.rs", "change", "the order of a run is pure and is made where the difference is made"),
    (
        "execute/dependency_tracker.rs",
        "change",
        "what is waited for is the order that is made where the difference is made",
    ),
    ("execute/step/remove.rs", "change", "what leans on what is pure and is told where the order is made"),
    ("execute/step/mod.rs", "change", "a step is a node of the order that is made where the difference is made"),
    (
        "execute/step/put.rs",
        "change",
        "what still differs is looked at again once references are known, by the same rule",
    ),
    ("exit.rs", "ledger", "an exit code for each room's error is decided in one place"),
    ("exit.rs", "plan", "an exit code for each room's error is decided in one place"),
    ("exit.rs", "report", "what a loader or a rule finds is told in one form, in words and as data"),
    ("exit/codes.rs", "ledger", "the code of each room's error is decided in one place"),
    ("provider/aws/model_bucket.rs", "delivery", "the bucket that models are published to, by the trait of delivery"),
    ("provider/aws/journal.rs", "ledger", "the calls that a journal in a bucket is made of"),
    ("provider/device/k3s_access.rs", "plan", "k3s's kubeconfig is YAML, and the reader of plans is the one there is"),
    ("report/plan_report.rs", "template", "a page is a template"),
    ("report/terminal.rs", "indicatif", "the one place that draws progress"),
    ("report/printer.rs", "cli", "the output mode is chosen by the global flags"),
    ("report/printer.rs", "interrupts", "a question is given up at a signal"),
    ("report/printer.rs", "session", "and by the types of the streams"),
    ("serve/admission/keys.rs", "resource", "a count in words is made in one place"),
    ("serve/config/layers.rs", "renames", "former names of settings are accepted and warned about by one rule"),
    ("serve/model_sync/origin.rs", "provider", "a bucket of models is read by the one crate that knows the SDK"),
    ("serve/shown.rs", "resource", "what is shown is written out by the one rule of untrusted text"),
    ("session.rs", "provider", "region and endpoint are read with the rest of the environment; plain fields"),
];

/// The lines outside of tests that may end the program, each with its proof beside it.
const PROVEN: &[(&str, &str, &str)] = &[
    ("measure/latencies.rs", ".expect(\"constant bounds\")", "the bounds are constants that the histogram takes"),
    ("resource/address.rs", "panic!(\"{bad}\")", "the parts of an address come from checked plan keys"),
    ("resource/graph.rs", ".expect(\"a spec is plain data\")", "a spec of plain data can always be written"),
];

/// The ways around the rule that only literals and written-out values are printed: who takes one, and why.
const PRINTED_OTHERWISE: &[(&str, &str, &str)] = &[
    ("commands/completions.rs", "SafeText::document(", "a script that clap makes of literals of this program"),
    ("commands/jetson/kubeconfig/mod.rs", "SafeText::document(", "a kubeconfig: each value in it is JSON"),
    (
        "commands/jetson/sudoers.rs",
        "SafeText::document(",
        "a sudoers file: literals, and names of accounts that the plan checked",
    ),
    ("commands/man.rs", "SafeText::document(", "man pages that clap_mangen makes of literals of this program"),
    ("commands/report.rs", "SafeText::document(", "a page: the template's formatter escapes each value for HTML"),
    ("commands/serve.rs", "SafeText::document(", "the description of REST, which is a part of the program"),
    ("commands/state/export.rs", "SafeText::document(", "HCL: each value in it was quoted"),
    ("commands/state/pull.rs", "report::put_exactly(", "a journal keeps its bytes, or its checksums do not hold"),
    ("commands/usage.rs", "SafeText::laid_out(", "clap's own words in its styles: arguments in them were written out"),
    ("report/fit.rs", "SafeText::laid_out(", "the lines of a text that was written out, broken at blanks"),
    ("report/output.rs", "SafeText::document(", "a journal that is shown on a terminal"),
    ("report/output.rs", "SafeText::laid_out(", "the styles of this program around a text that was written out"),
    ("report/table.rs", "SafeText::laid_out(", "tables: each cell was written out"),
];

/// The files that name the streams of the process, and why.
const WRITERS: &[(&str, &str)] = &[
    ("commands/usage.rs", "asks whether they are terminals"),
    ("interrupts.rs", "one literal, when a second signal ends the process at once"),
    ("report/fit.rs", "asks how wide standard error is"),
    ("report/output.rs", "the one printer of the verbs"),
    ("report/printer.rs", "reads a password from the terminal"),
    ("report/terminal_echo.rs", "turns the terminal's echo off and on"),
    ("serve/log.rs", "the log of the server, which writes hidden characters out itself"),
    ("session.rs", "asks whether they are terminals, and how wide"),
];

/// The files that start programs, which, and what they hand them.
const STARTERS: &[(&str, &str, &str)] = &[
    (
        "commands/bench/server.rs",
        "Command::new(&program)",
        "this program itself, with `serve` and the flags that the user wrote for it",
    ),
    (
        "commands/edge/process.rs",
        "Command::new(\"node\")",
        "a file that this program wrote; what it reads is JSON on standard input",
    ),
    (
        "commands/validate/browser/suite.rs",
        "Command::new(\"node\")",
        "measure.mjs of the folder that the user names, or of the checkout; its arguments are numbers, names of engines and the page",
    ),
    ("inference/onnx/gpu.rs", "Command::new(\"nvidia-smi\")", "literals"),
    (
        "inference/onnx/trial_load.rs",
        "Command::new(&self.program)",
        "this program itself; what it reads is JSON on standard input",
    ),
    (
        "provider/aws/credentials/process.rs",
        "Command::new(\"sh\")",
        "credential_process of the user's own profile, as every tool of AWS runs it",
    ),
    (
        "provider/device/client.rs",
        "Command::new(\"ssh\")",
        "words of the plan that resource/syntax_check.rs takes, the address behind --; scripts go through standard input as Script",
    ),
    ("serve/metrics/gpu.rs", "Command::new(\"nvidia-smi\")", "literals"),
];

/// Joins of a path and something else than a literal, and why it cannot lead elsewhere. What a manifest, a hub, a bucket, a model
/// or a replica names is a `files::RelativePath`, which cannot be joined; one part of a path passes `Untrusted::file_name`.
const JOINED: &[(&str, &str, &str)] = &[
    ("serve/http/demo.rs", "join(path)", "layout::is_file_path looked at it"),
    ("replica/merkle.rs", "join(format!(\"tree.{level}\"))", "a number"),
    ("replica/publish/scratch.rs", "join(name)", "words of this program"),
    ("replica/store/folder.rs", "join(key)", "keys are checked when they are read: [a-z0-9./-] without .."),
    ("replica/store/folder.rs", "join(below)", "the same"),
    ("commands/bench/out.rs", "join(file_name(&level.name))", "letters, digits and dashes"),
    ("commands/retained.rs", "join(sha256)", "the hash of bytes that this program has"),
    ("commands/man.rs", "join(&page.file)", "the name of a verb of this program"),
    ("commands/report.rs", "join(name)", "one of three literals"),
    ("commands/state/export.rs", "join(name)", "Untrusted::file_name gave it"),
    ("commands/models/hub.rs", "join(below)", "HF_HOME and the like, of the operator's environment"),
    (
        "commands/validate/storage.rs",
        "join(name)",
        "a word of this program and the name of a step, which the plan checked",
    ),
    (
        "commands/workflow/journal.rs",
        "join(rest.trim_start_matches('/'))",
        "--state of the operator, below the home directory",
    ),
    ("commands/workflow/journal.rs", "join(stack)", "a name of a stack, which a plan or stack_name checked"),
    ("delivery/folder_store.rs", "join(below)", "a name that the folder itself has"),
    (
        "delivery/stage.rs",
        "join(&delivery.wanted.id)",
        "letters, digits, `.`, `_` and `-` behind a `v`: Wanted makes it",
    ),
    ("delivery/stage.rs", "join(format!(\".staging-{}\", delivery.wanted.id))", "the same behind a prefix"),
    (
        "delivery/versions.rs",
        "join(format!(\".{name}.lock\"))",
        "the name of a model, which layout::is_model_name checked",
    ),
    ("delivery/versions.rs", "join(file)", "one of two literals"),
    ("delivery/versions.rs", "join(name)", "the name of a model, which layout::is_model_name checked"),
    ("commands/edge/process.rs", "join(name)", "a name of a program that this tool carries"),
    ("commands/edge/process.rs", "join(program)", "the first of them"),
    ("edge/package.rs", "join(&folder.path)", "a folder of package-files.json, a part of the program"),
    ("edge/package.rs", "join(&name)", "a file of package-files.json, or one that a folder of it has"),
    ("edge/package.rs", "join(name)", "one of four literals"),
    ("files/relative_path.rs", "join(&self.0)", "the one way from a checked path to a place"),
    ("inference/engine/cached.rs", "join(&key)", "not a path: a wait for an entry of the cache"),
    ("inference/engine/cached.rs", "join(cache,", "not a path: texts that are computed together"),
    ("inference/folder/graph.rs", "join(name)", "one of the known names of graphs"),
    ("inference/folder/graph.rs", "join(only)", "a name that the folder itself has"),
    ("inference/folder/length.rs", "join(name)", "one of the known names of settings"),
    ("inference/onnx/library.rs", "join(name)", "a name that the folder itself has"),
    ("inference/onnx/session.rs", "join(file.strip_prefix(beside)", "a file beside the graph: files::within gave it"),
    ("inference/onnx/session.rs", "join(format!(\"{}-{}\", &hash[..16]", "a hash, and the key of a GPU by its driver"),
    ("inference/onnx/session.rs", "join(name)", "the name of the graph's file"),
    ("inference/onnx/trial_load/bounds.rs", "join(file)", "one of two literals"),
    ("inference/onnx/trial_load/bounds.rs", "join(path)", "the control group that the kernel names"),
    ("ledger/file_store.rs", "join(format!(\"journal.v{format}.bak\"))", "a number"),
    ("ledger/file_store.rs", "join(format!(\"journal.{:.0}.bak\"", "the time"),
    ("ledger/file_store.rs", "join(sha256)", "64 hexadecimal digits (ledger::kept), or the name of the key"),
    ("ledger/file_store.rs", "join(stack)", "a name of a stack, which a plan or stack_name checked"),
    ("ledger/sweep.rs", "join(format!(\"{GOING}{name}\"))", "a name that the folder itself has, behind a prefix"),
    ("ledger/sweep.rs", "join(name)", "a name that the folder itself has"),
    ("models/hub/fetch.rs", "join(ask.remote.expected.hex())", "hexadecimal digits, checked when the listing is read"),
    ("models/containment.rs", "join(path)", "it is resolved, and has to be within the folder then"),
    ("models/list.rs", "join(file)", "a name that the folder itself has"),
    ("models/list.rs", "join(name.as_str())", "a ModelName"),
    ("models/lock.rs", "join(format!(\"{name}.lock\"))", "a ModelName"),
    ("models/install.rs", "join(left)", "one of three literals"),
    ("models/install.rs", "join(name.as_str())", "a ModelName"),
    ("models/remove.rs", "join(file)", "a name that the folder itself has"),
    ("models/remove.rs", "join(name.as_str())", "a ModelName"),
    ("models/store.rs", "join(name.as_str())", "a ModelName"),
    ("models/vocabulary.rs", "join(name)", "one of the known lists of tokens"),
    ("plan/extends/chain.rs", "join(name)", "a plan's path: plan::reach decides whether it may be read"),
    ("provider/aws/account/mod.rs", "join(below)", "AWS_CONFIG_FILE and the like, of the operator's environment"),
    ("provider/aws/account/profiles.rs", "join(below)", "a path of the operator's own profile"),
    ("provider/aws/credentials/cache.rs", "join(format!(\"{}.json\", hex::encode(", "a hash"),
    ("provider/aws/credentials/cache.rs", "join(format!(\"{}.json\", key(role)", "a hash"),
    ("provider/aws/credentials/context.rs", "join(below)", "a literal of its two callers"),
    ("resource/safe_text.rs", "join(between)", "not a path: texts"),
    ("serve/catalog.rs", "join(file)", "one of two literals"),
    ("serve/config/check.rs", "join(&config.model)", "a setting of the operator"),
    ("serve/health/checks.rs", "join(node)", "one of three literals"),
    ("serve/metrics/gpu.rs", "join(file)", "one of three literals"),
    ("serve/model_sync/folder.rs", "join(&path)", "a name that the folder itself has"),
    ("serve/model_sync/folder.rs", "join(below)", "a name that the folder itself has"),
    ("serve/model_sync/origin.rs", "join(&entry.path)", "a name that the listing of the folder returned"),
];

/// The most kinds that a file may name by itself: what the engine knows of each kind stands in the facts of the kind.
const FEW_KINDS: usize = 5;

/// Files that name more kinds than a few, and why.
const MANY_KINDS: &[(&str, &str)] = &[
    ("desired/cdn.rs", "a step of the plan asks for a distribution with everything around it"),
    ("desired/routing.rs", "a step of the plan asks for a zone with everything in it"),
    (
        "export/names.rs",
        "the one table of how each kind is said in Terraform and CloudFormation, which only this room knows",
    ),
    ("provider/aws/mod.rs", "the one table of the providers of AWS"),
    ("provider/device/mod.rs", "the one table of the providers of machines"),
];

/// Modules with typed errors: callers decide by the variant of an error, never by its text.
const TYPED: [&str; 3] = ["inference", "models", "serve"];

/// Types there that are a text alone as an error, and why: the path, the type as it is written, the reason.
const IN_WORDS: &[(&str, &str, &str)] = &[];

/// Files that are longer than a file should be, and how long they may be.
const LONG: &[(&str, usize)] = &[("commands/state/import.rs", 405), ("replica/publish/continuous.rs", 440)];

struct Source {
    /// Path by module: `crates/aws/src/zone.rs` is `provider/aws/zone.rs`.
    path: String,
    /// What runs outside of tests, without comments.
    text: String,
    lines: usize,
}

fn files(directory: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(directory).expect("src can be read").flatten() {
        let path = entry.path();
        if path.is_dir() {
            files(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push(path);
        }
    }
}

/// The source folders, and the module that each crate is: the modules of the engine are in its root.
const ROOTS: &[(&str, &str)] = &[
    ("src", ""),
    ("crates/engine/src", ""),
    ("crates/aws/src", "provider/aws"),
    ("crates/cluster/src", "provider/cluster"),
    ("crates/delivery/src", "delivery"),
    ("crates/device/src", "provider/device"),
    ("crates/measure/src", "measure"),
    ("crates/network/src", "provider/network"),
    ("crates/registry/src", "registry"),
    ("crates/replica/src", "replica"),
];

/// The path of a file by module, whichever crate it is in.
fn path_by_room(below: &str, room: &str) -> String {
    match below {
        below if room.is_empty() => below.to_owned(),
        "lib.rs" => format!("{room}/mod.rs"),
        below => format!("{room}/{below}"),
    }
}

/// The text of a file as if all crates were one: what it uses of other crates of the workspace, and of its own, is named by module.
fn text_by_room(text: &str, room: &str) -> String {
    let own = format!("crate::{}::", room.replace('/', "::"));
    let mut found = text.to_owned();
    if !room.is_empty() {
        found = found.replace("crate::", &own);
        for engine in ["resource", "provider"] {
            found = found.replace(&format!("{own}{engine}::"), &format!("crate::{engine}::"));
        }
    }
    let crates = [
        ("engine", ""),
        ("aws", "provider::aws::"),
        ("cluster", "provider::cluster::"),
        ("device", "provider::device::"),
        ("delivery", "delivery::"),
        ("measure", "measure::"),
        ("network", "provider::network::"),
        ("registry", "registry::"),
        ("replica", "replica::"),
    ];
    for (name, room) in crates {
        found = found.replace(&format!("akidb_edge_{name}::"), &format!("crate::{room}"));
    }
    found
}

/// All sources of the workspace, without the modules that only tests see.
fn sources() -> Vec<Source> {
    let of = |(root, room): &(&str, &str)| sources_of(&Path::new(env!("CARGO_MANIFEST_DIR")).join(root), room);
    ROOTS.iter().flat_map(of).collect()
}

fn sources_of(root: &Path, room: &str) -> Vec<Source> {
    let mut paths = Vec::new();
    files(root, &mut paths);
    paths.sort();
    let mut tests_only = BTreeSet::new();
    let mut all = Vec::new();
    for path in paths {
        let whole = fs::read_to_string(&path).expect("a source can be read");
        let mut text = String::new();
        let mut lines = whole.lines().peekable();
        while let Some(line) = lines.next() {
            if line.starts_with(' ') && line.trim() == "#[cfg(test)]" {
                // A function within an `impl`: only that one is left out.
                let end = line.replace("#[cfg(test)]", "}");
                while lines.next().is_some_and(|line| line != end) {}
                continue;
            }
            if line.trim() == "#[cfg(test)]" {
                let next = lines.peek().copied().unwrap_or_default();
                if let Some(file) = next.strip_prefix("#[path = \"").and_then(|rest| rest.strip_suffix("\"]")) {
                    tests_only.insert(path.with_file_name(file));
                    // The attribute and the module.
                    lines.next();
                    lines.next();
                    continue;
                }
                match next.strip_prefix("mod ").and_then(|rest| rest.strip_suffix(';')) {
                    Some(name) => {
                        tests_only.insert(path.with_file_name(format!("{name}.rs")));
                        lines.next();
                        continue;
                    }
                    None => break,
                }
            }
            if !line.trim_start().starts_with("//") {
                text.push_str(line);
                text.push('\n');
            }
        }
        let below = path.strip_prefix(root).expect("below its root").to_string_lossy().replace('\\', "/");
        let source =
            Source { path: path_by_room(&below, room), text: text_by_room(&text, room), lines: whole.lines().count() };
        all.push((path, source));
    }
    all.retain(|(path, _)| !tests_only.contains(path));
    all.into_iter().map(|(_, source)| source).collect()
}

fn room_of(path: &str) -> &str {
    path.split(['/', '.']).next().unwrap_or_default()
}

/// The identifiers that stand right after `crate::`, one by one or in braces.
fn rooms_used(text: &str) -> BTreeSet<String> {
    let word =
        |text: &str| text.trim().split(|c: char| !c.is_alphanumeric() && c != '_').next().unwrap_or("").to_owned();
    let mut found = BTreeSet::new();
    for (at, _) in text.match_indices("crate::") {
        let rest = &text[at + "crate::".len()..];
        let Some(group) = rest.strip_prefix('{') else {
            found.insert(word(rest));
            continue;
        };
        let mut depth = 0;
        let mut begin = 0;
        for (at, c) in group.char_indices() {
            match c {
                '{' => depth += 1,
                '}' if depth > 0 => depth -= 1,
                ',' | '}' if depth == 0 => {
                    found.insert(word(&group[begin..at]));
                    begin = at + 1;
                    if c == '}' {
                        break;
                    }
                }
                _ => {}
            }
        }
    }
    found.retain(|name| !name.is_empty() && name.chars().all(|c| c.is_lowercase() || c == '_'));
    found
}

const OUTSIDE: [&str; 6] = ["tokio", "reqwest", "indicatif", "comfy_table", "console", "clap"];

fn crates_used(text: &str) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    for (at, _) in text.match_indices("::") {
        let before = &text[..at];
        let start = before.rfind(|c: char| !c.is_alphanumeric() && c != '_').map_or(0, |at| at + 1);
        let name = &before[start..];
        if before[..start].ends_with("::") {
            continue;
        }
        if name.starts_with("aws_") {
            found.insert("aws".to_owned());
        } else if OUTSIDE.contains(&name) {
            found.insert(name.to_owned());
        }
    }
    found
}

#[test]
fn rooms_look_where_the_table_says() {
    let table: BTreeMap<&str, &Room> = TABLE.iter().map(|room| (room.name, room)).collect();
    let mut wrong = Vec::new();
    let mut needed = BTreeSet::new();
    for source in sources().iter().filter(|source| source.path != "lib.rs") {
        let name = room_of(&source.path);
        let Some(room) = table.get(name) else {
            wrong.push(format!("{}: no module {name} in the table", source.path));
            continue;
        };
        let rooms = rooms_used(&source.text).into_iter().filter(|used| used != name);
        let outside = crates_used(&source.text).into_iter();
        let rooms = rooms.filter(|used| !room.rooms.contains(&used.as_str()));
        let outside = outside.filter(|used| !room.crates.contains(&used.as_str()));
        for used in rooms.chain(outside) {
            match EXCEPTIONS.iter().position(|(path, what, _)| *path == source.path && *what == used) {
                Some(at) => drop(needed.insert(at)),
                None => wrong.push(format!("{} uses {used}", source.path)),
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    let idle = EXCEPTIONS.iter().enumerate().filter(|(at, _)| !needed.contains(at)).map(|(_, exception)| exception);
    assert_eq!(idle.collect::<Vec<_>>(), Vec::<&(&str, &str, &str)>::new(), "exceptions that nobody needs");
}

/// What a crate may not depend on, by the beginning of a name. The root package is "".
const HEAVY: &[(&str, &[&str])] = &[
    ("", &["aws-", "k8s-", "kube"]),
    (
        "engine",
        &["aws-", "akidb-edge-", "clap", "k8s-", "kube", "reqwest", "rustls", "comfy-table", "console", "indicatif"],
    ),
    ("network", &["aws-", "clap", "k8s-", "kube", "reqwest", "tokio"]),
    ("device", &["aws-", "akidb-edge-aws", "akidb-edge-cluster", "clap", "k8s-", "kube", "reqwest", "rustls"]),
    ("aws", &["akidb-edge-cluster", "akidb-edge-device", "clap", "k8s-", "kube", "reqwest"]),
    ("cluster", &["aws-", "akidb-edge-aws", "akidb-edge-device", "clap", "reqwest"]),
    ("delivery", &["aws-", "akidb-edge-", "clap", "k8s-", "kube", "reqwest", "rustls"]),
    ("measure", &["akidb-edge-", "aws-", "clap", "comfy-table", "console", "indicatif", "k8s-", "kube", "reqwest"]),
    ("registry", &["akidb-edge-", "aws-", "clap", "k8s-", "kube", "reqwest", "rustls", "tokio"]),
    ("replica", &["akidb-edge-", "aws-", "clap", "comfy-table", "console", "indicatif", "k8s-", "kube", "reqwest"]),
];

/// The lines below `[dependencies]` of a crate, up to the next table.
fn dependencies(name: &str) -> Vec<String> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR"));
    let folder = if name.is_empty() { folder.to_owned() } else { folder.join("crates").join(name) };
    let manifest = fs::read_to_string(folder.join("Cargo.toml")).expect("a crate has a manifest");
    let table = manifest.lines().skip_while(|line| *line != "[dependencies]").skip(1);
    table.take_while(|line| !line.starts_with('[')).map(str::to_owned).collect()
}

#[test]
fn crates_stay_as_light_as_they_are() {
    for (name, heavy) in HEAVY {
        let all = dependencies(name);
        assert!(!all.is_empty(), "crates/{name} has no dependencies");
        // The registry is plain data, as light as the crates that it itself depends on.
        let light = |line: &&String| {
            *name != "engine" && line.starts_with("akidb-edge-engine") || line.starts_with("akidb-edge-registry")
        };
        for line in all.iter().filter(|line| !light(line)) {
            let found = heavy.iter().find(|heavy| line.starts_with(**heavy));
            assert_eq!(found, None, "crates/{name}: {line}");
        }
    }
}

/// A Kubernetes client is heavy to compile, and what it needs to be safe (conflicts, limits, the lease) is written once.
#[test]
fn one_crate_alone_has_a_kubernetes_client() {
    let client = ["kube::", "k8s_openapi::"];
    let mut wrong = Vec::new();
    for source in sources().iter().filter(|source| !source.path.starts_with("provider/cluster/")) {
        let words = source.text.split(|c: char| !c.is_alphanumeric() && c != '_' && c != ':');
        if words.clone().any(|word| client.iter().any(|start| word.starts_with(start))) {
            wrong.push(source.path.clone());
        }
    }
    assert_eq!(wrong, Vec::<String>::new(), "ask akidb-edge-cluster");
    let manifest = Path::new(env!("CARGO_MANIFEST_DIR")).join("Cargo.toml");
    let manifest = fs::read_to_string(manifest).expect("the manifest of the root");
    let own = manifest.split_once("\n[dependencies]").expect("dependencies").1;
    let own = own.split("\n[").next().unwrap_or_default();
    assert!(!own.lines().any(|line| line.starts_with("kube") || line.starts_with("k8s-")), "{own}");
}

/// Every crate beneath the root package is in the table, but for the one of the tests.
#[test]
fn every_crate_is_in_the_table_of_what_it_may_not_depend_on() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("crates");
    let there = fs::read_dir(folder).expect("crates").flatten().map(|entry| entry.file_name());
    let mut there: Vec<String> = there.map(|name| name.to_string_lossy().into_owned()).collect();
    there.retain(|name| name != "testkit");
    there.sort();
    let mut listed: Vec<&str> = HEAVY.iter().map(|(name, _)| *name).filter(|name| !name.is_empty()).collect();
    listed.sort_unstable();
    assert_eq!(there, listed);
}

#[test]
fn the_engine_knows_no_concrete_provider() {
    for source in sources() {
        if matches!(room_of(&source.path), "observe" | "execute") {
            for concrete in ["provider::aws", "provider::device"] {
                assert!(!source.text.contains(concrete), "{}", source.path);
            }
        }
    }
}

/// The kinds of resources that a text names as `Kind::Name`.
fn kinds_named(text: &str) -> BTreeSet<&str> {
    let kinds: BTreeSet<String> = Kind::ALL.iter().map(|kind| format!("{kind:?}")).collect();
    let mut found = BTreeSet::new();
    for (at, word) in text.match_indices("Kind::") {
        // `AccountKind::User` and `ErrorKind::NotFound` are other enums.
        if text[..at].ends_with(|c: char| c.is_alphanumeric() || c == '_') {
            continue;
        }
        let rest = &text[at + word.len()..];
        let end = rest.find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(rest.len());
        if kinds.contains(&rest[..end]) {
            found.insert(&rest[..end]);
        }
    }
    found
}

#[test]
fn what_is_known_of_a_kind_stands_in_its_own_file() {
    let mut wrong = Vec::new();
    let mut needed = BTreeSet::new();
    for source in sources() {
        let kinds = kinds_named(&source.text);
        if kinds.len() <= FEW_KINDS {
            continue;
        }
        match MANY_KINDS.iter().position(|(path, _)| *path == source.path) {
            Some(at) => drop(needed.insert(at)),
            None => wrong.push(format!("{} names {}: {kinds:?}", source.path, kinds.len())),
        }
    }
    assert!(
        wrong.is_empty(),
        "put it into the facts of the kinds (crates/engine/src/resource/):\n{}",
        wrong.join("\n")
    );
    let idle = MANY_KINDS.iter().enumerate().filter(|(at, _)| !needed.contains(at)).map(|(_, entry)| entry);
    assert_eq!(idle.collect::<Vec<_>>(), Vec::<&(&str, &str)>::new(), "entries that are not needed any more");
}

#[test]
fn kinds_are_told_from_other_enums_and_counted_once() {
    let text =
        "match kind { Kind::Role | Kind::Bucket => {} Kind::ALL } AccountKind::Zone; Kind::Role; io::ErrorKind::Other";
    assert_eq!(kinds_named(text).into_iter().collect::<Vec<_>>(), ["Bucket", "Role"]);
}

/// Files of the SDK's lists that are counted otherwise than by `Pages`, and how.
const COUNTED: [(&str, &str); 8] = [
    ("provider/aws/bucket_reader.rs", "100,000 objects"),
    ("provider/aws/cache_policy.rs", "one page; named.rs counts them"),
    ("provider/aws/journal.rs", "100,000 keys"),
    ("provider/aws/model_bucket.rs", "100,000 objects"),
    ("provider/aws/origin_access.rs", "one page; named.rs counts them"),
    ("provider/aws/origin_request_policy.rs", "one page; named.rs counts them"),
    ("provider/aws/replica_bucket.rs", "one page; the replica crate asks for the next one"),
    ("provider/aws/response_headers_policy.rs", "one page; named.rs counts them"),
];

#[test]
fn every_list_of_aws_ends() {
    const NEXT: [&str; 6] = [
        "set_marker(",
        "set_next_token(",
        "set_continuation_token(",
        "set_key_marker(",
        "set_start_record_name(",
        "into_paginator(",
    ];
    let (mut wrong, mut needed, mut counted) = (Vec::new(), BTreeSet::new(), 0);
    for source in sources().into_iter().filter(|source| source.path.starts_with("provider/aws/")) {
        if !NEXT.iter().any(|next| source.text.contains(next)) {
            continue;
        }
        match COUNTED.iter().position(|(path, _)| *path == source.path) {
            Some(at) => drop(needed.insert(at)),
            None if source.text.contains("Pages::of") && source.text.contains("pages.next()?") => counted += 1,
            None => wrong.push(source.path),
        }
    }
    assert_eq!(wrong, Vec::<String>::new(), "a list is counted by Pages: pages.next()? before each page");
    assert_eq!(needed.len(), COUNTED.len(), "entries that are not needed any more");
    assert!(counted >= 12, "{counted}");
}

#[test]
fn nothing_ends_the_program_unless_it_is_proven() {
    let mut wrong = Vec::new();
    let mut needed = BTreeSet::new();
    for source in sources() {
        for line in source.text.lines() {
            let ends = [".unwrap()", ".expect(", "panic!", "unreachable!", "todo!", "unimplemented!"];
            if !ends.iter().any(|end| line.contains(end)) {
                continue;
            }
            match PROVEN.iter().position(|(path, text, _)| *path == source.path && line.contains(text)) {
                Some(at) => drop(needed.insert(at)),
                None => wrong.push(format!("{}: {}", source.path, line.trim())),
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert_eq!(needed.len(), PROVEN.len(), "a line in the list is not there any more");
}

/// The types between `<` and the `>` that belongs to it, at which a text begins.
fn arguments(text: &str) -> Vec<&str> {
    let (mut found, mut depth, mut begin, mut before) = (Vec::new(), 0_usize, 0, ' ');
    for (at, c) in text.char_indices() {
        match c {
            // The end of `->` closes nothing.
            '>' if before == '-' => {}
            '<' | '(' | '[' | '{' => depth += 1,
            '>' if depth == 0 => {
                found.push(text[begin..at].trim());
                break;
            }
            '>' | ')' | ']' | '}' => depth = depth.saturating_sub(1),
            ',' if depth == 0 => {
                found.push(text[begin..at].trim());
                begin = at + 1;
            }
            _ => {}
        }
        before = c;
    }
    found.retain(|argument| !argument.is_empty());
    found
}

/// `String`, `&'static str` and `Cow<'static, str>`, by whatever path they are named.
fn is_text(of: &str) -> bool {
    let whole = of.split('<').next().unwrap_or_default();
    matches!(whole.rsplit([':', ' ', '&']).next(), Some("String" | "str" | "Cow"))
}

/// Each type of a source whose error is a text alone, as it is written but for its spaces.
fn errors_in_words(text: &str) -> Vec<String> {
    let mut found = Vec::new();
    for (at, word) in text.match_indices("Result<") {
        // `io::Result<String>` has the error of its module.
        if let [done, error] = arguments(&text[at + word.len()..]).as_slice()
            && is_text(error)
        {
            found.push(format!("Result<{}, {error}>", done.split_whitespace().collect::<Vec<_>>().join(" ")));
        }
    }
    for (at, word) in text.match_indices("type Err = ") {
        let error = text[at + word.len()..].split(';').next().unwrap_or_default();
        if is_text(error) {
            found.push(format!("type Err = {error}"));
        }
    }
    found
}

#[test]
fn errors_of_the_server_and_of_models_are_types() {
    let mut wrong = Vec::new();
    let mut needed = BTreeSet::new();
    for source in sources().iter().filter(|source| TYPED.contains(&room_of(&source.path))) {
        for found in errors_in_words(&source.text) {
            match IN_WORDS.iter().position(|(path, written, _)| *path == source.path && *written == found) {
                Some(at) => drop(needed.insert(at)),
                None => wrong.push(format!("{}: {found}", source.path)),
            }
        }
    }
    assert!(wrong.is_empty(), "give them a type with its data (thiserror):\n{}", wrong.join("\n"));
    let idle = IN_WORDS.iter().enumerate().filter(|(at, _)| !needed.contains(at)).map(|(_, entry)| entry);
    assert_eq!(idle.collect::<Vec<_>>(), Vec::<&(&str, &str, &str)>::new(), "entries that are not needed any more");
}

#[test]
fn errors_in_words_are_told_from_texts_that_are_answers() {
    let text = "fn a() -> Result<String, String>; fn b() -> Result<Vec<(u8, String)>,\n String> {} type Err = String;
        fn c() -> Result<Box<dyn Fn(u8) -> u8>, &'static str> {} fn d() -> Result<u8, std::borrow::Cow<'static, str>>;";
    assert_eq!(
        errors_in_words(text),
        [
            "Result<String, String>",
            "Result<Vec<(u8, String)>, String>",
            "Result<Box<dyn Fn(u8) -> u8>, &'static str>",
            "Result<u8, std::borrow::Cow<'static, str>>",
            "type Err = String",
        ]
    );
    let fine =
        "fn a() -> io::Result<String>; fn b() -> Result<String, Fault>; fn c() -> Result<Vec<String>, Arc<Fault>>;
        let d: Result<Result<Dense, Unapplied>, FolderFault>; type Err = Unfit; struct E { why: String }";
    assert_eq!(errors_in_words(fine), Vec::<String>::new());
}

#[test]
fn nothing_is_decided_by_the_words_of_an_error() {
    let mut wrong = Vec::new();
    let whose = ["why", "fault", "error", "err", "bad", "to_string()"];
    let asked = [".contains(", ".starts_with(", ".ends_with("];
    for source in sources().iter().filter(|source| TYPED.contains(&room_of(&source.path))) {
        for line in source.text.lines() {
            let by_words = whose.iter().any(|whose| {
                asked.iter().any(|asked| {
                    let end = line.find(&format!("{whose}{asked}"));
                    end.is_some_and(|at| !line[..at].ends_with(|c: char| c.is_alphanumeric() || c == '_'))
                })
            });
            if by_words {
                wrong.push(format!("{}: {}", source.path, line.trim()));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// What is printed has the type `Shown`. These functions make one of a text without a look at its parts.
#[test]
fn few_files_print_what_the_type_does_not_write_out() {
    let ways = ["SafeText::of(", "SafeText::document(", "SafeText::laid_out(", "report::put_exactly("];
    let mut wrong = Vec::new();
    let mut needed = BTreeSet::new();
    for source in sources().iter().filter(|source| source.path != "resource/safe_text.rs") {
        for way in ways.iter().filter(|way| source.text.contains(**way)) {
            match PRINTED_OTHERWISE.iter().position(|(path, what, _)| *path == source.path && what == way) {
                Some(at) => drop(needed.insert(at)),
                None => wrong.push(format!("{} uses {way}…)", source.path)),
            }
        }
    }
    assert!(wrong.is_empty(), "use shown!(…), or say why not:\n{}", wrong.join("\n"));
    assert_eq!(needed.len(), PRINTED_OTHERWISE.len(), "an entry in the list is not needed any more");
}

#[test]
fn few_files_start_programs() {
    let mut found = BTreeSet::new();
    for source in sources() {
        for (at, start) in source.text.match_indices("Command::new(") {
            let end = source.text[at..].find(')').map_or(start.len(), |end| end + 1);
            found.insert((source.path.clone(), source.text[at..at + end].to_owned()));
        }
    }
    let known: BTreeSet<(String, String)> =
        STARTERS.iter().map(|(path, call, _)| ((*path).to_owned(), (*call).to_owned())).collect();
    assert_eq!(found, known, "say in STARTERS what is handed to it");
}

/// A text that lives for ever passes for a literal, and the macros have to be the only ones who put literals and values together.
#[test]
fn nothing_passes_for_a_literal() {
    let own = [
        ("Script::of(", "provider/device/script.rs"),
        ("Markdown::of(", "resource/marked_up.rs"),
        ("SafeText::of(", "resource/safe_text.rs"),
    ];
    let mut wrong = Vec::new();
    for source in sources() {
        for way in [".leak()", "Box::leak(", "String::leak", "Vec::leak", "transmute"] {
            wrong.extend(source.text.contains(way).then(|| format!("{}: {way}", source.path)));
        }
        for (way, home) in own {
            wrong.extend((source.text.contains(way) && source.path != home).then(|| format!("{}: {way}", source.path)));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    let all = sources();
    assert!(own.iter().all(|(_, home)| all.iter().any(|source| source.path == *home)), "a home has another path");
}

/// Whether what stands behind `.join(` is a literal, a constant, or nothing.
fn joins_a_literal(rest: &str) -> bool {
    let word = rest.split(')').next().unwrap_or_default();
    rest.starts_with('"') || word.chars().all(|c| c.is_ascii_uppercase() || c == '_')
}

#[test]
fn what_is_joined_to_a_path_was_looked_at() {
    let mut wrong = Vec::new();
    let mut needed = BTreeSet::new();
    for source in sources() {
        for (at, dot) in source.text.match_indices(".join(") {
            let rest = &source.text[at + dot.len()..];
            if joins_a_literal(rest) {
                continue;
            }
            let call = source.text[at + 1..].lines().next().unwrap_or_default();
            match JOINED.iter().position(|(path, what, _)| *path == source.path && call.starts_with(what)) {
                Some(at) => drop(needed.insert(at)),
                None => wrong.push(format!("{}: {call}", source.path)),
            }
        }
    }
    assert!(wrong.is_empty(), "use files::RelativePath or Untrusted::file_name, or say why not:\n{}", wrong.join("\n"));
    let idle = JOINED.iter().enumerate().filter(|(at, _)| !needed.contains(at)).map(|(_, entry)| entry);
    assert_eq!(idle.collect::<Vec<_>>(), Vec::<&(&str, &str, &str)>::new(), "entries that are not needed any more");
}

#[test]
fn few_files_write_to_the_streams() {
    let names_one = |text: &str| {
        ["stdout()", "stderr()"]
            .iter()
            .any(|stream| text.match_indices(stream).any(|(at, _)| !text[..at].ends_with('_')))
    };
    let all = sources();
    let writing: BTreeSet<&str> =
        all.iter().filter(|source| names_one(&source.text)).map(|source| source.path.as_str()).collect();
    let writing: Vec<&str> = writing.into_iter().collect();
    assert_eq!(writing, WRITERS.iter().map(|(path, _)| *path).collect::<Vec<_>>());
}

#[test]
fn no_line_is_unsafe() {
    for source in sources() {
        let words = source.text.split(|c: char| !c.is_alphanumeric() && c != '_');
        // Words of content security policies and of Referrer-Policy.
        let standard =
            ["'unsafe-inline'", "'wasm-unsafe-eval'", "\"unsafe-url\""].map(|word| source.text.matches(word).count());
        let unsafe_words = words.filter(|word| *word == "unsafe").count() - standard.iter().sum::<usize>();
        assert_eq!(unsafe_words, 0, "{}", source.path);
    }
}

#[test]
fn files_stay_short_and_names_say_something() {
    let mut wrong = Vec::new();
    for source in sources() {
        let most = LONG.iter().find(|(path, _)| *path == source.path).map_or(400, |(_, most)| *most);
        if source.lines > most {
            wrong.push(format!("{} has {} lines", source.path, source.lines));
        }
        for part in source.path.trim_end_matches(".rs").split('/') {
            let empty = ["util", "utils", "helper", "helpers", "manager", "common", "types", "misc"];
            if empty.contains(&part) {
                wrong.push(format!("{}: {part} says nothing", source.path));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn progress_is_drawn_in_one_file() {
    let all = sources();
    let drawing: Vec<&str> =
        all.iter().filter(|source| source.text.contains("indicatif")).map(|source| source.path.as_str()).collect();
    assert_eq!(drawing, ["report/terminal.rs"]);
}

//! The documents: their links lead somewhere, their commands parse, their lists are complete.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use akidb_edge::check;
use akidb_edge::cli::{self, Cli};
use akidb_edge::exit::codes;
use akidb_edge::plan::rules;
use akidb_edge::serve::config::setting::{SETTINGS, SettingKind};
use clap::error::ErrorKind;
use clap::{Command, CommandFactory};
use testkit::cli::{bare, finish};

/// Documents outside of `docs` whose links are checked.
const BESIDE: [&str; 6] =
    ["README.md", "plans/README.md", "CONTRIBUTING.md", "ARCHITECTURE.md", "SECURITY.md", "CHANGELOG.md"];

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

fn read(path: &str) -> String {
    fs::read_to_string(root().join(path)).unwrap_or_else(|why| panic!("{path}: {why}"))
}

/// Files with an ending below a folder, as paths from the root.
fn files(folder: &str, ending: &str) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    for entry in fs::read_dir(root().join(folder)).unwrap_or_else(|why| panic!("{folder}: {why}")) {
        let entry = entry.unwrap();
        let name = format!("{folder}/{}", entry.file_name().into_string().unwrap());
        if entry.file_type().unwrap().is_dir() {
            found.extend(files(&name, ending));
        } else if name.ends_with(ending) {
            found.insert(name);
        }
    }
    found
}

fn documents() -> BTreeSet<String> {
    let beside = BESIDE.iter().map(|name| (*name).to_owned());
    files("docs", ".md").into_iter().chain(beside).collect()
}

/// A block of a document between two fences.
#[derive(Debug, Eq, PartialEq)]
struct Block {
    language: String,
    text: String,
}

/// The text of a document without its blocks, and the blocks. A fence may be indented, as in a list.
fn parts(text: &str) -> (String, Vec<Block>) {
    let (mut prose, mut blocks) = (String::new(), Vec::new());
    let mut open: Option<Block> = None;
    for line in text.lines() {
        match (line.trim_start().strip_prefix("```"), &mut open) {
            (Some(language), None) => open = Some(Block { language: language.trim().to_owned(), text: String::new() }),
            (Some(_), Some(_)) => blocks.extend(open.take()),
            (None, Some(block)) => block.text.push_str(&format!("{line}\n")),
            (None, None) => prose.push_str(&format!("{line}\n")),
        }
    }
    assert_eq!(open, None, "a block without an end");
    (prose, blocks)
}

/// A line without what stands between backticks.
fn without_code(line: &str) -> String {
    line.split('`').step_by(2).collect::<Vec<_>>().join("``")
}

/// Targets of the links of a text: `[words](target)`.
fn links(prose: &str) -> Vec<String> {
    let text: Vec<String> = prose.lines().map(without_code).collect();
    let text = text.join("\n");
    let targets = text.split("](").skip(1).filter_map(|rest| rest.split_once(')'));
    targets.map(|(target, _)| target.to_owned()).collect()
}

/// The anchor of a heading, as GitHub and mdBook make it.
fn slug(heading: &str) -> String {
    let kept = heading.trim().chars().filter(|letter| letter.is_alphanumeric() || " -_".contains(*letter));
    kept.flat_map(char::to_lowercase).map(|letter| if letter == ' ' { '-' } else { letter }).collect()
}

/// Everything in a document that a link may name: headings and `<a id="...">`.
fn anchors(prose: &str) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    let mut times: BTreeMap<String, usize> = BTreeMap::new();
    for line in prose.lines() {
        if let Some((_, heading)) = line.split_once("# ").filter(|(marks, _)| marks.bytes().all(|byte| byte == b'#')) {
            let slug = slug(heading);
            let before = times.entry(slug.clone()).or_default();
            found.insert(if *before == 0 { slug } else { format!("{slug}-{before}") });
            *before += 1;
        }
        if let Some((name, _)) = line.strip_prefix("<a id=\"").and_then(|rest| rest.split_once('"')) {
            found.insert(name.to_owned());
        }
    }
    found
}

/// Why a link of a document leads nowhere.
fn broken(document: &str, target: &str) -> Option<String> {
    let (path, anchor) = target.split_once('#').map_or((target, None), |(path, anchor)| (path, Some(anchor)));
    let folder = root().join(document).parent().map(Path::to_owned).unwrap_or_default();
    let file = if path.is_empty() { root().join(document) } else { folder.join(path) };
    let Ok(file) = file.canonicalize() else { return Some(format!("there is no {path}")) };
    if !file.starts_with(root().canonicalize().unwrap()) {
        return Some(format!("{path} is outside of the repository"));
    }
    let anchor = anchor?;
    let text = fs::read_to_string(&file).ok()?;
    let there = anchors(&parts(&text).0);
    (!there.contains(anchor)).then(|| format!("{path} has no #{anchor}; it has {there:?}"))
}

#[test]
fn every_link_leads_to_a_file_and_a_heading() {
    let (mut looked, mut wrong) = (0, Vec::new());
    for document in documents() {
        for target in links(&parts(&read(&document)).0) {
            if target.starts_with("https://") || target.starts_with("mailto:") {
                continue;
            }
            looked += 1;
            wrong.extend(broken(&document, &target).map(|why| format!("{document}: ({target}): {why}")));
        }
    }
    assert!(looked > 100, "{looked} links were found");
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn a_link_that_leads_nowhere_is_found() {
    for target in ["install.md", "install.md#shell-completions", "../README.md#install", "#a-session", "../plans"] {
        assert_eq!(broken("docs/tutorial.md", target), None, "{target}");
    }
    for target in ["instal.md", "install.md#shell", "#session", "../../etc", "/etc/hostname"] {
        assert!(broken("docs/tutorial.md", target).is_some(), "{target}");
    }
    assert_eq!(slug("\"the stack is being changed by ...\""), "the-stack-is-being-changed-by-");
    assert_eq!(slug("What is real, what is a `stand-in`"), "what-is-real-what-is-a-stand-in");
    assert_eq!(links("see [a](b.md#c), `[x](y)` and [`d`](e)"), ["b.md#c", "e"]);
}

/// The words of a line of a shell up to its comment. Words in quotation marks stay together; `&&`, `||`, `|`, `;` and redirections are
/// words of their own where blanks are around them.
fn words(line: &str) -> Vec<String> {
    let (mut all, mut word, mut quote) = (Vec::new(), None::<String>, None::<char>);
    for letter in line.chars() {
        match (letter, quote) {
            (_, Some(open)) if letter == open => quote = None,
            ('"' | '\'', None) => {
                quote = Some(letter);
                word.get_or_insert_default();
            }
            ('#', None) if word.is_none() => break,
            (' ', None) => all.extend(word.take()),
            _ => word.get_or_insert_default().push(letter),
        }
    }
    all.extend(word);
    all
}

/// The lines of a shell in a block: those of `sh`, and those behind the `$` of `console`. A line that ends with `\` goes on.
fn lines(block: &Block) -> Vec<String> {
    let text = block.text.replace("\\\n", " ");
    match block.language.as_str() {
        "sh" => text.lines().map(|line| line.trim().to_owned()).collect(),
        "console" => text.lines().filter_map(|line| line.strip_prefix("$ ")).map(str::to_owned).collect(),
        _ => Vec::new(),
    }
}

/// The calls of this tool in a line, each with its arguments.
fn calls(line: &str) -> Vec<Vec<String>> {
    let words = words(line);
    let ends = |word: &String| ["&&", "||", "|", ";", "&", "<"].contains(&word.as_str()) || word.contains('>');
    let commands = words.split(ends);
    let variables = |word: &&String| word.contains('=') && !word.starts_with('-');
    let ours = commands.map(|command| command.iter().skip_while(variables).cloned().collect::<Vec<_>>());
    ours.filter(|command| command.first().is_some_and(|program| program == "akidb-edge")).collect()
}

/// What clap has to say against a call.
fn refused(call: &[String]) -> Option<String> {
    match cli::parse(call) {
        Ok((cli, _)) => cli.former.first().map(akidb_edge::renames::FormerName::warning),
        Err(said) if matches!(said.kind(), ErrorKind::DisplayHelp | ErrorKind::DisplayVersion) => None,
        Err(said) => Some(said.to_string()),
    }
}

#[test]
fn every_command_of_the_documents_has_a_verb_and_flags_that_exist() {
    let (mut looked, mut wrong) = (0, Vec::new());
    for document in documents() {
        for line in parts(&read(&document)).1.iter().flat_map(lines) {
            for call in calls(&line) {
                looked += 1;
                wrong.extend(refused(&call).map(|why| format!("{document}: {}: {why}", call.join(" "))));
            }
        }
    }
    assert!(looked > 60, "{looked} commands were found");
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn a_command_that_does_not_exist_is_found() {
    for (line, number, right) in [
        ("A=b akidb-edge deploy --plan week13 --yes   # --nothing", 1, true),
        ("akidb-edge state list --plan week13 'routing.*' | head -3", 1, true),
        ("x && akidb-edge status --plan week13 --drift --json > drift.json", 1, true),
        ("akidb-edge --version", 1, true),
        ("akidb-edge apply --plan week13", 1, false),
        ("akidb-edge deploy --plan week13 --yess", 1, false),
        ("akidb-edge rollback --to 1 --fallback dns-to-origin", 1, false),
        ("akidb-edge deploy --plan week13 --at-once 3", 1, false),
        ("cargo install akidb-edge", 0, true),
    ] {
        let calls = calls(line);
        assert_eq!(calls.len(), number, "{line}: {calls:?}");
        assert_eq!(calls.iter().all(|call| refused(call).is_none()), right, "{line}");
    }
}

#[test]
fn every_document_is_in_the_summary_once() {
    let targets = links(&read("docs/SUMMARY.md"));
    for document in files("docs", ".md").iter().filter(|name| *name != "docs/SUMMARY.md") {
        let name = document.trim_start_matches("docs/");
        assert_eq!(targets.iter().filter(|target| *target == name).count(), 1, "docs/SUMMARY.md: {name}");
    }
    for name in BESIDE {
        let name = format!("../{name}");
        assert_eq!(targets.iter().filter(|target| **target == name).count(), 1, "docs/SUMMARY.md: {name}");
    }
}

/// Plans that are shown as a whole, with a variable that they need.
#[test]
fn each_whole_plan_in_the_guides_is_accepted() {
    let folder = tempfile::tempdir().unwrap();
    let mut looked = 0;
    for document in files("docs/guides", ".md") {
        let (_, blocks) = parts(&read(&document));
        for block in blocks.iter().filter(|block| block.language == "yaml" && block.text.contains("\nversion: 1\n")) {
            let file = folder.path().join("plan.yaml");
            fs::write(&file, &block.text).unwrap();
            let mut command = bare();
            command.args(["validate", "plan", "--plan"]).arg(&file);
            if block.text.contains("${var.prefix}") {
                command.args(["--var", "prefix=my-edge"]);
            }
            let output = finish(&mut command);
            assert_eq!(output.code, 0, "{document}: {}", output.all());
            looked += 1;
        }
    }
    assert!(looked >= 2, "{looked} plans were found");
}

#[test]
fn the_table_of_settings_has_each_setting_of_the_server() {
    let text = read("docs/reference/settings.md");
    let rows: Vec<&str> = text.lines().filter(|line| line.starts_with("| `--")).collect();
    assert_eq!(rows.len(), SETTINGS.len(), "docs/reference/settings.md: its rows are not those of SETTINGS");
    for (setting, row) in SETTINGS.iter().zip(rows) {
        let value = match setting.kind {
            SettingKind::One(word) | SettingKind::Many(word) => format!("`{word}`"),
            SettingKind::Switch => "yes or no".to_owned(),
        };
        let default = if setting.default.is_empty() { String::new() } else { format!("`{}`", setting.default) };
        let cells: Vec<&str> = row.split(" | ").take(4).map(|cell| cell.trim_matches(['|', ' '])).collect();
        let wanted = [format!("`--{}`", setting.name), format!("`{}`", setting.variable), value, default];
        assert_eq!(cells, wanted, "docs/reference/settings.md");
    }
}

/// Variables of the environment that flags of a command, or of one below it, take.
fn variables(command: &Command) -> BTreeSet<String> {
    let own = command.get_arguments().filter_map(|arg| Some(arg.get_env()?.to_str()?.to_owned()));
    own.chain(command.get_subcommands().flat_map(variables)).collect()
}

#[test]
fn the_list_of_variables_has_each_variable_of_a_flag() {
    let text = read("docs/reference/environment.md");
    let all = variables(&Cli::command());
    assert!(all.contains("AKIDB_EDGE_STATE"), "{all:?}");
    for name in all {
        assert!(text.contains(&format!("`{name}`")), "docs/reference/environment.md: {name}");
    }
}

/// The source of everything that is printed, in one line for each text: `\` at the end of a line is taken out.
fn source() -> String {
    let crates = fs::read_dir(root().join("crates")).unwrap().map(|entry| entry.unwrap().file_name());
    let folders = crates.map(|name| format!("crates/{}/src", name.to_str().unwrap()));
    let all = folders.chain(["src".to_owned()]).flat_map(|folder| files(&folder, ".rs"));
    let mut text = String::new();
    for name in all {
        let file = read(&name);
        let mut halves = file.split("\\\n");
        text.push_str(halves.next().unwrap_or_default());
        halves.for_each(|half| text.push_str(half.trim_start()));
    }
    text
}

#[test]
fn each_message_of_the_troubleshooting_page_is_one_that_the_tool_prints() {
    let (prose, _) = parts(&read("docs/troubleshooting.md"));
    let source = source();
    let mut looked = 0;
    for line in prose.lines().map(without_code).filter(|line| !line.starts_with("<a id=")) {
        for message in line.split('"').skip(1).step_by(2) {
            looked += 1;
            assert!(source.contains(message), "docs/troubleshooting.md: nothing prints {message:?}");
        }
    }
    assert!(looked >= 25, "{looked} messages were found");
}

/// The page of errors: what it says before its tables, and the tables as the source makes them.
fn errors_page() -> String {
    let there = read("docs/reference/errors.md");
    let (before, _) = there.split_once("\n## Errors\n").expect("the tables begin there");
    let cell = |text: &str| text.replace('|', "\\|");
    let sorted = |mut rows: Vec<(&'static str, &'static str)>| {
        rows.sort_unstable();
        rows.into_iter().map(|(id, what)| format!("| `{id}` | {} |\n", cell(what))).collect::<String>()
    };
    let errors =
        codes::ALL.iter().map(|code| format!("| `{}` | {} | {} |\n", code.id(), cell(code.what()), cell(code.helps())));
    format!(
        "{before}\n## Errors\n\n| code | meaning | what helps |\n|---|---|---|\n{}\n## Rules for plan files\n\n\
         | rule | meaning |\n|---|---|\n{}\n## Rules for what a plan asks for\n\n| rule | what it checks |\n|---|---|\n{}",
        errors.collect::<String>(),
        sorted(rules::ALL.to_vec()),
        sorted(check::catalog())
    )
}

/// `AKIDB_EDGE_UPDATE_DOCS=1` writes the page again.
#[test]
fn the_page_of_errors_has_each_code_and_rule() {
    let page = errors_page();
    if std::env::var_os("AKIDB_EDGE_UPDATE_DOCS").is_some() {
        fs::write(root().join("docs/reference/errors.md"), &page).unwrap();
    }
    assert!(
        read("docs/reference/errors.md") == page,
        "docs/reference/errors.md: AKIDB_EDGE_UPDATE_DOCS=1 writes it again"
    );
}

/// The tests that a text names: `FILE: NAME, NAME` and `MODULE::NAME, NAME`, whatever lines they are on.
fn named_tests(text: &str) -> BTreeSet<String> {
    let is_name = |word: &str| {
        word.contains('_') && word.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_')
    };
    let mut found = BTreeSet::new();
    for span in text.split('`').skip(1).step_by(2) {
        let span = span.split_whitespace().collect::<Vec<_>>().join(" ");
        let Some((file, names)) = span.split_once("::").or_else(|| span.split_once(": ")) else { continue };
        if file.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_') {
            let last = |name: &str| name.rsplit([':', ' ']).next().unwrap_or_default().to_owned();
            found.extend(names.split(", ").map(last).filter(|name| is_name(name)));
        }
    }
    found
}

#[test]
fn each_test_that_the_threat_model_names_is_there() {
    let folders = ["src", "crates", "tests"].into_iter().flat_map(|folder| files(folder, ".rs"));
    let sources: Vec<String> = folders.map(|name| read(&name)).collect();
    let named = named_tests(&read("docs/security.md"));
    assert!(named.len() >= 90, "{} tests were found", named.len());
    let there = |name: &String| sources.iter().any(|text| text.contains(&format!("fn {name}(")));
    let lost: Vec<&String> = named.iter().filter(|name| !there(name)).collect();
    assert!(lost.is_empty(), "docs/security.md names tests that are not there: {lost:?}");
    let example = "`a: one_test,\nanother_test`, `crates/x.rs`, `deep::more::third_one`, `Shown`, `k3s: {sha256}`";
    let names: Vec<String> = named_tests(example).into_iter().collect();
    assert_eq!(names, ["another_test", "one_test", "third_one"]);
}

//! Every command of README.md and of docs/tutorial.md, line by line, and the shell that `localstack/up` makes for them.

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::{Mutex, PoisonError};

use testkit::cli::bare;
use testkit::local_aws;

/// A command of a document and what the document shows of its output.
struct Shown {
    command: String,
    lines: Vec<String>,
}

/// The blocks of a language in a document, in order.
fn blocks(file: &str, language: &str) -> Vec<String> {
    let text = fs::read_to_string(testkit::root().join(file)).expect("the document");
    let begin = format!("\n```{language}\n");
    let all = text.split(begin.as_str()).skip(1);
    all.map(|rest| rest.split_once("\n```").expect("its end").0.to_owned()).collect()
}

/// The lines of a block of commands whose output the document does not show.
fn commands(block: &str) -> impl Iterator<Item = Shown> {
    let lines = block.lines().filter(|line| !line.trim().is_empty());
    lines.map(|line| Shown { command: line.to_owned(), lines: Vec::new() })
}

/// The session of the tutorial: commands, each with what is shown of its output. Those of its other blocks are for a stack that is
/// deployed: they come before the last two, which destroy it.
fn session() -> Vec<Shown> {
    let mut all: Vec<Shown> = Vec::new();
    for line in blocks("docs/tutorial.md", "console").iter().flat_map(|block| block.lines()) {
        match (line.strip_prefix("$ "), all.last_mut()) {
            (Some(command), _) => all.push(Shown { command: command.to_owned(), lines: Vec::new() }),
            (None, Some(last)) => last.lines.push(line.to_owned()),
            (None, None) => panic!("{line:?} stands before the first command"),
        }
    }
    let others: Vec<Shown> = blocks("docs/tutorial.md", "sh").iter().flat_map(|block| commands(block)).collect();
    assert!(all.len() > 2 && others.len() >= 3, "the tutorial has its commands");
    let end = all.len() - 2;
    all.splice(end..end, others);
    all
}

/// Every command of README: install, and try the tool. What they print is not shown there.
fn readme() -> Vec<Shown> {
    blocks("README.md", "sh").iter().flat_map(|block| commands(block)).collect()
}

fn executable(path: &Path, text: &str) {
    fs::create_dir_all(path.parent().expect("a folder")).expect("a folder");
    fs::write(path, text).expect("a file");
    fs::set_permissions(path, fs::Permissions::from_mode(0o755)).expect("a file of ours");
}

/// A line for the local AWS of the tests in place of the one on port 4566: the same script.
fn up(account: &str) -> String {
    let port = local_aws::endpoint().rsplit(':').next().expect("a port").to_owned();
    let script = testkit::root().join("localstack/up");
    format!("'{}' --port {port} --account {account} --use-running \"$@\"", script.display())
}

/// A folder that looks like the checkout, as far as the commands go: small files stand for the model, and nothing is built again.
fn checkout(account: &str) -> tempfile::TempDir {
    let folder = tempfile::tempdir().expect("a directory");
    let at = |name: &str| folder.path().join(name);
    executable(&at("localstack/up"), &format!("#!/bin/sh\nexec {}\n", up(account)));
    // The server is that of all tests: nobody stops it here.
    executable(&at("localstack/down"), "#!/bin/sh\nexit 0\n");
    executable(&at("bin/cargo"), "#!/bin/sh\nexit 0\n");
    symlink(bare().get_program(), at("bin/akidb-edge")).expect("a link");
    let site = ["index.html", "style.css", "404.html"].map(|name| format!("plans/examples/site/{name}"));
    let plans = ["plans/week13.yaml", "plans/examples/static-site.yaml"].map(str::to_owned);
    fs::create_dir_all(at("plans/examples/site")).expect("a directory");
    for file in plans.iter().chain(&site) {
        fs::copy(testkit::root().join(file), at(file)).expect("a plan and its files");
    }
    let files = "model.safetensors model_int8.onnx tokenizer.json tokenizer_config.json config.json modules.json \
                 sentence_bert_config.json 1_Pooling/config.json chunks.json selfcheck.json static.bin tokens.json \
                 ../../templates/browser/dist/index.html";
    let make = "model:\n\t@mkdir -p models/all-MiniLM-L6-v2/1_Pooling templates/browser/dist; cd models/all-MiniLM-L6-v2; \\\n\t";
    fs::write(at("Makefile"), format!("{make}for f in {files}; do echo '{{}}' >$$f; done\n")).expect("a file");
    folder
}

/// A shell that knows nothing of AWS.
fn shell(folder: &Path, script: &str) -> Command {
    let mut command = Command::new("bash");
    let foreign = |key: &str| ["AWS_", "AKIDB_EDGE_"].iter().any(|start| key.starts_with(start));
    for (key, _) in std::env::vars().filter(|(key, _)| foreign(key)) {
        command.env_remove(key);
    }
    let path = std::env::var("PATH").unwrap_or_default();
    command
        .args(["-c", script])
        .current_dir(folder)
        .env("PATH", format!("{}:{path}", folder.join("bin").display()))
        .env("AWS_CONFIG_FILE", "/nonexistent/config")
        .env("AWS_SHARED_CREDENTIALS_FILE", "/nonexistent/credentials")
        .env("USER", "tester")
        .stdin(Stdio::null());
    command
}

/// A line as words, without what differs from run to run: times, durations, ids, accounts, ports.
fn words(line: &str) -> Vec<String> {
    let all: Vec<&str> = line.split_whitespace().collect();
    let mut found = Vec::new();
    let mut at = 0;
    while let Some(word) = all.get(at) {
        let unit = all.get(at + 1).map(|next| next.trim_matches(','));
        if word.parse::<f64>().is_ok() && unit.is_some_and(|unit| ["ms", "s", "min"].contains(&unit)) {
            found.push("DURATION".to_owned());
            at += 2;
            continue;
        }
        found.push(plain(word));
        at += 1;
    }
    found
}

fn plain(word: &str) -> String {
    let counts = |inner: &str| {
        inner.split_once('/').is_some_and(|(done, all)| done.parse::<u32>().is_ok() && all.parse::<u32>().is_ok())
    };
    if word.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).is_some_and(counts) {
        return "COUNT".to_owned();
    }
    let bare = word.trim_matches(['(', ')', ',', ';']);
    let first = bare.split('/').next().unwrap_or_default();
    let is_zone = first.len() >= 10
        && first.starts_with('Z')
        && first.bytes().all(|byte| byte.is_ascii_uppercase() || byte.is_ascii_digit());
    if bare.len() == 12 && bare.bytes().all(|byte| byte.is_ascii_digit()) {
        return "ACCOUNT".to_owned();
    }
    if bare.len() == 36 && bare.matches('-').count() == 4 {
        return "UUID".to_owned();
    }
    if is_zone {
        return bare.replacen(first, "ZONE", 1);
    }
    if bare.starts_with("http://127.0.0.1:") {
        return "ENDPOINT".to_owned();
    }
    if bare.len() >= 20 && bare.ends_with('Z') && bare.as_bytes()[10] == b'T' {
        return "TIME".to_owned();
    }
    match bare.split_once(".cloudfront.net") {
        Some((before, after)) => {
            let name = before.rsplit_once('=').map_or(String::new(), |(name, _)| format!("{name}="));
            format!("{name}ID.cloudfront.net{after}")
        }
        None => word.to_owned(),
    }
}

/// Whether a line says what the document shows, in which `[...]` stands for anything.
fn says(shown: &[String], said: &[String]) -> bool {
    match shown.split_first() {
        None => said.is_empty(),
        Some((first, rest)) if first.starts_with("[...]") => (0..=said.len()).any(|skip| says(rest, &said[skip..])),
        Some((first, rest)) => said.split_first().is_some_and(|(word, more)| word == first && says(rest, more)),
    }
}

/// The names of the plan's buckets are taken for all accounts: one document at a time.
static TURN: Mutex<()> = Mutex::new(());

/// Runs the commands of a document in one shell, in a checkout of their own: exit codes that are not 0, and lines that are shown and
/// not said. `end` removes what is left of it.
fn wrong(session: &[Shown], end: &str) -> Vec<String> {
    let _turn = TURN.lock().unwrap_or_else(PoisonError::into_inner);
    let folder = checkout(&local_aws::account());
    let lines: Vec<String> =
        session.iter().map(|one| format!("printf '\\036'; {}\nprintf '\\037%d' $?", one.command)).collect();
    // One shell for all: what a line exports is there for the next ones.
    // The names of the session's buckets are those of everybody: they go, so that it can be tried again on the same local AWS.
    let end = format!("printf '\\036'; {end}\nprintf '\\037%d' $?");
    let ran = shell(folder.path(), &format!("exec 2>&1\n{}\n{end}\n", lines.join("\n"))).output().expect("bash runs");
    let out = String::from_utf8(ran.stdout).expect("text");
    let parts: Vec<&str> = out.split('\u{1e}').skip(1).collect();
    assert_eq!(parts.len(), session.len() + 1, "{out}");
    assert!(parts.last().is_some_and(|end| end.ends_with("\u{1f}0")), "{out}");
    let mut wrong = Vec::new();
    for (one, part) in session.iter().zip(parts) {
        let (text, code) = part.rsplit_once('\u{1f}').unwrap_or((part, "none"));
        if code.trim() != "0" {
            wrong.push(format!("$ {}: exit code {code}\n{text}", one.command));
        }
        let said: Vec<Vec<String>> = text.lines().map(words).collect();
        let frame = |line: &str| line.chars().all(|letter| "─═ ".contains(letter));
        for line in one.lines.iter().filter(|line| !frame(line)) {
            let shown = words(line);
            if !said.iter().any(|said| says(&shown, said)) {
                wrong.push(format!("$ {}: does not say {line:?}\n{text}", one.command));
            }
        }
    }
    wrong
}

#[test]
fn each_line_of_the_session_in_the_tutorial_is_what_happens() {
    let session = session();
    assert!(session.len() >= 9, "the session has its commands");
    let wrong = wrong(&session, "akidb-edge destroy --plan week13 --yes --empty-buckets");
    assert!(wrong.is_empty(), "{}", wrong.join("\n\n"));
}

#[test]
fn each_command_of_the_readme_works() {
    let commands = readme();
    assert!(commands.len() >= 10, "install and the quick start have their commands");
    assert!(commands.iter().any(|one| one.command.contains("akidb-edge destroy ")), "it removes what it made");
    let wrong = wrong(&commands, "akidb-edge destroy --yes --empty-buckets");
    assert!(wrong.is_empty(), "{}", wrong.join("\n\n"));
}

#[test]
fn boto3_speaks_to_the_local_aws_whatever_was_set_before() {
    let account = local_aws::account();
    let folder = tempfile::tempdir().expect("a directory");
    let python = testkit::root().join("localstack/.venv/bin/python");
    let ask = "import boto3; print(boto3.client('sts').get_caller_identity()['Account'], boto3.client('s3').list_buckets()['Buckets'], \
               boto3.client('lambda').meta.region_name)";
    let up = up(&account).replace("\"$@\"", "--no-seed --quiet");
    let script = format!("lines=$({up}) || exit 9; eval \"$lines\"; '{}' -c \"{ask}\"", python.display());
    let mut command = shell(folder.path(), &script);
    // Of another account, in another place, with another way there.
    for (name, value) in [
        ("AWS_PROFILE", "nobody"),
        ("AWS_DEFAULT_PROFILE", "nobody"),
        ("AWS_SESSION_TOKEN", "old"),
        ("AWS_SECURITY_TOKEN", "old"),
        ("AWS_CREDENTIAL_EXPIRATION", "2001-01-01T00:00:00Z"),
        ("AWS_ENDPOINT_URL_S3", "http://127.0.0.1:1"),
        ("AWS_IGNORE_CONFIGURED_ENDPOINT_URLS", "true"),
        ("AWS_USE_FIPS_ENDPOINT", "true"),
        ("HTTP_PROXY", "http://127.0.0.1:1"),
        ("http_proxy", "http://127.0.0.1:1"),
    ] {
        command.env(name, value);
    }
    let ran = command.output().expect("bash runs");
    let (out, err) = (String::from_utf8_lossy(&ran.stdout), String::from_utf8_lossy(&ran.stderr));
    assert_eq!(out.trim(), format!("{account} [] us-east-1"), "{err}");
}

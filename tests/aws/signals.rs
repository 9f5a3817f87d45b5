//! Signals and pipes: whoever stops reading ends the talk, not the run; whoever asks the process to end gets an orderly end, with
//! the lease given back and a journal that the next run goes on from.

use std::fs::{self, File};
use std::io::{BufRead, BufReader, Read, Write};
use std::os::unix::process::ExitStatusExt;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use portable_pty::{CommandBuilder, PtySize, native_pty_system};
use serde_json::Value;
use testkit::cli::{CommandOutput, STACK, TestAccount, finish, nothing, whole};
use testkit::local_aws;
use testkit::proxy::{CallSelector, FaultProxy, ProxyAction, ProxyCall};

/// More than enough for anything that is waited for here.
const SOON: Duration = Duration::from_secs(60);

fn proxy() -> FaultProxy {
    FaultProxy::start(&local_aws::endpoint())
}

fn signal(process: u32, name: &str) {
    let sent = Command::new("kill").args([name, &process.to_string()]).status().expect("kill runs");
    assert!(sent.success(), "kill {name}");
}

/// A deploy that is held before its n-th change.
fn held(account: &TestAccount, proxy: &FaultProxy, number: usize) -> Child {
    proxy.on(ProxyCall::mutates, CallSelector::Nth(number), ProxyAction::Pause);
    let mut command = account.planned("deploy --yes");
    command.env("AWS_ENDPOINT_URL", proxy.url()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let child = command.spawn().expect("the binary starts");
    assert!(proxy.paused_within(SOON), "a call is held");
    child
}

/// A deploy that is held while it still looks at the world.
fn looking(account: &TestAccount, proxy: &FaultProxy) -> Child {
    proxy.on(|call| !call.mutates() && call.service == "s3", CallSelector::Nth(1), ProxyAction::Pause);
    let mut command = account.planned("deploy --yes");
    command.env("AWS_ENDPOINT_URL", proxy.url()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let child = command.spawn().expect("the binary starts");
    assert!(proxy.paused_within(SOON), "a look is held");
    child
}

fn ended(child: Child) -> CommandOutput {
    let output = child.wait_with_output().expect("it ends");
    CommandOutput {
        stdout: String::from_utf8(output.stdout).expect("text"),
        stderr: String::from_utf8(output.stderr).expect("text"),
        code: output.status.code().unwrap_or(-output.status.signal().unwrap_or(1)),
    }
}

/// How the last run ended, by the journal; and nobody holds the lease.
fn last_ending(account: &TestAccount) -> Value {
    let output = account.run("status --json");
    let status = output.json();
    assert_eq!(status["lease"], Value::Null, "the lease was given back: {status}");
    status["state"]["runs"].as_array().and_then(|runs| runs.last()).map_or(Value::Null, |run| run["ending"].clone())
}

fn goes_on(account: &TestAccount) {
    account.run("deploy --yes").exits(0);
    assert_eq!(account.inventory(), whole());
    assert_eq!(last_ending(account), "done");
}

#[test]
fn a_reader_that_went_away_ends_the_talk_and_not_the_run() {
    let account = TestAccount::new();
    // Both streams in one pipe: `deploy --yes 2>&1 | head -1`.
    let (reader, writer) = std::io::pipe().expect("a pipe");
    let mut command = account.planned("deploy --yes");
    command.stdout(writer.try_clone().expect("a second end")).stderr(writer);
    let mut child = command.spawn().expect("the binary starts");
    drop(command);
    let mut first = String::new();
    BufReader::new(reader).read_line(&mut first).expect("a line");
    assert!(first.contains("akidb-week13"), "{first}");
    assert_eq!(child.wait().expect("it ends").code(), Some(0));
    assert_eq!(account.inventory(), whole());
    assert_eq!(last_ending(&account), "done");
}

#[test]
fn streams_that_are_closed_from_the_beginning_do_not_matter() {
    let account = TestAccount::new();
    let plain = account.planned("deploy --yes");
    let mut command = Command::new("sh");
    command.args(["-c", "exec \"$@\" <&- >&- 2>&-", "sh"]).arg(plain.get_program()).args(plain.get_args());
    command.env_clear().envs(plain.get_envs().filter_map(|(key, value)| Some((key, value?))));
    command.current_dir(account.directory.path());
    assert_eq!(command.status().expect("it runs").code(), Some(0));
    assert_eq!(account.inventory(), whole());
    assert_eq!(last_ending(&account), "done");
}

#[test]
fn output_that_did_not_arrive_is_an_error_and_the_run_is_done_all_the_same() {
    let account = TestAccount::new();
    let full = || File::options().write(true).open("/dev/full").expect("a device that is always full");
    let mut command = account.planned("deploy --yes");
    command.stdout(full()).stderr(Stdio::piped());
    let output = ended(command.spawn().expect("the binary starts")).exits(1);
    assert!(output.stderr.contains("standard output could not be written: No space left"), "{}", output.stderr);
    assert_eq!(account.inventory(), whole());
    assert_eq!(last_ending(&account), "done");
    let mut command = account.planned("state export");
    command.stdout(full()).stderr(Stdio::piped());
    ended(command.spawn().expect("the binary starts")).exits(1);
    // A reader that has what it wanted is not a failure.
    let (reader, writer) = std::io::pipe().expect("a pipe");
    drop(reader);
    let mut command = account.planned("state export");
    command.stdout(writer);
    finish(&mut command).exits(0);
}

#[test]
fn each_signal_ends_a_run_after_what_is_under_way() {
    for name in ["-INT", "-TERM", "-HUP"] {
        let (account, proxy) = (TestAccount::new(), proxy());
        let child = held(&account, &proxy, 6);
        signal(child.id(), name);
        // What the process does with it is to be seen in its own words; only then may the held call go on.
        let child = after(child, "stopping:");
        proxy.reset();
        let output = ended(child).exits(2);
        assert!(output.stdout.contains("stopped after"), "{name}: {}", output.all());
        assert_eq!(last_ending(&account), "partial", "{name}");
        goes_on(&account);
    }
}

/// The child once it has said these words on standard error. What it said up to then is not kept.
fn after(mut child: Child, words: &str) -> Child {
    let mut stderr = child.stderr.take().expect("a pipe");
    let (mut said, mut byte) = (Vec::new(), [0]);
    while !said.ends_with(words.as_bytes()) {
        assert_eq!(stderr.read(&mut byte).expect("readable"), 1, "it ended: {}", String::from_utf8_lossy(&said));
        said.push(byte[0]);
    }
    child.stderr = Some(stderr);
    child
}

#[test]
fn a_signal_before_anything_was_done_gives_the_lease_back() {
    for name in ["-INT", "-TERM", "-HUP"] {
        let (account, proxy) = (TestAccount::new(), proxy());
        let child = looking(&account, &proxy);
        signal(child.id(), name);
        let output = ended(child).exits(3);
        assert!(output.stderr.contains("interrupted: nothing was done"), "{name}: {}", output.stderr);
        assert_eq!(last_ending(&account), Value::Null, "{name}: nothing is in the journal");
    }
}

#[test]
fn a_terminal_that_goes_away_is_told_twice_and_a_wrapper_passes_signals_on() {
    for (first, again) in [("-HUP", "-HUP"), ("-INT", "-INT"), ("-TERM", "-TERM"), ("-HUP", "-TERM")] {
        let (account, proxy) = (TestAccount::new(), proxy());
        let child = held(&account, &proxy, 6);
        signal(child.id(), first);
        signal(child.id(), again);
        let child = after(child, "stopping:");
        proxy.reset();
        ended(child).exits(2);
        assert_eq!(last_ending(&account), "partial", "{first} {again}");
    }
}

#[test]
fn who_asks_again_later_ends_it_at_once_and_the_next_run_goes_on() {
    let (account, proxy) = (TestAccount::new(), proxy());
    let child = held(&account, &proxy, 6);
    signal(child.id(), "-INT");
    let mut child = after(child, "stopping:");
    let begun = Instant::now();
    let status = loop {
        // The same request within half a second counts once.
        signal(child.id(), "-INT");
        match child.try_wait().expect("known") {
            Some(status) => break status,
            None => assert!(begun.elapsed() < SOON, "it goes on"),
        }
    };
    assert_eq!(status.code(), Some(130));
    proxy.reset();
    goes_on(&account);
}

#[test]
fn what_was_started_to_ignore_hangups_goes_on() {
    let (account, proxy) = (TestAccount::new(), proxy());
    proxy.on(ProxyCall::mutates, CallSelector::Nth(6), ProxyAction::Pause);
    let plain = account.planned("deploy --yes");
    let mut command = Command::new("sh");
    // What nohup does.
    command.args(["-c", "trap '' HUP; exec \"$@\"", "sh"]).arg(plain.get_program()).args(plain.get_args());
    command.env_clear().envs(plain.get_envs().filter_map(|(key, value)| Some((key, value?))));
    command.env("AWS_ENDPOINT_URL", proxy.url()).current_dir(account.directory.path());
    let child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("it starts");
    assert!(proxy.paused_within(SOON), "a call is held");
    signal(child.id(), "-HUP");
    proxy.reset();
    ended(child).exits(0);
    assert_eq!(account.inventory(), whole());
}

#[test]
fn a_run_that_was_suspended_for_a_moment_goes_on() {
    let (account, proxy) = (TestAccount::new(), proxy());
    let child = held(&account, &proxy, 6);
    // As Ctrl-Z does, which a process without a job control shell would not obey.
    signal(child.id(), "-STOP");
    let stat = format!("/proc/{}/stat", child.id());
    let begun = Instant::now();
    while !fs::read_to_string(&stat).expect("its line").rsplit_once(')').is_some_and(|(_, rest)| rest.starts_with(" T"))
    {
        assert!(begun.elapsed() < SOON, "it is not suspended");
        std::thread::yield_now();
    }
    signal(child.id(), "-CONT");
    proxy.reset();
    ended(child).exits(0);
    assert_eq!(account.inventory(), whole());
    assert_eq!(last_ending(&account), "done");
}

/// The binary on a terminal of its own.
struct OnTerminal {
    pair: Option<portable_pty::PtyPair>,
    child: Box<dyn portable_pty::Child + Send + Sync>,
    reader: Option<Box<dyn Read + Send>>,
}

impl OnTerminal {
    fn start(plain: &Command) -> Self {
        let pair =
            native_pty_system().openpty(PtySize { rows: 40, cols: 100, ..PtySize::default() }).expect("a terminal");
        let mut command = CommandBuilder::new(plain.get_program());
        command.args(plain.get_args());
        command.env_clear();
        for (key, value) in plain.get_envs() {
            if let Some(value) = value {
                command.env(key, value);
            }
        }
        command.cwd(plain.get_current_dir().expect("a folder"));
        let child = pair.slave.spawn_command(command).expect("the binary starts");
        let reader = pair.master.try_clone_reader().expect("a reader");
        Self { pair: Some(pair), child, reader: Some(reader) }
    }

    /// Reads until these words stand on the terminal: gives what was said up to there.
    fn until(&mut self, words: &str) -> String {
        let reader = self.reader.as_mut().expect("still there");
        let (mut said, mut byte) = (Vec::new(), [0]);
        while !String::from_utf8_lossy(&said).contains(words) {
            let read = reader.read(&mut byte).unwrap_or(0);
            assert_eq!(read, 1, "it ended: {}", String::from_utf8_lossy(&said));
            said.push(byte[0]);
        }
        String::from_utf8_lossy(&said).into_owned()
    }

    fn types(&mut self, keys: &[u8]) {
        let mut writer = self.pair.as_ref().expect("still there").master.take_writer().expect("a writer");
        writer.write_all(keys).and_then(|()| writer.flush()).expect("typed");
        // A writer that goes types the end of input besides.
        std::mem::forget(writer);
    }

    /// Closes the terminal's window.
    fn hang_up(&mut self) {
        self.reader = None;
        self.pair = None;
    }

    /// The exit code. What is still said is read meanwhile: a terminal takes a few thousand bytes only.
    fn ends(mut self) -> u32 {
        let reader = self.reader.take();
        let reading = std::thread::spawn(move || reader.map(|mut reader| reader.read_to_end(&mut Vec::new()).is_ok()));
        let code = self.child.wait().expect("it ends").exit_code();
        self.pair = None;
        reading.join().expect("read");
        code
    }
}

#[test]
fn ctrl_c_at_the_question_gives_the_lease_back() {
    let account = TestAccount::new();
    let mut at_terminal = OnTerminal::start(&account.planned("deploy"));
    at_terminal.until("? [y/N]");
    assert_ne!(account.run("status --json").json()["lease"], Value::Null, "it holds the lease while it asks");
    at_terminal.types(b"\x03");
    assert_eq!(at_terminal.ends(), 3);
    assert_eq!(last_ending(&account), Value::Null);
}

#[test]
fn a_window_that_is_closed_at_the_question_gives_the_lease_back() {
    let account = TestAccount::new();
    let mut at_terminal = OnTerminal::start(&account.planned("deploy"));
    at_terminal.until("? [y/N]");
    at_terminal.hang_up();
    assert_eq!(at_terminal.ends(), 3);
    assert_eq!(last_ending(&account), Value::Null);
}

#[test]
fn a_window_that_is_closed_in_the_middle_of_a_run_stops_it_in_order() {
    let (account, proxy) = (TestAccount::new(), proxy());
    proxy.on(ProxyCall::mutates, CallSelector::Nth(6), ProxyAction::Pause);
    let mut command = account.planned("deploy --yes");
    command.env("AWS_ENDPOINT_URL", proxy.url());
    let mut at_terminal = OnTerminal::start(&command);
    assert!(proxy.paused_within(SOON), "a call is held");
    at_terminal.hang_up();
    proxy.reset();
    assert_eq!(at_terminal.ends(), 2);
    assert_eq!(last_ending(&account), "partial");
    goes_on(&account);
}

#[test]
fn yes_on_a_terminal_is_yes() {
    let account = TestAccount::new();
    let mut at_terminal = OnTerminal::start(&account.planned("deploy"));
    at_terminal.until("? [y/N]");
    at_terminal.types(b"y\n");
    assert_eq!(at_terminal.ends(), 0);
    assert_eq!(account.inventory(), whole());
}

#[test]
fn the_question_says_what_is_done_and_where_and_no_is_no_error() {
    let account = TestAccount::new();
    let changes = account.run("deploy --dry-run --json").exits(2).json();
    let count = changes["changes"].as_array().expect("changes").len();
    let question = format!("Apply these {count} changes to {STACK} (account {})? [y/N]", account.number);
    for answer in ["n\n", "perhaps\n"] {
        let mut at_terminal = OnTerminal::start(&account.planned("deploy"));
        at_terminal.until(&question);
        at_terminal.types(answer.as_bytes());
        let said = at_terminal.until("cancelled: nothing was changed");
        assert!(!said.contains("error:"), "{said}");
        assert_eq!(said.contains("\"perhaps\" is taken as no"), answer == "perhaps\n", "{said}");
        assert_eq!(at_terminal.ends(), 3);
    }
    assert_eq!(account.run("status --json").json()["lease"], Value::Null);
}

/// What can never be brought back wants more than a letter, and what holds data is named before the question.
#[test]
fn a_destroy_that_takes_data_or_names_wants_the_name_of_the_stack() {
    let account = TestAccount::new();
    account.run("deploy --yes").exits(0);
    for (answer, code) in [("yes\n".to_owned(), 3), (format!("{STACK}\n"), 0)] {
        let mut at_terminal = OnTerminal::start(&account.planned("destroy --empty-buckets"));
        let said = at_terminal.until(&format!("Type {STACK} to continue: "));
        let data = said.find("data that is deleted for good:").expect("the data is named");
        let question = said.find(&format!("resources of {STACK} (account {})?", account.number)).expect("a question");
        assert!(data < question, "{said}");
        assert!(said[data..question].contains(&format!("t{}-models-edge (models.bucket.", account.number)), "{said}");
        at_terminal.types(answer.as_bytes());
        assert_eq!(at_terminal.ends(), code, "{answer:?}");
        if code == 3 {
            assert_eq!(account.inventory(), whole(), "nothing was removed");
        }
    }
    assert_eq!(account.inventory(), nothing());
}

//! One connection by the user's own OpenSSH client, with a root shell behind it that takes scripts in frames.

use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::path::PathBuf;
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError, mpsc};
use std::time::{Duration, Instant};

use super::client::{self, CONNECT_SECONDS};
use super::refusal;
use super::script::last_words;
use crate::resource::host::HostSpec;
use crate::resource::{Fault, FaultClass};

/// What the far side says when its loop runs.
const READY: &str = "akidb-edge-ready";
/// What sudo says when it wants a password.
const ASKS: &str = "[akidb-edge asks for the sudo password]";
/// sudo may wait this long after a wrong password.
const SUDO_WITHIN: Duration = Duration::from_secs(20);

/// The loop on the far side. Scripts come on standard input and are in a directory of root alone, so that nothing of
/// them shows in a process list; what a script writes for itself goes there, too (`$akidb_edge_run`), never to a place
/// where others can write. A path comes as so many bytes: none of them can be a part of the frame. A file comes under a name of
/// this connection first: the loop of one that was lost may hear of its end late, while the next one brings the same file. What
/// cannot be written whole is taken away again. Messages are English whatever the device speaks: causes are read from them.
/// It is quoted for whatever login shell the user has there: in one line (csh ends a quote at the end of a line), without single
/// quotes, backslashes (fish reads them within quotes) and exclamation marks (csh's history).
pub(super) const LOOP: &str = concat!(
    "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin; LC_ALL=C.UTF-8; unset LANGUAGE; ",
    "d=$(mktemp -d /run/akidb-edge.XXXXXX 2>/dev/null || mktemp -d) || exit 70; ",
    "trap \"rm -rf $d\" EXIT; trap \"exit 1\" HUP TERM PIPE; ",
    "akidb_edge_run=$d; export PATH LC_ALL akidb_edge_run; umask 022; echo akidb-edge-ready; ",
    "while read -r what n mark length; do case $what in ",
    "run) head -c \"$n\" >\"$d/s\"; sh \"$d/s\" </dev/null 2>&1; rm -f \"$d/s\"; echo \"$mark\";; ",
    "put) p=$(head -c \"$length\"; echo x); p=${p%x}; t=\"$p.akidb-edge.$$\"; rm -f -- \"$d/ok\" \"$p\" \"$p\".akidb-edge.[0-9]*; ",
    "head -c \"$n\" | { umask 077; cat >\"$t\" && test \"$(wc -c <\"$t\")\" -eq \"$n\" && mv -fT -- \"$t\" \"$p\" && : >\"$d/ok\" ",
    "|| { rm -f -- \"$t\"; cat >/dev/null; }; } 2>\"$d/e\"; ",
    "if test -e \"$d/ok\"; then echo \"$mark 0\"; else echo \"$mark 1\"; cat \"$d/e\"; fi; echo \"$mark\";; ",
    "esac; done",
);

/// What may have come and not been read yet, in bytes. No answer to a question is larger.
const MOST_WAITING: usize = 32 << 20;
/// The longest line and the longest answer to one script, in bytes. All objects of a large cluster are a few MiB.
pub const LONGEST_REPLY: usize = 16 << 20;
/// What ssh, sudo, a login shell and a banner may say before the loop runs, in bytes.
const MOST_SAID: usize = 64 << 10;
/// A part of what is sent is taken within this, or the far side reads no more.
const SENT_WITHIN: Duration = Duration::from_secs(120);

/// How machines are reached: what the user said once for all of them.
#[derive(Clone, Debug)]
pub struct DeviceAccess {
    /// Another SSH configuration than `~/.ssh/config`.
    pub config: Option<PathBuf>,
    /// Take unknown keys and remember them; never one that changed.
    pub accept_new: bool,
    /// The password for sudo, when one was given.
    pub sudo: Option<Password>,
    /// How long a connection is kept for the next command; zero: not at all.
    pub keep: Duration,
    /// Where the sockets of kept connections lie.
    pub sockets: Option<PathBuf>,
    /// A device that says nothing for so long is gone.
    pub alive: Duration,
    /// Which kind of key a pinned fingerprint is, once that was found out: the algorithms to ask a server for, by fingerprint.
    pub pinned_kinds: Arc<Mutex<BTreeMap<String, &'static str>>>,
}

impl Default for DeviceAccess {
    fn default() -> Self {
        Self {
            config: None,
            accept_new: false,
            sudo: None,
            keep: Duration::ZERO,
            sockets: None,
            alive: Duration::from_secs(15),
            pinned_kinds: Arc::default(),
        }
    }
}

/// A password: nothing shows it.
#[derive(Clone)]
pub struct Password(String);

impl Password {
    /// Takes it over.
    pub fn new(text: String) -> Self {
        Self(text)
    }
}

impl std::fmt::Debug for Password {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("(a password)")
    }
}

/// An open connection.
pub struct SshConnection {
    child: Arc<Mutex<Child>>,
    input: Option<ChildStdin>,
    heard: mpsc::Receiver<ClientOutput>,
    /// Bytes that came and were not taken from `heard` yet.
    waiting: Arc<AtomicUsize>,
    /// Until when the part that is being sent must be taken; none: nothing is being sent.
    guard: mpsc::Sender<Option<Instant>>,
    /// Output that is not read yet, from `at` on.
    pending: Vec<u8>,
    at: usize,
    /// What the client and sudo said.
    said: String,
}

/// What came from the client, in the order in which it came.
enum ClientOutput {
    Output(Vec<u8>),
    Errors(Vec<u8>),
    /// More than may wait: nothing after it is read.
    TooMuch,
    End,
}

/// Why a line did not come.
#[derive(Debug, PartialEq, Eq)]
pub enum ReadFailure {
    /// The connection ended.
    Ended,
    /// The time is up.
    Late,
    /// More came than any answer has.
    TooMuch,
}

impl SshConnection {
    /// Starts the client.
    fn start(mut command: Command) -> Result<Self, Fault> {
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().map_err(|bad| client::not_started(&bad))?;
        let (tell, heard) = mpsc::channel();
        let (waiting, input) = (Arc::new(AtomicUsize::new(0)), child.stdin.take());
        if let (Some(output), Some(errors)) = (child.stdout.take(), child.stderr.take()) {
            let (also, too) = (tell.clone(), Arc::clone(&waiting));
            let known = Arc::clone(&waiting);
            std::thread::spawn(move || listen(output, &tell, &known, ClientOutput::Output, true));
            std::thread::spawn(move || listen(errors, &also, &too, ClientOutput::Errors, false));
        }
        let (child, (guard, orders)) = (Arc::new(Mutex::new(child)), mpsc::channel());
        let guarded = Arc::clone(&child);
        std::thread::spawn(move || watch(&orders, &guarded));
        Ok(Self { child, input, heard, waiting, guard, pending: Vec::new(), at: 0, said: String::new() })
    }

    /// Sends bytes; a far side that does not take them in time is given up.
    ///
    /// # Errors
    /// When the connection is gone.
    pub fn send(&mut self, bytes: &[u8]) -> std::io::Result<()> {
        let input = self.input.as_mut().ok_or(std::io::ErrorKind::BrokenPipe)?;
        // Without its watcher a part may be sent without a limit: no reason not to send it.
        let _ = self.guard.send(Some(Instant::now() + SENT_WITHIN));
        let sent = input.write_all(bytes).and_then(|()| input.flush());
        let _ = self.guard.send(None);
        sent
    }

    /// The next line of output, without its end.
    ///
    /// # Errors
    /// When it does not come, or is longer than any answer.
    pub fn line(&mut self, until: Instant) -> Result<String, ReadFailure> {
        let mut looked = self.at;
        loop {
            if let Some(end) = self.pending[looked..].iter().position(|byte| *byte == b'\n') {
                let line = String::from_utf8_lossy(&self.pending[self.at..looked + end]).into_owned();
                self.at = looked + end + 1;
                return Ok(line);
            }
            if self.pending.len() - self.at > LONGEST_REPLY {
                return Err(ReadFailure::TooMuch);
            }
            self.pending.drain(..std::mem::take(&mut self.at));
            looked = self.pending.len();
            self.hear(until)?;
        }
    }

    /// Takes in the next thing that comes.
    fn hear(&mut self, until: Instant) -> Result<(), ReadFailure> {
        match self.heard.recv_timeout(until.saturating_duration_since(Instant::now())) {
            Ok(ClientOutput::Output(bytes)) => {
                self.waiting.fetch_sub(bytes.len(), Ordering::Relaxed);
                self.pending.extend(bytes);
            }
            Ok(ClientOutput::Errors(bytes)) => {
                self.waiting.fetch_sub(bytes.len(), Ordering::Relaxed);
                if self.said.len() + bytes.len() > MOST_SAID {
                    return Err(ReadFailure::TooMuch);
                }
                self.said.push_str(&String::from_utf8_lossy(&bytes));
            }
            Ok(ClientOutput::TooMuch) => return Err(ReadFailure::TooMuch),
            Ok(ClientOutput::End) | Err(mpsc::RecvTimeoutError::Disconnected) => return Err(ReadFailure::Ended),
            Err(mpsc::RecvTimeoutError::Timeout) => return Err(ReadFailure::Late),
        }
        Ok(())
    }

    /// What the client said so far.
    pub fn last_words(&self) -> &str {
        self.said.trim()
    }

    /// Becomes root and waits for the loop. The password goes out only when it is asked for: without a question the
    /// shell would take it for a command.
    fn greet(&mut self, access: &DeviceAccess, host: &HostSpec) -> Result<(), Fault> {
        let (mut until, mut answered) = (Instant::now() + Duration::from_secs(4 * CONNECT_SECONDS), false);
        loop {
            if self.is_ready(until) {
                return Ok(());
            }
            match (self.said.matches(ASKS).count(), &access.sudo) {
                (1, Some(password)) if !answered => {
                    (answered, until) = (true, Instant::now() + SUDO_WITHIN);
                    // When it cannot be sent, the end of the connection says why.
                    let _ = self.send(format!("{}\n", password.0).as_bytes());
                }
                (2.., _) => return Err(sudo_refused(host, "the sudo password is wrong")),
                _ => {}
            }
            let heard = match self.pending.len() > MOST_SAID {
                true => Err(ReadFailure::TooMuch),
                false => self.hear(until),
            };
            match heard {
                Ok(()) => {}
                Err(ReadFailure::Ended) => return Err(self.explain_the_end(access, host)),
                Err(ReadFailure::TooMuch) => return Err(too_much(&host.name, "before login")),
                Err(ReadFailure::Late) => {
                    let words = format!("{} accepted the connection but did not respond", host.name);
                    return Err(Fault::new(FaultClass::Away, "ssh", "connect", "Silent", words)
                        .next("check the device's console, then run the same command again"));
                }
            }
        }
    }

    /// Whether the loop's word came. What came before it is dropped with it.
    fn is_ready(&mut self, until: Instant) -> bool {
        contains_line(&self.pending, READY) && {
            while self.line(until).is_ok_and(|line| line != READY) {}
            true
        }
    }

    fn explain_the_end(&mut self, access: &DeviceAccess, host: &HostSpec) -> Fault {
        // What was said last may come after the end of the output.
        let until = Instant::now() + Duration::from_millis(300);
        while !matches!(self.hear(until), Err(ReadFailure::Late | ReadFailure::TooMuch)) && Instant::now() < until {}
        if refusal::of_sudo(&self.said) || self.said.contains(ASKS) {
            return sudo_refused(host, &last_words(&self.said.replace(ASKS, ""), 3));
        }
        // What the far side printed in place of the loop's word may be the reason: an account without a shell, a forced command.
        let printed = String::from_utf8_lossy(&self.pending[self.at.min(self.pending.len())..]).into_owned();
        let (said, printed) = (self.said.trim(), printed.trim());
        let words = format!("{printed}\n{said}");
        match (refusal::login(&words), self.far_status()) {
            (None, Some(status)) => refusal::ended(&host.name, status, words.trim()),
            (None, None) if said.is_empty() && !printed.is_empty() => refusal::another_command(&host.name, printed),
            _ => client::explain(host, access, words.trim()),
        }
    }

    /// The status with which the far side ended, when the login itself went well: the client ends with 255 for troubles of its own.
    fn far_status(&self) -> Option<i32> {
        const OF_CLIENT: i32 = 255;
        let mut child = self.child.lock().unwrap_or_else(PoisonError::into_inner);
        let status = child.try_wait().ok().flatten()?;
        status.code().filter(|code| ![0, OF_CLIENT].contains(code))
    }
}

impl Drop for SshConnection {
    fn drop(&mut self) {
        // The end of its input ends the loop. A client that is gone already is as good as one that was ended.
        self.input = None;
        end(&self.child);
    }
}

/// Connects, becomes root, starts the loop. Blocks: it is called on a thread of its own.
///
/// # Errors
/// Unreachable; key not known or changed; login refused; sudo refused.
pub fn open(host: &HostSpec, access: &DeviceAccess) -> Result<SshConnection, Fault> {
    match attempt(host, access) {
        // A fingerprint does not say of which key it is, and the server showed another one of its keys.
        Err(fault) if fault.code == "HostKeyChanged" && client::finds_pinned(host, access) => attempt(host, access),
        other => other,
    }
}

fn attempt(host: &HostSpec, access: &DeviceAccess) -> Result<SshConnection, Fault> {
    // A file with a key must be there until the connection stands.
    let (mut command, _pin) = client::command(host, access)?;
    command.arg("--").arg(&host.address).arg(far_side(access.sudo.is_some()));
    let mut connection = SshConnection::start(command)?;
    connection.greet(access, host)?;
    Ok(connection)
}

/// What runs on the far side: the loop, as root. The login shell has to understand no more than words in single quotes; sudo's own
/// words are English, as they are read.
fn far_side(with_password: bool) -> String {
    let sudo = if with_password { format!("sudo -S -p \"{ASKS}\"") } else { "sudo -n".to_owned() };
    let root = format!(
        "if test \"$(id -u)\" = 0; then exec sh -c \"$1\"; fi; exec env LC_ALL=C LANGUAGE=C {sudo} -- sh -c \"$1\""
    );
    format!("exec sh -c '{root}' sh '{LOOP}'")
}

fn contains_line(bytes: &[u8], line: &str) -> bool {
    String::from_utf8_lossy(bytes).split_inclusive('\n').any(|known| known.strip_suffix('\n') == Some(line))
}

/// Passes on what comes, as it comes: sudo's question ends without a line's end. When too much waits, nothing more is
/// read: the pipe closes, and the client ends.
fn listen(
    mut from: impl Read,
    tell: &mpsc::Sender<ClientOutput>,
    waiting: &AtomicUsize,
    name: fn(Vec<u8>) -> ClientOutput,
    ends: bool,
) {
    let mut buffer = vec![0; 64 * 1024];
    while let Ok(read @ 1..) = from.read(&mut buffer) {
        let too_much = waiting.fetch_add(read, Ordering::Relaxed) + read > MOST_WAITING;
        let heard = if too_much { ClientOutput::TooMuch } else { name(buffer[..read].to_vec()) };
        if tell.send(heard).is_err() || too_much {
            return;
        }
    }
    if ends {
        // Nobody listens any longer: as good as told.
        let _ = tell.send(ClientOutput::End);
    }
}

/// Ends the client when a part of what is sent is not taken in time.
fn watch(orders: &mpsc::Receiver<Option<Instant>>, child: &Mutex<Child>) {
    let mut until: Option<Instant> = None;
    loop {
        let order = match until {
            None => orders.recv().map_err(|_| mpsc::RecvTimeoutError::Disconnected),
            Some(at) => orders.recv_timeout(at.saturating_duration_since(Instant::now())),
        };
        match order {
            Ok(next) => until = next,
            Err(mpsc::RecvTimeoutError::Timeout) => return end(child),
            Err(mpsc::RecvTimeoutError::Disconnected) => return,
        }
    }
}

/// A client that is gone already is as good as one that was ended.
fn end(child: &Mutex<Child>) {
    let mut child = child.lock().unwrap_or_else(PoisonError::into_inner);
    let _ = child.kill();
    let _ = child.wait();
}

/// The device sent more than any answer has.
pub fn too_much(name: &str, when: &str) -> Fault {
    let words = format!("{name} sent more than {} MiB {when}: the connection was closed", LONGEST_REPLY >> 20);
    Fault::new(FaultClass::Away, "ssh", "run", "TooMuch", words)
        .next("the answer is not what was expected: check the device, then run the same command again")
}

fn sudo_refused(host: &HostSpec, why: &str) -> Fault {
    let (words, next) = refusal::sudo(why);
    Fault::new(FaultClass::Refused, "ssh", "sudo", "SudoRefused", format!("{}: {words}", host.name)).next(next)
}

#[cfg(test)]
#[path = "connection_tests.rs"]
mod tests;

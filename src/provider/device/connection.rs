//! One connection by the user's own OpenSSH client, with a root shell behind it that takes scripts in frames.

use std::io::{Read, Write};
use std::path::PathBuf;
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc;
use std::time::{Duration, Instant};

use super::client::{self, CONNECT_SECONDS};
use crate::resource::host::HostSpec;
use crate::resource::{Class, Fault};

/// What the far side says when its loop runs.
const READY: &str = "akidb-edge-ready";
/// What sudo says when it wants a password.
const ASKS: &str = "[akidb-edge asks for the sudo password]";
/// sudo may wait this long after a wrong password.
const SUDO_WITHIN: Duration = Duration::from_secs(20);

/// The loop on the far side. Scripts come on standard input and lie in a directory of root alone, so that nothing of
/// them shows in a process list. Its text has no single quote, so that it can be quoted.
const LOOP: &str = r#"d=$(mktemp -d /run/akidb-edge.XXXXXX 2>/dev/null || mktemp -d) || exit 70
trap "rm -rf $d" EXIT
trap "exit 1" HUP TERM PIPE
umask 022
echo akidb-edge-ready
while read -r what n mark path; do case $what in
run) head -c "$n" >"$d/s"; sh "$d/s" </dev/null 2>&1; rm -f "$d/s"; echo "$mark";;
put) rm -f "$d/ok"; head -c "$n" | { cat >"$path" && : >"$d/ok" || cat >/dev/null; } 2>"$d/e"; if test -e "$d/ok"; then echo "$mark 0"; else echo "$mark 1"; cat "$d/e"; fi; echo "$mark";;
esac; done"#;

/// How machines are reached: what the user said once for all of them.
#[derive(Clone, Debug)]
pub struct Access {
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
}

impl Default for Access {
    fn default() -> Self {
        Self {
            config: None,
            accept_new: false,
            sudo: None,
            keep: Duration::ZERO,
            sockets: None,
            alive: Duration::from_secs(15),
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
pub struct Connection {
    child: Child,
    input: Option<ChildStdin>,
    heard: mpsc::Receiver<Heard>,
    /// Output that is not read yet.
    pending: Vec<u8>,
    /// What the client and sudo said.
    said: String,
}

/// What came from the client, in the order in which it came.
enum Heard {
    Output(Vec<u8>),
    Errors(Vec<u8>),
    End,
}

/// Why a line did not come.
#[derive(Debug, PartialEq, Eq)]
pub enum Silence {
    /// The connection ended.
    Ended,
    /// The time is up.
    Late,
}

impl Connection {
    /// Starts the client.
    fn start(mut command: Command) -> Result<Self, Fault> {
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().map_err(|bad| {
            let words = format!("the program ssh cannot be started: {bad}");
            Fault::new(Class::Refused, "ssh", "connect", "NoClient", words)
                .next("install OpenSSH's client (Debian: apt-get install openssh-client)")
        })?;
        let (tell, heard) = mpsc::channel();
        let input = child.stdin.take();
        if let (Some(output), Some(errors)) = (child.stdout.take(), child.stderr.take()) {
            let also = tell.clone();
            std::thread::spawn(move || listen(output, &tell, Heard::Output, true));
            std::thread::spawn(move || listen(errors, &also, Heard::Errors, false));
        }
        Ok(Self { child, input, heard, pending: Vec::new(), said: String::new() })
    }

    /// Sends bytes.
    ///
    /// # Errors
    /// When the connection is gone.
    pub fn send(&mut self, bytes: &[u8]) -> std::io::Result<()> {
        let input = self.input.as_mut().ok_or(std::io::ErrorKind::BrokenPipe)?;
        input.write_all(bytes)?;
        input.flush()
    }

    /// The next line of output, without its end.
    ///
    /// # Errors
    /// When it does not come.
    pub fn line(&mut self, until: Instant) -> Result<String, Silence> {
        loop {
            if let Some(end) = self.pending.iter().position(|byte| *byte == b'\n') {
                let line: Vec<u8> = self.pending.drain(..=end).collect();
                return Ok(String::from_utf8_lossy(&line[..end]).into_owned());
            }
            self.hear(until)?;
        }
    }

    /// Takes in the next thing that comes.
    fn hear(&mut self, until: Instant) -> Result<(), Silence> {
        match self.heard.recv_timeout(until.saturating_duration_since(Instant::now())) {
            Ok(Heard::Output(bytes)) => self.pending.extend(bytes),
            Ok(Heard::Errors(bytes)) => self.said.push_str(&String::from_utf8_lossy(&bytes)),
            Ok(Heard::End) | Err(mpsc::RecvTimeoutError::Disconnected) => return Err(Silence::Ended),
            Err(mpsc::RecvTimeoutError::Timeout) => return Err(Silence::Late),
        }
        Ok(())
    }

    /// What the client said so far.
    pub fn last_words(&self) -> &str {
        self.said.trim()
    }

    /// Becomes root and waits for the loop. The password goes out only when it is asked for: without a question the
    /// shell would take it for a command.
    fn greet(&mut self, access: &Access, host: &HostSpec) -> Result<(), Fault> {
        let (mut until, mut answered) = (Instant::now() + Duration::from_secs(4 * CONNECT_SECONDS), false);
        loop {
            if self.pending.starts_with(READY.as_bytes()) || contains_line(&self.pending, READY) {
                while self.line(until).is_ok_and(|line| line != READY) {}
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
            match self.hear(until) {
                Ok(()) => {}
                Err(Silence::Ended) => return Err(self.explain_the_end(access, host)),
                Err(Silence::Late) => {
                    let words = format!("{} took the connection and then said nothing", host.name);
                    return Err(Fault::new(Class::Away, "ssh", "connect", "Silent", words)
                        .next("look at the device's console; run the same command again"));
                }
            }
        }
    }

    fn explain_the_end(&mut self, access: &Access, host: &HostSpec) -> Fault {
        // What was said last may come after the end of the output.
        let until = Instant::now() + Duration::from_millis(300);
        while self.hear(until) != Err(Silence::Late) && Instant::now() < until {}
        if self.said.contains("sudo:") || self.said.contains(ASKS) {
            return sudo_refused(host, self.said.replace(ASKS, "").trim());
        }
        client::explain(host, access, self.said.trim())
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        // The end of its input ends the loop. A client that is gone already is as good as one that was ended.
        self.input = None;
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Connects, becomes root, starts the loop. Blocks: it is called on a thread of its own.
///
/// # Errors
/// Unreachable; key not known or changed; login refused; sudo refused.
pub fn open(host: &HostSpec, access: &Access) -> Result<Connection, Fault> {
    // A file with a key must be there until the connection stands.
    let (mut command, _pin) = client::command(host, access)?;
    command.arg(&host.address).arg(far_side(access.sudo.is_some()));
    let mut connection = Connection::start(command)?;
    connection.greet(access, host)?;
    Ok(connection)
}

/// What runs on the far side: the loop, as root.
fn far_side(with_password: bool) -> String {
    let sudo = if with_password { format!("sudo -S -p \"{ASKS}\"") } else { "sudo -n".to_owned() };
    format!("if test \"$(id -u)\" = 0; then exec sh -c '{LOOP}'; else exec {sudo} -- sh -c '{LOOP}'; fi")
}

fn contains_line(bytes: &[u8], line: &str) -> bool {
    String::from_utf8_lossy(bytes).split_inclusive('\n').any(|known| known.strip_suffix('\n') == Some(line))
}

/// Passes on what comes, as it comes: sudo's question ends without a line's end.
fn listen(mut from: impl Read, tell: &mpsc::Sender<Heard>, name: fn(Vec<u8>) -> Heard, ends: bool) {
    let mut buffer = vec![0; 64 * 1024];
    while let Ok(read @ 1..) = from.read(&mut buffer) {
        if tell.send(name(buffer[..read].to_vec())).is_err() {
            return;
        }
    }
    if ends {
        // Nobody listens any more: as good as told.
        let _ = tell.send(Heard::End);
    }
}

fn sudo_refused(host: &HostSpec, why: &str) -> Fault {
    let why = if why.contains("password is required") { "sudo wants a password" } else { why };
    Fault::new(Class::Refused, "ssh", "sudo", "SudoRefused", format!("{}: {why}", host.name))
        .next("add --ask-sudo-password, or --sudo-password-fd N; or allow the user sudo without one")
}

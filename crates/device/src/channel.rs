//! The queue of one machine: requests that arrive while a script runs are sent together in the next one.

use std::io::Read;
use std::sync::mpsc;
use std::time::{Duration, Instant};

use tokio::sync::oneshot;

use super::connection::{self, DeviceAccess, LONGEST_REPLY, ReadFailure, SshConnection};
use super::script::{Script, last_words};
use crate::resource::host::HostSpec;
use crate::resource::{ArtifactSource, Fault, FaultClass, Untrusted, syntax_check};

/// The longest that a script may take: packages and images are slow on a small device.
const LONGEST: Duration = Duration::from_secs(30 * 60);
/// Bytes of a file sent at once.
const CHUNK: usize = 256 * 1024;

/// What every script knows: the addresses that were made on this machine, one between each two line ends; and how to make
/// the directory of what is recorded. That is root's alone, or it is not used: scripts in it are run, and files moved to
/// where the system reads them.
const RECALL: &str = r#"akidb_edge_line='
'
akidb_edge_made="$akidb_edge_line$(cat /var/lib/akidb-edge/made 2>/dev/null)$akidb_edge_line"
akidb_edge_memory() {
  mkdir -p -m 0700 /var/lib/akidb-edge || exit 1
  if test -L /var/lib/akidb-edge || test "$(stat -c %u /var/lib/akidb-edge)" != 0; then
    echo "/var/lib/akidb-edge belongs to somebody else than root"; exit 1
  fi
  chmod 0700 /var/lib/akidb-edge
}
"#;

/// What a script said.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ScriptOutput {
    /// Its exit status.
    pub code: i32,
    /// Everything that it printed, errors in between. Only this module reads it; all others use [`said`](Self::said).
    pub(super) output: String,
}

impl ScriptOutput {
    /// What it printed, to be shown.
    pub fn said(&self) -> Untrusted {
        Untrusted::from(self.output.trim())
    }

    /// Its last lines in one, to be shown: enough to say why.
    pub fn last_words(&self, lines: usize) -> Untrusted {
        last_words(&self.output, lines).into()
    }
}

/// A file that goes to a machine.
#[derive(Clone, Debug)]
pub struct FileUpload {
    /// Where its bytes are.
    pub from: ArtifactSource,
    /// Absolute path on the machine; the directory is there.
    pub to: String,
}

/// Something to do on a machine.
enum Task {
    Script(Script),
    Upload(FileUpload),
}

struct ChannelRequest {
    task: Task,
    answer: oneshot::Sender<Result<ScriptOutput, Fault>>,
}

/// The way to one machine.
pub struct Channel {
    queue: mpsc::Sender<ChannelRequest>,
}

impl Channel {
    /// Connects.
    ///
    /// # Errors
    /// Why there is no connection.
    pub async fn open(host: HostSpec, access: DeviceAccess) -> Result<Self, Fault> {
        let (queue, requests) = mpsc::channel();
        let (opened, opening) = oneshot::channel();
        std::thread::spawn(move || match connection::open(&host, &access) {
            // Nobody waits any longer: then nobody will ask either.
            Err(fault) => drop(opened.send(Err(fault))),
            Ok(connection) => {
                if opened.send(Ok(())).is_ok() {
                    Worker { name: host.name, connection, number: 0 }.work(&requests);
                }
            }
        });
        opening.await.map_err(|_| lost("connect"))??;
        Ok(Self { queue })
    }

    /// Runs a script as root.
    ///
    /// # Errors
    /// When the connection is lost: nobody knows how far the script came.
    pub async fn run(&self, script: Script) -> Result<ScriptOutput, Fault> {
        self.ask(Task::Script(script)).await
    }

    /// Brings a file.
    ///
    /// # Errors
    /// When the connection is lost or the file cannot be written or read.
    pub async fn upload(&self, upload: FileUpload) -> Result<(), Fault> {
        let to = upload.to.clone();
        if !syntax_check::path(&to) {
            return Err(Fault::new(
                FaultClass::Refused,
                "ssh",
                "upload",
                "BadPath",
                format!("{to:?} cannot be written"),
            )
            .next(syntax_check::PATH));
        }
        let reply = self.ask(Task::Upload(upload)).await?;
        if reply.code == 0 {
            return Ok(());
        }
        let words = format!("{to} could not be written: {}", reply.output.trim());
        Err(Fault::new(FaultClass::Refused, "ssh", "upload", "NotWritten", words)
            .next("check the free space and the permissions of that directory, then run the same command again"))
    }

    async fn ask(&self, task: Task) -> Result<ScriptOutput, Fault> {
        let (answer, answered) = oneshot::channel();
        self.queue.send(ChannelRequest { task, answer }).map_err(|_| lost("run"))?;
        answered.await.map_err(|_| lost("run"))?
    }
}

fn lost(operation: &str) -> Fault {
    Fault::new(FaultClass::Away, "ssh", operation, "ConnectionLost", "the connection to the device was lost")
        .next("run the same command again to continue")
}

/// The thread that talks to one machine.
struct Worker {
    name: String,
    connection: SshConnection,
    number: u64,
}

impl Worker {
    fn work(mut self, requests: &mpsc::Receiver<ChannelRequest>) {
        while let Ok(first) = requests.recv() {
            let mut batch = vec![first];
            batch.extend(requests.try_iter());
            if !self.serve(batch) {
                return;
            }
        }
    }

    /// Serves all of these; false when the connection is gone.
    fn serve(&mut self, batch: Vec<ChannelRequest>) -> bool {
        let mut scripts = Vec::new();
        for request in batch {
            match request.task {
                Task::Script(script) => scripts.push((script, request.answer)),
                Task::Upload(upload) => {
                    let reply = self.upload(&upload);
                    let gone = reply.as_ref().is_err_and(|fault| fault.class == FaultClass::Away);
                    // Who asked is gone: nobody wants the answer.
                    let _ = request.answer.send(reply);
                    if gone {
                        return false;
                    }
                }
            }
        }
        scripts.is_empty() || self.scripts(scripts)
    }

    fn mark(&mut self) -> String {
        self.number += 1;
        format!("akidb-edge-end-{}-{}", std::process::id(), self.number)
    }

    /// Runs scripts in one go, each in a shell of its own.
    fn scripts(&mut self, scripts: Vec<(Script, oneshot::Sender<Result<ScriptOutput, Fault>>)>) -> bool {
        let mark = self.mark();
        let mut text = String::from(RECALL);
        for (script, _) in &scripts {
            text.push_str(&format!("(\n{}\n)\ncode=$?; echo; echo {mark} $code\n", script.as_str()));
        }
        let frame = format!("run {} {mark} -\n{text}", text.len());
        let sent = self.connection.send(frame.as_bytes());
        let until = Instant::now() + LONGEST;
        for (_, answer) in scripts {
            let reply = match &sent {
                Ok(()) => self.reply(&mark, until),
                Err(_) => Err(self.gone()),
            };
            let ended = reply.is_err();
            // Who asked is gone: nobody wants the answer.
            let _ = answer.send(reply);
            if ended {
                return false;
            }
        }
        self.connection.line(until).is_ok()
    }

    /// Everything up to the mark.
    fn reply(&mut self, mark: &str, until: Instant) -> Result<ScriptOutput, Fault> {
        let (mut lines, mut bytes): (Vec<String>, usize) = (Vec::new(), 0);
        loop {
            let line = self.connection.line(until).map_err(|silence| match silence {
                ReadFailure::Ended => self.gone(),
                ReadFailure::TooMuch => self.too_much(),
                ReadFailure::Late => Fault::new(
                    FaultClass::Away,
                    "ssh",
                    "run",
                    "Late",
                    format!("{}: a script did not end within {} minutes", self.name, LONGEST.as_secs() / 60),
                ),
            })?;
            if let Some(code) = line.strip_prefix(mark) {
                // The mark begins a line of its own: the line's end before it is not the script's.
                lines.pop_if(|last| last.is_empty());
                return Ok(ScriptOutput { code: code.trim().parse().unwrap_or(-1), output: lines.join("\n") });
            }
            bytes += line.len() + 1;
            if bytes > LONGEST_REPLY {
                return Err(self.too_much());
            }
            lines.push(line);
        }
    }

    fn too_much(&self) -> Fault {
        connection::too_much(&self.name, "as the answer to one question")
    }

    fn upload(&mut self, upload: &FileUpload) -> Result<ScriptOutput, Fault> {
        let unreadable = |bad: std::io::Error| {
            Fault::new(FaultClass::Refused, "ssh", "upload", "NotReadable", format!("{}: {bad}", upload.to))
                .next("bring the file back, then run the same command again")
        };
        let (mut from, size): (Box<dyn Read>, u64) = match &upload.from {
            ArtifactSource::Memory(bytes) => (Box::new(std::io::Cursor::new(bytes)), bytes.len() as u64),
            ArtifactSource::File(path) => {
                let file = std::fs::File::open(path).map_err(unreadable)?;
                let size = file.metadata().map_err(unreadable)?.len();
                (Box::new(file), size)
            }
        };
        let mark = self.mark();
        let head = format!("put {size} {mark} {}\n{}", upload.to.len(), upload.to);
        let mut sent = self.connection.send(head.as_bytes());
        let (mut buffer, mut left) = (vec![0; CHUNK], size);
        while left > 0 && sent.is_ok() {
            let room = usize::try_from(left).unwrap_or(CHUNK).min(CHUNK);
            let read = from.read(&mut buffer[..room]).map_err(unreadable)?;
            if read == 0 {
                // Shorter than it was: the far side still waits for the rest, so this connection is of no more use.
                return Err(self.gone());
            }
            left -= read as u64;
            sent = self.connection.send(&buffer[..read]);
        }
        sent.map_err(|_| self.gone())?;
        let until = Instant::now() + LONGEST;
        let reply = self.reply(&format!("{mark} "), until);
        self.rest(reply, &mark, until)
    }

    /// An upload's answer is followed by what went wrong and the bare mark.
    fn rest(&mut self, reply: Result<ScriptOutput, Fault>, mark: &str, until: Instant) -> Result<ScriptOutput, Fault> {
        let mut reply = reply?;
        loop {
            match self.connection.line(until) {
                Ok(line) if line == mark => return Ok(reply),
                Ok(line) if reply.output.len() + line.len() > LONGEST_REPLY => return Err(self.too_much()),
                Ok(line) => reply.output.push_str(&format!("{line}\n")),
                Err(ReadFailure::TooMuch) => return Err(self.too_much()),
                Err(_) => return Err(self.gone()),
            }
        }
    }

    fn gone(&self) -> Fault {
        let mut fault = lost("run");
        let said = self.connection.last_words();
        let said = said.lines().next_back().map_or_else(String::new, |last| format!(": {last}"));
        fault.message = format!("the connection to {} was lost{said}", self.name).into();
        fault
    }
}

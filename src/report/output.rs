//! The two streams of the process. A stream that cannot be written to ends the talk, never the work.

use std::fs::File;
use std::io::{self, ErrorKind, Write};
use std::os::fd::AsFd;
use std::os::unix::fs::FileTypeExt;
use std::sync::OnceLock;

/// `EIO`: what a terminal that was closed answers (write(2)).
const INPUT_OUTPUT: i32 = 5;

/// Why standard output could not be written, the first time.
static LOST: OnceLock<String> = OnceLock::new();

/// Writes a line to standard output. A reader that went away (`| head`, a window that was closed) is not
/// waited for; any other failure is remembered for
/// [`lost`].
pub fn put(text: &str) {
    let mut out = io::stdout().lock();
    note(writeln!(out, "{text}").and_then(|()| out.flush()));
}

/// Writes a line to standard error. When nobody can read it (the terminal is gone, the pipe is closed), it is dropped.
pub fn say(text: &str) {
    let _ = writeln!(io::stderr().lock(), "{text}");
}

/// Writes a question to standard error, without a line end.
pub fn say_open(text: &str) {
    let mut to = io::stderr().lock();
    let _ = write!(to, "{text}").and_then(|()| to.flush());
}

/// Why a part of what was written to standard output did not arrive (the disk is full); none when all of it did, or when its
/// reader closed it.
pub fn lost() -> Option<&'static str> {
    LOST.get().map(String::as_str)
}

fn note(written: io::Result<()>) {
    if let Err(bad) = written
        && bad.kind() != ErrorKind::BrokenPipe
        && !(bad.raw_os_error() == Some(INPUT_OUTPUT) && is_device())
    {
        LOST.get_or_init(|| bad.to_string());
    }
}

/// Whether standard output is a terminal, be it one that is gone: it is not known as one any more then.
fn is_device() -> bool {
    let file = io::stdout().as_fd().try_clone_to_owned().map(File::from);
    file.and_then(|file| file.metadata()).is_ok_and(|facts| facts.file_type().is_char_device())
}

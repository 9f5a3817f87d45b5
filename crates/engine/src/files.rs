//! Files that the user names: opened without blocking, and read up to a limit.

mod relative_path;

use std::fs::{File, OpenOptions};
use std::io::{self, Read};
use std::os::unix::fs::{FileTypeExt, OpenOptionsExt};
use std::path::Path;

use rustix::fs::OFlags;
use rustix::io::Errno;
use sha2::Digest;

pub use relative_path::{InvalidRelativePath, RelativePath, within};

/// Opens a regular file. Anything else is refused at once: a pipe would be waited for, and a device may give bytes without end. What
/// was opened is looked at, not what lay at the path before.
///
/// # Errors
/// It cannot be opened, or is not a regular file.
pub fn open(path: &Path) -> io::Result<File> {
    // A pipe opens although nothing writes into it, and a terminal does not become that of this process.
    let flags = OFlags::NONBLOCK | OFlags::NOCTTY;
    let file = OpenOptions::new().read(true).custom_flags(flags.bits().cast_signed()).open(path)?;
    let facts = file.metadata()?;
    if facts.is_dir() {
        return Err(Errno::ISDIR.into());
    }
    if facts.is_file() { Ok(file) } else { Err(io::Error::other("it is not a regular file")) }
}

/// Where a shell puts what it passes by `<(command)`: a pipe that somebody writes into already.
const OF_A_SHELL: [&str; 2] = ["/dev/fd", "/proc/self/fd"];

/// As [`open`], or the pipe of a command that a shell passes: `--var-file <(sops --decrypt secrets.yaml)`.
fn open_or_pipe(path: &Path) -> io::Result<File> {
    if OF_A_SHELL.iter().any(|folder| path.parent() == Some(Path::new(folder))) {
        let file = File::open(path)?;
        if file.metadata()?.file_type().is_fifo() {
            return Ok(file);
        }
    }
    open(path)
}

/// The bytes of a regular file, or of a command that a shell passes by `<(command)`.
///
/// # Errors
/// As [`open`], and it has more than `most` bytes: a larger one is not read at all.
pub fn read(path: &Path, most: u64) -> io::Result<Vec<u8>> {
    let file = open_or_pipe(path)?;
    let mut bytes = Vec::new();
    // Files of /proc say that they are empty, and one may grow while it is read.
    let larger = file.metadata()?.len() > most;
    if !larger {
        file.take(most.saturating_add(1)).read_to_end(&mut bytes)?;
    }
    if larger || bytes.len() as u64 > most {
        return Err(io::Error::other(format!("it is larger than {}", amount(most))));
    }
    Ok(bytes)
}

/// The text of a regular file.
///
/// # Errors
/// As [`read`], and it is not UTF-8.
pub fn read_text(path: &Path, most: u64) -> io::Result<String> {
    String::from_utf8(read(path, most)?).map_err(|bad| {
        let at = bad.utf8_error().valid_up_to();
        io::Error::new(io::ErrorKind::InvalidData, format!("it is not UTF-8 from byte {} on", at + 1))
    })
}

/// SHA-256 in hex and size of a file, without holding it in memory.
///
/// # Errors
/// When the file cannot be read.
pub fn hash(path: &Path) -> io::Result<(String, u64)> {
    let mut file = open(path)?;
    let mut hasher = sha2::Sha256::new();
    let mut buffer = vec![0; 256 * 1024];
    let mut size = 0;
    loop {
        let read = file.read(&mut buffer)?;
        if read == 0 {
            return Ok((hex::encode(hasher.finalize()), size));
        }
        hasher.update(&buffer[..read]);
        size += read as u64;
    }
}

fn amount(bytes: u64) -> String {
    const MIB: u64 = 1 << 20;
    if bytes >= MIB && bytes.is_multiple_of(MIB) { format!("{} MiB", bytes / MIB) } else { format!("{bytes} bytes") }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(path: &Path) -> String {
        assert_eq!(open(path).err().map(|bad| bad.to_string()), read(path, 10).err().map(|bad| bad.to_string()));
        read_text(path, 10).expect_err("it is refused").to_string()
    }

    #[test]
    fn what_has_no_end_or_is_waited_for_is_refused_at_once() {
        let folder = tempfile::tempdir().expect("a folder");
        let pipe = folder.path().join("pipe");
        let made = std::process::Command::new("mkfifo").arg(&pipe).status().expect("mkfifo");
        assert!(made.success());
        for path in [Path::new("/dev/zero"), Path::new("/dev/null"), &pipe] {
            assert_eq!(refused(path), "it is not a regular file", "{}", path.display());
        }
        assert_eq!(open(folder.path()).expect_err("a folder").kind(), io::ErrorKind::IsADirectory);
        let none = open(&folder.path().join("none")).expect_err("nothing is there");
        assert_eq!(none.kind(), io::ErrorKind::NotFound);
    }

    #[test]
    fn a_file_is_read_up_to_its_bound() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("file");
        std::fs::write(&path, "12345").expect("a file");
        assert_eq!(read_text(&path, 5).expect("it fits"), "12345");
        assert_eq!(read(&path, 4).expect_err("too large").to_string(), "it is larger than 4 bytes");
        File::create(&path).expect("a file").set_len(20 << 30).expect("its length");
        assert_eq!(read(&path, 4 << 20).expect_err("too large").to_string(), "it is larger than 4 MiB");
        std::fs::write(&path, b"ab\xff").expect("a file");
        assert_eq!(read_text(&path, 5).expect_err("no text").to_string(), "it is not UTF-8 from byte 3 on");
        assert!(read_text(Path::new("/proc/self/status"), 1 << 20).expect("a text").contains("Name:"));
    }
}

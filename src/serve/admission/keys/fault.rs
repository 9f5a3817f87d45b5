//! What is wrong with a file of keys. No message has a part of a line: somebody may have written a key where its hash belongs.

use std::io;
use std::path::PathBuf;

/// Why a file of keys is not taken.
#[derive(Debug, thiserror::Error)]
pub enum KeysFault {
    /// The system does not give it.
    #[error("{}: {source}", file.display())]
    Unread {
        /// The file.
        file: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// A line of it is not a key.
    #[error("{}, {source}", file.display())]
    Line {
        /// The file.
        file: PathBuf,
        /// The line, and what is wrong with it.
        source: InvalidKeyLine,
    },
    /// It has no key at all.
    #[error("{}, line 1: it contains no key; akidb-edge serve --new-api-key NAME generates one", file.display())]
    Empty {
        /// The file.
        file: PathBuf,
    },
}

/// A line that is not a key.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[error("line {number}: {wrong}")]
pub struct InvalidKeyLine {
    /// Its number, from 1.
    pub number: usize,
    /// What is wrong with it.
    pub wrong: LineFault,
}

/// What is wrong with a line.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub enum LineFault {
    /// Its name.
    #[error("the name is letters, digits, dots, dashes and underscores")]
    Name,
    /// Its form.
    #[error("it is not NAME:sha256:HEX[:tenant=T][:rate=N]")]
    Form,
    /// Its hash.
    #[error("the hash is not 64 hexadecimal digits; use the line that --new-api-key prints")]
    Hash,
    /// What follows the hash.
    #[error("after the hash only tenant=NAME and rate=REQUESTS-PER-SECOND are allowed")]
    Rest,
    /// Its key.
    #[error("the same key appears twice")]
    Twice,
}

/// Why no key is made.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub enum MintFault {
    /// The name.
    #[error("a key's name is at most 64 letters, digits, dots, dashes and underscores")]
    Name,
    /// The system.
    #[error("the system provides no random numbers")]
    NoRandom,
}

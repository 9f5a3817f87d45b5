//! Fetches an object of a chain and accepts it only if its proof and its hash match.

use std::io::{self, Read as _, Seek as _, Write as _};
use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};
use tempfile::SpooledTempFile;
use tokio::io::AsyncReadExt as _;
use tokio::time::timeout;

use crate::calls::Calls;
use crate::ltx::{Header, Name};
use crate::proof::Proof;
use crate::store::{Object, ReadAnswer, StoreFault};
use crate::trust::Trust;

/// What is longer lies in a file until it is used.
const IN_MEMORY: usize = 1 << 20;
/// Bytes that are read at once.
const CHUNK: usize = 128 << 10;

/// Why an object was not brought.
#[derive(Debug, thiserror::Error)]
pub(crate) enum FetchFault {
    #[error(transparent)]
    Store(#[from] StoreFault),
    #[error("{key} is refused: {why}")]
    Refused { key: String, why: String },
    #[error("{}: {source}", path.display())]
    Local { path: PathBuf, source: io::Error },
}

/// An object that was brought.
#[derive(Debug)]
pub(crate) struct Fetched {
    /// Its name.
    pub name: Name,
    /// What its header says.
    pub header: Header,
    /// What is proven of it.
    pub proof: Option<Proof>,
    /// Its bytes.
    pub size: u64,
    content: SpooledTempFile,
}

impl Fetched {
    /// Its content, from the begin.
    pub fn reader(&mut self) -> io::Result<&mut SpooledTempFile> {
        self.content.rewind()?;
        Ok(&mut self.content)
    }
}

/// Brings an object.
pub(crate) async fn fetch(calls: &Calls, name: Name, trust: &Trust, scratch: &Path) -> Result<Fetched, FetchFault> {
    let key = name.key(calls.layout());
    let mut pause = std::time::Duration::from_millis(200);
    for _ in 0..2 {
        match once(calls, &key, name, trust, scratch).await {
            Err(FetchFault::Store(bad)) if bad.passes() => tokio::time::sleep(pause).await,
            other => return other,
        }
        pause *= 2;
    }
    once(calls, &key, name, trust, scratch).await
}

/// One try: what a follower does for the object that may not be there yet.
pub(crate) async fn once(
    calls: &Calls,
    key: &str,
    name: Name,
    trust: &Trust,
    scratch: &Path,
) -> Result<Fetched, FetchFault> {
    let object = match calls.get(key, None).await? {
        ReadAnswer::Object(object) => object,
        ReadAnswer::Unchanged => return Err(refused(key, "the store answered a question that was not asked")),
    };
    let proof = Proof::read(name, &object.metadata, trust).map_err(|bad| refused(key, bad))?;
    if let Some(claim) = proof.as_ref().map(|proof| &proof.claim)
        && claim.size != object.size
    {
        return Err(refused(key, format!("it has {} bytes, and its proof has {}", object.size, claim.size)));
    }
    let (content, size, sha256) = drain(calls, object, scratch).await?;
    if proof.as_ref().is_some_and(|proof| proof.claim.sha256 != sha256) {
        return Err(refused(key, "its hash differs from its proof: it was damaged or truncated"));
    }
    check(key, name, proof, size, content)
}

fn check(
    key: &str,
    name: Name,
    proof: Option<Proof>,
    size: u64,
    mut content: SpooledTempFile,
) -> Result<Fetched, FetchFault> {
    let mut begin = [0; Header::SIZE];
    content.rewind().and_then(|()| content.read_exact(&mut begin)).map_err(|_| refused(key, "it ends too early"))?;
    let header = Header::parse(&begin).map_err(|bad| refused(key, bad))?;
    if (header.min, header.max) != (name.min, name.max) {
        let why = format!("it has the states {} to {}: another object lies under its name", header.min, header.max);
        return Err(refused(key, why));
    }
    if proof.as_ref().is_some_and(|proof| proof.claim.pages != header.commit) {
        return Err(refused(key, "its proof is about another number of pages"));
    }
    Ok(Fetched { name, header, proof, size, content })
}

/// Reads a body to its end.
async fn drain(
    calls: &Calls,
    mut object: Object,
    scratch: &Path,
) -> Result<(SpooledTempFile, u64, String), FetchFault> {
    let local = |source| FetchFault::Local { path: scratch.to_owned(), source };
    let mut content = tempfile::spooled_tempfile_in(IN_MEMORY, scratch);
    let mut hash = Sha256::new();
    let mut chunk = vec![0; CHUNK];
    let mut size = 0;
    loop {
        let silent = |_| io::Error::from(io::ErrorKind::TimedOut);
        let read = timeout(calls.limit(), object.body.read(&mut chunk)).await.map_err(silent).flatten();
        let read = read.map_err(|bad| calls.broken(&bad))?;
        if read == 0 {
            break;
        }
        size += read as u64;
        if size > object.size {
            break;
        }
        hash.update(&chunk[..read]);
        content.write_all(&chunk[..read]).map_err(local)?;
    }
    if size != object.size {
        let detail = format!("it sent {size} of {} bytes", object.size);
        return Err(StoreFault::Unreachable { store: calls.name(), detail }.into());
    }
    Ok((content, size, hex::encode(hash.finalize())))
}

fn refused(key: &str, why: impl ToString) -> FetchFault {
    FetchFault::Refused { key: key.to_owned(), why: why.to_string() }
}

//! Downloads one file: resumes it, and accepts it only after its hash was verified.
//!
//! A part is under the hash of the whole, so what is asked for can only be the same bytes; no `If-Range` is needed. When
//! the whole of an old part and a new one is wrong, it is asked for once more from its first byte.

use std::io;
use std::path::{Path, PathBuf};

use reqwest::header::{CONTENT_RANGE, RANGE};
use reqwest::{Response, StatusCode};
use tokio::fs::{self, File};
use tokio::io::AsyncWriteExt;

use super::retry::{RetryState, TryFailure};
use super::{Hub, RemoteFile};
use crate::models::digest::{self, Digest};
use crate::models::event::{ModelEvent, ModelListener};
use crate::models::fault::ModelsFault;
use crate::models::name::Repo;

/// What is asked for.
#[derive(Clone, Copy, Debug)]
pub struct FetchRequest<'a> {
    /// The repository.
    pub repo: &'a Repo,
    /// The commit.
    pub commit: &'a str,
    /// The path in it.
    pub path: &'a str,
    /// What is known of it.
    pub remote: &'a RemoteFile,
}

/// A file that is here and right.
#[derive(Clone, Debug)]
pub struct FetchedFile {
    /// The hash that the hub knows it by.
    pub hash: String,
    /// Where it lies.
    pub place: PathBuf,
    /// Its size and hash.
    pub digest: Digest,
    /// Bytes that came now.
    pub came: u64,
}

impl Hub {
    /// Makes sure that a file is in the folder of parts.
    ///
    /// # Errors
    /// When it does not come, is wrong, or cannot be written.
    pub async fn fetch(
        &self,
        ask: FetchRequest<'_>,
        parts: &Path,
        listener: ModelListener<'_>,
    ) -> Result<FetchedFile, ModelsFault> {
        let place = parts.join(ask.remote.expected.hex());
        let hash = ask.remote.expected.hex().to_owned();
        if let Some(digest) = right(&place, &ask).await? {
            return Ok(FetchedFile { hash, place, digest, came: 0 });
        }
        let part = place.with_extension("partial");
        let mut came = 0;
        let resumed = length(&part).await;
        listener(&ModelEvent::Begun { file: ask.path, size: ask.remote.size, here: resumed });
        let mut suspect = resumed > 0;
        loop {
            came += match self.until_whole(&ask, &part, listener).await {
                // What came was not the file: nothing of it is to go on from.
                Err(wrong @ ModelsFault::WrongBytes { .. }) => {
                    fs::remove_file(&part).await.map_err(ModelsFault::file(&part))?;
                    return Err(wrong);
                }
                other => other?,
            };
            if let Some(digest) = right(&part, &ask).await? {
                fs::rename(&part, &place).await.map_err(ModelsFault::file(&place))?;
                listener(&ModelEvent::Right { file: ask.path, size: digest.size });
                return Ok(FetchedFile { hash, place, digest, came });
            }
            let why = wrong(&part, &ask).await;
            fs::remove_file(&part).await.map_err(ModelsFault::file(&part))?;
            if !suspect {
                return Err(ModelsFault::WrongBytes { file: ask.path.to_owned(), why });
            }
            suspect = false;
            listener(&ModelEvent::Remark(
                "the partial download was invalid: the file is downloaded again from the start",
            ));
        }
    }

    /// Asks until all bytes are here, whatever they are. How many came.
    async fn until_whole(
        &self,
        ask: &FetchRequest<'_>,
        part: &Path,
        listener: ModelListener<'_>,
    ) -> Result<u64, ModelsFault> {
        let mut tries = RetryState::new(self.retry_policy, ask.path, self.host(), listener);
        let (mut came, mut furthest, mut renewed) = (0, length(part).await, false);
        loop {
            let trouble = match self.fetch_once(ask, part, listener, &mut came).await {
                Ok(()) => return Ok(came),
                Err(trouble) => trouble,
            };
            // Bytes that were here before are not progress: a server without ranges sends them again and again.
            let here = length(part).await;
            if here > furthest {
                furthest = here;
                tries.progress();
            }
            match trouble {
                // Signed addresses end after a while: the hub gives a new one, once.
                TryFailure::Expired(_) if !renewed => renewed = true,
                trouble => tries.pause(trouble).await?,
            }
        }
    }

    async fn fetch_once(
        &self,
        ask: &FetchRequest<'_>,
        part: &Path,
        listener: ModelListener<'_>,
        came: &mut u64,
    ) -> Result<(), TryFailure> {
        let mut file = File::options().create(true).append(true).open(part).await.map_err(ModelsFault::file(part))?;
        let mut here = length(part).await;
        if here > ask.remote.size {
            file.set_len(0).await.map_err(ModelsFault::file(part))?;
            here = 0;
        }
        if here < ask.remote.size {
            let answer = self.answer(ask, here).await?;
            let begins = match begins(&answer, here, ask)? {
                ResumePoint::At(begins) => begins,
                ResumePoint::Elsewhere(why) => {
                    file.set_len(0).await.map_err(ModelsFault::file(part))?;
                    return Err(TryFailure::Again { why, after: None });
                }
            };
            if begins < here {
                file.set_len(begins).await.map_err(ModelsFault::file(part))?;
            }
            let written = write(answer, &mut file, begins, ask, listener, came).await;
            file.flush().await.map_err(ModelsFault::file(part))?;
            written.map_err(|trouble| trouble.of(part))?;
        }
        file.sync_all().await.map_err(ModelsFault::file(part))?;
        Ok(())
    }

    async fn answer(&self, ask: &FetchRequest<'_>, here: u64) -> Result<Response, TryFailure> {
        let mut parts = vec![&*ask.repo.owner, &*ask.repo.name, "resolve", ask.commit];
        parts.extend(ask.path.split('/'));
        let mut request = self.get(self.url(&parts));
        if here > 0 {
            request = request.header(RANGE, format!("bytes={here}-"));
        }
        let answer = request.send().await?;
        let ranged = here > 0 && answer.status() == StatusCode::RANGE_NOT_SATISFIABLE;
        if answer.status().is_success() || ranged { Ok(answer) } else { Err(self.refusal(&answer, ask.repo, ask.path)) }
    }
}

/// Where an answer goes on.
enum ResumePoint {
    /// At this byte: the one asked for, or the first one where the server knows no ranges.
    At(u64),
    /// Nowhere that is of use.
    Elsewhere(String),
}

fn begins(answer: &Response, here: u64, ask: &FetchRequest<'_>) -> Result<ResumePoint, ModelsFault> {
    let size = ask.remote.size;
    let last = size - 1;
    match answer.status() {
        StatusCode::PARTIAL_CONTENT => {
            let said = answer.headers().get(CONTENT_RANGE).and_then(|value| value.to_str().ok()).unwrap_or_default();
            let fits = [format!("bytes {here}-{last}/{size}"), format!("bytes {here}-{last}/*")];
            let why = format!("requested bytes {here}-{last}/{size}, the answer has {said:?}");
            Ok(if fits.iter().any(|fit| fit == said) { ResumePoint::At(here) } else { ResumePoint::Elsewhere(why) })
        }
        StatusCode::RANGE_NOT_SATISFIABLE => {
            Ok(ResumePoint::Elsewhere(format!("there is no data from byte {here} on")))
        }
        _ => match answer.content_length() {
            Some(other) if other != size => {
                let why = format!("{size} bytes were announced, the answer has {other}");
                Err(ModelsFault::WrongBytes { file: ask.path.to_owned(), why })
            }
            _ => Ok(ResumePoint::At(0)),
        },
    }
}

/// A connection that broke, or a disk that refused.
enum TransferError {
    Network(TryFailure),
    Disk(io::Error),
}

impl TransferError {
    fn of(self, part: &Path) -> TryFailure {
        match self {
            Self::Network(trouble) => trouble,
            Self::Disk(bad) => ModelsFault::file(part)(bad).into(),
        }
    }
}

async fn write(
    mut answer: Response,
    file: &mut File,
    begins: u64,
    ask: &FetchRequest<'_>,
    listener: ModelListener<'_>,
    came: &mut u64,
) -> Result<(), TransferError> {
    let mut here = begins;
    while let Some(piece) = answer.chunk().await.map_err(|bad| TransferError::Network(bad.into()))? {
        here += piece.len() as u64;
        if here > ask.remote.size {
            let why = format!("{} bytes were announced, more were received", ask.remote.size);
            return Err(TransferError::Network(ModelsFault::WrongBytes { file: ask.path.to_owned(), why }.into()));
        }
        file.write_all(&piece).await.map_err(TransferError::Disk)?;
        *came += piece.len() as u64;
        listener(&ModelEvent::Moved { file: ask.path, here });
    }
    if here < ask.remote.size {
        let why = format!("the connection closed after {here} of {} bytes", ask.remote.size);
        return Err(TransferError::Network(TryFailure::Again { why, after: None }));
    }
    Ok(())
}

async fn length(path: &Path) -> u64 {
    fs::metadata(path).await.map_or(0, |facts| facts.len())
}

/// The digest of a file that is what it is to be.
async fn right(path: &Path, ask: &FetchRequest<'_>) -> Result<Option<Digest>, ModelsFault> {
    match digest::of(path).await {
        Err(none) if none.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(bad) => Err(ModelsFault::file(path)(bad)),
        Ok(read) => Ok((read.digest.size == ask.remote.size && read.is(&ask.remote.expected)).then_some(read.digest)),
    }
}

async fn wrong(path: &Path, ask: &FetchRequest<'_>) -> String {
    let expected = &ask.remote.expected;
    let found = digest::of(path).await.map_or_else(|bad| bad.to_string(), |read| read.found(expected).to_owned());
    format!("its hash is {found}, not {}", expected.hex())
}

//! Writes objects of a chain, once each.

use std::io::Write as _;

use jiff::Timestamp;

use super::seat::TargetSession;
use super::{PublishFault, PublishOptions};
use crate::fetch::{FetchFault, once};
use crate::ltx::{Encoder, Header, Name, SNAPSHOT_LEVEL};
use crate::primary::{Hashing, Segment};
use crate::proof::Claim;
use crate::store::{ObjectBody, ObjectMetadata, Precondition, ReadAnswer, StoreFault};
use crate::trust::Trust;

/// Increments that somebody else may write while the turn is taken from him.
const CLAIMS: usize = 64;

/// What became of an object.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Put {
    /// It lies there.
    There,
    /// Something else lies under its name.
    Taken,
}

/// Writes a segment.
pub(super) async fn put(
    seat: &TargetSession,
    segment: &Segment,
    level: u8,
    options: &PublishOptions,
) -> Result<Put, PublishFault> {
    let claim = segment.claim(level, seat.epoch);
    let metadata = claim.metadata(options.key.as_deref());
    let key = claim.name.key(seat.calls.layout());
    write(seat, &key, &ObjectBody::File(segment.path.to_path_buf()), &metadata).await
}

/// Writes an object that is not there yet. One that is there with the very same texts beside it was written by a call whose answer was
/// lost: they have its hash.
async fn write(
    seat: &TargetSession,
    key: &str,
    body: &ObjectBody,
    metadata: &ObjectMetadata,
) -> Result<Put, PublishFault> {
    match seat.calls.put(key, body, metadata, &Precondition::Absent).await {
        Ok(_) => Ok(Put::There),
        Err(bad) if bad.is_taken() => match seat.calls.get(key, None).await {
            Ok(ReadAnswer::Object(there)) if there.metadata == *metadata => Ok(Put::There),
            Ok(_) => Ok(Put::Taken),
            // It was removed in between: the next try tells.
            Err(gone) if gone.is_absent() => {
                let detail = format!("{key} was removed meanwhile");
                Err(seat.fault(StoreFault::Unreachable { store: seat.calls.name(), detail }))
            }
            Err(bad) => Err(seat.fault(bad)),
        },
        Err(bad) => Err(seat.fault(bad)),
    }
}

/// Writes an increment without pages behind the newest state. From then on a former holder who wants to write the next increment finds
/// it there, and stops: it can be used by one publisher only.
pub(super) async fn claim(seat: &mut TargetSession, options: &PublishOptions) -> Result<(), PublishFault> {
    for _ in 0..CLAIMS {
        let (body, name, metadata) = nothing(seat, options).await?;
        let put = write(seat, &name.key(seat.calls.layout()), &ObjectBody::Bytes(body.into()), &metadata).await?;
        seat.newest = name.max;
        if put == Put::There {
            seat.haunted = false;
            return Ok(());
        }
    }
    let detail = "another publisher writes all the time, and does not notice that its turn is over".to_owned();
    Err(seat.fault(StoreFault::Unreachable { store: seat.calls.name(), detail }))
}

/// An increment that changes nothing.
async fn nothing(
    seat: &mut TargetSession,
    options: &PublishOptions,
) -> Result<(Vec<u8>, Name, ObjectMetadata), PublishFault> {
    let last = last(seat, options).await?;
    let next = seat.newest.next();
    let at = Timestamp::now().max(seat.newest_at);
    let header = Header {
        no_checksum: true,
        page_size: last.0.page_size,
        commit: last.0.commit,
        min: next,
        max: next,
        timestamp: at.as_millisecond(),
        before: 0,
    };
    let foreign = |what: String| PublishFault::Foreign { target: seat.target.clone(), what };
    let encoder = Encoder::new(Vec::new(), header).map_err(|bad| foreign(bad.to_string()))?;
    let (body, size) = encoder.finish().map_err(|bad| foreign(bad.to_string()))?;
    let mut hash = Hashing::new(std::io::sink());
    // A sink takes everything.
    let _ = hash.write_all(&body);
    let name = Name::of(0, next, next);
    // Without a proof of the state before it, there is none of this one: a chain of Litestream.
    let metadata = last.1.map_or_else(ObjectMetadata::new, |before| {
        let claim = Claim {
            name,
            size,
            sha256: hash.finish(),
            epoch: seat.epoch,
            pages: last.0.commit,
            root: before.root,
            before: Some(before.root),
            at,
        };
        claim.metadata(options.key.as_deref())
    });
    Ok((body, name, metadata))
}

/// The header and the claim of the object that ends with the newest state.
async fn last(seat: &TargetSession, options: &PublishOptions) -> Result<(Header, Option<Claim>), PublishFault> {
    let chain = crate::chain::Chain::list(&seat.calls).await.map_err(|bad| seat.fault(bad))?;
    let ends = chain.objects.iter().filter(|one| one.name.max == seat.newest);
    // The smallest one.
    let Some(found) = ends.min_by_key(|one| one.size) else {
        let detail = format!("the object with {} was removed meanwhile", seat.newest);
        return Err(seat.fault(StoreFault::Unreachable { store: seat.calls.name(), detail }));
    };
    debug_assert!(found.name.level <= SNAPSHOT_LEVEL);
    let key = found.name.key(seat.calls.layout());
    let fetched = once(&seat.calls, &key, found.name, &Trust::Unsigned, &options.scratch).await;
    let fetched = fetched.map_err(|bad| match bad {
        FetchFault::Store(bad) => seat.fault(bad),
        FetchFault::Refused { .. } => PublishFault::Foreign { target: seat.target.clone(), what: bad.to_string() },
        FetchFault::Local { path, source } => PublishFault::Local { path, source },
    })?;
    Ok((fetched.header, fetched.proof.map(|proof| proof.claim)))
}

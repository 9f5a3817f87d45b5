//! What carries a stack's mark, of what a kind lists: the tags of each thing that is not known yet are asked for.

use std::collections::BTreeMap;

use futures::future::BoxFuture;
use futures::{FutureExt, StreamExt, TryStreamExt, stream};

use crate::provider::OwnedQuery;
use crate::resource::{ADDRESS_TAG, Fault, FaultClass, Kind, OwnedResource, STACK_TAG};

/// How many things are asked for their tags at the same time.
const TOGETHER: usize = 8;

/// Tags by key.
type Tags = BTreeMap<String, String>;

/// The thing, when its tags name the stack.
fn owned(search: &OwnedQuery<'_>, kind: Kind, id: String, tags: &Tags) -> Option<OwnedResource> {
    let ours = tags.get(STACK_TAG).is_some_and(|stack| stack == search.stack);
    ours.then(|| OwnedResource { kind, id, address: tags.get(ADDRESS_TAG).and_then(|address| address.parse().ok()) })
}

/// The tags of one thing, asked for when its turn comes.
pub type TagRequest<'a> = BoxFuture<'a, Result<Tags, Fault>>;

/// Those of `items` whose tags name the stack. What we may not look at, or what is gone since it was listed, is not ours.
///
/// # Errors
/// What the service answered.
pub async fn marked<'a>(
    search: &'a OwnedQuery<'_>,
    kind: Kind,
    items: impl IntoIterator<Item = (String, TagRequest<'a>)>,
) -> Result<Vec<OwnedResource>, Fault> {
    let unknown = items.into_iter().filter(|(id, _)| !search.known.contains(id));
    let looks: Vec<BoxFuture<'a, Result<Option<OwnedResource>, Fault>>> = unknown
        .map(|(id, tags)| {
            async move {
                match tags.await {
                    Err(fault) if matches!(fault.class, FaultClass::Missing | FaultClass::Denied) => Ok(None),
                    answer => Ok(owned(search, kind, id, &answer?)),
                }
            }
            .boxed()
        })
        .collect();
    let found: Vec<Option<OwnedResource>> = stream::iter(looks).buffer_unordered(TOGETHER).try_collect().await?;
    Ok(found.into_iter().flatten().collect())
}

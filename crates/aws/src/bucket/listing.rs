//! The buckets that are tagged as a stack's.

use futures::FutureExt;

use super::super::owned::marked;
use super::super::{Clients, GLOBAL, fault_of};
use crate::pages::Pages;
use crate::provider::OwnedQuery;
use crate::resource::{Fault, Kind, OwnedResource};

/// Buckets.
pub async fn listing(clients: &Clients, search: &OwnedQuery<'_>) -> Result<Vec<OwnedResource>, Fault> {
    let client = clients.s3(GLOBAL)?;
    let (mut all, mut token) = (Vec::new(), None);
    let mut pages = Pages::of("s3", "ListBuckets");
    loop {
        pages.next()?;
        // S3 tells the regions only when some parameter is set.
        let page = client.list_buckets().max_buckets(1_000).set_continuation_token(token).send().await;
        let page = page.map_err(|bad| fault_of("s3", "ListBuckets", bad))?;
        let listed = page.buckets.into_iter().flatten();
        all.extend(listed.filter_map(|one| Some((one.bucket_region.unwrap_or_else(|| GLOBAL.to_owned()), one.name?))));
        token = page.continuation_token.filter(|token| !token.is_empty());
        if token.is_none() {
            break;
        }
    }
    let asked = all.into_iter().map(|(region, name)| {
        let call = clients.s3(&region).map(|client| client.get_bucket_tagging().bucket(&name));
        let tags = async move {
            let answer = call?.send().await.map_err(|bad| fault_of("s3", "GetBucketTagging", bad))?;
            Ok(answer.tag_set.into_iter().map(|tag| (tag.key, tag.value)).collect())
        };
        (name, tags.boxed())
    });
    marked(search, Kind::Bucket, asked).await
}

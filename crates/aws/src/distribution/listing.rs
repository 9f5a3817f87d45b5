//! The distributions that are tagged as a stack's.

use futures::FutureExt;

use super::super::owned::marked;
use super::super::{Clients, fault_of};
use crate::pages::Pages;
use crate::provider::OwnedQuery;
use crate::resource::{Fault, Kind, OwnedResource};

/// Distributions.
pub async fn listing(clients: &Clients, search: &OwnedQuery<'_>) -> Result<Vec<OwnedResource>, Fault> {
    let (mut all, mut marker) = (Vec::new(), None);
    let mut pages = Pages::of("cloudfront", "ListDistributions");
    loop {
        pages.next()?;
        let page = clients.cloudfront.list_distributions().set_marker(marker).send().await;
        let list = page.map_err(|bad| fault_of("cloudfront", "ListDistributions", bad))?.distribution_list;
        let Some(list) = list else { break };
        all.extend(list.items.into_iter().flatten().map(|one| (one.id, one.arn)));
        marker = list.next_marker.filter(|next| !next.is_empty());
        if marker.is_none() {
            break;
        }
    }
    let asked = all.into_iter().map(|(id, arn): (String, String)| {
        let call = clients.cloudfront.list_tags_for_resource().resource(arn);
        let tags = async move {
            let answer = call.send().await.map_err(|bad| fault_of("cloudfront", "ListTagsForResource", bad))?;
            let items = answer.tags.and_then(|tags| tags.items).unwrap_or_default();
            Ok(items.into_iter().map(|tag| (tag.key, tag.value.unwrap_or_default())).collect())
        };
        (id, tags.boxed())
    });
    marked(search, Kind::Distribution, asked).await
}

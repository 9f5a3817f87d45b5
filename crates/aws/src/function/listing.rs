//! The functions that are tagged as a stack's.

use futures::FutureExt;

use super::super::owned::marked;
use super::super::{Clients, fault_of};
use crate::pages::Pages;
use crate::provider::OwnedQuery;
use crate::resource::{Fault, Kind, OwnedResource};

/// Functions of the stack's regions.
pub async fn listing(clients: &Clients, search: &OwnedQuery<'_>) -> Result<Vec<OwnedResource>, Fault> {
    let mut all = Vec::new();
    for region in search.regions {
        let client = clients.lambda(region)?;
        let mut marker = None;
        let mut pages = Pages::of("lambda", "ListFunctions");
        loop {
            pages.next()?;
            let page = client.list_functions().set_marker(marker).send().await;
            let page = page.map_err(|bad| fault_of("lambda", "ListFunctions", bad))?;
            let listed = page.functions.into_iter().flatten();
            all.extend(listed.filter_map(|one| Some((client.clone(), one.function_name?, one.function_arn?))));
            marker = page.next_marker.filter(|marker| !marker.is_empty());
            if marker.is_none() {
                break;
            }
        }
    }
    let asked = all.into_iter().map(|(client, name, arn)| {
        let tags = async move {
            let answer = client.list_tags().resource(arn).send().await;
            let answer = answer.map_err(|bad| fault_of("lambda", "ListTags", bad))?;
            Ok(answer.tags.unwrap_or_default().into_iter().collect())
        };
        (name, tags.boxed())
    });
    marked(search, Kind::Function, asked).await
}

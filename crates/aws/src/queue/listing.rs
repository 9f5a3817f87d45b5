//! The queues that are tagged as a stack's.

use futures::FutureExt;

use super::super::Clients;
use super::super::owned::marked;
use super::{fault_of, read};
use crate::pages::Pages;
use crate::provider::OwnedQuery;
use crate::resource::{Fault, Kind, OwnedResource};

/// Queues of the stack's regions.
pub async fn listing(clients: &Clients, search: &OwnedQuery<'_>) -> Result<Vec<OwnedResource>, Fault> {
    let mut all = Vec::new();
    for region in search.regions {
        let client = clients.sqs(region)?;
        let mut token = None;
        let mut pages = Pages::of("sqs", "ListQueues");
        loop {
            pages.next()?;
            // SQS tells where the rest begins only when a page has a size.
            let page = client.list_queues().max_results(1_000).set_next_token(token).send().await;
            let page = page.map_err(|bad| fault_of("sqs", "ListQueues", bad))?;
            let urls = page.queue_urls.into_iter().flatten();
            all.extend(urls.filter_map(|url| Some((arn(region, &url)?, client.clone(), url))));
            token = page.next_token.filter(|token| !token.is_empty());
            if token.is_none() {
                break;
            }
        }
    }
    let asked = all.into_iter().map(|(arn, client, url)| (arn, async move { read::tags(&client, &url).await }.boxed()));
    marked(search, Kind::Queue, asked).await
}

/// The ARN of the queue that a URL of this region leads to: the URL ends with account and name.
fn arn(region: &str, url: &str) -> Option<String> {
    let mut parts = url.rsplit('/');
    let (name, account) = (parts.next()?, parts.next()?);
    Some(format!("arn:aws:sqs:{region}:{account}:{name}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_ends_with_account_and_name() {
        let url = "https://sqs.eu-central-1.amazonaws.com/123456789012/jobs.fifo";
        let wanted = "arn:aws:sqs:eu-central-1:123456789012:jobs.fifo";
        assert_eq!(arn("eu-central-1", url).as_deref(), Some(wanted));
        assert_eq!(arn("eu-central-1", "jobs"), None);
    }
}

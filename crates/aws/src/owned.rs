//! What carries a stack's mark: one listing for each kind, and the tags of what is not known yet.

use std::collections::BTreeMap;

use aws_sdk_route53::types::TagResourceType;
use futures::future::BoxFuture;
use futures::{FutureExt, StreamExt, TryStreamExt, stream};

use super::route53::{bare, read_tags};
use super::{Clients, GLOBAL, fault_of};
use crate::provider::Search;
use crate::resource::{ADDRESS_TAG, Class, Fault, Kind, Owned, STACK_TAG};

/// How many things are asked for their tags at the same time.
const TOGETHER: usize = 8;

/// Tags by key.
type Tags = BTreeMap<String, String>;

/// The thing, when its tags name the stack.
fn owned(search: &Search<'_>, kind: Kind, id: String, tags: &Tags) -> Option<Owned> {
    let ours = tags.get(STACK_TAG).is_some_and(|stack| stack == search.stack);
    ours.then(|| Owned { kind, id, address: tags.get(ADDRESS_TAG).and_then(|address| address.parse().ok()) })
}

/// The tags of one thing, asked for when its turn comes.
type Asking<'a> = BoxFuture<'a, Result<Tags, Fault>>;

/// Those of `items` whose tags name the stack. What we may not look at, or what is gone since it was listed, is not ours.
async fn marked<'a>(
    search: &'a Search<'_>,
    kind: Kind,
    items: impl IntoIterator<Item = (String, Asking<'a>)>,
) -> Result<Vec<Owned>, Fault> {
    let unknown = items.into_iter().filter(|(id, _)| !search.known.contains(id));
    let looks: Vec<BoxFuture<'a, Result<Option<Owned>, Fault>>> = unknown
        .map(|(id, tags)| {
            async move {
                match tags.await {
                    Err(fault) if matches!(fault.class, Class::Missing | Class::Denied) => Ok(None),
                    answer => Ok(owned(search, kind, id, &answer?)),
                }
            }
            .boxed()
        })
        .collect();
    let found: Vec<Option<Owned>> = stream::iter(looks).buffer_unordered(TOGETHER).try_collect().await?;
    Ok(found.into_iter().flatten().collect())
}

/// Buckets.
pub async fn buckets(clients: &Clients, search: &Search<'_>) -> Result<Vec<Owned>, Fault> {
    let client = clients.s3(GLOBAL)?;
    let (mut all, mut token) = (Vec::new(), None);
    loop {
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

/// Functions of the stack's regions.
pub async fn functions(clients: &Clients, search: &Search<'_>) -> Result<Vec<Owned>, Fault> {
    let mut all = Vec::new();
    for region in search.regions {
        let client = clients.lambda(region)?;
        let mut marker = None;
        loop {
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

/// Roles: the tool makes them at the path `/`, where no service-linked role stands.
pub async fn roles(clients: &Clients, search: &Search<'_>) -> Result<Vec<Owned>, Fault> {
    let (mut all, mut marker) = (Vec::new(), None);
    loop {
        let page = clients.iam.list_roles().set_marker(marker).max_items(1_000).send().await;
        let page = page.map_err(|bad| fault_of("iam", "ListRoles", bad))?;
        let listed = page.roles.into_iter().filter(|role| role.path == "/");
        all.extend(listed.map(|role| role.role_name));
        marker = page.marker.filter(|_| page.is_truncated);
        if marker.is_none() {
            break;
        }
    }
    let asked = all.into_iter().map(|name: String| {
        let call = clients.iam.list_role_tags().role_name(&name);
        let tags = async move {
            let answer = call.send().await.map_err(|bad| fault_of("iam", "ListRoleTags", bad))?;
            Ok(answer.tags.into_iter().map(|tag| (tag.key, tag.value)).collect())
        };
        (name, tags.boxed())
    });
    marked(search, Kind::Role, asked).await
}

/// Distributions.
pub async fn distributions(clients: &Clients, search: &Search<'_>) -> Result<Vec<Owned>, Fault> {
    let (mut all, mut marker) = (Vec::new(), None);
    loop {
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

/// Certificates of the stack's regions.
pub async fn certificates(clients: &Clients, search: &Search<'_>) -> Result<Vec<Owned>, Fault> {
    let mut all = Vec::new();
    for region in search.regions {
        let client = clients.acm(region)?;
        let arns = super::certificate::every(&client).await?;
        all.extend(arns.into_iter().map(|arn| (client.clone(), arn)));
    }
    let asked = all.into_iter().map(|(client, arn)| {
        let by = arn.clone();
        (arn, async move { super::certificate::tags_of(&client, &by).await }.boxed())
    });
    marked(search, Kind::Certificate, asked).await
}

/// Public hosted zones.
pub async fn zones(clients: &Clients, search: &Search<'_>) -> Result<Vec<Owned>, Fault> {
    let (mut all, mut marker) = (Vec::new(), None);
    loop {
        let page = clients.route53().await.list_hosted_zones().set_marker(marker).send().await;
        let page = page.map_err(|bad| fault_of("route53", "ListHostedZones", bad))?;
        let public = page.hosted_zones.into_iter().filter(|zone| !zone.config.as_ref().is_some_and(|c| c.private_zone));
        all.extend(public.map(|zone| bare(&zone.id).to_owned()));
        marker = page.next_marker.filter(|_| page.is_truncated);
        if marker.is_none() {
            return tagged(clients, search, Kind::Zone, TagResourceType::Hostedzone, all).await;
        }
    }
}

/// Health checks.
pub async fn health_checks(clients: &Clients, search: &Search<'_>) -> Result<Vec<Owned>, Fault> {
    let (mut all, mut marker) = (Vec::new(), None);
    loop {
        let page = clients.route53().await.list_health_checks().set_marker(marker).send().await;
        let page = page.map_err(|bad| fault_of("route53", "ListHealthChecks", bad))?;
        all.extend(page.health_checks.into_iter().map(|check| check.id));
        marker = page.next_marker.filter(|_| page.is_truncated);
        if marker.is_none() {
            return tagged(clients, search, Kind::HealthCheck, TagResourceType::Healthcheck, all).await;
        }
    }
}

/// Those of `ids` that carry the mark. Route 53 allows five requests a second, so what is known is not asked for.
async fn tagged(
    clients: &Clients,
    search: &Search<'_>,
    kind: Kind,
    of: TagResourceType,
    ids: Vec<String>,
) -> Result<Vec<Owned>, Fault> {
    let asked = ids.into_iter().map(|id| {
        let (by, of) = (id.clone(), of.clone());
        (id, async move { read_tags(clients, of, &by).await }.boxed())
    });
    marked(search, kind, asked).await
}

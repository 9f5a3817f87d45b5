//! The roles that are tagged as a stack's.

use futures::FutureExt;

use super::super::owned::marked;
use super::super::{Clients, fault_of};
use crate::pages::Pages;
use crate::provider::OwnedQuery;
use crate::resource::{Fault, Kind, OwnedResource};

/// Roles: the tool makes them at the path `/`, where no service-linked role stands.
pub async fn listing(clients: &Clients, search: &OwnedQuery<'_>) -> Result<Vec<OwnedResource>, Fault> {
    let (mut all, mut marker) = (Vec::new(), None);
    let mut pages = Pages::of("iam", "ListRoles");
    loop {
        pages.next()?;
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

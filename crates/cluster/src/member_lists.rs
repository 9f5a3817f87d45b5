//! Many members of an inventory that are read at the same time: one list for each kind and namespace instead of one request
//! for each object.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use serde_json::Value;
use tokio::time::Instant;

use super::connection::Connection;
use super::inventory::PART_OF;
use super::objects::{Target, text};
use crate::resource::Fault;

/// Members by name; none where the caller may not list them.
type Members = Option<Arc<BTreeMap<String, Value>>>;
/// The last list, and when it was asked for.
type Slot = Arc<tokio::sync::Mutex<Option<(Instant, Members)>>>;

/// The lists of one connection, by path and set.
#[derive(Default)]
pub(crate) struct MemberLists {
    lists: Mutex<BTreeMap<(String, String), Slot>>,
}

impl Connection {
    /// An object that is most likely a member of this set: from a list that was asked for after this call began, else by
    /// itself.
    pub(crate) async fn member(&self, at: &Target, set: &str, name: &str) -> Result<Option<Value>, Fault> {
        let asked = Instant::now();
        let slot = {
            let mut lists = self.member_lists.lists.lock().unwrap_or_else(PoisonError::into_inner);
            Arc::clone(lists.entry((at.siblings.clone(), set.to_owned())).or_default())
        };
        // Whoever is about to ask, too, begins before the list is asked for.
        tokio::task::yield_now().await;
        let mut last = slot.lock().await;
        let members = match &*last {
            Some((began, members)) if *began >= asked => members.clone(),
            _ => {
                let began = Instant::now();
                let members = self.list_members(at, set).await?;
                *last = Some((began, members.clone()));
                members
            }
        };
        drop(last);
        match members.and_then(|members| members.get(name).cloned()) {
            Some(object) => Ok(Some(object)),
            None => at.get().await,
        }
    }

    async fn list_members(&self, at: &Target, set: &str) -> Result<Members, Fault> {
        let list = self.list_with_head(&at.siblings, &[("labelSelector", &format!("{PART_OF}={set}"))]).await;
        let (head, items) = match list {
            Ok(list) => list,
            Err(refused) if refused.is_forbidden() => return Ok(None),
            Err(refused) => return Err(refused.fault("list", &at.about)),
        };
        // The items of a list do not say what they are.
        let kind = text(&head, "/kind").strip_suffix("List").unwrap_or_default().to_owned();
        let api_version = text(&head, "/apiVersion").to_owned();
        let named = |mut item: Value| {
            item["kind"] = kind.clone().into();
            item["apiVersion"] = api_version.clone().into();
            (text(&item, "/metadata/name").to_owned(), item)
        };
        Ok(Some(Arc::new(items.into_iter().map(named).collect())))
    }
}

//! Objects of a cluster: read, listed, applied, deleted.

use std::ops::ControlFlow;
use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};
use tokio::time::Instant;

use super::call::{ApiCall, MANAGER};
use super::connection::{ApiConnection, RequestFailure};
use super::discovery::ServedKind;
use super::finalizers;
use super::status::{self, SERVICE};
use crate::resource::{Fault, FaultClass};

/// A list comes in pages of this size, as kubectl asks for them.
const PAGE: usize = 500;
/// Where such a page is too long, in pages of this size: the largest objects fit in one (`call::LONGEST`).
const SMALL_PAGE: usize = 16;
/// Bytes of all pages of a list. The nodes of the largest clusters (5,000) have some 100 MiB.
const LONGEST_LIST: usize = 256 << 20;
/// Each page counts as so many bytes at least, so that a list of empty pages ends, too.
const LEAST_OF_A_PAGE: usize = 64 << 10;
/// The reason that such an answer is given.
const SCHEMA: &str = "SchemaMismatch";
/// How often it is looked whether an object is gone.
const LOOK_EVERY: Duration = Duration::from_millis(50);

/// One object of a cluster.
#[derive(Clone)]
pub(crate) struct ClusterObject {
    /// Its cluster.
    pub connection: Arc<ApiConnection>,
    /// Where it is.
    pub path: String,
    /// Its namespace; none for what is in none.
    pub namespace: Option<String>,
    /// What it is called in faults.
    pub about: String,
}

impl ClusterObject {
    /// The object of this name and namespace among those of its kind.
    pub(crate) fn new(
        connection: &Arc<ApiConnection>,
        served: &ServedKind,
        namespace: Option<&str>,
        name: &str,
        about: String,
    ) -> Result<Self, Fault> {
        let namespace = served.namespaced.then(|| namespace.unwrap_or("default").to_owned());
        let path = served.one(namespace.as_deref(), name)?;
        Ok(Self { connection: Arc::clone(connection), path, namespace, about })
    }

    /// The object; none when it is not there.
    pub(crate) async fn get(&self) -> Result<Option<Value>, Fault> {
        match self.connection.ask(&ApiCall::get("get", &self.path)).await {
            Ok(object) => Ok(Some(object)),
            Err(refused) if refused.is_missing() => Ok(None),
            Err(refused) => Err(refused.fault("get", &self.about)),
        }
    }

    /// Applies it as this field manager; `force` takes over fields that others hold.
    pub(crate) async fn apply(
        &self,
        object: &Value,
        manager: &'static str,
        force: bool,
    ) -> Result<Value, RequestFailure> {
        let applied = self.connection.ask(&ApiCall::apply(&self.path, object, manager, force)).await;
        self.explained(applied).await
    }

    /// A field that the schema does not know is answered by code 500 without a reason, as trouble in the API server is: by a
    /// server that says it is ready, it is the object.
    async fn explained(&self, applied: Result<Value, RequestFailure>) -> Result<Value, RequestFailure> {
        match applied {
            Err(RequestFailure::Status(mut said)) if said.code == 500 && said.reason.is_empty() => {
                if self.connection.text(&ApiCall::get("readyz", "/readyz")).await.is_ok() {
                    SCHEMA.clone_into(&mut said.reason);
                }
                Err(RequestFailure::Status(said))
            }
            applied => applied,
        }
    }

    /// What the server would make of it; none when it would refuse it.
    pub(crate) async fn dry_run(&self, object: &Value) -> Result<Option<Value>, Fault> {
        let applied = self.connection.ask(&ApiCall::apply(&self.path, object, MANAGER, true).dry()).await;
        match self.explained(applied).await {
            Ok(object) => Ok(Some(object)),
            Err(RequestFailure::Fault(fault)) => Err(fault),
            Err(refused) => {
                let fault = refused.fault("dry run", &self.about);
                // Busy, or it may not say: that is another thing than a refusal of the object.
                if matches!(fault.class, FaultClass::Retry | FaultClass::Credentials) { Err(fault) } else { Ok(None) }
            }
        }
    }

    /// The same with the server's refusal; `force` takes over fields that others hold.
    pub(crate) async fn try_apply(&self, object: &Value, force: bool) -> Result<Value, RequestFailure> {
        let tried = self.connection.ask(&ApiCall::apply(&self.path, object, MANAGER, force).dry()).await;
        self.explained(tried).await
    }

    /// Whether the server would take this object, were nothing there yet: a dry run of its creation is refused only since it exists.
    /// Objects are validated before it is looked whether their name is taken.
    pub(crate) async fn would_be_taken(&self, object: &Value) -> Result<bool, Fault> {
        let Some((all, _)) = self.path.rsplit_once('/') else { return Ok(false) };
        let create = ApiCall::post("dry run", all, object).query("fieldManager", MANAGER);
        match self.connection.ask(&create.query("fieldValidation", "Strict").dry()).await {
            Ok(_) => Ok(true),
            Err(RequestFailure::Status(said)) => Ok(said.reason == "AlreadyExists"),
            Err(RequestFailure::TooLong(_)) => Ok(false),
            Err(RequestFailure::Fault(fault)) => Err(fault),
        }
    }

    /// Changes fields of it by a merge patch.
    pub(crate) async fn merge(&self, operation: &'static str, patch: &Value) -> Result<(), Fault> {
        let call = ApiCall::merge(operation, &self.path, patch);
        self.connection.ask(&call).await.map(drop).map_err(|refused| refused.fault(operation, &self.about))
    }

    /// Deletes it and looks until it is gone. Gives what is still there after `within`; absent already is success. With a `uid`, only
    /// the object that has it.
    pub(crate) async fn delete(
        &self,
        propagation: &str,
        uid: Option<&str>,
        within: Duration,
    ) -> Result<Option<Value>, Fault> {
        let mut options = json!({"apiVersion": "v1", "kind": "DeleteOptions", "propagationPolicy": propagation});
        if let Some(uid) = uid {
            options["preconditions"] = json!({"uid": uid});
        }
        match self.connection.ask(&ApiCall::delete(&self.path, &options)).await {
            Ok(_) => {}
            Err(refused) if refused.is_missing() => return Ok(None),
            Err(refused) => return Err(refused.fault("delete", &self.about)),
        }
        let begun = Instant::now();
        loop {
            let left = self.get().await?;
            if left.is_none() || begun.elapsed() >= within {
                return Ok(left);
            }
            tokio::time::sleep(LOOK_EVERY).await;
        }
    }

    /// The fault of an object that is still being deleted, with what that waits for.
    pub(crate) fn terminating(&self, operation: &str, left: &Value) -> Fault {
        let waits = finalizers::waits_for(left).map_or_else(String::new, |waits| format!(": {waits}"));
        let words = format!("{} is still being deleted{waits}", self.about);
        Fault::new(FaultClass::Retry, SERVICE, operation, "Terminating", words).next(finalizers::NEXT)
    }
}

impl ApiConnection {
    /// All objects at a path, as these parameters select them.
    pub(crate) async fn list(&self, path: &str, query: &[(&'static str, &str)]) -> Result<Vec<Value>, RequestFailure> {
        let mut call = ApiCall::get("list", path);
        for (key, value) in query {
            call = call.query(key, *value);
        }
        let mut all = Vec::new();
        let each = |items| {
            all.extend(items);
            ControlFlow::Continue(())
        };
        self.pages(&call, each).await?;
        Ok(all)
    }

    /// The objects that a call lists, page by page, until there are no more or `each` breaks.
    pub(crate) async fn pages(
        &self,
        call: &ApiCall,
        mut each: impl FnMut(Vec<Value>) -> ControlFlow<()> + Send,
    ) -> Result<(), RequestFailure> {
        let mut from = String::new();
        let (mut size, mut left) = (PAGE, LONGEST_LIST);
        loop {
            let mut call = call.clone().query("limit", size.to_string());
            if !from.is_empty() {
                call = call.query("continue", from.as_str());
            }
            let (mut page, bytes) = match self.ask_counted(&call).await {
                Err(RequestFailure::TooLong(_)) if size > SMALL_PAGE => {
                    size = SMALL_PAGE;
                    continue;
                }
                page => page?,
            };
            left = left.checked_sub(bytes.max(LEAST_OF_A_PAGE)).ok_or(RequestFailure::TooLong(LONGEST_LIST))?;
            let items = match page.get_mut("items").map(Value::take) {
                Some(Value::Array(items)) => items,
                _ => Vec::new(),
            };
            from = text(&page, "/metadata/continue").to_owned();
            if each(items).is_break() || from.is_empty() {
                return Ok(());
            }
        }
    }
}

/// Whether a refusal is about the object that was sent, and not about the caller, the moment or the way it was sent.
pub(crate) fn is_about_the_object(refused: &RequestFailure) -> bool {
    let RequestFailure::Status(said) = refused else { return false };
    said.reason == SCHEMA || said.is_invalid() && status::fields(said).any(|field| !field.is_empty())
}

/// A text in a document; empty when it is not there.
pub(crate) fn text<'v>(value: &'v Value, path: &str) -> &'v str {
    value.pointer(path).and_then(Value::as_str).unwrap_or_default()
}

/// Whether an object is on its way out.
pub(crate) fn is_terminating(object: &Value) -> bool {
    object.pointer("/metadata/deletionTimestamp").is_some()
}

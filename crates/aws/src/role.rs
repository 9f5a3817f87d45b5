//! IAM roles: the role, its inline policies and its managed ones.

mod calls;
mod listing;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use async_trait::async_trait;
use aws_sdk_iam::Client;
use aws_sdk_iam::types::Tag;
use futures::future::BoxFuture;
use futures::{FutureExt, future};
use serde_json::Value;

pub use self::calls::{CODES, GRANTS};
use super::fault::{optional, taken, unbuilt};
use super::{Clients, fault_of, tag_changes, tags};
use crate::provider::{Applied, DeleteOutcome, OwnedQuery, Provider, ResourceContext};
use crate::resource::role::RoleSpec;
use crate::resource::{
    Attributes, Fault, FaultClass, FieldChange, ObservedResource, OwnedResource, Owner, UnmanagedField,
};

/// Path of the longest session, which no plan states, and IAM's default of it in seconds.
const MAX_SESSION: &str = "max_session_seconds";
const AN_HOUR: i32 = 3_600;

/// Roles of the account.
pub struct Roles {
    clients: Arc<Clients>,
}

impl Roles {
    /// Roles reached by `clients`.
    pub fn new(clients: &Arc<Clients>) -> Self {
        Self { clients: Arc::clone(clients) }
    }
}

#[async_trait]
impl Provider for Roles {
    async fn read(&self, subject: &ResourceContext<'_>) -> Result<Option<ObservedResource>, Fault> {
        look(&self.clients.iam, subject, &subject.typed()?).await
    }

    async fn create(&self, subject: &ResourceContext<'_>) -> Result<Applied, Fault> {
        let spec: RoleSpec = subject.typed()?;
        let client = &self.clients.iam;
        let call = client
            .create_role()
            .role_name(&spec.name)
            .path("/")
            .description(&spec.description)
            .assume_role_policy_document(spec.trust.to_string())
            .set_permissions_boundary(spec.boundary.clone())
            .set_tags(Some(iam_tags(tags::wanted(subject, &spec.tags))?));
        let attributes = match call.send().await.map_err(|bad| fault_of("iam", "CreateRole", bad)) {
            Ok(answer) => attributes(&spec.name, answer.role.map(|role| role.arn).unwrap_or_default()),
            Err(fault) if fault.class == FaultClass::Exists => self.ours(subject, &spec, &fault).await?,
            Err(fault) => return Err(fault),
        };
        // The policies again even when the role was there: the answer may have been lost before they were written.
        let mut calls: Vec<Call<'_>> = Vec::new();
        calls.extend(spec.inline.iter().map(|(name, document)| put_inline(client, &spec.name, name, document).boxed()));
        calls.extend(spec.managed.iter().map(|arn| attach(client, &spec.name, arn).boxed()));
        future::try_join_all(calls).await.map_err(not_everywhere_yet)?;
        Ok(Applied { id: spec.name.clone(), attributes })
    }

    async fn update(
        &self,
        subject: &ResourceContext<'_>,
        found: &ObservedResource,
        fields: &[FieldChange],
    ) -> Result<Applied, Fault> {
        let spec: RoleSpec = subject.typed()?;
        let client = &self.clients.iam;
        let held: RoleSpec = ResourceContext { spec: &found.spec, ..*subject }.typed()?;
        let named = |top: &str| fields.iter().any(|field| field.path.split('.').next() == Some(top));
        // Whoever may write policies only within a boundary has to have it first.
        if named("boundary") {
            bound(client, &spec).await?;
        }
        let mut calls: Vec<Call<'_>> = Vec::new();
        if named("trust") {
            calls.push(trust(client, &spec).boxed());
        }
        if named("description") {
            calls.push(describe(client, &spec, max_session(found)).boxed());
        }
        if named("inline") {
            calls.extend(inline_calls(client, &spec, &held));
        }
        if named("managed") {
            calls.extend(managed_calls(client, &spec, &held));
        }
        let changes = tag_changes::of(subject, &spec.tags, fields);
        if !changes.set.is_empty() {
            calls.push(tag(client, &spec.name, changes.set).boxed());
        }
        if !changes.drop.is_empty() {
            calls.push(untag(client, &spec.name, changes.drop).boxed());
        }
        future::try_join_all(calls).await?;
        Ok(Applied { id: found.id.clone(), attributes: found.attributes.clone() })
    }

    async fn list_owned(&self, search: &OwnedQuery<'_>) -> Result<Vec<OwnedResource>, Fault> {
        listing::listing(&self.clients, search).await
    }

    async fn delete(&self, subject: &ResourceContext<'_>) -> Result<DeleteOutcome, Fault> {
        let spec: RoleSpec = subject.typed()?;
        let client = &self.clients.iam;
        let listed = future::try_join(inline_names(client, &spec.name), managed_arns(client, &spec.name)).await;
        let Some((inline, managed)) = optional(listed)? else { return Ok(DeleteOutcome::Deleted) };
        // AWS deletes a role only when nothing hangs on it: what others put there is theirs to take away.
        let strangers = inline.iter().filter(|name| !spec.inline.contains_key(*name));
        let strangers = strangers.chain(managed.iter().filter(|arn| !spec.managed.contains(arn)));
        let strangers: Vec<&str> = strangers.map(String::as_str).collect();
        if !strangers.is_empty() {
            return Err(held_by_others(&spec.name, &strangers));
        }
        let mut calls: Vec<Call<'_>> = Vec::new();
        calls.extend(inline.iter().map(|name| delete_inline(client, &spec.name, name).boxed()));
        calls.extend(managed.iter().map(|arn| detach(client, &spec.name, arn).boxed()));
        future::try_join_all(calls).await?;
        let answer = client.delete_role().role_name(&spec.name).send().await;
        optional(answer.map_err(|bad| fault_of("iam", "DeleteRole", bad)))?;
        Ok(DeleteOutcome::Deleted)
    }
}

impl Roles {
    /// The attributes of a role that is there already, when it is ours.
    async fn ours(&self, subject: &ResourceContext<'_>, spec: &RoleSpec, fault: &Fault) -> Result<Attributes, Fault> {
        let mut found = look(&self.clients.iam, subject, spec).await?;
        if let (Some(address), Some(Owner::Foreign(_))) = (subject.former, found.as_ref().map(|found| &found.owner)) {
            found = look(&self.clients.iam, &ResourceContext { address, former: None, ..*subject }, spec).await?;
        }
        match found {
            Some(ObservedResource { owner: Owner::Ours, attributes, .. }) => Ok(attributes),
            Some(ObservedResource { owner: Owner::Foreign(whose) | Owner::Contested(whose), .. }) => {
                let what = format!("role {}", spec.name);
                Err(taken("iam", "CreateRole", fault.code.clone(), &what, &whose, subject.address))
            }
            // Gone between two calls: the next try makes it.
            None => Err(Fault { class: FaultClass::Retry, ..fault.clone() }),
        }
    }
}

/// Policies of others keep a role from going.
fn held_by_others(role: &str, policies: &[&str]) -> Fault {
    let words = format!("others attached policies to role {role}: {}", policies.join(", "));
    Fault::new(FaultClass::Refused, "iam", "DeleteRole", "DeleteConflict", words).next(
        "find out who owns them; detach or delete them (aws iam detach-role-policy, delete-role-policy), then \
               run the same command again",
    )
}

/// IAM spreads a new role slowly: one that was just made and "cannot be found" is only on its way.
fn not_everywhere_yet(fault: Fault) -> Fault {
    if fault.class == FaultClass::Missing && fault.message.contains("role with name") {
        return Fault { class: FaultClass::Retry, ..fault };
    }
    fault
}

type Call<'a> = BoxFuture<'a, Result<(), Fault>>;

fn attributes(name: &str, arn: String) -> Attributes {
    Attributes::from([("arn".into(), arn.into()), ("name".into(), name.into())])
}

fn iam_tags(all: BTreeMap<String, String>) -> Result<Vec<Tag>, Fault> {
    let tags = all.into_iter().map(|(key, value)| Tag::builder().key(key).value(value).build());
    tags.collect::<Result<_, _>>().map_err(unbuilt("iam", "TagRole"))
}

/// Reads the role and, in the same wave, the policies that the plan names; only strangers cost a second wave. One that
/// is not known yet is mostly not there: then the role is asked for alone first.
async fn look(
    client: &Client,
    subject: &ResourceContext<'_>,
    wanted: &RoleSpec,
) -> Result<Option<ObservedResource>, Fault> {
    let name = &wanted.name;
    let role = async {
        let answer = client.get_role().role_name(name).send().await;
        answer.map_err(|bad| fault_of("iam", "GetRole", bad))
    };
    let known = future::try_join_all(wanted.inline.keys().map(|policy| inline_document(client, name, policy)));
    let policies = future::try_join3(inline_names(client, name), managed_arns(client, name), known);
    let both = if subject.id.is_some() {
        future::try_join(role, policies).await
    } else {
        async { Ok((role.await?, policies.await?)) }.await
    };
    let Some((role, (names, managed, known))) = optional(both)? else { return Ok(None) };
    let Some(role) = role.role else { return Ok(None) };
    let strangers = names.iter().filter(|policy| !wanted.inline.contains_key(*policy));
    let strangers = future::try_join_all(strangers.map(|policy| inline_document(client, name, policy))).await?;
    let tags = role.tags.iter().flatten().map(|tag| (tag.key.clone(), tag.value.clone())).collect();
    let (owner, tags) = tags::read(subject, tags);
    let before = subject.before.and_then(|before| serde_json::from_value::<RoleSpec>(before.clone()).ok());
    let asked = |holds: &dyn Fn(&RoleSpec) -> bool| holds(wanted) || before.as_ref().is_some_and(holds);
    let (inline, other_inline): (BTreeMap<String, Value>, BTreeMap<String, Value>) = known
        .into_iter()
        .chain(strangers)
        .flatten()
        .partition(|(policy, _)| asked(&|spec| spec.inline.contains_key(policy)));
    let (managed, other_managed): (Vec<String>, Vec<String>) =
        managed.into_iter().partition(|arn| asked(&|spec| spec.managed.contains(arn)));
    let extra = |path: String, value: Value| UnmanagedField { path, value, theirs: false };
    let mut extras: Vec<UnmanagedField> =
        other_inline.into_iter().map(|(policy, document)| extra(format!("inline.{policy}"), document)).collect();
    extras.extend(other_managed.into_iter().map(|arn| extra(format!("managed.{arn}"), true.into())));
    let boundary = role.permissions_boundary.and_then(|boundary| boundary.permissions_boundary_arn);
    let (boundary, other) = if asked(&|spec| spec.boundary.is_some()) { (boundary, None) } else { (None, boundary) };
    extras.extend(other.map(|arn| extra("permissions_boundary".to_owned(), arn.into())));
    let session = role.max_session_duration.filter(|seconds| *seconds != AN_HOUR);
    extras.extend(session.map(|seconds| extra(MAX_SESSION.to_owned(), seconds.into())));
    let spec = RoleSpec {
        name: name.clone(),
        description: role.description.unwrap_or_default(),
        trust: document(role.assume_role_policy_document.as_deref().unwrap_or_default()),
        inline,
        managed,
        boundary,
        tags,
    };
    let spec = serde_json::to_value(spec).map_err(|bad| Fault::unexpected("iam", "GetRole", bad.to_string()))?;
    Ok(Some(ObservedResource { id: role.role_name, spec, attributes: attributes(name, role.arn), owner, extras }))
}

/// The names of the inline policies. One page holds 100; a role's inline policies share 10,240 characters.
async fn inline_names(client: &Client, role: &str) -> Result<Vec<String>, Fault> {
    let answer = client.list_role_policies().role_name(role).send().await;
    Ok(answer.map_err(|bad| fault_of("iam", "ListRolePolicies", bad))?.policy_names)
}

/// The attached policies, sorted. One page holds 100; AWS attaches 25 at most.
async fn managed_arns(client: &Client, role: &str) -> Result<Vec<String>, Fault> {
    let answer = client.list_attached_role_policies().role_name(role).send().await;
    let answer = answer.map_err(|bad| fault_of("iam", "ListAttachedRolePolicies", bad))?;
    let attached = answer.attached_policies.unwrap_or_default();
    Ok(attached.into_iter().filter_map(|policy| policy.policy_arn).collect::<BTreeSet<_>>().into_iter().collect())
}

/// One inline policy; `None` when the role, or the policy, is not there.
async fn inline_document(client: &Client, role: &str, policy: &str) -> Result<Option<(String, Value)>, Fault> {
    let answer = client.get_role_policy().role_name(role).policy_name(policy).send().await;
    let answer = optional(answer.map_err(|bad| fault_of("iam", "GetRolePolicy", bad)))?;
    Ok(answer.map(|answer| (answer.policy_name, document(&answer.policy_document))))
}

/// A policy document as IAM gives it: JSON, URL-encoded. What is not JSON stays text, so that it differs from the plan.
fn document(encoded: &str) -> Value {
    let plain = percent_decoded(encoded);
    serde_json::from_str(&plain).unwrap_or(Value::String(plain))
}

/// A text without its percent codes.
pub(super) fn percent_decoded(text: &str) -> String {
    let mut out = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((&first, after)) = rest.split_first() {
        let mut byte = [0u8];
        match (first, after.get(..2).map(|pair| hex::decode_to_slice(pair, &mut byte))) {
            (b'%', Some(Ok(()))) => {
                out.push(byte[0]);
                rest = &after[2..];
            }
            _ => {
                out.push(first);
                rest = after;
            }
        }
    }
    String::from_utf8_lossy(&out).into_owned()
}

async fn trust(client: &Client, spec: &RoleSpec) -> Result<(), Fault> {
    let call = client.update_assume_role_policy().role_name(&spec.name).policy_document(spec.trust.to_string());
    call.send().await.map(drop).map_err(|bad| fault_of("iam", "UpdateAssumeRolePolicy", bad))
}

/// How long a session may last, when others have changed it.
fn max_session(found: &ObservedResource) -> Option<i32> {
    let extra = found.extras.iter().find(|extra| extra.path == MAX_SESSION);
    extra.and_then(|extra| extra.value.as_i64()).and_then(|seconds| seconds.try_into().ok())
}

/// IAM sets the duration back to an hour unless it is said again.
async fn describe(client: &Client, spec: &RoleSpec, max_session: Option<i32>) -> Result<(), Fault> {
    let call = client.update_role().role_name(&spec.name).description(&spec.description);
    let call = call.set_max_session_duration(max_session);
    call.send().await.map(drop).map_err(|bad| fault_of("iam", "UpdateRole", bad))
}

fn inline_calls<'a>(client: &'a Client, spec: &'a RoleSpec, held: &'a RoleSpec) -> Vec<Call<'a>> {
    let changed = spec.inline.iter().filter(|(name, document)| held.inline.get(*name) != Some(document));
    let put = changed.map(|(name, document)| put_inline(client, &spec.name, name, document).boxed());
    let extra = held.inline.keys().filter(|name| !spec.inline.contains_key(*name));
    put.chain(extra.map(|name| delete_inline(client, &spec.name, name).boxed())).collect()
}

fn managed_calls<'a>(client: &'a Client, spec: &'a RoleSpec, held: &'a RoleSpec) -> Vec<Call<'a>> {
    let missing = spec.managed.iter().filter(|arn| !held.managed.contains(arn));
    let extra = held.managed.iter().filter(|arn| !spec.managed.contains(arn));
    let attach = missing.map(|arn| attach(client, &spec.name, arn).boxed());
    attach.chain(extra.map(|arn| detach(client, &spec.name, arn).boxed())).collect()
}

async fn put_inline(client: &Client, role: &str, name: &str, document: &Value) -> Result<(), Fault> {
    let call = client.put_role_policy().role_name(role).policy_name(name).policy_document(document.to_string());
    call.send().await.map(drop).map_err(|bad| fault_of("iam", "PutRolePolicy", bad))
}

async fn delete_inline(client: &Client, role: &str, name: &str) -> Result<(), Fault> {
    let answer = client.delete_role_policy().role_name(role).policy_name(name).send().await;
    optional(answer.map_err(|bad| fault_of("iam", "DeleteRolePolicy", bad))).map(drop)
}

async fn attach(client: &Client, role: &str, arn: &str) -> Result<(), Fault> {
    let answer = client.attach_role_policy().role_name(role).policy_arn(arn).send().await;
    answer.map(drop).map_err(|bad| fault_of("iam", "AttachRolePolicy", bad))
}

async fn detach(client: &Client, role: &str, arn: &str) -> Result<(), Fault> {
    let answer = client.detach_role_policy().role_name(role).policy_arn(arn).send().await;
    optional(answer.map_err(|bad| fault_of("iam", "DetachRolePolicy", bad))).map(drop)
}

/// Sets the boundary, or takes it away.
async fn bound(client: &Client, spec: &RoleSpec) -> Result<(), Fault> {
    let Some(arn) = &spec.boundary else {
        let answer = client.delete_role_permissions_boundary().role_name(&spec.name).send().await;
        return optional(answer.map_err(|bad| fault_of("iam", "DeleteRolePermissionsBoundary", bad))).map(drop);
    };
    let call = client.put_role_permissions_boundary().role_name(&spec.name).permissions_boundary(arn);
    call.send().await.map(drop).map_err(|bad| fault_of("iam", "PutRolePermissionsBoundary", bad))
}

async fn tag(client: &Client, role: &str, set: BTreeMap<String, String>) -> Result<(), Fault> {
    let answer = client.tag_role().role_name(role).set_tags(Some(iam_tags(set)?)).send().await;
    answer.map(drop).map_err(|bad| fault_of("iam", "TagRole", bad))
}

async fn untag(client: &Client, role: &str, keys: Vec<String>) -> Result<(), Fault> {
    let answer = client.untag_role().role_name(role).set_tag_keys(Some(keys)).send().await;
    answer.map(drop).map_err(|bad| fault_of("iam", "UntagRole", bad))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn documents_come_url_encoded() {
        assert_eq!(document("%7B%22a%22%3A%20%22%C3%A9%2B%22%7D"), serde_json::json!({"a": "é+"}));
        assert_eq!(document(r#"{"a":"b"}"#), serde_json::json!({"a": "b"}));
        assert_eq!(document("100%"), Value::String("100%".into()));
    }
}

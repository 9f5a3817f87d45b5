//! Roles and functions.

use super::hcl::Body;
use super::{ExportItem, ExportNote, TerraformResource, part, resource};
use crate::resource::function::FunctionSpec;
use crate::resource::role::RoleSpec;

pub fn role(item: &ExportItem<'_>) -> TerraformResource {
    let spec: RoleSpec = item.typed()?;
    let body = Body::new()
        .set("name", spec.name.clone())
        .set("description", spec.description)
        .json("assume_role_policy", &spec.trust)
        .set_some("permissions_boundary", spec.boundary.clone())
        .set("tags", tags(item, &spec.tags));
    let mut all = vec![resource("aws_iam_role", item, &spec.name, body).unread(&["force_detach_policies"])];
    let role = || Body::new().code("role", &format!("aws_iam_role.{}.name", super::label(item.address)));
    for (name, document) in &spec.inline {
        let body = role().set("name", name.clone()).json("policy", document);
        let id = format!("{}:{name}", spec.name);
        all.push(resource("aws_iam_role_policy", item, id, body).also(&part(name)));
    }
    for arn in &spec.managed {
        let body = role().set("policy_arn", arn.clone());
        let short = part(arn.rsplit('/').next().unwrap_or(arn));
        let id = format!("{}/{arn}", spec.name);
        all.push(resource("aws_iam_role_policy_attachment", item, id, body).also(&short));
    }
    Ok((all, Vec::new()))
}

pub fn function(item: &ExportItem<'_>) -> TerraformResource {
    let spec: FunctionSpec = item.typed()?;
    let zip = format!("{}.zip", spec.name);
    let mut body = Body::new()
        .set("function_name", spec.name.clone())
        .set("description", spec.description)
        .set("role", spec.role_arn)
        .set("runtime", spec.runtime)
        .set("handler", spec.handler)
        .set("architectures", vec![spec.architecture])
        .set("memory_size", spec.memory_mb)
        .set("timeout", spec.timeout_seconds);
    if !spec.layers.is_empty() {
        body = body.set("layers", spec.layers);
    }
    body = body
        .remark(&format!("The state has no code. The deployed zip has {} bytes,", spec.code_bytes))
        .remark(&format!("SHA-256 {}.", spec.code_sha256))
        .set("filename", zip.clone())
        .set("tags", tags(item, &spec.tags));
    if !spec.environment.is_empty() {
        let names = serde_json::json!(spec.environment);
        body = body.block("environment", Body::new().set("variables", names));
    }
    let note = format!("its code is not in the state: replace filename = {zip:?}; it is not compared");
    let unread = &["filename", "source_code_hash", "publish", "skip_destroy"];
    let made = resource("aws_lambda_function", item, &spec.name, body).at(&spec.region).unread(unread);
    Ok((vec![made], vec![item.note(note)]))
}

/// Terraform publishes versions as a part of the function.
pub fn version(item: &ExportItem<'_>) -> ExportNote {
    item.note(format!(
        "skipped: Terraform has no resource for a version; its ARN {} is exported as a literal value",
        item.id
    ))
}

/// Tags of the plan with the tool's own.
pub fn tags(item: &ExportItem<'_>, tags: &std::collections::BTreeMap<String, String>) -> serde_json::Value {
    serde_json::json!(item.tags(tags))
}

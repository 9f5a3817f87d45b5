//! Roles, functions and their versions.

use serde_json::{Value, json};

use super::{ExportItem, ResourceExport, resource, tags};
use crate::resource::function::FunctionSpec;
use crate::resource::function_version::FunctionVersionSpec;
use crate::resource::role::RoleSpec;

pub fn role(item: &ExportItem<'_>) -> ResourceExport {
    let spec: RoleSpec = item.typed()?;
    let inline: Vec<Value> =
        spec.inline.iter().map(|(name, document)| json!({"PolicyName": name, "PolicyDocument": document})).collect();
    let properties = json!({
        "RoleName": spec.name, "Description": spec.description, "AssumeRolePolicyDocument": spec.trust,
        "Policies": inline, "ManagedPolicyArns": spec.managed, "PermissionsBoundary": spec.boundary,
        "Tags": tags(item, &spec.tags),
    });
    Ok((resource("AWS::IAM::Role", ("RoleName", item.id), properties), Vec::new()))
}

pub fn function(item: &ExportItem<'_>) -> ResourceExport {
    let spec: FunctionSpec = item.typed()?;
    let variables = (!spec.environment.is_empty()).then(|| json!({"Variables": spec.environment}));
    let properties = json!({
        "FunctionName": spec.name, "Description": spec.description, "Role": spec.role_arn, "Runtime": spec.runtime,
        "Handler": spec.handler, "Architectures": [spec.architecture], "MemorySize": spec.memory_mb,
        "Timeout": spec.timeout_seconds, "Layers": spec.layers, "Environment": variables,
        "Tags": tags(item, &spec.tags), "Code": {},
    });
    let mut made = resource("AWS::Lambda::Function", ("FunctionName", item.id), properties).at(&spec.region);
    let zip = format!("a zip of {} bytes with SHA-256 {}", spec.code_bytes, spec.code_sha256);
    made.parameters = vec![
        ("CodeBucket", format!("Bucket that holds the code of {}", spec.name)),
        ("CodeKey", format!("Its key there: {zip}")),
    ];
    let note = item.note("its code is not in the state: set the parameters for the bucket and key of its zip");
    Ok((made, vec![note]))
}

pub fn version(item: &ExportItem<'_>) -> ResourceExport {
    let spec: FunctionVersionSpec = item.typed()?;
    let properties = json!({"FunctionName": spec.function, "Description": format!("akidb-edge {}", spec.settings)});
    Ok((resource("AWS::Lambda::Version", ("FunctionArn", item.id), properties).at(&spec.region), Vec::new()))
}

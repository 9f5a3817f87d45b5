//! Functions at the edge: role, function, published version.

use std::collections::BTreeMap;

use serde_json::json;

use super::{Builder, as_name, boundary, handler, trust};
use crate::plan::Step;
use crate::plan::edge::{CodePlan, EdgeFunctionStep, FunctionPlan};
use crate::resource::function::FunctionSpec;
use crate::resource::function_version::FunctionVersionSpec;
use crate::resource::role::RoleSpec;
use crate::resource::{Address, Kind, Resource, link, sha256_hex};
use crate::template;

/// Code that is at hand: hash, size, size when unpacked.
struct Code(String, u64, u64);

/// The functions of a step.
pub fn functions(builder: &mut Builder<'_>, step: &Step, plan: &EdgeFunctionStep) {
    for (name, function) in &plan.functions {
        let below = format!("functions.{name}");
        let Some(code) = code(builder, step, &below, function) else { continue };
        add(builder, step, &as_name(name), &below, function, &code);
    }
}

fn code(builder: &mut Builder<'_>, step: &Step, below: &str, function: &FunctionPlan) -> Option<Code> {
    match &function.code {
        CodePlan::Template(name) => match template::archive(name) {
            Ok(archive) => {
                let (bytes, unpacked) = (archive.bytes.len() as u64, archive.unpacked);
                Some(Code(builder.built.artifacts.add_bytes(archive.bytes), bytes, unpacked))
            }
            Err(bad) => {
                builder.complain(step, &format!("{below}.code"), bad.to_string(), "use a built-in template");
                None
            }
        },
        CodePlan::Zip(path) => match builder.plan.files.get(path).map(|known| known.content.clone())? {
            Ok((sha256, bytes)) => {
                let unpacked = unpacked(builder, step, below, path, function);
                builder.built.artifacts.add_file(&sha256, path.into(), bytes);
                Some(Code(sha256, bytes, unpacked))
            }
            Err(why) => {
                builder.built.missing.push((path.clone(), format!("{}.with.{below}.code", step.path), why));
                None
            }
        },
    }
}

/// The bytes of a zip when it is unpacked. One that is not a zip, or lacks the handler, is said here.
fn unpacked(builder: &mut Builder<'_>, step: &Step, below: &str, path: &str, function: &FunctionPlan) -> u64 {
    let below = format!("{below}.code");
    match builder.plan.files.get(path).and_then(|known| known.archive.clone()) {
        Some(Ok(archive)) => {
            // A layer may bring the handler.
            let lacking = handler::missing(&function.runtime, &function.handler, &archive.files);
            if let Some(problem) = lacking.filter(|_| function.layers.is_empty()) {
                builder.complain(step, &below, problem, "put the file into the zip, or correct handler");
            }
            archive.unpacked
        }
        Some(Err(why)) => {
            let next = "give the path of a zip with the function's code";
            builder.complain(step, &below, format!("{path} cannot be read as a zip: {why}"), next);
            0
        }
        None => 0,
    }
}

fn add(builder: &mut Builder<'_>, step: &Step, name: &str, below: &str, plan: &FunctionPlan, code: &Code) {
    let role = Address::new("edge", Kind::Role, name);
    let spec = RoleSpec {
        name: format!("{}-{}", builder.plan.stack, as_name(name)),
        description: format!("Execution role of {}", plan.name),
        trust: trust(&["lambda.amazonaws.com", "edgelambda.amazonaws.com"]),
        inline: BTreeMap::from([("logs".to_owned(), logs_policy(&plan.name))]),
        managed: Vec::new(),
        boundary: Some(boundary::LOGS.to_owned()),
        tags: BTreeMap::new(),
    };
    builder.add(step, below, Resource::new(role.clone(), Kind::Role, &spec));
    let spec = FunctionSpec {
        name: plan.name.clone(),
        region: plan.region.clone(),
        description: plan.description.clone(),
        runtime: plan.runtime.clone(),
        handler: plan.handler.clone(),
        memory_mb: plan.memory_mb,
        timeout_seconds: plan.timeout_seconds,
        role_arn: link(&role, "arn"),
        architecture: plan.architecture.clone(),
        code_sha256: code.0.clone(),
        code_bytes: code.1,
        environment: plan.environment.clone(),
        layers: plan.layers.clone(),
        code_unpacked_bytes: code.2,
        provisioned_concurrency: plan.provisioned_concurrency,
        subnets: plan.subnets.clone(),
        image: plan.image.clone(),
        tags: BTreeMap::new(),
    };
    // The size of a zip when unpacked says nothing that its hash does not; versions of before it was known stay.
    let unpacked = if matches!(plan.code, CodePlan::Zip(_)) { 0 } else { code.2 };
    let hashed = FunctionSpec { code_unpacked_bytes: unpacked, ..spec.clone() };
    let settings = sha256_hex(serde_json::to_string(&hashed).unwrap_or_default().as_bytes());
    let function = Address::new("edge", Kind::Function, name);
    builder.add(step, below, Resource::new(function.clone(), Kind::Function, &spec));
    let spec = FunctionVersionSpec {
        function: link(&function, "name"),
        region: plan.region.clone(),
        code_sha256: code.0.clone(),
        settings: settings[..16].to_owned(),
    };
    let version = Address::new("edge", Kind::FunctionVersion, name);
    builder.add(step, below, Resource::new(version, Kind::FunctionVersion, &spec));
}

/// A function at the edge logs in the region where it ran, under the name of its home region.
fn logs_policy(function: &str) -> serde_json::Value {
    let account = crate::resource::ACCOUNT;
    json!({
        "Version": "2012-10-17",
        "Statement": [{
            "Sid": "WriteLogs",
            "Effect": "Allow",
            "Action": ["logs:CreateLogGroup", "logs:CreateLogStream", "logs:PutLogEvents"],
            "Resource": [
                format!("arn:aws:logs:*:{account}:log-group:/aws/lambda/{function}:*"),
                format!("arn:aws:logs:*:{account}:log-group:/aws/lambda/us-east-1.{function}:*"),
            ],
        }],
    })
}

//! Rules on functions that a distribution of the plan runs at the edge.

use super::edge::associations;
use super::policy::trusts;
use super::rule::{CheckRule, CheckedResource, RuleFindings, error};
use super::runtimes::runtime;
use crate::resource::distribution::DistributionSpec;
use crate::resource::function::FunctionSpec;
use crate::resource::{Kind, counted};

type Spec<'a> = CheckedResource<'a, FunctionSpec>;

const MEGABYTE: u64 = 1024 * 1024;

pub(super) const RULES: &[CheckRule<FunctionSpec>] = &[
    error(
        "LE101-edge-runtime",
        "an edge function runs on Node.js or Python",
        "InvalidLambdaFunctionAssociation: The function has an unsupported runtime",
        "write nodejs24.x or a Python runtime",
        edge_runtime,
    ),
    error(
        "LE102-edge-environment",
        "an edge function has no environment variables",
        "InvalidLambdaFunctionAssociation: The function cannot have environment variables",
        "write the values into the code when it is packed",
        environment,
    ),
    error(
        "LE103-edge-layers",
        "an edge function has no layers",
        "InvalidLambdaFunctionAssociation: The function cannot have layers",
        "pack what the layers hold into the zip",
        layers,
    ),
    error(
        "LE104-edge-architecture",
        "an edge function is built for x86_64",
        "InvalidLambdaFunctionAssociation: The function must use the x86_64 architecture",
        "write architecture: x86_64",
        architecture,
    ),
    error(
        "LE105-edge-network",
        "an edge function is in no VPC",
        "InvalidLambdaFunctionAssociation: The function cannot have a VPC configuration",
        "remove the subnets",
        network,
    ),
    error(
        "LE106-edge-image",
        "an edge function is a zip",
        "InvalidLambdaFunctionAssociation: The function cannot be a container image",
        "pack the code as a zip",
        image,
    ),
    error(
        "LE107-edge-provisioned-concurrency",
        "an edge function has no provisioned concurrency",
        "InvalidLambdaFunctionAssociation: Lambda@Edge does not support provisioned concurrency; cold starts remain",
        "remove provisioned_concurrency; for warm instances put a regional function behind CloudFront as an origin",
        provisioned,
    ),
    error(
        "LE108-edge-timeout",
        "an edge function answers within 30 seconds",
        "InvalidLambdaFunctionAssociation: The function timeout is larger than 30 seconds",
        "write a timeout of at most 30 seconds",
        timeout,
    ),
    error(
        "LE109-viewer-limits",
        "a function at a viewer event keeps the small limits: 128 MB, 5 seconds, 1 MB of zip",
        "InvalidLambdaFunctionAssociation: the function's memory, timeout or code size is larger than a viewer event allows",
        "use origin-request. (A newer page of quotas names the same limits for all events; it was not tried on a real account, so the older limits hold here.)",
        viewer_limits,
    ),
    error(
        "LE110-edge-package-size",
        "an edge function's zip has at most 50 MB, unpacked 250 MB",
        "InvalidLambdaFunctionAssociation: the function's code is larger than Lambda@Edge allows",
        "pack linux/x64 binaries only, and leave out what the runtime provides",
        package,
    ),
    error(
        "LE111-edge-role-trust",
        "the role of an edge function trusts lambda.amazonaws.com and edgelambda.amazonaws.com",
        "InvalidLambdaFunctionAssociation: The function execution role must be assumable with edgelambda.amazonaws.com as well as lambda.amazonaws.com principals.",
        "name both services as principals of sts:AssumeRole in the trust document",
        trust,
    ),
];

/// Where the function stands: distribution and event of each association.
fn uses(seen: &Spec<'_>) -> Vec<(String, String)> {
    let mut found = Vec::new();
    for (cdn, spec) in seen.scope.each::<DistributionSpec>(Kind::Distribution) {
        for (_, _, association) in associations(&spec) {
            if seen.scope.function(&association.function_arn).is_some_and(|(address, _)| address == seen.address) {
                found.push((cdn.to_string(), association.event.clone()));
            }
        }
    }
    found
}

/// A finding when the function is at the edge and `wrong` holds.
fn at_edge(seen: &Spec<'_>, notes: &mut RuleFindings<'_>, path: &str, wrong: bool, what: impl FnOnce() -> String) {
    if let Some((cdn, event)) = uses(seen).first().filter(|_| wrong) {
        notes.add(path, format!("{}, and `{cdn}` runs it at {event}", what()));
    }
}

fn edge_runtime(seen: &Spec<'_>, notes: &mut RuleFindings<'_>) {
    let name = &seen.spec.runtime;
    let wrong = runtime(name).is_some_and(|known| !known.edge);
    at_edge(seen, notes, "runtime", wrong, || format!("the runtime is {name}"));
}

fn environment(seen: &Spec<'_>, notes: &mut RuleFindings<'_>) {
    let names: Vec<&str> = seen.spec.environment.keys().map(String::as_str).collect();
    at_edge(seen, notes, "environment", !names.is_empty(), || format!("it has the variables {}", names.join(", ")));
}

fn layers(seen: &Spec<'_>, notes: &mut RuleFindings<'_>) {
    let count = seen.spec.layers.len();
    at_edge(seen, notes, "layers", count > 0, || format!("it has {}", counted(count, "layer")));
}

fn architecture(seen: &Spec<'_>, notes: &mut RuleFindings<'_>) {
    let wrong = seen.spec.architecture == "arm64";
    at_edge(seen, notes, "architecture", wrong, || "it is built for arm64".to_owned());
}

fn network(seen: &Spec<'_>, notes: &mut RuleFindings<'_>) {
    let wrong = !seen.spec.subnets.is_empty();
    at_edge(seen, notes, "subnets", wrong, || format!("it is in the subnets {}", seen.spec.subnets.join(", ")));
}

fn image(seen: &Spec<'_>, notes: &mut RuleFindings<'_>) {
    let image = seen.spec.image.as_deref();
    at_edge(seen, notes, "image", image.is_some(), || format!("it is the image `{}`", image.unwrap_or_default()));
}

fn provisioned(seen: &Spec<'_>, notes: &mut RuleFindings<'_>) {
    let count = seen.spec.provisioned_concurrency;
    let what = || format!("it wants {} provisioned instances", count.unwrap_or_default());
    at_edge(seen, notes, "provisioned_concurrency", count.is_some(), what);
}

fn timeout(seen: &Spec<'_>, notes: &mut RuleFindings<'_>) {
    let seconds = seen.spec.timeout_seconds;
    at_edge(seen, notes, "timeout_seconds", seconds > 30, || format!("its time limit is {seconds} seconds"));
}

fn viewer_limits(seen: &Spec<'_>, notes: &mut RuleFindings<'_>) {
    let FunctionSpec { memory_mb, timeout_seconds, code_bytes, .. } = seen.spec;
    let Some((cdn, event)) = uses(seen).into_iter().find(|(_, event)| event.starts_with("viewer-")) else { return };
    let limits = [
        ("memory_mb", memory_mb > 128, format!("memory is {memory_mb} MB (128 allowed)")),
        ("timeout_seconds", timeout_seconds > 5, format!("the time limit is {timeout_seconds} s (5 allowed)")),
        ("code_bytes", code_bytes > MEGABYTE, format!("the zip has {code_bytes} bytes (1 MB allowed)")),
    ];
    for (path, _, what) in limits.into_iter().filter(|(_, wrong, _)| *wrong) {
        notes.add(path, format!("{what} at {event} of `{cdn}`"));
    }
}

fn package(seen: &Spec<'_>, notes: &mut RuleFindings<'_>) {
    let FunctionSpec { code_bytes, code_unpacked_bytes, .. } = seen.spec;
    at_edge(seen, notes, "code_bytes", code_bytes > 50 * MEGABYTE, || format!("the zip has {code_bytes} bytes"));
    let wrong = code_unpacked_bytes > 250 * MEGABYTE;
    at_edge(seen, notes, "code_unpacked_bytes", wrong, || format!("unpacked it has {code_unpacked_bytes} bytes"));
}

fn trust(seen: &Spec<'_>, notes: &mut RuleFindings<'_>) {
    let Some((role, spec)) = seen.scope.role(&seen.spec.role_arn) else { return };
    let services = ["lambda.amazonaws.com", "edgelambda.amazonaws.com"];
    let lacking: Vec<&str> = services.into_iter().filter(|service| !trusts(&spec.trust, service)).collect();
    at_edge(seen, notes, "role_arn", !lacking.is_empty(), || {
        format!("`{role}` does not trust {}", lacking.join(" and "))
    });
}

#[cfg(test)]
pub(super) mod tests {
    use serde_json::json;

    use super::super::testing::{Case, case};

    pub(in super::super) fn cases() -> Vec<Case> {
        const FUNCTION: &str = "edge.function.embed";
        const EVENT: &str = "/behaviours/0/functions/0/event";
        let viewer = || {
            case("LE109-viewer-limits").also("LE008-viewer-event").set(
                "cdn.distribution.main",
                EVENT,
                json!("viewer-request"),
            )
        };
        let trust = json!({"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Principal": {"Service": "lambda.amazonaws.com"}, "Action": "sts:AssumeRole"}]});
        vec![
            case("LE101-edge-runtime").set(FUNCTION, "/runtime", json!("provided.al2023")).set(
                FUNCTION,
                "/handler",
                json!("bootstrap"),
            ),
            case("LE102-edge-environment").set(FUNCTION, "/environment", json!({"MODEL": "x"})),
            case("LE103-edge-layers").set(
                FUNCTION,
                "/layers",
                json!(["arn:aws:lambda:us-east-1:123456789012:layer:x:1"]),
            ),
            case("LE104-edge-architecture").set(FUNCTION, "/architecture", json!("arm64")),
            case("LE105-edge-network").set(FUNCTION, "/subnets", json!(["subnet-1"])),
            case("LE106-edge-image").set(FUNCTION, "/image", json!("123456789012.dkr.ecr.us-east-1.amazonaws.com/x:1")),
            case("LE107-edge-provisioned-concurrency").set(FUNCTION, "/provisioned_concurrency", json!(2)),
            case("LE108-edge-timeout").set(FUNCTION, "/timeout_seconds", json!(60)),
            viewer(),
            viewer().set(FUNCTION, "/memory_mb", json!(128)).set(FUNCTION, "/timeout_seconds", json!(5)),
            case("LE110-edge-package-size")
                .set(FUNCTION, "/code_unpacked_bytes", json!(270_000_000))
                .also("LA009-package-size"),
            case("LE111-edge-role-trust").set("edge.role.function", "/trust", trust),
        ]
    }
}

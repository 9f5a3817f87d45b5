//! Rules on Lambda functions and their versions, wherever they run.

use super::policy::{bad_role_arn, trusts};
use super::regions::is_region_form;
use super::rule::{CheckRule, CheckedResource, RuleFindings, error, warning};
use super::runtimes::{AS_OF, runtime};
use super::scope::is_open;
use crate::resource::function::FunctionSpec;
use crate::resource::function_version::FunctionVersionSpec;

type Spec<'a> = CheckedResource<'a, FunctionSpec>;

const MEGABYTE: u64 = 1024 * 1024;

pub(super) const RULES: &[CheckRule<FunctionSpec>] = &[
    error(
        "LA001-function-name",
        "function names are legal",
        "InvalidParameterValueException: Value at 'functionName' failed to satisfy constraint",
        "write up to 64 letters, digits, dashes and underscores",
        name,
    ),
    error(
        "LA002-runtime-unknown",
        "the runtime is valid",
        "InvalidParameterValueException: Value at 'runtime' failed to satisfy constraint: Member must satisfy enum value set",
        "write for example nodejs24.x",
        runtime_unknown,
    ),
    warning(
        "LA003-runtime-deprecated",
        "the runtime is not deprecated",
        "accepted until the block date, then InvalidParameterValueException: The runtime parameter is no longer supported for creating or updating AWS Lambda functions.",
        "write nodejs24.x (async handlers only)",
        runtime_deprecated,
    ),
    error(
        "LA004-memory",
        "memory is from 128 to 10,240 MB",
        "InvalidParameterValueException: 'MemorySize' value failed to satisfy constraint",
        "write a number from 128 to 10240",
        memory,
    ),
    error(
        "LA005-timeout",
        "the time limit is from 1 to 900 seconds",
        "InvalidParameterValueException: Value at 'timeout' failed to satisfy constraint: Member must have value less than or equal to 900",
        "write a number from 1 to 900",
        timeout,
    ),
    error(
        "LA006-architecture",
        "the architecture is x86_64 or arm64",
        "InvalidParameterValueException: Value at 'architectures' failed to satisfy constraint",
        "write x86_64 or arm64",
        architecture,
    ),
    error(
        "LA007-handler",
        "the handler has the form that its runtime reads",
        "accepted; every call then ends with Runtime.HandlerNotFound or Runtime.MalformedHandlerName",
        "write <file>.<function>, for example index.handler",
        handler,
    ),
    error(
        "LA008-role-arn",
        "the role is the ARN of a role",
        "InvalidParameterValueException: The role defined for the function cannot be assumed by Lambda, or ValidationException for an ARN that is not well formed",
        "write ${<area>.role.<name>#arn}",
        role_arn,
    ),
    error(
        "LA009-package-size",
        "the unpacked code has at most 250 MB",
        "InvalidParameterValueException: Unzipped size must be smaller than 262144000 bytes",
        "leave out what is not needed at run time",
        size,
    ),
    error(
        "LA010-role-trust",
        "the role of the plan trusts lambda.amazonaws.com",
        "InvalidParameterValueException: The role defined for the function cannot be assumed by Lambda.",
        "name lambda.amazonaws.com as a principal of sts:AssumeRole in the trust document",
        trust,
    ),
    error(
        "LA011-code-hash",
        "the code is named by a SHA-256 and is not empty",
        "the run stops there: no artifact has this hash",
        "write the 64 lower-case hex digits of the zip's SHA-256, and its size",
        hash,
    ),
    error(
        "LA013-upload-size",
        "the zip has at most 50 MB",
        "RequestEntityTooLargeException: Request must be smaller than 70167211 bytes for the CreateFunction operation",
        "leave out what is not needed at run time",
        upload,
    ),
    error("LA012-region", "the region is a region", "no endpoint answers", "write for example us-east-1", region),
];

pub(super) const VERSION: &[CheckRule<FunctionVersionSpec>] = &[error(
    "LA101-version-differs",
    "a version freezes its function's code, in its function's region",
    "PreconditionFailedException or ResourceNotFoundException: CodeSHA256 differs from the function's code",
    "use code_sha256 and region of the function",
    version,
)];

fn name(seen: &Spec<'_>, notes: &mut RuleFindings<'_>) {
    let name = &seen.spec.name;
    let legal = name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_');
    let wrong = !is_open(name) && (name.is_empty() || name.len() > 64 || !legal);
    notes.add_if(wrong, "name", || format!("the name is `{name}`"));
}

fn runtime_unknown(seen: &Spec<'_>, notes: &mut RuleFindings<'_>) {
    let name = &seen.spec.runtime;
    let wrong = runtime(name).is_none() && seen.spec.image.is_none();
    notes.add_if(wrong, "runtime", || format!("`{name}` is not a runtime in the table of {AS_OF}"));
}

fn runtime_deprecated(seen: &Spec<'_>, notes: &mut RuleFindings<'_>) {
    let Some(known) = runtime(&seen.spec.runtime) else { return };
    let Some(day) = known.deprecated.filter(|day| *day <= seen.scope.today) else { return };
    let blocked = match known.blocked {
        Some(day) if day <= seen.scope.today => format!("; since {day} no function can be created with it"),
        Some(day) => format!("; from {day} on no function can be created with it"),
        None => String::new(),
    };
    notes.add("runtime", format!("{} is deprecated since {day}{blocked} (table of {AS_OF})", known.name));
}

fn memory(seen: &Spec<'_>, notes: &mut RuleFindings<'_>) {
    let memory = seen.spec.memory_mb;
    notes.add_if(!(128..=10_240).contains(&memory), "memory_mb", || format!("memory is {memory} MB"));
}

fn timeout(seen: &Spec<'_>, notes: &mut RuleFindings<'_>) {
    let seconds = seen.spec.timeout_seconds;
    notes.add_if(!(1..=900).contains(&seconds), "timeout_seconds", || format!("the time limit is {seconds} seconds"));
}

fn architecture(seen: &Spec<'_>, notes: &mut RuleFindings<'_>) {
    let word = seen.spec.architecture.as_str();
    notes.add_if(!["x86_64", "arm64"].contains(&word), "architecture", || format!("`{word}` is not an architecture"));
}

fn handler(seen: &Spec<'_>, notes: &mut RuleFindings<'_>) {
    let FunctionSpec { handler, runtime, image, .. } = &seen.spec;
    let dotted = ["nodejs", "python", "ruby"].iter().any(|family| runtime.starts_with(family));
    let parts = handler.rsplit_once('.');
    let formed = !dotted || parts.is_some_and(|(file, function)| !file.is_empty() && !function.is_empty());
    let wrong = handler.is_empty() || handler.len() > 128 || handler.contains(char::is_whitespace) || !formed;
    notes.add_if(wrong && image.is_none(), "handler", || format!("the handler is `{handler}`"));
}

fn role_arn(seen: &Spec<'_>, notes: &mut RuleFindings<'_>) {
    if let Some(problem) = bad_role_arn(&seen.spec.role_arn) {
        notes.add("role_arn", problem);
    }
}

fn size(seen: &Spec<'_>, notes: &mut RuleFindings<'_>) {
    let bytes = seen.spec.code_unpacked_bytes;
    notes.add_if(bytes > 250 * MEGABYTE, "code_unpacked_bytes", || format!("unpacked it has {bytes} bytes"));
}

fn upload(seen: &Spec<'_>, notes: &mut RuleFindings<'_>) {
    let bytes = seen.spec.code_bytes;
    notes.add_if(bytes > 50 * MEGABYTE, "code_bytes", || format!("the zip has {bytes} bytes"));
}

fn trust(seen: &Spec<'_>, notes: &mut RuleFindings<'_>) {
    let Some((role, spec)) = seen.scope.role(&seen.spec.role_arn) else { return };
    let service = "lambda.amazonaws.com";
    // A role that trusts only the edge is the business of the edge rules, which name both.
    let wrong = !trusts(&spec.trust, service) && !trusts(&spec.trust, "edgelambda.amazonaws.com");
    notes.add_if(wrong, "role_arn", || format!("`{role}` does not trust {service}"));
}

fn is_sha256(text: &str) -> bool {
    text.len() == 64 && text.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b))
}

fn hash(seen: &Spec<'_>, notes: &mut RuleFindings<'_>) {
    let FunctionSpec { code_sha256, code_bytes, image, .. } = &seen.spec;
    let wrong = image.is_none() && !is_open(code_sha256) && (!is_sha256(code_sha256) || *code_bytes == 0);
    notes.add_if(wrong, "code_sha256", || format!("the hash is `{code_sha256}`, the size {code_bytes}"));
}

fn region(seen: &Spec<'_>, notes: &mut RuleFindings<'_>) {
    let region = &seen.spec.region;
    notes.add_if(!is_open(region) && !is_region_form(region), "region", || format!("`{region}` is not an AWS region"));
}

fn version(seen: &CheckedResource<'_, FunctionVersionSpec>, notes: &mut RuleFindings<'_>) {
    let FunctionVersionSpec { function, region, code_sha256, .. } = &seen.spec;
    let Some((address, held)) = seen.scope.function(function) else { return };
    for (path, own, theirs) in [("region", region, &held.region), ("code_sha256", code_sha256, &held.code_sha256)] {
        let wrong = own != theirs && !is_open(own) && !is_open(theirs);
        notes.add_if(wrong, path, || format!("`{own}` is not `{address}`'s `{theirs}`"));
    }
}

#[cfg(test)]
pub(super) mod tests {
    use serde_json::json;

    use super::super::testing::{Case, case};

    pub(in super::super) fn cases() -> Vec<Case> {
        const FUNCTION: &str = "edge.function.regional";
        let nobody = json!({"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Principal": {"Service": "ec2.amazonaws.com"}, "Action": "sts:AssumeRole"}]});
        vec![
            case("LA001-function-name").set(FUNCTION, "/name", json!("a b")),
            case("LA002-runtime-unknown").set(FUNCTION, "/runtime", json!("nodejs99.x")),
            case("LA003-runtime-deprecated").set(FUNCTION, "/runtime", json!("nodejs18.x")),
            case("LA004-memory").set(FUNCTION, "/memory_mb", json!(64)),
            case("LA005-timeout").set(FUNCTION, "/timeout_seconds", json!(901)),
            case("LA006-architecture").set(FUNCTION, "/architecture", json!("x86")),
            case("LA007-handler").set(FUNCTION, "/handler", json!("handler")),
            case("LA008-role-arn").set(FUNCTION, "/role_arn", json!("arn:aws:iam::ACCOUNT_ID:role/lambda-edge-role")),
            case("LA009-package-size").set(FUNCTION, "/code_unpacked_bytes", json!(300_000_000)),
            case("LA013-upload-size").set(FUNCTION, "/code_bytes", json!(53_000_000)),
            case("LA010-role-trust").set("edge.role.regional", "/trust", nobody),
            case("LA011-code-hash").set(FUNCTION, "/code_sha256", json!("abc")),
            case("LA012-region").set(FUNCTION, "/region", json!("frankfurt")),
            case("LA101-version-differs").set("edge.function-version.embed", "/code_sha256", json!("b".repeat(64))),
        ]
    }
}

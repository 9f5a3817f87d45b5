//! Probe functions, one for each region to measure from: a stack of their own, which is removed when they have answered.

use std::collections::{BTreeMap, BTreeSet};

use super::{DesiredStack, boundary, trust};
use crate::resource::function::FunctionSpec;
use crate::resource::role::RoleSpec;
use crate::resource::{Address, Desired, Kind, Resource, link};
use crate::template::{self, TemplateError};

/// What the name of the stack of a stack's probes ends with.
pub const SUFFIX: &str = "-probes";
/// The area of their addresses.
const AREA: &str = "probes";
/// The name of the code template.
const CODE: &str = "probe";
/// One whole processor, so that the probe itself is not what is slow.
pub const MEMORY_MB: i32 = 1769;
/// The longest that Lambda lets a function run.
pub const MOST_SECONDS: i32 = 900;
/// Names of functions and roles have 64 characters at most.
const LONGEST: usize = 64;

/// The regions that are meant by all of them.
pub const REGIONS: [&str; 10] = [
    "us-east-1",
    "us-west-2",
    "eu-west-1",
    "eu-central-1",
    "ap-southeast-1",
    "ap-northeast-1",
    "sa-east-1",
    "ap-south-1",
    "ca-central-1",
    "af-south-1",
];

/// The stack of the probes of a stack.
pub fn stack(of: &str) -> String {
    format!("{of}{SUFFIX}")
}

/// Where the probe of a region is known.
pub fn address(region: &str) -> Address {
    Address::new(AREA, Kind::Function, region)
}

/// The name of the probe, in every region; also that of its role.
pub fn name(stack: &str) -> String {
    stack.chars().take(LONGEST).collect()
}

/// The probes of a stack. The role may do nothing at all: a probe writes no log, so nothing is left in an account.
///
/// # Errors
/// When the tool lacks its own template.
pub fn build(stack: &str, regions: &BTreeSet<String>) -> Result<DesiredStack, TemplateError> {
    let mut built = DesiredStack { desired: Desired::new(stack), ..DesiredStack::default() };
    let archive = template::archive(CODE)?;
    let (code_bytes, code_unpacked_bytes) = (archive.bytes.len() as u64, archive.unpacked);
    let code_sha256 = built.artifacts.add_bytes(archive.bytes);
    let role = Address::new(AREA, Kind::Role, "probe");
    built.desired.add(Resource::new(role.clone(), Kind::Role, &role_spec(stack)).from_step(AREA, AREA));
    for region in regions {
        let spec = FunctionSpec {
            name: name(stack),
            region: region.clone(),
            description: "Measures latency once, then it is removed: akidb-edge validate latency".to_owned(),
            runtime: "nodejs24.x".to_owned(),
            handler: "index.handler".to_owned(),
            memory_mb: MEMORY_MB,
            timeout_seconds: MOST_SECONDS,
            role_arn: link(&role, "arn"),
            architecture: "x86_64".to_owned(),
            code_sha256: code_sha256.clone(),
            code_bytes,
            environment: BTreeMap::new(),
            layers: Vec::new(),
            code_unpacked_bytes,
            provisioned_concurrency: None,
            subnets: Vec::new(),
            image: None,
            tags: BTreeMap::new(),
        };
        built.desired.add(Resource::new(address(region), Kind::Function, &spec).from_step(AREA, AREA));
    }
    Ok(built)
}

fn role_spec(stack: &str) -> RoleSpec {
    RoleSpec {
        name: name(stack),
        description: format!("Execution role of the probes of {stack}; it may do nothing"),
        trust: trust(&["lambda.amazonaws.com"]),
        inline: BTreeMap::new(),
        managed: Vec::new(),
        boundary: Some(boundary::LOGS.to_owned()),
        tags: BTreeMap::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_region_has_a_probe_and_all_have_one_role_that_may_do_nothing() {
        let regions: BTreeSet<String> = REGIONS.iter().map(|region| (*region).to_owned()).collect();
        let built = build(&stack("shop"), &regions).expect("the template");
        assert_eq!(built.desired.resources.len(), REGIONS.len() + 1);
        let role = &built.desired.resources[&Address::new(AREA, Kind::Role, "probe")];
        let role: RoleSpec = role.typed().expect("a role");
        assert!(role.inline.is_empty() && role.managed.is_empty() && role.name == "shop-probes", "{role:?}");
        for region in REGIONS {
            let probe = &built.desired.resources[&address(region)];
            let spec: FunctionSpec = probe.typed().expect("a function");
            assert_eq!((spec.region.as_str(), spec.name.as_str()), (region, "shop-probes"));
            assert!(built.artifacts.get(&spec.code_sha256).is_some());
            assert_eq!(probe.needs.len(), 1, "it needs its role");
        }
    }

    #[test]
    fn names_are_no_longer_than_lambda_takes() {
        assert_eq!(name(&stack(&"s".repeat(90))).len(), LONGEST);
    }
}

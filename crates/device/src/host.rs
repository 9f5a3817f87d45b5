//! Machines: looked up, with their facts in one script.

use std::sync::Arc;

use async_trait::async_trait;
use serde_json::json;

use super::Fleet;
use super::facts::{self, DeviceFacts};
use crate::provider::{Applied, DeleteOutcome, Provider, ResourceContext};
use crate::resource::host::HostSpec;
use crate::resource::{Attributes, Fault, FaultClass, FieldChange, ObservedResource, Owner};

/// Machines of a fleet.
pub struct Hosts {
    fleet: Arc<Fleet>,
}

impl Hosts {
    /// These machines.
    pub fn new(fleet: &Arc<Fleet>) -> Self {
        Self { fleet: Arc::clone(fleet) }
    }
}

fn never_made(operation: &str) -> Fault {
    Fault::new(FaultClass::Refused, "ssh", operation, "LookupOnly", "a machine is only looked up, never created")
        .next("flash it (NVIDIA SDK Manager), then name it in the plan")
}

/// Refuses a device with another system than the plan is for.
fn fits(spec: &HostSpec, facts: &DeviceFacts) -> Result<(), Fault> {
    let Some(wanted) = &spec.jetpack else { return Ok(()) };
    let refuse =
        |words: String, next: String| Err(Fault::new(FaultClass::Refused, "ssh", "facts", "JetPack", words).next(next));
    match facts.jetpack() {
        // A patch release that is not listed is taken: the doctor warns of it.
        Some(_) if facts.has_jetpack(wanted) => Ok(()),
        Some(there) => refuse(
            format!("{} has JetPack {there} (L4T {}), the plan is for {wanted}", spec.name, facts.l4t.line()),
            "reflash it, or change `jetpack` in the plan: base image and ONNX Runtime depend on it".to_owned(),
        ),
        None if facts.l4t.is_empty() => refuse(
            format!("{} is not a Jetson: /etc/nv_tegra_release does not exist", spec.name),
            "remove `jetpack` from the plan for other machines".to_owned(),
        ),
        None => refuse(
            format!("{} has L4T {}, which is not known", spec.name, facts.l4t.line()),
            format!("known: {}", facts::known_releases()),
        ),
    }
}

#[async_trait]
impl Provider for Hosts {
    async fn read(&self, subject: &ResourceContext<'_>) -> Result<Option<ObservedResource>, Fault> {
        let spec: HostSpec = subject.typed()?;
        let reply = self.fleet.run(&spec.name, facts::KEY_FACTS).await?;
        let facts = DeviceFacts::of(&reply);
        fits(&spec, &facts)?;
        let attributes = Attributes::from([
            ("architecture".into(), json!(facts.architecture)),
            ("l4t".into(), json!(facts.l4t)),
            ("jetpack".into(), facts.jetpack().unwrap_or_default().into()),
        ]);
        Ok(Some(ObservedResource {
            id: spec.name.clone(),
            spec: subject.spec.clone(),
            attributes,
            owner: Owner::Ours,
            extras: Vec::new(),
        }))
    }

    async fn create(&self, _subject: &ResourceContext<'_>) -> Result<Applied, Fault> {
        Err(never_made("create"))
    }

    async fn update(
        &self,
        _subject: &ResourceContext<'_>,
        _found: &ObservedResource,
        _fields: &[FieldChange],
    ) -> Result<Applied, Fault> {
        Err(never_made("update"))
    }

    async fn delete(&self, _subject: &ResourceContext<'_>) -> Result<DeleteOutcome, Fault> {
        Ok(DeleteOutcome::Deleted)
    }
}

//! Machines: looked up, with their facts in one script.

use std::sync::Arc;

use async_trait::async_trait;

use super::facts::{self, Facts};
use super::Fleet;
use crate::provider::{Gone, Made, Provider, Subject};
use crate::resource::host::HostSpec;
use crate::resource::{Attributes, Class, Fault, FieldChange, Found, Owner};

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
    Fault::new(Class::Refused, "ssh", operation, "LookupOnly", "a machine is looked up, never made")
        .next("flash it (NVIDIA SDK Manager), then name it in the plan")
}

#[async_trait]
impl Provider for Hosts {
    async fn read(&self, subject: &Subject<'_>) -> Result<Option<Found>, Fault> {
        let spec: HostSpec = subject.typed()?;
        let reply = self.fleet.run(&spec.name, facts::SCRIPT).await?;
        let facts = Facts::read(&reply.output);
        let attributes = Attributes::from([
            ("architecture".into(), facts.architecture.clone().into()),
            ("l4t".into(), facts.l4t.clone().into()),
            ("jetpack".into(), facts.jetpack().unwrap_or_default().into()),
        ]);
        Ok(Some(Found { id: spec.name.clone(), spec: subject.spec.clone(), attributes, owner: Owner::Ours }))
    }

    async fn create(&self, _subject: &Subject<'_>) -> Result<Made, Fault> {
        Err(never_made("create"))
    }

    async fn update(&self, _subject: &Subject<'_>, _found: &Found, _fields: &[FieldChange]) -> Result<Made, Fault> {
        Err(never_made("update"))
    }

    async fn delete(&self, _subject: &Subject<'_>) -> Result<Gone, Fault> {
        Ok(Gone::Gone)
    }
}

//! The provider of resources that a few shell lines can read, create and remove.

use std::marker::PhantomData;
use std::sync::Arc;

use async_trait::async_trait;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::Fleet;
use super::channel::FileUpload;
use super::script::{Script, last_words, quoted, script};
use crate::provider::{Applied, DeleteOutcome, Provider, ResourceContext};
use crate::resource::{
    Artifacts, Attributes, CheckedSettings, Fault, FaultClass, FieldChange, ObservedResource, Owner,
};

/// Where a machine records what we made on it, and what was there before.
pub const MEMORY: &str = "/var/lib/akidb-edge";

/// Stands before what is looked at after something was made.
const LOOKED: &str = "akidb-edge-looks-again";

/// One kind, in shell lines. Scripts run with `set -eu`; their values are quoted, and are behind `--` where a program
/// reads options.
pub trait ShellKind: Send + Sync + 'static {
    /// Its settings.
    type Spec: DeserializeOwned + Serialize + CheckedSettings + Send + Sync;
    /// The program that a fault names.
    const SERVICE: &'static str;
    /// It knows by itself what of it is ours, or brings back what was there before: it is asked to go, whoever made it.
    const ASKED_ALWAYS: bool = false;

    /// The machine.
    fn host(spec: &Self::Spec) -> &str;
    /// What it is called on the machine.
    fn id(spec: &Self::Spec) -> String;
    /// Prints what is there as `key=value` lines.
    fn look(spec: &Self::Spec) -> Script;
    /// The settings as they are, from what `look` printed; none when it is not there.
    fn found(spec: &Self::Spec, printed: &str) -> Option<Value>;
    /// The same, where `before` is what was asked for last: what is still so is given in its words, or a change of the plan
    /// would look like one that others made.
    fn found_after(spec: &Self::Spec, _before: Option<&Self::Spec>, printed: &str) -> Option<Value> {
        Self::found(spec, printed)
    }
    /// Makes it, or makes it right. Safe to run again.
    fn put(spec: &Self::Spec) -> Script;
    /// Takes it away. Safe to run again.
    fn remove(spec: &Self::Spec) -> Script;
    /// Brings back what was there before, when it was not ours and we changed it.
    fn restore(_spec: &Self::Spec) -> Script {
        ":".into()
    }
    /// Takes away what a `put` that failed may have left, where nothing was made.
    fn clear(_spec: &Self::Spec) -> Script {
        ":".into()
    }
    /// The artifact that `put` needs on the machine, and where: hash and path.
    fn artifact(_spec: &Self::Spec) -> Option<(String, String)> {
        None
    }
    /// What to do about a failure, when its words tell.
    fn remedy(_words: &str) -> Option<String> {
        None
    }
}

/// Resources of one kind on the machines of a fleet.
pub struct OnHost<K> {
    fleet: Arc<Fleet>,
    artifacts: Arc<Artifacts>,
    kind: PhantomData<fn() -> K>,
}

impl<K: ShellKind> OnHost<K> {
    /// Resources on these machines.
    pub fn new(fleet: &Arc<Fleet>, artifacts: &Arc<Artifacts>) -> Self {
        Self { fleet: Arc::clone(fleet), artifacts: Arc::clone(artifacts), kind: PhantomData }
    }

    /// Runs lines that must succeed.
    async fn must(&self, operation: &str, spec: &K::Spec, lines: &Script) -> Result<String, Fault> {
        let reply = self.fleet.run(K::host(spec), script!("set -eu\n{lines}", lines)).await?;
        if reply.code == 0 {
            return Ok(reply.output);
        }
        let said = reply.output.trim();
        let words = format!("{}: {} (exit status {})", K::host(spec), last_words(said, 3), reply.code);
        let fault = Fault::new(FaultClass::Refused, K::SERVICE, operation, "Failed", words);
        let remedy = K::remedy(said).or_else(|| general_remedy(said).map(str::to_owned));
        Err(fault
            .next(remedy.unwrap_or_else(|| "correct it on the device, then run the same command again".to_owned())))
    }

    async fn bring(&self, spec: &K::Spec) -> Result<(), Fault> {
        let Some((sha256, to)) = K::artifact(spec) else { return Ok(()) };
        let Some(from) = self.artifacts.get(&sha256).cloned() else {
            let words = format!("the file with the hash {sha256} is not available");
            return Err(Fault::new(FaultClass::Refused, K::SERVICE, "upload", "NoArtefact", words)
                .next("name its directory with --artifacts"));
        };
        // The first thing that comes to a bare device may lie there until it is put to its place.
        self.must("upload", spec, &"akidb_edge_memory".into()).await?;
        self.fleet.upload(K::host(spec), FileUpload { from, to }).await
    }

    async fn put(&self, operation: &str, subject: &ResourceContext<'_>) -> Result<Applied, Fault> {
        let spec: K::Spec = sound(subject, K::SERVICE)?;
        self.bring(&spec).await?;
        self.made(operation, &spec, &remember(subject)).await?;
        Ok(Applied { id: K::id(&spec), attributes: subject.attributes.clone() })
    }

    /// Where a create failed and made nothing, nothing is recorded of it: an uninstall would not come here.
    async fn clear(&self, subject: &ResourceContext<'_>) {
        let Ok(spec) = subject.typed::<K::Spec>() else { return };
        let Ok(printed) = self.must("look", &spec, &K::look(&spec)).await else { return };
        if K::found(&spec, &printed).is_none() {
            let lines = script!("{clear}\n{forget}", clear = K::clear(&spec), forget = forget(subject));
            // What failed first is what is told; the next create clears it, too.
            let _ = self.must("clear", &spec, &lines).await;
        }
    }

    /// Makes it, and looks: a program that ended well may have done something else than it was asked for.
    async fn made(&self, operation: &str, spec: &K::Spec, before: &Script) -> Result<(), Fault> {
        let lines = script!(
            "{before}\nakidb_edge_memory\n{put}\necho; echo {LOOKED}\n{look}",
            before,
            put = K::put(spec),
            LOOKED,
            look = K::look(spec)
        );
        let output = self.must(operation, spec, &lines).await?;
        let (said, looked) = output.rsplit_once(LOOKED).unwrap_or((&output, ""));
        let Some(missing) = missing(spec, K::found(spec, looked)) else { return Ok(()) };
        let words = format!(
            "{}: the command succeeded, but {missing} does not match what was requested: {}",
            K::host(spec),
            last_words(said, 2)
        );
        Err(Fault::new(FaultClass::Refused, K::SERVICE, operation, "NotDone", words)
            .next("check it on the device, then run the same command again"))
    }
}

/// The first setting that is not there as it was asked for.
fn missing<S: Serialize>(spec: &S, found: Option<Value>) -> Option<String> {
    let Some(found) = found else { return Some("it".to_owned()) };
    let wanted = serde_json::to_value(spec).unwrap_or_default();
    let differs = |(key, value): &(&String, &Value)| found.get(key.as_str()) != Some(*value);
    wanted.as_object().into_iter().flatten().find(differs).map(|(key, _)| key.clone())
}

/// The settings of something that is to be made, when nothing in them would be taken for something else by a machine. The
/// plan was checked already; what comes from a journal is checked here. What an earlier version made is still read and
/// taken away: quoted and behind `--` it does no harm.
///
/// # Errors
/// What cannot be sent, and what may stand there.
pub(super) fn sound<S: DeserializeOwned + CheckedSettings>(
    subject: &ResourceContext<'_>,
    service: &str,
) -> Result<S, Fault> {
    let spec: S = subject.typed()?;
    let Some(wrong) = spec.wrong().into_iter().next() else { return Ok(spec) };
    let words = format!("{}: {}: {}", subject.address, wrong.field, wrong.problem);
    Err(Fault::new(FaultClass::Refused, service, "check", "Unsound", words).next(wrong.next_step))
}

/// What helps, whatever failed.
pub(super) fn general_remedy(said: &str) -> Option<&'static str> {
    if said.contains("No space left on device") {
        return Some(
            "the device's disk is full: free some space (df -h; k3s crictl rmi --prune), then run the same command \
             again",
        );
    }
    None
}

/// Notes on the machine that this address is ours, before it is made: a destroy takes away only what we brought.
pub(super) fn remember(subject: &ResourceContext<'_>) -> Script {
    let name = quoted(&format!("{}/{}", subject.stack, subject.address));
    script!(
        "akidb_edge_memory; grep -qxF -- {name} {MEMORY}/made 2>/dev/null || printf '%s\\n' {name} >>{MEMORY}/made",
        name,
        MEMORY
    )
}

/// Prints whether this address is ours.
pub(super) fn recall(subject: &ResourceContext<'_>) -> Script {
    let name = quoted(&format!("{}/{}", subject.stack, subject.address));
    // A variable of the batch: asking a program for each address would cost more than all the rest.
    script!("case \"$akidb_edge_made\" in *\"$akidb_edge_line\"{name}\"$akidb_edge_line\"*) echo ours=1;; esac", name)
}

/// Forgets it, and the memory with the last thing in it.
pub(super) fn forget(subject: &ResourceContext<'_>) -> Script {
    let name = quoted(&format!("{}/{}", subject.stack, subject.address));
    script!(
        "if test -e {MEMORY}/made; then grep -vxF -- {name} {MEMORY}/made >{MEMORY}/made.new || :; mv {MEMORY}/made.new {MEMORY}/made; test -s {MEMORY}/made || rm -f {MEMORY}/made; rmdir {MEMORY}/before {MEMORY} 2>/dev/null || :; fi",
        MEMORY,
        name
    )
}

#[async_trait]
impl<K: ShellKind> Provider for OnHost<K> {
    async fn read(&self, subject: &ResourceContext<'_>) -> Result<Option<ObservedResource>, Fault> {
        let spec: K::Spec = subject.typed()?;
        let printed = self
            .must("look", &spec, &script!("{look}\n{recall}", look = K::look(&spec), recall = recall(subject)))
            .await?;
        // What an earlier version wrote down in another form is not compared.
        let before = subject.before.and_then(|before| serde_json::from_value::<K::Spec>(before.clone()).ok());
        let Some(there) = K::found_after(&spec, before.as_ref(), &printed) else { return Ok(None) };
        // What was there before us is made right, too; it is not taken away when we go.
        let ours = printed.lines().any(|line| line == "ours=1");
        let attributes = Attributes::from([("ours".to_owned(), ours.into())]);
        Ok(Some(ObservedResource { id: K::id(&spec), spec: there, attributes, owner: Owner::Ours, extras: Vec::new() }))
    }

    async fn create(&self, subject: &ResourceContext<'_>) -> Result<Applied, Fault> {
        let made = match self.put("create", subject).await {
            Ok(made) => made,
            Err(fault) => {
                if fault.class != FaultClass::Away {
                    self.clear(subject).await;
                }
                return Err(fault);
            }
        };
        Ok(Applied { attributes: Attributes::from([("ours".to_owned(), true.into())]), ..made })
    }

    async fn update(
        &self,
        subject: &ResourceContext<'_>,
        found: &ObservedResource,
        _fields: &[FieldChange],
    ) -> Result<Applied, Fault> {
        let spec: K::Spec = sound(subject, K::SERVICE)?;
        self.bring(&spec).await?;
        self.made("update", &spec, &":".into()).await?;
        Ok(Applied { id: found.id.clone(), attributes: found.attributes.clone() })
    }

    async fn delete(&self, subject: &ResourceContext<'_>) -> Result<DeleteOutcome, Fault> {
        let spec: K::Spec = subject.typed()?;
        let ours = if K::ASKED_ALWAYS { "ours=1".into() } else { is_ours(subject) };
        let lines = script!(
            "{ours}\nif test \"${{ours:-}}\" = 1; then\n{remove}\nelse\n{restore}\nfi\n{forget}",
            ours,
            remove = K::remove(&spec),
            restore = K::restore(&spec),
            forget = forget(subject)
        );
        self.must("delete", &spec, &lines).await?;
        Ok(DeleteOutcome::Deleted)
    }
}

/// Sets the variable `ours`.
pub(super) fn is_ours(subject: &ResourceContext<'_>) -> Script {
    let name = quoted(&format!("{}/{}", subject.stack, subject.address));
    script!("ours=; if grep -qxF -- {name} {MEMORY}/made 2>/dev/null; then ours=1; fi", name, MEMORY)
}

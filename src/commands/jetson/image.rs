//! `jetson image`: images for the registry of the devices' cluster.

use std::path::PathBuf;

use clap::Subcommand;
use serde_json::json;

use super::devices::{DevicesArgs, VerbDevices};
use crate::commands::Context;
use crate::exit::{self, Failure, codes};
use crate::files;
use crate::plan::{Plan, StepConfig};
use crate::provider::device::{Push, push};
use crate::resource::{shown, syntax_check};

/// Images for the cluster's own registry.
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(subcommand)]
    verb: Verb,
}

/// What to do with an image.
#[derive(Debug, Subcommand)]
enum Verb {
    /// Bring an image archive into the cluster's registry, from where its nodes pull
    Push(PushArgs),
}

/// Which archive, and what it becomes.
#[derive(Debug, clap::Args)]
struct PushArgs {
    /// Archive of the image: of docker save, or an OCI layout
    #[arg(value_name = "ARCHIVE")]
    archive: PathBuf,
    /// What it is called in the registry; without it, what the app of the plan asks for
    #[arg(long = "as", value_name = "NAME:TAG")]
    name: Option<String>,
    /// Which image, where the archive has several
    #[arg(long, value_name = "NAME:TAG")]
    image: Option<String>,
    #[command(flatten)]
    devices: DevicesArgs,
}

/// Runs a verb.
///
/// # Errors
/// What failed, why, and the next step.
pub async fn run(args: Args, context: &Context) -> Result<u8, Failure> {
    match args.verb {
        Verb::Push(args) => push_archive(args, context).await,
    }
}

async fn push_archive(args: PushArgs, context: &Context) -> Result<u8, Failure> {
    let devices = args.devices.load(&[], context)?;
    let server = devices.server()?.to_owned();
    let registry = registry(&devices)?;
    let name = match args.name {
        Some(name) => name,
        None => wanted(&devices.plan, &registry)?,
    };
    for (flag, name) in [("--as", Some(&name)), ("--image", args.image.as_ref())] {
        if let Some(name) = name.filter(|name| !syntax_check::image(name)) {
            return Err(codes::ARGUMENT.refused(
                shown!("{} {:?} is not a name of an image; nothing was pushed", flag, name),
                syntax_check::IMAGE,
            ));
        }
    }
    let (path, archive) = (args.archive.clone(), args.archive.display().to_string());
    let hashed = tokio::task::spawn_blocking(move || files::hash(&path)).await;
    let hashed = hashed.unwrap_or_else(|bad| Err(std::io::Error::other(bad)));
    let (sha256, bytes) = hashed.map_err(|bad| {
        codes::ARGUMENT.refused(
            shown!("{}: {}; nothing was pushed", archive, bad),
            "name an archive, as docker save NAME -o ARCHIVE writes it",
        )
    })?;
    let wanted = Push { server, registry, archive: args.archive, sha256, image: args.image, name };
    context.printer.talk(shown!("{} ({} bytes) goes to the registry of {}", archive, bytes, wanted.server));
    let pushed = push(&devices.fleet, &wanted).await?;
    if context.printer.json {
        let body = json!({"exit": exit::DONE, "reference": wanted.reference(), "digest": pushed.digest, "image": pushed.image});
        context.printer.json("jetson-image-push", &body);
        return Ok(exit::DONE);
    }
    context.printer.data(shown!("{} is in the registry: {}", wanted.reference(), pushed.digest));
    Ok(exit::DONE)
}

/// The cluster's registry, `ADDRESS:PORT`.
fn registry(devices: &VerbDevices) -> Result<String, Failure> {
    devices.registry().map(str::to_owned).ok_or_else(|| {
        codes::ARGUMENT.refused(
            "the cluster of the plan has no registry; nothing was pushed",
            "add k3s.registry to the step of kind jetson, then akidb-edge jetson provision; without one, k3s.images brings an archive to every node",
        )
    })
}

/// What the app of the plan pulls from this registry.
fn wanted(plan: &Plan, registry: &str) -> Result<String, Failure> {
    let images = plan.steps.iter().filter_map(|step| match &step.work {
        StepConfig::JetsonApp(app) => app.image.strip_prefix(registry)?.strip_prefix('/'),
        _ => None,
    });
    let mut names: Vec<&str> = images.filter(|name| !name.contains('@')).collect();
    names.sort_unstable();
    names.dedup();
    match names.as_slice() {
        [one] => Ok((*one).to_owned()),
        [] => Err(codes::ARGUMENT.refused(
            shown!("no app of the plan has an image of {}; nothing was pushed", registry),
            "say what it is to be called with --as NAME:TAG, and write ADDRESS:PORT/NAME:TAG as the image of the app",
        )),
        several => Err(codes::ARGUMENT.refused(
            shown!("the apps of the plan have the images {}; nothing was pushed", several.join(", ")),
            "say which one it is with --as",
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::{PlanSettings, load};

    fn plan(images: &[&str]) -> Plan {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("p.yaml");
        let app = |(at, image): (usize, &&str)| {
            format!(
                "      - {{id: app-{at}, title: App, kind: jetson-app, with: {{name: app-{at}, image: \"{image}\", without_keys: true}}}}\n"
            )
        };
        let apps: String = images.iter().enumerate().map(app).collect();
        let head = "version: 1\nstack: edge\nmetadata: {name: edge, title: Edge}\ndays:\n  - day: 1\n    title: Devices\n    steps:\n";
        let devices = "      - {id: d, title: D, kind: jetson, with: {hosts: {one: {address: 192.0.2.1}}, k3s: {version: v1.36.3+k3s1}}}\n";
        std::fs::write(&file, format!("{head}{devices}{apps}")).unwrap();
        load(file.to_str().unwrap(), &PlanSettings::default()).unwrap_or_else(|bad| panic!("{bad}"))
    }

    #[test]
    fn what_an_app_pulls_from_the_registry_is_what_an_archive_becomes() {
        let name = |images: &[&str]| wanted(&plan(images), "192.0.2.1:5000");
        let elsewhere = "registry.example.com/akidb/rest:v1";
        assert_eq!(name(&["192.0.2.1:5000/akidb/rest:v1", elsewhere]).unwrap(), "akidb/rest:v1");
        let none = name(&[elsewhere, "192.0.2.1:50000/akidb/rest:v1"]).unwrap_err();
        assert!(none.next_step.to_string().contains("--as NAME:TAG"), "{none:?}");
        let two = name(&["192.0.2.1:5000/a:1", "192.0.2.1:5000/b:1"]).unwrap_err();
        assert!(two.problem.to_string().contains("a:1, b:1"), "{two:?}");
    }
}

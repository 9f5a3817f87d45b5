//! `jetson kubeconfig`: adds the cluster to the user's kubeconfig.

mod merge;

use std::fs;
use std::io::{ErrorKind, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use serde_json::json;

use super::devices::DevicesArgs;
use crate::commands::Context;
use crate::exit::{self, Failure, codes};
use crate::provider::device::{ClusterCredentials, Script, ScriptOutput};
use crate::resource::{SafeText, shown};

/// Fetch the cluster's credentials and merge them into ~/.kube/config (or the first file of $KUBECONFIG).
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(flatten)]
    devices: DevicesArgs,
    /// Write only this cluster to this file instead; - writes to stdout
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
    /// Merge into the --out file instead of replacing it
    #[arg(long, requires = "out")]
    merge: bool,
    /// Name of the cluster, user and context [default: the stack name]
    #[arg(long, value_name = "NAME")]
    context: Option<String>,
}

/// Where k3s writes it.
const THERE: &str = "/etc/rancher/k3s/k3s.yaml";

/// The codes of the script that reads it (`exit 4`, `exit 5`): it is not there, it cannot be read. What a device says is in its
/// own language.
const ABSENT: i32 = 4;
const UNREADABLE: i32 = 5;

/// Fetches it.
///
/// # Errors
/// What failed, why, and the next step.
pub async fn run(args: Args, context: &Context) -> Result<u8, Failure> {
    let devices = args.devices.load(&[], context)?;
    let server = devices.server()?.to_owned();
    let name = args.context.clone().unwrap_or_else(|| devices.plan.stack.clone());
    // It is read twice, so that what went wrong can be shown without a line of the file.
    let script = Script::from("[ -e ").and(THERE).and(" ] || exit 4\ncat ").and(THERE);
    let script = script.and(" 2>&1 >/dev/null || exit 5\ncat ").and(THERE).and(" 2>/dev/null");
    let reply = devices.fleet.run(&server, script).await?;
    if reply.code != 0 {
        return Err(not_fetched(&server, &reply));
    }
    // What the file holds is never shown: only what is wrong with its shape.
    let address = devices.host(&server).map(|host| host.address.clone()).unwrap_or_default();
    let taken = ClusterCredentials::of(&reply, crate::plan::yaml).map_err(|why| {
        codes::KUBECONFIG.error(
            shown!(
                "the credentials that {} has in {} were not taken over: {}; nothing was written",
                server,
                THERE,
                why
            ),
            "only the certificate authority, a client certificate, its key and the server's port are read from a \
             device: check the file there, and who changed it",
        )
    })?;
    let fetched = merge::named(&taken, &address, &name);
    if args.out.as_deref() == Some(Path::new("-")) {
        crate::report::put(SafeText::document(fetched.text.trim_end()));
        return Ok(exit::DONE);
    }
    let file = file(&args)?;
    let merges = args.out.is_none() || args.merge;
    let old = present(&file)?;
    let text = match old.as_deref().filter(|old| merges && !old.trim().is_empty()) {
        Some(old) => merge::merged(old, &fetched).map_err(|why| {
            codes::KUBECONFIG.refused(
                shown!(
                    "the cluster was not added to {}: it is not a kubeconfig: {}; the file was left alone",
                    file.display(),
                    why
                ),
                "correct the file, or write another one with --out",
            )
        })?,
        None => fetched.text.clone(),
    };
    let backup = if old.as_deref() == Some(&text) { None } else { write(&file, &text, old.as_deref())? };
    tell(&file, &name, backup.as_deref(), old.as_deref() == Some(&text), context);
    Ok(exit::DONE)
}

fn not_fetched(server: &str, reply: &ScriptOutput) -> Failure {
    let problem =
        |why: SafeText| shown!("the credentials of the cluster could not be fetched from {}: {}", server, why);
    match reply.code {
        ABSENT => codes::KUBECONFIG.error(
            problem(shown!("it has no {}: k3s does not run on it yet", THERE)),
            "akidb-edge jetson provision makes the cluster; akidb-edge jetson status shows it",
        ),
        UNREADABLE => codes::KUBECONFIG.error(
            problem(shown!("{} cannot be read: {}", THERE, reply.last_words(1))),
            "make it a file there that root can read, then run the same command again",
        ),
        code => codes::KUBECONFIG.error(
            problem(shown!("the script that reads {} ended with code {}", THERE, code)),
            "akidb-edge jetson doctor diagnoses the device",
        ),
    }
}

/// What the file holds; none when it is not there. One that cannot be read is not written over.
fn present(file: &Path) -> Result<Option<String>, Failure> {
    match fs::read_to_string(file) {
        Ok(text) => Ok(Some(text)),
        Err(bad) if bad.kind() == ErrorKind::NotFound => Ok(None),
        Err(bad) => Err(codes::KUBECONFIG.refused(
            shown!("the cluster was not added to {}: it cannot be read: {}; it was left alone", file.display(), bad),
            "make it a text file that this user may read, or write another one with --out",
        )),
    }
}

fn tell(file: &Path, name: &str, backup: Option<&Path>, same: bool, context: &Context) {
    if context.printer.json {
        let body = json!({"exit": exit::DONE, "file": file, "context": name, "changed": !same, "backup": backup});
        return context.printer.json("kubeconfig", &body);
    }
    let how = if same { "is already up to date" } else { "was updated" };
    context.printer.data(shown!("{} {}: kubectl --context {} get nodes", file.display(), how, name));
    if let Some(backup) = backup {
        context.printer.data(shown!("the previous file was kept as {}", backup.display()));
    }
}

/// The file to write, behind links.
fn file(args: &Args) -> Result<PathBuf, Failure> {
    let listed = std::env::var_os("KUBECONFIG").and_then(|list| std::env::split_paths(&list).next());
    let listed = listed.filter(|first| !first.as_os_str().is_empty());
    let home = std::env::var_os("HOME").filter(|home| !home.is_empty());
    let home = || home.map(|home| PathBuf::from(home).join(".kube/config"));
    let file = args.out.clone().or(listed).or_else(home);
    let file = file.ok_or_else(|| {
        codes::KUBECONFIG.refused(
            "nothing was written: HOME is not set, so ~/.kube/config cannot be found",
            "name a file with --out, or in KUBECONFIG",
        )
    })?;
    Ok(fs::canonicalize(&file).unwrap_or(file))
}

/// Writes it in one step, for the user alone; what was there is kept beside it.
fn write(file: &Path, text: &str, old: Option<&str>) -> Result<Option<PathBuf>, Failure> {
    let failed = |what: SafeText| {
        move |bad: std::io::Error| {
            codes::KUBECONFIG.error(
                shown!("{}: {}", what, bad),
                "free some space and make it writable for this user, or name another file with --out",
            )
        }
    };
    let directory = file.parent().filter(|directory| !directory.as_os_str().is_empty()).unwrap_or(Path::new("."));
    fs::create_dir_all(directory).map_err(failed(shown!("cannot create the folder {}", directory.display())))?;
    let place = |to: &Path, text: &str| -> std::io::Result<()> {
        let mut draft = tempfile::NamedTempFile::new_in(directory)?;
        draft.as_file().set_permissions(fs::Permissions::from_mode(0o600))?;
        draft.write_all(text.as_bytes())?;
        draft.as_file().sync_all()?;
        draft.persist(to).map_err(|bad| bad.error).map(drop)
    };
    let mut kept = None;
    if let Some(old) = old {
        let stamp = jiff::Zoned::now().strftime("%Y%m%dT%H%M%S").to_string();
        let name = file.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let backup = file.with_file_name(format!("{name}.before-{stamp}"));
        let what = shown!("{} was left alone: a copy of it, {}, cannot be written", file.display(), backup.display());
        place(&backup, old).map_err(failed(what))?;
        kept = Some(backup);
    }
    place(file, text).map_err(failed(shown!("{} cannot be written", file.display())))?;
    Ok(kept)
}

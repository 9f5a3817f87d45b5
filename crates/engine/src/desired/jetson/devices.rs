//! The resources of each device, without the cluster.

use std::collections::BTreeMap;

use super::super::Builder;
use super::{host, on, power, sound, target};
use crate::plan::Step;
use crate::plan::jetson::{HostPlan, JetsonStep, PathPlan, TOOLKIT_KEY_SHA256, artifact};
use crate::resource::account::{AccountKind, AccountSpec};
use crate::resource::file::{Content, FileSpec};
use crate::resource::host::HostSpec;
use crate::resource::packages::PackagesSpec;
use crate::resource::{Address, Kind, Level, Resource};

/// Where the key of the toolkit's repository is on a device.
const KEYRING: &str = "/usr/share/keyrings/nvidia-container-toolkit-keyring.asc";
/// And the repository's line.
const REPOSITORY: &str = "/etc/apt/sources.list.d/nvidia-container-toolkit.list";

/// One device.
pub fn device(builder: &mut Builder<'_>, step: &Step, plan: &JetsonStep, name: &str, wanted: &HostPlan) {
    let below = format!("hosts.{name}");
    let spec = HostSpec {
        name: name.to_owned(),
        address: wanted.address.clone(),
        user: wanted.user.clone().or_else(|| plan.user.clone()),
        port: wanted.port,
        host_key: wanted.host_key.clone(),
        jump: wanted.jump.clone(),
        jetpack: plan.jetpack.clone(),
    };
    let resource = Resource::new(host(name), Kind::Host, &spec);
    sound::resource(builder, step, &below, &resource);
    builder.add(step, &below, resource);
    power::power(builder, step, plan, name, wanted);
    accounts(builder, step, plan, name);
    files(builder, step, plan, name);
    let base = base_packages(plan);
    if !base.is_empty() {
        packages(builder, step, name, "base", base);
    }
    toolkit(builder, step, plan, name);
}

/// Adds something on a machine.
pub fn put(builder: &mut Builder<'_>, step: &Step, below: &str, machine: &str, resource: Resource) -> Address {
    sound::resource(builder, step, below, &resource);
    builder.add(step, below, resource.needing(host(machine), Level::Usable))
}

fn accounts(builder: &mut Builder<'_>, step: &Step, plan: &JetsonStep, name: &str) {
    for group in &plan.groups {
        let spec = AccountSpec {
            host: name.to_owned(),
            name: group.clone(),
            what: AccountKind::Group,
            groups: Default::default(),
            shell: None,
        };
        let address = on(name, Kind::Account, &format!("group-{group}"));
        put(builder, step, "groups", name, Resource::new(address, Kind::Account, &spec));
    }
    for (user, wanted) in &plan.users {
        let spec = AccountSpec {
            host: name.to_owned(),
            name: user.clone(),
            what: AccountKind::User,
            groups: wanted.groups.clone(),
            shell: wanted.shell.clone(),
        };
        let mut resource = Resource::new(on(name, Kind::Account, &format!("user-{user}")), Kind::Account, &spec);
        for group in wanted.groups.iter().filter(|group| plan.groups.contains(*group)) {
            resource = resource.needing(on(name, Kind::Account, &format!("group-{group}")), Level::Usable);
        }
        put(builder, step, &format!("users.{user}"), name, resource);
    }
}

fn files(builder: &mut Builder<'_>, step: &Step, plan: &JetsonStep, name: &str) {
    for (path, wanted) in &plan.files {
        let below = format!("files.{path}");
        let Some(content) = content(builder, step, &below, wanted) else { continue };
        let spec = FileSpec {
            host: name.to_owned(),
            path: path.clone(),
            content,
            mode: wanted.mode.clone(),
            owner: wanted.owner.clone(),
            group: wanted.group.clone(),
        };
        let mut resource = Resource::new(on(name, Kind::File, path), Kind::File, &spec);
        resource = after_owners(resource, plan, name, wanted);
        put(builder, step, &below, name, in_order(resource, plan, name, path));
    }
    for (path, lines) in &plan.lines {
        for (at, line) in lines.iter().enumerate() {
            let spec = FileSpec {
                host: name.to_owned(),
                path: path.clone(),
                content: Content::Line(line.clone()),
                mode: None,
                owner: None,
                group: None,
            };
            let address = on(name, Kind::File, &format!("{path}-line-{at}"));
            let mut resource = Resource::new(address, Kind::File, &spec);
            if plan.files.contains_key(path) {
                resource = resource.needing(on(name, Kind::File, path), Level::Usable);
            }
            put(builder, step, &format!("lines.{path}"), name, in_order(resource, plan, name, path));
        }
    }
}

/// What owns a file comes before it.
fn after_owners(mut resource: Resource, plan: &JetsonStep, name: &str, wanted: &PathPlan) -> Resource {
    if let Some(owner) = wanted.owner.as_ref().filter(|owner| plan.users.contains_key(*owner)) {
        resource = resource.needing(on(name, Kind::Account, &format!("user-{owner}")), Level::Usable);
    }
    if let Some(group) = wanted.group.as_ref().filter(|group| plan.groups.contains(*group)) {
        resource = resource.needing(on(name, Kind::Account, &format!("group-{group}")), Level::Usable);
    }
    resource
}

/// A directory comes before what is in it.
fn in_order(mut resource: Resource, plan: &JetsonStep, name: &str, path: &str) -> Resource {
    let above = plan.files.iter().filter(|(above, what)| {
        what.directory && path.strip_prefix(above.as_str()).is_some_and(|rest| rest.starts_with('/'))
    });
    for (above, _) in above {
        resource = resource.needing(on(name, Kind::File, above), Level::Usable);
    }
    resource
}

fn content(builder: &mut Builder<'_>, step: &Step, below: &str, wanted: &PathPlan) -> Option<Content> {
    let said = [wanted.text.is_some(), wanted.file.is_some(), wanted.link.is_some(), wanted.directory];
    if said.iter().filter(|said| **said).count() != 1 {
        builder.complain(step, below, "it is not one of text, file, link and directory", "set exactly one of them");
        return None;
    }
    match (&wanted.text, &wanted.link, &wanted.file) {
        (Some(text), _, _) => Some(Content::Text(text.clone())),
        (_, Some(link), _) => Some(Content::Link(link.clone())),
        (_, _, Some(file)) => brought(builder, step, below, file).map(Content::Sha256),
        _ => Some(Content::Directory),
    }
}

/// A file of this machine that is brought: its hash; noted as missing when it cannot be read.
pub fn brought(builder: &mut Builder<'_>, step: &Step, below: &str, path: &str) -> Option<String> {
    match builder.plan.files.get(path).map(|known| known.content.clone())? {
        Ok((sha256, bytes)) => {
            builder.built.artifacts.add_file(&sha256, path.into(), bytes);
            Some(sha256)
        }
        Err(why) => {
            builder.built.missing.push((path.to_owned(), format!("{}.with.{below}", step.path), why));
            None
        }
    }
}

/// What the JetPack's row names, and what the plan names.
fn base_packages(plan: &JetsonStep) -> BTreeMap<String, String> {
    let of_target = target(plan).into_iter().flat_map(|target| target.packages);
    let of_target = of_target.filter(|_| plan.k3s.is_some()).map(|name| ((*name).to_owned(), String::new()));
    of_target.chain(plan.packages.clone()).collect()
}

fn packages(
    builder: &mut Builder<'_>,
    step: &Step,
    name: &str,
    what: &str,
    wanted: BTreeMap<String, String>,
) -> Address {
    let spec = PackagesSpec { host: name.to_owned(), packages: wanted, files: Vec::new() };
    let address = on(name, Kind::Packages, what);
    put(builder, step, "packages", name, Resource::new(address, Kind::Packages, &spec))
}

/// The container toolkit, from NVIDIA's current repository.
fn toolkit(builder: &mut Builder<'_>, step: &Step, plan: &JetsonStep, name: &str) {
    let Some(toolkit) = &plan.toolkit else { return };
    let key = match &plan.artifacts {
        None => Some(Content::Fetched {
            url: toolkit.key_url.clone(),
            sha256: toolkit.key_sha256.clone().unwrap_or_else(|| TOOLKIT_KEY_SHA256.to_owned()),
        }),
        Some(_) => brought(builder, step, "artifacts", &plan.at_hand(artifact::TOOLKIT_KEY)).map(Content::Sha256),
    };
    let Some(key) = key else { return };
    let file = |path: &str, content| FileSpec {
        host: name.to_owned(),
        path: path.to_owned(),
        content,
        mode: Some("0644".to_owned()),
        owner: None,
        group: None,
    };
    let keyring = Resource::new(on(name, Kind::File, "toolkit-key"), Kind::File, &file(KEYRING, key));
    let keyring = put(builder, step, "toolkit", name, keyring);
    let line = Content::Text(format!("{}\n", toolkit.repository));
    let list = Resource::new(on(name, Kind::File, "toolkit-list"), Kind::File, &file(REPOSITORY, line))
        .needing(keyring, Level::Usable);
    let list = put(builder, step, "toolkit", name, list);
    let wanted = [("nvidia-container-toolkit".to_owned(), toolkit.version.clone())].into();
    let spec = PackagesSpec { host: name.to_owned(), packages: wanted, files: Vec::new() };
    let resource = Resource::new(on(name, Kind::Packages, "toolkit"), Kind::Packages, &spec);
    put(builder, step, "toolkit", name, resource.needing(list, Level::Usable));
}

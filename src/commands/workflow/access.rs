//! Access to devices: flags that every verb of `jetson` has.

use std::io::Read;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use super::Platforms;
use crate::commands::Context;
use crate::desired::jetson::SUFFIX;
use crate::exit::{Failure, codes};
use crate::provider::device::{DeviceAccess, Fleet, Password};
use crate::resource::host::HostSpec;
use crate::resource::{Desired, Kind, StackState, shown};

/// Bytes of a password that are read.
const LONGEST_PASSWORD: u64 = 4096;

/// Default of `--ssh-keepalive-timeout`.
const ALIVE_SECONDS: u64 = 15;

/// The stack of the cloud, and on request that of its devices in the same run.
#[derive(Clone, Debug, clap::Args)]
#[command(next_help_heading = "Devices, with --devices")]
pub struct BothStacksArgs {
    /// Also run on the devices' stack (STACK-devices)
    #[arg(long)]
    pub devices: bool,
    #[command(flatten)]
    pub access: AccessArgs,
}

impl BothStacksArgs {
    /// The stack of the cloud, and that of its devices when the run is about both. With --devices, the name of either stands for
    /// both.
    pub fn stacks(&self, named: String) -> (String, Option<String>) {
        if !self.devices {
            return (named, None);
        }
        let own = named.strip_suffix(SUFFIX).map(str::to_owned).unwrap_or(named);
        let devices = format!("{own}{SUFFIX}");
        (own, Some(devices))
    }

    /// The account, with the devices when the run is about both.
    pub fn platforms<'a>(&'a self, account: Platforms<'a>) -> Platforms<'a> {
        if self.devices { account.and_devices(&self.access) } else { account }
    }
}

/// How devices are reached. Everything else is the user's own SSH configuration: keys, agent, known_hosts, ProxyJump.
#[derive(Clone, Debug, clap::Args)]
pub struct AccessArgs {
    /// SSH configuration file to use instead of ~/.ssh/config
    #[arg(long, value_name = "FILE", env = "AKIDB_EDGE_SSH_CONFIG")]
    pub ssh_config: Option<PathBuf>,
    /// Accept and save unknown host keys; a changed host key is always refused
    #[arg(long)]
    pub accept_new: bool,
    /// Prompt for the sudo password of the devices
    #[arg(long)]
    pub ask_sudo_password: bool,
    /// Read the sudo password from this file descriptor
    #[arg(long, value_name = "N", conflicts_with = "ask_sudo_password")]
    pub sudo_password_fd: Option<u32>,
    /// Seconds to keep SSH connections open for the next command; 0 closes them immediately
    #[arg(long, value_name = "SECONDS", default_value_t = 60)]
    pub keep_connections: u64,
    /// Seconds without an answer after which the SSH connection to a device counts as lost
    #[arg(long, value_name = "SECONDS", default_value_t = ALIVE_SECONDS, hide = true)]
    pub ssh_keepalive_timeout: u64,
}

impl AccessArgs {
    /// The machines of a graph and of what is recorded; nothing is connected yet.
    ///
    /// # Errors
    /// When the password cannot be read.
    pub fn fleet(&self, desired: &Desired, recorded: &StackState, context: &Context) -> Result<Arc<Fleet>, Failure> {
        let wanted = desired.resources.values().filter(|resource| resource.kind == Kind::Host);
        let known = recorded.resources.values().filter(|record| record.kind == Kind::Host);
        let specs = known.map(|record| &record.spec).chain(wanted.map(|resource| &resource.spec));
        let hosts: Vec<HostSpec> = specs.filter_map(|spec| serde_json::from_value(spec.clone()).ok()).collect();
        Ok(Fleet::new(self.access(context)?, hosts))
    }

    /// Machines that no plan has; nothing is connected yet.
    ///
    /// # Errors
    /// When the password cannot be read.
    pub fn fleet_of(
        &self,
        hosts: impl IntoIterator<Item = HostSpec>,
        context: &Context,
    ) -> Result<Arc<Fleet>, Failure> {
        Ok(Fleet::new(self.access(context)?, hosts))
    }

    fn access(&self, context: &Context) -> Result<DeviceAccess, Failure> {
        Ok(DeviceAccess {
            config: self.ssh_config.clone(),
            accept_new: self.accept_new,
            sudo: self.password(context)?,
            keep: Duration::from_secs(self.keep_connections),
            sockets: sockets(),
            alive: Duration::from_secs(self.ssh_keepalive_timeout.max(3)),
            ..DeviceAccess::default()
        })
    }

    fn password(&self, context: &Context) -> Result<Option<Password>, Failure> {
        if let Some(number) = self.sudo_password_fd {
            let mut text = String::new();
            let opened = std::fs::File::open(format!("/dev/fd/{number}"));
            opened.and_then(|fd| fd.take(LONGEST_PASSWORD).read_to_string(&mut text)).map_err(|bad| {
                codes::ARGUMENT.refused(
                    shown!("file descriptor {} cannot be read: {}", number, bad),
                    "write --sudo-password-fd 3 3< <(pass show jetson), or --ask-sudo-password",
                )
            })?;
            return Ok(Some(Password::new(text.lines().next().unwrap_or_default().to_owned())));
        }
        if !self.ask_sudo_password {
            return Ok(None);
        }
        if !context.session.can_ask {
            return Err(codes::NO_TERMINAL
                .refused("cannot ask for the sudo password without a terminal", "use --sudo-password-fd N"));
        }
        Ok(Some(Password::new(context.printer.ask_secret("sudo password of the devices: "))))
    }
}

/// The longest directory that leaves room for a socket in it: the path of one has 107 bytes (`sun_path` of unix(7)), and ssh's name takes
/// a slash, 8 digits of the way, 40 of its hash, and 17 more while it is made.
const LONGEST_DIRECTORY: usize = 107 - 1 - 8 - 40 - 17;

/// Where the sockets of kept connections lie: a directory of this user alone. None: connections are not kept.
fn sockets() -> Option<PathBuf> {
    use std::os::unix::fs::MetadataExt;
    let own = std::fs::metadata("/proc/self").ok()?.uid();
    let below = |variable: &str| std::env::var_os(variable).filter(|path| !path.is_empty()).map(PathBuf::from);
    let runtime = below("XDG_RUNTIME_DIR").map(|path| path.join("akidb-edge"));
    let home = below("HOME").map(|path| path.join(".cache/akidb-edge"));
    // Without a session (CI, cron) there is no XDG_RUNTIME_DIR, and a home may have a long name.
    let short = PathBuf::from(format!("/tmp/akidb-edge-{own}"));
    runtime.into_iter().chain(home).chain([short]).find_map(|path| private(path, own))
}

/// This directory, made if need be, when a socket's path in it is short enough and nobody else can reach into it.
fn private(path: PathBuf, own: u32) -> Option<PathBuf> {
    use std::os::unix::fs::{DirBuilderExt, MetadataExt, PermissionsExt};
    if path.as_os_str().len() > LONGEST_DIRECTORY {
        return None;
    }
    // There already is as good as made; whose it is, is looked at below. A link of somebody else leads nowhere.
    let _ = std::fs::DirBuilder::new().recursive(true).mode(0o700).create(&path);
    let facts = std::fs::symlink_metadata(&path).ok()?;
    (facts.is_dir() && facts.uid() == own && facts.permissions().mode() & 0o077 == 0).then_some(path)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};

    use super::*;

    #[test]
    fn a_directory_for_sockets_is_short_and_private() {
        let folder = tempfile::tempdir().unwrap();
        let own = folder.path().metadata().unwrap().uid();
        let at = |name: &str| folder.path().join(name);
        // Names of temporary directories are short enough on the machines that run this.
        let good = at("a");
        assert_eq!(private(good.clone(), own), Some(good.clone()));
        assert_eq!(good.metadata().unwrap().permissions().mode() & 0o777, 0o700);
        let long = at(&"x".repeat(LONGEST_DIRECTORY));
        assert_eq!(private(long.clone(), own), None);
        assert!(!long.exists(), "a HOME with a long name is passed over");
        assert_eq!(private(good.clone(), own + 1), None, "of another user");
        std::fs::set_permissions(&good, PermissionsExt::from_mode(0o755)).unwrap();
        assert_eq!(private(good, own), None, "others can look into it");
        std::fs::create_dir(at("b")).unwrap();
        symlink(at("b"), at("c")).unwrap();
        assert_eq!(private(at("c"), own), None, "a link of somebody");
    }
}

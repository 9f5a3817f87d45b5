//! How devices are reached: flags that every verb of `jetson` has.

use std::io::Read;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use super::Worlds;
use crate::commands::Context;
use crate::desired::jetson::SUFFIX;
use crate::exit::Failure;
use crate::provider::device::{Access, Fleet, Password};
use crate::resource::host::HostSpec;
use crate::resource::{Desired, Kind, Remembered, shown};

/// Bytes of a password that are read.
const LONGEST_PASSWORD: u64 = 4096;

/// A device that says nothing for so long is gone.
const ALIVE_SECONDS: u64 = 15;

/// The stack of the cloud, and on request that of its devices in the same run.
#[derive(Clone, Debug, clap::Args)]
#[command(next_help_heading = "Devices, with --devices")]
pub struct BothArgs {
    /// Work on the stack of the devices (STACK-devices) in the same run, too
    #[arg(long)]
    pub devices: bool,
    #[command(flatten)]
    pub access: AccessArgs,
}

impl BothArgs {
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
    pub fn worlds<'a>(&'a self, account: Worlds<'a>) -> Worlds<'a> {
        if self.devices { account.and_devices(&self.access) } else { account }
    }
}

/// How devices are reached. Everything else is the user's own SSH configuration: keys, agent, known_hosts, ProxyJump.
#[derive(Clone, Debug, clap::Args)]
pub struct AccessArgs {
    /// Another SSH configuration than ~/.ssh/config
    #[arg(long, value_name = "FILE", env = "AKIDB_EDGE_SSH_CONFIG")]
    pub ssh_config: Option<PathBuf>,
    /// Take host keys that are not known yet, and remember them; never one that has changed
    #[arg(long)]
    pub accept_new: bool,
    /// Ask for the sudo password of the devices
    #[arg(long)]
    pub ask_sudo_password: bool,
    /// Read the sudo password from this file descriptor
    #[arg(long, value_name = "N", conflicts_with = "ask_sudo_password")]
    pub sudo_password_fd: Option<u32>,
    /// Seconds that connections stay open for the next command; 0 closes them at once
    #[arg(long, value_name = "SECONDS", default_value_t = 60)]
    pub keep_connections: u64,
    /// Seconds after which a device that says nothing counts as gone
    #[arg(long, value_name = "SECONDS", default_value_t = ALIVE_SECONDS, hide = true)]
    pub alive: u64,
}

impl AccessArgs {
    /// The machines of a graph and of what is remembered; nothing is connected yet.
    ///
    /// # Errors
    /// When the password cannot be read.
    pub fn fleet(&self, desired: &Desired, remembered: &Remembered, context: &Context) -> Result<Arc<Fleet>, Failure> {
        let wanted = desired.resources.values().filter(|resource| resource.kind == Kind::Host);
        let known = remembered.resources.values().filter(|record| record.kind == Kind::Host);
        let specs = known.map(|record| &record.spec).chain(wanted.map(|resource| &resource.spec));
        let hosts: Vec<HostSpec> = specs.filter_map(|spec| serde_json::from_value(spec.clone()).ok()).collect();
        Ok(Fleet::new(self.access(context)?, hosts))
    }

    fn access(&self, context: &Context) -> Result<Access, Failure> {
        Ok(Access {
            config: self.ssh_config.clone(),
            accept_new: self.accept_new,
            sudo: self.password(context)?,
            keep: Duration::from_secs(self.keep_connections),
            sockets: sockets(),
            alive: Duration::from_secs(self.alive.max(3)),
        })
    }

    fn password(&self, context: &Context) -> Result<Option<Password>, Failure> {
        if let Some(number) = self.sudo_password_fd {
            let mut text = String::new();
            let opened = std::fs::File::open(format!("/dev/fd/{number}"));
            opened.and_then(|fd| fd.take(LONGEST_PASSWORD).read_to_string(&mut text)).map_err(|bad| {
                Failure::refused(
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
            return Err(Failure::refused(
                "there is no terminal to ask for the sudo password on",
                "use --sudo-password-fd N",
            ));
        }
        Ok(Some(Password::new(context.voice.ask_secret("sudo password of the devices: "))))
    }
}

/// Where the sockets of kept connections lie: a directory of this user alone. None: connections are not kept.
fn sockets() -> Option<PathBuf> {
    use std::os::unix::fs::{DirBuilderExt, MetadataExt, PermissionsExt};
    let runtime = std::env::var_os("XDG_RUNTIME_DIR").map(PathBuf::from);
    let home = std::env::var_os("HOME").map(|home| PathBuf::from(home).join(".cache"));
    let directory = runtime.or(home)?.join("akidb-edge");
    // There already is as good as made; whose it is, is looked at below.
    let _ = std::fs::DirBuilder::new().recursive(true).mode(0o700).create(&directory);
    let facts = std::fs::metadata(&directory).ok()?;
    let ours = std::fs::metadata("/proc/self").ok()?.uid();
    (facts.uid() == ours && facts.permissions().mode() & 0o077 == 0).then_some(directory)
}

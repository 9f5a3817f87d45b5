//! Flags: one for each row of the table of settings.

use std::collections::BTreeMap;
use std::path::PathBuf;

use clap::{Arg, ArgAction, ArgMatches, Command};

use crate::serve::config::former;
use crate::serve::config::setting::{SETTINGS, Setting, SettingKind};

/// What the command line said.
#[derive(Debug, Default)]
pub struct Args {
    settings: BTreeMap<&'static str, Vec<String>>,
    /// The file of settings.
    pub config: Option<PathBuf>,
    /// Show the settings, look at what they name, and end.
    pub check: bool,
    /// Print the description of REST, and end.
    pub print_openapi: bool,
    /// Print the gRPC interface, and end.
    pub print_proto: bool,
    /// Make a key for this name, and end.
    pub new_api_key: Option<String>,
}

impl Args {
    /// What was said of a setting.
    pub fn of(&self, name: &str) -> Option<Vec<String>> {
        self.settings.get(name).cloned()
    }
}

fn flag(setting: &'static Setting) -> Arg {
    let mut help = setting.help.to_owned();
    if !setting.default.is_empty() && setting.kind != SettingKind::Switch {
        help.push_str(&format!(" [default: {}]", setting.default));
    }
    help.push_str(&format!(" [env: {}]", setting.variable));
    let former = former::of(setting).map(|row| row.former);
    let arg = Arg::new(setting.name).long(setting.name).aliases(former).help(help);
    match setting.kind {
        SettingKind::One(word) => arg.value_name(word),
        SettingKind::Many(word) => arg.value_name(word).action(ArgAction::Append),
        SettingKind::Switch => {
            arg.value_name("BOOL").num_args(0..=1).require_equals(true).default_missing_value("true")
        }
    }
}

impl clap::Args for Args {
    fn augment_args(command: Command) -> Command {
        let config = Arg::new("config").long("config").value_name("FILE").value_parser(clap::value_parser!(PathBuf));
        let check = Arg::new("check").long("check").action(ArgAction::SetTrue);
        let openapi = Arg::new("print-openapi").long("print-openapi").action(ArgAction::SetTrue);
        let proto = Arg::new("print-proto").long("print-proto").action(ArgAction::SetTrue);
        let key = Arg::new("new-api-key").long("new-api-key").value_name("NAME");
        command
            .arg(
                config
                    .help(
                        "TOML settings file with these flag names as keys; flags and environment variables take \
                           precedence",
                    )
                    .env("AKIDB_CONFIG"),
            )
            .arg(check.help("Check all settings, show where each comes from, and exit"))
            .arg(openapi.help("Print the OpenAPI 3.1 description of the REST API and exit"))
            .arg(proto.help("Print the gRPC interface (a .proto file) and exit"))
            .arg(key.help("Generate an API key, print it once with its line for the --api-keys file, and exit"))
            .args(SETTINGS.iter().map(flag))
    }

    fn augment_args_for_update(command: Command) -> Command {
        Self::augment_args(command)
    }
}

impl clap::FromArgMatches for Args {
    fn from_arg_matches(matches: &ArgMatches) -> Result<Self, clap::Error> {
        let mut args = Self::default();
        args.update_from_arg_matches(matches)?;
        Ok(args)
    }

    fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> Result<(), clap::Error> {
        for setting in SETTINGS {
            if let Some(texts) = matches.get_many::<String>(setting.name) {
                self.settings.insert(setting.name, texts.cloned().collect());
            }
        }
        self.config = matches.get_one("config").cloned();
        self.check = matches.get_flag("check");
        self.print_openapi = matches.get_flag("print-openapi");
        self.print_proto = matches.get_flag("print-proto");
        self.new_api_key = matches.get_one("new-api-key").cloned();
        Ok(())
    }
}

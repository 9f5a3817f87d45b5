//! Users and groups of a machine.

use serde_json::{Value, json};

use super::on_host::Shell;
use super::script::{lines, quoted};
use crate::resource::account::{AccountKind, AccountSpec};

/// System users and groups.
pub struct Accounts;

impl Shell for Accounts {
    type Spec = AccountSpec;
    const SERVICE: &'static str = "account";

    fn host(spec: &AccountSpec) -> &str {
        &spec.host
    }

    fn id(spec: &AccountSpec) -> String {
        format!("{}:{}", spec.host, spec.name)
    }

    fn look(spec: &AccountSpec) -> String {
        let name = quoted(&spec.name);
        match spec.what {
            AccountKind::Group => format!("if getent group -- {name} >/dev/null; then echo there=1; fi"),
            AccountKind::User => {
                let groups = if spec.groups.is_empty() { "" } else { "printf groups=; id -Gn -- " };
                let who = if spec.groups.is_empty() { String::new() } else { name.clone() };
                format!("printf passwd=; if getent passwd -- {name}; then echo there=1; {groups}{who}\nelse echo; fi")
            }
        }
    }

    fn found(spec: &AccountSpec, printed: &str) -> Option<Value> {
        let seen = lines(printed);
        seen.get("there")?;
        let mut found = json!({"host": spec.host, "name": spec.name, "what": spec.what});
        let shell = seen.get("passwd").and_then(|line| line.split(':').nth(6));
        if let Some(shell) = shell.filter(|shell| !shell.is_empty()) {
            found["shell"] = shell.into();
        }
        // Groups that the plan does not name are other people's business.
        let held: Vec<&str> = seen.get("groups").map(|groups| groups.split(' ').collect()).unwrap_or_default();
        let ours: Vec<&String> = spec.groups.iter().filter(|group| held.contains(&group.as_str())).collect();
        if !spec.groups.is_empty() {
            found["groups"] = json!(ours);
        }
        Some(found)
    }

    fn put(spec: &AccountSpec) -> String {
        let name = quoted(&spec.name);
        match spec.what {
            AccountKind::Group => format!("getent group -- {name} >/dev/null || groupadd --system -- {name}"),
            AccountKind::User => {
                let shell = quoted(spec.shell.as_deref().unwrap_or("/usr/sbin/nologin"));
                let groups: Vec<&str> = spec.groups.iter().map(String::as_str).collect();
                let add = format!("useradd --system --shell {shell} --no-create-home");
                let mut text = format!(
                    "if ! getent passwd -- {name} >/dev/null; then\n  if getent group -- {name} >/dev/null; then {add} --gid {name} -- {name}; else {add} -- {name}; fi\nfi\n"
                );
                if spec.shell.is_some() {
                    text.push_str(&format!("usermod --shell {shell} -- {name}\n"));
                }
                if !groups.is_empty() {
                    text.push_str(&format!("usermod --append --groups {} -- {name}\n", quoted(&groups.join(","))));
                }
                text
            }
        }
    }

    fn remove(spec: &AccountSpec) -> String {
        let name = quoted(&spec.name);
        match spec.what {
            AccountKind::Group => format!("if getent group -- {name} >/dev/null; then groupdel -- {name}; fi"),
            AccountKind::User => format!("if getent passwd -- {name} >/dev/null; then userdel -- {name}; fi"),
        }
    }
}

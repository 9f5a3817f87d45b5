//! Users and groups of a machine.

use serde_json::{Value, json};

use super::on_host::ShellKind;
use super::script::{Script, lines, quoted, script};
use crate::resource::account::{AccountKind, AccountSpec};

/// System users and groups.
pub struct Accounts;

impl ShellKind for Accounts {
    type Spec = AccountSpec;
    const SERVICE: &'static str = "account";

    fn host(spec: &AccountSpec) -> &str {
        &spec.host
    }

    fn id(spec: &AccountSpec) -> String {
        format!("{}:{}", spec.host, spec.name)
    }

    fn look(spec: &AccountSpec) -> Script {
        let name = quoted(&spec.name);
        match spec.what {
            AccountKind::Group => script!("if getent group -- {name} >/dev/null; then echo there=1; fi", name),
            AccountKind::User => {
                let groups = if spec.groups.is_empty() { "" } else { "printf groups=; id -Gn -- " };
                let who = if spec.groups.is_empty() { Script::default() } else { name.clone() };
                script!(
                    "printf passwd=; if getent passwd -- {name}; then echo there=1; {groups}{who}\nelse echo; fi",
                    name,
                    groups,
                    who
                )
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

    fn put(spec: &AccountSpec) -> Script {
        let name = quoted(&spec.name);
        match spec.what {
            AccountKind::Group => script!("getent group -- {name} >/dev/null || groupadd --system -- {name}", name),
            AccountKind::User => {
                let shell = quoted(spec.shell.as_deref().unwrap_or("/usr/sbin/nologin"));
                let groups: Vec<&str> = spec.groups.iter().map(String::as_str).collect();
                let add = script!("useradd --system --shell {shell} --no-create-home", shell);
                let mut text = script!(
                    "if ! getent passwd -- {name} >/dev/null; then\n  if getent group -- {name} >/dev/null; then {add} --gid {name} -- {name}; else {add} -- {name}; fi\nfi\n",
                    name,
                    add
                );
                if spec.shell.is_some() {
                    text.push(script!("usermod --shell {shell} -- {name}\n", shell, name));
                }
                if !groups.is_empty() {
                    text.push(script!(
                        "usermod --append --groups {groups} -- {name}\n",
                        groups = quoted(&groups.join(",")),
                        name
                    ));
                }
                text
            }
        }
    }

    fn remove(spec: &AccountSpec) -> Script {
        let name = quoted(&spec.name);
        match spec.what {
            AccountKind::Group => script!("if getent group -- {name} >/dev/null; then groupdel -- {name}; fi", name),
            AccountKind::User => script!("if getent passwd -- {name} >/dev/null; then userdel -- {name}; fi", name),
        }
    }
}

//! Hosts on the way to a device. `ssh -J` gives them none of the options that hold for the device: an unknown key of theirs would be
//! asked about on the terminal, once for each connection, and `--accept-new` would not reach them. So each is an own client, in a
//! `ProxyCommand`.

use std::process::{Command, Stdio};

use crate::resource::host::HostSpec;

/// The hosts on the way, in order, each with those before it on its own way.
pub fn hops(host: &HostSpec) -> Vec<HostSpec> {
    let Some(jump) = &host.jump else { return Vec::new() };
    let all: Vec<&str> = jump.split(',').collect();
    let hop = |(at, text): (usize, &&str)| {
        let before = all.get(..at).filter(|before| !before.is_empty()).map(|before| before.join(","));
        HostSpec { jump: before, ..read(text) }
    };
    all.iter().enumerate().map(hop).collect()
}

/// `[USER@]HOST[:PORT]`, as `ssh -J` takes it; the form was checked (`words::jump`).
fn read(text: &str) -> HostSpec {
    let (user, rest) = text.rsplit_once('@').map_or((None, text), |(user, rest)| (Some(user.to_owned()), rest));
    let (address, port) = match rest.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
        Some((address, port)) => (address, port.strip_prefix(':')),
        None => rest.split_once(':').map_or((rest, None), |(address, port)| (address, Some(port))),
    };
    HostSpec {
        name: text.to_owned(),
        address: address.to_owned(),
        user,
        port: port.and_then(|port| port.parse().ok()),
        host_key: None,
        jump: None,
        jetpack: None,
    }
}

/// The `ProxyCommand` that goes through this host: `client` is ssh with its options, short of the name.
pub fn through(client: &Command, hop: &HostSpec) -> String {
    let words = client.get_args().map(|word| word.to_string_lossy().into_owned());
    // ssh reads percent signs of the whole, then a shell reads the words.
    let word = |word: String| format!("'{}'", word.replace('%', "%%").replace('\'', "'\\''"));
    let words: Vec<String> = words.map(word).collect();
    format!("ssh {} -W '[%h]:%p' -- {}", words.join(" "), word(hop.address.clone()))
}

/// The first host on the way whose key is refused, and whether it changed; none when it is the device itself.
pub fn refused(host: &HostSpec, client: impl Fn(&HostSpec) -> Command) -> Option<(HostSpec, bool)> {
    hops(host).into_iter().find_map(|hop| {
        let mut ssh = client(&hop);
        let ran = ssh.args(["--", &hop.address, "true"]).stdin(Stdio::null()).stdout(Stdio::null()).output().ok()?;
        let said = String::from_utf8_lossy(&ran.stderr).into_owned();
        let changed =
            said.contains("IDENTIFICATION HAS CHANGED") || said.contains("HOST KEY") && said.contains("CHANGED");
        let refused =
            changed || said.contains("Host key verification failed") || said.contains("host key is known for");
        refused.then_some((hop, changed))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::client::command;
    use crate::connection::DeviceAccess;

    fn behind(jump: &str) -> HostSpec {
        serde_json::from_value(serde_json::json!({"name": "one", "address": "10.0.0.1", "jump": jump})).expect("a host")
    }

    #[test]
    fn hops_are_read_as_ssh_reads_them() {
        let all = hops(&behind("me@gate:2222,[fd00::1]:22,inner"));
        let seen: Vec<_> =
            all.iter().map(|hop| (hop.user.as_deref(), hop.address.as_str(), hop.port, hop.jump.as_deref())).collect();
        assert_eq!(
            seen,
            [
                (Some("me"), "gate", Some(2222), None),
                (None, "fd00::1", Some(22), Some("me@gate:2222")),
                (None, "inner", None, Some("me@gate:2222,[fd00::1]:22")),
            ]
        );
        assert!(hops(&HostSpec { jump: None, ..behind("x") }).is_empty());
    }

    #[test]
    fn what_holds_for_the_device_holds_on_the_way() {
        let access = DeviceAccess { accept_new: true, config: Some("/a b/100%".into()), ..DeviceAccess::default() };
        let (ssh, _pin) = command(&behind("me@gate:2222,inner"), &access).expect("a command");
        let words: Vec<_> = ssh.get_args().map(|word| word.to_string_lossy().into_owned()).collect();
        assert!(!words.contains(&"-J".to_owned()), "{words:?}");
        let proxy = words.iter().find_map(|word| word.strip_prefix("ProxyCommand=")).expect("the way");
        for said in
            ["'BatchMode=yes'", "'StrictHostKeyChecking=accept-new'", "'-F' '/a b/100%%'", "-W '[%h]:%p' -- 'inner'"]
        {
            assert!(proxy.contains(said), "{said} in {proxy}");
        }
        // The first one is reached by a command within that command: its own signs come out right after one more reading.
        assert!(
            proxy.contains("-W '\\''[%%h]:%%p'\\'' -- '\\''gate'\\''") && proxy.contains("'\\''2222'\\''"),
            "{proxy}"
        );
        assert!(proxy.contains("100%%%%"), "{proxy}");
    }
}

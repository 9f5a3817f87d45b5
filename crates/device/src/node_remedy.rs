//! What helps when a machine does not become a node: by what the installer and k3s said last.

/// Words, one of which was said, and what helps. The first that fits counts: a cause before what follows from it. Sources: k3s 1.31 to
/// 1.36 (pkg/agent, pkg/cli, pkg/clientaccess), containerd, runc, flannel, iptables.
const REMEDIES: &[(&[&str], &str)] = &[
    (&["certificate and login are made with it"], "install it there: apt-get install openssl perl"),
    (&["another role"], "uninstall it first (jetson uninstall), then run the same command again"),
    (
        &["no address of the server is known here"],
        "write node_ip for the server, in the plan or the inventory: the address by which the other devices reach it (ip -o route get \
         1.1.1.1 there shows it behind src)",
    ),
    (
        &["No space left on device", "no space left on device"],
        "the device's disk is full: free some space (df -h; k3s crictl rmi --prune), then run the same command again",
    ),
    (
        &["has expired or is not yet valid", "expired certificate"],
        "a certificate is outside its time: check the clocks of the devices (akidb-edge jetson doctor); where they are right, k3s certificate \
         rotate on the server, then systemctl restart k3s",
    ),
    (
        &["not authorized", "token CA hash", "Unauthorized"],
        "the server did not accept the join token: check the clocks of the devices (within 10 minutes), and that this is the plan's server",
    ),
    (
        &["Node password rejected"],
        "another device had this node name: k3s kubectl delete node NAME on the server, then run the same command again",
    ),
    (
        &["address already in use"],
        "another program has a port of k3s (6443, 6444, 10248 to 10259): ss -ltnp there names it; stop it (another Kubernetes, such as \
         microk8s or kubelet?), then run the same command again",
    ),
    (
        &["memory cgroup", "cgroup v2", "cgroup controller"],
        "the kernel does not have the cgroups that k3s needs: add cgroup_enable=memory to APPEND in /boot/extlinux/extlinux.conf, then restart \
         the device",
    ),
    (
        &["too many open files", "fsnotify watcher"],
        "the limit of watched files is used up: sudo sysctl -w fs.inotify.max_user_instances=512 there, and in /etc/sysctl.d to keep it",
    ),
    (
        &["default route"],
        "the device has no default route, which k3s needs: akidb-edge jetson doctor says how to add one",
    ),
    (
        &[
            "Failed to initialize nft",
            "Could not fetch rule set",
            "nft_compat",
            "can't initialize iptables",
            "No chain/target/match",
            "missing kernel module",
            "Couldn't load match",
            "iptables is not available",
        ],
        "the kernel does not have what iptables needs in its present mode: akidb-edge jetson doctor names it and the mode to switch to",
    ),
    (
        &["overlayfs", "failed to mount overlay"],
        "the file system or the kernel of the device cannot do overlay mounts: akidb-edge jetson doctor shows whether the module is there; \
         /var/lib/rancher must be on ext4 or xfs",
    ),
    (
        &[
            "Failed to validate connection",
            "connection refused",
            "failed to get CA certs",
            "CA cert validation failed",
            "connection reset",
            "no route to host",
            "i/o timeout",
            "deadline exceeded",
        ],
        "the agent cannot reach the server: check that port 6443 of the server is open for the devices (curl -k https://SERVER:6443/cacerts \
         on the device answers), and that no proxy or smaller MTU is between them",
    ),
    (
        &["has another hash"],
        "it was not run: compare it with the release on GitHub, or provide k3s and its installer with --artifacts",
    ),
    (
        &["Download failed", "curl:"],
        "the device cannot download k3s: check its network, or provide everything with --artifacts",
    ),
    (&["does not start"], "check journalctl -u k3s (or k3s-agent) on the device, then run the same command again"),
];

/// What helps, by what was said.
pub fn remedy(said: &str) -> Option<&'static str> {
    let fits = |words: &[&str]| words.iter().any(|word| said.contains(word));
    REMEDIES.iter().find(|(words, _)| fits(words)).map(|(_, next)| *next)
}

#[cfg(test)]
mod tests {
    use super::remedy;

    #[test]
    fn each_cause_of_a_failed_join_is_named_before_what_follows_from_it() {
        for (said, helps) in [
            ("'jetson': no address of the server is known here", "node_ip"),
            (
                "level=error msg=\"failed to get CA certs: Get \\\"https://127.0.0.1:6444/cacerts\\\": EOF\"",
                "port 6443",
            ),
            (
                "level=error msg=\"CA cert validation failed: Get \\\"https://127.0.0.1:6444/cacerts\\\": context deadline exceeded\"",
                "port 6443",
            ),
            (
                "level=fatal msg=\"tls: failed to verify certificate: x509: certificate has expired or is not yet valid\"",
                "clocks",
            ),
            ("level=fatal msg=\"starting kubernetes: listen tcp :6443: bind: address already in use\"", "ss -ltnp"),
            ("level=fatal msg=\"Error: failed to find memory cgroup (v2)\"", "extlinux.conf"),
            ("failed to create fsnotify watcher: too many open files", "max_user_instances"),
            (
                "level=fatal msg=\"flannel exited: failed to get default interface: unable to find default route\"",
                "jetson doctor",
            ),
            ("Error: open /var/lib/rancher/k3s/agent: no space left on device", "disk is full"),
            ("iptables: Failed to initialize nft: Protocol not supported", "the mode to switch to"),
            ("Warning: Extension MASQUERADE revision 0 not supported, missing kernel module?", "the mode to switch to"),
            ("\"overlayfs\" snapshotter cannot be enabled for \"/var/lib/rancher\"", "overlay"),
            ("Node password rejected, duplicate hostname or contents of '/etc/rancher/node/password'", "delete node"),
            ("level=fatal msg=\"token CA hash does not match the Cluster CA certificate hash\"", "join token"),
        ] {
            let said = format!("k3s-agent does not start\n{said}");
            let next = remedy(&said).unwrap_or_default();
            assert!(next.contains(helps), "{said}: {next}");
        }
        assert!(remedy("k3s does not start").is_some_and(|next| next.contains("journalctl")));
        assert_eq!(remedy("something else"), None);
    }
}

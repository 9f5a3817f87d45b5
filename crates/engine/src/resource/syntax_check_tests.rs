//! What words take and what they refuse.

use super::*;

type Rule = fn(&str) -> bool;

/// What no rule takes, whatever it is about: an option, a second line, a command, what cannot be seen.
const HOSTILE: [&str; 12] = [
    "",
    "-",
    "-oProxyCommand=touch /tmp/x",
    "--help",
    "a\nb",
    "a\r\u{1b}[2K",
    "$(id)",
    "a;b",
    "a b",
    "`id`",
    "x\"\n  privileged: true",
    "a\u{202e}b",
];

#[test]
fn nothing_hostile_is_a_word() {
    let rules: [(&str, Rule); 24] = [
        ("address", address),
        ("login", login),
        ("jump", jump),
        ("node", node),
        ("package", package),
        ("version", package_version),
        ("account", account),
        ("path", path),
        ("mode", mode),
        ("sha256", sha256),
        ("url", url),
        ("object", object_name),
        ("path segment", path_segment),
        ("label", label),
        ("api", api),
        ("key", label_key),
        ("taint", taint),
        ("image", image),
        ("variable", variable),
        ("url path", url_path),
        ("k3s", k3s_version),
        ("unit", unit),
        ("region", region),
        ("EKS cluster", eks_cluster),
    ];
    for (name, rule) in rules {
        for hostile in HOSTILE {
            assert!(!rule(hostile), "{name} took {hostile:?}");
        }
    }
}

#[test]
fn what_is_usual_fits() {
    let usual: [(Rule, &[&str]); 22] = [
        (address, &["10.0.0.1", "fd78::11", "fe80::1%eth0", "jetson-01.local", "edge_1", "::1"]),
        (login, &["nvidia", "edge.user", "me@realm", "_x"]),
        (jump, &["edge@10.0.0.1", "a,b:2222", "me@[fd00::1]:22", "gate"]),
        (node, &["jetson01", "jetson-01", "one", "1"]),
        (package, &["ca-certificates", "libstdc++6", "g++", "jq"]),
        (package_version, &["1.17.8-1", "1:2.6.1-1ubuntu1.2", "2.0~rc1"]),
        (account, &["akidb", "_apt", "host$", "video"]),
        (path, &["/etc/cron.d/z", "/srv/a b", "/x..y"]),
        (mode, &["0644", "755"]),
        (url, &["https://get.k3s.io", "https://a.b/c%2Bd?x=1"]),
        (object_name, &["akidb-rest-jetson", "a.b.c"]),
        (path_segment, &["system:node", "view", "a.b@c"]),
        (eks_cluster, &["akidb-eu", "A_1"]),
        (label_key, &["tier", "akidb.dev/jetpack", "kubernetes.io/hostname"]),
        (label_value, &["edge", "6.2", "", "jetson-orin-nano"]),
        (taint, &["gpu=yes:NoSchedule", "gpu:NoExecute"]),
        (image, &["nginx", "akidb/rest:jetson-v1.0.0", "10.0.0.1:5000/akidb/rest", "a.b:5000/x/y:V1.0-RC1"]),
        (variable, &["AKIDB_LOG_LEVEL", "a.b"]),
        (url_path, &["/", "/health?x=1"]),
        (k3s_version, &["v1.36.3+k3s1"]),
        (unit, &["akidb-adaptive-power.service", "getty@tty1.service"]),
        (region, &["us-east-1", "us-gov-west-1", "local"]),
    ];
    for (rule, texts) in usual {
        for text in texts {
            assert!(rule(text), "{text}");
        }
    }
    assert!(image(&format!("registry:2.8.3@sha256:{}", "a".repeat(64))));
    for odd in ["/a/../b", "/a//b", "/a/", "/", "/a/./b", "a/b", "/a\u{200b}", "/a "] {
        assert!(!path(odd), "{odd}");
    }
    let ecr = "123456789012.dkr.ecr.EU-WEST-1.amazonaws.com/x:1";
    for odd in ["nginx@sha256:abc", "nginx:", "-nginx", "ngi nx", "Nginx:1", "akidb/Rest", "Host:5000/x", ecr] {
        assert!(!image(odd), "{odd}");
    }
    for odd in ["EU-WEST-1", "us-East-1", "us-east-1A", "1", "us-east-1-"] {
        assert!(!region(odd), "{odd}");
    }
    for odd in ["a@b@", "a:0", "a:70000", "[::1]x", "a,,b", "ssh://a"] {
        assert!(!jump(odd), "{odd}");
    }
}

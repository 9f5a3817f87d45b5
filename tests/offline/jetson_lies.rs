//! Devices that lie: a stand-in for ssh plays a device that answers what it wants. Needs no laboratory and no root.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::process::Command;

use tempfile::TempDir;

use testkit::cli::{CommandOutput, bare, finish};

/// Plays ssh, its login and the loop behind it. ANSWER and GREETING are shell lines; so is the file `tunnel`, for `ssh -W`.
const SSH: &str = r#"#!/bin/sh
answer() {
ANSWER
}
printf '%s\n' "$@" >>"$LIAR/arguments"
case " $* " in *" -W "*) exec bash "$LIAR/tunnel";; esac
GREETING
echo akidb-edge-ready
while read -r what n mark length; do
  script=$(head -c "$n")
  printf '%s\n' "$script" >>"$LIAR/scripts"
  times=$(printf '%s\n' "$script" | grep -c '^code=')
  while [ "$times" -gt 0 ]; do answer; printf '\n%s 0\n' "$mark"; times=$((times - 1)); done
  echo "$mark"
done
"#;

const PLAN: &str = "
version: 1
stack: lie
metadata: {name: lie, title: One device}
days:
  - day: 1
    title: Devices
    steps:
      - id: devices
        title: One device
        kind: jetson
        with:
";

/// A device that lies.
pub struct Liar {
    directory: TempDir,
}

impl Liar {
    /// It answers with these shell lines.
    pub fn new(answer: &str) -> Self {
        Self::greeting("", answer)
    }

    /// It says something before it lets anybody in.
    fn greeting(greeting: &str, answer: &str) -> Self {
        let liar = Self { directory: tempfile::tempdir().expect("a directory") };
        let ssh = SSH.replace("ANSWER", if answer.is_empty() { ":" } else { answer }).replace("GREETING", greeting);
        fs::create_dir(liar.path("bin")).expect("a directory");
        fs::write(liar.path("bin/ssh"), ssh).expect("a file");
        fs::set_permissions(liar.path("bin/ssh"), fs::Permissions::from_mode(0o755)).expect("a mode");
        liar.plan("          hosts: {one: {address: 192.0.2.1}}\n          k3s: {version: v1.36.3+k3s1}\n");
        liar
    }

    /// What leads to its loopback ends in these lines of bash.
    pub fn tunnel(&self, lines: &str) {
        fs::write(self.path("tunnel"), lines).expect("a file");
    }

    fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    /// The settings of its step.
    fn plan(&self, with: &str) {
        fs::write(self.path("plan.yaml"), format!("{PLAN}{with}")).expect("a plan");
    }

    /// Runs the binary to its end.
    pub fn run(&self, words: &str) -> CommandOutput {
        finish(&mut self.command(words))
    }

    /// The binary in 3 GiB of addresses: what an answer without end needs more than.
    fn command(&self, words: &str) -> Command {
        let program = bare();
        let mut command = Command::new("sh");
        command.arg("-c").arg("ulimit -v 3145728; exec \"$0\" \"$@\"").arg(program.get_program());
        for (key, value) in program.get_envs() {
            match value {
                Some(value) => command.env(key, value),
                None => command.env_remove(key),
            };
        }
        let path = std::env::var("PATH").unwrap_or_default();
        command
            .current_dir(self.directory.path())
            .env("PATH", format!("{}:{path}", self.path("bin").display()))
            .env("LIAR", self.directory.path())
            .env("HOME", self.directory.path())
            .env_remove("KUBECONFIG")
            .stdin(std::process::Stdio::null())
            .args(words.split(' '))
            .args(["--plan", "plan.yaml", "--keep-connections", "0", "--state"])
            .arg(format!("file:{}", self.path("state").display()));
        command
    }

    /// What ssh was called with.
    pub fn arguments(&self) -> String {
        fs::read_to_string(self.path("arguments")).unwrap_or_default()
    }
}

/// k3s's own file in the shape that it has, with more below the user and the cluster.
pub fn kubeconfig(user: &str, cluster: &str) -> String {
    // "-----BEGIN CERTIFICATE-----\nQUJD\n-----END CERTIFICATE-----\n", and the same of a key.
    let certificate = "LS0tLS1CRUdJTiBDRVJUSUZJQ0FURS0tLS0tClFVSkQKLS0tLS1FTkQgQ0VSVElGSUNBVEUtLS0tLQo=";
    let key = "LS0tLS1CRUdJTiBFQyBQUklWQVRFIEtFWS0tLS0tClFVSkQKLS0tLS1FTkQgRUMgUFJJVkFURSBLRVktLS0tLQo=";
    kubeconfig_with([certificate, certificate, key], user, cluster)
}

/// The same with this authority, certificate and key (PEM in base64).
pub fn kubeconfig_with([authority, certificate, key]: [&str; 3], user: &str, cluster: &str) -> String {
    format!(
        "cat <<'END'\napiVersion: v1\nclusters:\n- cluster:\n    certificate-authority-data: {authority}\n    server: https://127.0.0.1:6443\n{cluster}  name: default\ncontexts:\n- context:\n    cluster: default\n    user: default\n  name: default\ncurrent-context: default\nkind: Config\npreferences: {{}}\nusers:\n- name: default\n  user:\n    client-certificate-data: {certificate}\n    client-key-data: {key}\n{user}END"
    )
}

/// Fields of a user and of a cluster that run something, lead elsewhere or stop a check, each with its name.
pub const TRAPS: [(&str, &str, &str); 4] = [
    (
        "    exec:\n      apiVersion: client.authentication.k8s.io/v1\n      command: /tmp/pwned\n",
        "",
        "users[0].user.exec",
    ),
    ("", "    proxy-url: http://192.0.2.9:3128\n", "clusters[0].cluster.proxy-url"),
    ("", "    insecure-skip-tls-verify: true\n", "clusters[0].cluster.insecure-skip-tls-verify"),
    ("    tokenFile: /etc/shadow\n", "", "users[0].user.tokenFile"),
];

const OWN: &str = "apiVersion: v1\nkind: Config\nclusters: []\ncontexts: []\ncurrent-context: ''\nusers: []\n";

#[test]
fn a_kubeconfig_with_a_command_in_it_reaches_no_file() {
    for (user, cluster, named) in TRAPS {
        let liar = Liar::new(&kubeconfig(user, cluster));
        let refused = liar.run("jetson kubeconfig").exits(1);
        assert!(refused.stderr.contains(named), "{}", refused.all());
        assert!(!liar.path(".kube/config").exists(), "{named}");

        fs::create_dir(liar.path(".kube")).expect("a directory");
        fs::write(liar.path(".kube/config"), OWN).expect("a file");
        liar.run("jetson kubeconfig").exits(1);
        liar.run("jetson kubeconfig --out other.yaml").exits(1);
        let shown = liar.run("jetson kubeconfig --out -").exits(1);
        assert_eq!(fs::read_to_string(liar.path(".kube/config")).expect("the file"), OWN, "{named}");
        assert!(!liar.path("other.yaml").exists() && shown.stdout.is_empty(), "{}", shown.all());
    }
}

#[test]
fn an_honest_kubeconfig_is_taken_with_the_address_of_the_plan() {
    let liar = Liar::new(&kubeconfig("", ""));
    liar.run("jetson kubeconfig").exits(0);
    let taken = fs::read_to_string(liar.path(".kube/config")).expect("the file");
    assert!(taken.contains("\"https://192.0.2.1:6443\"") && taken.contains("client-key-data"), "{taken}");
}

/// A command that fails with this code after it said something.
pub fn fails(code: u8, said: &str) -> String {
    format!("echo '{said}'; printf '\\n%s {code}\\n' \"$mark\"")
}

#[test]
fn a_kubeconfig_that_cannot_be_fetched_or_written_says_why_and_what_helps() {
    let unreadable = fails(5, "cat: k3s.yaml: Is a directory");
    for (answer, why, next) in [
        (fails(4, ""), "k3s does not run on it yet", "jetson provision"),
        (unreadable, "cannot be read: cat: k3s.yaml: Is a directory", "that root can read"),
        (fails(1, "client-key-data: c2VjcmV0"), "ended with code 1", "jetson doctor"),
    ] {
        let liar = Liar::new(&answer);
        let refused = liar.run("jetson kubeconfig").exits(1);
        let said = refused.stderr.split_whitespace().collect::<Vec<_>>().join(" ");
        for part in ["could not be fetched from one:", why, "next:", next] {
            assert!(said.contains(part), "{part}: {}", refused.all());
        }
        assert!(!refused.all().contains("c2VjcmV0"), "what the file holds is not shown: {}", refused.all());
    }

    let liar = Liar::new(&kubeconfig("", ""));
    fs::create_dir(liar.path(".kube")).expect("a directory");
    for (held, why) in [
        (&b"\xff\xfe"[..], "cannot be read: "),
        (&b"- a\n"[..], "is not a kubeconfig: it has no fields"),
        (&b"users: 7\n"[..], "is not a kubeconfig: `users` is not a list"),
    ] {
        fs::write(liar.path(".kube/config"), held).expect("a file");
        let refused = liar.run("jetson kubeconfig").exits(3);
        let said = refused.stderr.split_whitespace().collect::<Vec<_>>().join(" ");
        for part in ["the cluster was not added to", why, "left alone", "next:", "--out"] {
            assert!(said.contains(part), "{part}: {}", refused.all());
        }
        assert_eq!(fs::read(liar.path(".kube/config")).expect("the file"), held, "{why}");
    }
    fs::write(liar.path("taken"), "").expect("a file");
    let failed = liar.run("jetson kubeconfig --out taken/below/config");
    assert!(failed.code != 0 && failed.stderr.contains("next: "), "{}", failed.all());
}

#[test]
fn a_shutdown_that_fails_says_why_and_what_helps() {
    let liar = Liar::new(&fails(1, "error: the cluster is away"));
    let asks = liar.run("jetson shutdown").exits(3);
    assert!(asks.stderr.contains("no device was shut down") && asks.stderr.contains("next: "), "{}", asks.all());
    let held = liar.run("jetson shutdown --yes").exits(1);
    let said = held.stderr.split_whitespace().collect::<Vec<_>>().join(" ");
    for part in [
        "no device was shut down, because not all could be drained: one: one: the script that reads k3s's kubeconfig ended",
        "--force",
        "akidb-edge jetson uncordon one --plan plan.yaml",
    ] {
        assert!(said.contains(part), "{part}: {}", held.all());
    }

    for (answer, why, next) in [
        (fails(4, ""), "one: could not be shut down: it has no program called shutdown", "by hand"),
        (fails(1, "Call failed"), "ended with code 1: Call failed", "sudo shutdown -h now"),
    ] {
        let liar = Liar::new(&answer);
        liar.plan("          hosts: {one: {address: 192.0.2.1}}\n          groups: [akidb]\n");
        let failed = liar.run("jetson shutdown --yes").exits(1);
        let said = failed.stdout.split_whitespace().collect::<Vec<_>>().join(" ");
        assert!(said.contains(why) && said.contains("next:") && said.contains(next), "{}", failed.all());
    }
}

#[test]
fn what_is_fetched_by_a_name_alone_is_said_before_a_run() {
    let liar = Liar::new("");
    let app = "      - {id: app, title: App, kind: jetson-app, with: {name: app, image: \"akidb/rest:v1\", without_keys: true}}\n";
    let plan = |k3s: &str| {
        format!("          hosts: {{one: {{address: 192.0.2.1}}}}\n          k3s: {{version: v1.36.3+k3s1{k3s}}}\n")
    };
    liar.plan(&(plan("") + app));
    let said = liar.run("jetson deploy --dry-run").stderr;
    assert!(said.contains("warning: plan.yaml:"), "{said}");
    assert!(said.contains("`akidb/rest:v1` is named by a tag (PN001-image-by-tag)"), "{said}");
    assert!(said.contains("has no hash in the plan (PN002-program-by-list)"), "{said}");
    liar.plan(&plan(&format!(", sha256: {}", "a".repeat(64))));
    let said = liar.run("jetson deploy --dry-run").stderr;
    assert!(!said.contains("PN00"), "{said}");
}

#[test]
fn an_answer_without_end_is_cut_off() {
    let line = "head -c 100000 /dev/zero | tr '\\0' x; echo";
    for (greeting, answer) in [
        ("", "yes 'another line of an answer that never ends'"),
        ("", "cat /dev/zero | tr '\\0' x"),
        ("", &format!("while :; do {line}; done")),
        ("", "yes >&2"),
        ("yes", ""),
        ("yes >&2", ""),
        ("cat /dev/zero | tr '\\0' x", ""),
    ] {
        for verb in ["jetson doctor", "jetson kubeconfig", "jetson drain one"] {
            let liar = Liar::greeting(greeting, answer);
            let cut = liar.run(verb).exits(1);
            let said = cut.all();
            assert!(said.contains("one sent more than 16 MiB"), "{verb}: {greeting:?} {answer:?}\n{said}");
            assert!(said.len() < 4000, "nothing of it is passed on: {} bytes", said.len());
        }
    }
}

#[test]
fn a_long_answer_that_is_refused_is_told_in_few_words() {
    // A command that fails with a line of 8 MiB.
    let liar = Liar::new("head -c 8000000 /dev/zero | tr '\\0' x; echo; printf '\\n%s 1\\n' \"$mark\"");
    liar.plan("          hosts: {one: {address: 192.0.2.1}}\n          groups: [akidb]\n");
    let failed = liar.run("jetson provision --yes");
    assert_ne!(failed.code, 0, "{}", failed.code);
    assert!(failed.all().len() < 20_000, "{} bytes", failed.all().len());
}

#[test]
fn what_a_device_says_it_did_is_looked_at() {
    // Every command ends well, and nothing is ever there.
    let liar = Liar::new("");
    for with in [
        "groups: [akidb]",
        "users: {akidb: {shell: /bin/sh}}",
        "packages: {jq: \"\"}",
        "files: {/opt/x: {text: hello}}",
        "files: {/opt/x: {directory: true}}",
        "lines: {/etc/hosts: [10.0.0.1 a]}",
        "power_mode: 15W",
    ] {
        liar.plan(&format!("          hosts: {{one: {{address: 192.0.2.1}}}}\n          {with}\n"));
        let failed = liar.run("jetson provision --yes").exits(1);
        assert!(failed.all().contains("does not match what was requested"), "{with}\n{}", failed.all());
    }
}

#[test]
fn the_address_stands_behind_two_dashes() {
    let liar = Liar::new("");
    liar.run("jetson doctor");
    let arguments = liar.arguments();
    let words: Vec<&str> = arguments.lines().collect();
    let at = words.iter().position(|word| *word == "192.0.2.1").expect("the address");
    assert_eq!(words[at - 1], "--", "{arguments}");
}

/// Devices of the plan that the inventory does not name are not contacted, and which one is the server is said in it.
#[test]
fn an_inventory_takes_the_place_of_the_plans_devices() {
    let liar = Liar::new("");
    fs::write(liar.path("hosts.yaml"), "hosts:\n  two: {address: 192.0.2.2}\n").expect("a file");
    let refused = liar.run("jetson doctor --inventory hosts.yaml").exits(3).stderr;
    assert!(refused.contains("hosts.yaml:1:1: error PL404-inventory: no device is marked as the server"), "{refused}");
    assert!(refused.contains("next: write role: server") && liar.arguments().is_empty(), "{refused}");
    fs::write(liar.path("hosts.yaml"), "hosts:\n  two: {address: 192.0.2.2, role: server}\n").expect("a file");
    let said = liar.run("jetson provision --dry-run --inventory hosts.yaml").all();
    let line = "inventory hosts.yaml: 1 device, server two; it replaces the plan's devices, not contacted: one";
    assert!(said.contains(line), "{said}");
    // The verbs that only look say it, too.
    assert!(liar.run("jetson doctor --inventory hosts.yaml").stderr.contains(line));
    let arguments = liar.arguments();
    assert!(arguments.contains("192.0.2.2") && !arguments.contains("192.0.2.1"), "{arguments}");
    // An inventory that the plan names does the same.
    liar.plan(
        "          hosts: {one: {address: 192.0.2.1}}\n          inventory: hosts.yaml\n          groups: [akidb]\n",
    );
    liar.run("jetson doctor");
    assert!(!liar.arguments().contains("192.0.2.1"), "{}", liar.arguments());
    // One for several steps would put each device into all of them.
    let another = "      - {id: more, title: More, kind: jetson, with: {groups: [akidb]}}\n";
    liar.plan(&format!("          groups: [akidb]\n{another}"));
    let refused = liar.run("jetson doctor --inventory hosts.yaml").exits(3).stderr;
    assert!(refused.contains("plan.yaml:14:") && refused.contains("write inventory: FILE into each"), "{refused}");
}

/// What the journal knows of a device that is not named any more stays, and it is not contacted.
#[test]
fn nothing_is_taken_from_a_device_that_is_not_named() {
    let liar = Liar::new("");
    liar.plan("          hosts: {one: {address: 192.0.2.1}}\n          groups: [akidb]\n");
    liar.run("jetson provision --yes").exits(1);
    assert!(liar.arguments().contains("192.0.2.1"));
    fs::write(liar.path("hosts.yaml"), "two: {address: 192.0.2.2}\n").expect("a file");
    fs::remove_file(liar.path("arguments")).expect("a file");
    let seen = liar.run("jetson provision --inventory hosts.yaml --dry-run").exits(2);
    let name = fs::read_dir(liar.path("state")).expect("a folder").flatten().next().expect("a stack").file_name();
    let next = format!(
        "next: akidb-edge jetson uninstall --stack {} --host one removes what is installed on them",
        name.display()
    );
    assert!(seen.stderr.contains("not named by the plan or an inventory: one;"), "{}", seen.all());
    assert!(seen.stderr.contains(&next), "{next} in {}", seen.all());
    assert!(!seen.stdout.contains("delete") && !seen.stdout.contains("forget"), "{}", seen.all());
    let refused = liar.run("jetson provision --inventory hosts.yaml --host one --yes").exits(3).stderr;
    assert!(refused.contains("one is in the journal") && refused.contains("nothing was done"), "{refused}");
    assert!(!liar.arguments().contains("192.0.2.1"), "{}", liar.arguments());
}

/// One machine under two names: what is taken away under one of them is gone under the other.
#[test]
fn a_machine_under_another_name_is_not_taken_for_another_machine() {
    let joined = |text: &str| text.split_whitespace().collect::<Vec<_>>().join(" ");
    let liar = Liar::new("");
    liar.plan("          hosts: {one: {address: 192.0.2.1}}\n          groups: [akidb]\n");
    liar.run("jetson provision --yes").exits(1);
    fs::remove_file(liar.path("arguments")).expect("a file");
    fs::write(liar.path("hosts.yaml"), "edge: {address: 192.0.2.1}\n").expect("a file");
    let refused = liar.run("jetson provision --inventory hosts.yaml --yes").exits(3);
    let said = joined(&refused.stderr);
    for part in ["one of the journal is called edge now (same address", "nothing was done", "keep the name one"] {
        assert!(said.contains(part), "{part}: {}", refused.all());
    }
    fs::write(liar.path("hosts.yaml"), "edge: {address: 192.0.2.1}\nnode: {address: 192.0.2.1}\n").expect("a file");
    let refused = liar.run("jetson provision --inventory hosts.yaml --yes").exits(3).stderr;
    assert!(
        refused.contains("hosts.yaml:2:") && refused.contains("of edge, line 1: they are one machine"),
        "{refused}"
    );
    assert_eq!(liar.arguments(), "", "nothing was contacted");

    // The device is elsewhere, and another one took its address: going back would take the group from the former one.
    liar.plan("          hosts: {one: {address: 192.0.2.9}, two: {address: 192.0.2.1}}\n          groups: [akidb]\n");
    liar.run("jetson provision --yes").exits(1);
    fs::remove_file(liar.path("arguments")).expect("a file");
    let refused = liar.run("jetson rollback --yes").exits(3);
    let said = joined(&refused.stderr);
    for part in ["two and one have the same address", "nothing was done", "akidb-edge state forget --stack lie-devices"]
    {
        assert!(said.contains(part), "{part}: {}", refused.all());
    }
    assert_eq!(liar.arguments(), "", "nothing was contacted");
}

/// What would be an option, a second line, a second document or another path: refused with its line, and ssh never starts.
#[test]
fn words_that_mean_something_else_are_refused_with_their_line() {
    let host = |fields: &str| format!("          hosts: {{one: {{address: 192.0.2.1, {fields}}}}}\n");
    let key = "A".repeat(43);
    let step = |line: &str| format!("          hosts: {{one: {{address: 192.0.2.1}}}}\n          {line}\n");
    let k3s = |line: &str| step(&format!("k3s: {{version: v1.36.3+k3s1, {line}}}"));
    let gpu = |line: &str| format!("{}          gpu: {{{line}}}\n", k3s("labels: {}"));
    let cases = [
        ("address", "          hosts: {one: {address: \"-oProxyCommand=touch x\"}}\n".to_owned()),
        ("address", "          hosts: {one: {address: \"a b\"}}\n".to_owned()),
        ("name", "          hosts: {\"-one\": {address: 192.0.2.1}}\n".to_owned()),
        ("name", "          hosts: {Jetson_01: {address: 192.0.2.1}}\n".to_owned()),
        ("user", host("user: \"-oProxyCommand=touch x\"")),
        ("user", host("user: \"a;id\"")),
        ("jump", host("jump: \"-oProxyCommand=touch x\"")),
        ("jump", host("jump: \"gate,-J\"")),
        ("host_key", host(&format!("host_key: \"SHA256:{key} --record x\""))),
        ("host_key", host("host_key: \"SHA256:abc\"")),
        ("host_key", host("host_key: \"ssh-ed25519 AAAA\\n* ssh-rsa BBBB\"")),
        ("packages", step("packages: {\"-oDpkg::Pre-Invoke::=touch x\": \"\"}")),
        ("packages", step("packages: {jq: \"1 -oX=y\"}")),
        ("name", step("groups: [\"-h\"]")),
        ("name", step("users: {\"--root=/\": {}}")),
        ("groups", step("users: {akidb: {groups: [\"-G\"]}}")),
        ("shell", step("users: {akidb: {shell: \"sh\\nx\"}}")),
        ("path", step("files: {opt/x: {text: a}}")),
        ("path", step("files: {/opt/../etc/x: {text: a}}")),
        ("mode", step("files: {/opt/x: {text: a, mode: \"u+s\"}}")),
        ("owner", step("files: {/opt/x: {text: a, owner: \"--reference=/x\"}}")),
        ("link", step("files: {/opt/x: {link: \"a\\nb\"}}")),
        ("lines", step("lines: {/etc/hosts: [\"a\\nb\"]}")),
        ("power_mode", step("power_mode: \"15W\\\"; id\"")),
        ("adaptive_power", step("power_mode: auto\n          adaptive_power: {modes: [\"15W'; id #\"]}")),
        ("toolkit.version", step("toolkit: {version: \"1 -oX\"}")),
        ("toolkit.repository", step("toolkit: {repository: \"deb [trusted=yes] https://x /\"}")),
        ("toolkit.key_url", step(&format!("toolkit: {{key_url: \"http://x/k\", key_sha256: \"{}\"}}", "a".repeat(64)))),
        ("toolkit.key_sha256", step("toolkit: {key_url: \"https://example.com/key\"}")),
        ("version", step("k3s: {version: \"v1 --token=x\"}")),
        ("sha256", k3s("sha256: abc")),
        ("labels", k3s("labels: {tier: \"a' --token=x\"}")),
        ("labels", k3s("labels: {tier: \"a%h\"}")),
        ("labels", k3s("labels: {tier: $HOME}")),
        ("labels", k3s("labels: {tier: \"a\\nb\"}")),
        ("disable", k3s("disable: [\"traefik --token=x\"]")),
        ("k3s.registry.image", k3s("registry: {image: \"x\\\"\\n  privileged: true\"}")),
        (
            "gpu.device_plugin",
            gpu("device_plugin: \"x\\\"\\n          securityContext:\\n            privileged: true\""),
        ),
        ("gpu.runtime_class", gpu("runtime_class: \"nvidia\\nhandler: runc\"")),
        ("gpu.cuda_test_image", gpu("cuda_test_image: \"a b\"")),
        ("gpu.cuda_test_output", gpu("cuda_test_output: \"\"")),
    ];
    let app = |line: &str| {
        format!(
            "{}      - id: app\n        title: App\n        kind: jetson-app\n        with:\n          name: app\n          image: akidb/rest:v1\n          without_keys: true\n          {line}\n",
            k3s("labels: {}")
        )
        .replace("          name: app\n", if line.starts_with("name:") { "" } else { "          name: app\n" })
        .replace("          image: akidb/rest:v1\n", if line.starts_with("image:") { "" } else { "          image: akidb/rest:v1\n" })
    };
    let apps = [
        ("image", app("image: \"x\\\"\\n          securityContext:\\n            privileged: true\"")),
        ("name", app("name: \"a\\nb\"")),
        ("namespace", app("namespace: \"kube-system\\\"\"")),
        ("liveness_path", app("liveness_path: \"health\"")),
        ("node_selector", app("node_selector: {\"a b\": c}")),
        ("environment", app("environment: {\"A=B\": c}")),
    ];
    for (field, with) in cases.into_iter().chain(apps) {
        let liar = Liar::new("");
        liar.plan(&with);
        let refused = liar.run("jetson deploy --dry-run").exits(3);
        let said = refused.stderr;
        assert!(said.contains(field) && said.contains("plan.yaml:"), "{field}\n{with}\n{said}");
        assert!(!said.contains("plan.yaml:1:"), "its own line is named: {said}");
        assert_eq!(liar.arguments(), "", "ssh was started: {with}");
    }
}

/// A power mode is complained of where it was said: on the command line, or in the lines of the one device.
#[test]
fn a_wrong_power_mode_is_told_where_it_was_said() {
    let liar = Liar::new("");
    let refused = liar.run("jetson power --mode 15W;id --yes").exits(3).stderr;
    assert!(refused.contains("--mode \"15W;id\" is not the name of a power mode"), "{refused}");
    assert!(refused.contains("such as 15W, or auto") && !refused.contains("plan.yaml:"), "{refused}");
    liar.plan(
        "          hosts:\n            one:\n              address: 192.0.2.1\n              power_mode: \"15W;id\"\n",
    );
    let refused = liar.run("jetson provision --dry-run").exits(3).stderr;
    assert!(refused.contains("plan.yaml:16:") && refused.contains("power_mode"), "{refused}");
    assert_eq!(liar.arguments(), "", "no device was contacted");
}

/// A device whose file names a bucket, and the bucket.
const NAMES_A_BUCKET: &str = "          hosts: {one: {address: 192.0.2.1}}
          files: {/opt/x: {text: \"bucket=${models.bucket.data#name}\"}}
      - id: data
        title: A bucket
        kind: models
        with: {buckets: {data: {name: lie-data, region: us-east-1}}}
";

/// Without the cloud's account: its journal says that nothing is there.
#[test]
fn what_the_cloud_has_not_made_is_named_before_anything_is_done() {
    let liar = Liar::new("");
    liar.plan(NAMES_A_BUCKET);
    let refused = liar.run("jetson provision --yes").exits(3);
    for said in ["jetson.file.one-opt-x needs models.bucket.data", "nothing was done", "deploy --devices --plan PLAN"] {
        assert!(refused.stderr.contains(said), "{said} is not in {}", refused.all());
    }
    let shown = liar.run("jetson provision --dry-run").exits(2);
    assert!(shown.stderr.contains("the run would be refused"), "{}", shown.all());
    // A step that only comes after the bucket waits for it, too.
    liar.plan(&NAMES_A_BUCKET.replace("bucket=${models.bucket.data#name}", "plain"));
    let text = fs::read_to_string(liar.path("plan.yaml")).expect("the plan");
    fs::write(
        liar.path("plan.yaml"),
        text.replace("        kind: jetson\n", "        kind: jetson\n        needs: [data]\n"),
    )
    .expect("a plan");
    let refused = liar.run("jetson provision --yes").exits(3);
    assert!(refused.stderr.contains("jetson.file.one-opt-x needs models.bucket.data"), "{}", refused.all());
    // What the plan does not have is refused as a mistake of the plan.
    liar.plan(&NAMES_A_BUCKET.replace("models.bucket.data#", "models.bucket.none#"));
    let wrong = liar.run("jetson provision --yes").exits(3);
    assert!(wrong.all().contains("`models.bucket.none` is not in the plan"), "{}", wrong.all());
    let scripts = fs::read_to_string(liar.path("scripts")).unwrap_or_default();
    assert!(!scripts.contains("mv -fT"), "nothing was written: {scripts}");
}

/// A file that names a bucket which is gone does not stop the rest of a rollback: it is left as it is.
#[test]
fn a_rollback_goes_on_without_what_names_a_bucket_that_is_gone() {
    use akidb_edge::ledger::{Fact, FileStore, Lease, Ledger, ResourceSnapshot};
    use akidb_edge::resource::{Action, Attributes, Kind, Level, RunStatus, references};
    let liar = Liar::new("");
    liar.plan(NAMES_A_BUCKET);
    let began = |revision: u64| Fact::RunBegan {
        revision,
        command: "jetson provision".to_owned(),
        by: "me@here".to_owned(),
        account: String::new(),
        stack: "lie-devices".to_owned(),
        tool: "0".to_owned(),
        requested: Default::default(),
        fallback: None,
        purpose: None,
        platforms: Vec::new(),
    };
    let made = |address: &str, kind: Kind, spec: serde_json::Value| {
        let subject = ResourceSnapshot {
            address: address.parse().expect("an address"),
            kind,
            generation: 0,
            needs: references(&spec).into_iter().map(|need| (need, Level::Usable)).collect(),
            spec,
            step: "devices".to_owned(),
            after: Default::default(),
            origin: None,
            seen: Attributes::new(),
        };
        let id = format!("one:{address}");
        Fact::Succeeded { action: Action::Create, subject, id, attributes: Attributes::new(), took_ms: 1 }
    };
    let file = |path: &str, text: &str| serde_json::json!({"host": "one", "path": path, "content": {"text": text}});
    let removed = |address: &str| {
        let id = format!("one:{address}");
        Fact::Removed { address: address.parse().expect("an address"), id }
    };
    let facts = [
        began(1),
        made("jetson.host.one", Kind::Host, serde_json::json!({"name": "one", "address": "192.0.2.1"})),
        made("jetson.file.one-opt-x", Kind::File, file("/opt/x", "bucket=${models.bucket.data#name}")),
        made("jetson.file.one-opt-y", Kind::File, file("/opt/y", "plain")),
        Fact::RunEnded { ending: RunStatus::Done, changes: 3 },
        began(2),
        removed("jetson.file.one-opt-x"),
        removed("jetson.file.one-opt-y"),
        Fact::RunEnded { ending: RunStatus::Done, changes: 2 },
    ];
    testkit::proxy::wait(async {
        let store = std::sync::Arc::new(FileStore::new(&liar.path("state"), "lie-devices", "here"));
        let lease = Lease::new("me", "here", "jetson provision");
        let ledger = Ledger::write(store, "lie-devices", lease).await.expect("a journal");
        for fact in facts {
            ledger.record(fact).await.expect("an entry");
        }
        ledger.close().await.expect("the lease goes back");
    });
    let seen = liar.run("jetson rollback --dry-run").exits(2);
    let said = seen.stderr.split_whitespace().collect::<Vec<_>>().join(" ");
    let named = "jetson.file.one-opt-x: as it was then it refers to models.bucket.data, which no longer exists";
    assert!(said.contains(named), "{}", seen.all());
    assert!(seen.stdout.contains("file.one-opt-y"), "{}", seen.all());
    assert!(!seen.stdout.contains("file.one-opt-x"), "{}", seen.all());
}

/// An account that cannot be reached takes along what needs it; the devices go on.
#[test]
fn an_account_that_is_away_does_not_stop_the_devices() {
    let liar = Liar::new("");
    let also = "files: {/opt/y: {text: plain}, /opt/x:";
    liar.plan(&NAMES_A_BUCKET.replace("files: {/opt/x:", also));
    let mut command = liar.command("deploy --devices --yes");
    command.env("AWS_ENDPOINT_URL", "http://127.0.0.1:1").env("AWS_REGION", "us-east-1");
    command.env("AWS_ACCESS_KEY_ID", "123456789012").env("AWS_SECRET_ACCESS_KEY", "test");
    let partly = finish(&mut command).exits(1);
    let said = partly.all();
    assert!(said.contains("left out: the AWS account and what needs it"), "{said}");
    assert!(said.contains("1 device over SSH: one"), "{said}");
    // The device takes every command and does nothing: it was asked for the file that needs no bucket, and for no other.
    assert!(said.contains("failed   jetson.file.one-opt-y") && !said.contains("jetson.file.one-opt-x"), "{said}");
    assert!(!liar.path("state/lie/journal.jsonl").exists(), "the account has no part in the run");
    let journal = fs::read_to_string(liar.path("state/lie-devices/journal.jsonl")).expect("a journal");
    let began = journal.lines().find(|line| line.contains("\"run-began\"")).expect("a run began");
    let began: serde_json::Value = serde_json::from_str(began).expect("a line of JSON");
    assert_eq!(began["worlds"], serde_json::json!([{"world": "devices", "hosts": ["one"]}]), "{journal}");
    assert!(!journal.contains("models.bucket.data"), "{journal}");
}

/// What needs an account that is away is not said to match the plan, and no part of a plan is saved.
#[test]
fn what_needs_an_account_that_is_away_is_named() {
    let liar = Liar::new("");
    liar.plan(&NAMES_A_BUCKET.replace("      - id: data", "        needs: [data]\n      - id: data"));
    let run = |words: &str| {
        let mut command = liar.command(words);
        command.env("AWS_ENDPOINT_URL", "http://127.0.0.1:1").env("AWS_REGION", "us-east-1");
        command.env("AWS_ACCESS_KEY_ID", "123456789012").env("AWS_SECRET_ACCESS_KEY", "test");
        finish(&mut command).exits(1)
    };
    let named = ["jetson.file.one-opt-x", "jetson.host.one", "models.bucket.data"];
    let seen = run("deploy --devices --dry-run");
    let line = format!("(0 resources checked, the AWS account and 3 resources left out: {})", named.join(", "));
    assert!(seen.stdout.contains(&line), "{}", seen.all());
    assert!(!seen.stdout.contains("match the plan"), "{}", seen.all());
    let document = run("deploy --devices --dry-run --json").json();
    assert_eq!((&document["left_out"], &document["account_left_out"]), (&serde_json::json!(named), &true.into()));
    let refused = run("deploy --devices --out both.plan.json");
    assert!(refused.stderr.contains("no plan was saved"), "{}", refused.all());
    assert!(!liar.path("both.plan.json").exists());
}

/// A lease that is held is named by its stack: by both when the same run holds both.
#[test]
fn the_stacks_of_a_lease_that_is_held_are_named() {
    let liar = Liar::new("");
    liar.plan(NAMES_A_BUCKET);
    let hold = |stack: &str| {
        let lease = akidb_edge::ledger::Lease::new("me", "elsewhere", "deploy --devices");
        fs::create_dir_all(liar.path("state").join(stack)).expect("a folder");
        let text = serde_json::to_vec(&lease).expect("a lease");
        fs::write(liar.path("state").join(stack).join("lease.json"), text).expect("a lease");
    };
    let locked = || {
        let mut command = liar.command("deploy --devices --yes");
        command.env("AWS_ENDPOINT_URL", "http://127.0.0.1:1").env("AWS_REGION", "us-east-1");
        command.env("AWS_ACCESS_KEY_ID", "123456789012").env("AWS_SECRET_ACCESS_KEY", "test");
        finish(&mut command).exits(1).stderr
    };
    let (own, devices) =
        ("akidb-edge state unlock --stack lie --yes", "akidb-edge state unlock --stack lie-devices --yes");
    hold("lie-devices");
    let said = locked();
    assert!(said.contains(&format!("no longer exists: {devices}\n")), "{said}");
    hold("lie");
    let said = locked();
    assert!(said.contains(&format!("no longer exists: {own} and {devices}\n")), "{said}");
}

/// A wrong word of an inventory is told at its line in the inventory, not in the plan.
#[test]
fn what_is_wrong_in_an_inventory_is_told_there() {
    let liar = Liar::new("");
    liar.plan("          groups: [akidb]\n");
    for (text, place) in [
        ("hosts:\n  a: {address: 192.0.2.1}\n  nodeA: {address: 192.0.2.2}\n", "hosts.yaml:3:3: "),
        ("nodeA: {address: 192.0.2.2}\n", "hosts.yaml:1:1: "),
        ("a:\n  address: \"-oProxyCommand=x\"\n", "hosts.yaml:2:3: "),
    ] {
        fs::write(liar.path("hosts.yaml"), text).expect("a file");
        let refused = liar.run("jetson provision --dry-run --inventory hosts.yaml").exits(3).stderr;
        assert!(refused.contains(place) && !refused.contains("plan.yaml:"), "{refused}");
    }
}

/// Options about devices need --devices.
#[test]
fn options_about_devices_need_the_devices() {
    let liar = Liar::new("");
    liar.plan(NAMES_A_BUCKET);
    let refused = liar.run("deploy --yes").exits(3);
    assert!(refused.stderr.contains("--keep-connections: it applies to devices"), "{}", refused.all());
    assert!(refused.stderr.contains("add --devices"), "{}", refused.all());
}

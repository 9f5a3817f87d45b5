//! Devices over real SSH: host keys, sudo, devices that are away, full or of another kind, and what is left behind.

use std::fs;
use std::process::Command;
use std::time::{Duration, Instant};

use testkit::cli::{CommandOutput, bare, finish};
use testkit::lab::Lab;
use testkit::local_aws;

/// More than enough for something to be seen.
const SOON: Duration = Duration::from_secs(180);

/// Ten steps on every device.
const TEN: &str = r#"
version: 1
stack: ten
metadata: {name: ten, title: Ten steps}
days:
  - day: 1
    title: Devices
    steps:
      - id: devices
        title: Ten steps
        kind: jetson
        with:
          JETPACK
          groups: [akidb]
          users: {akidb: {groups: [akidb]}}
          files:
            /opt/akidb: {directory: true, mode: "0755"}
            /opt/akidb/data: {directory: true, owner: akidb, group: akidb}
            /opt/akidb/config: {text: "a: 1\n", mode: "0640"}
            /etc/motd: {text: "an edge device\n"}
            /opt/akidb/current: {link: /opt/akidb/data}
            /opt/akidb/marker: {text: "it's done\n"}
          lines:
            /etc/hosts: ["10.0.0.1 registry.local"]
            /etc/environment: ["AKIDB=1"]
"#;

/// A laboratory with the plan of ten steps.
fn lab(name: &str, hosts: usize) -> Option<Lab> {
    let lab = Lab::of_hosts(name, hosts)?;
    write_plan(&lab, "");
    Some(lab)
}

fn write_plan(lab: &Lab, more: &str) {
    fs::write(lab.path("ten.yaml"), TEN.replace("JETPACK\n          ", more)).expect("a plan");
}

fn provision(lab: &Lab, more: &str) -> CommandOutput {
    lab.run(&format!("jetson provision --plan ten.yaml --inventory hosts.yaml --yes {more}"))
}

fn host<'l>(lab: &'l Lab, number: usize, field: &str) -> &'l str {
    lab.inventory["hosts"][number][field].as_str().expect("a text")
}

/// Whether anything of ours is on a device.
fn is_bare(lab: &Lab, host: &str) -> bool {
    let found = lab.inside(host, "ls -d /opt/akidb /var/lib/akidb-edge 2>/dev/null; grep -c AKIDB /etc/environment; :");
    found.trim() == "0"
}

#[test]
fn ten_steps_once_and_no_more() {
    let Some(lab) = lab("ten", 3) else { return };
    lab.inside("jetson-01", "echo from the factory >/etc/motd");
    let before = lab.inside("jetson-01", "cat /etc/motd /etc/hosts /etc/passwd /etc/group");
    provision(&lab, "").exits(0);
    let made = lab.inside("jetson-01", "cat /opt/akidb/marker /etc/motd; stat -c %a:%U:%G /opt/akidb/data /opt/akidb/config; readlink /opt/akidb/current");
    assert_eq!(made, "it's done\nan edge device\n755:akidb:akidb\n640:root:root\n/opt/akidb/data\n");
    let again = provision(&lab, "").exits(0);
    assert!(again.stdout.contains("no changes"), "{}", again.all());
    // The report finds what provision left: the devices' own journal is read, too.
    let told = lab.run("report --plan ten.yaml --inventory hosts.yaml --format json").exits(0).json();
    let step = &told["days"][0]["steps"][0];
    assert!(step["state"] == "done" && step["present"] == step["wanted"] && step["present"] != 0, "{step}");
    assert!(told["runs"][0]["stack"] == "ten-devices" && told["runs"][0]["revision"] == 1, "{told}");
    // Drift is seen and repaired.
    lab.inside("jetson-02", "rm /opt/akidb/marker; chmod 0600 /opt/akidb/config");
    let seen = lab.run("jetson provision --plan ten.yaml --inventory hosts.yaml --dry-run").exits(2);
    assert!(seen.stdout.contains("marker") && seen.stdout.contains("0600"), "{}", seen.all());
    provision(&lab, "").exits(0);
    assert!(provision(&lab, "").exits(0).stdout.contains("no changes"));
    // What was there before comes back, what was not is gone.
    lab.run("jetson uninstall --plan ten.yaml --yes").exits(0);
    assert_eq!(lab.inside("jetson-01", "cat /etc/motd /etc/hosts /etc/passwd /etc/group"), before);
    assert!(is_bare(&lab, "jetson-01") && is_bare(&lab, "jetson-02") && is_bare(&lab, "jetson-03"));
}

#[test]
fn a_change_of_the_plan_is_not_laid_on_others() {
    let Some(lab) = lab("whose", 1) else { return };
    provision(&lab, "").exits(0);
    let plan = fs::read_to_string(lab.path("ten.yaml")).expect("a plan");
    let plan = plan.replace("it's done", "it's done again").replace("link: /opt/akidb/data", "link: /opt/akidb");
    fs::write(lab.path("ten.yaml"), plan).expect("a plan");
    let look = || lab.run("jetson provision --plan ten.yaml --inventory hosts.yaml --dry-run").exits(2);
    let seen = look();
    assert!(!seen.stdout.contains("changed outside") && !seen.stdout.contains("not set"), "{}", seen.all());
    assert!(seen.stdout.contains("content: link to /opt/akidb/data -> link to /opt/akidb"), "{}", seen.all());
    assert_eq!(seen.stdout.matches("SHA-256").count(), 2, "{}", seen.all());
    lab.inside("jetson-01", "echo other >/opt/akidb/marker");
    let seen = look();
    assert!(seen.stdout.contains("content:  (changed outside)\n          old SHA-256 "), "{}", seen.all());
    provision(&lab, "").exits(0);
    assert_eq!(lab.inside("jetson-01", "cat /opt/akidb/marker"), "it's done again\n");
}

#[test]
fn a_create_that_failed_leaves_nothing() {
    let Some(lab) = lab("leaves", 1) else { return };
    lab.inside("jetson-01", "echo flat >/opt/flat");
    fs::write(lab.path("ten.yaml"), SECRET.replace("/opt/shared/secret", "/opt/flat/secret")).expect("a plan");
    let failed = provision(&lab, "").exits(1);
    assert!(failed.all().contains("Not a directory"), "{}", failed.all());
    let left = lab.inside("jetson-01", "ls /var/lib/akidb-edge; grep -rl canary /var/lib/akidb-edge; :");
    assert!(!left.contains("new-") && !left.contains("canary"), "{left}");
    lab.run("jetson uninstall --plan ten.yaml --yes").exits(0);
    assert_eq!(lab.inside("jetson-01", "ls -d /var/lib/akidb-edge 2>/dev/null; :"), "");
    let again = lab.run("jetson uninstall --plan ten.yaml --host jetson-01 --yes").exits(0);
    assert!(again.stdout.contains("nothing to uninstall"), "{}", again.all());
}

#[test]
fn a_device_that_the_inventory_does_not_name_stays_as_it_is() {
    let Some(lab) = lab("unnamed", 2) else { return };
    provision(&lab, "").exits(0);
    let whole = fs::read_to_string(lab.path("hosts.yaml")).expect("the inventory");
    let less: Vec<&str> = whole.lines().filter(|line| !line.contains("jetson-02")).collect();
    fs::write(lab.path("hosts.yaml"), less.join("\n") + "\n").expect("a file");
    let again = provision(&lab, "").exits(0);
    assert!(again.stdout.contains("no changes"), "{}", again.all());
    assert!(again.stderr.contains("jetson uninstall --stack ten-devices --host jetson-02"), "{}", again.all());
    assert!(!is_bare(&lab, "jetson-02"), "nothing was taken away");
    lab.run("jetson uninstall --stack ten --host jetson-02 --yes").exits(0);
    assert!(is_bare(&lab, "jetson-02") && !is_bare(&lab, "jetson-01"));
    let again = provision(&lab, "").exits(0);
    assert!(again.stdout.contains("no changes") && !again.stderr.contains("jetson-02"), "{}", again.all());
}

#[test]
fn an_unknown_key_is_refused_with_what_it_was() {
    let Some(lab) = lab("unknown", 1) else { return };
    let (address, fingerprint) = (host(&lab, 0, "address"), host(&lab, 0, "fingerprint"));
    fs::write(lab.path("hosts.yaml"), format!("jetson-01: {{address: {address}, user: edge}}\n")).expect("a file");
    let config = fs::read_to_string(lab.path("ssh_config")).expect("a file");
    let own = lab.path("known");
    fs::write(lab.path("ssh_config"), format!("Host *\n  UserKnownHostsFile {}\n{config}", own.display()))
        .expect("a file");
    fs::write(&own, "").expect("a file");
    let refused = provision(&lab, "").exits(1);
    assert!(refused.stderr.contains("is unknown") && refused.stderr.contains(fingerprint), "{}", refused.all());
    assert!(is_bare(&lab, "jetson-01"), "nothing was done");
    // The line that it names is the right one.
    let line = refused.stderr.split("known_hosts: ").nth(1).and_then(|rest| rest.lines().next()).expect("a line");
    fs::write(&own, format!("{line}\n")).expect("a file");
    provision(&lab, "").exits(0);

    fs::write(&own, "").expect("a file");
    provision(&lab, "--accept-new").exits(0);
    assert!(fs::read_to_string(&own).expect("a file").contains(address), "it was remembered");
    lab.does("rekey", &["jetson-01"]);
    let changed = provision(&lab, "--accept-new").exits(1);
    assert!(changed.stderr.contains("HAS CHANGED"), "never one that changed: {}", changed.all());
}

#[test]
fn another_key_is_refused_loudly_and_the_others_go_on() {
    let Some(lab) = lab("changed", 2) else { return };
    lab.does("rekey", &["jetson-01"]);
    let refused = provision(&lab, "").exits(1);
    assert!(refused.stderr.contains("THE HOST KEY OF jetson-01"), "{}", refused.all());
    assert!(is_bare(&lab, "jetson-01"), "nothing was done there");
    assert!(!is_bare(&lab, "jetson-02"), "the other one is done");
}

/// Somebody in the middle who takes the login and everything that comes.
#[test]
fn somebody_in_the_middle_gets_nothing() {
    let Some(lab) = lab("middle", 2) else { return };
    let (address, pin) = (host(&lab, 1, "address"), host(&lab, 0, "fingerprint"));
    let inventory = format!("jetson-01: {{address: {address}, user: edge, host_key: {pin:?}}}\n");
    fs::write(lab.path("hosts.yaml"), inventory).expect("a file");
    let refused = provision(&lab, "").exits(1);
    assert!(refused.stderr.contains("HAS CHANGED") && refused.stderr.contains("Nothing was sent"), "{}", refused.all());
    assert!(is_bare(&lab, "jetson-02"));
}

/// The binary against the laboratory without the password for sudo.
fn without_password(lab: &Lab, words: &str) -> CommandOutput {
    let with = lab.command(words);
    let words: Vec<_> = with.get_args().map(ToOwned::to_owned).collect();
    let at = words.iter().position(|word| word == "--sudo-password-fd").expect("it is said");
    let mut command = Command::new(with.get_program());
    command.current_dir(lab.directory.path()).env("HOME", lab.directory.path());
    command.args(&words[..at]).args(&words[at + 2..]);
    testkit::cli::finish(&mut command)
}

#[test]
fn sudo_refuses() {
    let Some(lab) = lab("sudo", 1) else { return };
    fs::write(lab.path("password"), "not-the-password\n").expect("a file");
    let refused = provision(&lab, "").exits(1);
    assert!(refused.stderr.contains("the sudo password is wrong"), "{}", refused.all());
    let refused = without_password(&lab, "jetson provision --plan ten.yaml --inventory hosts.yaml --yes").exits(1);
    assert!(refused.stderr.contains("--ask-sudo-password"), "{}", refused.all());
    assert!(is_bare(&lab, "jetson-01"));
}

/// The printed rule lets the tool in without a password, and no other command of the account.
#[test]
fn the_printed_sudoers_allow_the_tool_and_no_other_command() {
    let Some(lab) = lab("sudoers", 1) else { return };
    let mut printing = testkit::cli::bare();
    printing.current_dir(lab.directory.path());
    let words = ["jetson", "sudoers", "--plan", "ten.yaml", "--inventory", "hosts.yaml"];
    let printed = testkit::cli::finish(printing.args(words)).exits(0).stdout;
    fs::write(lab.path("sudoers"), &printed).expect("a file");
    let user = host(&lab, 0, "user").to_owned();
    let install = format!(
        "cat >/run/sudoers.new <<'END'\n{printed}\nEND\nvisudo -cf /run/sudoers.new && rm -f /etc/sudoers.d/* && \
         install -m 0440 -o root -g root /run/sudoers.new /etc/sudoers.d/akidb-edge && sudo -l -U {user}"
    );
    let allowed = lab.inside("jetson-01", &install);
    assert!(allowed.contains("parsed OK") && allowed.contains("NOPASSWD: /bin/sh -c PATH"), "{allowed}");
    let tried = format!("su {user} -c 'sudo -n id; sudo -n sh -c id; sudo -n sh; sudo -n -- sh -c :' 2>&1; :");
    let tried = lab.inside("jetson-01", &tried);
    assert_eq!(tried.matches("a password is required").count(), 4, "{tried}");
    without_password(&lab, "jetson provision --plan ten.yaml --inventory hosts.yaml --yes").exits(0);
    assert!(!is_bare(&lab, "jetson-01"));
}

#[test]
fn a_password_is_nowhere() {
    let Some(lab) = lab("canary", 1) else { return };
    let output = lab.run("jetson provision --plan ten.yaml --inventory hosts.yaml --yes -vvv").exits(0);
    assert!(!output.all().contains("jetson-lab"), "not in what is said");
    let found = Command::new("grep").args(["-rl", "jetson-lab"]).arg(lab.path("state")).output().expect("grep runs");
    assert!(found.stdout.is_empty(), "not in the state: {}", String::from_utf8_lossy(&found.stdout));
    let there = lab.inside("jetson-01", "grep -rl jetson-lab /var/lib/akidb-edge /opt /run /tmp 2>/dev/null; :");
    assert_eq!(there, "", "not on the device");
}

#[test]
fn one_is_away_one_is_full_one_is_unknown() {
    let Some(lab) = lab("trouble", 4) else { return };
    write_plan(&lab, "jetpack: \"6.2\"\n          ");
    lab.does("power", &["jetson-01", "off"]);
    lab.does("fill", &["jetson-02"]);
    lab.does("release", &["jetson-03", "# R99 (release), REVISION: 1.0, GCID: 1, BOARD: generic, EABI: aarch64"]);
    let partly = provision(&lab, "").exits(1);
    assert!(partly.stderr.contains("jetson-01: away"), "{}", partly.all());
    assert!(partly.all().contains("disk is full"), "{}", partly.all());
    assert!(
        partly.stderr.contains("L4T 99.1.0, which is not known") && partly.stderr.contains("JetPack 7.2"),
        "{}",
        partly.all()
    );
    assert!(!is_bare(&lab, "jetson-04"), "the good one is done");
    lab.does("power", &["jetson-01", "on"]);
    lab.does("empty", &["jetson-02"]);
    lab.does("release", &["jetson-03", "6.2"]);
    provision(&lab, "").exits(0);
    assert!(provision(&lab, "").exits(0).stdout.contains("no changes"));
}

/// Stands in for `cat` where a file arrives: takes a part of it, then waits until it is let go.
const HOLD: &str = "mkfifo /run/hold\n/bin/cat >/usr/local/sbin/cat <<'END'\n#!/bin/sh\n\
                    case $(readlink /proc/$$/fd/1) in\n*/new-*) head -c 1000000; read -r _ </run/hold;;\n\
                    *) exec /bin/cat \"$@\";;\nesac\nEND\nchmod 755 /usr/local/sbin/cat";

#[test]
fn one_dies_half_way_and_is_resumed() {
    let Some(lab) = lab("half", 2) else { return };
    let large = lab.path("large.bin");
    fs::File::create(&large).and_then(|file| file.set_len(20 << 20)).expect("a sparse file");
    let plan = TEN.replace("JETPACK\n          ", "").replace(
        "            /etc/motd:",
        &format!("            /opt/akidb/large: {{file: {}}}\n            /etc/motd:", large.display()),
    );
    fs::write(lab.path("ten.yaml"), plan).expect("a plan");
    // However fast the way is, the device is cut off while the file arrives.
    lab.inside("jetson-01", HOLD);
    let child = lab.start("jetson provision --plan ten.yaml --inventory hosts.yaml --host jetson-01 --yes");
    let begun = Instant::now();
    while lab.inside("jetson-01", "find /var/lib/akidb-edge -name 'new-*' -size +900k 2>/dev/null; :").is_empty() {
        assert!(begun.elapsed() < SOON, "the upload begins");
    }
    lab.does("cut", &["jetson-01"]);
    let ended = child.wait_with_output().expect("it ends");
    let said = String::from_utf8_lossy(&ended.stderr);
    assert_eq!(ended.status.code(), Some(1), "{said}");
    assert!(said.contains("connection to jetson-01 was lost"), "{said}");
    lab.inside("jetson-01", "rm /usr/local/sbin/cat");
    lab.does("mend", &["jetson-01"]);
    fs::File::create(&large).and_then(|file| file.set_len(1 << 20)).expect("a small file");
    provision(&lab, "").exits(0);
    // What was left of the first run goes on now: it touches nothing of the second one.
    lab.inside("jetson-01", "timeout 5 sh -c ': >/run/hold'; :");
    assert!(provision(&lab, "").exits(0).stdout.contains("no changes"));
    assert_eq!(
        lab.inside("jetson-01", "stat -c %s /opt/akidb/large; ls /opt/akidb /var/lib/akidb-edge | grep -c new; :")
            .trim(),
        "1048576\n0"
    );
}

#[test]
fn through_a_host_on_the_way() {
    let Some(lab) = lab("jump", 2) else { return };
    let (first, second) = (host(&lab, 0, "address"), host(&lab, 1, "address"));
    let pin = host(&lab, 1, "fingerprint");
    let inventory =
        format!("jetson-02: {{address: {second}, user: edge, host_key: {pin:?}, jump: \"edge@{first}\"}}\n");
    fs::write(lab.path("hosts.yaml"), inventory).expect("a file");
    provision(&lab, "").exits(0);
    let from = lab.inside("jetson-02", "cat /var/log/lab/sshd.log 2>/dev/null; :");
    assert!(!is_bare(&lab, "jetson-02"), "{from}");
    // A key of the host on the way that is not known is refused under its name, and --accept-new reaches it.
    let config = fs::read_to_string(lab.path("ssh_config")).expect("a file");
    let own = lab.path("known");
    fs::write(lab.path("ssh_config"), format!("Host *\n  UserKnownHostsFile {}\n{config}", own.display()))
        .expect("a file");
    fs::write(&own, "").expect("a file");
    let refused = provision(&lab, "").exits(1);
    let named = format!("the host key of the jump host edge@{first}, on the way to jetson-02, is unknown");
    assert!(
        refused.stderr.contains(&named) && refused.stderr.contains(host(&lab, 0, "fingerprint")),
        "{}",
        refused.all()
    );
    provision(&lab, "--accept-new").exits(0);
    assert!(fs::read_to_string(&own).expect("a file").contains(first), "it was remembered");
    lab.does("cut", &["jetson-01"]);
    provision(&lab, "").exits(1);
}

/// Two steps: a package, and a file that only its owner may read.
const SECRET: &str = r#"
version: 1
stack: secret
metadata: {name: secret, title: A package and a secret}
days:
  - day: 1
    title: Devices
    steps:
      - id: devices
        title: A package and a secret
        kind: jetson
        with:
          packages: {jq: ""}
          files: {/opt/shared/secret: {text: "PASSWORD=canary\n", mode: "0600"}}
"#;

/// A user of the device lays links where root will write, and watches the directory of a file.
#[test]
fn nothing_is_written_through_the_links_of_others() {
    let Some(lab) = lab("links", 1) else { return };
    fs::write(lab.path("ten.yaml"), SECRET).expect("a plan");
    lab.inside(
        "jetson-01",
        "echo whole >/etc/victim; for at in apt uninstall; do ln -s /etc/victim /tmp/.akidb-edge-$at; done\n\
         install -d -o edge /opt/shared; ln -s /etc/victim /opt/shared/secret.akidb-edge-new\n\
         ln -s /etc/victim /opt/shared/secret",
    );
    provision(&lab, "").exits(0);
    let seen =
        lab.inside("jetson-01", "cat /etc/victim; stat -c '%F %a' /opt/shared/secret; stat -c %a /var/lib/akidb-edge");
    assert_eq!(seen, "whole\nregular file 600\n700\n");
    lab.run("jetson uninstall --plan ten.yaml --yes").exits(0);
    assert_eq!(lab.inside("jetson-01", "cat /etc/victim; readlink /opt/shared/secret"), "whole\n/etc/victim\n");
}

/// What root remembers there is run and moved into place: a directory that somebody else owns is not used.
#[test]
fn a_memory_that_is_not_roots_is_refused() {
    let Some(lab) = lab("memory", 1) else { return };
    lab.inside("jetson-01", "install -d -o edge /var/lib/akidb-edge");
    let refused = provision(&lab, "").exits(1);
    assert!(refused.all().contains("belongs to somebody else than root"), "{}", refused.all());
    let there = lab.inside("jetson-01", "ls -A /var/lib/akidb-edge /opt; grep -c AKIDB /etc/environment; :");
    assert!(!there.contains("akidb\n") && !there.contains("made"), "{there}");
}

/// apt ends well without having done anything, and its lists cannot be had.
#[test]
fn packages_count_only_when_they_are_there() {
    let Some(lab) = lab("packages", 1) else { return };
    lab.inside("jetson-01", "mkdir -p /opt/shared");
    fs::write(lab.path("ten.yaml"), SECRET.replace("jq", "no-such-package")).expect("a plan");
    let failed = provision(&lab, "").exits(1);
    assert!(failed.all().contains("Unable to locate package"), "{}", failed.all());
    lab.inside(
        "jetson-01",
        "printf '#!/bin/sh\\nexit 0\\n' >/usr/local/sbin/apt-get; chmod 755 /usr/local/sbin/apt-get",
    );
    fs::write(lab.path("ten.yaml"), SECRET).expect("a plan");
    let failed = provision(&lab, "").exits(1);
    assert!(failed.all().contains("but it does not match what was requested"), "{}", failed.all());
    lab.inside("jetson-01", "rm /usr/local/sbin/apt-get");
    provision(&lab, "").exits(0);
    assert!(provision(&lab, "").exits(0).stdout.contains("no changes"));
}

/// A disk that is full in the middle of a file leaves no part of it.
#[test]
fn no_part_of_a_file_is_left() {
    let Some(lab) = lab("part", 1) else { return };
    let large = lab.path("large.bin");
    fs::File::create(&large).and_then(|file| file.set_len(40 << 20)).expect("a sparse file");
    let plan = SECRET.replace("{text: \"PASSWORD=canary\\n\", mode", &format!("{{file: {}, mode", large.display()));
    fs::write(lab.path("ten.yaml"), plan).expect("a plan");
    lab.inside("jetson-01", "mkdir -p /opt/shared");
    lab.does("fill", &["jetson-01", "--leave", "8000000"]);
    let failed = provision(&lab, "").exits(1);
    assert!(failed.all().contains("No space left") || failed.all().contains("disk is full"), "{}", failed.all());
    assert_eq!(lab.inside("jetson-01", "find /opt/shared /var/lib/akidb-edge -size +1M"), "");
    lab.does("empty", &["jetson-01"]);
    provision(&lab, "").exits(0);
    assert_eq!(lab.inside("jetson-01", "stat -c '%s %a' /opt/shared/secret"), "41943040 600\n");
}

/// A bucket, and devices with a file that names it.
const BOTH: &str = r#"
version: 1
stack: both
metadata: {name: both, title: A bucket and devices that use it}
days:
  - day: 1
    title: Both
    steps:
      - id: bucket
        title: A bucket
        kind: models
        with: {buckets: {data: {name: NAME, region: us-east-1}}}
      - id: devices
        title: What uses it
        kind: jetson
        needs: [bucket]
        with:
          files: {/opt/bucket: {text: "${models.bucket.data#name} of ${#account}\n"}}
"#;

/// What the binary is told of the local AWS.
fn in_account(mut command: Command, account: &str) -> CommandOutput {
    command.env("AWS_ENDPOINT_URL", local_aws::endpoint()).env("AWS_REGION", "us-east-1");
    command.env("AWS_ACCESS_KEY_ID", account).env("AWS_SECRET_ACCESS_KEY", "test");
    finish(&mut command)
}

#[test]
fn one_run_makes_a_bucket_and_devices_that_name_it() {
    let Some(lab) = Lab::of_hosts("both", 2) else { return };
    let account = local_aws::account();
    let name = format!("both-{account}");
    fs::write(lab.path("both.yaml"), BOTH.replace("NAME", &name)).expect("a plan");
    let devices = |words: &str| in_account(lab.command(&format!("{words} --inventory hosts.yaml")), &account);
    let cloud = |words: &str| {
        let mut command = bare();
        command.current_dir(lab.directory.path()).args(words.split_whitespace());
        command.args(["--state", &format!("file:{}", lab.path("state").display())]);
        in_account(command, &account)
    };
    // The devices alone need what is not there yet.
    let early = devices("jetson provision --plan both.yaml --yes").exits(3);
    assert!(early.stderr.contains("jetson.file.jetson-01-opt-bucket needs models.bucket.data"), "{}", early.all());

    // One is away: the bucket and the other device are made in one run.
    lab.does("power", &["jetson-02", "off"]);
    let partly = devices("deploy --devices --plan both.yaml --yes").exits(1);
    assert!(partly.stderr.contains("2 devices over SSH: jetson-01, jetson-02"), "{}", partly.all());
    assert!(partly.stderr.contains(&format!("account {account}")), "{}", partly.all());
    let wanted = format!("{name} of {account}\n");
    assert_eq!(lab.inside("jetson-01", "cat /opt/bucket"), wanted);
    lab.does("power", &["jetson-02", "on"]);
    devices("deploy --devices --plan both.yaml --yes").exits(0);
    assert_eq!(lab.inside("jetson-02", "cat /opt/bucket"), wanted);
    // A saved plan over both is what was shown.
    lab.inside("jetson-02", "echo other >/opt/bucket");
    devices("deploy --devices --plan both.yaml --out both.plan.json").exits(2);
    in_account(lab.command("deploy both.plan.json --devices --yes"), &account).exits(0);
    assert_eq!(lab.inside("jetson-02", "cat /opt/bucket"), wanted);
    let again = devices("deploy --devices --plan both.yaml --yes").exits(0);
    assert!(again.stdout.contains("no changes"), "{}", again.all());

    // Each stack has its own journal, and each is whole for the verbs of its own.
    let journal =
        |stack: &str| fs::read_to_string(lab.path(&format!("state/{stack}/journal.jsonl"))).expect("a journal");
    let (own, of_devices) = (journal("both"), journal("both-devices"));
    assert!(own.contains("models.bucket.data") && !own.contains("jetson.file"), "{own}");
    assert!(of_devices.contains("jetson.file") && of_devices.contains("\"world\":\"devices\""), "{of_devices}");
    assert!(!of_devices.contains("\"world\":\"aws\""), "{of_devices}");
    assert!(cloud("deploy --plan both.yaml --yes").exits(0).stdout.contains("no changes"));
    assert!(devices("jetson provision --plan both.yaml --yes").exits(0).stdout.contains("no changes"));

    // A device that changed is put right without the account.
    lab.inside("jetson-01", "echo other >/opt/bucket");
    lab.run("jetson provision --plan both.yaml --inventory hosts.yaml --yes").exits(0);
    assert_eq!(lab.inside("jetson-01", "cat /opt/bucket"), wanted);
    lab.run("jetson uninstall --stack both --yes").exits(0);
    cloud("destroy --stack both --yes").exits(0);
    lab.inside("jetson-01", "! test -e /opt/bucket && ! test -e /var/lib/akidb-edge");
}

/// What one run made over both is undone and removed by one run, the files before the bucket that they name.
#[test]
fn one_run_takes_back_what_one_run_made_over_both() {
    let Some(lab) = Lab::of_hosts("undone", 2) else { return };
    let account = local_aws::account();
    let name = format!("undone-{account}");
    let plan = BOTH.replace("stack: both", "stack: undone").replace("NAME", &name);
    fs::write(lab.path("both.yaml"), &plan).expect("a plan");
    let both = |words: &str| in_account(lab.command(words), &account);
    let deploy = || both("deploy --devices --plan both.yaml --inventory hosts.yaml --yes");
    deploy().exits(0);
    fs::write(lab.path("both.yaml"), plan.replace("#account}", "#account}!")).expect("a plan");
    deploy().exits(0);
    assert_eq!(lab.inside("jetson-01", "cat /opt/bucket"), format!("{name} of {account}!\n"));

    // The second run changed the devices alone.
    let undone = both("rollback --devices --stack undone --yes").exits(0);
    assert!(undone.stderr.contains("undone: nothing of it is undone"), "{}", undone.all());
    assert!(undone.stderr.contains("undone-devices: undoes revision 2"), "{}", undone.all());
    assert_eq!(lab.inside("jetson-02", "cat /opt/bucket"), format!("{name} of {account}\n"));
    // A device that is away keeps what it needs.
    lab.does("power", &["jetson-02", "off"]);
    let partly = both("destroy --devices --stack undone --yes").exits(1);
    let kept = "models.bucket.data is not deleted: jetson.file.jetson-02-opt-bucket needs it";
    assert!(partly.stderr.contains(kept), "{}", partly.all());
    lab.inside("jetson-01", "! test -e /opt/bucket");
    lab.does("power", &["jetson-02", "on"]);
    both("destroy --devices --stack undone --yes").exits(0);
    lab.inside("jetson-02", "! test -e /opt/bucket && ! test -e /var/lib/akidb-edge");

    // One run over both is undone in both: each change is in the journal of its stack.
    deploy().exits(0);
    let undone = both("rollback --devices --stack undone --yes").exits(0);
    assert!(undone.stderr.contains("undone: undoes revision"), "{}", undone.all());
    assert!(undone.stderr.contains("undone-devices: undoes revision"), "{}", undone.all());
    lab.inside("jetson-01", "! test -e /opt/bucket");
    let journal =
        |stack: &str| fs::read_to_string(lab.path(&format!("state/{stack}/journal.jsonl"))).expect("a journal");
    let removed_from = |stack: &str, address: &str| {
        let removed = format!("\"fact\":\"removed\",\"address\":\"{address}\"");
        assert!(journal(stack).lines().any(|line| line.contains(&removed)), "{}", journal(stack));
    };
    removed_from("undone", "models.bucket.data");
    removed_from("undone-devices", "jetson.file.jetson-01-opt-bucket");
    assert!(!journal("undone").contains("jetson.file"));
    // By one id a later rollback knows that it was one run.
    let run = |stack: &str| {
        let began = journal(stack).lines().rfind(|line| line.contains("\"run-began\"")).map(str::to_owned);
        serde_json::from_str::<serde_json::Value>(&began.expect("a run")).expect("a line of JSON")["run"].clone()
    };
    assert_eq!(run("undone"), run("undone-devices"));
}

//! The laboratory for tests: isolated SSH hosts that look like devices, and the binary that is let loose on them.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use serde_json::Value;
use tempfile::TempDir;

use super::cli::{CommandOutput, bare, finish};

/// A laboratory of one test: gone with it.
pub struct Lab {
    name: String,
    /// What `lab up` printed.
    pub inventory: Value,
    /// Plan, state and everything else of the test.
    pub directory: TempDir,
}

fn script(path: &str) -> PathBuf {
    crate::root().join("tests/lab").join(path)
}

/// Why there can be no laboratory here.
fn hindrance(kubernetes: bool) -> Option<String> {
    let id = Command::new("id").arg("-u").output().expect("id runs").stdout;
    if id != b"0\n" {
        return Some("needs root (namespaces); run the tests with sudo".to_owned());
    }
    if !kubernetes {
        let missing = ["/usr/sbin/sshd", "/usr/bin/sudo"].into_iter().find(|program| !Path::new(program).exists());
        return missing.map(|program| format!("{program} is not there; tests/lab/install does it"));
    }
    let built = Command::new(script("kubernetes/build")).arg("--check").output().expect("the script runs");
    if !built.status.success() {
        return Some("the control plane is not built; tests/lab/kubernetes/build does it once and needs Go".to_owned());
    }
    None
}

impl Lab {
    /// Starts one with so many hosts; none when the machine cannot have one, and says why.
    pub fn up(name: &str, hosts: usize) -> Option<Self> {
        Self::start_up(name, hosts, true)
    }

    /// The same without a control plane: SSH hosts alone.
    pub fn of_hosts(name: &str, hosts: usize) -> Option<Self> {
        Self::start_up(name, hosts, false)
    }

    fn start_up(name: &str, hosts: usize, kubernetes: bool) -> Option<Self> {
        if let Some(why) = hindrance(kubernetes) {
            eprintln!("SKIPPED, no laboratory of SSH hosts: {why}");
            return None;
        }
        let name = format!("{name}-{}", std::process::id());
        let answer = Command::new(script("hosts/lab"))
            .args(["up", &name, "--hosts", &hosts.to_string()])
            .args((!kubernetes).then_some("--no-kubernetes"))
            .output()
            .expect("the script runs");
        assert!(answer.status.success(), "lab up: {}", String::from_utf8_lossy(&answer.stderr));
        let inventory = serde_json::from_slice(&answer.stdout).expect("an inventory");
        let lab = Self { name, inventory, directory: tempfile::tempdir().expect("a directory") };
        let text = |field: &str| lab.inventory[field].as_str().expect("a text").to_owned();
        let config = format!(
            "Host *\n  IdentityFile {}\n  IdentitiesOnly yes\n  UserKnownHostsFile {}\n",
            text("identity_file"),
            text("known_hosts")
        );
        fs::write(lab.path("ssh_config"), config).expect("a file");
        fs::write(lab.path("password"), format!("{}\n", text("password"))).expect("a file");
        fs::write(lab.path("hosts.yaml"), lab.hosts()).expect("a file");
        Some(lab)
    }

    /// A file of this test.
    pub fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    /// The inventory as a plan takes it: the first host is the server.
    fn hosts(&self) -> String {
        let mut text = String::from("hosts:\n");
        for (at, host) in self.inventory["hosts"].as_array().expect("hosts").iter().enumerate() {
            let role = if at == 0 { ", role: server" } else { "" };
            text.push_str(&format!(
                "  {}: {{address: {}, user: {}, host_key: {}{role}}}\n",
                host["name"], host["address"], host["user"], host["fingerprint"]
            ));
        }
        text
    }

    /// A verb of the laboratory.
    #[track_caller]
    pub fn does(&self, verb: &str, words: &[&str]) -> String {
        let answer = Command::new(script("hosts/lab")).arg(verb).arg(&self.name).args(words).output();
        let answer = answer.expect("the script runs");
        let (said, wrong) = (String::from_utf8_lossy(&answer.stdout), String::from_utf8_lossy(&answer.stderr));
        assert!(answer.status.success(), "lab {verb} {words:?}: {said}{wrong}");
        said.into_owned()
    }

    /// Runs shell lines as root inside a host.
    #[track_caller]
    pub fn inside(&self, host: &str, lines: &str) -> String {
        self.does("exec", &[host, "sh", "-c", lines])
    }

    /// Artifacts as a site without Internet has them, with hashes.
    pub fn artifacts(&self, images: &[&str]) -> PathBuf {
        let folder = self.path("artifacts");
        let images = images.iter().flat_map(|image| ["--image", image]);
        let answer =
            Command::new(script("hosts/lab")).arg("artifacts").arg(&folder).args(images).output().expect("it runs");
        assert!(answer.status.success(), "lab artifacts: {}", String::from_utf8_lossy(&answer.stderr));
        for (from, to) in [("k3s-arm64", "k3s"), ("install.sh", "k3s-install.sh")] {
            fs::rename(folder.join(from), folder.join(to)).expect("the lab makes it");
        }
        fs::write(folder.join("nvidia-container-toolkit-keyring.asc"), "a key\n").expect("a file");
        sum(&folder);
        folder
    }

    /// The binary against this laboratory.
    pub fn command(&self, words: &str) -> Command {
        let mut command = bare();
        command
            .current_dir(self.directory.path())
            .env("HOME", self.directory.path())
            .args(words.split_whitespace())
            .args(["--state", &format!("file:{}", self.path("state").display())])
            .args(["--ssh-config", "ssh_config", "--keep-connections", "0", "--ssh-keepalive-timeout", "3"])
            .args(["--sudo-password-fd", "0"])
            .stdin(File::open(self.path("password")).expect("the password"));
        command
    }

    /// Runs it to its end.
    pub fn run(&self, words: &str) -> CommandOutput {
        finish(&mut self.command(words))
    }

    /// Starts it; both streams are kept.
    pub fn start(&self, words: &str) -> Child {
        self.command(words).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("the binary starts")
    }
}

impl Drop for Lab {
    fn drop(&mut self) {
        // What cannot be taken down is told by the script itself.
        let _ = Command::new(script("hosts/lab")).args(["down", &self.name]).output();
    }
}

/// Writes the hashes of a folder, as `sha256sum` does.
pub fn sum(folder: &Path) {
    let mut lines: Vec<String> = fs::read_dir(folder)
        .expect("the folder")
        .flatten()
        .filter(|file| file.file_name() != "SHA256SUMS")
        .map(|file| {
            let bytes = fs::read(file.path()).expect("a file");
            format!("{}  {}\n", akidb_edge::resource::sha256_hex(&bytes), file.file_name().display())
        })
        .collect();
    lines.sort();
    fs::write(folder.join("SHA256SUMS"), lines.concat()).expect("a file");
}

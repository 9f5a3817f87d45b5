//! A real Kubernetes control plane for one test, without devices: etcd, API server, controllers and scheduler on loopback.

use std::net::TcpListener;
use std::path::PathBuf;
use std::process::Command;
use std::sync::atomic::{AtomicU16, Ordering};

use tempfile::TempDir;

/// Ports that one control plane takes, in a row.
const PORTS: u16 = 5;

/// The control plane; it ends with this value.
pub struct ControlPlane {
    directory: TempDir,
    /// Port of the API server on 127.0.0.1.
    pub port: u16,
    programs: PathBuf,
}

fn script(name: &str) -> Command {
    Command::new(crate::root().join("tests/lab/kubernetes").join(name))
}

/// Five free ports in a row; tests of this process begin at different places.
fn free_ports() -> u16 {
    static NEXT: AtomicU16 = AtomicU16::new(0);
    let own = (std::process::id() % 1_000) as u16 * 10;
    let first = || 21_000 + (own + NEXT.fetch_add(PORTS, Ordering::Relaxed)) % 10_000;
    let free = |port: &u16| (0..PORTS).all(|more| TcpListener::bind(("127.0.0.1", port + more)).is_ok());
    std::iter::repeat_with(first).take(400).find(free).expect("five free ports in a row")
}

impl ControlPlane {
    /// Starts one; none where it is not built, with a message that says so.
    pub fn up() -> Option<Self> {
        let built = script("build").arg("--check").output().expect("the script runs");
        if !built.status.success() {
            eprintln!("SKIPPED: the control plane is not built; tests/lab/kubernetes/build does it once and needs Go");
            return None;
        }
        let programs = PathBuf::from(String::from_utf8_lossy(&built.stdout).trim()).join("bin");
        let (directory, port) = (tempfile::tempdir().expect("a folder"), free_ports());
        let started = script("up").arg(directory.path()).args(["--port", &port.to_string()]).output();
        let started = started.expect("the script runs");
        let plane = Self { directory, port, programs };
        assert!(started.status.success(), "kubernetes/up: {}", String::from_utf8_lossy(&started.stderr));
        Some(plane)
    }

    /// A file of it, such as `kubeconfig.yaml` or `tls/admin.crt`.
    pub fn file(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    /// What kubectl prints, as the administrator.
    #[track_caller]
    pub fn kubectl(&self, words: &[&str]) -> String {
        let mut kubectl = Command::new(self.programs.join("kubectl"));
        let kubectl = kubectl.arg("--kubeconfig").arg(self.file("kubeconfig.yaml")).args(words);
        let answer = kubectl.output().expect("kubectl runs");
        assert!(answer.status.success(), "kubectl {words:?}: {}", String::from_utf8_lossy(&answer.stderr));
        String::from_utf8(answer.stdout).expect("text")
    }
}

impl Drop for ControlPlane {
    fn drop(&mut self) {
        // The folder goes with the value; what is left of a control plane that does not stop is seen by its process.
        drop(script("down").arg(self.directory.path()).output());
    }
}

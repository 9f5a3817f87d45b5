//! A real Kubernetes control plane with three Nodes whose pods KWOK plays, shared by the tests of a process that run at the
//! same time: each uses namespaces of its own.

use std::fs;
use std::io::Write;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::{Arc, Mutex, PoisonError, Weak};

use serde_json::Value;

/// A control plane; it ends with this value.
pub struct ControlPlane {
    directory: PathBuf,
    programs: PathBuf,
    port: u16,
}

static SHARED: Mutex<Weak<ControlPlane>> = Mutex::new(Weak::new());

fn script(name: &str) -> PathBuf {
    crate::root().join("tests/lab/kubernetes").join(name)
}

/// The first of five free ports in a row, below those that the kernel gives to outgoing connections (32768 and above): one of these
/// could be taken between this look and the start of the part that needs it.
fn free_ports(attempt: u16) -> u16 {
    const FIRST: u16 = 21_000;
    const GROUPS: u16 = 1_170;
    let start = u16::try_from(std::process::id() % u32::from(GROUPS)).expect("small") + attempt * 100;
    let all_free = |port: &u16| (*port..port + 5).all(|port| TcpListener::bind(("127.0.0.1", port)).is_ok());
    (0..GROUPS).map(|group| FIRST + (start + group) % GROUPS * 10).find(all_free).expect("free ports")
}

impl ControlPlane {
    /// That of this process; started when no other test has it. None, with the reason printed, when it is not built.
    pub fn shared() -> Option<Arc<Self>> {
        let mut shared = SHARED.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(running) = shared.upgrade() {
            return Some(running);
        }
        let plane = Arc::new(Self::up()?);
        *shared = Arc::downgrade(&plane);
        Some(plane)
    }

    fn up() -> Option<Self> {
        let built = Command::new(script("build")).arg("--check").output().expect("the script runs");
        if !built.status.success() {
            eprintln!("SKIPPED, no control plane: tests/lab/kubernetes/build makes it once and needs Go");
            return None;
        }
        let programs = Path::new(String::from_utf8_lossy(&built.stdout).trim()).join("bin");
        // Another program may take a port between the look and the start.
        let plane = (0..3).find_map(|attempt| Self::start(&programs, free_ports(attempt)));
        Some(plane.expect("the control plane starts on one of three groups of ports"))
    }

    fn start(programs: &Path, port: u16) -> Option<Self> {
        let directory = std::env::temp_dir().join(format!("akidb-edge-control-plane-{}-{port}", std::process::id()));
        let plane = Self { directory, programs: programs.to_owned(), port };
        let started = Command::new(script("up"))
            .arg(&plane.directory)
            .args(["--port", &port.to_string(), "--nodes", "3", "--audit"])
            .stdin(Stdio::null())
            .stderr(Stdio::inherit())
            .stdout(Stdio::null())
            .status()
            .expect("the script runs");
        started.success().then_some(plane)
    }

    /// The kubeconfig of an administrator; its context is `default`.
    pub fn kubeconfig(&self) -> PathBuf {
        self.directory.join("kubeconfig.yaml")
    }

    /// Port of the API server on 127.0.0.1.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// A file of its TLS folder: `server-ca.crt`, `admin.crt`, `admin.key`, `node-credential` (a token of an administrator).
    pub fn tls(&self, name: &str) -> Vec<u8> {
        fs::read(self.directory.join("tls").join(name)).expect("a file")
    }

    /// Runs kubectl with these words and this input; whether it ended well, and all that it printed.
    pub fn kubectl_with(&self, arguments: &[&str], input: &str) -> (bool, String) {
        let mut child = Command::new(self.programs.join("kubectl"))
            .arg("--kubeconfig")
            .arg(self.kubeconfig())
            .args(arguments)
            // So that it knows `--applyset`.
            .env("KUBECTL_APPLYSET", "true")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("kubectl runs");
        child.stdin.take().expect("a pipe").write_all(input.as_bytes()).expect("written");
        let ended = child.wait_with_output().expect("an end");
        let said = format!("{}{}", String::from_utf8_lossy(&ended.stdout), String::from_utf8_lossy(&ended.stderr));
        (ended.status.success(), said)
    }

    /// Runs kubectl, which must end well.
    #[track_caller]
    pub fn kubectl(&self, arguments: &str) -> String {
        let (well, said) = self.kubectl_with(&arguments.split(' ').collect::<Vec<_>>(), "");
        assert!(well, "kubectl {arguments}: {said}");
        said
    }

    /// An object as the API server has it.
    #[track_caller]
    pub fn object(&self, what: &str) -> Value {
        let said = self.kubectl(&format!("get {what} -o json --show-managed-fields"));
        serde_json::from_str(&said).unwrap_or_else(|bad| panic!("{bad}: {said}"))
    }

    /// Creates or changes what a manifest says, as a person with kubectl does.
    #[track_caller]
    pub fn person_applies(&self, manifest: &Value) {
        let (well, said) = self.kubectl_with(&["apply", "-f", "-"], &manifest.to_string());
        assert!(well, "{said}");
    }

    /// The requests of akidb-edge that changed something and name `part` in their URI: `VERB URI`. Dry runs are left out.
    pub fn changes(&self, part: &str) -> Vec<String> {
        let log = fs::read_to_string(self.directory.join("audit.log")).expect("an audit log");
        let text = |event: &Value, field: &str| event[field].as_str().unwrap_or_default().to_owned();
        let events = log.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
        let ours = events.filter(|event| text(event, "userAgent").starts_with("akidb-edge/"));
        let changing =
            ours.filter(|event| ["create", "update", "patch", "delete"].contains(&text(event, "verb").as_str()));
        let named = changing.map(|event| format!("{} {}", text(&event, "verb"), text(&event, "requestURI")));
        named.filter(|line| line.contains(part) && !line.contains("dryRun=All")).collect()
    }
}

impl Drop for ControlPlane {
    fn drop(&mut self) {
        let _ = Command::new(script("down")).arg(&self.directory).arg("--wipe").status();
    }
}

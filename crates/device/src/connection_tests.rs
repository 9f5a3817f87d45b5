//! The loop of the far side, run here: what it takes for a script, a path and a file.

use std::io::Write;
use std::path::Path;
use std::process::{Child, Command, Stdio};

use super::{DeviceAccess, LOOP, SshConnection, far_side};
use crate::resource::FaultClass;
use crate::resource::host::HostSpec;

/// Starts the loop. `/run` is a directory of the test.
fn started(folder: &Path) -> Child {
    let text = LOOP.replace("/run/akidb-edge.", &format!("{}/akidb-edge.", folder.display()));
    let mut shell = Command::new("sh");
    shell.args(["-c", &text]).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
    shell.spawn().expect("sh runs")
}

/// Runs the loop over these frames; what it said.
fn looped(folder: &Path, frames: &[u8]) -> String {
    let mut shell = started(folder);
    shell.stdin.take().expect("a pipe").write_all(frames).expect("it reads");
    let output = shell.wait_with_output().expect("it ends");
    String::from_utf8(output.stdout).expect("text")
}

fn put(path: &Path, bytes: &[u8], claimed: usize) -> Vec<u8> {
    let path = path.as_os_str().as_encoded_bytes();
    let mut frame = format!("put {claimed} mark {}\n", path.len()).into_bytes();
    frame.extend_from_slice(path);
    frame.extend_from_slice(bytes);
    frame
}

fn run(script: &str) -> Vec<u8> {
    format!("run {} mark -\n{script}", script.len()).into_bytes()
}

/// What lies in a directory.
fn names(folder: &Path) -> Vec<String> {
    let mut names: Vec<String> = std::fs::read_dir(folder)
        .expect("a directory")
        .flatten()
        .map(|file| file.file_name().to_string_lossy().into_owned())
        .collect();
    names.sort();
    names
}

#[test]
fn a_path_is_so_many_bytes_and_no_part_of_the_frame() {
    let folder = tempfile::tempdir().expect("a directory");
    let odd = folder.path().join("a b\nrun 9 mark -\ntouch x $(id) 'y' ");
    let said = looped(folder.path(), &[put(&odd, b"hello\nworld", 11), run("echo goes on")].concat());
    assert_eq!(said, "akidb-edge-ready\nmark 0\nmark\ngoes on\nmark\n");
    assert_eq!(std::fs::read(&odd).expect("the file"), b"hello\nworld");
    assert_eq!(names(folder.path()).len(), 1, "nothing else is left: {:?}", names(folder.path()));
}

#[test]
fn a_file_that_is_not_whole_is_not_left() {
    let folder = tempfile::tempdir().expect("a directory");
    // The connection ends in the middle.
    let said = looped(folder.path(), &put(&folder.path().join("half"), b"hello", 100));
    assert!(said.contains("mark 1\n"), "{said}");
    // It cannot be written: its bytes are not frames.
    let nowhere = folder.path().join("nowhere/x");
    let said = looped(folder.path(), &[put(&nowhere, b"run 1 mark -\nx", 14), run("echo goes on")].concat());
    assert!(said.contains("mark 1\n") && said.ends_with("mark\ngoes on\nmark\n"), "{said}");
    assert_eq!(names(folder.path()), Vec::<String>::new());
}

#[test]
fn a_connection_that_hears_late_of_its_end_leaves_the_file_of_the_next_one() {
    let folder = tempfile::tempdir().expect("a directory");
    let file = folder.path().join("file");
    std::fs::write(folder.path().join("file.1"), "of somebody else").expect("a file");
    let mut first = started(folder.path());
    let mut pipe = first.stdin.take().expect("a pipe");
    pipe.write_all(&put(&file, b"hello", 100)).expect("it reads");
    while !names(folder.path()).iter().any(|name| name.starts_with("file.akidb-edge.")) {
        std::thread::yield_now();
    }
    assert!(looped(folder.path(), &put(&file, b"whole", 5)).contains("mark 0\n"));
    drop(pipe);
    let said = first.wait_with_output().expect("it ends").stdout;
    assert!(String::from_utf8_lossy(&said).contains("mark 1\n"), "{said:?}");
    assert_eq!(std::fs::read(&file).expect("the file of the second"), b"whole");
    assert_eq!(names(folder.path()), ["file", "file.1"]);
}

#[test]
fn scripts_have_a_directory_of_their_own_and_a_path_of_the_system() {
    let folder = tempfile::tempdir().expect("a directory");
    let said = looped(folder.path(), &run("stat -c %a \"$akidb_edge_run\"; echo $PATH; cat"));
    let path = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
    assert_eq!(said, format!("akidb-edge-ready\n700\n{path}\nmark\n"));
    assert_eq!(names(folder.path()), Vec::<String>::new(), "it goes with the connection");
}

/// What is sent has to survive the login shell, which may be fish or csh.
#[test]
fn the_far_side_is_words_in_single_quotes_for_any_shell() {
    for with_password in [false, true] {
        let text = far_side(with_password);
        // Three words after sh: -c, what becomes root, the name of the shell; then the loop.
        let parts: Vec<&str> = text.split('\'').collect();
        assert_eq!(parts.len(), 5, "{text}");
        assert_eq!((parts[0], parts[2], parts[4]), ("exec sh -c ", " sh ", ""));
        for quoted in [parts[1], parts[3]] {
            assert!(!quoted.contains(['\n', '\\', '!']), "{quoted}");
        }
        assert_eq!(parts[3], LOOP);
    }
}

#[test]
fn the_far_side_starts_the_loop_whichever_way_it_becomes_root() {
    let folder = tempfile::tempdir().expect("a directory");
    // sudo of this test: it says in which language it is asked to speak, and runs what it is given.
    let sudo = folder.path().join("sudo");
    std::fs::write(
        &sudo,
        "#!/bin/sh\necho \"speaks $LC_ALL\" >&2\nwhile test \"$1\" != --; do shift; done; shift; exec \"$@\"\n",
    )
    .expect("a file");
    std::fs::set_permissions(&sudo, std::os::unix::fs::PermissionsExt::from_mode(0o755)).expect("a file of ours");
    let text = far_side(false).replace("/run/akidb-edge.", &format!("{}/akidb-edge.", folder.path().display()));
    // Who runs the tests may be root: the way by sudo is taken all the same.
    let text = text.replace("$(id -u)", "$(echo 1000)");
    let path = format!("{}:{}", folder.path().display(), std::env::var("PATH").unwrap_or_default());
    let mut shell = Command::new("sh");
    shell.args(["-c", &text]).env("PATH", path).env("LC_ALL", "de_DE.UTF-8").env("LANGUAGE", "de");
    shell.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut shell = shell.spawn().expect("sh runs");
    let frame = run("echo \"$LC_ALL ${LANGUAGE-none}\"");
    shell.stdin.take().expect("a pipe").write_all(&frame).expect("it reads");
    let output = shell.wait_with_output().expect("it ends");
    assert_eq!(String::from_utf8_lossy(&output.stdout), "akidb-edge-ready\nC.UTF-8 none\nmark\n");
    assert!(String::from_utf8_lossy(&output.stderr).ends_with("speaks C\n"), "{output:?}");
}

/// What a login that ends like this is told as: the class and code of the fault, and its words.
fn refused(script: &str) -> (FaultClass, String) {
    let mut shell = Command::new("sh");
    shell.args(["-c", script]);
    let host: HostSpec = serde_json::from_str(r#"{"name": "one", "address": "10.0.0.1"}"#).expect("a host");
    let mut connection = SshConnection::start(shell).expect("sh runs");
    let fault = connection.greet(&DeviceAccess::default(), &host).expect_err("the login is refused");
    (fault.class, format!("{} {}", fault.code.line(), fault.message.line()))
}

#[test]
fn a_shell_that_lets_nobody_in_is_told_in_any_language() {
    let (class, said) = refused("echo Dieses Konto ist derzeit nicht verfügbar.; exit 1");
    assert!(class == FaultClass::Refused && said.starts_with("ShellEnded "), "{said}");
    assert!(said.contains("status 1: Dieses Konto ist derzeit nicht verfügbar."), "{said}");
    let (class, said) = refused("echo This account is currently not available.; exit 1");
    assert!(class == FaultClass::Refused && said.starts_with("NoShell "), "{said}");
    let (class, said) = refused("echo 'ssh: connect to host 10.0.0.1 port 22: No route to host' >&2; exit 255");
    assert!(class == FaultClass::Away && said.starts_with("Unreachable "), "{said}");
}

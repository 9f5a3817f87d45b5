//! The code of a function comes back.

use std::io::{Read, Write};
use std::net::TcpListener;

use super::*;
use testkit::cli::CommandOutput;

pub fn zip(stack: &Stack, text: &str) -> String {
    let mut zip = zip::ZipWriter::new(std::io::Cursor::new(Vec::new()));
    zip.start_file("index.js", zip::write::SimpleFileOptions::default()).expect("start");
    zip.write_all(text.as_bytes()).expect("write");
    let bytes = zip.finish().expect("a zip").into_inner();
    let path = stack.home.path().join("code.zip");
    std::fs::write(&path, bytes).expect("a file");
    path.display().to_string()
}

/// A function with the zip of the stack.
fn one_function(stack: &Stack, memory: u32) -> std::path::PathBuf {
    let zip = stack.home.path().join("code.zip");
    let steps = format!(
        "  - title: e\n    id: e\n    kind: edge-function\n    with:\n      functions:\n        f:\n          name: f-{}\n          runtime: nodejs24.x\n          memory_mb: {memory}\n          timeout_seconds: 3\n          code: {{zip: {}}}\n",
        stack.account,
        zip.display()
    );
    stack.plan("plan.yaml", &steps)
}

/// A server that answers every request with these bytes.
fn serving(bytes: Vec<u8>) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = listener.local_addr().expect("an address");
    std::thread::spawn(move || {
        for mut incoming in listener.incoming().flatten() {
            let mut head = [0; 4096];
            let _ = incoming.read(&mut head);
            let _ = write!(incoming, "HTTP/1.1 200 OK\r\nContent-Length: {}\r\nConnection: close\r\n\r\n", bytes.len());
            let _ = incoming.write_all(&bytes);
        }
    });
    format!("http://{address}")
}

/// As at the edge of AWS: the earlier version cannot be deleted yet. Neither the zip nor a copy of it is on this machine any
/// more, so its code comes from there, and the rollback goes back to that version's ARN.
#[test]
fn the_code_of_a_zip_comes_back_from_the_version_that_lambda_still_has() {
    let stack = Stack::new();
    let proxy = FaultProxy::start(&local_aws::endpoint());
    let run = |words: &[&str]| -> CommandOutput { stack.run_at(proxy.url(), words) };
    zip(&stack, "exports.handler = async () => 1");
    let old = std::fs::read(stack.home.path().join("code.zip")).expect("the zip");
    one_function(&stack, 128);
    run(&["deploy", "--plan", "plan.yaml", "--yes"]).exits(0);
    let lambda = aws_sdk_lambda::Client::new(&stack.sdk);
    let name = format!("f-{}", stack.account);
    let held = wait(lambda.get_function().function_name(&name).send()).expect("the function");
    let location = held.code.and_then(|code| code.location).expect("a location");
    let host: &'static str = location.split("/_").next().expect("a host").to_owned().leak();
    let refusal = ServiceRefusal {
        service: "lambda",
        operation: "DeleteFunction",
        status: 400,
        code: "InvalidParameterValueException",
        message: "Lambda was unable to delete it because it is a replicated function.",
    };
    let version = |call: &testkit::proxy::ProxyCall| call.service == "lambda" && call.path.contains("Qualifier=");
    proxy.on(move |call| call.method == "DELETE" && version(call), CallSelector::Each, ProxyAction::Refuse(refusal));
    zip(&stack, "exports.handler = async () => 2");
    run(&["deploy", "--plan", "plan.yaml", "--yes"]).exits(2);
    let kept = stack.home.path().join(".akidb-edge").join(stack.name()).join("artefacts");
    std::fs::remove_dir_all(kept).expect("a copy was kept");
    let from: &'static str = serving(old).leak();
    proxy.on(move |call| call.method == "GET" && version(call), CallSelector::Each, ProxyAction::Reword(host, from));
    let back = run(&["rollback", "--stack", &stack.name(), "--yes"]);
    let now = wait(lambda.get_function_configuration().function_name(&name).send()).expect("the function");
    let first =
        wait(lambda.get_function_configuration().function_name(&name).qualifier("1").send()).expect("version 1");
    assert_eq!(now.code_sha256, first.code_sha256, "{}", back.all());
    // The version in between cannot be deleted yet either: a pending deletion.
    let status = run(&["status", "--stack", &stack.name(), "--json"]).exits(2);
    assert!(status.stdout.contains(&format!("function:{name}:1")), "{}", status.stdout);
}

#[test]
fn the_code_of_a_zip_comes_back_although_the_file_is_another() {
    let stack = Stack::new();
    let plan = |memory: u32| one_function(&stack, memory);
    let lambda = aws_sdk_lambda::Client::new(&stack.sdk);
    let code = || {
        let answer = wait(lambda.get_function_configuration().function_name(format!("f-{}", stack.account)).send());
        let answer = answer.expect("the function");
        (answer.code_sha256, answer.memory_size)
    };
    zip(&stack, "exports.handler = async () => 1");
    stack.deploy(&plan(128)).exits(0);
    let first = code();
    zip(&stack, "exports.handler = async () => 2");
    stack.deploy(&plan(256)).exits(0);
    assert_ne!(code(), first);
    // Deployed once more, nothing changes: a rollback still undoes what was last changed, and says so.
    stack.deploy(&plan(256)).exits(0);
    let said = stack.run(&["rollback", "--stack", &stack.name(), "--dry-run"]).exits(2);
    assert!(said.stderr.contains("undoes revision 2") && said.stderr.contains("revision 1"), "{}", said.stderr);
    stack.run(&["rollback", "--stack", &stack.name(), "--yes"]).exits(0);
    assert_eq!(code(), first);
}

//! A machine as a place to measure latency from: it runs a Python program from memory, as an ordinary user, and leaves nothing.
//!
//! Python 3 is what such machines have: JetPack, Ubuntu, Debian and Fedora come with it. curl would show each request's times as well,
//! but it sends no request on a clock, and this program is built for other processors than those of most devices.

use super::fleet::Fleet;
use super::script::{Script, last_words, quoted};
use crate::resource::{Fault, FaultClass};

/// The program.
const PROGRAM: &str = include_str!("../../../templates/probe/probe.py");
/// What its answer begins with, as `MARK` in the program.
const MARK: &str = "akidb-edge-probe=";
/// The exit status of a shell that does not find a program.
const NOT_FOUND: i32 = 127;

/// Lets a machine send the requests of an order, which is JSON, and brings the JSON that it answers.
///
/// # Errors
/// When the machine cannot be reached, has no Python 3, or the program fails.
pub async fn probe_latency(fleet: &Fleet, host: &str, order: &str) -> Result<Vec<u8>, Fault> {
    let reply = fleet.run(host, script(order)).await?;
    if let Some(answer) = reply.output.lines().find_map(|line| line.strip_prefix(MARK)) {
        return Ok(answer.as_bytes().to_vec());
    }
    let fault = |code: &str, words: String, next: &str| {
        Fault::new(FaultClass::Refused, "ssh", "probe", code, format!("{host}: {words}")).next(next)
    };
    Err(match reply.code {
        NOT_FOUND => fault(
            "NoPython",
            "python3 is not installed on the device, and the probe is a Python program".to_owned(),
            "install it there (Debian, Ubuntu: apt-get install python3-minimal), or measure from another machine",
        ),
        code => fault(
            "ProbeFailed",
            format!("the probe ended with status {code}: {}", last_words(&reply.output, 1)),
            "it needs Python 3.8 or newer: python3 --version shows it",
        ),
    })
}

/// The order goes through a pipe, since it may hold a key and the arguments of a program are seen by every user there.
fn script(order: &str) -> Script {
    Script::from("printf '%s' ").and(quoted(order)).and(" | python3 -c ").and(quoted(PROGRAM)).and("\n")
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    use super::*;

    #[test]
    fn the_program_takes_the_order_as_it_is_and_says_no_to_another_version() {
        let run = |order: &str| {
            let output = Command::new("sh").args(["-c", script(order).as_str()]).output().expect("sh runs");
            (output.status.code(), String::from_utf8_lossy(&output.stderr).into_owned())
        };
        let (code, said) = run(r#"{"format": 2, "requests": 1, "x": "it's $(id)"}"#);
        assert_eq!(code, Some(1), "{said}");
        assert!(said.contains("an order of another version"), "{said}");
        assert!(PROGRAM.contains(&format!("MARK = {MARK:?}")));
    }
}

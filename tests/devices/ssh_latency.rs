//! `validate latency --from ssh:HOST`: machines behind real OpenSSH send the requests, each from its own network namespace, to a server
//! with a known delay.

use std::io::{BufRead, BufReader, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use serde_json::Value;
use testkit::lab::Lab;

/// How long the server takes for each answer.
const DELAY: Duration = Duration::from_millis(20);

/// A server on an address of this machine that the hosts reach; it counts the requests.
fn server(address: &str) -> (SocketAddr, Arc<AtomicUsize>) {
    let listener = TcpListener::bind((address, 0)).expect("the address of the bridge");
    let (at, count) = (listener.local_addr().expect("an address"), Arc::new(AtomicUsize::new(0)));
    let counted = Arc::clone(&count);
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let counted = Arc::clone(&counted);
            // A client that goes away ends its connection.
            std::thread::spawn(move || drop(answer(&stream, &counted)));
        }
    });
    (at, count)
}

fn answer(stream: &TcpStream, counted: &AtomicUsize) -> std::io::Result<()> {
    stream.set_nodelay(true)?;
    let mut reader = BufReader::new(stream);
    loop {
        let mut line = String::new();
        while line != "\r\n" {
            line.clear();
            if reader.read_line(&mut line)? == 0 {
                return Ok(());
            }
        }
        counted.fetch_add(1, Ordering::Relaxed);
        #[expect(clippy::disallowed_methods, reason = "the delay of this server is what is measured")]
        std::thread::sleep(DELAY);
        let mut writer = stream;
        writer.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok")?;
    }
}

fn finding<'d>(document: &'d Value, measure: &str, of: Option<&str>) -> &'d Value {
    let all = document["measurements"][0]["found"].as_array().unwrap_or_else(|| panic!("{document}"));
    let one = all.iter().find(|found| found["measure"] == measure && found["of"].as_str() == of);
    &one.unwrap_or_else(|| panic!("{measure} of {of:?} in {document}"))["finding"]
}

#[test]
fn each_machine_measures_over_its_own_network_and_nothing_is_left_there() {
    let Some(lab) = Lab::of_hosts("latency", 2) else { return };
    let host = |at: usize, field: &str| lab.inventory["hosts"][at][field].as_str().expect("a text").to_owned();
    let bridge = host(0, "address").rsplit_once('.').map(|(network, _)| format!("{network}.1")).expect("an address");
    let (server, requests) = server(&bridge);
    let named: Vec<String> = (0..2).map(|at| format!("{}@{}", host(at, "user"), host(at, "address"))).collect();
    let files = "find /tmp /var/tmp /root /home -newer /etc/hostname -type f 2>/dev/null | grep -c probe; :";
    let words = |from: &str| {
        format!(
            "validate latency --url http://{server}/x --requests 200 --rate 100 --p95-ms 1000 --json --from ssh:{from}"
        )
    };
    let document = lab.run(&words(&named.join(","))).exits(0).json();
    for name in &named {
        let p95 = finding(&document, "latency.p95", Some(&format!("ssh:{name}")));
        assert_eq!((&p95["verdict"], &p95["samples"]), (&"pass".into(), &200.into()), "{document}");
        assert!(p95["low"].as_f64().is_some_and(|low| low >= 20.0), "the server alone takes 20 ms: {p95}");
    }
    let both = finding(&document, "latency.machines_measured", Some("ssh"));
    assert_eq!(both["value"], 2.0, "{both}");
    // 20 connections are opened by each before it measures.
    assert_eq!(requests.load(Ordering::Relaxed), 2 * (20 + 200));
    assert_eq!(lab.inside(&host(0, "name"), files).trim(), "0", "nothing of the probe is left");

    // One machine that refuses leaves it open, and the other one's figures are shown all the same.
    let away = format!("{},{}:1", named[0], named[1]);
    let open = lab.run(&words(&away)).exits(2).json();
    assert_eq!(finding(&open, "latency.p95", Some(&format!("ssh:{}", named[0])))["verdict"], "pass", "{open}");
    assert_eq!(finding(&open, "latency.p95", Some("ssh"))["verdict"], "inconclusive", "{open}");
    let measured = finding(&open, "latency.machines_measured", Some("ssh"));
    assert_eq!((&measured["verdict"], &measured["value"]), (&"inconclusive".into(), &1.0.into()), "{measured}");
}

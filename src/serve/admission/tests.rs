use super::*;

const PEER: IpAddr = IpAddr::V4(std::net::Ipv4Addr::LOCALHOST);

fn ask(path: &str, headers: &[(&'static str, &str)]) -> Parts {
    let mut request = http::Request::get(path);
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    request.body(()).unwrap().into_parts().0
}

fn rules() -> Rules {
    Rules { in_flight: 2, ..Rules::default() }
}

fn gate(rules: Rules, line: &str) -> (Gate, String) {
    let (key, hashed) = keys::mint("alice").unwrap();
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("keys");
    std::fs::write(&file, format!("{hashed}{line}")).unwrap();
    let keys = KeyRing::open(&file).unwrap();
    (Gate::new(rules, Some(Arc::new(keys)), Stop::new(), |_| ()), format!("Bearer {key}"))
}

#[test]
fn without_a_key_only_open_addresses_answer() {
    let (gate, bearer) = gate(Rules { metrics_open: true, ..rules() }, "");
    for path in ["/health", "/ready", "/metrics", "/grpc.health.v1.Health/Check"] {
        assert!(gate.admit(&ask(path, &[]), PEER).is_ok(), "{path}");
    }
    for path in ["/", "/api/v1/embed", "/models", "/health/", "/metricsx"] {
        assert_eq!(gate.admit(&ask(path, &[]), PEER).unwrap_err().code, "UNAUTHORIZED", "{path}");
        assert!(gate.admit(&ask(path, &[("authorization", &bearer)]), PEER).is_ok(), "{path}");
    }
    for wrong in ["Bearer ", "Bearer akidb_x", "Basic YTpi", "", &bearer[7..], &format!("{bearer}x")] {
        assert_eq!(gate.admit(&ask("/models", &[("authorization", wrong)]), PEER).unwrap_err().status, 401, "{wrong}");
    }
    for name in ["api-key", "x-api-key"] {
        assert!(gate.admit(&ask("/models", &[(name, &bearer[7..])]), PEER).is_ok(), "{name}");
        let both = [("authorization", "Bearer x"), (name, &bearer[7..])];
        assert_eq!(gate.admit(&ask("/models", &both), PEER).unwrap_err().status, 401, "{name}");
    }
    let lower = bearer.replace("Bearer", "bearer");
    assert!(gate.admit(&ask("/models", &[("authorization", &lower)]), PEER).is_ok());
}

#[test]
fn metrics_are_closed_unless_opened() {
    let (gate, _) = gate(rules(), "");
    assert_eq!(gate.admit(&ask("/metrics", &[]), PEER).unwrap_err().status, 401);
}

#[test]
fn bytes_are_counted_before_they_are_read() {
    let gate = Gate::new(Rules { in_flight: 100, bytes: 10 << 20, ..Rules::default() }, None, Stop::new(), |_| ());
    let send = |length: &'static str| {
        let request = http::Request::post("/embed").header("content-length", length).body(()).unwrap();
        gate.admit(&request.into_parts().0, PEER)
    };
    let first = send("7340032").unwrap();
    let heavy = send("7340032").unwrap_err();
    assert_eq!((heavy.code, heavy.retry_after), ("OVERLOADED", Some(Duration::from_secs(1))));
    assert!(heavy.message.contains("7 MiB"), "{}", heavy.message);
    send("1000").expect("a small one has room");
    assert!(gate.admit(&ask("/health", &[]), PEER).is_ok());
    drop(first);
    let second = send("999999999999").expect("it is refused when it is read");
    assert_eq!(gate.bytes().taken(), 8 << 20);
    drop(second);
    assert_eq!((gate.bytes().taken(), gate.slots.taken()), (0, 0));
}

#[test]
fn places_are_given_back() {
    let gate = Gate::new(rules(), None, Stop::new(), |_| ());
    let (first, _second) = (gate.admit(&ask("/models", &[]), PEER), gate.admit(&ask("/models", &[]), PEER));
    let full = gate.admit(&ask("/models", &[]), PEER).unwrap_err();
    assert_eq!((full.code, full.retry_after), ("OVERLOADED", Some(Duration::from_secs(1))));
    assert!(gate.admit(&ask("/health", &[]), PEER).is_ok(), "health is asked under load, too");
    drop(first);
    assert!(gate.admit(&ask("/models", &[]), PEER).is_ok());
}

#[test]
fn a_key_has_its_own_rate() {
    let (gate, bearer) = gate(Rules { rate: 1000, burst: 1, ..rules() }, ":rate=1");
    let request = ask("/models", &[("authorization", &bearer)]);
    assert!(gate.admit(&request, PEER).is_ok());
    let limited = gate.admit(&request, PEER).unwrap_err();
    assert_eq!((limited.code, limited.status.as_u16()), ("RATE_LIMITED", 429));
    assert!(limited.retry_after.unwrap() > Duration::from_millis(500));
}

#[test]
fn whoever_guesses_keys_is_slowed() {
    let (gate, bearer) = gate(Rules { rate_by_address: 1, ..rules() }, "");
    let wrong = ask("/models", &[("authorization", "Bearer x")]);
    assert_eq!(gate.admit(&wrong, PEER).unwrap_err().code, "UNAUTHORIZED");
    assert_eq!(gate.admit(&wrong, PEER).unwrap_err().code, "RATE_LIMITED");
    assert!(gate.admit(&ask("/models", &[("authorization", &bearer)]), PEER).is_ok());
}

#[test]
fn the_tenant_of_a_key_cannot_be_changed_by_a_header() {
    let (gate, bearer) = gate(rules(), ":tenant=acme");
    let request = ask("/models", &[("authorization", &bearer), ("x-tenant", "other-one")]);
    assert_eq!(&*gate.admit(&request, PEER).unwrap().tenant.0, "acme");
    let gate = Gate::new(rules(), None, Stop::new(), |_| ());
    assert_eq!(&*gate.admit(&ask("/models", &[("x-tenant", "blue")]), PEER).unwrap().tenant.0, "blue");
    assert_eq!(&*gate.admit(&ask("/models", &[("x-tenant", "a b")]), PEER).unwrap().tenant.0, "none");
}

#[test]
fn readiness_ends_first() {
    let gate = Gate::new(rules(), None, Stop::new(), |_| ());
    gate.stop().advance(crate::serve::shutdown::Phase::Draining);
    assert_eq!(gate.admit(&ask("/ready", &[]), PEER).unwrap_err().code, "SHUTTING_DOWN");
    assert!(gate.admit(&ask("/models", &[]), PEER).is_ok(), "what still comes is still answered");
}

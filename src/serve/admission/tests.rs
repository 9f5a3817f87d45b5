use super::*;

const PEER: IpAddr = IpAddr::V4(std::net::Ipv4Addr::LOCALHOST);

fn ask(path: &str, headers: &[(&'static str, &str)]) -> Parts {
    let mut request = http::Request::get(path);
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    request.body(()).unwrap().into_parts().0
}

fn rules() -> AdmissionRules {
    AdmissionRules { in_flight: 2, ..AdmissionRules::default() }
}

fn gate(rules: AdmissionRules, line: &str) -> (AdmissionGate, String) {
    let (key, hashed) = keys::mint("alice").unwrap();
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("keys");
    std::fs::write(&file, format!("{hashed}{line}")).unwrap();
    let keys = ApiKeys::open(&file).unwrap();
    (AdmissionGate::new(rules, Some(Arc::new(keys)), ShutdownHandle::new(), |_| ()), format!("Bearer {key}"))
}

#[test]
fn without_a_key_only_open_addresses_answer() {
    let (gate, bearer) = gate(AdmissionRules { metrics_open: true, ..rules() }, "");
    for path in ["/health", "/ready", "/metrics", "/grpc.health.v1.Health/Check"] {
        assert!(gate.admit(&ask(path, &[]), PEER, &ConnectionSlots::new()).is_ok(), "{path}");
    }
    for path in ["/", "/api/v1/embed", "/models", "/health/", "/metricsx"] {
        assert_eq!(
            gate.admit(&ask(path, &[]), PEER, &ConnectionSlots::new()).unwrap_err().code,
            "UNAUTHORIZED",
            "{path}"
        );
        assert!(gate.admit(&ask(path, &[("authorization", &bearer)]), PEER, &ConnectionSlots::new()).is_ok(), "{path}");
    }
    for wrong in ["Bearer ", "Bearer akidb_x", "Basic YTpi", "", &bearer[7..], &format!("{bearer}x")] {
        assert_eq!(
            gate.admit(&ask("/models", &[("authorization", wrong)]), PEER, &ConnectionSlots::new()).unwrap_err().status,
            401,
            "{wrong}"
        );
    }
    for name in ["api-key", "x-api-key"] {
        assert!(gate.admit(&ask("/models", &[(name, &bearer[7..])]), PEER, &ConnectionSlots::new()).is_ok(), "{name}");
        let both = [("authorization", "Bearer x"), (name, &bearer[7..])];
        assert_eq!(
            gate.admit(&ask("/models", &both), PEER, &ConnectionSlots::new()).unwrap_err().status,
            401,
            "{name}"
        );
    }
    let lower = bearer.replace("Bearer", "bearer");
    assert!(gate.admit(&ask("/models", &[("authorization", &lower)]), PEER, &ConnectionSlots::new()).is_ok());
}

#[test]
fn metrics_are_closed_unless_opened() {
    let (gate, _) = gate(rules(), "");
    assert_eq!(gate.admit(&ask("/metrics", &[]), PEER, &ConnectionSlots::new()).unwrap_err().status, 401);
}

#[test]
fn a_body_for_which_there_is_no_room_is_refused_before_it_is_read() {
    let gate = AdmissionGate::new(
        AdmissionRules { in_flight: 100, bytes: 10 << 20, ..AdmissionRules::default() },
        None,
        ShutdownHandle::new(),
        |_| (),
    );
    let send = |length: &'static str| {
        let request = http::Request::post("/embed").header("content-length", length).body(()).unwrap();
        gate.admit(&request.into_parts().0, PEER, &ConnectionSlots::new())
    };
    let first = send("7340032").unwrap();
    assert_eq!(gate.bytes().taken(), 0, "what is only said takes nothing from others");
    let came = gate.bytes().take_many(7 << 20);
    let heavy = send("7340032").unwrap_err();
    assert_eq!((heavy.code, heavy.retry_after), ("OVERLOADED", Some(Duration::from_secs(1))));
    assert!(heavy.message.contains("7 MiB"), "{}", heavy.message);
    send("1000").expect("a small one has room");
    send("999999999999").expect("it is refused when it is read");
    assert!(gate.admit(&ask("/health", &[]), PEER, &ConnectionSlots::new()).is_ok());
    drop((first, came));
    assert_eq!((gate.bytes().taken(), gate.slots.taken()), (0, 0));
}

#[test]
fn open_addresses_have_places_of_their_own_in_all_and_for_each_connection() {
    let gate = AdmissionGate::new(AdmissionRules { streams: 9, ..rules() }, None, ShutdownHandle::new(), |_| ());
    let near = ConnectionSlots::new();
    let watch = |near: &ConnectionSlots| gate.admit(&ask("/grpc.health.v1.Health/Watch", &[]), PEER, near);
    let mut held: Vec<Admitted> = (0..connection_slots::WATCHES).map(|_| watch(&near).unwrap()).collect();
    assert_eq!(watch(&near).unwrap_err().code, "OVERLOADED");
    held.push(watch(&ConnectionSlots::new()).unwrap());
    assert_eq!(watch(&ConnectionSlots::new()).unwrap_err().status, 429, "nine in all");
    assert!(gate.admit(&ask("/models", &[]), PEER, &near).is_ok(), "they are not those of requests");
    drop(held);
    assert!(watch(&near).is_ok());
    let health: Vec<_> = (0..100).filter_map(|_| gate.admit(&ask("/health", &[]), PEER, &near).ok()).collect();
    assert_eq!(health.len(), 32);
    assert!(gate.admit(&ask("/health", &[]), PEER, &ConnectionSlots::new()).is_ok());
    let told: Vec<_> = (0..500).filter_map(|_| gate.refusal(&near)).collect();
    assert_eq!(told.len(), connection_slots::REFUSALS);
    drop((health, told));
    assert_eq!((gate.open.taken(), gate.refusals.taken(), gate.watches.taken()), (0, 0, 0));
}

#[test]
fn streams_are_counted_and_a_message_is_a_request() {
    let (gate, bearer) = gate(AdmissionRules { in_flight: 10, streams: 1, ..AdmissionRules::default() }, ":rate=2");
    let gate = Arc::new(gate);
    let request = ask("/akidb.embedding.v1.EmbeddingService/EmbedStream", &[("authorization", &bearer)]);
    let first = gate.admit(&request, PEER, &ConnectionSlots::new()).unwrap();
    let second = gate.admit(&request, PEER, &ConnectionSlots::new()).unwrap_err();
    assert!(second.message.contains("1 streams"), "{}", second.message);
    let caller = caller::Caller::new(gate.clone(), first.key.clone(), PEER);
    assert_eq!(caller.again().unwrap_err().code, "RATE_LIMITED");
    assert_eq!(gate.slots.taken(), 1);
    drop(first);
    assert_eq!((gate.slots.taken(), gate.streams.taken()), (0, 0));
}

#[test]
fn a_stream_ends_when_an_authority_of_clients_is_taken_away() {
    let gate = Arc::new(AdmissionGate::new(rules(), None, ShutdownHandle::new(), |_| ()));
    let (taken_away, authorities) = tokio::sync::watch::channel(0);
    let near = ConnectionSlots { authorities: Some(authorities), ..ConnectionSlots::new() };
    let caller = caller::Caller::new(gate, None, PEER).over(&near);
    assert!(caller.again().is_ok());
    taken_away.send_modify(|count| *count += 1);
    assert_eq!((caller.again().unwrap_err().status, caller.again().is_err()), (StatusCode::UNAUTHORIZED, true));
}

#[test]
fn places_are_given_back() {
    let gate = AdmissionGate::new(rules(), None, ShutdownHandle::new(), |_| ());
    let (first, _second) = (
        gate.admit(&ask("/models", &[]), PEER, &ConnectionSlots::new()),
        gate.admit(&ask("/models", &[]), PEER, &ConnectionSlots::new()),
    );
    let full = gate.admit(&ask("/models", &[]), PEER, &ConnectionSlots::new()).unwrap_err();
    assert_eq!((full.code, full.retry_after), ("OVERLOADED", Some(Duration::from_secs(1))));
    assert!(gate.admit(&ask("/health", &[]), PEER, &ConnectionSlots::new()).is_ok(), "health is asked under load, too");
    drop(first);
    assert!(gate.admit(&ask("/models", &[]), PEER, &ConnectionSlots::new()).is_ok());
}

#[test]
fn a_key_has_its_own_rate() {
    let (gate, bearer) = gate(AdmissionRules { rate: 1000, burst: 1, ..rules() }, ":rate=1");
    let request = ask("/models", &[("authorization", &bearer)]);
    assert!(gate.admit(&request, PEER, &ConnectionSlots::new()).is_ok());
    let limited = gate.admit(&request, PEER, &ConnectionSlots::new()).unwrap_err();
    assert_eq!((limited.code, limited.status.as_u16()), ("RATE_LIMITED", 429));
    assert!(limited.retry_after.unwrap() > Duration::from_millis(500));
}

#[test]
fn whoever_guesses_keys_is_slowed() {
    let (gate, bearer) = gate(AdmissionRules { rate_by_address: 1, ..rules() }, "");
    let wrong = ask("/models", &[("authorization", "Bearer x")]);
    assert_eq!(gate.admit(&wrong, PEER, &ConnectionSlots::new()).unwrap_err().code, "UNAUTHORIZED");
    assert_eq!(gate.admit(&wrong, PEER, &ConnectionSlots::new()).unwrap_err().code, "RATE_LIMITED");
    assert!(gate.admit(&ask("/models", &[("authorization", &bearer)]), PEER, &ConnectionSlots::new()).is_ok());
}

#[test]
fn the_tenant_of_a_key_cannot_be_changed_by_a_header() {
    let (gate, bearer) = gate(rules(), ":tenant=acme");
    let request = ask("/models", &[("authorization", &bearer), ("x-tenant", "other-one")]);
    assert_eq!(&*gate.admit(&request, PEER, &ConnectionSlots::new()).unwrap().tenant.0, "acme");
    let (gate, bearer) = super::tests::gate(rules(), "");
    let request = ask("/models", &[("authorization", &bearer), ("x-tenant", "acme")]);
    assert_eq!(
        &*gate.admit(&request, PEER, &ConnectionSlots::new()).unwrap().tenant.0,
        "none",
        "nobody vouches for that"
    );
    let gate = AdmissionGate::new(rules(), None, ShutdownHandle::new(), |_| ());
    assert_eq!(
        &*gate.admit(&ask("/models", &[("x-tenant", "blue")]), PEER, &ConnectionSlots::new()).unwrap().tenant.0,
        "blue"
    );
    assert_eq!(
        &*gate.admit(&ask("/models", &[("x-tenant", "a b")]), PEER, &ConnectionSlots::new()).unwrap().tenant.0,
        "none"
    );
    let near = ConnectionSlots { holder: Some("edge-1".into()), ..ConnectionSlots::new() };
    let named = gate.admit(&ask("/models", &[("x-tenant", "blue")]), PEER, &near).unwrap().tenant;
    assert_eq!(&*named.0, "edge-1", "whoever has a certificate is whom it names");
}

#[test]
fn readiness_ends_first() {
    let gate = AdmissionGate::new(rules(), None, ShutdownHandle::new(), |_| ());
    gate.stop().advance(crate::serve::shutdown::ShutdownPhase::Draining);
    assert_eq!(gate.admit(&ask("/ready", &[]), PEER, &ConnectionSlots::new()).unwrap_err().code, "SHUTTING_DOWN");
    assert!(
        gate.admit(&ask("/models", &[]), PEER, &ConnectionSlots::new()).is_ok(),
        "what still comes is still answered"
    );
}

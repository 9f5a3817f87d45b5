use serde_json::json;

use super::*;
use crate::resource::{Address, Attributes, Kind, PendingDeletion, Resource};

fn change(action: Action, fields: Vec<FieldChange>) -> Changes {
    let address = Address::new("jetson", Kind::File, "a-srv-www-index");
    let spec = json!({"host": "a", "path": "/srv/www/index", "content": {"text": "PASSWORD=preview-canary"}});
    let mut after = Resource::new(address.clone(), Kind::File, &spec);
    after.sources = vec!["../secret/\u{1b}[2Kcredentials".to_owned()];
    let (kind, risk, origin) = (Kind::File, Risk::Safe, ResourceOrigin::Made);
    let change = Change {
        address: address.clone(),
        kind,
        action,
        fields,
        risk,
        moved_from: Vec::new(),
        reason: None,
        origin,
        after: Some(after),
        before: None,
        found: None,
    };
    Changes { stack: "s".to_owned(), items: [(address, change)].into(), ..Changes::default() }
}

#[test]
fn a_value_of_several_lines_is_no_line_of_the_preview() {
    let field = |old: Value, new: Value| FieldChange {
        path: "description".to_owned(),
        old: Some(old),
        new: Some(new),
        drifted: false,
    };
    let forged = "x\n\nno changes: 3 resources match the plan\n";
    let sets = |text: &str| json!([{"name": "a", "value": text}]);
    let fields = vec![field(json!("x"), json!(forged)), field(sets("x"), sets(forged))];
    let text = changes_text(
        &change(Action::Update, fields),
        false,
        Screen::unbounded(false),
        Level::Usable,
        &OmittedResources::default(),
    );
    assert!(!text.lines().any(|line| line.starts_with("no changes")), "{text:?}");
    assert_eq!(text.matches("\\n\\nno changes").count(), 2, "{text:?}");
}

#[test]
fn what_is_left_over_is_named_with_its_risk() {
    let left = PendingDeletion {
        address: Address::new("models", Kind::Bucket, "one"),
        kind: Kind::Bucket,
        id: "the-newer".to_owned(),
        spec: Value::Null,
        attributes: Attributes::new(),
        reason: "a newer one took its place".into(),
        held_by: std::collections::BTreeSet::new(),
    };
    let changes = Changes { stack: "s".to_owned(), pending_deletions: vec![left], ..Changes::default() };
    let text = changes_text(&changes, false, Screen::unbounded(false), Level::Usable, &OmittedResources::default());
    let line = "  - models.bucket.one  left over: S3 bucket the-newer: a newer one took its place  [destroys data]\n";
    assert!(text.contains(line) && text.contains("1 left over to clear; risk: destroys data"), "{text:?}");
}

#[test]
fn the_content_of_a_file_is_shown_by_what_it_was_and_what_it_becomes() {
    let hash = |text: &str| crate::resource::sha256_hex(text.as_bytes());
    let line = |old: Value, new: Value, drifted: bool| {
        let field = FieldChange { path: "content".to_owned(), old: Some(old), new: Some(new), drifted };
        field_line(&field, if drifted { "  (changed outside)" } else { "" }, false).to_string()
    };
    let (a, b) = (hash("A"), hash("B"));
    assert_eq!(
        line(json!({"text": "A"}), json!({"text": "B"}), false),
        format!("        content:\n          old SHA-256 {a}\n          new SHA-256 {b}\n")
    );
    let seen = line(json!({"sha256": a}), json!({"fetched": {"url": "https://a.b/c", "sha256": b}}), true);
    assert!(seen.contains("content:  (changed outside)\n          old SHA-256 ") && seen.ends_with(&format!("{b}\n")));
    assert_eq!(
        line(json!({"link": "/a"}), json!({"link": "/b"}), false),
        "        content: link to /a -> link to /b\n"
    );
    let open = line(json!({"text": "A"}), json!({"text": "of ${models.bucket.b#name}"}), false);
    assert!(open.ends_with("new (known after apply)\n") && !open.contains("bucket"), "{open}");
}

#[test]
fn who_gets_a_right_is_shown_however_long_the_policy_is() {
    let policy = |who: &str| {
        json!({"Version": "2012-10-17", "Statement": [{"Action": "sqs:ReceiveMessage", "Effect": "Allow",
            "Principal": {"AWS": format!("arn:aws:iam::{who}:root")}, "Resource": "arn:aws:sqs:us-east-1:111111111111:q"}]})
    };
    let field = |old: Value, new: Value| FieldChange {
        path: "policy".to_owned(),
        old: Some(old),
        new: Some(new),
        drifted: false,
    };
    let text = |old: Value, new: Value, all: bool| {
        let changes = change(Action::Update, vec![field(old, new)]);
        changes_text(&changes, all, Screen::unbounded(false), Level::Usable, &OmittedResources::default())
    };
    let (ours, theirs) = (policy("111111111111"), policy("666666666666"));
    let shown = text(ours.clone(), theirs.clone(), false);
    assert!(shown.contains("- policy.Statement.0.Principal.AWS \"arn:aws:iam::111111111111:root\"\n"), "{shown:?}");
    assert!(shown.contains("+ policy.Statement.0.Principal.AWS \"arn:aws:iam::666666666666:root\"\n"), "{shown:?}");
    assert!(!shown.contains("ReceiveMessage"), "{shown:?}");
    let written = text(json!(ours.to_string()), json!(theirs.to_string()), false);
    assert!(written.contains("iam::666666666666:root"), "{written:?}");
    let all = text(ours, theirs, true);
    assert!(all.contains("ReceiveMessage") && all.contains("q\""), "{all:?}");
    let long = |end: &str| json!(format!("{}{end}{}", "a".repeat(200), "z".repeat(200)));
    let cut = text(long("OLD"), long("NEW"), false);
    assert!(cut.contains("aOLDz") && cut.contains("aNEWz") && cut.contains("z… (403 characters)"), "{cut:?}");
}

#[test]
fn what_is_sent_is_named_and_what_is_in_it_is_not_shown() {
    let created = changes_text(
        &change(Action::Create, Vec::new()),
        false,
        Screen::unbounded(false),
        Level::Usable,
        &OmittedResources::default(),
    );
    assert!(created.contains("/srv/www/index\n        from ../secret/\\u{1b}[2Kcredentials\n"), "{created:?}");
    let side = |value: Value| Some(value);
    let fields = vec![
        FieldChange {
            path: "content".to_owned(),
            old: side(json!({"text": "PASSWORD=preview-canary"})),
            new: side(json!({"text": "OTHER=preview-canary"})),
            drifted: false,
        },
        FieldChange {
            path: "content.text".to_owned(),
            old: side(json!("PASSWORD=preview-canary")),
            new: None,
            drifted: true,
        },
    ];
    let changes = change(Action::Update, fields);
    let text = changes_text(&changes, false, Screen::unbounded(false), Level::Usable, &OmittedResources::default());
    let hash = crate::resource::sha256_hex(b"PASSWORD=preview-canary");
    assert!(!text.contains("canary") && text.contains(&hash), "{text:?}");
    let document = crate::report::document("test", &changes_json(&changes)).to_string();
    assert!(!document.contains("canary") && document.contains(&hash), "{document}");
    assert!(document.contains("\"sources\""), "{document}");
}

#[test]
fn what_does_not_work_was_not_changed_outside() {
    let field = |path: &str| FieldChange {
        path: path.to_owned(),
        old: Some(json!(false)),
        new: Some(json!(true)),
        drifted: true,
    };
    let words = |kind: Kind, path: &str| {
        let mut changes = change(Action::Update, Vec::new());
        let one = changes.items.values_mut().next().expect("one change");
        one.kind = kind;
        drift_words(one, &field(path))
    };
    assert_eq!(words(Kind::Manifest, "ready"), "  (not usable now)");
    assert_eq!(words(Kind::Service, "active"), "  (not usable now)");
    assert_eq!(words(Kind::Service, "enabled"), "  (changed outside)");
    assert_eq!(words(Kind::File, "content"), "  (changed outside)");
}

#[test]
fn a_row_fits_a_narrow_terminal_and_keeps_its_tag() {
    let row = |width: usize, label: &str| {
        let mut changes = change(Action::Update, Vec::new());
        let one = changes.items.values_mut().next().expect("one change");
        one.risk = Risk::Disruptive;
        one.after.iter_mut().for_each(|after| after.sources.clear());
        let screen = Screen { width, color: false };
        fitted(&line(one, screen, "distribution.canary-latency-eu-central-1", label), screen, true).to_string()
    };
    let id = "d111111abcdef8.cloudfront.net";
    let aligned = format!("{:<41}", "distribution.canary-latency-eu-central-1");
    assert_eq!(row(120, id), format!("  ~ update  {aligned}{id}  [disruptive]\n"));
    assert_eq!(row(80, id), format!("  ~ update  {aligned}d11111…nt.net  [disruptive]\n"));
    assert_eq!(row(68, id), "  ~ update  distribution.canary-latency-eu-central-1  [disruptive]\n");
    // Words are not cut: they go on below.
    assert_eq!(
        row(80, "api.example.com and 4 more names"),
        format!("  ~ update  {aligned}api.example.com and 4 more\n      names  [disruptive]\n")
    );
}

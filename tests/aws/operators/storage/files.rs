//! Own files in buckets.

use super::code::zip;
use super::*;

#[test]
fn own_files_follow_a_folder() {
    let stack = Stack::new();
    let write = |path: &str, text: &str| {
        let path = stack.home.path().join(path);
        std::fs::create_dir_all(path.parent().expect("a folder")).expect("folders");
        std::fs::write(path, text).expect("a file");
    };
    write("web/index.html", "<p>one</p>");
    write("web/about/a b.html", "<p>about</p>");
    write("web/app.map", "left out");
    write("web/.hidden", "left out");
    write("assets/app.js", "one()");
    write("robots.txt", "User-agent: *");
    let files = "      files:\n        b:\n          /: {folder: web, exclude: ['*.map'], rules: [{match: '*.html', cache_control: no-cache}]}\n          static: {folder: assets, hashed: true, manifest: assets.json}\n          robots.txt: {file: robots.txt, content_type: text/plain}\n";
    let plan = stack.plan("files.yaml", &format!("{}{files}", one_bucket(&stack, &[])));
    stack.deploy(&plan).exits(0);
    let (s3, name) = (client(&stack), bucket(&stack));
    let keys = || {
        let listed = wait(s3.list_objects_v2().bucket(&name).send()).expect("a list");
        listed.contents().iter().filter_map(|one| one.key().map(str::to_owned)).collect::<Vec<_>>()
    };
    let text = |key: &str| {
        let answer = wait(s3.get_object().bucket(&name).key(key).send()).expect("an object");
        let headers = format!("{} {}", answer.content_type().unwrap_or("-"), answer.cache_control().unwrap_or("-"));
        let bytes = wait(answer.body.collect()).expect("the bytes").to_vec();
        (String::from_utf8(bytes).expect("text"), headers)
    };
    let script = |keys: &[String]| keys.iter().find(|key| key.starts_with("static/app.")).cloned().expect("the script");
    let first = keys();
    let old = script(&first);
    assert_eq!(first, ["about/a b.html", "assets.json", "index.html", "robots.txt", &old]);
    assert_eq!(text("index.html"), ("<p>one</p>".into(), "text/html; charset=utf-8 no-cache".into()));
    assert_eq!(text(&old).1, "text/javascript; charset=utf-8 public, max-age=31536000, immutable");
    assert_eq!(text("assets.json").0, format!("{{\"app.js\":\"{old}\"}}"));
    assert_eq!(text("robots.txt").1, "text/plain public, max-age=60");
    assert!(stack.deploy(&plan).exits(0).stdout.contains("no changes"));
    // Others put an object there; a file changes, one goes.
    wait(s3.put_object().bucket(&name).key("theirs.txt").send()).expect("put");
    write("web/index.html", "<p>two</p>");
    write("assets/app.js", "two()");
    std::fs::remove_file(stack.home.path().join("web/about/a b.html")).expect("removed");
    stack.deploy(&plan).exits(0);
    let second = keys();
    let new = script(&second);
    assert_eq!(second, ["assets.json", "index.html", "robots.txt", &new, "theirs.txt"]);
    assert_ne!(new, old, "different content has a different key");
    assert_eq!(text("index.html").0, "<p>two</p>");
    // The earlier files are overwritten on this machine: a rollback has kept them.
    stack.run(&["rollback", "--stack", &stack.name(), "--yes"]).exits(0);
    assert_eq!(text("index.html").0, "<p>one</p>");
    assert_eq!(text(&old).0, "one()");
    assert!(keys().contains(&"theirs.txt".to_owned()));
    let refused = stack.run(&["destroy", "--stack", &stack.name(), "--yes"]).exits(3);
    assert!(refused.stderr.contains("theirs.txt"), "{}", refused.stderr);
    wait(s3.delete_object().bucket(&name).key("theirs.txt").send()).expect("deleted");
    stack.run(&["destroy", "--stack", &stack.name(), "--yes"]).exits(0);
}

/// Each setting of a function and of a file: without, with, without; and with, then rolled back.
#[test]
fn functions_and_files_give_up_what_the_plan_gives_up() {
    let stack = Stack::new();
    zip(&stack, "exports.handler = async () => 1; exports.other = async () => 2");
    std::fs::write(stack.home.path().join("page.txt"), "text").expect("a file");
    let lambda = aws_sdk_lambda::Client::new(&stack.sdk);
    let s3 = client(&stack);
    let plan = |name: &str, function: &str, file: &str| {
        let zip = stack.home.path().join("code.zip").display().to_string();
        let steps = format!(
            "{}      files:\n        b:\n          page.txt: {{file: page.txt{file}}}\n  - title: e\n    id: e\n    kind: edge-function\n    with:\n      functions:\n        f: {{name: g-{}, runtime: nodejs24.x, memory_mb: 128, timeout_seconds: 3, code: {{zip: {zip}}}{function}}}\n",
            one_bucket(&stack, &[]),
            stack.account,
        );
        stack.plan(name, &steps)
    };
    let world = || {
        let call = lambda.get_function_configuration().function_name(format!("g-{}", stack.account));
        let held = wait(call.send()).expect("the function");
        let head = wait(s3.head_object().bucket(bucket(&stack)).key("page.txt").send()).expect("the object");
        format!(
            "{:?} {:?} {:?} {:?}",
            held.description.filter(|text| !text.is_empty()),
            held.handler,
            head.content_type,
            head.cache_control
        )
    };
    let without = plan("without.yaml", "", "");
    stack.deploy(&without).exits(0);
    let before = world();
    for (function, file) in [
        (", description: what it does", ""),
        (", handler: index.other", ""),
        ("", ", content_type: application/x-own"),
        ("", ", cache_control: no-store"),
    ] {
        let with = plan("with.yaml", function, file);
        stack.deploy(&with).exits(0);
        assert_ne!(world(), before, "{function}{file} is set");
        stack.deploy(&without).exits(0);
        assert_eq!(world(), before, "{function}{file} is unset");
        stack.deploy(&with).exits(0);
        stack.run(&["rollback", "--stack", &stack.name(), "--yes"]).exits(0);
        assert_eq!(world(), before, "{function}{file} is rolled back");
    }
}

#[test]
fn a_page_may_be_a_folder() {
    let stack = Stack::new();
    std::fs::create_dir(stack.home.path().join("site")).expect("a folder");
    for (name, text) in [("index.html", "<p>"), ("style.css", "p {}")] {
        std::fs::write(stack.home.path().join("site").join(name), text).expect("a file");
    }
    let name = bucket(&stack);
    let steps = format!(
        "  - title: p\n    id: p\n    kind: page\n    with:\n      bucket: {{name: {name}, region: us-east-1, versioning: true}}\n      files:\n        /: {{folder: site, cache_control: no-cache}}\n"
    );
    let plan = stack.plan("page.yaml", &steps);
    stack.deploy(&plan).exits(0);
    let head = wait(client(&stack).head_object().bucket(&name).key("style.css").send()).expect("the object");
    assert_eq!(head.content_type(), Some("text/css; charset=utf-8"));
    assert!(stack.deploy(&plan).exits(0).stdout.contains("no changes"));
    // A saved plan that would delete a bucket with old versions is refused like any other run.
    let other = stack.plan("other.yaml", &one_bucket(&stack, &[]).replace(&name, &format!("other-{}", stack.account)));
    stack.run(&["deploy", "--plan", &other.to_string_lossy(), "--out", "saved.plan.json"]).exits(2);
    let refused = stack.run(&["deploy", "saved.plan.json", "--yes"]).exits(3);
    assert!(refused.stderr.contains("--empty-buckets"), "{}", refused.stderr);
}

#[test]
fn a_folder_that_is_not_there_is_named() {
    let stack = Stack::new();
    let plan = |entry: &str| {
        let steps = format!("{}      files:\n        b:\n          x: {entry}\n", one_bucket(&stack, &[]));
        stack.plan("files.yaml", &steps)
    };
    let missing = stack.deploy(&plan("{folder: nowhere}")).exits(3);
    assert!(missing.stderr.contains("nowhere"), "{}", missing.stderr);
    let both = stack.deploy(&plan("{folder: nowhere, file: x}"));
    assert!(both.code != 0 && both.stderr.contains("one of template, file, folder"), "{}", both.all());
}

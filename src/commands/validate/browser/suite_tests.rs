use super::*;

fn check() -> BrowserCheck {
    let text = r#"{"url": null, "browsers": {"chrome": 90, "safari": 15, "netscape": 4}, "threads": 4, "load_ms": 1, "cold_ms": 1,
        "warm_ms": 1, "memory_mb": 1, "offline": true}"#;
    serde_json::from_str(text).expect("a check")
}

fn suite<'a>(folder: &std::path::Path, check: &'a BrowserCheck) -> BrowserSuite<'a> {
    BrowserSuite { folder: folder.to_owned(), url: "http://127.0.0.1:1/".to_owned(), check }
}

#[tokio::test]
async fn a_suite_that_is_not_there_or_not_installed_is_skipped() {
    let (folder, check) = (tempfile::tempdir().expect("a folder"), check());
    let no = suite(&folder.path().join("none"), &check).run().await.expect_err("there is none");
    assert!(matches!(no, NotDriven::NoSuite(_)), "{no}");
    std::fs::write(folder.path().join("measure.mjs"), "").expect("a file");
    let no = suite(folder.path(), &check).run().await.expect_err("not installed");
    assert!(no.to_string().starts_with("skipped: the packages"), "{no}");
}

#[tokio::test]
async fn the_document_of_the_suite_is_read_and_its_error_is_shown() {
    let (folder, check) = (tempfile::tempdir().expect("a folder"), check());
    std::fs::create_dir(folder.path().join("node_modules")).expect("a folder");
    let write = |text: &str| std::fs::write(folder.path().join("measure.mjs"), text).expect("a file");
    write(&format!(
        "console.log(JSON.stringify({{ schema: '{SCHEMA}', engines: [{{ engine: 'chromium', why: process.argv.slice(2).join(' ') }}] }}));
         process.exitCode = 1;"
    ));
    let report = suite(folder.path(), &check).run().await.expect("a document");
    let words = "--url http://127.0.0.1:1/ --minimum chromium=90,webkit=15 --engine chromium --engine webkit";
    assert_eq!(report.engines[0].why.as_deref(), Some(words));
    write("throw new TypeError('no page');");
    let failed = suite(folder.path(), &check).run().await.expect_err("it throws");
    assert_eq!(failed.to_string(), "the browser suite failed: TypeError: no page");
    write("console.log('{\"schema\": \"x\", \"engines\": []}');");
    assert!(matches!(suite(folder.path(), &check).run().await, Err(NotDriven::Document(_))));
}

#[test]
fn browsers_are_engines() {
    let engines = ["chrome", "firefox", "safari", "netscape"].map(engine);
    assert_eq!(engines, [Some("chromium"), Some("firefox"), Some("webkit"), None]);
}

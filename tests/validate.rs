//! `validate plan`: no AWS, no environment.

mod support;

use support::cli::{bare, finish};

#[test]
fn a_plan_that_aws_would_refuse() {
    let folder = tempfile::tempdir().expect("a directory");
    for name in ["model.safetensors", "tokenizer.json"] {
        std::fs::write(folder.path().join(name), "small").expect("a file");
    }
    let models = format!("model_dir={}", folder.path().display());
    let good = finish(bare().args(["validate", "plan", "week13", "--var", &models])).exits(0);
    insta::assert_snapshot!("good", good.stdout);

    let text = std::fs::read_to_string("plans/week13.yaml").expect("the plan");
    let mistakes = [
        ("memory_mb: 128", "memory_mb: 4096"),
        ("interval_seconds: 30,", "interval_seconds: 7,"),
        ("http_version: http2and3", "http_version: http4"),
        ("price_class: ${var.price_class}", "price_class: PriceClass_300"),
    ];
    let wrong = mistakes.iter().fold(text, |text, (from, to)| {
        assert!(text.contains(from), "{from}");
        text.replace(from, to)
    });
    std::fs::write(folder.path().join("wrong.yaml"), wrong).expect("a file");
    let run = |more: &[&str]| {
        finish(bare().current_dir(folder.path()).args(["validate", "plan", "wrong.yaml", "--var", &models]).args(more))
            .exits(3)
    };
    insta::assert_snapshot!("wrong", run(&[]).stdout);
    let document = run(&["--json"]).json();
    assert_eq!(document["schema"], "akidb-edge/validate-plan/v1");
    assert!(document["errors"].as_u64() >= Some(4), "{document}");
    // A deploy says the same, before any call.
    let deploy = bare()
        .current_dir(folder.path())
        .args(["deploy", "--plan", "wrong.yaml", "--yes", "--var", &models])
        .envs([
            ("AWS_REGION", "us-east-1"),
            ("AWS_ENDPOINT_URL", "http://127.0.0.1:9"),
            ("AWS_ACCESS_KEY_ID", "x"),
            ("AWS_SECRET_ACCESS_KEY", "y"),
        ])
        .output()
        .expect("the binary runs");
    assert_eq!(deploy.status.code(), Some(3));
}

//! Texts and the fields beside them: how many, how long, under which names, with which prompt.

use serde_json::{Value, json};

use super::{TEXTS, of_tokens, raw, store};
use testkit::cli::bare;
use testkit::serve::{Server, onnxruntime, tiny};

#[test]
fn a_text_that_is_too_long_is_cut_unless_truncate_is_false() {
    let server = Server::start(&mut tiny());
    let long = "car ".repeat(100);
    let pair = json!({"source_sentence": long, "sentences": ["a"]});
    let bodies = [
        ("/", json!({"inputs": long})),
        ("/embed", json!({"inputs": long})),
        ("/embed_all", json!({"inputs": long})),
        ("/invocations", json!({"inputs": long})),
        ("/similarity", json!({"inputs": pair, "parameters": {}})),
        ("/", json!({"inputs": pair, "parameters": {}})),
    ];
    for (path, mut body) in bodies {
        let parameters = if body["parameters"].is_object() { "/parameters" } else { "" };
        let cut = server.post(path, &body);
        assert_eq!(cut.0, 200, "{path}: {}", cut.1);
        for truncate in [json!(null), json!(true), json!(false)] {
            body.pointer_mut(parameters).unwrap()["truncate"] = truncate.clone();
            let (status, answer) = server.post(path, &body);
            if truncate == false {
                assert_eq!((status, answer["code"].as_str()), (422, Some("INPUT_TOO_LONG")), "{path}: {answer}");
            } else {
                assert_eq!((status, &answer), (200, &cut.1), "{path} {truncate}");
            }
        }
    }
    let vertex =
        |truncate: Value| server.post("/vertex", &json!({"instances": [{"inputs": long, "truncate": truncate}]}));
    assert_eq!((vertex(Value::Null).0, vertex(json!(false)).0), (200, 422));
}

#[test]
fn as_many_texts_as_openai_takes_are_taken_everywhere() {
    let server = Server::start(&mut tiny());
    let texts = vec!["a"; 2048];
    for (path, key) in &TEXTS[..9] {
        let (status, answer) = server.post(path, &json!({*key: texts}));
        assert_eq!(status, 200, "{path}: {answer}");
        let (status, answer) = server.post(path, &json!({*key: vec!["a"; 2049]}));
        assert!([400, 413].contains(&status), "{path}: {status} {answer}");
    }
}

#[test]
fn null_is_the_same_as_nothing() {
    let server = Server::start(&mut tiny());
    for (path, key, fields) in [
        (
            "/api/v1/embed",
            "inputs",
            &[
                "texts",
                "input",
                "text",
                "model",
                "version",
                "normalize",
                "truncate",
                "truncation_direction",
                "prompt_name",
                "encoding",
                "dimensions",
            ][..],
        ),
        (
            "/v1/embeddings",
            "input",
            &[
                "model",
                "user",
                "encoding_format",
                "dimensions",
                "normalize",
                "truncate",
                "truncation_direction",
                "prompt_name",
            ],
        ),
        (
            "/embed",
            "inputs",
            &["normalize", "truncate", "truncation_direction", "prompt_name", "dimensions", "parameters"],
        ),
        ("/embed_all", "inputs", &["truncate", "truncation_direction", "prompt_name", "normalize"]),
        ("/", "inputs", &["normalize", "truncate", "truncation_direction", "prompt_name", "dimensions", "parameters"]),
        ("/tokenize", "inputs", &["add_special_tokens", "prompt_name"]),
        ("/decode", "ids", &["skip_special_tokens"]),
    ] {
        let mut body = json!({key: if key == "ids" { json!([2]) } else { json!("hello") }});
        let plain = server.post(path, &body);
        for field in fields {
            body[*field] = Value::Null;
        }
        let nulls = server.post(path, &body);
        assert_eq!((nulls.0, plain.0), (200, 200), "{path}: {}", nulls.1);
    }
    let (status, answer) = server.post("/api/v1/embed", &json!({"inputs": null, "text": "a"}));
    assert_eq!(status, 200, "{answer}");
}

#[test]
fn texts_have_several_names_and_one_at_a_time() {
    let server = Server::start(&mut tiny());
    let wanted = server.post("/api/v1/embed", &json!({"inputs": "hello"})).1["embeddings"].clone();
    for body in
        [json!({"text": "hello"}), json!({"texts": ["hello"]}), json!({"input": "hello"}), json!({"text": ["hello"]})]
    {
        let (status, answer) = server.post("/api/v1/embed", &body);
        assert_eq!((status, &answer["embeddings"]), (200, &wanted), "{body}");
    }
    for body in
        [json!({"text": "a", "texts": ["b"]}), json!({"inputs": "a", "text": "a"}), json!({"inputs": null}), json!({})]
    {
        assert_eq!(server.post("/api/v1/embed", &body).0, 400, "{body}");
    }
}

#[test]
fn openai_s_address_cuts_only_what_may_be_cut() {
    let server = Server::start(&mut tiny());
    let long = "car ".repeat(100);
    for path in ["/v1/embeddings", "/embeddings", "/openai/v1/embeddings"] {
        assert_eq!(server.post(path, &json!({"input": long})).0, 200);
        let (status, answer) = server.post(path, &json!({"input": ["a", long], "truncate": false}));
        assert_eq!((status, answer["error"]["code"].as_str()), (413, Some("INPUT_TOO_LONG")), "{answer}");
        assert!(answer["error"]["message"].as_str().unwrap().contains("text 1"), "{answer}");
    }
}

#[test]
fn a_mark_of_utf_8_is_taken_and_half_a_character_is_named() {
    let server = Server::start(&mut tiny());
    for (path, key) in &TEXTS[..9] {
        let marked = format!("\u{feff}{{\"{key}\": \"hello\"}}");
        assert_eq!(raw(&server, path, marked.as_bytes()).status, 200, "{path}");
        for half in [r"cut \ud83d", r"\ude80 cut", r"\ud83d\n", r"\ud83d\ud83d\ude80"] {
            let mut texts = vec![r#""fine \ud83d\ude80""#.to_owned(); 200];
            texts[137] = format!("\"{half}\"");
            let body = format!("{{\n\"{key}\": [{}]}}", texts.join(",\n"));
            let answer = raw(&server, path, body.as_bytes());
            let said = answer.text();
            assert_eq!(answer.status, 400, "{path} {half}: {said}");
            assert!(
                said.contains(&format!("{key}[137]")) && said.contains("half of a surrogate pair"),
                "{path} {half}: {said}"
            );
        }
    }
}

#[test]
fn prompts_and_the_side_that_is_cut_mean_the_same_everywhere() {
    let store = store(&[("tiny", "owner/tiny")]);
    let prompts = json!({"prompts": {"query": "hello "}});
    std::fs::write(store.path().join("tiny/config_sentence_transformers.json"), prompts.to_string()).unwrap();
    let mut command = bare();
    command.args(["serve", "--http", "127.0.0.1:0", "--grpc", "off", "--model", "tiny", "--models"]).arg(store.path());
    let server = Server::start(command.arg("--onnxruntime").arg(onnxruntime()));
    let ask = |path: &str, body: &Value| {
        let (status, answer) = server.post(path, body);
        assert_eq!(status, 200, "{path} {body}: {answer}");
        let vector = [&answer["embeddings"][0], &answer["data"][0]["embedding"], &answer[0]];
        vector.into_iter().find(|vector| vector.is_array()).unwrap().clone()
    };
    let last = format!("{}world world", "car ".repeat(60));
    for (path, key) in &TEXTS[..10] {
        let with = ask(path, &json!({*key: "world", "prompt_name": "query"}));
        assert_eq!(with, ask(path, &json!({*key: "hello world"})), "{path}");
        let (status, answer) = server.post(path, &json!({*key: "a", "prompt_name": "nobody"}));
        assert!([400, 422].contains(&status) && answer.to_string().contains("nobody"), "{path}: {status} {answer}");
        if *path != "/tokenize" {
            let of = |side: Value| ask(path, &json!({*key: last, "truncate": true, "truncation_direction": side}));
            assert_eq!((of(json!("Right")), of(json!("LEFT"))), (of(Value::Null), of(json!("left"))), "{path}");
            assert_ne!(of(json!("right")), of(json!("left")), "{path}");
        }
    }
    let tokens = |body: Value| of_tokens(&server, &body).remove(0);
    let with = tokens(json!({"inputs": "world", "prompt_name": "query"}));
    assert_eq!(with, tokens(json!({"inputs": "hello world"})), "a prompt's tokens have vectors, too");
    let get = |query: &str| {
        let answer = server.request("GET", &format!("/api/v1/embed?{query}"), &[], b"");
        assert_eq!(answer.status, 200, "{}", answer.text());
        (answer.json()["embeddings"].clone(), answer.header("etag").unwrap().to_owned())
    };
    let (with, without) = (get("input=world&prompt_name=query"), get("input=world"));
    assert_eq!(with.0, get("input=hello+world").0);
    assert_ne!(with.1, without.1);
    assert_eq!(server.get("/api/v1/embed?input=a&prompt_name=nobody").0, 400);
    assert_eq!(server.get("/api/v1/embed?input=a&truncation_direction=up").0, 400);
}

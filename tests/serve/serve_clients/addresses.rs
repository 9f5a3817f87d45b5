//! The addresses of text-embeddings-inference, and what they answer.

use serde_json::{Value, json};

use testkit::serve::{Server, tiny};

#[test]
fn every_address_of_text_embeddings_inference_answers_as_there() {
    let server = Server::start(&mut tiny());
    let ask = |path: &str, body: Value| {
        let (status, answer) = server.post(path, &body);
        assert_eq!(status, 200, "{path}: {answer}");
        answer
    };
    let texts = json!(["hello world", "errors"]);
    let vectors = ask("/embed", json!({"inputs": texts}));
    for path in ["/", "/invocations", "/embed/", "//embed"] {
        assert_eq!(ask(path, json!({"inputs": texts, "parameters": {}})), vectors, "{path}");
    }
    let instances = json!([{"inputs": "hello world"}, {"inputs": ["errors"], "truncate": true}]);
    let predictions = ask("/vertex", json!({"instances": instances}));
    assert_eq!(predictions["predictions"], json!([[vectors[0]], [vectors[1]]]));
    assert_eq!(ask("/vertex", json!({"instances": []})), json!({"predictions": []}), "as there");
    let pair = json!({"source_sentence": "hello world", "sentences": ["hello world", "errors"]});
    let close: Vec<f64> = serde_json::from_value(ask("/similarity", json!({"inputs": pair}))).unwrap();
    let dot = |one: &Value, other: &Value| {
        let numbers = |vector: &Value| serde_json::from_value::<Vec<f64>>(vector.clone()).unwrap();
        numbers(one).iter().zip(numbers(other)).map(|(one, other)| one * other).sum::<f64>()
    };
    assert!((close[0] - 1.0).abs() < 1e-5 && (close[1] - dot(&vectors[0], &vectors[1])).abs() < 1e-5, "{close:?}");
    // A client that is given an address and nothing else asks there for either.
    let same: Vec<f64> = serde_json::from_value(ask("/", json!({"inputs": pair, "parameters": null}))).unwrap();
    assert_eq!(same, close);
    let short = ask("/embed", json!({"inputs": "errors", "dimensions": 3, "normalize": null}));
    assert_eq!(short[0].as_array().unwrap().len(), 3);
}

#[test]
fn tokens_have_their_places_and_ids_their_text() {
    let server = Server::start(&mut tiny());
    let (status, tokens) = server.post("/tokenize", &json!({"inputs": "hello wörld"}));
    assert_eq!(status, 200, "{tokens}");
    let tokens = tokens[0].as_array().unwrap();
    assert_eq!(tokens[0], json!({"id": 2, "text": "[CLS]", "special": true, "start": null, "stop": null}));
    assert_eq!((&tokens[1]["text"], &tokens[1]["start"], &tokens[1]["stop"]), (&json!("hello"), &json!(0), &json!(5)));
    assert_eq!((&tokens[2]["text"], &tokens[2]["start"]), (&json!("wörld"), &json!(6)));
    let ids: Vec<u64> = tokens.iter().map(|token| token["id"].as_u64().unwrap()).collect();
    let plain = server.post("/tokenize", &json!({"inputs": ["hello", "a"], "add_special_tokens": false})).1;
    assert_eq!((plain.as_array().unwrap().len(), &plain[0][0]["special"]), (2, &json!(false)));
    assert_eq!(server.post("/decode", &json!({"ids": ids})).1, json!(["hello world"]));
    let both = server.post("/decode", &json!({"ids": [ids, [ids[1]]], "skip_special_tokens": false})).1;
    assert_eq!(both, json!(["[CLS] hello world [SEP]", "hello"]));
    // The model reads 32 tokens; a text may have 250 characters for each.
    assert_eq!(server.post("/tokenize", &json!({"inputs": "ü".repeat(8000)})).0, 200);
    for (path, body, status, kind) in [
        ("/tokenize", json!({"inputs": "a".repeat(8001)}), 422, "Validation"),
        ("/tokenize", json!({"inputs": []}), 400, "Empty"),
        ("/decode", json!({"ids": []}), 400, "Empty"),
        ("/decode", json!({"ids": [[1], []]}), 400, "Empty"),
        ("/decode", json!({"ids": [[1], 2]}), 422, "Validation"),
        ("/decode", json!({"ids": "hello"}), 422, "Validation"),
        ("/decode", json!({"ids": vec![vec![1]; 2049]}), 413, "Validation"),
    ] {
        let (got, answer) = server.post(path, &body);
        assert_eq!((got, answer["error_type"].as_str()), (status, Some(kind)), "{path}: {answer}");
    }
}
